import type {
	AnswerPart,
	CanonicalAnswer,
	Citation,
	Finish,
	VendorError,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";
import {
	isRecord,
	listOf,
	numberOf,
	present,
	recordOf,
	recordsOf,
	textOf,
	unreadable,
} from "../canonical/fields.ts";
import { ours } from "./opaque.ts";
import { converseUsage } from "./usage.ts";

/** A whole answer of the vendor's. Blocks of a kind that is not known here are kept for the next turn. */
export function readAnswer(body: unknown): CanonicalAnswer {
	const output = recordOf(recordOf(body)?.output);
	const content = recordOf(output?.message)?.content;
	if (!isRecord(body) || !Array.isArray(content))
		return unreadable("is no answer of Converse");
	return present({
		choices: [
			{
				parts: recordsOf(content).map(readBlock),
				finish: readFinish(body),
			},
		],
		usage: readUsage(body.usage),
		serviceTier: textOf(recordOf(body.serviceTier)?.type),
	}) as CanonicalAnswer;
}

export function readUsage(report: unknown): Usage | undefined {
	const reading = isRecord(report) && converseUsage(report, undefined);
	return reading && "usage" in reading ? reading.usage : undefined;
}

function readBlock(block: Json): AnswerPart {
	if (typeof block.text === "string") return { type: "text", text: block.text };
	const { reasoningContent: reasoning, toolUse, citationsContent } = block;
	if (isRecord(reasoning)) {
		const shown = recordOf(reasoning.reasoningText);
		const signature = textOf(shown?.signature);
		const redacted = textOf(reasoning.redactedContent);
		return present({
			type: "reasoning" as const,
			text: textOf(shown?.text) ?? "",
			opaque:
				signature !== undefined
					? ours({ signature })
					: redacted !== undefined
						? ours({ redacted })
						: undefined,
		});
	}
	// One that runs at the vendor says so by its type.
	if (isRecord(toolUse) && toolUse.type === undefined)
		return {
			type: "tool-call",
			id: textOf(toolUse.toolUseId) ?? "",
			name: textOf(toolUse.name) ?? "",
			arguments: JSON.stringify(toolUse.input ?? {}),
		};
	if (isRecord(citationsContent)) {
		const citations = listOf(citationsContent.citations).flatMap(
			(each) => readCitation(each) ?? [],
		);
		return {
			type: "text",
			text: texts(citationsContent.content),
			...(citations.length > 0 && { citations }),
		};
	}
	return ownBlock(block);
}

/** A block that only this vendor has a form for. */
export function ownBlock(block: Json): AnswerPart {
	const id = textOf(recordOf(block.toolUse ?? block.toolResult)?.toolUseId);
	return {
		type: "server-tool",
		tool: "other",
		id: id ?? "",
		opaque: ours({ block }),
	};
}

export function readCitation(value: unknown): Citation | undefined {
	if (!isRecord(value)) return undefined;
	const location = recordOf(value.location) ?? {};
	const place = recordOf(Object.values(location)[0]);
	const source = textOf(value.source);
	const quote = texts(value.sourceContent);
	return present({
		url:
			textOf(recordOf(location.web)?.url) ??
			(source && URL.canParse(source) ? source : undefined),
		document: numberOf(place?.documentIndex),
		title: textOf(value.title),
		quote: quote === "" ? undefined : quote,
		opaque: ours(value),
	});
}

function texts(content: unknown): string {
	return recordsOf(content)
		.map(({ text }) => textOf(text) ?? "")
		.join("");
}

/** `stopped` is an answer or the event that ends one. */
export function readFinish(stopped: Json): Finish {
	const reason = reasons.get(textOf(stopped.stopReason) ?? "") ?? "stop";
	const sequence = textOf(
		recordOf(stopped.additionalModelResponseFields)?.stop_sequence,
	);
	return reason === "stop-sequence" && sequence !== undefined
		? { reason, sequence }
		: { reason };
}

const reasons: ReadonlyMap<string, Finish["reason"]> = new Map([
	["end_turn", "stop"],
	["tool_use", "tool-calls"],
	["max_tokens", "length"],
	["stop_sequence", "stop-sequence"],
	["guardrail_intervened", "content-filter"],
	["content_filtered", "content-filter"],
	["malformed_model_output", "error"],
	["malformed_tool_use", "error"],
	["model_context_window_exceeded", "context-window"],
	["refusal", "refusal"],
] as const);

/** `{"message"}`; the error's name stands in a header, and at times as `__type`. */
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
	if (!isRecord(value)) return undefined;
	const message = textOf(value.message) ?? textOf(value.Message);
	if (!message) return undefined;
	const code = textOf(value.__type)?.replace(/^.*#/, "").slice(0, 100);
	return { message: message.slice(0, 2_000), ...(code && { code }) };
}

const decoder = new TextDecoder();
