/**
 * Whether a value keeps a JSON schema (2020-12, and `definitions` of before). A schema with a keyword that is not
 * understood is not judged by: nothing passes because a rule was not known.
 */
export interface SchemaCheck {
	/**
	 * The first thing that is not as it must be, in words; undefined for a value that keeps the schema, and `tooMuch`
	 * where it takes more steps than there are to find out.
	 */
	mismatch(value: unknown): string | undefined;
}

export const tooMuch = "takes too long to judge by this schema";

/**
 * Reads a schema, or says what of it is not understood. Without `patterns`, regular expressions are not run: a
 * stranger's could take for ever.
 */
export function readSchema(
	schema: unknown,
	options: { readonly patterns?: boolean; readonly steps?: number } = {},
): SchemaCheck | string {
	const strange = strangeIn(schema, options.patterns ?? true, 0);
	if (strange !== undefined) return strange;
	return {
		mismatch(value) {
			const steps = { left: options.steps ?? 1_000_000 };
			const place = { value, path: "", root: schema, depth: 0, steps };
			const problem = test(schema, place);
			if (steps.left < 0) return tooMuch;
			return problem && `${problem.path || "it"} ${problem.must}`;
		},
	};
}

/** Equal as JSON: the order of members does not count. */
export function sameJson(one: unknown, other: unknown): boolean {
	if (Array.isArray(one))
		return (
			Array.isArray(other) &&
			one.length === other.length &&
			one.every((value, at) => sameJson(value, other[at]))
		);
	if (!isObject(one)) return one === other;
	if (!isObject(other)) return false;
	const names = Object.keys(one);
	return (
		names.length === Object.keys(other).length &&
		names.every(
			(name) => Object.hasOwn(other, name) && sameJson(one[name], other[name]),
		)
	);
}

export function isObject(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Place {
	readonly value: unknown;
	readonly path: string;
	readonly root: unknown;
	readonly depth: number;
	/** Shared by all of one judging: alternatives that lead round in themselves would never end. */
	readonly steps: { left: number };
}

interface Problem {
	readonly path: string;
	readonly must: string;
}

type Json = Readonly<Record<string, unknown>>;
type Found = Problem | undefined;

const deepest = 64;

function test(schema: unknown, place: Place): Found {
	if (schema === true) return undefined;
	if (!isObject(schema)) return wrong(place, "must not be there");
	if (place.depth > deepest) return wrong(place, "is nested too deep");
	if (--place.steps.left < 0) return wrong(place, tooMuch);
	for (const [name, rule] of Object.entries(schema)) {
		if (!Object.hasOwn(keywords, name)) continue;
		const problem = keywords[name]?.(rule, place, schema);
		if (problem) return problem;
	}
	return undefined;
}

type Keyword = (rule: unknown, place: Place, schema: Json) => Found;

const keywords: Readonly<Record<string, Keyword>> = {
	type(rule, place) {
		const types = Array.isArray(rule) ? rule : [rule];
		const fits = types.some((type) => isType(String(type), place.value));
		return must(fits, place, `must be ${types.join(" or ")}`);
	},
	enum: (rule, place) =>
		must(
			list(rule).some((one) => sameJson(one, place.value)),
			place,
			"must be one of the values listed",
		),
	const: (rule, place) =>
		must(sameJson(rule, place.value), place, "must be the value given"),

	minLength: (rule, place) =>
		ifText(
			place,
			(text) => [...text].length >= Number(rule),
			`must have at least ${rule} characters`,
		),
	maxLength: (rule, place) =>
		ifText(
			place,
			(text) => [...text].length <= Number(rule),
			`must have at most ${rule} characters`,
		),
	pattern: (rule, place) =>
		ifText(
			place,
			(text) => new RegExp(String(rule), "u").test(text),
			`must match ${rule}`,
		),

	minimum: (rule, place) =>
		ifNumber(
			place,
			(value) => value >= Number(rule),
			`must be at least ${rule}`,
		),
	maximum: (rule, place) =>
		ifNumber(
			place,
			(value) => value <= Number(rule),
			`must be at most ${rule}`,
		),
	exclusiveMinimum: (rule, place) =>
		ifNumber(
			place,
			(value) => value > Number(rule),
			`must be more than ${rule}`,
		),
	exclusiveMaximum: (rule, place) =>
		ifNumber(
			place,
			(value) => value < Number(rule),
			`must be less than ${rule}`,
		),
	multipleOf: (rule, place) =>
		ifNumber(
			place,
			(value) => {
				const times = value / Number(rule);
				return Math.abs(times - Math.round(times)) < 1e-9;
			},
			`must be a multiple of ${rule}`,
		),

	required: (rule, place) =>
		ifObject(place, (object) => {
			const missing = list(rule).find(
				(name) => !Object.hasOwn(object, String(name)),
			);
			return missing === undefined
				? undefined
				: wrong(inside(place, String(missing), undefined), "is missing");
		}),
	properties: (rule, place) =>
		ifObject(place, (object) =>
			first(Object.entries(rule as Json), ([name, schema]) =>
				Object.hasOwn(object, name)
					? test(schema, inside(place, name, object[name]))
					: undefined,
			),
		),
	patternProperties: (rule, place) =>
		ifObject(place, (object) =>
			first(Object.entries(rule as Json), ([pattern, schema]) =>
				first(Object.entries(object), ([name, value]) =>
					new RegExp(pattern, "u").test(name)
						? test(schema, inside(place, name, value))
						: undefined,
				),
			),
		),
	additionalProperties: (
		rule,
		place,
		{ properties = {}, patternProperties = {} },
	) =>
		ifObject(place, (object) =>
			first(Object.entries(object), ([name, value]) => {
				const known =
					Object.hasOwn(properties as Json, name) ||
					Object.keys(patternProperties as Json).some((pattern) =>
						new RegExp(pattern, "u").test(name),
					);
				return known ? undefined : test(rule, inside(place, name, value));
			}),
		),
	propertyNames: (rule, place) =>
		ifObject(place, (object) =>
			first(Object.keys(object), (name) =>
				test(rule, { ...inside(place, name, name), value: name }),
			),
		),
	minProperties: (rule, place) =>
		ifObject(place, (object) =>
			must(
				Object.keys(object).length >= Number(rule),
				place,
				`must have at least ${rule} members`,
			),
		),
	maxProperties: (rule, place) =>
		ifObject(place, (object) =>
			must(
				Object.keys(object).length <= Number(rule),
				place,
				`must have at most ${rule} members`,
			),
		),
	dependentRequired: (rule, place) =>
		ifObject(place, (object) =>
			first(Object.entries(rule as Json), ([name, names]) =>
				Object.hasOwn(object, name)
					? keywords.required?.(names, place, {})
					: undefined,
			),
		),

	prefixItems: (rule, place) =>
		ifList(place, (values) =>
			first(list(rule).entries(), ([at, schema]) =>
				at < values.length
					? test(schema, inside(place, String(at), values[at]))
					: undefined,
			),
		),
	items: (rule, place, { prefixItems }) =>
		ifList(place, (values) =>
			first(values.entries(), ([at, value]) =>
				at < list(prefixItems ?? []).length
					? undefined
					: test(rule, inside(place, String(at), value)),
			),
		),
	minItems: (rule, place) =>
		ifList(place, (values) =>
			must(
				values.length >= Number(rule),
				place,
				`must have at least ${rule} items`,
			),
		),
	maxItems: (rule, place) =>
		ifList(place, (values) =>
			must(
				values.length <= Number(rule),
				place,
				`must have at most ${rule} items`,
			),
		),
	uniqueItems: (rule, place) =>
		ifList(place, (values) => {
			place.steps.left -= values.length ** 2;
			if (place.steps.left < 0) return wrong(place, tooMuch);
			return must(
				rule !== true ||
					values.every((value, at) =>
						values.slice(0, at).every((other) => !sameJson(value, other)),
					),
				place,
				"must not hold anything twice",
			);
		}),

	allOf: (rule, place) =>
		first(list(rule), (schema) => test(schema, deeper(place))),
	anyOf: (rule, place) =>
		must(
			list(rule).some((schema) => !test(schema, deeper(place))),
			place,
			"must keep one of several schemas",
		),
	oneOf: (rule, place) =>
		must(
			list(rule).filter((schema) => !test(schema, deeper(place))).length === 1,
			place,
			"must keep exactly one of several schemas",
		),
	not: (rule, place) =>
		must(
			test(rule, deeper(place)) !== undefined,
			place,
			"must not keep a schema",
		),
	if(rule, place, schema) {
		const branch = test(rule, deeper(place)) ? schema.else : schema.then;
		return branch === undefined ? undefined : test(branch, deeper(place));
	},
	$ref: (rule, place) => test(resolve(String(rule), place.root), deeper(place)),
};

/** Say something of a value, and ask nothing of it. `then` and `else` are read by `if`. */
const annotations = new Set([
	"$schema",
	"$id",
	"$comment",
	"title",
	"description",
	"default",
	"examples",
	"deprecated",
	"readOnly",
	"writeOnly",
	"format",
	"then",
	"else",
]);

const holdingSchema = [
	"additionalProperties",
	"propertyNames",
	"items",
	"not",
	"if",
	"then",
	"else",
];
const holdingSchemas = ["allOf", "anyOf", "oneOf", "prefixItems"];
const holdingNamed = [
	"properties",
	"patternProperties",
	"$defs",
	"definitions",
];

function strangeIn(
	schema: unknown,
	patterns: boolean,
	depth: number,
	root = schema,
): string | undefined {
	if (typeof schema === "boolean") return undefined;
	if (!isObject(schema)) return "a schema is a map";
	if (depth > deepest) return "the schema is nested too deep";
	for (const [name, rule] of Object.entries(schema)) {
		if (!patterns && (name === "pattern" || name === "patternProperties"))
			return `"${name}" is not judged here`;
		const strange = strangeRule(name, rule, root);
		if (strange !== undefined) return strange;
		const inner = holdingSchema.includes(name)
			? [rule]
			: holdingSchemas.includes(name)
				? list(rule)
				: holdingNamed.includes(name)
					? Object.values(rule as Json)
					: [];
		for (const one of inner) {
			const found = strangeIn(one, patterns, depth + 1, root);
			if (found !== undefined) return found;
		}
	}
	return undefined;
}

function strangeRule(
	name: string,
	rule: unknown,
	root: unknown,
): string | undefined {
	if (holdingNamed.includes(name) || name === "dependentRequired") {
		if (!isObject(rule)) return `"${name}" must be a map`;
		if (name === "patternProperties")
			return Object.keys(rule).find((pattern) => !isPattern(pattern));
		if (
			name === "dependentRequired" &&
			!Object.values(rule).every(Array.isArray)
		)
			return `"${name}" must hold lists`;
		return undefined;
	}
	if (holdingSchemas.includes(name) || name === "enum" || name === "required")
		return Array.isArray(rule) ? undefined : `"${name}" must be a list`;
	if (name === "pattern" && !isPattern(rule))
		return `"${String(rule).slice(0, 50)}" is no regular expression`;
	if (name === "$ref" && resolve(String(rule), root) === undefined)
		return `"${String(rule).slice(0, 50)}" leads nowhere in the schema`;
	if (name === "type") {
		const odd = (Array.isArray(rule) ? rule : [rule]).find(
			(type) => !types.includes(String(type)),
		);
		return odd === undefined
			? undefined
			: `"${String(odd).slice(0, 50)}" is no type`;
	}
	if (/^(min|max|exclusive|multiple)/.test(name) && typeof rule !== "number")
		return `"${name}" must be a number`;
	return Object.hasOwn(keywords, name) || annotations.has(name)
		? undefined
		: `the keyword "${name.slice(0, 50)}" is not understood`;
}

const types = [
	"object",
	"array",
	"string",
	"number",
	"integer",
	"boolean",
	"null",
];

function isType(type: string, value: unknown): boolean {
	switch (type) {
		case "object":
			return isObject(value);
		case "array":
			return Array.isArray(value);
		case "null":
			return value === null;
		case "integer":
			return Number.isInteger(value);
		default:
			return typeof value === type;
	}
}

function isPattern(rule: unknown): boolean {
	try {
		new RegExp(String(rule), "u");
		return typeof rule === "string";
	} catch {
		return false;
	}
}

/** A schema by its pointer: `#/$defs/item`. */
function resolve(pointer: string, root: unknown): unknown {
	if (!pointer.startsWith("#")) return undefined;
	let at: unknown = root;
	for (const part of pointer.slice(1).split("/").slice(1)) {
		const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
		if (Array.isArray(at)) at = at[Number(name)];
		else if (isObject(at) && Object.hasOwn(at, name)) at = at[name];
		else return undefined;
	}
	return at;
}

function first<T>(all: Iterable<T>, look: (one: T) => Found): Found {
	for (const one of all) {
		const found = look(one);
		if (found) return found;
	}
	return undefined;
}

function must(fits: boolean, place: Place, rule: string): Found {
	return fits ? undefined : wrong(place, rule);
}

function wrong({ path }: Place, rule: string): Problem {
	return { path, must: rule };
}

function inside(place: Place, name: string, value: unknown): Place {
	return { ...deeper(place), value, path: `${place.path}/${name}` };
}

function deeper(place: Place): Place {
	return { ...place, depth: place.depth + 1 };
}

function ifText(
	place: Place,
	fits: (text: string) => boolean,
	rule: string,
): Found {
	return typeof place.value === "string"
		? must(fits(place.value), place, rule)
		: undefined;
}

function ifNumber(
	place: Place,
	fits: (value: number) => boolean,
	rule: string,
): Found {
	return typeof place.value === "number"
		? must(fits(place.value), place, rule)
		: undefined;
}

function ifObject(place: Place, look: (object: Json) => Found): Found {
	return isObject(place.value) ? look(place.value) : undefined;
}

function ifList(
	place: Place,
	look: (values: readonly unknown[]) => Found,
): Found {
	return Array.isArray(place.value) ? look(place.value) : undefined;
}

function list(rule: unknown): readonly unknown[] {
	return Array.isArray(rule) ? rule : [];
}
