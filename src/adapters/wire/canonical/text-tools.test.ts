import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	CanonicalRequest,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import { gathered, spread } from "./gather.ts";
import { textToolsIn } from "./text-tools.ts";

const request: CanonicalRequest = {
	model: "m",
	messages: [
		{ role: "user", parts: [{ type: "text", text: "Hi" }] },
		{
			role: "assistant",
			parts: [
				{
					type: "tool-call",
					id: "1",
					name: "patch",
					arguments: 'a "b"',
					custom: true,
				},
				{ type: "tool-call", id: "2", name: "read", arguments: "{}" },
			],
		},
	],
	tools: [
		{ type: "function", name: "read" },
		{
			type: "custom",
			name: "patch",
			description: "Patches.",
			format: {
				type: "grammar",
				syntax: "regex",
				definition: "^x",
			},
		},
	],
	stream: false,
	streamUsage: true,
};

function opened(asked = request) {
	const warned: string[] = [];
	const texts = textToolsIn(asked, ({ kind, field }) =>
		warned.push(`${kind} ${field}`),
	);
	return { texts, warned };
}

function call(name: string, text: string): ToolCallPart {
	return { type: "tool-call", id: "3", name, arguments: text };
}

function answerOf(...parts: ToolCallPart[]) {
	return { choices: [{ parts, finish: { reason: "tool-calls" as const } }] };
}

describe("tools that take text", () => {
	it("are nothing to a request without them", () => {
		const { tools, messages, ...rest } = request;
		const { texts, warned } = opened({
			...rest,
			messages: messages.slice(0, 1),
			tools: [{ type: "function", name: "read" }],
		});
		expect(texts).toBeUndefined();
		expect(warned).toEqual([]);
	});

	it("become functions of one string, told their grammar, and so do calls that were made", () => {
		const { texts, warned } = opened();
		expect(warned).toEqual(["changed tools.1"]);
		expect(texts?.request.tools).toMatchObject([
			{ type: "function", name: "read" },
			{
				type: "function",
				name: "patch",
				description:
					"Patches.\n\nThe input follows this regular expression:\n^x",
				schema: { required: ["input"] },
			},
		]);
		expect(texts?.request.messages[1]?.parts).toEqual([
			{
				type: "tool-call",
				id: "1",
				name: "patch",
				arguments: '{"input":"a \\"b\\""}',
			},
			{ type: "tool-call", id: "2", name: "read", arguments: "{}" },
		]);
	});

	it.each([
		['{"input":"a\\nb"}', "a\nb"],
		// A model that does not do as it is told.
		["*** Begin", "*** Begin"],
		['{"text":"a"}', '{"text":"a"}'],
		["", ""],
	])("are called with the text in %j, whole and as a stream", (json, text) => {
		const answer = answerOf(call("patch", json), call("read", json));
		const expected = answerOf(
			{ ...call("patch", text), custom: true },
			call("read", json),
		);
		expect(opened().texts?.answer(answer)).toEqual(expected);
		const { texts } = opened();
		const events: AnswerEvent[] = [];
		for (const event of spread(answer))
			events.push(...(texts?.events([event]) ?? []));
		expect(gathered(events).choices).toEqual(expected.choices);
	});

	it("say nothing of a call that broke off", () => {
		const { texts } = opened();
		const open: AnswerEvent[] = [
			{ type: "open", choice: 0, part: 0, value: call("patch", "") },
			{ type: "delta", choice: 0, part: 0, text: '{"input":"a' },
		];
		expect(texts?.events(open)).toEqual([
			{ ...open[0], value: { ...call("patch", ""), custom: true } },
		]);
	});
});
