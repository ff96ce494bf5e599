import type { RequestTraits } from "../../../ports/request-traits.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { member } from "../json-members.ts";
import type { RequestBody } from "../request-body.ts";
import {
	effortOf,
	membersAt,
	membersOf,
	type Speaker,
	scalarOf,
	speakerAt,
	traitsOf,
	typesWithin,
} from "../request-traits.ts";

export function responsesTraits(request: WireRequest): RequestTraits {
	const body = request.opaque as RequestBody;
	const { bytes } = body;
	const reasoning = membersOf(body, "reasoning");
	return traitsOf(
		request,
		"generate",
		{
			speakers: speakersIn(body),
			tools: toolsIn(request, body),
			schema: asksSchema(body),
			reasoning: effortOf(
				reasoning && scalarOf(bytes, member(reasoning, "effort")),
			),
			logprobs: asksLogprobs(body),
		},
		body.media,
	);
}

/** Items of a turn stand one by one: its reasoning, its words, its calls. */
function speakersIn({ bytes, members }: RequestBody): readonly Speaker[] {
	const input = members.get("input");
	if (!input || input.elements.length === 0) return ["user"];
	const typeOf = typesWithin(input, 2, () => true);
	return input.elements.map((at, index) => {
		const type = typeOf(index) ?? "message";
		if (type === "message") return speakerAt(bytes, input.valueStart + at);
		if (type.endsWith("_output")) return "tool";
		return others.get(type) ?? "assistant";
	});
}

/** Items that are neither the model's nor a tool's. */
const others: ReadonlyMap<string, Speaker> = new Map([
	["additional_tools", "system"],
	["mcp_approval_response", "user"],
]);

/** A namespace is the tools in it, and the input may add some. */
function toolsIn(
	{ serverTools }: WireRequest,
	{ members }: RequestBody,
): number {
	const tools = members.get("tools");
	let count = tools?.elements.length ?? 0;
	for (const { depth, value } of tools?.types ?? [])
		if (depth === 2 && value === "namespace") count--;
	const grouped = count < (tools?.elements.length ?? 0);
	for (const { depth, value } of grouped ? (tools?.types ?? []) : [])
		if (depth === 4 && isFunction(value)) count++;
	if (serverTools.includes("additional_tools"))
		for (const { depth, value } of members.get("input")?.types ?? [])
			if (depth === 4 && isFunction(value)) count++;
	return count;
}

function isFunction(type: string): boolean {
	return type === "function" || type === "custom";
}

function asksSchema(body: RequestBody): boolean {
	const text = membersOf(body, "text");
	const format = text && member(text, "format");
	const form = format && membersAt(body.bytes, format.valueStart);
	return (
		form !== undefined &&
		scalarOf(body.bytes, member(form, "type")) === "json_schema"
	);
}

function asksLogprobs(body: RequestBody): boolean {
	const alternatives = scalarOf(body.bytes, body.members.get("top_logprobs"));
	if (typeof alternatives === "number" && alternatives > 0) return true;
	const include = body.members.get("include");
	return (
		include !== undefined &&
		body.bytes
			.subarray(include.valueStart, include.valueEnd)
			.includes('"message.output_text.logprobs"')
	);
}
