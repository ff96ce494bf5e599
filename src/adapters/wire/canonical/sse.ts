import type { AnswerEvent } from "../../../ports/canonical.ts";
import type { AnswerReader } from "../../../ports/translator.ts";
import { type Frame, frameReader, watchFor } from "../event-frames.ts";

export interface ServerSentEvent {
	/** Its name, when it has one. */
	readonly event: string | undefined;
	readonly data: string;
}

export interface EventReader {
	/** The events that this chunk completes. Comments and events without data are none. */
	push(chunk: Uint8Array): readonly ServerSentEvent[];
	/** After the last chunk: an event that no blank line ended. */
	end(): readonly ServerSentEvent[];
	/** An event was larger than the limit and is lost: nothing is read after it. */
	readonly oversized: boolean;
}

/**
 * Reads server-sent events as their bytes come: chunks may split anywhere, within a character too;
 * lines end in LF, CRLF or CR; a byte order mark, comments and several lines of data are as the
 * standard says.
 */
export function eventReader(limit: number = eventLimit): EventReader {
	let events: ServerSentEvent[] = [];
	/** Bytes since the last whole frame. */
	let pending = 0;
	let oversized = false;
	const frames = frameReader(
		nothingWatched,
		false,
		(frame) => {
			pending = Math.max(0, pending - (frame.end - frame.start));
			const event = eventOf(frame);
			if (event) events.push(event);
			return undefined;
		},
		limit,
	);
	function taken(): readonly ServerSentEvent[] {
		const result = events;
		events = [];
		return result;
	}
	return {
		push(chunk) {
			if (oversized) return [];
			pending += chunk.length;
			frames.push(chunk);
			if (pending > limit) oversized = true;
			return taken();
		},
		end() {
			if (!oversized) frames.end();
			return taken();
		},
		get oversized() {
			return oversized;
		},
	};
}

/** How a protocol reads its stream, one event's data at a time. */
export interface StreamReading {
	/** Data is mostly JSON, and whatever a vendor sends: `json` gives undefined when it is none. */
	visit(
		data: string,
		event: string | undefined,
		emit: (event: AnswerEvent) => void,
	): void;
	/** After the last chunk, when neither an error nor the end was told before. */
	conclude(emit: (event: AnswerEvent) => void): void;
}

/** A stream of server-sent events as answer events. Nothing follows an error or the end. */
export function answerReader(reading: StreamReading): AnswerReader {
	const frames = eventReader();
	let over = false;
	let told: AnswerEvent[] = [];
	function emit(event: AnswerEvent): void {
		if (over) return;
		told.push(event);
		over = event.type === "end" || event.type === "error";
	}
	function read(events: readonly ServerSentEvent[]): void {
		for (const { data, event } of events) {
			if (over) return;
			reading.visit(data, event, emit);
		}
	}
	function taken(): readonly AnswerEvent[] {
		const result = told;
		told = [];
		return result;
	}
	return {
		push(chunk) {
			if (over) return [];
			read(frames.push(chunk));
			if (frames.oversized)
				emit({
					type: "error",
					error: {
						message: "The vendor sent an event that is too large to read.",
						code: "event-too-large",
					},
				});
			return taken();
		},
		end() {
			if (over) return [];
			read(frames.end());
			if (!over) reading.conclude(emit);
			over = true;
			return taken();
		},
	};
}

/** One event as bytes want to be: data of one line, as JSON is. */
export function sse(data: string, event?: string): string {
	return event === undefined
		? `data: ${data}\n\n`
		: `event: ${event}\ndata: ${data}\n\n`;
}

/** Frames as bytes; undefined when there are none. */
export function bytesOf(frames: readonly string[]): Uint8Array | undefined {
	return frames.length === 0
		? undefined
		: Buffer.from(
				frames.length === 1 ? (frames[0] as string) : frames.join(""),
			);
}

/** Parses JSON that a vendor sent; undefined when it is none. */
export function json(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** An event may hold a large image. */
const eventLimit = 64 * 1024 * 1024;

const nothingWatched = watchFor();

function eventOf({ bytes, start, end }: Frame): ServerSentEvent | undefined {
	let text = bytes.toString("utf8", start, end);
	// The usual frame of protocols without names: one line.
	if (text.startsWith("data: ") && text.indexOf("\n") === text.length - 2)
		return { event: undefined, data: text.slice(6, -2) };
	if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
	let event: string | undefined;
	let data: string | undefined;
	for (const line of text.includes("\r")
		? text.split(/\r\n|\n|\r/)
		: text.split("\n")) {
		if (line.startsWith("data:")) {
			const value = line.slice(line[5] === " " ? 6 : 5);
			data = data === undefined ? value : `${data}\n${value}`;
		} else if (line.startsWith("event:"))
			event = line.slice(line[6] === " " ? 7 : 6);
	}
	return data === undefined ? undefined : { event, data };
}
