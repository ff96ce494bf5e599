import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceSheet } from "../../ports/price-book.ts";
import { priceUsage } from "../credits/index.ts";
import { askedFor, sheet } from "./gateway.testing.ts";
import { affordableLimit, type HoldSize, sizeHold } from "./hold-size.ts";
import type { Expected } from "./sizing.ts";

const seen: Expected = {
	input: 110,
	inputUsual: 100,
	outputHigh: 800,
	outputUsual: 200,
	samples: 9,
};

function size(
	asked: Parameters<typeof askedFor>[0],
	options: { expected?: Expected; ceiling?: number; sheet?: PriceSheet } = {},
): HoldSize {
	const outcome = sizeHold(
		options.sheet ?? sheet,
		askedFor(asked),
		options.expected ?? seen,
		options.ceiling,
	);
	if (!outcome.ok) throw new Error(outcome.error.code);
	return outcome.value;
}

describe("a hold is sized", () => {
	it("by the caller's own limit, for every answer asked for, which is sent as it is", () => {
		expect(
			size({ outputLimit: 50, choices: 3 }, { ceiling: 10 }),
		).toMatchObject({
			amount: 110 + 300,
			outputTokens: 150,
			outputLimit: undefined,
		});
	});

	it("else by the owner's ceiling, which is then sent", () => {
		expect(size({}, { ceiling: 400 })).toMatchObject({
			amount: 110 + 800,
			outputLimit: 400,
		});
	});

	it("else by what such calls were seen to need, and nothing is sent", () => {
		expect(size({})).toMatchObject({
			amount: 110 + 1_600,
			atLeast: 100 + 400,
			outputLimit: undefined,
		});
	});

	it("with room for searches where they may happen and cost", () => {
		const searching: PriceSheet = {
			id: "s",
			rates: { ...sheet.rates, search: [{ from: 0, price: 100_000_000 }] },
		};
		const asked = { outputLimit: 0, serverTools: ["web_search"] };
		expect(size(asked, { sheet: searching }).amount).toBe(110 + 500);
		expect(size(asked).amount).toBe(110);
		expect(size({ outputLimit: 0 }, { sheet: searching }).amount).toBe(110);
	});

	it("and gives the sum behind it, line by line", () => {
		const { lines, amount } = size({ outputLimit: 50 });
		expect(
			lines.reduce((sum, line) => sum + (line.units * line.price) / 1e6, 0),
		).toBe(amount);
	});

	it("and refuses what no amount can hold", () => {
		const outcome = sizeHold(
			sheet,
			askedFor({ outputLimit: Number.MAX_SAFE_INTEGER, choices: 2 }),
			seen,
			undefined,
		);
		expect(outcome).toMatchObject({ error: { code: "price/invalid-usage" } });
	});
});

it("a hold that had to shrink pays for the limit that is sent with it, whatever was expected", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 5_000 }),
			fc.integer({ min: 1, max: 4 }),
			fc.record({
				input: fc.integer({ min: 100, max: 1_000 }),
				inputUsual: fc.integer({ min: 1, max: 100 }),
				outputHigh: fc.integer({ min: 1, max: 5_000 }),
				outputUsual: fc.integer({ min: 1, max: 5_000 }),
				samples: fc.constantFrom(0, 9),
			}),
			fc.double({ min: 0, max: 1, noNaN: true }),
			(outputLimit, choices, expected, part) => {
				const sized = size({ outputLimit, choices }, { expected });
				expect(sized.atLeast).toBeLessThanOrEqual(sized.amount);
				const held =
					sized.atLeast + Math.floor((sized.amount - sized.atLeast) * part);
				const limit = affordableLimit(sheet, sized, held, choices);
				expect(limit).toBeGreaterThanOrEqual(1);
				expect(limit).toBeLessThanOrEqual(outputLimit);
				if (limit === 1) return;
				const input =
					expected.samples > 0 ? expected.inputUsual : expected.input;
				const cost = (output: number) => {
					const priced = priceUsage(sheet, { input, output: output * choices });
					return priced.ok ? priced.value.cost : Number.NaN;
				};
				expect(cost(limit)).toBeLessThanOrEqual(held);
				if (limit < outputLimit) expect(cost(limit + 1)).toBeGreaterThan(held);
			},
		),
	);
});
