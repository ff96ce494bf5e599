import type { MediaPart, MediaSource } from "../../../ports/canonical.ts";

/** Audio formats by their names here, with their media types; the first two are in OpenAI's own list. */
const audioTypes: ReadonlyMap<string, string> = new Map([
	["wav", "audio/wav"],
	["mp3", "audio/mpeg"],
	["flac", "audio/flac"],
	["opus", "audio/opus"],
	["aac", "audio/aac"],
	["pcm16", "audio/pcm"],
]);

const audioFormats: ReadonlyMap<string, string> = new Map([
	["audio/wav", "wav"],
	["audio/x-wav", "wav"],
	["audio/wave", "wav"],
	["audio/mpeg", "mp3"],
	["audio/mp3", "mp3"],
]);

export function audioTypeOf(format: string): string {
	return audioTypes.get(format) ?? `audio/${format}`;
}

/** Undefined for audio that the protocol does not take. */
export function audioFormatOf(mediaType: string): string | undefined {
	return audioFormats.get(mediaType);
}

/** What a link points to: a page, or data that stands in it. Undefined for data that is no base64. */
export function sourceOf(url: string): MediaSource | undefined {
	if (!url.startsWith("data:")) return { type: "url", url };
	const comma = url.indexOf(",");
	const head = comma < 0 ? "" : url.slice("data:".length, comma);
	if (!head.endsWith(";base64")) return undefined;
	const [mediaType = ""] = head.split(";", 1);
	return {
		type: "base64",
		mediaType: mediaType || "application/octet-stream",
		data: plainBase64(url.slice(comma + 1)),
	};
}

export function dataUrl(mediaType: string, data: string): string {
	return `data:${mediaType};base64,${data}`;
}

/** Base64 without line breaks, padded. */
export function plainBase64(data: string): string {
	const text = /\s/.test(data) ? data.replaceAll(/\s+/g, "") : data;
	return text.length % 4 === 0
		? text
		: text.padEnd(text.length + 4 - (text.length % 4), "=");
}

/** An answer's audio says no format: its first bytes do. */
export function spokenAudio(data: string): MediaSource {
	const mediaType =
		[...magic].find(([start]) => data.startsWith(start))?.[1] ?? "audio/pcm";
	return { type: "base64", mediaType, data };
}

const magic: ReadonlyMap<string, string> = new Map([
	["UklGR", "audio/wav"],
	["SUQz", "audio/mpeg"],
	["//", "audio/mpeg"],
	["ZkxhQ", "audio/flac"],
	["T2dnUw", "audio/opus"],
]);

/** A picture in an answer, as vendors that draw in chats send it. */
export function drawnImage(url: string): MediaPart | undefined {
	const source = sourceOf(url);
	return source && { type: "image", source };
}
