import type { Json, Warn } from "../../../ports/translator.ts";
import { isRecord, listOf, present } from "./fields.ts";

/*
 * The canonical form holds JSON Schema. What vendors hold their models to are dialects of it, each
 * smaller; what a dialect cannot say is warned of by its place. Facts from
 * - ai.google.dev/api/caching#Schema and ai.google.dev/api/generate-content#FIELDS.response_json_schema;
 * - developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas";
 * - platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations".
 */

/** Keywords that say nothing about which values are right. */
const annotations: ReadonlySet<string> = new Set([
	"$schema",
	"$comment",
	"$id",
	"$anchor",
	"title",
	"description",
	"default",
	"examples",
	"deprecated",
	"readOnly",
	"writeOnly",
]);

/**
 * For Google's members that take JSON Schema (`parametersJsonSchema`, `responseJsonSchema`): as it
 * is, but for `const`, which they only know as an `enum` of one, and what they do not know: left
 * out, as one such keyword in one of many tools would have the request refused.
 */
export function toGoogleJsonSchema(
	schema: Json,
	field: string,
	warn: Warn,
): Json {
	return mapped(schema, field, (here, path) => {
		const kept: Record<string, unknown> = {};
		for (const [name, said] of Object.entries(here)) {
			if (googleJsonKeywords.has(name)) kept[name] = said;
			else if (name === "const") kept.enum = [said];
			else if (!annotations.has(name) && !isBound(here, name, said))
				ignored(name, path, warn);
		}
		return withWholeBounds(here, kept);
	}) as Json;
}

/** A bound of whole numbers that can be said as the number next to it. */
function isBound(here: Json, name: string, said: unknown): boolean {
	return (
		(name === "exclusiveMinimum" || name === "exclusiveMaximum") &&
		here.type === "integer" &&
		typeof said === "number"
	);
}

function withWholeBounds(here: Json, kept: Record<string, unknown>): Json {
	const { exclusiveMinimum: above, exclusiveMaximum: below } = here;
	const { minimum, maximum } = here;
	if (isBound(here, "exclusiveMinimum", above)) {
		const least = Math.floor(above as number) + 1;
		kept.minimum =
			typeof minimum === "number" ? Math.max(minimum, least) : least;
	}
	if (isBound(here, "exclusiveMaximum", below)) {
		const most = Math.ceil(below as number) - 1;
		kept.maximum = typeof maximum === "number" ? Math.min(maximum, most) : most;
	}
	return kept;
}

const googleJsonKeywords: ReadonlySet<string> = new Set([
	"$id",
	"$anchor",
	"title",
	"description",
	"default",
	"$defs",
	"$ref",
	"type",
	"format",
	"enum",
	"items",
	"prefixItems",
	"minItems",
	"maxItems",
	"minimum",
	"maximum",
	"anyOf",
	"oneOf",
	"properties",
	"additionalProperties",
	"required",
	"propertyOrdering",
]);

/** As Google's `Schema`, its subset of OpenAPI 3.0. References are put in their places. */
export function toGoogleSchema(schema: Json, field: string, warn: Warn): Json {
	const definitions: Json = {
		...(isRecord(schema.definitions) && schema.definitions),
		...(isRecord(schema.$defs) && schema.$defs),
	};
	/** Definitions that are being written: one that holds itself has no end. */
	const within: string[] = [];
	let left = mostSchemas;
	let room = leastRoom + mostCopies * JSON.stringify(schema).length;

	/** A definition to put in a reference's place; undefined where there is none, or where copies have taken all the room. */
	function defined(name: string | undefined): unknown {
		const key = name?.replaceAll("~1", "/").replaceAll("~0", "~");
		if (
			key === undefined ||
			!Object.hasOwn(definitions, key) ||
			within.includes(key)
		)
			return undefined;
		const there = definitions[key];
		room -= JSON.stringify(there).length;
		return room < 0 ? undefined : there;
	}

	function write(value: unknown, path: string): Json {
		if (!isRecord(value) || left-- <= 0) {
			if (value === false || left <= 0) ignored("the schema", path, warn);
			return {};
		}
		if (typeof value.$ref === "string") return refer(value, value.$ref, path);
		const alternatives = [...listOf(value.anyOf), ...listOf(value.oneOf)];
		if (Array.isArray(value.oneOf)) changed("oneOf", "anyOf", path, warn);
		const whole = Array.isArray(value.allOf)
			? joined(value, value.allOf, path)
			: value;
		const types = typesOf(whole);
		const nullable = types.includes("null") || holdsNull(whole);
		const others = types.filter((each) => each !== "null");
		if (alternatives.length > 0) {
			const kept = alternatives.filter((each) => !isNullSchema(each));
			const choices = kept.map((each, index) =>
				write(each, `${path}.anyOf.${index}`),
			);
			const orNull = nullable || kept.length < alternatives.length;
			const { anyOf, oneOf, ...base } = whole;
			const [first = {}] = choices;
			if (choices.length === 1 && !isOwnSchema(base))
				return { ...words(whole), ...first, ...(orNull && { nullable: true }) };
			return {
				...single(base, others[0], path),
				anyOf: choices,
				...(orNull && { nullable: true }),
			};
		}
		const branches =
			others.length > 1
				? others
				: others.length === 0 && Array.isArray(whole.enum)
					? kindsOf(whole.enum)
					: [];
		if (branches.length > 1) {
			return {
				...words(whole),
				anyOf: branches.map((type) => single(whole, type, path)),
				...(nullable && { nullable: true }),
			};
		}
		if (nullable && others.length === 0 && branches.length === 0)
			return { ...words(whole), type: "NULL" };
		return {
			...words(whole),
			...single(whole, others[0] ?? branches[0], path),
			...(nullable && { nullable: true }),
		};
	}

	function refer(value: Json, ref: string, path: string): Json {
		const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1];
		const definition = defined(name);
		if (name === undefined || definition === undefined) {
			ignored("$ref", path, warn);
			return words(value);
		}
		within.push(name.replaceAll("~1", "/").replaceAll("~0", "~"));
		const there = write(definition, path);
		within.pop();
		return { ...there, ...words(value) };
	}

	/** Says all of them at once, as far as they do not contradict each other. */
	function joined(value: Json, parts: readonly unknown[], path: string): Json {
		const { allOf, ...base } = value;
		const result: Record<string, unknown> = { ...base };
		for (const part of parts) {
			const name =
				isRecord(part) && typeof part.$ref === "string"
					? /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(part.$ref)?.[1]
					: undefined;
			const there = name === undefined ? part : defined(name);
			if (!isRecord(there) || "$ref" in there || "allOf" in there) {
				ignored("allOf", path, warn);
				continue;
			}
			for (const [keyword, said] of Object.entries(there)) {
				if (keyword === "properties" && isRecord(result.properties)) {
					result.properties = { ...result.properties, ...(said as object) };
				} else if (keyword === "required") {
					result.required = [
						...new Set([...listOf(result.required), ...listOf(said)]),
					];
				} else if (
					result[keyword] === undefined ||
					JSON.stringify(result[keyword]) === JSON.stringify(said)
				) {
					result[keyword] = said;
				} else if (!annotations.has(keyword)) {
					ignored("allOf", path, warn);
				}
			}
		}
		return result;
	}

	/** A schema of one type. */
	function single(value: Json, type: string | undefined, path: string): Json {
		const result: Record<string, unknown> = {};
		const kind = type ?? impliedType(value);
		if (kind) result.type = kind.toUpperCase();
		for (const [keyword, said] of Object.entries(value)) {
			switch (keyword) {
				case "properties": {
					if (kind !== "object" || !isRecord(said)) break;
					const properties: Record<string, unknown> = {};
					for (const [name, each] of Object.entries(said))
						if (each !== false)
							define(
								properties,
								name,
								write(each, `${path}.properties.${name}`),
							);
					result.properties = properties;
					break;
				}
				case "items":
					if (kind === "array") result.items = write(said, `${path}.items`);
					break;
				case "enum":
				case "const":
					writeEnum(result, keyword === "const" ? [said] : listOf(said), path);
					break;
				case "required":
					if (kind === "object" && listOf(said).length > 0)
						result.required = said;
					break;
				case "exclusiveMinimum":
				case "exclusiveMaximum":
					writeBound(result, value, keyword, said, path);
					break;
				case "format":
					if (typeof said !== "string") break;
					if (googleFormats[kind ?? ""]?.includes(said)) result.format = said;
					else ignored("format", path, warn);
					break;
				case "additionalProperties":
					// The vendor's models keep to the properties that are named.
					if (said !== false && kind === "object") ignored(keyword, path, warn);
					break;
				case "examples":
					if (Array.isArray(said)) result.example = said[0];
					break;
				case "anyOf":
				case "oneOf":
				case "type":
				case "definitions":
				case "$defs":
					break;
				default:
					if (!(googleKeywords.get(keyword) ?? []).includes(kind ?? "")) {
						if (!annotations.has(keyword) && !googleKeywords.has(keyword))
							ignored(keyword, path, warn);
					} else if (result[keyword] === undefined) {
						result[keyword] = said;
					}
			}
		}
		return result;
	}

	function writeEnum(
		result: Record<string, unknown>,
		values: readonly unknown[],
		path: string,
	): void {
		const type = String(result.type ?? "STRING").toLowerCase();
		const kinds = type === "integer" ? ["integer"] : [type];
		if (type === "number") kinds.push("integer");
		const said = values.filter((each) => kinds.includes(kindOf(each)));
		if (type === "boolean" && new Set(said).size === 2) return;
		if (type !== "string" && type !== "number" && type !== "integer") {
			if (said.length > 0) ignored("enum", path, warn);
			return;
		}
		if (said.length === 0) return;
		result.type = type.toUpperCase();
		result.format = "enum";
		result.enum = said.map(String);
	}

	function writeBound(
		result: Record<string, unknown>,
		value: Json,
		keyword: "exclusiveMinimum" | "exclusiveMaximum",
		said: unknown,
		path: string,
	): void {
		if (typeof said !== "number") return;
		const up = keyword === "exclusiveMinimum";
		const name = up ? "minimum" : "maximum";
		const whole = result.type === "INTEGER";
		const bound = !whole
			? said
			: up
				? Math.floor(said) + 1
				: Math.ceil(said) - 1;
		if (!whole) changed(keyword, name, path, warn);
		const other = value[name];
		result[name] =
			typeof other !== "number"
				? bound
				: up
					? Math.max(other, bound)
					: Math.min(other, bound);
	}

	return write(schema, field);
}

/** More than any tool has: references within references could go on for ever. */
const mostSchemas = 5_000;
/** What copies of definitions may come to, in characters and by the schema's own size: a small one could become gigabytes. */
const leastRoom = 4_096;
const mostCopies = 16;

const googleFormats: Readonly<Record<string, readonly string[]>> = {
	string: ["date-time", "enum"],
	number: ["float", "double"],
	integer: ["int32", "int64"],
};

const numeric = ["number", "integer"];

/** Keywords that are taken as they are, by the types that have them. */
const googleKeywords: ReadonlyMap<string, readonly string[]> = new Map([
	["minItems", ["array"]],
	["maxItems", ["array"]],
	["minimum", numeric],
	["maximum", numeric],
	["minLength", ["string"]],
	["maxLength", ["string"]],
	["pattern", ["string"]],
	["minProperties", ["object"]],
	["maxProperties", ["object"]],
	["propertyOrdering", ["object"]],
	["default", ["string", "number", "integer", "boolean", "array", "object"]],
]);

/** Google's `Schema`, in either spelling of its members, as JSON Schema. Nothing is lost. */
export function fromGoogleSchema(schema: unknown): Json {
	if (!isRecord(schema)) return {};
	const said: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(schema))
		said[googleNames.get(name) ?? name] = value;
	const {
		type,
		nullable,
		enum: values,
		example,
		propertyOrdering,
		anyOf,
		items,
		properties,
		format,
		...rest
	} = said;
	const kind =
		typeof type === "string" && !/^type_unspecified$/i.test(type)
			? type.toLowerCase()
			: undefined;
	for (const name of counts)
		if (typeof rest[name] === "string") rest[name] = Number(rest[name]);
	const isNumber = kind === "number" || kind === "integer";
	const choices = Array.isArray(values)
		? values.map((each) =>
				isNumber && typeof each === "string" ? Number(each) : each,
			)
		: undefined;
	const alternatives = Array.isArray(anyOf)
		? anyOf.map(fromGoogleSchema)
		: undefined;
	const orNull = nullable === true;
	return present({
		type: orNull && kind ? [kind, "null"] : kind,
		...rest,
		format: format === "enum" ? undefined : format,
		enum: orNull && choices ? [...choices, null] : choices,
		examples: example === undefined ? undefined : [example],
		items: items === undefined ? undefined : fromGoogleSchema(items),
		properties: isRecord(properties)
			? inOrder(properties, listOf(propertyOrdering))
			: undefined,
		anyOf:
			orNull && alternatives
				? [...alternatives, { type: "null" }]
				: alternatives,
	});
}

const counts = [
	"minItems",
	"maxItems",
	"minLength",
	"maxLength",
	"minProperties",
	"maxProperties",
];

const googleNames: ReadonlyMap<string, string> = new Map([
	["any_of", "anyOf"],
	["min_items", "minItems"],
	["max_items", "maxItems"],
	["min_length", "minLength"],
	["max_length", "maxLength"],
	["min_properties", "minProperties"],
	["max_properties", "maxProperties"],
	["property_ordering", "propertyOrdering"],
]);

function inOrder(properties: Json, order: readonly unknown[]): Json {
	const result: Record<string, unknown> = {};
	const names = order.filter(
		(each): each is string =>
			typeof each === "string" && Object.hasOwn(properties, each),
	);
	for (const name of [...names, ...Object.keys(properties)])
		if (!Object.hasOwn(result, name))
			define(result, name, fromGoogleSchema(properties[name]));
	return result;
}

/**
 * For OpenAI's strict mode: objects are closed, all their properties required, and one that need
 * not be there may be null in its place (warned of, as the client gets that null). Undefined where
 * strict mode has no way to say it, as with an object of any properties: then ask without.
 */
export function toStrictSchema(
	schema: Json,
	field: string,
	warn: Warn,
): Json | undefined {
	if (!typesOf(schema).includes("object") || schema.anyOf || schema.oneOf)
		return undefined;
	let open = false;
	const strict = mapped(schema, field, (here, path, node) => {
		const result: Record<string, unknown> = {};
		for (const [name, said] of Object.entries(here)) {
			if (name === "oneOf") {
				changed("oneOf", "anyOf", path, warn);
				result.anyOf = said;
			} else if (name === "format" && !strictFormats.has(String(said)))
				ignored(name, path, warn);
			else if (strictKeywords.has(name)) result[name] = said;
			else if (!annotations.has(name)) ignored(name, path, warn);
		}
		if (!isObjectSchema(here)) return result;
		if (isOpen(node)) open = true;
		const properties = isRecord(here.properties) ? here.properties : {};
		const required = listOf(here.required);
		const closed: Record<string, unknown> = {};
		for (const [name, each] of Object.entries(properties)) {
			const optional = !required.includes(name);
			define(closed, name, optional ? orNull(each) : each);
			if (optional)
				warn({
					kind: "changed",
					field: `${path}.properties.${name}`,
					message:
						"The model may not leave this property out: it gives null in its place.",
				});
		}
		return {
			...result,
			type: result.type ?? "object",
			properties: closed,
			required: Object.keys(properties),
			additionalProperties: false,
		};
	}) as Json;
	return open ? undefined : strict;
}

const strictKeywords: ReadonlySet<string> = new Set([
	"type",
	"description",
	"title",
	"enum",
	"const",
	"anyOf",
	"items",
	"properties",
	"required",
	"additionalProperties",
	"$ref",
	"$defs",
	"definitions",
	"pattern",
	"format",
	"multipleOf",
	"minimum",
	"maximum",
	"exclusiveMinimum",
	"exclusiveMaximum",
	"minItems",
	"maxItems",
]);

const strictFormats: ReadonlySet<string> = new Set([
	"date-time",
	"time",
	"date",
	"duration",
	"email",
	"hostname",
	"ipv4",
	"ipv6",
	"uuid",
]);

/**
 * For Anthropic's structured outputs and strict tools: objects are closed, and what the vendor does
 * not enforce is left out and put into the description, so that the model still reads it. Undefined
 * where it has no way to say it: objects of any properties, definitions that hold themselves.
 */
export function toAnthropicSchema(
	schema: Json,
	field: string,
	warn: Warn,
): Json | undefined {
	if (isRecursive(schema)) return undefined;
	let open = false;
	const closed = mapped(schema, field, (here, path, node) => {
		const result: Record<string, unknown> = {};
		const told: string[] = [];
		for (const [name, said] of Object.entries(here)) {
			if (name === "oneOf") {
				changed("oneOf", "anyOf", path, warn);
				result.anyOf = said;
			} else if (isEnforced(name, said)) result[name] = said;
			else if (!annotations.has(name)) {
				ignored(name, path, warn);
				if (typeof said !== "object") told.push(`${name}: ${said}`);
			}
		}
		if (told.length > 0) {
			const note = `{${told.join(", ")}}`;
			result.description =
				typeof here.description === "string"
					? `${here.description}\n\n${note}`
					: note;
		}
		if (!isObjectSchema(here)) return result;
		if (isOpen(node)) open = true;
		return { ...result, additionalProperties: false };
	}) as Json;
	return open ? undefined : closed;
}

function isEnforced(name: string, said: unknown): boolean {
	if (name === "minItems") return said === 0 || said === 1;
	if (name === "format") return anthropicFormats.has(String(said));
	if (name === "enum")
		return listOf(said).every((each) => typeof each !== "object" || !each);
	return anthropicKeywords.has(name);
}

const anthropicKeywords: ReadonlySet<string> = new Set([
	"type",
	"description",
	"title",
	"default",
	"const",
	"anyOf",
	"allOf",
	"items",
	"properties",
	"required",
	"additionalProperties",
	"$ref",
	"$defs",
	"definitions",
]);

const anthropicFormats: ReadonlySet<string> = new Set([
	...strictFormats,
	"uri",
]);

/** Each schema within, the inmost first, as `rewrite` has it; `node` is what it was before. */
function mapped(
	value: unknown,
	path: string,
	rewrite: (here: Json, path: string, node: Json) => Json,
): unknown {
	if (!isRecord(value)) return value;
	const inner = (each: unknown, place: string) =>
		mapped(each, `${path}.${place}`, rewrite);
	const here: Record<string, unknown> = {};
	for (const [name, said] of Object.entries(value)) {
		if (mapsOfSchemas.has(name) && isRecord(said)) {
			const result: Record<string, unknown> = {};
			for (const [key, each] of Object.entries(said))
				define(result, key, inner(each, `${name}.${key}`));
			here[name] = result;
		} else if (listsOfSchemas.has(name) && Array.isArray(said)) {
			here[name] = said.map((each, index) => inner(each, `${name}.${index}`));
		} else if (schemas.has(name)) {
			here[name] = Array.isArray(said)
				? said.map((each, index) => inner(each, `${name}.${index}`))
				: inner(said, name);
		} else {
			here[name] = said;
		}
	}
	return rewrite(here, path, value);
}

const mapsOfSchemas: ReadonlySet<string> = new Set([
	"properties",
	"$defs",
	"definitions",
	"patternProperties",
	"dependentSchemas",
]);
const listsOfSchemas: ReadonlySet<string> = new Set([
	"anyOf",
	"oneOf",
	"allOf",
	"prefixItems",
]);
const schemas: ReadonlySet<string> = new Set([
	"items",
	"additionalProperties",
	"additionalItems",
	"not",
	"if",
	"then",
	"else",
	"contains",
	"propertyNames",
	"unevaluatedItems",
	"unevaluatedProperties",
]);

function ignored(name: string, path: string, warn: Warn): void {
	warn({
		kind: "dropped",
		field: `${path}.${name}`,
		// A name that the client made up is the client's, and messages are recorded.
		message: `The vendor does not hold its models to ${vocabulary.has(name) ? `"${name}"` : "a keyword that is unknown"} here.`,
	});
}

/** JSON Schema's own keywords, and those of OpenAPI. */
const vocabulary: ReadonlySet<string> = new Set([
	"the schema",
	"additionalItems",
	"additionalProperties",
	"allOf",
	"anyOf",
	"const",
	"contains",
	"contentEncoding",
	"contentMediaType",
	"contentSchema",
	"default",
	"definitions",
	"dependencies",
	"dependentRequired",
	"dependentSchemas",
	"description",
	"discriminator",
	"else",
	"enum",
	"example",
	"examples",
	"exclusiveMaximum",
	"exclusiveMinimum",
	"format",
	"if",
	"items",
	"maxContains",
	"maxItems",
	"maxLength",
	"maxProperties",
	"maximum",
	"minContains",
	"minItems",
	"minLength",
	"minProperties",
	"minimum",
	"multipleOf",
	"not",
	"nullable",
	"oneOf",
	"pattern",
	"patternProperties",
	"prefixItems",
	"properties",
	"propertyNames",
	"propertyOrdering",
	"readOnly",
	"required",
	"then",
	"title",
	"type",
	"unevaluatedItems",
	"unevaluatedProperties",
	"uniqueItems",
	"writeOnly",
	"$anchor",
	"$comment",
	"$defs",
	"$dynamicAnchor",
	"$dynamicRef",
	"$id",
	"$ref",
	"$schema",
]);

function changed(name: string, other: string, path: string, warn: Warn): void {
	warn({
		kind: "changed",
		field: `${path}.${name}`,
		message: `The vendor knows no "${name}": it was sent as "${other}", which lets more pass.`,
	});
}

function typesOf(schema: Json): readonly string[] {
	return (Array.isArray(schema.type) ? schema.type : [schema.type]).filter(
		(each): each is string => typeof each === "string",
	);
}

function impliedType(schema: Json): string | undefined {
	if (isRecord(schema.properties)) return "object";
	if (schema.items !== undefined) return "array";
	return "const" in schema ? kindOf(schema.const) : undefined;
}

function isObjectSchema(schema: Json): boolean {
	return typesOf(schema).includes("object") || isRecord(schema.properties);
}

/** Has properties whose names are not known. */
function isOpen({ additionalProperties: more, properties }: Json): boolean {
	if (more !== undefined && more !== false) return true;
	const named = isRecord(properties) && Object.keys(properties).length > 0;
	return more === undefined && !named;
}

function isNullSchema(schema: unknown): boolean {
	return isRecord(schema) && schema.type === "null";
}

function holdsNull(schema: Json): boolean {
	if ("const" in schema) return schema.const === null;
	return typesOf(schema).length === 0 && listOf(schema.enum).includes(null);
}

/** Whether it says more than its alternatives do. */
function isOwnSchema(base: Json): boolean {
	return Object.keys(base).some((name) => !annotations.has(name));
}

function words({ title, description }: Json): Json {
	return present({
		title: typeof title === "string" ? title : undefined,
		description: typeof description === "string" ? description : undefined,
	});
}

function kindsOf(values: readonly unknown[]): string[] {
	const kinds = new Set(values.map(kindOf));
	kinds.delete("null");
	if (kinds.has("number")) kinds.delete("integer");
	return [...kinds];
}

function kindOf(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	if (typeof value === "number")
		return Number.isInteger(value) ? "integer" : "number";
	return typeof value;
}

/** The same or null. */
function orNull(schema: unknown): unknown {
	if (!isRecord(schema)) return schema;
	const types = typesOf(schema);
	if (types.length === 0 || "const" in schema || "$ref" in schema)
		return Array.isArray(schema.anyOf) && Object.keys(schema).length === 1
			? { anyOf: [...schema.anyOf, { type: "null" }] }
			: { anyOf: [schema, { type: "null" }] };
	if (types.includes("null")) return schema;
	return {
		...schema,
		type: [...types, "null"],
		...(Array.isArray(schema.enum) && { enum: [...schema.enum, null] }),
	};
}

function isRecursive(root: Json): boolean {
	const definitions: Json = {
		...(isRecord(root.definitions) && root.definitions),
		...(isRecord(root.$defs) && root.$defs),
	};
	const done = new Set<string>();
	function reaches(value: unknown, within: readonly string[]): boolean {
		if (Array.isArray(value))
			return value.some((each) => reaches(each, within));
		if (!isRecord(value)) return false;
		if (typeof value.$ref === "string") {
			const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(value.$ref)?.[1];
			if (name === undefined || within.includes(name)) return true;
			if (!done.has(name)) {
				if (reaches(definitions[name], [...within, name])) return true;
				done.add(name);
			}
		}
		return Object.entries(value).some(
			([name, each]) =>
				name !== "$defs" && name !== "definitions" && reaches(each, within),
		);
	}
	return reaches(root, []);
}

/** Sets a member whatever its name, `__proto__` too. */
function define(
	record: Record<string, unknown>,
	name: string,
	value: unknown,
): void {
	if (name === "__proto__")
		Object.defineProperty(record, name, {
			value,
			enumerable: true,
			configurable: true,
			writable: true,
		});
	else record[name] = value;
}
