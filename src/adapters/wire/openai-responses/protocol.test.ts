import { readFileSync } from "node:fs";
import OpenAI, { APIError } from "openai";
import { describe, expect, it } from "vitest";
import { wireProtocolContract } from "../../../ports/wire-protocol.contract.ts";
import type { Metered } from "../../../ports/wire-protocol.ts";
import { seal } from "../canonical/seal.ts";
import { openaiResponses } from "./protocol.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const minimal = { model: "asked-model", input: "Hi" };

wireProtocolContract("openai-responses", () => ({
	protocol: openaiResponses,
	samples: {
		requests: { responses: minimal },
		streaming: {
			operation: "responses",
			limit: "max_output_tokens",
			prompt: ["input", undefined, {}, 7],
		},
		stream: fixture("openai-stream.txt"),
		plain: fixture("openai-response.json"),
	},
}));

function read(body: object | Uint8Array) {
	const outcome = openaiResponses.read(
		"responses",
		body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body)),
	);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function refused(body: object): unknown {
	const outcome = openaiResponses.read(
		"responses",
		Buffer.from(JSON.stringify(body)),
	);
	return outcome.ok ? undefined : outcome.error.details?.field;
}

function watch(answer: Uint8Array | string, body: object = minimal): Metered {
	const streamed = !Buffer.from(answer as string)
		.subarray(0, 1)
		.equals(Buffer.from("{"));
	const request = read({ ...body, stream: streamed });
	const meter = openaiResponses.meter(
		request,
		openaiResponses.forward(request, {
			model: "sent-model",
			outputLimit: undefined,
			quirks: {},
		}),
		200,
		streamed ? "text/event-stream; charset=utf-8" : "application/json",
	);
	meter.pass(Buffer.from(answer as string));
	return meter.finish();
}

const plain = (response: object, body?: object) =>
	watch(JSON.stringify({ status: "completed", ...response }), body);

describe("a Responses request", () => {
	it("needs an input, unless the vendor keeps one, which counts as what bytes do not show", () => {
		expect(refused({ model: "m" })).toBe("input");
		expect(refused({ model: "m", input: null })).toBe("input");
		for (const kept of [
			{ previous_response_id: "resp_1" },
			{ conversation: { id: "conv_1" } },
			{ prompt: { id: "pmpt_1" } },
		])
			expect(read({ model: "m", ...kept }).mediaParts).toBe(1);
		expect(
			read({
				model: "m",
				input: [{ type: "item_reference", id: "msg_1" }],
				previous_response_id: "resp_1",
			}).mediaParts,
		).toBe(2);
	});

	it("does not go on in the background", () => {
		expect(refused({ ...minimal, background: true })).toBe("background");
		expect(refused({ ...minimal, background: "no" })).toBe("background");
		expect(refused({ ...minimal, background: false })).toBeUndefined();
		expect(refused({ ...minimal, background: null })).toBeUndefined();
	});

	it("counts media in messages, in results of tools and as items, and leaves their bytes out of the text", () => {
		const data = "A".repeat(1000);
		const image = {
			type: "input_image",
			detail: "auto",
			image_url: `data:image/png;base64,${data}`,
		};
		const request = (input: unknown) => read({ model: "m", input });
		const bytes = (input: unknown) =>
			Buffer.byteLength(JSON.stringify({ model: "m", input }));
		for (const [input, parts, taken] of [
			[[{ role: "user", content: [image] }], 1, image.image_url.length],
			[
				[{ role: "user", content: [{ type: "input_file", file_data: data }] }],
				1,
				1000,
			],
			[
				[
					{
						role: "user",
						content: [
							{ type: "input_audio", input_audio: { data, format: "wav" } },
						],
					},
				],
				1,
				1000,
			],
			[
				[
					{
						type: "function_call_output",
						call_id: "c",
						output: [image, { type: "input_text", text: "t" }],
					},
				],
				1,
				image.image_url.length,
			],
			[
				[
					{
						type: "computer_call_output",
						call_id: "c",
						output: {
							type: "computer_screenshot",
							image_url: image.image_url,
						},
					},
				],
				1,
				image.image_url.length,
			],
			[[{ type: "image_generation_call", id: "ig_1", result: data }], 1, 1000],
			[
				[
					{
						role: "user",
						content: [
							{ type: "input_image", image_url: "https://example.com/a.png" },
							{ type: "input_file", file_id: "file-1" },
						],
					},
				],
				2,
				0,
			],
			[[{ role: "user", content: "type input_image" }], 0, 0],
		] as const) {
			expect(request(input).mediaParts).toBe(parts);
			expect(request(input).inputBytes).toBe(bytes(input) - taken);
		}
	});

	it("names the tools that run at the vendor, and none that the client runs", () => {
		const tools = (...types: string[]) =>
			read({ ...minimal, tools: types.map((type) => ({ type })) }).serverTools;
		expect(
			tools("function", "custom", "local_shell", "apply_patch", "namespace"),
		).toEqual([]);
		const vendors = [
			"web_search",
			"file_search",
			"code_interpreter",
			"image_generation",
			"mcp",
			"computer",
			"shell",
			"one_of_next_year",
		];
		expect(tools("function", ...vendors)).toEqual(vendors);
		expect(
			read({
				model: "m",
				input: [
					{
						type: "additional_tools",
						role: "developer",
						tools: [{ type: "mcp", server_label: "s" }],
					},
				],
			}).serverTools,
		).toEqual(["additional_tools"]);
		expect(read({ model: "m", prompt: { id: "p" } }).serverTools).toEqual([
			"prompt",
		]);
	});

	it("passes a coding agent's turn, with nothing changed but the model and the limit", () => {
		const body = fixture("codex-request.json");
		const request = read(body);
		expect(request).toMatchObject({
			model: "gpt-5.4-codex",
			stream: true,
			outputLimit: undefined,
			mediaParts: 0,
			serverTools: ["web_search"],
		});
		const sent = openaiResponses.forward(request, {
			model: "other",
			outputLimit: 99,
			quirks: {},
		});
		expect(sent.outputLimit).toBe(99);
		expect(Buffer.from(sent.body).toString()).toBe(
			body
				.toString()
				.replace('"gpt-5.4-codex"', '"other"')
				.replace("{", '{"max_output_tokens":99,'),
		);
	});
});

describe("a conversation that began with a vendor of another protocol", () => {
	const sentInput = (input: readonly object[]) => {
		const request = read({ model: "m", input });
		const { body } = openaiResponses.forward(request, {
			model: "m",
			outputLimit: undefined,
			quirks: {},
		});
		return JSON.parse(Buffer.from(body).toString()).input;
	};
	const reasoning = (protocol: string, data: object) => ({
		type: "reasoning",
		id: "rs_dos_call_0",
		summary: [],
		encrypted_content: seal({ protocol, data }),
	});

	it("goes on without what only we and that vendor understand", () => {
		const message = {
			type: "message",
			role: "assistant",
			content: [{ type: "output_text", text: "Hello_dos_" }],
		};
		expect(
			sentInput([
				{ role: "user", content: "Hi" },
				reasoning("anthropic-messages", { signature: "x" }),
				{ ...message, id: "msg_dos_call_1" },
				{ type: "web_search_call", id: "ws_dos_call_2", status: "completed" },
				reasoning("openai-responses", {
					before: { protocol: "google-generate", data: {} },
				}),
			]),
		).toEqual([{ role: "user", content: "Hi" }, message]);
	});

	it("keeps what a vendor of this protocol made", () => {
		const own = { id: "rs_1", encrypted_content: "gAAA" };
		expect(sentInput([reasoning("openai-responses", own)])).toEqual([
			{ type: "reasoning", summary: [], ...own },
		]);
		const items = [
			{ type: "reasoning", ...own, summary: [] },
			{ role: "user", content: 'Not "dos1. nor _dos_ of ours' },
		];
		expect(sentInput(items)).toEqual(items);
	});
});

describe("a Responses answer", () => {
	it.each(["openai-response.json", "openai-stream.txt"])(
		"counts each token of %s once",
		(name) => {
			expect(watch(fixture(name))).toMatchObject({
				usage: {
					input: 22,
					"cache-read": 1920,
					"cache-write-5m": 64,
					output: 44,
					reasoning: 256,
				},
				complete: true,
				finishReason: "completed",
				vendorError: undefined,
				deliveredBytes: 0,
			});
		},
	);

	it.each(["openai-web-search.json", "openai-web-search-stream.txt"])(
		"counts the searches of %s that the vendor does not count, and no page opened",
		(name) => {
			expect(watch(fixture(name)).usage).toEqual({
				input: 328,
				output: 356,
				search: 1,
			});
		},
	);

	it("takes what tools used from the vendor's own count", () => {
		expect(
			plain({
				usage: { input_tokens: 5, output_tokens: 2 },
				tool_usage: {
					web_search: { num_requests: 3 },
					image_gen: { input_tokens: 40, output_tokens: 1056 },
				},
				output: [{ type: "web_search_call" }],
			}).usage,
		).toEqual({
			input: 5,
			output: 2,
			search: 3,
			"input-image": 40,
			"output-image": 1056,
		});
	});

	it("tells writes to a cache that lives longer", () => {
		expect(
			plain({
				usage: {
					input_tokens: 100,
					input_tokens_details: {
						cached_tokens: 10,
						cache_write_tokens: 50,
						cache_write_tokens_details: {
							ttl_30m_tokens: 20,
							ttl_12h_tokens: 30,
						},
					},
					output_tokens: 1,
				},
			}).usage,
		).toEqual({
			input: 40,
			"cache-read": 10,
			"cache-write-5m": 20,
			"cache-write-1h": 30,
			output: 1,
		});
	});

	it("adds reasoning that a vendor leaves out, and takes its own cost", () => {
		expect(watch(fixture("xai-response.json"))).toMatchObject({
			usage: { input: 26, "cache-read": 6, output: 9, reasoning: 110 },
			reportedCost: 187_700,
		});
		const usage = '{"input_tokens":1,"output_tokens":1,"cost":0.00014}';
		expect(
			watch(
				`data: {"type":"response.completed","response":{"status":"completed","usage":${usage}}}\n\n`,
			).reportedCost,
		).toBe(14_000);
	});

	it.each([
		[{ output_tokens: 2 }, "input_tokens is missing"],
		[{ input_tokens: -1 }, "input_tokens is negative"],
		[
			{ input_tokens: 1, input_tokens_details: { cached_tokens: 2 } },
			"more tokens were cached than input_tokens has",
		],
		[
			{
				input_tokens: 1,
				output_tokens: 1,
				output_tokens_details: { reasoning_tokens: 2 },
			},
			"reasoning_tokens is more than output_tokens",
		],
		[
			{ input_tokens: 1, output_tokens: 5000 },
			"output_tokens is far over the limit that was sent",
		],
		[
			{
				input_tokens: 9,
				input_tokens_details: {
					cache_write_tokens: 1,
					cache_write_tokens_details: { ttl_12h_tokens: 2 },
				},
			},
			"parts of cache_write_tokens are more than the whole",
		],
	])("does not believe %j", (usage, absurd) => {
		expect(
			plain({ usage }, { ...minimal, max_output_tokens: 100 }),
		).toMatchObject({ usage: undefined, absurd });
	});

	it("says why an answer is not whole, and still counts it", () => {
		expect(watch(fixture("incomplete-stream.txt"))).toMatchObject({
			usage: { input: 11, output: 10, reasoning: 6 },
			complete: true,
			finishReason: "max_output_tokens",
		});
	});

	it("knows a failure in either form", () => {
		expect(watch(fixture("openai-failed-stream.txt"))).toMatchObject({
			vendorError: "server_error: The model failed to generate a response.",
			finishReason: "failed",
			usage: undefined,
		});
		expect(watch(fixture("openai-error-stream.txt"))).toMatchObject({
			vendorError: expect.stringContaining("Something went wrong"),
			complete: false,
		});
		expect(
			watch('data: {"error":{"message":"Overloaded","type":"busy"}}\n\n'),
		).toMatchObject({ vendorError: "busy: Overloaded", complete: false });
		expect(
			plain({ status: "failed", error: { code: "x", message: "No" } }),
		).toMatchObject({ vendorError: "x: No" });
	});

	it("counts what was delivered once, though the events say it twice", () => {
		const whole = fixture("openai-stream.txt").toString();
		const cut = whole.slice(0, whole.indexOf("event: response.completed"));
		const { usage, complete, deliveredBytes } = watch(cut);
		expect({ usage, complete }).toEqual({ usage: undefined, complete: false });
		expect(deliveredBytes).toBe(
			Buffer.byteLength(
				"**Looking up the weather**\n\nThe user asks about Paris." +
					"I will look – one moment ☀️." +
					'{"city":"Paris"}',
			),
		);
	});
});

describe("the openai client", () => {
	const client = (bytes: Uint8Array, status: number, type: string) =>
		new OpenAI({
			apiKey: "dos_sk_test",
			maxRetries: 0,
			logLevel: "off",
			fetch: async () =>
				new Response(Buffer.from(bytes), {
					status,
					headers: { "content-type": type },
				}),
		});
	const refusal = {
		code: "credits/insufficient",
		message: "Needs 12, has 5.",
		details: { needed: 12, available: 5 },
	};

	it("raises our refusal as its own error", async () => {
		const { body } = openaiResponses.refusal(402, refusal);
		const error = await client(body, 402, "application/json")
			.responses.create({ model: "m", input: "Hi" })
			.catch((thrown: unknown) => thrown);
		expect(error).toBeInstanceOf(APIError);
		expect(error).toMatchObject({
			status: 402,
			code: "credits/insufficient",
			type: "insufficient_quota",
		});
	});

	it("raises our refusal in the middle of a stream", async () => {
		const whole = fixture("openai-stream.txt");
		const bytes = Buffer.concat([
			whole.subarray(0, whole.indexOf("event: response.output_item.done") + 40),
			openaiResponses.streamRefusal(refusal),
		]);
		const stream = await client(
			bytes,
			200,
			"text/event-stream",
		).responses.create({ model: "m", input: "Hi", stream: true });
		const read = async () => {
			const types: string[] = [];
			for await (const event of stream) types.push(event.type);
			return types;
		};
		await expect(read()).rejects.toThrow();
	});

	it("raises our refusal where the stream stood between two events", async () => {
		const whole = fixture("openai-stream.txt");
		const bytes = Buffer.concat([
			whole.subarray(0, whole.indexOf("event: response.output_item.done")),
			openaiResponses.streamRefusal(refusal),
		]);
		const error = await client(bytes, 200, "text/event-stream")
			.responses.stream({ model: "m", input: "Hi" })
			.finalResponse()
			.catch((thrown: unknown) => thrown);
		expect(error).toBeInstanceOf(APIError);
		expect(error).toMatchObject({
			code: "credits/insufficient",
			error: { dos: { needed: 12 } },
		});
	});

	it("tells a harness that looks for response.failed alone, with a code that it knows", () => {
		const frames = Buffer.from(openaiResponses.streamRefusal(refusal))
			.toString()
			.trim()
			.split("\n\n");
		const last = JSON.parse(frames.at(-1)?.split("data: ")[1] ?? "");
		expect(last).toMatchObject({
			type: "response.failed",
			response: {
				status: "failed",
				error: {
					code: "insufficient_quota",
					dos: { code: "credits/insufficient", needed: 12 },
				},
			},
		});
	});
});
