import {
	type Catalogue,
	type CatalogueSnapshot,
	type Known,
	type SubstrateFacts,
	unlisted,
} from "../../ports/catalogue.ts";
import type { Digest } from "../../ports/digest.ts";
import type { PriceBook } from "../../ports/price-book.ts";
import type { Vendor } from "../../ports/vendor.ts";
import { type CatalogueOverlay, noOverlay, undated } from "./overlay.ts";
import {
	isOfferedIn,
	type PartialFacts,
	placeIn,
	shippedInPlace,
	shippedModels,
	shippedVendors,
} from "./shipped.ts";
import { priceSource } from "./shipped-prices.ts";

export interface CatalogueOptions {
	readonly vendors: readonly Vendor[];
	/** Vendors that cannot be called here, and why. */
	readonly off?: Readonly<Record<string, string>>;
	readonly prices: PriceBook;
	readonly overlay?: CatalogueOverlay;
	readonly digest: Digest;
	/** Milliseconds since 1970 UTC: which prices are in force. */
	readonly now: number;
	/** The catalogue before this one: what it says already keeps the day on which it was first seen. */
	readonly previous?: CatalogueSnapshot | undefined;
}

/**
 * The shipped facts, with the place that a vendor's address names, prices and context windows from the price book,
 * and over all of it the owner's word. A version is a digest of the content, so that the same facts have the same
 * version wherever they are.
 */
export function factCatalogue(options: CatalogueOptions): Catalogue {
	const { digest, off = {}, previous, now } = options;
	const content = {
		substrates: dated(
			rows(options),
			previous,
			new Date(now).toISOString().slice(0, 10),
		),
		off,
	};
	const snapshot: CatalogueSnapshot = {
		version: `c-${digest.text(JSON.stringify(content)).slice(0, 14)}`,
		...content,
	};
	return {
		current: () => snapshot,
		at: (version) => (version === snapshot.version ? snapshot : undefined),
	};
}

function rows({
	vendors,
	prices,
	overlay = noOverlay,
	now,
}: CatalogueOptions): readonly SubstrateFacts[] {
	const ids = [
		...new Set([
			...Object.keys(shippedModels),
			...Object.keys(overlay.substrates),
		]),
	].sort();
	const contexts = contextsOf(prices);
	const places = new Map(
		vendors.map(({ id, bases }) => [id, placeIn(id, bases)]),
	);
	return ids.flatMap((id) => {
		const slash = id.indexOf("/");
		const vendor = vendors.find((each) => each.id === id.slice(0, slash));
		if (!vendor) return [];
		const place = places.get(vendor.id);
		if (!overlay.substrates[id] && !isOfferedIn(id, place)) return [];
		const said = [
			ofOwnMachine(vendor),
			shippedVendors[vendor.id],
			shippedInPlace(id, place),
			shippedModels[id],
			overlay.vendors[vendor.id],
			overlay.substrates[id],
		].filter((each) => each !== undefined);
		const facts = unlisted(vendor.id, id.slice(slash + 1));
		// The price book tells contexts by going through all that it has of a vendor.
		const sized = said.some(({ capabilities }) => capabilities?.context);
		return [
			said.reduce<SubstrateFacts>(
				over,
				over(
					over(facts, priceOf(facts, prices, now)),
					sized ? {} : contexts(facts),
				),
			),
		];
	});
}

/** A row for the owner's machine is one because its calls stay there: nobody else can keep or train on them. */
function ofOwnMachine({ local, source }: Vendor): PartialFacts | undefined {
	if (!local) return undefined;
	const known = <T>(value: T): Known<T> => ({ value, source, date: undated });
	return { channel: known("own-machine"), trains: known(false) };
}

function priceOf(
	{ vendor, model }: SubstrateFacts,
	prices: PriceBook,
	now: number,
): PartialFacts {
	const sheet = prices.find(vendor, model, now);
	if (!sheet) return {};
	const { source, date } = priceSource(sheet.id) ?? {
		source: sheet.id,
		date: undated,
	};
	return { prices: { value: sheet.rates, source, date } };
}

function contextsOf(prices: PriceBook): (of: SubstrateFacts) => PartialFacts {
	const byVendor = new Map<string, Map<string, number | undefined>>();
	return ({ vendor, model }) => {
		const known =
			byVendor.get(vendor) ??
			new Map(
				prices
					.models(vendor)
					.map(({ model, contextWindow }) => [model, contextWindow]),
			);
		byVendor.set(vendor, known);
		const value = known.get(model);
		return value === undefined
			? {}
			: {
					capabilities: {
						context: { value, source: prices.version, date: undated },
					},
				};
	};
}

function over(facts: SubstrateFacts, said: PartialFacts): SubstrateFacts {
	return {
		...facts,
		...said,
		capabilities: { ...facts.capabilities, ...said.capabilities },
		lifecycle: { ...facts.lifecycle, ...said.lifecycle },
	};
}

/**
 * Gives what has no day of its own one: the day on which the same source was first seen to say the same, else today.
 * So a new day alone is no new catalogue.
 */
function dated(
	rows: readonly SubstrateFacts[],
	previous: CatalogueSnapshot | undefined,
	today: string,
): readonly SubstrateFacts[] {
	const before = new Map(
		previous?.substrates.map((facts) => [facts.id, facts]),
	);

	function walk<T extends object>(facts: T, earlier: T | undefined): T {
		return Object.fromEntries(
			Object.entries(facts).map(([name, member]) => {
				const known = earlier?.[name as keyof T] as unknown;
				if (typeof member !== "object" || member === null)
					return [name, member];
				if (!("source" in member)) return [name, walk(member, known as object)];
				return [name, { ...member, date: dayOf(member, known) }];
			}),
		) as T;
	}

	function dayOf(fact: Known<unknown>, earlier: unknown): string {
		if (fact.date !== undated) return fact.date;
		const { date, ...same } = { date: today, ...(earlier as object) } as {
			readonly date: string;
		};
		const { value, source } = fact;
		return JSON.stringify(same) === JSON.stringify({ value, source })
			? date
			: today;
	}

	return rows.map((facts) => walk(facts, before.get(facts.id)));
}
