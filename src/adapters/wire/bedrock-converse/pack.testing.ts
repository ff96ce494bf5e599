import { readFileSync } from "node:fs";
import { EventStreamCodec } from "@smithy/eventstream-codec";

/** An event and its body, as the fixtures have them; a name that begins with `!` is an exception's. */
export type Event = readonly [name: string, body: unknown];

interface Answer {
	readonly output: {
		readonly message: { readonly content: readonly object[] };
	};
	readonly stopReason: string;
}

export const answers: Readonly<
	Record<"text" | "tools" | "empty" | "reasoning" | "cited", Answer>
> = fixture("answers.json");

export const streams: Readonly<
	Record<
		"text" | "tools" | "reasoning" | "empty" | "error" | "ownTool",
		readonly Event[]
	>
> = fixture("streams.json");

function fixture<T>(name: string): T {
	return JSON.parse(
		readFileSync(new URL(`fixtures/${name}`, import.meta.url), "utf8"),
	);
}

const codec = new EventStreamCodec(
	(bytes) =>
		typeof bytes === "string" ? bytes : Buffer.from(bytes).toString(),
	(text) => Buffer.from(text),
);

const text = (value: string) => ({ type: "string" as const, value });

/** One message of a stream as the vendor frames it. */
export function pack([name, body]: Event): Buffer {
	const exception = name.startsWith("!");
	return Buffer.from(
		codec.encode({
			headers: exception
				? {
						":exception-type": text(name.slice(1)),
						":content-type": text("application/json"),
						":message-type": text("exception"),
					}
				: {
						":event-type": text(name),
						":content-type": text("application/json"),
						":message-type": text("event"),
					},
			body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
		}),
	);
}

/** An error that the vendor's model of its service does not name. */
export function packError(code: string, message: string): Buffer {
	return Buffer.from(
		codec.encode({
			headers: {
				":message-type": text("error"),
				":error-code": text(code),
				":error-message": text(message),
			},
			body: Buffer.alloc(0),
		}),
	);
}

export function packed(events: readonly Event[]): Buffer {
	return Buffer.concat(events.map(pack));
}

/** A stream's messages, a character a byte. */
export function framesOf(stream: Uint8Array): string[] {
	const frames: string[] = [];
	const bytes = Buffer.from(stream);
	for (let at = 0; at < bytes.length; ) {
		const length = bytes.readUInt32BE(at);
		frames.push(bytes.toString("latin1", at, at + length));
		at += length;
	}
	return frames;
}
