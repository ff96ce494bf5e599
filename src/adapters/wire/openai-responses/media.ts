import { isUtf8 } from "node:buffer";
import type {
	MediaPart,
	MediaSource,
	TextPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { type Fields, present, unsupported } from "../canonical/fields.ts";
import { breakpoint, markOf } from "./cache-marks.ts";
import type { Vocabulary } from "./narrow.ts";
import { protocol } from "./opaque.ts";

/** Reads a part of a user's message or of a tool's result. */
export function readInputPart(part: Fields): TextPart | MediaPart {
	const type = part.need("type", part.text("type"));
	switch (type) {
		case "input_text":
		case "output_text": {
			const text = part.need("text", part.text("text"));
			const cache = markOf(part);
			part.pass("type", "annotations", "logprobs");
			part.done();
			return present({ type: "text" as const, text, cache });
		}
		case "input_image": {
			const url = part.text("image_url");
			const source =
				url === undefined ? fileSource(part, "image_url") : urlSource(url);
			const detail = part.oneOf("detail", ["auto", "low", "high", "original"]);
			const cache = markOf(part);
			part.done();
			return present({ type: "image" as const, source, detail, cache });
		}
		case "input_file": {
			const data = part.text("file_data");
			const url = part.text("file_url");
			const name = part.text("filename");
			const detail = part.oneOf("detail", ["auto", "low", "high"]);
			const source =
				data !== undefined
					? dataSource(data, name)
					: url !== undefined
						? urlSource(url)
						: fileSource(part, "file_data");
			const cache = markOf(part);
			part.done();
			return present({
				type: "document" as const,
				source,
				name,
				detail,
				cache,
			});
		}
		case "input_audio": {
			const audio = part.need("input_audio", part.fields("input_audio"));
			const data = audio.need("data", audio.text("data"));
			const format = audio.need(
				"format",
				audio.oneOf("format", ["mp3", "wav"]),
			);
			audio.done();
			part.done();
			const mediaType = format === "mp3" ? "audio/mpeg" : "audio/wav";
			return { type: "audio", source: { type: "base64", mediaType, data } };
		}
		default:
			return part.unsupported("type", "is a kind of input that is not known");
	}
}

/** Writes a part of a user's message or of a tool's result. `field` is where it stands in the canonical request. */
export function writeInputPart(
	part: TextPart | MediaPart,
	field: string,
	explicitCache: boolean,
	{ takes, lacks }: Vocabulary,
	warn: Warn,
): Json {
	const cache = breakpoint(part.cache, field, explicitCache, warn);
	if (part.type === "text")
		return { type: "input_text", text: part.text, ...cache };
	const { type, source } = part;
	for (const name of ["context", "citable"] as const) {
		if (part[name] !== undefined)
			warn({
				kind: "dropped",
				field: `${field}.${name}`,
				message: "The vendor's protocol has no place for it.",
			});
	}
	if (source.type === "file" && source.protocol !== protocol)
		return unsupported(field, "names a file that another vendor keeps");
	if (type === "image") {
		return {
			type: "input_image",
			...(source.type === "file"
				? { file_id: source.id }
				: { image_url: source.type === "url" ? source.url : dataUrl(source) }),
			// A vendor that checks its requests asks for it.
			...(lacks("detail")
				? untold(part, field, warn)
				: { detail: part.detail ?? "auto" }),
			...cache,
		};
	}
	if (type === "document") {
		if (lacks("input_file"))
			return unsupported(
				field,
				"is a document, which this vendor does not take",
			);
		return {
			type: "input_file",
			...(source.type === "file"
				? { file_id: source.id }
				: source.type === "url"
					? { file_url: source.url }
					: {
							filename: part.name ?? `document.${extension(source.mediaType)}`,
							file_data: dataUrl(source),
						}),
			...(part.name !== undefined &&
				source.type !== "file" && { filename: part.name }),
			...(part.detail && part.detail !== "original" && { detail: part.detail }),
			...cache,
		};
	}
	const format =
		type === "audio" && source.type === "base64" && takes("input_audio")
			? audioFormats.get(source.mediaType)
			: undefined;
	if (!format || source.type !== "base64")
		return unsupported(field, `is ${type} that the vendor does not take`);
	return { type: "input_audio", input_audio: { data: source.data, format } };
}

const audioFormats: ReadonlyMap<string, string> = new Map([
	["audio/mpeg", "mp3"],
	["audio/mp3", "mp3"],
	["audio/wav", "wav"],
	["audio/x-wav", "wav"],
	["audio/wave", "wav"],
]);

function untold({ detail }: MediaPart, field: string, warn: Warn): Json {
	if (detail !== undefined && detail !== "auto")
		warn({
			kind: "dropped",
			field: `${field}.detail`,
			message: "This vendor decides itself how closely to look.",
		});
	return {};
}

function fileSource(part: Fields, instead: string): MediaSource {
	const id = part.text("file_id");
	return id === undefined
		? part.refuse(instead, 'is required, or "file_id"')
		: { type: "file", protocol, id };
}

function urlSource(url: string): MediaSource {
	return url.startsWith("data:")
		? dataSource(url, undefined)
		: { type: "url", url };
}

/** Data of a URL, or bare base64. Text is said as text, since some vendors take it in no other way. */
function dataSource(data: string, name: string | undefined): MediaSource {
	const comma = data.startsWith("data:") ? data.indexOf(",") : -1;
	const head = comma < 0 ? "" : data.slice(5, comma);
	const content = data.slice(comma + 1);
	const mediaType =
		head.split(";", 1)[0]?.toLowerCase() ||
		(name !== undefined && mediaTypes.get(endOf(name))) ||
		"application/pdf";
	if (comma >= 0 && !head.endsWith(";base64"))
		return { type: "text", mediaType, text: decoded(content) };
	if (mediaType.startsWith("text/")) {
		const bytes = Buffer.from(content, "base64");
		if (isUtf8(bytes))
			return { type: "text", mediaType, text: bytes.toString() };
	}
	return { type: "base64", mediaType, data: content };
}

function decoded(content: string): string {
	try {
		return decodeURIComponent(content);
	} catch {
		return content;
	}
}

function dataUrl(
	source: Extract<MediaSource, { type: "base64" | "text" }>,
): string {
	const data =
		source.type === "text"
			? Buffer.from(source.text).toString("base64")
			: source.data;
	return `data:${source.mediaType};base64,${data}`;
}

function endOf(name: string): string {
	return name.slice(name.lastIndexOf(".") + 1).toLowerCase();
}

function extension(mediaType: string): string {
	for (const [end, type] of mediaTypes) if (type === mediaType) return end;
	return "bin";
}

const mediaTypes: ReadonlyMap<string, string> = new Map([
	["pdf", "application/pdf"],
	["txt", "text/plain"],
	["md", "text/markdown"],
	["csv", "text/csv"],
	["html", "text/html"],
	["json", "application/json"],
	["xml", "application/xml"],
	[
		"docx",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	],
	["xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
	[
		"pptx",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation",
	],
]);
