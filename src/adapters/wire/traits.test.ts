import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CanonicalRequest, Message } from "../../ports/canonical.ts";
import type { RequestTraits } from "../../ports/request-traits.ts";
import type { RequestTarget, WireRequest } from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import {
	base64,
	canonicalRequests,
	conversations,
	functionTools,
	inlineMedia,
	schemas,
	textParts,
	toolsAndChoice,
} from "./canonical/arbitraries.testing.ts";

/** What each protocol's clients ask, and of which model. */
const clients = {
	"openai-chat": ["chat", "gpt-5.2"],
	"openai-responses": ["responses", "gpt-5.2"],
	"anthropic-messages": ["messages", "claude-sonnet-4-6"],
	"google-generate": ["generate-content", "gemini-2.5-pro"],
} as const;
type Client = keyof typeof clients;
const names = Object.keys(clients) as readonly Client[];

function wireOf(client: Client) {
	const found = spoken.find(({ wire }) => wire.id === client);
	if (!found?.translator) throw new Error(`${client} is not spoken.`);
	return { wire: found.wire, translator: found.translator };
}

function read(
	client: Client,
	body: object,
	operation: string = clients[client][0],
): WireRequest {
	const target: RequestTarget = {
		parameters: { model: "m" },
		query: "",
		header: () => undefined,
	};
	const outcome = wireOf(client).wire.read(
		operation,
		Buffer.from(JSON.stringify(body)),
		target,
	);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function traits(
	client: Client,
	body: object,
	operation?: string,
): RequestTraits {
	return wireOf(client).wire.traits(read(client, body, operation));
}

/** The conversation as this protocol's clients write it. */
function written(client: Client, request: CanonicalRequest): object {
	const { translator } = wireOf(client);
	const outcome = translator.writeRequest(
		request,
		{
			model: clients[client][1],
			outputLimit: request.outputLimit,
			quirks: {},
		},
		() => {},
	);
	if (!outcome.ok) throw new Error(outcome.error.message);
	const streams = request.stream ? { stream: true } : {};
	return client === "google-generate"
		? outcome.value.body
		: { ...outcome.value.body, ...streams };
}

/** The shape of a conversation by its meaning, told without looking at any protocol. */
function shapeOf({ messages, tools, output, reasoning }: CanonicalRequest) {
	const turns = messages.filter(
		({ role }) => role !== "system" && role !== "developer",
	);
	const lastUser = turns.findLastIndex(({ role }) => role === "user");
	const stretches = turns.filter(
		({ role }, index) => role !== turns[index - 1]?.role,
	);
	const parts = messages.flatMap((message): readonly { type: string }[] =>
		message.role === "tool"
			? message.parts.flatMap((part) => part.parts)
			: message.parts,
	);
	return {
		messages: stretches.length,
		last: turns.at(-1)?.role,
		step: turns.slice(lastUser + 1).filter(({ role }) => role === "assistant")
			.length,
		tools: tools?.length ?? 0,
		images: parts.filter(({ type }) => type === "image").length,
		documents: parts.filter(({ type }) => type === "document").length,
		audio: 0,
		schema: output?.type === "json-schema",
		reasoning: reasoning ? "some" : "none",
		logprobs: false,
	};
}

/** A step of a loop: what the model asked tools for, and what they gave. */
function loop(steps: number): Message[] {
	return Array.from({ length: steps }, (_, index): Message[] => [
		{
			role: "assistant",
			parts: [
				{ type: "text", text: 'I look at "role": "user".' },
				{
					type: "tool-call",
					id: `call_${index}`,
					name: "look",
					arguments: '{"type":"tool_result","functionResponse":{}}',
				},
			],
		},
		{
			role: "tool",
			parts: [
				{
					type: "tool-result",
					call: `call_${index}`,
					name: "look",
					parts: [{ type: "text", text: '{"functionResponse": 1}' }],
				},
			],
		},
	]).flat();
}

const asks: Message = { role: "user", parts: [{ type: "text", text: "Go." }] };
const says: Message = {
	role: "assistant",
	parts: [{ type: "text", text: "Gone." }],
};

function request(
	messages: readonly Message[],
	more: Partial<CanonicalRequest> = {},
): CanonicalRequest {
	return { model: "m", messages, stream: false, streamUsage: false, ...more };
}

const look = { type: "function", name: "look", schema: {} } as const;

describe("the shape of a request", () => {
	it.each<[string, CanonicalRequest, Partial<RequestTraits>]>([
		[
			"a question",
			request([asks]),
			{ messages: 1, last: "user", step: 0, tools: 0 },
		],
		[
			"a question with a system prompt and tools",
			request(
				[{ role: "system", parts: [{ type: "text", text: "Be kind." }] }, asks],
				{ tools: [look, { ...look, name: "leap" }] },
			),
			{ messages: 1, last: "user", step: 0, tools: 2 },
		],
		[
			"the third step of a loop",
			request([asks, says, asks, ...loop(3)], { tools: [look] }),
			{ messages: 9, last: "tool", step: 3, tools: 1 },
		],
		[
			"the user's word after a loop",
			request([asks, ...loop(2), says, asks]),
			{ messages: 7, last: "user", step: 0 },
		],
		[
			"an answer in a schema",
			request([asks], {
				outputLimit: 50,
				output: {
					type: "json-schema",
					name: "it",
					schema: {
						type: "object",
						properties: {},
						additionalProperties: false,
					},
				},
			}),
			{ schema: true, outputLimit: 50 },
		],
		[
			"some reasoning",
			request([asks], {
				outputLimit: 20_000,
				reasoning: { effort: "medium" },
			}),
			{ reasoning: "some" },
		],
		[
			"a picture",
			request([
				{
					role: "user",
					parts: [
						{ type: "text", text: "What is it?" },
						{
							type: "image",
							source: { type: "base64", mediaType: "image/png", data: "AAAA" },
						},
					],
				},
			]),
			{ images: 1, documents: 0, audio: 0, messages: 1 },
		],
	])("of %s is the same in every protocol", (_, asked, expected) => {
		for (const client of names)
			expect({
				client,
				...traits(client, written(client, asked)),
			}).toMatchObject({ client, means: "generate", ...expected });
	});

	it("is the same in every protocol, whatever the conversation", () => {
		const image = inlineMedia("image", ["image/png"]);
		const some = canonicalRequests({
			messages: conversations({
				user: fc.oneof({ weight: 3, arbitrary: textParts() }, image),
			}),
			tools: toolsAndChoice(
				functionTools({ description: base64, schema: schemas }),
				["auto"],
			),
			sometimes: {
				output: schemas.map((schema) => ({
					type: "json-schema" as const,
					name: "it",
					schema,
				})),
				reasoning: fc.constantFrom(
					{ effort: "low" as const },
					{ effort: "medium" as const },
				),
				outputLimit: fc.constant(30_000),
			},
		});
		fc.assert(
			fc.property(some, (asked) => {
				const expected = shapeOf(asked);
				for (const client of names)
					expect({
						client,
						...traits(client, written(client, asked)),
					}).toMatchObject({ client, ...expected });
			}),
			{ numRuns: 200 },
		);
	});

	it("counts what the caller allows over all answers, and what streams", () => {
		const messages = [{ role: "user", content: "Hi" }];
		expect(
			traits("openai-chat", {
				model: "m",
				messages,
				max_tokens: 10,
				n: 3,
				stream: true,
			}),
		).toMatchObject({ outputLimit: 30, stream: true });
		expect(traits("openai-chat", { model: "m", messages })).toMatchObject({
			outputLimit: undefined,
			stream: false,
		});
	});
});

describe("a turn", () => {
	it("is the tool's where the user adds a word to a result, as harnesses do", () => {
		const block = (type: string, more: object) => ({ type, ...more });
		const messages = [
			{ role: "user", content: "Go." },
			{
				role: "assistant",
				content: [
					block("tool_use", {
						id: "t",
						name: "look",
						input: { type: "image" },
					}),
				],
			},
			{
				content: [
					block("tool_result", {
						tool_use_id: "t",
						content: [
							block("image", {
								source: { type: "url", url: "https://example.com" },
							}),
						],
					}),
					block("text", { text: "Mind the gap." }),
				],
				role: "user",
			},
		];
		expect(
			traits("anthropic-messages", { model: "m", max_tokens: 9, messages }),
		).toMatchObject({ last: "tool", step: 1, messages: 3, images: 1 });
	});

	it("is known by its role wherever that stands, and by no role that a text tells of", () => {
		for (const [message, last] of [
			['{"content":"\\"role\\":\\"tool\\"","role":"assistant"}', "assistant"],
			['{"content":[{"role":"tool"}],"name":1,"role":"system"}', "system"],
			['{ "n" : "x" , "role" : "developer" }', "system"],
			['{"role":"function"}', "tool"],
			['{"role":7}', "user"],
			["{}", "user"],
		])
			expect(
				wireOf("openai-chat").wire.traits(
					readText(`{"model":"m","messages":[{"role":"user"},${message}]}`),
				).last,
			).toBe(last);
		function readText(text: string): WireRequest {
			const outcome = wireOf("openai-chat").wire.read(
				"chat",
				Buffer.from(text),
			);
			if (!outcome.ok) throw new Error(outcome.error.message);
			return outcome.value;
		}
	});

	it("of Responses is made of many items", () => {
		expect(
			traits("openai-responses", {
				model: "m",
				input: [
					{ type: "message", role: "developer", content: "Be kind." },
					{ role: "user", content: "Go." },
					{ type: "reasoning", summary: [] },
					{ type: "message", content: [], role: "assistant" },
					{ type: "function_call", call_id: "1", name: "f", arguments: "{}" },
					{ type: "function_call", call_id: "2", name: "f", arguments: "{}" },
					{ type: "function_call_output", call_id: "1", output: "" },
					{ type: "custom_tool_call_output", call_id: "2", output: "" },
				],
			}),
		).toMatchObject({ messages: 3, last: "tool", step: 1 });
	});

	it("of Google may be a single one, and in either spelling", () => {
		expect(
			traits("google-generate", {
				contents: { parts: [{ text: '"functionResponse": {}' }] },
			}),
		).toMatchObject({ messages: 1, last: "user", step: 0 });
		expect(
			traits("google-generate", {
				contents: [
					{ parts: [{ text: "functionResponse" }] },
					{ parts: [{ function_call: { name: "f" } }], role: "model" },
					{ parts: [{ function_response: { name: "f" } }], role: "user" },
				],
			}),
		).toMatchObject({ messages: 3, last: "tool", step: 1 });
	});
});

describe("tools", () => {
	it("are counted one by one, those in a group and those that the input adds as well", () => {
		const tool = {
			type: "function",
			name: "f",
			parameters: { type: "object", properties: { a: { type: "string" } } },
		};
		const group = { type: "namespace", name: "n", tools: [tool, tool] };
		const input = [{ role: "user", content: "Hi" }];
		const count = (tools: unknown, items: readonly object[] = input) =>
			traits("openai-responses", { model: "m", tools, input: items }).tools;
		expect(count([tool, tool, { type: "web_search" }])).toBe(3);
		expect(count([group, tool])).toBe(3);
		expect(
			count([tool], [...input, { type: "additional_tools", tools: [tool] }]),
		).toBe(2);
		expect(
			traits("google-generate", {
				contents: [],
				tools: [
					{ functionDeclarations: [{ name: "f" }, { name: "g" }] },
					{ googleSearch: {} },
				],
			}).tools,
		).toBe(3);
		expect(
			traits("openai-chat", {
				model: "m",
				messages: [],
				tools: [{ type: "function", function: tool }],
				functions: [{ name: "f" }],
				web_search_options: {},
			}).tools,
		).toBe(3);
	});
});

describe("reasoning", () => {
	const messages = [{ role: "user", content: "Hi" }];
	const of = (client: Client, more: object) => {
		const base = {
			"openai-chat": { model: "m", messages },
			"openai-responses": { model: "m", input: "Hi" },
			"anthropic-messages": { model: "m", messages, max_tokens: 64_000 },
			"google-generate": { contents: [] },
		}[client];
		return traits(client, { ...base, ...more }).reasoning;
	};
	const config = (thinkingConfig: object) => ({
		generationConfig: { thinkingConfig },
	});

	it.each<[Client, object, RequestTraits["reasoning"]]>([
		["openai-chat", {}, "none"],
		["openai-chat", { reasoning_effort: "none" }, "none"],
		["openai-chat", { reasoning_effort: "minimal" }, "none"],
		["openai-chat", { reasoning_effort: "low" }, "some"],
		["openai-chat", { reasoning_effort: "high" }, "much"],
		["openai-chat", { reasoning: { effort: "xhigh" } }, "much"],
		["openai-chat", { reasoning: { max_tokens: 2_000 } }, "some"],
		["openai-chat", { reasoning: { enabled: true } }, "some"],
		["openai-chat", { reasoning: { exclude: true } }, "none"],
		["openai-chat", { thinking: { type: "enabled" } }, "some"],
		["openai-chat", { thinking: { type: "disabled" } }, "none"],
		["openai-responses", { reasoning: { effort: "medium" } }, "some"],
		["openai-responses", { reasoning: { effort: "high" } }, "much"],
		["openai-responses", { reasoning: { summary: "auto" } }, "none"],
		["anthropic-messages", {}, "none"],
		// What the vendor does unless told otherwise, and what its own harness asks on every step.
		["anthropic-messages", { output_config: { effort: "high" } }, "some"],
		[
			"anthropic-messages",
			{ thinking: { type: "enabled", budget_tokens: 31_999 } },
			"some",
		],
		[
			"anthropic-messages",
			{ thinking: { type: "enabled", budget_tokens: 48_000 } },
			"much",
		],
		["anthropic-messages", { thinking: { type: "adaptive" } }, "some"],
		[
			"anthropic-messages",
			{ thinking: { type: "adaptive" }, output_config: { effort: "max" } },
			"much",
		],
		["anthropic-messages", { thinking: { type: "disabled" } }, "none"],
		["google-generate", config({}), "none"],
		["google-generate", config({ thinkingBudget: 0 }), "none"],
		["google-generate", config({ thinkingBudget: -1 }), "some"],
		["google-generate", config({ thinking_budget: 24_576 }), "much"],
		["google-generate", config({ thinkingLevel: "HIGH" }), "some"],
		["google-generate", config({ includeThoughts: true }), "some"],
	])("that %s asks for with %j is %s", (client, more, expected) => {
		expect(of(client, more)).toBe(expected);
	});
});

it("log probabilities are told where they are asked for", () => {
	const messages = [{ role: "user", content: "Hi" }];
	expect(
		traits("openai-chat", { model: "m", messages, logprobs: true }).logprobs,
	).toBe(true);
	for (const more of [
		{ top_logprobs: 2 },
		{ include: ["message.output_text.logprobs"] },
	])
		expect(
			traits("openai-responses", { model: "m", input: "Hi", ...more }).logprobs,
		).toBe(true);
	expect(
		traits("google-generate", {
			contents: [],
			generationConfig: { response_logprobs: true },
		}).logprobs,
	).toBe(true);
});

it("what is no conversation says what it asks for", () => {
	expect(
		traits("openai-chat", { model: "m", input: ["a", "b"] }, "embeddings"),
	).toMatchObject({ means: "embed", messages: 1, step: 0, outputLimit: 0 });
	expect(
		traits("openai-chat", { model: "m", prompt: "A fox" }, "image-generations"),
	).toMatchObject({ means: "image", images: 0 });
	expect(
		traits("openai-chat", { model: "m", input: "Hi" }, "speech"),
	).toMatchObject({ means: "speech" });
	expect(
		traits("anthropic-messages", { model: "m", messages: [] }, "count-tokens"),
	).toMatchObject({ means: "count-tokens" });
	expect(
		traits(
			"google-generate",
			{ content: { parts: [{ text: "a" }] } },
			"embed-content",
		),
	).toMatchObject({ means: "embed" });
	expect(
		traits(
			"google-generate",
			{
				contents: [
					{
						parts: [
							{ inlineData: { mimeType: "image/png", data: "AA" } },
							{ fileData: { mime_type: "application/pdf", fileUri: "x" } },
							{ inline_data: { mime_type: "audio/wav", data: "AA" } },
						],
					},
				],
			},
			"count-tokens",
		),
	).toMatchObject({
		means: "count-tokens",
		images: 1,
		documents: 1,
		audio: 1,
	});
});
