import type { CanonicalRequest, Finish } from "../../../ports/canonical.ts";
import type { Json, Naming } from "../../../ports/translator.ts";
import { textJson } from "./request-out.ts";
import { toolChoiceJson, toolsJson } from "./tools.ts";

/** How an answer ended, as a response says it. */
export interface Ending {
	readonly status: "completed" | "incomplete" | "failed";
	readonly error: Json | null;
	readonly incomplete_details: Json | null;
}

export function endingOf(finish: Finish): Ending {
	switch (finish.reason) {
		case "length":
		case "context-window":
		case "pause":
			return incomplete("max_output_tokens");
		case "content-filter":
			return incomplete("content_filter");
		case "error":
			return {
				status: "failed",
				error: {
					code: "server_error",
					message: "The answer ended with an error.",
				},
				incomplete_details: null,
			};
		default:
			return { status: "completed", error: null, incomplete_details: null };
	}
}

function incomplete(reason: string): Ending {
	return { status: "incomplete", error: null, incomplete_details: { reason } };
}

/** Why a response ended, as far as its own members say it; what its items say comes on top. */
export function finishOf(
	response: Json,
	hasCalls: boolean,
	hasRefusal: boolean,
): Finish {
	const details = response.incomplete_details as
		| { readonly reason?: unknown }
		| null
		| undefined;
	if (response.status === "failed" || response.status === "cancelled")
		return { reason: "error" };
	if (response.status === "incomplete") {
		if (details?.reason === "content_filter")
			return { reason: "content-filter" };
		if (details?.reason === "max_output_tokens") return { reason: "length" };
	}
	if (hasCalls) return { reason: "tool-calls" };
	return { reason: hasRefusal ? "refusal" : "stop" };
}

/** The members of a response that are known before its answer: what was asked for, said again. */
export function askedMembers(request: CanonicalRequest, naming: Naming): Json {
	const { reasoning } = request;
	return {
		id: `resp_${naming.call}`,
		object: "response",
		created_at: Math.floor(naming.time / 1000),
		background: false,
		access_programs: null,
		instructions: null,
		max_output_tokens: request.outputLimit ?? null,
		max_tool_calls: null,
		metadata: request.metadata ?? {},
		parallel_tool_calls: request.parallelToolCalls ?? true,
		previous_response_id: naming.previous ?? null,
		prompt_cache_key: request.cacheKey ?? null,
		reasoning: {
			effort: reasoning?.effort ?? null,
			summary: reasoning?.show ?? null,
		},
		safety_identifier: request.user ?? null,
		// Which one answered, the answer says.
		service_tier: null,
		temperature: request.temperature ?? null,
		text: { format: { type: "text" }, ...textJson(request) },
		tool_choice: toolChoiceJson(request),
		tools: toolsJson(request.tools ?? []),
		top_logprobs: request.logprobs?.alternatives ?? 0,
		top_p: request.topP ?? null,
		truncation: "disabled",
	};
}
