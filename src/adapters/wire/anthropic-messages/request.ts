import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { type Edit, Spliced } from "../json-members.ts";
import {
	countKind,
	invalid,
	isRecord,
	kindOf,
	type Media,
	type RequestBody,
	readBody,
	readFlag,
	readMedia,
	readModel,
	readWhole,
	refuseLists,
	setMember,
	vendorTools,
} from "../request-body.ts";
import { SplicedRequest } from "../spliced-request.ts";
import { withoutSeals } from "./own-seals.ts";

export const countTokens = "count-tokens";

const members: ReadonlySet<string> = new Set([
	"model",
	"messages",
	"system",
	"stream",
	"max_tokens",
	"tools",
	"mcp_servers",
	"service_tier",
	"speed",
	"thread",
	"thinking",
	"output_config",
	"output_format",
]);

/** A request for a message, or to count the tokens of one, which says no limit and streams nothing. */
export function readMessages(
	bytes: Uint8Array,
	operation: string,
): Outcome<WireRequest> {
	const read = readBody(bytes, members);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const lists = refuseLists(body);
	if (lists) return lists;
	// The body of a turn that continues one says nothing of the input that is billed.
	if (kindOf(body, "thread") !== "absent")
		return invalid(
			"thread",
			"is not supported: send the whole conversation with each turn",
		);
	const stream = readFlag(body, "stream");
	if (!stream.ok) return stream;
	const counts = operation === countTokens;
	const limit = counts ? accept(0) : readWhole(body, "max_tokens", 0);
	if (!limit.ok) return limit;
	if (limit.value === undefined) return invalid("max_tokens", "is required");
	const media = readMedia(body, mediaTypes, (messages, found) => {
		for (const message of messages)
			if (isRecord(message)) countMedia(message.content, found);
	});
	return accept({
		operation,
		body: body.bytes,
		model: model.value,
		stream: stream.value && !counts,
		outputLimit: limit.value,
		choices: 1,
		inputBytes: Math.max(0, body.bytes.length - media.bytes),
		mediaParts: media.parts,
		serverTools: counts ? [] : serverTools(body),
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
	const seals = withoutSeals(body);
	if (seals) edits.push(seals);
	if (outputLimit !== undefined && request.operation !== countTokens)
		edits.push(setMember(body, "max_tokens", String(outputLimit)));
	return new SplicedRequest(
		new Spliced(body.bytes, edits),
		false,
		outputLimit ?? request.outputLimit,
		undefined,
		model,
	);
}

const mediaTypes: ReadonlySet<string> = new Set([
	"image",
	"document",
	"container_upload",
]);

/** Images and documents, also within tool results and documents; data that is no base64 is the vendor's to refuse. */
function countMedia(content: unknown, media: Media): void {
	if (!Array.isArray(content)) return;
	for (const block of content) {
		if (!isRecord(block)) continue;
		if (block.type === "tool_result") countMedia(block.content, media);
		else if (block.type === "container_upload") countKind(media, block.type);
		else if (
			(block.type === "image" || block.type === "document") &&
			isRecord(block.source)
		) {
			const { type, data, content: inner } = block.source;
			if (type === "content") countMedia(inner, media);
			else if (type !== "text") {
				countKind(media, block.type);
				if (type === "base64" && typeof data === "string")
					media.bytes += data.length;
			}
		}
	}
}

/** Tools that a type names run at the vendor, but for those that the client runs; unknown ones count as the vendor's. */
function serverTools(body: RequestBody): readonly string[] {
	const found = vendorTools(body, (type) =>
		/^(?:custom$|bash_|text_editor_|computer_|memory_)/.test(type),
	);
	if (kindOf(body, "mcp_servers") !== "absent") found.push("mcp_servers");
	return found;
}
