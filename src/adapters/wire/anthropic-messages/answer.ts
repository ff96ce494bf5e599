import type { Usage } from "../../../ports/price-book.ts";
import type { Meter } from "../../../ports/wire-protocol.ts";
import {
	describeError,
	parsed,
	plainMeter,
	type Reading,
	streamMeter,
} from "../answer-meter.ts";
import { dataOf, type Frame, watchFor } from "../event-frames.ts";
import { member, parseValue, type Scan } from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import { mergeReports, messageUsage } from "./usage.ts";

const watch = watchFor("usage", "error", "value:message_stop");
const textMembers = ["text", "thinking", "partial_json"];

export function plainAnswer(ceiling: number | undefined): Meter {
	return plainMeter({
		textMembers,
		read: (body, scan) => readWhole(body, scan, ceiling),
	});
}

/** A count of tokens: nothing is generated, and nothing is billed for it. */
export function tokenCount(): Meter {
	return plainMeter({
		textMembers: [],
		read(body, scan) {
			const error = member(scan, "error");
			return error
				? { vendorError: describeError(parseValue(body, error)) }
				: { usage: { usage: {} } };
		},
	});
}

function readWhole(
	body: Buffer,
	scan: Scan,
	ceiling: number | undefined,
): Reading {
	const there = ["usage", "stop_reason", "error"].map((name) =>
		member(scan, name),
	);
	const [usage, stopReason, error] = there.map(
		(each) => each && parseValue(body, each),
	);
	return {
		usage: isRecord(usage) ? messageUsage(usage, ceiling) : undefined,
		finishReason: typeof stopReason === "string" ? stopReason : undefined,
		vendorError: describeError(error),
	};
}

/** Usage comes unasked: the input with `message_start`, the output, as a running total, with each `message_delta`. */
export function streamedAnswer(ceiling: number | undefined): Meter {
	let report: Readonly<Record<string, unknown>> | undefined;
	let finishReason: string | undefined;
	let vendorError: string | undefined;
	let done = false;

	function visit(frame: Frame): undefined {
		if (frame.values.every((at) => at < 0)) return;
		const event = parsed(dataOf(frame));
		if (!isRecord(event)) return;
		if (event.type === "message_start" && isRecord(event.message)) {
			if (isRecord(event.message.usage))
				report = mergeReports(undefined, event.message.usage);
		} else if (event.type === "message_delta") {
			if (isRecord(event.usage)) report = mergeReports(report, event.usage);
			if (isRecord(event.delta) && typeof event.delta.stop_reason === "string")
				finishReason = event.delta.stop_reason;
		} else if (event.type === "message_stop") {
			done = true;
		} else if (event.type === "error") {
			vendorError = describeError(event.error) ?? "error";
		}
	}

	return streamMeter({
		textMembers,
		watch,
		removes: false,
		visit,
		conclude() {
			const ending = { finishReason, vendorError, complete: done };
			if (!report) return ending;
			const reading = messageUsage(report, ceiling);
			// Without a reason to stop, the output counted so far is not all of it.
			if (done || finishReason !== undefined)
				return { ...ending, usage: reading };
			return "usage" in reading
				? { ...ending, partialUsage: inputOf(reading.usage) }
				: ending;
		},
	});
}

function inputOf({ output, reasoning, ...input }: Usage): Usage {
	return input;
}
