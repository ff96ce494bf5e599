import type { CanonicalRequest } from "../../../ports/canonical.ts";
import type { Warn } from "../../../ports/translator.ts";
import { unsupported } from "./fields.ts";

/** The request as it can be said where tools cannot be chosen: fewer tools, or none at all. */
export function chosen(
	request: CanonicalRequest,
	lacks: (word: string) => boolean,
	warn: Warn,
): CanonicalRequest {
	const { toolChoice, tools, ...rest } = request;
	if (!lacks("tool_choice") || !toolChoice) return request;
	const { mode } = toolChoice;
	if (mode === "auto") return { ...rest, ...(tools && { tools }) };
	if (mode === "tool" || mode === "required" || isRequired(toolChoice))
		return unsupported(
			"toolChoice",
			"has to be called, which this vendor cannot promise",
		);
	const allowed: readonly string[] =
		toolChoice.mode === "allowed" ? toolChoice.names : [];
	warn({
		kind: "changed",
		field: "toolChoice",
		message: "Tools that must not be called were left out.",
	});
	const left = tools?.filter((tool) =>
		allowed.includes(tool.type === "web-search" ? "web_search" : tool.name),
	);
	return { ...rest, ...(left && left.length > 0 && { tools: left }) };
}

function isRequired(
	choice: NonNullable<CanonicalRequest["toolChoice"]>,
): boolean {
	return choice.mode === "allowed" && choice.required === true;
}
