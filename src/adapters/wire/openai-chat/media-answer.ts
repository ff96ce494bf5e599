import type { Usage } from "../../../ports/price-book.ts";
import type { Meter, Metered } from "../../../ports/wire-protocol.ts";
import {
	describeError,
	parsed,
	plainMeter,
	type Reading,
} from "../answer-meter.ts";
import { dataOf, type Frame, frameReader, watchFor } from "../event-frames.ts";
import {
	answerDepth,
	member,
	parseValue,
	type Scan,
	scanMembers,
	stringEnd,
} from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import type { UsageReading } from "../usage-counts.ts";
import { reportedCost } from "./cost.ts";

/** What an operation's answers are read by. */
export interface MediaReading {
	/** The member that carries what is paid for: `b64_json`, in a stream `delta`. */
	readonly carriers: readonly string[];
	/** The same in a stream, and the type of the event that ends it. */
	readonly carried: string;
	readonly ends: string;
	usage(report: Readonly<Record<string, unknown>>): UsageReading;
	/** The pieces in a whole answer. */
	countWhole(body: Buffer, scan: Scan): Usage | undefined;
	/** The pieces in a stream or in bytes, of which so many events said that one was done. */
	count(done: number): Usage | undefined;
}

/** Answers in one piece of JSON. */
export function wholeMedia(reading: MediaReading): Meter {
	let counted: Usage | undefined;
	const meter = plainMeter({
		textMembers: reading.carriers,
		read(body, scan): Reading {
			counted = reading.countWhole(body, scan);
			const error = member(scan, "error");
			const there = member(scan, "usage");
			const usage = there && parseValue(body, there);
			return {
				vendorError: error && describeError(parseValue(body, error)),
				...(there &&
					isRecord(usage) && {
						usage: reading.usage(usage),
						reportedCost: reportedCost(
							usage,
							body.subarray(there.valueStart, there.valueEnd),
						),
					}),
			};
		},
	});
	return {
		pass: meter.pass,
		finish() {
			const metered = meter.finish();
			return { ...metered, counted: counted ?? reading.count(0) };
		},
	};
}

/** An image in a frame may be as large as that. */
const largestFrame = 64 * 1024 * 1024;

/** Answers in events, each of them whole. */
export function streamedMedia(reading: MediaReading): Meter {
	const watch = watchFor(
		"usage",
		"error",
		`value:${reading.ends}`,
		reading.carried,
	);
	const [usageName, errorName, endName, carriedName] = [0, 1, 2, 3];
	const reports: UsageReading[] = [];
	let done = 0;
	let ended = false;
	let delivered = 0;
	let vendorError: string | undefined;
	const reader = frameReader(
		watch,
		false,
		(frame) => {
			const { bytes, start, end, values } = frame;
			const usageAt = values[usageName] as number;
			const carriedAt = values[carriedName] as number;
			if (carriedAt >= 0) delivered += stringLength(bytes, carriedAt, end);
			if ((values[errorName] as number) >= 0)
				vendorError = errorIn(frame) ?? vendorError;
			// A last event that was cut off has not ended anything.
			if (frame.whole && (values[endName] as number) >= 0) done++;
			if (end - start < 64 && dataOf(frame)?.trim() === "[DONE]") ended = true;
			const report = usageAt >= 0 ? objectAt(bytes, usageAt) : undefined;
			if (frame.whole && report) reports.push(reading.usage(report));
			return undefined;
		},
		largestFrame,
	);
	return {
		pass: (chunk) => (chunk.length === 0 ? undefined : reader.push(chunk)),
		finish() {
			const rest = reader.end();
			const { usage, absurd } = together(reports);
			return {
				...nothing,
				rest,
				usage,
				absurd,
				counted: reading.count(done),
				deliveredBytes: usage ? 0 : delivered,
				complete: ended || done > 0,
				vendorError,
			};
		},
	};
}

/** Answers that are what was asked for, in bytes: sound, an image, text. They say nothing of their own. */
export function bareMedia(
	reading: MediaReading,
	{
		flows,
		mayBeEmpty,
	}: { readonly flows: boolean; readonly mayBeEmpty: boolean },
): Meter {
	let length = 0;
	return {
		flows,
		pass(chunk) {
			length += chunk.length;
			return chunk;
		},
		finish: () => ({
			...nothing,
			counted: reading.count(0),
			deliveredBytes: length,
			complete: mayBeEmpty || length > 0,
		}),
	};
}

const nothing: Metered = {
	rest: undefined,
	usage: undefined,
	absurd: undefined,
	reportedCost: undefined,
	deliveredBytes: 0,
	partialUsage: undefined,
	complete: false,
	finishReason: undefined,
	vendorError: undefined,
};

/** Every image of a stream has its own usage. */
function together(
	reports: readonly UsageReading[],
): Pick<Metered, "usage" | "absurd"> {
	let usage: Record<string, number> | undefined;
	for (const report of reports) {
		if ("absurd" in report) return { usage: undefined, absurd: report.absurd };
		usage ??= {};
		for (const [name, units] of Object.entries(report.usage))
			usage[name] = (usage[name] ?? 0) + units;
	}
	return { usage, absurd: undefined };
}

function objectAt(
	bytes: Buffer,
	at: number,
): Readonly<Record<string, unknown>> | undefined {
	const scan = scanMembers(bytes, at, answerDepth);
	if (typeof scan !== "object") return undefined;
	const value = parsed(bytes.toString("utf8", at, scan.end));
	return isRecord(value) ? value : undefined;
}

function stringLength(bytes: Buffer, at: number, frameEnd: number): number {
	if (bytes[at] !== 0x22) return 0;
	const end = stringEnd(bytes, at + 1);
	return (end < 0 ? frameEnd : end - 1) - at - 1;
}

function errorIn(frame: Frame): string | undefined {
	const event = parsed(dataOf(frame));
	return isRecord(event) && event.error !== undefined && event.error !== null
		? describeError(event.error)
		: undefined;
}
