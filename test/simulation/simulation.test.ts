import { describe, expect, it } from "vitest";
import {
	type CreditsCommand,
	type CreditsState,
	credits,
} from "../../src/contexts/credits/index.ts";
import type { Decider, Decision } from "../../src/kernel/decider.ts";
import { seededRandom } from "./random.ts";
import { type Simulated, SimulationFailure, simulate } from "./simulation.ts";
import { openStores } from "./stores.ts";

const seeds = Array.from({ length: 120 }, (_, index) => index + 1);

async function simulateAll(
	decider: Decider<CreditsState, CreditsCommand> = credits,
): Promise<readonly Simulated[]> {
	const all: Simulated[] = [];
	for (const seed of seeds) all.push(await simulate({ seed, decider }));
	return all;
}

describe("the simulator", () => {
	it("finds every promise kept, whatever goes wrong", async () => {
		const all = await simulateAll();
		const met = new Set(
			all.flatMap(({ ends, incidents }) => [
				...ends.keys(),
				...incidents.keys(),
			]),
		);
		expect([...met]).toEqual(
			expect.arrayContaining([
				"clock jumped",
				"followed",
				"in doubt",
				"killed",
				"replayed",
				"unanswered",
				"hold credits/cap-exceeded",
				"hold credits/insufficient",
				"hold idempotency/mismatch",
				"hold ok",
				"move-hold credits/cap-exceeded",
				"move-hold hold/already-settled",
				"move-hold ok",
				"settle ok",
				"settle hold/already-settled",
				"settle hold/already-released",
				"release ok",
				"release hold/already-settled",
				"expire ok",
				"expire hold/not-due",
				"refund ok",
				"refund refund/exceeds-charge",
			]),
		);
		expect(all.reduce((sum, { events }) => sum + events, 0)).toBeGreaterThan(
			seeds.length * 15,
		);
	});

	it("gives the same history for the same seed, and another for another", async () => {
		const [first, again, other] = [
			await simulate({ seed: 11 }),
			await simulate({ seed: 11 }),
			await simulate({ seed: 12 }),
		];
		expect(again).toEqual(first);
		expect(other.root).not.toBe(first.root);
	});

	it.each(["sqlite", "postgres"] as const)(
		"gives the same history on %s as in memory",
		async (engine) => {
			const stores = await openStores(engine);
			try {
				for (const seed of [1, 2, 3, 4, 5, 6])
					expect(
						await stores.with((store) => simulate({ seed, ...store })),
					).toEqual(await simulate({ seed }));
			} finally {
				await stores.close();
			}
		},
		60_000,
	);

	it("says in one line how to replay a failure", async () => {
		const failure = await simulateAll({
			...credits,
			evolve: (state) => state,
		}).catch((fault) => fault);
		expect(failure).toBeInstanceOf(SimulationFailure);
		expect(failure.message).toMatch(
			/Replay it: npm run simulate -- --seed \d+$/,
		);
		await expect(
			simulate({
				seed: failure.seed,
				decider: { ...credits, evolve: (state) => state },
			}),
		).rejects.toThrow(failure.message);
	});
});

/** Each breaks one rule; a simulator that did not find it would prove nothing. */
const faults: Readonly<
	Record<string, Partial<Decider<CreditsState, CreditsCommand>>>
> = {
	"caps are forgotten": {
		decide(command, state, context) {
			const decision = credits.decide(command, state, context);
			if (decision.ok || decision.error.code !== "credits/cap-exceeded")
				return decision;
			const free = credits.load(credits.save(state));
			for (const owner of [...free.accounts.values(), ...free.keys.values()])
				owner.caps = {};
			return credits.decide(command, free, context);
		},
	},
	"the balance is overdrawn": {
		decide(command, state, context) {
			const rich = credits.load(credits.save(state));
			for (const account of rich.accounts.values()) account.granted += 500;
			return credits.decide(
				command,
				command.type === "hold" ? rich : state,
				context,
			);
		},
	},
	"a move asks nobody for the difference": {
		decide(command, state, context) {
			if (command.type !== "move-hold")
				return credits.decide(command, state, context);
			const free = credits.load(credits.save(state));
			for (const account of free.accounts.values()) account.granted += 500;
			for (const owner of [...free.accounts.values(), ...free.keys.values()])
				owner.caps = {};
			return credits.decide(command, free, context);
		},
	},
	"a move counts in the window of its own moment": {
		decide(command, state, context) {
			const open =
				command.type === "move-hold" && state.holds.get(command.call);
			return credits.decide(
				command,
				state,
				open ? { ...context, now: open.time } : context,
			);
		},
	},
	"a move is forgotten": {
		evolve: (state, event) =>
			event.type === "hold-moved" ? state : credits.evolve(state, event),
	},
	"yesterday's window is used": {
		decide: (command, state, context) =>
			credits.decide(
				command,
				state,
				command.type === "hold"
					? { ...context, now: context.now - 86_400_000 }
					: context,
			),
	},
	"a hold counts in the window after its own": {
		evolve: (state, event) =>
			credits.evolve(
				state,
				event.type === "credits-held"
					? { ...event, time: event.time + 86_400_000 }
					: event,
			),
	},
	"a call is settled twice": {
		decide(command, state, context) {
			const decision = credits.decide(command, state, context);
			const [first] = [...context.recalled.values()];
			if (
				decision.ok ||
				decision.error.code !== "hold/already-settled" ||
				!first
			)
				return decision;
			return {
				ok: true,
				events: [{ stream: first.stream, type: first.type, data: first.data }],
			};
		},
		evolve: (state, event) =>
			event.type === "credits-settled" &&
			!state.holds.has(event.data.call as string)
				? state
				: credits.evolve(state, event),
	},
	"more is charged than there is": {
		decide: (command, state, context) =>
			altered(
				credits.decide(command, state, context),
				"credits-settled",
				({ uncollected, ...data }) => ({
					...data,
					amount: data.cost,
				}),
			),
	},
	"the rest of a cost is lost": {
		decide: (command, state, context) =>
			altered(
				credits.decide(command, state, context),
				"credits-settled",
				({ uncollected, ...data }) => data,
			),
	},
	"more is refunded than was charged": {
		decide: (command, state, context) =>
			altered(
				credits.decide(command, state, context),
				"credits-refunded",
				(data) => ({ ...data, amount: (data.amount as number) + 1 }),
			),
	},
	"a hold expires early": {
		decide: (command, state, context) =>
			credits.decide(
				command,
				state,
				command.type === "expire"
					? { ...context, now: 8_000_000_000_000_000 }
					: context,
			),
	},
	"a revoked key goes on": {
		decide(command, state, context) {
			const forgetful = credits.load(credits.save(state));
			for (const key of forgetful.keys.values()) key.revoked = undefined;
			return credits.decide(
				command,
				command.type === "hold" ? forgetful : state,
				context,
			);
		},
	},
	"a snapshot forgets refunds": {
		load: (saved) => credits.load({ ...(saved as object), refunded: [] }),
	},
};

function altered(
	decision: Decision,
	type: string,
	change: (
		data: Readonly<Record<string, unknown>>,
	) => Readonly<Record<string, unknown>>,
): Decision {
	if (!decision.ok) return decision;
	return {
		ok: true,
		events: decision.events.map((draft) =>
			draft.type === type ? { ...draft, data: change(draft.data) } : draft,
		),
	};
}

describe("the simulator finds it when", () => {
	it.each(Object.keys(faults))("%s", async (name) => {
		await expect(simulateAll({ ...credits, ...faults[name] })).rejects.toThrow(
			SimulationFailure,
		);
	});
});

it("draws evenly, and the same for the same seed", () => {
	const [random, again] = [seededRandom(42), seededRandom(42)];
	const draws = Array.from({ length: 6_000 }, () => random.below(6));
	expect(Array.from({ length: 6_000 }, () => again.below(6))).toEqual(draws);
	for (let face = 0; face < 6; face++) {
		const times = draws.filter((draw) => draw === face).length;
		expect(times).toBeGreaterThan(850);
		expect(times).toBeLessThan(1_150);
	}
});
