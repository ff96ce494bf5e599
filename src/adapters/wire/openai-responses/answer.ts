import type { Meter } from "../../../ports/wire-protocol.ts";
import {
	describeError,
	parsed,
	plainMeter,
	type Reading,
	streamMeter,
} from "../answer-meter.ts";
import { dataOf, type Frame, watchFor } from "../event-frames.ts";
import {
	answerDepth,
	asBuffer,
	member,
	parseValue,
	type Scan,
	scanMembers,
} from "../json-members.ts";
import { reportedCost } from "../openai-chat/cost.ts";
import { isRecord } from "../request-body.ts";
import { responseUsage } from "./usage.ts";

export function plainAnswer(ceiling: number | undefined): Meter {
	return plainMeter({
		textMembers: ["text", "refusal", "arguments", "input", "code"],
		read(body, scan) {
			const named = ["status", "error", "incomplete_details", "usage"];
			const response = members(body, scan, [...named, "tool_usage"]);
			// The output is worth parsing only where its searches have to be counted.
			if (!response.tool_usage && body.includes('"web_search_call"'))
				Object.assign(response, members(body, scan, ["output"]));
			return readResponse(response, body, scan, ceiling);
		},
	});
}

/** `usage` is null and none of the others is there until the last frame; `message` is a member of errors alone. */
const watch = watchFor(
	"usage",
	"message",
	"incomplete_details",
	"value:failed",
	"value:response.completed",
);

/** Usage comes once, with the finished response that ends the stream. */
export function streamedAnswer(ceiling: number | undefined): Meter {
	let last: Reading = {};
	let vendorError: string | undefined;
	let done = false;

	function visit(frame: Frame): undefined {
		if (frame.values.every((at) => at < 0)) return;
		const data = dataOf(frame);
		const event = parsed(data);
		if (!isRecord(event) || data === undefined) return;
		if (isFinal(event.type) && isRecord(event.response)) {
			const json = asBuffer(Buffer.from(data));
			const scan = scanMembers(json, 0, answerDepth);
			const there =
				typeof scan === "object" ? member(scan, "response") : undefined;
			const inner = there && scanMembers(json, there.valueStart, answerDepth);
			if (typeof inner !== "object") return;
			last = readResponse(event.response, json, inner, ceiling);
			vendorError = last.vendorError ?? vendorError;
			done = true;
		} else if (event.type === "error" || isRecord(event.error)) {
			vendorError =
				describeError(isRecord(event.error) ? event.error : event) ?? "error";
		}
	}

	return streamMeter({
		// What a delta says, the events that follow it say again.
		textMembers: ["delta"],
		watch,
		removes: false,
		visit,
		conclude: () => ({ ...last, vendorError, complete: done }),
	});
}

function isFinal(type: unknown): boolean {
	return (
		type === "response.completed" ||
		type === "response.incomplete" ||
		type === "response.failed"
	);
}

function readResponse(
	response: Readonly<Record<string, unknown>>,
	json: Buffer,
	scan: Scan,
	ceiling: number | undefined,
): Reading {
	const { status, usage, incomplete_details: details } = response;
	const there = member(scan, "usage");
	const reason = isRecord(details) ? details.reason : undefined;
	const finish = [reason, status].find((each) => typeof each === "string");
	return {
		usage: isRecord(usage) ? responseUsage(response, ceiling) : undefined,
		reportedCost:
			there && isRecord(usage)
				? reportedCost(usage, json.subarray(there.valueStart, there.valueEnd))
				: undefined,
		finishReason: finish?.slice(0, 100),
		vendorError: describeError(response.error),
	};
}

function members(
	body: Buffer,
	scan: Scan,
	names: readonly string[],
): Record<string, unknown> {
	const found: Record<string, unknown> = {};
	for (const name of names) {
		const there = member(scan, name);
		if (there) found[name] = parseValue(body, there);
	}
	return found;
}
