import type { PriceBook, PriceSheet } from "../../ports/price-book.ts";
import { ownerPriceBook } from "../price-book/owner-rows.ts";
import { shipped, sourceOf } from "./shipped.ts";
import data from "./shipped-prices.json" with { type: "json" };

/** A price row as the owner writes them, and who says so. */
interface ShippedPrice {
	/** As of a statement in `shipped.json`. */
	readonly source: string;
	readonly date?: string;
	readonly vendor: string;
	readonly model: string;
	/** From and until when it is in force; `prices`, `tiers` and what else a price row of the owner's has. */
	readonly from?: string;
	readonly until?: string;
	readonly [field: string]: unknown;
}

interface Priced {
	readonly from: number;
	readonly until: number;
	readonly sheet: PriceSheet;
}

const sources = new Map<string, ReturnType<typeof sourceOf>>();

/** What the price package does not have, each row by its own source. Belongs behind the package, which is kept newer. */
export function shippedPriceBook(): PriceBook {
	const byVendor = new Map<string, Map<string, Priced[]>>();
	for (const row of data as readonly ShippedPrice[]) {
		const models = byVendor.get(row.vendor) ?? new Map<string, Priced[]>();
		byVendor.set(row.vendor, models);
		models.set(row.model, [...(models.get(row.model) ?? []), read(row)]);
	}
	return {
		version: `shipped:${shipped.date}`,
		find: (vendor, model, at) =>
			byVendor
				.get(vendor)
				?.get(model)
				?.find(({ from, until }) => at >= from && at < until)?.sheet,
		models: (vendor) =>
			[...(byVendor.get(vendor)?.keys() ?? [])].map((model) => ({ model })),
	};
}

/** Who says what a sheet of that book says, and when it was read; undefined for any other sheet. */
export function priceSource(
	sheet: string,
): ReturnType<typeof sourceOf> | undefined {
	return sources.get(sheet);
}

function read({ source, date, ...row }: ShippedPrice): Priced {
	const { vendor, model } = row;
	const from = row.from === undefined ? 0 : Date.parse(row.from);
	const book = ownerPriceBook([row]);
	const sheet = book.ok ? book.value.find(vendor, model, from) : undefined;
	if (!sheet)
		throw new Error(
			`shipped-prices.json, ${vendor}/${model}: ${book.ok ? "never in force" : book.error.message}`,
		);
	const id = sheet.id.replace(/^config\.yaml:/, "shipped:");
	sources.set(
		id,
		sourceOf({ source, ...(date === undefined ? {} : { date }) }),
	);
	return {
		from,
		until:
			row.until === undefined
				? Number.POSITIVE_INFINITY
				: Date.parse(row.until),
		sheet: { ...sheet, id },
	};
}
