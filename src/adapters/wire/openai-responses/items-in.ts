import type {
	AnswerPart,
	MediaPart,
	Message,
	TextPart,
	Tool,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import { type Fields, present, refuseField } from "../canonical/fields.ts";
import { readInputPart } from "./media.ts";
import { nameWithin } from "./namespaces.ts";
import { nativeTools } from "./native-tools.ts";
import { attach, carriedBy, own } from "./opaque.ts";
import {
	callPart,
	contentPart,
	reasoningPart,
	serverPart,
} from "./parts-in.ts";
import { readTools } from "./tools.ts";

/** A conversation as a client sends it, item by item; items of one turn are one message. */
export function readItems(items: readonly Fields[]): {
	readonly messages: Message[];
	/** Tools that the input adds. */
	readonly tools: Tool[];
} {
	const messages: Message[] = [];
	const tools: Tool[] = [];

	function answer(...parts: AnswerPart[]): void {
		const last = messages.at(-1);
		if (last?.role === "assistant") (last.parts as AnswerPart[]).push(...parts);
		else messages.push({ role: "assistant", parts });
	}
	function result(part: ToolResultPart): void {
		const last = messages.at(-1);
		if (last?.role === "tool") (last.parts as ToolResultPart[]).push(part);
		else messages.push({ role: "tool", parts: [part] });
	}

	for (const item of items) {
		const type =
			item.text("type") ??
			("role" in item.record ? "message" : "item_reference");
		switch (type) {
			case "message": {
				const role = item.need(
					"role",
					item.oneOf("role", ["user", "assistant", "system", "developer"]),
				);
				if (role === "assistant") answer(...readAnswer(item));
				else if (role === "user")
					messages.push({ role, parts: readParts(item, "content") });
				else
					messages.push({
						role,
						parts: readParts(item, "content").map((part, index) =>
							part.type === "text"
								? part
								: item.refuse(`content.${index}.type`, "must be text"),
						),
					});
				item.pass("id", "status");
				item.done();
				break;
			}
			case "reasoning": {
				const read = readReasoning(item);
				const carried = carriedBy(item.record);
				const last = messages.at(-1);
				if (!carried) answer(read);
				else if (last?.role === "assistant")
					attach(last.parts as AnswerPart[], carried);
				break;
			}
			case "function_call":
			case "custom_tool_call":
			case "local_shell_call":
			case "shell_call":
			case "apply_patch_call":
				answer(readCall(item, type));
				break;
			case "function_call_output":
			case "custom_tool_call_output":
			case "local_shell_call_output":
			case "shell_call_output":
			case "apply_patch_call_output":
				result(readResult(item, type));
				break;
			case "web_search_call":
			case "file_search_call":
			case "code_interpreter_call":
			case "mcp_list_tools":
			case "mcp_call":
				answer(serverPart(item.record, item.record.id));
				break;
			case "image_generation_call": {
				const data = item.need("result", item.text("result"));
				const format = item.text("output_format") ?? "png";
				answer({
					type: "image",
					source: { type: "base64", mediaType: `image/${format}`, data },
				});
				break;
			}
			case "additional_tools":
				tools.push(...readTools(item.need("tools", item.each("tools"))));
				item.warn({
					kind: "changed",
					field: `${item.path}tools`,
					message: "The tools are there from the start of the conversation.",
				});
				break;
			case "item_reference":
				item.unsupported("id", "names an item that is not kept here");
				break;
			default:
				item.unsupported(
					"type",
					"is an item that only vendors of this protocol understand",
				);
		}
	}
	return { messages, tools };
}

/** Content that is one text, or a list of parts. */
function readParts(item: Fields, name: string): (TextPart | MediaPart)[] {
	const content = item.need(name, item.value(name));
	if (typeof content === "string")
		return content === "" ? [] : [{ type: "text", text: content }];
	return (
		item.each(name) ??
		refuseField(`${item.path}${name}`, "must be a string or an array")
	).map(readInputPart);
}

function readAnswer(item: Fields): AnswerPart[] {
	const phase = item.text("phase");
	const content = item.need("content", item.value("content"));
	const opaque = phase === undefined ? {} : { opaque: own({ phase }) };
	if (typeof content === "string")
		return [{ type: "text", text: content, ...opaque }];
	return item.need("content", item.each("content")).map((part) => {
		const type = part.need("type", part.text("type"));
		if (type === "refusal") part.need("refusal", part.text("refusal"));
		else if (type === "output_text" || type === "input_text")
			part.need("text", part.text("text"));
		else part.refuse("type", 'must be "output_text" or "refusal"');
		const read = type === "input_text" ? "output_text" : type;
		return contentPart({ ...part.record, type: read }, phase) as AnswerPart;
	});
}

function readReasoning(item: Fields): AnswerPart {
	for (const name of ["summary", "content"])
		for (const part of item.each(name) ?? [])
			part.need("text", part.text("text"));
	item.text("encrypted_content");
	item.pass("id", "status");
	item.done();
	return reasoningPart(item.record);
}

function readCall(item: Fields, type: string): AnswerPart {
	const native = nativeTools.find(({ call }) => call === type);
	item.need("call_id", item.text("call_id"));
	if (native) item.need(native.member, item.json(native.member));
	else {
		item.need("name", item.text("name"));
		const text = type === "custom_tool_call" ? "input" : "arguments";
		item.need(text, item.text(text));
	}
	const namespace = item.text("namespace");
	item.pass("id", "status", "caller", "async", "environment", "created_by");
	item.done();
	const call = callPart(item.record) as ToolCallPart;
	if (namespace === undefined) return call;
	const { opaque: _, ...rest } = call;
	return { ...rest, name: nameWithin(namespace, call.name) };
}

function readResult(item: Fields, type: string): ToolResultPart {
	// The result of a local shell's call names it by its id.
	const call =
		item.text("call_id") ??
		(type === "local_shell_call_output" ? item.text("id") : undefined) ??
		item.refuse("call_id", "is required");
	const failed = item.text("status") === "failed" || undefined;
	const name = type === "function_call_output" ? item.text("name") : undefined;
	const parts =
		type === "shell_call_output"
			? [shellOutput(item)]
			: item.value("output") === undefined && type.startsWith("apply_patch")
				? []
				: readParts(item, "output");
	item.pass("id", "caller", "max_output_length", "namespace", "created_by");
	item.done();
	return present({
		type: "tool-result" as const,
		call,
		name,
		parts,
		error: failed,
	});
}

/** What commands wrote and how they ended, as the client says it. */
function shellOutput(item: Fields): TextPart {
	const output = item.need("output", item.list("output"));
	return { type: "text", text: JSON.stringify(output) };
}
