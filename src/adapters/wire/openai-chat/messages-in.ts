import type {
	AnswerPart,
	CacheMark,
	MediaPart,
	Message,
	TextPart,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import { Fields } from "../canonical/fields.ts";
import { audioTypeOf, plainBase64, sourceOf } from "./media.ts";
import { markOf, protocol, reasoningOf } from "./reasoning.ts";

/** The conversation that a client sends. */
export function readMessages(body: Fields): Message[] {
	const messages: Message[] = [];
	const functions = legacyCalls();
	for (const message of body.need("messages", body.each("messages"))) {
		const role = message.need("role", message.text("role"));
		switch (role) {
			case "system":
			case "developer":
				message.drop(
					"name",
					"Only OpenAI's chat protocol has names of system messages.",
				);
				messages.push({ role, parts: textParts(message, "content") });
				break;
			case "user": {
				const name = message.text("name");
				messages.push({
					role,
					...(name === undefined ? {} : { name }),
					parts: contentParts(message),
				});
				break;
			}
			case "assistant":
				messages.push(assistant(message, functions));
				break;
			case "tool":
			case "function": {
				const result =
					role === "tool"
						? toolResult(message)
						: functionResult(message, functions);
				const last = messages.at(-1);
				// Results of one turn stand in messages of their own here.
				if (last?.role === "tool")
					(last.parts as ToolResultPart[]).push(result);
				else messages.push({ role: "tool", parts: [result] });
				break;
			}
			default:
				message.refuse(
					"role",
					'must be "system", "developer", "user", "assistant", "tool" or "function"',
				);
		}
		message.done();
	}
	return messages;
}

function assistant(
	message: Fields,
	functions: LegacyCalls,
): Extract<Message, { role: "assistant" }> {
	const name = message.text("name");
	message.text("reasoning_content");
	message.text("reasoning");
	message.each("reasoning_details");
	// What answers carry and nobody reads again.
	message.pass("annotations", "images", "parsed");
	const parts: AnswerPart[] = reasoningOf(message.record);
	const content = message.value("content");
	if (typeof content === "string") {
		if (content !== "") parts.push({ type: "text", text: content });
	} else {
		for (const part of message.each("content") ?? []) {
			const type = part.need("type", part.text("type"));
			if (type === "refusal") {
				parts.push({
					type: "refusal",
					text: part.need("refusal", part.text("refusal")),
				});
				part.done();
			} else parts.push(textPart(part, type));
		}
	}
	const refusal = message.text("refusal");
	if (refusal) parts.push({ type: "refusal", text: refusal });
	const audio = message.fields("audio");
	if (audio) {
		const id = audio.need("id", audio.text("id"));
		parts.push({ type: "audio", source: { type: "file", protocol, id } });
	}
	for (const call of message.each("tool_calls") ?? [])
		parts.push(toolCall(call));
	const called = message.fields("function_call");
	if (called) {
		const name = called.need("name", called.text("name"));
		parts.push({
			type: "tool-call",
			id: functions.open(name),
			name,
			arguments: called.text("arguments") ?? "{}",
		});
		called.done();
	}
	return {
		role: "assistant",
		...(name === undefined ? {} : { name }),
		parts,
	};
}

function toolCall(call: Fields): ToolCallPart {
	const id = call.need("id", call.text("id"));
	const type = call.oneOf("type", ["function", "custom"]) ?? "function";
	call.pass("index");
	call.json("extra_content");
	const inner = call.need(type, call.fields(type));
	const name = inner.need("name", inner.text("name"));
	const opaque = markOf(call.record);
	const part: ToolCallPart = {
		type: "tool-call",
		id,
		name,
		arguments:
			type === "custom"
				? inner.need("input", inner.text("input"))
				: inner.text("arguments") || "{}",
		...(type === "custom" ? { custom: true } : {}),
		...cacheOf(call),
		...(opaque ? { opaque } : {}),
	};
	inner.pass("parsed_arguments");
	inner.done();
	call.done();
	return part;
}

function toolResult(message: Fields): ToolResultPart {
	const name = message.text("name");
	return {
		type: "tool-result",
		call: message.need("tool_call_id", message.text("tool_call_id")),
		...(name === undefined ? {} : { name }),
		parts: contentParts(message),
		...cacheOf(message),
	};
}

function functionResult(
	message: Fields,
	functions: LegacyCalls,
): ToolResultPart {
	const name = message.need("name", message.text("name"));
	return {
		type: "tool-result",
		call: functions.close(name),
		name,
		parts: contentParts(message),
	};
}

interface LegacyCalls {
	/** The id of a call; the old form has none. */
	open(name: string): string;
	/** The id of the call that a result answers. */
	close(name: string): string;
}

function legacyCalls(): LegacyCalls {
	const latest = new Map<string, string>();
	let count = 0;
	function open(name: string): string {
		const id = `function_${count++}`;
		latest.set(name, id);
		return id;
	}
	return { open, close: (name) => latest.get(name) ?? open(name) };
}

/** Content that is a text or parts of text. */
export function textParts(fields: Fields, name: string): TextPart[] {
	const content = fields.value(name);
	if (typeof content === "string") return textOnly(content);
	if (content === undefined) return [];
	return (fields.each(name) ?? []).map((part) =>
		textPart(part, part.need("type", part.text("type"))),
	);
}

function contentParts(message: Fields): (TextPart | MediaPart)[] {
	const content = message.value("content");
	if (typeof content === "string") return textOnly(content);
	if (content === undefined) return [];
	return (message.each("content") ?? []).map((part) => {
		const type = part.need("type", part.text("type"));
		const media = mediaPart(part, type);
		if (!media) return textPart(part, type);
		const marked = { ...media, ...cacheOf(part) };
		part.done();
		return marked;
	});
}

function textOnly(text: string): TextPart[] {
	return text === "" ? [] : [{ type: "text", text }];
}

function textPart(part: Fields, type: string): TextPart {
	if (type !== "text")
		part.unsupported("type", "is a kind of content that cannot be translated");
	const text = part.need("text", part.text("text"));
	const cache = cacheOf(part);
	part.done();
	return { type: "text", text, ...cache };
}

function mediaPart(part: Fields, type: string): MediaPart | undefined {
	switch (type) {
		case "image_url": {
			const image = linked(part, type);
			const detail = image.oneOf("detail", ["auto", "low", "high", "original"]);
			const source = linkSource(image, "url");
			image.done();
			return { type: "image", source, ...(detail ? { detail } : {}) };
		}
		case "video_url":
			return { type: "video", source: linkSource(linked(part, type), "url") };
		case "audio_url":
			return { type: "audio", source: linkSource(linked(part, type), "url") };
		case "input_audio": {
			const audio = part.need(type, part.fields(type));
			const data = audio.need("data", audio.text("data"));
			const format = audio.need("format", audio.text("format"));
			audio.done();
			return {
				type: "audio",
				source: {
					type: "base64",
					mediaType: audioTypeOf(format),
					data: plainBase64(data),
				},
			};
		}
		case "file":
			return filePart(part.need(type, part.fields(type)));
		default:
			return undefined;
	}
}

/** `{ url }`, or the address alone as some clients write it. */
function linked(part: Fields, type: string): Fields {
	const value = part.value(type);
	return typeof value === "string"
		? new Fields({ url: value }, `${part.path}${type}.`, part.warn)
		: part.need(type, part.fields(type));
}

function linkSource(fields: Fields, name: string) {
	const source = sourceOf(fields.need(name, fields.text(name)));
	return source ?? fields.refuse(name, "must be an address or base64 data");
}

function filePart(file: Fields): MediaPart {
	const name = file.text("filename");
	const id = file.text("file_id");
	const titled = name === undefined ? {} : { name };
	if (id !== undefined)
		return {
			type: "document",
			source: { type: "file", protocol, id },
			...titled,
		};
	const data = file.need("file_data", file.text("file_data"));
	if (data.startsWith("data:") || data.startsWith("https://"))
		return {
			type: "document",
			source: linkSource(file, "file_data"),
			...titled,
		};
	return {
		type: "document",
		source: {
			type: "base64",
			mediaType: "application/pdf",
			data: plainBase64(data),
		},
		...titled,
	};
}

/** Anthropic's marks, which OpenRouter and others take in chats as well, and OpenAI's own. */
export function cacheOf(fields: Fields): { readonly cache?: CacheMark } {
	const control = fields.fields("cache_control");
	if (control) {
		control.pass("type");
		const ttl = control.oneOf("ttl", ["5m", "1h"]);
		return { cache: ttl ? { ttl } : {} };
	}
	const breakpoint = fields.fields("prompt_cache_breakpoint");
	if (!breakpoint) return {};
	breakpoint.drop("ttl", "The mark is kept; how long is up to the vendor.");
	return { cache: {} };
}
