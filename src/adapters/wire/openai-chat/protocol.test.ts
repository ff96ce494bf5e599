import { readFileSync } from "node:fs";
import fc from "fast-check";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { Quirks } from "../../../ports/vendor.ts";
import { wireProtocolContract } from "../../../ports/wire-protocol.contract.ts";
import type { Metered } from "../../../ports/wire-protocol.ts";
import { openaiChat } from "./protocol.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const minimal = {
	model: "asked-model",
	messages: [{ role: "user", content: "Hi" }],
};

wireProtocolContract("openai-chat", () => ({
	protocol: openaiChat,
	samples: {
		requests: {
			chat: minimal,
			embeddings: { model: "asked-model", input: ["one", "two"] },
			"image-generations": { model: "asked-model", prompt: "A cat" },
			speech: { model: "asked-model", input: "Hello", voice: "ash" },
		},
		forms: ["image-edits", "transcriptions", "translations"],
		streaming: { operation: "chat", limit: "max_completion_tokens" },
		stream: fixture("openai-stream.txt"),
		plain: fixture("openai-chat.json"),
	},
}));

function readText(text: string, operation = "chat") {
	const outcome = openaiChat.read(operation, Buffer.from(text));
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

const read = (body: object, operation = "chat") =>
	readText(JSON.stringify(body), operation);

function refused(body: object, operation = "chat"): unknown {
	const outcome = openaiChat.read(operation, Buffer.from(JSON.stringify(body)));
	return outcome.ok ? undefined : outcome.error.details?.field;
}

function sent(text: string, quirks: Quirks = {}, outputLimit?: number) {
	const { body, usageAsked } = openaiChat.forward(readText(text), {
		model: "asked-model",
		outputLimit,
		quirks,
	});
	return { body: Buffer.from(body).toString(), usageAsked };
}

interface Watched {
	readonly passed: string;
	readonly metered: Metered;
}

function watch(
	answer: Uint8Array | string | readonly Uint8Array[],
	{
		asked = false,
		type = "text/event-stream",
		body = minimal as object,
		operation = "chat",
	} = {},
): Watched {
	const request = read({ ...body, stream: type.includes("stream") }, operation);
	const forwarded = {
		body: request.body,
		usageAsked: asked,
		outputLimit: request.outputLimit,
	};
	const meter = openaiChat.meter(request, forwarded, 200, type);
	const passed: Uint8Array[] = [];
	for (const chunk of Array.isArray(answer)
		? answer
		: [Buffer.from(answer as string)]) {
		const part = meter.pass(chunk);
		if (part) passed.push(part);
	}
	const metered = meter.finish();
	if (metered.rest) passed.push(metered.rest);
	return { passed: Buffer.concat(passed).toString(), metered };
}

const bytewise = (text: string | Uint8Array) =>
	[...Buffer.from(text as string)].map((byte) => Uint8Array.of(byte));
const plainUsage = (usage: object, body: object = minimal) =>
	watch(
		JSON.stringify({
			choices: [{ message: { content: "Hello" }, finish_reason: "stop" }],
			usage,
		}),
		{
			type: "application/json",
			body,
		},
	).metered;

describe("an OpenAI request", () => {
	it("takes its limit from either name, and refuses two that differ", () => {
		expect(read({ ...minimal, max_tokens: 5 }).outputLimit).toBe(5);
		expect(
			read({ ...minimal, max_completion_tokens: 6, max_tokens: null })
				.outputLimit,
		).toBe(6);
		expect(
			read({ ...minimal, max_completion_tokens: 6, max_tokens: 6 }).outputLimit,
		).toBe(6);
		expect(read(minimal).outputLimit).toBeUndefined();
		expect(
			refused({ ...minimal, max_completion_tokens: 6, max_tokens: 100_000 }),
		).toBe("max_tokens");
		expect(read({ model: "m", input: "text" }, "embeddings").outputLimit).toBe(
			0,
		);
	});

	it("asks for 1 to 128 choices", () => {
		expect(read({ ...minimal, n: 128 }).choices).toBe(128);
		for (const n of [0, 129, 1.5, "2"])
			expect(refused({ ...minimal, n })).toBe("n");
	});

	it("refuses stream options that are none", () => {
		expect(refused({ ...minimal, stream_options: [] })).toBe("stream_options");
		expect(
			refused({ ...minimal, stream_options: { include_usage: "yes" } }),
		).toBe("stream_options.include_usage");
		const twice =
			'{"model":"m","messages":[],"stream_options":{"include_usage":true,"include_\\u0075sage":false}}';
		expect(openaiChat.read("chat", Buffer.from(twice))).toMatchObject({
			error: { code: "request/duplicate-member" },
		});
	});

	it("needs an input for embeddings", () => {
		for (const input of [undefined, null, 7, {}])
			expect(refused({ model: "m", input }, "embeddings")).toBe("input");
		expect(
			read({ model: "m", input: [[1, 2, 3]] }, "embeddings").inputBytes,
		).toBe(31);
	});

	it("counts media, and leaves base64 out of the bytes that can be tokens", () => {
		const data = "QUJD".repeat(5_000);
		const url = `data:image/png;base64,${data}`;
		const content = [
			{ type: "text", text: "What is this?" },
			{ type: "image_url", image_url: { url, detail: "low" } },
			{ ty\u0070e: "image_url", image_url: url },
			{ type: "image_url", image_url: { url: "https://example.com/a.png" } },
			{ type: "input_audio", input_audio: { data, format: "wav" } },
			{
				type: "file",
				file: {
					filename: "a.pdf",
					file_data: `data:application/pdf;base64,${data}`,
				},
			},
			{ type: "file", file: { file_id: "file-1" } },
		];
		const body = {
			...minimal,
			messages: [
				{ role: "user", content },
				null,
				{ content: [null, 7, { type: 3 }] },
			],
		};
		const request = read(body);
		expect(request.mediaParts).toBe(6);
		const left = JSON.stringify(body).length - 4 * data.length;
		expect(request.inputBytes).toBeLessThanOrEqual(left);
		expect(request.inputBytes).toBeGreaterThan(left - 120);
		const escaped = JSON.stringify(body).replaceAll(
			'"type":"input_audio"',
			'"t\\u0079pe":"input\\u005faudio"',
		);
		expect(readText(escaped).mediaParts).toBe(6);
	});

	it("names what runs at the vendor", () => {
		const tools = [
			{
				type: "function",
				function: { name: "f", parameters: { type: "object", properties: {} } },
			},
			{ type: "custom", custom: { name: "c" } },
			{ type: "browser_search" },
			{ type: "browser_search" },
		];
		expect(read({ ...minimal, tools }).serverTools).toEqual(["browser_search"]);
		expect(
			read({
				...minimal,
				tools: null,
				web_search_options: {},
				search_parameters: null,
			}).serverTools,
		).toEqual(["web_search_options"]);
	});
});

describe("an OpenAI request is forwarded", () => {
	const base = '{ "model":"asked-model", "messages":[] ,"temperature":1.0e0';

	it.each<[string, string, Quirks, number | undefined, string]>([
		["no limit asked or given", "}", {}, undefined, `${base}}`],
		[
			"the client's own name for the limit",
			',"max_tokens":9}',
			{},
			5,
			`${base},"max_tokens":5}`,
		],
		[
			"the newer name",
			',"max_completion_tokens" : 9 }',
			{},
			5,
			`${base},"max_completion_tokens" : 5 }`,
		],
		["a null", ',"max_tokens":null}', {}, 5, `${base},"max_tokens":5}`],
		[
			"both",
			',"max_tokens":9,"max_completion_tokens":9}',
			{},
			5,
			`${base},"max_tokens":5,"max_completion_tokens":5}`,
		],
		[
			"one of both null",
			',"max_tokens":9,"max_completion_tokens":null}',
			{},
			5,
			`${base},"max_tokens":5,"max_completion_tokens":null}`,
		],
		["none yet", "}", {}, 5, `{"max_completion_tokens":5,${base.slice(1)}}`],
		[
			"none yet, older name",
			"}",
			{ maxTokensOnly: true },
			5,
			`{"max_tokens":5,${base.slice(1)}}`,
		],
		[
			"a name the vendor does not know",
			',"max_completion_tokens":9}',
			{ maxTokensOnly: true },
			undefined,
			`${base},"max_tokens":9}`,
		],
		[
			"that, and lower",
			',"max_completion_tokens":9}',
			{ maxTokensOnly: true },
			5,
			`${base},"max_tokens":5}`,
		],
	])("with its limit: %s", (_, rest, quirks, limit, expected) => {
		expect(sent(base + rest, quirks, limit)).toEqual({
			body: expected,
			usageAsked: false,
		});
	});

	it.each<[string, string, Quirks, string, boolean]>([
		[
			"asks for usage",
			',"stream":true}',
			{},
			`{"stream_options":{"include_usage":true},${base.slice(1)},"stream":true}`,
			true,
		],
		[
			"was asked already",
			',"stream":true,"stream_options":{"include_usage":true}}',
			{},
			"same",
			false,
		],
		[
			"false",
			',"stream":true,"stream_options":{"include_usage":false}}',
			{},
			`${base},"stream":true,"stream_options":{"include_usage":true}}`,
			true,
		],
		[
			"null",
			',"stream":true,"stream_options":null}',
			{},
			`${base},"stream":true,"stream_options":{"include_usage":true}}`,
			true,
		],
		[
			"empty",
			',"stream":true,"stream_options":{ }}',
			{},
			`${base},"stream":true,"stream_options":{"include_usage":true }}`,
			true,
		],
		[
			"others",
			',"stream":true,"stream_options":{ "x":1}}',
			{},
			`${base},"stream":true,"stream_options":{"include_usage":true, "x":1}}`,
			true,
		],
		[
			"the vendor takes none",
			',"stream":true}',
			{ noStreamOptions: true },
			"same",
			false,
		],
		["no stream", ',"stream":false}', {}, "same", false],
	])("with its stream options: %s", (_, rest, quirks, expected, usageAsked) => {
		const text = base + rest;
		expect(sent(text, quirks)).toEqual({
			body: expected === "same" ? text : expected,
			usageAsked,
		});
	});

	it("with model, limit and usage changed at once, and nothing else", () => {
		fc.assert(
			fc.property(
				fc.dictionary(
					fc.string().map((name) => `x${name}`),
					fc.jsonValue(),
				),
				fc.boolean(),
				(others, limited) => {
					const body = {
						...others,
						...minimal,
						stream: true,
						...(limited ? { max_tokens: 9 } : {}),
					};
					const text = JSON.stringify(body, null, 1);
					const forwarded = openaiChat.forward(readText(text), {
						model: 'n"w',
						outputLimit: 5,
						quirks: {},
					});
					expect(JSON.parse(Buffer.from(forwarded.body).toString())).toEqual({
						...JSON.parse(text),
						model: 'n"w',
						[limited ? "max_tokens" : "max_completion_tokens"]: 5,
						stream_options: { include_usage: true },
					});
					expect(forwarded).toMatchObject({ usageAsked: true, outputLimit: 5 });
				},
			),
		);
	});

	it("for embeddings with its model alone", () => {
		const request = read(
			{ model: "m", input: "text", stream: true },
			"embeddings",
		);
		const forwarded = openaiChat.forward(request, {
			model: "n",
			outputLimit: 5,
			quirks: {},
		});
		expect(Buffer.from(forwarded.body).toString()).toBe(
			'{"model":"n","input":"text","stream":true}',
		);
	});
});

describe("a stream whose usage we asked for", () => {
	const stream = fixture("openai-stream.txt").toString();
	/** What the vendor would have sent unasked. */
	const unasked = stream
		.replaceAll(',"usage":null', "")
		.split("\n\n")
		.filter((frame) => !frame.includes('"choices":[]'))
		.join("\n\n");

	it("goes on as if it had not been, however it is cut and its lines end", () => {
		for (const end of ["\n", "\r\n", "\r"]) {
			const ends = (text: string) => text.replaceAll("\n", end);
			const whole = watch(ends(stream), { asked: true });
			expect(whole.passed).toBe(ends(unasked));
			expect(whole.metered).toMatchObject({
				usage: { input: 86, "cache-read": 1920, output: 236, reasoning: 64 },
				complete: true,
				finishReason: "stop",
			});
			// One at a time, the LF of a CRLF may come after its frame has gone.
			if (end !== "\r\n")
				expect(watch(bytewise(ends(stream)), { asked: true })).toEqual(whole);
			else
				expect(
					frames(watch(bytewise(ends(stream)), { asked: true }).passed),
				).toEqual(frames(ends(unasked)));
			fc.assert(
				fc.property(fc.integer({ min: 1, max: 700 }), (size) => {
					const chunks: Buffer[] = [];
					const bytes = Buffer.from(ends(stream));
					for (let at = 0; at < bytes.length; at += size)
						chunks.push(bytes.subarray(at, at + size));
					const { passed, metered } = watch(chunks, { asked: true });
					expect(frames(passed)).toEqual(frames(ends(unasked)));
					expect(metered).toEqual(whole.metered);
				}),
			);
		}
	});

	it("holds back no more than an unfinished frame", () => {
		const request = read({ ...minimal, stream: true });
		const meter = openaiChat.meter(
			request,
			{ body: request.body, usageAsked: true },
			200,
			"text/event-stream",
		);
		const frame = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
		const whole = Buffer.from(frame);
		expect(meter.pass(whole)).toBe(whole);
		expect(
			Buffer.from(
				meter.pass(Buffer.from(`${frame}data: {"ch`)) ?? [],
			).toString(),
		).toBe(frame);
		expect(meter.pass(Buffer.from('oices":['))).toBeUndefined();
		expect(
			Buffer.from(meter.pass(Buffer.from("]}\n\n")) ?? []).toString(),
		).toBe('data: {"choices":[]}\n\n');
	});

	it.each([
		[
			"usage first",
			'data: {"usage": null , "id":1}\n\n',
			'data: { "id":1}\n\n',
		],
		["usage alone", 'data: {"usage":null}\n\n', "data: {}\n\n"],
		[
			"usage in between",
			'data: {"id":1 , "usage" : null, "z":[1]}\n\n',
			'data: {"id":1 , "z":[1]}\n\n',
		],
		[
			"usage deeper",
			'data: {"choices":[{"usage":null}]}\n\n',
			'data: {"choices":[{"usage":null}]}\n\n',
		],
		[
			"a content of that name",
			'data: {"choices":[{"delta":{"content":"usage"}}]}\n\n',
			'data: {"choices":[{"delta":{"content":"usage"}}]}\n\n',
		],
		[
			"several lines of data",
			'data: {"id":1,\ndata: "usage":null}\n\n',
			'data: {"id":1,\ndata: "usage":null}\n\n',
		],
		[
			"a deeper usage whose object ends a line of data",
			'data: {"x":{"id":1,"usage":null}\ndata: }\n\n',
			'data: {"x":{"id":1,"usage":null}\ndata: }\n\n',
		],
		[
			"usage far before the end",
			`data: {"id":1}\n\ndata: {"id":2,"usage":null,"choices":[{"delta":{"content":"${"long ".repeat(40)}"}}]}\n\n`,
			`data: {"id":1}\n\ndata: {"id":2,"choices":[{"delta":{"content":"${"long ".repeat(40)}"}}]}\n\n`,
		],
		[
			"content beside usage",
			'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
			'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
		],
		[
			"filter results without choices",
			'data: {"choices":[],"prompt_filter_results":[],"usage":null}\n\n',
			'data: {"choices":[],"prompt_filter_results":[]}\n\n',
		],
		[
			"an error beside usage",
			'data: {"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"x"}}\n\n',
			'data: {"choices":[],"usage":{"prompt_tokens":1},"error":{"message":"x"}}\n\n',
		],
		[
			"usage before the end",
			'data: {"choices":[ ],"usage":{"prompt_tokens":1}}\n\ndata: {"choices":[{"finish_reason":"stop"}]}\n\n',
			'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
		],
		[
			"usage over several lines",
			'event: x\ndata: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\nid: 1\n\n: c\n\n',
			": c\n\n",
		],
		[
			"no final newline",
			'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\ndata: [DONE]',
			"data: [DONE]",
		],
		[
			"usage without a final newline",
			'data: {"id":1}\n\ndata: {"choices":[],"usage":{"prompt_tokens":1}}',
			'data: {"id":1}\n\n',
		],
		[
			"cut off within a frame",
			'data: {"id":1}\n\ndata: {"id":2,"cho',
			'data: {"id":1}\n\n',
		],
		["cut off within a comment", ": OPENROUTER PROC", ": OPENROUTER PROC"],
	])("passes %s", (_, text, expected) => {
		expect(watch(text, { asked: true }).passed).toBe(expected);
		for (const size of [1, 50, 100]) {
			const chunks: Buffer[] = [];
			for (let at = 0; at < text.length; at += size)
				chunks.push(Buffer.from(text.slice(at, at + size)));
			expect(watch(chunks, { asked: true }).passed).toBe(expected);
			expect(watch(chunks).passed).toBe(text);
		}
	});

	it("lets a frame over the limit through unread, with bounded memory, and reads on after it", () => {
		const chunk = Buffer.alloc(1024 * 1024, "x");
		const usage =
			'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n';
		const chunks = [
			Buffer.from('data: {"usage":null,"a":"'),
			...Array<Buffer>(10).fill(chunk),
			Buffer.from(`"}\n\n${usage}`),
		];
		const { passed, metered } = watch(chunks, { asked: true });
		expect(passed.length).toBe(
			25 + 10 * chunk.length + 4 + "data: [DONE]\n\n".length,
		);
		expect(metered).toMatchObject({
			usage: { input: 3, output: 1 },
			complete: true,
		});
	});

	it("is read by the vendor's client as one without usage", async () => {
		const client = new OpenAI({
			apiKey: "k",
			fetch: async () =>
				new Response(watch(stream, { asked: true }).passed, {
					headers: { "content-type": "text/event-stream" },
				}),
		});
		const chunks = [];
		for await (const chunk of await client.chat.completions.create({
			model: "m",
			messages: [],
			stream: true,
		}))
			chunks.push(chunk);
		expect(
			chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""),
		).toBe('Héllo "usage":null,');
		for (const chunk of chunks) expect(chunk).not.toHaveProperty("usage");
	});
});

describe("OpenAI usage", () => {
	it.each<[string, object, string | undefined]>([
		["xai", { input: 26, "cache-read": 6, output: 9, reasoning: 94 }, "stop"],
		["groq", { input: 18, output: 439 }, "stop"],
		["moonshot", { input: 15, "cache-read": 4, output: 13 }, "stop"],
		[
			"deepseek",
			{ input: 7, "cache-read": 10, output: 7, reasoning: 2 },
			"stop",
		],
		["openrouter", { input: 94, "cache-write-5m": 100, output: 2 }, "stop"],
		["mistral", { input: 16, output: 34 }, "length"],
	])("as %s streams it", (name, usage, finishReason) => {
		const stream = fixture(`${name}-stream.txt`);
		for (const answer of [stream, bytewise(stream)]) {
			const { passed, metered } = watch(answer as Uint8Array);
			expect(passed).toBe(stream.toString());
			expect(metered).toMatchObject({
				usage,
				finishReason,
				complete: true,
				absurd: undefined,
			});
		}
		// Nothing of what these send unasked is taken away, but for nulls.
		expect(watch(stream, { asked: true }).passed).toBe(
			stream.toString().replaceAll(',"usage":null', ""),
		);
	});

	it("of a plain answer: audio apart, predictions with the output", () => {
		expect(
			watch(fixture("openai-chat.json"), { type: "application/json" }).metered,
		).toMatchObject({
			usage: {
				input: 1017,
				"input-audio": 100,
				output: 106,
				"output-audio": 40,
			},
			complete: true,
			finishReason: "stop",
			deliveredBytes: 0,
		});
	});

	it("of embeddings: input alone", () => {
		const options = {
			type: "application/json",
			body: { model: "m", input: "x" },
			operation: "embeddings",
		};
		expect(
			watch(fixture("openai-embeddings.json"), options).metered,
		).toMatchObject({ usage: { input: 8 }, complete: true });
	});

	it("counts audio from the cache once", () => {
		const usage = {
			prompt_tokens: 100,
			completion_tokens: 1,
			prompt_tokens_details: { cached_tokens: 60, audio_tokens: 70 },
		};
		expect(plainUsage(usage).usage).toEqual({
			"cache-read": 30,
			"cache-read-audio": 30,
			"input-audio": 40,
			output: 1,
		});
	});

	it("counts reasoning within the output, unless the total shows that it is not", () => {
		const usage = {
			prompt_tokens: 10,
			completion_tokens: 30,
			completion_tokens_details: { reasoning_tokens: 20 },
		};
		expect(plainUsage(usage).usage).toEqual({
			input: 10,
			output: 10,
			reasoning: 20,
		});
		expect(plainUsage({ ...usage, total_tokens: 40 }).usage).toEqual({
			input: 10,
			output: 10,
			reasoning: 20,
		});
		expect(plainUsage({ ...usage, total_tokens: 60 }).usage).toEqual({
			input: 10,
			output: 30,
			reasoning: 20,
		});
	});

	it.each([
		["prompt_tokens is negative", { prompt_tokens: -1 }],
		[
			"completion_tokens is no whole number",
			{ prompt_tokens: 1, completion_tokens: 0.5 },
		],
		["prompt_tokens is no number", { prompt_tokens: "1" }],
		["prompt_tokens is over 2^40", { prompt_tokens: 2 ** 40 + 1 }],
		["prompt_tokens is missing", {}],
		[
			"more tokens were cached than prompt_tokens has",
			{ prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 2 } },
		],
		[
			"audio_tokens is more than prompt_tokens",
			{ prompt_tokens: 1, prompt_tokens_details: { audio_tokens: 2 } },
		],
		[
			"parts of the answer are more than completion_tokens",
			{
				prompt_tokens: 1,
				completion_tokens: 1,
				completion_tokens_details: { reasoning_tokens: 2 },
			},
		],
		[
			"usage counts nothing, though text was delivered",
			{ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
		],
	])("is thrown away when absurd: %s", (absurd, usage) => {
		expect(plainUsage(usage)).toMatchObject({
			usage: undefined,
			absurd,
			deliveredBytes: 5,
			complete: true,
		});
	});

	it("is thrown away when it is far over the limit that was sent, for all choices together", () => {
		const usage = { prompt_tokens: 1, completion_tokens: 3_000 };
		expect(plainUsage(usage, { ...minimal, max_tokens: 100 }).absurd).toContain(
			"far over the limit",
		);
		expect(
			plainUsage(usage, { ...minimal, max_tokens: 100, n: 20 }).usage,
		).toEqual({ input: 1, output: 3_000 });
		expect(
			plainUsage(usage, { ...minimal, max_tokens: 100, web_search_options: {} })
				.usage,
		).toBeDefined();
		expect(plainUsage(usage).usage).toBeDefined();
	});

	it("of a running count that broke off is known for the input alone", () => {
		const stream = fixture("xai-stream.txt");
		const { metered } = watch(
			stream.subarray(0, stream.lastIndexOf('data: {"id"')),
		);
		expect(metered).toMatchObject({
			usage: undefined,
			partialUsage: { input: 26, "cache-read": 6 },
			complete: false,
			deliveredBytes: 15,
		});
		expect(metered.partialUsage).not.toHaveProperty("output");
	});

	it("is complete for vendors that send no end, once there is a reason to finish", () => {
		const text = fixture("mistral-stream.txt")
			.toString()
			.replace("data: [DONE]\n\n", "");
		expect(watch(text).metered).toMatchObject({
			complete: true,
			usage: { input: 16, output: 34 },
		});
		expect(watch(text.replace('"length"', "null")).metered.complete).toBe(
			false,
		);
	});

	it("may be missing: then what was delivered is counted", () => {
		const text = (content: string) =>
			`data: {"choices":[{"delta":{"content":${content}},"finish_reason":null}]}\n\n`;
		const stream = `${text('"Hé"')}${text('"\\u4f60\\n"')}data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\\"a\\":1}"}}]}}]}\n\ndata: [DONE]\n\n`;
		expect(watch(stream).metered).toMatchObject({
			usage: undefined,
			complete: true,
			deliveredBytes: 3 + 4 + 7,
		});
		const long = watch(Array<Buffer>(20_000).fill(Buffer.from(text('"word"'))));
		expect(long.metered.deliveredBytes).toBe(80_000);
	});

	it("is not read of an answer over 64 MB, which passes all the same", () => {
		const request = read(minimal);
		const meter = openaiChat.meter(
			request,
			{ body: request.body, usageAsked: false },
			200,
			"application/json",
		);
		const chunk = Buffer.alloc(16 * 1024 * 1024, " ");
		for (let count = 0; count < 5; count++)
			expect(meter.pass(chunk)).toBe(chunk);
		expect(meter.finish()).toMatchObject({
			usage: undefined,
			absurd: expect.stringContaining("64 MB"),
		});
	});

	it("tells an error that comes in the middle", () => {
		expect(watch(fixture("openrouter-error-stream.txt")).metered).toMatchObject(
			{
				vendorError: "server_error: Provider disconnected unexpectedly",
				finishReason: "error",
				usage: undefined,
				deliveredBytes: 11,
			},
		);
		expect(
			watch(
				'data: {"error":{"message":"Overloaded","type":"server_error"}}\n\n',
			).metered.vendorError,
		).toBe("server_error: Overloaded");
	});
});

describe("a cost that a vendor reports", () => {
	it("is read from its digits and rounded up to a micro-credit", () => {
		expect(watch(fixture("openrouter-stream.txt")).metered.reportedCost).toBe(
			12_346,
		);
		expect(watch(fixture("xai-stream.txt")).metered.reportedCost).toBe(377_561);
		expect(
			plainUsage({ prompt_tokens: 1, completion_tokens: 1, cost: 0.1 })
				.reportedCost,
		).toBe(10_000_000);
		expect(
			plainUsage({ prompt_tokens: 1, completion_tokens: 1 }).reportedCost,
		).toBeUndefined();
	});

	it("has what the vendor behind takes on top, with one's own key", () => {
		const usage = {
			prompt_tokens: 1,
			completion_tokens: 1,
			cost: 0.01,
			cost_details: { upstream_inference_cost: 0.2 },
		};
		expect(plainUsage({ ...usage, is_byok: true }).reportedCost).toBe(
			21_000_000,
		);
		expect(plainUsage({ ...usage, is_byok: false }).reportedCost).toBe(
			1_000_000,
		);
	});

	it("is none when it is no amount", () => {
		for (const cost of [-1, "0.1", {}, 1e300])
			expect(
				plainUsage({ prompt_tokens: 1, completion_tokens: 1, cost })
					.reportedCost,
			).toBeUndefined();
	});
});

describe("an OpenAI refusal", () => {
	const refusal = {
		code: "credits/insufficient",
		message: "Needs more.",
		details: { needed: 2, field: "model" },
	};
	const sdk = (status: number, type: string, body: () => string | Buffer) =>
		new OpenAI({
			apiKey: "dos_sk_1",
			maxRetries: 0,
			fetch: async () =>
				new Response(new Uint8Array(Buffer.from(body())), {
					status,
					headers: { "content-type": type },
				}),
		});

	it.each([
		[400, OpenAI.BadRequestError],
		[401, OpenAI.AuthenticationError],
		[402, OpenAI.APIError],
		[403, OpenAI.PermissionDeniedError],
		[404, OpenAI.NotFoundError],
		[409, OpenAI.ConflictError],
		[413, OpenAI.APIError],
		[429, OpenAI.RateLimitError],
		[500, OpenAI.InternalServerError],
	] as const)(
		"of %i is raised by the vendor's client as its own error",
		async (status, Raised) => {
			const { body } = openaiChat.refusal(status, refusal);
			const raised = await sdk(status, "application/json", () =>
				Buffer.from(body),
			)
				.chat.completions.create({ model: "m", messages: [] })
				.catch((error: unknown) => error);
			expect(raised).toBeInstanceOf(Raised);
			expect(raised).toMatchObject({
				status,
				code: refusal.code,
				param: "model",
				error: { dos: { needed: 2 } },
			});
		},
	);

	it("in the middle of a stream is raised as well", async () => {
		const body = `data: {"choices":[{"delta":{"content":"Hal"}}]}\n\n${Buffer.from(openaiChat.streamRefusal(refusal))}`;
		const stream = await sdk(
			200,
			"text/event-stream",
			() => body,
		).chat.completions.create({ model: "m", messages: [], stream: true });
		let text = "";
		const raised = await (async () => {
			for await (const chunk of stream)
				text += chunk.choices[0]?.delta.content ?? "";
		})().catch((error: unknown) => error);
		expect(text).toBe("Hal");
		expect(raised).toBeInstanceOf(OpenAI.APIError);
		expect(raised).toMatchObject({ code: refusal.code });
	});
});

describe("the OpenAI list of models", () => {
	it("is what the vendor's client reads", async () => {
		const body = openaiChat.models([
			{ id: "loopback/echo", owner: "loopback", contextWindow: 100 },
		]);
		const client = new OpenAI({
			apiKey: "k",
			fetch: async () =>
				Response.json(JSON.parse(Buffer.from(body).toString())),
		});
		const page = await client.models.list();
		expect(page.data).toEqual([
			{
				id: "loopback/echo",
				object: "model",
				created: 0,
				owned_by: "loopback",
				context_window: 100,
			},
		]);
		expect(openaiChat.speaks(() => undefined)).toBe(true);
	});
});

/** The events of a stream, whatever ends its lines. */
function frames(text: string): string[] {
	return text
		.replace(/\r\n|\r/g, "\n")
		.split(/\n{2,}/)
		.filter((frame) => frame !== "");
}
