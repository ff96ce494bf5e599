import { createHash } from "node:crypto";
import type {
	AnswerPart,
	CacheMark,
	MediaPart,
	Message,
	Opaque,
	TextPart,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { isRecord, present, textOf } from "../canonical/fields.ts";
import { dropForeign } from "../canonical/foreign.ts";
import { json } from "../canonical/sse.ts";
import { writeMedia } from "./media.ts";
import type { Family } from "./models.ts";
import { ownData } from "./opaque.ts";

/** A request as it is being written: for whose model, and what could not be said. */
export interface Writing {
	readonly family: Family;
	readonly warn: Warn;
	/** Of the documents so far. */
	readonly names: Set<string>;
}

interface Turn {
	readonly role: "user" | "assistant";
	readonly content: Json[];
}

/** A conversation in two: the system prompt, and turns of users and assistants one after the other. */
export function writeMessages(
	messages: readonly Message[],
	writing: Writing,
): { readonly system: readonly Json[]; readonly turns: readonly Turn[] } {
	const { warn } = writing;
	const system: Json[] = [];
	const turns: Turn[] = [];
	const say = (role: Turn["role"], content: readonly Json[]): void => {
		if (content.length === 0) return;
		const last = turns.at(-1);
		if (last?.role === role) last.content.push(...content);
		else turns.push({ role, content: [...content] });
	};
	for (const [index, message] of messages.entries()) {
		const field = `messages.${index}`;
		if ("name" in message && message.name !== undefined)
			warn({
				kind: "dropped",
				field: `${field}.name`,
				message: "Converse has no names of speakers.",
			});
		switch (message.role) {
			case "system":
			case "developer":
				if (turns.length > 0)
					warn({
						kind: "changed",
						field,
						message:
							"A system message within the conversation was moved to the system prompt: Converse takes none there.",
					});
				system.push(...writeSaid(message.parts, field, writing));
				break;
			case "user":
				say("user", writeSaid(message.parts, field, writing));
				break;
			case "tool":
				say(
					"user",
					message.parts.flatMap((part, at) =>
						writeResult(part, `${field}.parts.${at}`, writing),
					),
				);
				break;
			case "assistant":
				say(
					"assistant",
					message.parts.flatMap((part, at) =>
						writeAnswered(part, `${field}.parts.${at}`, writing),
					),
				);
		}
	}
	if (turns.length === 0 && system.length > 0) {
		warn({
			kind: "changed",
			field: "messages",
			message:
				"A system prompt alone was sent as the user's: Converse needs one message.",
		});
		turns.push({ role: "user", content: system.splice(0) });
	}
	for (const { role, content } of turns)
		if (role === "user") besideText(content, warn);
	return { system, turns };
}

/** A document alone is refused. */
function besideText(content: Json[], warn: Warn): void {
	if (
		!content.some((block) => "document" in block) ||
		content.some((block) => "text" in block)
	)
		return;
	content.push({ text: "(See the document.)" });
	warn({
		kind: "changed",
		field: "messages",
		message:
			"Converse takes a document beside a text only: a pointer to it was added.",
	});
}

/** What is kept by the vendor ends with a block of its own; not all models keep anything. */
export function cachePoint(
	cache: CacheMark | undefined,
	field: string,
	{ family, warn }: Writing,
): readonly Json[] {
	if (!cache) return [];
	const drop = (message: string): void =>
		warn({ kind: "dropped", field: `${field}.cache`, message });
	if (family.of === "claude")
		return [{ cachePoint: { type: "default", ...cache } }];
	if (family.of !== "nova") {
		drop("This model keeps no prompts on a mark.");
		return [];
	}
	if (cache.ttl === "1h")
		warn({
			kind: "changed",
			field: `${field}.cache`,
			message: "This model keeps prompts for five minutes.",
		});
	return [{ cachePoint: { type: "default" } }];
}

function writeSaid(
	parts: readonly (TextPart | MediaPart)[],
	message: string,
	writing: Writing,
): readonly Json[] {
	return parts.flatMap((part, at) => {
		const field = `${message}.parts.${at}`;
		const written =
			part.type === "text"
				? writeText(part, field, writing)
				: [writeMedia(part, field, writing.names, writing.warn)];
		return written.length === 0
			? []
			: [...written, ...cachePoint(part.cache, field, writing)];
	});
}

/** Blank texts are refused by the vendor, and say nothing. */
function writeText(
	{ text, citations, opaque }: TextPart,
	field: string,
	{ warn }: Writing,
): readonly Json[] {
	dropForeign(ownData, opaque, field, warn);
	if (citations)
		warn({
			kind: "dropped",
			field: `${field}.citations`,
			message: "What an earlier answer rested on is not said again.",
		});
	return text.trim() === "" ? [] : [{ text }];
}

function writeResult(
	part: ToolResultPart,
	field: string,
	writing: Writing,
): readonly Json[] {
	return [
		{
			toolResult: present({
				toolUseId: toolId(part.call),
				content: writeSaid(
					part.parts.map(({ cache, ...each }) => each as TextPart | MediaPart),
					field,
					writing,
				),
				status: part.error ? "error" : undefined,
			}),
		},
		// A mark within a result has no place there: it stands behind.
		...cachePoint(
			part.cache ?? part.parts.find(({ cache }) => cache)?.cache,
			field,
			writing,
		),
	];
}

function writeAnswered(
	part: AnswerPart,
	field: string,
	writing: Writing,
): readonly Json[] {
	const { warn } = writing;
	switch (part.type) {
		case "text": {
			const written = writeText(part, field, writing);
			return written.length === 0
				? []
				: [...written, ...cachePoint(part.cache, field, writing)];
		}
		case "refusal":
			return part.text.trim() === "" ? [] : [{ text: part.text }];
		case "reasoning":
			return writeReasoning(part.text, part.opaque, field, warn);
		case "tool-call":
			return [
				writeCall(part, field, warn),
				...cachePoint(part.cache, field, writing),
			];
		case "server-tool": {
			const block = ownData(part.opaque)?.block;
			if (isRecord(block) && !holdsMedia(block)) return [block];
			warn({
				kind: "dropped",
				field,
				message: "The vendor is not told what another's tools did.",
			});
			return [];
		}
		default:
			return [writeMedia(part, field, writing.names, warn)];
	}
}

/** The mark may have come through a client: media that nobody counted, or that lies with the owner, does not ride in it. */
function holdsMedia(block: Json): boolean {
	return ["image", "document", "video", "audio"].some(
		(name) => block[name] !== undefined,
	);
}

function writeReasoning(
	text: string,
	opaque: Opaque | undefined,
	field: string,
	warn: Warn,
): readonly Json[] {
	const own = ownData(opaque);
	const signature = textOf(own?.signature);
	if (signature !== undefined)
		return [{ reasoningContent: { reasoningText: { text, signature } } }];
	const redacted = textOf(own?.redacted);
	if (redacted !== undefined)
		return [{ reasoningContent: { redactedContent: redacted } }];
	warn({
		kind: "dropped",
		field,
		message: "Reasoning that this vendor did not sign was left out.",
	});
	return [];
}

function writeCall(part: ToolCallPart, field: string, warn: Warn): Json {
	dropForeign(ownData, part.opaque, field, warn);
	const input = part.arguments === "" ? {} : json(part.arguments);
	const isObject = !part.custom && isRecord(input);
	if (!isObject)
		warn({
			kind: "changed",
			field: `${field}.arguments`,
			message: "Arguments that are no JSON object were sent within one.",
		});
	return {
		toolUse: {
			toolUseId: toolId(part.id),
			name: part.name,
			input: isObject ? input : { input: part.arguments },
		},
	};
}

/** Ids have 1 to 64 letters, digits, underscores and hyphens; calls and results change alike. */
function toolId(id: string): string {
	if (/^[A-Za-z0-9_-]{1,64}$/.test(id)) return id;
	return createHash("sha256").update(id).digest("base64url");
}
