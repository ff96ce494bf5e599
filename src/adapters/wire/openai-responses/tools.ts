import type {
	CanonicalRequest,
	Tool,
	ToolChoice,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import {
	type Fields,
	isRecord,
	present,
	unsupported,
} from "../canonical/fields.ts";
import { toStrictSchema } from "../canonical/schema-dialect.ts";
import { grouped, readNamespace } from "./namespaces.ts";
import { nativeFunction, nativeTools } from "./native-tools.ts";
import { own, ownData, protocol } from "./opaque.ts";

type WebSearch = Extract<Tool, { type: "web-search" }>;

/** Tools of a client: those that run at the vendor, but for web search, only its own protocol can say. */
export function readTools(tools: readonly Fields[]): Tool[] {
	return tools.flatMap((tool) => {
		const type = tool.need("type", tool.text("type"));
		if (type === "namespace") return readNamespace(tool, readTools);
		if (type === "function") return readFunction(tool);
		if (type === "custom") return readCustom(tool);
		if (type.startsWith("web_search")) return readWebSearch(tool, type);
		return (
			nativeFunction(tool.record) ?? {
				type: "server",
				name: type,
				opaque: own(tool.record),
			}
		);
	});
}

function readFunction(tool: Fields): Tool {
	const read = present({
		type: "function" as const,
		name: tool.need("name", tool.text("name")),
		description: tool.text("description"),
		schema: tool.json("parameters"),
		// Left out, it is the vendor's to try: nothing that has to hold.
		strict: tool.flag("strict") || undefined,
	});
	steers(tool);
	tool.done();
	return read;
}

function readCustom(tool: Fields): Tool {
	const read = present({
		type: "custom" as const,
		name: tool.need("name", tool.text("name")),
		description: tool.text("description"),
		format: tool.json("format"),
	});
	steers(tool);
	tool.done();
	return read;
}

function steers(tool: Fields): void {
	for (const name of ["allowed_callers", "async", "defer_loading"])
		tool.drop(name, "Vendors of other protocols always see the whole tool.");
	tool.pass("output_schema");
}

function readWebSearch(tool: Fields, type: string): Tool {
	const place = tool.fields("user_location");
	const location =
		place &&
		present({
			country: place.text("country"),
			region: place.text("region"),
			city: place.text("city"),
			timezone: place.text("timezone"),
		});
	const { external_web_access, search_content_types } = tool.record;
	const rest = present({
		type: type === "web_search" ? undefined : type,
		external_web_access: external_web_access ?? undefined,
		search_content_types: search_content_types ?? undefined,
	});
	const filters = tool.fields("filters");
	const read = present({
		type: "web-search" as const,
		allowedDomains: filters?.texts("allowed_domains"),
		blockedDomains: filters?.texts("blocked_domains"),
		location:
			location && Object.keys(location).length > 0 ? location : undefined,
		contextSize: tool.oneOf("search_context_size", ["low", "medium", "high"]),
		opaque: Object.keys(rest).length > 0 ? own(rest) : undefined,
	});
	if (external_web_access === false)
		tool.unsupported(
			"external_web_access",
			"asks for a search without the web",
		);
	tool.pass("external_web_access");
	tool.drop(
		"search_content_types",
		"What is searched for is the vendor's choice.",
	);
	filters?.done();
	tool.done();
	return read;
}

/** The names of tools that the vendor runs are their types. */
export function readToolChoice(request: Fields): ToolChoice | undefined {
	const choice = request.value("tool_choice");
	if (choice === undefined) return undefined;
	if (choice === "auto" || choice === "none" || choice === "required")
		return { mode: choice };
	const fields = isRecord(choice)
		? (request.fields("tool_choice") as Fields)
		: request.refuse(
				"tool_choice",
				'must be "none", "auto", "required" or an object',
			);
	const type = fields.need("type", fields.text("type"));
	if (type === "allowed_tools") {
		const mode = fields.need(
			"mode",
			fields.oneOf("mode", ["auto", "required"]),
		);
		const names = fields
			.need("tools", fields.each("tools"))
			.map((tool) => nameOf(tool, tool.need("type", tool.text("type"))));
		return { mode: "allowed", names, required: mode === "required" };
	}
	return { mode: "tool", name: nameOf(fields, type) };
}

function nameOf(tool: Fields, type: string): string {
	if (type === "function" || type === "custom")
		return tool.need("name", tool.text("name"));
	if (type === "mcp")
		return tool.unsupported("type", "is a tool of another server");
	return type.startsWith("web_search") ? "web_search" : type;
}

/** The tools for a vendor. `field` warnings and refusals name tools by their place in the canonical request. */
export function writeTools(tools: readonly Tool[], warn: Warn): Json[] {
	const written = tools.map((tool, index) => {
		const field = `tools.${index}`;
		if (tool.type === "function" && tool.cache)
			warn({
				kind: "dropped",
				field: `${field}.cache`,
				message: "The vendor marks no tools for its cache.",
			});
		if (tool.type === "web-search") {
			if (tool.blockedDomains && tool.blockedDomains.length > 0)
				unsupported(
					`${field}.blockedDomains`,
					"names pages that must not be searched, which the vendor cannot promise",
				);
			if (tool.mostUses !== undefined && !limitsAll(tools))
				warn({
					kind: "dropped",
					field: `${field}.mostUses`,
					message: "The vendor only limits the uses of all its tools together.",
				});
		}
		if (tool.type === "server" && tool.opaque.protocol !== protocol)
			unsupported(field, "is a tool that another vendor runs");
		return toolJson(
			tool.type === "function" && tool.strict && tool.schema
				? { ...tool, ...strictly(tool.schema, `${field}.schema`, warn) }
				: tool,
		);
	});
	return grouped(tools, written);
}

/** A schema that has to hold, as the vendor takes such; where it cannot, the model is only shown it. */
export function strictly(
	schema: Json,
	field: string,
	warn: Warn,
): { readonly schema: Json; readonly strict: boolean } {
	const strict = toStrictSchema(schema, field, warn);
	if (strict) return { schema: strict, strict: true };
	warn({
		kind: "changed",
		field,
		message: "The vendor cannot hold the model to this schema: it is shown it.",
	});
	return { schema, strict: false };
}

/** The most calls of the vendor's tools, where one number says it. */
export function mostToolCalls(
	tools: readonly Tool[] | undefined,
): number | undefined {
	return tools && limitsAll(tools)
		? tools.find((each) => each.type === "web-search")?.mostUses
		: undefined;
}

function limitsAll(tools: readonly Tool[]): boolean {
	return (
		tools.filter(({ type }) => type === "web-search" || type === "server")
			.length === 1
	);
}

/** The tools as a client had them. */
export function toolsJson(tools: readonly Tool[]): Json[] {
	return grouped(tools, tools.map(toolJson));
}

function toolJson(tool: Tool): Json {
	switch (tool.type) {
		case "function": {
			const native = nativeTools.find(({ schema }) => schema === tool.schema);
			if (native)
				return native.name === "shell"
					? { type: native.name, environment: { type: "local" } }
					: { type: native.name };
			return {
				type: "function",
				name: tool.name,
				...(tool.description !== undefined && {
					description: tool.description,
				}),
				parameters: tool.schema ?? { type: "object", properties: {} },
				strict: tool.strict ?? false,
			};
		}
		case "custom":
			return present({
				type: "custom",
				name: tool.name,
				description: tool.description,
				format: isRecord(tool.format) ? tool.format : undefined,
			});
		case "web-search":
			return webSearchJson(tool);
		case "server":
			return ownData(tool.opaque) ?? { type: tool.name };
	}
}

function webSearchJson(tool: WebSearch): Json {
	return {
		type: "web_search",
		...(tool.allowedDomains && {
			filters: { allowed_domains: tool.allowedDomains },
		}),
		...(tool.contextSize && { search_context_size: tool.contextSize }),
		...(tool.location && {
			user_location: { type: "approximate", ...tool.location },
		}),
		...ownData(tool.opaque),
	};
}

export function toolChoiceJson({
	toolChoice,
	tools,
}: CanonicalRequest): string | Json {
	if (!toolChoice) return "auto";
	if (toolChoice.mode === "tool") return namedTool(toolChoice.name, tools);
	if (toolChoice.mode !== "allowed") return toolChoice.mode;
	return {
		type: "allowed_tools",
		mode: toolChoice.required ? "required" : "auto",
		tools: toolChoice.names.map((name) => namedTool(name, tools)),
	};
}

function namedTool(name: string, tools: readonly Tool[] | undefined): Json {
	for (const tool of tools ?? []) {
		if (tool.type === "web-search" && name === "web_search")
			return { type: "web_search" };
		if (tool.type !== "web-search" && tool.name === name) {
			if (tool.type === "server") return { type: name };
			return nativeTools.some(
				({ schema }) => tool.type === "function" && schema === tool.schema,
			)
				? { type: name }
				: { type: tool.type, name };
		}
	}
	return { type: "function", name };
}
