import type {
	CacheMark,
	CanonicalRequest,
	Tool,
	ToolChoice,
} from "../../../ports/canonical.ts";
import { type Fields, present } from "../canonical/fields.ts";
import { ours } from "./opaque.ts";

/** A mark on a block or tool, or on the whole request. */
export function readCache(fields: Fields): CacheMark | undefined {
	const mark = fields.fields("cache_control");
	if (!mark) return undefined;
	mark.need("type", mark.oneOf("type", ["ephemeral"]));
	const ttl = mark.oneOf("ttl", ["5m", "1h"]);
	mark.done();
	return present({ ttl }) as CacheMark;
}

export function readTool(fields: Fields): Tool {
	const type = fields.text("type") ?? "custom";
	if (type.startsWith("web_search_")) return readSearch(fields);
	if (type !== "custom") {
		fields.pass(...Object.keys(fields.record));
		return { type: "server", name: type, opaque: ours(fields.record) };
	}
	const tool = present({
		type: "function",
		name: fields.need("name", fields.text("name")),
		description: fields.text("description"),
		schema: fields.need("input_schema", fields.json("input_schema")),
		strict: fields.flag("strict"),
		cache: readCache(fields),
	}) as Tool;
	if (fields.flag("defer_loading"))
		fields.drop("defer_loading", "The tool is loaded with the others.");
	fields.drop("input_examples", "Another protocol's tools have no examples.");
	fields.pass("eager_input_streaming", "allowed_callers");
	fields.done();
	return tool;
}

/** Every version of the search tool; the whole of it goes along, for its version and what only that knows. */
function readSearch(fields: Fields): Tool {
	const place = fields.fields("user_location");
	place?.pass("type");
	const location =
		place &&
		present({
			country: place.text("country"),
			region: place.text("region"),
			city: place.text("city"),
			timezone: place.text("timezone"),
		});
	place?.done();
	const tool = present({
		type: "web-search",
		mostUses: fields.whole("max_uses", 1),
		allowedDomains: fields.texts("allowed_domains"),
		blockedDomains: fields.texts("blocked_domains"),
		location,
		opaque: ours(fields.record),
	}) as Tool;
	fields.pass(
		...["name", "cache_control", "strict", "defer_loading"],
		...["allowed_callers", "response_inclusion"],
	);
	fields.done();
	return tool;
}

/** The choice, and whether calls may come side by side. */
export function readChoice(
	choice: Fields | undefined,
): Pick<CanonicalRequest, "toolChoice" | "parallelToolCalls"> {
	if (!choice) return {};
	const type = choice.need(
		"type",
		choice.oneOf("type", ["auto", "any", "tool", "none"]),
	);
	const toolChoice: ToolChoice =
		type === "tool"
			? { mode: "tool", name: choice.need("name", choice.text("name")) }
			: { mode: type === "any" ? "required" : type };
	const alone = choice.flag("disable_parallel_tool_use");
	choice.done();
	return { toolChoice, ...(alone && { parallelToolCalls: false }) };
}
