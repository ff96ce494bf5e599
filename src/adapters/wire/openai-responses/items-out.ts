import type {
	AnswerPart,
	MediaPart,
	Message,
	TextPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { unsupported } from "../canonical/fields.ts";
import { marksCache } from "./cache-marks.ts";
import { annotationOf } from "./citations.ts";
import { writeInputPart } from "./media.ts";
import type { Vocabulary } from "./narrow.ts";
import { foreignOpaque, ownData } from "./opaque.ts";

interface Manner {
	/** Marks for the cache are taken. */
	readonly explicit: boolean;
	readonly vocabulary: Vocabulary;
}

/** A conversation as a vendor takes it. What the first system message says are its instructions. */
export function writeItems(
	messages: readonly Message[],
	model: string,
	vocabulary: Vocabulary,
	warn: Warn,
): { readonly instructions?: string; readonly input: Json[] } {
	const manner: Manner = { explicit: marksCache(model), vocabulary };
	const input: Json[] = [];
	/** Calls of tools that take text: their results have a type of their own. */
	const custom = new Set<string>();
	const instructions = instructionsOf(messages[0]);

	for (const [index, message] of messages.entries()) {
		const field = `messages.${index}`;
		if (index === 0 && instructions !== undefined) continue;
		if (message.role === "assistant") {
			for (const part of message.parts)
				if (part.type === "tool-call" && part.custom) custom.add(part.id);
			input.push(...writeAnswer(message.parts, field, warn));
		} else if (message.role === "tool") {
			for (const [place, part] of message.parts.entries())
				input.push(
					writeResult(
						part,
						custom.has(part.call),
						`${field}.parts.${place}`,
						manner,
						warn,
					),
				);
		} else {
			const { role, parts } = message;
			input.push({
				type: "message",
				role,
				content: writeParts(parts, field, manner, warn),
			});
		}
		if ("name" in message && message.name !== undefined)
			warn({
				kind: "dropped",
				field: `${field}.name`,
				message: "The vendor's protocol names no speakers.",
			});
	}
	return instructions === undefined ? { input } : { instructions, input };
}

function instructionsOf(first: Message | undefined): string | undefined {
	if (first?.role !== "system") return undefined;
	const [part, ...others] = first.parts;
	return part && others.length === 0 && !part.cache && part.text !== ""
		? part.text
		: undefined;
}

/** One text is said as such: every vendor takes that. */
function writeParts(
	parts: readonly (TextPart | MediaPart)[],
	field: string,
	{ explicit, vocabulary }: Manner,
	warn: Warn,
): string | Json[] {
	const [first] = parts;
	if (!first) return "";
	if (parts.length === 1 && first.type === "text" && !first.cache)
		return first.text;
	return parts.map((part, place) =>
		writeInputPart(part, `${field}.parts.${place}`, explicit, vocabulary, warn),
	);
}

function writeResult(
	{ call, parts, error, cache }: ToolResultPart,
	custom: boolean,
	field: string,
	manner: Manner,
	warn: Warn,
): Json {
	if (error)
		warn({
			kind: "dropped",
			field: `${field}.error`,
			message: "That the tool failed is said by its text alone.",
		});
	if (cache) dropCache(field, warn);
	const textOnly = manner.vocabulary.lacks("output_parts");
	return {
		type: custom ? "custom_tool_call_output" : "function_call_output",
		call_id: call,
		output: textOnly
			? textOf(parts, field)
			: writeParts(parts, field, manner, warn),
	};
}

function textOf(
	parts: readonly (TextPart | MediaPart)[],
	field: string,
): string {
	return parts
		.map((part, place) =>
			part.type === "text"
				? part.text
				: unsupported(
						`${field}.parts.${place}`,
						`is ${part.type} in the result of a tool, where this vendor takes text`,
					),
		)
		.join("\n\n");
}

function writeAnswer(
	parts: readonly AnswerPart[],
	field: string,
	warn: Warn,
): Json[] {
	const items: Json[] = [];
	let content: Json[] | undefined;
	let phase: unknown;
	for (const [place, part] of parts.entries()) {
		const where = `${field}.parts.${place}`;
		if ("cache" in part && part.cache) dropCache(where, warn);
		if (
			(part.type === "text" || part.type === "tool-call") &&
			foreignOpaque(part)
		)
			dropPart(`${where}.opaque`, "The mark of another vendor", warn);
		if (part.type !== "text" && part.type !== "refusal") {
			content = undefined;
			const item = answerItem(part, where, warn);
			if (item) items.push(item);
			continue;
		}
		const own = part.type === "text" ? ownData(part.opaque)?.phase : undefined;
		if (!content || own !== phase) {
			content = [];
			phase = own;
			items.push({
				type: "message",
				role: "assistant",
				content,
				...(typeof phase === "string" && { phase }),
			});
		}
		content.push(contentJson(part));
	}
	return items.map(plain);
}

/** A message that is one text, said as such. */
function plain(item: Json): Json {
	if (item.type !== "message" || !Array.isArray(item.content)) return item;
	const [first, ...others] = item.content as Json[];
	const text =
		first?.type === "output_text" &&
		others.length === 0 &&
		(first.annotations as unknown[]).length === 0;
	return text
		? { ...item, content: first.text }
		: { ...item, status: "completed" };
}

function contentJson(
	part: Extract<AnswerPart, { type: "text" | "refusal" }>,
): Json {
	if (part.type === "refusal") return { type: "refusal", refusal: part.text };
	return {
		type: "output_text",
		text: part.text,
		annotations: (part.citations ?? []).map((each) =>
			annotationOf(each, part.text.length),
		),
	};
}

function answerItem(
	part: Exclude<AnswerPart, { type: "text" | "refusal" }>,
	field: string,
	warn: Warn,
): Json | undefined {
	if (part.type === "tool-call") {
		const { id, name, arguments: text, custom, opaque } = part;
		const call = { call_id: id, name, ...ownData(opaque) };
		return custom
			? { type: "custom_tool_call", ...call, input: text }
			: { type: "function_call", ...call, arguments: text };
	}
	const own = ownData(part.opaque);
	if (part.type === "reasoning") {
		// What a vendor did not make itself, it does not take as its reasoning.
		if (!own) return dropPart(field, "Reasoning of another vendor", warn);
		const { text, summary } = part;
		return {
			type: "reasoning",
			...own,
			summary: summary && text !== "" ? [{ type: "summary_text", text }] : [],
			...(!summary &&
				text !== "" && { content: [{ type: "reasoning_text", text }] }),
		};
	}
	if (part.type === "server-tool")
		return own && saysWhatWasDone(own)
			? own
			: dropPart(field, "What a tool of another vendor did", warn);
	if (part.type === "image" && part.source.type === "base64") {
		const { mediaType, data } = part.source;
		return {
			type: "image_generation_call",
			id: `ig_${field.replaceAll(".", "_")}`,
			status: "completed",
			result: data,
			output_format: mediaType.slice(mediaType.indexOf("/") + 1),
		};
	}
	return unsupported(field, `is ${part.type} in an answer of the model`);
}

/**
 * Whether an item says what a tool did. The mark may have come through a client, who could have put
 * another in its place: tools that nobody priced, or what the vendor keeps of another's.
 */
function saysWhatWasDone({ type }: Json): boolean {
	return typeof type === "string" && /^mcp_|_(?:call|output)$/.test(type);
}

function dropPart(field: string, what: string, warn: Warn): undefined {
	warn({
		kind: "dropped",
		field,
		message: `${what} means nothing to this one.`,
	});
}

function dropCache(field: string, warn: Warn): void {
	warn({
		kind: "dropped",
		field: `${field}.cache`,
		message: "The vendor takes no mark for its cache there.",
	});
}
