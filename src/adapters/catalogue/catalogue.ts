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
import { type CatalogueOverlay, noOverlay } from "./overlay.ts";
import { type PartialFacts, shippedModels, shippedVendors } from "./shipped.ts";

export interface CatalogueOptions {
	readonly vendors: readonly Vendor[];
	/** Vendors that cannot be called here, and why. */
	readonly off?: Readonly<Record<string, string>>;
	readonly prices: PriceBook;
	readonly overlay?: CatalogueOverlay;
	readonly digest: Digest;
	/** Milliseconds since 1970 UTC: which prices are in force. */
	readonly now: number;
}

/**
 * The shipped facts, prices and context windows from the price book, and over all of it the owner's word. A version
 * is a digest of the content, so that the same facts have the same version wherever they are.
 */
export function factCatalogue(options: CatalogueOptions): Catalogue {
	const { digest, off = {} } = options;
	const content = { substrates: rows(options), off };
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
	const today = new Date(now).toISOString().slice(0, 10);
	const ids = [
		...new Set([
			...Object.keys(shippedModels),
			...Object.keys(overlay.substrates),
		]),
	].sort();
	return ids.flatMap((id) => {
		const slash = id.indexOf("/");
		const vendor = vendors.find((each) => each.id === id.slice(0, slash));
		if (!vendor) return [];
		return [
			[
				ofOwnMachine(vendor, today),
				shippedVendors[vendor.id],
				shippedModels[id],
				overlay.vendors[vendor.id],
				overlay.substrates[id],
			].reduce<SubstrateFacts>(
				(facts, said) => (said ? over(facts, said) : facts),
				priced(unlisted(vendor.id, id.slice(slash + 1)), prices, now, today),
			),
		];
	});
}

/** A row for the owner's machine is one because its calls stay there: nobody else can keep or train on them. */
function ofOwnMachine(
	{ local, source }: Vendor,
	date: string,
): PartialFacts | undefined {
	if (!local) return undefined;
	const known = <T>(value: T): Known<T> => ({ value, source, date });
	return { channel: known("own-machine"), trains: known(false) };
}

function priced(
	facts: SubstrateFacts,
	prices: PriceBook,
	now: number,
	date: string,
): SubstrateFacts {
	const sheet = prices.find(facts.vendor, facts.model, now);
	const context = prices
		.models(facts.vendor)
		.find(({ model }) => model === facts.model)?.contextWindow;
	return {
		...facts,
		...(sheet && {
			prices: { value: sheet.rates, source: sheet.id, date },
		}),
		...(context !== undefined && {
			capabilities: {
				...facts.capabilities,
				context: { value: context, source: prices.version, date },
			},
		}),
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
