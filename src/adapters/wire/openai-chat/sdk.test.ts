import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	CanonicalAnswer,
	Finish,
} from "../../../ports/canonical.ts";
import { spread } from "../canonical/gather.ts";
import { openaiChat } from "./protocol.ts";
import { openaiChatTranslator as chat } from "./translator.ts";

const naming = { call: "1", model: "asked-model", time: 1_700_000_000_000 };
const quiet = () => {};

/** The vendor's own client, which gets what our writers write for each of its requests in turn. */
function client(...answers: readonly CanonicalAnswer[]): OpenAI {
	let next = 0;
	return new OpenAI({
		apiKey: "none",
		maxRetries: 0,
		async fetch(url, init) {
			const embeds = String(url).endsWith("/embeddings");
			const wired = openaiChat.read(
				embeds ? "embeddings" : "chat",
				Buffer.from(String(init?.body)),
			);
			if (!wired.ok) throw new Error(wired.error.message);
			if (embeds) return embedded(wired.value);
			const read = chat.readRequest(wired.value, ({ field }) => {
				throw new Error(`warned of ${field}`);
			});
			if (!read.ok) throw new Error(read.error.message);
			const answer = answers[next++] as CanonicalAnswer;
			if (!read.value.stream)
				return Response.json(
					chat.writeAnswer(answer, read.value, naming, quiet),
				);
			const writer = chat.openWriter(read.value, naming, wired.value);
			const frames = spread(answer)
				.flatMap(inPieces)
				.map((event) => writer.push([event]));
			return new Response(
				Buffer.concat(
					[...frames, writer.end()].filter((each) => each !== undefined),
				),
				{ headers: { "content-type": "text/event-stream" } },
			);
		},
	});
}

function embedded(request: Parameters<typeof chat.readRequest>[0]): Response {
	const { embeddings } = chat;
	const read = embeddings?.readRequest(request, quiet);
	if (!embeddings || !read?.ok) throw new Error("no embeddings");
	const vectors = read.value.inputs.map((_, index) => [0.5, -0.25, index]);
	const answer = { vectors, usage: { input: 4 } };
	return Response.json(
		embeddings.writeAnswer(answer, read.value, naming, quiet),
	);
}

function inPieces(event: AnswerEvent): AnswerEvent[] {
	return event.type === "delta"
		? [...event.text].map((text) => ({ ...event, text }))
		: [event];
}

function answer(
	parts: CanonicalAnswer["choices"][number]["parts"],
	reason: Finish["reason"] = "stop",
): CanonicalAnswer {
	return {
		id: "answer-1",
		model: "made-by",
		choices: [{ parts, finish: { reason } }],
		usage: { input: 3, "cache-read": 4, output: 5, reasoning: 6 },
	};
}

const text = answer([
	{ type: "reasoning", text: "Hm." },
	{
		type: "text",
		text: "Grüezi 🦉",
		citations: [{ url: "https://a.b", title: "A", start: 0, end: 6 }],
	},
]);
const calls = answer(
	[
		{ type: "text", text: "Let me see." },
		{
			type: "tool-call",
			id: "a",
			name: "weather",
			arguments: '{"city":"Bern"}',
		},
		{
			type: "tool-call",
			id: "b",
			name: "weather",
			arguments: '{"city":"Chur"}',
		},
	],
	"tool-calls",
);
const messages = [{ role: "user" as const, content: "Hi" }];
const weather = {
	type: "function",
	function: {
		name: "weather",
		description: "The weather.",
		parameters: { type: "object", properties: { city: { type: "string" } } },
	},
} as const;

describe("OpenAI's own client", () => {
	it("reads a whole answer", async () => {
		const made = await client(text).chat.completions.create({
			model: "asked-model",
			messages,
		});
		expect(made).toMatchObject({
			id: "answer-1",
			object: "chat.completion",
			created: 1_700_000_000,
			model: "made-by",
			choices: [
				{
					index: 0,
					finish_reason: "stop",
					message: {
						role: "assistant",
						content: "Grüezi 🦉",
						refusal: null,
						reasoning_content: "Hm.",
						annotations: [
							{
								type: "url_citation",
								url_citation: { url: "https://a.b", start_index: 0 },
							},
						],
					},
				},
			],
			usage: {
				prompt_tokens: 7,
				completion_tokens: 11,
				total_tokens: 18,
				prompt_tokens_details: { cached_tokens: 4 },
				completion_tokens_details: { reasoning_tokens: 6 },
			},
		});
	});

	it("puts a stream together, and gets usage in the last chunk", async () => {
		const runner = client(calls).chat.completions.stream({
			model: "asked-model",
			messages,
			tools: [weather],
			stream_options: { include_usage: true },
		});
		const deltas: string[] = [];
		runner.on("content.delta", ({ delta }) => deltas.push(delta));
		const made = await runner.finalChatCompletion();
		expect(deltas.join("")).toBe("Let me see.");
		expect(deltas.length).toBe(11);
		expect(made.choices[0]).toMatchObject({
			finish_reason: "tool_calls",
			message: {
				content: "Let me see.",
				tool_calls: [
					{ id: "a", function: { arguments: '{"city":"Bern"}' } },
					{ id: "b", function: { arguments: '{"city":"Chur"}' } },
				],
			},
		});
		expect(made.usage?.total_tokens).toBe(18);
	});

	it("gets no usage that it did not ask for, and each chunk of its shape", async () => {
		const stream = await client(text).chat.completions.create({
			model: "asked-model",
			messages,
			stream: true,
		});
		const roles: unknown[] = [];
		for await (const chunk of stream) {
			expect(chunk.object).toBe("chat.completion.chunk");
			expect(chunk).not.toHaveProperty("usage");
			expect(chunk.choices).toHaveLength(1);
			roles.push(chunk.choices[0]?.delta.role);
		}
		expect(roles.filter((each) => each === "assistant")).toHaveLength(1);
		expect(roles[0]).toBe("assistant");
	});

	it("parses structured answers, and knows a refusal", async () => {
		const response_format = {
			type: "json_schema",
			json_schema: {
				name: "city",
				strict: true,
				schema: { type: "object", properties: { city: { type: "string" } } },
			},
		} as const;
		const both = client(
			answer([{ type: "text", text: '{"city":"Bern"}' }]),
			answer([{ type: "refusal", text: "No." }], "refusal"),
		);
		const params = { model: "asked-model", messages, response_format };
		const made = await both.chat.completions.parse(params);
		expect(made.choices[0]?.message.content).toBe('{"city":"Bern"}');
		const refused = await both.chat.completions.parse(params);
		expect(refused.choices[0]?.message).toMatchObject({
			refusal: "No.",
			parsed: null,
		});
	});

	it.each([true, false])("runs tools, streaming: %s", async (stream) => {
		const asked: unknown[] = [];
		const params = {
			model: "asked-model",
			messages,
			tools: [
				{
					type: "function" as const,
					function: {
						...weather.function,
						parse: JSON.parse,
						function(city: unknown) {
							asked.push(city);
							return "Rain";
						},
					},
				},
			],
		};
		const { completions } = client(
			calls,
			answer([{ type: "text", text: "Rain." }]),
		).chat;
		const runner = stream
			? completions.runTools({ ...params, stream: true })
			: completions.runTools(params);
		expect(await runner.finalContent()).toBe("Rain.");
		expect(asked).toEqual([{ city: "Bern" }, { city: "Chur" }]);
	});

	it("gets its vectors, as base64 which it asks for unasked, or numbers", async () => {
		const { embeddings } = client();
		for (const encoding_format of [undefined, "float"] as const) {
			const made = await embeddings.create({
				model: "asked-model",
				input: ["a", "b"],
				...(encoding_format ? { encoding_format } : {}),
			});
			expect(made.data.map((each) => [...each.embedding])).toEqual([
				[0.5, -0.25, 0],
				[0.5, -0.25, 1],
			]);
			expect(made.usage.total_tokens).toBe(4);
		}
	});

	it("reads the vendor's stream as we do", async () => {
		const bytes = readFileSync(
			new URL("./fixtures/openai-tools-stream.txt", import.meta.url),
		);
		const openai = new OpenAI({
			apiKey: "none",
			fetch: async () =>
				new Response(bytes, {
					headers: { "content-type": "text/event-stream" },
				}),
		});
		const theirs = await openai.chat.completions
			.stream({ model: "m", messages })
			.finalChatCompletion();
		const ours = chat.readAnswer(theirs);
		const reader = chat.openReader({
			model: "m",
			messages: [],
			stream: true,
			streamUsage: true,
		});
		const events = [...reader.push(bytes), ...reader.end()];
		const opened = events.flatMap((each) =>
			each.type === "open" && each.value.type === "tool-call"
				? [each.value.id]
				: [],
		);
		expect(ours.ok && ours.value.choices[0]?.parts).toMatchObject(
			opened.map((id) => ({ type: "tool-call", id })),
		);
		expect(opened).toHaveLength(2);
	});
});
