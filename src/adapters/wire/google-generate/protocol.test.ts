import { readFileSync } from "node:fs";
import { ApiError, GoogleGenAI } from "@google/genai";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wireProtocolContract } from "../../../ports/wire-protocol.contract.ts";
import type {
	Metered,
	RequestTarget,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { googleGenerate } from "./protocol.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const contents = [{ role: "user", parts: [{ text: "Hi" }] }];
const plain = {
	candidates: [
		{
			content: { role: "model", parts: [{ text: "Hello" }] },
			finishReason: "STOP",
		},
	],
	usageMetadata: {
		promptTokenCount: 10,
		candidatesTokenCount: 3,
		totalTokenCount: 13,
	},
	modelVersion: "gemini-3-flash",
};
const refusal = {
	code: "credits/insufficient",
	message: "Needs more.",
	details: { needed: 2, topUp: "dos credits grant main 10" },
};

interface ErrorBody {
	error: {
		message: string;
		details: [{ metadata: Record<string, string> }];
	};
}

wireProtocolContract("google-generate", () => ({
	protocol: googleGenerate,
	samples: {
		requests: {
			"generate-content": { contents },
			"stream-generate-content": { contents },
			"count-tokens": { contents },
			"embed-content": { content: { parts: [{ text: "Hi" }] } },
			"batch-embed-contents": { requests: [{ content: { parts: [] } }] },
		},
		address: { streams: "stream-generate-content", query: "alt=sse" },
		streaming: {
			operation: "generate-content",
			limit: "generationConfig.maxOutputTokens",
			prompt: ["contents", undefined, "hi", 7],
		},
		refused(body) {
			const { message, details } = (body as ErrorBody).error;
			const { code, ...numbers } = details[0].metadata;
			return {
				code,
				message,
				dos: Object.fromEntries(
					Object.entries(numbers).map(([name, text]) => [
						name,
						/^\d+$/.test(text) ? Number(text) : text,
					]),
				),
			};
		},
		listed: (body) =>
			(body as { models: { name: string }[] }).models.map(({ name }) =>
				name.replace(/^models\//, ""),
			),
		stream: fixture("text-stream.txt"),
		plain: Buffer.from(JSON.stringify(plain)),
	},
}));

function target(model = "asked", query = ""): RequestTarget {
	return { parameters: { model }, query, header: () => undefined };
}

function outcomeOf(body: object | string, operation = "generate-content") {
	const text = typeof body === "string" ? body : JSON.stringify(body);
	return googleGenerate.read(operation, Buffer.from(text), target());
}

function read(
	body: object | string,
	operation = "generate-content",
	where: RequestTarget = target(),
): WireRequest {
	const text = typeof body === "string" ? body : JSON.stringify(body);
	const outcome = googleGenerate.read(operation, Buffer.from(text), where);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function forward(request: WireRequest, model: string, outputLimit?: number) {
	const { body, path } = googleGenerate.forward(request, {
		model,
		outputLimit,
		quirks: {},
	});
	return { path, body: Buffer.from(body).toString() };
}

function meterOf(request: WireRequest, type: string, status = 200) {
	const forwarded = googleGenerate.forward(request, {
		model: "m",
		outputLimit: undefined,
		quirks: {},
	});
	return googleGenerate.meter(request, forwarded, status, type);
}

function meter(
	answer: Uint8Array | string,
	type = "text/event-stream",
	request = read(
		{ contents },
		"stream-generate-content",
		target("a", "alt=sse"),
	),
): Metered {
	const watching = meterOf(request, type);
	watching.pass(Buffer.from(answer));
	return watching.finish();
}

const plainUsage = (usageMetadata: object, more: object = {}) =>
	meter(
		JSON.stringify({ ...plain, ...more, usageMetadata }),
		"application/json",
		read({ contents, generationConfig: { maxOutputTokens: 100 } }),
	);

describe("a generateContent request", () => {
	it("is for the model in the address, which goes to the vendor's address", () => {
		const request = read({ contents }, undefined, target("models/gemini-x"));
		expect(request.model).toBe("gemini-x");
		expect(forward(request, "gemini-2.5-pro")).toEqual({
			path: "/models/gemini-2.5-pro:generateContent",
			body: JSON.stringify({ contents }),
		});
		expect(read({ contents }, undefined, target("google/x")).model).toBe(
			"google/x",
		);
		expect(forward(request, "tunedModels/a b?").path).toBe(
			"/tunedModels/a%20b%3F:generateContent",
		);
		const stream = read({ contents }, "stream-generate-content");
		expect(forward(stream, "m").path).toBe(
			"/models/m:streamGenerateContent?alt=sse",
		);
	});

	it("names its model in the body as the address does, and is renamed there too", () => {
		const requests = [
			{ model: "models/asked", content: {} },
			{ content: {}, model: "asked" },
		];
		expect(
			forward(read({ requests }, "batch-embed-contents"), "sent").body,
		).toBe(
			JSON.stringify({
				requests: [
					{ model: "models/sent", content: {} },
					{ content: {}, model: "models/sent" },
				],
			}),
		);
		const generateContentRequest = { model: "models/asked", contents };
		expect(
			forward(read({ generateContentRequest }, "count-tokens"), "sent").body,
		).toBe(
			JSON.stringify({
				generateContentRequest: { model: "models/sent", contents },
			}),
		);
		for (const [operation, body, field] of [
			[
				"batch-embed-contents",
				{ requests: [requests[0], { model: "other" }] },
				"requests.1.model",
			],
			[
				"count-tokens",
				{ generateContentRequest: { model: 7 } },
				"generateContentRequest.model",
			],
			["embed-content", { content: {}, model: "models/other" }, "model"],
		] as const)
			expect(outcomeOf(body, operation)).toMatchObject({
				error: { code: "request/invalid", details: { field } },
			});
	});

	it("is read in both spellings of each member, one at a time", () => {
		const snake = read(
			'{"contents":[],"generation_config":{"max_output_tokens":5,"candidate_count":2},"cached_content":"c"}',
		);
		expect(snake).toMatchObject({
			outputLimit: 5,
			choices: 2,
			mediaParts: 1,
		});
		expect(forward(snake, "m", 3).body).toBe(
			'{"contents":[],"generation_config":{"max_output_tokens":3,"candidate_count":2},"cached_content":"c"}',
		);
		for (const [body, code, field] of [
			[
				'{"contents":[],"generationConfig":{},"generation_config":{}}',
				"request/duplicate-member",
				"generationConfig",
			],
			[
				'{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}',
				"request/duplicate-member",
				"generationConfig.maxOutputTokens",
			],
			[
				'{"contents":[],"generationConfig":{"max_OutputTokens":9}}',
				"request/invalid",
				"generationConfig.maxOutputTokens",
			],
			[
				'{"contents":[],"generationConfig":[]}',
				"request/invalid",
				"generationConfig",
			],
			[
				'{"contents":[],"generationConfig":{"candidateCount":0}}',
				"request/invalid",
				"generationConfig.candidateCount",
			],
		] as const)
			expect(outcomeOf(body)).toMatchObject({
				error: { code, details: { field } },
			});
	});

	it.each([
		[
			'{"contents":[]}',
			'{"generationConfig":{"maxOutputTokens":9},"contents":[]}',
		],
		[
			'{"contents":[],"generationConfig":{}}',
			'{"contents":[],"generationConfig":{"maxOutputTokens":9}}',
		],
		[
			'{"contents":[],"generationConfig": { "topK":1}}',
			'{"contents":[],"generationConfig": {"maxOutputTokens":9, "topK":1}}',
		],
		[
			'{"contents":[],"generationConfig":null}',
			'{"contents":[],"generationConfig":{"maxOutputTokens":9}}',
		],
		[
			'{"contents":[],"generationConfig":{"maxOutputTokens":null}}',
			'{"contents":[],"generationConfig":{"maxOutputTokens":9}}',
		],
	])("gets a limit: %s", (text, expected) => {
		expect(forward(read(text), "asked", 9).body).toBe(expected);
	});

	it("counts media wherever it stands, under escaped names too, and leaves base64 out", () => {
		const data = "QUJD".repeat(5_000);
		const inlineData = { mimeType: "image/png", data };
		const body = {
			systemInstruction: { parts: [{ inlineData }] },
			contents: [
				{
					parts: [
						{ inline_data: inlineData },
						{ fileData: { fileUri: "https://example.com/a.pdf" } },
						{
							functionResponse: {
								response: { fileData: "the tool's own word" },
								parts: [{ inlineData }],
							},
						},
					],
				},
			],
		};
		const request = read(body);
		expect(request.mediaParts).toBe(4);
		expect(request.inputBytes).toBe(
			JSON.stringify(body).length - 3 * data.length,
		);
		expect(
			read('{"contents":[{"parts":[{"inline\\u0044ata":{"data":"QUJD"}}]}]}'),
		).toMatchObject({ mediaParts: 1 });
	});

	it("names the tools that run at the vendor, and no function of the client's", () => {
		const tools = [
			{ functionDeclarations: [{ name: "googleSearch" }] },
			{ googleSearch: {}, url_context: {} },
			{ codeExecution: {} },
			{ computerUse: {} },
		];
		expect(read({ contents, tools }).serverTools).toEqual([
			"googleSearch",
			"url_context",
			"codeExecution",
		]);
	});

	it("brings its key in a header or in the address, and none when they differ", () => {
		const keyOf = (headers: Record<string, string>, query?: string) =>
			googleGenerate.clientKey((name) => headers[name], query);
		expect(keyOf({ "x-goog-api-key": "dos_sk_1" })).toBe("dos_sk_1");
		expect(keyOf({}, "alt=sse&key=dos_sk_1")).toBe("dos_sk_1");
		expect(keyOf({ "x-goog-api-key": "dos_sk_1" }, "key=dos_sk_1")).toBe(
			"dos_sk_1",
		);
		expect(
			keyOf({ "x-goog-api-key": "dos_sk_1" }, "key=dos_sk_2"),
		).toBeUndefined();
		expect(keyOf({}, "key=a&key=b")).toBeUndefined();
		expect(keyOf({}, "key=")).toBeUndefined();
		expect(keyOf({}, "key=a%20b")).toBeUndefined();
	});
});

describe("Google's usage", () => {
	it("of a stream: the last event's, thoughts beside candidates", () => {
		expect(meter(fixture("thinking-stream.txt"))).toEqual({
			rest: undefined,
			usage: { input: 60, output: 42, reasoning: 50 },
			absurd: undefined,
			reportedCost: undefined,
			deliveredBytes: 0,
			partialUsage: undefined,
			complete: true,
			finishReason: "STOP",
			vendorError: undefined,
		});
	});

	it("by modality, cached audio apart from what was heard anew", () => {
		expect(meter(fixture("media.json"), "application/json").usage).toEqual({
			input: 300,
			"input-audio": 442,
			"input-image": 258,
			"cache-read": 900,
			"cache-read-audio": 100,
			output: 10,
			"output-image": 1290,
		});
	});

	it("of searches: what they brought in, and each one, or one where the generation bills so", () => {
		const text = fixture("grounded.json").toString();
		expect(meter(text, "application/json").usage).toEqual({
			input: 107,
			output: 24,
			reasoning: 30,
			search: 2,
		});
		const older = text.replace("gemini-3-flash", "gemini-2.5-flash");
		expect(meter(older, "application/json").usage?.search).toBe(1);
		const stream = `data: ${JSON.stringify(JSON.parse(text))}\n\n`;
		expect(meter(stream).usage?.search).toBe(2);
	});

	it("takes thoughts out of candidates that hold them", () => {
		expect(
			plainUsage({
				promptTokenCount: 10,
				candidatesTokenCount: 50,
				thoughtsTokenCount: 40,
				totalTokenCount: 60,
			}).usage,
		).toEqual({ input: 10, output: 10, reasoning: 40 });
	});

	it("of embeddings is the prompt; counting tokens uses none", () => {
		const embed = read({ requests: [{ content: {} }] }, "batch-embed-contents");
		expect(
			meter(fixture("embeddings.json"), "application/json", embed),
		).toMatchObject({ usage: { input: 9 }, complete: true, deliveredBytes: 0 });
		const silent = meter(
			'{"embedding":{"values":[1]}}',
			"application/json",
			embed,
		);
		expect(silent).toMatchObject({ usage: undefined, complete: true });
		const count = read({ contents }, "count-tokens");
		expect(
			meter('{"totalTokens":31}', "application/json", count),
		).toMatchObject({ usage: {}, absurd: undefined, complete: true });
	});

	it("of a blocked prompt is the prompt, and the reason is told", () => {
		expect(meter(fixture("blocked-stream.txt"))).toMatchObject({
			usage: { input: 11 },
			finishReason: "PROHIBITED_CONTENT",
			complete: true,
		});
	});

	it("of a stream that broke off is what was told so far", () => {
		const stream = fixture("thinking-stream.txt");
		const metered = meter(stream.subarray(0, stream.lastIndexOf("data:")));
		expect(metered).toMatchObject({
			usage: undefined,
			partialUsage: { input: 60, output: 42, reasoning: 50 },
			complete: false,
		});
		expect(metered.deliveredBytes).toBeGreaterThan(80);
	});

	it("waits for each of several answers", () => {
		const two = read(
			{ contents, generationConfig: { candidateCount: 2 } },
			"stream-generate-content",
		);
		const event = (index: number, more: object = {}) =>
			`data: ${JSON.stringify({ candidates: [{ index, finishReason: "STOP" }], ...more })}\n\n`;
		expect(meter(event(0), undefined, two).complete).toBe(false);
		expect(meter(event(0) + event(1), undefined, two).complete).toBe(true);
	});

	it("tells an error that comes in the middle", () => {
		expect(meter(fixture("error-stream.txt"))).toMatchObject({
			vendorError: "503: The model is overloaded. Please try again later.",
			complete: false,
			partialUsage: { input: 8, output: 1 },
			deliveredBytes: 3,
		});
	});

	it.each([
		["promptTokenCount is missing", { candidatesTokenCount: 1 }],
		["promptTokenCount is negative", { promptTokenCount: -1 }],
		[
			"cachedContentTokenCount is more than promptTokenCount",
			{ promptTokenCount: 1, cachedContentTokenCount: 2 },
		],
		[
			"parts of the prompt are more than promptTokenCount",
			{
				promptTokenCount: 1,
				promptTokensDetails: [{ modality: "AUDIO", tokenCount: 2 }],
			},
		],
		[
			"parts of the answer are more than candidatesTokenCount",
			{
				promptTokenCount: 1,
				candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 2 }],
			},
		],
		[
			"candidatesTokenCount is far over the limit that was sent",
			{ promptTokenCount: 1, candidatesTokenCount: 50_000 },
		],
		[
			"usage counts nothing, though text was delivered",
			{ promptTokenCount: 0, candidatesTokenCount: 0 },
		],
	])("is thrown away when absurd: %s", (absurd, usage) => {
		expect(plainUsage(usage)).toMatchObject({
			usage: undefined,
			absurd,
			deliveredBytes: 5,
			complete: true,
		});
	});
});

describe("a stream as one array", () => {
	const asked = () => read({ contents }, "stream-generate-content");
	const through = (
		chunks: readonly Uint8Array[],
		type = "text/event-stream",
	) => {
		const watching = meterOf(asked(), type);
		const passed: Uint8Array[] = [];
		for (const chunk of chunks) {
			const part = watching.pass(chunk);
			if (part) passed.push(part);
		}
		const metered = watching.finish();
		if (metered.rest) passed.push(metered.rest);
		return { text: Buffer.concat(passed).toString(), metered, watching };
	};
	const eventsOf = (stream: Uint8Array) =>
		[
			...Buffer.from(stream)
				.toString()
				.matchAll(/^data: (.*)$/gm),
		].map(([, json = ""]) => JSON.parse(json));

	it("is what a client gets that asked for no events, metered just the same", () => {
		const stream = fixture("thinking-stream.txt");
		const { text, metered, watching } = through([stream]);
		expect(watching.contentType).toBe("application/json");
		expect(JSON.parse(text)).toEqual(eventsOf(stream));
		expect({ ...metered, rest: undefined }).toEqual(meter(stream));
		expect(
			meterOf(
				read({ contents }, "stream-generate-content", target("m", "alt=sse")),
				"text/event-stream",
			).contentType,
		).toBeUndefined();
	});

	it("holds wherever chunks split and however lines end", () => {
		const stream = fixture("text-stream.txt").toString();
		for (const ending of ["\r\n", "\n", "\r"]) {
			const text = `: comment${ending}event: x${ending}${stream.replaceAll("\r\n", ending)}`;
			fc.assert(
				fc.property(fc.integer({ min: 1, max: 90 }), (size) => {
					const bytes = Buffer.from(text);
					const chunks: Buffer[] = [];
					for (let at = 0; at < bytes.length; at += size)
						chunks.push(bytes.subarray(at, at + size));
					expect(JSON.parse(through(chunks).text)).toEqual(
						eventsOf(fixture("text-stream.txt")),
					);
				}),
				{ numRuns: 40 },
			);
		}
		const split = 'data: {"candidates":\ndata:[{"finishReason":"STOP"}]}\n\n';
		expect(JSON.parse(through([Buffer.from(split)]).text)).toEqual([
			{ candidates: [{ finishReason: "STOP" }] },
		]);
	});

	it("gives each element when its event is whole, not at the end", () => {
		const watching = meterOf(asked(), "text/event-stream");
		const first = watching.pass(Buffer.from('data: {"a":1}\n\nda'));
		expect(Buffer.from(first ?? []).toString()).toBe('[{"a":1}');
		expect(watching.pass(Buffer.from('ta: {"b"'))).toBeUndefined();
		const second = watching.pass(Buffer.from(":2}\n\n"));
		expect(Buffer.from(second ?? []).toString()).toBe(',\r\n{"b":2}');
	});

	it("that broke off ends with the refusal, before, between and within elements", () => {
		const stream = fixture("text-stream.txt").toString();
		const cut = stream.indexOf("wörld");
		for (const [sent, count] of [
			["", 0],
			[stream.slice(0, stream.indexOf("data:", 5)), 1],
			[stream.slice(0, cut), 1],
		] as const) {
			const { text, metered, watching } = through([Buffer.from(sent)]);
			expect(metered.complete).toBe(false);
			const last = Buffer.from(
				watching.refuse?.(refusal) ?? Buffer.from("?"),
			).toString();
			const elements = JSON.parse(text + last);
			expect(elements).toHaveLength(count + 1);
			expect(elements.at(-1).error.message).toBe(refusal.message);
		}
	});

	it("with the vendor's own error in it is closed, and takes no second one", () => {
		const { text, watching } = through([fixture("error-stream.txt")]);
		expect(JSON.parse(text).at(-1).error.status).toBe("UNAVAILABLE");
		expect(watching.refuse?.(refusal)).toHaveLength(0);
	});

	it("lets the beginning of a very large event go on", () => {
		const watching = meterOf(asked(), "text/event-stream");
		watching.pass(Buffer.from('data: {"text":"'));
		const filler = Buffer.alloc(1024 * 1024, 0x61);
		let passed = 0;
		for (let count = 0; count < 20; count++)
			passed += watching.pass(filler)?.length ?? 0;
		expect(passed).toBeGreaterThan(8 * 1024 * 1024);
	});
});

describe("the vendor's own client", () => {
	const client = (
		answer: (url: URL, body: unknown) => Response | Promise<Response>,
	) =>
		new GoogleGenAI({
			apiKey: "dos_sk_1",
			httpOptions: {
				baseUrl: "http://127.0.0.1:9",
				fetch: async (url: string | URL | Request, init?: RequestInit) =>
					answer(
						new URL(String(url)),
						init?.body === undefined
							? undefined
							: JSON.parse(String(init.body)),
					),
			} as object,
		});

	it.each([400, 401, 402, 403, 404, 409, 413, 429, 500, 503] as const)(
		"raises a refusal of %i as its own error, with our code inside",
		async (status) => {
			const { body, headers } = googleGenerate.refusal(status, refusal);
			const raised = await client(
				() => new Response(Buffer.from(body), { status, headers }),
			)
				.models.generateContent({ model: "m", contents: "Hi" })
				.catch((error: unknown) => error);
			expect(raised).toBeInstanceOf(ApiError);
			expect(raised).toMatchObject({ status });
			const { error } = JSON.parse((raised as ApiError).message);
			expect(error).toMatchObject({
				code: status,
				message: refusal.message,
				details: [
					{
						"@type": "type.googleapis.com/google.rpc.ErrorInfo",
						reason: "CREDITS_INSUFFICIENT",
						metadata: { code: refusal.code, needed: "2" },
					},
				],
			});
		},
	);

	it("reads the list of models, and asks for it as ours", async () => {
		const body = googleGenerate.models([
			{ id: "loopback/echo", owner: "loopback", contextWindow: 100 },
		]);
		let path = "";
		const pager = await client((url) => {
			path = url.pathname;
			return Response.json(JSON.parse(Buffer.from(body).toString()));
		}).models.list();
		expect(path).toMatch(/^\/v1(?:beta)?\/models$/);
		expect(pager.page).toMatchObject([
			{ name: "models/loopback/echo", inputTokenLimit: 100 },
		]);
		const speaks = (headers: Record<string, string>) =>
			googleGenerate.speaks((name) => headers[name]);
		expect(speaks({ "x-goog-api-key": "k" })).toBe(true);
		expect(speaks({ "x-goog-api-client": "google-genai-sdk/3" })).toBe(true);
		expect(speaks({ authorization: "Bearer k" })).toBe(false);
	});
});
