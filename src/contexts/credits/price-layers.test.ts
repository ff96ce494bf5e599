import { expect, it } from "vitest";
import { priceBookContract } from "../../ports/price-book.contract.ts";
import type { PriceBook } from "../../ports/price-book.ts";
import {
	ceilingPriceBook,
	freePriceBook,
	layeredPriceBook,
} from "./price-layers.ts";
import { priceUsage, usageClasses } from "./pricing.ts";

const book = (
	version: string,
	models: Readonly<Record<string, number>>,
): PriceBook => ({
	version,
	find: (vendor, model) =>
		vendor === "acme" && models[model] !== undefined
			? {
					id: `${version}/${model}`,
					rates: { input: [{ from: 0, price: models[model] }] },
				}
			: undefined,
	models: (vendor) =>
		vendor !== "acme"
			? []
			: Object.keys(models).map((model) => ({
					model,
					contextWindow: models[model] as number,
				})),
});

it("asks its books in order, and takes a sheet whole", () => {
	const layered = layeredPriceBook([
		book("own", { a: 1 }),
		book("list", { a: 2, b: 3 }),
	]);
	expect(layered.version).toBe("own + list");
	expect(layered.find("acme", "a", 0)?.id).toBe("own/a");
	expect(layered.find("acme", "b", 0)?.id).toBe("list/b");
	expect(layered.find("acme", "c", 0)).toBeUndefined();
	expect(layered.models("acme")).toEqual([
		{ model: "a", contextWindow: 1 },
		{ model: "b", contextWindow: 3 },
	]);
});

it("marks a ceiling price as one", () => {
	const layered = layeredPriceBook([
		book("list", { a: 2 }),
		ceilingPriceBook({ input: 5_000_000, output: 9_000_000 }),
	]);
	expect(layered.find("acme", "a", 0)?.id).toBe("list/a");
	const sheet = layered.find("acme", "new", 0);
	expect(sheet?.id).toBe("ceiling/acme/new");
	expect(sheet && priceUsage(sheet, { input: 1, reasoning: 1 })).toMatchObject({
		ok: true,
		value: { cost: 14 },
	});
	expect(sheet && priceUsage(sheet, { search: 1 })).toMatchObject({
		error: { code: "price/unknown-class" },
	});
	const generous = ceilingPriceBook({
		input: 1,
		output: 1,
		request: 2_000_000,
		search: 3_000_000,
	}).find("acme", "a", 0);
	expect(generous && priceUsage(generous, { search: 1 })).toMatchObject({
		value: { cost: 5 },
	});
});

it("is free on the owner's machine, and nowhere else", () => {
	const free = freePriceBook(["shed"]);
	const sheet = free.find("shed", "llama", 0);
	expect(sheet?.id).toBe("own-machine/shed/llama");
	const everything = Object.fromEntries(
		usageClasses.map((name) => [name, 1_000_000]),
	);
	expect(sheet && priceUsage(sheet, everything)).toMatchObject({
		value: { cost: 0, missing: [] },
	});
	expect(free.find("acme", "llama", 0)).toBeUndefined();
});

priceBookContract(
	"in layers",
	() => layeredPriceBook([book("own", { a: 1 }), book("list", { a: 2, b: 3 })]),
	[
		{ vendor: "acme", model: "a" },
		{ vendor: "acme", model: "b" },
	],
);
