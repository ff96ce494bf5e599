import type {
	AnswerPart,
	CanonicalAnswer,
	Choice,
	Finish,
	Opaque,
	ServerToolPart,
	VendorError,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";
import {
	isRecord,
	listOf,
	present,
	recordsOf,
	textOf,
	unreadable,
} from "../canonical/fields.ts";
import { readCitation } from "./citations.ts";
import { ours } from "./opaque.ts";
import { isResult, serverTool, withResult } from "./server-tools.ts";
import { messageUsage } from "./usage.ts";

/** A whole message of the vendor's. Blocks of a kind that is not known here are kept for the next turn. */
export function readAnswer(body: unknown): CanonicalAnswer {
	if (!isRecord(body) || !Array.isArray(body.content))
		return unreadable("is no message");
	const usage = readUsage(body.usage);
	const choice: Choice = {
		parts: [...readParts(recordsOf(body.content)), ...explanation(body)],
		finish: readFinish(body),
	};
	return present({
		id: textOf(body.id),
		model: textOf(body.model),
		choices: [choice],
		usage,
		serviceTier: readTier(body.usage),
	}) as CanonicalAnswer;
}

export function readUsage(report: unknown): Usage | undefined {
	const reading = isRecord(report) && messageUsage(report, undefined);
	return reading && "usage" in reading ? reading.usage : undefined;
}

export function readTier(report: unknown): string | undefined {
	return isRecord(report) ? textOf(report.service_tier) : undefined;
}

function readParts(blocks: readonly Json[]): AnswerPart[] {
	const parts: AnswerPart[] = [];
	const running = new Map<string, number>();
	for (const block of blocks) {
		const at = isResult(block) && running.get(block.tool_use_id as string);
		if (typeof at === "number") {
			parts[at] = withResult(parts[at] as ServerToolPart, block);
			continue;
		}
		const part = readPart(block);
		if (part.type === "server-tool") running.set(part.id, parts.length);
		parts.push(part);
	}
	return parts;
}

/** One block, whole. */
export function readPart(block: Json): AnswerPart {
	switch (block.type) {
		case "text": {
			const citations = listOf(block.citations).flatMap(
				(each) => readCitation(each) ?? [],
			);
			return {
				type: "text",
				text: textOf(block.text) ?? "",
				...(citations.length > 0 && { citations }),
			};
		}
		case "thinking": {
			const signature = textOf(block.signature);
			return {
				type: "reasoning",
				text: textOf(block.thinking) ?? "",
				...(signature && { opaque: ours({ signature }) }),
			};
		}
		case "redacted_thinking":
			return {
				type: "reasoning",
				text: "",
				opaque: ours({ redacted: textOf(block.data) ?? "" }),
			};
		case "tool_use": {
			const opaque = callMark(block);
			return {
				type: "tool-call",
				id: textOf(block.id) ?? "",
				name: textOf(block.name) ?? "",
				arguments: JSON.stringify(block.input ?? {}),
				...(opaque && { opaque }),
			};
		}
		default:
			return serverTool(block);
	}
}

/** What a call has to come back with: who called it, when that was no model, and the set its tool is from. */
export function callMark(block: Json): Opaque | undefined {
	const caller =
		isRecord(block.caller) && block.caller.type !== "direct"
			? block.caller
			: undefined;
	const set = textOf(block.toolset_name);
	return caller || set !== undefined
		? ours(present({ caller, toolset_name: set }))
		: undefined;
}

/** Why the vendor refused, in words, as a part of the answer. */
export function explanation({ stop_details: details }: Json): AnswerPart[] {
	const text = isRecord(details) && textOf(details.explanation);
	return text ? [{ type: "refusal", text }] : [];
}

export function readFinish(message: Json): Finish {
	const reason = reasons.get(textOf(message.stop_reason) ?? "") ?? "stop";
	const sequence = textOf(message.stop_sequence);
	return reason === "stop-sequence" && sequence !== undefined
		? { reason, sequence }
		: { reason };
}

const reasons: ReadonlyMap<string, Finish["reason"]> = new Map([
	["end_turn", "stop"],
	["max_tokens", "length"],
	["stop_sequence", "stop-sequence"],
	["tool_use", "tool-calls"],
	["pause_turn", "pause"],
	["compaction", "pause"],
	["refusal", "refusal"],
	["model_context_window_exceeded", "context-window"],
] as const);

/** `{"type":"error","error":{"type","message"}}`, or whatever else came. */
export function readError(status: number, body: Uint8Array): VendorError {
	let value: unknown;
	try {
		value = JSON.parse(decoder.decode(body));
	} catch {
		value = undefined;
	}
	return errorOf(value) ?? { message: `The vendor answered with ${status}.` };
}

export function errorOf(value: unknown): VendorError | undefined {
	const error = isRecord(value) && isRecord(value.error) ? value.error : value;
	if (!isRecord(error)) return undefined;
	const message = textOf(error.message);
	if (!message) return undefined;
	return present({
		message: message.slice(0, longestMessage),
		code: textOf(error.type),
	}) as VendorError;
}

const longestMessage = 2_000;
const decoder = new TextDecoder();
