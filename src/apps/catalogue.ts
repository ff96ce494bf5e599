import { factCatalogue } from "../adapters/catalogue/catalogue.ts";
import {
	type CatalogueOverlay,
	readOverlay,
} from "../adapters/catalogue/overlay.ts";
import { shippedNotes } from "../adapters/catalogue/shipped.ts";
import { type FoundVendor, findVendors } from "../adapters/vendors/registry.ts";
import type { Outcome } from "../kernel/outcome.ts";
import type { CatalogueSnapshot, SubstrateFacts } from "../ports/catalogue.ts";
import type { Digest } from "../ports/digest.ts";
import type { PriceBook } from "../ports/price-book.ts";
import type { Config } from "./config.ts";
import type { Environment } from "./home.ts";

/** What somebody says of vendors and substrates, as `catalogue:` in config.yaml has it. */
export type SaidFacts = CatalogueOverlay;

export function readSaidFacts(raw: unknown): Outcome<SaidFacts> {
	return readOverlay(raw);
}

/** What the shipped facts leave to the owner to say of a substrate, and why: sentences. */
export function notesOn({ id, prices }: SubstrateFacts): readonly string[] {
	const { vendor, unplaced, unpriced } = shippedNotes(id);
	return [unplaced, prices === "unknown" ? unpriced : undefined, vendor].filter(
		(each) => each !== undefined,
	);
}

/** The vendors of the rows and of the owner, on or not. */
export function vendorsOf(
	config: Config,
	environment: Environment,
): readonly FoundVendor[] {
	return findVendors({ environment, configured: config.vendors });
}

/** The catalogue as the settings make it now; facts without a day keep that of the one before. */
export function readCatalogue(options: {
	readonly config: Pick<Config, "catalogue">;
	readonly vendors: readonly FoundVendor[];
	readonly prices: PriceBook;
	readonly previous?: CatalogueSnapshot | undefined;
	readonly digest: Digest;
	readonly now: number;
}): CatalogueSnapshot {
	const { config, vendors, ...rest } = options;
	return factCatalogue({
		...rest,
		vendors: vendors.map(({ vendor }) => vendor),
		off: Object.fromEntries(
			vendors
				.filter(({ on }) => !on)
				.map(({ vendor, whyNot }) => [vendor.id, whyNot ?? "it is off"]),
		),
		overlay: config.catalogue,
	}).current();
}
