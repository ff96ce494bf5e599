import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceSheet, Usage } from "../../ports/price-book.ts";
import type { MediaOrder } from "../../ports/wire-protocol.ts";
import { askedFor, nothingMetered } from "./gateway.testing.ts";
import { sizeHold } from "./hold-size.ts";
import { costOfOrder, mostOfOrder, unknownOrderPrice } from "./orders.ts";
import { costOfCall } from "./settlement.ts";

const each = (price: number) => [{ from: 0, price: price * 1_000_000 }];
const byImage: PriceSheet = { id: "image", rates: { image: each(50) } };
const byToken: PriceSheet = {
	id: "token",
	rates: { input: each(1), output: each(2), "output-image": each(3) },
};
const both: PriceSheet = {
	id: "both",
	rates: { ...byImage.rates, ...byToken.rates },
};
const neither: PriceSheet = { id: "neither", rates: { character: each(1) } };

const order: MediaOrder = {
	most: {
		pieces: { image: 2 },
		tokens: { input: 10, "input-image": 5, "output-image": 100 },
	},
	usual: {
		pieces: { image: 2 },
		tokens: { input: 4, "input-image": 2, "output-image": 40 },
	},
	grounds: "a guess",
};
const said = (usage: Usage | undefined, counted?: Usage) => ({
	...nothingMetered,
	usage,
	counted,
});

describe("an order is held for", () => {
	it("at the most that it can cost, whichever way it is counted", () => {
		const most = (sheet: PriceSheet) => {
			const outcome = mostOfOrder(sheet, order);
			return outcome.ok ? outcome.value.cost : outcome.error.code;
		};
		expect(most(byImage)).toBe(100);
		expect(most(byToken)).toBe(15 + 300);
		expect(most(both)).toBe(315);
		expect(most(neither)).toBe("price/unknown-class");
	});

	it("whole: no account gets part of it, and no limit is sent", () => {
		const sized = sizeHold(
			byImage,
			{ ...askedFor({ outputLimit: 0 }), order },
			{ input: 1, inputUsual: 1, outputHigh: 1, outputUsual: 1, samples: 9 },
			4_000,
		);
		expect(sized).toMatchObject({
			value: {
				amount: 100,
				atLeast: 100,
				outputLimit: undefined,
				outputTokens: 0,
			},
		});
	});
});

describe("an order is charged", () => {
	it("as the vendor counted, where the sheet prices all of that, and never twice", () => {
		const usage = { input: 3, "output-image": 10 };
		expect(costOfOrder(both, order, said(usage, { image: 1 }))).toMatchObject({
			basis: "priced",
			cost: 33,
			usage,
		});
	});

	it("else by the pieces that are known", () => {
		const usage = { input: 3, "output-image": 10 };
		expect(
			costOfOrder(byImage, order, said(usage, { image: 1 })),
		).toMatchObject({ basis: "priced", cost: 50, usage: { image: 1 } });
		expect(
			costOfOrder(byImage, order, said(undefined, { image: 0 })).cost,
		).toBe(0);
	});

	it("else by an estimate, which says what it stands on", () => {
		const settled = costOfOrder(byToken, order, said(undefined, { image: 1 }));
		expect(settled).toMatchObject({ basis: "estimated", cost: 6 + 120 });
		expect(settled.notes.join()).toContain("a guess");
		expect(costOfOrder(byImage, order, undefined)).toMatchObject({
			basis: "estimated",
			cost: 100,
		});
	});

	it("with its text as it was delivered", () => {
		const heard: MediaOrder = {
			...order,
			usual: {
				pieces: { "audio-second": 9 },
				tokens: { input: 4, output: 999 },
			},
		};
		expect(
			costOfOrder(byToken, heard, { ...nothingMetered, deliveredBytes: 41 })
				.usage,
		).toEqual({ input: 4, output: 11 });
	});

	it("what the vendor says, where its word is taken", () => {
		const asked = { ...askedFor({}), order };
		const metered = { ...said({ input: 3 }), reportedCost: 7 };
		expect(costOfCall(both, asked, metered, 0, 0, true)).toMatchObject({
			cost: 7,
			basis: "reported",
		});
		expect(costOfCall(both, asked, metered, 0, 0, false).cost).toBe(3);
	});

	it("never more than was held, as long as the vendor keeps within the order", () => {
		const part = (most: number) => fc.nat({ max: most });
		fc.assert(
			fc.property(
				fc.constantFrom(byImage, byToken, both),
				fc.option(
					fc.record({
						input: part(10),
						"input-image": part(5),
						"output-image": part(100),
					}),
					{ nil: undefined },
				),
				fc.option(fc.record({ image: part(2) }), { nil: undefined }),
				(sheet, usage, counted) => {
					const most = mostOfOrder(sheet, order);
					expect(most.ok && most.value.cost).toBeGreaterThanOrEqual(
						costOfOrder(sheet, order, said(usage, counted)).cost,
					);
				},
			),
		);
	});
});

it("an order without a price is refused with a row that YAML reads", () => {
	expect(unknownOrderPrice(order, "acme", "a/b-1").message).toContain(
		"- { vendor: acme, model: a/b-1, perImage: 0.04 }",
	);
	expect(unknownOrderPrice(order, "acme", 'a, b: "c"').details?.row).toBe(
		'- { vendor: acme, model: "a, b: \\"c\\"", perImage: 0.04 }',
	);
});
