import type { Meter } from "../../../ports/wire-protocol.ts";
import { parsed, plainMeter } from "../answer-meter.ts";
import { member, parseValue } from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import type { UsageReading } from "../usage-counts.ts";
import { messageReader, type StreamMessage } from "./messages.ts";
import { converseUsage } from "./usage.ts";

export function plainAnswer(ceiling: number | undefined): Meter {
	return plainMeter({
		textMembers: ["text"],
		read(body, scan) {
			const [usage, stopReason] = ["usage", "stopReason"].map((name) => {
				const there = member(scan, name);
				return there && parseValue(body, there);
			});
			return {
				usage: isRecord(usage) ? converseUsage(usage, ceiling) : undefined,
				finishReason: typeof stopReason === "string" ? stopReason : undefined,
			};
		},
	});
}

/** Characters of deltas that are kept to estimate from, should usage never come. */
const sampleLength = 256 * 1024;

/** Usage comes last, with `metadata`, behind the reason to stop. */
export function streamedAnswer(ceiling: number | undefined): Meter {
	const reader = messageReader();
	const sample: string[] = [];
	let sampled = 0;
	let length = 0;
	let usage: UsageReading | undefined;
	let finishReason: string | undefined;
	let vendorError: string | undefined;

	function visit({ type, name, body }: StreamMessage): void {
		if (type === "exception") {
			const said = parsed(body);
			const message =
				isRecord(said) && typeof said.message === "string" ? said.message : "";
			vendorError ??=
				[name, message].filter(Boolean).join(": ").slice(0, 500) || "error";
		} else if (name === "contentBlockDelta") {
			length += body.length;
			if (sampled > sampleLength) return;
			sampled += body.length;
			sample.push(body);
		} else if (name === "messageStop") {
			const said = parsed(body);
			finishReason =
				isRecord(said) && typeof said.stopReason === "string"
					? said.stopReason.slice(0, 100)
					: "";
		} else if (name === "metadata") {
			const said = parsed(body);
			if (isRecord(said) && isRecord(said.usage))
				usage = converseUsage(said.usage, ceiling);
		}
	}

	/** Deltas of one stream are alike: what the sample shows holds for the rest. */
	function deliveredBytes(): number {
		if (sampled === 0) return 0;
		let bytes = 0;
		for (const body of sample) {
			const said = parsed(body);
			if (isRecord(said)) bytes += textBytes(said.delta);
		}
		return Math.round((bytes * length) / sampled);
	}

	return {
		pass(chunk) {
			for (const message of reader.push(chunk)) visit(message);
			if (reader.broken !== undefined) vendorError ??= reader.broken;
			return chunk;
		},
		finish() {
			const counted = usage && "usage" in usage ? usage.usage : undefined;
			const some = counted && Object.keys(counted).length > 0;
			const delivered = some ? 0 : deliveredBytes();
			const nothing = counted && !some && delivered > 0;
			return {
				rest: undefined,
				usage: nothing ? undefined : counted,
				absurd: nothing
					? "usage counts nothing, though text was delivered"
					: usage && "absurd" in usage
						? usage.absurd
						: undefined,
				reportedCost: undefined,
				deliveredBytes: delivered,
				partialUsage: undefined,
				complete: finishReason !== undefined && reader.broken === undefined,
				finishReason: finishReason || undefined,
				vendorError,
			};
		},
	};
}

/** Of text, reasoning and arguments in a delta, wherever they stand in it; no signatures. */
function textBytes(delta: unknown): number {
	if (!isRecord(delta)) return 0;
	const { text, reasoningContent, toolUse } = delta;
	if (typeof text === "string") return Buffer.byteLength(text);
	if (isRecord(reasoningContent) && typeof reasoningContent.text === "string")
		return Buffer.byteLength(reasoningContent.text);
	return isRecord(toolUse) && typeof toolUse.input === "string"
		? Buffer.byteLength(toolUse.input)
		: 0;
}
