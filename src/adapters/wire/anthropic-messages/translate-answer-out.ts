import type {
	AnswerPart,
	CanonicalAnswer,
	Finish,
	Opaque,
	ReasoningPart,
	ServerToolPart,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import type { Json, Naming, Warn } from "../../../ports/translator.ts";
import { isRecord } from "../canonical/fields.ts";
import { json } from "../canonical/sse.ts";
import { writeCitation } from "./citations.ts";
import { ownData, sealMark, sealPart, signatureFor } from "./opaque.ts";
import { ownBlocks, searchBlocks } from "./server-tools.ts";
import { writeUsage } from "./usage-out.ts";

/** A whole message for a client. */
export function writeAnswer(
	answer: CanonicalAnswer,
	naming: Naming,
	warn: Warn,
): Json {
	const { parts = [], finish = { reason: "error" } } = answer.choices[0] ?? {};
	if (answer.choices.length > 1) warnOfChoices(warn);
	return {
		...messageHead(answer.id, naming),
		content: parts.flatMap((part, index) =>
			writePart(part, `${naming.call}_${index}`, warn),
		),
		...writeFinish(finish, parts),
		usage: writeUsage(answer.usage, answer.serviceTier),
	};
}

/**
 * What every message says of itself. The model is as the client named it: Claude Code gives reasoning
 * back only to the model that it asked for, and knows by this name whose it is.
 */
export function messageHead(
	id: string | undefined,
	{ call, model }: Naming,
): Json {
	return {
		id: id ?? `msg_${call}`,
		type: "message",
		role: "assistant",
		model,
		container: null,
		diagnostics: null,
	};
}

function writePart(part: AnswerPart, id: string, warn: Warn): readonly Json[] {
	switch (part.type) {
		case "text": {
			const { text, citations, opaque } = part;
			if (text === "" && !citations?.length) return markBlocks(opaque);
			const block = {
				type: "text",
				text,
				citations: citations?.length ? citations.map(writeCitation) : null,
			};
			return [block, ...markBlocks(opaque)];
		}
		case "reasoning":
			return [
				redactedBlock(part) ?? {
					type: "thinking",
					thinking: part.text,
					signature: signatureFor(part.opaque),
				},
			];
		case "tool-call":
			return [
				{ ...callBlock(part), input: inputOf(part) },
				...markBlocks(part.opaque),
			];
		case "refusal":
			return [{ type: "text", text: part.text, citations: null }];
		case "server-tool":
			return serverBlocks(part, id);
		default:
			warnOfPart(part, warn);
			return markBlocks(part.opaque);
	}
}

export function warnOfChoices(warn: Warn): void {
	warn({
		kind: "dropped",
		field: "choices",
		message: "The Messages API has one answer: the first was kept.",
	});
}

/** Media have no place in answers. */
export function warnOfPart({ type }: AnswerPart, warn: Warn): void {
	if (
		type !== "image" &&
		type !== "audio" &&
		type !== "document" &&
		type !== "video"
	)
		return;
	warn({
		kind: "dropped",
		field: "parts",
		message: `The Messages API has no ${type} in answers: it was left out.`,
	});
}

/** Reasoning that the vendor shows nothing of. */
export function redactedBlock(part: ReasoningPart): Json | undefined {
	const data = ownData(part.opaque)?.redacted;
	return typeof data === "string"
		? { type: "redacted_thinking", data }
		: undefined;
}

export function callBlock({ id, name, opaque }: ToolCallPart): Json {
	return {
		type: "tool_use",
		id,
		name,
		input: {},
		caller: { type: "direct" },
		...ownData(opaque),
	};
}

function inputOf({ custom, arguments: text }: ToolCallPart): Json {
	if (custom) return { input: text };
	const value = text === "" ? {} : json(text);
	// What a model wrote badly is still shown.
	return isRecord(value) ? value : { arguments: text };
}

/** The mark that another vendor made on a part, behind it. */
export function markBlocks(opaque: Opaque | undefined): readonly Json[] {
	const data = sealMark(opaque);
	return data === undefined ? [] : [{ type: "redacted_thinking", data }];
}

export function serverBlocks(
	part: ServerToolPart,
	fallbackId: string,
): readonly Json[] {
	const own = ownBlocks(part);
	if (own.length > 0) return own;
	if (part.tool === "web-search") {
		const id = part.id === "" ? `srvtoolu_${fallbackId}` : part.id;
		return [...searchBlocks(part, id), ...markBlocks(part.opaque)];
	}
	const data = sealPart(part);
	return data === undefined ? [] : [{ type: "redacted_thinking", data }];
}

/** Why it stopped. Clients run tools only where the reason says so, and some vendors say just `stop`. */
export function writeFinish(
	{ reason, sequence }: Finish,
	parts: readonly AnswerPart[],
): Json {
	const refusal = parts.find((part) => part.type === "refusal");
	const calls = parts.some((part) => part.type === "tool-call");
	const stop = reasons[calls && reason === "stop" ? "tool-calls" : reason];
	return {
		stop_reason: stop,
		stop_sequence: sequence ?? null,
		stop_details:
			stop === "refusal"
				? {
						type: "refusal",
						category: null,
						explanation: refusal?.text ?? null,
					}
				: null,
	};
}

const reasons: Readonly<Record<Finish["reason"], string>> = {
	stop: "end_turn",
	"stop-sequence": "stop_sequence",
	length: "max_tokens",
	"context-window": "model_context_window_exceeded",
	"tool-calls": "tool_use",
	"content-filter": "refusal",
	refusal: "refusal",
	pause: "pause_turn",
	error: "end_turn",
};
