import { isUtf8 } from "node:buffer";
import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import { Fields } from "./canonical/fields.ts";
import { takeDos } from "./dos-member.ts";
import {
	asBuffer,
	type Edit,
	type Member,
	parseValue,
	type Scan,
	scanMembers,
	skipSpace,
} from "./json-members.ts";

/** A client's JSON object: its bytes, and where the members that we know stand in them. */
export interface RequestBody {
	readonly bytes: Buffer;
	/** The known members that are there, by name. */
	readonly members: ReadonlyMap<string, Member>;
	/** After the brace that opens the object: where a new first member goes. */
	readonly start: number;
	/** The value of the member `dos`, which is for us: it is in neither bytes nor members. */
	readonly dos: unknown;
	/** What `readMedia` found. */
	media: Readonly<Media>;
}

const deepest = 128;

/** In whose values the types of things are noted. */
const typed: ReadonlySet<string> = new Set([
	"messages",
	"input",
	"contents",
	"tools",
	"functions",
]);

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
	const scanned = scanBody(body);
	if (!scanned.ok) return scanned;
	const { bytes, scan, dos } = scanned.value;
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
	return accept(bodyOf(bytes, members, dos));
}

export function bodyOf(
	bytes: Buffer,
	members: ReadonlyMap<string, Member>,
	dos: unknown,
): RequestBody {
	const start = skipSpace(bytes, 0) + 1;
	return { bytes, members, start, dos, media: noMedia };
}

/** Where the members of a body stand, whatever they are; what is for us is taken out. */
export function scanBody(body: Uint8Array): Outcome<{
	readonly bytes: Buffer;
	readonly scan: Scan;
	readonly dos: unknown;
}> {
	const bytes = asBuffer(body);
	if (!isUtf8(bytes))
		return refuse(
			"request/invalid-utf8",
			"The request body is not valid UTF-8.",
		);
	const scan = scanMembers(bytes, 0, deepest, typed);
	if (scan === "too-deep") {
		return refuse(
			"request/too-deep",
			`The request body nests deeper than ${deepest} levels.`,
			{ limit: deepest },
		);
	}
	if (scan === "no-object") return invalid("body", "must be a JSON object");
	if (scan === "malformed" || skipSpace(bytes, scan.end) < bytes.length) {
		return refuse("request/malformed-json", malformed(bytes));
	}
	return takeDos(bytes, scan);
}

/** A refusal that names the field. */
export function invalid(
	field: string,
	problem: string,
): { readonly ok: false; readonly error: Refusal } {
	return refuse("request/invalid", `"${field}" ${problem}.`, { field });
}

/** A member's value; undefined when it is left out or null. */
export function readMember(
	{ bytes, members }: RequestBody,
	name: string,
): unknown {
	const there = members.get(name);
	return there && (parseValue(bytes, there) ?? undefined);
}

/** Some of the members, to be read on: the rest is not parsed. */
export function someFields(
	body: RequestBody,
	names: readonly string[],
): Fields {
	return new Fields(
		Object.fromEntries(names.map((name) => [name, readMember(body, name)])),
		"",
		() => {},
	);
}

/** What kind of value a member has, without reading it; `absent` also when it is null. */
export function kindOf(
	{ bytes, members }: RequestBody,
	name: string,
): "absent" | "array" | "object" | "string" | "other" {
	const there = members.get(name);
	switch (there && bytes[there.valueStart]) {
		case undefined:
		case 0x6e:
			return "absent";
		case 0x5b:
			return "array";
		case 0x7b:
			return "object";
		case 0x22:
			return "string";
		default:
			return "other";
	}
}

/** The model, or the refusal. */
export function readModel(body: RequestBody): Outcome<string> {
	const model = readMember(body, "model");
	if (typeof model !== "string")
		return invalid(
			"model",
			model === undefined ? "is required" : "must be a string",
		);
	if (model.trim() === "" || model.length > 512)
		return invalid("model", "must have 1 to 512 characters");
	return accept(model);
}

/** The refusal of messages or tools that are no list. */
export function refuseLists(
	body: RequestBody,
): { readonly ok: false; readonly error: Refusal } | undefined {
	const messages = kindOf(body, "messages");
	if (messages !== "array")
		return invalid(
			"messages",
			messages === "absent" ? "is required" : "must be an array",
		);
	return refuseTools(body);
}

/** The refusal of tools that are no list. */
export function refuseTools(
	body: RequestBody,
): { readonly ok: false; readonly error: Refusal } | undefined {
	const tools = kindOf(body, "tools");
	return tools === "array" || tools === "absent"
		? undefined
		: invalid("tools", "must be an array");
}

/** A boolean that may be left out or null. */
export function readFlag(body: RequestBody, field: string): Outcome<boolean> {
	const flag = readMember(body, field);
	if (flag === undefined) return accept(false);
	return typeof flag === "boolean"
		? accept(flag)
		: invalid(field, "must be true or false");
}

/** A whole number within bounds that may be left out or null. */
export function readWhole(
	body: RequestBody,
	field: string,
	least: number,
	most: number = Number.MAX_SAFE_INTEGER,
): Outcome<number | undefined> {
	const number = readMember(body, field);
	if (number === undefined) return accept(undefined);
	if (
		typeof number === "number" &&
		Number.isSafeInteger(number) &&
		number >= least &&
		number <= most
	) {
		return accept(number);
	}
	const bounds =
		most < Number.MAX_SAFE_INTEGER
			? `from ${least} to ${most}`
			: `of ${least} or more`;
	return invalid(field, `must be a whole number ${bounds}`);
}

/**
 * The types of the tools that run at the vendor: those that a type names which is not one of the
 * client's own, `isClients`.
 */
export function vendorTools(
	{ members }: RequestBody,
	isClients: (type: string) => boolean,
): string[] {
	const found: string[] = [];
	for (const { depth, value } of members.get("tools")?.types ?? []) {
		if (
			depth === 2 &&
			!isClients(value) &&
			!found.includes(value) &&
			found.length < 32
		)
			found.push(value.slice(0, 64));
	}
	return found;
}

/** Media among the messages: how many, how many of a kind as far as it is known, and the bytes that they take as base64. */
export interface Media {
	parts: number;
	bytes: number;
	images: number;
	documents: number;
	audio: number;
}

export const noMedia: Readonly<Media> = {
	parts: 0,
	bytes: 0,
	images: 0,
	documents: 0,
	audio: 0,
};

/** Counts one more. A video is for who can see, and what is no picture and no sound is a document. */
export function countKind(media: Media, type: string): void {
	media.parts++;
	if (/image|video|screenshot/.test(type)) media.images++;
	else if (/audio/.test(type)) media.audio++;
	else media.documents++;
}

/** Counts media, if a type anywhere in the messages names some; else the messages are not parsed. */
export function readMedia(
	body: RequestBody,
	mediaTypes: ReadonlySet<string>,
	count: (messages: readonly unknown[], media: Media) => void,
	member: "messages" | "input" = "messages",
): Readonly<Media> {
	if (
		body.members.get(member)?.types.some(({ value }) => mediaTypes.has(value))
	) {
		const media = { ...noMedia };
		count(readMember(body, member) as readonly unknown[], media);
		body.media = media;
	}
	return body.media;
}

export function isRecord(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes a member's value, in its place or as the first member. */
export function setMember(
	{ members, start }: RequestBody,
	name: string,
	json: string,
): Edit {
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
