import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { priceBookContract } from "../../ports/price-book.contract.ts";
import type { PriceBook } from "../../ports/price-book.ts";
import { ownerCeiling, ownerPriceBook } from "./owner-rows.ts";

function bookOf(yaml: string): PriceBook {
	const book = ownerPriceBook(parse(yaml));
	if (!book.ok) throw new Error(book.error.message);
	return book.value;
}
const problems = (yaml: string): string => {
	const book = ownerPriceBook(parse(yaml));
	expect(book).toMatchObject({
		ok: false,
		error: { code: "config/price-invalid" },
	});
	return book.ok ? "" : book.error.message;
};
const at = (date: string): number => Date.parse(date);

describe("the owner's rows", () => {
	it("price every class, tier and fee exactly", () => {
		const book = bookOf(`
- vendor: acme
  model: big-*
  prices: { input: "1.25", output: 10, reasoning: 12.5, cache-read: 0.00000001 }
  tiers:
    - from: 200001
      prices: { input: 2.5 }
    - from: 400001
      prices: { input: 5, output: 20 }
  perRequest: 0.005
  perSearch: "0.01"
  batchDiscount: 40
`);
		expect(book.find("acme", "big-one", 0)).toEqual({
			id: expect.stringMatching(/^config\.yaml:[0-9a-f]{8}\/acme\/big-\*$/),
			rates: {
				input: [
					{ from: 0, price: 125_000_000 },
					{ from: 200_001, price: 250_000_000 },
					{ from: 400_001, price: 500_000_000 },
				],
				output: [
					{ from: 0, price: 1_000_000_000 },
					{ from: 400_001, price: 2_000_000_000 },
				],
				reasoning: [{ from: 0, price: 1_250_000_000 }],
				"cache-read": [{ from: 0, price: 1 }],
				request: [{ from: 0, price: 500_000_000_000 }],
				search: [{ from: 0, price: 1_000_000_000_000 }],
			},
			batchBasisPoints: 6000,
		});
		expect(book.find("acme", "small", 0)).toBeUndefined();
		expect(book.find("other", "big-one", 0)).toBeUndefined();
	});

	it("hold from their first day to the one before `until`; the first that fits wins", () => {
		const book = bookOf(`
- { vendor: acme, model: m, from: 2026-01-01, until: "2026-07-01T02:00:00+02:00", prices: { input: 1, output: 1 } }
- { vendor: "*", model: "*", from: 2026-02-01, prices: { input: 2, output: 2 } }
`);
		const price = (date: string) =>
			book.find("acme", "m", at(date))?.rates.input?.[0]?.price;
		expect(price("2025-12-31T23:59:59Z")).toBeUndefined();
		expect(price("2026-01-01")).toBe(100_000_000);
		expect(price("2026-06-30T23:59:59Z")).toBe(100_000_000);
		expect(price("2026-07-01")).toBe(200_000_000);
		expect(book.find("acme", "m", at("2026-01-01"))?.id).toMatch(
			/@2026-01-01$/,
		);
		expect(book.models("acme")).toEqual([{ model: "m" }]);
	});

	it.each([
		["gpt-*", "GPT-5", true],
		["gpt-*", "my-gpt-5", false],
		["*-mini", "gpt-5-mini", true],
		["*-mini", "gpt-5-mini-2", false],
		["a*b*c", "a-b-b-c", true],
		["a*b*c", "acb", false],
		["ab*ba", "aba", false],
		["a.c", "abc", false],
		["*", "", true],
	])("the pattern %s fits %s: %s", (pattern, model, fits) => {
		const book = bookOf(
			`[{ vendor: acme, model: "${pattern}", prices: { input: 1 } }]`,
		);
		expect(book.find("acme", model, 0) !== undefined).toBe(fits);
	});

	it("get another id once their content changes", () => {
		const row = (price: number) =>
			bookOf(`[{ vendor: acme, model: m, prices: { input: ${price} } }]`);
		expect(row(1).find("acme", "m", 0)?.id).toBe(
			row(1).find("acme", "m", 0)?.id,
		);
		expect(row(1).find("acme", "m", 0)?.id).not.toBe(
			row(2).find("acme", "m", 0)?.id,
		);
		expect(row(1).version).not.toBe(row(2).version);
	});

	it("price what is counted by the piece", () => {
		const book = bookOf(`
- { vendor: acme, model: painter, perImage: 0.04 }
- { vendor: acme, model: speaker, prices: { character: 15 } }
- { vendor: acme, model: listener, perAudioMinute: 0.006 }
- { vendor: acme, model: odd, perAudioMinute: 0.0043 }
`);
		const rates = (model: string) => book.find("acme", model, 0)?.rates;
		expect(rates("painter")).toEqual({
			image: [{ from: 0, price: 4_000_000_000_000 }],
		});
		expect(rates("speaker")).toEqual({
			character: [{ from: 0, price: 1_500_000_000 }],
		});
		expect(rates("listener")).toEqual({
			"audio-second": [{ from: 0, price: 10_000_000_000 }],
		});
		// A sixtieth that is no whole number is rounded up, by less than a micro-credit in a million seconds.
		expect(rates("odd")).toEqual({
			"audio-second": [{ from: 0, price: 7_166_666_667 }],
		});
	});

	it("may be absent", () => {
		const book = ownerPriceBook(undefined);
		expect(book.ok && book.value.find("acme", "m", 0)).toBeUndefined();
		expect(book.ok).toBe(true);
	});
});

describe("a wrong row is named with its field", () => {
	it.each([
		["{ a: 1 }", "prices must be a list of rows."],
		[
			"[{ vendor: acme, model: m }]",
			"prices[0] prices must name at least one class, or perImage or perAudioMinute an amount.",
		],
		[
			"[{ vendor: acme, model: m, prices: {} }]",
			"prices[0] prices must name at least one class, or perImage or perAudioMinute an amount.",
		],
		[
			"[{ vendor: acme, model: m, prices: { inputs: 1 } }]",
			"prices[0].prices.inputs is no setting.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: -1 } }]",
			"prices[0].prices.input must be an amount of US dollars, such as 0.25.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: 0.123456789 } }]",
			"prices[0].prices.input has too many decimals: at most 8 can be kept exactly.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: true } }]",
			"prices[0].prices.input must be an amount of US dollars, such as 0.25.",
		],
		[
			"[{ vendor: acme, model: m, from: yesterday, prices: { input: 1 } }]",
			"prices[0].from must be a date, such as 2026-01-31 (midnight UTC).",
		],
		[
			"[{ vendor: acme, model: m, from: 2026-02-30, prices: { input: 1 } }]",
			"prices[0].from must be a date, such as 2026-01-31 (midnight UTC).",
		],
		[
			"[{ vendor: acme, model: m, from: 2026-02-01, until: 2026-02-01, prices: { input: 1 } }]",
			"prices[0] until must be after from.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: 1 }, tiers: [{ from: 5, prices: { output: 1 } }] }]",
			"prices[0] tiers[0].prices.output needs a price below the tier as well: prices.output.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: 1 }, tiers: [{ from: 5, prices: { input: 1 } }, { from: 5, prices: { input: 2 } }] }]",
			"prices[0] tiers[1].from must be above 5.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: 1 }, tiers: [{ from: 0, prices: { input: 1 } }] }]",
			"prices[0] tiers[0].from must be above 0.",
		],
		[
			"[{ vendor: acme, model: m, prices: { input: 1 }, batchDiscount: 101 }]",
			"prices[0].batchDiscount must be at most 100.",
		],
		[
			"[{ vendor: acme, model: '', prices: { input: 1 } }]",
			"prices[0].model must not be empty.",
		],
	])("%s", (yaml, message) => {
		expect(problems(yaml)).toBe(message);
	});

	it("and all of them at once", () => {
		expect(
			problems(
				"[{ vendor: acme, prices: { input: x } }, { vendor: 3, model: m, prices: { input: 1 } }]",
			).split("\n"),
		).toEqual([
			"prices[0].model is missing.",
			"prices[0].prices.input must be an amount of US dollars, such as 0.25.",
			"prices[1].vendor must be text; * stands for anything.",
		]);
	});
});

describe("the owner's ceiling", () => {
	it("is read as prices", () => {
		expect(ownerCeiling({ input: 20, output: "100", perSearch: 0.01 })).toEqual(
			{
				ok: true,
				value: {
					input: 2_000_000_000,
					output: 10_000_000_000,
					search: 1_000_000_000_000,
				},
			},
		);
	});

	it("needs input and output", () => {
		expect(ownerCeiling({ input: 20 })).toMatchObject({
			ok: false,
			error: {
				code: "config/price-invalid",
				message: "ceiling.output is missing.",
			},
		});
		expect(ownerCeiling(7)).toMatchObject({
			ok: false,
			error: { message: "ceiling must be settings, each with a name." },
		});
	});
});

priceBookContract(
	"the owner's rows",
	() =>
		bookOf(`
- { vendor: acme, model: m, prices: { input: 1, output: 2 }, tiers: [{ from: 9, prices: { input: 3 } }], batchDiscount: 10 }
- { vendor: acme, model: m, prices: { input: 7 } }
`),
	[{ vendor: "acme", model: "m" }],
);
