import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openRetries, readRetryAfter, retryDelay } from "./retries.ts";

function open(options: { share?: number; least?: number } = {}) {
	let now = Date.UTC(2026, 10, 21);
	const counted: string[] = [];
	const retries = openRetries({
		clock: { now: () => now },
		metrics: { count: (name) => counted.push(name) },
		...options,
	});
	return {
		...retries,
		counted,
		pass: (milliseconds: number) => {
			now += milliseconds;
		},
	};
}

describe("the budget of retries", () => {
	it("is a share of the calls", () => {
		const { began, allowed, counted } = open({ share: 0.2, least: 0 });
		expect(allowed()).toBe(false);
		for (let n = 0; n < 100; n++) began();
		let granted = 0;
		while (allowed()) granted++;
		expect(granted).toBe(20);
		const times = (name: string) =>
			counted.filter((each) => each === name).length;
		expect(times("dos_retries_total")).toBe(20);
		expect(times("dos_retries_refused_total")).toBe(2);
	});

	it("is a few a second where calls are few", () => {
		const { allowed } = open({ least: 2 });
		let granted = 0;
		while (allowed()) granted++;
		expect(granted).toBe(20);
	});

	it("comes back as its seconds fall out of the last ten", () => {
		const { allowed, pass } = open({ least: 1 });
		for (let n = 0; n < 10; n++) expect(allowed()).toBe(true);
		expect(allowed()).toBe(false);
		pass(9_000);
		expect(allowed()).toBe(false);
		pass(1_000);
		for (let n = 0; n < 10; n++) expect(allowed()).toBe(true);
		pass(3_600_000);
		expect(allowed()).toBe(true);
	});

	it("goes on when the clock is set back, by little or by much", () => {
		const { allowed, pass } = open({ least: 1 });
		for (let n = 0; n < 10; n++) allowed();
		pass(-5_000);
		expect(allowed()).toBe(false);
		pass(-3_600_000);
		expect(allowed()).toBe(true);
	});

	it("is kept over any ten seconds", () => {
		const step = fc.record({
			calls: fc.nat({ max: 40 }),
			tries: fc.nat({ max: 40 }),
			pass: fc.nat({ max: 4_000 }),
		});
		fc.assert(
			fc.property(
				fc.array(step, { maxLength: 60 }),
				fc.nat({ max: 10 }),
				(steps, least) => {
					const { began, allowed, pass } = open({ share: 0.2, least });
					const seen: { second: number; calls: number; retries: number }[] = [];
					let now = Date.UTC(2026, 10, 21);
					for (const { calls, tries, pass: milliseconds } of steps) {
						for (let n = 0; n < calls; n++) began();
						let retries = 0;
						for (let n = 0; n < tries; n++) if (allowed()) retries++;
						const second = Math.floor(now / 1000);
						seen.push({ second, calls, retries });
						const window = seen.filter((each) => each.second > second - 10);
						const made = window.reduce((sum, each) => sum + each.retries, 0);
						const paid = window.reduce((sum, each) => sum + each.calls, 0);
						// What was allowed when more calls were in sight stays allowed.
						if (retries > 0)
							expect(made).toBeLessThanOrEqual(
								Math.ceil(Math.max(0.2 * paid, least * 10)),
							);
						pass(milliseconds);
						now += milliseconds;
					}
				},
			),
		);
	});
});

describe("the wait before a retry", () => {
	it("doubles with each attempt up to a bound, all of it left to chance", () => {
		const longest = [1, 2, 3, 4, 5, 6, 7, 60].map((attempt) =>
			retryDelay(attempt, undefined, () => 1),
		);
		expect(longest).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
		expect(retryDelay(3, undefined, () => 0)).toBe(0);
		expect(retryDelay(3, undefined, () => 0.5)).toBe(400);
	});

	it("is never shorter than the vendor asks for, and not made where that is too long", () => {
		expect(retryDelay(1, 3_000, () => 0)).toBe(3_000);
		expect(retryDelay(1, 3_000, () => 1)).toBe(3_200);
		expect(retryDelay(1, 10_000, () => 0)).toBe(10_000);
		expect(retryDelay(1, 10_001, () => 0)).toBeUndefined();
	});
});

describe("Retry-After", () => {
	const now = Date.UTC(1994, 10, 6, 8, 49, 30);

	it.each([
		["0", 0],
		["7", 7_000],
		[" 7 ", 7_000],
		["1.25", 1_250],
		["Sun, 06 Nov 1994 08:49:37 GMT", 7_000],
		["Sunday, 06-Nov-94 08:49:37 GMT", 7_000],
		["Sun Nov  6 08:49:37 1994", 7_000],
		["Sun, 06 Nov 1994 08:49:00 GMT", 0],
	])("%j is %i milliseconds", (header, expected) => {
		expect(readRetryAfter(header, now)).toBe(expected);
	});

	it("with a year of two digits is of the century that is near", () => {
		const header = "Sunday, 06-Nov-94 08:49:37 GMT";
		const later = Date.UTC(2026, 0, 1);
		expect(readRetryAfter(header, later)).toBe(0);
		expect(readRetryAfter("Thursday, 01-Jan-26 00:00:05 GMT", later)).toBe(
			5_000,
		);
	});

	it.each([
		undefined,
		"",
		"-1",
		"soon",
		"1e9",
		"9999999999",
		"Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 06 anF 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET",
	])("%j says nothing", (header) => {
		expect(readRetryAfter(header, now)).toBeUndefined();
	});
});
