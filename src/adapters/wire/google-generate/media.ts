import type { MediaPart, MediaSource } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { type Fields, present, unsupported } from "../canonical/fields.ts";
import type { ModelRules } from "./models.ts";
import { inner } from "./proto-fields.ts";

type Detail = NonNullable<MediaPart["detail"]>;

/** Bytes or an address, as a request has them in a part; undefined when it has neither. */
export function readMedia(part: Fields): MediaPart | undefined {
	const blob = inner(part, "inlineData");
	const file = inner(part, "fileData");
	const [name, data] = blob ? ["inlineData", blob] : ["fileData", file];
	if (!data) return undefined;
	const mediaType = data.text("mimeType");
	let source: MediaSource;
	if (name === "inlineData") {
		source = {
			type: "base64",
			mediaType: data.need("mimeType", mediaType),
			data: standardBase64(data.need("data", data.text("data"))),
		};
	} else {
		source = sourceAt(data.need("fileUri", data.text("fileUri")), mediaType);
	}
	const title = data.text("displayName");
	data.done();
	const detail = readDetail(part);
	part.drop("videoMetadata", "Only the vendor cuts videos and samples them.");
	return present({
		type: mediaKind(source),
		source,
		name: title,
		detail,
	}) as MediaPart;
}

/** The same in an answer; tolerant. */
export function answerMedia(part: Json): MediaPart | undefined {
	const blob = part.inlineData as Json | null | undefined;
	if (typeof blob?.data === "string" && typeof blob.mimeType === "string") {
		const source: MediaSource = {
			type: "base64",
			mediaType: blob.mimeType,
			data: blob.data,
		};
		return { type: mediaKind(source), source };
	}
	const file = part.fileData as Json | null | undefined;
	if (typeof file?.fileUri !== "string") return undefined;
	const source = sourceAt(
		file.fileUri,
		typeof file.mimeType === "string" ? file.mimeType : undefined,
	);
	return { type: mediaKind(source), source };
}

/** Media as the data of a part: `{inlineData}` or `{fileData}`. */
export function writeMedia(part: MediaPart, field: string): Json {
	const { source } = part;
	switch (source.type) {
		case "base64":
			return { inlineData: { mimeType: source.mediaType, data: source.data } };
		case "text":
			return {
				inlineData: {
					mimeType: source.mediaType,
					data: Buffer.from(source.text).toString("base64"),
				},
			};
		case "url":
			return {
				fileData: present({
					mimeType: source.mediaType ?? typeByEnding(source.url),
					fileUri: source.url,
				}),
			};
		case "file":
			if (source.protocol !== "google-generate")
				return unsupported(
					`${field}.source`,
					"is a file that was uploaded to another vendor",
				);
			return {
				fileData: present({ mimeType: source.mediaType, fileUri: source.id }),
			};
	}
}

/** What else can be said of media in a request, and warnings of what cannot. */
export function mediaManner(
	part: MediaPart,
	field: string,
	rules: ModelRules,
	warn: Warn,
): Json {
	const drop = (name: string, message: string) =>
		warn({ kind: "dropped", field: `${field}.${name}`, message });
	if (part.name !== undefined)
		drop("name", "The vendor is not told the names of documents.");
	if (part.context !== undefined)
		drop("context", "The vendor takes no remarks on documents.");
	if (part.citable) drop("citable", "The vendor does not cite documents.");
	const level = part.detail && resolutions.get(part.detail);
	if (level === undefined) return {};
	if (rules.resolutions)
		return { mediaResolution: { level: `MEDIA_RESOLUTION_${level}` } };
	drop("detail", "The vendor takes no resolution for this image.");
	return {};
}

/** How closely to look at all media of a request, or at one part. */
export function detailOf(level: string): Detail | undefined {
	const name = level.replace(/^MEDIA_RESOLUTION_/, "");
	for (const [detail, each] of resolutions) if (each === name) return detail;
	return undefined;
}

const resolutions: ReadonlyMap<Detail, string> = new Map([
	["low", "LOW"],
	["high", "HIGH"],
	["original", "ULTRA_HIGH"],
]);

function readDetail(part: Fields): Detail | undefined {
	const resolution = inner(part, "mediaResolution");
	const level = resolution?.text("level");
	if (!resolution || level === undefined) return undefined;
	const detail = detailOf(level);
	if (detail === undefined && !level.endsWith("UNSPECIFIED"))
		part.warn({
			kind: "dropped",
			field: `${resolution.path}level`,
			message:
				"Only low, high and the highest resolution have a meaning elsewhere.",
		});
	resolution.done();
	return detail;
}

/** Files of the vendor's own are known by their address. */
function sourceAt(uri: string, mediaType: string | undefined): MediaSource {
	const own =
		/^(?:gs:\/\/|files\/|https:\/\/generativelanguage\.googleapis\.com\/)/;
	return present(
		own.test(uri)
			? { type: "file", protocol: "google-generate", id: uri, mediaType }
			: { type: "url", url: uri, mediaType },
	) as MediaSource;
}

function mediaKind(source: MediaSource): MediaPart["type"] {
	const address =
		source.type === "url"
			? source.url
			: source.type === "file"
				? source.id
				: "";
	const type = source.mediaType ?? typeByEnding(address) ?? "";
	const kind = /^(image|audio|video)\//i.exec(type)?.[1]?.toLowerCase();
	if (kind) return kind as "image" | "audio" | "video";
	return source.mediaType === undefined &&
		/^https:\/\/(?:www\.youtube\.com|youtu\.be)\//.test(address)
		? "video"
		: "document";
}

function typeByEnding(url: string): string | undefined {
	const ending = /\.([a-z0-9]{2,5})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase();
	return ending === undefined ? undefined : endings.get(ending);
}

const endings: ReadonlyMap<string, string> = new Map([
	["png", "image/png"],
	["jpg", "image/jpeg"],
	["jpeg", "image/jpeg"],
	["gif", "image/gif"],
	["webp", "image/webp"],
	["heic", "image/heic"],
	["pdf", "application/pdf"],
	["txt", "text/plain"],
	["md", "text/markdown"],
	["html", "text/html"],
	["csv", "text/csv"],
	["mp3", "audio/mp3"],
	["wav", "audio/wav"],
	["ogg", "audio/ogg"],
	["flac", "audio/flac"],
	["mp4", "video/mp4"],
	["webm", "video/webm"],
	["mov", "video/quicktime"],
]);

/** Protocol buffers take base64 of either alphabet, with padding or without. */
function standardBase64(text: string): string {
	if (!/[-_]/.test(text) && text.length % 4 === 0) return text;
	const standard = text.replaceAll("-", "+").replaceAll("_", "/");
	return standard.padEnd(Math.ceil(standard.length / 4) * 4, "=");
}
