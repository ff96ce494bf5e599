import { createRequire } from "node:module";
import { asBuffer } from "../json-members.ts";

/** One message of a stream: an event of the vendor's, or what went wrong. */
export interface StreamMessage {
	readonly type: "event" | "exception";
	/** `contentBlockDelta`, `throttlingException`. */
	readonly name: string;
	/** JSON. */
	readonly body: string;
}

export interface MessageReader {
	/** The messages that this chunk completes. */
	push(chunk: Uint8Array): readonly StreamMessage[];
	/** Why nothing can be read after this: a checksum or a length was wrong. */
	readonly broken: string | undefined;
}

type Codec = InstanceType<
	typeof import("@smithy/eventstream-codec").EventStreamCodec
>;

/** A message may hold a large image. */
const messageLimit = 64 * 1024 * 1024;
/** Two lengths and three checksums' room: no message is smaller. */
const least = 16;

/**
 * Cuts a stream of `application/vnd.amazon.eventstream` into its messages, whose chunks may split
 * anywhere: each begins with its length, and carries checksums of its head and of all of it.
 */
export function messageReader(limit: number = messageLimit): MessageReader {
	const chunks: Buffer[] = [];
	let held = 0;
	/** Of the message that is being held; undefined until its first four bytes are there. */
	let length: number | undefined;
	let broken: string | undefined;

	/** The first `size` of the held bytes, joined at the front. */
	function front(size: number): Buffer {
		let first = chunks[0] as Buffer;
		if (first.length < size) {
			first = Buffer.concat(chunks, held);
			chunks.length = 0;
			chunks.push(first);
		}
		return first;
	}

	function take(size: number): Buffer {
		const first = front(size);
		if (first.length === size) chunks.shift();
		else chunks[0] = first.subarray(size);
		held -= size;
		return first.subarray(0, size);
	}

	return {
		push(chunk) {
			if (broken !== undefined || chunk.length === 0) return [];
			chunks.push(asBuffer(chunk));
			held += chunk.length;
			const messages: StreamMessage[] = [];
			for (;;) {
				if (length === undefined) {
					if (held < 4) break;
					length = front(4).readUInt32BE(0);
					if (length < least || length > limit) {
						broken = "a message of the stream has an impossible length";
						break;
					}
				}
				if (held < length) break;
				const bytes = take(length);
				length = undefined;
				const message = decoded(bytes);
				if (!message) {
					broken = "a message of the stream is damaged";
					break;
				}
				messages.push(message);
			}
			return messages;
		},
		get broken() {
			return broken;
		},
	};
}

function decoded(bytes: Buffer): StreamMessage | undefined {
	try {
		const { headers, body } = codec().decode(bytes);
		const text = (name: string): string => {
			const header = headers[name];
			return header?.type === "string" ? header.value : "";
		};
		const type = text(":message-type");
		if (type === "error") {
			const message = text(":error-message");
			return {
				type: "exception",
				name: text(":error-code"),
				body: JSON.stringify({ message }),
			};
		}
		return {
			type: type === "exception" ? "exception" : "event",
			name: text(type === "exception" ? ":exception-type" : ":event-type"),
			body: asBuffer(body).toString(),
		};
	} catch {
		// The library says by throwing that a checksum or a header is wrong.
		return undefined;
	}
}

let opened: Codec | undefined;

/** The library loads with the first stream: most owners never have one, and every start would wait for it. */
function codec(): Codec {
	if (!opened) {
		const { EventStreamCodec } = createRequire(import.meta.url)(
			"@smithy/eventstream-codec",
		) as typeof import("@smithy/eventstream-codec");
		opened = new EventStreamCodec(
			(bytes) =>
				typeof bytes === "string" ? bytes : asBuffer(bytes).toString(),
			(text) => Buffer.from(text),
		);
	}
	return opened;
}
