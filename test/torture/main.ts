import { parseArgs } from "node:util";
import { seededRandom } from "../simulation/random.ts";
import { clients, handles, hosts } from "./clients.ts";
import { clock } from "./clock.ts";
import { crash } from "./crash.ts";
import { diskScenarios } from "./disk.ts";
import { falseRefusals, overspend } from "./overspend.ts";
import { parserScenarios } from "./parsers.ts";
import { routes } from "./routes.ts";
import { Broken, type Scenario, Skipped } from "./scenario.ts";
import { torn } from "./torn.ts";
import { vendors } from "./vendors.ts";

/**
 * Runs the real program through faults and bad input:
 * `node test/torture/main.ts [--short] [--seed 1] [--rounds 3] [--minutes 15] [--only crash,disk-full]`.
 *
 * A case is made of its seed alone; a broken promise prints the line that plays it again. What the
 * system interleaves (processes, sockets, the disk) no seed can fix, so play a case several times.
 */
const scenarios: readonly Scenario[] = [
	...parserScenarios,
	hosts,
	clients,
	handles,
	vendors,
	...diskScenarios,
	crash,
	routes,
	torn,
	clock,
	overspend,
	falseRefusals,
];

/** Milliseconds that one case may take. */
const longestCase = 180_000;

const { values } = parseArgs({
	options: {
		short: { type: "boolean", default: false },
		seed: { type: "string", default: "1" },
		rounds: { type: "string" },
		minutes: { type: "string" },
		only: { type: "string" },
	},
});
const seed = Number(values.seed);
const minutes = Number(values.minutes ?? (values.short ? 1 : 20));
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
const names = values.only?.split(",");
const unknown = names?.filter(
	(name) => !scenarios.some((scenario) => scenario.name === name),
);
if (
	!Number.isSafeInteger(seed) ||
	!(minutes > 0) ||
	(rounds !== undefined && !(Number.isSafeInteger(rounds) && rounds > 0)) ||
	(unknown && unknown.length > 0)
) {
	console.error(
		`Give whole numbers for --seed and --rounds, and names for --only: ${scenarios.map(({ name }) => name).join(", ")}.`,
	);
	process.exitCode = 2;
} else {
	await run();
}

async function run(): Promise<void> {
	const began = performance.now();
	const deadline = began + minutes * 60_000;
	const outcomes = { held: 0, broken: 0, skipped: 0, unplayed: 0 };
	for (const scenario of scenarios) {
		if (names ? !names.includes(scenario.name) : planned(scenario) === 0)
			continue;
		const count = rounds ?? Math.max(1, planned(scenario));
		for (let round = 0; round < count; round++) {
			if (performance.now() > deadline) {
				outcomes.unplayed += count - round;
				console.log(
					`${scenario.name}: ${count - round} not played, out of time`,
				);
				break;
			}
			const result = await play(scenario, seed + round);
			outcomes[result]++;
			if (result === "skipped") break;
		}
	}
	const seconds = Math.round((performance.now() - began) / 1_000);
	console.log(
		`${outcomes.held} cases held, ${outcomes.broken} broken, ${outcomes.skipped} scenarios skipped, ${outcomes.unplayed} cases not played, ${seconds} s.`,
	);
	if (outcomes.broken > 0) process.exitCode = 1;
}

function planned({ rounds: { long, short } }: Scenario): number {
	return values.short ? short : long;
}

async function play(
	scenario: Scenario,
	seed: number,
): Promise<"held" | "broken" | "skipped"> {
	const { name } = scenario;
	const began = performance.now();
	// No promise lets a case hang; what it started dies with this process.
	const hanging = setTimeout(() => {
		console.error(
			`${name} ${seed}: BROKEN. It hangs: ${longestCase / 1_000} s are over.\n${again(scenario, seed)}`,
		);
		process.exit(1);
	}, longestCase);
	try {
		const seen = await scenario.play({
			seed,
			random: seededRandom(seed),
			short: values.short,
		});
		const seconds = ((performance.now() - began) / 1_000).toFixed(1);
		console.log(`${name} ${seed}: ${seen} (${seconds} s)`);
		return "held";
	} catch (fault) {
		if (fault instanceof Skipped) {
			console.log(`${name}: skipped. ${fault.message}`);
			return "skipped";
		}
		console.error(
			`${name} ${seed}: BROKEN. ${scenario.promise}\n${fault instanceof Broken ? fault.message : (fault as Error).stack}\n${again(scenario, seed)}`,
		);
		return "broken";
	} finally {
		clearTimeout(hanging);
	}
}

function again({ name }: Scenario, seed: number): string {
	return `Again: npm run torture -- --only ${name} --seed ${seed} --rounds 1${values.short ? " --short" : ""}`;
}
