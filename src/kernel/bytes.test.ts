import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	equalBytes,
	fromBase64,
	fromHex,
	toBase64,
	toHex,
	toUtf8,
} from "./bytes.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

describe("bytes as text", () => {
	it("writes hex and base64 as the platform does, and reads them back", () => {
		fc.assert(
			fc.property(bytes, (some) => {
				expect(toHex(some)).toBe(Buffer.from(some).toString("hex"));
				expect(toBase64(some)).toBe(Buffer.from(some).toString("base64"));
				expect(fromHex(toHex(some))).toEqual(some);
				expect(fromBase64(toBase64(some))).toEqual(some);
			}),
		);
	});

	it.each(["0", "0g", "g0", "AB", "0x", "é0", " 0", "0\n"])(
		"refuses %j as hex",
		(text) => {
			expect(fromHex(text)).toBeUndefined();
		},
	);

	it.each([
		["too short", "AAA"],
		["without its padding", "QQ"],
		["with padding alone", "===="],
		["with padding inside", "Q=Q="],
		["in the alphabet of URLs", "-_-_"],
		["beyond ASCII", "AAAé"],
		["with a line break", "AAA\n"],
		["with unused bits set in one byte", "QR=="],
		["with unused bits set in two bytes", "QUF="],
	])("refuses base64 %s", (_, text) => {
		expect(fromBase64(text)).toBeUndefined();
	});

	it("gives every text that it reads as base64 back as it was", () => {
		fc.assert(
			fc.property(
				fc.base64String(),
				fc.nat(),
				fc.string({ maxLength: 1 }),
				(text, place, other) => {
					const at = place % (text.length + 1);
					const changed = text.slice(0, at) + other + text.slice(at + 1);
					const read = fromBase64(changed);
					if (read) expect(toBase64(read)).toBe(changed);
				},
			),
		);
	});

	it("writes UTF-8 as the platform does, lone surrogates included", () => {
		fc.assert(
			fc.property(
				fc.string({ unit: "binary" }),
				fc.string({ unit: "grapheme" }),
				(broken, whole) => {
					for (const text of [
						broken,
						whole,
						`${broken}\ud800${whole}`,
						`\udfff${broken}`,
					]) {
						expect(toUtf8(text)).toEqual(new TextEncoder().encode(text));
					}
				},
			),
		);
		expect(toUtf8("aß€😀\u07ff\u0800\uffff")).toEqual(
			new TextEncoder().encode("aß€😀\u07ff\u0800\uffff"),
		);
	});

	it("compares by content", () => {
		expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
		expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
		expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
	});
});
