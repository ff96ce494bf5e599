import { parseArgs } from "node:util";
import { SimulationFailure, simulate } from "./simulation/simulation.ts";

/**
 * Runs the credits simulator: `node test/simulate.ts --seeds 200 [--from 1] [--steps 160]`, or one seed
 * again with `--seed 17`. A failing seed prints the line that replays it.
 */
const { values } = parseArgs({
	options: {
		seeds: { type: "string", default: "200" },
		from: { type: "string", default: "1" },
		seed: { type: "string" },
		steps: { type: "string" },
	},
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || count < 1) {
	console.error("Give whole numbers: --seeds 200, --from 1, --seed 17.");
	process.exitCode = 2;
} else {
	await run();
}

async function run(): Promise<void> {
	const steps =
		values.steps === undefined ? {} : { steps: Number(values.steps) };
	const began = performance.now();
	const ends = new Map<string, number>();
	const incidents = new Map<string, number>();
	let events = 0;
	for (let seed = from; seed < from + count; seed++) {
		try {
			const simulated = await simulate({ seed, ...steps });
			events += simulated.events;
			for (const [end, times] of simulated.ends)
				ends.set(end, (ends.get(end) ?? 0) + times);
			for (const [incident, times] of simulated.incidents)
				incidents.set(incident, (incidents.get(incident) ?? 0) + times);
			if (count === 1)
				console.log(
					`seed ${seed}: ${simulated.events} events, root ${simulated.root}`,
				);
		} catch (fault) {
			console.error(fault instanceof SimulationFailure ? fault.message : fault);
			process.exitCode = 1;
			return;
		}
	}
	const seconds = (performance.now() - began) / 1_000;
	console.log(
		`${count} seeds, ${events} events, ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} seeds/s: all held.`,
	);
	for (const tally of [incidents, ends]) {
		console.log(
			[...tally]
				.sort(([a], [b]) => (a < b ? -1 : 1))
				.map(([name, times]) => `${name}: ${times}`)
				.join(", "),
		);
	}
}
