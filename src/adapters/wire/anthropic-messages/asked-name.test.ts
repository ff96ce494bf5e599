import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anthropicMessages } from "./protocol.ts";

const stream = readFileSync(
	new URL("./fixtures/anthropic-thinking-stream.txt", import.meta.url),
);
const named = /"model":"([^"]+)"/.exec(stream.toString())?.[1] ?? "";
const whole = JSON.stringify({
	id: "msg_1",
	type: "message",
	content: [
		{ type: "tool_use", id: "t", name: "n", input: { model: "its own" } },
		{ type: "text", text: 'a "model": "said" \\' },
	],
	tags: ["model", { model: "deep" }],
	model: 'vendor\'s "own"\\',
	stop_reason: "end_turn",
	usage: { input_tokens: 3, output_tokens: 4 },
});

/** What the client gets of an answer, in chunks as they are cut, to a request for `asked` that went out for `sent`. */
function passed(
	asked: string,
	sent: string,
	answer: Buffer,
	contentType: string,
	cuts: readonly number[] = [],
) {
	const read = anthropicMessages.read(
		"messages",
		Buffer.from(
			JSON.stringify({ model: asked, max_tokens: 9_000, messages: [] }),
		),
	);
	if (!read.ok) throw new Error(read.error.message);
	const forwarded = anthropicMessages.forward(read.value, {
		model: sent,
		outputLimit: undefined,
		quirks: {},
	});
	const meter = anthropicMessages.meter(
		read.value,
		forwarded,
		200,
		contentType,
	);
	const places = [...new Set(cuts.map((cut) => cut % answer.length))].sort(
		(one, other) => one - other,
	);
	const pieces = [0, ...places].map((start, index) =>
		meter.pass(Buffer.from(answer.subarray(start, places[index]))),
	);
	const { rest, ...metered } = meter.finish();
	const got = Buffer.concat(
		[...pieces, rest].filter((each) => each !== undefined),
	).toString();
	return { got, metered };
}

const streamType = "text/event-stream; charset=utf-8";
const anywhere = fc.array(fc.nat(), { maxLength: 60 });

describe("a model that the vendor calls otherwise", () => {
	it("is called in a stream as the client called it, and all else is as it came", () => {
		const expected = stream
			.toString()
			.replace(`"model":"${named}"`, '"model":"desk/\\"fast\\""');
		fc.assert(
			fc.property(anywhere, (cuts) => {
				const { got, metered } = passed(
					'desk/"fast"',
					"sonnet",
					stream,
					streamType,
					cuts,
				);
				expect(got).toBe(expected);
				expect(metered.complete).toBe(true);
				expect(metered.usage).toBeDefined();
			}),
		);
	});

	it("is called in a whole answer as the client called it, wherever the name stands", () => {
		fc.assert(
			fc.property(anywhere, (cuts) => {
				const { got, metered } = passed(
					"desk/fast",
					"sonnet",
					Buffer.from(whole),
					"application/json",
					cuts,
				);
				expect(JSON.parse(got)).toEqual({
					...JSON.parse(whole),
					model: "desk/fast",
				});
				expect(metered.usage).toEqual({ input: 3, output: 4 });
			}),
		);
	});

	it("keeps the bytes of what has no model: an error, a broken answer", () => {
		const error = Buffer.from(
			'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","model":"x"}}\n\n',
		);
		expect(passed("a", "b", error, streamType).got).toBe(error.toString());
		const half = stream.subarray(0, 30);
		expect(passed("a", "b", half, streamType).got).toBe(half.toString());
	});
});

it("where the client and the vendor have the same name, not a byte changes, whatever version the vendor names", () => {
	const { got } = passed("sonnet", "sonnet", stream, streamType, [40, 90]);
	expect(got).toBe(stream.toString());
});
