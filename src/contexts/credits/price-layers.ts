import type { MicroCredits } from "../../kernel/money.ts";
import type {
	ModelFacts,
	PriceBook,
	PriceSheet,
	Rate,
	UsageClass,
} from "../../ports/price-book.ts";
import { usageClasses } from "./pricing.ts";

/** Several books as one: the first that knows a price wins, whole sheet for whole sheet. */
export function layeredPriceBook(books: readonly PriceBook[]): PriceBook {
	return {
		version: books.map((book) => book.version).join(" + "),
		find(vendor, model, at) {
			for (const book of books) {
				const sheet = book.find(vendor, model, at);
				if (sheet) return sheet;
			}
			return undefined;
		},
		models(vendor) {
			const known = new Map<string, ModelFacts>();
			for (const facts of books.flatMap((book) => book.models(vendor))) {
				if (!known.has(facts.model)) known.set(facts.model, facts);
			}
			return [...known.values()];
		},
	};
}

/** The owner's word for models that nobody knows a price of, in micro-credits per million units. */
export interface Ceiling {
	readonly input: MicroCredits;
	readonly output: MicroCredits;
	readonly request?: MicroCredits;
	readonly search?: MicroCredits;
}

/**
 * Prices every model at the owner's stated ceiling. Belongs last in a `layeredPriceBook`. Sheet ids
 * begin with `ceiling/`, so that a receipt shows that no list price stood behind it.
 */
export function ceilingPriceBook(ceiling: Ceiling): PriceBook {
	const rates: Partial<Record<UsageClass, readonly Rate[]>> = {};
	for (const name of ["input", "output", "request", "search"] as const) {
		const price = ceiling[name];
		if (price !== undefined) rates[name] = [{ from: 0, price }];
	}
	return {
		version: "ceiling",
		find: (vendor, model) => ({ id: `ceiling/${vendor}/${model}`, rates }),
		models: () => [],
	};
}

/** Prices every class at zero, for vendors that run on the owner's own machine, and only for these. */
export function freePriceBook(vendors: readonly string[]): PriceBook {
	const rates: PriceSheet["rates"] = Object.fromEntries(
		usageClasses.map((name) => [name, [{ from: 0, price: 0 }]]),
	);
	return {
		version: "own-machine",
		find: (vendor, model) =>
			vendors.includes(vendor)
				? { id: `own-machine/${vendor}/${model}`, rates }
				: undefined,
		models: () => [],
	};
}
