import { readdirSync, readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
} from "../../ports/canonical.ts";
import type { Telling } from "../../ports/continuation.ts";
import type { Translator } from "../../ports/translator.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import { gathered, spread } from "./canonical/gather.ts";
import { openContinuations } from "./continuations.ts";

const continuations = openContinuations(spoken);
const naming = { call: "call_1", model: "m", time: 1_700_000_000_000 };

/** A client, and how its own SDK hears a stream of these bytes. */
interface Client {
	readonly id: string;
	readonly body: Readonly<Record<string, unknown>>;
	hear(stream: Uint8Array): Promise<{
		readonly text: string;
		readonly input: number | undefined;
		readonly output: number | undefined;
	}>;
}

const says = (stream: Uint8Array) => async (): Promise<Response> =>
	new Response(Buffer.from(stream), {
		headers: { "content-type": "text/event-stream" },
	});

const clients: readonly Client[] = [
	{
		id: "openai-chat",
		body: {
			model: "m",
			stream: true,
			stream_options: { include_usage: true },
			max_tokens: 100,
			messages: [{ role: "user", content: "Hi" }],
		},
		async hear(stream) {
			const client = new OpenAI({
				apiKey: "none",
				maxRetries: 0,
				fetch: says(stream),
			});
			const heard = client.chat.completions.stream({
				model: "m",
				stream_options: { include_usage: true },
				messages: [{ role: "user", content: "Hi" }],
			});
			const { choices, usage } = await heard.finalChatCompletion();
			expect(choices).toHaveLength(1);
			expect(choices[0]?.finish_reason).toBe("stop");
			return {
				text: choices[0]?.message.content ?? "",
				input: usage?.prompt_tokens,
				output: usage?.completion_tokens,
			};
		},
	},
	{
		id: "openai-responses",
		body: { model: "m", stream: true, max_output_tokens: 100, input: "Hi" },
		async hear(stream) {
			const client = new OpenAI({
				apiKey: "none",
				maxRetries: 0,
				fetch: says(stream),
			});
			const heard = client.responses.stream({ model: "m", input: "Hi" });
			const numbers: number[] = [];
			heard.on("event", (event) => numbers.push(event.sequence_number));
			const { output_text, status, usage } = await heard.finalResponse();
			expect(status).toBe("completed");
			expect(numbers).toEqual(numbers.map((_, index) => index));
			return {
				text: output_text,
				input: usage?.input_tokens,
				output: usage?.output_tokens,
			};
		},
	},
	{
		id: "anthropic-messages",
		body: {
			model: "m",
			stream: true,
			max_tokens: 100,
			messages: [{ role: "user", content: "Hi" }],
		},
		async hear(stream) {
			const client = new Anthropic({
				apiKey: "none",
				maxRetries: 0,
				fetch: says(stream),
			});
			const heard = client.messages.stream({
				model: "m",
				max_tokens: 100,
				messages: [{ role: "user", content: "Hi" }],
			});
			const types: string[] = [];
			heard.on("streamEvent", ({ type }) => types.push(type));
			const { content, stop_reason, usage } = await heard.finalMessage();
			expect(stop_reason).toBe("end_turn");
			expect(types.filter((each) => each === "message_start")).toHaveLength(1);
			expect(types.at(-1)).toBe("message_stop");
			return {
				text: content
					.map((each) => (each.type === "text" ? each.text : ""))
					.join(""),
				input: usage.input_tokens,
				output: usage.output_tokens,
			};
		},
	},
	{
		id: "google-generate",
		body: {
			contents: [{ role: "user", parts: [{ text: "Hi" }] }],
			generationConfig: { maxOutputTokens: 100 },
		},
		async hear(stream) {
			const real = globalThis.fetch;
			globalThis.fetch = says(stream);
			try {
				const { models } = new GoogleGenAI({ apiKey: "none" });
				const heard = await models.generateContentStream({
					model: "m",
					contents: "Hi",
				});
				let text = "";
				let usage: Record<string, number | undefined> | undefined;
				let finish: unknown;
				for await (const chunk of heard) {
					text += chunk.text ?? "";
					usage = (chunk.usageMetadata as typeof usage) ?? usage;
					finish = chunk.candidates?.[0]?.finishReason ?? finish;
				}
				expect(finish).toBe("STOP");
				return {
					text,
					input: usage?.promptTokenCount,
					output: usage?.candidatesTokenCount,
				};
			} finally {
				globalThis.fetch = real;
			}
		},
	},
];

interface Way {
	readonly wire: WireProtocol;
	readonly translator: Translator;
	readonly operation: WireOperation;
}

function wayOf({ id }: Client): Way {
	const found = spoken.find(({ wire }) => wire.id === id);
	const operation = found?.wire.operations.find(
		({ means, path, upstreamPath }) =>
			means === "generate" && (path ?? upstreamPath).includes("stream"),
	);
	if (!found?.translator) throw new Error(id);
	const { wire, translator } = found;
	const plain = wire.operations.find(({ means }) => means === "generate");
	return {
		wire,
		translator,
		operation: (operation ?? plain) as WireOperation,
	};
}

function readBy(client: Client, body: object | string = client.body) {
	const { wire, operation } = wayOf(client);
	const read = wire.read(
		operation.id,
		Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
		{ parameters: { model: "m" }, query: "alt=sse", header: () => undefined },
	);
	if (!read.ok) throw new Error(read.error.message);
	return read.value;
}

function canonicalOf(client: Client, request: WireRequest): CanonicalRequest {
	const read = wayOf(client).translator.readRequest(request, () => {});
	if (!read.ok) throw new Error(read.error.message);
	return read.value;
}

function tellingOf(client: Client, body?: object | string): Telling {
	const { wire, operation } = wayOf(client);
	const telling = continuations.tell(
		wire,
		operation,
		readBy(client, body),
		naming,
	);
	if (!telling) throw new Error(`${client.id} is not told.`);
	return telling;
}

/** The frames by which a vendor of the client's protocol tells this. */
function framesOf(client: Client, answer: CanonicalAnswer): Uint8Array[] {
	const { translator } = wayOf(client);
	const request = readBy(client);
	const writer = translator.openWriter(
		canonicalOf(client, request),
		{ ...naming, call: "another" },
		request,
		() => {},
	);
	const pieces = spread(answer)
		.flatMap(inPieces)
		.map((event) =>
			event.type === "end" ? writer.end() : writer.push([event]),
		);
	return Buffer.concat(pieces.filter((each) => each !== undefined))
		.toString("latin1")
		.split(/(?<=\n\n)/)
		.map((frame) => Buffer.from(frame, "latin1"));
}

function inPieces(event: AnswerEvent): AnswerEvent[] {
	return event.type === "delta"
		? [...event.text].map((text) => ({ ...event, text }))
		: [event];
}

function answerOf(
	parts: readonly AnswerPart[],
	usage = { input: 7, output: 3 },
): CanonicalAnswer {
	return {
		id: "a",
		model: "by",
		choices: [{ parts, finish: { reason: "stop" } }],
		usage,
	};
}

const text = (words: string): AnswerPart => ({ type: "text", text: words });

function push(telling: Telling, frames: readonly Uint8Array[]): Buffer {
	return Buffer.concat(
		frames
			.map((frame) => telling.push(frame))
			.filter((each) => each !== undefined),
	);
}

function finish(telling: Telling, frames: readonly Uint8Array[]): Buffer {
	const said = push(telling, frames);
	return Buffer.concat([said, telling.end() ?? Buffer.alloc(0)]);
}

function heardBy(client: Client, stream: Uint8Array): CanonicalAnswer {
	const { translator } = wayOf(client);
	const reader = translator.openReader(canonicalOf(client, readBy(client)));
	const {
		id: _,
		model: _1,
		...answer
	} = gathered([...reader.push(stream), ...reader.end()]);
	return answer;
}

describe.each(clients)("a stream told to a client of $id", (client) => {
	const folder = new URL(`./${client.id}/fixtures/`, import.meta.url);
	const fixtures = readdirSync(folder).filter((name) =>
		name.endsWith("-stream.txt"),
	);

	it.each(fixtures)("says what its vendor said: %s", (fixture) => {
		const thinking =
			client.id === "google-generate"
				? { generationConfig: { thinkingConfig: { includeThoughts: true } } }
				: {};
		const bytes = readFileSync(new URL(fixture, folder));
		const telling = tellingOf(client, { ...client.body, ...thinking });
		const pieces: Uint8Array[] = [];
		for (let at = 0; at < bytes.length; at += 13)
			pieces.push(bytes.subarray(at, at + 13));
		expect(heardBy(client, finish(telling, pieces))).toEqual(
			heardBy(client, bytes),
		);
	});

	const frames = framesOf(client, answerOf([text("Grüezi 🦉 Welt")]));
	const rest = framesOf(
		client,
		answerOf([text(" und mehr")], { input: 20, output: 5 }),
	);

	it.each(frames.map((_, position) => position))(
		"reads as one answer when it breaks off after frame %i, or within the next",
		async (position) => {
			const telling = tellingOf(client);
			const told = push(telling, frames.slice(0, position));
			const half = frames[position] as Uint8Array;
			const before = Buffer.concat([
				told,
				push(telling, [half.subarray(0, half.length >> 1)]),
			]);
			const said = telling.rest(3);
			const { translator } = wayOf(client);
			const hasFinished = translator
				.openReader(canonicalOf(client, readBy(client)))
				.push(Buffer.concat(frames.slice(0, position)))
				.some(({ type }) => type === "finish");
			expect(said.ok).toBe(!hasFinished);
			if (!said.ok) {
				expect(said.error.message).toBe("the answer had come to its end.");
				return;
			}
			const { characters } = telling;
			telling.goOn("two/m", { input: 7, output: 2 });
			const after = finish(telling, rest);
			const mark =
				client.id === "google-generate"
					? `data: {"dos":{"continuation":{"after":${characters},"substrate":"two/m"}},"candidates":[`
					: `: dos continuation after=${characters} substrate=two/m\n\n`;
			expect(after.toString().startsWith(mark)).toBe(true);
			expect(after.toString().match(/dos\W+continuation/g)).toHaveLength(1);
			const heard = await client.hear(Buffer.concat([before, after]));
			const begun = [..."Grüezi 🦉 Welt"].slice(0, characters).join("");
			expect(heard.text).toBe(`${begun} und mehr`);
			expect(heard).toMatchObject({ input: 27, output: 7 });
		},
	);

	it("asks for the rest with what was said and a word to go on behind the conversation", () => {
		const telling = tellingOf(client);
		push(telling, frames.slice(0, -4));
		const { characters } = telling;
		expect(characters).toBeGreaterThan(3);
		const said = telling.rest(30);
		if (!said.ok) throw new Error(said.error.message);
		const [one, other] = [readBy(client), said.value].map((request) =>
			canonicalOf(client, request),
		) as [CanonicalRequest, CanonicalRequest];
		const partial = [..."Grüezi 🦉 Welt"].slice(0, characters).join("");
		expect(other).toEqual({
			...one,
			outputLimit: 70,
			messages: [
				...one.messages,
				{ role: "assistant", parts: [text(partial)] },
				{
					role: "user",
					parts: [text(expect.stringContaining("cut off") as never)],
				},
			],
		});
		expect(said.value).toMatchObject({
			outputLimit: 70,
			stream: true,
			model: "m",
		});
		expect(said.value.inputBytes).toBeGreaterThan(readBy(client).inputBytes);
	});

	it("asks the same again where no word was said", () => {
		const telling = tellingOf(client);
		// Google's first frame says a word already.
		push(telling, frames.slice(0, client.id === "google-generate" ? 0 : 1));
		const said = telling.rest(0);
		expect(said.ok && Buffer.from(said.value.body).toString()).toBe(
			JSON.stringify(client.body),
		);
	});

	it("asks for no more than its limit leaves", () => {
		const telling = tellingOf(client);
		push(telling, frames.slice(0, 3));
		expect(telling.rest(100)).toMatchObject({
			error: { code: "resume/used-up" },
		});
		expect(telling.rest(99)).toMatchObject({ value: { outputLimit: 1 } });
	});

	it("keeps what it says to us for the rest", () => {
		const dos = { needs: { sovereignty: ["eu-processed"] } };
		const telling = tellingOf(client, { ...client.body, dos });
		push(telling, frames.slice(0, 3));
		expect(telling.rest(0)).toMatchObject({ value: { dos } });
	});

	const call: AnswerPart = {
		type: "tool-call",
		id: "call_a",
		name: "weather",
		arguments: "{}",
	};

	it("cannot be gone on with when a tool call has begun", () => {
		const telling = tellingOf(client);
		const called = framesOf(client, answerOf([text("Let me see."), call]));
		const begun = called.findIndex((frame) =>
			Buffer.from(frame).includes("weather"),
		);
		push(telling, called.slice(0, begun));
		expect(telling.rest(0).ok).toBe(true);
		push(telling, called.slice(begun, begun + 1));
		// Some protocols send a call in one piece, and with it the end.
		expect(telling.rest(0)).toMatchObject({
			error: {
				code: "resume/impossible",
				message: expect.stringMatching(/tool call had begun|come to its end/),
			},
		});
	});

	it("lets the second call a tool, behind the text that broke off", () => {
		const telling = tellingOf(client);
		const before = push(telling, frames.slice(0, -4));
		const { characters } = telling;
		telling.goOn("two/m", {});
		const calling = framesOf(client, answerOf([call]));
		const named = calling.findIndex((frame) =>
			Buffer.from(frame).includes("weather"),
		);
		const begins = push(telling, calling.slice(0, named + 1));
		// It is told when it comes, not when all has ended.
		if (client.id !== "google-generate")
			expect(begins.toString()).toContain("weather");
		const after = Buffer.concat([
			begins,
			finish(telling, calling.slice(named + 1)),
		]);
		const [choice] = heardBy(client, Buffer.concat([before, after])).choices;
		expect(choice?.parts).toMatchObject([
			{
				type: "text",
				text: [..."Grüezi 🦉 Welt"].slice(0, characters).join(""),
			},
			{ type: "tool-call", name: "weather", arguments: "{}" },
		]);
	});

	it("keeps the second's reasoning to itself, and says the first's", () => {
		const body = {
			...client.body,
			...(client.id === "google-generate" && {
				generationConfig: {
					maxOutputTokens: 100,
					thinkingConfig: { includeThoughts: true },
				},
			}),
		};
		const thinking = { type: "reasoning", text: "Hm." } as const;
		const asked = { ...client, body };
		const telling = tellingOf(asked);
		const thought = framesOf(asked, answerOf([thinking, text("One")]));
		const words = thought.findIndex((frame) =>
			Buffer.from(frame).includes('"O"'),
		);
		const before = push(telling, thought.slice(0, words + 2));
		expect(telling.rest(0).ok).toBe(true);
		telling.goOn("two/m", {});
		const second = [{ ...thinking, text: "Well." }, text(" and two")] as const;
		const after = finish(telling, framesOf(asked, answerOf(second)));
		const [choice] = heardBy(asked, Buffer.concat([before, after])).choices;
		expect(choice?.parts).toMatchObject([
			{ type: "reasoning", text: "Hm." },
			{ type: "text", text: "On and two" },
		]);
	});

	it("cannot be gone on with within its reasoning", () => {
		const thinking: AnswerPart = { type: "reasoning", text: "Hmmmm." };
		const body = {
			...client.body,
			...(client.id === "google-generate" && {
				generationConfig: { thinkingConfig: { includeThoughts: true } },
			}),
		};
		const asked = { ...client, body };
		const telling = tellingOf(asked);
		const thought = framesOf(asked, answerOf([thinking, text("One")]));
		const within = thought.findIndex((frame) =>
			Buffer.from(frame).includes('"H"'),
		);
		push(telling, thought.slice(0, within + 2));
		expect(telling.rest(0)).toMatchObject({
			error: { message: expect.stringContaining("reasoning") },
		});
	});

	it("says no error of a vendor's, and ends in the client's own form of one", () => {
		const failing = fixtures.find((name) => name.includes("error"));
		if (!failing) throw new Error("no fixture");
		const bytes = readFileSync(new URL(failing, folder));
		const telling = tellingOf(client);
		const said = finish(telling, [bytes]);
		const { translator } = wayOf(client);
		const reader = translator.openReader(canonicalOf(client, readBy(client)));
		const types = [...reader.push(said), ...reader.end()].map(
			({ type }) => type,
		);
		expect(types).toContain("start");
		expect(types).not.toContain("error");
		expect(types).not.toContain("end");
		const refusal = telling.refuse({
			code: "vendor/error",
			message: "Broken.",
		});
		expect(Buffer.from(refusal).toString()).toContain("Broken.");
		expect(telling.push(bytes)).toBeUndefined();
	});
});

it("moves the places that the second cites behind what stands before them", () => {
	const client = clients[2] as Client;
	const telling = tellingOf(client);
	push(telling, framesOf(client, answerOf([text("One")])).slice(0, 4));
	telling.goOn("two/m", {});
	const cited: AnswerPart = {
		type: "text",
		text: " two",
		citations: [{ url: "https://a.b", title: "A", quote: "two" }],
	};
	const told = finish(telling, framesOf(client, answerOf([cited])));
	expect(told.toString()).toContain("citations_delta");
	const chat = clients[0] as Client;
	const said = tellingOf(chat);
	const before = push(
		said,
		framesOf(chat, answerOf([text("One")])).slice(0, -3),
	);
	said.goOn("two/m", {});
	const places: AnswerPart = {
		type: "text",
		text: " two",
		citations: [{ url: "https://a.b", title: "A", start: 1, end: 4 }],
	};
	const after = finish(said, framesOf(chat, answerOf([places])));
	const [choice] = heardBy(chat, Buffer.concat([before, after])).choices;
	expect(choice?.parts).toMatchObject([
		{ text: "One two", citations: [{ start: 4, end: 7 }] },
	]);
});

it("joins no mark of the second's to the first's text", () => {
	const client = clients[3] as Client;
	const telling = tellingOf(client);
	const half =
		'{"candidates":[{"content":{"parts":[{"text":"One"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}';
	const signed =
		'{"candidates":[{"content":{"parts":[{"text":" two","thoughtSignature":"c2lnbmVk"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"m","responseId":"s"}';
	const before = push(telling, [Buffer.from(`data: ${half}\n\n`)]);
	telling.goOn("two/m", {});
	const after = finish(telling, [Buffer.from(`data: ${signed}\n\n`)]);
	expect(Buffer.concat([before, after]).toString()).not.toContain("c2lnbmVk");
	expect(heardBy(client, Buffer.concat([before, after])).choices).toMatchObject(
		[{ parts: [{ type: "text", text: "One two" }] }],
	);
});

describe("what is not told so that another could go on", () => {
	const [chat, responses, messages, google] = clients as [
		Client,
		Client,
		Client,
		Client,
	];
	const schema = {
		type: "object",
		properties: {},
		additionalProperties: false,
	};
	const tool = {
		type: "function",
		function: { name: "weather", parameters: schema },
	};

	it.each([
		["several answers", chat, { n: 2 }],
		["JSON", chat, { response_format: { type: "json_object" } }],
		[
			"a schema",
			responses,
			{ text: { format: { type: "json_schema", name: "x", schema } } },
		],
		["log probabilities", chat, { logprobs: true, top_logprobs: 2 }],
		[
			"a tool that has to be called",
			chat,
			{ tools: [tool], tool_choice: "required" },
		],
		[
			"sound",
			chat,
			{
				modalities: ["text", "audio"],
				audio: { voice: "alloy", format: "pcm16" },
			},
		],
		["no stream", messages, { stream: false }],
		["a prompt at the vendor", responses, { prompt: { id: "p" } }],
		[
			"JSON of another protocol",
			google,
			{ generationConfig: { responseMimeType: "application/json" } },
		],
	])("%s", (_, client, more) => {
		const { wire, operation } = wayOf(client);
		const request = readBy(client, { ...client.body, ...more });
		expect(
			continuations.tell(wire, operation, request, naming),
		).toBeUndefined();
	});

	it("a stream as one JSON array", () => {
		const { wire, operation } = wayOf(google);
		const read = wire.read(
			operation.id,
			Buffer.from(JSON.stringify(google.body)),
			{ parameters: { model: "m" }, query: "", header: () => undefined },
		);
		if (!read.ok) throw new Error(read.error.message);
		expect(
			continuations.tell(wire, operation, read.value, naming),
		).toBeUndefined();
	});

	it("what is no conversation", () => {
		const { wire } = wayOf(chat);
		const embeddings = wire.operations.find(({ means }) => means === "embed");
		const read = wire.read(
			"embeddings",
			Buffer.from(JSON.stringify({ model: "m", input: "x" })),
		);
		if (!read.ok) throw new Error(read.error.message);
		expect(
			continuations.tell(wire, embeddings as WireOperation, read.value, naming),
		).toBeUndefined();
	});
});

describe("the request for the rest", () => {
	const [chat, responses, messages, google] = clients as [
		Client,
		Client,
		Client,
		Client,
	];

	function restOf(client: Client, body: string, used = 40): string {
		const telling = tellingOf(client, body);
		push(telling, framesOf(client, answerOf([text("Half")])).slice(0, -3));
		const said = telling.rest(used);
		if (!said.ok) throw new Error(said.error.message);
		return Buffer.from(said.value.body).toString();
	}

	it("leaves every other byte of the client's as it is", () => {
		const body =
			'{ "model":"m", "stream" : true,\n "x_seed": 12345678901234567890, "messages": [ {"role":"user","content":"\\u0048i"} ] , "max_completion_tokens": 100, "x_own": {"max_tokens": 1} }';
		const rest = restOf(chat, body);
		expect(rest).toContain('"x_seed": 12345678901234567890');
		expect(rest).toContain('"content":"\\u0048i"');
		expect(rest).toContain('"max_completion_tokens": 60');
		expect(rest).toContain('"x_own": {"max_tokens": 1}');
		expect(JSON.parse(rest).messages).toHaveLength(3);
	});

	it("lowers the limit under each name that it stands under", () => {
		const body = { ...chat.body, max_completion_tokens: 100 };
		expect(JSON.parse(restOf(chat, JSON.stringify(body)))).toMatchObject({
			max_tokens: 60,
			max_completion_tokens: 60,
		});
		const snake =
			'{"contents":[{"parts":[{"text":"Hi"}]}],"generation_config":{"max_output_tokens":100}}';
		expect(JSON.parse(restOf(google, snake))).toMatchObject({
			generation_config: { max_output_tokens: 60 },
		});
	});

	it("names no limit where the client named none", () => {
		const { max_tokens: _, ...body } = chat.body;
		const sent = JSON.parse(restOf(chat, JSON.stringify(body)));
		expect(sent).not.toHaveProperty("max_tokens");
		expect(sent).not.toHaveProperty("max_completion_tokens");
	});

	it("makes a list of the one message that a conversation may be", () => {
		expect(
			JSON.parse(restOf(responses, JSON.stringify(responses.body))).input,
		).toMatchObject([
			{ role: "user", content: "Hi" },
			{ role: "assistant" },
			{ role: "user" },
		]);
		const single = {
			...google.body,
			contents: { role: "user", parts: [{ text: "Hi" }] },
		};
		expect(
			JSON.parse(restOf(google, JSON.stringify(single))).contents,
		).toMatchObject([
			{ parts: [{ text: "Hi" }] },
			{ role: "model" },
			{ role: "user" },
		]);
	});

	it("is text, though half a character was told", () => {
		const telling = tellingOf(chat);
		push(telling, [
			Buffer.from(
				'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Owl \\ud83e"}}]}\n\n',
			),
		]);
		const said = telling.rest(0);
		if (!said.ok) throw new Error(said.error.message);
		const { messages } = JSON.parse(Buffer.from(said.value.body).toString());
		expect(messages[1].content).toBe("Owl \ufffd");
	});

	it("leaves room to answer where a budget of reasoning is named", () => {
		const body = {
			...messages.body,
			max_tokens: 2_000,
			thinking: { type: "enabled", budget_tokens: 1_500 },
		};
		const telling = tellingOf(messages, body);
		push(telling, framesOf(messages, answerOf([text("Half")])).slice(0, 4));
		expect(telling.rest(500)).toMatchObject({
			error: { code: "resume/used-up" },
		});
		expect(telling.rest(499)).toMatchObject({ value: { outputLimit: 1_501 } });
	});
});
