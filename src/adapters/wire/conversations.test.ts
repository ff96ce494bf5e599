import { describe, expect, it } from "vitest";
import type { WireProtocol } from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import { openConversations } from "./conversations.ts";

const conversations = openConversations(spoken);
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

function protocol(id: string): WireProtocol {
	return spoken.find(({ wire }) => wire.id === id)?.wire as WireProtocol;
}

function asked(id: string, body: object) {
	const wire = protocol(id);
	const operation = wire.operations.find(
		({ means }) => means === "generate",
	) as WireProtocol["operations"][number];
	const read = wire.read(operation.id, bytes(body), {
		parameters: { model: "m" },
		query: "",
		header: () => undefined,
	});
	if (!read.ok) throw new Error(read.error.message);
	return { wire, request: read.value };
}

describe("what was asked", () => {
	it("is told with tools, results and media in words", () => {
		const { wire, request } = asked("anthropic-messages", {
			model: "m",
			max_tokens: 5,
			system: "Be brief.",
			messages: [
				{
					role: "user",
					content: [
						{ type: "text", text: "What is this?" },
						{ type: "image", source: { type: "url", url: "https://x.test/i" } },
					],
				},
				{
					role: "assistant",
					content: [
						{ type: "tool_use", id: "t1", name: "look", input: { at: 1 } },
					],
				},
				{
					role: "user",
					content: [
						{ type: "tool_result", tool_use_id: "t1", content: "A dog." },
					],
				},
			],
		});
		expect(conversations.asked(wire, request)).toEqual([
			{ role: "system", text: "Be brief." },
			{ role: "user", text: "What is this?\n(image)" },
			{ role: "assistant", text: '(calls the tool look with {"at":1})' },
			{ role: "tool", text: "(the tool gives: A dog.)" },
		]);
	});
});

describe("what was answered", () => {
	const plain = asked("openai-chat", {
		model: "m",
		messages: [{ role: "user", content: "Hi" }],
	});

	it("is told of a whole answer", () => {
		const body = bytes({
			choices: [
				{
					message: { role: "assistant", content: "Ho" },
					finish_reason: "stop",
				},
			],
		});
		expect(
			conversations.answered(
				plain.wire,
				plain.request,
				"application/json",
				body,
			),
		).toBe("Ho");
	});

	it("is told of a stream", () => {
		const { wire, request } = asked("openai-chat", {
			model: "m",
			stream: true,
			messages: [{ role: "user", content: "Hi" }],
		});
		const frames = ["H", "o"].map(
			(content) =>
				`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`,
		);
		const end = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`;
		expect(
			conversations.answered(
				wire,
				request,
				"text/event-stream",
				Buffer.from(frames.join("") + end),
			),
		).toBe("Ho");
	});

	it("is not told of what is no answer", () => {
		for (const body of ["{", "{}", '{"choices":[]}', "[]"])
			expect(
				conversations.answered(
					plain.wire,
					plain.request,
					"application/json",
					Buffer.from(body),
				),
			).toBeUndefined();
	});
});

it("asks as a client would", () => {
	const { wire, operation, request } = conversations.ask(
		"a/b",
		[{ role: "user", content: "So?" }],
		100,
	);
	expect(operation.means).toBe("generate");
	expect(request).toMatchObject({
		model: "a/b",
		stream: false,
		outputLimit: 100,
	});
	expect(conversations.asked(wire, request)).toEqual([
		{ role: "user", text: "So?" },
	]);
});
