/**
 * Arrays as Postgres takes them in binary: no escaping on either side, and every byte as it is.
 * A NULL byte, which its text cannot hold, is written as U+0001 twice, and U+0001 itself as U+0001 U+0002.
 */
export function textArray(texts: readonly (string | undefined)[]): Buffer {
	let size = 20;
	for (const text of texts)
		size += 4 + (text === undefined ? 0 : Buffer.byteLength(text));
	const bytes = header(size, 25, texts.length);
	let at = 20;
	for (const text of texts) {
		if (text === undefined) {
			at = bytes.writeInt32BE(-1, at);
			continue;
		}
		const length = bytes.write(text, at + 4, "utf8");
		bytes.writeInt32BE(length, at);
		at += 4 + length;
	}
	return bytes;
}

/** Whole numbers within ±2^53. */
export function integerArray(values: readonly number[]): Buffer {
	const bytes = header(20 + 12 * values.length, 20, values.length);
	let at = 20;
	for (const value of values) {
		at = bytes.writeInt32BE(8, at);
		const high = Math.floor(value / 2 ** 32);
		at = bytes.writeInt32BE(high, at);
		at = bytes.writeUInt32BE(value - high * 2 ** 32, at);
	}
	return bytes;
}

/** One dimension, elements numbered from 1. An empty array has none, and what follows is not read. */
function header(size: number, type: number, length: number): Buffer {
	const bytes = Buffer.allocUnsafe(length === 0 ? 12 : size);
	bytes.writeInt32BE(length === 0 ? 0 : 1, 0);
	bytes.writeInt32BE(1, 4);
	bytes.writeInt32BE(type, 8);
	if (length > 0) {
		bytes.writeInt32BE(length, 12);
		bytes.writeInt32BE(1, 16);
	}
	return bytes;
}

/** A name as it is stored: nearly always as it is. */
export function storedName(name: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: these two are what it is about.
	return name.replace(/[\0\u0001]/g, (found) =>
		found === "\0" ? "\u0001\u0001" : "\u0001\u0002",
	);
}

export function nameOf(stored: string): string {
	if (!stored.includes("\u0001")) return stored;
	// biome-ignore lint/suspicious/noControlCharactersInRegex: see above.
	return stored.replace(/\u0001([\u0001\u0002])/g, (_, mark) =>
		mark === "\u0001" ? "\0" : "\u0001",
	);
}
