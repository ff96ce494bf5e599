import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mockVendor, startStudio, type TestStudio } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	messageFrames,
	sendFrames,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

/** The vendors' own SDKs, unmodified, through the gateway to an upstream of the same protocol. */
describe("the openai package", () => {
	let upstream: Upstream;
	let studio: TestStudio;
	let client: OpenAI;

	beforeEach(async () => {
		upstream = await startUpstream((_, response) =>
			sendJson(
				response,
				200,
				chatAnswer("Hello there", { prompt: 1_000, completion: 500 }),
			),
		);
		studio = await startStudio(mockVendor(upstream.url));
		client = new OpenAI({
			apiKey: await studio.key(),
			baseURL: `${studio.url}/v1`,
			maxRetries: 0,
		});
	});
	afterEach(async () => {
		await studio.close();
		await upstream.close();
	});

	const messages = [{ role: "user" as const, content: "Say hello" }];

	it("gets a plain answer, charged to the micro-credit, with a receipt that adds up", async () => {
		const { data, response } = await client.chat.completions
			.create({ model: "mock/gpt-x", messages })
			.withResponse();
		expect(data.choices[0]?.message.content).toBe("Hello there");
		// 1,000 tokens at 1 USD and 500 at 2 USD a million: 0.002 USD are 200,000 micro-credits.
		expect(response.headers.get("x-dos-credits")).toBe("200000");
		expect(studio.account()).toMatchObject({ spent: 200_000, held: 0 });
		const call = response.headers.get("x-dos-call-id");
		const receipt = await (
			await fetch(`${studio.url}/v1/receipts/${call}`, {
				headers: { authorization: `Bearer ${client.apiKey}` },
			})
		).json();
		expect(receipt).toMatchObject({
			call,
			status: "settled",
			charged: 200_000,
			basis: "priced",
			substrate: "mock/gpt-x",
			ending: "finished",
			sum: { exact: "200000", rounded: 200_000 },
			lines: [
				{ class: "input", units: 1_000, price: 100_000_000, exact: "100000" },
				{ class: "output", units: 500, price: 200_000_000, exact: "100000" },
			],
		});
	});

	it("reaches the vendor with the owner's key and the vendor's model name, all else as it was sent", async () => {
		await client.chat.completions.create({
			model: "mock/gpt-x",
			messages,
			max_tokens: 900,
			temperature: 0.25,
			user: "é",
		});
		const [received] = upstream.received;
		expect(received?.path).toBe("/v1/chat/completions");
		expect(received?.headers.authorization).toBe(
			"Bearer vendor-secret-key-123456",
		);
		expect(received?.body).toBe(
			JSON.stringify({
				model: "gpt-x",
				messages,
				max_tokens: 900,
				temperature: 0.25,
				user: "é",
			}),
		);
		expect(JSON.stringify(received)).not.toContain(client.apiKey);
	});

	it("streams, and nothing comes that it did not ask for", async () => {
		const words = ["Hel", "lo", " wörld 🌍"];
		upstream.answer = (_, response) =>
			sendFrames(response, chatFrames(words, { prompt: 100, completion: 10 }));
		const stream = await client.chat.completions.create({
			model: "mock/gpt-x",
			messages,
			stream: true,
		});
		const chunks = [];
		for await (const chunk of stream) chunks.push(chunk);
		expect(
			chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
		).toBe(words.join(""));
		expect(
			chunks.every(
				(chunk) => chunk.choices.length === 1 && !("usage" in chunk),
			),
		).toBe(true);
		expect(
			JSON.parse(upstream.received[0]?.body as string).stream_options,
		).toEqual({ include_usage: true });
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 12_000, held: 0 });
	});

	it("streams usage to a client that asked for it", async () => {
		upstream.answer = (_, response) =>
			sendFrames(response, chatFrames(["a"], { prompt: 100, completion: 10 }));
		const stream = await client.chat.completions.create({
			model: "mock/gpt-x",
			messages,
			stream: true,
			stream_options: { include_usage: true },
		});
		const usages = [];
		for await (const chunk of stream) usages.push(chunk.usage);
		expect(usages.at(-1)).toMatchObject({
			prompt_tokens: 100,
			completion_tokens: 10,
		});
	});

	it("raises its own typed errors for our refusals, with our code inside", async () => {
		const stranger = new OpenAI({
			apiKey: "dos_sk_nobody",
			baseURL: `${studio.url}/v1`,
			maxRetries: 0,
		});
		const unknown = await stranger.chat.completions
			.create({ model: "mock/gpt-x", messages })
			.catch((error: unknown) => error);
		expect(unknown).toBeInstanceOf(OpenAI.AuthenticationError);
		expect(unknown).toMatchObject({ code: "key/unknown" });

		const poor = new OpenAI({
			apiKey: await studio.key({ caps: { total: 10 } }),
			baseURL: `${studio.url}/v1`,
			maxRetries: 0,
		});
		const refused = await poor.chat.completions
			.create({ model: "mock/gpt-x", messages })
			.catch((error: unknown) => error);
		expect(refused).toMatchObject({
			status: 402,
			code: "credits/cap-exceeded",
		});
		expect((refused as { error: { dos: object } }).error.dos).toMatchObject({
			needed: expect.any(Number),
			cap: 10,
		});
		expect(upstream.received).toHaveLength(0);
	});

	it("embeds", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				JSON.stringify({
					object: "list",
					model: "e",
					data: [{ object: "embedding", index: 0, embedding: [0.1, 0.2] }],
					usage: { prompt_tokens: 8, total_tokens: 8 },
				}),
			);
		const answer = await client.embeddings.create({
			model: "mock/e",
			input: "hello",
			encoding_format: "float",
		});
		expect(answer.data[0]?.embedding).toEqual([0.1, 0.2]);
		expect(studio.account().spent).toBe(800);
	});

	it("lists models", async () => {
		const models = [];
		for await (const model of client.models.list()) models.push(model.id);
		expect(models).toContain("loopback/loopback");
	});
});

describe("the @anthropic-ai/sdk package", () => {
	let upstream: Upstream;
	let studio: TestStudio;
	let client: Anthropic;

	beforeEach(async () => {
		upstream = await startUpstream((_, response) =>
			sendJson(
				response,
				200,
				JSON.stringify({
					id: "msg_1",
					type: "message",
					role: "assistant",
					model: "claude-haiku-4-5",
					content: [{ type: "text", text: "Hello there" }],
					stop_reason: "end_turn",
					stop_sequence: null,
					usage: {
						input_tokens: 1_000,
						cache_creation_input_tokens: 0,
						cache_read_input_tokens: 0,
						output_tokens: 500,
					},
				}),
			),
		);
		studio = await startStudio(mockVendor(upstream.url, "anthropic-messages"));
		client = new Anthropic({
			apiKey: await studio.key(),
			baseURL: studio.url,
			maxRetries: 0,
		});
	});
	afterEach(async () => {
		await studio.close();
		await upstream.close();
	});

	const request = {
		model: "mock/claude-x",
		max_tokens: 1_000,
		messages: [{ role: "user" as const, content: "Say hello" }],
	};

	it("gets a plain answer, charged to the micro-credit", async () => {
		const { data, response } = await client.messages
			.create(request)
			.withResponse();
		expect(data.content).toEqual([{ type: "text", text: "Hello there" }]);
		expect(response.headers.get("x-dos-credits")).toBe("200000");
		expect(upstream.received[0]?.path).toBe("/v1/messages");
		expect(upstream.received[0]?.headers["x-api-key"]).toBe(
			"vendor-secret-key-123456",
		);
		expect(upstream.received[0]?.headers["anthropic-version"]).toMatch(
			/^20\d\d-\d\d-\d\d$/,
		);
		expect(upstream.received[0]?.body).toBe(
			JSON.stringify({ ...request, model: "claude-x" }),
		);
		expect(studio.account()).toMatchObject({ spent: 200_000, held: 0 });
	});

	it("streams with its own helper", async () => {
		upstream.answer = (_, response) =>
			sendFrames(
				response,
				messageFrames(["Hel", "lo"], {
					input: 100,
					output: 10,
					cacheRead: 1_000,
				}),
			);
		const stream = client.messages.stream(request);
		expect(await stream.finalText()).toBe("Hello");
		expect((await stream.finalMessage()).usage).toMatchObject({
			input_tokens: 100,
			output_tokens: 10,
		});
		// Cached input has no price of its own in this sheet: it is paid as input.
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 112_000, held: 0 });
	});

	it("raises its own typed errors for our refusals, with our code inside", async () => {
		await studio.run({
			type: "set-account-caps",
			account: "main",
			caps: { total: 5 },
		});
		const refused = await client.messages
			.create(request)
			.catch((error: unknown) => error);
		expect(refused).toBeInstanceOf(Anthropic.APIError);
		expect(refused).toMatchObject({
			status: 402,
			error: { type: "error", error: { code: "credits/cap-exceeded" } },
		});
	});
});

describe("with no vendor at all", () => {
	let studio: TestStudio;
	let key: string;

	beforeEach(async () => {
		studio = await startStudio();
		key = await studio.key();
	});
	afterEach(() => studio.close());

	it("the loopback substrate answers both SDKs, says what it is, and is metered", async () => {
		const openai = new OpenAI({
			apiKey: key,
			baseURL: `${studio.url}/v1`,
			maxRetries: 0,
		});
		const completion = await openai.chat.completions.create({
			model: "gpt-4o-mini",
			messages: [{ role: "user", content: "Are you there?" }],
		});
		expect(completion.choices[0]?.message.content).toMatch(/loopback/i);
		expect(completion.choices[0]?.message.content).toContain("Are you there?");
		const { spent } = studio.account();
		expect(spent).toBeGreaterThan(0);

		const anthropic = new Anthropic({
			apiKey: key,
			baseURL: studio.url,
			maxRetries: 0,
		});
		const text = await anthropic.messages
			.stream({
				model: "claude-sonnet-5",
				max_tokens: 100,
				messages: [{ role: "user", content: "And you?" }],
			})
			.finalText();
		expect(text).toMatch(/loopback/i);
		await studio.settled();
		expect(studio.account().spent).toBeGreaterThan(spent);
		expect(studio.account().held).toBe(0);

		const embedding = await openai.embeddings.create({
			model: "text-embedding-3-small",
			input: "hello",
		});
		expect(embedding.data[0]?.embedding.length).toBeGreaterThan(1);
	});
});
