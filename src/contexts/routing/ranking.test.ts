import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { distinct, ladderOf, rankIn } from "./ranking.ts";

const values = fc.array(
	fc.oneof(
		fc.integer({ min: 0, max: 9 }),
		fc.double({ min: 0, noNaN: true }),
		fc.constant(Number.POSITIVE_INFINITY),
	),
	{ maxLength: 40 },
);

describe("ranks", () => {
	it("are in the order of the values, alike for equal ones, and leave room between", () => {
		fc.assert(
			fc.property(values, values, (given, others) => {
				const known = distinct(Float64Array.from(given));
				expect([...known]).toEqual(
					[...new Set(given.map((value) => value + 0))].sort((one, other) =>
						one < other ? -1 : 1,
					),
				);
				const all = [...given, ...others];
				for (const one of all)
					for (const other of given) {
						const ranks = rankIn(known, one) - rankIn(known, other);
						expect(Math.sign(ranks)).toBe(
							one === other ? 0 : one < other ? -1 : 1,
						);
					}
				for (const [at, value] of known.entries())
					expect(rankIn(known, value)).toBe(2 * at + 1);
			}),
		);
	});
});

test("keys are compared by what weighs most, and give back their place", () => {
	const size = 300;
	const candidate = fc.tuple(
		fc.boolean(),
		fc.integer({ min: 0, max: size - 1 }),
		fc.boolean(),
		fc.integer({ min: 0, max: 2 * size }),
		fc.integer({ min: 0, max: 10 }),
		fc.integer({ min: 0, max: size - 1 }),
	);
	for (const of of [size, 32_768]) {
		const ladder = ladderOf(of);
		const last = of - 1;
		const most = ladder.key(true, last, true, 2 * of, 15, last);
		expect(ladder.place(most)).toBe(last);
		expect(most).toBeLessThan(Number.MAX_SAFE_INTEGER);
		fc.assert(
			fc.property(candidate, candidate, (one, other) => {
				const [a, b] = [ladder.key(...one), ladder.key(...other)];
				const at = one.findIndex((each, at) => each !== other[at]);
				expect(Math.sign(a - b)).toBe(
					at < 0 ? 0 : Number(one[at]) < Number(other[at]) ? -1 : 1,
				);
				expect(ladder.place(a)).toBe(one[5]);
				expect(ladder.rung(a) === ladder.rung(b)).toBe(at < 0 || at === 5);
			}),
		);
	}
	expect(ladderOf(0).key(false, 0, false, 1, 0, 0)).toBe(16);
});
