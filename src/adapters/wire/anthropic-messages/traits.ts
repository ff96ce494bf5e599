import type { RequestTraits } from "../../../ports/request-traits.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { member } from "../json-members.ts";
import type { RequestBody } from "../request-body.ts";
import {
	effortOf,
	membersAt,
	membersOf,
	type Reasoning,
	type Speaker,
	scalarOf,
	speakerAt,
	traitsOf,
	typesWithin,
} from "../request-traits.ts";
import { countTokens } from "./request.ts";

export function messagesTraits(request: WireRequest): RequestTraits {
	const body = request.opaque as RequestBody;
	return traitsOf(
		request,
		request.operation === countTokens ? "count-tokens" : "generate",
		{
			speakers: speakersIn(body),
			tools: body.members.get("tools")?.elements.length ?? 0,
			schema: asksSchema(body),
			reasoning: reasoningIn(body),
			logprobs: false,
		},
		body.media,
	);
}

/** Results of tools come in the user's messages, whatever the client says beside them. */
function speakersIn({ bytes, members }: RequestBody): readonly Speaker[] {
	const messages = members.get("messages");
	if (!messages) return [];
	const resultIn = typesWithin(messages, 4, isResult);
	return messages.elements.map((at, index) => {
		const speaker = speakerAt(bytes, messages.valueStart + at);
		return speaker === "user" && resultIn(index) ? "tool" : speaker;
	});
}

function isResult(type: string): boolean {
	return type === "tool_result";
}

function asksSchema(body: RequestBody): boolean {
	const { bytes } = body;
	const config = membersOf(body, "output_config");
	const within = config && member(config, "format");
	const format =
		(within && membersAt(bytes, within.valueStart)) ??
		membersOf(body, "output_format");
	return (
		format !== undefined &&
		scalarOf(bytes, member(format, "type")) === "json_schema"
	);
}

/**
 * A high effort is what the vendor does unless told otherwise, and clients give every step of a loop
 * the largest budget that models used to take: neither asks for more than usual.
 */
function reasoningIn(body: RequestBody): Reasoning {
	const { bytes } = body;
	const config = membersOf(body, "output_config");
	const effort = config && scalarOf(bytes, member(config, "effort"));
	const thinking = membersOf(body, "thinking");
	const of = (name: string) =>
		thinking && scalarOf(bytes, member(thinking, name));
	switch (of("type")) {
		case "enabled":
			return Number(of("budget_tokens")) >= muchThought ? "much" : "some";
		case "adaptive":
			return effort === undefined ? "some" : effortOf(effort, "high");
		case undefined:
			return effortOf(effort, "high");
		default:
			return "none";
	}
}

const muchThought = 32_000;
