import { describe, expect, test } from "vitest";
import type { Fact, SubstrateFacts } from "../../ports/catalogue.ts";
import { genaiPriceBook } from "../price-book/genai-prices.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { priceIds, vendors } from "../vendors/all.ts";
import { factCatalogue } from "./catalogue.ts";
import { readOverlay } from "./overlay.ts";
import {
	isOfferedIn,
	placeIn,
	shipped,
	shippedInPlace,
	shippedModels,
	shippedVendors,
} from "./shipped.ts";
import { shippedPriceBook } from "./shipped-prices.ts";

const day = Date.parse(shipped.date);
const packaged = await genaiPriceBook({ vendorIds: priceIds });
const besides = shippedPriceBook();
const { substrates } = factCatalogue({
	vendors,
	prices: {
		...packaged,
		find: (...asked) => packaged.find(...asked) ?? besides.find(...asked),
	},
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
				/^https?:\/\/[\w.-]+\.\w+\/\S+$|^@?[\w/-]+@\d[\w.]*(\/\S+)?$/.test(
					source,
				) &&
				/^\d{4}-\d\d-\d\d$/.test(date) &&
				Date.parse(date) <= Math.min(day, Date.now())
			);
		});
		expect(wrong).toEqual([]);
	});

	test("of a place needs one that the vendor names for every call", () => {
		const placed = substrates.filter(
			({ countries, region }) =>
				countries !== "unknown" || region !== "unknown",
		);
		expect(new Set(placed.map(({ vendor }) => vendor))).toEqual(
			new Set(["bedrock", "deepseek"]),
		);
		for (const { vendor, model } of placed)
			if (vendor === "bedrock") expect(model).toMatch(/^(eu|us)\./);
	});
});

describe("a place", () => {
	const placed = Object.entries(shipped.vendors).flatMap(
		([vendor, { places }]) =>
			Object.entries(places?.countries ?? {}).map(([place, countries]) => ({
				vendor,
				place,
				countries,
				hosts: places?.hosts ?? [],
			})),
	);

	test("is in countries that there are, and in some address of its vendor", () => {
		expect(placed.length).toBeGreaterThan(25);
		for (const { vendor, place, countries, hosts } of placed) {
			for (const each of countries)
				expect(shipped.areas[each] ?? [each], place).toSatisfy(
					(codes: string[]) => codes.every((code) => /^[A-Z]{2}$/.test(code)),
				);
			for (const host of hosts)
				expect(
					placeIn(vendor, {
						any: `https://${host.replace("{place}", place)}/v1`,
					}),
				).toBe(place);
		}
	});

	test("is nowhere in an address that is not the vendor's, or in two that differ", () => {
		const host = (region: string) =>
			`https://bedrock-runtime.${region}.amazonaws.com`;
		for (const base of [
			host("mars-north-1"),
			host("{region}"),
			`${host("eu-central-1")}.example.com`,
			`${host("eu-central-1")}:8443`,
			"http://127.0.0.1:4141/bedrock-runtime.eu-central-1.amazonaws.com",
			"no address",
		])
			expect(placeIn("bedrock", { any: base }), base).toBeUndefined();
		expect(
			placeIn("bedrock", { a: host("eu-west-1"), b: host("eu-west-3") }),
		).toBeUndefined();
		expect(placeIn("bedrock", {})).toBeUndefined();
		expect(placeIn("groq", { any: host("eu-west-1") })).toBeUndefined();
		expect(placeIn("nobody", { any: host("eu-west-1") })).toBeUndefined();
	});

	test("says nothing of a row that does not follow it", () => {
		const unplaced = rows.filter(({ row }) => row.unplaced !== undefined);
		expect(unplaced.map(({ id }) => id)).toEqual(
			rows
				.filter(({ id }) => id.startsWith("bedrock/global."))
				.map(({ id }) => id),
		);
		for (const { id } of unplaced)
			expect(shippedInPlace(id, "eu-central-1")).toEqual({});
		expect(shippedInPlace("groq/none", "eu-central-1")).toEqual({});
		expect(shippedInPlace("bedrock/amazon.nova-pro-v1:0", undefined)).toEqual(
			{},
		);
		expect(
			shippedInPlace("bedrock/amazon.nova-pro-v1:0", "us-gov-west-1"),
		).toMatchObject({
			region: { value: "us-gov-west-1" },
			countries: { value: ["US"] },
			attestations: { value: ["FedRAMP High"] },
		});
	});

	test("has the rows that can be called there", () => {
		const eu = "bedrock/eu.anthropic.claude-sonnet-5";
		const us = "bedrock/us.anthropic.claude-sonnet-5";
		expect([eu, us].map((id) => isOfferedIn(id, "eu-north-1"))).toEqual([
			true,
			false,
		]);
		expect([eu, us].map((id) => isOfferedIn(id, "us-gov-west-1"))).toEqual([
			false,
			false,
		]);
		expect([eu, us].map((id) => isOfferedIn(id, undefined))).toEqual([
			true,
			true,
		]);
		expect(isOfferedIn("xai/grok-4.6", "us")).toBe(true);
		expect(isOfferedIn("xai/grok-4.5", "us")).toBe(false);
		expect(isOfferedIn("groq/whatever", "us")).toBe(true);
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
