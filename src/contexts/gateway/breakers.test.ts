import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BreakerClass, openBreakers } from "./breakers.ts";

const classes = [
	"connect",
	"timeout",
	"overload",
	"server",
	"broke-off",
] as const;

function open(random: () => number = () => 0.5) {
	let now = 1_000_000;
	const opened: string[] = [];
	const breakers = openBreakers({
		clock: { now: () => now },
		random,
		onOpen: (substrate, of) => opened.push(`${substrate} ${of}`),
	});
	return {
		...breakers,
		opened,
		now: () => now,
		pass: (milliseconds: number) => {
			now += milliseconds;
		},
		fail: (times: number, of: BreakerClass, substrate = "a/m") => {
			for (let n = 0; n < times; n++) breakers.failed(substrate, of, now, true);
		},
	};
}

describe("a breaker", () => {
	it.each([
		["connect", 3],
		["timeout", 3],
		["overload", 5],
		["server", 5],
		["broke-off", 5],
	] as const)(
		"of %s opens at %i failures with no success between",
		(of, times) => {
			const it = open();
			it.fail(times - 1, of);
			expect(it.mayCall("a/m")).toBe(true);
			it.succeeded("a/m", it.now());
			it.fail(times - 1, of);
			expect(it.mayCall("a/m")).toBe(true);
			it.fail(1, of);
			expect(it.mayCall("a/m")).toBe(false);
			expect(it.rests("a/m")).toBe(true);
			expect(it.opened).toEqual([`a/m ${of}`]);
			expect([...it.open()]).toEqual([["a/m", of]]);
		},
	);

	it("of one class is not opened by failures of others", () => {
		const it = open();
		for (const of of classes) it.fail(2, of);
		expect([...it.open()]).toEqual([]);
	});

	it("of one substrate leaves the others alone", () => {
		const it = open();
		it.fail(3, "connect");
		expect(it.mayCall("a/other")).toBe(true);
		expect(it.rests("a/other")).toBe(false);
	});

	it("opens by the share of the newest calls, though none are in a row", () => {
		const it = open();
		for (let n = 0; n < 20; n++) {
			it.succeeded("a/m", it.now());
			it.fail(1, "server");
		}
		expect(it.opened).toEqual(["a/m server"]);
		const few = open();
		for (let n = 0; n < 20; n++) {
			for (let m = 0; m < 3; m++) few.succeeded("a/m", few.now());
			few.fail(1, "server");
		}
		expect(few.opened).toEqual([]);
	});

	it("takes the share of the newest calls: older ones count less and less", () => {
		const well = open();
		for (let n = 0; n < 100; n++) well.succeeded("a/m", well.now());
		well.pass(180_000);
		for (let n = 0; n < 8; n++) {
			well.succeeded("a/m", well.now());
			well.fail(2, "server");
		}
		expect(well.opened).toEqual(["a/m server"]);
		const mended = open();
		for (let n = 0; n < 40; n++) {
			for (let m = 0; m < 2; m++) mended.succeeded("a/m", mended.now());
			mended.fail(1, "server");
		}
		mended.pass(120_000);
		for (let n = 0; n < 20; n++) mended.succeeded("a/m", mended.now());
		mended.fail(1, "server");
		expect(mended.opened).toEqual([]);
	});

	it("begins to count anew once it was open", () => {
		const it = open();
		for (let n = 0; n < 5; n++) {
			it.succeeded("a/m", it.now());
			it.fail(2, "timeout");
		}
		expect(it.opened).toHaveLength(1);
		it.pass(15_000);
		expect(it.mayCall("a/m")).toBe(true);
		for (let n = 0; n < 6; n++) it.succeeded("a/m", it.now());
		it.fail(1, "timeout");
		expect(it.opened).toHaveLength(1);
	});

	it("forgets failures that lie far back", () => {
		const it = open();
		it.fail(2, "connect");
		it.pass(301_000);
		it.fail(2, "connect");
		expect(it.opened).toEqual([]);
	});

	it("rests, then lets one probe through, whose success closes it", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(4_999);
		expect(it.mayCall("a/m")).toBe(false);
		it.pass(1);
		expect(it.rests("a/m")).toBe(false);
		expect(it.mayCall("a/m")).toBe(true);
		expect(it.mayCall("a/m")).toBe(false);
		expect(it.rests("a/m")).toBe(true);
		it.pass(100);
		it.succeeded("a/m", it.now() - 100);
		expect(it.mayCall("a/m")).toBe(true);
		expect(it.mayCall("a/m")).toBe(true);
		expect([...it.open()]).toEqual([]);
	});

	it("rests twice as long each time its probe fails, up to a bound, and begins anew after a good while", () => {
		const it = open();
		it.fail(3, "connect");
		const rests = [5_000, 10_000, 20_000, 40_000, 60_000, 60_000];
		for (const rest of rests) {
			it.pass(rest - 1);
			expect(it.mayCall("a/m")).toBe(false);
			it.pass(1);
			expect(it.mayCall("a/m")).toBe(true);
			it.fail(1, "connect");
		}
		it.pass(60_000);
		expect(it.mayCall("a/m")).toBe(true);
		it.succeeded("a/m", it.now());
		it.fail(3, "connect");
		it.pass(59_999);
		expect(it.mayCall("a/m")).toBe(false);
		it.pass(1);
		expect(it.mayCall("a/m")).toBe(true);
		it.succeeded("a/m", it.now());
		it.pass(60_001);
		it.fail(3, "connect");
		it.pass(5_000);
		expect(it.mayCall("a/m")).toBe(true);
		// Told once a time that it opened, not once a probe.
		expect(it.opened).toHaveLength(3);
	});

	it("opens again when its probe fails in another way", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(5_000);
		it.mayCall("a/m");
		it.fail(1, "server");
		expect(it.mayCall("a/m")).toBe(false);
	});

	it("does not rest exactly as long as others that opened with it", () => {
		const [short, long] = [open(() => 0), open(() => 0.999)];
		for (const it of [short, long]) {
			it.fail(3, "connect");
			it.pass(3_750);
		}
		expect(short.mayCall("a/m")).toBe(true);
		expect(long.mayCall("a/m")).toBe(false);
		long.pass(2_500);
		expect(long.mayCall("a/m")).toBe(true);
	});

	it("is not decided by calls that began before the probe", () => {
		const it = open();
		const before = it.now();
		it.fail(3, "connect");
		it.succeeded("a/m", before);
		expect(it.mayCall("a/m")).toBe(false);
		it.pass(5_000);
		expect(it.mayCall("a/m")).toBe(true);
		it.failed("a/m", "connect", it.now() - 1, true);
		it.undecided("a/m", it.now() - 1);
		it.answered("a/m", it.now() - 1);
		expect(it.mayCall("a/m")).toBe(false);
		it.succeeded("a/m", it.now());
		expect(it.mayCall("a/m")).toBe(true);
	});

	it("closes at the probe's first byte, but where answers broke off", () => {
		const it = open();
		it.fail(3, "connect");
		it.fail(5, "broke-off", "a/other");
		it.pass(10_000);
		for (const substrate of ["a/m", "a/other"]) {
			expect(it.mayCall(substrate)).toBe(true);
			it.answered(substrate, it.now());
		}
		expect([...it.open()]).toEqual([["a/other", "broke-off"]]);
		it.succeeded("a/other", it.now());
		expect([...it.open()]).toEqual([]);
	});

	it("sends another probe when one comes to no verdict, or never reports back", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(5_000);
		expect(it.mayCall("a/m")).toBe(true);
		it.undecided("a/m", it.now());
		expect(it.mayCall("a/m")).toBe(true);
		it.pass(29_999);
		expect(it.mayCall("a/m")).toBe(false);
		it.pass(1);
		expect(it.mayCall("a/m")).toBe(true);
	});

	it("follows what others see: their failures open it, and what succeeds there after that closes it", () => {
		const it = open();
		for (let n = 0; n < 3; n++) it.failed("a/m", "connect", it.now(), false);
		expect(it.mayCall("a/m")).toBe(false);
		it.succeeded("a/m", it.now() - 1);
		expect(it.mayCall("a/m")).toBe(false);
		it.pass(1_000);
		it.succeeded("a/m", it.now());
		expect(it.mayCall("a/m")).toBe(true);
	});

	it("is decided by calls that were made without asking, once its rest is over", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(4_999);
		it.fail(1, "connect");
		it.pass(1);
		expect(it.rests("a/m")).toBe(false);
		it.fail(1, "connect");
		expect(it.rests("a/m")).toBe(true);
		it.pass(1);
		it.succeeded("a/m", it.now());
		expect([...it.open()]).toEqual([]);
	});

	it("is not decided by failures elsewhere while its own probe is under way", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(5_000);
		it.mayCall("a/m");
		it.failed("a/m", "connect", it.now(), false);
		it.succeeded("a/m", it.now());
		expect(it.mayCall("a/m")).toBe(true);
	});

	it("does not rest longer because the clock was set back", () => {
		const it = open();
		it.fail(3, "connect");
		it.pass(-3_600_000);
		expect(it.mayCall("a/m")).toBe(true);
	});

	it("is remembered for so many substrates only, those that were called last", () => {
		const it = open();
		it.fail(3, "connect", "a/first");
		it.fail(3, "connect", "a/second");
		it.pass(1);
		it.fail(1, "connect", "a/first");
		for (let n = 0; n < 1_999; n++) it.fail(1, "connect", `a/${n}`);
		expect(it.mayCall("a/first")).toBe(false);
		expect(it.mayCall("a/second")).toBe(true);
	});
});

it("whatever happens: what is open gets no call before its rest is over, and then one probe at a time", () => {
	const step = fc.oneof(
		fc.record({
			do: fc.constant("call" as const),
			ending: fc.constantFrom("ok" as const, ...classes, ...classes),
			takes: fc.nat({ max: 3_000 }),
		}),
		fc.record({
			do: fc.constant("pass" as const),
			milliseconds: fc.nat({ max: 20_000 }),
		}),
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const it = open();
			let openSince: number | undefined;
			/** Probes let through since it opened, and not reported of. */
			for (const each of steps) {
				if (each.do === "pass") {
					it.pass(each.milliseconds);
					continue;
				}
				const wasOpen = [...it.open()].length > 0;
				const let1 = it.mayCall("a/m");
				if (wasOpen) {
					if (let1) {
						// The shortest rest there is.
						expect(it.now() - (openSince as number)).toBeGreaterThanOrEqual(
							5_000,
						);
						expect(it.mayCall("a/m")).toBe(false);
					}
				} else expect(let1).toBe(true);
				if (!let1) continue;
				const began = it.now();
				it.pass(each.takes);
				if (each.ending === "ok") it.succeeded("a/m", began);
				else it.failed("a/m", each.ending, began, true);
				const isOpen = [...it.open()].length > 0;
				if (wasOpen) expect(isOpen).toBe(each.ending !== "ok");
				if (isOpen) openSince = it.now();
			}
		}),
	);
});
