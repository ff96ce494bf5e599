import { createHash } from "node:crypto";
import type { Tool } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import type { Fields } from "../canonical/fields.ts";
import { own, ownData } from "./opaque.ts";

/**
 * Tools in groups, each with a name of its own: two groups may each have a `search`. Other protocols
 * know no groups, so there a tool's name begins with its namespace's; calls come back to the client
 * under the names that it gave.
 */
export interface Place {
	readonly namespace: string;
	/** Within it. */
	readonly name: string;
	/** Of the namespace. */
	readonly description?: string;
}

/** No vendor takes a longer name of a tool from all clients. */
const longestName = 64;

/** The whole name of a tool; one that is too long ends in a mark of the rest. */
export function nameWithin(namespace: string, name: string): string {
	const whole = `${namespace}${namespace.endsWith("__") ? "" : "__"}${name}`;
	if (whole.length <= longestName) return whole;
	const mark = createHash("sha256").update(whole).digest("hex").slice(0, 8);
	return `${whole.slice(0, longestName - mark.length - 1)}_${mark}`;
}

export function readNamespace(
	group: Fields,
	readTools: (tools: readonly Fields[]) => readonly Tool[],
): Tool[] {
	const namespace = group.need("name", group.text("name"));
	const description = group.text("description");
	const tools = readTools(group.need("tools", group.each("tools")));
	group.done();
	return tools.map((tool, index) => {
		if (tool.type !== "function" && tool.type !== "custom")
			return group.refuse(
				`tools.${index}.type`,
				'must be "function" or "custom"',
			);
		const { name } = tool;
		const place: Place = {
			namespace,
			name,
			...(description !== undefined && { description }),
		};
		return { ...tool, name: nameWithin(namespace, name), opaque: own(place) };
	});
}

/** Where a client has a tool; undefined when it stands for itself. */
export function placeOf(tool: Tool): Place | undefined {
	const data = "opaque" in tool ? ownData(tool.opaque) : undefined;
	return typeof data?.namespace === "string" && typeof data.name === "string"
		? (data as unknown as Place)
		: undefined;
}

/** The places of the tools that have one, by their whole names. */
export function placesOf(
	tools: readonly Tool[] | undefined,
): ReadonlyMap<string, Place> {
	const places = new Map<string, Place>();
	for (const tool of tools ?? []) {
		const place = placeOf(tool);
		if (place && "name" in tool) places.set(tool.name, place);
	}
	return places;
}

/** The tools as the client had them: each namespace where the first of its tools stands. */
export function grouped(
	tools: readonly Tool[],
	written: readonly Json[],
): Json[] {
	const groups = new Map<string, Json[]>();
	return written.flatMap((json, index) => {
		const place = placeOf(tools[index] as Tool);
		if (!place) return [json];
		const { namespace, name, description = "" } = place;
		const inner = { ...json, name };
		const begun = groups.get(namespace);
		if (begun) {
			begun.push(inner);
			return [];
		}
		const group = [inner];
		groups.set(namespace, group);
		return [{ type: "namespace", name: namespace, description, tools: group }];
	});
}
