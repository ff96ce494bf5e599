import { readFileSync } from "node:fs";
import { Validator } from "@cfworker/json-schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	CanonicalEmbedRequest,
	CanonicalRequest,
} from "../../ports/canonical.ts";
import type { Json, Translator } from "../../ports/translator.ts";
import type { Quirks } from "../../ports/vendor.ts";
import { vendors } from "../vendors/all.ts";
import { spoken } from "./all.ts";
import { askedFeatures } from "./asked-features.testing.ts";
import {
	cacheMarks,
	canonicalRequests,
	conversations,
	functionTools,
	hundredths,
	inlineMedia,
	linkedMedia,
	names,
	outputForms,
	reasoningParts,
	schemas,
	textParts,
	toolsAndChoice,
	words,
} from "./canonical/arbitraries.testing.ts";
import { textToolsIn } from "./canonical/text-tools.ts";
import { openCrossings } from "./crossing.ts";

/*
 * What we send to vendors, held to what they publish of their requests
 * (test/fixtures/request-schemas/README.md): every feature alone, several of them together, and whole
 * turns of the tools that people use.
 */

interface Published {
	/** Of the schema's file. */
	readonly schema: string;
	readonly vendor: string;
	readonly protocol: string;
	/** Models of different rules. */
	readonly models: readonly string[];
	/** What the vendor documents elsewhere: members of the root (`""`) or of a definition, or members that it does not require. */
	readonly beyond?: Readonly<
		Record<
			string,
			{ readonly takes?: Json; readonly spares?: readonly string[] }
		>
	>;
}

/** That it is taken, and needed, is seen by those who build on them: https://github.com/vercel/ai/pull/17986 */
const usageOnStreams: Json = {
	stream_options: {
		type: "object",
		properties: { include_usage: { const: true } },
		additionalProperties: false,
	},
};

const published: readonly Published[] = [
	...["openai", "azure"].map((vendor) => ({
		schema: "openai-chat",
		vendor,
		protocol: "openai-chat",
		models: ["gpt-5.2", "gpt-4.1"],
	})),
	...["openai", "azure"].map((vendor) => ({
		schema: "openai-responses",
		vendor,
		protocol: "openai-responses",
		models: ["gpt-5.2", "gpt-4.1"],
	})),
	{
		schema: "anthropic-messages",
		vendor: "anthropic",
		protocol: "anthropic-messages",
		models: ["claude-sonnet-4-6", "claude-opus-4-7", "claude-3-5-haiku-latest"],
	},
	{
		schema: "google-generate",
		vendor: "google",
		protocol: "google-generate",
		models: ["gemini-3-pro", "gemini-2.5-flash"],
		// https://ai.google.dev/api/generate-content names them; the package of descriptors is older.
		beyond: {
			GenerateContentRequest: { takes: { serviceTier: { type: "string" } } },
			ToolConfig: {
				takes: { includeServerSideToolInvocations: { type: "boolean" } },
			},
			ThinkingConfig: {
				takes: {
					thinkingLevel: { enum: ["MINIMAL", "LOW", "MEDIUM", "HIGH"] },
				},
			},
			Part: {
				takes: {
					mediaResolution: {
						type: "object",
						required: ["level"],
						properties: { level: { type: "string" } },
						additionalProperties: false,
					},
				},
			},
		},
	},
	{
		schema: "google-vertex",
		vendor: "vertex",
		protocol: "google-generate",
		models: ["gemini-3-pro", "gemini-2.5-flash"],
	},
	{
		schema: "bedrock-converse",
		vendor: "bedrock",
		protocol: "bedrock-converse",
		models: [
			"eu.anthropic.claude-sonnet-4-6",
			"amazon.nova-2-lite-v1:0",
			"openai.gpt-oss-120b-1:0",
		],
	},
	...["cerebras", "mistral", "sambanova"].map((vendor) => ({
		schema: `${vendor}-chat`,
		vendor,
		protocol: "openai-chat",
		models: ["model"],
	})),
	{
		schema: "groq-chat",
		vendor: "groq",
		protocol: "openai-chat",
		models: ["model"],
		beyond: { "": { takes: usageOnStreams } },
	},
	{
		schema: "fireworks-chat",
		vendor: "fireworks",
		protocol: "openai-chat",
		models: ["model"],
		beyond: { CompletionCreateParamsStreaming: { takes: usageOnStreams } },
	},
	{
		schema: "together-chat",
		vendor: "together",
		protocol: "openai-chat",
		models: ["model"],
		// Of answers, whose type its SDK uses for requests too: https://docs.together.ai/docs/function-calling sends neither.
		beyond: {
			CompletionCreateParamsStreaming: { takes: usageOnStreams },
			ToolChoiceParam: { spares: ["id", "index"] },
			together__types__tool_choice_param__Function: { spares: ["arguments"] },
		},
	},
	{
		schema: "openrouter-chat",
		vendor: "openrouter",
		protocol: "openai-chat",
		models: ["model"],
		beyond: {
			// https://openrouter.ai/docs/use-cases/reasoning-tokens
			ChatRequestReasoning: {
				takes: {
					max_tokens: { type: "integer" },
					exclude: { type: "boolean" },
					enabled: { type: "boolean" },
				},
			},
			"": {
				takes: {
					// https://openrouter.ai/docs/api/reference/parameters
					verbosity: { enum: ["low", "medium", "high", "max"] },
					// https://openrouter.ai/docs/guides/overview/multimodal/audio
					audio: {
						type: "object",
						required: ["voice", "format"],
						properties: {
							voice: { type: "string" },
							format: { type: "string" },
						},
						additionalProperties: false,
					},
				},
			},
		},
	},
	{
		schema: "perplexity-responses",
		vendor: "perplexity",
		protocol: "openai-responses",
		models: ["model"],
	},
];

interface Sheet {
	readonly schema: Json;
	readonly source: { readonly package: string };
}

interface ObjectSchema {
	properties: Record<string, unknown>;
	required?: string[];
}

function validatorOf({
	schema: name,
	beyond = {},
}: Pick<Published, "schema" | "beyond">): Validator {
	const { schema } = JSON.parse(
		readFileSync(
			new URL(
				`../../../test/fixtures/request-schemas/${name}.json`,
				import.meta.url,
			),
			"utf8",
		),
	) as Sheet;
	const definitions = schema.$defs as Record<string, ObjectSchema>;
	for (const [place, { takes = {}, spares = [] }] of Object.entries(beyond)) {
		const found =
			place === ""
				? (schema as unknown as ObjectSchema)
				: (definitions[place] as ObjectSchema);
		Object.assign(found.properties, takes);
		if (found.required)
			found.required = found.required.filter((each) => !spares.includes(each));
	}
	return new Validator(schema as never, "2020-12", false);
}

/** What is wrong with a body, where it is deepest; nothing when it is right. */
function faultsOf(validator: Validator, body: unknown): string[] {
	const { valid, errors } = validator.validate(body);
	if (valid) return [];
	const told = errors.filter(
		({ keyword }) =>
			!["anyOf", "oneOf", "$ref", "items", "properties", "false"].includes(
				keyword,
			),
	);
	const depth = (place: string) => place.split("/").length;
	const deepest = Math.max(
		...told.map(({ instanceLocation }) => depth(instanceLocation)),
	);
	return [
		JSON.stringify(body),
		...new Set(
			told
				.filter(({ instanceLocation: at }) => depth(at) === deepest)
				.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`),
		),
	];
}

/** The body that goes out for a request; undefined where it is refused. */
function bodyFor(
	{ protocol, vendor }: Published,
	model: string,
	asked: CanonicalRequest,
): unknown {
	const translator = translatorOf(protocol);
	const quirks = quirksOf(vendor);
	const texts = translator.takesText?.(quirks)
		? undefined
		: textToolsIn(asked, () => {});
	const written = translator.writeRequest(
		texts?.request ?? asked,
		{ model, outputLimit: undefined, quirks },
		() => {},
	);
	return written.ok ? asSent(written.value.body) : undefined;
}

function translatorOf(protocol: string): Translator {
	const found = spoken.find(({ wire }) => wire.id === protocol)?.translator;
	if (!found) throw new Error(protocol);
	return found;
}

function asSent(body: Json): unknown {
	return JSON.parse(JSON.stringify(body));
}

function quirksOf(vendor: string): Quirks {
	const found = vendors.find(({ id }) => id === vendor);
	if (!found) throw new Error(vendor);
	return found.quirks ?? {};
}

const usual = {
	outputLimit: fc.integer({ min: 2_000, max: 8_000 }),
	temperature: hundredths(0, 1),
	topP: hundredths(0, 1),
	topK: fc.integer({ min: 1, max: 40 }),
	seed: fc.nat(1_000_000),
	frequencyPenalty: hundredths(-1, 1),
	presencePenalty: hundredths(-1, 1),
	stop: fc.array(names, { minLength: 1, maxLength: 4 }),
	logprobs: fc.record(
		{ alternatives: fc.nat(5) },
		{ noNullPrototype: true, requiredKeys: [] },
	),
	choices: fc.integer({ min: 1, max: 3 }),
	output: outputForms,
	parallelToolCalls: fc.boolean(),
	verbosity: fc.constantFrom(
		"low" as const,
		"medium" as const,
		"high" as const,
	),
	serviceTier: fc.constantFrom(
		..."auto standard flex priority batch".split(" "),
	) as fc.Arbitrary<NonNullable<CanonicalRequest["serviceTier"]>>,
	user: words,
	metadata: fc.dictionary(names, names, { maxKeys: 2 }),
	cacheKey: words,
	cache: cacheMarks,
	reasoning: fc.oneof(
		fc.record(
			{
				effort: fc.constantFrom(
					..."none minimal low medium high xhigh max".split(" "),
				),
				show: fc.constantFrom("none", "auto", "concise", "detailed"),
			},
			{ noNullPrototype: true, requiredKeys: [] },
		),
		fc.record({ budget: fc.integer({ min: 1_024, max: 1_900 }) }),
		fc.constant({ adaptive: true }),
	) as fc.Arbitrary<NonNullable<CanonicalRequest["reasoning"]>>,
};

const image = inlineMedia("image", ["image/png", "image/jpeg"], {
	detail: fc.constantFrom("low", "high", "auto"),
	cache: cacheMarks,
});
const whole = canonicalRequests({
	messages: conversations({
		system: ["system", "developer"],
		systemText: textParts({ cache: cacheMarks }),
		userName: names,
		user: fc.oneof(
			{ weight: 6, arbitrary: textParts({ cache: cacheMarks }) },
			{ weight: 2, arbitrary: image },
			{ weight: 1, arbitrary: linkedMedia("image") },
			{
				weight: 1,
				arbitrary: inlineMedia("document", ["application/pdf"], {
					name: names,
				}),
			},
		),
		reasoning: reasoningParts({ summary: fc.boolean() }),
		result: fc.array(fc.oneof({ weight: 5, arbitrary: textParts() }, image), {
			minLength: 1,
			maxLength: 2,
		}),
		resultError: true,
		resultName: true,
	}),
	tools: toolsAndChoice(
		fc.oneof(
			{
				weight: 5,
				arbitrary: functionTools({
					description: words,
					schema: schemas,
					strict: fc.boolean(),
					cache: cacheMarks,
				}),
			},
			{
				weight: 1,
				arbitrary: fc.constant({ type: "web-search" as const, mostUses: 3 }),
			},
		),
		["auto", "none", "required", "tool", "allowed"],
	),
	sometimes: usual as object,
});
/** With a few of the members that steer: with all of them, one at least is refused nearly everywhere. */
const requests: fc.Arbitrary<CanonicalRequest> = fc
	.tuple(
		whole,
		fc.subarray(Object.keys(usual) as (keyof typeof usual)[], { maxLength: 4 }),
	)
	.map(([request, kept]) => {
		const left = Object.entries(request).filter(
			([name]) => !(name in usual) || kept.includes(name as keyof typeof usual),
		);
		return Object.fromEntries(left) as unknown as CanonicalRequest;
	});

const clientTurns: readonly (readonly [protocol: string, turn: string])[] = [
	["anthropic-messages", "claude-code"],
	["openai-responses", "codex"],
	["openai-responses", "codex-code"],
	["openai-chat", "opencode"],
	["google-generate", "gemini-cli"],
];
const crossings = openCrossings(spoken);

function turnFor(
	{ protocol, vendor }: Published,
	model: string,
	client: string,
	turn: string,
): unknown {
	const wire = spoken.find(({ wire }) => wire.id === client)?.wire;
	const operation = wire?.operations.find(({ means }) => means === "generate");
	if (!wire || !operation) throw new Error(client);
	const body = readFileSync(
		new URL(`./${client}/fixtures/${turn}-client-turn.json`, import.meta.url),
	);
	const request = wire.read(operation.id, body, {
		parameters: { model },
		query: "alt=sse",
		header: () => undefined,
	});
	if (!request.ok) throw new Error(request.error.message);
	const passage = crossings.open({
		wire,
		operation,
		request: request.value,
		vendor: protocol,
		change: { model, outputLimit: 4_000, quirks: quirksOf(vendor) },
		naming: { call: "call_1", model, time: 1_764_000_000_000 },
	});
	if (!passage.ok) return undefined;
	return JSON.parse(Buffer.from(passage.value.forward(4_000).body).toString());
}

describe.each(
	published.map((each) => [each.schema, each.vendor, each] as const),
)("by the schema %s, what is sent to %s", (_, __, sheet) => {
	const validator = validatorOf(sheet);
	const [first = ""] = sheet.models;

	it("is not just anything", () => {
		const [plain] = askedFeatures;
		const body = bodyFor(sheet, first, plain?.asked as CanonicalRequest);
		expect(faultsOf(validator, body)).toEqual([]);
		const stranger = { ...(body as Json), stranger: 1 };
		expect(faultsOf(validator, stranger).join("\n")).toContain("stranger");
	});

	it.each(sheet.models)("is right of every feature: %s", (model) => {
		let sent = 0;
		for (const { feature, asked } of askedFeatures)
			for (const stream of [false, true]) {
				const body = bodyFor(sheet, model, {
					...asked,
					stream,
					streamUsage: stream,
				});
				if (body === undefined) continue;
				sent++;
				expect([feature, ...faultsOf(validator, body)]).toEqual([feature]);
			}
		expect(sent).toBeGreaterThan(askedFeatures.length);
	});

	it.each(sheet.models)("is right of several features: %s", (model) => {
		let sent = 0;
		fc.assert(
			fc.property(requests, (asked) => {
				const body = bodyFor(sheet, model, asked);
				if (body === undefined) return;
				sent++;
				expect(faultsOf(validator, body)).toEqual([]);
			}),
			{ numRuns: 80 },
		);
		expect(sent).toBeGreaterThan(8);
	});

	it.each(clientTurns.filter(([client]) => client !== sheet.protocol))(
		"is right of a turn by %s: %s",
		(client, turn) => {
			const body = turnFor(sheet, first, client, turn);
			if (body !== undefined) expect(faultsOf(validator, body)).toEqual([]);
		},
	);
});

describe("by the schemas of embeddings", () => {
	const asked: CanonicalEmbedRequest = {
		model: "m",
		inputs: ["Owls", "Geese"],
		single: false,
		encoding: "float",
	};
	it.each([
		["openai-embeddings", "openai-chat", "text-embedding-3-small"],
		["google-embed", "google-generate", "gemini-embedding-001"],
	])("what is sent is right: %s", (schema, protocol, model) => {
		const { embeddings } = translatorOf(protocol);
		const validator = validatorOf({ schema });
		const sheets: readonly CanonicalEmbedRequest[] = [
			asked,
			{ ...asked, inputs: ["Owls"], single: true, dimensions: 256 },
			{ ...asked, encoding: "base64", user: "u1" },
			{ ...asked, task: "RETRIEVAL_DOCUMENT", title: "Birds" },
		];
		for (const each of sheets) {
			const written = embeddings?.writeRequest(
				each,
				{ model, outputLimit: undefined, quirks: {} },
				() => {},
			);
			if (!written?.ok) throw new Error(written?.error.message);
			const sent = asSent(written.value.body) as Json;
			// Google takes one alone in the same form as one of several.
			const body = "content" in sent ? { requests: [sent] } : sent;
			expect(faultsOf(validator, body)).toEqual([]);
			expect(faultsOf(validator, { ...body, stranger: 1 })).not.toEqual([]);
		}
	});
});
