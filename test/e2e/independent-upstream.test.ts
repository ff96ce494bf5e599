import Anthropic from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startStudio, type TestStudio } from "../support/studio.ts";

/** Behind the gateway: a mock of the vendors that others wrote. In front: the vendors' own clients. */
describe("with aimock as the upstream of both protocols", () => {
	const usage = { input_tokens: 1_000, output_tokens: 500 };
	const costOfOne = 200_000;
	let mock: LLMock;
	let studio: TestStudio;
	let openai: OpenAI;
	let anthropic: Anthropic;

	beforeEach(async () => {
		mock = new LLMock({ port: 0 });
		mock.onMessage("hello", { content: "Hi there! 👋", usage });
		mock.onMessage("weather", {
			toolCalls: [
				{ name: "get_weather", arguments: '{"city":"Zürich"}' },
				{ name: "get_weather", arguments: '{"city":"Genève"}' },
			],
			usage,
		});
		mock.onMessage("broken", {
			error: { message: "Overloaded", type: "server_error" },
			status: 503,
		});
		mock.onMessage(
			"cut short",
			{ content: "one two three four five six seven eight", usage },
			{ truncateAfterChunks: 6, chunkSize: 4, latency: 20 },
		);
		await mock.start();
		studio = await startStudio(`
vendors:
  chat: { protocol: openai-chat, base: "${mock.url}/v1", key: mock }
  claude: { protocol: anthropic-messages, base: "${mock.url}/v1", key: mock }
prices:
  - { vendor: "*", model: "*", prices: { input: 1, output: 2 } }
`);
		const apiKey = await studio.key();
		openai = new OpenAI({ apiKey, baseURL: `${studio.url}/v1`, maxRetries: 0 });
		anthropic = new Anthropic({ apiKey, baseURL: studio.url, maxRetries: 0 });
	});
	afterEach(async () => {
		await studio.close();
		await mock.stop();
	});

	const chat = (content: string) => ({
		model: "chat/gpt-4o",
		messages: [{ role: "user" as const, content }],
		max_tokens: 600,
	});
	const message = (content: string) => ({
		...chat(content),
		model: "claude/claude-sonnet-5",
	});
	const tool = {
		name: "get_weather",
		description: "Weather of a city",
		parameters: {
			type: "object" as const,
			properties: { city: { type: "string" } },
			required: ["city"],
		},
	};

	it("answers, plain and streamed, are whole and cost what was reported", async () => {
		const plain = await openai.chat.completions.create(chat("hello"));
		expect(plain.choices[0]?.message.content).toBe("Hi there! 👋");
		expect(studio.account().spent).toBe(costOfOne);

		const streamed = await openai.chat.completions
			.stream(chat("hello"))
			.finalContent();
		expect(streamed).toBe("Hi there! 👋");
		await studio.settled();
		expect(studio.account().spent).toBe(2 * costOfOne);

		const whole = await anthropic.messages.create(message("hello"));
		expect(whole.content).toMatchObject([{ text: "Hi there! 👋" }]);
		expect(studio.account().spent).toBe(3 * costOfOne);

		const flowing = await anthropic.messages
			.stream(message("hello"))
			.finalText();
		expect(flowing).toBe("Hi there! 👋");
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 4 * costOfOne, held: 0 });
	});

	it("parallel tool calls pass as they came", async () => {
		const stream = openai.chat.completions.stream({
			...chat("weather"),
			tools: [{ type: "function", function: tool }],
		});
		const { choices } = await stream.finalChatCompletion();
		expect(
			choices[0]?.message.tool_calls?.map(
				(call) => call.type === "function" && call.function.arguments,
			),
		).toEqual(['{"city":"Zürich"}', '{"city":"Genève"}']);

		const { content } = await anthropic.messages
			.stream({
				...message("weather"),
				tools: [{ name: tool.name, input_schema: tool.parameters }],
			})
			.finalMessage();
		expect(content).toMatchObject([
			{ type: "tool_use", input: { city: "Zürich" } },
			{ type: "tool_use", input: { city: "Genève" } },
		]);
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 2 * costOfOne, held: 0 });
	});

	it("a vendor's error is raised as the client's own, and costs nothing", async () => {
		const raised = await openai.chat.completions
			.create(chat("broken"))
			.catch((error: unknown) => error);
		expect(raised).toBeInstanceOf(OpenAI.InternalServerError);
		expect(raised).toMatchObject({ status: 503 });
		const other = await anthropic.messages
			.create(message("broken"))
			.catch((error: unknown) => error);
		expect(other).toBeInstanceOf(Anthropic.InternalServerError);
		expect(studio.account()).toMatchObject({ spent: 0, held: 0 });
	});

	it.each(["chat", "claude"] as const)(
		"a stream that is cut short (%s) is an error to the client, and what came is paid",
		async (vendor) => {
			const cut =
				vendor === "chat"
					? openai.chat.completions.stream(chat("cut short")).finalContent()
					: anthropic.messages.stream(message("cut short")).finalText();
			await expect(cut).rejects.toThrow();
			await studio.settled();
			const { spent } = studio.account();
			expect(spent).toBeGreaterThan(0);
			expect(spent).toBeLessThan(costOfOne);
		},
	);

	it("embeddings are vectors, and paid", async () => {
		mock.onEmbedding("hello", { embedding: [0.25, -0.5, 1] });
		const { data } = await openai.embeddings.create({
			model: "chat/text-embedding-3-small",
			input: "hello",
		});
		expect(data[0]?.embedding).toEqual([0.25, -0.5, 1]);
		expect(studio.account().held).toBe(0);
	});
});
