import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, Warning } from "../../../ports/translator.ts";
import {
	fromGoogleSchema,
	toAnthropicSchema,
	toGoogleJsonSchema,
	toGoogleSchema,
	toStrictSchema,
} from "./schema-dialect.ts";

type Dialect = (
	schema: Json,
	field: string,
	warn: (warning: Warning) => void,
) => Json | undefined;

function written(dialect: Dialect, schema: Json) {
	const warnings: string[] = [];
	const result = dialect(schema, "schema", ({ kind, field }) =>
		warnings.push(`${kind} ${field}`),
	);
	return { result, warnings };
}

/** A checker of what these tests use of JSON Schema, no more. */
function accepts(schema: unknown, value: unknown, root: Json): boolean {
	if (typeof schema === "boolean") return schema;
	const here = schema as Readonly<Record<string, unknown>>;
	if (typeof here.$ref === "string") {
		const name = here.$ref.split("/").at(-1) as string;
		return accepts((root.$defs as Json)[name], value, root);
	}
	const types = [here.type].flat().filter((each) => each !== undefined);
	if (types.length > 0 && !types.some((type) => isOf(type, value)))
		return false;
	if (here.enum && !(here.enum as unknown[]).includes(value)) return false;
	if ("const" in here && here.const !== value) return false;
	if (
		here.anyOf &&
		!(here.anyOf as unknown[]).some((each) => accepts(each, value, root))
	)
		return false;
	if (
		here.allOf &&
		!(here.allOf as unknown[]).every((each) => accepts(each, value, root))
	)
		return false;
	const within = (size: number, least: string, most: string) =>
		size >= ((here[least] as number) ?? -Infinity) &&
		size <= ((here[most] as number) ?? Infinity);
	if (typeof value === "number")
		return (
			within(value, "minimum", "maximum") &&
			value > ((here.exclusiveMinimum as number) ?? -Infinity) &&
			value < ((here.exclusiveMaximum as number) ?? Infinity)
		);
	if (typeof value === "string")
		return (
			within(value.length, "minLength", "maxLength") &&
			(here.pattern === undefined ||
				new RegExp(here.pattern as string).test(value))
		);
	if (Array.isArray(value))
		return (
			within(value.length, "minItems", "maxItems") &&
			(here.items === undefined ||
				value.every((each) => accepts(here.items, each, root)))
		);
	if (typeof value !== "object" || value === null) return true;
	const properties = (here.properties ?? {}) as Json;
	if (!((here.required ?? []) as string[]).every((name) => name in value))
		return false;
	return Object.entries(value).every(([name, each]) =>
		name in properties
			? accepts(properties[name], each, root)
			: here.additionalProperties !== false,
	);
}

function isOf(type: unknown, value: unknown): boolean {
	if (type === "null") return value === null;
	if (type === "array") return Array.isArray(value);
	if (type === "integer") return Number.isInteger(value);
	if (type === "object")
		return typeof value === "object" && value !== null && !Array.isArray(value);
	return typeof value === type;
}

const values: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
	value: fc.oneof(
		{ depthSize: "small" },
		fc.constantFrom<unknown>(
			null,
			true,
			false,
			"",
			"a",
			"b",
			"long text",
			0,
			1,
			2,
			7,
			1.5,
		),
		fc.array(tie("value"), { maxLength: 3 }),
		fc.dictionary(fc.constantFrom("p", "q"), tie("value"), {
			maxKeys: 2,
			noNullPrototype: true,
		}),
	),
})).value;

const optional = <T>(value: T) => fc.constantFrom(value, undefined);

function without(record: object): Json {
	return Object.fromEntries(
		Object.entries(record).filter(([, each]) => each !== undefined),
	);
}

/** Schemas that Google's subset can say, objects closed as its models keep them. */
const plainSchemas: fc.Arbitrary<Json> = fc.letrec<{ schema: Json }>((tie) => ({
	schema: fc.oneof(
		{ depthSize: "small" },
		fc
			.record({
				type: fc.constantFrom<string | string[]>("string", ["string", "null"]),
				minLength: optional(1),
				maxLength: optional(3),
				pattern: optional("^[ab]"),
				description: optional("said"),
			})
			.map(without),
		fc.constantFrom<Json>(
			{ type: "string", enum: ["a", "b"] },
			{ type: ["string", "null"], enum: ["a", null] },
			{ enum: ["a", "long text"] },
			{ const: "a" },
			{ const: 7 },
			{ type: "integer", enum: [1, 2] },
			{ enum: [1, 1.5] },
			{ type: "boolean" },
			{ type: "null" },
			{ const: null },
			{ type: ["integer", "boolean"] },
			{ type: ["string", "integer", "null"] },
			{ enum: ["a", 1, null] },
			{ $ref: "#/$defs/shared" },
			{ allOf: [{ $ref: "#/$defs/shared" }, { required: ["q"] }] },
		),
		fc
			.record({
				type: fc.constantFrom("integer", "number"),
				minimum: optional(1),
				maximum: optional(2),
			})
			.map(without),
		fc
			.record({
				type: fc.constant("integer"),
				exclusiveMinimum: optional(0),
				exclusiveMaximum: optional(7),
				maximum: optional(2),
			})
			.map(without),
		fc
			.record({
				type: fc.constantFrom<string | string[]>("array", ["array", "null"]),
				items: tie("schema"),
				minItems: optional(1),
				maxItems: optional(2),
			})
			.map(without),
		fc
			.record({
				type: fc.constantFrom<string | string[]>("object", ["object", "null"]),
				properties: fc.record({ p: tie("schema"), q: tie("schema") }),
				required: fc.subarray(["p", "q"]),
				additionalProperties: fc.constant(false),
			})
			.map(without),
		fc
			.array(tie("schema"), { minLength: 1, maxLength: 3 })
			.map((anyOf) => ({ anyOf })),
	),
})).schema;

const $defs = {
	shared: {
		type: "object",
		properties: { p: { type: "string" }, q: { type: "integer" } },
		required: ["p"],
		additionalProperties: false,
	},
};

/** What Google's models do with objects: they keep to the properties that are named. */
function closed(schema: unknown): unknown {
	if (Array.isArray(schema)) return schema.map(closed);
	if (typeof schema !== "object" || schema === null) return schema;
	const result: Record<string, unknown> = {};
	for (const [name, each] of Object.entries(schema))
		result[name] =
			name === "properties"
				? Object.fromEntries(
						Object.entries(each as object).map(([key, inner]) => [
							key,
							closed(inner),
						]),
					)
				: closed(each);
	return "properties" in result
		? { ...result, additionalProperties: false }
		: result;
}

describe("Google's subset", () => {
	it("means the same there and back, where nothing was warned of", () => {
		fc.assert(
			fc.property(
				plainSchemas,
				fc.array(values, { minLength: 10, maxLength: 30 }),
				(schema, samples) => {
					const root = { ...schema, $defs };
					const { result, warnings } = written(toGoogleSchema, root);
					expect(warnings).toEqual([]);
					const back = closed(fromGoogleSchema(result)) as Json;
					for (const sample of samples)
						expect([sample, accepts(back, sample, back)]).toEqual([
							sample,
							accepts(root, sample, root),
						]);
				},
			),
			{ numRuns: 500 },
		);
	});

	it("is written as its documentation has it", () => {
		const { result } = written(toGoogleSchema, {
			type: "object",
			properties: {
				name: { type: ["string", "null"], description: "Whose." },
				size: { type: "integer", minimum: 1, exclusiveMaximum: 10 },
				kind: { const: "x" },
				at: { type: "string", format: "date-time" },
				list: { type: "array", items: { $ref: "#/$defs/one" }, minItems: 1 },
				either: { anyOf: [{ type: "string" }, { type: "null" }] },
			},
			required: ["name"],
			propertyOrdering: ["size", "name"],
			additionalProperties: false,
			$defs: { one: { type: "number" } },
		});
		expect(result).toEqual({
			type: "OBJECT",
			properties: {
				name: { type: "STRING", nullable: true, description: "Whose." },
				size: { type: "INTEGER", minimum: 1, maximum: 9 },
				kind: { type: "STRING", format: "enum", enum: ["x"] },
				at: { type: "STRING", format: "date-time" },
				list: { type: "ARRAY", items: { type: "NUMBER" }, minItems: 1 },
				either: { type: "STRING", nullable: true },
			},
			required: ["name"],
			propertyOrdering: ["size", "name"],
		});
	});

	it.each<[string, Json, string[]]>([
		[
			"a map",
			{ type: "object", additionalProperties: { type: "string" } },
			["dropped schema.additionalProperties"],
		],
		[
			"oneOf",
			{ oneOf: [{ type: "string" }, { type: "integer" }] },
			["changed schema.oneOf"],
		],
		[
			"a tuple",
			{ type: "array", prefixItems: [{}] },
			["dropped schema.prefixItems"],
		],
		["a format", { type: "string", format: "uuid" }, ["dropped schema.format"]],
		["not", { type: "string", not: { const: "a" } }, ["dropped schema.not"]],
		[
			"steps",
			{ type: "number", multipleOf: 2, exclusiveMinimum: 1 },
			["dropped schema.multipleOf", "changed schema.exclusiveMinimum"],
		],
		["one truth", { type: "boolean", enum: [true] }, ["dropped schema.enum"]],
		[
			"a reference to nothing",
			{ $ref: "#/$defs/none" },
			["dropped schema.$ref"],
		],
		[
			"contradictions",
			{ allOf: [{ type: "string" }, { type: "integer" }] },
			["dropped schema.allOf"],
		],
		[
			"never",
			{ type: "array", items: false },
			["dropped schema.items.the schema"],
		],
	])("warns of what it cannot say: %s", (_, schema, expected) => {
		expect(written(toGoogleSchema, schema).warnings.sort()).toEqual(
			expected.sort(),
		);
	});

	it("ends, whatever refers to what", () => {
		const endless = {
			$ref: "#/$defs/a",
			$defs: { a: { type: "array", items: { $ref: "#/$defs/a" } } },
		};
		expect(written(toGoogleSchema, endless)).toEqual({
			result: { type: "ARRAY", items: {} },
			warnings: ["dropped schema.items.$ref"],
		});
		const doubling: Record<string, unknown> = { d0: { type: "string" } };
		for (let level = 1; level < 40; level++)
			doubling[`d${level}`] = {
				type: "object",
				properties: {
					p: { $ref: `#/$defs/d${level - 1}` },
					q: { $ref: `#/$defs/d${level - 1}` },
				},
			};
		const { warnings } = written(toGoogleSchema, {
			$ref: "#/$defs/d39",
			$defs: doubling,
		});
		expect(warnings.length).toBeGreaterThan(0);
		expect(warnings.length).toBeLessThan(20_000);
	});

	it("is read in either spelling, in its own order", () => {
		expect(
			fromGoogleSchema({
				type: "OBJECT",
				property_ordering: ["b", "a"],
				properties: {
					a: {
						type: "STRING",
						min_length: "2",
						nullable: true,
						format: "enum",
						enum: ["xx"],
					},
					b: {
						any_of: [{ type: "INTEGER", enum: ["1"] }],
						example: 1,
						nullable: true,
					},
				},
			}),
		).toEqual({
			type: "object",
			properties: {
				b: {
					anyOf: [{ type: "integer", enum: [1] }, { type: "null" }],
					examples: [1],
				},
				a: { type: ["string", "null"], minLength: 2, enum: ["xx", null] },
			},
		});
		expect(
			Object.keys(
				fromGoogleSchema({
					type: "OBJECT",
					propertyOrdering: ["b"],
					properties: { a: {}, b: {} },
				}).properties as object,
			),
		).toEqual(["b", "a"]);
	});
});

describe("JSON Schema for Google", () => {
	it("stays as it is, but for what the vendor knows under another name or not at all", () => {
		expect(
			written(toGoogleJsonSchema, {
				$schema: "https://json-schema.org/draft/2020-12/schema",
				type: "object",
				properties: {
					kind: { const: "x" },
					const: { type: "string", pattern: "^a", examples: ["a"] },
					count: { type: "integer", exclusiveMinimum: 0, maximum: 9 },
					share: { type: "number", exclusiveMinimum: 0 },
				},
				additionalProperties: false,
			}),
		).toEqual({
			result: {
				type: "object",
				properties: {
					kind: { enum: ["x"] },
					const: { type: "string" },
					count: { type: "integer", minimum: 1, maximum: 9 },
					share: { type: "number" },
				},
				additionalProperties: false,
			},
			warnings: [
				"dropped schema.properties.const.pattern",
				"dropped schema.properties.share.exclusiveMinimum",
			],
		});
	});
});

/** Leaves out the nulls that stand for what is not there. */
function sparse(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sparse);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).flatMap(([name, each]) =>
			each === null ? [] : [[name, sparse(each)]],
		),
	);
}

const noNulls = plainSchemas.filter(
	(schema) => !JSON.stringify(schema).includes("null"),
);
const objects: fc.Arbitrary<Json> = fc
	.tuple(noNulls, noNulls, fc.subarray(["p", "q"]))
	.map(([p, q, required]) => ({
		type: "object",
		properties: { p, q },
		required,
		additionalProperties: false,
		$defs,
	}))
	.filter((schema) => !JSON.stringify(schema).includes("allOf"));

describe("OpenAI's strict mode", () => {
	it("lets through what was right before, once its nulls are left out", () => {
		let right = 0;
		fc.assert(
			fc.property(
				objects,
				fc.array(values, { minLength: 20, maxLength: 40 }),
				(schema, samples) => {
					const { result, warnings } = written(toStrictSchema, schema);
					const strict = result as Json;
					if (warnings.some((each) => each.startsWith("dropped"))) return;
					for (const sample of samples) {
						const whole =
							typeof sample === "object" && !Array.isArray(sample)
								? { p: null, q: null, ...sample }
								: sample;
						if (!accepts(strict, whole, strict)) continue;
						right++;
						expect([whole, accepts(schema, sparse(whole), schema)]).toEqual([
							whole,
							true,
						]);
					}
				},
			),
			{ numRuns: 400 },
		);
		expect(right).toBeGreaterThan(50);
	});

	it("closes objects and makes the rest nullable, with a warning", () => {
		expect(
			written(toStrictSchema, {
				type: "object",
				properties: {
					a: { type: "string", minLength: 2 },
					b: { type: "string", enum: ["x"] },
					c: { $ref: "#/$defs/c" },
				},
				required: ["a"],
				$defs: {
					c: {
						type: "object",
						properties: { d: { type: "number" } },
						required: ["d"],
					},
				},
			}),
		).toEqual({
			result: {
				type: "object",
				properties: {
					a: { type: "string" },
					b: { type: ["string", "null"], enum: ["x", null] },
					c: { anyOf: [{ $ref: "#/$defs/c" }, { type: "null" }] },
				},
				required: ["a", "b", "c"],
				additionalProperties: false,
				$defs: {
					c: {
						type: "object",
						properties: { d: { type: "number" } },
						required: ["d"],
						additionalProperties: false,
					},
				},
			},
			warnings: [
				"dropped schema.properties.a.minLength",
				"changed schema.properties.b",
				"changed schema.properties.c",
			],
		});
	});

	it.each<[string, Json]>([
		["a map", { type: "object", additionalProperties: { type: "string" } }],
		["any object", { type: "object" }],
		[
			"an open object within",
			{ type: "object", properties: { a: { type: "object" } } },
		],
		["no object", { type: "array", items: {} }],
		[
			"alternatives at the top",
			{ type: "object", anyOf: [{}], properties: { a: {} } },
		],
	])("has no way to say %s", (_, schema) => {
		expect(written(toStrictSchema, schema).result).toBeUndefined();
	});

	it("says an object without properties", () => {
		const empty = {
			type: "object",
			properties: {},
			additionalProperties: false,
		};
		expect(written(toStrictSchema, empty).result).toEqual({
			...empty,
			required: [],
		});
	});
});

describe("Anthropic's structured outputs", () => {
	it("let through all that was right before", () => {
		let right = 0;
		fc.assert(
			fc.property(
				objects,
				fc.array(values, { minLength: 20, maxLength: 40 }),
				(schema, samples) => {
					const result = written(toAnthropicSchema, schema).result as Json;
					for (const sample of samples) {
						if (!accepts(schema, sample, schema)) continue;
						right++;
						expect(accepts(result, sample, result)).toBe(true);
					}
				},
			),
			{ numRuns: 400 },
		);
		expect(right).toBeGreaterThan(50);
	});

	it("get what the vendor does not enforce in words", () => {
		expect(
			written(toAnthropicSchema, {
				type: "object",
				properties: {
					a: {
						type: "integer",
						minimum: 1,
						maximum: 5,
						description: "How many.",
					},
					b: { type: "array", items: { type: "string" }, minItems: 3 },
				},
				required: ["a"],
			}),
		).toEqual({
			result: {
				type: "object",
				properties: {
					a: {
						type: "integer",
						description: "How many.\n\n{minimum: 1, maximum: 5}",
					},
					b: {
						type: "array",
						items: { type: "string" },
						description: "{minItems: 3}",
					},
				},
				required: ["a"],
				additionalProperties: false,
			},
			warnings: [
				"dropped schema.properties.a.minimum",
				"dropped schema.properties.a.maximum",
				"dropped schema.properties.b.minItems",
			],
		});
	});

	it("have no way to say maps and definitions that hold themselves", () => {
		const map = { type: "object", additionalProperties: true };
		expect(written(toAnthropicSchema, map).result).toBeUndefined();
		const tree = {
			$ref: "#/$defs/tree",
			$defs: {
				tree: {
					type: "object",
					properties: { left: { $ref: "#/$defs/tree" } },
				},
			},
		};
		expect(written(toAnthropicSchema, tree).result).toBeUndefined();
	});
});

it("takes schemas of any shape, and keeps names that objects have themselves", () => {
	const nasty = fc.oneof(fc.jsonValue(), plainSchemas);
	fc.assert(
		fc.property(
			fc.dictionary(
				fc.constantFrom(
					"type",
					"properties",
					"items",
					"anyOf",
					"allOf",
					"enum",
					"$ref",
					"$defs",
					"required",
					"const",
					"additionalProperties",
					"minimum",
				),
				nasty,
			),
			(schema) => {
				for (const dialect of [
					toGoogleSchema,
					toGoogleJsonSchema,
					toStrictSchema,
					toAnthropicSchema,
				])
					expect(["object", "undefined"]).toContain(
						typeof written(dialect, schema).result,
					);
				expect(typeof fromGoogleSchema(schema)).toBe("object");
			},
		),
		{ numRuns: 500 },
	);
	expect(written(toGoogleSchema, { items: { toString: null } }).result).toEqual(
		{
			type: "ARRAY",
			items: {},
		},
	);
	const odd = JSON.parse(
		'{"type":"object","properties":{"__proto__":{"type":"string"}},"required":["__proto__"],"additionalProperties":false}',
	);
	for (const dialect of [
		toGoogleSchema,
		toGoogleJsonSchema,
		toStrictSchema,
		toAnthropicSchema,
	]) {
		const { result } = written(dialect, odd);
		expect(Object.keys(result?.properties as object)).toEqual(["__proto__"]);
	}
});
