import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageReader } from "./messages.ts";
import { type Event, pack, packError, packed } from "./pack.testing.ts";

const events: Event[] = [
	["messageStart", { role: "assistant" }],
	["contentBlockDelta", { delta: { text: "héllo 🦊" } }],
	["!throttlingException", { message: "slow down" }],
	["", ""],
];
const expected = events.map(([name, body]) => ({
	type: name.startsWith("!") ? "exception" : "event",
	name: name.replace("!", ""),
	body: typeof body === "string" ? body : JSON.stringify(body),
}));

describe("a stream of messages", () => {
	it("is read whatever its chunks", () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 1, max: 200 })), (cuts) => {
				const bytes = packed(events);
				const reader = messageReader();
				const read = [];
				let at = 0;
				for (const cut of [...cuts, bytes.length]) {
					read.push(...reader.push(bytes.subarray(at, at + cut)));
					at += cut;
				}
				expect(read).toEqual(expected);
				expect(reader.broken).toBeUndefined();
			}),
		);
	});

	it("is read byte by byte, each message when its last byte has come", () => {
		const reader = messageReader();
		const bytes = packed(events);
		const lengths = events.map((event) => pack(event).length);
		const ends = lengths.map((_, index) =>
			lengths.slice(0, index + 1).reduce((sum, each) => sum + each, 0),
		);
		const arrived: number[] = [];
		for (const [index, byte] of bytes.entries())
			if (reader.push(Uint8Array.of(byte)).length > 0) arrived.push(index + 1);
		expect(arrived).toEqual(ends);
	});

	it("tells an unmodelled error as an exception", () => {
		const bytes = pack(["x", ""]);
		expect(messageReader().push(bytes)[0]?.type).toBe("event");
		const reader = messageReader();
		const [message] = reader.push(packError("InternalError", "it failed"));
		expect(message).toEqual({
			type: "exception",
			name: "InternalError",
			body: '{"message":"it failed"}',
		});
	});

	it("with any byte changed never gives that message", () => {
		const [first] = events;
		const bytes = pack(first as Event);
		for (let at = 0; at < bytes.length; at++) {
			const changed = Buffer.from(bytes);
			changed[at] = (changed[at] as number) ^ 0x40;
			const reader = messageReader();
			// A changed length may leave it waiting for more.
			expect(reader.push(changed)).toEqual([]);
			if (at > 3)
				expect(reader.broken).toBe("a message of the stream is damaged");
		}
	});

	it("gives what came before the damage, and nothing after", () => {
		const bytes = packed(events);
		const last = pack(events[0] as Event).length + 20;
		bytes[last] = (bytes[last] as number) ^ 1;
		const reader = messageReader();
		expect(reader.push(bytes)).toEqual(expected.slice(0, 1));
		expect(reader.push(packed(events))).toEqual([]);
		expect(reader.broken).toBeDefined();
	});

	it.each([
		[Buffer.from('{"message":"no stream"}')],
		[Buffer.from([0, 0, 0, 15])],
		[Buffer.from([0xff, 0xff, 0xff, 0xff])],
	])("of an impossible length is broken, not waited for: %j", (bytes) => {
		const reader = messageReader();
		expect(reader.push(bytes)).toEqual([]);
		expect(reader.broken).toBe(
			"a message of the stream has an impossible length",
		);
	});

	it("of any bytes never throws", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
				const reader = messageReader();
				expect(reader.push(bytes)).toBeInstanceOf(Array);
			}),
		);
	});
});
