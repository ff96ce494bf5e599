import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { equivalents } from "./equivalents.ts";
import { type Mutant, mutantsOf, nameOf } from "./mutants.ts";
import { type Target, targets } from "./targets.ts";
import type { Trial, Verdict } from "./worker.ts";

/**
 * Changes the code that decides where a call may go, one small thing at a time, and runs its tests: each change must
 * make one fail. `npm run mutate [part of a file's name]`. Fails where a mutant survives, and where one that is
 * listed as an equivalent is not there any more. The files themselves are never touched.
 */
const root = fileURLToPath(new URL("../..", import.meta.url)).replace(
	/\/$/,
	"",
);
const processes = 2;
/** Milliseconds: tests take one second. */
const patience = 60_000;

interface Tried extends Mutant {
	/** What noticed it; undefined: nothing. */
	readonly killer: string | undefined;
}

const [only = ""] = process.argv.slice(2);
const chosen = targets.filter(({ file }) => file.includes(only));
const allowed = new Map(equivalents.map((each) => [nameOf(each), each]));
const started = performance.now();
const work = chosen.flatMap((target) =>
	mutantsOf(target.file, read(target.file), target.within).map((mutant) => ({
		target,
		mutant,
	})),
);
const unmatched = equivalents.filter(
	(each) =>
		each.file.includes(only) &&
		!work.some(({ mutant }) => nameOf(mutant) === nameOf(each)),
);
const queue = work.filter(({ mutant }) => !allowed.has(nameOf(mutant)));
const tried: Tried[] = [];
const total = queue.length;

await Promise.all(
	Array.from({ length: Math.min(processes, chosen.length) }, drive),
);

const survivors = tried.filter(({ killer }) => killer === undefined);
for (const each of unmatched)
	print(
		`\nlisted as an equivalent, and there is no such mutant:\n${nameOf(each)}`,
	);
print("");
for (const { file } of chosen) {
	const here = tried.filter((each) => each.file === file);
	const alive = survivors.filter((each) => each.file === file).length;
	const same = equivalents.filter((each) => each.file === file).length;
	print(
		`${file}: ${here.length + same} mutants, ${here.length - alive} killed, ${same} equivalent, ${alive} survived`,
	);
}
print(
	`${work.length} mutants, ${total - survivors.length} killed, ${work.length - total} equivalent, ${survivors.length} survived, in ${Math.round((performance.now() - started) / 1000)} s`,
);
if (survivors.length > 0 || unmatched.length > 0) process.exitCode = 1;

/** Takes mutants from the queue until none is left. */
async function drive(): Promise<void> {
	let runner = await openRunner();
	const check = async (when: string): Promise<void> => {
		for (const target of chosen) {
			const verdict = await runner.run(target, undefined);
			if (!verdict || verdict.failed !== undefined)
				throw new Error(
					`Unchanged, ${when}, a test fails: ${verdict?.failed ?? "it did not end"}`,
				);
		}
	};
	await check("at the start");
	for (const target of chosen) {
		const verdict = await runner.run(target, 'throw new Error("mutant");');
		if (!verdict?.failed)
			throw new Error(`The tests of ${target.file} run without it.`);
	}
	await check("after a change");
	for (let next = queue.shift(); next; next = queue.shift()) {
		const { target, mutant } = next;
		const verdict = await runner.run(target, mutant.source);
		if (!verdict) {
			runner.end();
			runner = await openRunner();
		}
		const killer = verdict ? verdict.failed : "it did not end";
		tried.push({ ...mutant, killer });
		if (killer === undefined) tell(mutant);
		if (tried.length % 50 === 0) print(`${tried.length} of ${total}`);
	}
	await check("at the end");
	runner.end();
}

async function openRunner(): Promise<{
	/** Undefined: it did not end in time, or took the process with it. */
	run(target: Target, source: string | undefined): Promise<Verdict | undefined>;
	end(): void;
}> {
	const all = chosen.flatMap(({ tests, others }) => [...tests, ...others]);
	const child = fork(
		fileURLToPath(new URL("worker.ts", import.meta.url)),
		[root, [...new Set(all)].join(",")],
		{ execArgv: ["--max-old-space-size=1024"] },
	);
	if (!(await answerOf(child))) throw new Error("The tests cannot be run.");
	return {
		async run({ file, tests, others }, source) {
			for (const some of [tests, others]) {
				if (some.length === 0) continue;
				child.send({ file, source, tests: some } satisfies Trial);
				const verdict = await answerOf(child);
				if (verdict?.failed !== undefined || !verdict) return verdict;
			}
			return { failed: undefined };
		},
		end: () => child.kill("SIGKILL"),
	};
}

function answerOf(child: ChildProcess): Promise<Verdict | undefined> {
	return new Promise((resolve) => {
		const done = (verdict: Verdict | undefined): void => {
			clearTimeout(timer);
			child.off("message", done as () => void);
			child.off("exit", gone);
			resolve(verdict);
		};
		const gone = (): void => done(undefined);
		const timer = setTimeout(gone, patience);
		child.once("message", done as () => void);
		child.once("exit", gone);
	});
}

function tell({ file, line, from, to }: Mutant): void {
	print(`survived ${file}:${line}\n- ${from}\n+ ${to}\n`);
}

function read(file: string): string {
	return readFileSync(`${root}/${file}`, "utf8");
}

function print(line: string): void {
	process.stdout.write(`${line}\n`);
}
