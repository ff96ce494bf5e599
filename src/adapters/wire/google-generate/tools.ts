import type {
	CanonicalRequest,
	Tool,
	ToolChoice,
} from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import {
	type Fields,
	isRecord,
	present,
	unsupported,
} from "../canonical/fields.ts";
import { searchIsSpare, warnOfSearch } from "../canonical/offered-search.ts";
import {
	fromGoogleSchema,
	toGoogleJsonSchema,
	toGoogleSchema,
} from "../canonical/schema-dialect.ts";
import type { ModelRules } from "./models.ts";
import { inner, innerEach } from "./proto-fields.ts";
import { ours, ownData } from "./signature.ts";

export interface ToolsAndChoice {
	readonly tools?: readonly Tool[];
	readonly toolChoice?: ToolChoice;
}

export function readTools(body: Fields): ToolsAndChoice {
	const tools = innerEach(body, "tools").flatMap(readEntry);
	const config = inner(body, "toolConfig");
	const calling = config && inner(config, "functionCallingConfig");
	const mode = calling?.text("mode")?.toUpperCase();
	const names = calling?.texts("allowedFunctionNames") ?? [];
	calling?.done();
	config?.drop(
		"retrievalConfig",
		"Only the vendor's own tools are told of a place.",
	);
	// What ran at the vendor is always told in the answer.
	config?.pass("includeServerSideToolInvocations");
	config?.done();
	// The vendor then holds calls to their schemas; with names it is how some are allowed.
	const strict = mode === "VALIDATED" && names.length === 0;
	const toolChoice = calling && readChoice(calling, mode, names);
	return present({
		tools:
			tools.length === 0
				? undefined
				: strict
					? tools.map((each) =>
							each.type === "function" ? { ...each, strict } : each,
						)
					: tools,
		toolChoice,
	});
}

function readChoice(
	calling: Fields,
	mode: string | undefined,
	names: readonly string[],
): ToolChoice | undefined {
	const [name] = names;
	switch (mode) {
		case undefined:
		case "MODE_UNSPECIFIED":
			return undefined;
		case "AUTO":
			return { mode: "auto" };
		case "NONE":
			return { mode: "none" };
		case "ANY":
			if (name === undefined) return { mode: "required" };
			return names.length === 1
				? { mode: "tool", name }
				: { mode: "allowed", names, required: true };
		case "VALIDATED":
			return name === undefined
				? { mode: "auto" }
				: { mode: "allowed", names, required: false };
		default:
			return calling.refuse("mode", "must be AUTO, ANY, NONE or VALIDATED");
	}
}

/** One entry may name several tools. */
function readEntry(entry: Fields): Tool[] {
	const tools: Tool[] = innerEach(entry, "functionDeclarations").map(
		readFunction,
	);
	for (const name of Object.keys(entry.record)) {
		const value = entry.record[name];
		if (
			name === "functionDeclarations" ||
			value === undefined ||
			value === null
		)
			continue;
		const config = inner(entry, name) as Fields;
		if (name === "googleSearch" || name === "googleSearchRetrieval")
			tools.push(readSearch(config));
		else if (name === "enterpriseWebSearch") tools.push(readSearch(config));
		else
			tools.push({
				type: "server",
				name: name.slice(0, 64),
				opaque: ours({ [name]: value }),
			});
	}
	return tools;
}

function readSearch(config: Fields): Tool {
	const blockedDomains = config.texts("excludeDomains");
	for (const name of ["timeRangeFilter", "searchTypes", "blockingConfidence"])
		config.drop(name, "Only the vendor's own search is steered like this.");
	config.drop(
		"dynamicRetrievalConfig",
		"The model decides itself when to search.",
	);
	config.done();
	return present({ type: "web-search", blockedDomains }) as Tool;
}

function readFunction(declaration: Fields): Tool {
	const parameters = declaration.json("parameters");
	const schema =
		declaration.json("parametersJsonSchema") ??
		(parameters && fromGoogleSchema(parameters));
	const tool = present({
		type: "function",
		name: declaration.need("name", declaration.text("name")),
		description: declaration.text("description"),
		schema,
	}) as Tool;
	declaration.drop(
		"response",
		"Other vendors are not told what a tool gives back.",
	);
	declaration.drop(
		"responseJsonSchema",
		"Other vendors are not told what a tool gives back.",
	);
	declaration.drop("behavior", "Calls of tools always block.");
	declaration.done();
	return tool;
}

/** `tools` and `toolConfig` of a request; the members that it has not are not there. */
export function writeTools(
	request: CanonicalRequest,
	rules: ModelRules,
	quirks: Quirks,
	warn: Warn,
): Json {
	const { tools = [], toolChoice } = request;
	const functions: Json[] = [];
	const entries: Json[] = [];
	let strict = false;
	// Newer models run their own tools beside the client's functions when told to show what they ran.
	const mixes =
		rules.signs && !quirks.lacks?.includes("includeServerSideToolInvocations");
	for (const [index, tool] of tools.entries()) {
		const field = `tools.${index}`;
		switch (tool.type) {
			case "function":
				if (tool.strict) strict = true;
				if (tool.cache) warnCache(`${field}.cache`, warn);
				functions.push(writeFunction(tool, field, quirks, warn));
				break;
			case "custom":
				return unsupported(
					field,
					"takes plain text, which the vendor's tools do not",
				);
			case "web-search":
				if (!mixes && searchIsSpare(request)) warnOfSearch(field, warn);
				else entries.push({ googleSearch: writeSearch(tool, field, warn) });
				break;
			case "server": {
				const own = ownData(tool.opaque);
				if (!own) return unsupported(field, "runs at another vendor");
				entries.push(own);
			}
		}
	}
	const mixed = mixes && functions.length > 0 && entries.length > 0;
	if (functions.length > 0)
		entries.unshift({ functionDeclarations: functions });
	if (request.parallelToolCalls === false && functions.length > 0)
		warn({
			kind: "dropped",
			field: "parallelToolCalls",
			message: "The vendor's models call as many tools at once as they like.",
		});
	const calling = writeChoice(toolChoice, strict);
	return present({
		tools: entries.length > 0 ? entries : undefined,
		toolConfig:
			calling || mixed
				? present({
						functionCallingConfig: calling,
						includeServerSideToolInvocations: mixed || undefined,
					})
				: undefined,
	});
}

function writeChoice(
	choice: ToolChoice | undefined,
	strict: boolean,
): Json | undefined {
	switch (choice?.mode) {
		case undefined:
			return strict ? { mode: "VALIDATED" } : undefined;
		case "auto":
			return { mode: strict ? "VALIDATED" : "AUTO" };
		case "none":
			return { mode: "NONE" };
		case "required":
			return { mode: "ANY" };
		case "tool":
			return { mode: "ANY", allowedFunctionNames: [choice.name] };
		case "allowed":
			return {
				mode: choice.required ? "ANY" : "VALIDATED",
				allowedFunctionNames: choice.names,
			};
	}
}

function writeFunction(
	tool: Extract<Tool, { type: "function" }>,
	field: string,
	quirks: Quirks,
	warn: Warn,
): Json {
	const { name, description, schema } = tool;
	return present({
		name,
		description,
		...(schema &&
			(quirks.schemaSubset
				? { parameters: toGoogleSchema(schema, `${field}.schema`, warn) }
				: {
						parametersJsonSchema: toGoogleJsonSchema(
							schema,
							`${field}.schema`,
							warn,
						),
					})),
	});
}

function writeSearch(
	tool: Extract<Tool, { type: "web-search" }>,
	field: string,
	warn: Warn,
): Json {
	for (const name of [
		"mostUses",
		"allowedDomains",
		"blockedDomains",
		"location",
		"contextSize",
	] as const)
		if (tool[name] !== undefined)
			warn({
				kind: "dropped",
				field: `${field}.${name}`,
				message: "The vendor's search is not steered like this.",
			});
	return {};
}

export function warnCache(field: string, warn: Warn): void {
	warn({
		kind: "dropped",
		field,
		message: "The vendor caches prompts by itself, without marks.",
	});
}

/** A schema of the vendor's own or of JSON Schema, whichever of two members holds one. */
export function readSchema(
	config: Fields,
	own: string,
	...others: readonly string[]
): Json | undefined {
	const subset = config.json(own);
	for (const name of others) {
		const schema = config.json(name);
		if (schema) return schema;
	}
	return isRecord(subset) ? fromGoogleSchema(subset) : undefined;
}
