import type { Meter } from "../../../ports/wire-protocol.ts";

/**
 * The answer calls the model as the client did, where the vendor has another name for it: Claude Code
 * gives reasoning back only to the model that it asked for, and knows by this name whose it is. All
 * other bytes pass as they came, and none is held back.
 *
 * @param streamed a stream of events, whose first says the name in its `message`.
 */
export function callAsAsked(
	meter: Meter,
	name: string,
	streamed: boolean,
): Meter {
	const namer = openNamer(
		streamed ? ["message", "model"] : ["model"],
		name,
		streamed,
	);
	return {
		...meter,
		pass(chunk) {
			const passed = meter.pass(chunk);
			return passed && namer(passed);
		},
		finish() {
			const metered = meter.finish();
			return metered.rest ? { ...metered, rest: namer(metered.rest) } : metered;
		},
	};
}

const quote = 0x22;
const backslash = 0x5c;

/**
 * Puts a string in the place of the first that stands at this path of the JSON (of a line of `data:`, if
 * `lines`). Chunks may be cut anywhere. After it every chunk passes unread.
 */
function openNamer(
	path: readonly string[],
	name: string,
	lines: boolean,
): (chunk: Uint8Array) => Uint8Array | undefined {
	const replacement = Buffer.from(JSON.stringify(name));
	let phase: "looking" | "inOld" | "done" = "looking";
	/** What opened and has not closed; how many of these are on the path. */
	let depth = 0;
	let onPath = 0;
	let inString = false;
	let escaped = false;
	/** A string that starts now would be a member's name; the name read so far, where it is one on the path. */
	let nameIsNext = false;
	let read: string | undefined;
	/** The member's value that comes is the next step of the path. */
	let onStep = false;

	function startAgain(): void {
		depth = 0;
		onPath = 0;
		inString = false;
		escaped = false;
		nameIsNext = false;
		read = undefined;
		onStep = false;
	}

	/** Whether the string that starts here is the one. */
	function isIt(): boolean {
		return onStep && onPath === path.length;
	}

	function open(byte: number): void {
		const entered =
			byte === 0x7b && onPath === depth && (depth === 0 || onStep);
		depth++;
		if (entered) onPath = depth;
		nameIsNext = entered;
		onStep = false;
	}

	function step(byte: number): void {
		switch (byte) {
			case 0x7b:
			case 0x5b:
				open(byte);
				return;
			case 0x7d:
			case 0x5d:
				depth--;
				onPath = Math.min(onPath, depth);
				nameIsNext = false;
				onStep = false;
				return;
			case 0x2c:
				nameIsNext = onPath === depth && depth > 0;
				onStep = false;
		}
	}

	/** Within a string, its end included. */
	function spell(byte: number): void {
		if (escaped) escaped = false;
		else if (byte === backslash) escaped = true;
		else if (byte === quote) {
			inString = false;
			if (read !== undefined) onStep = read === path[onPath - 1];
			read = undefined;
			return;
		}
		// A name longer than any on the path is read no further.
		if (read !== undefined && read.length < 16)
			read += String.fromCharCode(byte);
	}

	return (chunk) => {
		if (phase === "done") return chunk;
		const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
		let at = 0;
		let before: Buffer | undefined;
		for (; at < bytes.length && phase === "looking"; at++) {
			const byte = bytes[at] as number;
			// No string has a line's end in it: what follows one is another event, or nothing of one.
			if (lines && (byte === 0x0a || byte === 0x0d)) startAgain();
			else if (inString) spell(byte);
			else if (byte !== quote) step(byte);
			else if (isIt()) {
				phase = "inOld";
				before = bytes.subarray(0, at);
			} else {
				inString = true;
				read = nameIsNext ? "" : undefined;
				nameIsNext = false;
			}
		}
		if (phase === "looking") return chunk;
		const start = at;
		for (; at < bytes.length && phase === "inOld"; at++) {
			if (escaped) escaped = false;
			else if (bytes[at] === backslash) escaped = true;
			else if (bytes[at] === quote) phase = "done";
		}
		const rest = bytes.subarray(at);
		if (before) return Buffer.concat([before, replacement, rest]);
		return at === start || rest.length > 0 ? rest : undefined;
	};
}
