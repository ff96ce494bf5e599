import { readFileSync } from "node:fs";
import type Anthropic from "@anthropic-ai/sdk";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Citation,
	Finish,
	MediaPart,
	Message,
	Reasoning,
	ReasoningPart,
	TextPart,
	Tool,
} from "../../../ports/canonical.ts";
import type { UsageClass } from "../../../ports/price-book.ts";
import { translatorContract } from "../../../ports/translator.contract.ts";
import type { Warning } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import {
	answerEvents,
	base64,
	cacheMarks,
	canonicalAnswers,
	canonicalRequests,
	conversations,
	functionTools,
	hundredths,
	inlineMedia,
	linkedMedia,
	names,
	optionally,
	reasoningParts,
	schemas,
	textParts,
	toolCallParts,
	toolsAndChoice,
	usages,
	words,
} from "../canonical/arbitraries.testing.ts";
import { gathered, spread } from "../canonical/gather.ts";
import { seal } from "../canonical/seal.ts";
import { anthropicMessages } from "./protocol.ts";
import { anthropicMessagesTranslator } from "./translator.ts";

const fixture = (name: string): Buffer =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const answers = JSON.parse(fixture("anthropic-answers.json").toString());

const minimal = {
	model: "asked-model",
	max_tokens: 1024,
	messages: [{ role: "user", content: "Hi" }],
};

const ours = (data: unknown) => ({ protocol: "anthropic-messages", data });
const signature = base64.map((each) => `Er${each}`);
const thinking: fc.Arbitrary<ReasoningPart> = fc.oneof(
	reasoningParts({
		opaque: signature.map((each) => ours({ signature: each })),
	}).filter(({ opaque }) => opaque !== undefined),
	signature.map(
		(each): ReasoningPart => ({
			type: "reasoning",
			text: "",
			opaque: ours({ redacted: each }),
		}),
	),
);
const citations: fc.Arbitrary<Citation> = fc
	.tuple(words, fc.nat(5), names)
	.map(([quote, number, title]) => {
		const own = {
			type: "page_location",
			cited_text: quote,
			document_index: number,
			document_title: title,
			start_page_number: 1,
			end_page_number: 2,
		};
		return { document: number, title, quote, opaque: ours(own) };
	});
const cited = textParts({
	citations: fc.array(citations, { minLength: 1, maxLength: 2 }),
});
const media: fc.Arbitrary<MediaPart> = fc.oneof(
	inlineMedia("image", ["image/png", "image/webp"], { cache: cacheMarks }),
	linkedMedia("image"),
	linkedMedia("document", { name: names, cache: cacheMarks }),
	inlineMedia("document", ["application/pdf"], {
		name: names,
		context: words,
		citable: fc.boolean(),
	}),
	words.map(
		(text): MediaPart => ({
			type: "document",
			source: { type: "text", mediaType: "text/plain", text },
		}),
	),
	names.map(
		(id): MediaPart => ({
			type: "image",
			source: { type: "file", protocol: "anthropic-messages", id },
		}),
	),
);
const talk = (system: readonly "system"[] = ["system"]) =>
	conversations({
		system,
		systemText: textParts({ cache: cacheMarks }),
		user: fc.oneof(textParts({ cache: cacheMarks }), media),
		reasoning: thinking,
		assistant: cited,
		call: toolCallParts({ cache: cacheMarks }),
		result: fc.array(fc.oneof(textParts(), media), { maxLength: 2 }),
		resultError: true,
	});
const ownTools: fc.Arbitrary<Tool> = fc.oneof(
	fc.constant<Tool>({
		type: "server",
		name: "code_execution_20250825",
		opaque: ours({ type: "code_execution_20250825", name: "code_execution" }),
	}),
	fc
		.tuple(fc.integer({ min: 1, max: 9 }), names)
		.map(([mostUses, city]): Tool => {
			const record = {
				type: "web_search_20260209",
				name: "web_search",
				max_uses: mostUses,
				allowed_domains: ["example.com"],
				user_location: { type: "approximate", city },
			};
			return {
				type: "web-search",
				mostUses,
				allowedDomains: ["example.com"],
				location: { city },
				opaque: ours(record),
			};
		}),
);
const tools = toolsAndChoice(
	fc.oneof(
		{
			weight: 3,
			arbitrary: functionTools({
				description: words,
				schema: schemas,
				cache: cacheMarks,
			}).filter((each) => each.type === "function" && !!each.schema),
		},
		{ weight: 1, arbitrary: ownTools },
	),
);

/**
 * What the protocol can express of a request to a model that takes all of it: conversations with
 * reasoning of its own, media as base64 JPEG/PNG/GIF/WebP or PDF, addresses, texts and files of its
 * vendor; tools with a schema, and its own; a limit, always. Not together: thinking with sampling,
 * with forced tools, or with a budget where calls under way were made without.
 */
function requests(
	reasoning: fc.Arbitrary<Reasoning>,
	more: {
		[K in keyof CanonicalRequest]?: fc.Arbitrary<
			NonNullable<CanonicalRequest[K]>
		>;
	} = {},
): fc.Arbitrary<CanonicalRequest> {
	return fc
		.tuple(
			canonicalRequests({
				messages: talk(),
				tools,
				streamUsage: fc.constant(true),
				sometimes: {
					outputLimit: fc.integer({ min: 4_000, max: 60_000 }),
					stop: fc.array(names, { minLength: 1, maxLength: 3 }),
					temperature: hundredths(0, 1),
					topK: fc.integer({ min: 1, max: 500 }),
					serviceTier: fc.constantFrom("auto", "standard"),
					user: words,
					cache: cacheMarks,
					...more,
				},
			}),
			fc.option(reasoning),
			fc.boolean(),
		)
		.map(([request, thought, alone]) => {
			const { temperature, topK, topP, ...rest } = request;
			const { toolChoice } = request;
			const forced =
				toolChoice?.mode === "tool" || toolChoice?.mode === "required";
			const loop = request.messages.at(-1)?.role === "tool";
			const on = thought && !forced && !loop;
			return {
				...(on ? { ...rest, reasoning: thought } : request),
				outputLimit: request.outputLimit ?? 8_000,
				...(alone && request.tools && toolChoice?.mode !== "none"
					? {
							toolChoice: toolChoice ?? { mode: "auto" as const },
							parallelToolCalls: false,
						}
					: {}),
			};
		});
}
/** Those with a budget are shown unless it is said otherwise. */
const budgets: fc.Arbitrary<Reasoning> = fc.record(
	{
		budget: fc.integer({ min: 1_024, max: 3_999 }),
		show: fc.constantFrom("none" as const, "auto" as const),
	},
	{ noNullPrototype: true },
);

const allUsage: readonly UsageClass[] = [
	...(["input", "output", "reasoning", "cache-read"] as const),
	...(["cache-write-5m", "cache-write-1h", "search"] as const),
];
/** Answers of one choice, with usage and the vendor's names. */
const ownAnswers = canonicalAnswers({
	reasoning: thinking,
	text: cited,
	usage: usages(allUsage),
	serviceTier: fc.constantFrom("standard", "priority", "batch"),
	finish: fc.oneof(
		fc.constantFrom<Finish>(
			...(
				["stop", "length", "context-window", "pause", "refusal"] as const
			).map((reason) => ({ reason })),
		),
		words.map((sequence): Finish => ({ reason: "stop-sequence", sequence })),
	),
}).map((answer): CanonicalAnswer => ({ ...answer, usage: answer.usage ?? {} }));

/** Clients are told the model that they asked for. */
const asAsked = ownAnswers.map((answer) => ({
	...answer,
	model: "asked-model",
}));

translatorContract("anthropic-messages", () => ({
	translator: anthropicMessagesTranslator,
	wire: anthropicMessages,
	samples: {
		operation: "messages",
		request: minimal,
		unanswered: {
			...minimal,
			messages: [
				...minimal.messages,
				{
					role: "assistant",
					content: [{ type: "tool_use", id: "toolu_1", name: "f", input: {} }],
				},
				{ role: "user", content: "Well?" },
			],
		},
		answers: {
			text: answers.text,
			tools: answers.tools,
			empty: answers.empty,
		},
		streams: {
			text: fixture("anthropic-stream.txt"),
			tools: fixture("anthropic-tools-stream.txt"),
			reasoning: fixture("anthropic-thinking-stream.txt"),
			empty: fixture("anthropic-empty-stream.txt"),
			error: fixture("anthropic-error-stream.txt"),
		},
		unknownEvents: [
			'event: ping\ndata: {"type":"ping"}\n\n',
			'event: later\ndata: {"type":"later","index":0}\n\n',
			'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"later_delta","text":"no"}}\n\n',
			'event: content_block_delta\ndata: {"type":"content_block_delta","index":7,"delta":{"type":"text_delta","text":"no"}}\n\n',
			"data: no JSON\n\n",
		],
		framing: "sse",
		errors: [
			{
				status: 529,
				body: {
					type: "error",
					error: { type: "overloaded_error", message: "Overloaded" },
					request_id: "req_1",
				},
				message: "Overloaded",
				code: "overloaded_error",
			},
			{ status: 502, body: "<html>", message: "The vendor answered with 502." },
		],
		expressible: {
			requests: requests(budgets),
			answers: asAsked,
			events: answerEvents(asAsked, true),
		},
	},
}));

function read(body: object): {
	request: CanonicalRequest;
	warnings: Warning[];
} {
	const wired = anthropicMessages.read(
		"messages",
		Buffer.from(JSON.stringify({ ...minimal, ...body })),
	);
	if (!wired.ok) throw new Error(wired.error.message);
	const warnings: Warning[] = [];
	const outcome = anthropicMessagesTranslator.readRequest(wired.value, (each) =>
		warnings.push(each),
	);
	if (!outcome.ok)
		throw Object.assign(new Error(outcome.error.message), outcome.error);
	return { request: outcome.value, warnings };
}

function write(
	request: Partial<CanonicalRequest>,
	model = "claude-opus-4-6",
	quirks: Quirks = {},
): {
	body: Anthropic.MessageCreateParams & Record<string, unknown>;
	warned: string[];
} {
	const warned: string[] = [];
	const outcome = anthropicMessagesTranslator.writeRequest(
		{ ...said("Hi"), outputLimit: 20_000, ...request },
		{ model, outputLimit: undefined, quirks },
		({ kind, field }) => warned.push(`${kind} ${field}`),
	);
	if (!outcome.ok)
		throw Object.assign(new Error(outcome.error.message), outcome.error);
	return {
		body: outcome.value.body as unknown as Anthropic.MessageCreateParams &
			Record<string, unknown>,
		warned,
	};
}

function said(text: string): CanonicalRequest {
	return {
		model: "m",
		messages: [{ role: "user", parts: [{ type: "text", text }] }],
		stream: false,
		streamUsage: true,
	};
}

function fieldOf(run: () => unknown): unknown {
	try {
		run();
	} catch (error) {
		const { code, details } = error as {
			code: string;
			details?: { field?: unknown };
		};
		return [code, details?.field];
	}
	return "accepted";
}

const text = (value: string): TextPart => ({ type: "text", text: value });
const schema = {
	type: "object",
	properties: { city: { type: "string" } },
	required: ["city"],
	additionalProperties: false,
};

describe("requests to models that think by effort", () => {
	it("come back as they were written", () => {
		const efforts = optionally(
			{ adaptive: fc.constant(true) },
			{
				effort: fc.constantFrom("low", "medium", "high", "max"),
				show: fc.constantFrom("none", "auto"),
			},
		) as fc.Arbitrary<Reasoning>;
		const arbitrary = requests(fc.oneof(efforts, budgets), {
			output: schemas.map((each) => ({
				type: "json-schema" as const,
				schema: each,
			})),
		});
		fc.assert(
			fc.property(arbitrary, (request) => {
				const { body, warned } = write(request);
				expect(warned).toEqual([]);
				const again = read(body);
				expect(again.request).toEqual({ ...request, model: "claude-opus-4-6" });
				expect(again.warnings).toEqual([]);
			}),
		);
	});
});
describe("a client's request", () => {
	it("is read in full", () => {
		const { request, warnings } = read({
			system: [
				{
					type: "text",
					text: "Be brief.",
					cache_control: { type: "ephemeral", ttl: "1h" },
				},
			],
			messages: [
				{
					role: "user",
					content: [
						{ type: "text", text: "Look." },
						{
							type: "document",
							source: {
								type: "content",
								content: [
									{ type: "text", text: "one" },
									{ type: "text", text: "two" },
								],
							},
							title: "Notes",
							citations: { enabled: true },
						},
						{
							type: "search_result",
							source: "https://example.com",
							title: "Page",
							content: [{ type: "text", text: "words" }],
						},
					],
				},
				{
					role: "assistant",
					content: [
						{ type: "thinking", thinking: "Hm.", signature: "EqQB" },
						{ type: "tool_use", id: "t1", name: "look", input: { a: 1 } },
						{ type: "tool_use", id: "t2", name: "look", input: {} },
					],
				},
				{
					role: "user",
					content: [
						{ type: "tool_result", tool_use_id: "t1", content: "seen" },
						{
							type: "tool_result",
							tool_use_id: "t2",
							is_error: true,
							content: [
								{ type: "text", text: "no" },
								{
									type: "image",
									source: {
										type: "base64",
										media_type: "image/png",
										data: "QUJD",
									},
								},
							],
						},
						{ type: "text", text: "Go on." },
					],
				},
				{ role: "system", content: "Now in French." },
			],
			tools: [
				{ name: "look", input_schema: schema, strict: true },
				{ type: "bash_20250124", name: "bash" },
				{ type: "web_search_20260318", name: "web_search", max_uses: 2 },
			],
			tool_choice: { type: "any", disable_parallel_tool_use: true },
			thinking: { type: "adaptive", display: "omitted" },
			output_config: {
				effort: "xhigh",
				format: { type: "json_schema", schema },
			},
			service_tier: "standard_only",
			metadata: { user_id: "u1" },
			cache_control: { type: "ephemeral" },
			stop_sequences: ["END"],
			top_k: 5,
			stream: true,
		});
		expect(warnings).toEqual([]);
		expect(request).toMatchObject({
			outputLimit: 1024,
			parallelToolCalls: false,
			toolChoice: { mode: "required" },
			reasoning: { adaptive: true, effort: "xhigh", show: "none" },
			output: { type: "json-schema", schema },
			serviceTier: "standard",
			user: "u1",
			cache: {},
			stop: ["END"],
			topK: 5,
			stream: true,
			streamUsage: true,
			tools: [
				{ type: "function", name: "look", strict: true },
				{ type: "server", name: "bash_20250124" },
				{ type: "web-search", mostUses: 2 },
			],
		});
		expect(request.messages.map(({ role }) => role)).toEqual([
			"system",
			"user",
			"assistant",
			"tool",
			"user",
			"system",
		]);
		expect(request.messages[0]?.parts).toEqual([
			{ type: "text", text: "Be brief.", cache: { ttl: "1h" } },
		]);
		expect(request.messages[1]?.parts).toMatchObject([
			text("Look."),
			{
				type: "document",
				source: { text: "one\ntwo" },
				name: "Notes",
				citable: true,
			},
			{
				type: "document",
				source: { text: "words" },
				name: "Page",
				context: "https://example.com",
			},
		]);
		expect(request.messages[3]?.parts).toMatchObject([
			{ call: "t1", parts: [text("seen")] },
			{ call: "t2", error: true, parts: [text("no"), { type: "image" }] },
		]);
		// Blocks that only this protocol knows go back to its vendors as they came.
		const { body } = write(request);
		expect(body.messages[0]?.content).toMatchObject([
			{},
			{
				source: {
					type: "content",
					content: [{ text: "one" }, { text: "two" }],
				},
			},
			{ type: "search_result", source: "https://example.com" },
		]);
		expect(body.tools).toMatchObject([
			{ strict: true },
			{ type: "bash_20250124" },
			{ type: "web_search_20260318" },
		]);
	});

	it("warns of what stays behind, once each, and never of a null", () => {
		const { warnings } = read({
			container: "c",
			context_management: { edits: [] },
			speed: "fast",
			fallbacks: "default",
			diagnostics: null,
			thinking: { type: "between_tools" },
			tools: [
				{
					name: "f",
					input_schema: { type: "object" },
					input_examples: [{ a: 1 }],
					later: 1,
				},
			],
			messages: [
				{ role: "user", content: [{ type: "text", text: "x", later: 1 }] },
			],
		});
		expect(
			warnings.map(({ kind, field }) => `${kind} ${field}`).sort(),
		).toEqual([
			"changed thinking.type",
			"dropped container",
			"dropped context_management",
			"dropped fallbacks",
			"dropped messages.0.content.0.later",
			"dropped speed",
			"dropped tools.0.input_examples",
			"dropped tools.0.later",
		]);
	});

	it.each([
		[
			"mcp_servers",
			{ mcp_servers: [{ type: "url", url: "https://x", name: "x" }] },
		],
		["inference_geo", { inference_geo: "eu" }],
		["max_tokens", { max_tokens: 0 }],
		[
			"messages.0.content.0.type",
			{
				messages: [
					{
						role: "user",
						content: [{ type: "container_upload", file_id: "f" }],
					},
				],
			},
		],
		[
			"messages.0.content.0.source.content.0.type",
			{
				messages: [
					{
						role: "user",
						content: [
							{
								type: "document",
								source: { type: "content", content: [{ type: "image" }] },
							},
						],
					},
				],
			},
		],
	])(
		"that only this protocol's vendors can answer is refused: %s",
		(field, body) => {
			expect(fieldOf(() => read(body))).toEqual([
				"translate/unsupported",
				field,
			]);
		},
	);

	it.each([
		["messages.0.role", { messages: [{ role: "robot", content: "x" }] }],
		["messages.0.content", { messages: [{ role: "user" }] }],
		["messages.0.content.0", { messages: [{ role: "user", content: [7] }] }],
		[
			"messages.0.content.0.text",
			{ messages: [{ role: "user", content: [{ type: "text" }] }] },
		],
		["temperature", { temperature: 1.5 }],
		["thinking.budget_tokens", { thinking: { type: "enabled" } }],
		["tool_choice.name", { tool_choice: { type: "tool" } }],
		["tools.0.input_schema", { tools: [{ name: "f" }] }],
		[
			"output_config.format.type",
			{ output_config: { format: { type: "xml" } } },
		],
		["cache_control.ttl", { cache_control: { type: "ephemeral", ttl: "2h" } }],
		["system.0.type", { system: [{ type: "image", source: {} }] }],
	])("of the wrong shape is refused: %s", (field, body) => {
		expect(fieldOf(() => read(body))).toEqual(["request/invalid", field]);
	});

	it("with a reference to a tool says the tool's name", () => {
		const { request, warnings } = read({
			messages: [
				{
					role: "user",
					content: [
						{
							type: "tool_result",
							tool_use_id: "t",
							content: [{ type: "tool_reference", tool_name: "look" }],
						},
					],
				},
			],
		});
		expect(request.messages[0]?.parts).toEqual([
			{ type: "tool-result", call: "t", parts: [text("look")] },
		]);
		expect(warnings).toMatchObject([{ kind: "changed" }]);
	});

	it("in the older form of structured output means the same", () => {
		expect(
			read({ output_format: { type: "json_schema", schema } }).request.output,
		).toEqual({ type: "json-schema", schema });
	});
});

describe("a request to a vendor", () => {
	it("is what the vendor's own types allow", () => {
		const { body } = write({
			messages: [
				{ role: "developer", parts: [text("Be kind.")] },
				{ role: "user", parts: [text("Hi")] },
			],
			reasoning: { effort: "high" },
			stop: ["END"],
			user: "u",
		});
		const expected = {
			model: "claude-opus-4-6",
			max_tokens: 20_000,
			system: "Be kind.",
			messages: [{ role: "user", content: "Hi" }],
			thinking: { type: "adaptive" },
			output_config: { effort: "high" },
			stop_sequences: ["END"],
			metadata: { user_id: "u" },
		} satisfies Anthropic.MessageCreateParams;
		expect(body).toEqual(expected);
	});

	it("always says a limit, and warns where it chose one", () => {
		const { body, warned } = write({ outputLimit: undefined as never });
		expect(body.max_tokens).toBe(32_000);
		expect(warned).toEqual(["changed outputLimit"]);
		const small = write({ outputLimit: 9_000 }, "claude-3-haiku-20240307");
		expect(small.body.max_tokens).toBe(4_096);
		expect(small.warned).toEqual(["changed outputLimit"]);
	});

	it("asks for a JSON schema natively: closed, and what is not enforced in words", () => {
		const { body, warned } = write({
			output: {
				type: "json-schema",
				name: "person",
				strict: true,
				schema: {
					type: "object",
					properties: {
						age: { type: "integer", minimum: 0, description: "Years." },
						mail: { type: "string", format: "email" },
						kind: { oneOf: [{ type: "string" }, { type: "null" }] },
					},
				},
			},
		});
		expect(body.output_config?.format).toEqual({
			type: "json_schema",
			schema: {
				title: "person",
				type: "object",
				properties: {
					age: { type: "integer", description: "Years.\n\n{minimum: 0}" },
					mail: { type: "string", format: "email" },
					kind: { anyOf: [{ type: "string" }, { type: "null" }] },
				},
				additionalProperties: false,
			},
		});
		expect(warned).toEqual([
			"dropped output.schema.properties.age.minimum",
			"changed output.schema.properties.kind.oneOf",
		]);
	});

	it.each<[string, Partial<CanonicalRequest>, string?, Quirks?]>([
		["choices", { choices: 2 }],
		["logprobs", { logprobs: { alternatives: 0 } }],
		["modalities", { modalities: ["text", "audio"] }],
		["stop.0", { stop: ["\n"] }],
		["output", { output: { type: "json" } }],
		["output", { output: { type: "json-schema", schema } }, "deepseek-chat"],
		[
			"output",
			{ output: { type: "json-schema", schema } },
			"claude-opus-4-6",
			{ noSchemas: true },
		],
		[
			"output.schema",
			{
				output: {
					type: "json-schema",
					schema: { type: "object", additionalProperties: { type: "string" } },
				},
			},
		],
		[
			"output.schema",
			{ output: { type: "json-schema", schema: { type: "object" } } },
		],
		["tools.0", { tools: [{ type: "custom", name: "patch" }] }],
		[
			"tools.0",
			{
				tools: [
					{
						type: "server",
						name: "x",
						opaque: { protocol: "openai-responses", data: {} },
					},
				],
			},
		],
		["tools.0.name", { tools: [{ type: "function", name: "a.b" }] }],
		[
			"tools.0.strict",
			{ tools: [{ type: "function", name: "f", schema, strict: true }] },
			"claude-3-opus",
		],
		[
			"toolChoice",
			{
				tools: [{ type: "function", name: "f" }],
				toolChoice: { mode: "required" },
			},
			"claude-opus-5-5",
		],
		[
			"messages.0.parts.0",
			{
				messages: [
					{
						role: "user",
						parts: [
							{ type: "audio", source: { type: "url", url: "https://x" } },
						],
					},
				],
			},
		],
		[
			"messages.0.parts.0.source.mediaType",
			{
				messages: [
					{
						role: "user",
						parts: [
							{
								type: "image",
								source: { type: "base64", mediaType: "image/tiff", data: "" },
							},
						],
					},
				],
			},
		],
		[
			"messages.0.parts.0.source",
			{
				messages: [
					{
						role: "user",
						parts: [
							{
								type: "document",
								source: { type: "file", protocol: "openai-chat", id: "f" },
							},
						],
					},
				],
			},
		],
	])(
		"refuses what shapes the answer and cannot be said: %s",
		(field, request, model, quirks) => {
			expect(fieldOf(() => write(request, model, quirks))).toEqual([
				"translate/unsupported",
				field,
			]);
		},
	);

	it("drops what only steers, with a warning for each", () => {
		const { warned } = write({
			seed: 1,
			frequencyPenalty: 1,
			presencePenalty: 1,
			verbosity: "low",
			metadata: { a: "b" },
			cacheKey: "k",
			serviceTier: "flex",
			temperature: 1.5,
			messages: [{ role: "user", name: "Ann", parts: [text("Hi")] }],
		});
		expect(warned.sort()).toEqual([
			"changed temperature",
			"dropped cacheKey",
			"dropped frequencyPenalty",
			"dropped messages.0.name",
			"dropped metadata",
			"dropped presencePenalty",
			"dropped seed",
			"dropped serviceTier",
			"dropped verbosity",
		]);
	});

	it.each<[string, string, Partial<CanonicalRequest>, object, string[]]>([
		[
			"no sampling where none is taken",
			"claude-opus-4-7",
			{ temperature: 0.2, topP: 0.9, topK: 4 },
			{},
			["dropped temperature", "dropped topP", "dropped topK"],
		],
		[
			"temperature or top_p, not both",
			"claude-sonnet-4-5",
			{ temperature: 0.2, topP: 0.9 },
			{ temperature: 0.2 },
			["dropped topP"],
		],
		[
			"both to older models",
			"claude-sonnet-4-20250514",
			{ temperature: 0.2, topP: 0.9 },
			{ temperature: 0.2, top_p: 0.9 },
			[],
		],
		[
			"no sampling beside thinking",
			"claude-opus-4-6",
			{ temperature: 0.2, reasoning: { adaptive: true } },
			{ thinking: { type: "adaptive" } },
			["dropped temperature"],
		],
		[
			"a budget for an effort",
			"claude-haiku-4-5",
			{ reasoning: { effort: "medium" } },
			{ thinking: { type: "enabled", budget_tokens: 8_192 } },
			["changed reasoning.effort"],
		],
		[
			"a budget within the limit",
			"claude-haiku-4-5",
			{ outputLimit: 3_000, reasoning: { effort: "high" } },
			{ thinking: { type: "enabled", budget_tokens: 1_500 } },
			["changed reasoning.effort"],
		],
		[
			"a budget below the limit",
			"claude-haiku-4-5",
			{ outputLimit: 3_000, reasoning: { budget: 9_000 } },
			{ thinking: { type: "enabled", budget_tokens: 2_999 } },
			["changed reasoning.budget"],
		],
		[
			"no thinking without room",
			"claude-haiku-4-5",
			{ outputLimit: 500, reasoning: { budget: 2_000 } },
			{},
			["dropped reasoning"],
		],
		[
			"an effort for a budget",
			"claude-opus-5",
			{ reasoning: { budget: 4_000 } },
			{ thinking: { type: "adaptive" }, output_config: { effort: "medium" } },
			["changed reasoning.budget"],
		],
		[
			"the nearest effort",
			"claude-sonnet-4-6",
			{ reasoning: { effort: "xhigh" } },
			{ thinking: { type: "adaptive" }, output_config: { effort: "high" } },
			["changed reasoning.effort"],
		],
		[
			"no thinking",
			"claude-opus-4-6",
			{ reasoning: { effort: "none" } },
			{ thinking: { type: "disabled" } },
			[],
		],
		[
			"the least, where it always thinks",
			"claude-fable-5",
			{ reasoning: { budget: 0 } },
			{ output_config: { effort: "low" } },
			["changed reasoning.effort"],
		],
		[
			"between tools, at the least",
			"claude-sonnet-5-5",
			{ reasoning: { effort: "none" } },
			{ thinking: { type: "between_tools" } },
			["changed reasoning.effort"],
		],
		[
			"high at most without thinking",
			"claude-opus-5",
			{ reasoning: { effort: "max", budget: 0 } },
			{ thinking: { type: "disabled" }, output_config: { effort: "high" } },
			["changed reasoning.effort"],
		],
	])(
		"sends what the model takes: %s",
		(_, model, request, expected, warned) => {
			const written = write(request, model);
			const { model: _m, max_tokens, messages, ...rest } = written.body;
			expect(rest).toEqual(expected);
			expect(written.warned).toEqual(warned);
		},
	);

	it("does not think where a tool is forced, or where calls under way were not its own", () => {
		const tools: Tool[] = [{ type: "function", name: "f", schema }];
		const forced = write({
			tools,
			toolChoice: { mode: "tool", name: "f" },
			reasoning: { effort: "low" },
		});
		expect(forced.body).toMatchObject({
			thinking: { type: "disabled" },
			tool_choice: { type: "tool", name: "f" },
		});
		expect(forced.warned).toEqual(["dropped reasoning"]);
		const loop: Message[] = [
			{ role: "user", parts: [text("Hi")] },
			{
				role: "assistant",
				parts: [
					{ type: "tool-call", id: "call:1", name: "f", arguments: "{}" },
				],
			},
			{
				role: "tool",
				parts: [{ type: "tool-result", call: "call:1", parts: [text("ok")] }],
			},
		];
		const under = write({
			tools,
			messages: loop,
			reasoning: { budget: 2_000 },
		});
		expect(under.body.thinking).toEqual({ type: "disabled" });
		expect(under.warned).toEqual(["dropped reasoning"]);
		// Ids keep to the characters that are taken, on both sides alike.
		expect(under.body.messages.slice(1)).toEqual([
			{
				role: "assistant",
				content: [{ type: "tool_use", id: "call_1", name: "f", input: {} }],
			},
			{
				role: "user",
				content: [
					{ type: "tool_result", tool_use_id: "call_1", content: "ok" },
				],
			},
		]);
		const adaptive = write({
			tools,
			messages: loop,
			reasoning: { effort: "low" },
		});
		expect(adaptive.body.thinking).toEqual({ type: "adaptive" });
	});

	it("keeps system messages where they stand if the model takes them there, else at the head", () => {
		const messages: Message[] = [
			{ role: "system", parts: [text("First.")] },
			{ role: "user", parts: [text("Hi")] },
			{ role: "developer", parts: [text("Later.")] },
			{ role: "assistant", parts: [text("Hello")] },
			{ role: "system", parts: [text("Between.")] },
			{ role: "user", parts: [text("Bye")] },
		];
		const taken = write({ messages }, "claude-opus-4-8");
		expect(taken.body.messages.map(({ role }) => role)).toEqual([
			"user",
			"system",
			"assistant",
			"user",
		]);
		expect(taken.warned).toEqual(["changed messages.4"]);
		for (const moved of [
			write({ messages }, "claude-opus-4-6"),
			write({ messages }, "claude-opus-4-8", { systemFirst: true }),
		]) {
			expect(moved.body.system).toEqual([
				{ type: "text", text: "First." },
				{ type: "text", text: "Later." },
				{ type: "text", text: "Between." },
			]);
			expect(moved.warned).toEqual([
				"changed messages.2",
				"changed messages.4",
			]);
		}
		for (const badly of [
			[messages[1], messages[3], messages[4]],
			[messages[1], messages[2], messages[5]],
		] as Message[][]) {
			const { body, warned } = write({ messages: badly }, "claude-opus-4-8");
			expect(body.system).toBeTypeOf("string");
			expect(body.messages.map(({ role }) => role)).not.toContain("system");
			expect(warned).toHaveLength(1);
		}
		const alone = write({ messages: messages.slice(0, 1) });
		expect(alone.body.messages).toEqual([{ role: "user", content: "First." }]);
		expect(alone.warned).toEqual(["changed messages"]);
	});

	it("leaves out empty texts, which the vendor refuses", () => {
		const { body } = write({
			messages: [
				{ role: "user", parts: [text(""), text("Hi")] },
				{ role: "assistant", parts: [text("")] },
			],
		});
		expect(body.messages).toEqual([{ role: "user", content: "Hi" }]);
	});

	it("puts results before what the user says, in one turn", () => {
		const { body } = write({
			messages: [
				{ role: "user", parts: [text("Hi")] },
				{
					role: "assistant",
					parts: ["a", "b"].map((id) => ({
						type: "tool-call" as const,
						id,
						name: "f",
						arguments: "",
					})),
				},
				{
					role: "tool",
					parts: [{ type: "tool-result", call: "a", parts: [] }],
				},
				{
					role: "tool",
					parts: [
						{
							type: "tool-result",
							call: "b",
							parts: [text("ok")],
							error: true,
						},
					],
				},
				{ role: "user", parts: [text("Go on")] },
			],
		});
		expect(body.messages.slice(2)).toEqual([
			{
				role: "user",
				content: [
					{ type: "tool_result", tool_use_id: "a" },
					{
						type: "tool_result",
						tool_use_id: "b",
						content: "ok",
						is_error: true,
					},
					{ type: "text", text: "Go on" },
				],
			},
		]);
	});

	it("leaves out what other vendors marked or reasoned, and says so", () => {
		const foreign = { protocol: "google-generate", data: "sig" };
		const { body, warned } = write({
			messages: [
				{ role: "user", parts: [text("Hi")] },
				{
					role: "assistant",
					parts: [
						{ type: "reasoning", text: "Hm.", opaque: foreign },
						{
							type: "text",
							text: "Yes.",
							opaque: foreign,
							citations: [{ url: "https://x" }],
						},
						{
							type: "server-tool",
							tool: "web-search",
							id: "s",
							opaque: foreign,
						},
						{
							type: "tool-call",
							id: "c",
							name: "f",
							arguments: "broken {",
							opaque: foreign,
						},
					],
				},
			],
		});
		expect(body.messages[1]?.content).toEqual([
			{ type: "text", text: "Yes." },
			{ type: "tool_use", id: "c", name: "f", input: { input: "broken {" } },
		]);
		expect(warned.sort()).toEqual([
			"changed messages.1.parts.3.arguments",
			"dropped messages.1.parts.0",
			"dropped messages.1.parts.1.citations",
			"dropped messages.1.parts.1.opaque",
			"dropped messages.1.parts.2",
			"dropped messages.1.parts.3.opaque",
		]);
	});

	it("says nothing of calls side by side where none may be made", () => {
		const { body } = write({
			tools: [{ type: "function", name: "f", schema }],
			toolChoice: { mode: "none" },
			parallelToolCalls: false,
		});
		expect(body.tool_choice).toEqual({ type: "none" });
	});

	it("offers only the allowed tools", () => {
		const tools: Tool[] = ["a", "b", "c"].map((name) => ({
			type: "function",
			name,
			schema,
		}));
		const { body, warned } = write({
			tools,
			toolChoice: { mode: "allowed", names: ["a", "c"], required: true },
			parallelToolCalls: false,
		});
		expect(body.tools).toMatchObject([{ name: "a" }, { name: "c" }]);
		expect(body.tool_choice).toEqual({
			type: "any",
			disable_parallel_tool_use: true,
		});
		expect(warned).toEqual(["changed toolChoice"]);
	});
});

describe("a vendor's answer", () => {
	const parse = (body: unknown) => {
		const outcome = anthropicMessagesTranslator.readAnswer(body);
		if (!outcome.ok) throw new Error(outcome.error.message);
		return outcome.value;
	};
	const stream = (name: string) => {
		const reader = anthropicMessagesTranslator.openReader(said(""));
		return gathered([...reader.push(fixture(name)), ...reader.end()]);
	};

	it("gives a search as one part, and citations of every kind, whole and streamed", () => {
		const [search, answer] = parse(answers.search).choices[0]?.parts ?? [];
		expect(search).toMatchObject({
			type: "server-tool",
			tool: "web-search",
			id: "srvtoolu_014h",
			query: "weather NYC",
			results: [
				{ url: "https://example.com/nyc", title: "Weather in New York City" },
				{ url: "https://example.com/ten" },
			],
		});
		expect(answer).toMatchObject({
			citations: [
				{ url: "https://example.com/nyc", quote: "Sunny, 21 °C." },
				{ document: 0, title: "Facts" },
				{ document: 1 },
				{ document: 2 },
			],
		});
		const streamed = stream("anthropic-citations-stream.txt");
		expect(streamed.choices[0]?.parts).toMatchObject([
			{ ...search, opaque: expect.anything() },
			{ text: "It is sunny.", citations: [{ url: "https://example.com/nyc" }] },
		]);
		expect(streamed.usage).toEqual({ input: 10_682, output: 510, search: 1 });
		// And the vendor gets its own blocks back on the next turn.
		const { body, warned } = write({
			messages: [
				{ role: "user", parts: [text("Hi")] },
				{ role: "assistant", parts: [search, answer] as AnswerPart[] },
			],
		});
		expect(warned).toEqual([]);
		const [use, result, words] = answers.search.content;
		expect(body.messages[1]?.content).toMatchObject([
			use,
			result,
			{ text: words.text, citations: [words.citations[0], {}, {}, {}] },
		]);
	});

	it("says a search that a pause cut off", () => {
		expect(
			stream("anthropic-search-stream.txt").choices[0]?.parts,
		).toMatchObject([
			{ type: "server-tool", tool: "web-search", query: "weather NYC" },
		]);
	});

	it("says a refusal with its reason", () => {
		expect(parse(answers.refusal).choices[0]).toEqual({
			parts: [{ type: "refusal", text: "This asks for an exploit." }],
			finish: { reason: "refusal" },
		});
	});

	it("keeps kinds of blocks that are not known here for the next turn", () => {
		const block = { type: "later_block", a: 1 };
		const { parts = [] } =
			parse({ ...answers.text, content: [block] }).choices[0] ?? {};
		const { body } = write({
			messages: [
				{ role: "user", parts: [text("Hi")] },
				{ role: "assistant", parts },
			],
		});
		expect(body.messages[1]?.content).toEqual([block]);
	});

	it("tells results of a search alone, not of other tools", () => {
		const content = [
			{ type: "server_tool_use", id: "s1", name: "web_fetch", input: {} },
			{
				type: "web_fetch_tool_result",
				tool_use_id: "s1",
				content: [{ url: "https://x" }],
			},
		];
		const { parts = [] } = parse({ ...answers.text, content }).choices[0] ?? {};
		expect(parts).toEqual([
			{
				type: "server-tool",
				tool: "other",
				id: "s1",
				opaque: ours({ blocks: content }),
			},
		]);
	});

	it("of a server that sends a call's input whole is read as well", () => {
		const frames = [
			{
				type: "message_start",
				message: { id: "m", usage: { input_tokens: 1 } },
			},
			{
				type: "content_block_start",
				index: 0,
				content_block: {
					type: "tool_use",
					id: "c",
					name: "f",
					input: { a: 1 },
				},
			},
			{ type: "content_block_stop", index: 0 },
			{
				type: "message_delta",
				delta: { stop_reason: "tool_use" },
				usage: { output_tokens: 2 },
			},
		];
		const reader = anthropicMessagesTranslator.openReader(said(""));
		const events = frames.flatMap((each) =>
			reader.push(Buffer.from(`data: ${JSON.stringify(each)}\n\n`)),
		);
		events.push(...reader.end());
		expect(events.at(-1)).toEqual({ type: "end" });
		expect(gathered(events).choices[0]?.parts).toEqual([
			{ type: "tool-call", id: "c", name: "f", arguments: '{"a":1}' },
		]);
	});
});

describe("what another vendor keeps to itself", () => {
	const google = (data: unknown) => ({ protocol: "google-generate", data });
	const responses = {
		protocol: "openai-responses",
		data: { id: "rs_1", encrypted_content: "gAAA" },
	};
	const parts: AnswerPart[] = [
		{ type: "reasoning", text: "Hm.", opaque: responses },
		{ type: "reasoning", text: "Unsigned." },
		{
			type: "text",
			text: "Let me see.",
			citations: [{ url: "https://x", title: "X", quote: "words" }],
			opaque: google("text-sig"),
		},
		{
			type: "server-tool",
			tool: "web-search",
			id: "ws_1",
			query: "q",
			results: [{ url: "https://x", title: "X" }],
			opaque: responses,
		},
		{ type: "server-tool", tool: "other", id: "ci_1", opaque: responses },
		{
			type: "tool-call",
			id: "c1",
			name: "f",
			arguments: '{"a":1}',
			opaque: google({ thoughtSignature: "s1" }),
		},
		{ type: "tool-call", id: "c2", name: "f", arguments: "{}" },
	];
	const answer: CanonicalAnswer = {
		id: "a",
		model: "m",
		choices: [{ parts, finish: { reason: "stop" } }],
	};
	const naming = { call: "call-1", model: "m", time: 0 };

	function streamed(): Anthropic.ContentBlock[] {
		const request = said("");
		const writer = anthropicMessagesTranslator.openWriter(
			request,
			naming,
			undefined as never,
		);
		const bytes = [writer.push(spread(answer)), writer.end()];
		const content: Record<string, unknown>[] = [];
		const inputs = new Map<number, string>();
		for (const line of Buffer.concat(bytes.map((each) => each ?? Buffer.of()))
			.toString()
			.split("\n")) {
			if (!line.startsWith("data: ")) continue;
			const { type, index, content_block, delta } = JSON.parse(line.slice(6));
			if (type === "content_block_start") content[index] = content_block;
			const block = content[index];
			if (type === "content_block_delta" && block) {
				const { type: _, partial_json, citation, ...members } = delta;
				if (citation)
					block.citations = [
						...((block.citations as unknown[] | null) ?? []),
						citation,
					];
				for (const [name, value] of Object.entries(members))
					block[name] = name === "signature" ? value : `${block[name]}${value}`;
				if (partial_json !== undefined)
					inputs.set(index, (inputs.get(index) ?? "") + partial_json);
			}
		}
		for (const [index, json] of inputs)
			Object.assign(content[index] ?? {}, { input: JSON.parse(json) });
		return content as unknown as Anthropic.ContentBlock[];
	}

	it.each([
		[
			"whole",
			() =>
				anthropicMessagesTranslator.writeAnswer(
					answer,
					said(""),
					naming,
					() => {},
				).content as Anthropic.ContentBlock[],
		],
		["streamed", streamed],
	])(
		"goes through a client of this protocol and comes back: %s",
		(_, content) => {
			const { request, warnings } = read({
				messages: [
					{ role: "user", content: "Hi" },
					{ role: "assistant", content: content() },
				],
			});
			expect(warnings).toEqual([]);
			expect(request.messages[1]?.parts).toEqual(parts);
		},
	);

	it("is taken out of requests that pass to this protocol's own vendors", () => {
		const { content } = anthropicMessagesTranslator.writeAnswer(
			answer,
			said(""),
			naming,
			() => {},
		);
		const messages = [
			{ role: "user", content: "Hi" },
			{ role: "assistant", content },
			{
				role: "user",
				content: [{ type: "tool_result", tool_use_id: "c1", content: "ok" }],
			},
		];
		for (const operation of ["messages", "count-tokens"]) {
			const wired = anthropicMessages.read(
				operation,
				Buffer.from(JSON.stringify({ ...minimal, messages })),
			);
			if (!wired.ok) throw new Error(wired.error.message);
			const { body } = anthropicMessages.forward(wired.value, {
				model: "claude",
				outputLimit: undefined,
				quirks: {},
			});
			const sent = JSON.parse(Buffer.from(body).toString());
			expect(sent).toEqual({
				...minimal,
				model: "claude",
				messages: [
					messages[0],
					{
						role: "assistant",
						content: [
							{ type: "text", text: "Let me see." },
							expect.objectContaining({ type: "tool_use", id: "c1" }),
							expect.objectContaining({ type: "tool_use", id: "c2" }),
						],
					},
					messages[2],
				],
			});
		}
	});

	it("that only looks like it in what the user says stays as it is", () => {
		const body = Buffer.from(
			JSON.stringify({
				...minimal,
				messages: [
					{ role: "user", content: [{ type: "text", text: "dos1.abc" }] },
				],
			}),
		);
		const wired = anthropicMessages.read("messages", body);
		if (!wired.ok) throw new Error(wired.error.message);
		expect(
			anthropicMessages.forward(wired.value, {
				model: minimal.model,
				outputLimit: undefined,
				quirks: {},
			}).body,
		).toEqual(body);
	});

	it("is nothing when a client made it up", () => {
		const forged = [
			seal({ protocol: "anthropic-messages", data: { mark: 7 } }),
			seal({
				protocol: "anthropic-messages",
				data: { part: { type: "text", text: "x" } },
			}),
			"dos1.AAAA",
		];
		const { request } = read({
			messages: [
				{ role: "user", content: "Hi" },
				{
					role: "assistant",
					content: forged.map((data) => ({ type: "redacted_thinking", data })),
				},
			],
		});
		expect(request.messages[1]?.parts.map(({ type }) => type)).toEqual(
			forged.map(() => "reasoning"),
		);
	});
});
