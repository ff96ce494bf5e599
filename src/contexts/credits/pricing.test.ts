import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	PriceSheet,
	Rate,
	Usage,
	UsageClass,
} from "../../ports/price-book.ts";
import {
	maximumCost,
	priceUsage,
	textClasses,
	usageClasses,
} from "./pricing.ts";

const flat = (price: number): readonly Rate[] => [{ from: 0, price }];
const sheet: PriceSheet = {
	id: "test",
	rates: {
		input: [
			{ from: 0, price: 300_000_000 },
			{ from: 200_001, price: 600_000_000 },
		],
		output: flat(1_500_000_000),
		"cache-read": flat(30_000_000),
		"cache-write-5m": flat(375_000_000),
	},
	batchBasisPoints: 5000,
};

const inputs: readonly UsageClass[] = [
	"input",
	"cache-read",
	"cache-write-5m",
	"cache-write-1h",
	"input-audio",
	"cache-read-audio",
	"input-image",
	"cache-read-image",
];

const pieces: readonly UsageClass[] = ["image", "character", "audio-second"];

function ok<T>(
	outcome: { ok: true; value: T } | { ok: false; error: unknown },
): T {
	if (!outcome.ok) throw new Error(JSON.stringify(outcome.error));
	return outcome.value;
}

describe("the cost of usage", () => {
	it("is the sum of its lines, rounded up once", () => {
		const priced = ok(
			priceUsage(sheet, { input: 1, output: 1, "cache-read": 1 }),
		);
		expect(priced).toEqual({
			cost: 1830,
			lines: [
				{ class: "input", units: 1, price: 300_000_000 },
				{ class: "cache-read", units: 1, price: 30_000_000 },
				{ class: "output", units: 1, price: 1_500_000_000 },
			],
			missing: [],
			notes: [],
		});
		const thirds: PriceSheet = {
			id: "thirds",
			rates: { input: flat(333_333), output: flat(333_333) },
		};
		expect(ok(priceUsage(thirds, { input: 1, output: 2 })).cost).toBe(1);
		expect(ok(priceUsage(thirds, { input: 1, output: 3 })).cost).toBe(2);
	});

	it("is exact where a product passes 2^53", () => {
		const dear: PriceSheet = {
			id: "dear",
			rates: { input: flat(9_007_199_254_740_991) },
		};
		expect(ok(priceUsage(dear, { input: 999_999 })).cost).toBe(
			9_007_190_247_541_737,
		);
		expect(priceUsage(dear, { input: 1_000_001 })).toMatchObject({
			ok: false,
			error: { code: "price/out-of-range" },
		});
	});

	it("takes the tier of the whole input, cached and uncached, for the whole call", () => {
		const at = (input: number, read: number) =>
			ok(priceUsage(sheet, { input, "cache-read": read })).lines.find(
				(line) => line.class === "input",
			)?.price;
		expect(at(100_000, 100_000)).toBe(300_000_000);
		expect(at(100_000, 100_001)).toBe(600_000_000);
	});

	it("charges a class without a price as its stand-in, and says so", () => {
		const plain: PriceSheet = {
			id: "plain",
			rates: { input: flat(2), output: flat(3) },
		};
		const priced = ok(
			priceUsage(plain, {
				reasoning: 10,
				"cache-read": 20,
				"cache-write-1h": 30,
				"output-image": 40,
			}),
		);
		expect(priced.lines).toEqual([
			{ class: "cache-read", units: 20, price: 2 },
			{ class: "cache-write-1h", units: 30, price: 2 },
			{ class: "reasoning", units: 10, price: 3 },
			{ class: "output-image", units: 40, price: 3 },
		]);
		expect(priced.missing).toEqual([
			"cache-read",
			"cache-write-1h",
			"reasoning",
			"output-image",
		]);
		expect(priced.notes[0]).toBe(
			"The price sheet has no price for cache-read: charged as input.",
		);
		// The dearer of two stand-ins.
		expect(ok(priceUsage(sheet, { "cache-write-1h": 1 })).lines[0]?.price).toBe(
			375_000_000,
		);
	});

	it("refuses a class without price and stand-in, and prices the rest", () => {
		const outcome = priceUsage(
			{ id: "embeddings", rates: { input: flat(2_000_000) } },
			{ input: 5, output: 7, search: 1 },
		);
		expect(outcome).toMatchObject({
			ok: false,
			error: {
				code: "price/unknown-class",
				details: { classes: ["output", "search"], rest: { cost: 10 } },
			},
		});
		expect(priceUsage(sheet, { smell: 3 } as Usage)).toMatchObject({
			error: { code: "price/unknown-class", details: { classes: ["smell"] } },
		});
		expect(priceUsage({ id: "empty", rates: {} }, { input: 0 }).ok).toBe(true);
	});

	it("charges a fee per request once, and as often as usage counts", () => {
		const fee: PriceSheet = {
			id: "fee",
			rates: { input: flat(0), request: flat(5_000_000) },
		};
		expect(ok(priceUsage(fee, { input: 1 })).cost).toBe(5);
		expect(ok(priceUsage(fee, { input: 1, request: 3 })).cost).toBe(15);
		expect(ok(priceUsage(sheet, { request: 1 })).lines).toEqual([]);
	});

	it("gives a batch its part of the price, on every line", () => {
		const priced = ok(
			priceUsage(sheet, { input: 1, output: 1 }, { batch: true }),
		);
		expect(priced.cost).toBe(900);
		expect(priced.lines.every((line) => line.basisPoints === 5000)).toBe(true);
		expect(
			ok(
				priceUsage(
					{ id: "none", rates: { input: flat(7) } },
					{ input: 1 },
					{ batch: true },
				),
			).lines[0],
		).not.toHaveProperty("basisPoints");
	});

	it.each([-1, 0.5, Number.NaN, 2 ** 53, "3"])(
		"refuses a count of %s",
		(units) => {
			expect(priceUsage(sheet, { input: units as number })).toMatchObject({
				error: { code: "price/invalid-usage" },
			});
			expect(
				maximumCost(sheet, { inputTokens: units as number, outputTokens: 0 }),
			).toMatchObject({
				error: { code: "price/invalid-usage" },
			});
		},
	);
});

describe("the highest cost within a bound", () => {
	it("takes the dearest class and tier within reach", () => {
		const bound = ok(
			maximumCost(sheet, { inputTokens: 1000, outputTokens: 10 }),
		);
		expect(bound.lines).toEqual([
			{ class: "cache-write-5m", units: 1000, price: 375_000_000 },
			{ class: "output", units: 10, price: 1_500_000_000 },
		]);
		expect(bound.cost).toBe(390_000);
		expect(
			ok(maximumCost(sheet, { inputTokens: 200_001, outputTokens: 0 })).lines[0]
				?.price,
		).toBe(600_000_000);
	});

	it("counts audio only where it can occur", () => {
		const audio: PriceSheet = {
			id: "audio",
			rates: {
				input: flat(1),
				output: flat(2),
				"input-audio": flat(40),
				"output-audio": flat(80),
			},
		};
		const tokens = { inputTokens: 1_000_000, outputTokens: 1_000_000 };
		expect(ok(maximumCost(audio, tokens)).cost).toBe(3);
		expect(
			ok(maximumCost(audio, { ...tokens, classes: usageClasses })).cost,
		).toBe(120);
	});

	it("refuses what could turn out to have no price", () => {
		const embeddings: PriceSheet = {
			id: "embeddings",
			rates: { input: flat(2) },
		};
		expect(
			maximumCost(embeddings, { inputTokens: 5, outputTokens: 0 }).ok,
		).toBe(true);
		expect(
			maximumCost(embeddings, { inputTokens: 5, outputTokens: 1 }),
		).toMatchObject({
			error: {
				code: "price/unknown-class",
				details: { classes: ["output", "reasoning"] },
			},
		});
		expect(
			maximumCost(sheet, { inputTokens: 1, outputTokens: 1, searches: 1 }).ok,
		).toBe(false);
	});
});

const price = fc.nat({ max: 10_000_000_000 });
const units = fc.oneof(fc.nat({ max: 2000 }), fc.nat({ max: 5_000_000 }));
const rising = fc
	.tuple(
		price,
		fc.array(
			fc.tuple(
				fc.integer({ min: 1, max: 3000 }),
				fc.nat({ max: 1_000_000_000 }),
			),
			{ maxLength: 3 },
		),
	)
	.map(([base, steps]) => {
		const rates: Rate[] = [{ from: 0, price: base }];
		for (const [gap, rise] of steps) {
			const last = rates.at(-1) as Rate;
			rates.push({ from: last.from + gap, price: last.price + rise });
		}
		return rates;
	});
const anyOrder = rising.map((rates) =>
	rates.map(({ from }, index) => ({
		from,
		price: (rates.at(-1 - index) as Rate).price,
	})),
);
const sheetOf = (rates: fc.Arbitrary<Rate[]>) =>
	fc
		.record(
			{
				rates: fc.record(
					Object.fromEntries(usageClasses.map((name) => [name, rates])),
					{
						requiredKeys: [
							"input",
							"output",
							"search",
							"image",
							"character",
							"audio-second",
						],
					},
				),
				batchBasisPoints: fc.integer({ min: 0, max: 10_000 }),
			},
			{ requiredKeys: ["rates"] },
		)
		.map((members): PriceSheet => ({ id: "any", ...members }));
const usageOf = (names: readonly UsageClass[]) =>
	fc.record(Object.fromEntries(names.map((name) => [name, units])), {
		requiredKeys: [],
	}) as fc.Arbitrary<Usage>;

/** Fractions, added as at school. */
function oracle(sheet: PriceSheet, usage: Usage, batch: boolean): number {
	const parents: Partial<Record<UsageClass, UsageClass[]>> = {
		"cache-read": ["input"],
		"cache-write-5m": ["input"],
		"cache-write-1h": ["cache-write-5m", "input"],
		"input-audio": ["input"],
		"cache-read-audio": ["input-audio", "cache-read", "input"],
		"input-image": ["input"],
		"cache-read-image": ["input-image", "cache-read", "input"],
		reasoning: ["output"],
		"output-audio": ["output"],
		"output-image": ["output"],
	};
	let total = 0n;
	for (const name of inputs) total += BigInt(usage[name] ?? 0);
	let [numerator, denominator] = [0n, 1n];
	for (const name of usageClasses) {
		const count = usage[name] ?? (name === "request" ? 1 : 0);
		const rates =
			[name, ...(parents[name] ?? [])]
				.map((candidate) => sheet.rates[candidate])
				.find((found) => found) ?? [];
		let rate = 0;
		for (const step of rates) if (total >= BigInt(step.from)) rate = step.price;
		const [top, bottom] = [
			BigInt(count) *
				BigInt(rate) *
				(batch ? BigInt(sheet.batchBasisPoints ?? 10_000) : 1n),
			1_000_000n * (batch ? 10_000n : 1n),
		];
		[numerator, denominator] = [
			numerator * bottom + top * denominator,
			denominator * bottom,
		];
	}
	return Number(
		numerator / denominator + (numerator % denominator > 0n ? 1n : 0n),
	);
}

describe("for any sheet", () => {
	it("the cost is what plain fractions give, and its lines alone give it too", () => {
		fc.assert(
			fc.property(
				sheetOf(anyOrder),
				usageOf(usageClasses),
				fc.boolean(),
				(sheet, usage, batch) => {
					const priced = ok(priceUsage(sheet, usage, { batch }));
					expect(priced.cost).toBe(oracle(sheet, usage, batch));
					let sum = 0n;
					for (const line of priced.lines)
						sum +=
							BigInt(line.units) *
							BigInt(line.price) *
							BigInt(line.basisPoints ?? 10_000);
					expect(priced.cost).toBe(
						Number((sum + 9_999_999_999n) / 10_000_000_000n),
					);
				},
			),
			{ numRuns: 500 },
		);
	});

	it("more usage never costs less, where dearer tiers follow cheaper ones", () => {
		fc.assert(
			fc.property(
				sheetOf(rising),
				usageOf(usageClasses),
				fc.constantFrom(...usageClasses),
				units,
				(sheet, usage, name, more) => {
					const less = { request: 0, ...usage };
					const grown = { ...less, [name]: (less[name] ?? 0) + more };
					expect(ok(priceUsage(sheet, grown)).cost).toBeGreaterThanOrEqual(
						ok(priceUsage(sheet, less)).cost,
					);
				},
			),
		);
	});

	it("no usage within a bound costs more than the bound", () => {
		fc.assert(
			fc.property(
				sheetOf(anyOrder),
				fc.boolean(),
				fc.boolean(),
				fc.nat(50),
				fc.infiniteStream(units),
				(sheet, batch, media, slack, counts) => {
					const classes = media
						? usageClasses.filter((name) => !pieces.includes(name))
						: textClasses;
					const usage = Object.fromEntries(
						[...classes, "search"].map((name) => [
							name,
							counts.next().value as number,
						]),
					) as Usage;
					let [inputTokens, outputTokens] = [slack, slack];
					for (const name of classes) {
						if (inputs.includes(name)) inputTokens += usage[name] ?? 0;
						else if (name !== "search" && name !== "request")
							outputTokens += usage[name] ?? 0;
					}
					const bound = {
						inputTokens,
						outputTokens,
						searches: usage.search ?? 0,
						requests: usage.request ?? 1,
						classes,
					};
					expect(
						ok(maximumCost(sheet, bound, { batch })).cost,
					).toBeGreaterThanOrEqual(
						ok(priceUsage(sheet, usage, { batch })).cost,
					);
				},
			),
			{ numRuns: 500 },
		);
	});
});
