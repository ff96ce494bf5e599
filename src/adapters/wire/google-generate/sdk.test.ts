import {
	type CallableTool,
	type FunctionCall,
	GoogleGenAI,
	type Part,
} from "@google/genai";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
	Message,
} from "../../../ports/canonical.ts";
import { spread } from "../canonical/gather.ts";
import { googleGenerate } from "./protocol.ts";
import { googleGenerateTranslator as translator } from "./translator.ts";

const naming = { call: "call-1", model: "asked", time: 0 };

/** The vendor's client, unmodified, in front of our reader and writer; `answer` stands for another vendor. */
function clientOf(
	answer: (request: CanonicalRequest) => CanonicalAnswer,
	apiVersion?: string,
) {
	const requests: CanonicalRequest[] = [];
	const keys: (string | undefined)[] = [];
	async function fetch(
		address: string | URL | Request,
		init?: RequestInit,
	): Promise<Response> {
		const url = new URL(String(address));
		const operation = googleGenerate.operations.find(({ path = "" }) => {
			const [before, after] = path.split("{model}") as [string, string];
			return url.pathname.startsWith(before) && url.pathname.endsWith(after);
		});
		if (!operation?.path) throw new Error(`nothing at ${url.pathname}`);
		const [before, after] = operation.path.split("{model}") as [string, string];
		const model = url.pathname.slice(before.length, -after.length);
		const headers = new Headers(init?.headers);
		const query = url.search.slice(1);
		const wire = googleGenerate.read(
			operation.id,
			Buffer.from(String(init?.body)),
			{
				parameters: { model: decodeURIComponent(model) },
				query,
				header: (name) => headers.get(name) ?? undefined,
			},
		);
		keys.push(
			googleGenerate.clientKey((name) => headers.get(name) ?? undefined, query),
		);
		if (!wire.ok) return refused(wire.error.message);
		if (operation.means === "count-tokens")
			return Response.json({ totalTokens: 31 });
		if (operation.means === "embed") {
			const asked = translator.embeddings?.readRequest(wire.value, () => {});
			if (!asked?.ok) return refused("no embeddings");
			const vectors = asked.value.inputs.map((text) => [
				String(text).length,
				0.5,
			]);
			return Response.json(
				translator.embeddings?.writeAnswer(
					{ vectors, usage: { input: 3 } },
					asked.value,
					naming,
					() => {},
				),
			);
		}
		const read = translator.readRequest(wire.value, () => {});
		if (!read.ok) return refused(read.error.message);
		requests.push(read.value);
		const said = answer(read.value);
		if (!read.value.stream)
			return Response.json(
				translator.writeAnswer(said, read.value, naming, () => {}),
			);
		const writer = translator.openWriter(read.value, naming, wire.value);
		const stream = new ReadableStream({
			start(controller) {
				for (const event of pieces(spread(said))) {
					const bytes = writer.push([event]);
					if (bytes) controller.enqueue(bytes);
				}
				controller.enqueue(writer.end());
				controller.close();
			},
		});
		return new Response(stream, {
			headers: { "content-type": writer.contentType ?? "text/event-stream" },
		});
	}
	const client = new GoogleGenAI({
		apiKey: "dos_sk_1",
		...(apiVersion && { apiVersion }),
		httpOptions: { baseUrl: "http://127.0.0.1:9", fetch } as object,
	});
	return { client, requests, keys };
}

function refused(message: string): Response {
	const { body } = googleGenerate.refusal(422, {
		code: "translate/unsupported",
		message,
	});
	return new Response(Buffer.from(body), {
		status: 422,
		headers: { "content-type": "application/json" },
	});
}

/** Text a few characters at a time. */
function pieces(events: readonly AnswerEvent[]): AnswerEvent[] {
	return events.flatMap((event): AnswerEvent[] =>
		event.type === "delta"
			? [...(event.text.match(/.{1,4}/gsu) ?? [])].map((text) => ({
					...event,
					text,
				}))
			: [event],
	);
}

const saying = (text: string): CanonicalAnswer => ({
	id: "answer-1",
	model: "other/model",
	choices: [{ parts: [{ type: "text", text }], finish: { reason: "stop" } }],
	usage: { input: 7, "cache-read": 3, output: 5, reasoning: 2 },
});

const signed = { protocol: "anthropic-messages", data: { signature: "sig" } };
const calling: CanonicalAnswer = {
	choices: [
		{
			parts: [
				{ type: "reasoning", text: "I should look.", opaque: signed },
				{
					type: "tool-call",
					id: "toolu_1",
					name: "add",
					arguments: '{"a":1,"b":2}',
				},
				{
					type: "tool-call",
					id: "toolu_2",
					name: "add",
					arguments: '{"a":3,"b":4}',
				},
			],
			finish: { reason: "tool-calls" },
		},
	],
};

const types = ({ role, parts }: Message) => [
	role,
	...parts.map(({ type }) => type),
];

describe("the vendor's client in front of another vendor", () => {
	it.each([undefined, "v1beta"])(
		"gets a whole answer, by version %s",
		async (version) => {
			const { client, requests, keys } = clientOf(
				() => saying("Hello 👋"),
				version,
			);
			const response = await client.models.generateContent({
				model: "anthropic/claude",
				contents: "Hi",
				config: {
					systemInstruction: "Be brief.",
					temperature: 0.5,
					maxOutputTokens: 100,
					responseMimeType: "application/json",
					responseJsonSchema: { type: "object" },
					thinkingConfig: { includeThoughts: true, thinkingBudget: 512 },
				},
			});
			expect(response.text).toBe("Hello 👋");
			expect(response.candidates?.[0]?.finishReason).toBe("STOP");
			expect(response.modelVersion).toBe("other/model");
			expect(response.usageMetadata).toMatchObject({
				promptTokenCount: 10,
				cachedContentTokenCount: 3,
				candidatesTokenCount: 5,
				thoughtsTokenCount: 2,
				totalTokenCount: 17,
			});
			expect(keys).toEqual(["dos_sk_1"]);
			expect(requests).toMatchObject([
				{
					model: "anthropic/claude",
					messages: [{ role: "system" }, { role: "user" }],
					temperature: 0.5,
					outputLimit: 100,
					output: { type: "json-schema", schema: { type: "object" } },
					reasoning: { budget: 512, show: "auto" },
				},
			]);
		},
	);

	it("gets a stream, piece by piece", async () => {
		const { client } = clientOf(() => saying("Streams tell it as it comes."));
		const texts: string[] = [];
		let total: number | undefined;
		for await (const piece of await client.models.generateContentStream({
			model: "m",
			contents: "Hi",
		})) {
			if (piece.text) texts.push(piece.text);
			total = piece.usageMetadata?.totalTokenCount ?? total;
		}
		expect(texts.join("")).toBe("Streams tell it as it comes.");
		expect(texts.length).toBeGreaterThan(3);
		expect(total).toBe(17);
	});

	it.each([false, true])(
		"calls its functions by itself (stream: %s), with the other vendor's reasoning signed all the way",
		async (stream) => {
			const called: FunctionCall[] = [];
			const tool: CallableTool = {
				async tool() {
					return {
						functionDeclarations: [
							{
								name: "add",
								parametersJsonSchema: {
									type: "object",
									properties: { a: { type: "number" }, b: { type: "number" } },
								},
							},
						],
					};
				},
				async callTool(calls): Promise<Part[]> {
					called.push(...calls);
					return calls.map(({ id, name, args }) => ({
						functionResponse: {
							...(id && { id }),
							...(name && { name }),
							response: { output: Number(args?.a) + Number(args?.b) },
						},
					}));
				},
			};
			const { client, requests } = clientOf(({ messages }) =>
				messages.some(({ role }) => role === "tool")
					? saying("3 and 7.")
					: calling,
			);
			const asked = { model: "m", contents: "Add.", config: { tools: [tool] } };
			let text = "";
			if (stream)
				for await (const piece of await client.models.generateContentStream(
					asked,
				))
					for (const part of piece.candidates?.[0]?.content?.parts ?? [])
						text += part.text ?? "";
			else text = (await client.models.generateContent(asked)).text ?? "";
			expect(text).toBe("3 and 7.");
			expect(called.map(({ args }) => args)).toEqual([
				{ a: 1, b: 2 },
				{ a: 3, b: 4 },
			]);
			expect(requests[1]?.messages.map(types)).toEqual([
				["user", "text"],
				["assistant", "reasoning", "tool-call", "tool-call"],
				["tool", "tool-result", "tool-result"],
			]);
			expect(requests[1]?.messages[1]?.parts[0]).toEqual({
				type: "reasoning",
				text: "I should look.",
				opaque: signed,
			});
			expect(requests[1]?.messages[2]?.parts).toMatchObject([
				{ call: "toolu_1", name: "add", parts: [{ text: "3" }] },
				{ call: "toolu_2", name: "add", parts: [{ text: "7" }] },
			]);
		},
	);

	it.each([false, true])(
		"keeps a chat (stream: %s), thoughts and marks with it",
		async (stream) => {
			const answers: CanonicalAnswer[] = [
				{
					choices: [
						{
							parts: [
								{ type: "reasoning", text: "Hm.", opaque: signed },
								{ type: "text", text: "First answer." },
							],
							finish: { reason: "stop" },
						},
					],
				},
				saying("Second."),
			];
			const { client, requests } = clientOf(
				() => answers.shift() ?? saying("?"),
			);
			const chat = client.chats.create({
				model: "m",
				config: { thinkingConfig: { includeThoughts: true } },
			});
			for (const message of ["One", "Two"]) {
				if (stream)
					for await (const _ of await chat.sendMessageStream({ message }));
				else await chat.sendMessage({ message });
			}
			const [, first] = requests[1]?.messages ?? [];
			expect(first?.parts[0]).toEqual({
				type: "reasoning",
				text: "Hm.",
				opaque: signed,
			});
			expect(first?.parts.slice(1)).toEqual([
				{ type: "text", text: "First answer." },
			]);
		},
	);

	it("counts tokens, and gets its vectors", async () => {
		const { client } = clientOf(() => saying(""));
		expect(
			(await client.models.countTokens({ model: "m", contents: "Hi" }))
				.totalTokens,
		).toBe(31);
		const { embeddings } = await client.models.embedContent({
			model: "m",
			contents: ["a", "bcd"],
			config: { outputDimensionality: 2, taskType: "RETRIEVAL_QUERY" },
		});
		expect(embeddings?.map(({ values }) => values)).toEqual([
			[1, 0.5],
			[3, 0.5],
		]);
	});

	it("raises what was refused as its own error", async () => {
		const { client } = clientOf(() => saying(""));
		await expect(
			client.models.generateContent({
				model: "m",
				contents: "Hi",
				config: { cachedContent: "cachedContents/x" },
			}),
		).rejects.toMatchObject({ name: "ApiError", status: 422 });
	});
});
