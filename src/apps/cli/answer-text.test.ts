import fc from "fast-check";
import { expect, it } from "vitest";
import { readStream, textOf } from "./answer-text.ts";

it.each([
	["a chat completion", { choices: [{ message: { content: "hé" } }] }, "hé"],
	[
		"a message",
		{
			content: [
				{ type: "thinking", thinking: "hm" },
				{ type: "text", text: "a" },
				{ type: "text", text: "b" },
			],
		},
		"ab",
	],
	["a refusal to speak", { choices: [{ message: { content: null } }] }, ""],
	["an answer without choices", { choices: [] }, ""],
	["something else", {}, ""],
])("reads %s", (_, answer, text) => expect(textOf(answer)).toBe(text));

const streams = [
	'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\ndata: {"choices":[{"delta":{"content":"日"}}]}\n\n: note\n\ndata: {"choices":[{"delta":{"content":"本"}}]}\r\n\r\ndata: {"choices":[]}\n\ndata: [DONE]\n\n',
	'event: message_start\ndata: {"type":"message_start"}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"日"}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"本"}}',
];

it.each(streams)("reads a stream however it is cut", async (stream) => {
	const bytes = new TextEncoder().encode(stream);
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.nat(bytes.length), { maxLength: 12 }),
			async (cuts) => {
				const places = [
					0,
					...cuts.sort((one, other) => one - other),
					bytes.length,
				];
				async function* chunks() {
					for (let index = 1; index < places.length; index++)
						yield bytes.slice(places[index - 1], places[index]);
				}
				let text = "";
				for await (const part of readStream(chunks()))
					if ("text" in part) text += part.text;
				expect(text).toBe("日本");
			},
		),
	);
});

it("hands on the error that ends a stream, and passes over what is broken", async () => {
	async function* chunks() {
		yield new TextEncoder().encode(
			'data: {bad\n\ndata: 1\n\ndata: {"error":{"code":"x","message":"y"}}\n\n',
		);
	}
	const parts = [];
	for await (const part of readStream(chunks())) parts.push(part);
	expect(parts).toEqual([{ error: { code: "x", message: "y" } }]);
});
