/**
 * Finds the members of a JSON object in its bytes, so that a few can be changed and all else stays
 * as it was sent. It does not validate: what it says holds for bytes that `JSON.parse` accepts, and
 * for any others it ends without a throw, in one pass, on no stack but its own counter.
 */

/** Where a member stands. A name's span has its quotes, a value's has no white space around it. */
export interface Member {
	readonly name: string;
	readonly nameStart: number;
	readonly nameEnd: number;
	readonly valueStart: number;
	readonly valueEnd: number;
}

/** A change to make: the bytes from `start` to `end` give way to `text`. */
export interface Edit {
	readonly start: number;
	readonly end: number;
	readonly text: string;
}

export interface Scan {
	/** In order; two of one name are two members. */
	readonly members: readonly Member[];
	/** After the brace that closes the object. */
	readonly end: number;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.isBuffer(bytes)
		? bytes
		: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The members of the object that starts at `from` (after white space). `too-deep` when anything
 * there nests deeper than `depth`; undefined when it is no object or has no end.
 */
export function scanMembers(
	bytes: Buffer,
	from: number,
	depth: number,
): Scan | "too-deep" | undefined {
	let at = skipSpace(bytes, from);
	if (bytes[at] !== openBrace)
		return skipValue(bytes, at, depth) === tooDeep ? "too-deep" : undefined;
	at = skipSpace(bytes, at + 1);
	const members: Member[] = [];
	if (bytes[at] === closeBrace) return { members, end: at + 1 };
	for (;;) {
		if (bytes[at] !== quote) return undefined;
		const nameStart = at;
		const nameEnd = stringEnd(bytes, at + 1);
		if (nameEnd < 0) return undefined;
		at = skipSpace(bytes, nameEnd);
		if (bytes[at] !== colon) return undefined;
		const valueStart = skipSpace(bytes, at + 1);
		const valueEnd = skipValue(bytes, valueStart, depth - 1);
		if (valueEnd === tooDeep) return "too-deep";
		if (valueEnd <= valueStart) return undefined;
		members.push({
			name: nameAt(bytes, nameStart, nameEnd),
			nameStart,
			nameEnd,
			valueStart,
			valueEnd,
		});
		at = skipSpace(bytes, valueEnd);
		if (bytes[at] === closeBrace) return { members, end: at + 1 };
		if (bytes[at] !== comma) return undefined;
		at = skipSpace(bytes, at + 1);
	}
}

/** The last member of that name, which is the one that `JSON.parse` keeps. */
export function member(scan: Scan, name: string): Member | undefined {
	return scan.members.findLast((each) => each.name === name);
}

/** The value as `JSON.parse` reads it. */
export function parseValue(
	bytes: Buffer,
	{ valueStart, valueEnd }: Member,
): unknown {
	return JSON.parse(bytes.toString("utf8", valueStart, valueEnd));
}

/** The bytes with the edits made, which must not overlap; the very same bytes when there are none. */
export function splice(bytes: Buffer, edits: readonly Edit[]): Buffer {
	if (edits.length === 0) return bytes;
	const sorted = [...edits].sort((one, other) => one.start - other.start);
	let length = bytes.length;
	for (const { start, end, text } of sorted)
		length += Buffer.byteLength(text) - (end - start);
	const result = Buffer.allocUnsafe(length);
	let read = 0;
	let written = 0;
	for (const { start, end, text } of sorted) {
		written += bytes.copy(result, written, read, start);
		written += result.write(text, written);
		read = end;
	}
	bytes.copy(result, written, read);
	return result;
}

/** First byte from `at` on that is no white space. */
export function skipSpace(bytes: Buffer, at: number): number {
	let next = at;
	for (;;) {
		const byte = bytes[next];
		if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
			return next;
		next++;
	}
}

/** After the quote that closes the string whose content starts at `from`; -1 when there is none. */
export function stringEnd(bytes: Buffer, from: number): number {
	let at = from;
	for (;;) {
		// Short strings byte by byte; a call into native code costs as much as some hundred bytes.
		const stop = Math.min(at + 200, bytes.length);
		while (at < stop) {
			const byte = bytes[at];
			if (byte === quote) return at + 1;
			at += byte === backslash ? 2 : 1;
		}
		if (at >= bytes.length) return -1;
		const found = bytes.indexOf(quote, at);
		if (found < 0) return -1;
		let run = found;
		while (run > at && bytes[run - 1] === backslash) run--;
		if ((found - run) % 2 === 0) return found + 1;
		at = found + 1;
	}
}

const tooDeep = -2;

/** After the value that starts at `from`; `from` or -1 when there is none, -2 when it nests deeper than `depth`. */
export function skipValue(bytes: Buffer, from: number, depth: number): number {
	const first = bytes[from];
	if (first === quote) return stringEnd(bytes, from + 1);
	let at = from;
	if (first !== openBrace && first !== openBracket) {
		for (;;) {
			const byte = bytes[at];
			if (
				byte === undefined ||
				byte === comma ||
				byte === closeBrace ||
				byte === closeBracket ||
				byte <= 0x20
			)
				return at;
			at++;
		}
	}
	let open = 0;
	while (at < bytes.length) {
		const byte = bytes[at++];
		if (byte === quote) {
			at = stringEnd(bytes, at);
			if (at < 0) return -1;
		} else if (byte === openBrace || byte === openBracket) {
			if (++open > depth) return tooDeep;
		} else if (byte === closeBrace || byte === closeBracket) {
			if (--open === 0) return at;
		}
	}
	return -1;
}

/** A name may be written with escapes: `"mo\u0064el"` is `model`. */
function nameAt(bytes: Buffer, start: number, end: number): string {
	let plain = true;
	for (let at = start + 1; at < end - 1; at++) {
		const byte = bytes[at] as number;
		if (byte === backslash || byte > 0x7e) plain = false;
	}
	if (plain) return bytes.toString("latin1", start + 1, end - 1);
	try {
		return JSON.parse(bytes.toString("utf8", start, end));
	} catch {
		return "";
	}
}
