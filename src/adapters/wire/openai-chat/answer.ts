import type { Usage } from "../../../ports/price-book.ts";
import type { Meter } from "../../../ports/wire-protocol.ts";
import {
	describeError,
	parsed,
	plainMeter,
	type Reading,
	streamMeter,
	stringAt,
} from "../answer-meter.ts";
import { type Cut, dataOf, type Frame, watchFor } from "../event-frames.ts";
import {
	answerDepth,
	asBuffer,
	member,
	parseValue,
	type Scan,
	scanMembers,
	skipSpace,
} from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import { reportedCost } from "./cost.ts";
import { chatUsage, usageOf } from "./usage.ts";

const textMembers = [
	"content",
	"reasoning_content",
	"reasoning",
	"arguments",
	"refusal",
	"text",
	"transcript",
];

export function plainAnswer(
	operation: string,
	ceiling: number | undefined,
): Meter {
	return plainMeter({
		textMembers: operation === "chat" ? textMembers : [],
		read: (body, scan) => readWhole(body, scan, ceiling),
	});
}

function readWhole(
	body: Buffer,
	scan: Scan,
	ceiling: number | undefined,
): Reading {
	const error = member(scan, "error");
	const choices = member(scan, "choices");
	const there = member(scan, "usage");
	const usage = there && parseValue(body, there);
	return {
		usage: isRecord(usage) ? chatUsage(usage, ceiling) : undefined,
		reportedCost:
			there && isRecord(usage)
				? reportedCost(usage, body.subarray(there.valueStart, there.valueEnd))
				: undefined,
		finishReason:
			choices &&
			finishReasonIn(body.subarray(choices.valueStart, choices.valueEnd)),
		vendorError: error && describeError(parseValue(body, error)),
	};
}

function finishReasonIn(choices: Buffer): string | undefined {
	const name = '"finish_reason"';
	const at = choices.lastIndexOf(name);
	return at < 0
		? undefined
		: stringAt(
				choices,
				skipSpace(choices, skipSpace(choices, at + name.length) + 1),
			);
}

const watch = watchFor("usage", "error", "finish_reason");
const [usageName, errorName, finishName] = [0, 1, 2];

/**
 * @param asked usage was asked for by us: the chunk that carries nothing else is taken out, and
 * `"usage":null` from every other. Usage that a vendor puts on a chunk of content stays, as such
 * vendors send it unasked.
 */
export function streamedAnswer(
	asked: boolean,
	choices: number,
	ceiling: number | undefined,
): Meter {
	/** Data of the latest chunks with usage, to be read once at the end: some vendors put it on every chunk. */
	const reports: string[] = [];
	let finishReason: string | undefined;
	let vendorError: string | undefined;
	let done = false;

	function visit(frame: Frame): Cut | undefined {
		const { bytes, start, end, values, nulls } = frame;
		const usageAt = values[usageName] as number;
		const nullAt = nulls[usageName] as number;
		const finishAt = values[finishName] as number;
		if (finishAt >= 0) finishReason = stringAt(bytes, finishAt) ?? finishReason;
		if ((values[errorName] as number) >= 0)
			vendorError = errorOf(parsed(dataOf(frame))) ?? vendorError;
		if (end - start < 64 && dataOf(frame)?.trim() === "[DONE]") done = true;
		if (usageAt >= 0) {
			const data = dataOf(frame);
			if (data !== undefined) {
				if (reports.push(data) > 4) reports.shift();
				if (asked && isUsageOnly(data)) return { start, end };
			}
		}
		if (!asked) return undefined;
		if (!frame.whole && isHalf(dataOf(frame))) return { start, end };
		return nullAt >= 0 ? cutNullUsage(bytes, nullAt, end) : undefined;
	}

	return streamMeter({
		textMembers,
		watch,
		removes: asked,
		visit,
		conclude() {
			// Not every vendor sends [DONE]. A reason to finish serves, unless other choices may still be under way.
			const complete =
				done ||
				(finishReason !== undefined && (choices === 1 || reports.length > 0));
			for (const data of reports.reverse()) {
				const chunk = parsed(data);
				const usage = isRecord(chunk) ? usageOf(chunk) : undefined;
				if (!isRecord(chunk) || !usage) continue;
				const report = chatUsage(usage, ceiling);
				// Usage on a chunk of content may be a running count: it is the last word only at the end.
				const final = complete || isEmpty(chunk.choices);
				if (!final && "usage" in report) {
					return {
						partialUsage: inputOf(report.usage),
						finishReason,
						vendorError,
						complete: false,
					};
				}
				const json = asBuffer(Buffer.from(data));
				const scan = scanMembers(json, 0, answerDepth);
				const there =
					typeof scan === "object" ? member(scan, "usage") : undefined;
				const cost =
					there && isRecord(chunk.usage)
						? reportedCost(
								chunk.usage,
								json.subarray(there.valueStart, there.valueEnd),
							)
						: undefined;
				return {
					usage: report,
					reportedCost: cost,
					finishReason,
					vendorError,
					complete,
				};
			}
			return { finishReason, vendorError, complete };
		},
	});
}

function isUsageOnly(data: string): boolean {
	if (!/"choices"\s*:\s*\[\s*\]/.test(data)) return false;
	const chunk = parsed(data);
	return (
		isRecord(chunk) &&
		isEmpty(chunk.choices) &&
		isRecord(chunk.usage) &&
		!isRecord(chunk.error)
	);
}

function isEmpty(choices: unknown): boolean {
	return Array.isArray(choices) && choices.length === 0;
}

/** Data that was cut off before its end: no client can read it. */
function isHalf(data: string | undefined): boolean {
	return (
		data !== undefined && data.trim() !== "[DONE]" && parsed(data) === undefined
	);
}

/** The chunk's own error (OpenRouter, vLLM), or its first choice's. */
function errorOf(chunk: unknown): string | undefined {
	if (!isRecord(chunk)) return undefined;
	if (chunk.error !== undefined && chunk.error !== null)
		return describeError(chunk.error);
	const choice: unknown = Array.isArray(chunk.choices)
		? chunk.choices[0]
		: undefined;
	return isRecord(choice) ? describeError(choice.error) : undefined;
}

function inputOf({
	output,
	reasoning,
	"output-audio": audio,
	"output-image": image,
	...input
}: Usage): Usage {
	return input;
}

/**
 * Takes `"usage":null` with its comma out of a chunk, if it is the chunk's own: that is so when the
 * object that closes around it ends the line, and no further line of data follows.
 */
function cutNullUsage(
	bytes: Buffer,
	nameStart: number,
	frameEnd: number,
): Cut | undefined {
	const colon = skipSpace(bytes, nameStart + '"usage"'.length);
	const valueEnd = skipSpace(bytes, colon + 1) + "null".length;
	const next = skipSpace(bytes, valueEnd);
	if (!endsLine(bytes, valueEnd, frameEnd)) return undefined;
	let before = nameStart - 1;
	while (bytes[before] === 0x20) before--;
	if (bytes[before] === 0x2c) return { start: before, end: valueEnd };
	if (bytes[before] !== 0x7b) return undefined;
	return { start: nameStart, end: bytes[next] === 0x2c ? next + 1 : valueEnd };
}

/** Whether the object that `from` lies in closes at the end of the frame's data. */
function endsLine(bytes: Buffer, from: number, frameEnd: number): boolean {
	let depth = 0;
	let inString = false;
	for (let at = from; at < frameEnd; at++) {
		const byte = bytes[at];
		if (byte === 0x22) inString = !inString;
		else if (byte === 0x5c && inString) at++;
		else if (inString) continue;
		else if (byte === 0x7b || byte === 0x5b) depth++;
		else if ((byte === 0x7d || byte === 0x5d) && --depth < 0) {
			// The usual frame is one line and a blank one.
			if (at + 3 === frameEnd && bytes[at + 1] === 0x0a) return true;
			const rest = bytes.toString("latin1", at + 1, frameEnd);
			return /^ *(?:[\r\n]|$)/.test(rest) && !/[\r\n]data/.test(rest);
		}
	}
	return false;
}
