import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { type Edit, splice } from "../json-members.ts";
import {
	invalid,
	isRecord,
	type RequestBody,
	readBody,
	readFlag,
	readModel,
	readWhole,
	setMember,
} from "../request-body.ts";

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
]);

export function readMessages(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, members);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const { messages, tools } = body.value;
	if (!Array.isArray(messages))
		return invalid(
			"messages",
			messages === undefined ? "is required" : "must be an array",
		);
	if (tools !== undefined && tools !== null && !Array.isArray(tools))
		return invalid("tools", "must be an array");
	const stream = readFlag(body, "stream");
	if (!stream.ok) return stream;
	const limit = readWhole(body, "max_tokens", 0);
	if (!limit.ok) return limit;
	if (limit.value === undefined) return invalid("max_tokens", "is required");
	const media = { parts: 0, bytes: 0 };
	for (const message of messages)
		if (isRecord(message)) countMedia(message.content, media);
	return accept({
		operation: "messages",
		body: bytes,
		model: model.value,
		stream: stream.value,
		outputLimit: limit.value,
		choices: 1,
		inputBytes: Math.max(0, body.bytes.length - media.bytes),
		mediaParts: media.parts,
		serverTools: serverTools(body.value),
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
		edits.push(setMember(body, "max_tokens", String(outputLimit)));
	return {
		body: splice(body.bytes, edits),
		usageAsked: false,
		outputLimit: outputLimit ?? request.outputLimit,
	};
}

/** Images and documents, also within tool results and documents, and the bytes that they take as base64. */
function countMedia(
	content: unknown,
	media: { parts: number; bytes: number },
): void {
	if (!Array.isArray(content)) return;
	for (const block of content) {
		if (!isRecord(block)) continue;
		if (block.type === "tool_result") countMedia(block.content, media);
		else if (block.type === "container_upload") media.parts++;
		else if (
			(block.type === "image" || block.type === "document") &&
			isRecord(block.source)
		) {
			const { type, data, content: inner } = block.source;
			if (type === "content") countMedia(inner, media);
			else if (type !== "text") {
				media.parts++;
				if (type === "base64" && typeof data === "string")
					media.bytes += data.length;
			}
		}
	}
}

/** Tools that a type names run at the vendor, but for those that the client runs; unknown ones count as the vendor's. */
function serverTools({
	tools,
	mcp_servers: servers,
}: Readonly<Record<string, unknown>>): readonly string[] {
	const found: string[] = [];
	if (Array.isArray(servers) && servers.length > 0) found.push("mcp");
	for (const tool of Array.isArray(tools) ? tools : []) {
		const type = isRecord(tool) ? tool.type : undefined;
		if (
			typeof type === "string" &&
			!/^(?:custom$|bash_|text_editor_|computer_|memory_)/.test(type)
		)
			found.push(type.slice(0, 64));
	}
	return found.length > 1 ? [...new Set(found)].slice(0, 32) : found;
}
