import { isUtf8 } from "node:buffer";
import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import {
	asBuffer,
	type Edit,
	type Member,
	scanMembers,
} from "./json-members.ts";

/** A client's JSON object: its bytes, where the members we know stand in them, and what they say. */
export interface RequestBody {
	readonly bytes: Buffer;
	/** The known members that are there, by name. */
	readonly members: ReadonlyMap<string, Member>;
	readonly value: Readonly<Record<string, unknown>>;
	/** After the brace that opens the object: where a new first member goes. */
	readonly start: number;
}

const deepest = 128;

/**
 * Reads a body. `known` are the members that matter to routing or metering, here or at the vendor:
 * each may stand there once and in no other spelling, because a vendor that took the other of two,
 * or one written `Model` (some JSON readers do not mind case), would answer a request that we did
 * not meter. A byte order mark is refused, as it is no part of JSON.
 */
export function readBody(
	body: Uint8Array,
	known: ReadonlySet<string>,
): Outcome<RequestBody> {
	const bytes = asBuffer(body);
	if (!isUtf8(bytes))
		return refuse(
			"request/invalid-utf8",
			"The request body is not valid UTF-8.",
		);
	const scan = scanMembers(bytes, 0, deepest);
	if (scan === "too-deep") {
		return refuse(
			"request/too-deep",
			`The request body nests deeper than ${deepest} levels.`,
			{ limit: deepest },
		);
	}
	let value: unknown;
	try {
		value = JSON.parse(bytes.toString("utf8"));
	} catch {
		return refuse("request/malformed-json", malformed(bytes));
	}
	if (!isRecord(value) || scan === undefined)
		return invalid("body", "must be a JSON object");
	const members = new Map<string, Member>();
	for (const each of scan.members) {
		if (known.has(each.name)) {
			if (members.has(each.name)) {
				return refuse(
					"request/duplicate-member",
					`The request body has "${each.name}" more than once.`,
					{
						field: each.name,
					},
				);
			}
			members.set(each.name, each);
		} else if (!/^[a-z0-9_]+$/.test(each.name)) {
			const folded = each.name.toUpperCase().toLowerCase();
			if (known.has(folded))
				return invalid(folded, "must be written in lower case");
		}
	}
	return accept({ bytes, members, value, start: bytes.indexOf(0x7b) + 1 });
}

/** A refusal that names the field. */
export function invalid(
	field: string,
	problem: string,
): { readonly ok: false; readonly error: Refusal } {
	return refuse("request/invalid", `"${field}" ${problem}.`, { field });
}

/** The model, or the refusal. */
export function readModel({ value }: RequestBody): Outcome<string> {
	const { model } = value;
	if (typeof model !== "string")
		return invalid(
			"model",
			model === undefined ? "is required" : "must be a string",
		);
	if (model.trim() === "" || model.length > 512)
		return invalid("model", "must have 1 to 512 characters");
	return accept(model);
}

/** A boolean that may be left out or null. */
export function readFlag(
	{ value }: RequestBody,
	field: string,
): Outcome<boolean> {
	const flag = value[field];
	if (flag === undefined || flag === null) return accept(false);
	return typeof flag === "boolean"
		? accept(flag)
		: invalid(field, "must be true or false");
}

/** A whole number within bounds that may be left out or null. */
export function readWhole(
	{ value }: RequestBody,
	field: string,
	least: number,
	most: number = Number.MAX_SAFE_INTEGER,
): Outcome<number | undefined> {
	const number = value[field];
	if (number === undefined || number === null) return accept(undefined);
	if (
		typeof number === "number" &&
		Number.isSafeInteger(number) &&
		number >= least &&
		number <= most
	) {
		return accept(number);
	}
	return invalid(
		field,
		`must be a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of ${least} or more`}`,
	);
}

export function isRecord(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes a member's value, in its place or as the first member. */
export function setMember(body: RequestBody, name: string, json: string): Edit {
	const { members, start } = body;
	const there = members.get(name);
	return there
		? { start: there.valueStart, end: there.valueEnd, text: json }
		: { start, end: start, text: `"${name}":${json},` };
}

function malformed(bytes: Buffer): string {
	if (bytes.length === 0) return "The request body is empty.";
	if (bytes[0] === 0xef)
		return "The request body starts with a byte order mark: send the JSON without it.";
	return "The request body is not well-formed JSON.";
}
