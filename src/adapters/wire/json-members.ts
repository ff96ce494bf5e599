/**
 * Finds the members of a JSON object in its bytes, so that a few can be changed and all else stays
 * as it was sent. One pass that checks the whole grammar (RFC 8259) on the way, on a counter of its
 * own and no call stack: this takes the place of `JSON.parse`, which costs two to five times as much
 * because it builds every string. Bytes that are no UTF-8 are the caller's to refuse.
 */

/** Where a member stands. A name's span has its quotes, a value's has no white space around it. */
export interface Member {
	readonly name: string;
	readonly nameStart: number;
	readonly nameEnd: number;
	readonly valueStart: number;
	readonly valueEnd: number;
	/** Every string that stands under the name `type` anywhere in the value, in order, if asked for. */
	readonly types: readonly TypeMember[];
	/** Where each object stands that is an element of the value, counted from `valueStart`, if asked for. */
	readonly elements: readonly number[];
}

export interface TypeMember {
	/** Of the object that has it: 1 for the value itself, 2 for an object in the value's array, and so on. */
	readonly depth: number;
	readonly value: string;
	/** Where it stands, counted from the start of the member's value. */
	readonly at: number;
}

/** What is noted of a value while it is looked through. */
interface Found {
	readonly types: TypeMember[];
	readonly elements: number[];
}

export interface Scan {
	/** In order; two of one name are two members. */
	readonly members: readonly Member[];
	/** After the brace that closes the object. */
	readonly end: number;
}

/** A change to make: the bytes from `start` to `end` give way to `text`. */
export interface Edit {
	readonly start: number;
	readonly end: number;
	readonly text: string;
}

/** Deeper than anything a vendor sends. */
export const answerDepth = 512;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const malformed = -1;
const tooDeep = -2;
const nothing: Readonly<Found> = { types: [], elements: [] };

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.isBuffer(bytes)
		? bytes
		: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The members of the object that starts at `from` (after white space). What is wrong otherwise:
 * `too-deep` when it nests deeper than `depth` levels, itself included; `no-object` when it is
 * another value; `malformed` when it is none. What follows the object is not looked at.
 */
export function scanMembers(
	bytes: Buffer,
	from: number,
	depth: number,
	typed?: ReadonlySet<string>,
): Scan | "too-deep" | "no-object" | "malformed" {
	scannedWords = wordsOf(bytes);
	scanned = bytes;
	try {
		return scanObject(bytes, from, depth, typed);
	} finally {
		scanned = undefined;
		scannedWords = undefined;
	}
}

function scanObject(
	bytes: Buffer,
	from: number,
	depth: number,
	typed: ReadonlySet<string> | undefined,
): Scan | "too-deep" | "no-object" | "malformed" {
	let at = skipSpace(bytes, from);
	if (bytes[at] !== openBrace) {
		const end = valueEndOf(bytes, at, depth, undefined);
		return end === tooDeep
			? "too-deep"
			: end === malformed
				? "malformed"
				: "no-object";
	}
	at = skipSpace(bytes, at + 1);
	const members: Member[] = [];
	if (bytes[at] === closeBrace) return { members, end: at + 1 };
	for (;;) {
		const nameStart = at;
		const nameEnd = bytes[at] === quote ? stringEnd(bytes, at + 1) : malformed;
		if (nameEnd < 0) return "malformed";
		at = skipSpace(bytes, nameEnd);
		if (bytes[at] !== colon) return "malformed";
		const valueStart = skipSpace(bytes, at + 1);
		const name = nameAt(bytes, nameStart, nameEnd);
		const found: Found | undefined = typed?.has(name)
			? { types: [], elements: [] }
			: undefined;
		const valueEnd = valueEndOf(bytes, valueStart, depth - 1, found);
		if (valueEnd < 0) return valueEnd === tooDeep ? "too-deep" : "malformed";
		members.push({
			name,
			nameStart,
			nameEnd,
			valueStart,
			valueEnd,
			types: (found ?? nothing).types,
			elements: (found ?? nothing).elements,
		});
		at = skipSpace(bytes, valueEnd);
		if (bytes[at] === closeBrace) return { members, end: at + 1 };
		if (bytes[at] !== comma) return "malformed";
		at = skipSpace(bytes, at + 1);
	}
}

/** The last member of that name, which is the one that most JSON readers keep. */
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

/** Bodies beyond this size are not copied to change a few bytes of them. */
const largeBody = 16_384;

/** Bytes with the edits made: in pieces where they are large, and joined when somebody wants them whole. */
export class Spliced {
	readonly pieces: readonly Buffer[] | undefined;
	#body: Buffer | undefined;

	constructor(bytes: Buffer, edits: readonly Edit[]) {
		if (bytes.length <= largeBody || edits.length === 0) {
			this.pieces = undefined;
			this.#body = splice(bytes, edits);
			return;
		}
		const sorted = [...edits].sort((one, other) => one.start - other.start);
		const pieces: Buffer[] = [];
		let read = 0;
		for (const { start, end, text } of sorted) {
			pieces.push(bytes.subarray(read, start), Buffer.from(text));
			read = end;
		}
		pieces.push(bytes.subarray(read));
		this.pieces = pieces;
	}

	get body(): Buffer {
		this.#body ??= Buffer.concat(this.pieces as readonly Buffer[]);
		return this.#body;
	}
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

/** After the quote that closes the string whose content starts at `from`; -1 when it is not well-formed. */
export function stringEnd(bytes: Buffer, from: number): number {
	const length = bytes.length;
	let at = from;
	let long = from + longString;
	while (at < length) {
		const byte = bytes[at++] as number;
		if (byte > quote && byte !== backslash) {
			if (at === long) at = plainUntil(bytes, at);
			continue;
		}
		if (byte === quote) return at;
		if (byte < 0x20) return malformed;
		if (byte === backslash) {
			const escaped = bytes[at++] as number;
			if (escaped === 0x75) {
				for (const end = at + 4; at < end; at++)
					if (!isHex(bytes[at])) return malformed;
			} else if (!isEscape(escaped)) {
				return malformed;
			}
			long = at + longString;
		}
	}
	return malformed;
}

/** From here on a string is looked through four bytes at once: shorter ones are over before that pays. */
const longString = 16;
/** From here on its end is found natively. */
const veryLong = 1_024;

/** Passes over bytes of a string that stand for themselves; stops at or a few bytes before one that does not. */
function plainUntil(bytes: Buffer, from: number): number {
	const words = wordsOf(bytes);
	const first = -bytes.byteOffset & 3;
	let index = (from - first + 3) >> 2;
	for (let at = from; at < first + index * 4; at++)
		if (isSpecial(bytes[at] as number)) return from;
	const most = Math.min(words.length, index + veryLong / 4);
	for (; index < most; index++) {
		const word = words[index] as number;
		const quotes = word ^ 0x22222222;
		const backslashes = word ^ 0x5c5c5c5c;
		// The high bit of a byte comes out set where it was below 0x20, or became zero by the comparison.
		const found =
			((word - 0x20202020) |
				(quotes - 0x01010101) |
				(backslashes - 0x01010101)) &
			~word &
			-0x7f7f7f80;
		if (found !== 0) return Math.max(from, first + index * 4);
	}
	return index === words.length
		? Math.max(from, first + index * 4)
		: plainFar(bytes, words, first, index);
}

/** The same from a word on that is far from the string's begin: only control characters are looked for in our own code. */
function plainFar(
	bytes: Buffer,
	words: Int32Array,
	first: number,
	begin: number,
): number {
	const from = first + begin * 4;
	const quoted = bytes.indexOf(quote, from);
	if (quoted < 0) return from;
	const escaped = bytes.subarray(from, quoted).indexOf(backslash);
	const end = begin + ((escaped < 0 ? quoted - from : escaped) >> 2);
	let index = begin;
	for (; index < end - 3; index += 4) {
		const found =
			belowSpace(words[index] as number) |
			belowSpace(words[index + 1] as number) |
			belowSpace(words[index + 2] as number) |
			belowSpace(words[index + 3] as number);
		if ((found & -0x7f7f7f80) !== 0) break;
	}
	return first + index * 4;
}

function belowSpace(word: number): number {
	return (word - 0x20202020) & ~word;
}

function isSpecial(byte: number): boolean {
	return byte < 0x20 || byte === quote || byte === backslash;
}

/** What is being scanned, as words: made once for all its strings, and kept no longer than the scan. */
let scanned: Buffer | undefined;
let scannedWords: Int32Array | undefined;

function wordsOf(bytes: Buffer): Int32Array {
	if (scanned === bytes && scannedWords) return scannedWords;
	// Words start where memory does, not where these bytes do.
	const first = -bytes.byteOffset & 3;
	const count = Math.max(0, (bytes.length - first) >> 2);
	return count === 0
		? noWords
		: new Int32Array(bytes.buffer, bytes.byteOffset + first, count);
}

const noWords = new Int32Array(0);

/** After the value that starts at `from`, or `malformed` or `tooDeep`. Adds to `found`, if given. */
function valueEndOf(
	bytes: Buffer,
	from: number,
	depth: number,
	found: Found | undefined,
): number {
	/** For each level that is open, whether it is an object. */
	const objects: boolean[] = [];
	let open = 0;
	let at = from;
	for (;;) {
		let isType = false;
		if (open > 0 && objects[open]) {
			const nameStart = at;
			if (bytes[at] !== quote) return malformed;
			at = stringEnd(bytes, at + 1);
			if (at < 0) return malformed;
			isType = found !== undefined && namesType(bytes, nameStart, at);
			at = skipSpace(bytes, at);
			if (bytes[at] !== colon) return malformed;
			at = skipSpace(bytes, at + 1);
		}
		const byte = bytes[at];
		if (byte === quote) {
			const start = at;
			at = stringEnd(bytes, at + 1);
			if (at < 0) return malformed;
			if (isType)
				found?.types.push({
					depth: open,
					value: nameAt(bytes, start, Math.min(at, start + 400)),
					at: start - from,
				});
		} else if (byte === openBrace || byte === openBracket) {
			const isObject = byte === openBrace;
			if (isObject && open === 1 && !objects[1])
				found?.elements.push(at - from);
			if (++open > depth) return tooDeep;
			at = skipSpace(bytes, at + 1);
			if (bytes[at] !== (isObject ? closeBrace : closeBracket)) {
				objects[open] = isObject;
				continue;
			}
			open--;
			at++;
		} else {
			at = scalarEnd(bytes, at);
			if (at < 0) return malformed;
		}
		for (;;) {
			if (open === 0) return at;
			at = skipSpace(bytes, at);
			const next = bytes[at++];
			if (next === comma) {
				at = skipSpace(bytes, at);
				break;
			}
			if (next !== (objects[open] ? closeBrace : closeBracket))
				return malformed;
			open--;
		}
	}
}

/** After a number or one of the three words. */
function scalarEnd(bytes: Buffer, from: number): number {
	const first = bytes[from];
	if (first === 0x74) return wordEnd(bytes, from, "true");
	if (first === 0x66) return wordEnd(bytes, from, "false");
	if (first === 0x6e) return wordEnd(bytes, from, "null");
	let at = first === 0x2d ? from + 1 : from;
	if (bytes[at] === 0x30) at++;
	else if (isDigit(bytes[at])) at = digitsEnd(bytes, at);
	else return malformed;
	if (bytes[at] === 0x2e) {
		if (!isDigit(bytes[at + 1])) return malformed;
		at = digitsEnd(bytes, at + 1);
	}
	if (bytes[at] === 0x65 || bytes[at] === 0x45) {
		at++;
		if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
		if (!isDigit(bytes[at])) return malformed;
		at = digitsEnd(bytes, at);
	}
	return at;
}

function wordEnd(bytes: Buffer, from: number, word: string): number {
	for (let offset = 1; offset < word.length; offset++) {
		if (bytes[from + offset] !== word.charCodeAt(offset)) return malformed;
	}
	return from + word.length;
}

function digitsEnd(bytes: Buffer, from: number): number {
	let at = from;
	while (isDigit(bytes[at])) at++;
	return at;
}

function isDigit(byte: number | undefined): boolean {
	return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number | undefined): boolean {
	return (
		isDigit(byte) ||
		(byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
	);
}

/** One of `" \ / b f n r t`. */
function isEscape(byte: number | undefined): boolean {
	switch (byte) {
		case 0x22:
		case 0x5c:
		case 0x2f:
		case 0x62:
		case 0x66:
		case 0x6e:
		case 0x72:
		case 0x74:
			return true;
		default:
			return false;
	}
}

/** Whether a name is `type`, with escapes or without. */
function namesType(bytes: Buffer, start: number, end: number): boolean {
	const length = end - start;
	if (length === 6) {
		return (
			bytes[start + 1] === 0x74 &&
			bytes[start + 2] === 0x79 &&
			bytes[start + 3] === 0x70 &&
			bytes[start + 4] === 0x65
		);
	}
	// The shortest has one escape of six bytes, the longest four.
	return length >= 11 && length <= 26 && nameAt(bytes, start, end) === "type";
}

/** A name may be written with escapes: `"mo\u0064el"` is `model`. */
function nameAt(bytes: Buffer, start: number, end: number): string {
	for (let at = start + 1; at < end - 1; at++) {
		const byte = bytes[at] as number;
		if (byte === backslash || byte > 0x7e) {
			try {
				return JSON.parse(bytes.toString("utf8", start, end));
			} catch {
				return "";
			}
		}
	}
	return bytes.toString("latin1", start + 1, end - 1);
}
