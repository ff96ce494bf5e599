import { Buffer } from "node:buffer";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { HttpClient } from "../../ports/http-client.ts";
import { priceBookContract } from "../../ports/price-book.contract.ts";
import { loopbackClient, loopbackPriceBook } from "./loopback.ts";

const timeouts = { connect: 1000, firstByte: 1000, idle: 1000, total: 1000 };
const chat = "loopback://openai-chat/chat/completions";
const embeddings = "loopback://openai-chat/embeddings";
const messages = "loopback://anthropic-messages/messages";
const said =
	"This is the loopback substrate of DuranteOS: no model was called. You said: ";

interface Heard {
	status: number;
	type: string | undefined;
	id: string | undefined;
	pieces: string[];
	text: string;
	failed?: string;
}

function ask(
	url: string,
	body: unknown,
	client: HttpClient = loopbackClient(),
): Promise<Heard> {
	return new Promise((resolve) => {
		const heard: Heard = {
			status: 0,
			type: undefined,
			id: undefined,
			pieces: [],
			text: "",
		};
		const bytes = Buffer.from(
			typeof body === "string" ? body : JSON.stringify(body),
		);
		client.send(
			{ method: "POST", url, headers: {}, body: bytes, timeouts },
			{
				head(status, header) {
					heard.status = status;
					heard.type = header("content-type");
					heard.id = header("x-request-id") ?? header("request-id");
				},
				data: (chunk) => heard.pieces.push(Buffer.from(chunk).toString()),
				end: () => resolve({ ...heard, text: heard.pieces.join("") }),
				fail: ({ code, unsent }) =>
					resolve({ ...heard, failed: `${code} ${unsent}` }),
			},
		);
	});
}

const user = (content: unknown) => [{ role: "user", content }];
const body = async (url: string, request: unknown) =>
	JSON.parse((await ask(url, request)).text);
const frames = ({ text }: Heard) =>
	text
		.split("\n\n")
		.filter((frame) => frame !== "")
		.map((frame) => frame.replace(/^data: /, ""));

it("the model echo says back what was said, and nothing else", async () => {
	const request = { model: "echo", max_tokens: 99, messages: user("Two? 🦊") };
	const { choices, usage } = await body(chat, request);
	expect(choices[0].message.content).toBe("Two? 🦊");
	expect(usage.completion_tokens).toBe(3);
	const { content } = await body(messages, request);
	expect(content).toEqual([{ type: "text", text: "Two? 🦊" }]);
	const nothing = await body(chat, { model: "echo", messages: user([]) });
	expect(nothing.choices[0].message.content).toBe(said);
});

describe("a chat completion", () => {
	it("has every member, says what it is, and echoes the last user message", async () => {
		const request = {
			model: "any",
			messages: [
				{ role: "system", content: "Be brief." },
				...user("One?"),
				{ role: "assistant", content: "1" },
				...user([{ type: "text", text: "Two? 🦊" }]),
			],
		};
		const heard = await ask(chat, request);
		expect(heard).toMatchObject({ status: 200, type: "application/json" });
		const text = `${said}Two? 🦊`;
		const [input, output] = [
			Math.ceil((9 + 4 + 1 + 9) / 4),
			Math.ceil((said.length + 9) / 4),
		];
		expect(JSON.parse(heard.text)).toEqual({
			id: expect.stringMatching(/^chatcmpl-[0-9a-f]{29}$/),
			object: "chat.completion",
			created: 1_767_225_600,
			model: "loopback",
			service_tier: "default",
			system_fingerprint: "fp_loopback",
			choices: [
				{
					index: 0,
					message: {
						role: "assistant",
						content: text,
						refusal: null,
						annotations: [],
					},
					logprobs: null,
					finish_reason: "stop",
				},
			],
			usage: {
				prompt_tokens: input,
				completion_tokens: output,
				total_tokens: input + output,
				prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
				completion_tokens_details: {
					reasoning_tokens: 0,
					audio_tokens: 0,
					accepted_prediction_tokens: 0,
					rejected_prediction_tokens: 0,
				},
			},
		});
	});

	it("is the same for the same body, and another for another", async () => {
		const request = { model: "any", messages: user("Hello") };
		const [one, again, other] = await Promise.all([
			ask(chat, request),
			ask(chat, request),
			ask(chat, { ...request, seed: 2 }),
		]);
		expect(again).toEqual(one);
		expect(JSON.parse(other.text).id).not.toBe(JSON.parse(one.text).id);
	});

	it.each([["max_tokens"], ["max_completion_tokens"]])(
		"stops at %s",
		async (name) => {
			const answer = await body(chat, { messages: user("Hello"), [name]: 3 });
			expect(answer.choices[0]).toMatchObject({
				message: { content: "This is the " },
				finish_reason: "length",
			});
			expect(answer.usage.completion_tokens).toBe(3);
		},
	);

	it("never exceeds its limit, nor splits a character", async () => {
		const full = Math.ceil(Buffer.byteLength(`${said}🦊🦊é`) / 4);
		for (let limit = 1; limit <= full + 1; limit++) {
			const answer = await body(chat, {
				messages: user("🦊🦊é"),
				max_tokens: limit,
			});
			expect(answer.usage.completion_tokens).toBeLessThanOrEqual(limit);
			expect(answer.choices[0].message.content).not.toContain("\uFFFD");
			expect(answer.choices[0].finish_reason).toBe(
				limit < full ? "length" : "stop",
			);
		}
	});

	it("gives as many choices as asked for, each counted", async () => {
		const [one, three] = await Promise.all([
			body(chat, { messages: user("Hi") }),
			body(chat, { messages: user("Hi"), n: 3 }),
		]);
		expect(
			three.choices.map((choice: { index: number }) => choice.index),
		).toEqual([0, 1, 2]);
		expect(three.usage.completion_tokens).toBe(3 * one.usage.completion_tokens);
	});

	it("streams chunks, and usage only when asked", async () => {
		const request = { messages: user("Hello there"), stream: true, n: 2 };
		const plain = await ask(chat, request);
		expect(plain.type).toBe("text/event-stream; charset=utf-8");
		expect(plain.text).not.toContain('"usage"');
		expect(frames(plain).at(-1)).toBe("[DONE]");

		const counted = frames(
			await ask(chat, { ...request, stream_options: { include_usage: true } }),
		);
		const chunks = counted.slice(0, -1).map((frame) => JSON.parse(frame));
		expect(chunks.at(-1)).toMatchObject({
			object: "chat.completion.chunk",
			choices: [],
			usage: { prompt_tokens: 3 },
		});
		expect(
			chunks
				.slice(0, -1)
				.every((chunk) => chunk.usage === null && chunk.choices.length === 1),
		).toBe(true);
		for (const index of [0, 1]) {
			const deltas = chunks
				.flatMap((chunk) => chunk.choices)
				.filter((choice) => choice.index === index);
			expect(deltas[0]).toEqual({
				index,
				delta: { role: "assistant", content: "", refusal: null },
				logprobs: null,
				finish_reason: null,
			});
			expect(deltas.map((choice) => choice.delta.content ?? "").join("")).toBe(
				`${said}Hello there`,
			);
			expect(deltas.length).toBeGreaterThan(4);
			expect(deltas.at(-1)).toEqual({
				index,
				delta: {},
				logprobs: null,
				finish_reason: "stop",
			});
		}
		expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
		const whole = await body(chat, { messages: user("Hello there"), n: 2 });
		expect(chunks.at(-1).usage).toEqual(whole.usage);
	});

	it("does not echo a book", async () => {
		const answer = await body(chat, { messages: user("🦊".repeat(100_000)) });
		expect(answer.choices[0].message.content).toBe(
			`${said}${"🦊".repeat(2000)}…`,
		);
		expect(answer.usage.prompt_tokens).toBe(100_000);
	});
});

describe("a message", () => {
	it("has every member, and counts the system text", async () => {
		const heard = await ask(messages, {
			max_tokens: 1000,
			system: [{ type: "text", text: "12345678" }],
			messages: user([{ type: "image" }, { type: "text", text: "Hello" }]),
			tools: [{}],
		});
		expect(heard).toMatchObject({ status: 200, type: "application/json" });
		expect(JSON.parse(heard.text)).toEqual({
			id: expect.stringMatching(/^msg_[0-9a-f]{24}$/),
			type: "message",
			role: "assistant",
			model: "loopback",
			content: [{ type: "text", text: `${said}Hello` }],
			stop_reason: "end_turn",
			stop_sequence: null,
			usage: {
				input_tokens: 4,
				cache_creation_input_tokens: 0,
				cache_read_input_tokens: 0,
				cache_creation: {
					ephemeral_5m_input_tokens: 0,
					ephemeral_1h_input_tokens: 0,
				},
				output_tokens: Math.ceil((said.length + 5) / 4),
				service_tier: "standard",
			},
		});
	});

	it("streams its events in order, and stops at max_tokens", async () => {
		const heard = await ask(messages, {
			max_tokens: 8,
			messages: user("Hello"),
			stream: true,
		});
		const events = heard.text
			.split("\n\n")
			.slice(0, -1)
			.map((frame) => {
				const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
				expect(JSON.parse(data ?? "").type).toBe(name);
				return JSON.parse(data ?? "");
			});
		expect(
			events
				.map(({ type }) => type)
				.filter((type, index, types) => type !== types[index - 1]),
		).toEqual([
			"message_start",
			"content_block_start",
			"ping",
			"content_block_delta",
			"content_block_stop",
			"message_delta",
			"message_stop",
		]);
		expect(events[0].message).toMatchObject({
			content: [],
			stop_reason: null,
			usage: { input_tokens: 2, output_tokens: 1 },
		});
		expect(events.map(({ delta }) => delta?.text ?? "").join("")).toBe(
			"This is the loopback substrate o",
		);
		expect(events.at(-2)).toMatchObject({
			delta: { stop_reason: "max_tokens", stop_sequence: null },
			usage: { input_tokens: 2, output_tokens: 8 },
		});
	});
});

describe("embeddings", () => {
	it("are unit vectors that only the text decides", async () => {
		const answer = await body(embeddings, {
			input: ["one", "two", "one"],
			dimensions: 10,
		});
		const vectors: number[][] = answer.data.map(
			(entry: { embedding: number[] }) => entry.embedding,
		);
		expect(vectors.map(({ length }) => length)).toEqual([10, 10, 10]);
		expect(vectors[0]).toEqual(vectors[2]);
		expect(vectors[0]).not.toEqual(vectors[1]);
		for (const vector of vectors)
			expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
		expect(answer).toMatchObject({
			object: "list",
			model: "loopback",
			usage: { prompt_tokens: 3, total_tokens: 3 },
		});
		expect(answer.data[2]).toMatchObject({ object: "embedding", index: 2 });
	});

	it("come as base64 of little-endian floats too", async () => {
		const floats = await body(embeddings, { input: "one" });
		const packed = await body(embeddings, {
			input: "one",
			encoding_format: "base64",
		});
		const bytes = Buffer.from(packed.data[0].embedding, "base64");
		expect(bytes.length).toBe(256 * 4);
		expect(
			Array.from({ length: 256 }, (_, index) => bytes.readFloatLE(index * 4)),
		).toEqual(floats.data[0].embedding);
	});

	it("take tokens for text", async () => {
		expect(
			(await body(embeddings, { input: [1, 2, 3] })).usage.prompt_tokens,
		).toBe(3);
		expect(
			(await body(embeddings, { input: [[1, 2], [3]] })).data,
		).toHaveLength(2);
	});
});

describe("a request that a vendor would refuse", () => {
	it.each([
		[chat, "{", 400],
		[chat, "[]", 400],
		[chat, { model: "any" }, 400],
		[chat, { messages: user("Hi"), max_tokens: 0 }, 400],
		[chat, { messages: user("Hi"), n: 0 }, 400],
		[embeddings, { input: [] }, 400],
		[embeddings, { input: { a: 1 } }, 400],
		[embeddings, { input: "one", dimensions: 0 }, 400],
		["loopback://openai-chat/images", {}, 404],
	])("gets that protocol's error: %s %j", async (url, request, status) => {
		const heard = await ask(url, request);
		expect(heard.status).toBe(status);
		expect(JSON.parse(heard.text)).toEqual({
			error: {
				message: expect.any(String),
				type: "invalid_request_error",
				param: null,
				code: null,
			},
		});
	});

	it.each([
		[messages, "{", 400, "invalid_request_error"],
		[messages, { max_tokens: 5 }, 400, "invalid_request_error"],
		[messages, { messages: user("Hi") }, 400, "invalid_request_error"],
		["loopback://anthropic-messages/files", {}, 404, "not_found_error"],
	])("also that of the other: %s %j", async (url, request, status, type) => {
		const heard = await ask(url, request);
		expect(heard.status).toBe(status);
		expect(JSON.parse(heard.text)).toEqual({
			type: "error",
			error: { type, message: expect.any(String) },
			request_id: heard.id,
		});
	});
});

describe("as a connection", () => {
	const streamed = {
		method: "POST",
		url: chat,
		headers: {},
		body: Buffer.from(JSON.stringify({ messages: user("Hi"), stream: true })),
		timeouts,
	};
	const turns = async (count: number) => {
		for (let turn = 0; turn < count; turn++)
			await new Promise((resolve) => setImmediate(resolve));
	};

	it("gives each piece on a turn of its own, none at once", async () => {
		const log: string[] = [];
		const sink = {
			head: () => log.push("head"),
			data: () => log.push("data"),
			end: () => log.push("end"),
			fail: () => log.push("fail"),
		};
		loopbackClient().send(streamed, sink);
		expect(log).toEqual([]);
		await turns(2);
		expect(log.length).toBeGreaterThan(0);
		expect(log.length).toBeLessThan(4);
		await turns(30);
		expect(log[0]).toBe("head");
		expect(log.at(-1)).toBe("end");
		expect(log.filter((entry) => entry === "data").length).toBeGreaterThan(5);
	});

	it("says nothing after abort, also one from within", async () => {
		const log: string[] = [];
		const call = loopbackClient().send(streamed, {
			head: () => log.push("head"),
			data() {
				log.push("data");
				call.abort();
				call.abort();
				call.resume();
			},
			end: () => log.push("end"),
			fail: () => log.push("fail"),
		});
		await turns(30);
		expect(log).toEqual(["head", "data"]);
	});

	it("waits while paused, and loses nothing", async () => {
		const log: string[] = [];
		const sink = {
			head: () => log.push("head"),
			data: () => log.push("data"),
			end: () => log.push("end"),
			fail: () => log.push("fail"),
		};
		const call = loopbackClient().send(streamed, sink);
		await turns(3);
		call.pause();
		const before = log.length;
		await turns(10);
		expect(log.length).toBe(before);
		call.resume();
		call.resume();
		await turns(30);
		const whole = await ask(chat, { messages: user("Hi"), stream: true });
		expect(log.filter((entry) => entry === "data")).toHaveLength(
			whole.pieces.length,
		);
		expect(log.filter((entry) => entry === "end")).toHaveLength(1);
	});

	it("hands other addresses on, or reaches nothing", async () => {
		expect(await ask("https://api.example.com/v1/chat", {})).toMatchObject({
			failed: "upstream/connect true",
		});
		const log: string[] = [];
		const next: HttpClient = {
			send(request, sink) {
				log.push(request.url);
				sink.fail({ code: "upstream/reset", message: "gone", unsent: false });
				return { abort() {}, pause() {}, resume() {} };
			},
			close: () => log.push("closed"),
		};
		const client = loopbackClient(next);
		expect(
			await ask("https://api.example.com/v1/chat", {}, client),
		).toMatchObject({ failed: "upstream/reset false" });
		expect(await ask(chat, { messages: user("Hi") }, client)).toMatchObject({
			status: 200,
		});
		client.close();
		expect(log).toEqual(["https://api.example.com/v1/chat", "closed"]);
	});
});

describe("the vendors' own clients", () => {
	/** The substrate as a `fetch`. */
	const fetch = async (
		url: unknown,
		init?: { body?: unknown },
	): Promise<Response> => {
		const heard = await ask(
			String(url).replace("https://", "loopback://").replace("/v1/", "/"),
			String(init?.body),
		);
		return new Response(heard.text, {
			status: heard.status,
			headers: { "content-type": heard.type ?? "" },
		});
	};

	it("read its chat completions and embeddings", async () => {
		const client = new OpenAI({
			apiKey: "none",
			baseURL: "https://openai-chat/v1",
			fetch,
			maxRetries: 0,
		});
		const request = {
			model: "loopback",
			messages: [{ role: "user" as const, content: "Hello" }],
		};
		expect(
			(await client.chat.completions.create(request)).choices[0]?.message
				.content,
		).toBe(`${said}Hello`);
		const final = await client.chat.completions
			.stream({ ...request, stream_options: { include_usage: true } })
			.finalChatCompletion();
		expect(final.choices[0]?.message.content).toBe(`${said}Hello`);
		expect(final.usage?.prompt_tokens).toBe(2);
		const vectors = await client.embeddings.create({
			model: "loopback",
			input: "one",
			dimensions: 4,
		});
		expect(vectors.data[0]?.embedding).toHaveLength(4);
		await expect(
			client.embeddings.create({ model: "loopback", input: [] }),
		).rejects.toBeInstanceOf(OpenAI.BadRequestError);
	});

	it("read its messages", async () => {
		const client = new Anthropic({
			apiKey: "none",
			baseURL: "https://anthropic-messages",
			fetch,
			maxRetries: 0,
		});
		const request = {
			model: "loopback",
			max_tokens: 500,
			messages: [{ role: "user" as const, content: "Hello" }],
		};
		const whole = await client.messages.create(request);
		const streamed = await client.messages.stream(request).finalMessage();
		expect(whole.content).toEqual([{ type: "text", text: `${said}Hello` }]);
		expect(streamed.content).toMatchObject([
			{ type: "text", text: `${said}Hello` },
		]);
		expect(streamed).toMatchObject({
			stop_reason: "end_turn",
			usage: { input_tokens: 2, output_tokens: whole.usage.output_tokens },
		});
		await expect(
			client.messages.create({ ...request, max_tokens: 0 }),
		).rejects.toBeInstanceOf(Anthropic.BadRequestError);
	});
});

it("is priced, for itself alone", () => {
	const prices = loopbackPriceBook();
	expect(prices.find("loopback", "anything", 0)).toEqual({
		id: "loopback/2",
		rates: {
			input: [{ from: 0, price: 100_000_000 }],
			output: [{ from: 0, price: 200_000_000 }],
			image: [{ from: 0, price: 1_000_000_000_000 }],
			character: [{ from: 0, price: 1_000_000_000 }],
			"audio-second": [{ from: 0, price: 10_000_000_000 }],
		},
	});
	expect(prices.find("openai", "loopback", 0)).toBeUndefined();
	expect(prices.models("loopback")).toEqual([{ model: "loopback" }]);
	expect(prices.models("openai")).toEqual([]);
});

priceBookContract("the loopback's", loopbackPriceBook, [
	{ vendor: "loopback", model: "loopback" },
]);
