import type { ServerToolPart } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord, recordsOf, textOf } from "../canonical/fields.ts";
import { ours, ownData, unsigned } from "./opaque.ts";

/** Whether a block says what a tool of the vendor's gave, and so belongs to an earlier block. */
export function isResult(block: Json): boolean {
	return (
		typeof block.tool_use_id === "string" &&
		typeof block.type === "string" &&
		block.type.endsWith("_tool_result")
	);
}

/** A block of something that the vendor ran, or of a kind that is not known here: kept whole for the next turn. */
export function serverTool(block: Json): ServerToolPart {
	const query =
		block.name === "web_search" && isRecord(block.input)
			? textOf(block.input.query)
			: undefined;
	return {
		type: "server-tool",
		tool:
			block.type === "server_tool_use" && block.name === "web_search"
				? "web-search"
				: "other",
		id: textOf(block.id) ?? textOf(block.tool_use_id) ?? "",
		...(query !== undefined && { query }),
		opaque: ours({ blocks: [block] }),
	};
}

/** The same tool with its result. */
export function withResult(part: ServerToolPart, result: Json): ServerToolPart {
	const results =
		part.tool === "web-search"
			? recordsOf(result.content).flatMap(({ url, title }) => {
					if (typeof url !== "string") return [];
					return [typeof title === "string" ? { url, title } : { url }];
				})
			: [];
	return {
		...part,
		...(results.length > 0 && { results }),
		opaque: ours({ blocks: [...ownBlocks(part), result] }),
	};
}

/**
 * The blocks that the vendor made of it; none when another's vendor ran it. The mark may have come
 * through a client: what no model says is not taken from there.
 */
export function ownBlocks({ opaque }: ServerToolPart): readonly Json[] {
	return recordsOf(ownData(opaque)?.blocks).filter(
		({ type }) => typeof type === "string" && !asked.has(type),
	);
}

/** Blocks that a client's own turn is made of, with media that would be read without being counted. */
const asked: ReadonlySet<string> = new Set([
	"document",
	"image",
	"search_result",
	"tool_result",
	"container_upload",
]);

/** Another vendor's search as this protocol says its own. */
export function searchBlocks(
	part: ServerToolPart,
	id: string,
): readonly Json[] {
	return [
		{
			type: "server_tool_use",
			id,
			name: "web_search",
			input: part.query === undefined ? {} : { query: part.query },
			caller: { type: "direct" },
		},
		{
			type: "web_search_tool_result",
			tool_use_id: id,
			content: (part.results ?? []).map(({ url, title }) => ({
				type: "web_search_result",
				url,
				title: title ?? "",
				encrypted_content: unsigned,
				page_age: null,
			})),
			caller: { type: "direct" },
		},
	];
}
