import type {
	CanonicalRequest,
	Message,
	OutputForm,
	Reasoning,
	Tool,
} from "../../../ports/canonical.ts";
import type { AskedForm, Warn } from "../../../ports/translator.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import {
	bodyFields,
	type Fields,
	present,
	someOf,
} from "../canonical/fields.ts";
import { type RequestBody, someFields } from "../request-body.ts";
import { readItems } from "./items-in.ts";
import { placeOf } from "./namespaces.ts";
import { own } from "./opaque.ts";
import { readToolChoice, readTools } from "./tools.ts";

/** What a client's request means. */
export function readRequest(bytes: Uint8Array, warn: Warn): CanonicalRequest {
	const body = bodyFields(bytes, warn);
	refuseKept(body);
	const { messages, tools } = readInput(body);
	const read = present({
		model: body.need("model", body.text("model")),
		messages,
		tools: limited(tools, body.whole("max_tool_calls", 0)),
		toolChoice: readToolChoice(body),
		parallelToolCalls: body.flag("parallel_tool_calls"),
		...readText(body),
		outputLimit: body.whole("max_output_tokens", 0),
		temperature: body.number("temperature"),
		topP: body.number("top_p"),
		logprobs: readLogprobs(body),
		reasoning: readReasoning(body),
		serviceTier: readServiceTier(body),
		user: body.text("safety_identifier") ?? body.text("user"),
		metadata: body.dictionary("metadata"),
		cacheKey: body.text("prompt_cache_key"),
		stream: body.flag("stream") ?? false,
		streamUsage: true,
	});
	for (const name of ["prompt_cache_retention", "prompt_cache_options"])
		body.drop(name, "How long a prompt is kept is the vendor's choice.");
	if (body.oneOf("truncation", ["auto", "disabled"]) === "auto")
		warn({
			kind: "dropped",
			field: "truncation",
			message: "A conversation that is too long is refused, and not cut.",
		});
	body.drop("context_management", "The conversation is sent as it is.");
	body.drop("moderation", "The vendor moderates as it likes.");
	body.drop(
		"access_programs",
		"It is known to vendors of this protocol alone.",
	);
	body.drop("image", "It is known to vendors of this protocol alone.");
	// Whether answers are kept is ours to see to; padding is never added; `safety_identifier` goes before `user`.
	body.pass("store", "stream_options", "background", "user");
	body.pass("previous_response_id", "conversation", "prompt");
	body.done();
	return read;
}

/** The tools and the form of the output alone. What the input adds to the tools is not read. */
export function readForm({ opaque, serverTools }: WireRequest): AskedForm {
	const body = someFields(opaque as RequestBody, ["tools", "text"]);
	const tools = namedAsCalled(readTools(body.each("tools") ?? []));
	if (serverTools.includes("additional_tools"))
		tools.push({ type: "server", name: "additional_tools", opaque: own({}) });
	return present({
		tools: someOf(tools),
		output: readText(body).output,
	}) as AskedForm;
}

/** Calls of a tool in a namespace have its own name. Where two have the same, nothing is known of their arguments. */
function namedAsCalled(tools: readonly Tool[]): Tool[] {
	const named = tools.map((tool) => {
		const name = placeOf(tool)?.name;
		return name === undefined ? tool : ({ ...tool, name } as Tool);
	});
	const names = named.flatMap((tool) => ("name" in tool ? tool.name : []));
	return named.map((tool) => {
		if (tool.type !== "function") return tool;
		const { schema, ...rest } = tool;
		return names.indexOf(tool.name) === names.lastIndexOf(tool.name)
			? tool
			: rest;
	});
}

/** What stands at a vendor cannot be sent to another. */
function refuseKept(body: Fields): void {
	if (body.flag("background"))
		body.unsupported("background", "asks for an answer that nobody waits for");
	for (const name of ["conversation", "previous_response_id", "prompt"]) {
		if (body.value(name) !== undefined)
			body.unsupported(name, "names something that is not kept here");
	}
}

function readInput(body: Fields): { messages: Message[]; tools: Tool[] } {
	const declared = readTools(body.each("tools") ?? []);
	const instructions = body.text("instructions");
	const first: Message[] =
		instructions === undefined || instructions === ""
			? []
			: [{ role: "system", parts: [{ type: "text", text: instructions }] }];
	const input = body.need("input", body.value("input"));
	if (typeof input === "string") {
		const parts = [{ type: "text" as const, text: input }];
		return { messages: [...first, { role: "user", parts }], tools: declared };
	}
	const items = body.each("input");
	const { messages, tools } = readItems(body.need("input", items));
	return { messages: [...first, ...messages], tools: [...declared, ...tools] };
}

/** `max_tool_calls` counts calls of the vendor's tools: that is how often it may search. */
function limited(
	tools: readonly Tool[],
	most: number | undefined,
): readonly Tool[] | undefined {
	if (tools.length === 0) return undefined;
	return most === undefined
		? tools
		: tools.map((tool) =>
				tool.type === "web-search" ? { ...tool, mostUses: most } : tool,
			);
}

function readText(
	body: Fields,
): Pick<CanonicalRequest, "output" | "verbosity"> {
	const text = body.fields("text");
	if (!text) return {};
	const format = text.fields("format");
	const read = present({
		output: format && readFormat(format),
		verbosity: text.oneOf("verbosity", ["low", "medium", "high"]),
	});
	text.done();
	return read;
}

function readFormat(format: Fields): OutputForm {
	const type = format.need(
		"type",
		format.oneOf("type", ["text", "json_object", "json_schema"]),
	);
	if (type === "text") return { type };
	if (type === "json_object") return { type: "json" };
	const read = present({
		type: "json-schema" as const,
		name: format.need("name", format.text("name")),
		description: format.text("description"),
		schema: format.need("schema", format.json("schema")),
		strict: format.flag("strict") || undefined,
	});
	format.done();
	return read;
}

function readLogprobs(body: Fields): CanonicalRequest["logprobs"] {
	const include = body.texts("include") ?? [];
	const alternatives = body.whole("top_logprobs", 0, 20) ?? 0;
	for (const [index, name] of include.entries()) {
		if (!includable.has(name))
			body.warn({
				kind: "dropped",
				field: `include.${index}`,
				message: "It is known to vendors of this protocol alone.",
			});
	}
	return alternatives > 0 || include.includes("message.output_text.logprobs")
		? { alternatives }
		: undefined;
}

const includable: ReadonlySet<string> = new Set([
	"message.output_text.logprobs",
	"reasoning.encrypted_content",
	"web_search_call.action.sources",
	"message.input_image.image_url",
]);

function readReasoning(body: Fields): Reasoning | undefined {
	const reasoning = body.fields("reasoning");
	if (!reasoning) return undefined;
	const forms = ["auto", "concise", "detailed"] as const;
	const read = present({
		effort: reasoning.oneOf("effort", [
			"none",
			"minimal",
			"low",
			"medium",
			"high",
			"xhigh",
			"max",
		]),
		show:
			reasoning.oneOf("summary", forms) ??
			reasoning.oneOf("generate_summary", forms),
	});
	reasoning.pass("generate_summary");
	reasoning.drop("context", "Earlier reasoning goes along as far as it can.");
	reasoning.done();
	return Object.keys(read).length > 0 ? read : undefined;
}

function readServiceTier(body: Fields): CanonicalRequest["serviceTier"] {
	const tier = body.text("service_tier");
	switch (tier) {
		case undefined:
		case "auto":
		case "flex":
		case "priority":
			return tier;
		case "default":
			return "standard";
		case "fast":
		case "ultrafast":
			body.warn({
				kind: "changed",
				field: "service_tier",
				message: 'It was asked for as "priority".',
			});
			return "priority";
		default:
			body.warn({
				kind: "dropped",
				field: "service_tier",
				message: "It is known to vendors of this protocol alone.",
			});
			return undefined;
	}
}
