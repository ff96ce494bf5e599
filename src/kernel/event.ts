/**
 * The event: what the log records, and the one definition of the bytes that are hashed.
 *
 * **Canonical bytes.** An event's canonical form is its *line*: one JSON object in UTF-8 with no
 * insignificant white space, whose members stand in this order, absent ones left out:
 *
 *     position, previous, time, stream, version, type, actor, cause, correlation, key, input, data
 *
 * Strings are escaped as ECMAScript's JSON.stringify does (RFC 8785, section 3.2.2.2); numbers are
 * integers within ±2^53; `data` is a JSON object kept byte for byte as it was first written.
 *
 * **Hash.** `hash = SHA-256(0x00 ‖ line)`: exactly the leaf hash of RFC 6962, section 2.1. One hash
 * therefore serves twice: `previous` of the next event chains the log, and the same value is the
 * event's leaf in the Merkle tree. An export writes these lines as they are, so a stranger checks
 * an event with `(printf '\0'; printf %s "$line") | sha256sum`.
 */

/** A JSON object as an event carries it. */
export type JsonObject = { readonly [name: string]: unknown };

/** What a decider wants recorded; the head gives it its place and time. */
export interface EventDraft {
	/** What it happened to, as `kind/id`: `account/main`. */
	readonly stream: string;
	/** `noun-past-verb`: `credits-held`. */
	readonly type: string;
	readonly data: JsonObject;
}

/** Who wanted it, and why. */
export interface Why {
	/** `operator`, `key/<id>`, `system`. */
	readonly actor: string;
	/** What led to it: the id of a call or of another event. */
	readonly cause?: string | undefined;
	/** What belongs together: the id of a request or a session. */
	readonly correlation?: string | undefined;
}

/** An event as it is stored. */
export interface StoredEvent extends Why {
	/** 1 for the first event of the log, then without gaps, in commit order. */
	readonly position: number;
	/** Hash of the event before, hex; 64 zeros before the first. */
	readonly previous: string;
	/** Milliseconds since 1970 UTC, never before the event ahead of it. */
	readonly time: number;
	readonly stream: string;
	/** 1 for the first event of the stream, then without gaps. */
	readonly version: number;
	readonly type: string;
	/** Idempotency key of the command that caused it; unique in the log. */
	readonly key?: string | undefined;
	/** Hash of that command's input, so that the same key with another input is found out. */
	readonly input?: string | undefined;
	/** The data as JSON text, byte for byte as hashed. */
	readonly data: string;
	/** Hex. */
	readonly hash: string;
}

/** An event as deciders and projections read it. */
export interface DomainEvent<Type extends string = string, Data = JsonObject> {
	readonly type: Type;
	readonly data: Data;
	readonly stream: string;
	readonly time: number;
	readonly position: number;
}

/** SHA-256 of a text's UTF-8 bytes, in lower-case hex. Comes in as an argument: the kernel has no I/O. */
export type HashText = (text: string) => string;

export const genesisHash: string = "0".repeat(64);

/** The canonical line of an event (see the head of this file). */
export function canonicalLine(event: Omit<StoredEvent, "hash">): string {
	let line =
		`{"position":${event.position},"previous":"${event.previous}","time":${event.time},` +
		`"stream":${quote(event.stream)},"version":${event.version},"type":${quote(event.type)},"actor":${quote(event.actor)}`;
	if (event.cause !== undefined) line += `,"cause":${quote(event.cause)}`;
	if (event.correlation !== undefined)
		line += `,"correlation":${quote(event.correlation)}`;
	if (event.key !== undefined) line += `,"key":${quote(event.key)}`;
	if (event.input !== undefined) line += `,"input":${quote(event.input)}`;
	return `${line},"data":${event.data}}`;
}

export function hashLine(line: string, hashText: HashText): string {
	return hashText(`\0${line}`);
}

/** Gives an event its place behind `previous`, and its hash. */
export function sealEvent(
	event: Omit<StoredEvent, "hash">,
	hashText: HashText,
): StoredEvent {
	return { ...event, hash: hashLine(canonicalLine(event), hashText) };
}

/**
 * Reads a line back, or undefined when it is no canonical line: `parseLine(canonicalLine(e))` is `e`,
 * and a line with other white space, order or members is refused. `data` may be any JSON object's text
 * without white space around it and without line breaks.
 */
export function parseLine(
	line: string,
	hashText: HashText,
): StoredEvent | undefined {
	// A quote inside a string is escaped, so the first match is the member itself.
	const at = line.indexOf(dataMember);
	if (
		at < 0 ||
		!line.endsWith("}") ||
		line.includes("\n") ||
		line.includes("\r")
	)
		return undefined;
	const data = line.slice(at + dataMember.length, -1);
	const envelope = parseJson(`${line.slice(0, at)}}`) as
		| Partial<Omit<StoredEvent, "hash" | "data">>
		| undefined;
	if (
		!envelope ||
		!data.startsWith("{") ||
		!data.endsWith("}") ||
		!parseJson(data)
	)
		return undefined;
	const {
		position,
		previous,
		time,
		stream,
		version,
		type,
		actor,
		cause,
		correlation,
		key,
		input,
	} = envelope;
	if (![position, time, version].every(Number.isSafeInteger)) return undefined;
	if (
		![previous, stream, type, actor].every((value) => typeof value === "string")
	)
		return undefined;
	if (
		![cause, correlation, key, input].every(
			(value) => value === undefined || typeof value === "string",
		)
	) {
		return undefined;
	}
	const event = { ...envelope, data } as Omit<StoredEvent, "hash">;
	if (canonicalLine(event) !== line) return undefined;
	return { ...event, hash: hashLine(line, hashText) };
}

/** The event as deciders read it, its data parsed. */
export function readEvent(
	event: Pick<StoredEvent, "position" | "time" | "stream" | "type" | "data">,
): DomainEvent {
	return {
		type: event.type,
		data: JSON.parse(event.data) as JsonObject,
		stream: event.stream,
		time: event.time,
		position: event.position,
	};
}

const plain = /^[\w\-/.:@ ]*$/;

/** JSON.stringify for a string, quicker for the plain ids that nearly all of ours are. */
function quote(text: string): string {
	return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

const dataMember = ',"data":';

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}
