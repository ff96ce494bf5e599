import { describe, expect, it } from "vitest";
import type { PriceBook } from "./price-book.ts";

/**
 * What every price book keeps to. `known` are some vendors and models that it has a price of at `at`.
 */
export function priceBookContract(
	name: string,
	make: () => PriceBook | Promise<PriceBook>,
	known: readonly { readonly vendor: string; readonly model: string }[],
	at: number = Date.parse("2026-11-01T12:00:00Z"),
): void {
	describe(`price book: ${name}`, () => {
		it.each(known)("prices $vendor/$model by a sound sheet", async (entry) => {
			const sheet = (await make()).find(entry.vendor, entry.model, at);
			expect(sheet?.id).not.toBe("");
			const all = Object.values(sheet?.rates ?? {});
			expect(all.length).toBeGreaterThan(0);
			for (const rates of all) {
				expect(rates[0]?.from).toBe(0);
				rates.forEach(({ from, price }, index) => {
					expect(Number.isSafeInteger(price) && price >= 0).toBe(true);
					expect(from).toBeGreaterThan(rates[index - 1]?.from ?? -1);
				});
			}
			expect(sheet?.batchBasisPoints ?? 0).toBeLessThanOrEqual(10_000);
		});

		it("gives the same sheet for the same question", async () => {
			const [book, other] = [await make(), await make()];
			expect(book.version).toBe(other.version);
			expect(book.version).not.toBe("");
			for (const { vendor, model } of known) {
				const sheet = book.find(vendor, model, at);
				expect(book.find(vendor, model, at)).toEqual(sheet);
				expect(other.find(vendor, model, at)).toEqual(sheet);
			}
		});

		it("knows no price of what it does not know", async () => {
			const book = await make();
			expect(book.find("no-such-vendor", "no-such-model", at)).toBeUndefined();
			expect(book.find("", "", at)).toBeUndefined();
			expect(book.find("__proto__", "constructor", at)).toBeUndefined();
			expect(book.models("no-such-vendor")).toEqual([]);
		});

		it("lists each model of a vendor once", async () => {
			const book = await make();
			for (const vendor of new Set(known.map((entry) => entry.vendor))) {
				const models = book.models(vendor).map(({ model }) => model);
				expect(models.length).toBeGreaterThan(0);
				expect(new Set(models).size).toBe(models.length);
			}
		});
	});
}
