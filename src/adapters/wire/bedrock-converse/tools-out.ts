import type {
	CanonicalRequest,
	Message,
	Tool,
} from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { heldSchema } from "../anthropic-messages/tools-out.ts";
import { present, unsupported } from "../canonical/fields.ts";
import { searchIsSpare, warnOfSearch } from "../canonical/offered-search.ts";
import { cachePoint, type Writing } from "./messages-out.ts";
import { ownData } from "./opaque.ts";

/** `toolConfig`: tools and the choice among them; undefined where there are none. */
export function writeTools(
	request: CanonicalRequest,
	writing: Writing,
): Json | undefined {
	const { tools = [], toolChoice, messages, parallelToolCalls } = request;
	const { warn } = writing;
	const called = calledTools(messages);
	if (toolChoice?.mode === "none") {
		if (called.size > 0)
			unsupported(
				"toolChoice",
				"forbids tools in a conversation that has called some, which Converse cannot say",
			);
		if (tools.length > 0)
			warn({
				kind: "changed",
				field: "toolChoice",
				message: "Tools that must not be called were left out.",
			});
		return undefined;
	}
	const offered = toolChoice?.mode === "allowed" ? toolChoice.names : undefined;
	if (offered)
		warn({
			kind: "changed",
			field: "toolChoice",
			message: "The tools that are not allowed were left out.",
		});
	const spareSearch = searchIsSpare(request);
	const written = tools.flatMap((tool, index) => {
		if (offered && !("name" in tool && offered.includes(tool.name))) return [];
		const field = `tools.${index}`;
		if (tool.type !== "web-search" || !spareSearch)
			return writeTool(tool, field, writing);
		warnOfSearch(field, warn);
		return [];
	});
	if (written.length === 0 && called.size > 0) {
		warn({
			kind: "changed",
			field: "tools",
			message:
				"Converse wants the tools that a conversation has called: they were named without their schemas.",
		});
		for (const name of called)
			written.push({
				toolSpec: { name, inputSchema: { json: { type: "object" } } },
			});
	}
	if (written.length === 0) return undefined;
	if (parallelToolCalls === false)
		warn({
			kind: "dropped",
			field: "parallelToolCalls",
			message: "Converse lets a model call as many tools at once as it likes.",
		});
	return present({
		tools: written,
		toolChoice: writeChoice(request, writing),
	});
}

function calledTools(messages: readonly Message[]): ReadonlySet<string> {
	return new Set(
		messages.flatMap((message) =>
			message.role === "assistant"
				? message.parts.flatMap((part) =>
						part.type === "tool-call" ? [part.name] : [],
					)
				: [],
		),
	);
}

function writeChoice(
	{ toolChoice: choice }: CanonicalRequest,
	{ family }: Writing,
): Json | undefined {
	if (!choice) return undefined;
	const forced =
		choice.mode === "required" ||
		choice.mode === "tool" ||
		(choice.mode === "allowed" && choice.required);
	if (forced && family.of === "claude" && !family.rules.forcedTools)
		unsupported(
			"toolChoice",
			"makes the model call a tool, which this one refuses",
		);
	if (choice.mode === "tool") return { tool: { name: choice.name } };
	return forced ? { any: {} } : { auto: {} };
}

const toolName = /^[a-zA-Z0-9_-]{1,64}$/;

function writeTool(tool: Tool, field: string, writing: Writing): Json[] {
	switch (tool.type) {
		case "function": {
			if (!toolName.test(tool.name))
				unsupported(
					`${field}.name`,
					"must have 1 to 64 letters, digits, underscores and hyphens",
				);
			const schema = tool.schema ?? { type: "object", properties: {} };
			return [
				{
					toolSpec: present({
						name: tool.name,
						// An empty one is refused.
						description: tool.description || undefined,
						inputSchema: {
							json: tool.strict
								? heldSchema(schema, `${field}.schema`, writing.warn)
								: { type: "object", ...schema },
						},
						strict: tool.strict ? true : undefined,
					}),
				},
				...cacheOfTools(tool, field, writing),
			];
		}
		case "server": {
			const own = ownData(tool.opaque);
			return own
				? [own]
				: unsupported(field, "is a tool of another vendor's own");
		}
		case "web-search":
			return unsupported(field, "searches the web, which Converse does not");
		default:
			return unsupported(
				field,
				"takes plain text, which tools of Converse do not",
			);
	}
}

/** Of the models that keep prompts only one maker's keep tools. */
function cacheOfTools(
	{ cache }: Extract<Tool, { type: "function" }>,
	field: string,
	writing: Writing,
): readonly Json[] {
	if (writing.family.of !== "nova") return cachePoint(cache, field, writing);
	if (cache)
		writing.warn({
			kind: "dropped",
			field: `${field}.cache`,
			message: "This model keeps no tools on a mark.",
		});
	return [];
}
