import { describe, expect, it } from "vitest";
import { readSchema, sameJson, tooMuch } from "./json-schema.ts";

function keeps(schema: unknown, value: unknown): boolean {
	const check = readSchema(schema);
	if (typeof check === "string") throw new Error(check);
	return check.mismatch(value) === undefined;
}

describe("each keyword takes what fits and refuses what does not", () => {
	it.each<[object, readonly unknown[], readonly unknown[]]>([
		[{ type: "integer" }, [1, -2, 3.0], [1.5, "1", null]],
		[{ type: ["string", "null"] }, ["", null], [1, {}]],
		[{ type: "object" }, [{}], [[], null]],
		[{ type: "array" }, [[]], [{}]],
		[{ enum: [1, { a: [2] }] }, [1, { a: [2] }], [2, { a: [3] }]],
		[{ const: { a: 1, b: 2 } }, [{ b: 2, a: 1 }], [{ a: 1 }]],
		[{ minLength: 2, maxLength: 3 }, ["ab", "😀😀😀", 7], ["a", "abcd"]],
		[{ pattern: "^a" }, ["ab", 1], ["ba"]],
		[{ minimum: 1, maximum: 2 }, [1, 2, "x"], [0, 3]],
		[{ exclusiveMinimum: 1, exclusiveMaximum: 2 }, [1.5], [1, 2]],
		[{ multipleOf: 0.1 }, [0.3, 1.1], [0.35]],
		[{ required: ["a"] }, [{ a: undefined }, []], [{}]],
		[{ properties: { a: { type: "string" } } }, [{ a: "" }, {}], [{ a: 1 }]],
		[
			{
				properties: { a: true },
				patternProperties: { "^x": { type: "number" } },
				additionalProperties: false,
			},
			[{ a: 1, x1: 2 }],
			[{ b: 1 }, { x: "1" }],
		],
		[{ propertyNames: { maxLength: 1 } }, [{ a: 1 }], [{ ab: 1 }]],
		[{ minProperties: 1, maxProperties: 1 }, [{ a: 1 }], [{}, { a: 1, b: 2 }]],
		[{ dependentRequired: { a: ["b"] } }, [{}, { a: 1, b: 2 }], [{ a: 1 }]],
		[
			{ prefixItems: [{ type: "string" }], items: { type: "number" } },
			[["a", 1, 2], []],
			[["a", "b"], [1]],
		],
		[{ minItems: 1, maxItems: 2 }, [[1], [1, 2]], [[], [1, 2, 3]]],
		[{ uniqueItems: true }, [[1, 2]], [[{ a: 1 }, { a: 1 }]]],
		[{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1], [0, 3]],
		[{ anyOf: [{ const: 1 }, { const: 2 }] }, [1, 2], [3]],
		[{ oneOf: [{ minimum: 1 }, { minimum: 2 }] }, [1], [2, 0]],
		[{ not: { type: "string" } }, [1], ["a"]],
		[
			// biome-ignore lint/suspicious/noThenProperty: the keyword's own name.
			{ if: { minimum: 10 }, then: { multipleOf: 10 }, else: { maximum: 5 } },
			[20, 3],
			[11, 6],
		],
		[
			{
				$defs: {
					list: {
						type: "object",
						required: ["value"],
						properties: { next: { $ref: "#/$defs/list" } },
					},
				},
				$ref: "#/$defs/list",
			},
			[{ value: 1 }, { value: 1, next: { value: 2 } }],
			[{}, { value: 1, next: {} }],
		],
	])("%j", (schema, fit, unfit) => {
		for (const value of fit)
			expect([value, keeps(schema, value)]).toEqual([value, true]);
		for (const value of unfit)
			expect([value, keeps(schema, value)]).toEqual([value, false]);
	});
});

it("says where and what", () => {
	const check = readSchema({
		properties: { items: { items: { required: ["name"] } } },
	});
	if (typeof check === "string") throw new Error(check);
	expect(check.mismatch({ items: [{ name: 1 }, {}] })).toBe(
		"/items/1/name is missing",
	);
});

it.each([
	[{ unevaluatedProperties: false }, "unevaluatedProperties"],
	[{ properties: { a: { contains: {} } } }, "contains"],
	[{ type: "text" }, "no type"],
	[{ pattern: "(" }, "no regular expression"],
	[{ $ref: "#/$defs/none" }, "leads nowhere"],
	[{ $ref: "https://example.com/s" }, "leads nowhere"],
	[{ minimum: "1" }, "must be a number"],
	[{ anyOf: {} }, "must be a list"],
	[3, "a map"],
])("does not judge by %j", (schema, why) => {
	expect(readSchema(schema)).toContain(why);
});

it("a schema that leads round in itself comes to an end", () => {
	expect(keeps({ $ref: "#" }, 1)).toBe(false);
	const round = readSchema({ anyOf: [{ $ref: "#" }, { $ref: "#" }] });
	expect(round).toMatchObject({});
	if (typeof round !== "string") expect(round.mismatch(1)).toBe(tooMuch);
	const unique = readSchema({ uniqueItems: true });
	if (typeof unique !== "string")
		expect(unique.mismatch(Array.from({ length: 1_001 }, () => 1))).toBe(
			tooMuch,
		);
});

it("strangers' patterns are not run", () => {
	expect(readSchema({ pattern: "(a+)+$" }, { patterns: false })).toContain(
		"not judged",
	);
});

it("two values are the same whatever the order of their members", () => {
	expect(sameJson({ a: [1, { b: 2, c: 3 }] }, { a: [1, { c: 3, b: 2 }] })).toBe(
		true,
	);
	expect(sameJson([1], { 0: 1 })).toBe(false);
	expect(sameJson({ a: 1 }, { b: 1 })).toBe(false);
});
