import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	holm,
	pairsNeeded,
	percentile,
	seeded,
	signFlipTest,
	student975,
	studentInterval,
	wilson,
} from "./statistics.ts";

describe("Wilson's interval", () => {
	// Newcombe (1998), Statistics in Medicine 17, table I, method 3.
	it.each([
		[81, 263, 0.2553, 0.3662],
		[15, 148, 0.0624, 0.1605],
		[0, 20, 0, 0.1611],
		[1, 29, 0.0061, 0.1718],
	])("of %i in %i is as published", (successes, count, low, high) => {
		const interval = wilson(successes / count, count);
		expect(interval.low).toBeCloseTo(low, 4);
		expect(interval.high).toBeCloseTo(high, 4);
	});

	it("lies within 0 and 1, and around the share", () => {
		fc.assert(
			fc.property(
				fc.double({ min: 0, max: 1, noNaN: true }),
				fc.integer({ min: 1, max: 1000 }),
				(share, count) => {
					const { low, high } = wilson(share, count);
					expect(low).toBeGreaterThanOrEqual(0);
					expect(high).toBeLessThanOrEqual(1);
					expect(low).toBeLessThanOrEqual(share + 1e-12);
					expect(high).toBeGreaterThanOrEqual(share - 1e-12);
				},
			),
		);
	});
});

describe("Student's distribution", () => {
	it.each([
		[1, 12.7062],
		[2, 4.3027],
		[5, 2.5706],
		[10, 2.2281],
		[30, 2.0423],
		[120, 1.9799],
	])("with %i degrees is as in every table", (degrees, point) => {
		expect(student975(degrees)).toBeCloseTo(point, 4);
	});

	it("gives the interval of Student's own sleep data", () => {
		const { low, high } = studentInterval([
			1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4,
		]);
		expect(low).toBeCloseTo(0.7001142, 6);
		expect(high).toBeCloseTo(2.4598858, 6);
	});
});

describe("the paired permutation test", () => {
	it("counts what Fisher counted of Darwin's maize: 1726 of 32768", () => {
		const differences = [
			49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48,
		];
		expect(signFlipTest(differences, seeded(1))).toBe(1726 / 32768);
	});

	it("draws come to nearly what counting comes to", () => {
		const differences = [
			49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48,
		].flatMap((one) => [one, one / 7]);
		const one = signFlipTest(differences, seeded(1));
		const other = signFlipTest(differences, seeded(2));
		expect(Math.abs(one - other)).toBeLessThan(0.01);
		expect(signFlipTest(differences, seeded(1))).toBe(one);
	});

	it("finds nothing where nothing differs, and never says never", () => {
		expect(signFlipTest([], seeded(1))).toBe(1);
		expect(signFlipTest([0, 0, 0], seeded(1))).toBe(1);
		expect(signFlipTest(Array(40).fill(1), seeded(1))).toBeGreaterThan(0);
	});

	it("does not mind the side, the order, or the unit", () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 9 }),
				(differences) => {
					const chance = signFlipTest(differences, seeded(1));
					const turned = differences.map((one) => -one).reverse();
					expect(signFlipTest(turned, seeded(2))).toBe(chance);
					const thirds = differences.map((one) => one / 3);
					expect(signFlipTest(thirds, seeded(3))).toBe(chance);
				},
			),
		);
	});
});

describe("Holm's correction", () => {
	it("is R's p.adjust", () => {
		const corrected = holm([0.01, 0.04, 0.03, 0.005]);
		[0.03, 0.06, 0.06, 0.02].forEach((chance, at) => {
			expect(corrected[at]).toBeCloseTo(chance, 12);
		});
	});

	it("keeps the order, and makes no chance smaller", () => {
		fc.assert(
			fc.property(
				fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
				(chances) => {
					const corrected = holm(chances);
					chances.forEach((chance, at) => {
						expect(corrected[at]).toBeGreaterThanOrEqual(chance);
						expect(corrected[at]).toBeLessThanOrEqual(1);
						chances.forEach((other, there) => {
							if (chance < other)
								expect(corrected[at]).toBeLessThanOrEqual(
									corrected[there] as number,
								);
						});
					});
				},
			),
		);
	});
});

it("says how many pairs it takes before anything can be significant", () => {
	for (const comparisons of [1, 3, 10, 45]) {
		const pairs = pairsNeeded(comparisons);
		expect((2 / 2 ** pairs) * comparisons).toBeLessThanOrEqual(0.05);
		expect((2 / 2 ** (pairs - 1)) * comparisons).toBeGreaterThan(0.05);
	}
	expect(signFlipTest(Array(pairsNeeded(1)).fill(1), seeded(1))).toBeLessThan(
		0.05,
	);
});

it("a percentile is a value that was seen", () => {
	expect(percentile([5, 1, 4, 2, 3], 0.5)).toBe(3);
	expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
	expect(percentile([10, 20], 0.95)).toBe(20);
	expect(percentile([7], 0)).toBe(7);
});

it("one seed, one sequence, spread over 0 to 1", () => {
	const draw = (seed: number) => {
		const random = seeded(seed);
		return Array.from({ length: 2000 }, () => random());
	};
	expect(draw(7)).toEqual(draw(7));
	expect(draw(7)).not.toEqual(draw(8));
	const drawn = draw(7);
	expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
	expect(Math.max(...drawn)).toBeLessThan(1);
	expect(drawn.filter((one) => one < 0.5).length).toBeGreaterThan(900);
	expect(drawn.filter((one) => one < 0.5).length).toBeLessThan(1100);
});
