import type { MediaPart } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { present, unsupported } from "../canonical/fields.ts";

type Kind = MediaPart["type"];

/** The vendor's names of formats, by media type. */
const formats: Readonly<Record<Kind, ReadonlyMap<string, string>>> = {
	image: new Map([
		["image/png", "png"],
		["image/jpeg", "jpeg"],
		["image/jpg", "jpeg"],
		["image/gif", "gif"],
		["image/webp", "webp"],
	]),
	document: new Map([
		["application/pdf", "pdf"],
		["text/csv", "csv"],
		["application/msword", "doc"],
		[
			"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
			"docx",
		],
		["application/vnd.ms-excel", "xls"],
		[
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
			"xlsx",
		],
		["text/html", "html"],
		["text/plain", "txt"],
		["text/markdown", "md"],
	]),
	video: new Map([
		["video/mp4", "mp4"],
		["video/quicktime", "mov"],
		["video/x-matroska", "mkv"],
		["video/webm", "webm"],
		["video/x-flv", "flv"],
		["video/mpeg", "mpeg"],
		["video/x-ms-wmv", "wmv"],
		["video/3gpp", "three_gp"],
	]),
	audio: new Map([
		["audio/mpeg", "mp3"],
		["audio/mp3", "mp3"],
		["audio/wav", "wav"],
		["audio/x-wav", "wav"],
		["audio/aac", "aac"],
		["audio/flac", "flac"],
		["audio/mp4", "m4a"],
		["audio/ogg", "ogg"],
		["audio/opus", "opus"],
		["audio/webm", "webm"],
	]),
};

const named: Readonly<Record<Kind, string>> = {
	image: "PNG, JPEG, GIF or WebP",
	document: "PDF, text, CSV, HTML, Markdown, Word or Excel",
	video: "MP4, MOV, MKV, WebM, FLV, MPEG, WMV or 3GP",
	audio: "MP3, WAV, AAC, FLAC, M4A, Ogg, Opus or WebM",
};

/** Media as a block. `names` are those that the request's documents have so far: no two may be the same. */
export function writeMedia(
	part: MediaPart,
	field: string,
	names: Set<string>,
	warn: Warn,
): Json {
	const { type } = part;
	if (part.opaque)
		warn({
			kind: "dropped",
			field: `${field}.opaque`,
			message: "What another vendor marked means nothing to this one.",
		});
	if (part.detail !== undefined && part.detail !== "auto")
		warn({
			kind: "dropped",
			field: `${field}.detail`,
			message: "Converse decides itself how closely to look.",
		});
	// First: what is not fetched has no format that matters.
	const source = writeSource(part, field);
	const format = formatOf(part, field);
	if (type !== "document") return { [type]: { format, source } };
	return {
		document: present({
			format,
			name: uniqueName(part.name, field, names, warn),
			source,
			context: part.context,
			citations: part.citable ? { enabled: true } : undefined,
		}),
	};
}

function formatOf({ type, source }: MediaPart, field: string): string {
	const stated =
		source.type === "url" || source.type === "file"
			? (source.mediaType ?? "")
			: source.mediaType;
	const mediaType = stated.split(";")[0]?.trim().toLowerCase() ?? "";
	const format = formats[type].get(mediaType);
	if (format !== undefined) return format;
	// Any text is read as such.
	if (
		type === "document" &&
		source.type !== "url" &&
		/^text\/|[/+](json|xml|ya?ml)$/.test(mediaType)
	)
		return "txt";
	return unsupported(
		`${field}.source.mediaType`,
		`must be ${named[type]} for Converse`,
	);
}

function writeSource({ source }: MediaPart, field: string): Json {
	switch (source.type) {
		case "base64":
			return { bytes: source.data };
		case "text":
			return { bytes: Buffer.from(source.text).toString("base64") };
		case "url":
			// `s3://…` it would fetch, as the owner: whatever the owner may read, every client could then.
			return unsupported(
				`${field}.source`,
				"is an address, which Converse does not fetch: send the content",
			);
		case "file":
			return unsupported(
				`${field}.source`,
				"is a file that was uploaded to another vendor: send its content",
			);
	}
}

/** Letters, digits, single spaces, hyphens, parentheses and brackets are all that a name may hold. */
function uniqueName(
	name: string | undefined,
	field: string,
	names: Set<string>,
	warn: Warn,
): string {
	const plain = (name ?? "")
		.replaceAll(/[^A-Za-z0-9\s\-()[\]]/g, " ")
		.replaceAll(/\s+/g, " ")
		.trim()
		.slice(0, 150);
	const base = plain || "document";
	let unique = base;
	for (let number = 2; names.has(unique); number++)
		unique = `${base} ${number}`;
	names.add(unique);
	if (name !== undefined && unique !== name)
		warn({
			kind: "changed",
			field: `${field}.name`,
			message:
				"Names of documents are unique there and hold letters, digits, spaces, hyphens and brackets only.",
		});
	return unique;
}
