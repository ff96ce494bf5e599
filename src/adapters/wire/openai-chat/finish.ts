import type { AnswerPart, Finish } from "../../../ports/canonical.ts";

const reasons: ReadonlyMap<string, Finish["reason"]> = new Map([
	["stop", "stop"],
	["length", "length"],
	["tool_calls", "tool-calls"],
	["function_call", "tool-calls"],
	["content_filter", "content-filter"],
	// Mistral: the context is full.
	["model_length", "context-window"],
	// OpenRouter and Mistral; DeepSeek when it is overloaded.
	["error", "error"],
	["insufficient_system_resource", "error"],
]);

/** Some vendors say `stop` though they call tools; a refusal stops as well. */
export function finishOf(
	reason: unknown,
	types: ReadonlySet<AnswerPart["type"]>,
): Finish {
	const named =
		(typeof reason === "string" ? reasons.get(reason) : undefined) ?? "stop";
	if (named !== "stop") return { reason: named };
	if (types.has("tool-call")) return { reason: "tool-calls" };
	return { reason: types.has("refusal") ? "refusal" : "stop" };
}

const names: Readonly<Record<Finish["reason"], string>> = {
	stop: "stop",
	"stop-sequence": "stop",
	length: "length",
	"context-window": "length",
	"tool-calls": "tool_calls",
	"content-filter": "content_filter",
	refusal: "stop",
	pause: "stop",
	error: "error",
};

/** @param refused the answer says its refusal in a part of its own. */
export function finishName(
	{ reason }: Finish,
	refused: boolean,
	legacy: boolean,
): string {
	if (reason === "refusal" && !refused) return "content_filter";
	if (reason === "tool-calls" && legacy) return "function_call";
	return names[reason];
}
