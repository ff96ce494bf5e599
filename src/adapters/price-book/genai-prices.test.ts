import {
	type ConditionalPrice,
	calcPrice,
	type ModelPrice,
	waitForUpdate,
} from "@pydantic/genai-prices";
import { beforeAll, describe, expect, it } from "vitest";
import { priceBookContract } from "../../ports/price-book.contract.ts";
import type {
	PriceBook,
	PriceSheet,
	UsageClass,
} from "../../ports/price-book.ts";
import { datedSheets, genaiPriceBook } from "./genai-prices.ts";

const today = Date.parse("2026-11-01T12:00:00Z");
let book: PriceBook;
beforeAll(async () => {
	book = await genaiPriceBook({ vendorIds: { xai: "x-ai" } });
});

const keyOf: Partial<Record<UsageClass, string>> = {
	input: "input_mtok",
	"cache-read": "cache_read_mtok",
	"cache-write-5m": "cache_write_mtok",
	"cache-write-1h": "cache_write_1h_mtok",
	"input-audio": "input_audio_mtok",
	"cache-read-audio": "cache_audio_read_mtok",
	"input-image": "input_image_mtok",
	"cache-read-image": "cache_image_read_mtok",
	output: "output_mtok",
	reasoning: "output_reasoning_mtok",
	"output-audio": "output_audio_mtok",
	"output-image": "output_image_mtok",
	search: "web_searches_kcount",
	request: "requests_kcount",
	"audio-second": "input_audio_hours",
};

/** Dollars of a price key as micro-credits per million units, by way of eight printed decimals. */
function decimals(usd: number, key: string): bigint {
	const micro = BigInt(usd.toFixed(8).replace(".", ""));
	// An hour has 3,600 seconds, and what is left of the last is rounded up.
	if (key.endsWith("_hours")) return (micro * 1_000_000n + 3_599n) / 3_600n;
	return key.endsWith("_kcount") ? micro * 1000n : micro;
}

describe("every model of the package", () => {
	it("is converted exactly, or has no price at all", async () => {
		const converted = new Set<string>();
		const rounded = new Set<string>();
		const unknown = new Set<string>();
		for (const provider of (await waitForUpdate()) ?? []) {
			for (const model of provider.models) {
				const name = `${provider.id}/${model.id}`;
				const variants: readonly ConditionalPrice[] = Array.isArray(
					model.prices,
				)
					? model.prices
					: [{ prices: model.prices }];
				const sheets = datedSheets("test", model);
				expect(sheets).toHaveLength(variants.length);
				for (const [variant, { prices }] of variants.entries()) {
					const sheet = sheets[variant]?.sheet;
					expect(sheet !== undefined, name).toBe(
						prices.input_mtok !== undefined ||
							prices.input_audio_hours !== undefined,
					);
					if (!sheet) {
						unknown.add(name);
						continue;
					}
					converted.add(name);
					for (const [unit, key] of Object.entries(keyOf) as [
						UsageClass,
						string,
					][]) {
						const price = prices[key];
						const steps =
							price === undefined
								? []
								: typeof price === "number"
									? [{ start: -1, price }]
									: [{ start: -1, price: price.base }, ...price.tiers];
						const rates = sheet.rates[unit] ?? [];
						expect(rates.map(({ from }) => from)).toEqual(
							steps.map(({ start }) => start + 1),
						);
						for (const [index, step] of steps.entries()) {
							const off =
								BigInt(rates[index]?.price ?? -1) - decimals(step.price, key);
							if (off === 0n) continue;
							expect(off, `${name} ${unit}`).toBe(1n);
							rounded.add(String(step.price));
						}
					}
				}
			}
		}
		expect(converted.size).toBeGreaterThan(1000);
		// Models without any price, and models paid by the hour, page or message.
		expect(unknown.size).toBeGreaterThan(50);
		// A twelfth of a dollar is no decimal: rounded up to the next micro-credit per million.
		expect([...rounded]).toEqual(["0.08333333333333334"]);
	});

	it("is found as the package itself finds it", async () => {
		for (const provider of (await waitForUpdate()) ?? []) {
			const vendor = provider.id === "x-ai" ? "xai" : provider.id;
			for (const { model } of book.models(vendor)) {
				const theirs = calcPrice({}, model, {
					providerId: provider.id,
					timestamp: new Date(today),
				});
				const ours = book.find(vendor, model, today);
				if (ours)
					expect(
						ours.id
							.slice(`${book.version}/${vendor}/`.length)
							.replace(/@\d[\d:Z-]+$/, ""),
					).toBe(theirs?.model.id);
				else expect(theirs?.model_price.input_mtok).toBeUndefined();
			}
		}
		expect(book.models("openai").length).toBeGreaterThan(50);
	});
});

describe("well-known models", () => {
	const rate = (vendor: string, model: string, unit: UsageClass, at = today) =>
		book.find(vendor, model, at)?.rates[unit]?.[0]?.price;

	it("cost what their vendors list", () => {
		expect(rate("openai", "gpt-4o-mini", "input")).toBe(15_000_000);
		expect(rate("openai", "gpt-4o-mini", "output")).toBe(60_000_000);
		expect(rate("openai", "gpt-4o-mini", "cache-read")).toBe(7_500_000);
		expect(rate("openai", "gpt-4o-mini", "search")).toBe(1_000_000_000_000);
		expect(rate("openai", "gpt-4o-mini-2024-07-18", "input")).toBe(15_000_000);
		expect(rate("anthropic", "claude-sonnet-4-6", "cache-write-5m")).toBe(
			375_000_000,
		);
		expect(rate("anthropic", "claude-sonnet-4-6", "cache-write-1h")).toBe(
			600_000_000,
		);
		expect(rate("openai", "gpt-realtime", "output-audio")).toBe(6_400_000_000);
		expect(rate("xai", "grok-4.5", "input")).toBeGreaterThan(0);
		expect(book.models("anthropic")).toContainEqual({
			model: "claude-sonnet-4-6",
			contextWindow: 1_000_000,
		});
	});

	it("that only hear are paid by the second", () => {
		// 0.36 USD an hour are 0.0001 a second; a part of a micro-credit in a million seconds is rounded up.
		expect(book.find("openai", "whisper-1", today)?.rates).toEqual({
			"audio-second": [{ from: 0, price: 10_000_000_000 }],
		});
		expect(rate("groq", "whisper-large-v3", "audio-second")).toBe(
			3_083_333_334,
		);
	});

	it("have a sheet with no output price where they have no output", () => {
		const sheet = book.find(
			"openai",
			"text-embedding-3-small",
			today,
		) as PriceSheet;
		expect(sheet.rates).toEqual({ input: [{ from: 0, price: 2_000_000 }] });
		expect(priced(sheet, "output")).toBe(false);
	});

	it("change price on their day, and by the hour", () => {
		const day = Date.parse("2026-03-13T00:00:00Z");
		expect(
			book.find("anthropic", "claude-sonnet-4-6", day - 1)?.rates.input,
		).toEqual([
			{ from: 0, price: 300_000_000 },
			{ from: 200_001, price: 600_000_000 },
		]);
		expect(
			book.find("anthropic", "claude-sonnet-4-6", day)?.rates.input,
		).toEqual([{ from: 0, price: 300_000_000 }]);
		expect(book.find("anthropic", "claude-sonnet-4-6", day)?.id).toBe(
			`${book.version}/anthropic/claude-sonnet-4-6@2026-03-13`,
		);
		const deepseek = (time: string) =>
			rate(
				"deepseek",
				"deepseek-v4-flash",
				"input",
				Date.parse(`2026-11-02T${time}Z`),
			);
		expect(deepseek("00:59:59.999")).toBe(22_000_000);
		expect(deepseek("01:00:00")).toBe(44_000_000);
		expect(deepseek("04:00:00")).toBe(22_000_000);
		expect(deepseek("09:59:59")).toBe(44_000_000);
	});
});

describe("what the package does not know", () => {
	it.each([
		["openai", "no-such-model"],
		["no-such-vendor", "gpt-4o"],
		// The package would guess: a name with "openai" in it.
		["my-openai-proxy", "gpt-4o"],
		// Named "free", yet without a price.
		["openrouter", "qwen/qwq-32b:free"],
		["openai", "tts-1"],
		["openai", "x".repeat(100_000)],
	])("has no price: %s/%s", (vendor, model) => {
		expect(book.find(vendor, model, today)).toBeUndefined();
	});

	it.each<[ModelPrice, string]>([
		[{ output_mtok: 3 }, "no input price"],
		[{ input_mtok: 0 }, "input for nothing, and output unknown"],
		[{ input_mtok: 1, output_audio_mtok: 3 }, "output of one kind alone"],
		[
			{ input_mtok: 1, output_mtok: 3, input_gpixels: 2 },
			"a price we cannot read",
		],
		[{ input_mtok: -1, output_mtok: 3 }, "a negative price"],
		[{}, "nothing"],
	])("half known is unknown: %s (%s)", (prices) => {
		expect(
			datedSheets("test", { id: "half", match: { equals: "half" }, prices })[0]
				?.sheet,
		).toBeUndefined();
	});

	it("is free only where the package says 0 for both", () => {
		const free = datedSheets("test", {
			id: "free",
			match: { equals: "free" },
			prices: { input_mtok: 0, output_mtok: 0 },
		});
		expect(free[0]?.sheet?.rates).toEqual({
			input: [{ from: 0, price: 0 }],
			output: [{ from: 0, price: 0 }],
		});
	});
});

it("names its source and version", () => {
	expect(book.version).toMatch(/^genai-prices@\d+\.\d+\.\d+$/);
});

const priced = (sheet: PriceSheet, unit: UsageClass): boolean =>
	unit in sheet.rates;

priceBookContract("the price package", () => genaiPriceBook(), [
	{ vendor: "openai", model: "gpt-5.5" },
	{ vendor: "anthropic", model: "claude-sonnet-4-6" },
	{ vendor: "openai", model: "text-embedding-3-small" },
]);
