import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
} from "../../../ports/canonical.ts";
import type { Warning } from "../../../ports/translator.ts";
import { spread } from "../canonical/gather.ts";
import { openaiResponses } from "./protocol.ts";
import { openaiResponsesTranslator as translator } from "./translator.ts";

/*
 * The vendor's own SDK, and another that speaks its protocol, against what our writers write: each
 * request is read as a client's, answered by `answer`, and the answer written back.
 */
function gateway(answer: (request: CanonicalRequest) => CanonicalAnswer) {
	const requests: CanonicalRequest[] = [];
	const warnings: Warning[] = [];
	const fetch = async (_: unknown, init?: RequestInit): Promise<Response> => {
		const body = Buffer.from(String(init?.body));
		const wire = openaiResponses.read("responses", body);
		if (!wire.ok) throw new Error(wire.error.message);
		const read = translator.readRequest(wire.value, (warning) =>
			warnings.push(warning),
		);
		if (!read.ok) {
			const refusal = openaiResponses.refusal(422, read.error);
			return new Response(Buffer.from(refusal.body), {
				status: 422,
				headers: refusal.headers,
			});
		}
		const request = read.value;
		requests.push(request);
		const naming = {
			call: `call${requests.length}`,
			model: request.model,
			time: 1_764_000_000_000,
		};
		if (!request.stream) {
			const json = translator.writeAnswer(
				answer(request),
				request,
				naming,
				(warning) => warnings.push(warning),
			);
			return new Response(JSON.stringify(json), {
				headers: { "content-type": "application/json" },
			});
		}
		const writer = translator.openWriter(request, naming, wire.value);
		const pieces = pieced(spread(answer(request))).map((event) =>
			writer.push([event]),
		);
		return new Response(
			Buffer.concat([...pieces, writer.end()].filter((each) => !!each)),
			{ headers: { "content-type": "text/event-stream" } },
		);
	};
	const options = { apiKey: "dos_sk_test", baseURL: "http://127.0.0.1/v1" };
	return {
		requests,
		warnings,
		openai: new OpenAI({ ...options, maxRetries: 0, fetch }),
		aiSdk: createOpenAI({
			...options,
			fetch: fetch as typeof globalThis.fetch,
		}),
	};
}

/** Text in pieces of three characters. */
function pieced(events: readonly AnswerEvent[]): AnswerEvent[] {
	return events.flatMap((event): AnswerEvent[] =>
		event.type === "delta"
			? (event.text.match(/.{1,3}/gsu) ?? []).map((text) => ({
					...event,
					text,
				}))
			: [event],
	);
}

function answering(
	parts: readonly AnswerPart[],
	more: Partial<CanonicalAnswer> = {},
	reason: "stop" | "tool-calls" | "length" = "stop",
) {
	return (): CanonicalAnswer => ({
		model: "other-model",
		choices: [{ parts, finish: { reason } }],
		usage: { input: 20, "cache-read": 10, output: 7, reasoning: 5 },
		...more,
	});
}

const call = (id: string, city: string): AnswerPart => ({
	type: "tool-call",
	id,
	name: "get_weather",
	arguments: JSON.stringify({ city }),
});
const weather = {
	type: "function" as const,
	name: "get_weather",
	description: "Weather of a city.",
	strict: true,
	parameters: {
		type: "object",
		properties: { city: { type: "string" } },
		required: ["city"],
		additionalProperties: false,
	},
};
const everything: readonly AnswerPart[] = [
	{
		type: "reasoning",
		text: "The user asks.",
		summary: true,
		opaque: { protocol: "anthropic-messages", data: { signature: "abc" } },
	},
	{
		type: "server-tool",
		tool: "web-search",
		id: "srvtoolu_1",
		query: "owls",
		results: [{ url: "https://owl.example" }],
	},
	{
		type: "text",
		text: "Owls see 🦉 well.",
		citations: [
			{ url: "https://owl.example", title: "Owls", start: 0, end: 8 },
		],
	},
	{ type: "text", text: " Really." },
	{ type: "reasoning", text: "Now the tool." },
	call("call_1", "Paris"),
	{
		type: "tool-call",
		id: "call_2",
		name: "run",
		arguments: "ls -la\n",
		custom: true,
	},
	{
		type: "image",
		source: { type: "base64", mediaType: "image/webp", data: "AAAA" },
	},
];

describe("the openai client", () => {
	it("gets a whole answer", async () => {
		const { openai } = gateway(answering(everything, {}, "tool-calls"));
		const response = await openai.responses.create({
			model: "m",
			input: "Owls?",
		});
		expect(response).toMatchObject({
			id: "resp_call1",
			object: "response",
			status: "completed",
			model: "other-model",
			created_at: 1_764_000_000,
			output_text: "Owls see 🦉 well. Really.",
			usage: {
				input_tokens: 30,
				input_tokens_details: { cached_tokens: 10 },
				output_tokens: 12,
				output_tokens_details: { reasoning_tokens: 5 },
				total_tokens: 42,
			},
		});
		expect(response.output.map(({ type }) => type)).toEqual([
			"reasoning",
			"web_search_call",
			"message",
			"reasoning",
			"function_call",
			"custom_tool_call",
			"image_generation_call",
		]);
	});

	it("gets the same answer from a stream, event by event", async () => {
		const whole = await gateway(
			answering(everything, {}, "tool-calls"),
		).openai.responses.create({ model: "m", input: "Owls?" });
		const stream = gateway(
			answering(everything, {}, "tool-calls"),
		).openai.responses.stream({ model: "m", input: "Owls?" });
		let text = "";
		let args = "";
		// The helper's own snapshots, built from our events.
		stream.on("response.output_text.delta", ({ delta, snapshot }) => {
			text += delta;
			expect(text.endsWith(snapshot)).toBe(true);
		});
		stream.on("response.function_call_arguments.delta", ({ snapshot }) => {
			args = snapshot;
		});
		const numbers: number[] = [];
		for await (const event of stream)
			if ("sequence_number" in event) numbers.push(event.sequence_number);
		expect(text).toBe("Owls see 🦉 well. Really.");
		expect(args).toBe('{"city":"Paris"}');
		expect(numbers).toEqual(numbers.map((_, index) => index));
		const final = await stream.finalResponse();
		const bare = (response: { output: readonly object[] }) =>
			JSON.parse(
				JSON.stringify(response.output, (key, value) =>
					key.startsWith("parsed") ? undefined : value,
				),
			);
		expect(bare(final)).toEqual(bare(whole));
		expect(final.usage).toEqual(whole.usage);
	});

	it("builds the same answer from the events alone", async () => {
		const { openai } = gateway(answering(everything, {}, "tool-calls"));
		const stream = await openai.responses.create({
			model: "m",
			input: "Owls?",
			stream: true,
		});
		const done: unknown[] = [];
		let completed: readonly unknown[] = [];
		for await (const event of stream) {
			if (event.type === "response.output_item.done")
				done[event.output_index] = event.item;
			if (event.type === "response.completed")
				completed = event.response.output;
		}
		expect(done).toEqual(completed);
	});

	it("parses structured output, whole and streamed", async () => {
		const format = zodTextFormat(z.object({ city: z.string() }), "place");
		const { openai, requests, warnings } = gateway(
			answering([{ type: "text", text: '{"city":"Łódź"}' }]),
		);
		const body = { model: "m", input: "Where?", text: { format } };
		const parsed = await openai.responses.parse(body);
		expect(parsed.output_parsed).toEqual({ city: "Łódź" });
		const streamed = await openai.responses.stream(body).finalResponse();
		expect(streamed.output_parsed).toEqual({ city: "Łódź" });
		expect(requests[0]?.output).toMatchObject({
			type: "json-schema",
			name: "place",
			strict: true,
			schema: { type: "object", required: ["city"] },
		});
		expect(warnings).toEqual([]);
	});

	it("goes through a loop of parallel tool calls, with its reasoning", async () => {
		const { openai, requests, warnings } = gateway((request) =>
			request.messages.at(-1)?.role === "tool"
				? answering([{ type: "text", text: "Warm in both." }])()
				: answering(
						[
							everything[0] as AnswerPart,
							call("call_p", "Paris"),
							call("call_l", "Lyon"),
						],
						{},
						"tool-calls",
					)(),
		);
		const input: OpenAI.Responses.ResponseInput = [
			{ role: "user", content: "Weather?" },
		];
		const first = await openai.responses
			.stream({ model: "m", input, tools: [weather] })
			.finalResponse();
		for (const item of first.output) {
			if (item.type !== "function_call") {
				input.push(item as OpenAI.Responses.ResponseInputItem);
				continue;
			}
			const { parsed_arguments: _, ...rest } = item;
			input.push(rest, {
				type: "function_call_output",
				call_id: item.call_id,
				output: "22 °C",
			});
		}
		const second = await openai.responses.create({
			model: "m",
			input,
			tools: [weather],
		});
		expect(second.output_text).toBe("Warm in both.");
		expect(requests[1]?.messages).toMatchObject([
			{ role: "user" },
			{
				role: "assistant",
				parts: [
					// What the other vendor signed came back to it.
					{
						type: "reasoning",
						opaque: {
							protocol: "anthropic-messages",
							data: { signature: "abc" },
						},
					},
					{ type: "tool-call", id: "call_p" },
				],
			},
			{ role: "tool", parts: [{ call: "call_p" }] },
			{ role: "assistant", parts: [{ type: "tool-call", id: "call_l" }] },
			{ role: "tool", parts: [{ call: "call_l" }] },
		]);
		expect(warnings).toEqual([]);
	});

	it("brings back what a vendor signed of its calls and texts", async () => {
		const mark = (data: string) => ({
			protocol: "google-generate",
			data: { thoughtSignature: data },
		});
		const search: AnswerPart = {
			type: "server-tool",
			tool: "web-search",
			id: "ws_dos_call1_0",
			query: "owls",
			results: [{ url: "https://owl.example" }],
			opaque: mark("s"),
		};
		const parts: AnswerPart[] = [
			search,
			{ type: "text", text: "I look.", opaque: mark("t") },
			{ ...call("call_p", "Paris"), opaque: mark("p") } as AnswerPart,
			call("call_l", "Lyon"),
			{ ...call("call_r", "Rome"), opaque: mark("r") } as AnswerPart,
		];
		for (const streamed of [false, true]) {
			const { openai, requests, warnings } = gateway(
				answering(parts, {}, "tool-calls"),
			);
			const body = { model: "m", input: "Weather?" };
			const first = streamed
				? await openai.responses.stream(body).finalResponse()
				: await openai.responses.create(body);
			const output = JSON.parse(
				JSON.stringify(first.output, (key, value) =>
					key.startsWith("parsed") ? undefined : value,
				),
			);
			expect(output.map(({ type }: { type: string }) => type)).toEqual([
				"web_search_call",
				"reasoning",
				"message",
				"reasoning",
				"function_call",
				"reasoning",
				"function_call",
				"function_call",
				"reasoning",
			]);
			await openai.responses.create({ model: "m", input: output });
			expect(requests[1]?.messages).toEqual([{ role: "assistant", parts }]);
			expect(warnings).toEqual([]);
		}
	});

	it("sees a refusal, an answer cut off and one that a filter stopped", async () => {
		const text: AnswerPart = { type: "text", text: "One, tw" };
		const ended = async (
			reason: "length" | "content-filter" | "refusal",
			stream: boolean,
		) => {
			const { openai } = gateway(() => ({
				choices: [{ parts: [text], finish: { reason } }],
			}));
			return stream
				? openai.responses.stream({ model: "m", input: "Hi" }).finalResponse()
				: openai.responses.create({ model: "m", input: "Hi" });
		};
		for (const stream of [false, true]) {
			expect(await ended("length", stream)).toMatchObject({
				status: "incomplete",
				incomplete_details: { reason: "max_output_tokens" },
				output_text: "One, tw",
			});
			expect(await ended("content-filter", stream)).toMatchObject({
				status: "incomplete",
				incomplete_details: { reason: "content_filter" },
			});
			expect((await ended("refusal", stream)).output).toMatchObject([
				{ content: [{ type: "output_text" }, { type: "refusal" }] },
			]);
		}
	});

	it("raises what is refused, naming the field", async () => {
		const { openai } = gateway(answering([]));
		await expect(
			openai.responses.create({
				model: "m",
				input: "Hi",
				previous_response_id: "resp_unknown",
			}),
		).rejects.toMatchObject({
			status: 422,
			code: "translate/unsupported",
			param: "previous_response_id",
		});
	});

	it("raises an error that ends a stream, with its number in the sequence", async () => {
		const wire = openaiResponses.read(
			"responses",
			Buffer.from('{"model":"m","input":"Hi","stream":true}'),
		);
		if (!wire.ok) throw new Error(wire.error.message);
		const request = translator.readRequest(wire.value, () => {});
		if (!request.ok) throw new Error(request.error.message);
		const writer = translator.openWriter(
			request.value,
			{ call: "c", model: "m", time: 0 },
			wire.value,
		);
		const begun = writer.push([
			{ type: "start" },
			{ type: "open", choice: 0, part: 0, value: { type: "text", text: "Hi" } },
		]);
		const refused = writer.refuse?.({ code: "vendor/error", message: "Gone." });
		const frames = Buffer.concat([begun ?? Buffer.of(), refused ?? Buffer.of()])
			.toString()
			.trim()
			.split("\n\n")
			.map((frame) => JSON.parse(frame.split("data: ")[1] ?? ""));
		expect(frames.map((each) => each.sequence_number)).toEqual(
			frames.map((_, index) => index),
		);
		expect(frames.at(-2)).toMatchObject({ type: "error", message: "Gone." });
		expect(frames.at(-1)).toMatchObject({
			type: "response.failed",
			response: { id: "resp_c", status: "failed" },
		});
	});
});

describe("a shell and a patch tool of the client's own", () => {
	const calls: readonly AnswerPart[] = [
		{
			type: "tool-call",
			id: "call_1",
			name: "local_shell",
			arguments: '{"command":["ls"]}',
		},
		{
			type: "tool-call",
			id: "call_2",
			name: "apply_patch",
			arguments: '{"type":"delete_file","path":"a.ts"}',
		},
		{
			type: "tool-call",
			id: "call_3",
			name: "shell",
			arguments: '{"commands":["ls"]}',
		},
		{ type: "tool-call", id: "call_4", name: "shell", arguments: "no JSON" },
	];
	const tools: OpenAI.Responses.Tool[] = [
		{ type: "local_shell" },
		{ type: "apply_patch" },
		{ type: "shell", environment: { type: "local" } },
	];

	it("are functions to the vendor, and their calls are what the client looks for", async () => {
		const { openai, requests } = gateway(answering(calls, {}, "tool-calls"));
		const body = { model: "m", input: "List.", tools };
		const whole = await openai.responses.create(body);
		const streamed = await openai.responses.stream(body).finalResponse();
		for (const { output } of [whole, streamed])
			expect(output).toMatchObject([
				{
					type: "local_shell_call",
					call_id: "call_1",
					action: { type: "exec", command: ["ls"], env: {} },
				},
				{
					type: "apply_patch_call",
					call_id: "call_2",
					operation: { type: "delete_file", path: "a.ts" },
				},
				{
					type: "shell_call",
					call_id: "call_3",
					action: { commands: ["ls"], timeout_ms: null },
				},
				{ type: "function_call", call_id: "call_4", arguments: "no JSON" },
			]);
		expect(requests[0]?.tools).toMatchObject([
			{ type: "function", name: "local_shell" },
			{ type: "function", name: "apply_patch" },
			{ type: "function", name: "shell" },
		]);
	});

	it("are told from functions that have their names", async () => {
		const { openai } = gateway(answering(calls, {}, "tool-calls"));
		const { output } = await openai.responses.create({
			model: "m",
			input: "List.",
			tools: [{ ...weather, name: "local_shell" }],
		});
		expect(output[0]?.type).toBe("function_call");
	});
});

describe("the AI SDK", () => {
	const getWeather = tool({
		description: "Weather of a city.",
		inputSchema: z.object({ city: z.string() }),
		execute: async ({ city }: { city: string }) => `22 °C in ${city}`,
	});
	const loop = () =>
		gateway((request) =>
			request.messages.at(-1)?.role === "tool"
				? answering([{ type: "text", text: "Warm." }])()
				: answering(
						[
							everything[0] as AnswerPart,
							{ ...call("call_p", "Paris"), opaque: signature } as AnswerPart,
						],
						{},
						"tool-calls",
					)(),
		);
	const signature = {
		protocol: "google-generate",
		data: { thoughtSignature: "s" },
	};

	it("goes through a tool loop, whole and streamed", async () => {
		for (const streamed of [false, true]) {
			const { aiSdk, requests } = loop();
			const asked = {
				model: aiSdk.responses("gpt-5"),
				prompt: "Weather?",
				tools: { get_weather: getWeather },
				stopWhen: stepCountIs(3),
				providerOptions: { openai: { store: false } },
			};
			const text = streamed
				? await streamText(asked).text
				: (await generateText(asked)).text;
			expect(text).toBe("Warm.");
			expect(requests[1]?.messages).toMatchObject([
				{ role: "user" },
				{
					role: "assistant",
					parts: [
						{ type: "reasoning", opaque: { protocol: "anthropic-messages" } },
						{ type: "tool-call", id: "call_p", opaque: signature },
					],
				},
				{ role: "tool", parts: [{ call: "call_p" }] },
			]);
		}
	});

	it("reads all that an answer has", async () => {
		const { aiSdk } = gateway(
			answering(
				everything.filter(({ type }) => type !== "tool-call"),
				{},
			),
		);
		const result = streamText({ model: aiSdk.responses("m"), prompt: "Owls?" });
		expect(await result.text).toBe("Owls see 🦉 well. Really.");
		expect(await result.sources).toMatchObject([
			{ url: "https://owl.example" },
		]);
		expect(await result.totalUsage).toMatchObject({
			inputTokens: 30,
			outputTokens: 12,
		});
	});
});
