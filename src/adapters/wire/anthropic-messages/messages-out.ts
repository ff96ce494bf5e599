import type {
	AnswerPart,
	CacheMark,
	MediaPart,
	Message,
	TextPart,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import {
	isRecord,
	present,
	recordOf,
	textOf,
	unsupported,
} from "../canonical/fields.ts";
import { dropForeign } from "../canonical/foreign.ts";
import { json } from "../canonical/sse.ts";
import { citationParam } from "./citations.ts";
import { ownData } from "./opaque.ts";
import { ownBlocks } from "./server-tools.ts";

interface Turn {
	readonly role: "user" | "assistant" | "system";
	readonly content: Json[];
	/** It began with tool results: what the user says next belongs behind them. */
	readonly results?: boolean;
}

/** A conversation in two: what stands before it, and its turns. */
export function writeMessages(
	messages: readonly Message[],
	laterSystem: boolean,
	warn: Warn,
): {
	readonly system: string | readonly Json[] | undefined;
	readonly messages: readonly Json[];
} {
	const system: Json[] = [];
	const turns: Turn[] = [];
	for (const [index, message] of messages.entries()) {
		const field = `messages.${index}`;
		const last = turns.at(-1);
		switch (message.role) {
			case "system":
			case "developer": {
				const content = writeTexts(message.parts, field, warn);
				if (!last) system.push(...content);
				else if (laterSystem && mayStand(messages, index, last)) {
					if (last.role === "system") last.content.push(...content);
					else turns.push({ role: "system", content: [...content] });
				} else {
					system.push(...content);
					warn({
						kind: "changed",
						field,
						message:
							"A system message within the conversation was moved to the system prompt: this model takes none there.",
					});
				}
				break;
			}
			case "user": {
				if (message.name !== undefined)
					warn({
						kind: "dropped",
						field: `${field}.name`,
						message: "Users have no names in the Messages API.",
					});
				const content = writeParts(message.parts, `${field}.parts`, warn);
				if (last?.results) last.content.push(...content);
				else if (content.length > 0)
					turns.push({ role: "user", content: [...content] });
				break;
			}
			case "tool": {
				const content = message.parts.map((part, at) =>
					writeResult(part, `${field}.parts.${at}`, warn),
				);
				if (last?.results && isResults(last)) last.content.push(...content);
				else turns.push({ role: "user", content, results: true });
				break;
			}
			case "assistant": {
				if (message.name !== undefined)
					warn({
						kind: "dropped",
						field: `${field}.name`,
						message: "Assistants have no names in the Messages API.",
					});
				const content = message.parts.flatMap((part, at) =>
					writeAnswerPart(part, `${field}.parts.${at}`, warn),
				);
				if (content.length > 0) turns.push({ role: "assistant", content });
			}
		}
	}
	if (turns.length === 0 && system.length > 0) {
		warn({
			kind: "changed",
			field: "messages",
			message:
				"A system prompt alone was sent as the user's: the Messages API needs one message.",
		});
		return {
			system: undefined,
			messages: [{ role: "user", content: plain(system) }],
		};
	}
	return {
		system: system.length > 0 ? plain(system) : undefined,
		messages: turns.map(({ role, content }) => ({
			role,
			content: plain(content),
		})),
	};
}

/** Whether a system message is taken here: behind what the user said, before what the assistant says. */
function mayStand(
	messages: readonly Message[],
	index: number,
	last: Turn,
): boolean {
	if (last.role === "assistant") return false;
	const next = messages
		.slice(index + 1)
		.find(({ role }) => role !== "system" && role !== "developer");
	return !next || next.role === "assistant";
}

function isResults({ content }: Turn): boolean {
	return content.at(-1)?.type === "tool_result";
}

/** One plain text stands for itself. */
function plain(content: readonly Json[]): string | readonly Json[] {
	const [only] = content;
	return content.length === 1 &&
		only?.type === "text" &&
		Object.keys(only).length === 2
		? (only.text as string)
		: content;
}

export function cacheControl(cache: CacheMark | undefined): Json | undefined {
	return cache && { type: "ephemeral", ...cache };
}

function writeTexts(
	parts: readonly TextPart[],
	field: string,
	warn: Warn,
): readonly Json[] {
	return parts.flatMap((part, at) =>
		writeText(part, `${field}.parts.${at}`, warn),
	);
}

function writeParts(
	parts: readonly (TextPart | MediaPart)[],
	field: string,
	warn: Warn,
): readonly Json[] {
	return parts.flatMap((part, at) =>
		part.type === "text"
			? writeText(part, `${field}.${at}`, warn)
			: [writeMedia(part, `${field}.${at}`, warn)],
	);
}

/** Empty texts are refused by the vendor, and say nothing. */
function writeText(
	{ text, cache, citations, opaque }: TextPart,
	field: string,
	warn: Warn,
): readonly Json[] {
	dropForeign(ownData, opaque, field, warn);
	if (text === "") return [];
	const params = citations?.flatMap((each) => citationParam(each) ?? []);
	if (citations && params && params.length < citations.length)
		warn({
			kind: "dropped",
			field: `${field}.citations`,
			message: "Citations that another vendor made were left out.",
		});
	return [
		present({
			type: "text",
			text,
			citations: params && params.length > 0 ? params : undefined,
			cache_control: cacheControl(cache),
		}),
	];
}

function writeMedia(part: MediaPart, field: string, warn: Warn): Json {
	dropForeign(ownData, part.opaque, field, warn);
	if (part.type === "image") return writeImage(part, field, warn);
	if (part.type === "document") return writeDocument(part, field);
	return unsupported(
		field,
		`is ${part.type}, which the Messages API does not take`,
	);
}

const imageTypes: readonly string[] = [
	"image/jpeg",
	"image/png",
	"image/gif",
	"image/webp",
];

function writeImage(part: MediaPart, field: string, warn: Warn): Json {
	const { source, detail, cache } = part;
	if (source.type === "base64" && !imageTypes.includes(source.mediaType))
		unsupported(
			`${field}.source.mediaType`,
			"must be JPEG, PNG, GIF or WebP for the Messages API",
		);
	if (source.type === "text")
		unsupported(`${field}.source`, "is text, which is no image");
	if (detail !== undefined && detail !== "auto")
		warn({
			kind: "dropped",
			field: `${field}.detail`,
			message: "The Messages API decides itself how closely to look.",
		});
	return present({
		type: "image",
		source: writeSource(part, field),
		cache_control: cacheControl(cache),
	});
}

function writeDocument(part: MediaPart, field: string): Json {
	const { name, context, citable, cache, opaque } = part;
	const own = ownData(opaque);
	if (isRecord(own?.block)) return own.block;
	return present({
		type: "document",
		source: isRecord(own?.source) ? own.source : writeSource(part, field),
		title: name,
		context,
		citations: citable === undefined ? undefined : { enabled: citable },
		cache_control: cacheControl(cache),
	});
}

function writeSource({ type, source }: MediaPart, field: string): Json {
	switch (source.type) {
		case "url":
			return { type: "url", url: source.url };
		case "text":
			return { type: "text", media_type: "text/plain", data: source.text };
		case "file":
			return source.protocol === "anthropic-messages"
				? { type: "file", file_id: source.id }
				: unsupported(
						`${field}.source`,
						"is a file that was uploaded to another vendor: send its content",
					);
		default: {
			const { mediaType, data } = source;
			if (type === "image" || mediaType === "application/pdf")
				return { type: "base64", media_type: mediaType, data };
			if (mediaType.startsWith("text/") || mediaType === "application/json")
				return {
					type: "text",
					media_type: "text/plain",
					data: Buffer.from(data, "base64").toString(),
				};
			return unsupported(
				`${field}.source.mediaType`,
				"must be PDF or text for the Messages API",
			);
		}
	}
}

/** Ids of other vendors may hold characters that are refused here; calls and results change alike. */
function toolId(id: string): string {
	return id === "" ? "call" : id.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

function writeResult(part: ToolResultPart, field: string, warn: Warn): Json {
	const content = writeParts(part.parts, `${field}.parts`, warn);
	return present({
		type: "tool_result",
		tool_use_id: toolId(part.call),
		content: content.length > 0 ? plain(content) : undefined,
		is_error: part.error,
		cache_control: cacheControl(part.cache),
	});
}

function writeAnswerPart(
	part: AnswerPart,
	field: string,
	warn: Warn,
): readonly Json[] {
	switch (part.type) {
		case "text":
			return writeText(part, field, warn);
		case "reasoning":
			return writeReasoning(part, field, warn);
		case "tool-call":
			return [writeCall(part, field, warn)];
		case "refusal":
			return part.text === "" ? [] : [{ type: "text", text: part.text }];
		case "server-tool": {
			const blocks = ownBlocks(part);
			if (blocks.length === 0)
				warn({
					kind: "dropped",
					field,
					message: "What another vendor's own tool did was left out.",
				});
			return blocks;
		}
		default:
			return unsupported(
				field,
				`is ${part.type} in an answer, which the Messages API does not take back`,
			);
	}
}

/** Reasoning goes back to those who signed it, and to nobody else. */
function writeReasoning(
	{ text, opaque }: Extract<AnswerPart, { type: "reasoning" }>,
	field: string,
	warn: Warn,
): readonly Json[] {
	const own = ownData(opaque);
	if (typeof own?.signature === "string")
		return [{ type: "thinking", thinking: text, signature: own.signature }];
	if (typeof own?.redacted === "string")
		return [{ type: "redacted_thinking", data: own.redacted }];
	warn({
		kind: "dropped",
		field,
		message: "Reasoning that this vendor did not sign was left out.",
	});
	return [];
}

function writeCall(part: ToolCallPart, field: string, warn: Warn): Json {
	dropForeign(ownData, part.opaque, field, warn);
	const own = ownData(part.opaque);
	const input = part.arguments === "" ? {} : json(part.arguments);
	const isObject = !part.custom && isRecord(input);
	if (!isObject)
		warn({
			kind: "changed",
			field: `${field}.arguments`,
			message: "Arguments that are no JSON object were sent within one.",
		});
	return present({
		type: "tool_use",
		id: toolId(part.id),
		name: part.name,
		input: isObject ? input : { input: part.arguments },
		cache_control: cacheControl(part.cache),
		caller: recordOf(own?.caller),
		toolset_name: textOf(own?.toolset_name),
	});
}
