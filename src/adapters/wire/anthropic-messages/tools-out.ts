import type { CanonicalRequest, Tool } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { present, unsupported } from "../canonical/fields.ts";
import { toAnthropicSchema } from "../canonical/schema-dialect.ts";
import { cacheControl } from "./messages-out.ts";
import type { ModelRules } from "./models.ts";
import { ownData } from "./opaque.ts";

/** Tools and the choice among them. */
export function writeTools(
	request: CanonicalRequest,
	rules: ModelRules,
	warn: Warn,
): { readonly tools?: readonly Json[]; readonly tool_choice?: Json } {
	const { tools = [], toolChoice, parallelToolCalls } = request;
	if (tools.length === 0) return {};
	const offered = toolChoice?.mode === "allowed" ? toolChoice.names : undefined;
	if (offered)
		warn({
			kind: "changed",
			field: "toolChoice",
			message: "The tools that are not allowed were left out.",
		});
	const written = tools.flatMap((tool, index) =>
		offered && !("name" in tool && offered.includes(tool.name))
			? []
			: [writeTool(tool, `tools.${index}`, rules, warn)],
	);
	if (written.length === 0) return {};
	const choice = writeChoice(toolChoice, rules);
	const alone = parallelToolCalls === false && choice?.type !== "none";
	return {
		tools: written,
		...(alone
			? {
					tool_choice: {
						type: "auto",
						...choice,
						disable_parallel_tool_use: true,
					},
				}
			: choice && { tool_choice: choice }),
	};
}

function writeChoice(
	choice: CanonicalRequest["toolChoice"],
	rules: ModelRules,
): Json | undefined {
	if (!choice) return undefined;
	const forced =
		choice.mode === "required" ||
		choice.mode === "tool" ||
		(choice.mode === "allowed" && choice.required);
	if (forced && !rules.forcedTools)
		unsupported(
			"toolChoice",
			"makes the model call a tool, which this one refuses",
		);
	if (choice.mode === "tool") return { type: "tool", name: choice.name };
	if (choice.mode === "none") return { type: "none" };
	return { type: forced ? "any" : "auto" };
}

const toolName = /^[a-zA-Z0-9_-]{1,128}$/;

function writeTool(
	tool: Tool,
	field: string,
	rules: ModelRules,
	warn: Warn,
): Json {
	switch (tool.type) {
		case "function": {
			if (!toolName.test(tool.name))
				unsupported(
					`${field}.name`,
					"must have 1 to 128 letters, digits, underscores and hyphens",
				);
			const strict = tool.strict && rules.schemas;
			if (tool.strict && !strict)
				unsupported(
					`${field}.strict`,
					"asks for arguments held to a schema, which this model cannot",
				);
			const schema = tool.schema ?? { type: "object", properties: {} };
			return present({
				name: tool.name,
				description: tool.description,
				input_schema: strict
					? heldSchema(schema, `${field}.schema`, warn)
					: { type: "object", ...schema },
				strict: strict ? true : undefined,
				cache_control: cacheControl(tool.cache),
			});
		}
		case "web-search":
			return writeSearch(tool, field, warn);
		case "server": {
			const own = ownData(tool.opaque);
			return own ?? unsupported(field, "is a tool of another vendor's own");
		}
		default:
			return unsupported(
				field,
				"takes plain text, which tools of the Messages API do not",
			);
	}
}

function writeSearch(
	tool: Extract<Tool, { type: "web-search" }>,
	field: string,
	warn: Warn,
): Json {
	if (tool.contextSize !== undefined)
		warn({
			kind: "dropped",
			field: `${field}.contextSize`,
			message: "The vendor decides itself how much of a page it reads.",
		});
	return present({
		type: "web_search_20250305",
		name: "web_search",
		...ownData(tool.opaque),
		max_uses: tool.mostUses,
		allowed_domains: tool.allowedDomains,
		blocked_domains: tool.blockedDomains,
		user_location: tool.location && { type: "approximate", ...tool.location },
	});
}

/** The schema as the vendor holds output and arguments to it. */
export function heldSchema(schema: Json, field: string, warn: Warn): Json {
	return (
		toAnthropicSchema(schema, field, warn) ??
		unsupported(
			field,
			"allows properties of any name, or holds itself, which the vendor cannot hold a model to",
		)
	);
}
