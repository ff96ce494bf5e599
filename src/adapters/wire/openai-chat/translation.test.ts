import { readFileSync } from "node:fs";
import fc from "fast-check";
import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
	Message,
} from "../../../ports/canonical.ts";
import type { Warning } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import { gathered, spread } from "../canonical/gather.ts";
import { seal } from "../canonical/seal.ts";
import { callId } from "./call-ids.ts";
import { openaiChat } from "./protocol.ts";
import { openaiChatTranslator as chat } from "./translator.ts";

type Params = OpenAI.ChatCompletionCreateParams;

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const naming = { call: "1", model: "asked-model", time: 1_700_000_000_000 };
const user: Message = { role: "user", parts: [{ type: "text", text: "Hi" }] };
const asked: CanonicalRequest = {
	model: "asked-model",
	messages: [user],
	stream: false,
	streamUsage: false,
};

function wired(body: object) {
	const outcome = openaiChat.read("chat", Buffer.from(JSON.stringify(body)));
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

/** What a client's request means; `fields` are those of its warnings. */
function read(body: object) {
	const warnings: Warning[] = [];
	const outcome = chat.readRequest(wired(body), (each) => warnings.push(each));
	if (!outcome.ok) throw new Error(outcome.error.message);
	return { request: outcome.value, fields: warnings.map(({ field }) => field) };
}

function refused(body: object) {
	const outcome = chat.readRequest(wired(body), () => {});
	return outcome.ok
		? undefined
		: [outcome.error.code, outcome.error.details?.field];
}

/** What goes to a vendor. */
function write(request: Partial<CanonicalRequest>, quirks: Quirks = {}) {
	const warnings: Warning[] = [];
	const outcome = chat.writeRequest(
		{ ...asked, ...request },
		{ model: "sent-model", outputLimit: undefined, quirks },
		(each) => warnings.push(each),
	);
	return {
		body: (outcome.ok ? outcome.value.body : {}) as Record<string, unknown>,
		refused: outcome.ok ? undefined : outcome.error.details?.field,
		warned: warnings.map(({ kind, field }) => `${kind} ${field}`),
	};
}

function answerOf(message: object, more: object = {}) {
	const outcome = chat.readAnswer({
		id: "1",
		choices: [{ index: 0, message, finish_reason: "stop", ...more }],
	});
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value.choices[0];
}

function streamed(bytes: Uint8Array) {
	const reader = chat.openReader(asked);
	return [...reader.push(bytes), ...reader.end()];
}

const chunks = (...all: object[]) =>
	Buffer.from(all.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""));
const delta = (value: object, finish: string | null = null) => ({
	choices: [{ index: 0, delta: value, finish_reason: finish }],
});

describe("a client's chat request", () => {
	it("in full, as the vendor's own types have it", () => {
		const body = {
			model: "asked-model",
			messages: [
				{ role: "developer", content: "Be brief." },
				{
					role: "user",
					name: "ada",
					content: [
						{ type: "text", text: "What is this?" },
						{
							type: "image_url",
							image_url: { url: "data:image/png;base64,QUJD", detail: "low" },
						},
						{
							type: "image_url",
							image_url: { url: "https://example.com/a.png" },
						},
						{
							type: "input_audio",
							input_audio: { data: "QUI", format: "mp3" },
						},
						{
							type: "file",
							file: {
								filename: "a.pdf",
								file_data: "data:application/pdf;base64,QUJD",
							},
						},
						{ type: "file", file: { file_id: "file-1" } },
					],
				},
				{
					role: "assistant",
					content: null,
					tool_calls: [
						{
							id: "call_1",
							type: "function",
							function: { name: "look", arguments: "{}" },
						},
						{
							id: "call_2",
							type: "custom",
							custom: { name: "run", input: "ls" },
						},
					],
				},
				{ role: "tool", tool_call_id: "call_1", content: "A cat." },
				{
					role: "tool",
					tool_call_id: "call_2",
					content: [{ type: "text", text: "a.pdf" }],
				},
				{ role: "assistant", content: "It is", refusal: "No." },
			],
			tools: [
				{
					type: "function",
					function: {
						name: "look",
						description: "Looks.",
						parameters: { type: "object", properties: {} },
						strict: true,
					},
				},
				{
					type: "custom",
					custom: {
						name: "run",
						format: {
							type: "grammar",
							grammar: { syntax: "regex", definition: "[a-z]+" },
						},
					},
				},
			],
			tool_choice: {
				type: "allowed_tools",
				allowed_tools: {
					mode: "required",
					tools: [{ type: "function", function: { name: "look" } }],
				},
			},
			web_search_options: {
				search_context_size: "low",
				user_location: { type: "approximate", approximate: { country: "CH" } },
			},
			parallel_tool_calls: false,
			response_format: {
				type: "json_schema",
				json_schema: { name: "a", schema: { type: "object" }, strict: true },
			},
			max_tokens: 10,
			stop: "END",
			temperature: 0.5,
			top_p: 0.9,
			seed: 7,
			frequency_penalty: 1,
			presence_penalty: -1,
			n: 2,
			logprobs: true,
			top_logprobs: 3,
			reasoning_effort: "xhigh",
			verbosity: "low",
			service_tier: "default",
			safety_identifier: "someone",
			metadata: { a: "b" },
			prompt_cache_key: "key",
			modalities: ["text", "audio"],
			audio: { voice: "alloy", format: "wav" },
			stream: true,
			stream_options: { include_usage: true },
		} satisfies Params;
		const { request, fields } = read(body);
		expect(fields).toEqual([]);
		expect(request).toEqual({
			model: "asked-model",
			messages: [
				{ role: "developer", parts: [{ type: "text", text: "Be brief." }] },
				{
					role: "user",
					name: "ada",
					parts: [
						{ type: "text", text: "What is this?" },
						{
							type: "image",
							source: { type: "base64", mediaType: "image/png", data: "QUJD" },
							detail: "low",
						},
						{
							type: "image",
							source: { type: "url", url: "https://example.com/a.png" },
						},
						{
							type: "audio",
							source: { type: "base64", mediaType: "audio/mpeg", data: "QUI=" },
						},
						{
							type: "document",
							source: {
								type: "base64",
								mediaType: "application/pdf",
								data: "QUJD",
							},
							name: "a.pdf",
						},
						{
							type: "document",
							source: { type: "file", protocol: "openai-chat", id: "file-1" },
						},
					],
				},
				{
					role: "assistant",
					parts: [
						{ type: "tool-call", id: "call_1", name: "look", arguments: "{}" },
						{
							type: "tool-call",
							id: "call_2",
							name: "run",
							arguments: "ls",
							custom: true,
						},
					],
				},
				{
					role: "tool",
					parts: [
						{
							type: "tool-result",
							call: "call_1",
							parts: [{ type: "text", text: "A cat." }],
						},
						{
							type: "tool-result",
							call: "call_2",
							parts: [{ type: "text", text: "a.pdf" }],
						},
					],
				},
				{
					role: "assistant",
					parts: [
						{ type: "text", text: "It is" },
						{ type: "refusal", text: "No." },
					],
				},
			],
			tools: [
				{
					type: "function",
					name: "look",
					description: "Looks.",
					schema: { type: "object", properties: {} },
					strict: true,
				},
				{
					type: "custom",
					name: "run",
					format: {
						type: "grammar",
						syntax: "regex",
						definition: "[a-z]+",
					},
				},
				{
					type: "web-search",
					contextSize: "low",
					location: { country: "CH" },
				},
			],
			toolChoice: { mode: "allowed", names: ["look"], required: true },
			parallelToolCalls: false,
			output: {
				type: "json-schema",
				name: "a",
				schema: { type: "object" },
				strict: true,
			},
			outputLimit: 10,
			stop: ["END"],
			temperature: 0.5,
			topP: 0.9,
			seed: 7,
			frequencyPenalty: 1,
			presencePenalty: -1,
			choices: 2,
			logprobs: { alternatives: 3 },
			reasoning: { effort: "xhigh" },
			verbosity: "low",
			serviceTier: "standard",
			user: "someone",
			metadata: { a: "b" },
			cacheKey: "key",
			modalities: ["text", "audio"],
			voice: { name: "alloy", format: "wav" },
			stream: true,
			streamUsage: true,
		});
	});

	it("in the form before tools, and is answered in it", () => {
		const body = {
			model: "asked-model",
			messages: [
				{ role: "user", content: "Weather?" },
				{
					role: "assistant",
					content: null,
					function_call: { name: "weather", arguments: '{"city":"Bern"}' },
				},
				{ role: "function", name: "weather", content: "Rain" },
			],
			functions: [{ name: "weather", parameters: { type: "object" } }],
			function_call: { name: "weather" },
		} satisfies Params;
		const { request, fields } = read(body);
		expect(fields).toEqual([]);
		expect(request).toMatchObject({
			tools: [{ type: "function", name: "weather" }],
			toolChoice: { mode: "tool", name: "weather" },
			parallelToolCalls: false,
		});
		expect(request.messages.slice(1)).toEqual([
			{
				role: "assistant",
				parts: [
					{
						type: "tool-call",
						id: "function_0",
						name: "weather",
						arguments: '{"city":"Bern"}',
					},
				],
			},
			{
				role: "tool",
				parts: [
					{
						type: "tool-result",
						call: "function_0",
						name: "weather",
						parts: [{ type: "text", text: "Rain" }],
					},
				],
			},
		]);
		const answer: CanonicalAnswer = {
			choices: [
				{
					parts: [
						{ type: "tool-call", id: "a", name: "weather", arguments: "{}" },
					],
					finish: { reason: "tool-calls" },
				},
			],
		};
		expect(chat.writeAnswer(answer, request, naming, () => {})).toMatchObject({
			choices: [
				{
					message: { function_call: { name: "weather", arguments: "{}" } },
					finish_reason: "function_call",
				},
			],
		});
		const writer = chat.openWriter(request, naming, wired(body));
		const bytes = writer.push([
			{ type: "start" },
			{
				type: "open",
				choice: 0,
				part: 0,
				value: { type: "tool-call", id: "a", name: "weather", arguments: "" },
			},
			{ type: "delta", choice: 0, part: 0, text: "{}" },
		]);
		expect(Buffer.from(bytes ?? []).toString()).toContain(
			'"delta":{"function_call":{"arguments":"{}"}}',
		);
	});

	it("reads marks of what to cache, Anthropic's and OpenAI's", () => {
		const { request, fields } = read({
			model: "m",
			cache_control: { type: "ephemeral" },
			messages: [
				{
					role: "user",
					content: [
						{
							type: "text",
							text: "a",
							cache_control: { type: "ephemeral", ttl: "1h" },
						},
						{
							type: "text",
							text: "b",
							prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" },
						},
					],
				},
			],
		});
		expect(request.cache).toEqual({});
		expect(request.messages[0]?.parts).toEqual([
			{ type: "text", text: "a", cache: { ttl: "1h" } },
			{ type: "text", text: "b", cache: {} },
		]);
		expect(fields).toEqual([
			"messages.0.content.1.prompt_cache_breakpoint.ttl",
		]);
	});

	it.each([
		[
			{ reasoning: { effort: "low", exclude: true } },
			{ effort: "low", show: "none" },
		],
		[{ reasoning: { max_tokens: 2000 } }, { budget: 2000 }],
		[{ reasoning: { enabled: true } }, { adaptive: true }],
		[{ thinking: { type: "disabled" } }, { effort: "none" }],
		[
			{ thinking: { type: "enabled" }, reasoning_effort: "high" },
			{ adaptive: true, effort: "high" },
		],
	])("asks for reasoning as %j", (members, reasoning) => {
		expect(
			read({ model: "m", messages: [], ...members }).request.reasoning,
		).toEqual(reasoning);
	});

	it("gives back reasoning, its marks and those of calls to whom they came from", () => {
		const opaque = { protocol: "protocol-x", data: { signature: "s" } };
		const { request } = read({
			model: "m",
			messages: [
				{
					role: "assistant",
					content: "",
					reasoning_content: "Let me see.",
					reasoning_details: [
						{ type: "reasoning.text", text: "", signature: seal(opaque) },
						{ type: "reasoning.encrypted", data: "theirs", id: "rs_1" },
					],
					tool_calls: [
						{
							id: "c",
							type: "function",
							function: { name: "f", arguments: "{}" },
							extra_content: { google: { thought_signature: "sig" } },
						},
					],
				},
			],
		});
		expect(request.messages[0]?.parts).toEqual([
			{ type: "reasoning", text: "Let me see.", opaque },
			{
				type: "reasoning",
				text: "",
				opaque: {
					protocol: "openai-chat",
					data: { type: "reasoning.encrypted", data: "theirs", id: "rs_1" },
				},
			},
			{
				type: "tool-call",
				id: "c",
				name: "f",
				arguments: "{}",
				opaque: { protocol: "openai-chat", data: { thought_signature: "sig" } },
			},
		]);
	});

	it("warns of what only steers and goes nowhere", () => {
		const { fields } = read({
			model: "m",
			messages: [{ role: "system", name: "x", content: "a" }],
			logit_bias: { 1: 2 },
			prediction: { type: "content", content: "a" },
			service_tier: "scale",
			store: true,
			prompt_cache_retention: "24h",
			plugins: [],
		});
		expect(fields.toSorted()).toEqual(
			[
				"logit_bias",
				"messages.0.name",
				"plugins",
				"prediction",
				"prompt_cache_retention",
				"service_tier",
				"store",
			].toSorted(),
		);
	});

	it.each([
		[{ messages: [7] }, "request/invalid", "messages.0"],
		[{ messages: [{ content: "a" }] }, "request/invalid", "messages.0.role"],
		[
			{ messages: [{ role: "user", content: [{ type: "text" }] }] },
			"request/invalid",
			"messages.0.content.0.text",
		],
		[
			{ messages: [{ role: "user", content: [{ type: "hologram" }] }] },
			"translate/unsupported",
			"messages.0.content.0.type",
		],
		[
			{
				messages: [
					{
						role: "user",
						content: [{ type: "image_url", image_url: { url: "data:x" } }],
					},
				],
			},
			"request/invalid",
			"messages.0.content.0.image_url.url",
		],
		[
			{ messages: [], tools: [{ type: "shell" }] },
			"translate/unsupported",
			"tools.0.type",
		],
		[{ messages: [], top_logprobs: 2 }, "request/invalid", "top_logprobs"],
		[{ messages: [], temperature: 3 }, "request/invalid", "temperature"],
		[
			{ messages: [], audio: { voice: { id: "v" }, format: "wav" } },
			"translate/unsupported",
			"audio.voice",
		],
	])("refuses %j", (members, code, field) => {
		expect(refused({ model: "m", ...members })).toEqual([code, field]);
	});
});

describe("a request to a vendor", () => {
	const call = {
		type: "tool-call",
		id: "toolu_01",
		name: "f",
		arguments: "{}",
	} as const;

	it("in the vendor's own types, with what tools showed in a message of the user", () => {
		const { body, warned } = write(
			{
				messages: [
					user,
					{ role: "assistant", parts: [call, { ...call, id: "toolu_02" }] },
					{
						role: "tool",
						parts: [
							{
								type: "tool-result",
								call: "toolu_01",
								parts: [
									{ type: "text", text: "A cat:" },
									{
										type: "image",
										source: {
											type: "base64",
											mediaType: "image/png",
											data: "QUJD",
										},
									},
								],
							},
							{
								type: "tool-result",
								call: "toolu_02",
								parts: [{ type: "text", text: "No such file." }],
								error: true,
							},
						],
					},
				],
				tools: [{ type: "function", name: "f" }],
				toolChoice: { mode: "tool", name: "f" },
				outputLimit: 9,
				stream: true,
			},
			{},
		);
		expect(body).toEqual({
			model: "sent-model",
			messages: [
				{ role: "user", content: "Hi" },
				{
					role: "assistant",
					content: null,
					tool_calls: [
						{
							id: "toolu_01",
							type: "function",
							function: { name: "f", arguments: "{}" },
						},
						{
							id: "toolu_02",
							type: "function",
							function: { name: "f", arguments: "{}" },
						},
					],
				},
				{ role: "tool", tool_call_id: "toolu_01", content: "A cat:" },
				{ role: "tool", tool_call_id: "toolu_02", content: "No such file." },
				{
					role: "user",
					content: [
						{ type: "text", text: "From the result of tool call toolu_01:" },
						{
							type: "image_url",
							image_url: { url: "data:image/png;base64,QUJD" },
						},
					],
				},
			],
			tools: [{ type: "function", function: { name: "f" } }],
			tool_choice: { type: "function", function: { name: "f" } },
			max_completion_tokens: 9,
			stream: true,
			stream_options: { include_usage: true },
		} satisfies Params);
		expect(warned).toEqual([
			"changed messages.2.parts.0.parts.1",
			"dropped messages.2.parts.1.error",
		]);
	});

	it("says what this vendor takes, and leaves out what it refuses", () => {
		const request: Partial<CanonicalRequest> = {
			messages: [
				{ role: "developer", parts: [{ type: "text", text: "a", cache: {} }] },
				{
					role: "user",
					name: "ada",
					parts: [
						{ type: "text", text: "b" },
						{ type: "text", text: "c" },
					],
				},
			],
			cacheKey: "k",
			topK: 3,
			seed: 1,
			outputLimit: 5,
			stream: true,
			temperature: 2.5,
		};
		const { body, warned } = write(request, {
			maxTokensOnly: true,
			noStreamOptions: true,
			lacks: ["developer", "name", "parts", "prompt_cache_key", "seed"],
		});
		expect(body).toEqual({
			model: "sent-model",
			messages: [
				{ role: "system", content: "a" },
				{ role: "user", content: "b\n\nc" },
			],
			max_tokens: 5,
			temperature: 2,
			stream: true,
		});
		expect(warned.toSorted()).toEqual([
			"changed temperature",
			"dropped cache",
			"dropped cacheKey",
			"dropped messages.name",
			"dropped seed",
			"dropped topK",
		]);
		expect(
			write(request, { takes: ["top_k", "prompt_cache_breakpoint"] }).body,
		).toMatchObject({
			top_k: 3,
			messages: [
				{
					role: "developer",
					content: [
						{ text: "a", prompt_cache_breakpoint: { mode: "explicit" } },
					],
				},
				{ role: "user", name: "ada" },
			],
		});
	});

	it.each<[string, Partial<CanonicalRequest>, Quirks]>([
		["choices", { choices: 2 }, { lacks: ["n"] }],
		["logprobs", { logprobs: { alternatives: 0 } }, { lacks: ["logprobs"] }],
		[
			"output.schema",
			{ output: { type: "json-schema", schema: {} } },
			{ noSchemas: true },
		],
		[
			"tools.0",
			{ tools: [{ type: "custom", name: "c" }] },
			{ lacks: ["custom"] },
		],
		[
			"tools.0",
			{
				tools: [
					{
						type: "server",
						name: "computer",
						opaque: { protocol: "x", data: 1 },
					},
				],
			},
			{},
		],
		[
			"tools.0.blockedDomains",
			{ tools: [{ type: "web-search", blockedDomains: ["a.b"] }] },
			{},
		],
		[
			"tools",
			{ tools: [{ type: "web-search" }] },
			{ lacks: ["web_search_options"] },
		],
		...(
			[
				{ type: "video", source: { type: "url", url: "https://a.b/c" } },
				{ type: "document", source: { type: "url", url: "https://a.b/c" } },
				{
					type: "audio",
					source: { type: "base64", mediaType: "audio/ogg", data: "" },
				},
				{ type: "image", source: { type: "file", protocol: "x", id: "1" } },
			] as const
		).map((part): [string, Partial<CanonicalRequest>, Quirks] => [
			"messages.0.parts.0",
			{ messages: [{ role: "user", parts: [part] }] },
			{},
		]),
	])("refuses %s where it cannot be said", (field, request, quirks) => {
		expect(write(request, quirks).refused).toBe(field);
	});

	it("hides tools from a vendor that cannot be told which are allowed", () => {
		const tools = [
			{ type: "function", name: "a" },
			{ type: "function", name: "b" },
		] as const;
		const { body, warned } = write(
			{ tools, toolChoice: { mode: "allowed", names: ["b"], required: true } },
			{ lacks: ["allowed_tools"] },
		);
		expect(body.tools).toEqual([{ type: "function", function: { name: "b" } }]);
		expect(body.tool_choice).toBe("required");
		expect(warned).toEqual(["changed toolChoice"]);
	});

	it.each<[CanonicalRequest["reasoning"], Quirks, object, string[]]>([
		[{ effort: "high" }, {}, { reasoning_effort: "high" }, []],
		[
			{ effort: "max" },
			{ efforts: ["none", "low", "high"] },
			{ reasoning_effort: "high" },
			["changed reasoning.effort"],
		],
		[
			{ effort: "minimal" },
			{ efforts: ["none", "low", "high"] },
			{ reasoning_effort: "low" },
			["changed reasoning.effort"],
		],
		[
			{ budget: 4_000 },
			{},
			{ reasoning_effort: "medium" },
			["changed reasoning.budget"],
		],
		[
			{ budget: 0 },
			{ takes: ["thinking"] },
			{ thinking: { type: "disabled" } },
			["changed reasoning.budget"],
		],
		[
			{ effort: "high", adaptive: true },
			{ takes: ["thinking"] },
			{ thinking: { type: "enabled" }, reasoning_effort: "high" },
			[],
		],
		[
			{ budget: 4_000, show: "none" },
			{ takes: ["reasoning"] },
			{ reasoning: { max_tokens: 4_000, exclude: true } },
			[],
		],
		[{ adaptive: true }, {}, {}, ["dropped reasoning.adaptive"]],
		[
			{ show: "detailed", effort: "low" },
			{},
			{ reasoning_effort: "low" },
			["dropped reasoning.show"],
		],
	])(
		"reasons as %j says, to a vendor of %j",
		(reasoning, quirks, members, warnings) => {
			const { body, warned } = write(
				{ ...(reasoning && { reasoning }) },
				quirks,
			);
			const { model: _model, messages: _messages, ...rest } = body;
			expect(rest).toEqual(members);
			expect(warned).toEqual(warnings);
		},
	);

	it("sends reasoning back as the vendor takes it, and none of another's marks", () => {
		const foreign = { protocol: "protocol-x", data: 1 };
		const messages: Message[] = [
			{
				role: "assistant",
				parts: [
					{ type: "reasoning", text: "Hm.", opaque: foreign },
					{ type: "reasoning", text: "Aha." },
					{ ...call, opaque: foreign },
				],
			},
		];
		const sent = (takes: string[]) => {
			const { body, warned } = write({ messages }, { takes });
			const [message] = body.messages as Record<string, unknown>[];
			return { message, warned };
		};
		const none = sent([]);
		expect(Object.keys(none.message ?? {})).toEqual([
			"role",
			"content",
			"tool_calls",
		]);
		expect(JSON.stringify(none.message)).not.toContain("dos1.");
		expect(none.warned).toEqual([
			"dropped messages.reasoning.opaque",
			"dropped messages.reasoning",
			"dropped messages.tool-call.opaque",
		]);
		expect(sent(["reasoning_content"]).message).toMatchObject({
			reasoning_content: "Hm.\n\nAha.",
		});
		expect(sent(["reasoning_details"]).message).toMatchObject({
			reasoning_details: [{ type: "reasoning.text", text: "Aha.", index: 0 }],
		});
		// DeepSeek refuses a call without the reasoning before it.
		expect(
			write(
				{ messages: [{ role: "assistant", parts: [call] }] },
				{ takes: ["reasoning_content"] },
			).body.messages,
		).toMatchObject([{ reasoning_content: "" }]);
	});
});

describe("ids of tool calls", () => {
	it("stay as they are where they fit, and stay apart where they do not", () => {
		expect(callId("toolu_01A", undefined)).toBe("toolu_01A");
		expect(callId("D681PevKs", 9)).toBe("D681PevKs");
		const short = (id: string) => callId(id, 9);
		expect(short("toolu_01A")).toMatch(/^[A-Za-z0-9]{9}$/);
		expect(callId("c".repeat(41), undefined)).toHaveLength(27);
		const many = Array.from({ length: 20_000 }, (_, index) => `call_${index}`);
		expect(new Set(many.map(short)).size).toBe(many.length);
		expect(many.map(short)).toEqual(many.map(short));
	});

	it("are the same on a call and its result", () => {
		const { body } = write(
			{
				messages: [
					{
						role: "assistant",
						parts: [
							{ type: "tool-call", id: "toolu_1", name: "f", arguments: "{}" },
						],
					},
					{
						role: "tool",
						parts: [{ type: "tool-result", call: "toolu_1", parts: [] }],
					},
				],
			},
			{ callIdLength: 9 },
		);
		const id = callId("toolu_1", 9);
		expect(body.messages).toMatchObject([
			{ tool_calls: [{ id }] },
			{ tool_call_id: id, content: "" },
		]);
	});
});

describe("a vendor's answer", () => {
	it("with Mistral's parts of thinking, and arguments as an object", () => {
		expect(
			answerOf({
				content: [
					{ type: "thinking", thinking: [{ type: "text", text: "Hm." }] },
					{ type: "text", text: "Yes." },
				],
				tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }],
			}),
		).toEqual({
			parts: [
				{ type: "reasoning", text: "Hm." },
				{ type: "text", text: "Yes." },
				{ type: "tool-call", id: "call_2", name: "f", arguments: '{"a":1}' },
			],
			finish: { reason: "tool-calls" },
		});
	});

	it("with a refusal, citations, audio and pictures", () => {
		expect(
			answerOf({
				content: "See [1].",
				refusal: null,
				annotations: [
					{
						type: "url_citation",
						url_citation: {
							start_index: 4,
							end_index: 7,
							title: "A",
							url: "https://a.b",
						},
					},
				],
				images: [
					{
						type: "image_url",
						image_url: { url: "data:image/png;base64,QUJD" },
					},
				],
			})?.parts,
		).toEqual([
			{
				type: "text",
				text: "See [1].",
				citations: [{ url: "https://a.b", title: "A", start: 4, end: 7 }],
			},
			{
				type: "image",
				source: { type: "base64", mediaType: "image/png", data: "QUJD" },
			},
		]);
		expect(answerOf({ content: null, refusal: "No." })).toEqual({
			parts: [{ type: "refusal", text: "No." }],
			finish: { reason: "refusal" },
		});
		const spoken = answerOf({
			content: null,
			audio: {
				id: "audio_1",
				data: "UklGRg==",
				expires_at: 5,
				transcript: "Hi",
			},
		});
		expect(spoken?.parts).toEqual([
			{ type: "text", text: "Hi" },
			{
				type: "audio",
				source: { type: "base64", mediaType: "audio/wav", data: "UklGRg==" },
				opaque: {
					protocol: "openai-chat",
					data: { id: "audio_1", expires_at: 5 },
				},
			},
		]);
		const again = chat.writeAnswer(
			{ choices: spoken ? [spoken] : [] },
			asked,
			naming,
			() => {},
		);
		expect(again.choices).toMatchObject([
			{
				message: {
					content: null,
					audio: {
						id: "audio_1",
						data: "UklGRg==",
						expires_at: 5,
						transcript: "Hi",
					},
				},
			},
		]);
	});

	it.each([
		["length", "length"],
		["content_filter", "content-filter"],
		["function_call", "tool-calls"],
		["model_length", "context-window"],
		["insufficient_system_resource", "error"],
		["whatever", "stop"],
		[null, "stop"],
	])("that ends for the reason %s", (reason, expected) => {
		expect(
			answerOf({ content: "a" }, { finish_reason: reason })?.finish,
		).toEqual({
			reason: expected,
		});
	});
});

describe("a vendor's stream", () => {
	it("with DeepSeek's reasoning before its text", () => {
		expect(
			gathered(streamed(fixture("deepseek-reasoning-stream.txt"))),
		).toMatchObject({
			choices: [
				{
					parts: [
						{ type: "reasoning", text: "9.11 or 9.8?" },
						{ type: "text", text: "9.8 is greater." },
					],
					finish: { reason: "stop" },
				},
			],
			usage: { input: 17, output: 12, reasoning: 33 },
		});
	});

	it("with reasoning in two fields at once and its signature after it, told once", () => {
		const [choice] = gathered(
			streamed(fixture("openrouter-reasoning-stream.txt")),
		).choices;
		expect(choice?.parts).toEqual([
			{
				type: "reasoning",
				text: "The user wants the weather…",
				opaque: {
					protocol: "openai-chat",
					data: {
						type: "reasoning.text",
						signature: "EqoBCkYIARgCKkD1",
						format: "anthropic-claude-v1",
						index: 0,
					},
				},
			},
			{ type: "text", text: "Let me look." },
			{
				type: "tool-call",
				id: "toolu_01A",
				name: "get_weather",
				arguments: '{"location":"Boston"}',
			},
		]);
	});

	it("with two calls under one index, a signature on the first, and no end", () => {
		const events = streamed(fixture("google-signature-stream.txt"));
		expect(events.at(-1)).toEqual({ type: "end" });
		expect(gathered(events).choices).toEqual([
			{
				parts: [
					{
						type: "tool-call",
						id: "function-call-1",
						name: "check_flight",
						arguments: '{"flight":"AA100"}',
						opaque: {
							protocol: "openai-chat",
							data: { thought_signature: "CvoBAdHtim8=" },
						},
					},
					{
						type: "tool-call",
						id: "function-call-2",
						name: "check_flight",
						arguments: '{"flight":"BB200"}',
					},
				],
				finish: { reason: "tool-calls" },
			},
		]);
	});

	it("with calls whose deltas come mixed, without arguments, without ids, or with their name late", () => {
		const call = (index: number, value: object, id?: string) => ({
			tool_calls: [{ index, ...(id ? { id } : {}), function: value }],
		});
		const events = streamed(
			chunks(
				delta(call(0, { name: "a", arguments: "{" }, "x")),
				delta(call(1, { name: "b" }, "y")),
				delta(call(0, { arguments: "}" })),
				delta(call(2, { arguments: "{" })),
				delta(call(2, { name: "c", arguments: "}" })),
				delta({}, "tool_calls"),
			),
		);
		expect(gathered(events).choices[0]?.parts).toEqual([
			{ type: "tool-call", id: "x", name: "a", arguments: "{}" },
			{ type: "tool-call", id: "y", name: "b", arguments: "{}" },
			{ type: "tool-call", id: "call_2", name: "c", arguments: "{}" },
		]);
	});

	it("with custom calls, a refusal, citations and audio in pieces", () => {
		const events = streamed(
			chunks(
				delta({ content: "See." }),
				delta({
					annotations: [
						{ type: "url_citation", url_citation: { url: "https://a.b" } },
					],
				}),
				delta({ refusal: "No." }),
				delta({ audio: { id: "audio_1", transcript: "Hi" } }),
				delta({ audio: { data: "UklG" } }),
				delta({ audio: { data: "Rg==", expires_at: 5 } }),
				delta({
					tool_calls: [
						{
							index: 0,
							id: "c",
							type: "custom",
							custom: { name: "run", input: "" },
						},
					],
				}),
				delta({ tool_calls: [{ index: 0, custom: { input: "ls" } }] }),
				delta({}, "tool_calls"),
			),
		);
		expect(gathered(events).choices[0]?.parts).toEqual([
			{ type: "text", text: "See.", citations: [{ url: "https://a.b" }] },
			{ type: "refusal", text: "No." },
			{ type: "text", text: "Hi" },
			{
				type: "tool-call",
				id: "c",
				name: "run",
				arguments: "ls",
				custom: true,
			},
			expect.objectContaining({
				type: "audio",
				source: { type: "base64", mediaType: "audio/wav", data: "UklGRg==" },
			}),
		]);
	});

	it("that ends in an error of the chunk or of its choice", () => {
		for (const chunk of [
			{ error: { message: "overloaded", code: 502 } },
			{
				choices: [
					{
						index: 0,
						delta: {},
						finish_reason: "error",
						error: { message: "overloaded", code: 502 },
					},
				],
			},
		]) {
			const events = streamed(chunks(delta({ content: "a" }), chunk));
			expect(events.at(-1)).toEqual({
				type: "error",
				error: { message: "overloaded", code: "502" },
			});
		}
	});

	it("whose end comes without a reason to finish is finished all the same", () => {
		const events = streamed(
			Buffer.concat([
				chunks(delta({ content: "a" })),
				Buffer.from("data: [DONE]\n\n"),
			]),
		);
		expect(events.slice(-3).map((each: AnswerEvent) => each.type)).toEqual([
			"close",
			"finish",
			"end",
		]);
	});
});

describe("embeddings", () => {
	const { embeddings } = chat;
	function embed(body: object) {
		const fields: string[] = [];
		const outcome = openaiChat.read(
			"embeddings",
			Buffer.from(JSON.stringify({ model: "m", ...body })),
		);
		if (!outcome.ok || !embeddings) throw new Error("no request");
		const read = embeddings.readRequest(outcome.value, ({ field }) =>
			fields.push(field),
		);
		return { read, fields };
	}
	const value = (body: object) => {
		const { read } = embed(body);
		return read.ok ? read.value : read.error.details?.field;
	};

	it("reads a text, tokens, or lists of them", () => {
		const rest = { model: "m", encoding: "float" };
		expect(value({ input: "a" })).toEqual({
			...rest,
			inputs: ["a"],
			single: true,
		});
		expect(value({ input: [1, 2] })).toEqual({
			...rest,
			inputs: [[1, 2]],
			single: true,
		});
		expect(
			value({
				input: ["a", [1]],
				encoding_format: "base64",
				dimensions: 4,
				user: "u",
			}),
		).toEqual({
			...rest,
			inputs: ["a", [1]],
			single: false,
			encoding: "base64",
			dimensions: 4,
			user: "u",
		});
		expect(value({ input: [] })).toBe("input");
		expect(value({ input: ["a", {}] })).toBe("input.1");
		expect(value({ input: "a", dimensions: 0 })).toBe("dimensions");
		expect(embed({ input: "a", input_type: "query" }).fields).toEqual([
			"input_type",
		]);
	});

	it("asks a vendor for numbers, and says what of the purpose is lost", () => {
		const fields: string[] = [];
		const written = embeddings?.writeRequest(
			{
				model: "m",
				inputs: ["a"],
				single: true,
				encoding: "base64",
				task: "RETRIEVAL_QUERY",
				user: "u",
			},
			{ model: "sent", outputLimit: undefined, quirks: { lacks: ["user"] } },
			({ field }) => fields.push(field),
		);
		expect(written).toEqual({
			ok: true,
			value: {
				path: "/embeddings",
				body: {
					model: "sent",
					input: "a",
					encoding_format: "float",
				} satisfies OpenAI.EmbeddingCreateParams,
			},
		});
		expect(fields).toEqual(["task", "user"]);
	});

	it("come back as they were written, as numbers or base64", () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
						minLength: 1,
					}),
					{
						minLength: 1,
					},
				),
				fc.constantFrom("float", "base64" as const),
				(vectors, encoding) => {
					const body = embeddings?.writeAnswer(
						{ model: "m", vectors, usage: { input: 3 } },
						{
							model: "m",
							inputs: [],
							single: false,
							encoding: encoding as "float",
						},
						naming,
						() => {},
					);
					const again = embeddings?.readAnswer(
						JSON.parse(JSON.stringify(body)),
					);
					const plain = vectors.map((each) => each.map((one) => one + 0));
					expect(again).toMatchObject({ ok: true });
					if (again?.ok)
						expect({
							...again.value,
							vectors: again.value.vectors.map((each) =>
								each.map((one) => one + 0),
							),
						}).toEqual({ model: "m", vectors: plain, usage: { input: 3 } });
				},
			),
		);
	});

	it("of any shape are read or refused", () => {
		const body = JSON.parse(fixture("openai-embeddings.json").toString());
		expect(embeddings?.readAnswer(body)).toMatchObject({
			ok: true,
			value: { vectors: [[0.0023064255, -0.009327292, -0.0028842222]] },
		});
		fc.assert(
			fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
				for (const each of [
					one,
					{ data: one },
					{ data: [one, other] },
					{ data: [{ embedding: one, index: other }] },
				]) {
					const outcome = embeddings?.readAnswer(each);
					if (!outcome?.ok) expect(outcome?.error.code).toBe("vendor/garbled");
				}
			}),
		);
	});
});

describe("small print", () => {
	const text = (value: string) => ({ type: "text", text: value }) as const;

	function streamOut(
		events: readonly AnswerEvent[],
		request: CanonicalRequest = asked,
	) {
		const writer = chat.openWriter(request, naming, wired({ ...asked }));
		const bytes = [writer.push(events), writer.end()];
		return Buffer.concat(bytes.filter((each) => each !== undefined))
			.toString()
			.split("\n\n")
			.filter((each) => each !== "" && each !== "data: [DONE]")
			.map((each) => JSON.parse(each.slice("data: ".length)));
	}

	it("two signed thoughts in a row are two, and nothing follows a finish", () => {
		const detail = (more: object) => ({
			reasoning_details: [{ type: "reasoning.text", ...more }],
		});
		const events = streamed(
			chunks(
				delta(detail({ text: "a" })),
				delta(detail({ signature: "s" })),
				delta(detail({ text: "b" })),
				delta(detail({ signature: "t" })),
				delta({}, "stop"),
				delta({ content: "late" }, "stop"),
			),
		);
		expect(gathered(events).choices[0]?.parts).toMatchObject([
			{ text: "a", opaque: { data: { signature: "s" } } },
			{ text: "b", opaque: { data: { signature: "t" } } },
		]);
	});

	it("details that have their text leave the text beside them alone", () => {
		const [part] =
			answerOf({
				content: "a",
				reasoning: "Hm.",
				reasoning_details: [
					{ type: "reasoning.encrypted", data: "x" },
					{ type: "reasoning.summary", summary: "Hm." },
				],
			})?.parts ?? [];
		expect(part).toMatchObject({ type: "reasoning", text: "" });
	});

	it("citations are placed in the whole text of an answer", () => {
		const cited = [{ url: "https://a.b", start: 1, end: 2 }];
		const parts = [text("one. "), { ...text("two"), citations: cited }];
		const place = { url_citation: { start_index: 6, end_index: 7 } };
		const finish = { reason: "stop" } as const;
		expect(
			chat.writeAnswer(
				{ choices: [{ parts, finish }] },
				asked,
				naming,
				() => {},
			).choices,
		).toMatchObject([{ message: { annotations: [place] } }]);
		const told = streamOut(spread({ choices: [{ parts, finish }] })).flatMap(
			(each) => each.choices[0].delta.annotations ?? [],
		);
		expect(told).toMatchObject([place]);
	});

	it("who asked for usage gets none on each chunk but the last", () => {
		const answer: CanonicalAnswer = {
			choices: [{ parts: [text("a")], finish: { reason: "stop" } }],
			usage: {
				input: 1,
				"input-image": 2,
				"cache-read": 3,
				"cache-read-audio": 4,
			},
		};
		const told = streamOut(spread(answer), { ...asked, streamUsage: true });
		for (const each of told.slice(0, -1)) expect(each.usage).toBeNull();
		expect(told.at(-1)).toMatchObject({
			choices: [],
			usage: {
				prompt_tokens: 10,
				prompt_tokens_details: { cached_tokens: 7, audio_tokens: 4 },
			},
		});
	});

	it("a refusal without words is a filter's", () => {
		const refusal: CanonicalAnswer = {
			choices: [{ parts: [], finish: { reason: "refusal" } }],
		};
		expect(chat.writeAnswer(refusal, asked, naming, () => {})).toMatchObject({
			choices: [{ finish_reason: "content_filter" }],
		});
	});

	it("files of another vendor are refused", () => {
		const source = { type: "file", protocol: "protocol-x", id: "1" } as const;
		const parts = [{ type: "document", source } as const];
		expect(write({ messages: [{ role: "user", parts }] }).refused).toBe(
			"messages.0.parts.0",
		);
	});

	it("what a tool showed comes before the user's next words", () => {
		const image = {
			type: "image",
			source: { type: "url", url: "https://a.b/c" },
		} as const;
		const { body } = write({
			messages: [
				{
					role: "tool",
					parts: [{ type: "tool-result", call: "c", parts: [image] }],
				},
				user,
			],
		});
		expect(body.messages).toMatchObject([
			{ role: "tool", content: "The result follows." },
			{ role: "user", content: [{ type: "text" }, { type: "image_url" }] },
			{ role: "user", content: "Hi" },
		]);
	});

	it("a message with nothing to say says an empty text", () => {
		const { body } = write({
			messages: [{ role: "assistant", parts: [] }],
			parallelToolCalls: false,
			toolChoice: { mode: "none" },
		});
		expect(body).toEqual({
			model: "sent-model",
			messages: [{ role: "assistant", content: "" }],
		});
	});

	it("vectors that lack one are no answer", () => {
		expect(
			chat.embeddings?.readAnswer({ data: [{ index: 1, embedding: [1] }] }),
		).toMatchObject({ ok: false });
	});

	it("a message beside choices is no error", () => {
		const events = streamed(
			chunks({ message: "all is well", ...delta({ content: "a" }, "stop") }),
		);
		expect(events.at(-1)).toEqual({ type: "end" });
	});

	it("an id made anew has no part that repeats", () => {
		const id = callId("toolu_1", 9);
		expect(id.slice(0, 4)).not.toBe(id.slice(5));
	});
});
