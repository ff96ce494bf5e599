import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { words } from "./arbitraries.testing.ts";
import { answerReader, bytesOf, eventReader, json, sse } from "./sse.ts";

function read(bytes: Uint8Array, size = bytes.length || 1) {
	const reader = eventReader();
	const events = [];
	for (let at = 0; at < bytes.length; at += size)
		events.push(...reader.push(bytes.subarray(at, at + size)));
	return [...events, ...reader.end()];
}

const many = [
	{ event: "ping", data: "{}" },
	{ event: undefined, data: '{"a":"héllo 🦉"}' },
	{ event: "delta", data: "one\ntwo" },
	{ event: undefined, data: "" },
	{ event: "last", data: "[DONE]" },
];
const stream = (end: string) =>
	Buffer.from(
		[
			"\ufeffevent: ping",
			"data: {}",
			"",
			": a comment",
			"",
			'data:{"a":"héllo 🦉"}',
			"",
			"data: one",
			": within",
			"data: two",
			"id: 7",
			"event: delta",
			"",
			"event: nothing",
			"",
			"data:",
			"",
			"",
			"event:last",
			"data: [DONE]",
			"",
			"",
		].join(end),
	);

describe("server-sent events", () => {
	it.each([
		["LF", "\n"],
		["CRLF", "\r\n"],
		["CR", "\r"],
	])("are read with lines that end in %s, whatever the chunks", (_, end) => {
		for (const size of [1, 2, 3, 7, 1000])
			expect(read(stream(end), size)).toEqual(many);
	});

	it("give what is left at the end, though no blank line ends it", () => {
		expect(read(Buffer.from("data: a\n\nevent: b\ndata: c"))).toEqual([
			{ event: undefined, data: "a" },
			{ event: "b", data: "c" },
		]);
		expect(read(new Uint8Array())).toEqual([]);
	});

	it("come back as they were written", () => {
		fc.assert(
			fc.property(
				fc.array(fc.tuple(words, fc.option(fc.constantFrom("a", "b.c")))),
				fc.integer({ min: 1, max: 9 }),
				(all, size) => {
					const frames = all.map(([text, event]) =>
						sse(JSON.stringify(text), event ?? undefined),
					);
					const bytes = bytesOf(frames) ?? new Uint8Array();
					expect(
						read(bytes, size).map(({ data, event }) => [json(data), event]),
					).toEqual(all.map(([text, event]) => [text, event ?? undefined]));
				},
			),
		);
	});

	it("never throws on bytes of any kind", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 300 }),
				fc.integer({ min: 1, max: 9 }),
				(bytes, size) => {
					for (const { data } of read(bytes, size))
						expect(data).toBeTypeOf("string");
				},
			),
		);
	});

	it("are lost, visibly, where one is larger than the limit", () => {
		const reader = eventReader(1000);
		expect(reader.push(Buffer.from("data: a\n\n"))).toHaveLength(1);
		const chunk = Buffer.from(sse("b".repeat(80)));
		// Many events in one chunk are no large one.
		expect(reader.push(Buffer.concat(Array(50).fill(chunk)))).toHaveLength(50);
		for (let part = 0; part < 11; part++)
			expect(reader.push(Buffer.from("c".repeat(100)))).toEqual([]);
		expect(reader.oversized).toBe(true);
		expect(reader.push(Buffer.from("\n\ndata: d\n\n"))).toEqual([]);
		expect(reader.end()).toEqual([]);
	});
});

describe("a reader of answers", () => {
	const reader = () =>
		answerReader({
			visit(data, _event, emit) {
				if (data === "[DONE]") emit({ type: "end" });
				else if (data === "bad")
					emit({ type: "error", error: { message: "bad" } });
				else emit({ type: "start", id: data });
			},
			conclude: (emit) => emit({ type: "usage", usage: { input: 1 } }),
		});

	it("says nothing after an error or the end", () => {
		for (const [last, type] of [
			["[DONE]", "end"],
			["bad", "error"],
		] as const) {
			const one = reader();
			const events = one.push(
				Buffer.from(`data: a\n\ndata: ${last}\n\ndata: b\n\n`),
			);
			expect(events.map((each) => each.type)).toEqual(["start", type]);
			expect(one.push(Buffer.from("data: c\n\n"))).toEqual([]);
			expect(one.end()).toEqual([]);
		}
	});

	it("concludes a stream that broke off, once", () => {
		const one = reader();
		expect(one.push(Buffer.from("data: a"))).toEqual([]);
		expect(one.end().map((each) => each.type)).toEqual(["start", "usage"]);
		expect(one.end()).toEqual([]);
	});

	it("ends in an error where an event is too large to read", () => {
		const one = reader();
		const chunk = Buffer.alloc(16 * 1024 * 1024, 0x61);
		const events = [1, 2, 3, 4, 5].flatMap(() => one.push(chunk));
		expect(events).toEqual([
			{
				type: "error",
				error: expect.objectContaining({ code: "event-too-large" }),
			},
		]);
	});
});
