import type { Tool, ToolCallPart } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord } from "../canonical/fields.ts";
import { type Place, placesOf } from "./namespaces.ts";

/**
 * Tools that the protocol knows by a type of their own and the client runs itself. For vendors of
 * other protocols they are functions of that name; calls come back to the client as the items that
 * it looks for. Their schema, which is ours, tells them from a function that happens to have the
 * same name.
 */
export interface NativeTool {
	/** The tool's type, and its name as a function. */
	readonly name: string;
	/** Types of the items of its calls and results. */
	readonly call: string;
	readonly result: string;
	/** The member of a call's item that holds the arguments. */
	readonly member: "action" | "operation";
	readonly description: string;
	readonly schema: Readonly<Record<string, unknown>>;
}

const text = { type: "string" };
const texts = { type: "array", items: text };

export const nativeTools: readonly NativeTool[] = [
	{
		name: "local_shell",
		call: "local_shell_call",
		result: "local_shell_call_output",
		member: "action",
		description: "Runs a command on the user's machine and returns its output.",
		schema: {
			type: "object",
			properties: {
				type: { type: "string", enum: ["exec"] },
				command: { ...texts, description: "The program and its arguments." },
				env: { type: "object", additionalProperties: text },
				timeout_ms: { type: "integer" },
				user: text,
				working_directory: text,
			},
			required: ["type", "command"],
		},
	},
	{
		name: "shell",
		call: "shell_call",
		result: "shell_call_output",
		member: "action",
		description:
			"Runs shell commands on the user's machine and returns their output.",
		schema: {
			type: "object",
			properties: {
				commands: { ...texts, description: "Run one after the other." },
				timeout_ms: { type: "integer" },
				max_output_length: { type: "integer" },
			},
			required: ["commands"],
		},
	},
	{
		name: "apply_patch",
		call: "apply_patch_call",
		result: "apply_patch_call_output",
		member: "operation",
		description:
			"Creates, changes or deletes one file. The diff is in V4A format: lines that begin with a space, + or -, in sections that begin with @@.",
		schema: {
			type: "object",
			properties: {
				type: {
					type: "string",
					enum: ["create_file", "update_file", "delete_file"],
				},
				path: text,
				diff: { ...text, description: "Not for delete_file." },
			},
			required: ["type", "path"],
		},
	},
];

/** The tool as a function, where the client is who runs it. */
export function nativeFunction(tool: Json): Tool | undefined {
	const native = nativeTools.find(({ name }) => name === tool.type);
	if (!native) return undefined;
	const { environment } = tool;
	if (isRecord(environment) && environment.type !== "local") return undefined;
	// A shell without a place of its own is the vendor's container.
	if (native.name === "shell" && !isRecord(environment)) return undefined;
	const { name, description, schema } = native;
	return { type: "function", name, description, schema };
}

/** How a client has the tools that it declared otherwise than as functions of its own. */
export interface ClientTools {
	/** Declared by their type. */
	readonly natives: ReadonlyMap<string, NativeTool>;
	/** Declared in a namespace. */
	readonly places: ReadonlyMap<string, Place>;
}

export function clientTools(tools: readonly Tool[] | undefined): ClientTools {
	const natives = new Map<string, NativeTool>();
	for (const tool of tools ?? []) {
		if (tool.type !== "function") continue;
		const native = nativeTools.find(({ schema }) => schema === tool.schema);
		if (native) natives.set(native.name, native);
	}
	return { natives, places: placesOf(tools) };
}

/** A call's item; undefined when its arguments are no object. */
export function nativeCall(
	native: NativeTool,
	{ id, arguments: text }: ToolCallPart,
	itemId: string,
): Json | undefined {
	let parsed: unknown;
	try {
		parsed = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (!isRecord(parsed)) return undefined;
	return {
		id: itemId,
		type: native.call,
		status: "completed",
		call_id: id,
		[native.member]: { ...defaults[native.name], ...parsed },
		...(native.name === "shell" && { environment: { type: "local" } }),
	};
}

const defaults: Readonly<Record<string, Json>> = {
	local_shell: { type: "exec", env: {} },
	shell: { timeout_ms: null, max_output_length: null },
};

/** What a call's item says, as a call of a function. */
export function callOfNative(
	item: Readonly<Record<string, unknown>>,
): ToolCallPart | undefined {
	const native = nativeTools.find(({ call }) => call === item.type);
	const asked = native && item[native.member];
	const id = item.call_id ?? item.id;
	if (!native || !isRecord(asked) || typeof id !== "string") return undefined;
	return {
		type: "tool-call",
		id,
		name: native.name,
		arguments: JSON.stringify(asked),
	};
}
