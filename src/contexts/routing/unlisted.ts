import { type CatalogueSnapshot, unlisted } from "../../ports/catalogue.ts";

/**
 * The catalogue with one more substrate, of which nothing is known but its name: for a caller who names one
 * that no catalogue lists. Every filter still applies, so it passes only where nothing needs to be known.
 * The version says what was added, so that a replay can add it again.
 */
export function withUnlisted(
	catalogue: CatalogueSnapshot,
	vendor: string,
	model: string,
): CatalogueSnapshot {
	return {
		version: `${catalogue.version}${mark}${vendor}/${model}`,
		substrates: [...catalogue.substrates, unlisted(vendor, model)],
		off: catalogue.off,
	};
}

/** Whether something was added to the catalogue of a version. */
export function isWidened(version: string): boolean {
	return version.includes(mark);
}

/** The catalogue of a version, with what `withUnlisted` added to it. */
export function catalogueAt(
	version: string,
	find: (version: string) => CatalogueSnapshot | undefined,
): CatalogueSnapshot | undefined {
	const added = version.indexOf(mark);
	if (added < 0) return find(version);
	const known = find(version.slice(0, added));
	const name = version.slice(added + 1);
	const slash = name.indexOf("/");
	return known && slash > 0
		? withUnlisted(known, name.slice(0, slash), name.slice(slash + 1))
		: undefined;
}

const mark = "+";
