import { parseArgs } from "node:util";
import { SimulationFailure, simulate } from "./simulation/simulation.ts";
import { type Engine, engines, openStores } from "./simulation/stores.ts";

/**
 * Runs the credits simulator: `node test/simulate.ts --seeds 200 [--from 1] [--steps 160]`, or one seed
 * again with `--seed 17`. A failing seed prints the line that replays it. `--store postgres` runs it on
 * another store than memory, `--store all` on each, and asks that every seed has the same root on all.
 */
const { values } = parseArgs({
	options: {
		seeds: { type: "string", default: "200" },
		from: { type: "string", default: "1" },
		seed: { type: "string" },
		steps: { type: "string" },
		store: { type: "string", default: "memory" },
	},
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const chosen =
	values.store === "all"
		? engines
		: engines.filter((engine) => engine === values.store);
if (chosen.length === 0) {
	console.error(`Give a store: ${engines.join(", ")} or all.`);
	process.exitCode = 2;
} else if (
	!Number.isSafeInteger(from) ||
	!Number.isSafeInteger(count) ||
	count < 1
) {
	console.error("Give whole numbers: --seeds 200, --from 1, --seed 17.");
	process.exitCode = 2;
} else {
	const roots = new Map<number, string>();
	for (const engine of chosen) await run(engine, roots);
}

async function run(engine: Engine, roots: Map<number, string>): Promise<void> {
	const steps =
		values.steps === undefined ? {} : { steps: Number(values.steps) };
	const began = performance.now();
	const ends = new Map<string, number>();
	const incidents = new Map<string, number>();
	let events = 0;
	const stores = await openStores(engine);
	for (let seed = from; seed < from + count; seed++) {
		try {
			const simulated = await stores.with((store) =>
				simulate({ seed, ...steps, ...store }),
			);
			const root = roots.get(seed) ?? simulated.root;
			roots.set(seed, root);
			if (root !== simulated.root)
				throw new Error(
					`Seed ${seed} has root ${simulated.root} on ${engine}, and ${root} on ${chosen[0]}.`,
				);
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
			await stores.close();
			return;
		}
	}
	await stores.close();
	const seconds = (performance.now() - began) / 1_000;
	console.log(
		`${engine}: ${count} seeds, ${events} events, ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} seeds/s: all held.`,
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
