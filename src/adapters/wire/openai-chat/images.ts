import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	MediaOrder,
	RequestTarget,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { member, scanMembers, skipSpace } from "../json-members.ts";
import {
	invalid,
	kindOf,
	type RequestBody,
	readBody,
	readFlag,
	readMember,
	readModel,
	readWhole,
} from "../request-body.ts";
import { fieldOf, readForm } from "./form-data.ts";
import type { MediaReading } from "./media-answer.ts";
import { modelOf, restBytes, truth } from "./media-form.ts";
import { imageUsage } from "./media-usage.ts";

/** More than one vendor's word for the number of images: one that went past us would not be held for. */
const otherCounts = ["num_images", "batch_size", "image_num", "max_images"];

/** What else a request must say in our words: what is drawn with `svg` is drawn by a second model. */
const unmetered = [...otherCounts, "svg"];

const members: ReadonlySet<string> = new Set([
	"model",
	"prompt",
	"n",
	"stream",
	"size",
	"quality",
	"partial_images",
	"frame_count",
	"output_format",
	"response_format",
	...unmetered,
]);

const mostImages = 128;
const mostFrames = 1_000;

export function readImageGeneration(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, members);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const prompt = kindOf(body, "prompt");
	if (prompt !== "string")
		return invalid(
			"prompt",
			prompt === "absent" ? "is required" : "must be a string",
		);
	const stream = readFlag(body, "stream");
	if (!stream.ok) return stream;
	const counts = readCounts(body);
	if (!counts.ok) return counts;
	for (const name of unmetered)
		if (kindOf(body, name) !== "absent") return invalid(name, notMetered(name));
	if (readMember(body, "output_format") === "svg")
		return invalid("output_format", notMetered("svg"));
	return accept({
		operation: "image-generations",
		body: body.bytes,
		model: model.value,
		stream: stream.value,
		outputLimit: 0,
		choices: counts.value.images,
		inputBytes: body.bytes.length,
		mediaParts: 0,
		serverTools: [],
		order: orderOf({
			...counts.value,
			size: readMember(body, "size"),
			quality: readMember(body, "quality"),
			textBytes: body.bytes.length,
			imagesIn: 0,
		}),
		dos: body.dos,
		opaque: body,
	});
}

export function readImageEdit(
	bytes: Uint8Array,
	target: RequestTarget | undefined,
): Outcome<WireRequest> {
	const read = readForm(bytes, target?.header("content-type"), members);
	if (!read.ok) return read;
	const form = read.value;
	const model = modelOf(form);
	if (!model.ok) return model;
	const fields: Record<string, string | undefined> = {};
	for (const name of members) {
		const field = fieldOf(form, name);
		if (!field.ok) return field;
		fields[name] = field.value;
	}
	for (const name of unmetered)
		if (fields[name] !== undefined) return invalid(name, notMetered(name));
	if (fields.output_format === "svg")
		return invalid("output_format", notMetered("svg"));
	const images = wholeIn(fields.n, "n", 1, mostImages);
	if (!images.ok) return images;
	const partials = wholeIn(fields.partial_images, "partial_images", 0, 100);
	if (!partials.ok) return partials;
	const frames = wholeIn(fields.frame_count, "frame_count", 1, mostFrames);
	if (!frames.ok) return frames;
	const imagesIn = form.parts.filter(({ isFile }) => isFile).length;
	if (imagesIn === 0) return invalid("image", "is required, as a file");
	const textBytes = restBytes(form);
	return accept({
		operation: "image-edits",
		body: form.bytes,
		model: model.value,
		stream: truth(fields.stream),
		outputLimit: 0,
		choices: images.value ?? 1,
		inputBytes: textBytes,
		mediaParts: imagesIn,
		serverTools: [],
		order: orderOf({
			images: images.value ?? 1,
			partials: partials.value ?? 0,
			frames: frames.value ?? 1,
			size: fields.size,
			quality: fields.quality,
			textBytes,
			imagesIn,
		}),
		dos: form.dos,
		opaque: form,
	});
}

/** Images are counted where they are made; of what broke off, all that were ordered: a vendor that took the order makes them. */
export function imageReading(operation: string, ordered: number): MediaReading {
	return {
		carriers: ["b64_json", "url"],
		carried: "b64_json",
		ends:
			operation === "image-edits"
				? "image_edit.completed"
				: "image_generation.completed",
		usage: imageUsage,
		countWhole(body, scan) {
			const data = member(scan, "data");
			return data && { image: imagesAt(body, data.valueStart) };
		},
		count: (done) => ({ image: done > 0 ? done : ordered }),
	};
}

interface Counts {
	readonly images: number;
	/** Drafts that a stream shows of each. */
	readonly partials: number;
	/** Of an image that moves. */
	readonly frames: number;
}

function readCounts(body: RequestBody): Outcome<Counts> {
	const images = readWhole(body, "n", 1, mostImages);
	if (!images.ok) return images;
	const partials = readWhole(body, "partial_images", 0, 100);
	if (!partials.ok) return partials;
	const frames = readWhole(body, "frame_count", 1, mostFrames);
	if (!frames.ok) return frames;
	return accept({
		images: images.value ?? 1,
		partials: partials.value ?? 0,
		frames: frames.value ?? 1,
	});
}

/** What an image takes at most in tokens. OpenAI counts some 4,160 to 7,024 for a square megapixel of high quality, a quarter of it for medium, a fifteenth for low, and 100 for a draft. */
function orderOf(
	asked: Counts & {
		readonly size: unknown;
		readonly quality: unknown;
		readonly textBytes: number;
		readonly imagesIn: number;
	},
): MediaOrder {
	const { images, partials, frames, textBytes, imagesIn } = asked;
	const full = Math.max(8_192, Math.ceil(pixelsOf(asked.size) / 250));
	const share = shares[String(asked.quality)] ?? 1;
	const each = Math.ceil(full * share) * frames + 200 * partials;
	const pieces = { image: images };
	const tokens = (text: number, image: number, made: number) => ({
		input: text,
		"input-image": image,
		"output-image": made,
	});
	return {
		most: {
			pieces,
			tokens: tokens(
				Math.max(textBytes, 1_000),
				imagesIn * 8_000,
				images * each,
			),
		},
		usual: {
			pieces,
			tokens: tokens(
				Math.ceil(textBytes / 4),
				imagesIn * 1_000,
				Math.ceil((images * each) / 2),
			),
		},
		grounds: "the number, the size and the quality of the images",
	};
}

const shares: Readonly<Record<string, number>> = {
	low: 1 / 8,
	medium: 1 / 2,
	xhigh: 2,
	max: 4,
};

/** Of a size in pixels; left to the vendor, its usual largest; in words of its own ("4K"), the largest known. */
function pixelsOf(size: unknown): number {
	if (size === undefined || size === "auto") return 1536 * 1024;
	const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(String(size)) ?? [];
	return width && height ? Number(width) * Number(height) : 3840 * 2160;
}

/** The elements of a list that carry an image. */
function imagesAt(body: Buffer, listStart: number): number {
	let images = 0;
	let at = skipSpace(body, listStart + 1);
	while (body[at] === 0x7b) {
		const scan = scanMembers(body, at, 64);
		if (typeof scan !== "object") break;
		const carries = ["b64_json", "url"].some((name) => {
			const there = member(scan, name);
			return there !== undefined && body[there.valueStart] === 0x22;
		});
		if (carries) images++;
		at = skipSpace(body, scan.end);
		if (body[at] === 0x2c) at = skipSpace(body, at + 1);
	}
	return images;
}

function wholeIn(
	text: string | undefined,
	field: string,
	least: number,
	most: number,
): Outcome<number | undefined> {
	if (text === undefined || text === "") return accept(undefined);
	const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
	return number >= least && number <= most
		? accept(number)
		: invalid(field, `must be a whole number from ${least} to ${most}`);
}

function notMetered(name: string): string {
	return name === "svg"
		? "is drawn by a second model, which cannot be metered here: ask for another format"
		: 'cannot be metered here: say how many images with "n"';
}
