import { expect, test } from "vitest";
import { priceBookContract } from "../../ports/price-book.contract.ts";
import { genaiPriceBook } from "../price-book/genai-prices.ts";
import { priceIds } from "../vendors/all.ts";
import { shipped, shippedModels } from "./shipped.ts";
import rows from "./shipped-prices.json" with { type: "json" };
import { priceSource, shippedPriceBook } from "./shipped-prices.ts";

priceBookContract(
	"what ships beside the package",
	shippedPriceBook,
	rows.map(({ vendor, model }) => ({ vendor, model })),
);

const book = shippedPriceBook();
const day = Date.parse(shipped.date);

test("each price is of a row that ships, has a source and a day, and a name of its own", () => {
	const ids = new Set<string>();
	for (const { vendor, model, ...row } of rows) {
		expect(Object.keys(shippedModels)).toContain(`${vendor}/${model}`);
		const at = Date.parse((row as { from?: string }).from ?? shipped.date);
		const sheet = book.find(vendor, model, at);
		expect(sheet?.id).toMatch(new RegExp(`^shipped:[0-9a-f]{8}/${vendor}/`));
		const said = priceSource(sheet?.id ?? "");
		expect(said?.source).toMatch(/^https:\/\/\S+$/);
		expect(Date.parse(said?.date ?? "")).toBeLessThanOrEqual(day);
		ids.add(sheet?.id ?? "");
	}
	expect(ids.size).toBe(rows.length);
	expect(priceSource("genai-prices@1/openai/gpt")).toBeUndefined();
});

test("none repeats the package, which is kept newer", async () => {
	const packaged = await genaiPriceBook({ vendorIds: priceIds });
	expect(
		rows.filter(({ vendor, model }) => packaged.find(vendor, model, day)),
	).toEqual([]);
});

test("a price changes on its day, and a long input on its step", () => {
	const argon = (at: string) =>
		book.find("google", "gemini-4-argon", Date.parse(at))?.rates.output;
	expect(argon("2026-11-30T23:59:59Z")).toEqual([
		{ from: 0, price: 1_000_000_000 },
	]);
	expect(argon("2026-12-01")).toEqual([{ from: 0, price: 2_000_000_000 }]);
	expect(book.find("openai", "gpt-6.1-sol", day)?.rates["cache-read"]).toEqual([
		{ from: 0, price: 10_000_000 },
		{ from: 272_001, price: 20_000_000 },
	]);
});
