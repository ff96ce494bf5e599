import { readFileSync } from "node:fs";
import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { CanonicalRequest, Message } from "../../../ports/canonical.ts";
import type { Warning } from "../../../ports/translator.ts";
import { seal } from "../canonical/seal.ts";
import { openaiResponses } from "./protocol.ts";
import { openaiResponsesTranslator as translator } from "./translator.ts";

type Params = OpenAI.Responses.ResponseCreateParams;

const file = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

function reading(body: object) {
	const wire = openaiResponses.read(
		"responses",
		Buffer.from(JSON.stringify({ model: "m", input: "Hi", ...body })),
	);
	if (!wire.ok) throw new Error(wire.error.message);
	const warnings: Warning[] = [];
	const outcome = translator.readRequest(wire.value, (each) =>
		warnings.push(each),
	);
	return { outcome, warnings };
}

function read(body: object): CanonicalRequest {
	const { outcome } = reading(body);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

/** What became of a request: the field that it was refused for, or those that it was warned of. */
function told(body: object): string | string[] {
	const { outcome, warnings } = reading(body);
	return outcome.ok
		? warnings.map(({ kind, field }) => `${kind} ${field}`)
		: `${outcome.error.code} ${outcome.error.details?.field}`;
}

function write(request: Partial<CanonicalRequest>, model = "m") {
	const warnings: string[] = [];
	const outcome = translator.writeRequest(
		{
			model: "asked",
			messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
			stream: false,
			streamUsage: true,
			...request,
		},
		{ model, outputLimit: undefined, quirks: {} },
		({ kind, field }) => warnings.push(`${kind} ${field}`),
	);
	return {
		body: outcome.ok ? outcome.value.body : undefined,
		refused: outcome.ok ? undefined : outcome.error.details?.field,
		warnings,
	};
}

const messages = (...parts: Message["parts"][number][]): Message[] => [
	{ role: "user", parts } as Message,
];

describe("a client's request", () => {
	it("is a coding agent's turn: instructions, both kinds of tools, encrypted reasoning", () => {
		const { outcome, warnings } = reading(
			JSON.parse(file("codex-request.json").toString()),
		);
		expect(warnings).toEqual([]);
		expect(outcome.ok && outcome.value).toMatchObject({
			model: "gpt-5.4-codex",
			messages: [
				{ role: "system", parts: [{ text: "You are a coding agent." }] },
				{ role: "developer" },
				{ role: "user" },
				{ role: "user", parts: [{ text: "List the files." }] },
				{
					role: "assistant",
					parts: [
						{
							type: "reasoning",
							text: "**Listing**",
							summary: true,
							opaque: {
								protocol: "openai-responses",
								data: { encrypted_content: "gAAAAABpEncrypted==" },
							},
						},
						{ type: "tool-call", id: "call_1", name: "exec_command" },
					],
				},
				{
					role: "tool",
					parts: [{ call: "call_1", parts: [{ text: "main.ts\n" }] }],
				},
				{
					role: "assistant",
					parts: [{ type: "tool-call", id: "call_2", custom: true }],
				},
				{ role: "tool", parts: [{ call: "call_2" }] },
				{ role: "assistant" },
				{ role: "user" },
			],
			tools: [
				{ type: "function", name: "exec_command" },
				{
					type: "custom",
					name: "apply_patch",
					format: { type: "grammar", syntax: "lark" },
				},
				{ type: "web-search" },
			],
			toolChoice: { mode: "auto" },
			parallelToolCalls: false,
			reasoning: { effort: "medium", show: "auto" },
			verbosity: "medium",
			cacheKey: "0199f6a0-session",
			stream: true,
		});
	});

	it("gives back what a vendor of another protocol had sealed", () => {
		const opaque = { protocol: "anthropic-messages", data: { signature: "s" } };
		const item = {
			type: "reasoning",
			id: "rs_dos_call_0",
			summary: [],
			encrypted_content: seal(opaque),
		};
		expect(read({ input: [item] }).messages[0]?.parts).toEqual([
			{ type: "reasoning", text: "", opaque },
		]);
		// Ours without anything sealed has nothing to give back.
		const bare = { type: "reasoning", id: "rs_dos_call_0", summary: [] };
		expect(read({ input: [bare] }).messages[0]?.parts).toEqual([
			{ type: "reasoning", text: "" },
		]);
	});

	it("has media as data, as addresses and as files that a vendor keeps", () => {
		const base64 = Buffer.from("Grüße").toString("base64");
		const content = [
			{
				type: "input_image",
				image_url: "data:image/png;base64,AAAA",
				detail: "high",
			},
			{ type: "input_image", image_url: "https://example.com/a.png" },
			{ type: "input_image", file_id: "file-1" },
			{ type: "input_file", filename: "a.pdf", file_data: "AAAA" },
			{
				type: "input_file",
				filename: "a.txt",
				file_data: `data:text/plain;base64,${base64}`,
			},
			{ type: "input_file", file_url: "https://example.com/a.pdf" },
			{
				type: "input_audio",
				input_audio: { data: "AAAA", format: "wav" },
			},
		];
		expect(
			read({ input: [{ role: "user", content }] }).messages[0]?.parts,
		).toEqual([
			{
				type: "image",
				source: { type: "base64", mediaType: "image/png", data: "AAAA" },
				detail: "high",
			},
			{
				type: "image",
				source: { type: "url", url: "https://example.com/a.png" },
			},
			{
				type: "image",
				source: { type: "file", protocol: "openai-responses", id: "file-1" },
			},
			{
				type: "document",
				name: "a.pdf",
				source: { type: "base64", mediaType: "application/pdf", data: "AAAA" },
			},
			{
				type: "document",
				name: "a.txt",
				source: { type: "text", mediaType: "text/plain", text: "Grüße" },
			},
			{
				type: "document",
				source: { type: "url", url: "https://example.com/a.pdf" },
			},
			{
				type: "audio",
				source: { type: "base64", mediaType: "audio/wav", data: "AAAA" },
			},
		]);
	});

	it("has results of its own shell and patch tools", () => {
		const input = [
			{
				type: "local_shell_call",
				id: "lsh_1",
				call_id: "call_1",
				status: "completed",
				action: { type: "exec", command: ["ls"], env: {} },
			},
			{ type: "local_shell_call_output", id: "call_1", output: "a.ts" },
			{
				type: "shell_call",
				call_id: "call_2",
				action: { commands: ["ls"] },
			},
			{
				type: "shell_call_output",
				call_id: "call_2",
				output: [
					{
						stdout: "a.ts",
						stderr: "",
						outcome: { type: "exit", exit_code: 0 },
					},
				],
			},
			{
				type: "apply_patch_call",
				call_id: "call_3",
				status: "completed",
				operation: { type: "delete_file", path: "a.ts" },
			},
			{ type: "apply_patch_call_output", call_id: "call_3", status: "failed" },
		];
		expect(read({ input }).messages).toMatchObject([
			{ parts: [{ id: "call_1", name: "local_shell" }] },
			{ parts: [{ call: "call_1", parts: [{ text: "a.ts" }] }] },
			{ parts: [{ id: "call_2", arguments: '{"commands":["ls"]}' }] },
			{ parts: [{ call: "call_2" }] },
			{ parts: [{ id: "call_3", name: "apply_patch" }] },
			{ parts: [{ call: "call_3", error: true, parts: [] }] },
		]);
	});

	it("chooses among tools of every kind", () => {
		const chosen = (tool_choice: unknown) =>
			read({ tool_choice, tools: [{ type: "web_search" }] }).toolChoice;
		expect(chosen("required")).toEqual({ mode: "required" });
		expect(chosen({ type: "function", name: "f" })).toEqual({
			mode: "tool",
			name: "f",
		});
		expect(chosen({ type: "web_search_preview" })).toEqual({
			mode: "tool",
			name: "web_search",
		});
		expect(
			chosen({
				type: "allowed_tools",
				mode: "auto",
				tools: [
					{ type: "function", name: "f" },
					{ type: "custom", name: "c" },
					{ type: "web_search" },
				],
			}),
		).toEqual({
			mode: "allowed",
			names: ["f", "c", "web_search"],
			required: false,
		});
	});

	it.each([
		[{ conversation: "conv_1" }, "translate/unsupported conversation"],
		[
			{ previous_response_id: "resp_1" },
			"translate/unsupported previous_response_id",
		],
		[{ prompt: { id: "p" } }, "translate/unsupported prompt"],
		[
			{ input: [{ type: "item_reference", id: "x" }] },
			"translate/unsupported input.0.id",
		],
		[
			{ input: [{ type: "computer_call_output", call_id: "c" }] },
			"translate/unsupported input.0.type",
		],
		[
			{ input: [{ type: "compaction", encrypted_content: "x" }] },
			"translate/unsupported input.0.type",
		],
		[
			{ input: [{ role: "user", content: [{ type: "input_video" }] }] },
			"translate/unsupported input.0.content.0.type",
		],
		[
			{ tools: [{ type: "web_search", external_web_access: false }] },
			"translate/unsupported tools.0.external_web_access",
		],
		[
			{ tool_choice: { type: "mcp", server_label: "s" } },
			"translate/unsupported tool_choice.type",
		],
		[{ input: [{ role: "robot" }] }, "request/invalid input.0.role"],
		[{ input: [{ role: "user" }] }, "request/invalid input.0.content"],
		[
			{ input: [{ role: "user", content: [{ type: "input_image" }] }] },
			"request/invalid input.0.content.0.image_url",
		],
		[
			{
				input: [
					{ role: "system", content: [{ type: "input_image", file_id: "f" }] },
				],
			},
			"request/invalid input.0.content.0.type",
		],
		[
			{ input: [{ type: "function_call", name: "f", arguments: "{}" }] },
			"request/invalid input.0.call_id",
		],
		[
			{ input: [{ type: "function_call_output", output: "x" }] },
			"request/invalid input.0.call_id",
		],
		[{ temperature: "hot" }, "request/invalid temperature"],
		[{ text: { format: { type: "xml" } } }, "request/invalid text.format.type"],
		[
			{ text: { format: { type: "json_schema", name: "n" } } },
			"request/invalid text.format.schema",
		],
		[{ reasoning: { effort: "most" } }, "request/invalid reasoning.effort"],
		[{ tools: [{ type: "function" }] }, "request/invalid tools.0.name"],
		[{ tool_choice: "any" }, "request/invalid tool_choice"],
		[{ top_logprobs: 21 }, "request/invalid top_logprobs"],
	])("is refused: %j", (body, expected) => {
		expect(told(body)).toBe(expected);
	});

	it.each([
		[{ truncation: "auto" }, ["dropped truncation"]],
		[{ service_tier: "scale" }, ["dropped service_tier"]],
		[{ service_tier: "fast" }, ["changed service_tier"]],
		[{ prompt_cache_retention: "24h" }, ["dropped prompt_cache_retention"]],
		[
			{ context_management: [{ type: "compaction" }] },
			["dropped context_management"],
		],
		[{ include: ["file_search_call.results"] }, ["dropped include.0"]],
		[{ reasoning: { context: "all_turns" } }, ["dropped reasoning.context"]],
		[
			{ tools: [{ type: "function", name: "f", defer_loading: true }] },
			["dropped tools.0.defer_loading"],
		],
		[
			{
				input: [
					{
						type: "additional_tools",
						role: "developer",
						tools: [{ type: "function", name: "f" }],
					},
				],
			},
			["changed input.0.tools"],
		],
		[
			{
				input: [
					{
						role: "user",
						content: [
							{
								type: "input_text",
								text: "Hi",
								prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" },
							},
						],
					},
				],
			},
			["changed input.0.content.0.prompt_cache_breakpoint.ttl"],
		],
		[
			{
				store: true,
				background: false,
				truncation: "disabled",
				stream_options: { include_obfuscation: false },
				include: ["reasoning.encrypted_content"],
				user: "u",
				service_tier: "default",
				previous_response_id: null,
			},
			[],
		],
	])("is warned of: %j", (body, expected) => {
		expect(told(body)).toEqual(expected);
	});
});

describe("a request to a vendor", () => {
	it("has the form that the vendor's own SDK sends", () => {
		const schema = {
			type: "object",
			properties: { city: { type: "string" } },
			required: ["city"],
			additionalProperties: false,
		};
		const { body, warnings } = write(
			{
				messages: [
					{ role: "system", parts: [{ type: "text", text: "Be brief." }] },
					{ role: "developer", parts: [{ type: "text", text: "In French." }] },
					{
						role: "user",
						parts: [
							{ type: "text", text: "What is this?", cache: { ttl: "1h" } },
							{
								type: "image",
								source: {
									type: "base64",
									mediaType: "image/png",
									data: "AAAA",
								},
							},
							{
								type: "document",
								source: { type: "text", mediaType: "text/plain", text: "Hi" },
							},
						],
					},
					{
						role: "assistant",
						parts: [
							{
								type: "reasoning",
								text: "A cat?",
								summary: true,
								opaque: {
									protocol: "openai-responses",
									data: { id: "rs_1", encrypted_content: "gAAA" },
								},
							},
							{ type: "text", text: "I look." },
							{
								type: "tool-call",
								id: "call_1",
								name: "get_weather",
								arguments: "{}",
							},
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
								parts: [
									{ type: "text", text: "22 °C" },
									{
										type: "image",
										source: { type: "url", url: "https://example.com/a.png" },
									},
								],
							},
							{
								type: "tool-result",
								call: "call_2",
								parts: [{ type: "text", text: "a.ts" }],
							},
						],
					},
				],
				tools: [
					{
						type: "function",
						name: "get_weather",
						description: "Weather.",
						schema,
						strict: true,
					},
					{ type: "function", name: "now" },
					{ type: "custom", name: "run", format: { type: "text" } },
					{ type: "web-search", mostUses: 3, location: { country: "FR" } },
				],
				toolChoice: {
					mode: "allowed",
					names: ["get_weather", "web_search"],
					required: true,
				},
				output: { type: "json-schema", schema, strict: true },
				verbosity: "low",
				outputLimit: 500,
				reasoning: { effort: "high", show: "auto" },
				serviceTier: "standard",
				user: "u",
				metadata: { a: "b" },
				cacheKey: "k",
				logprobs: { alternatives: 2 },
				stream: true,
			},
			"gpt-5.6",
		);
		expect(warnings).toEqual([]);
		const expected: Params = {
			model: "gpt-5.6",
			instructions: "Be brief.",
			input: [
				{ type: "message", role: "developer", content: "In French." },
				{
					type: "message",
					role: "user",
					content: [
						{
							type: "input_text",
							text: "What is this?",
							prompt_cache_breakpoint: { mode: "explicit", ttl: "12h" },
						},
						{
							type: "input_image",
							image_url: "data:image/png;base64,AAAA",
							detail: "auto",
						},
						{
							type: "input_file",
							filename: "document.txt",
							file_data: "data:text/plain;base64,SGk=",
						},
					],
				},
				{
					type: "reasoning",
					id: "rs_1",
					encrypted_content: "gAAA",
					summary: [{ type: "summary_text", text: "A cat?" }],
				},
				{ type: "message", role: "assistant", content: "I look." },
				{
					type: "function_call",
					call_id: "call_1",
					name: "get_weather",
					arguments: "{}",
				},
				{
					type: "custom_tool_call",
					call_id: "call_2",
					name: "run",
					input: "ls",
				},
				{
					type: "function_call_output",
					call_id: "call_1",
					output: [
						{ type: "input_text", text: "22 °C" },
						{
							type: "input_image",
							image_url: "https://example.com/a.png",
							detail: "auto",
						},
					],
				},
				{
					type: "custom_tool_call_output",
					call_id: "call_2",
					output: "a.ts",
				},
			],
			tools: [
				{
					type: "function",
					name: "get_weather",
					description: "Weather.",
					parameters: schema,
					strict: true,
				},
				{
					type: "function",
					name: "now",
					parameters: { type: "object", properties: {} },
					strict: false,
				},
				{ type: "custom", name: "run", format: { type: "text" } },
				{
					type: "web_search",
					user_location: { type: "approximate", country: "FR" },
				},
			],
			tool_choice: {
				type: "allowed_tools",
				mode: "required",
				tools: [
					{ type: "function", name: "get_weather" },
					{ type: "web_search" },
				],
			},
			max_tool_calls: 3,
			text: {
				format: { type: "json_schema", name: "answer", schema, strict: true },
				verbosity: "low",
			},
			max_output_tokens: 500,
			top_logprobs: 2,
			reasoning: { effort: "high", summary: "auto" },
			service_tier: "default",
			safety_identifier: "u",
			metadata: { a: "b" },
			prompt_cache_key: "k",
			include: [
				"reasoning.encrypted_content",
				"message.output_text.logprobs",
				"web_search_call.action.sources",
			],
			store: false,
			stream: true,
		};
		expect(body).toEqual(expected);
	});

	it("asks for encrypted reasoning of models that reason, and of no other", () => {
		const include = (model: string, request = {}) =>
			write(request, model).body?.include;
		const asked = ["reasoning.encrypted_content"];
		for (const model of ["gpt-5", "gpt-5.4-codex", "o3", "vendor/gpt-6-mini"])
			expect(include(model)).toEqual(asked);
		for (const model of ["gpt-4.1", "gpt-5-chat-latest", "llama"])
			expect(include(model)).toBeUndefined();
		expect(include("any", { reasoning: { effort: "low" } })).toEqual(asked);
		expect(include("any", { reasoning: { effort: "none" } })).toBeUndefined();
	});

	it("takes an effort for a number of tokens of reasoning", () => {
		const effort = (budget: number) => {
			const { body, warnings } = write({ reasoning: { budget } });
			expect(warnings).toEqual(["changed reasoning.budget"]);
			return (body?.reasoning as { effort: string } | undefined)?.effort;
		};
		expect([0, 1024, 8192, 32_000].map(effort)).toEqual([
			"none",
			"low",
			"medium",
			"high",
		]);
		expect(write({ reasoning: { adaptive: true } }).body?.reasoning).toBe(
			undefined,
		);
	});

	it.each([
		["stop", { stop: ["END"] }],
		["choices", { choices: 2 }],
		["modalities.1", { modalities: ["text", "audio"] as const }],
		[
			"messages.0.parts.0",
			{
				messages: messages({
					type: "video",
					source: { type: "url", url: "https://example.com/a.mp4" },
				}),
			},
		],
		[
			"messages.0.parts.0",
			{
				messages: messages({
					type: "image",
					source: { type: "file", protocol: "google-generate", id: "f" },
				}),
			},
		],
		[
			"messages.0.parts.0",
			{
				messages: messages({
					type: "audio",
					source: { type: "base64", mediaType: "audio/wav", data: "AAAA" },
				}),
			},
		],
		[
			"tools.0",
			{
				tools: [
					{
						type: "server" as const,
						name: "code_execution",
						opaque: { protocol: "anthropic-messages", data: {} },
					},
				],
			},
		],
		[
			"tools.0.blockedDomains",
			{ tools: [{ type: "web-search" as const, blockedDomains: ["a.com"] }] },
		],
	])("is refused for %s", (field, request) => {
		expect(write(request).refused).toBe(field);
	});

	it("says what it leaves out", () => {
		const { warnings, body } = write({
			topK: 5,
			seed: 1,
			frequencyPenalty: 1,
			presencePenalty: 1,
			serviceTier: "batch",
			cache: {},
			messages: [
				{
					role: "user",
					name: "ada",
					parts: [{ type: "text", text: "Hi", cache: {} }],
				},
				{
					role: "assistant",
					parts: [
						{
							type: "reasoning",
							text: "Hm.",
							opaque: { protocol: "anthropic-messages", data: {} },
						},
						{
							type: "server-tool",
							tool: "web-search",
							id: "s",
							opaque: { protocol: "anthropic-messages", data: {} },
						},
						{ type: "text", text: "Yes." },
					],
				},
				{
					role: "tool",
					parts: [{ type: "tool-result", call: "c", parts: [], error: true }],
				},
			],
		});
		expect(warnings).toEqual([
			"dropped topK",
			"dropped seed",
			"dropped frequencyPenalty",
			"dropped presencePenalty",
			"dropped cache",
			"dropped messages.0.parts.0.cache",
			"dropped messages.0.name",
			"dropped messages.1.parts.0",
			"dropped messages.1.parts.1",
			"dropped messages.2.parts.0.error",
			"dropped serviceTier",
		]);
		expect(body?.input).toEqual([
			{
				type: "message",
				role: "user",
				content: [{ type: "input_text", text: "Hi" }],
			},
			{ type: "message", role: "assistant", content: "Yes." },
			{ type: "function_call_output", call_id: "c", output: "" },
		]);
	});

	it("shows a schema that cannot be held to, and says so", () => {
		const { body, warnings } = write({
			tools: [
				{
					type: "function",
					name: "f",
					strict: true,
					schema: { type: "object", additionalProperties: true },
				},
			],
		});
		expect(body?.tools).toMatchObject([{ strict: false }]);
		expect(warnings).toContain("changed tools.0.schema");
	});
});

describe("a vendor's answer", () => {
	it.each(["openai-web-search.json", "openai-web-search-stream.txt"])(
		"has the searches, citations and log probabilities of %s",
		(name) => {
			const parts: object[] = [];
			let tokens: readonly object[] | undefined;
			if (name.endsWith("json")) {
				const outcome = translator.readAnswer(
					JSON.parse(file(name).toString()),
				);
				if (!outcome.ok) throw new Error(outcome.error.message);
				parts.push(...(outcome.value.choices[0]?.parts ?? []));
				tokens = outcome.value.choices[0]?.logprobs;
			} else {
				const reader = translator.openReader(read({ stream: true }));
				const events = [...reader.push(file(name)), ...reader.end()];
				for (const event of events) {
					if (event.type === "close" && event.value) parts.push(event.value);
					if (event.type === "open" && event.value.type === "text")
						parts.push({ ...event.value });
					if (event.type === "delta") {
						const last = parts.at(-1) as { text: string };
						last.text += event.text;
					}
					if (event.type === "citation")
						Object.assign(parts.at(-1) as object, {
							citations: [event.citation],
						});
					if (event.type === "logprobs") tokens = event.tokens;
				}
			}
			expect(parts).toMatchObject([
				{
					type: "server-tool",
					tool: "web-search",
					id: "ws_71",
					query: "weather Lyon tomorrow",
					results: [{ url: "https://meteo.example/lyon" }],
				},
				{ type: "server-tool", id: "ws_72" },
				{
					type: "text",
					text: "Rain is expected in Lyon (meteo.example).",
					citations: [
						{
							url: "https://meteo.example/lyon?utm_source=openai",
							title: "Météo",
							start: 25,
							end: 40,
						},
					],
				},
			]);
			expect(tokens).toMatchObject([{ token: "Rain", top: [{}] }]);
		},
	);

	it("has reasoning in the open, and why it was cut off", () => {
		const reader = translator.openReader(read({ stream: true }));
		const events = [
			...reader.push(file("incomplete-stream.txt")),
			...reader.end(),
		];
		expect(events).toContainEqual({
			type: "opaque",
			choice: 0,
			part: 0,
			opaque: { protocol: "openai-responses", data: { id: "rs_91" } },
		});
		expect(events.filter(({ type }) => type === "delta")).toMatchObject([
			{ part: 0, text: "Count: " },
			{ part: 0, text: "one, two" },
			{ part: 1, text: "One, two, th" },
		]);
		expect(events).toContainEqual({
			type: "finish",
			choice: 0,
			finish: { reason: "length" },
		});
	});

	it("is an error where the stream says that it failed", () => {
		const reader = translator.openReader(read({ stream: true }));
		expect(reader.push(file("openai-failed-stream.txt")).at(-1)).toEqual({
			type: "error",
			error: {
				code: "server_error",
				message: "The model failed to generate a response.",
			},
		});
	});

	it("is read of vendors that send whole items in place of deltas, and all under one number", () => {
		const item = (id: string, text: string) => ({
			id,
			type: "message",
			role: "assistant",
			content: [{ type: "output_text", text }],
		});
		const frames = [
			{ type: "response.created", response: { id: "r" } },
			{
				type: "response.output_item.done",
				output_index: 0,
				item: item("msg_1", "One"),
			},
			{
				type: "response.output_item.added",
				output_index: 0,
				item: item("msg_2", ""),
			},
			{
				type: "response.output_item.done",
				output_index: 0,
				item: item("msg_2", "Two"),
			},
			{
				type: "response.completed",
				response: {
					status: "completed",
					output: [
						item("msg_1", "One"),
						item("msg_2", "Two"),
						item("msg_3", "Three"),
					],
				},
			},
		];
		const reader = translator.openReader(read({ stream: true }));
		const events = frames.flatMap((frame) => [
			...reader.push(Buffer.from(`data: ${JSON.stringify(frame)}\n\n`)),
		]);
		expect(
			events.flatMap((event) => (event.type === "delta" ? [event.text] : [])),
		).toEqual(["One", "Two", "Three"]);
		expect(events.at(-1)?.type).toBe("end");
	});
});
