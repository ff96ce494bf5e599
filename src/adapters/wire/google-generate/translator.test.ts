import { readFileSync } from "node:fs";
import type {
	Content,
	FunctionCallingConfigMode,
	GenerateContentConfig,
	PartMediaResolutionLevel,
	ThinkingLevel,
	ToolConfig,
	ToolUnion,
} from "@google/genai";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalRequest,
	Finish,
	MediaPart,
	Message,
	Opaque,
	ReasoningPart,
	Tool,
} from "../../../ports/canonical.ts";
import { translatorContract } from "../../../ports/translator.contract.ts";
import {
	answerEvents,
	base64,
	canonicalAnswers,
	canonicalRequests,
	conversations,
	functionTools,
	hundredths,
	inlineMedia,
	names,
	optionally,
	outputForms,
	reasoningParts,
	schemas,
	textParts,
	tokenLogprobs,
	toolCallParts,
	toolsAndChoice,
	usages,
	words,
} from "../canonical/arbitraries.testing.ts";
import { spread } from "../canonical/gather.ts";
import { seal } from "../canonical/seal.ts";
import { googleGenerate } from "./protocol.ts";
import { ours } from "./signature.ts";
import { googleGenerateTranslator } from "./translator.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
/** Streams of the vendor have CRLF; the contract puts it there itself. */
const stream = (name: string) =>
	Buffer.from(fixture(name).toString().replaceAll("\r\n", "\n"));
const events = (...responses: object[]) =>
	Buffer.from(
		responses.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""),
	);

const usageMetadata = {
	promptTokenCount: 10,
	candidatesTokenCount: 3,
	totalTokenCount: 13,
};
const answerOf = (parts: object[] | undefined, more: object = {}) => ({
	candidates: [
		{
			content: { role: "model", ...(parts && { parts }) },
			finishReason: "STOP",
			index: 0,
		},
	],
	usageMetadata,
	modelVersion: "gemini-3-flash",
	responseId: "resp-1",
	...more,
});
const twoCalls = [
	{ functionCall: { id: "a", name: "look", args: { at: "x" } } },
	{ functionCall: { name: "look", args: {} } },
];
const contents = [{ role: "user", parts: [{ text: "Hi" }] }];

const signed = base64.map((signature) => ours({ signature }));
const thoughts: fc.Arbitrary<ReasoningPart> = reasoningParts({
	opaque: signed,
}).map((part) => ({ ...part, summary: true }));
const details = fc.constantFrom("low", "high", "original" as const);
const media: fc.Arbitrary<MediaPart> = fc.oneof(
	inlineMedia("image", ["image/png", "image/webp"], { detail: details }),
	inlineMedia("document", ["application/pdf", "text/plain"]),
	inlineMedia("audio", ["audio/wav"]),
	inlineMedia("video", ["video/mp4"]),
	names.map(
		(name): MediaPart => ({
			type: "document",
			source: {
				type: "url",
				url: `https://example.com/${name}.pdf`,
				mediaType: "application/pdf",
			},
		}),
	),
	names.map(
		(name): MediaPart => ({
			type: "image",
			source: {
				type: "file",
				protocol: "google-generate",
				id: `https://generativelanguage.googleapis.com/v1beta/files/${name}`,
				mediaType: "image/png",
			},
		}),
	),
);
/** In a tool's result none has a resolution of its own. */
const withoutDetail = ({ detail: _, ...part }: MediaPart): MediaPart => part;
const messages = conversations({
	system: ["system"],
	user: fc.oneof(textParts(), media),
	reasoning: thoughts,
	assistant: textParts({ opaque: signed }),
	call: toolCallParts({ opaque: signed }),
	result: fc
		.tuple(
			fc.array(textParts(), { maxLength: 1 }),
			fc.array(media.map(withoutDetail), { maxLength: 1 }),
		)
		.map(([text, shown]) => [...text, ...shown]),
	resultError: true,
	resultName: true,
});
const tools = toolsAndChoice(
	fc.oneof(
		{
			weight: 3,
			arbitrary: functionTools({ description: words, schema: schemas }),
		},
		fc.constantFrom<Tool>(
			{ type: "web-search" },
			{
				type: "server",
				name: "codeExecution",
				opaque: ours({ codeExecution: {} }),
			},
		),
	),
	["auto", "none", "required", "tool"],
).map((each) => ({
	...each,
	// Functions stand together in one entry, the first.
	tools: [...(each.tools ?? [])].sort(
		(one, other) =>
			Number(one.type !== "function") - Number(other.type !== "function"),
	),
}));

const expressibleRequests = canonicalRequests({
	messages,
	tools,
	streamUsage: fc.constant(true),
	sometimes: {
		outputLimit: fc.nat(100_000),
		temperature: hundredths(0, 2),
		topP: hundredths(0, 1),
		topK: fc.nat(100),
		seed: fc.nat(),
		frequencyPenalty: hundredths(-2, 1),
		presencePenalty: hundredths(-2, 1),
		stop: fc.array(words, { minLength: 1, maxLength: 5 }),
		choices: fc.integer({ min: 2, max: 8 }),
		logprobs: fc.record(
			{ alternatives: fc.nat(20) },
			{ noNullPrototype: true },
		),
		output: outputForms.map((form) => {
			if (form.type !== "json-schema") return form;
			const { name, ...rest } = form;
			return rest;
		}),
		reasoning: fc.oneof(
			optionally(
				{
					effort: fc.constantFrom("minimal", "low", "medium", "high" as const),
				},
				{ show: fc.constantFrom("none", "auto" as const) },
			),
			optionally(
				{ budget: fc.nat(30_000) },
				{ show: fc.constantFrom("none", "auto" as const) },
			),
			fc.constant({ adaptive: true } as const),
		),
		modalities: fc.constantFrom(["text"], ["audio"], [
			"text",
			"image",
		] as const),
		voice: names.map((name) => ({ name, format: "pcm16" })),
		serviceTier: fc.constantFrom("standard", "flex", "priority" as const),
	} as Parameters<typeof canonicalRequests>[0] extends
		| { sometimes?: infer S }
		| undefined
		? NonNullable<S>
		: never,
});

const expressibleAnswers = canonicalAnswers({
	reasoning: thoughts,
	text: textParts(),
	call: toolCallParts({ opaque: signed }),
	mostChoices: 2,
	logprobs: tokenLogprobs.map(({ token, logprob }) => ({
		token,
		logprob,
		top: [{ token, logprob }],
	})),
	finish: fc.constantFrom<Finish>(
		{ reason: "stop" },
		{ reason: "length" },
		{ reason: "content-filter" },
		{ reason: "error" },
	),
	usage: usages([
		"input",
		"input-audio",
		"input-image",
		"cache-read",
		"cache-read-audio",
		"output",
		"output-audio",
		"output-image",
		"reasoning",
	]),
	serviceTier: fc.constantFrom("standard", "flex"),
});

const asking: Partial<CanonicalRequest> = { reasoning: { show: "auto" } };

translatorContract("google-generate", () => ({
	translator: googleGenerateTranslator,
	wire: googleGenerate,
	samples: {
		operation: "generate-content",
		request: { contents },
		streaming: {
			operation: "stream-generate-content",
			request: { contents },
		},
		target: (model) => ({
			parameters: { model },
			query: "alt=sse",
			header: () => undefined,
		}),
		unanswered: {
			contents: [...contents, { role: "model", parts: twoCalls }],
		},
		answers: {
			text: answerOf([{ text: "Hello" }]),
			tools: answerOf(twoCalls),
			empty: answerOf(undefined),
		},
		streams: {
			text: stream("text-stream.txt"),
			tools: stream("thinking-stream.txt"),
			reasoning: stream("thinking-stream.txt"),
			empty: events(answerOf(undefined)),
			error: stream("error-stream.txt"),
		},
		unknownEvents: [
			'data: {"somethingNew":{"text":"no"}}\n\n',
			"event: ping\ndata: {}\n\n",
			"data: [DONE]\n\n",
			"data: no JSON\n\n",
		],
		framing: "sse",
		errors: [
			{
				status: 429,
				body: {
					error: {
						code: 429,
						message: "Quota exceeded.",
						status: "RESOURCE_EXHAUSTED",
					},
				},
				message: "Quota exceeded.",
				code: "RESOURCE_EXHAUSTED",
			},
			{
				status: 400,
				body: [{ error: { code: 400, message: "In an array." } }],
				message: "In an array.",
			},
			{ status: 502, body: "<html>", message: "The vendor answered with 502." },
		],
		expressible: {
			requests: expressibleRequests,
			answers: expressibleAnswers,
			events: answerEvents(expressibleAnswers),
			asking,
		},
	},
}));

function wired(body: object, streams = false, query = "alt=sse") {
	const outcome = googleGenerate.read(
		streams ? "stream-generate-content" : "generate-content",
		Buffer.from(JSON.stringify(body)),
		{ parameters: { model: "asked" }, query, header: () => undefined },
	);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function reading(body: object) {
	const warnings: string[] = [];
	const outcome = googleGenerateTranslator.readRequest(
		wired(body),
		({ kind, field }) => warnings.push(`${kind} ${field}`),
	);
	return { outcome, warnings };
}

function read(body: object): CanonicalRequest {
	const { outcome } = reading(body);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function writing(
	request: Partial<CanonicalRequest>,
	model = "gemini-3-flash",
	quirks: object = {},
) {
	const warnings: string[] = [];
	const outcome = googleGenerateTranslator.writeRequest(
		{
			model: "asked",
			messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
			stream: false,
			streamUsage: true,
			...request,
		},
		{ model, outputLimit: undefined, quirks },
		({ kind, field }) => warnings.push(`${kind} ${field}`),
	);
	return {
		warnings,
		error: outcome.ok ? undefined : outcome.error,
		body: (outcome.ok ? outcome.value.body : {}) as Record<string, unknown>,
		path: outcome.ok ? outcome.value.path : "",
	};
}

const said = (...parts: AnswerPart[]): Message => ({
	role: "assistant",
	parts,
});
const other = (data: unknown): Opaque => ({ protocol: "other-wire", data });
const naming = { call: "call-1", model: "asked", time: 0 };

function streamed(
	events: readonly AnswerEvent[],
	asked: Partial<CanonicalRequest> = {},
	query = "alt=sse",
) {
	const request = { ...read({ contents }), ...asked, stream: true };
	const writer = googleGenerateTranslator.openWriter(
		request,
		naming,
		wired({ contents }, true, query),
	);
	const bytes = [writer.push(events), writer.end()].flatMap(
		(each) => each ?? [],
	);
	return { writer, text: Buffer.concat(bytes).toString() };
}

/** The parts of all pieces of a stream. */
function partsOf(text: string): Record<string, unknown>[] {
	return [...text.matchAll(/^data: (.*)$/gm)].flatMap(([, json = ""]) =>
		JSON.parse(json).candidates.flatMap(
			(each: { content: { parts: object[] } }) => each.content.parts,
		),
	);
}

describe("a request to Google", () => {
	it("is what the vendor's own types allow", () => {
		const { body, warnings, path } = writing(
			{
				stream: true,
				messages: [
					{ role: "system", parts: [{ type: "text", text: "Be brief." }] },
					{
						role: "user",
						parts: [
							{ type: "text", text: "Look." },
							{
								type: "image",
								source: {
									type: "base64",
									mediaType: "image/png",
									data: "QUJD",
								},
								detail: "low",
							},
						],
					},
					said({
						type: "tool-call",
						id: "a",
						name: "look",
						arguments: '{"at":1}',
					}),
					{
						role: "tool",
						parts: [
							{
								type: "tool-result",
								call: "a",
								parts: [{ type: "text", text: "A cat." }],
							},
						],
					},
				],
				tools: [
					{
						type: "function",
						name: "look",
						schema: { type: "object" },
						strict: true,
					},
					{ type: "web-search" },
				],
				output: { type: "json-schema", schema: { type: "object" } },
				reasoning: { effort: "low", show: "auto" },
				voice: { name: "Kore", format: "pcm16" },
				serviceTier: "flex",
			},
			"gemini-3-pro",
		);
		const expected = {
			systemInstruction: { parts: [{ text: "Be brief." }] },
			contents: [
				{
					role: "user",
					parts: [
						{ text: "Look." },
						{
							inlineData: { mimeType: "image/png", data: "QUJD" },
							mediaResolution: {
								level: "MEDIA_RESOLUTION_LOW" as PartMediaResolutionLevel,
							},
						},
					],
				},
				{
					role: "model",
					parts: [
						{
							functionCall: { id: "a", name: "look", args: { at: 1 } },
							thoughtSignature: "skip_thought_signature_validator",
						},
					],
				},
				{
					role: "user",
					parts: [
						{
							functionResponse: {
								id: "a",
								name: "look",
								response: { output: "A cat." },
							},
						},
					],
				},
			] satisfies Content[],
			tools: [
				{
					functionDeclarations: [
						{ name: "look", parametersJsonSchema: { type: "object" } },
					],
				},
				{ googleSearch: {} },
			] satisfies ToolUnion[],
			toolConfig: {
				functionCallingConfig: {
					mode: "VALIDATED" as FunctionCallingConfigMode,
				},
				includeServerSideToolInvocations: true,
			} satisfies ToolConfig,
			generationConfig: {
				responseMimeType: "application/json",
				responseJsonSchema: { type: "object" },
				thinkingConfig: {
					thinkingLevel: "LOW" as ThinkingLevel,
					includeThoughts: true,
				},
				speechConfig: {
					voiceConfig: { prebuiltVoiceConfig: { voiceName: "Kore" } },
				},
			} satisfies GenerateContentConfig,
			serviceTier: "flex",
		};
		expect(body).toEqual(expected);
		expect(warnings).toEqual([]);
		expect(path).toBe("/models/gemini-3-pro:streamGenerateContent?alt=sse");
	});

	it("signs the first call of each step, in place of a vendor that did not, for models that demand it", () => {
		const call = (id: string, opaque?: Opaque): AnswerPart => ({
			type: "tool-call",
			id,
			name: "f",
			arguments: "{}",
			...(opaque && { opaque }),
		});
		const messages = [
			said(call("a"), call("b")),
			said(call("c", ours({ signature: "c2ln" }))),
			said(call("d", other("x"))),
		];
		const signatures = (model: string) =>
			(writing({ messages }, model).body.contents as { parts: object[] }[])
				.flatMap(({ parts }) => parts as { thoughtSignature?: string }[])
				.map(({ thoughtSignature }) => thoughtSignature);
		const skip = "skip_thought_signature_validator";
		expect(signatures("gemini-3-flash")).toEqual([
			skip,
			undefined,
			"c2ln",
			skip,
		]);
		expect(signatures("gemini-2.5-flash")).toEqual([
			undefined,
			undefined,
			"c2ln",
			undefined,
		]);
		expect(writing({ messages }).warnings).toEqual([
			"dropped messages.2.parts.0.opaque",
		]);
	});

	it.each<[string, object, string[], unknown]>([
		[
			"gemini-3-flash",
			{ effort: "none" },
			["changed reasoning.effort"],
			{ thinkingLevel: "MINIMAL" },
		],
		["gemini-3-flash", { effort: "minimal" }, [], { thinkingLevel: "MINIMAL" }],
		[
			"gemini-3.1-pro",
			{ effort: "minimal" },
			["changed reasoning.effort"],
			{ thinkingLevel: "LOW" },
		],
		[
			"gemini-3-pro",
			{ effort: "max" },
			["changed reasoning.effort"],
			{ thinkingLevel: "HIGH" },
		],
		[
			"gemini-3-pro",
			{ budget: 0 },
			["changed reasoning.budget"],
			{ thinkingLevel: "LOW" },
		],
		["gemini-2.5-flash", { effort: "none" }, [], { thinkingBudget: 0 }],
		[
			"gemini-2.5-pro",
			{ effort: "none" },
			["changed reasoning.effort"],
			{ thinkingBudget: 128 },
		],
		[
			"gemini-2.5-pro",
			{ effort: "medium", show: "none" },
			[],
			{ thinkingBudget: 8192, includeThoughts: false },
		],
		[
			"gemini-2.5-flash",
			{ adaptive: true, show: "detailed" },
			[],
			{ thinkingBudget: -1, includeThoughts: true },
		],
		["gemini-2.0-flash", { effort: "low" }, ["dropped reasoning"], undefined],
		["gemma-3-27b-it", { effort: "none" }, [], undefined],
	])(
		"asks %s to think as it can: %o",
		(model, reasoning, warnings, expected) => {
			const written = writing({ reasoning }, model);
			expect(written.warnings).toEqual(warnings);
			expect(
				(
					written.body.generationConfig as
						| { thinkingConfig?: object }
						| undefined
				)?.thinkingConfig,
			).toEqual(expected);
		},
	);

	it("joins the results of a step, with media where the model takes them", () => {
		const image: MediaPart = {
			type: "image",
			source: { type: "base64", mediaType: "image/png", data: "QUJD" },
		};
		const messages: Message[] = [
			said(
				{ type: "tool-call", id: "a", name: "f", arguments: "not JSON" },
				{ type: "tool-call", id: "b", name: "g", arguments: "" },
			),
			{
				role: "tool",
				parts: [{ type: "tool-result", call: "a", parts: [image] }],
			},
			{
				role: "tool",
				parts: [
					{
						type: "tool-result",
						call: "b",
						error: true,
						parts: [
							{ type: "text", text: "It" },
							{ type: "text", text: "failed." },
						],
					},
				],
			},
		];
		const inlineData = { mimeType: "image/png", data: "QUJD" };
		const response = (id: string, name: string, rest: object) => ({
			functionResponse: { id, name, ...rest },
		});
		const failed = response("b", "g", { response: { error: "It\nfailed." } });
		const newer = writing({ messages });
		expect(newer.body.contents).toMatchObject([
			{
				parts: [
					{ functionCall: { args: { arguments: "not JSON" } } },
					{ functionCall: { args: {} } },
				],
			},
			{
				parts: [
					response("a", "f", {
						response: { output: "" },
						parts: [{ inlineData }],
					}),
					failed,
				],
			},
		]);
		expect(newer.warnings).toEqual(["changed messages.0.parts.0.arguments"]);
		const older = writing({ messages }, "gemini-2.5-pro");
		expect((older.body.contents as object[])[1]).toMatchObject({
			parts: [
				response("a", "f", { response: { output: "" } }),
				failed,
				{ inlineData },
			],
		});
		expect(older.warnings).toContain("changed messages.1.parts.0.parts.0");
	});

	it("takes schemas in the vendor's own subset where the row says so", () => {
		const schema = {
			type: "object",
			properties: { a: { type: ["string", "null"] } },
		};
		const { body } = writing(
			{
				tools: [{ type: "function", name: "f", schema }],
				output: { type: "json-schema", schema },
			},
			"m",
			{ schemaSubset: true },
		);
		const subset = {
			type: "OBJECT",
			properties: { a: { type: "STRING", nullable: true } },
		};
		expect(body).toMatchObject({
			tools: [{ functionDeclarations: [{ name: "f", parameters: subset }] }],
			generationConfig: { responseSchema: subset },
		});
	});

	it.each<[string, Partial<CanonicalRequest>]>([
		["tools.0", { tools: [{ type: "custom", name: "c" }] }],
		[
			"tools.0",
			{ tools: [{ type: "server", name: "shell", opaque: other({}) }] },
		],
		["voice.format", { voice: { name: "Kore", format: "mp3" } }],
		[
			"messages.0.parts.0.source",
			{
				messages: [
					{
						role: "user",
						parts: [
							{
								type: "document",
								source: { type: "file", protocol: "other-wire", id: "file-1" },
							},
						],
					},
				],
			},
		],
		[
			"messages.0.parts.0.call",
			{
				messages: [
					{
						role: "tool",
						parts: [{ type: "tool-result", call: "x", parts: [] }],
					},
				],
			},
		],
	])("refuses what it cannot say: %s", (field, request) => {
		expect(writing(request).error).toMatchObject({
			code: "translate/unsupported",
			details: { field },
		});
	});

	it("warns of what only steers", () => {
		const { warnings, body } = writing({
			messages: [
				{
					role: "user",
					name: "Ann",
					parts: [{ type: "text", text: "Hi", cache: {} }],
				},
				{ role: "system", parts: [{ type: "text", text: "Later." }] },
				said(
					{ type: "refusal", text: "No." },
					{ type: "server-tool", tool: "web-search", id: "s", query: "q" },
				),
			],
			tools: [
				{ type: "function", name: "f" },
				{ type: "web-search", mostUses: 1, allowedDomains: ["example.com"] },
			],
			parallelToolCalls: false,
			user: "u",
			metadata: { a: "b" },
			verbosity: "low",
			cacheKey: "k",
			serviceTier: "batch",
		});
		expect(warnings.sort()).toEqual([
			"changed messages.1",
			"dropped cacheKey",
			"dropped messages.0.name",
			"dropped messages.0.parts.0.cache",
			"dropped messages.2.parts.1",
			"dropped metadata",
			"dropped parallelToolCalls",
			"dropped serviceTier",
			"dropped tools.1.allowedDomains",
			"dropped tools.1.mostUses",
			"dropped user",
			"dropped verbosity",
		]);
		expect(body.contents).toEqual([
			{ role: "user", parts: [{ text: "Hi" }] },
			{ role: "user", parts: [{ text: "Later." }] },
			{ role: "model", parts: [{ text: "No." }] },
		]);
	});
});

describe("a client's request", () => {
	it("may be spelled as protocol buffers are, and be lenient about lists", () => {
		expect(
			read({
				system_instruction: { parts: { text: "Be brief." } },
				contents: {
					parts: [
						{ inline_data: { mime_type: "image/png", data: "-_8" } },
						{ text: "What?" },
					],
				},
				generation_config: {
					top_p: 0.5,
					response_mime_type: "application/json",
				},
				tools: [
					{
						function_declarations: [
							{ name: "f", parameters: { type: "OBJECT" } },
						],
					},
				],
				tool_config: {
					function_calling_config: {
						mode: "ANY",
						allowed_function_names: ["f"],
					},
				},
			}),
		).toEqual({
			model: "asked",
			messages: [
				{ role: "system", parts: [{ type: "text", text: "Be brief." }] },
				{
					role: "user",
					parts: [
						{
							type: "image",
							source: { type: "base64", mediaType: "image/png", data: "+/8=" },
						},
						{ type: "text", text: "What?" },
					],
				},
			],
			tools: [{ type: "function", name: "f", schema: { type: "object" } }],
			toolChoice: { mode: "tool", name: "f" },
			topP: 0.5,
			output: { type: "json" },
			stream: false,
			streamUsage: true,
		});
		expect(
			reading({ contents: [{ parts: [{ inlineData: {}, inline_data: {} }] }] })
				.outcome,
		).toMatchObject({
			error: { details: { field: "contents.0.parts.0.inlineData" } },
		});
	});

	it("finds the call that a response answers, by its id or by its name", () => {
		const { messages } = read({
			contents: [
				...contents,
				{
					role: "model",
					parts: [
						{ functionCall: { name: "f", args: { n: 1 } } },
						{ functionCall: { name: "g", id: "own" } },
						{ functionCall: { name: "f", args: { n: 2 } } },
					],
				},
				{
					role: "function",
					parts: [
						{ functionResponse: { name: "f", response: { output: "one" } } },
						{
							functionResponse: {
								name: "g",
								id: "own",
								response: { error: { why: 1 } },
							},
						},
						{ functionResponse: { name: "f", response: { any: "thing" } } },
						{ text: "Go on." },
					],
				},
			],
		});
		expect(messages.slice(1)).toMatchObject([
			{
				parts: [
					{ id: "call_1_0", arguments: '{"n":1}' },
					{ id: "own", arguments: "{}" },
					{ id: "call_1_2" },
				],
			},
			{
				role: "tool",
				parts: [
					{ call: "call_1_0", name: "f", parts: [{ text: "one" }] },
					{ call: "own", error: true, parts: [{ text: '{"why":1}' }] },
					{ call: "call_1_2", parts: [{ text: '{"any":"thing"}' }] },
				],
			},
			{ role: "user", parts: [{ text: "Go on." }] },
		]);
		expect(
			reading({
				contents: [
					{ parts: [{ functionResponse: { name: "f", response: {} } }] },
				],
			}).outcome,
		).toMatchObject({
			error: {
				code: "request/invalid",
				details: { field: "contents.0.parts.0.functionResponse.name" },
			},
		});
	});

	it.each<[string, string, object]>([
		[
			"cachedContent",
			"translate/unsupported",
			{ cachedContent: "cachedContents/x" },
		],
		[
			"generationConfig.responseMimeType",
			"translate/unsupported",
			{ generationConfig: { responseMimeType: "text/x.enum" } },
		],
		[
			"generationConfig.responseModalities.0",
			"translate/unsupported",
			{ generationConfig: { responseModalities: ["VIDEO"] } },
		],
		[
			"generationConfig.speechConfig.multiSpeakerVoiceConfig",
			"translate/unsupported",
			{ generationConfig: { speechConfig: { multiSpeakerVoiceConfig: {} } } },
		],
		[
			"generationConfig.thinkingConfig.thinkingLevel",
			"request/invalid",
			{ generationConfig: { thinkingConfig: { thinkingLevel: "HUGE" } } },
		],
		[
			"toolConfig.functionCallingConfig.mode",
			"request/invalid",
			{ toolConfig: { functionCallingConfig: { mode: "SOME" } } },
		],
		[
			"contents.0.role",
			"request/invalid",
			{ contents: [{ role: "nobody", parts: [] }] },
		],
		[
			"contents.0.parts.0.text",
			"request/invalid",
			{ contents: [{ parts: [{}] }] },
		],
	])("is refused at %s", (field, code, more) => {
		expect(reading({ contents, ...more }).outcome).toMatchObject({
			error: { code, details: { field } },
		});
	});

	it("is warned of what has no meaning elsewhere", () => {
		const { warnings, outcome } = reading({
			contents: [
				{
					parts: [
						{
							fileData: { fileUri: "https://youtu.be/x" },
							videoMetadata: { fps: 1 },
						},
					],
				},
			],
			safetySettings: [],
			labels: { team: "a" },
			generationConfig: { mediaResolution: "MEDIA_RESOLUTION_MEDIUM" },
			tools: [
				{ googleSearch: { timeRangeFilter: {}, excludeDomains: ["a.com"] } },
			],
		});
		expect(warnings.sort()).toEqual([
			"dropped contents.0.parts.0.videoMetadata",
			"dropped generationConfig.mediaResolution",
			"dropped safetySettings",
			"dropped tools.0.googleSearch.timeRangeFilter",
		]);
		expect(outcome).toMatchObject({
			value: {
				messages: [{ parts: [{ type: "video" }] }],
				metadata: { team: "a" },
				tools: [{ type: "web-search", blockedDomains: ["a.com"] }],
			},
		});
	});
});

describe("what other vendors keep to themselves", () => {
	const thought: AnswerPart = {
		type: "reasoning",
		text: "Hm.",
		opaque: other({ encrypted: "x" }),
	};
	const search: AnswerPart = {
		type: "server-tool",
		tool: "other",
		id: "s1",
		opaque: other({ items: [1] }),
	};
	const call: AnswerPart = {
		type: "tool-call",
		id: "a",
		name: "f",
		arguments: "{}",
		opaque: other("mark"),
	};
	const text: AnswerPart = { type: "text", text: "So.", opaque: other("m2") };
	const answers: [string, AnswerPart[]][] = [
		["before a call", [thought, search, call]],
		[
			"before text",
			[{ type: "reasoning", text: "First." }, thought, text, call],
		],
		["at the end", [call, thought]],
		["alone", [search]],
	];
	const back = (parts: readonly object[]) => {
		const [, message] = read({
			contents: [...contents, { role: "model", parts }],
		}).messages;
		return message?.parts;
	};

	it.each(answers)("comes back with the client's next turn: %s", (_, parts) => {
		for (const show of ["auto", undefined] as const) {
			const request = {
				...read({ contents }),
				...(show && { reasoning: { show } }),
			};
			const answer = {
				choices: [{ parts, finish: { reason: "stop" as const } }],
			};
			const body = googleGenerateTranslator.writeAnswer(
				answer,
				request,
				naming,
				() => {},
			);
			const [candidate] = body.candidates as { content: { parts: object[] } }[];
			expect(back(candidate?.content.parts ?? [])).toEqual(parts);
			// Some clients leave out thoughts.
			const kept = (candidate?.content.parts ?? []).filter(
				(part) => !("thought" in part),
			);
			expect(back(kept)).toEqual(parts);
			for (const part of kept as { thoughtSignature?: string }[])
				expect(part.thoughtSignature ?? "").toMatch(/^[A-Za-z0-9+/]*=*$/);
		}
	});

	it.each(answers)("and out of a stream: %s", (_, parts) => {
		const events = spread({
			choices: [{ parts, finish: { reason: "stop" } }],
		});
		const pieces = partsOf(streamed(events).text).filter(
			(part) => part.text !== "" || part.thoughtSignature !== undefined,
		);
		expect(back(pieces)).toEqual(parts);
	});

	it("is not believed when it was altered", () => {
		const forged = (data: object) =>
			Buffer.from(seal(ours(data)) ?? "").toString("base64");
		for (const thoughtSignature of [
			`${forged({ before: [thought] }).slice(0, -9)}AAAA`,
			forged({ before: [{ type: "text", text: "I said so." }, 7, null] }),
			forged({ before: "x", mark: { protocol: 7 } }),
			"dos1.%%",
			"context_engineering_is_the_way_to_go",
		])
			expect(back([{ text: "Hi", thoughtSignature }])).toEqual([
				{ type: "text", text: "Hi" },
			]);
	});
});

describe("an answer", () => {
	const readAnswer = (body: unknown) => {
		const outcome = googleGenerateTranslator.readAnswer(body);
		if (!outcome.ok) throw new Error(outcome.error.message);
		return outcome.value;
	};

	it("has its searches, and its sources where they stand in the text", () => {
		const { choices, usage } = readAnswer(
			JSON.parse(fixture("grounded.json").toString()),
		);
		const [text, ...searches] = choices[0]?.parts ?? [];
		if (text?.type !== "text") throw new Error("no text");
		expect(
			text.citations?.map(({ url, start, end }) => [
				url,
				text.text.slice(start, end),
			]),
		).toEqual([
			[
				"https://example.com/final",
				"Spain won Euro 2024, defeating England 2-1 in the final.",
			],
			[
				"https://example.org/euro",
				"Spain won Euro 2024, defeating England 2-1 in the final.",
			],
			["https://example.org/euro", "Ésta fue su cuarta victoria."],
		]);
		expect(searches).toMatchObject([
			{
				type: "server-tool",
				tool: "web-search",
				query: "UEFA Euro 2024 winner",
			},
			{
				query: "who won euro 2024",
				results: [
					{ url: "https://example.com/final", title: "example.com" },
					{ url: "https://example.org/euro", title: "example.org" },
				],
			},
		]);
		expect(usage?.search).toBe(2);
	});

	it("gives its sources and searches to a client, whole and as a stream", () => {
		const answer = readAnswer(JSON.parse(fixture("grounded.json").toString()));
		const request: CanonicalRequest = {
			...read({ contents }),
			tools: [{ type: "web-search" }],
		};
		const given = JSON.parse(fixture("grounded.json").toString()).candidates[0]
			.groundingMetadata;
		const expected = {
			webSearchQueries: given.webSearchQueries,
			groundingChunks: given.groundingChunks,
			groundingSupports: [
				{
					segment: given.groundingSupports[0].segment,
					groundingChunkIndices: [0],
				},
				{
					segment: given.groundingSupports[0].segment,
					groundingChunkIndices: [1],
				},
				given.groundingSupports[1],
			],
		};
		const body = googleGenerateTranslator.writeAnswer(
			answer,
			request,
			naming,
			() => {},
		);
		expect(body).toMatchObject({
			candidates: [{ groundingMetadata: expected }],
		});
		const { text } = streamed(spread(answer), request);
		const last = text.trimEnd().split("data: ").at(-1) ?? "";
		expect(JSON.parse(last)).toMatchObject({
			candidates: [{ finishReason: "STOP", groundingMetadata: expected }],
		});
	});

	it("keeps what the vendor ran for the next turn", () => {
		const ran = [
			{ executableCode: { language: "PYTHON", code: "print(1)" } },
			{ codeExecutionResult: { outcome: "OUTCOME_OK", output: "1\n" } },
		];
		const { choices } = readAnswer(answerOf([...ran, { text: "One." }]));
		const [tool, text] = choices[0]?.parts ?? [];
		expect(tool).toMatchObject({ type: "server-tool", tool: "other" });
		expect(text).toMatchObject({ type: "text", text: "One." });
		const { body, warnings } = writing({
			messages: [said(tool as AnswerPart, text as AnswerPart)],
		});
		expect(body.contents).toEqual([
			{ role: "model", parts: [...ran, { text: "One." }] },
		]);
		expect(warnings).toEqual([]);
		expect(
			read({ contents: [...contents, { role: "model", parts: ran }] })
				.messages[1]?.parts,
		).toMatchObject([
			{ type: "server-tool", opaque: { data: { parts: ran } } },
		]);
	});

	it("keeps signed text apart, and gives calls without an id one of their own", () => {
		const { choices } = readAnswer(
			answerOf([
				{ text: "a" },
				{ text: "b", thoughtSignature: "c2ln" },
				{ text: "", thoughtSignature: "c2kk" },
				...twoCalls,
			]),
		);
		expect(choices[0]?.parts).toMatchObject([
			{ text: "a" },
			{ text: "b", opaque: ours({ signature: "c2ln" }) },
			{ text: "", opaque: ours({ signature: "c2kk" }) },
			{ id: "a" },
			{ id: "call_resp1_0_1", arguments: "{}" },
		]);
	});

	it.each([
		["MAX_TOKENS", "length"],
		["CONTINUATION", "length"],
		["RECITATION", "content-filter"],
		["IMAGE_SAFETY", "content-filter"],
		["MALFORMED_FUNCTION_CALL", "error"],
		["SOMETHING_NEW", "stop"],
	])("that ended with %s ended for %s", (finishReason, reason) => {
		const body = { candidates: [{ content: {}, finishReason }] };
		expect(readAnswer(body).choices[0]?.finish).toEqual({ reason });
	});

	it("to a prompt that was blocked is one that a filter ended", () => {
		const [, json = ""] = fixture("blocked-stream.txt")
			.toString()
			.split("data: ");
		expect(readAnswer(JSON.parse(json))).toMatchObject({
			choices: [{ parts: [], finish: { reason: "content-filter" } }],
			usage: { input: 11 },
		});
	});

	it("with arguments that are no object ends as the vendor's own would", () => {
		const broken = spread({
			choices: [
				{
					parts: [
						{ type: "tool-call", id: "a", name: "f", arguments: '{"cut' },
					],
					finish: { reason: "tool-calls" },
				},
			],
		});
		const { text } = streamed(broken);
		expect(text).toContain('"finishReason":"MALFORMED_FUNCTION_CALL"');
		expect(text).not.toContain("functionCall");
	});

	it("shows thoughts to clients that asked for them, and to no others", () => {
		const events = spread({
			choices: [
				{
					parts: [
						{ type: "reasoning", text: "Hm." },
						{ type: "text", text: "Yes." },
					],
					finish: { reason: "stop" },
				},
			],
		});
		const texts = (asked: Partial<CanonicalRequest>) =>
			partsOf(streamed(events, asked).text).map(({ text }) => text);
		expect(texts({ reasoning: { show: "auto" } })).toEqual(["Hm.", "Yes.", ""]);
		expect(texts({ reasoning: { show: "none" } })).toEqual(["Yes.", ""]);
		expect(texts({})).toEqual(["Yes.", ""]);
	});

	it("is one array for a client that did not ask for events, and ends in a refusal where it broke off", () => {
		const answer = readAnswer(answerOf([{ text: "Hi" }, ...twoCalls]));
		const { writer, text } = streamed(spread(answer), {}, "");
		expect(writer.contentType).toBe("application/json");
		expect(
			JSON.parse(text).flatMap(
				(each: { candidates: [{ content: { parts: object[] } }] }) =>
					each.candidates[0].content.parts,
			),
		).toMatchObject([
			{ text: "Hi" },
			{ functionCall: {} },
			{ functionCall: {} },
			{ text: "" },
		]);
		const broken = googleGenerateTranslator.openWriter(
			read({ contents }),
			naming,
			wired({ contents }, true, ""),
		);
		const first = broken.push(spread(answer).slice(0, 3));
		const last = broken.refuse?.({ code: "vendor/error", message: "Gone." });
		expect(
			JSON.parse(`${Buffer.from(first ?? [])}${Buffer.from(last ?? [])}`),
		).toMatchObject([{ candidates: [{}] }, { error: { message: "Gone." } }]);
	});
});

describe("embeddings", () => {
	const { embeddings } = googleGenerateTranslator;
	const asked = (operation: string, body: object) => {
		const wire = googleGenerate.read(
			operation,
			Buffer.from(JSON.stringify(body)),
			{
				parameters: { model: "asked" },
				query: "",
				header: () => undefined,
			},
		);
		if (!wire.ok) throw new Error(wire.error.message);
		return embeddings?.readRequest(wire.value, () => {});
	};
	const content = { parts: [{ text: "Hi" }] };

	it("are read, one or many, and written as they were", () => {
		const many = {
			requests: ["a", "b"].map((text) => ({
				model: "models/asked",
				content: { parts: [{ text }] },
				taskType: "RETRIEVAL_DOCUMENT",
				title: "T",
				outputDimensionality: 64,
			})),
		};
		const single = { model: "models/asked", content };
		for (const [operation, body, path] of [
			["batch-embed-contents", many, "/models/asked:batchEmbedContents"],
			["embed-content", single, "/models/asked:embedContent"],
		] as const) {
			const request = asked(operation, body);
			if (!request?.ok) throw new Error("refused");
			expect(request.value.single).toBe(operation === "embed-content");
			expect(
				embeddings?.writeRequest(
					request.value,
					{ model: "asked", outputLimit: undefined, quirks: {} },
					() => {},
				),
			).toEqual({ ok: true, value: { path, body } });
		}
	});

	it("that other vendors cannot make are refused", () => {
		for (const [body, field] of [
			[
				{
					requests: [
						{ content, taskType: "A" },
						{ content, taskType: "B" },
					],
				},
				"requests.1.taskType",
			],
			[
				{ requests: [{ content: { parts: [{ inlineData: {} }] } }] },
				"requests.0.content.parts.0.text",
			],
		] as const)
			expect(asked("batch-embed-contents", body)).toMatchObject({
				error: { code: "translate/unsupported", details: { field } },
			});
		expect(
			embeddings?.writeRequest(
				{ model: "m", inputs: [[1, 2]], single: true, encoding: "float" },
				{ model: "m", outputLimit: undefined, quirks: {} },
				() => {},
			),
		).toMatchObject({ error: { details: { field: "inputs.0" } } });
	});

	it("come as vectors in order, with their usage; anything else is refused", () => {
		expect(
			embeddings?.readAnswer(JSON.parse(fixture("embeddings.json").toString())),
		).toEqual({
			ok: true,
			value: {
				vectors: [
					[0.013, -0.021, 0.5],
					[-0.25, 0.125, 1e-5],
				],
				usage: { input: 9 },
			},
		});
		fc.assert(
			fc.property(fc.jsonValue(), (body) => {
				const outcome = embeddings?.readAnswer(body);
				if (outcome && !outcome.ok)
					expect(outcome.error.code).toBe("vendor/garbled");
			}),
		);
		expect(embeddings?.readAnswer({ embeddings: [{ values: ["x"] }] }).ok).toBe(
			false,
		);
	});
});
