import type {
	AnswerPart,
	CacheMark,
	MediaPart,
	Message,
	ReasoningPart,
	TextPart,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { unsupported } from "../canonical/fields.ts";
import { callId } from "./call-ids.ts";
import { audioFormatOf, dataUrl } from "./media.ts";
import { detailOf, markedCall, ownData, protocol } from "./reasoning.ts";

/** What the vendor takes, as its quirks say. */
export interface Writing {
	readonly warn: Warn;
	readonly callIdLength: number | undefined;
	takes(word: string): boolean;
	lacks(word: string): boolean;
}

export function writeMessages(
	messages: readonly Message[],
	writing: Writing,
): Json[] {
	const written: Json[] = [];
	/** Media of tool results: they follow the run of results, as nothing may stand between those. */
	let shown: Json[] = [];
	function show(): void {
		if (shown.length > 0) written.push({ role: "user", content: shown });
		shown = [];
	}
	for (const [index, message] of messages.entries()) {
		const field = `messages.${index}`;
		if (message.role === "tool") {
			for (const [part, result] of message.parts.entries())
				written.push(
					toolMessage(result, `${field}.parts.${part}`, writing, shown),
				);
			continue;
		}
		show();
		switch (message.role) {
			case "developer":
			case "system":
				written.push({
					role: writing.lacks("developer") ? "system" : message.role,
					content: content(message.parts, field, writing),
				});
				break;
			case "user":
				written.push({
					role: "user",
					...nameOf(message.name, writing),
					content: content(message.parts, field, writing),
				});
				break;
			case "assistant":
				written.push({
					role: "assistant",
					...nameOf(message.name, writing),
					...assistant(message.parts, field, writing),
				});
		}
	}
	show();
	return written;
}

function nameOf(name: string | undefined, { warn, lacks }: Writing): Json {
	if (name === undefined) return {};
	if (!lacks("name")) return { name };
	warn({
		kind: "dropped",
		field: "messages.name",
		message: "This vendor takes no names of those who speak.",
	});
	return {};
}

/** One plain text is a string, as every vendor takes it. */
function content(
	parts: readonly (TextPart | MediaPart)[],
	field: string,
	writing: Writing,
): string | Json[] {
	const [first, ...others] = parts;
	if (!first) return "";
	if (
		others.length === 0 &&
		first.type === "text" &&
		!keepsMark(first, writing)
	)
		return first.text;
	if (writing.lacks("parts") && parts.every((part) => part.type === "text"))
		return joined(parts as readonly TextPart[], "\n\n");
	return parts.map((part, index) =>
		part.type === "text"
			? { type: "text", text: part.text, ...mark(part.cache, "text", writing) }
			: mediaPart(part, `${field}.parts.${index}`, writing),
	);
}

function joined(parts: readonly TextPart[], between: string): string {
	return parts.map(({ text }) => text).join(between);
}

/** Whether its mark can be said; one that cannot is warned of. */
function keepsMark({ cache }: TextPart, writing: Writing): boolean {
	return (
		cache !== undefined && Object.keys(mark(cache, "text", writing)).length > 0
	);
}

/** What of a request a mark may stand on. */
type Marked = "text" | "media" | "tool" | "call" | "request";

const markable: Readonly<
	Record<"cache_control" | "prompt_cache_breakpoint", readonly Marked[]>
> = {
	cache_control: ["text", "tool", "request"],
	prompt_cache_breakpoint: ["text", "media"],
};

export function mark(
	cache: CacheMark | undefined,
	on: Marked,
	{ takes, warn }: Writing,
): Json {
	if (!cache) return {};
	const taken = (word: keyof typeof markable) =>
		takes(word) && markable[word].includes(on);
	if (taken("cache_control"))
		return {
			cache_control: {
				type: "ephemeral",
				...(cache.ttl ? { ttl: cache.ttl } : {}),
			},
		};
	if (taken("prompt_cache_breakpoint"))
		return { prompt_cache_breakpoint: { mode: "explicit" } };
	warn({
		kind: "dropped",
		field: "cache",
		message:
			"This vendor takes no marks there of what to cache: it caches by itself or not at all.",
	});
	return {};
}

function mediaPart(part: MediaPart, field: string, writing: Writing): Json {
	const { source, cache } = part;
	const marked = mark(cache, "media", writing);
	if (source.type === "file" && source.protocol !== protocol)
		unsupported(field, "is a file that was uploaded to another vendor");
	switch (part.type) {
		case "image": {
			const detail = detailOfImage(part, field, writing);
			if (source.type === "url")
				return {
					type: "image_url",
					image_url: { url: source.url, ...detail },
					...marked,
				};
			if (source.type === "base64")
				return {
					type: "image_url",
					image_url: { url: dataUrl(source.mediaType, source.data), ...detail },
					...marked,
				};
			return unsupported(
				field,
				"is an image that is neither data nor an address",
			);
		}
		case "audio": {
			if (writing.lacks("input_audio"))
				return unsupported(field, "is audio, which this vendor does not take");
			const format =
				source.type === "base64" ? audioFormatOf(source.mediaType) : undefined;
			if (source.type !== "base64" || format === undefined)
				return unsupported(
					field,
					"is audio that is not WAV or MP3 data: this protocol takes no other",
				);
			const { data } = source;
			return {
				type: "input_audio",
				input_audio: writing.takes("audio_data") ? data : { data, format },
				...marked,
			};
		}
		case "video": {
			if (!writing.takes("video_url"))
				return unsupported(field, "is video, which this vendor does not take");
			const url =
				source.type === "url"
					? source.url
					: source.type === "base64"
						? dataUrl(source.mediaType, source.data)
						: unsupported(
								field,
								"is video that is neither data nor an address",
							);
			return { type: "video_url", video_url: { url }, ...marked };
		}
		case "document":
			return { ...documentPart(part, field, writing), ...marked };
	}
}

function detailOfImage(
	{ detail }: MediaPart,
	field: string,
	{ lacks, warn }: Writing,
): Json {
	if (detail === undefined) return {};
	if (!lacks("detail")) return { detail };
	warn({
		kind: "dropped",
		field: `${field}.detail`,
		message: "This vendor decides itself how closely to look.",
	});
	return {};
}

/** The name of a document that has none. */
const unnamed = "document.pdf";

function documentPart(part: MediaPart, field: string, writing: Writing): Json {
	const { source, name, context, citable } = part;
	if (context !== undefined)
		writing.warn({
			kind: "dropped",
			field: `${field}.context`,
			message: "This protocol has nothing to say about a document.",
		});
	if (citable)
		writing.warn({
			kind: "dropped",
			field: `${field}.citable`,
			message: "This protocol has no citations of documents.",
		});
	const titled = name === undefined ? {} : { filename: name };
	if (source.type !== "text" && writing.takes("document_url"))
		return linkedDocument(part, field);
	if (source.type !== "text" && writing.lacks("file"))
		return unsupported(field, "is a document, which this vendor does not take");

	switch (source.type) {
		case "file":
			return { type: "file", file: { file_id: source.id, ...titled } };
		case "base64":
			return {
				type: "file",
				file: {
					file_data: dataUrl(source.mediaType, source.data),
					// The vendor takes no data without a name.
					filename: name ?? unnamed,
				},
			};
		case "text":
			writing.warn({
				kind: "changed",
				field,
				message: "A document of plain text was sent as text.",
			});
			return {
				type: "text",
				text: name === undefined ? source.text : `${name}\n\n${source.text}`,
			};
		case "url":
			return writing.takes("file_url")
				? { type: "file", file: { file_data: source.url, ...titled } }
				: unsupported(
						field,
						"is a document at an address, which this vendor does not fetch",
					);
	}
}

function linkedDocument({ source, name }: MediaPart, field: string): Json {
	if (source.type !== "url" && source.type !== "base64")
		return unsupported(
			field,
			"is a document that is neither data nor an address",
		);
	return {
		type: "document_url",
		document_url:
			source.type === "url"
				? source.url
				: dataUrl(source.mediaType, source.data),
		...(name === undefined ? {} : { document_name: name }),
	};
}

function assistant(
	parts: readonly AnswerPart[],
	field: string,
	writing: Writing,
): Json {
	const texts: TextPart[] = [];
	const thoughts: ReasoningPart[] = [];
	const calls: ToolCallPart[] = [];
	let refusal: string | undefined;
	let audio: Json | undefined;
	for (const [index, part] of parts.entries()) {
		switch (part.type) {
			case "text":
				texts.push(part);
				break;
			case "reasoning":
				thoughts.push(part);
				break;
			case "tool-call":
				calls.push(part);
				break;
			case "refusal":
				refusal = (refusal ?? "") + part.text;
				break;
			case "server-tool":
				writing.warn({
					kind: "dropped",
					field: `${field}.parts.${index}`,
					message:
						"What another vendor's own tools did is not told: this protocol cannot.",
				});
				break;
			default:
				if (
					part.type === "audio" &&
					part.source.type === "file" &&
					part.source.protocol === protocol
				)
					audio = { id: part.source.id };
				else
					writing.warn({
						kind: "dropped",
						field: `${field}.parts.${index}`,
						message:
							"Media in answers of the model's own are not told again: this protocol cannot.",
					});
		}
	}
	const marked = texts.some((part) => keepsMark(part, writing));
	return {
		content:
			texts.length === 0
				? // Null is for messages that have something else to say.
					calls.length > 0 || refusal !== undefined || audio
					? null
					: ""
				: marked || (texts.length > 1 && !writing.lacks("parts"))
					? texts.map(({ text, cache }) => ({
							type: "text",
							text,
							...mark(cache, "text", writing),
						}))
					: joined(texts, "\n\n"),
		...thoughtMembers(thoughts, calls.length > 0, writing),
		...(refusal === undefined ? {} : { refusal }),
		...(audio ? { audio } : {}),
		...(calls.length > 0
			? { tool_calls: calls.map((call) => toolCall(call, writing)) }
			: {}),
	};
}

function thoughtMembers(
	thoughts: readonly ReasoningPart[],
	calling: boolean,
	{ takes, warn }: Writing,
): Json {
	if (thoughts.length === 0) {
		// DeepSeek's thinking mode refuses calls that come back without the reasoning before them, were it empty.
		return calling && takes("reasoning_content")
			? { reasoning_content: "" }
			: {};
	}
	const known = thoughts.filter(
		({ opaque }) => !opaque || opaque.protocol === protocol,
	);
	if (known.length < thoughts.length)
		warn({
			kind: "dropped",
			field: "messages.reasoning.opaque",
			message:
				"Signed or encrypted reasoning of a vendor of another protocol means nothing to this one.",
		});
	if (takes("reasoning_details"))
		return known.length > 0
			? {
					reasoning_details: known.map((part, index) =>
						// Made by this vendor or by none: nothing is sealed.
						detailOf(part, index),
					),
				}
			: {};
	const text = thoughts.map((part) => part.text).join("\n\n");
	if (takes("reasoning_content")) return { reasoning_content: text };
	warn({
		kind: "dropped",
		field: "messages.reasoning",
		message: "This vendor takes no reasoning of former turns.",
	});
	return {};
}

function toolCall(call: ToolCallPart, writing: Writing): Json {
	const { name, cache, opaque } = call;
	const id = callId(call.id, writing.callIdLength);
	const own = ownData(opaque);
	if (opaque && !own)
		writing.warn({
			kind: "dropped",
			field: "messages.tool-call.opaque",
			message:
				"The mark of another protocol's vendor on a tool call means nothing to this one.",
		});
	const shared = {
		...mark(cache, "call", writing),
		...(own ? markedCall(opaque) : {}),
	};
	return call.custom
		? { id, type: "custom", custom: { name, input: call.arguments }, ...shared }
		: {
				id,
				type: "function",
				function: { name, arguments: call.arguments },
				...shared,
			};
}

/** A tool message holds text only: media of the result go to `shown`, told by the call's id. */
function toolMessage(
	result: ToolResultPart,
	field: string,
	writing: Writing,
	shown: Json[],
): Json {
	const { parts, error, cache } = result;
	const id = callId(result.call, writing.callIdLength);
	const texts: TextPart[] = [];
	for (const [index, part] of parts.entries()) {
		const place = `${field}.parts.${index}`;
		if (part.type === "text") {
			texts.push(part);
			continue;
		}
		const media = mediaPart(part, place, writing);
		if (media.type === "text") {
			texts.push({ type: "text", text: media.text as string });
			continue;
		}
		writing.warn({
			kind: "changed",
			field: place,
			message:
				"Results of tools hold text only in this protocol: media follow in a message of the user.",
		});
		shown.push(
			{ type: "text", text: `From the result of tool call ${id}:` },
			media,
		);
	}
	if (error)
		writing.warn({
			kind: "dropped",
			field: `${field}.error`,
			message:
				"This protocol cannot say that a tool failed: the result's text has to.",
		});
	if (texts.length === 0 && parts.length > 0)
		texts.push({ type: "text", text: "The result follows." });
	// Marks stand on parts: the last one's is the result's.
	const last = texts.at(-1);
	if (cache && last) texts[texts.length - 1] = { ...last, cache };
	return {
		role: "tool",
		tool_call_id: id,
		...(result.name !== undefined && writing.takes("tool_name")
			? { name: result.name }
			: {}),
		content: content(texts, field, writing),
	};
}
