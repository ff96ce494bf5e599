import type { Meter } from "../../../ports/wire-protocol.ts";
import {
	describeError,
	parsed,
	plainMeter,
	type Reading,
	streamMeter,
	stringAt,
} from "../answer-meter.ts";
import { dataOf, type Frame, watchFor } from "../event-frames.ts";
import { member, parseValue, type Scan } from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import { arrayForm } from "./array-form.ts";
import {
	addQueries,
	embedUsage,
	generateUsage,
	paidSearches,
} from "./usage.ts";

const textMembers = ["text"];

/** The members of a whole answer that are read; the candidates only where they show searches. */
export function plainAnswer(ceiling: number | undefined): Meter {
	return plainMeter({
		textMembers,
		read: (body, scan) => readWhole(body, scan, ceiling),
	});
}

export function embeddings(): Meter {
	return plainMeter({
		textMembers: [],
		read(body, scan) {
			const read = reader(body, scan);
			const usage = read("usageMetadata");
			return {
				usage: isRecord(usage) ? embedUsage(usage) : undefined,
				vendorError: describeError(read("error")),
			};
		},
	});
}

/** Counting tokens uses none. */
export function tokenCount(): Meter {
	return plainMeter({
		textMembers: [],
		read: (body, scan) => ({
			usage: { usage: {} },
			vendorError: describeError(reader(body, scan)("error")),
		}),
	});
}

function readWhole(
	body: Buffer,
	scan: Scan,
	ceiling: number | undefined,
): Reading {
	const read = reader(body, scan);
	const queries = new Set<string>();
	const there = member(scan, "candidates");
	const candidates = there && body.subarray(there.valueStart, there.valueEnd);
	if (candidates?.includes('"webSearchQueries"'))
		addQueries(read("candidates"), queries);
	const model = read("modelVersion");
	const usage = read("usageMetadata");
	return {
		usage: isRecord(usage)
			? generateUsage(
					usage,
					ceiling,
					paidSearches(queries, typeof model === "string" ? model : undefined),
				)
			: undefined,
		finishReason:
			(candidates && finishReasonIn(candidates)) ??
			blockReason(read("promptFeedback")),
		vendorError: describeError(read("error")),
	};
}

function reader(body: Buffer, scan: Scan): (name: string) => unknown {
	return (name) => {
		const there = member(scan, name);
		return there && parseValue(body, there);
	};
}

/** The last one: content, which may hold the word as well, stands before it. */
function finishReasonIn(candidates: Buffer): string | undefined {
	const name = '"finishReason"';
	const at = candidates.lastIndexOf(name);
	if (at < 0) return undefined;
	const value = /^\s*:\s*("[A-Z_]{1,100}")/.exec(
		candidates.toString("latin1", at + name.length, at + name.length + 200),
	)?.[1];
	return value?.slice(1, -1);
}

function blockReason(feedback: unknown): string | undefined {
	return isRecord(feedback) && typeof feedback.blockReason === "string"
		? feedback.blockReason.slice(0, 100)
		: undefined;
}

const watch = watchFor(
	"usageMetadata",
	"error",
	"finishReason",
	"webSearchQueries",
	"blockReason",
	"modelVersion",
);
const [usageName, errorName, finishName, searchName, blockName, modelName] = [
	0, 1, 2, 3, 4, 5,
];

/**
 * Every event tells the usage so far, and nothing but a reason to finish tells the last one. The
 * client gets the events, or their contents as one array.
 */
export function streamedAnswer(
	choices: number,
	ceiling: number | undefined,
	asArray: boolean,
): Meter {
	let report: string | undefined;
	let model: string | undefined;
	let finishReason: string | undefined;
	let vendorError: string | undefined;
	let blocked = false;
	const finished = new Set<unknown>();
	const queries = new Set<string>();

	function visit(frame: Frame): undefined {
		const { values, bytes } = frame;
		const has = (name: number) => (values[name] as number) >= 0;
		if (model === undefined && has(modelName))
			model = stringAt(bytes, values[modelName] as number);
		const telling =
			has(finishName) || has(errorName) || has(searchName) || has(blockName);
		if (!telling && !has(usageName)) return;
		const data = dataOf(frame);
		if (has(usageName)) report = data;
		const event = telling ? parsed(data) : undefined;
		if (!isRecord(event)) return;
		if (event.error !== undefined) vendorError = describeError(event.error);
		for (const each of Array.isArray(event.candidates)
			? event.candidates
			: []) {
			if (!isRecord(each) || typeof each.finishReason !== "string") continue;
			finishReason = each.finishReason.slice(0, 100);
			finished.add(each.index ?? 0);
		}
		addQueries(event.candidates, queries);
		const reason = blockReason(event.promptFeedback);
		if (reason === undefined) return;
		blocked = true;
		finishReason ??= reason;
	}

	const meter = streamMeter({
		textMembers,
		watch,
		removes: false,
		visit,
		conclude() {
			// A vendor may give fewer answers than it was asked for, and then its usage still is the last word.
			const complete =
				blocked ||
				finished.size >= choices ||
				(finished.size > 0 && report !== undefined);
			const event = parsed(report);
			const ending = { finishReason, vendorError, complete };
			if (!isRecord(event) || !isRecord(event.usageMetadata)) return ending;
			const usage = generateUsage(
				event.usageMetadata,
				ceiling,
				paidSearches(queries, model),
			);
			if (complete) return { ...ending, usage };
			return "usage" in usage
				? { ...ending, partialUsage: usage.usage }
				: ending;
		},
	});
	return asArray ? inArrayForm(meter) : meter;
}

function inArrayForm(meter: Meter): Meter {
	const form = arrayForm();
	return {
		contentType: "application/json",
		pass(chunk) {
			const passed = meter.pass(chunk);
			return passed && form.push(passed);
		},
		finish() {
			const metered = meter.finish();
			const whole = metered.complete || metered.vendorError !== undefined;
			// One that broke off stays open for the refusal that ends it.
			return { ...metered, rest: whole ? form.close() : undefined };
		},
		refuse: form.refuse,
	};
}
