import type { CanonicalRequest } from "../../../ports/canonical.ts";
import type { Warn } from "../../../ports/translator.ts";

/**
 * Whether a search of the web is one of several tools that the model may use: coding agents offer it
 * with every request. At a vendor that has none the model then goes without, and the client is
 * warned; a search that is all there is, or that has to be, is refused.
 */
export function searchIsSpare({
	tools = [],
	toolChoice,
}: CanonicalRequest): boolean {
	if (toolChoice?.mode === "tool" && toolChoice.name === "web_search")
		return false;
	return tools.some(({ type }) => type === "function" || type === "custom");
}

export function warnOfSearch(field: string, warn: Warn): void {
	warn({
		kind: "dropped",
		field,
		message: "The vendor does not search the web: the model goes without.",
	});
}
