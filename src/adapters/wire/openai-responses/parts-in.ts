import type { AnswerPart } from "../../../ports/canonical.ts";
import { isRecord, listOf, recordsOf, textOf } from "../canonical/fields.ts";
import { citationOf, searchOf } from "./citations.ts";
import { callOfNative } from "./native-tools.ts";
import { isOurs, own, reasoningOpaque } from "./opaque.ts";

type Item = Readonly<Record<string, unknown>>;

/** What an item of an answer says. Tolerant: what has not the form it should have is passed by. */
export function partsOfItem(item: Item): AnswerPart[] {
	switch (item.type) {
		case "message":
			return recordsOf(item.content).flatMap((each) => {
				const part = contentPart(each, item.phase);
				return part ? [part] : [];
			});
		case "reasoning":
			return [reasoningPart(item)];
		case "function_call":
		case "custom_tool_call":
		case "local_shell_call":
		case "shell_call":
		case "apply_patch_call": {
			const call = callPart(item);
			return call ? [call] : [];
		}
		case "image_generation_call": {
			const { id, result, output_format: format } = item;
			if (typeof result !== "string") return [serverPart(item, id)];
			const mediaType = `image/${typeof format === "string" ? format : "png"}`;
			return [
				{ type: "image", source: { type: "base64", mediaType, data: result } },
			];
		}
		default:
			return typeof item.type === "string" ? [serverPart(item, item.id)] : [];
	}
}

/** Text or refusal, as content of a message. A message's phase has to come back with it. */
export function contentPart(
	content: Item,
	phase: unknown,
): AnswerPart | undefined {
	if (content.type === "refusal")
		return { type: "refusal", text: textOf(content.refusal) ?? "" };
	if (content.type !== "output_text" && content.type !== "text")
		return undefined;
	const citations = recordsOf(content.annotations).map(citationOf);
	return {
		type: "text",
		text: textOf(content.text) ?? "",
		...(citations.length > 0 && { citations }),
		...(typeof phase === "string" && { opaque: own({ phase }) }),
	};
}

/** Reasoning in the open, or its summary where that is all there is. */
export function reasoningPart(item: Item): AnswerPart {
	const open = texts(item.content);
	const summary = texts(item.summary);
	const opaque = reasoningOpaque(item);
	return {
		type: "reasoning",
		text: open.length > 0 ? open.join("\n\n") : summary.join("\n\n"),
		...(open.length === 0 && summary.length > 0 && { summary: true }),
		...(opaque && { opaque }),
	};
}

function texts(list: unknown): string[] {
	return listOf(list).flatMap((each) =>
		isRecord(each) && typeof each.text === "string" ? [each.text] : [],
	);
}

/** A call of a tool that the client runs. */
export function callPart(
	item: Item,
): Extract<AnswerPart, { type: "tool-call" }> | undefined {
	const id = textOf(item.call_id) ?? textOf(item.id);
	const name = textOf(item.name);
	if (item.type !== "function_call" && item.type !== "custom_tool_call")
		return callOfNative(item);
	if (id === undefined || name === undefined) return undefined;
	const custom = item.type === "custom_tool_call";
	const namespace = textOf(item.namespace);
	return {
		type: "tool-call",
		id,
		name,
		arguments: textOf(custom ? item.input : item.arguments) ?? "",
		...(custom && { custom }),
		...(namespace !== undefined && { opaque: own({ namespace }) }),
	};
}

/** Something that ran at the vendor. */
export function serverPart(
	item: Item,
	id: unknown,
): Extract<AnswerPart, { type: "server-tool" }> {
	const search = item.type === "web_search_call";
	return {
		type: "server-tool",
		tool: search ? "web-search" : "other",
		id: textOf(id) ?? "",
		...(search && searchOf(item)),
		// One that we wrote ourselves says nothing to a vendor.
		...(!isOurs(id) && { opaque: own(item) }),
	};
}
