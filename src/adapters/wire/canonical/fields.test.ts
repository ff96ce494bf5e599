import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Warning } from "../../../ports/translator.ts";
import {
	bodyFields,
	Fields,
	inWords,
	outcomeOf,
	present,
	unsupported,
} from "./fields.ts";

function reading<T>(record: object, read: (fields: Fields) => T) {
	const warnings: Warning[] = [];
	const fields = new Fields(record as Record<string, unknown>, "", (each) =>
		warnings.push(each),
	);
	return { outcome: outcomeOf(() => read(fields)), warnings };
}
const value = <T>(record: object, read: (fields: Fields) => T) => {
	const { outcome } = reading(record, read);
	return outcome.ok ? outcome.value : outcome.error.details?.field;
};

describe("fields of a request", () => {
	it("gives a member of the right type, and undefined for one that is null or not there", () => {
		expect(value({ a: "x" }, (each) => each.text("a"))).toBe("x");
		expect(value({ a: null }, (each) => each.text("a"))).toBeUndefined();
		expect(value({}, (each) => each.text("toString"))).toBeUndefined();
		expect(value({ a: 2.5 }, (each) => each.number("a", 0, 3))).toBe(2.5);
		expect(value({ a: 3 }, (each) => each.whole("a", 0))).toBe(3);
		expect(value({ a: false }, (each) => each.flag("a"))).toBe(false);
		expect(value({ a: "x" }, (each) => each.oneOf("a", ["x", "y"]))).toBe("x");
		expect(value({ a: ["x"] }, (each) => each.texts("a"))).toEqual(["x"]);
		expect(value({ a: { b: "c" } }, (each) => each.dictionary("a"))).toEqual({
			b: "c",
		});
	});

	it("refuses one of another type by its whole path", () => {
		expect(value({ a: 1 }, (each) => each.text("a"))).toBe("a");
		expect(value({ a: 4 }, (each) => each.number("a", 0, 3))).toBe("a");
		expect(value({ a: 1.5 }, (each) => each.whole("a"))).toBe("a");
		expect(value({ a: "true" }, (each) => each.flag("a"))).toBe("a");
		expect(value({ a: "z" }, (each) => each.oneOf("a", ["x"]))).toBe("a");
		expect(value({ a: [1] }, (each) => each.texts("a"))).toBe("a.0");
		expect(value({ a: { b: 1 } }, (each) => each.dictionary("a"))).toBe("a.b");
		expect(value({ a: [] }, (each) => each.json("a"))).toBe("a");
		expect(value({ a: {} }, (each) => each.list("a"))).toBe("a");
		expect(
			value({ a: [{}, { b: { c: 1 } }] }, (each) =>
				each.each("a")?.map((one) => one.fields("b")?.text("c")),
			),
		).toBe("a.1.b.c");
		expect(value({ a: [1] }, (each) => each.each("a"))).toBe("a.0");
		expect(value({}, (each) => each.need("a", each.text("a")))).toBe("a");
	});

	it("says what is wrong in a sentence, without the value", () => {
		const { outcome } = reading({ a: "secret" }, (each) =>
			each.whole("a", 1, 9),
		);
		expect(outcome).toEqual({
			ok: false,
			error: {
				code: "request/invalid",
				message: '"a" must be a whole number from 1 to 9.',
				details: { field: "a" },
			},
		});
		expect(
			outcomeOf(() => unsupported("n", "asks for several answers")),
		).toMatchObject({
			error: { code: "translate/unsupported", details: { field: "n" } },
		});
	});

	it("passes on what it did not throw itself", () => {
		expect(() =>
			outcomeOf(() => {
				throw new TypeError("ours");
			}),
		).toThrow(TypeError);
	});

	it("warns of every member that nobody took, and of those that were dropped", () => {
		const { warnings } = reading(
			{ a: 1, b: { c: 1, d: null }, e: 2, f: 3, g: null },
			(each) => {
				each.number("a");
				each.fields("b")?.done();
				each.drop("e", "It has no meaning elsewhere.");
				each.drop("g", "It is null.");
				each.pass("f");
				each.done();
			},
		);
		expect(warnings.map(({ kind, field }) => [kind, field])).toEqual([
			["dropped", "b.c"],
			["dropped", "e"],
		]);
	});

	it("reads a body of any bytes or refuses it", () => {
		fc.assert(
			fc.property(fc.uint8Array(), (bytes) => {
				const outcome = outcomeOf(() => bodyFields(bytes, () => {}).record);
				expect(outcome.ok || outcome.error.code === "request/invalid").toBe(
					true,
				);
			}),
		);
	});
});

describe("words of a client", () => {
	it("stand in the place of the longest name that they know", () => {
		const words = { topK: "top_k", "output.schema": "response_format.schema" };
		expect(inWords(words, "topK")).toBe("top_k");
		expect(inWords(words, "output.schema.a.0")).toBe(
			"response_format.schema.a.0",
		);
		expect(inWords(words, "output.name")).toBe("output.name");
		expect(inWords(words, "constructor.a")).toBe("constructor.a");
	});
});

it("leaves out what is undefined, and nothing else", () => {
	expect(Object.keys(present({ a: undefined, b: null, c: 0, d: "" }))).toEqual([
		"b",
		"c",
		"d",
	]);
});
