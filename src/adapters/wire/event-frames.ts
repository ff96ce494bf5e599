import { asBuffer } from "./json-members.ts";

/**
 * Splits a stream of server-sent events into frames (an event with the blank line that ends it) in
 * one pass over the bytes, and notes on the way where watched JSON members stand, so that nearly
 * every frame passes without being parsed. Lines may end in LF, CRLF or CR; chunks may split
 * anywhere. It holds one incomplete frame at most, and of that no more than `limit` bytes.
 */
export interface FrameReader {
	/** Takes a chunk; gives what may go on: the chunk itself, unless `removes`. */
	push(chunk: Uint8Array): Uint8Array | undefined;
	/** After the last chunk: visits what is left over as a frame, and gives what of it may go on. */
	end(): Uint8Array | undefined;
}

/** A frame as it is visited. Only valid during the visit. */
export interface Frame {
	readonly bytes: Buffer;
	readonly start: number;
	readonly end: number;
	/** By watched name: where the value of its last member that is not null starts, or -1. */
	readonly values: Int32Array;
	/** By watched name: where the name of its last member that is null starts, or -1. */
	readonly nulls: Int32Array;
	/** False for a last frame that no blank line ended. */
	readonly whole: boolean;
}

/** Takes bytes out of a frame. */
export interface Cut {
	readonly start: number;
	readonly end: number;
}

/** What to look for, made ready once. */
export interface Watch {
	readonly names: readonly Buffer[];
	readonly isValue: readonly boolean[];
	/** Index of the name that starts with a letter, or -1. */
	readonly byLetter: Int8Array;
}

/**
 * Member names to look for; `value:…` looks for a string value instead. First letters must differ.
 * A hit is a hint: the name may stand at any depth.
 */
export function watchFor(...names: readonly string[]): Watch {
	const quoted = names.map((name) =>
		Buffer.from(`"${name.replace(/^value:/, "")}"`),
	);
	const byLetter = new Int8Array(256).fill(-1);
	for (const [index, name] of quoted.entries())
		byLetter[name[1] as number] = index;
	return {
		names: quoted,
		isValue: names.map((name) => name.startsWith("value:")),
		byLetter,
	};
}

export const frameLimit: number = 8 * 1024 * 1024;

/** How far before the end of an incomplete frame the search is taken up again: a name, its colon and its value's first byte. */
const overlap = 64;

const nothing: Buffer = Buffer.alloc(0);

/**
 * @param removes whether `visit` may take bytes out. If so, incomplete frames are held back until
 * they are whole; if not, every chunk goes on at once as it is.
 */
export function frameReader(
	watch: Watch,
	removes: boolean,
	visit: (frame: Frame) => Cut | undefined,
	limit: number = frameLimit,
): FrameReader {
	const { names: wanted, isValue, byLetter } = watch;
	const values = new Int32Array(wanted.length).fill(-1);
	const nulls = new Int32Array(wanted.length).fill(-1);
	const frame = {
		bytes: nothing,
		start: 0,
		end: 0,
		values,
		nulls,
		whole: true,
	};

	/** Bytes of the incomplete frame, when there is one. */
	let store: Buffer = nothing;
	let held = 0;
	/** The incomplete frame went over the limit: it passes unread, and only its last bytes are held, to find its end. */
	let oversized = false;

	/** After the blank line that ends the frame, or -1. */
	function findEnd(bytes: Buffer, start: number, from: number): number {
		const length = bytes.length;
		for (let at = from; at < length; at++) {
			const byte = bytes[at] as number;
			if (byte > 0x22) continue;
			if (byte === 0x22) {
				const index = byLetter[bytes[at + 1] as number] as number;
				if (index >= 0) note(bytes, at, index);
			} else if (byte === 0x0a) {
				const before = bytes[at - 1] === 0x0d && at > start ? at - 2 : at - 1;
				if (before < start || bytes[before] === 0x0a || bytes[before] === 0x0d)
					return at + 1;
			} else if (byte === 0x0d && bytes[at + 1] !== 0x0a) {
				if (at === start || bytes[at - 1] === 0x0a || bytes[at - 1] === 0x0d)
					return at + 1;
			}
		}
		return -1;
	}

	function note(bytes: Buffer, at: number, index: number): void {
		const name = wanted[index] as Buffer;
		for (let offset = 2; offset < name.length; offset++) {
			if (bytes[at + offset] !== name[offset]) return;
		}
		let next = at + name.length;
		while (bytes[next] === 0x20) next++;
		if (isValue[index]) {
			if (bytes[next] !== 0x3a) values[index] = at;
			return;
		}
		if (bytes[next] !== 0x3a) return;
		do next++;
		while (bytes[next] === 0x20);
		if (bytes[next] === undefined) return;
		if (bytes[next] === 0x6e) nulls[index] = at;
		else values[index] = next;
	}

	function forget(): void {
		for (let index = 0; index < values.length; index++)
			values[index] = nulls[index] = -1;
	}

	function visited(
		bytes: Buffer,
		start: number,
		end: number,
		whole: boolean,
	): Cut | undefined {
		frame.bytes = bytes;
		frame.start = start;
		frame.end = end;
		frame.whole = whole;
		const cut = visit(frame);
		forget();
		return cut;
	}

	/** Keeps the incomplete frame, which moves to the start of the store. */
	function hold(bytes: Buffer, start: number): void {
		for (let index = 0; start > 0 && index < values.length; index++) {
			values[index] = Math.max(-1, (values[index] as number) - start);
			nulls[index] = Math.max(-1, (nulls[index] as number) - start);
		}
		const needed = bytes.length - start;
		if (store.length < needed) {
			const larger = Buffer.allocUnsafe(
				Math.max(needed, 2 * store.length, 1024),
			);
			bytes.copy(larger, 0, start);
			store = larger;
		} else if (needed > 0) {
			bytes.copy(store, 0, start);
		} else if (store.length > 65_536) {
			store = nothing;
		}
		held = needed;
	}

	/** Adds a chunk to what is held, and gives both as one. */
	function join(chunk: Buffer): Buffer {
		const needed = held + chunk.length;
		if (store.length < needed) {
			const larger = Buffer.allocUnsafe(Math.max(needed, 2 * store.length));
			store.copy(larger, 0, 0, held);
			store = larger;
		}
		chunk.copy(store, held);
		return store.subarray(0, needed);
	}

	return {
		push(chunk) {
			const joined = held > 0;
			const bytes = joined ? join(asBuffer(chunk)) : asBuffer(chunk);
			// What was held back of an oversized frame has gone on already.
			const fresh = oversized ? held : 0;
			let from = oversized ? held : Math.max(0, held - overlap);
			let start = 0;
			let cuts: Cut[] | undefined;
			for (;;) {
				const end = findEnd(bytes, start, from);
				if (end < 0) break;
				if (oversized) {
					forget();
					oversized = false;
				} else {
					const cut = visited(bytes, start, end, true);
					if (cut && cuts) cuts.push(cut);
					else if (cut) cuts = [cut];
				}
				start = end;
				from = end;
			}
			let release = start;
			if (oversized || bytes.length - start > limit) {
				oversized = true;
				release = bytes.length;
			}
			let passed: Uint8Array | undefined = chunk;
			if (removes) {
				if (cuts) passed = without(bytes, fresh, release, cuts);
				else if (joined)
					passed =
						release > fresh
							? Buffer.from(bytes.subarray(fresh, release))
							: undefined;
				else if (release < bytes.length)
					passed = release > 0 ? bytes.subarray(0, release) : undefined;
			}
			hold(bytes, oversized ? Math.max(start, bytes.length - 2) : start);
			return passed;
		},
		end() {
			if (held === 0 || oversized) return undefined;
			const bytes = store.subarray(0, held);
			held = 0;
			const cut = visited(bytes, 0, bytes.length, false);
			if (!removes) return undefined;
			return cut ? without(bytes, 0, bytes.length, [cut]) : bytes;
		},
	};
}

/** The text of a frame's `data` lines, joined as the standard says; undefined when it has none. */
export function dataOf({ bytes, start, end }: Frame): string | undefined {
	const text = bytes.toString("utf8", start, end);
	// The usual frame is one line.
	if (
		text.startsWith("data: {") &&
		text.indexOf("\n") >= text.length - 2 &&
		!text.includes("\r")
	)
		return text.slice(6);
	const lines: string[] = [];
	for (const line of text.split(/\r\n|\n|\r/)) {
		if (line.startsWith("data:"))
			lines.push(line.slice(line[5] === " " ? 6 : 5));
	}
	return lines.length > 0 ? lines.join("\n") : undefined;
}

function without(
	bytes: Buffer,
	from: number,
	to: number,
	cuts: readonly Cut[],
): Buffer | undefined {
	let length = to - from;
	for (const { start, end } of cuts) length -= end - start;
	if (length <= 0) return undefined;
	const result = Buffer.allocUnsafe(length);
	let read = from;
	let written = 0;
	for (const { start, end } of cuts) {
		written += bytes.copy(result, written, read, start);
		read = end;
	}
	bytes.copy(result, written, read, to);
	return result;
}
