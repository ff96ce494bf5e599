import fc from "fast-check";
import { expect, it } from "vitest";
import { fact, substrate } from "../routing/fixtures/substrates.ts";
import {
	openTestGateway,
	sheet,
	streamHead,
	type TestCall,
	type TestGateway,
	type TestUpstream,
} from "./gateway.testing.ts";
import { recoverHolds } from "./recovery.ts";

/** One thing that happens. What cannot happen any more to the call or the request it names does not. */
type Step =
	| {
			readonly do: "call";
			readonly stream: boolean;
			readonly max: number;
			readonly retry: string | undefined;
	  }
	| { readonly do: "leave" | "slow" | "drain"; readonly of: number }
	| { readonly do: "connect" | "end"; readonly of: number }
	| { readonly do: "head"; readonly of: number; readonly status: number }
	| { readonly do: "data"; readonly of: number; readonly word: string }
	| { readonly do: "fail"; readonly of: number; readonly code: string }
	/** Streams some of an answer, and breaks off. */
	| { readonly do: "cut"; readonly of: number }
	| { readonly do: "log"; readonly fault: string | undefined }
	| { readonly do: "pass"; readonly milliseconds: number }
	| { readonly do: "settle" }
	| { readonly do: "stop" };

const of = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 4,
		arbitrary: fc.record({
			do: fc.constant("call" as const),
			stream: fc.boolean(),
			max: fc.constantFrom(1, 50, 400),
			retry: fc.constantFrom(undefined, undefined, "a", "b"),
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			do: fc.constantFrom("leave" as const, "slow" as const, "drain" as const),
			of,
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			do: fc.constantFrom("connect" as const, "end" as const),
			of,
		}),
	},
	{
		weight: 4,
		arbitrary: fc.record({
			do: fc.constant("head" as const),
			of,
			status: fc.constantFrom(200, 200, 200, 204, 302, 401, 500, 999),
		}),
	},
	{
		weight: 6,
		arbitrary: fc.record({
			do: fc.constant("data" as const),
			of,
			word: fc.constantFrom(
				"t:hello there",
				"t:hello there",
				"u:300,20",
				"u:5000,900",
				"d",
				"e:no",
				"!",
				`t:${"x".repeat(1_100_000)}`,
			),
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			do: fc.constant("fail" as const),
			of,
			code: fc.constantFrom(
				"upstream/connect",
				"upstream/reset",
				"upstream/idle-timeout",
			),
		}),
	},
	{ weight: 3, arbitrary: fc.record({ do: fc.constant("cut" as const), of }) },
	{
		weight: 1,
		arbitrary: fc.record({
			do: fc.constant("log" as const),
			fault: fc.constantFrom("log/full", "log/busy", "log/failed", undefined),
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({
			do: fc.constant("pass" as const),
			milliseconds: fc.constantFrom(1, 500, 1_500, 200_000),
		}),
	},
	{ weight: 4, arbitrary: fc.constant({ do: "settle" as const }) },
);

/** One model at three vendors, any of which may go on with what another began. */
const several: Parameters<typeof openTestGateway>[0] = {
	vendors: ["one", "two", "three"],
	catalogue: {
		version: "c-three",
		substrates: ["one/m", "two/m", "three/m"].map((id) =>
			substrate(id, { prices: fact(sheet.rates) }),
		),
		off: {},
	},
	attempts: { attempts: 2, fallbacks: 3 },
};

async function play(
	bench: TestGateway,
	calls: TestCall[],
	one: Step,
	more: object,
): Promise<void> {
	/** The newest few, so that most steps meet something that is still under way. */
	const recent = <T>(all: readonly T[], at: number): T | undefined =>
		all[all.length - 1 - at];
	switch (one.do) {
		case "call":
			calls.push(
				bench.call(
					{ stream: one.stream, max: one.max, ...more },
					one.retry === undefined ? {} : { retry: one.retry },
				),
			);
			return;
		case "leave":
			return recent(calls, one.of)?.leave();
		case "slow": {
			const call = recent(calls, one.of);
			if (call) call.slow = true;
			return;
		}
		case "drain":
			return recent(calls, one.of)?.drain();
		case "connect":
			return recent(bench.upstreams, one.of)?.connect();
		case "head":
			return recent(bench.upstreams, one.of)?.head(
				one.status,
				one.of % 2 === 0 ? streamHead : { "content-type": "application/json" },
			);
		case "data":
			return recent(bench.upstreams, one.of)?.data(one.word);
		case "end":
			return recent(bench.upstreams, one.of)?.end();
		case "fail":
			return recent(bench.upstreams, one.of)?.fail(one.code);
		case "cut": {
			const upstream = recent(bench.upstreams, one.of);
			upstream?.head(200, streamHead);
			upstream?.data("t:hello there");
			return upstream?.fail();
		}
		case "log":
			if (one.fault === undefined) delete bench.log.fault;
			else bench.log.fault = one.fault;
			return;
		case "pass":
			return bench.clock.advance(one.milliseconds);
		case "settle":
			return bench.clock.settle();
		case "stop":
			void bench.gateway.stop();
	}
}

const alive = ({ state }: TestUpstream): boolean =>
	state !== "over" && state !== "aborted";

/** A vendor works for nobody: each request under way has a client that still waits for it. */
function assertNobodyIsForgotten(
	bench: TestGateway,
	calls: readonly TestCall[],
): void {
	expect(bench.upstreams.filter(alive).length).toBeLessThanOrEqual(
		calls.filter(({ over }) => over === "open").length,
	);
}

/** The real edge ends each request within its time: here the test does. */
async function bringToAnEnd(
	bench: TestGateway,
	calls: readonly TestCall[],
): Promise<void> {
	delete bench.log.fault;
	for (let round = 0; round < 20; round++) {
		await bench.clock.advance(2_000);
		assertNobodyIsForgotten(bench, calls);
		for (const upstream of bench.upstreams.filter(alive))
			upstream.fail("upstream/total-timeout");
	}
	await Promise.all(calls.map(({ done }) => done));
	await bench.clock.advance(2_000);
	// Only a gateway that stopped over a log that refused leaves anything open, says so, and leaves it to the next start.
	const told = bench.reports.find((line) => line.startsWith("The log did not"));
	for (const call of bench.head.state("credits").holds.keys())
		expect(told).toContain(call);
	await recoverHolds(
		bench.head,
		async (holders) => new Set(holders),
		() => {},
	);
}

/** Answers that one began and another was to go on with. */
let inParts = 0;

it("whatever happens in whatever order: each hold is resolved once, no more is charged than allowed, and every answer ends once", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(step, { maxLength: 60, size: "max" }),
			fc.option(fc.nat({ max: 60 }), { nil: undefined }),
			fc.constantFrom(3_000, 1_000_000),
			fc.boolean(),
			async (steps, stopAt, grant, goesOn) => {
				const bench = await openTestGateway({
					...(goesOn && several),
					grant,
					wait: 1_000,
				});
				const more = goesOn ? { model: "m", dos: { resume: "continue" } } : {};
				const calls: TestCall[] = [];
				for (const [index, one] of steps.entries()) {
					if (index === stopAt) await play(bench, calls, { do: "stop" }, more);
					await play(bench, calls, one, more);
					if (one.do === "settle") assertNobodyIsForgotten(bench, calls);
					const { granted, spent, held } = bench.account();
					expect(granted - spent - held).toBeGreaterThanOrEqual(0);
				}
				await bringToAnEnd(bench, calls);

				const holds = await bench.events("credits-held");
				const resolved = await bench.events(
					"credits-settled",
					"credits-released",
					"hold-expired",
				);
				const ids = (events: typeof holds) =>
					events.map(({ data }) => data.call as string).sort();
				expect(ids(resolved)).toEqual(ids(holds));
				// A request of ours is under way for as long as its hold is: none expires.
				expect(resolved.map(({ type }) => type)).not.toContain("hold-expired");
				const charged = resolved.reduce(
					(sum, { data }) =>
						sum + (data.basis === undefined ? 0 : (data.amount as number)),
					0,
				);
				expect(bench.account()).toEqual({
					granted: grant,
					spent: charged,
					held: 0,
					holds: 0,
				});
				for (const { data } of resolved) {
					if (data.basis === undefined) continue;
					expect(data.amount + (data.uncollected ?? 0)).toBe(data.cost);
					if (!data.parts) continue;
					inParts++;
					expect(data.cost).toBe(
						data.parts.reduce(
							(sum: number, { cost }: { cost: number }) => sum + cost,
							0,
						),
					);
				}
				for (const call of calls) {
					expect(call.violations).toEqual([]);
					expect(call.over).not.toBe("open");
					const { "x-dos-credits": said, "x-dos-call-id": id } = call.headers;
					if (said === undefined) continue;
					const own = resolved.find(({ data }) => data.call === id);
					expect(own?.data.basis === undefined ? 0 : own?.data.amount).toBe(
						Number(said),
					);
				}
				for (const upstream of bench.upstreams)
					expect(["over", "aborted"]).toContain(upstream.state);
				expect(bench.violations).toEqual([]);
				expect(bench.gateway.inFlight()).toBe(0);
				await bench.gateway.stop();
				expect(bench.clock.timers()).toBe(0);
				expect(bench.reports.join("\n")).not.toMatch(/secret|hello/);
			},
		),
		{ numRuns: 700 },
	);
	expect(inParts).toBeGreaterThan(5);
}, 60_000);
