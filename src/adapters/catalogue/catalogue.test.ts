import { describe, expect, test } from "vitest";
import type {
	Catalogue,
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import { genaiPriceBook } from "../price-book/genai-prices.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { priceIds, vendors } from "../vendors/all.ts";
import { findVendors } from "../vendors/registry.ts";
import { factCatalogue } from "./catalogue.ts";
import { noOverlay, readOverlay } from "./overlay.ts";
import { shippedModels } from "./shipped.ts";

const prices = await genaiPriceBook({ vendorIds: priceIds });

function open(
	raw: unknown = {},
	day = "2026-11-21",
	previous?: CatalogueSnapshot,
): Catalogue {
	const overlay = readOverlay(raw);
	if (!overlay.ok) throw new Error(overlay.error.message);
	return factCatalogue({
		vendors,
		prices,
		overlay: overlay.value,
		digest: nodeDigest,
		now: Date.parse(day),
		previous,
	});
}

function find(id: string, catalogue: Catalogue = open()): SubstrateFacts {
	const found = catalogue.current().substrates.find((each) => each.id === id);
	if (!found) throw new Error(`${id} is not there`);
	return found;
}

test("what ships is there, each row priced and sized by the price book where nobody else says so", () => {
	const { substrates } = open().current();
	expect(substrates.map(({ id }) => id)).toEqual(
		Object.keys(shippedModels).sort(),
	);
	const { prices: figures, capabilities } = find("openai/gpt-5.6-luna");
	expect(figures).toMatchObject({
		value: { input: [{ from: 0, price: 20_000_000 }, expect.anything()] },
		source: expect.stringMatching(
			/^genai-prices@.*\/openai\/gpt-5\.6-luna(@.*)?$/,
		),
		date: "2026-11-21",
	});
	expect(capabilities.context).toMatchObject({ value: 1_050_000 });
	const added = open({ substrates: { "openai/gpt-5": {}, "xai/grok-3": {} } });
	expect(find("openai/gpt-5", added).capabilities.context).toMatchObject({
		value: 400_000,
		source: prices.version,
	});
	const sized = open({
		substrates: { "openai/gpt-5": { capabilities: { context: "unknown" } } },
	});
	expect(find("openai/gpt-5", sized).capabilities.context).toBe("unknown");
});

describe("the place that an address names", () => {
	function inPlace(
		environment: Readonly<Record<string, string>>,
		configured: Parameters<typeof findVendors>[0]["configured"] = {},
		raw: unknown = {},
	): Catalogue {
		const overlay = readOverlay(raw);
		if (!overlay.ok) throw new Error(overlay.error.message);
		return factCatalogue({
			vendors: findVendors({ environment, configured }).map(
				({ vendor }) => vendor,
			),
			prices,
			overlay: overlay.value,
			digest: nodeDigest,
			now: Date.parse("2026-11-21"),
		});
	}
	const frankfurt = { AWS_REGION: "eu-central-1" };

	test("says where calls are processed, by whoever promises that they stay there", () => {
		const facts = find("bedrock/openai.gpt-oss-120b-1:0", inPlace(frankfurt));
		expect(facts.region).toMatchObject({ value: "eu-central-1" });
		expect(facts.countries).toMatchObject({
			value: ["DE"],
			source: expect.stringContaining("docs.aws.amazon.com"),
			date: "2026-11-21",
		});
		const far = inPlace({ AWS_REGION: "mars-north-1" });
		expect(find("bedrock/openai.gpt-oss-120b-1:0", far).countries).toBe(
			"unknown",
		);
	});

	test("says nothing of what may go elsewhere, and leaves out what cannot be called from it", () => {
		const catalogue = inPlace(frankfurt);
		const sonnet = (profile: string) =>
			find(`bedrock/${profile}.anthropic.claude-sonnet-5`, catalogue);
		expect(sonnet("global").countries).toBe("unknown");
		expect(sonnet("eu").countries).toMatchObject({
			value: expect.arrayContaining(["DE", "GB", "CH"]),
		});
		expect(() => sonnet("us")).toThrow("not there");
		const named = inPlace(frankfurt, undefined, {
			substrates: { "bedrock/us.anthropic.claude-sonnet-5": {} },
		});
		expect(
			find("bedrock/us.anthropic.claude-sonnet-5", named).countries,
		).toMatchObject({ value: ["US"] });
	});

	test("is known of an address that the settings name, and of no other", () => {
		const at = (base: string) =>
			find("mistral/mistral-medium-3-5", inPlace({}, { mistral: { base } }))
				.countries;
		expect(at("https://api.eu.mistral.ai")).toMatchObject({
			value: expect.arrayContaining(["FR", "SE"]),
		});
		expect(at("https://api.us.mistral.ai")).toMatchObject({ value: ["US"] });
		expect(at("https://api.mistral.ai")).toBe("unknown");
		expect(at("https://gateway.example.com")).toBe("unknown");
	});

	test("gives way to the owner's word", () => {
		const id = "bedrock/openai.gpt-oss-120b-1:0";
		const said = (countries: unknown) =>
			find(
				id,
				inPlace(frankfurt, undefined, { vendors: { bedrock: { countries } } }),
			).countries;
		expect(said(["AT"])).toMatchObject({ value: ["AT"], source: "owner" });
		expect(said("unknown")).toBe("unknown");
	});
});

describe("the owner's word", () => {
	const said = {
		vendors: {
			mistral: { countries: ["FR"], laws: ["FR"], date: "2026-11-01" },
		},
		substrates: {
			"mistral/mistral-medium-3-5": {
				trainer: "unknown",
				countries: ["FR", "DE"],
				source: "contract 7",
				capabilities: { streaming: true },
				lifecycle: { goneOn: "2027-01-31" },
			},
			"ollama/house-model": { weights: "open", name: "house" },
			"nobody/model": {},
		},
	};

	test("wins over what is shipped, and over its own word on the vendor", () => {
		const facts = find("mistral/mistral-medium-3-5", open(said));
		expect(facts.countries).toEqual({
			value: ["FR", "DE"],
			source: "contract 7",
			date: "2026-11-21",
		});
		expect(facts.laws).toEqual({
			value: ["FR"],
			source: "owner",
			date: "2026-11-01",
		});
		expect(facts.trainer).toBe("unknown");
		expect(facts.capabilities.streaming).toMatchObject({ value: true });
		expect(facts.capabilities.tools).toMatchObject({ value: true });
		expect(facts.lifecycle.goneOn).toMatchObject({ value: "2027-01-31" });
	});

	test("adds substrates of vendors that there are, on the own machine what is there", () => {
		const catalogue = open(said);
		const facts = find("ollama/house-model", catalogue);
		expect(facts).toMatchObject({
			vendor: "ollama",
			model: "house-model",
			name: "house",
			channel: { value: "own-machine" },
			trains: { value: false },
			countries: "unknown",
		});
		expect(() => find("nobody/model", catalogue)).toThrow("not there");
	});

	test("may name an area for all of its countries", () => {
		const areas = { countries: ["EU", "CH", "DE"], laws: ["EEA"] };
		const facts = find(
			"mistral/mistral-medium-3-5",
			open({ vendors: { mistral: areas } }),
		);
		const countries =
			facts.countries === "unknown" ? [] : facts.countries.value;
		expect(countries.length).toBe(28);
		expect(countries).toContain("CH");
		expect(facts.laws).toMatchObject({
			value: expect.arrayContaining(["DE", "NO"]),
		});
	});

	test("is a version of its own, and the same words are the same version", () => {
		expect(open(said).current().version).toBe(open(said).current().version);
		expect(open(said).current().version).not.toBe(open().current().version);
		expect(open().current().version).toMatch(/^c-[0-9a-f]{14}$/);
		const catalogue = open(said);
		expect(catalogue.at(catalogue.current().version)).toBe(catalogue.current());
		expect(catalogue.at("c-0")).toBeUndefined();
	});

	test("keeps the day on which it was first said, so that a new day is no new catalogue", () => {
		const first = open(said).current();
		expect(open(said, "2026-11-22", first).current().version).toBe(
			first.version,
		);
		expect(open(said, "2026-11-22").current().version).not.toBe(first.version);
		const changed = {
			substrates: { "mistral/mistral-medium-3-5": { countries: ["FR"] } },
		};
		const second = open(changed, "2026-11-22", first).current();
		const facts = second.substrates.find(
			({ id }) => id === "mistral/mistral-medium-3-5",
		);
		expect(facts?.countries).toMatchObject({ date: "2026-11-22" });
		expect(facts?.prices).toMatchObject({ date: "2026-11-21" });
	});

	test.each([
		[{ substrate: {} }, /^catalogue\.substrate: /],
		[{ substrates: { model: {} } }, /vendor\/model/],
		[
			{ vendors: { openai: { countries: ["Germany"] } } },
			/^catalogue\.vendors\.openai\.countries\.0: is no country: .* or EU or EEA/,
		],
		[{ vendors: { openai: { countries: [] } } }, /countries/],
		[{ vendors: { openai: { country: ["DE"] } } }, /country/],
		[{ vendors: { openai: { trains: "no" } } }, /trains/],
		[{ vendors: { openai: { date: "2026-02-31" } } }, /no day of the calendar/],
		[{ vendors: { openai: { retentionDays: -1 } } }, /retentionDays/],
		[[], /^catalogue: is a list/],
		[{ substrates: [] }, /^catalogue\.substrates: is a list/],
	])("%j is told what is wrong", (raw, message) => {
		const read = readOverlay(raw);
		expect(read).toMatchObject({
			ok: false,
			error: { code: "config/invalid" },
		});
		expect(!read.ok && read.error.message).toMatch(message);
	});

	test("that says nothing changes nothing", () => {
		expect(readOverlay(undefined)).toEqual({
			ok: true,
			value: noOverlay,
		});
	});
});
