import type { Refusal } from "../../../kernel/outcome.ts";
import { asBuffer } from "../json-members.ts";
import { refusalBody } from "./refusal.ts";

/** Writes a stream of events as one JSON array of their contents, an element as soon as its event is whole. */
export interface ArrayForm {
	push(chunk: Uint8Array): Uint8Array | undefined;
	/** What ends the array. */
	close(): Uint8Array | undefined;
	/** A refusal as the last element, and the end. */
	refuse(refusal: Refusal): Uint8Array;
}

/** Of an event that is larger than this, the beginning goes on before its end is there. */
const mostHeld = 8 * 1024 * 1024;

const nothing: Uint8Array = Buffer.alloc(0);

export function arrayForm(): ArrayForm {
	/** Whether the line that is being read is data: undefined until its name is known. */
	let isData: boolean | undefined;
	/** Bytes of the line's name that were seen. */
	let named = 0;
	let skipsSpace = false;
	let afterReturn = false;
	/** The event has data. */
	let inEvent = false;
	/** Its element is held still, and none of it has gone on. */
	let unbegun = false;
	let elements = 0;
	let closed = false;
	let held: Uint8Array[] = [];
	let heldBytes = 0;
	let out: Uint8Array[] = [];

	function hold(bytes: Uint8Array): void {
		held.push(bytes);
		heldBytes += bytes.length;
		if (heldBytes > mostHeld) release();
	}

	function release(): void {
		if (unbegun) elements++;
		unbegun = false;
		for (const each of held) out.push(each);
		held = [];
		heldBytes = 0;
	}

	function endLine(): void {
		if (named === 0 && isData === undefined) {
			if (inEvent) release();
			inEvent = false;
		}
		isData = undefined;
		named = 0;
	}

	/** The first data of an event begins an element; further lines of it go on. */
	function beginData(): void {
		isData = true;
		skipsSpace = true;
		if (inEvent) {
			hold(lineFeed);
			return;
		}
		inEvent = true;
		unbegun = true;
		hold(elements === 0 ? opening : comma);
	}

	function take(bytes: Buffer): void {
		let start = -1;
		for (let at = 0; at <= bytes.length; at++) {
			const byte = bytes[at];
			if (start >= 0) {
				if (byte !== undefined && byte !== 0x0a && byte !== 0x0d) continue;
				hold(bytes.subarray(start, at));
				start = -1;
			}
			if (byte === undefined) return;
			if (byte === 0x0a && afterReturn) {
				afterReturn = false;
				continue;
			}
			afterReturn = byte === 0x0d;
			if (byte === 0x0a || byte === 0x0d) {
				endLine();
			} else if (isData === undefined) {
				if (byte !== dataName[named]) isData = false;
				else if (++named === dataName.length) beginData();
			} else if (isData) {
				if (!skipsSpace || byte !== 0x20) start = at;
				skipsSpace = false;
			}
		}
	}

	return {
		push(chunk) {
			take(asBuffer(chunk));
			if (out.length === 0) return undefined;
			const bytes = Buffer.concat(out);
			out = [];
			return bytes;
		},
		close() {
			if (closed) return undefined;
			closed = true;
			release();
			const written = Buffer.concat([...out, elements === 0 ? empty : closing]);
			out = [];
			return written;
		},
		refuse(refusal) {
			if (closed) return nothing;
			closed = true;
			// Half an element is no JSON: what is held of it is let go.
			const body = Buffer.from(JSON.stringify(refusalBody(500, refusal)));
			return Buffer.concat([elements === 0 ? opening : comma, body, closing]);
		},
	};
}

const dataName: Uint8Array = Buffer.from("data:");
const opening: Uint8Array = Buffer.from("[");
const comma: Uint8Array = Buffer.from(",\r\n");
const closing: Uint8Array = Buffer.from("\r\n]\r\n");
const empty: Uint8Array = Buffer.from("[]\r\n");
const lineFeed: Uint8Array = Buffer.from("\n");
