import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	CanonicalRequest,
	MediaPart,
	Message,
} from "../../../ports/canonical.ts";
import { translatorContract } from "../../../ports/translator.contract.ts";
import type { Json, Warning } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import { spoken } from "../all.ts";
import {
	canonicalRequests,
	conversations,
	functionTools,
	toolsAndChoice,
} from "../canonical/arbitraries.testing.ts";
import { gathered } from "../canonical/gather.ts";
import { openCrossings } from "../crossing.ts";
import { answers, framesOf, pack, packed, streams } from "./pack.testing.ts";
import { bedrockConverse } from "./protocol.ts";
import { bedrockConverseTranslator } from "./translator.ts";

const stream = (name: keyof typeof streams) => packed(streams[name]);
const claude = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
const newest = "global.anthropic.claude-opus-4-7-v1:0";
const nova = "amazon.nova-2-lite-v1:0";
const gpt = "openai.gpt-oss-120b-1:0";
const llama = "meta.llama3-3-70b-instruct-v1:0";

const asked: CanonicalRequest = {
	model: "asked-model",
	messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
	stream: false,
	streamUsage: true,
};

translatorContract("Converse", () => ({
	translator: bedrockConverseTranslator,
	wire: bedrockConverse,
	samples: {
		operation: "converse",
		request: {},
		unanswered: {},
		answers,
		streams: {
			text: stream("text"),
			tools: stream("tools"),
			reasoning: stream("reasoning"),
			empty: stream("empty"),
			error: stream("error"),
		},
		unknownEvents: [
			pack(["somethingNew", { text: "no" }]).toString("latin1"),
			pack([
				"contentBlockDelta",
				{ contentBlockIndex: 0, delta: { new: 1 } },
			]).toString("latin1"),
			pack(["contentBlockDelta", "no json"]).toString("latin1"),
		],
		framing: "other",
		framesOf,
		errors: [
			{
				status: 400,
				body: { message: "The model is not supported." },
				message: "The model is not supported.",
			},
			{
				status: 403,
				body: { Message: "Forbidden", __type: "com.amazon#AccessDenied" },
				message: "Forbidden",
				code: "AccessDenied",
			},
			{ status: 502, body: "gone", message: "The vendor answered with 502." },
		],
		expressible: {
			requests: fc.constant(asked),
			answers: fc.constant({ choices: [] }),
			events: fc.constant({ answer: { choices: [] }, events: [] }),
		},
		vendorOnly: asked,
	},
}));

function write(
	request: Partial<CanonicalRequest>,
	model = claude,
	{ quirks = {}, outputLimit }: { quirks?: Quirks; outputLimit?: number } = {},
) {
	const warnings: Warning[] = [];
	const outcome = bedrockConverseTranslator.writeRequest(
		{ ...asked, ...request },
		{ model, outputLimit, quirks },
		(warning) => warnings.push(warning),
	);
	return {
		outcome,
		warned: warnings.map(({ kind, field }) => `${kind} ${field}`),
		get body(): Json {
			if (!outcome.ok) throw new Error(outcome.error.message);
			return outcome.value.body;
		},
		get path() {
			return outcome.ok ? outcome.value.path : undefined;
		},
		get refused() {
			return outcome.ok ? undefined : outcome.error;
		},
	};
}
const user = (...parts: readonly MediaPart[]): Message => ({
	role: "user",
	parts: [{ type: "text", text: "Look:" }, ...parts],
});
const weather = {
	type: "function",
	name: "weather",
	description: "The weather.",
	schema: { type: "object", properties: { city: { type: "string" } } },
} as const;

describe("a request", () => {
	it("is addressed by its model, whose id is encoded", () => {
		expect(write({}).path).toBe(
			"/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
		);
		const profile =
			"arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc/d";
		expect(write({ stream: true }, profile).path).toBe(
			"/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Aapplication-inference-profile%2Fabc%2Fd/converse-stream",
		);
	});

	it("says a whole conversation: system, reasoning, parallel calls, results with media and errors", () => {
		const image: MediaPart = {
			type: "image",
			source: { type: "base64", mediaType: "image/png", data: "AAAA" },
		};
		const { body, warned } = write({
			messages: [
				{ role: "system", parts: [{ type: "text", text: "Be brief." }] },
				{ role: "developer", parts: [{ type: "text", text: "Metric." }] },
				{ role: "user", parts: [{ type: "text", text: "Weather?" }] },
				{
					role: "assistant",
					parts: [
						{
							type: "reasoning",
							text: "Both.",
							opaque: {
								protocol: "bedrock-converse",
								data: { signature: "sig==" },
							},
						},
						{
							type: "reasoning",
							text: "",
							opaque: {
								protocol: "bedrock-converse",
								data: { redacted: "cmVk" },
							},
						},
						{
							type: "tool-call",
							id: "call_1",
							name: "weather",
							arguments: '{"city":"Rome"}',
						},
						{ type: "tool-call", id: "call_2", name: "weather", arguments: "" },
					],
				},
				{
					role: "tool",
					parts: [
						{
							type: "tool-result",
							call: "call_1",
							parts: [{ type: "text", text: "Sun" }, image],
						},
						{ type: "tool-result", call: "call_2", parts: [], error: true },
					],
				},
				{ role: "user", parts: [{ type: "text", text: "Go on." }] },
			],
			tools: [weather],
			toolChoice: { mode: "tool", name: "weather" },
			outputLimit: 500,
			stop: ["END"],
			temperature: 0.5,
		});
		expect(warned).toEqual([]);
		expect(body).toEqual({
			system: [{ text: "Be brief." }, { text: "Metric." }],
			messages: [
				{ role: "user", content: [{ text: "Weather?" }] },
				{
					role: "assistant",
					content: [
						{
							reasoningContent: {
								reasoningText: { text: "Both.", signature: "sig==" },
							},
						},
						{ reasoningContent: { redactedContent: "cmVk" } },
						{
							toolUse: {
								toolUseId: "call_1",
								name: "weather",
								input: { city: "Rome" },
							},
						},
						{ toolUse: { toolUseId: "call_2", name: "weather", input: {} } },
					],
				},
				{
					role: "user",
					content: [
						{
							toolResult: {
								toolUseId: "call_1",
								content: [
									{ text: "Sun" },
									{ image: { format: "png", source: { bytes: "AAAA" } } },
								],
							},
						},
						{
							toolResult: {
								toolUseId: "call_2",
								content: [],
								status: "error",
							},
						},
						{ text: "Go on." },
					],
				},
			],
			inferenceConfig: {
				maxTokens: 500,
				stopSequences: ["END"],
				temperature: 0.5,
			},
			toolConfig: {
				tools: [
					{
						toolSpec: {
							name: "weather",
							description: "The weather.",
							inputSchema: { json: weather.schema },
						},
					},
				],
				toolChoice: { tool: { name: "weather" } },
			},
			additionalModelResponseFieldPaths: ["/stop_sequence"],
		});
	});

	it("marks what is kept, where the model keeps anything", () => {
		const marked: Partial<CanonicalRequest> = {
			messages: [
				{
					role: "system",
					parts: [{ type: "text", text: "Long.", cache: { ttl: "1h" } }],
				},
				{ role: "user", parts: [{ type: "text", text: "Hi", cache: {} }] },
			],
			tools: [{ ...weather, cache: {} }],
		};
		const point = (ttl?: string) => ({
			cachePoint: { type: "default", ...(ttl && { ttl }) },
		});
		const kept = write(marked);
		expect(kept.warned).toEqual([]);
		expect(kept.body).toMatchObject({
			system: [{ text: "Long." }, point("1h")],
			messages: [{ content: [{ text: "Hi" }, point()] }],
			toolConfig: { tools: [{ toolSpec: { name: "weather" } }, point()] },
		});
		expect(write(marked, nova).body).toMatchObject({
			system: [{ text: "Long." }, point()],
		});
		expect(write(marked, nova).warned).toEqual([
			"changed messages.0.parts.0.cache",
			"dropped tools.0.cache",
		]);
		expect(write(marked, llama).warned).toEqual([
			"dropped messages.0.parts.0.cache",
			"dropped messages.1.parts.0.cache",
			"dropped tools.0.cache",
		]);
	});

	it("carries media as bytes, documents under names of their own", () => {
		const pdf: MediaPart = {
			type: "document",
			name: "Q3_report.pdf",
			context: "Finance",
			citable: true,
			source: { type: "base64", mediaType: "application/pdf", data: "AAAA" },
		};
		const { body, warned } = write({
			messages: [
				user(
					pdf,
					pdf,
					{
						type: "document",
						source: { type: "text", mediaType: "application/json", text: "{}" },
					},
					{
						type: "video",
						source: {
							type: "base64",
							mediaType: "video/mp4",
							data: "AAAA",
						},
					},
					{
						type: "audio",
						source: { type: "base64", mediaType: "audio/wav", data: "AAAA" },
					},
				),
			],
		});
		const document = (name: string) => ({
			document: {
				format: "pdf",
				name,
				source: { bytes: "AAAA" },
				context: "Finance",
				citations: { enabled: true },
			},
		});
		expect(body.messages).toEqual([
			{
				role: "user",
				content: [
					{ text: "Look:" },
					document("Q3 report pdf"),
					document("Q3 report pdf 2"),
					{
						document: {
							format: "txt",
							name: "document",
							source: { bytes: "e30=" },
						},
					},
					{
						video: {
							format: "mp4",
							source: { bytes: "AAAA" },
						},
					},
					{ audio: { format: "wav", source: { bytes: "AAAA" } } },
				],
			},
		]);
		expect(warned).toEqual([
			"changed messages.0.parts.1.name",
			"changed messages.0.parts.2.name",
		]);
		const alone = write({ messages: [{ role: "user", parts: [pdf] }] });
		expect(JSON.stringify(alone.body)).toContain("See the document.");
		expect(alone.warned).toContain("changed messages");
	});

	it("reasons in the words of the model's maker", () => {
		const reasoning = (
			said: CanonicalRequest["reasoning"],
			model: string,
			rest: Partial<CanonicalRequest> = {},
		) => write({ reasoning: said as object, ...rest }, model).body;
		expect(
			reasoning({ budget: 2048 }, claude, { outputLimit: 9000 }),
		).toMatchObject({
			additionalModelRequestFields: {
				thinking: { type: "enabled", budget_tokens: 2048 },
			},
		});
		// A budget needs a limit above it.
		expect(reasoning({ budget: 2048 }, claude)).toMatchObject({
			inferenceConfig: { maxTokens: 32_000 },
		});
		expect(reasoning({ effort: "high" }, newest)).toEqual({
			messages: [{ role: "user", content: [{ text: "Hi" }] }],
			additionalModelRequestFields: {
				thinking: { type: "adaptive" },
				output_config: { effort: "high" },
			},
		});
		expect(reasoning({ effort: "xhigh" }, nova)).toMatchObject({
			additionalModelRequestFields: {
				reasoningConfig: { type: "enabled", maxReasoningEffort: "high" },
			},
		});
		expect(reasoning({ effort: "none" }, nova)).toMatchObject({
			additionalModelRequestFields: { reasoningConfig: { type: "disabled" } },
		});
		expect(reasoning({ budget: 100 }, gpt)).toMatchObject({
			additionalModelRequestFields: { reasoning_effort: "low" },
		});
		expect(write({ reasoning: { effort: "high" } }, llama).warned).toEqual([
			"dropped reasoning",
		]);
	});

	it("goes on thinking in a loop of tools that this vendor's model signed", () => {
		const messages: Message[] = [
			{ role: "user", parts: [{ type: "text", text: "Hi" }] },
			{
				role: "assistant",
				parts: [
					{
						type: "reasoning",
						text: "T",
						opaque: { protocol: "bedrock-converse", data: { signature: "s" } },
					},
					{ type: "tool-call", id: "c", name: "weather", arguments: "{}" },
				],
			},
			{
				role: "tool",
				parts: [{ type: "tool-result", call: "c", parts: [] }],
			},
		];
		const loop = { messages, tools: [weather], reasoning: { budget: 2048 } };
		expect(write(loop).body.additionalModelRequestFields).toMatchObject({
			thinking: { type: "enabled" },
		});
		const foreign = JSON.parse(
			JSON.stringify(messages).replace("bedrock-converse", "openai-responses"),
		);
		const other = write({ ...loop, messages: foreign });
		expect(other.body.additionalModelRequestFields).toEqual({
			thinking: { type: "disabled" },
		});
		expect(other.warned).toEqual([
			"dropped reasoning",
			"dropped messages.1.parts.0",
		]);
	});

	it("says top_k, tiers, metadata and schemas where there is a place", () => {
		const schema = {
			type: "object",
			properties: { a: { type: "string" } },
			required: ["a"],
		};
		const { body, warned } = write({
			topK: 20,
			serviceTier: "priority",
			metadata: { team: "red", odd: "é" },
			output: { type: "json-schema", name: "answer", schema },
		});
		expect(warned).toEqual(["dropped metadata"]);
		expect(body).toMatchObject({
			additionalModelRequestFields: { top_k: 20 },
			serviceTier: { type: "priority" },
			requestMetadata: { team: "red" },
			outputConfig: {
				textFormat: {
					type: "json_schema",
					structure: { jsonSchema: { name: "answer" } },
				},
			},
		});
		const said = JSON.parse(
			(
				body as never as {
					outputConfig: {
						textFormat: { structure: { jsonSchema: { schema: string } } };
					};
				}
			).outputConfig.textFormat.structure.jsonSchema.schema,
		);
		expect(said).toEqual({ ...schema, additionalProperties: false });
		expect(write({ topK: 20 }, nova).body).toMatchObject({
			additionalModelRequestFields: { inferenceConfig: { topK: 20 } },
		});
		expect(write({ tools: [{ ...weather, strict: true }] }).body).toMatchObject(
			{
				toolConfig: {
					tools: [
						{
							toolSpec: {
								strict: true,
								inputSchema: { json: { additionalProperties: false } },
							},
						},
					],
				},
			},
		);
	});

	it.each<[string, Partial<CanonicalRequest>, string]>([
		["several answers", { choices: 2 }, "choices"],
		["log probabilities", { logprobs: { alternatives: 1 } }, "logprobs"],
		["audio", { modalities: ["audio"] }, "modalities"],
		["just any JSON", { output: { type: "json" } }, "output"],
		[
			"an address of an image",
			{
				messages: [
					user({
						type: "image",
						source: {
							type: "url",
							url: "https://example.com/a.png",
							mediaType: "image/png",
						},
					}),
				],
			},
			"messages.0.parts.1.source",
		],
		[
			"an image of a strange kind",
			{
				messages: [
					user({
						type: "image",
						source: { type: "base64", mediaType: "image/bmp", data: "AAAA" },
					}),
				],
			},
			"messages.0.parts.1.source.mediaType",
		],
		[
			"another vendor's file",
			{
				messages: [
					user({
						type: "document",
						source: {
							type: "file",
							protocol: "openai-responses",
							id: "f",
							mediaType: "application/pdf",
						},
					}),
				],
			},
			"messages.0.parts.1.source",
		],
		["a search of the web", { tools: [{ type: "web-search" }] }, "tools.0"],
		["a tool of text", { tools: [{ type: "custom", name: "sh" }] }, "tools.0"],
		[
			"a strange name of a tool",
			{ tools: [{ ...weather, name: "a b" }] },
			"tools.0.name",
		],
		[
			"to call nothing, though tools were called",
			{
				toolChoice: { mode: "none" },
				tools: [weather],
				messages: [
					...asked.messages,
					{
						role: "assistant",
						parts: [
							{ type: "tool-call", id: "c", name: "weather", arguments: "{}" },
						],
					},
				],
			},
			"toolChoice",
		],
	])("for %s is refused by its field", (_, request, field) => {
		expect(write(request).refused).toMatchObject({
			code: "translate/unsupported",
			details: { field },
		});
	});

	it("leaves out with a warning what only steers", () => {
		const { body, warned } = write({
			seed: 1,
			frequencyPenalty: 1,
			presencePenalty: 1,
			verbosity: "low",
			user: "u",
			cacheKey: "k",
			serviceTier: "batch",
			temperature: 1.5,
			parallelToolCalls: false,
			tools: [weather],
			toolChoice: { mode: "allowed", names: ["weather"], required: true },
		});
		expect(body).toMatchObject({
			inferenceConfig: { temperature: 1 },
			toolConfig: { toolChoice: { any: {} } },
		});
		expect(warned.sort()).toEqual(
			[
				"changed temperature",
				"changed toolChoice",
				"dropped cacheKey",
				"dropped frequencyPenalty",
				"dropped parallelToolCalls",
				"dropped presencePenalty",
				"dropped seed",
				"dropped serviceTier",
				"dropped user",
				"dropped verbosity",
			].sort(),
		);
	});

	it("names tools that a conversation has called and the client names no more", () => {
		const messages: Message[] = [
			...asked.messages,
			{
				role: "assistant",
				parts: [
					{
						type: "tool-call",
						id: "call:1/x",
						name: "weather",
						arguments: "[1]",
					},
				],
			},
			{
				role: "tool",
				parts: [{ type: "tool-result", call: "call:1/x", parts: [] }],
			},
		];
		const { body, warned } = write({ messages });
		expect(body.toolConfig).toEqual({
			tools: [
				{
					toolSpec: {
						name: "weather",
						inputSchema: { json: { type: "object" } },
					},
				},
			],
		});
		expect(warned).toEqual([
			"changed messages.1.parts.0.arguments",
			"changed tools",
		]);
		const ids = [
			...JSON.stringify(body).matchAll(/"toolUseId":"([^"]*)"/g),
		].map(([, id]) => id);
		expect(ids).toHaveLength(2);
		expect(ids[0]).toBe(ids[1]);
		expect(ids[0]).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
	});

	it("always alternates, and never holds a blank text", () => {
		const requests = canonicalRequests({
			messages: conversations(),
			tools: toolsAndChoice(functionTools(), ["auto", "required", "tool"]),
		});
		fc.assert(
			fc.property(requests, (request) => {
				const { messages } = write(request).body as {
					messages: { role: string; content: { text?: string }[] }[];
				};
				for (const [index, { role, content }] of messages.entries()) {
					expect(role).not.toBe(messages[index - 1]?.role);
					expect(content.length).toBeGreaterThan(0);
					for (const { text } of content)
						if (text !== undefined) expect(text.trim()).not.toBe("");
				}
			}),
			{ numRuns: 100 },
		);
	});
});

describe("an answer", () => {
	function read(body: unknown) {
		const outcome = bedrockConverseTranslator.readAnswer(body);
		if (!outcome.ok) throw new Error(outcome.error.message);
		return outcome.value;
	}
	const streamed = (name: keyof typeof streams) => {
		const reader = bedrockConverseTranslator.openReader(asked);
		return gathered([...reader.push(stream(name)), ...reader.end()]);
	};
	const ours = (data: unknown) => ({ protocol: "bedrock-converse", data });

	it("keeps reasoning's marks, the sequence that was met and the tier", () => {
		expect(read(answers.reasoning)).toMatchObject({
			serviceTier: "priority",
			choices: [
				{
					parts: [
						{
							type: "reasoning",
							text: "Two and two.",
							opaque: ours({ signature: "sig==" }),
						},
						{
							type: "reasoning",
							text: "",
							opaque: ours({ redacted: "cmVkYWN0ZWQ=" }),
						},
						{ type: "text", text: "Four." },
					],
					finish: { reason: "stop-sequence", sequence: "END" },
				},
			],
		});
		expect(streamed("reasoning").choices[0]?.parts).toEqual([
			{
				type: "reasoning",
				text: "Two and two.",
				opaque: ours({ signature: "sig==" }),
			},
			{
				type: "reasoning",
				text: "",
				opaque: ours({ redacted: "cmVkYWN0ZWQ=" }),
			},
			{
				type: "tool-call",
				id: "tooluse_1",
				name: "add",
				arguments: '{"a":2}',
			},
		]);
	});

	it("keeps citations, and tools of the vendor's own whole", () => {
		const [cited, own] = read(answers.cited).choices[0]?.parts ?? [];
		expect(cited).toMatchObject({
			type: "text",
			text: "It is red.",
			citations: [{ document: 1, title: "Colours", quote: "red" }],
		});
		const block = answers.cited.output.message.content[1];
		expect(own).toEqual({
			type: "server-tool",
			tool: "other",
			id: "srv_1",
			opaque: ours({ block }),
		});
		expect(streamed("ownTool").choices[0]?.parts).toMatchObject([
			own as object,
			{ text: "It is red.", citations: [{ url: "https://example.com/red" }] },
		]);
		const { body } = write({
			messages: [
				...asked.messages,
				{ role: "assistant", parts: [own as never] },
			],
		});
		expect(body.messages).toMatchObject([{}, { content: [block] }]);
	});

	it.each([
		["guardrail_intervened", "content-filter"],
		["content_filtered", "content-filter"],
		["model_context_window_exceeded", "context-window"],
		["malformed_tool_use", "error"],
		["something_new", "stop"],
	])("that stops for %s", (stopReason, reason) => {
		expect(read({ ...answers.text, stopReason }).choices[0]?.finish).toEqual({
			reason,
		});
	});

	it("whose stream is damaged ends in an error, after what was whole", () => {
		const bytes = stream("text");
		bytes[bytes.length - 30] = (bytes[bytes.length - 30] as number) ^ 1;
		const reader = bedrockConverseTranslator.openReader(asked);
		const events = reader.push(bytes);
		expect(events.at(-1)).toEqual({
			type: "error",
			error: {
				message: "The vendor's stream is damaged.",
				code: "stream-damaged",
			},
		});
		expect(events.filter(({ type }) => type === "delta")).toHaveLength(3);
	});
});

it("a client of another protocol is answered as it streams, and its reasoning comes back", () => {
	const wire = spoken.find(
		({ wire }) => wire.id === "anthropic-messages",
	)?.wire;
	if (!wire) throw new Error("no such protocol");
	const crossings = openCrossings(spoken);
	expect(
		crossings.reaches("anthropic-messages", "generate", "bedrock-converse"),
	).toBe(true);
	expect(
		crossings.reaches("bedrock-converse", "count-tokens", "openai-chat"),
	).toBe(false);
	const open = (body: object) => {
		const request = wire.read("messages", Buffer.from(JSON.stringify(body)));
		const operation = wire.operations[0];
		if (!request.ok || !operation) throw new Error("not read");
		const passage = crossings.open({
			wire,
			operation,
			request: request.value,
			vendor: "bedrock-converse",
			change: { model: claude, outputLimit: undefined, quirks: {} },
			naming: { call: "call_1", model: "m", time: 0 },
		});
		if (!passage.ok) throw new Error(passage.error.message);
		return passage.value;
	};
	const first = {
		model: "m",
		max_tokens: 4000,
		stream: true,
		thinking: { type: "enabled", budget_tokens: 1024 },
		messages: [{ role: "user", content: "Add." }],
	};
	const passage = open(first);
	const forwarded = passage.forward(undefined);
	expect(forwarded.path).toContain("/converse-stream");
	const { meter, contentType, streaming } = passage.answer(
		forwarded,
		200,
		"application/vnd.amazon.eventstream",
	);
	expect([contentType, streaming]).toEqual(["text/event-stream", true]);
	let said = "";
	for (const byte of stream("reasoning"))
		said += Buffer.from(meter.pass(Uint8Array.of(byte)) ?? []).toString();
	const metered = meter.finish();
	said += Buffer.from(metered.rest ?? []).toString();
	expect(metered).toMatchObject({
		usage: { input: 10, output: 20 },
		complete: true,
	});
	const signature = /"signature":"(dos1\.[^"]+)"/.exec(said)?.[1];
	expect(signature).toBeDefined();
	const next = open({
		...first,
		tools: [{ name: "add", input_schema: { type: "object" } }],
		messages: [
			...first.messages,
			{
				role: "assistant",
				content: [
					{ type: "thinking", thinking: "Two and two.", signature },
					{ type: "tool_use", id: "tooluse_1", name: "add", input: { a: 2 } },
				],
			},
			{
				role: "user",
				content: [
					{ type: "tool_result", tool_use_id: "tooluse_1", content: "4" },
				],
			},
		],
	});
	expect(next.warnings).toEqual([]);
	const sent = JSON.parse(Buffer.from(next.forward(undefined).body).toString());
	expect(sent.messages[1].content[0]).toEqual({
		reasoningContent: {
			reasoningText: { text: "Two and two.", signature: "sig==" },
		},
	});
});
