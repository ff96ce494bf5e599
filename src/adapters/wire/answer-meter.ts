import type { Usage } from "../../ports/price-book.ts";
import type { Meter, Metered } from "../../ports/wire-protocol.ts";
import {
	type Cut,
	type Frame,
	frameReader,
	type Watch,
} from "./event-frames.ts";
import {
	answerDepth,
	asBuffer,
	type Scan,
	scanMembers,
	skipSpace,
	stringEnd,
} from "./json-members.ts";
import { isRecord } from "./request-body.ts";
import type { UsageReading } from "./usage-counts.ts";

/** What a protocol makes of an answer; what it leaves out was not there. */
export interface Reading {
	readonly usage?: UsageReading | undefined;
	readonly partialUsage?: Usage | undefined;
	readonly reportedCost?: number | undefined;
	readonly finishReason?: string | undefined;
	readonly vendorError?: string | undefined;
}

export interface PlainAnswer {
	/** Members whose strings are generated text. */
	readonly textMembers: readonly string[];
	/** Reads the whole body. */
	read(body: Buffer, scan: Scan): Reading;
}

export interface StreamedAnswer {
	readonly textMembers: readonly string[];
	readonly watch: Watch;
	/** Whether `visit` may take bytes out. */
	readonly removes: boolean;
	visit(frame: Frame): Cut | undefined;
	conclude(): Reading & { readonly complete: boolean };
}

const mostBodyBytes = 64 * 1024 * 1024;
const sampleBytes = 256 * 1024;
const sampleChunks = 4096;

/** Passes an answer in one piece of JSON, and reads it when it has ended. Keeps up to 64 MB of it. */
export function plainMeter({ textMembers, read }: PlainAnswer): Meter {
	let chunks: Uint8Array[] = [];
	let length = 0;
	return {
		pass(chunk) {
			length += chunk.length;
			if (length <= mostBodyBytes) chunks.push(chunk);
			else chunks = [];
			return chunk;
		},
		finish() {
			if (length > mostBodyBytes) {
				const absurd =
					"The answer is larger than 64 MB, so its usage was not read";
				const deliveredBytes = textMembers.length > 0 ? length : 0;
				return metered(
					{ usage: { absurd } },
					{ complete: true, deliveredBytes: () => deliveredBytes },
				);
			}
			const body =
				chunks.length === 1
					? asBuffer(chunks[0] as Uint8Array)
					: Buffer.concat(chunks, length);
			const scan = scanMembers(body, 0, answerDepth);
			const whole =
				typeof scan === "object" && skipSpace(body, scan.end) === body.length;
			return metered(whole ? orNothing(() => read(body, scan)) : {}, {
				complete: whole,
				deliveredBytes: () => textBytes(body, textMembers),
			});
		},
	};
}

/** Passes a stream of events. Keeps a sample of it to estimate from, should usage never come. */
export function streamMeter({
	textMembers,
	watch,
	removes,
	visit,
	conclude,
}: StreamedAnswer): Meter {
	const reader = frameReader(watch, removes, visit);
	const sample: Uint8Array[] = [];
	let sampled = 0;
	let length = 0;
	return {
		pass(chunk) {
			if (chunk.length === 0) return undefined;
			length += chunk.length;
			if (sampled < sampleBytes && sample.length < sampleChunks) {
				sample.push(chunk);
				sampled += chunk.length;
			}
			return reader.push(chunk);
		},
		finish() {
			const rest = reader.end();
			const { complete, ...reading } = conclude();
			return metered(reading, {
				rest,
				complete,
				// Frames of one stream are alike: what the sample shows holds for the rest.
				deliveredBytes: () =>
					sampled === 0
						? 0
						: Math.round(
								(textBytes(Buffer.concat(sample, sampled), textMembers) *
									length) /
									sampled,
							),
			});
		},
	};
}

/** What a vendor says of an error: its type or code, and its message, cut short. */
export function describeError(error: unknown): string | undefined {
	if (typeof error === "string") return error.slice(0, 500) || "error";
	if (!isRecord(error)) return undefined;
	const kind = [error.type, error.code].find(
		(each) => typeof each === "string" || typeof each === "number",
	);
	const text = typeof error.message === "string" ? error.message : undefined;
	return (
		[kind, text]
			.filter((each) => each !== undefined)
			.join(": ")
			.slice(0, 500) || "error"
	);
}

/** Parses JSON that a vendor sent; undefined when it is none. */
export function parsed(text: string | undefined): unknown {
	if (text === undefined) return undefined;
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** The string value that starts at `at`, where there is one. */
export function stringAt(bytes: Buffer, at: number): string | undefined {
	if (bytes[at] !== 0x22) return undefined;
	const end = stringEnd(bytes, at + 1);
	const value = end < 0 ? undefined : parsed(bytes.toString("utf8", at, end));
	return typeof value === "string" ? value.slice(0, 100) : undefined;
}

function metered(
	{
		usage: report,
		partialUsage,
		reportedCost,
		finishReason,
		vendorError,
	}: Reading,
	rest: {
		rest?: Uint8Array | undefined;
		complete: boolean;
		deliveredBytes: () => number;
	},
): Metered {
	let usage = report && "usage" in report ? report.usage : undefined;
	let absurd = report && "absurd" in report ? report.absurd : undefined;
	let deliveredBytes = 0;
	if (usage === undefined || Object.keys(usage).length === 0) {
		deliveredBytes = rest.deliveredBytes();
		if (usage !== undefined && deliveredBytes > 0) {
			usage = undefined;
			absurd = "usage counts nothing, though text was delivered";
		}
	}
	return {
		rest: rest.rest,
		usage,
		absurd,
		reportedCost,
		deliveredBytes,
		partialUsage: usage ? undefined : partialUsage,
		complete: rest.complete,
		finishReason,
		vendorError,
	};
}

/** Bytes of the strings under these names, wherever they stand and even if the last has no end. */
function textBytes(bytes: Buffer, names: readonly string[]): number {
	let sum = 0;
	for (const name of names) {
		const wanted = `"${name}"`;
		for (
			let at = bytes.indexOf(wanted);
			at >= 0;
			at = bytes.indexOf(wanted, at + wanted.length)
		) {
			const colon = skipSpace(bytes, at + wanted.length);
			const start = skipSpace(bytes, colon + 1);
			if (bytes[colon] !== 0x3a || bytes[start] !== 0x22) continue;
			const end = stringEnd(bytes, start + 1);
			const text = bytes.subarray(start + 1, end < 0 ? bytes.length : end - 1);
			// An escape such as \u4f60 stands for half as many bytes of text.
			const plain =
				end > 0 && text.includes(0x5c)
					? parsed(bytes.toString("utf8", start, end))
					: undefined;
			sum += typeof plain === "string" ? Buffer.byteLength(plain) : text.length;
		}
	}
	return sum;
}

/** A body that only looked like JSON tells nothing. */
function orNothing(read: () => Reading): Reading {
	try {
		return read();
	} catch (error) {
		if (error instanceof SyntaxError) return {};
		throw error;
	}
}
