import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	type ManualClock,
	manualClock,
} from "../../adapters/runtime/manual-clock.ts";
import type { Outcome, Refusal } from "../../kernel/outcome.ts";
import { openGate } from "./gate.ts";
import { openMetrics } from "./metrics.ts";

const left: Refusal = { code: "request/cancelled", message: "Gone." };

function open(
	options: {
		calls?: number;
		bytes?: number;
		queue?: number;
		wait?: number;
	} = {},
	clock: ManualClock = manualClock(),
) {
	const metrics = openMetrics();
	const gate = openGate({
		clock,
		metrics,
		calls: 1,
		queue: 10,
		wait: 1_000,
		...options,
	});
	const events: string[] = [];
	const exits = new Map<string, () => void>();

	function note(name: string, outcome: Outcome<() => void>): void {
		if (outcome.ok) exits.set(name, outcome.value);
		events.push(outcome.ok ? `${name} in` : `${name} ${outcome.error.code}`);
	}

	return {
		...gate,
		metrics,
		clock,
		events,
		/** Enters under a name that begins with the account's. */
		come(
			name: string,
			cancelled: () => Refusal | undefined = () => undefined,
			bytes?: number,
		) {
			const entered = gate.enter(name.charAt(0), cancelled, bytes);
			if (entered instanceof Promise)
				void entered.then((outcome) => note(name, outcome));
			else note(name, entered);
			return entered;
		},
		async go(name: string) {
			exits.get(name)?.();
			await clock.settle();
		},
	};
}

describe("the gate", () => {
	it("lets in at once where there is room", () => {
		const { come, inside, events } = open({ calls: 2 });
		expect(come("a1")).not.toBeInstanceOf(Promise);
		come("a2");
		expect(events).toEqual(["a1 in", "a2 in"]);
		expect(inside()).toBe(2);
	});

	it("lets the next in when one comes out, and counts each way out once", async () => {
		const { come, go, events, inside, waiting } = open();
		come("a1");
		come("a2");
		come("a3");
		expect(waiting()).toBe(2);
		await go("a1");
		await go("a1");
		expect(events).toEqual(["a1 in", "a2 in"]);
		expect([inside(), waiting()]).toEqual([1, 1]);
		await go("a2");
		await go("a3");
		expect([inside(), waiting()]).toEqual([0, 0]);
	});

	it("lets accounts take turns, whoever came with more", async () => {
		const { come, go, events } = open();
		for (const name of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) come(name);
		for (const name of ["a1", "a2", "b1", "c1", "a3", "b2"]) await go(name);
		expect(events.map((event) => event.slice(0, 2))).toEqual([
			"a1",
			"a2",
			"b1",
			"c1",
			"a3",
			"b2",
			"a4",
		]);
	});

	it("refuses when the queue is full, and says when to come again", async () => {
		const { come, go, events, metrics } = open({ queue: 1, wait: 2_500 });
		come("a1");
		come("a2");
		expect(come("a3")).toMatchObject({
			error: { code: "rate/overloaded", details: { retryAfter: 3 } },
		});
		expect(metrics.render()).toContain(
			'dos_shed_calls_total{reason="queue"} 1\n',
		);
		await go("a1");
		expect(events).toEqual(["a1 in", "a3 rate/overloaded", "a2 in"]);
	});

	it("leaves room for others, however many calls of one account last", async () => {
		const { come, go, inside, events } = open({ calls: 16 });
		for (let n = 0; n < 20; n++) come(`a${n}`);
		expect(inside()).toBe(14);
		come("b0");
		come("c0");
		await go("a0");
		come("b1");
		await go("c0");
		expect(inside()).toBe(16);
		expect(events.slice(14)).toEqual(["b0 in", "c0 in", "a14 in", "b1 in"]);
	});

	it("gives a place in a full queue to an account that has less of it", async () => {
		const { come, clock, waiting, events } = open({ queue: 3 });
		for (const name of ["a0", "a1", "a2", "a3", "b1", "b2"]) come(name);
		await clock.settle();
		// a gives one up; a second for b would only turn the tables.
		expect(events).toEqual([
			"a0 in",
			"b2 rate/overloaded",
			"a3 rate/overloaded",
		]);
		expect(waiting()).toBe(3);
	});

	it("refuses who has waited long enough, whatever is done to the wall clock", async () => {
		const { come, clock, events, waiting, metrics } = open({ wait: 1_000 });
		come("a1");
		come("a2");
		clock.jump(-3_600_000);
		await clock.advance(999);
		expect(events).toEqual(["a1 in"]);
		clock.jump(7_200_000);
		await clock.advance(101);
		expect(events).toEqual(["a1 in", "a2 rate/overloaded"]);
		expect(waiting()).toBe(0);
		expect(metrics.render()).toContain(
			'dos_shed_calls_total{reason="wait"} 1\n',
		);
		expect(clock.timers()).toBe(0);
	});

	it("does not queue at all where nobody may wait", () => {
		const { come, events } = open({ wait: 0 });
		come("a1");
		come("a2");
		expect(events).toEqual(["a1 in", "a2 rate/overloaded"]);
	});

	it("lets go of those who left: at the door, in the queue, and at their turn", async () => {
		const { come, go, clock, events, waiting, inside } = open();
		expect(come("a0", () => left)).toEqual({ ok: false, error: left });
		let gone = false;
		come("a1");
		come("a2", () => (gone ? left : undefined));
		come("a3");
		gone = true;
		await clock.advance(100);
		expect(events.slice(1)).toEqual(["a1 in", "a2 request/cancelled"]);
		expect(waiting()).toBe(1);
		let alsoGone = false;
		come("b1", () => (alsoGone ? left : undefined));
		come("b2");
		alsoGone = true;
		await go("a1");
		await go("a3");
		expect(events.slice(3)).toEqual(["a3 in", "b1 request/cancelled", "b2 in"]);
		expect(inside()).toBe(1);
	});

	it("passes over an account of which all have left", async () => {
		const { come, go, clock, events, waiting } = open();
		let gone = false;
		come("a1");
		come("b1", () => (gone ? left : undefined));
		come("c1");
		gone = true;
		await clock.advance(100);
		expect(waiting()).toBe(1);
		await go("a1");
		expect(events).toEqual(["a1 in", "b1 request/cancelled", "c1 in"]);
		expect(waiting()).toBe(0);
	});

	it("refuses nobody before its time, though it came when others had waited for a while", async () => {
		const { come, clock, events } = open({ wait: 1_000 });
		come("a1");
		come("a2");
		await clock.advance(90);
		come("b1");
		await clock.advance(999);
		expect(events).not.toContain("b1 rate/overloaded");
		await clock.advance(101);
		expect(events).toContain("b1 rate/overloaded");
	});

	it("lets in no more bytes than may be, one too large alone, and nobody past one that waits", async () => {
		const stay = () => undefined;
		const { come, go, events, metrics } = open({ calls: 9, bytes: 100 });
		come("a1", stay, 60);
		come("a2", stay, 40);
		come("a3", stay, 500);
		come("b1", stay, 1);
		expect(events).toEqual(["a1 in", "a2 in"]);
		expect(metrics.render()).toMatch(/^dos_gate_bytes 100$/m);
		await go("a1");
		expect(events).toHaveLength(2);
		await go("a2");
		expect(events.slice(2)).toEqual(["a3 in"]);
		await go("a3");
		expect(events.slice(3)).toEqual(["b1 in"]);
		await go("b1");
		expect(metrics.render()).toMatch(/^dos_gate_bytes 0$/m);
	});

	it("lets in what fits once the large one before it has left", async () => {
		const { come, clock, events } = open({ calls: 9, bytes: 100 });
		let gone = false;
		come("a1", () => undefined, 60);
		come("b1", () => (gone ? left : undefined), 80);
		come("c1", () => undefined, 40);
		gone = true;
		await clock.advance(100);
		expect(events).toEqual(["a1 in", "b1 request/cancelled", "c1 in"]);
	});

	it("refuses everybody once it is closed; those inside come out", async () => {
		const { come, go, close, clock, events, inside, waiting } = open();
		come("a1");
		come("a2");
		come("a3", () => (events.length > 1 ? left : undefined));
		close();
		expect(clock.timers()).toBe(0);
		await clock.settle();
		come("a4");
		expect(events).toEqual(
			[
				"a1 in",
				"a4 gateway/stopping",
				"a2 gateway/stopping",
				"a3 gateway/stopping",
			].sort((one, other) => events.indexOf(one) - events.indexOf(other)),
		);
		await go("a1");
		expect([inside(), waiting()]).toEqual([0, 0]);
		await clock.advance(1_000);
		expect(events).toHaveLength(4);
		expect(clock.timers()).toBe(0);
	});

	it("shows how full it is", () => {
		const { come, metrics } = open();
		come("a1");
		come("a2");
		come("a3");
		expect(metrics.render()).toMatch(/^dos_gate_calls 1$/m);
		expect(metrics.render()).toMatch(/^dos_gate_waiting 2$/m);
	});
});

type Step =
	| { readonly do: "come"; readonly account: string; readonly bytes: number }
	| { readonly do: "go" | "leave"; readonly of: number }
	| { readonly do: "pass"; readonly milliseconds: number };

const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 5,
		arbitrary: fc.record({
			do: fc.constant("come" as const),
			account: fc.constantFrom("a", "a", "a", "b", "c"),
			bytes: fc.constantFrom(0, 1, 5, 20),
		}),
	},
	{
		weight: 4,
		arbitrary: fc.record({
			do: fc.constantFrom("go" as const, "leave" as const),
			of: fc.nat({ max: 20 }),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			do: fc.constant("pass" as const),
			milliseconds: fc.nat({ max: 400 }),
		}),
	},
);

it("whatever happens: never more inside than may be, nobody lost, nobody passed over twice", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(step, { maxLength: 120 }),
			fc.integer({ min: 1, max: 4 }),
			fc.integer({ min: 0, max: 6 }),
			async (steps, calls, queue) => {
				const clock = manualClock();
				const gate = openGate({ clock, calls, bytes: 10, queue, wait: 500 });
				interface Comer {
					readonly account: string;
					readonly bytes: number;
					state: "waits" | "in" | "out" | "refused";
					gone: boolean;
					since: number;
					exit: () => void;
					/** Accounts that were let in while it waited, as the first of its own. */
					passed: string[];
				}
				const comers: Comer[] = [];
				const waiting = () => comers.filter(({ state }) => state === "waits");

				function hear(comer: Comer, outcome: Outcome<() => void>): void {
					if (!outcome.ok) {
						comer.state = "refused";
						if (outcome.error.code === "request/cancelled")
							expect(comer.gone).toBe(true);
						return;
					}
					comer.state = "in";
					comer.exit = outcome.value;
					expect(comer.gone).toBe(false);
					const first = new Set<string>();
					for (const other of waiting()) {
						if (first.has(other.account)) continue;
						first.add(other.account);
						other.passed.push(comer.account);
						const others = other.passed.filter((of) => of !== other.account);
						// While it is the first of its account, no other account has two turns.
						expect(new Set(others).size).toBe(others.length);
					}
					for (const other of waiting())
						if (other.account === comer.account) other.passed = [];
				}

				for (const each of steps) {
					if (each.do === "come") {
						const comer: Comer = {
							account: each.account,
							bytes: Math.min(each.bytes, 10),
							state: "waits",
							gone: false,
							since: clock.now(),
							exit: () => {},
							passed: [],
						};
						comers.push(comer);
						const entered = gate.enter(
							each.account,
							() => (comer.gone ? left : undefined),
							each.bytes,
						);
						if (entered instanceof Promise)
							void entered.then((outcome) => hear(comer, outcome));
						else hear(comer, entered);
					} else if (each.do === "pass") await clock.advance(each.milliseconds);
					else {
						const comer = comers.at(-1 - each.of);
						if (each.do === "leave" && comer?.state === "waits")
							comer.gone = true;
						if (each.do === "go" && comer?.state === "in") {
							comer.state = "out";
							comer.exit();
						}
					}
					await clock.settle();
					const within = comers.filter(({ state }) => state === "in");
					const inside = within.length;
					const load = within.reduce((sum, { bytes }) => sum + bytes, 0);
					expect(load).toBeLessThanOrEqual(10);
					expect(gate.inside()).toBe(inside);
					expect(inside).toBeLessThanOrEqual(calls);
					expect(gate.waiting()).toBe(waiting().length);
					expect(gate.waiting()).toBeLessThanOrEqual(queue);
					// Nobody waits where there is room, and nobody waits longer than that.
					// Who has left is seen at the next look, and is waited behind until then.
					const needs = waiting().map(({ bytes }) => load + bytes);
					if (waiting().some(({ gone }) => !gone) && inside < calls)
						expect(Math.max(...needs)).toBeGreaterThan(10);
					for (const { since } of waiting())
						expect(clock.now() - since).toBeLessThanOrEqual(600);
				}
				for (const comer of comers) if (comer.state === "in") comer.exit();
				for (const comer of comers) if (comer.state === "in") comer.exit();
				await clock.advance(700);
				for (const comer of comers) if (comer.state === "in") comer.exit();
				await clock.settle();
				expect(waiting()).toEqual([]);
				expect(clock.timers()).toBe(0);
			},
		),
		{ numRuns: 150 },
	);
});
