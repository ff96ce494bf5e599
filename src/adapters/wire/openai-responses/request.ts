import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { type Edit, splice } from "../json-members.ts";
import {
	countKind,
	invalid,
	isRecord,
	kindOf,
	type Media,
	noMedia,
	type RequestBody,
	readBody,
	readFlag,
	readMedia,
	readModel,
	readWhole,
	refuseTools,
	setMember,
	vendorTools,
} from "../request-body.ts";
import { withoutOurItems } from "./our-items.ts";

const members: ReadonlySet<string> = new Set([
	"model",
	"input",
	"stream",
	"max_output_tokens",
	"tools",
	"background",
	"conversation",
	"previous_response_id",
	"prompt",
	"service_tier",
	"text",
	"reasoning",
	"include",
	"top_logprobs",
]);

/** Input that stands at the vendor: what it will cost, its bytes do not show. */
const kept = ["conversation", "previous_response_id", "prompt"];

export function readResponses(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, members);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const references = kept.filter((name) => kindOf(body, name) !== "absent");
	const input = kindOf(body, "input");
	if (input === "absent" && references.length === 0)
		return invalid("input", "is required");
	if (input !== "absent" && input !== "string" && input !== "array")
		return invalid("input", "must be a string or an array");
	const tools = refuseTools(body);
	if (tools) return tools;
	const stream = readFlag(body, "stream");
	if (!stream.ok) return stream;
	const background = readFlag(body, "background");
	if (!background.ok) return background;
	// It would go on when the call has ended, where nobody sees what it uses.
	if (background.value)
		return invalid(
			"background",
			"must be false: stream the answer in its place",
		);
	const limit = readWhole(body, "max_output_tokens", 0);
	if (!limit.ok) return limit;
	const media =
		input === "array"
			? readMedia(body, mediaTypes, countMedia, "input")
			: noMedia;
	return accept({
		operation: "responses",
		body: body.bytes,
		model: model.value,
		stream: stream.value,
		outputLimit: limit.value,
		choices: 1,
		inputBytes: Math.max(0, body.bytes.length - media.bytes),
		mediaParts: media.parts + references.length,
		serverTools: serverTools(body),
		dos: body.dos,
		opaque: body,
	});
}

export function forward(
	request: WireRequest,
	{ model, outputLimit }: ForwardChange,
): Forwarded {
	const body = request.opaque as RequestBody;
	const edits: Edit[] = [];
	if (model !== request.model)
		edits.push(setMember(body, "model", JSON.stringify(model)));
	if (outputLimit !== undefined)
		edits.push(setMember(body, "max_output_tokens", String(outputLimit)));
	const input = withoutOurItems(body);
	if (input !== undefined) edits.push(setMember(body, "input", input));
	return {
		body: splice(body.bytes, edits),
		usageAsked: false,
		outputLimit: outputLimit ?? request.outputLimit,
	};
}

const mediaTypes: ReadonlySet<string> = new Set([
	"input_image",
	"input_file",
	"input_audio",
	"computer_screenshot",
	"image_generation_call",
	"item_reference",
]);

/** Images, files and audio in messages and results of tools, images made before, and items that stand at the vendor. */
function countMedia(items: readonly unknown[], media: Media): void {
	for (const item of items) {
		if (!isRecord(item)) continue;
		countPart(item, media);
		for (const content of [item.content, item.output])
			for (const part of Array.isArray(content) ? content : [content])
				if (isRecord(part)) countPart(part, media);
	}
}

function countPart(
	part: Readonly<Record<string, unknown>>,
	media: Media,
): void {
	if (typeof part.type !== "string" || !mediaTypes.has(part.type)) return;
	countKind(media, part.type);
	const audio = isRecord(part.input_audio) ? part.input_audio.data : undefined;
	for (const data of [part.image_url, part.file_data, part.result, audio])
		if (typeof data === "string" && !/^https?:/i.test(data.slice(0, 6)))
			media.bytes += data.length;
}

/** What runs at the vendor and may add to the bill, whether the tools are named here or in the input. */
function serverTools(body: RequestBody): readonly string[] {
	const found = vendorTools(body, (type) => clientTools.has(type));
	const added = body.members
		.get("input")
		?.types.some(
			({ depth, value }) => depth === 2 && value === "additional_tools",
		);
	if (added) found.push("additional_tools");
	if (kindOf(body, "prompt") !== "absent") found.push("prompt");
	return found;
}

const clientTools: ReadonlySet<string> = new Set([
	"function",
	"custom",
	"namespace",
	"local_shell",
	"apply_patch",
]);
