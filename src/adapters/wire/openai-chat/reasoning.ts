import type { Opaque, ReasoningPart } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { recordsOf, textOf } from "../canonical/fields.ts";
import { seal, unseal } from "../canonical/seal.ts";

/** Of this protocol. */
export const protocol = "openai-chat";

/**
 * Reasoning in messages of Chat is nobody's standard: `reasoning_content` is its text (DeepSeek and
 * most others), `reasoning` the same (OpenRouter, Groq), `reasoning_details` its parts with what the
 * next turn needs (OpenRouter). Where the details have no text, the text beside them is the first one's.
 */
export function reasoningOf(message: Json): ReasoningPart[] {
	const text =
		textOf(message.reasoning_content) ?? textOf(message.reasoning) ?? "";
	const parts = recordsOf(message.reasoning_details).map(reasoningPart);
	if (parts.length === 0)
		return text === "" ? [] : [{ type: "reasoning", text }];
	if (text === "" || parts.some((part) => part.text !== "")) return parts;
	const [first, ...others] = parts;
	return first ? [{ ...first, text }, ...others] : parts;
}

function reasoningPart(detail: Json): ReasoningPart {
	const text = textOfDetail(detail);
	const opaque = opaqueOfDetail(detail);
	return {
		type: "reasoning",
		text,
		...(detail.type === "reasoning.summary" ? { summary: true } : {}),
		...(opaque ? { opaque } : {}),
	};
}

export function textOfDetail(detail: Json): string {
	return textOf(detail.text) ?? textOf(detail.summary) ?? "";
}

/** What of a detail has to come back beside its text; a sealed one is what was sealed. */
export function opaqueOfDetail(detail: Json): Opaque | undefined {
	const mark = textOf(detail.signature) ?? textOf(detail.data);
	const { text: _text, summary: _summary, ...rest } = detail;
	if (mark === undefined)
		return Object.keys(rest).some((name) => name !== "type" && name !== "index")
			? { protocol, data: rest }
			: undefined;
	return unseal(mark) ?? { protocol, data: rest };
}

/**
 * The detail that carries a part. Its opaque is lost where it is too large to be sealed.
 * @param told its text is told already, as in a stream: the detail has none, and still is one of text.
 */
export function detailOf(
	{ text, summary, opaque }: ReasoningPart,
	index: number,
	told: boolean = text !== "",
): Json {
	const said = summary ? { summary: text } : { text };
	const own = ownData(opaque);
	if (own)
		return own.type === "reasoning.encrypted" ? own : { ...own, ...said };
	const mark = opaque && seal(opaque);
	if (mark !== undefined && !told && !summary)
		return { type: "reasoning.encrypted", data: mark, index };
	return {
		type: summary ? "reasoning.summary" : "reasoning.text",
		...said,
		...(mark === undefined ? {} : { signature: mark }),
		index,
	};
}

/** Data that a vendor of this protocol gave, as an object. */
export function ownData(opaque: Opaque | undefined): Json | undefined {
	return opaque?.protocol === protocol &&
		typeof opaque.data === "object" &&
		opaque.data !== null
		? (opaque.data as Json)
		: undefined;
}

/**
 * The mark on a tool call, where Google's compatible endpoint has its thought signatures and the
 * clients that know those send them back.
 */
export function markOf(call: Json): Opaque | undefined {
	const extra = call.extra_content as Json | null | undefined;
	const google = extra?.google as Json | null | undefined;
	const signature = textOf(google?.thought_signature);
	if (signature === undefined) return undefined;
	return (
		unseal(signature) ?? { protocol, data: { thought_signature: signature } }
	);
}

export function markedCall(opaque: Opaque | undefined): Json {
	if (!opaque) return {};
	const signature = textOf(ownData(opaque)?.thought_signature) ?? seal(opaque);
	return signature === undefined
		? {}
		: { extra_content: { google: { thought_signature: signature } } };
}
