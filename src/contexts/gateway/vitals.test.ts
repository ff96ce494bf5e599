import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import { openMetrics } from "./metrics.ts";
import { type AttemptSeen, openVitals } from "./vitals.ts";

function open(own: readonly string[] = []) {
	let now = Date.UTC(2026, 10, 21);
	const metrics = openMetrics();
	const vitals = openVitals({
		clock: { now: () => now },
		digest: nodeDigest,
		chance: { bytes: () => new Uint8Array([128]) },
		carries: (call) => own.includes(call),
		metrics,
	});
	const self = {
		...vitals,
		metrics,
		now: () => now,
		pass: (milliseconds: number) => {
			now += milliseconds;
		},
		see(times: number, seen: AttemptSeen, substrate = "a/m") {
			for (let n = 0; n < times; n++) vitals.saw(substrate, seen);
		},
		/** What is told once a second has passed. */
		health(substrate = "a/m") {
			now += 1_000;
			return vitals.snapshot().of.get(substrate);
		},
		event(type: string, data: object, age = 0): DomainEvent {
			return {
				type,
				data: { call: "c1", substrate: "a/m", ...data },
				stream: "account/main",
				time: now - age,
				position: 1,
			};
		},
	};
	return self;
}

const good: AttemptSeen = {
	ending: "ok",
	firstByte: 700,
	total: 2_700,
	outputTokens: 100,
};

describe("health", () => {
	it("is unknown until something was seen", () => {
		const { snapshot, health } = open();
		expect(snapshot().of.size).toBe(0);
		expect(health()).toBeUndefined();
	});

	it("tells first byte and throughput, to within a fifth", () => {
		const { see, health } = open();
		see(5, good);
		const { firstByte = 0, throughput = 0, errors } = health() ?? {};
		expect(Math.abs(firstByte / 700 - 1)).toBeLessThan(0.2);
		expect(Math.abs(throughput / 50 - 1)).toBeLessThan(0.2);
		expect(errors).toBeUndefined();
	});

	it("learns no throughput from answers that are short or come at once", () => {
		const { see, health } = open();
		see(5, { ...good, outputTokens: 19 });
		see(5, { ...good, total: 799 });
		expect(health()).toHaveProperty("firstByte");
		expect(health()).not.toHaveProperty("throughput");
	});

	it("learns no speed from what failed", () => {
		const { see, health } = open();
		see(1, { ...good, ending: "broke-off" });
		expect(health()).toEqual({ errors: 500 });
	});

	it("is not carried away by one slow call", () => {
		const { see, health } = open();
		see(19, { ending: "ok", firstByte: 100, total: 100 });
		const before = health();
		see(1, { ending: "ok", firstByte: 20_000, total: 20_000 });
		const after = health();
		expect((after?.firstByte ?? 0) / (before?.firstByte ?? 1)).toBeLessThan(2);
	});

	it("follows a substrate that has become another", () => {
		const { see, health } = open();
		see(1_000, { ending: "ok", firstByte: 100, total: 100 });
		see(100, { ending: "ok", firstByte: 3_000, total: 3_000 });
		expect(health()?.firstByte).toBeGreaterThan(2_000);
	});

	it.each([
		["one failure of one", 1, 0, 500],
		["two of two", 2, 0, 2_000],
		["one of a hundred", 1, 99, undefined],
		["four of a hundred", 4, 96, 100],
		["ten of a hundred", 10, 90, 500],
		["forty of a hundred", 40, 60, 2_000],
	])("counts errors in steps: %s", (_, failures, successes, expected) => {
		const { see, health } = open();
		for (let n = 0; n < 100; n++) {
			if (n < successes) see(1, { ending: "ok" });
			if (n < failures) see(1, { ending: n % 2 ? "server" : "timeout" });
		}
		expect(health()?.errors).toBe(expected);
	});

	it("of errors decays by half in two minutes, and in the end is unknown again", () => {
		const { see, health, pass, snapshot } = open();
		see(3, { ending: "overload" });
		expect(health()?.errors).toBe(2_000);
		pass(240_000);
		// 0.75 of 5.75
		expect(health()?.errors).toBe(500);
		pass(600_000);
		expect(health()).toBeUndefined();
		expect(snapshot().of.size).toBe(0);
	});

	it("of speed outlives that of errors, and is forgotten too", () => {
		const { see, health, pass } = open();
		see(3, good);
		pass(3_600_000);
		expect(health()?.firstByte).toBeGreaterThan(500);
		pass(6 * 3_600_000);
		expect(health()).toBeUndefined();
	});

	it("is not worse for what says nothing of the substrate: a key, a request", () => {
		const { see, health, mayCall } = open();
		see(50, { ending: "key" });
		see(50, { ending: "ok" });
		expect(health()).toBeUndefined();
		expect(mayCall("a/m")).toBe(true);
	});

	it("says what rests, and that it is due for a probe", () => {
		const { see, health, pass, mayCall, saw, now, metrics } = open();
		see(3, { ending: "connect" });
		expect(health()?.resting).toBe(true);
		expect(mayCall("a/m")).toBe(false);
		expect(metrics.render()).toContain(
			'dos_breakers_open{substrate="a/m",class="connect"} 1\n',
		);
		expect(metrics.render()).toContain(
			'dos_breakers_opened_total{substrate="a/m",class="connect"} 1\n',
		);
		pass(5_000);
		// In line for traffic again, of which one call is let through.
		expect(health()?.resting).toBeUndefined();
		expect(mayCall("a/m")).toBe(true);
		const began = now();
		expect(health()?.resting).toBe(true);
		saw("a/m", { ending: "ok", total: now() - began });
		expect(health()?.resting).toBeUndefined();
		expect(metrics.render()).not.toContain("dos_breakers_open{");
	});

	it("asks what is due in its turn, and forgives what has shown that it is well", () => {
		const { see, health, pass, now, answered } = open();
		see(5, { ending: "server" });
		expect(health()).toEqual({ errors: 2000, resting: true });
		pass(13_000);
		// As if nothing were known: behind what never failed it would never be asked.
		expect(health()).toBeUndefined();
		see(1, { ending: "server", total: 0 });
		expect(health()).toEqual({ errors: 2000, resting: true });
		pass(26_000);
		const began = now();
		pass(1_000);
		answered("a/m", now() - began);
		expect(health()).toBeUndefined();
	});

	it("lets others through at a probe's first byte", () => {
		const { see, pass, mayCall, answered } = open();
		see(3, { ending: "connect" });
		pass(5_000);
		expect([mayCall("a/m"), mayCall("a/m")]).toEqual([true, false]);
		pass(400);
		answered("a/m", 400);
		expect([mayCall("a/m"), mayCall("a/m")]).toEqual([true, true]);
	});

	it("sends another probe when the key was at fault", () => {
		const { see, pass, mayCall, saw } = open();
		see(3, { ending: "connect" });
		pass(5_000);
		expect([mayCall("a/m"), mayCall("a/m")]).toEqual([true, false]);
		pass(100);
		saw("a/m", { ending: "key", total: 100 });
		expect(mayCall("a/m")).toBe(true);
	});

	it("is remembered for so many substrates only, those that are called most", () => {
		const { see, health } = open();
		see(2, good, "a/often");
		see(1, good, "a/first");
		for (let n = 0; n < 2_000; n++) see(1, good, `a/${n}`);
		expect(health("a/first")).toBeUndefined();
		expect(health("a/often")).toBeDefined();
		expect(health("a/1999")).toBeDefined();
		// One that nothing is to be told of takes the place of one that was told.
		see(1, { ending: "ok" }, "a/new");
		expect(health("a/1")).toBeUndefined();
	});
});

describe("a snapshot", () => {
	it("is the same object while nothing leaves its step", () => {
		const { see, snapshot, pass } = open();
		see(10, good);
		pass(1_000);
		const first = snapshot();
		for (let n = 0; n < 50; n++) {
			see(3, { ...good, firstByte: 690 + (n % 20), total: 2_690 + (n % 30) });
			pass(1_000);
			expect(snapshot()).toBe(first);
		}
	});

	it("changes at most once a second", () => {
		const { see, snapshot, pass } = open();
		const first = snapshot();
		see(9, { ending: "connect" });
		pass(999);
		expect(snapshot()).toBe(first);
		pass(1);
		expect(snapshot()).not.toBe(first);
		expect(snapshot().version).not.toBe(first.version);
	});

	it("does not flicker where a measure stands between two steps", () => {
		const { see, snapshot, pass } = open();
		const versions = new Set<string>();
		for (let n = 0; n < 200; n++) {
			// The border between two steps is at 724.
			see(1, { ending: "ok", firstByte: n % 2 ? 700 : 750 });
			pass(1_000);
			versions.add(snapshot().version);
		}
		expect(versions.size).toBeLessThanOrEqual(2);
	});

	it("does not change for a measure, or a share of errors, that just leaves its step", () => {
		for (const [one, other] of [
			[700, 750],
			[750, 700],
		] as const) {
			const { see, snapshot, pass } = open();
			see(30, { ending: "ok", firstByte: one });
			pass(1_000);
			const { version } = snapshot();
			see(90, { ending: "ok", firstByte: other });
			pass(1_000);
			expect(snapshot().version).toBe(version);
		}
		const { see, health, pass } = open();
		for (let n = 0; n < 30; n++) {
			see(6, { ending: "ok" });
			see(n < 14 ? 1 : 0, { ending: "server" });
		}
		expect(health()?.errors).toBe(500);
		see(100, { ending: "ok" });
		expect(health()?.errors).toBe(500);
		see(100, { ending: "ok" });
		pass(1_000);
		expect(health()?.errors).toBe(100);
	});

	it("goes on when the clock is set back", () => {
		const { see, snapshot, pass, health } = open();
		snapshot();
		pass(-3_600_000);
		see(9, { ending: "connect" });
		expect(snapshot().of.get("a/m")?.resting).toBe(true);
		expect(health()?.resting).toBe(true);
	});

	it("has the same version for the same content, in whatever order it came about", () => {
		const [one, other] = [open(), open()];
		for (const id of ["a/1", "a/2", "a/3"]) one.see(2, good, id);
		for (const id of ["a/3", "a/1", "a/2"]) other.see(2, good, id);
		one.health();
		other.health();
		expect(one.snapshot().version).toBe(other.snapshot().version);
		expect(one.snapshot().version).toMatch(/^[0-9a-f]{12}$/);
	});

	it("with one version has one content, whatever was seen", () => {
		const seen = fc.record({
			substrate: fc.constantFrom("a/1", "a/2", "b/1"),
			ending: fc.constantFrom(
				"ok" as const,
				"ok" as const,
				"ok" as const,
				"server" as const,
				"connect" as const,
				"key" as const,
			),
			firstByte: fc.integer({ min: 0, max: 60_000 }),
			rest: fc.integer({ min: 0, max: 60_000 }),
			outputTokens: fc.nat({ max: 5_000 }),
			pass: fc.nat({ max: 100_000 }),
		});
		const contents = new Map<string, string>();
		fc.assert(
			fc.property(fc.array(seen, { maxLength: 60 }), (all) => {
				const vitals = open();
				for (const { substrate, rest, pass, ...each } of all) {
					vitals.see(1, { ...each, total: each.firstByte + rest }, substrate);
					vitals.pass(pass);
					const { version, of } = vitals.snapshot();
					const content = JSON.stringify(
						[...of].sort(([a], [b]) => (a < b ? -1 : 1)),
					);
					expect(contents.get(version) ?? content).toBe(content);
					contents.set(version, content);
					for (const {
						firstByte = 1,
						throughput = 1,
						errors = 0,
					} of of.values()) {
						expect(firstByte).toBeGreaterThan(0);
						expect(Number.isFinite(throughput) && throughput > 0).toBe(true);
						expect(errors).toBeLessThanOrEqual(10_000);
					}
				}
			}),
		);
	});
});

describe("what others saw", () => {
	const settled = {
		ending: "finished",
		usage: { output: 90, reasoning: 10 },
		timing: { firstByte: 700, total: 2_700 },
	};

	it("counts like what was seen here", () => {
		const [here, there] = [open(), open()];
		here.see(5, good);
		for (let n = 0; n < 5; n++)
			there.fold([there.event("credits-settled", settled)]);
		expect(there.health()).toEqual(here.health());
	});

	it("counts once where the call was our own", () => {
		const { fold, event, health } = open(["c1"]);
		fold([event("credits-settled", settled)]);
		expect(health()).toBeUndefined();
	});

	it.each([
		["vendor-error", 500, "server"],
		["vendor-error", 529, "overload"],
		["vendor-broke-off", undefined, "broke-off"],
		["timeout", undefined, "timeout"],
	])("is read from how calls ended: %s, %s", (ending, status, of) => {
		const { fold, event, mayCall, metrics } = open();
		for (let n = 0; n < 5; n++)
			fold([event("credits-released", { ending, status })]);
		expect(mayCall("a/m")).toBe(false);
		expect(metrics.render()).toContain(
			`dos_breakers_opened_total{substrate="a/m",class="${of}"} 1\n`,
		);
	});

	it.each([
		["vendor-error", 400],
		["vendor-error", 401],
		["client-gone", undefined],
		["stopped", undefined],
		["crashed", undefined],
		["not-sent", undefined],
	])("is no failure of the substrate: %s, %s", (ending, status) => {
		const { fold, event, mayCall, health } = open();
		for (let n = 0; n < 20; n++)
			fold([event("credits-released", { ending, status })]);
		expect(mayCall("a/m")).toBe(true);
		expect(health()).toBeUndefined();
	});

	it("is read from each attempt where they are told", () => {
		const { fold, event, mayCall, health } = open();
		for (let n = 0; n < 5; n++)
			fold([
				event("credits-settled", {
					...settled,
					substrate: "b/m",
					attempts: [
						["a/m", "overload http/529", 30],
						["c/m", "overload vendor/rate-limited", 0],
						["d/m", "route/cost-ceiling", 0],
						["e/m", "http/400", 20],
						["b/m", "ok", 2_700],
					],
				}),
			]);
		expect(mayCall("a/m")).toBe(false);
		expect(["b/m", "c/m", "d/m", "e/m"].map(mayCall)).toEqual([
			true,
			true,
			true,
			true,
		]);
		expect(health("a/m")?.errors).toBe(2_000);
		expect(health("b/m")).toBeUndefined();
	});

	it("closes a breaker when a call that began after it opened succeeded there", () => {
		const { see, fold, event, mayCall, pass } = open();
		see(3, { ending: "connect" });
		pass(1_000);
		fold([event("credits-settled", settled)]);
		expect(mayCall("a/m")).toBe(false);
		pass(2_000);
		fold([event("credits-settled", settled)]);
		expect(mayCall("a/m")).toBe(true);
	});

	it("closes none with a call that began before, however late it was heard of", () => {
		const { see, fold, event, mayCall, pass } = open();
		see(3, { ending: "connect" });
		pass(4_000);
		fold([event("credits-settled", settled, 3_000)]);
		expect(mayCall("a/m")).toBe(false);
	});

	it("of a key says nothing of the probe here", () => {
		const { see, fold, event, mayCall, pass } = open();
		see(3, { ending: "connect" });
		pass(5_000);
		expect(mayCall("a/m")).toBe(true);
		pass(1_000);
		fold([event("credits-released", { ending: "vendor-error", status: 401 })]);
		expect(mayCall("a/m")).toBe(false);
	});

	it("is no news after five minutes, and other events are none of ours", () => {
		const { fold, event, mayCall } = open();
		const failed = { ending: "vendor-error", status: 500 };
		for (let n = 0; n < 9; n++)
			fold([
				event("credits-released", failed, 300_001),
				event("credits-held", failed),
			]);
		expect(mayCall("a/m")).toBe(true);
	});
});
