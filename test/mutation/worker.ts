import { constants, setPriority } from "node:os";
import { createVitest } from "vitest/node";

/** Runs tests over a changed source, again and again: a process of its own, so that a mutant that never ends can be ended. */
export interface Trial {
	/** Relative to the root, as are the tests. */
	readonly file: string;
	/** What stands in the file's place; undefined: what it holds. */
	readonly source: string | undefined;
	readonly tests: readonly string[];
}

/** Undefined: every test passed. */
export type Verdict = { readonly failed: string | undefined };

const [, , root = "", tests = ""] = process.argv;
let trial: Trial | undefined;
let last: string | undefined;

setPriority(constants.priority.PRIORITY_LOW);
const vitest = await createVitest(
	{
		config: false,
		root,
		include: tests.split(","),
		watch: false,
		pool: "threads",
		isolate: false,
		fileParallelism: false,
		maxWorkers: 1,
		bail: 1,
		// It would answer for a file by what stood there before.
		fsModuleCache: false,
		reporters: [{}],
	},
	{
		plugins: [
			{
				name: "mutant",
				enforce: "pre",
				transform: (_, id) =>
					trial?.source !== undefined && id === `${root}/${trial.file}`
						? { code: trial.source, map: null }
						: undefined,
			},
		],
	},
);
await vitest.standalone();
const all = await vitest.globTestSpecifications();

async function run({ file, tests }: Trial): Promise<Verdict> {
	// Its own file, and the one that was changed before it.
	for (const each of new Set([file, last ?? file]))
		vitest.invalidateFile(`${root}/${each}`);
	last = file;
	const wanted = all.filter(({ moduleId }) =>
		tests.some((test) => moduleId === `${root}/${test}`),
	);
	if (wanted.length !== tests.length)
		throw new Error(`Some of these tests are not there: ${tests.join(", ")}`);
	const { testModules, unhandledErrors } = await vitest.runTestSpecifications(
		wanted,
		true,
	);
	for (const module of testModules) {
		// Of other runs, that stand here still.
		if (!wanted.some(({ moduleId }) => moduleId === module.moduleId)) continue;
		for (const test of module.children.allTests("failed"))
			return { failed: test.fullName };
		if (!module.ok()) return { failed: module.relativeModuleId };
	}
	return { failed: unhandledErrors.length > 0 ? "an error" : undefined };
}

/** One answer to each trial, after a first that says that it is ready. */
process.on("message", (next: Trial) => {
	trial = next;
	run(next).then(
		(verdict) => process.send?.(verdict),
		(fault: unknown) => {
			process.stderr.write(`${String(fault)}\n`);
			process.exit(2);
		},
	);
});
process.on("disconnect", () => process.exit());
process.send?.({ failed: undefined } satisfies Verdict);
