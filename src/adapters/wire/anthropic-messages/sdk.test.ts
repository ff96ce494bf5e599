import { createAnthropic } from "@ai-sdk/anthropic";
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import { generateText, streamText } from "ai";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Finish,
} from "../../../ports/canonical.ts";
import { spread } from "../canonical/gather.ts";
import { anthropicMessages } from "./protocol.ts";
import { anthropicMessagesTranslator } from "./translator.ts";

/*
 * The vendor's own client, and another maker's, unmodified, on what we read and write: each request
 * is read to the canonical form, and answered from there.
 */

const foreign = {
	protocol: "openai-responses",
	data: { id: "rs_1", encrypted_content: "gAAAAAB" },
};
const thought: AnswerPart = {
	type: "reasoning",
	text: "They want the weather.",
	opaque: foreign,
};
const call: AnswerPart = {
	type: "tool-call",
	id: "call_1",
	name: "get_weather",
	arguments: '{"city":"Zürich"}',
};

function answerOf(
	parts: readonly AnswerPart[],
	reason: Finish["reason"] = "stop",
): CanonicalAnswer {
	return {
		id: "resp_1",
		model: "some-model",
		choices: [{ parts, finish: { reason } }],
		usage: { input: 20, "cache-read": 5, output: 7, reasoning: 3 },
	};
}

/** A fetch that answers each request in turn, and keeps what they meant. */
function serving(...answers: readonly CanonicalAnswer[]) {
	const requests: CanonicalRequest[] = [];
	const warnings: string[] = [];
	const naming = { call: "call-1", model: "m", time: 0 };
	const fetch = async (_url: unknown, init?: { body?: unknown }) => {
		const wired = anthropicMessages.read(
			"messages",
			Buffer.from(String(init?.body)),
		);
		if (!wired.ok) {
			const { headers, body } = anthropicMessages.refusal(400, wired.error);
			return new Response(Buffer.from(body), { status: 400, headers });
		}
		const read = anthropicMessagesTranslator.readRequest(
			wired.value,
			({ field }) => warnings.push(field),
		);
		if (!read.ok) throw new Error(read.error.message);
		const answer = answers[requests.length];
		if (!answer) throw new Error("No answer is left.");
		requests.push(read.value);
		if (!read.value.stream)
			return Response.json(
				anthropicMessagesTranslator.writeAnswer(
					answer,
					read.value,
					naming,
					({ field }) => warnings.push(field),
				),
			);
		const writer = anthropicMessagesTranslator.openWriter(
			read.value,
			naming,
			wired.value,
		);
		const pieces = spread(answer).flatMap((event): AnswerEvent[] =>
			event.type === "delta"
				? [...event.text].map((text) => ({ ...event, text }))
				: [event],
		);
		const body = new ReadableStream<Uint8Array>({
			start(controller) {
				for (const event of pieces) {
					const bytes = writer.push([event]);
					if (bytes) controller.enqueue(bytes);
				}
				const rest = writer.end();
				if (rest) controller.enqueue(rest);
				controller.close();
			},
		});
		return new Response(body, {
			headers: { "content-type": "text/event-stream" },
		});
	};
	const client = new Anthropic({
		apiKey: "k",
		maxRetries: 0,
		fetch: fetch as never,
	});
	return { client, fetch, requests, warnings };
}

const asking = {
	model: "any-model",
	max_tokens: 1000,
	messages: [{ role: "user", content: "Weather?" }],
} as const satisfies Anthropic.MessageCreateParams;
const parameters = {
	type: "object",
	properties: { city: { type: "string" } },
	required: ["city"],
	additionalProperties: false,
} as const;

describe("the vendor's client", () => {
	it("reads a whole message", async () => {
		const { client, requests } = serving(
			answerOf([thought, { type: "text", text: "Let me look." }, call]),
		);
		const message = await client.messages.create({ ...asking });
		expect(requests[0]).toMatchObject({ outputLimit: 1000, stream: false });
		expect(message).toMatchObject({
			id: "resp_1",
			role: "assistant",
			stop_reason: "tool_use",
			content: [
				{ type: "thinking", thinking: "They want the weather." },
				{ type: "text", text: "Let me look.", citations: null },
				{ type: "tool_use", name: "get_weather", input: { city: "Zürich" } },
			],
			usage: {
				input_tokens: 20,
				cache_read_input_tokens: 5,
				output_tokens: 10,
				output_tokens_details: { thinking_tokens: 3 },
			},
		});
	});

	it("tells a stream by its helpers, and the next turn brings back what was sealed", async () => {
		const { client, requests } = serving(
			answerOf([thought, { type: "text", text: "Let me look." }, call]),
			answerOf([{ type: "text", text: "Sunny." }]),
		);
		const stream = client.messages.stream({ ...asking });
		const said = { text: "", thinking: "", json: "", blocks: 0, signed: 0 };
		stream.on("text", (delta) => {
			said.text += delta;
		});
		stream.on("thinking", (delta) => {
			said.thinking += delta;
		});
		stream.on("inputJson", (delta) => {
			said.json += delta;
		});
		stream.on("signature", () => said.signed++);
		stream.on("contentBlock", () => said.blocks++);
		const message = await stream.finalMessage();
		expect(said).toEqual({
			text: "Let me look.",
			thinking: "They want the weather.",
			json: '{"city":"Zürich"}',
			blocks: 3,
			signed: 1,
		});
		expect(message.stop_reason).toBe("tool_use");
		expect(message.usage).toMatchObject({
			input_tokens: 20,
			output_tokens: 10,
		});
		expect(message.content[2]).toMatchObject({ input: { city: "Zürich" } });
		await client.messages
			.stream({
				...asking,
				messages: [
					...asking.messages,
					{ role: "assistant", content: message.content },
					{
						role: "user",
						content: [
							{ type: "tool_result", tool_use_id: "call_1", content: "sun" },
						],
					},
				],
			})
			.finalMessage();
		expect(requests[1]?.messages[1]?.parts).toEqual([
			thought,
			{ type: "text", text: "Let me look." },
			call,
		]);
	});

	it.each([false, true])(
		"runs tools in a loop (stream: %s)",
		async (stream) => {
			const { client, requests, warnings } = serving(
				answerOf([
					thought,
					call,
					{ ...call, id: "call_2", arguments: '{"city":"Lima"}' },
				]),
				answerOf([{ type: "text", text: "Sun in both." }]),
			);
			const cities: string[] = [];
			const runner = client.beta.messages.toolRunner({
				...asking,
				messages: [...asking.messages],
				stream,
				tools: [
					betaTool({
						name: "get_weather",
						description: "Tells the weather.",
						inputSchema: parameters,
						run: ({ city }) => {
							cities.push(city);
							return `sun in ${city}`;
						},
					}),
				],
			});
			const last = await runner.runUntilDone();
			expect(last.content).toMatchObject([{ text: "Sun in both." }]);
			expect(cities.sort()).toEqual(["Lima", "Zürich"]);
			expect(requests[0]?.tools).toMatchObject([
				{ type: "function", name: "get_weather", schema: { type: "object" } },
			]);
			expect(requests[1]?.messages.at(-1)).toMatchObject({
				role: "tool",
				parts: [
					{ call: "call_1", parts: [{ text: "sun in Zürich" }] },
					{ call: "call_2", parts: [{ text: "sun in Lima" }] },
				],
			});
			expect(warnings).toEqual([]);
		},
	);

	it("parses structured output", async () => {
		const { client, requests } = serving(
			answerOf([{ type: "text", text: '{"city":"Zürich"}' }]),
		);
		const message = await client.messages.parse({
			...asking,
			output_config: { format: jsonSchemaOutputFormat(parameters) },
		});
		expect(message.parsed_output).toEqual({ city: "Zürich" });
		expect(requests[0]?.output).toMatchObject({
			type: "json-schema",
			schema: { properties: { city: { type: "string" } } },
		});
	});

	it("reads searches, citations and refusals", async () => {
		const { client } = serving(
			answerOf([
				{
					type: "server-tool",
					tool: "web-search",
					id: "ws_1",
					query: "weather",
					results: [{ url: "https://example.com", title: "Weather" }],
					opaque: foreign,
				},
				{
					type: "text",
					text: "Sunny.",
					citations: [
						{ url: "https://example.com", title: "Weather", quote: "sun" },
					],
				},
			]),
			answerOf([{ type: "refusal", text: "I will not." }], "refusal"),
		);
		const stream = client.messages.stream({ ...asking });
		const cited: unknown[] = [];
		stream.on("citation", (each) => cited.push(each));
		const found = await stream.finalMessage();
		expect(found.content.map(({ type }) => type)).toEqual([
			"server_tool_use",
			"web_search_tool_result",
			"redacted_thinking",
			"text",
		]);
		expect(found.content[0]).toMatchObject({ input: { query: "weather" } });
		expect(cited).toMatchObject([{ url: "https://example.com" }]);
		const refused = await client.messages.stream({ ...asking }).finalMessage();
		expect(refused).toMatchObject({
			stop_reason: "refusal",
			stop_details: { type: "refusal", explanation: "I will not." },
		});
	});

	it("counts tokens", async () => {
		const body = '{"input_tokens":14}';
		const seen: string[] = [];
		const client = new Anthropic({
			apiKey: "k",
			fetch: (async (url: unknown, init?: { body?: unknown }) => {
				seen.push(new URL(String(url)).pathname);
				const wired = anthropicMessages.read(
					"count-tokens",
					Buffer.from(String(init?.body)),
				);
				if (!wired.ok) throw new Error(wired.error.message);
				expect(wired.value).toMatchObject({
					outputLimit: 0,
					stream: false,
					serverTools: [],
				});
				const forwarded = anthropicMessages.forward(wired.value, {
					model: "sent",
					outputLimit: 5,
					quirks: {},
				});
				const { max_tokens, model } = JSON.parse(
					Buffer.from(forwarded.body).toString(),
				);
				expect([max_tokens, model]).toEqual([undefined, "sent"]);
				const meter = anthropicMessages.meter(
					wired.value,
					forwarded,
					200,
					"application/json",
				);
				const passed = meter.pass(Buffer.from(body));
				expect(meter.finish()).toMatchObject({
					usage: {},
					complete: true,
					vendorError: undefined,
				});
				return new Response(Buffer.from(passed ?? []), {
					headers: { "content-type": "application/json" },
				});
			}) as never,
		});
		const counted = await client.messages.countTokens({
			model: "any-model",
			messages: [...asking.messages],
			tools: [{ type: "web_search_20250305", name: "web_search" }],
		});
		expect(counted.input_tokens).toBe(14);
		expect(seen).toEqual([
			anthropicMessages.operations.find(({ means }) => means === "count-tokens")
				?.path,
		]);
	});
});

describe("another maker's client", () => {
	const search: AnswerPart = {
		type: "server-tool",
		tool: "web-search",
		id: "ws_1",
		query: "weather",
		results: [{ url: "https://example.com", title: "Weather" }],
		opaque: foreign,
	};
	const answer = answerOf([
		thought,
		search,
		{
			type: "text",
			text: "Sunny.",
			citations: [
				{ url: "https://example.com", title: "Weather", quote: "sun" },
			],
		},
	]);

	it("reads whole answers and streams", async () => {
		const { fetch } = serving(answer, answer);
		const model = createAnthropic({ apiKey: "k", fetch: fetch as never })(
			"any-model",
		);
		const tools = {
			web_search: createAnthropic({ apiKey: "k" }).tools.webSearch_20250305({}),
		};
		const whole = await generateText({
			model,
			prompt: "Weather?",
			tools,
			maxOutputTokens: 99,
		});
		expect([whole.text, whole.reasoningText]).toEqual([
			"Sunny.",
			"They want the weather.",
		]);
		const streamed = streamText({
			model,
			prompt: "Weather?",
			tools,
			maxOutputTokens: 99,
		});
		expect(await streamed.text).toBe("Sunny.");
		expect(await streamed.reasoningText).toBe("They want the weather.");
		expect(await streamed.sources).toMatchObject([
			{ url: "https://example.com" },
		]);
	});
});
