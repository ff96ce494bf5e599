import { expect, it } from "vitest";
import { type CatalogueSnapshot, unlisted } from "../../ports/catalogue.ts";
import { substrate } from "./fixtures/substrates.ts";
import { catalogueAt, isWidened, withUnlisted } from "./unlisted.ts";

const known: CatalogueSnapshot = {
	version: "c1",
	substrates: [substrate("acme/m")],
	off: { dyno: "no key" },
};
const find = (version: string) => (version === "c1" ? known : undefined);

it.each([
	["bolt", "new"],
	["b", "m"],
	["bolt", "new/model"],
	["bolt", "a+b"],
	["bolt", ""],
])("%s/%s is added, and found again by the version", (vendor, model) => {
	const more = withUnlisted(known, vendor, model);
	expect(more).toEqual({
		version: `c1+${vendor}/${model}`,
		substrates: [...known.substrates, unlisted(vendor, model)],
		off: known.off,
	});
	expect(catalogueAt(more.version, find)).toEqual(more);
	expect(isWidened(more.version)).toBe(true);
	expect(isWidened(known.version)).toBe(false);
});

it("a version with nothing added is the catalogue itself", () => {
	expect(catalogueAt("c1", find)).toBe(known);
	expect(catalogueAt("c2", find)).toBeUndefined();
});

it.each(["c2+bolt/x", "c1+", "c1+bolt", "c1+/x", "+bolt/x"])(
	"%s is none that there is",
	(version) => {
		expect(catalogueAt(version, find)).toBeUndefined();
	},
);

it("a version may have any name, an empty one too", () => {
	expect(catalogueAt("+bolt/x", () => known)?.substrates).toHaveLength(2);
});
