import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("canonical JSON", () => {
	it("is the same text for the same document", () => {
		const one = '{"b": [1, 2], "a": {"y": null, "x": "\\u00e9"}}';
		const other = '{"a":{"x":"é","y":null},"b":[1,2.0]}';
		expect(canonicalJson(bytes(one))).toBe(canonicalJson(bytes(other)));
	});

	it("loses nothing of a document", () => {
		fc.assert(
			fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
				const text = canonicalJson(bytes(JSON.stringify(value)));
				const safe = JSON.stringify(value);
				if (text !== undefined)
					expect(JSON.parse(text)).toEqual(JSON.parse(safe));
			}),
		);
	});

	it.each([
		["no JSON", "{"],
		["whole numbers that look alike", '{"seed": 9007199254740993}'],
	])("is not made of %s", (_, text) => {
		expect(canonicalJson(bytes(text))).toBeUndefined();
	});

	it("is not made of broken unicode", () => {
		expect(canonicalJson(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
	});
});
