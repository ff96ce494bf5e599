import type { RequestTraits } from "../../ports/request-traits.ts";
import type { Meaning, WireRequest } from "../../ports/wire-protocol.ts";
import {
	type Member,
	member,
	type Scan,
	scanMembers,
	skipSpace,
	stringEnd,
} from "./json-members.ts";
import { noMedia, type RequestBody } from "./request-body.ts";

/*
 * The shape of a request, from what reading it has found: where the elements of its conversation and of
 * its tools stand, and which types they name. Nothing is parsed again; of a message only its role is
 * looked at, which nearly always stands first.
 */

export type Speaker = RequestTraits["last"];
export type Reasoning = RequestTraits["reasoning"];

export type Kinds = Pick<RequestTraits, "images" | "documents" | "audio">;

/** What differs between protocols. */
export interface Seen {
	/** Who speaks, message by message. */
	readonly speakers: readonly Speaker[];
	readonly tools: number;
	readonly schema: boolean;
	readonly reasoning: Reasoning;
	readonly logprobs: boolean;
}

/** A request that is no conversation. */
export const oneMessage: Seen = {
	speakers: ["user"],
	tools: 0,
	schema: false,
	reasoning: "none",
	logprobs: false,
};

export function traitsOf(
	request: WireRequest,
	means: Meaning,
	seen: Seen,
	{ images, documents, audio }: Kinds = noMedia,
): RequestTraits {
	const { messages, last, step } = followTurns(seen.speakers);
	const { outputLimit, choices } = request;
	return {
		means,
		inputBytes: request.inputBytes,
		messages,
		last,
		tools: seen.tools,
		step,
		images,
		documents,
		audio,
		schema: seen.schema,
		reasoning: seen.reasoning,
		logprobs: seen.logprobs,
		stream: request.stream,
		outputLimit: outputLimit === undefined ? undefined : outputLimit * choices,
	};
}

/** What one speaker says at a stretch is a turn, whether it came as one message or as many. */
function followTurns(
	speakers: readonly Speaker[],
): Pick<RequestTraits, "messages" | "last" | "step"> {
	let messages = 0;
	let step = 0;
	let turn: Speaker | undefined;
	for (const speaker of speakers) {
		if (speaker === "system") continue;
		if (speaker === "user") step = 0;
		if (speaker === turn) continue;
		turn = speaker;
		messages++;
		if (speaker === "assistant") step++;
	}
	return { messages, step, last: speakers.at(-1) ?? "user" };
}

/** The speaker of each object in a list, by its role. */
export function speakersIn(
	bytes: Buffer,
	{ valueStart, elements }: Member,
): Speaker[] {
	const speakers: Speaker[] = [];
	for (const element of elements)
		speakers.push(speakerAt(bytes, valueStart + element));
	return speakers;
}

/** Who speaks in the object that starts there. Protocols' names of roles differ in their first letter; what is none of them is the user's. */
export function speakerAt(bytes: Buffer, start: number): Speaker {
	switch (roleAt(bytes, start)) {
		case 0x61: // assistant
		case 0x6d: // model
			return "assistant";
		case 0x74: // tool
		case 0x66: // function
			return "tool";
		case 0x73: // system
		case 0x64: // developer
			return "system";
		default:
			return "user";
	}
}

const quote = 0x22;
const colon = 0x3a;

/** The first letter of an object's role. */
function roleAt(bytes: Buffer, start: number): number | undefined {
	let at = skipSpace(bytes, start + 1);
	while (bytes[at] === quote) {
		const isRole =
			bytes[at + 1] === 0x72 &&
			bytes[at + 2] === 0x6f &&
			bytes[at + 3] === 0x6c &&
			bytes[at + 4] === 0x65 &&
			bytes[at + 5] === quote;
		at = skipSpace(bytes, stringEnd(bytes, at + 1));
		if (bytes[at] !== colon) return undefined;
		at = skipSpace(bytes, at + 1);
		if (isRole) return bytes[at] === quote ? bytes[at + 1] : undefined;
		if (bytes[at] !== quote) return roleBehind(bytes, start);
		at = skipSpace(bytes, stringEnd(bytes, at + 1));
		if (bytes[at] !== 0x2c) return undefined;
		at = skipSpace(bytes, at + 1);
	}
	return undefined;
}

/** The same where the role comes after what is no text. */
function roleBehind(bytes: Buffer, start: number): number | undefined {
	const scan = membersAt(bytes, start);
	const role = scan && member(scan, "role");
	return role && bytes[role.valueStart] === quote
		? bytes[role.valueStart + 1]
		: undefined;
}

/** Tells of the elements of a list, asked for in order, whether a type fits that stands so deep in one: each type is looked at once. */
export function typesWithin(
	{ types, elements, valueStart, valueEnd }: Member,
	depth: number,
	fits: (type: string) => boolean,
): (element: number) => string | undefined {
	let next = 0;
	return (element) => {
		const start = elements[element] ?? 0;
		const end = elements[element + 1] ?? valueEnd - valueStart;
		let found: string | undefined;
		for (let type = types[next]; type && type.at < end; type = types[++next])
			if (type.depth === depth && type.at > start && fits(type.value))
				found ??= type.value;
		return found;
	};
}

/** The members of an object in the body; none where it is something else. */
export function membersOf(
	{ bytes, members }: Pick<RequestBody, "bytes" | "members">,
	name: string,
): Scan | undefined {
	const there = members.get(name);
	return there && membersAt(bytes, there.valueStart);
}

export function membersAt(bytes: Buffer, start: number): Scan | undefined {
	const scan = scanMembers(bytes, start, 128);
	return typeof scan === "object" ? scan : undefined;
}

/** A member's text, number or truth; undefined for anything else, and for what is long. */
export function scalarOf(
	bytes: Buffer,
	there: Member | undefined,
): string | number | boolean | undefined {
	if (!there || there.valueEnd - there.valueStart > 64) return undefined;
	const first = bytes[there.valueStart];
	if (first === 0x7b || first === 0x5b) return undefined;
	return (
		JSON.parse(bytes.toString("latin1", there.valueStart, there.valueEnd)) ??
		undefined
	);
}

/** How much an effort asks for, by the names that all protocols share. `usual` is what its vendors do unless told otherwise. */
export function effortOf(
	effort: unknown,
	usual: "medium" | "high" = "medium",
): Reasoning {
	switch (effort) {
		case "minimal":
		case "none":
			return "none";
		case "high":
			return usual === "high" ? "some" : "much";
		case "xhigh":
		case "max":
			return "much";
		default:
			return typeof effort === "string" ? "some" : "none";
	}
}
