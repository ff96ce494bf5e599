import { describe, expect, test } from "vitest";
import type { Fact, SubstrateFacts } from "../../ports/catalogue.ts";
import { genaiPriceBook } from "../price-book/genai-prices.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { priceIds, vendors } from "../vendors/all.ts";
import { factCatalogue } from "./catalogue.ts";
import { readOverlay } from "./overlay.ts";
import { shipped, shippedModels, shippedVendors } from "./shipped.ts";

const day = Date.parse(shipped.date);
const { substrates } = factCatalogue({
	vendors,
	prices: await genaiPriceBook({ vendorIds: priceIds }),
	digest: nodeDigest,
	now: day,
}).current();
const rows = Object.entries(shipped.vendors).flatMap(([vendor, { models }]) =>
	Object.entries(models).map(([model, row]) => ({
		id: `${vendor}/${model}`,
		vendor,
		row,
	})),
);

function knownOf<T>(fact: Fact<T>): T | undefined {
	return fact === "unknown" ? undefined : fact.value;
}

/** Every fact in it, with its path. */
function factsIn(
	value: unknown,
	path: string,
): readonly { readonly path: string; readonly fact: object }[] {
	if (typeof value !== "object" || value === null) return [];
	if ("source" in value) return [{ path, fact: value }];
	return Object.entries(value).flatMap(([name, member]) =>
		factsIn(member, `${path}.${name}`),
	);
}

describe("the file", () => {
	test("has each vendor that chooses its models itself, and none besides", () => {
		expect(Object.keys(shipped.vendors).sort()).toEqual(
			vendors
				.filter(({ local, standIn }) => !local && !standIn)
				.map(({ id }) => id)
				.sort(),
		);
		expect(substrates.length).toBe(Object.keys(shippedModels).length);
		expect(substrates.length).toBeGreaterThan(200);
	});

	test("says nothing but facts, in the words of the settings", () => {
		const plain = (facts: object): object =>
			Object.fromEntries(
				Object.entries(facts).map(([name, fact]) => [
					name,
					typeof fact !== "object" || fact === null
						? fact
						: "source" in fact
							? fact.value
							: plain(fact),
				]),
			);
		const asSettings = (all: Readonly<Record<string, object>>): object =>
			Object.fromEntries(
				Object.entries(all).map(([id, facts]) => [id, plain(facts)]),
			);
		expect(
			readOverlay({
				vendors: asSettings(shippedVendors),
				substrates: asSettings(shippedModels),
			}),
		).toMatchObject({ ok: true });
	});

	test("has no statement that no row uses", () => {
		const unused = (all: object, used: readonly (string | undefined)[]) =>
			Object.keys(all).filter((name) => !used.includes(name));
		expect(
			unused(
				shipped.models,
				rows.map(({ row }) => row.model),
			),
		).toEqual([]);
		expect(
			unused(
				shipped.sets,
				rows.flatMap(({ row }) => row.is ?? []),
			),
		).toEqual([]);
		for (const [vendor, { sets = {}, models }] of Object.entries(
			shipped.vendors,
		))
			expect(
				unused(
					sets,
					Object.values(models).flatMap(({ is = [] }) => is),
				),
				vendor,
			).toEqual([]);
	});
});

describe("every fact", () => {
	const facts = substrates.flatMap((each) => factsIn(each, each.id));

	test("has a source that can be looked up, and a day that has come", () => {
		expect(facts.length).toBeGreaterThan(3000);
		const wrong = facts.filter(({ fact }) => {
			const { source, date } = fact as { source: string; date: string };
			return !(
				/^https:\/\/[\w.-]+\.\w+\/\S+$|^@?[\w/-]+@\d[\w.]*(\/\S+)?$/.test(
					source,
				) &&
				/^\d{4}-\d\d-\d\d$/.test(date) &&
				Date.parse(date) <= Math.min(day, Date.now())
			);
		});
		expect(wrong).toEqual([]);
	});

	test("of a place, or of a law, is left to the owner: nobody promises one for every call", () => {
		for (const { id, countries, region, laws } of substrates)
			expect([countries, region, laws], id).toEqual([
				"unknown",
				"unknown",
				"unknown",
			]);
	});
});

describe("every row", () => {
	test("names a model that the price package has, or a page tells of", () => {
		const unproved = rows.filter(
			({ id, row }) =>
				!(row.says ?? []).some(({ source }) => /:|@\d/.test(source)) &&
				substrates.find((each) => each.id === id)?.prices === "unknown",
		);
		expect(unproved).toEqual([]);
	});

	test("that has no price says why, and none that has one", () => {
		for (const { id, vendor, row } of rows) {
			const priced =
				substrates.find((each) => each.id === id)?.prices !== "unknown";
			if (priced) expect(row.unpriced, id).toBeUndefined();
			else
				expect(
					row.unpriced ?? shipped.vendors[vendor]?.unpriced,
					id,
				).toBeDefined();
		}
	});

	test("of one name is the same model: what is true of it does not differ by channel", () => {
		const byName = Map.groupBy(substrates, ({ name }) => name);
		expect(byName.get("gpt-oss-120b")?.length).toBeGreaterThan(8);
		for (const [name, same] of byName) {
			const said = new Set(
				same.map(({ weights, trainer, bases, tier }) =>
					JSON.stringify([weights, trainer, bases, tier]),
				),
			);
			expect(said.size, name).toBe(1);
		}
	});

	test("claims nothing that its vendor's row denies", () => {
		const claims = (
			of: (quirks: NonNullable<(typeof vendors)[number]["quirks"]>) => unknown,
			claimed: (facts: SubstrateFacts) => unknown,
		) =>
			substrates.filter((facts) => {
				const vendor = vendors.find(({ id }) => id === facts.vendor);
				return vendor?.quirks && of(vendor.quirks) && claimed(facts);
			});
		expect(
			claims(
				({ noSchemas }) => noSchemas,
				({ capabilities }) => knownOf(capabilities.jsonSchema),
			),
		).toEqual([]);
		expect(
			claims(
				({ noEmbeddings }) => noEmbeddings,
				({ capabilities }) => knownOf(capabilities.means)?.includes("embed"),
			),
		).toEqual([]);
		expect(
			claims(
				({ lacks }) => lacks?.includes("logprobs"),
				({ capabilities }) => knownOf(capabilities.logprobs),
			),
		).toEqual([]);
	});

	test("can be asked for something, and gives no more than fits its context", () => {
		for (const { id, capabilities } of substrates) {
			const { means, context, outputLimit } = capabilities;
			expect(knownOf(means)?.length, id).toBeGreaterThan(0);
			expect(knownOf(context) ?? 1, id).toBeGreaterThan(0);
			expect(knownOf(outputLimit) ?? 0, id).toBeLessThanOrEqual(
				knownOf(context) ?? Number.POSITIVE_INFINITY,
			);
		}
	});

	test("still answers on the day that the file is of", () => {
		for (const { id, lifecycle } of substrates) {
			const goneOn = knownOf(lifecycle.goneOn);
			if (goneOn === undefined) continue;
			expect(Date.parse(goneOn), id).toBeGreaterThan(day);
			expect(knownOf(lifecycle.stage), id).toBe("deprecated");
		}
	});
});
