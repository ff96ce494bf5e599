import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import { wireProtocolContract } from "../../../ports/wire-protocol.contract.ts";
import type { Metered } from "../../../ports/wire-protocol.ts";
import { anthropicMessages } from "./protocol.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const minimal = {
	model: "asked-model",
	max_tokens: 1024,
	messages: [{ role: "user", content: "Hi" }],
};
const plain = {
	type: "message",
	content: [{ type: "text", text: "Hello" }],
	stop_reason: "end_turn",
	usage: { input_tokens: 10, output_tokens: 3 },
};

wireProtocolContract("anthropic-messages", () => ({
	protocol: anthropicMessages,
	samples: {
		requests: {
			messages: minimal,
			"count-tokens": { model: minimal.model, messages: minimal.messages },
		},
		streaming: { operation: "messages", limit: "max_tokens" },
		stream: fixture("anthropic-stream.txt"),
		plain: Buffer.from(JSON.stringify(plain)),
	},
}));

function read(body: object) {
	const outcome = anthropicMessages.read(
		"messages",
		Buffer.from(JSON.stringify(body)),
	);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function meter(
	answer: Uint8Array | string,
	type = "text/event-stream",
	body: object = minimal,
	status = 200,
): Metered {
	const request = read(body);
	const forwarded = anthropicMessages.forward(request, {
		model: "m",
		outputLimit: undefined,
		quirks: {},
	});
	const watching = anthropicMessages.meter(request, forwarded, status, type);
	watching.pass(Buffer.from(answer));
	return watching.finish();
}

const plainUsage = (usage: object) =>
	meter(JSON.stringify({ ...plain, usage }), "application/json");

describe("an Anthropic request", () => {
	it("needs max_tokens", () => {
		const { max_tokens, ...rest } = minimal;
		const outcome = anthropicMessages.read(
			"messages",
			Buffer.from(JSON.stringify(rest)),
		);
		expect(outcome).toMatchObject({
			ok: false,
			error: { code: "request/invalid", details: { field: "max_tokens" } },
		});
		expect(max_tokens).toBe(1024);
	});

	it("counts media wherever it stands, and leaves base64 out of the bytes that can be tokens", () => {
		const data = "QUJD".repeat(5_000);
		const image = {
			type: "image",
			source: { type: "base64", media_type: "image/png", data },
		};
		const content = [
			{ type: "text", text: "What is this?" },
			image,
			{
				type: "image",
				source: { type: "url", url: "https://example.com/a.png" },
			},
			{
				type: "document",
				source: { type: "text", media_type: "text/plain", data: "plain words" },
			},
			{ type: "document", source: { type: "content", content: [image] } },
			{
				type: "tool_result",
				tool_use_id: "t",
				content: [{ type: "text", text: "x" }, image],
			},
		];
		const body = {
			...minimal,
			messages: [
				{ role: "user", content },
				null,
				{ role: "user", content: [null, 7] },
			],
		};
		const request = read(body);
		expect(request.mediaParts).toBe(4);
		expect(request.inputBytes).toBe(
			JSON.stringify(body).length - 3 * data.length,
		);
	});

	it("to count tokens needs no limit, and asks for no output", () => {
		const outcome = anthropicMessages.read(
			"count-tokens",
			Buffer.from(
				JSON.stringify({
					...minimal,
					stream: true,
					tools: [{ type: "web_search_20250305" }],
				}),
			),
		);
		expect(outcome).toMatchObject({
			ok: true,
			value: { outputLimit: 0, stream: false, serverTools: [] },
		});
	});

	it("names the tools that run at the vendor, and no tool of the client's", () => {
		const tools = [
			{
				name: "mine",
				input_schema: {
					type: "object",
					properties: { type: { type: "string" } },
				},
			},
			{ type: "custom", name: "mine-too" },
			{ type: "bash_20250124", name: "bash" },
			{ type: "web_search_20250305", name: "web_search" },
			{ type: "code_execution_20250825", name: "code_execution" },
			{ type: "web_search_20250305", name: "web_search" },
		];
		expect(
			read({ ...minimal, tools, mcp_servers: [{ url: "https://example.com" }] })
				.serverTools,
		).toEqual([
			"web_search_20250305",
			"code_execution_20250825",
			"mcp_servers",
		]);
	});
});

describe("a thread that the vendor keeps", () => {
	it.each(["create", "continue"])(
		"is refused, so that clients send all of it (%s)",
		(type) => {
			const outcome = anthropicMessages.read(
				"messages",
				Buffer.from(JSON.stringify({ ...minimal, thread: { type } })),
			);
			if (outcome.ok) throw new Error("It was accepted.");
			expect(outcome.error).toMatchObject({
				code: "request/invalid",
				details: { field: "thread" },
			});
			const { body } = anthropicMessages.refusal(400, outcome.error);
			expect(JSON.parse(Buffer.from(body).toString()).error.details).toEqual({
				error_code: "thread_unsupported_request",
				unsupported: [],
			});
		},
	);

	it("is none when it is null", () => {
		expect(read({ ...minimal, thread: null }).model).toBe("asked-model");
	});
});

describe("Anthropic usage", () => {
	it("of a stream: input from its start, output from its end, cache writes by lifetime", () => {
		expect(meter(fixture("anthropic-stream.txt"))).toEqual({
			rest: undefined,
			usage: {
				input: 25,
				"cache-read": 1800,
				"cache-write-5m": 456,
				"cache-write-1h": 100,
				output: 15,
			},
			absurd: undefined,
			reportedCost: undefined,
			deliveredBytes: 0,
			partialUsage: undefined,
			complete: true,
			finishReason: "end_turn",
			vendorError: undefined,
		});
	});

	it("of a search: the later, larger input counts, and each search", () => {
		expect(meter(fixture("anthropic-search-stream.txt")).usage).toEqual({
			input: 10682,
			output: 510,
			search: 2,
		});
	});

	it("told as zero at the end leaves what was told at the start", () => {
		const text = fixture("anthropic-stream.txt")
			.toString()
			.replace(
				'"usage":{"output_tokens":15}',
				'"usage":{"input_tokens":0,"cache_read_input_tokens":null,"output_tokens":15}',
			);
		expect(meter(text).usage).toMatchObject({
			input: 25,
			"cache-read": 1800,
			output: 15,
		});
	});

	it("adds what a compaction took", () => {
		expect(meter(fixture("compaction.json"), "application/json").usage).toEqual(
			{ input: 203_000, output: 4_500 },
		);
	});

	it("takes thinking apart from the rest of the output", () => {
		const usage = {
			input_tokens: 5,
			output_tokens: 100,
			output_tokens_details: { thinking_tokens: 80 },
		};
		expect(plainUsage(usage).usage).toEqual({
			input: 5,
			output: 20,
			reasoning: 80,
		});
	});

	it.each([
		["input_tokens is negative", { input_tokens: -1, output_tokens: 1 }],
		[
			"output_tokens is no whole number",
			{ input_tokens: 1, output_tokens: 1.5 },
		],
		["input_tokens is no number", { input_tokens: "12", output_tokens: 1 }],
		["input_tokens is over 2^40", { input_tokens: 2 ** 41, output_tokens: 1 }],
		["input_tokens is missing", { output_tokens: 1 }],
		[
			"output_tokens is far over the limit that was sent",
			{ input_tokens: 1, output_tokens: 50_000 },
		],
		[
			"thinking_tokens is more than output_tokens",
			{
				input_tokens: 1,
				output_tokens: 1,
				output_tokens_details: { thinking_tokens: 2 },
			},
		],
		[
			"parts of cache_creation are more than cache_creation_input_tokens",
			{
				input_tokens: 1,
				cache_creation_input_tokens: 1,
				cache_creation: { ephemeral_1h_input_tokens: 2 },
			},
		],
		[
			"usage counts nothing, though text was delivered",
			{ input_tokens: 0, output_tokens: 0 },
		],
	])("is thrown away when absurd: %s", (absurd, usage) => {
		expect(plainUsage(usage)).toMatchObject({
			usage: undefined,
			absurd,
			deliveredBytes: 5,
			complete: true,
		});
	});

	it("of a stream that broke off is known for the input alone", () => {
		const stream = fixture("anthropic-stream.txt");
		const metered = meter(
			stream.subarray(0, stream.indexOf("event: message_delta")),
		);
		expect(metered).toMatchObject({
			usage: undefined,
			partialUsage: {
				input: 25,
				"cache-read": 1800,
				"cache-write-5m": 456,
				"cache-write-1h": 100,
			},
			deliveredBytes: 6,
			complete: false,
		});
		expect(metered.partialUsage).not.toHaveProperty("output");
	});

	it("tells an error that comes in the middle", () => {
		expect(meter(fixture("anthropic-error-stream.txt"))).toMatchObject({
			vendorError: "overloaded_error: Overloaded",
			complete: false,
			partialUsage: { input: 472 },
			deliveredBytes: 4,
		});
	});

	it("of a count of tokens is none, and whole", () => {
		const counting = (answer: string, status: number) => {
			const outcome = anthropicMessages.read(
				"count-tokens",
				Buffer.from(JSON.stringify(minimal)),
			);
			if (!outcome.ok) throw new Error(outcome.error.message);
			const watching = anthropicMessages.meter(
				outcome.value,
				{ body: Buffer.of(), usageAsked: false },
				status,
				"application/json",
			);
			watching.pass(Buffer.from(answer));
			return watching.finish();
		};
		expect(counting('{"input_tokens":2095}', 200)).toMatchObject({
			usage: {},
			complete: true,
			deliveredBytes: 0,
			vendorError: undefined,
		});
		expect(counting('{"input_tok', 200)).toMatchObject({
			usage: undefined,
			complete: false,
		});
		expect(
			counting(
				'{"type":"error","error":{"type":"not_found_error","message":"x"}}',
				404,
			),
		).toMatchObject({ usage: undefined, vendorError: "not_found_error: x" });
	});

	it("is none of an error answer, which is read for what it says", () => {
		const body =
			'{"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":"r"}';
		expect(meter(body, "application/json", minimal, 404)).toMatchObject({
			vendorError: "not_found_error: model: x",
			usage: undefined,
			deliveredBytes: 0,
		});
	});
});

describe("an Anthropic refusal", () => {
	const sdk = (status: number, type: string, body: () => string | Buffer) =>
		new Anthropic({
			apiKey: "dos_sk_1",
			maxRetries: 0,
			fetch: async () =>
				new Response(new Uint8Array(Buffer.from(body())), {
					status,
					headers: { "content-type": type },
				}),
		});
	const refusal = {
		code: "credits/insufficient",
		message: "Needs more.",
		details: { needed: 2 },
	};

	it.each([
		[400, "invalid_request_error", Anthropic.BadRequestError],
		[401, "authentication_error", Anthropic.AuthenticationError],
		[402, "billing_error", Anthropic.APIError],
		[403, "permission_error", Anthropic.PermissionDeniedError],
		[404, "not_found_error", Anthropic.NotFoundError],
		[409, "conflict_error", Anthropic.ConflictError],
		[413, "request_too_large", Anthropic.APIError],
		[429, "rate_limit_error", Anthropic.RateLimitError],
		[500, "api_error", Anthropic.InternalServerError],
		[529, "overloaded_error", Anthropic.InternalServerError],
	] as const)(
		"of %i is raised by the vendor's client as its own error",
		async (status, type, Raised) => {
			const { body } = anthropicMessages.refusal(status, refusal);
			const raised = await sdk(status, "application/json", () =>
				Buffer.from(body),
			)
				.messages.create({ model: "m", max_tokens: 1, messages: [] })
				.catch((error: unknown) => error);
			expect(raised).toBeInstanceOf(Raised);
			expect(raised).toMatchObject({
				status,
				error: {
					type: "error",
					error: { type, code: refusal.code, dos: { needed: 2 } },
				},
			});
		},
	);

	it("in the middle of a stream is raised as well", async () => {
		const start =
			fixture("anthropic-stream.txt")
				.toString()
				.split("event: message_delta")[0] ?? "";
		const body =
			start + Buffer.from(anthropicMessages.streamRefusal(refusal)).toString();
		const stream = await sdk(
			200,
			"text/event-stream",
			() => body,
		).messages.create({
			model: "m",
			max_tokens: 1,
			messages: [],
			stream: true,
		});
		let text = "";
		const raised = await (async () => {
			for await (const event of stream)
				if (
					event.type === "content_block_delta" &&
					event.delta.type === "text_delta"
				)
					text += event.delta.text;
		})().catch((error: unknown) => error);
		expect(text).toBe("Hello!");
		expect(raised).toBeInstanceOf(Anthropic.APIError);
		expect(raised).toMatchObject({
			error: { error: { type: "billing_error", code: refusal.code } },
		});
	});
});

describe("the Anthropic list of models", () => {
	it("is what the vendor's client reads, and goes to its clients", async () => {
		const body = anthropicMessages.models([
			{ id: "loopback/echo", owner: "loopback", contextWindow: 100 },
		]);
		const client = new Anthropic({
			apiKey: "k",
			fetch: async () =>
				Response.json(JSON.parse(Buffer.from(body).toString())),
		});
		const page = await client.models.list();
		expect(page.data).toMatchObject([
			{
				type: "model",
				id: "loopback/echo",
				display_name: "loopback/echo",
				max_input_tokens: 100,
				lifecycle: "active",
			},
		]);
		expect(new Date(page.data[0]?.created_at ?? "").getTime()).toBe(0);
		expect([page.has_more, page.first_id, page.last_id]).toEqual([
			false,
			"loopback/echo",
			"loopback/echo",
		]);
		expect(page.hasNextPage()).toBe(false);
		expect(
			anthropicMessages.speaks((name) =>
				name === "anthropic-version" ? "2023-06-01" : undefined,
			),
		).toBe(true);
		expect(anthropicMessages.speaks(() => undefined)).toBe(false);
	});
});
