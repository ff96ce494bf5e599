import { describe, expect, test } from "vitest";
import { shipped } from "../adapters/catalogue/shipped.ts";
import { genaiPriceBook } from "../adapters/price-book/genai-prices.ts";
import { nodeDigest } from "../adapters/runtime/digest.ts";
import { priceIds } from "../adapters/vendors/all.ts";
import { findVendors } from "../adapters/vendors/registry.ts";
import {
	createRouter,
	type Difficulty,
	infer,
	readRouting,
	type StatedNeeds,
} from "../contexts/routing/index.ts";
import type { CatalogueSnapshot, SubstrateFacts } from "../ports/catalogue.ts";
import type { RequestTraits } from "../ports/request-traits.ts";
import { readCatalogue, readSaidFacts } from "./catalogue.ts";

const at = Date.parse(shipped.date);
const prices = await genaiPriceBook({ vendorIds: priceIds });
const { policy, table } = readRouting(undefined, nodeDigest.text);
const router = createRouter();

/** Every vendor on. */
function open(
	said?: unknown,
	environment: Readonly<Record<string, string>> = {},
	configured: Parameters<typeof findVendors>[0]["configured"] = {},
): CatalogueSnapshot {
	const read = readSaidFacts(said);
	if (!read.ok) throw new Error(read.error.message);
	return readCatalogue({
		config: { catalogue: read.value },
		vendors: findVendors({ environment, configured }).map(({ vendor }) => ({
			vendor,
			on: true,
			keys: () => [],
			credentials: () => undefined,
		})),
		prices,
		digest: nodeDigest,
		now: at,
	});
}

const outOfTheBox = open();

const talk: RequestTraits = {
	means: "generate",
	inputBytes: 6000,
	messages: 1,
	last: "user",
	tools: 0,
	step: 0,
	images: 0,
	documents: 0,
	audio: 0,
	schema: false,
	reasoning: "none",
	logprobs: false,
	stream: false,
	outputLimit: undefined,
};

/** What may answer `auto`, the best first. */
function order(
	traits: Partial<RequestTraits>,
	stated: StatedNeeds = {},
	catalogue: CatalogueSnapshot = outOfTheBox,
): readonly SubstrateFacts[] {
	return router
		.decide(
			{
				asked: { kind: "auto" },
				account: "house",
				stated,
				inferred: infer({ ...talk, ...traits }),
				seed: 0,
			},
			catalogue,
			policy,
			{ version: "none", of: new Map() },
			table,
			at,
		)
		.order.map(({ facts }) => facts);
}

function tierOf({ tier }: SubstrateFacts): string {
	return tier === "unknown" ? tier : tier.value;
}

describe("out of the box, with every vendor on,", () => {
	const difficulties: Readonly<Record<Difficulty, Partial<RequestTraits>>> = {
		easy: { last: "tool", tools: 3, step: 1 },
		medium: {},
		hard: { tools: 3 },
	};
	const shapes: readonly Partial<RequestTraits>[] = [
		{ tools: 3 },
		{ images: 1 },
		{ documents: 1 },
		{ schema: true },
		{ stream: true },
		{ reasoning: "some" },
	];

	for (const [difficulty, traits] of Object.entries(difficulties) as [
		Difficulty,
		Partial<RequestTraits>,
	][])
		test.each(shapes)(
			`auto finds enough for a call that is ${difficulty}, with %j`,
			(shape) => {
				const [first, ...others] = order(
					{ ...traits, ...shape },
					{ difficulty },
				);
				expect(others.length).toBeGreaterThan(20);
				expect(first?.prices).not.toBe("unknown");
				expect(others[0]?.prices).not.toBe("unknown");
				expect(others[1]?.prices).not.toBe("unknown");
				if (first)
					expect(tierOf(first)).toBe(
						{ easy: "small", medium: "balanced", hard: "flagship" }[difficulty],
					);
			},
		);

	test.each(["embed", "count-tokens"] as const)(
		"auto finds three that can %s",
		(means) => {
			expect(order({ means }).length).toBeGreaterThanOrEqual(3);
		},
	);

	test("some do not train on calls, and none is known to keep them in Europe", () => {
		const kept = (sovereignty: string) =>
			order({}, { sovereignty: [sovereignty] }).length;
		expect(kept("no-training")).toBeGreaterThan(50);
		expect(kept("eu-processed")).toBe(0);
		expect(kept("us-federal")).toBe(0);
		expect(kept("own-machine")).toBe(0);
	});

	test("the owner's word on a vendor opens a class to all of its models", () => {
		const said = {
			vendors: { mistral: { countries: ["FR"], trains: false } },
		};
		const kept = order({}, { sovereignty: ["eu-processed"] }, open(said));
		expect(kept.length).toBeGreaterThan(5);
		expect(new Set(kept.map(({ vendor }) => vendor))).toEqual(
			new Set(["mistral"]),
		);
	});

	test("an address in a region keeps the classes that it is in, and no others", () => {
		const kept = (
			sovereignty: string,
			...where: [Readonly<Record<string, string>>, Parameters<typeof open>[2]?]
		) => [
			...new Set(
				order({}, { sovereignty: [sovereignty] }, open({}, ...where)).map(
					({ vendor }) => vendor,
				),
			),
		];
		const frankfurt = { AWS_REGION: "eu-central-1" };
		expect(kept("eu-processed", frankfurt)).toEqual(["bedrock"]);
		expect(kept("us-federal", frankfurt)).toEqual([]);
		expect(kept("eu-processed", { AWS_REGION: "eu-west-2" })).toEqual([]);
		expect(kept("us-federal", { AWS_REGION: "us-gov-west-1" })).toEqual([
			"bedrock",
		]);
		expect(kept("us-federal", { AWS_REGION: "us-east-1" })).toEqual([]);
		const vertex = (location: string) => ({
			GOOGLE_VERTEX_PROJECT: "house",
			GOOGLE_VERTEX_LOCATION: location,
		});
		expect(kept("eu-processed", vertex("eu"))).toEqual(["vertex"]);
		expect(kept("eu-processed", vertex("global"))).toEqual([]);
	});

	test("a class of European operators needs the owner's word on plan and law, and no more", () => {
		const paris = { mistral: { base: "https://api.eu.mistral.ai" } };
		const kept = (said: unknown) =>
			order(
				{},
				{ sovereignty: ["eu-processed-eu-operated"] },
				open(said, {}, paris),
			).length;
		expect(kept({})).toBe(0);
		expect(kept({ vendors: { mistral: { trains: false } } })).toBe(0);
		expect(
			kept({ vendors: { mistral: { trains: false, laws: ["FR"] } } }),
		).toBeGreaterThan(5);
	});
});
