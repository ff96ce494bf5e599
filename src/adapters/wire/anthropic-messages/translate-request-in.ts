import type {
	AnswerPart,
	CanonicalRequest,
	MediaPart,
	MediaSource,
	Message,
	OutputForm,
	Reasoning,
	ServerToolPart,
	TextPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { AskedForm, Warn } from "../../../ports/translator.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import {
	bodyFields,
	Fields,
	listOf,
	present,
	someOf,
} from "../canonical/fields.ts";
import { type RequestBody, someFields } from "../request-body.ts";
import { readCitation } from "./citations.ts";
import { openRedacted, openSignature, ours } from "./opaque.ts";
import { isResult, serverTool, withResult } from "./server-tools.ts";
import { readCache, readChoice, readTool } from "./tools-in.ts";
import { callMark } from "./translate-answer-in.ts";

/** What a client's request means. The request was read by the wire protocol before: it is JSON, with model and lists. */
export function readRequest(
	{ body, model, stream }: WireRequest,
	warn: Warn,
): CanonicalRequest {
	const fields = bodyFields(body, warn);
	fields.pass("model", "stream");
	const outputLimit = fields.whole("max_tokens", 0);
	if (outputLimit === 0)
		fields.unsupported(
			"max_tokens",
			"is 0, which only fills this protocol's own vendors' caches",
		);
	const request = present({
		model,
		messages: [
			...readSystem(fields),
			...(fields.each("messages") ?? []).flatMap(readMessage),
		],
		tools: fields.each("tools")?.map(readTool),
		...readChoice(fields.fields("tool_choice")),
		...readOutput(fields),
		outputLimit,
		stop: someOf(fields.texts("stop_sequences")),
		temperature: fields.number("temperature", 0, 1),
		topP: fields.number("top_p", 0, 1),
		topK: fields.whole("top_k", 0),
		serviceTier: readServiceTier(fields),
		user: readUser(fields),
		cache: readCache(fields),
		stream,
		streamUsage: true,
	}) as CanonicalRequest;
	readRest(fields);
	fields.done();
	return request;
}

/** The tools and the form of the output alone. */
export function readForm({ opaque }: WireRequest): AskedForm {
	const fields = someFields(opaque as RequestBody, [
		"tools",
		"output_config",
		"output_format",
	]);
	return present({
		tools: fields.each("tools")?.map(readTool),
		output: readOutput(fields).output,
	}) as AskedForm;
}

function readServiceTier(fields: Fields): CanonicalRequest["serviceTier"] {
	const tier = fields.oneOf("service_tier", ["auto", "standard_only"]);
	return tier === "standard_only" ? "standard" : tier;
}

function readUser(fields: Fields): string | undefined {
	const metadata = fields.fields("metadata");
	const user = metadata?.text("user_id");
	metadata?.done();
	return user;
}

/** What reaches outside the request, and means nothing to other vendors. */
function readRest(fields: Fields): void {
	if (fields.list("mcp_servers")?.length)
		fields.unsupported(
			"mcp_servers",
			"asks the vendor to call other servers, which only this protocol's own vendors do",
		);
	if (fields.text("inference_geo") !== undefined)
		fields.unsupported(
			"inference_geo",
			"asks for a place of inference, which only this protocol's own vendors can promise",
		);
	if (fields.oneOf("speed", ["standard", "fast"]) === "fast")
		fields.drop("speed", "The vendor that answers has no such speed.");
	fields.drop("container", "The vendor that answers keeps no container.");
	fields.drop(
		"context_management",
		"The vendor that answers manages no context: all of it was sent.",
	);
	fields.drop("compaction", "The vendor that answers compacts nothing.");
	fields.drop("fallbacks", "The route decides on models, not the vendor.");
	fields.drop(
		"diagnostics",
		"The vendor that answers diagnoses no cache misses.",
	);
}

/** Thinking, effort and the form of the output. */
function readOutput(
	fields: Fields,
): Pick<CanonicalRequest, "output" | "reasoning"> {
	const config = fields.fields("output_config");
	const effort = config?.oneOf("effort", efforts);
	const format = config?.fields("format");
	const older = fields.fields("output_format");
	config?.drop("task_budget", "The vendor that answers knows no task budget.");
	config?.done();
	const output = readFormat(format) ?? readFormat(older);
	const reasoning = readThinking(fields.fields("thinking"), effort);
	return present({ output, reasoning });
}

const efforts = ["low", "medium", "high", "xhigh", "max"] as const;

function readFormat(format: Fields | undefined): OutputForm | undefined {
	if (!format) return undefined;
	format.need("type", format.oneOf("type", ["json_schema"]));
	const schema = format.need("schema", format.json("schema"));
	format.done();
	return { type: "json-schema", schema };
}

function readThinking(
	thinking: Fields | undefined,
	effort: Reasoning["effort"],
): Reasoning | undefined {
	if (!thinking) return effort && { effort };
	const type = thinking.need(
		"type",
		thinking.oneOf("type", [
			"enabled",
			"adaptive",
			"disabled",
			"between_tools",
		]),
	);
	const budget =
		type === "enabled"
			? thinking.need("budget_tokens", thinking.whole("budget_tokens", 1))
			: undefined;
	// Models that take a budget show what they think unless told otherwise.
	const display =
		thinking.oneOf("display", ["summarized", "omitted"]) ??
		(type === "enabled" ? "summarized" : undefined);
	thinking.done();
	if (type === "between_tools") {
		thinking.warn({
			kind: "changed",
			field: "thinking.type",
			message:
				"Thinking between tools alone was asked for as the least effort.",
		});
		return { effort: "minimal" };
	}
	return present({
		effort,
		budget: type === "disabled" ? 0 : budget,
		adaptive: type === "adaptive" ? true : undefined,
		show: display && (display === "omitted" ? "none" : "auto"),
	}) as Reasoning;
}

function readSystem(fields: Fields): readonly Message[] {
	const system = contentOf(fields, "system");
	if (!system || system.length === 0) return [];
	return [{ role: "system", parts: system.map(readText) }];
}

/** Content is a text, or blocks. */
function contentOf(
	fields: Fields,
	name: string,
): readonly Fields[] | undefined {
	const value = fields.value(name);
	if (typeof value !== "string") return fields.each(name);
	return [
		new Fields(
			{ type: "text", text: value },
			`${fields.path}${name}.`,
			fields.warn,
		),
	];
}

function readMessage(message: Fields): readonly Message[] {
	const role = message.need(
		"role",
		message.oneOf("role", ["user", "assistant", "system"]),
	);
	const content = message.need("content", contentOf(message, "content"));
	message.done();
	switch (role) {
		case "user":
			return readUserTurn(content);
		case "assistant":
			return [{ role, parts: readAssistant(content) }];
		default:
			return [{ role, parts: content.map(readText) }];
	}
}

/** Tool results and what the user says come in one message: they are told apart, in their order. */
function readUserTurn(content: readonly Fields[]): readonly Message[] {
	const messages: (
		| { role: "tool"; parts: ToolResultPart[] }
		| { role: "user"; parts: (TextPart | MediaPart)[] }
	)[] = [];
	for (const block of content) {
		const last = messages.at(-1);
		if (block.record.type === "tool_result") {
			const result = readToolResult(block);
			if (last?.role === "tool") last.parts.push(result);
			else messages.push({ role: "tool", parts: [result] });
		} else {
			const part = readUserBlock(block);
			if (last?.role === "user") last.parts.push(part);
			else messages.push({ role: "user", parts: [part] });
		}
	}
	return messages.length > 0 ? messages : [{ role: "user", parts: [] }];
}

function readToolResult(block: Fields): ToolResultPart {
	block.pass("type", "toolset_name");
	const result = present({
		type: "tool-result",
		call: block.need("tool_use_id", block.text("tool_use_id")),
		parts: contentOf(block, "content")?.map(readUserBlock) ?? [],
		error: block.flag("is_error"),
		cache: readCache(block),
	}) as ToolResultPart;
	block.done();
	return result;
}

function readUserBlock(block: Fields): TextPart | MediaPart {
	const type = block.need("type", block.text("type"));
	switch (type) {
		case "text":
			return readText(block);
		case "image":
			return readImage(block);
		case "document":
			return readDocument(block);
		case "search_result":
			return readSearchResult(block);
		case "tool_reference":
			return readToolReference(block);
		default:
			return block.unsupported(
				"type",
				"is of a kind of block that only this protocol's own vendors read",
			);
	}
}

/** A tool that was searched for: others have all tools from the start. */
function readToolReference(block: Fields): TextPart {
	const name = block.need("tool_name", block.text("tool_name"));
	block.pass("type", "cache_control");
	block.done();
	block.warn({
		kind: "changed",
		field: `${block.path}type`,
		message: "A reference to a tool was sent as the tool's name.",
	});
	return { type: "text", text: name };
}

function readText(block: Fields): TextPart {
	if (block.need("type", block.text("type")) !== "text")
		block.refuse("type", 'must be "text" here');
	const citations = listOf(block.value("citations")).flatMap(
		(each) => readCitation(each) ?? [],
	);
	const cache = readCache(block);
	const part: TextPart = {
		type: "text",
		text: block.need("text", block.text("text")),
		...(citations.length > 0 && { citations }),
		...(cache && { cache }),
	};
	block.done();
	return part;
}

function readImage(block: Fields): MediaPart {
	const source = block.need("source", block.fields("source"));
	block.pass("type");
	block.drop("transformations", "The vendor that answers sizes images itself.");
	const cache = readCache(block);
	const part: MediaPart = {
		type: "image",
		source: readSource(source, ["base64", "url", "file"]),
		...(cache && { cache }),
	};
	block.done();
	return part;
}

function readDocument(block: Fields): MediaPart {
	const source = block.need("source", block.fields("source"));
	const citations = block.fields("citations");
	block.pass("type");
	const part = present({
		type: "document",
		source: readSource(source, ["base64", "url", "file", "text", "content"]),
		name: block.text("title"),
		context: block.text("context"),
		citable: citations?.flag("enabled"),
		cache: readCache(block),
		// Documents in blocks are one text to others, and themselves to this protocol's vendors.
		opaque:
			source.record.type === "content"
				? ours({ source: source.record })
				: undefined,
	}) as MediaPart;
	citations?.done();
	block.done();
	return part;
}

function readSource(
	source: Fields,
	types: readonly ("base64" | "url" | "file" | "text" | "content")[],
): MediaSource {
	const type = source.need("type", source.oneOf("type", types));
	const need = (name: string): string => source.need(name, source.text(name));
	const read = (): MediaSource => {
		switch (type) {
			case "base64":
				return { type, mediaType: need("media_type"), data: need("data") };
			case "text":
				return { type, mediaType: need("media_type"), text: need("data") };
			case "url":
				return { type, url: need("url") };
			case "file":
				return { type, protocol: "anthropic-messages", id: need("file_id") };
			case "content":
				return {
					type: "text",
					mediaType: "text/plain",
					text: source
						.need("content", contentOf(source, "content"))
						.map(textWithin)
						.join("\n"),
				};
		}
	};
	const result = read();
	source.done();
	return result;
}

function textWithin(block: Fields): string {
	if (block.record.type !== "text")
		block.unsupported(
			"type",
			"puts something other than text into a document, which only this protocol can",
		);
	return readText(block).text;
}

/** A search result of the client's is a document to others. */
function readSearchResult(block: Fields): MediaPart {
	const content = block.need("content", block.each("content"));
	const citations = block.fields("citations");
	block.pass("type");
	const part = present({
		type: "document",
		source: {
			type: "text",
			mediaType: "text/plain",
			text: content.map(textWithin).join("\n"),
		},
		name: block.need("title", block.text("title")),
		context: block.need("source", block.text("source")),
		citable: citations?.flag("enabled"),
		cache: readCache(block),
		opaque: ours({ block: block.record }),
	}) as MediaPart;
	citations?.done();
	block.done();
	return part;
}

function readAssistant(content: readonly Fields[]): readonly AnswerPart[] {
	const parts: AnswerPart[] = [];
	const running = new Map<string, number>();
	for (const block of content) {
		const { record } = block;
		const at = isResult(record) && running.get(record.tool_use_id as string);
		if (typeof at === "number") {
			parts[at] = withResult(parts[at] as ServerToolPart, record);
			continue;
		}
		if (record.type === "redacted_thinking") {
			readRedacted(block, parts);
			continue;
		}
		const part = readAnswerBlock(block);
		if (part.type === "server-tool") running.set(part.id, parts.length);
		parts.push(part);
	}
	return parts;
}

/** Redacted reasoning, or what travels in its place. */
function readRedacted(block: Fields, parts: AnswerPart[]): void {
	const opened = openRedacted(block.need("data", block.text("data")));
	block.pass("type");
	block.done();
	if ("part" in opened) parts.push(opened.part);
	else if ("reasoning" in opened)
		parts.push(
			present({
				type: "reasoning",
				text: "",
				opaque: opened.reasoning,
			}) as AnswerPart,
		);
	else {
		const last = parts.at(-1);
		if (last && last.type !== "refusal")
			parts[parts.length - 1] = { ...last, opaque: opened.mark };
	}
}

function readAnswerBlock(block: Fields): AnswerPart {
	switch (block.need("type", block.text("type"))) {
		case "text":
			return readText(block);
		case "thinking": {
			const signature = block.text("signature") ?? "";
			const part = present({
				type: "reasoning",
				text: block.need("thinking", block.text("thinking")),
				opaque: openSignature(signature, "signature"),
			}) as AnswerPart;
			block.done();
			return part;
		}
		case "tool_use": {
			const part = present({
				type: "tool-call",
				id: block.need("id", block.text("id")),
				name: block.need("name", block.text("name")),
				arguments: JSON.stringify(block.need("input", block.json("input"))),
				cache: readCache(block),
				opaque: callMark(block.record),
			}) as AnswerPart;
			block.pass("caller", "toolset_name");
			block.done();
			return part;
		}
		case "image":
		case "document":
		case "tool_result":
			return block.refuse("type", "has no place in what the assistant said");
		default:
			return serverTool(block.record);
	}
}
