import type { RequestTraits } from "../../../ports/request-traits.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { member, type Scan } from "../json-members.ts";
import { kindOf, noMedia, type RequestBody } from "../request-body.ts";
import {
	effortOf,
	membersOf,
	oneMessage,
	type Reasoning,
	scalarOf,
	speakersIn,
	traitsOf,
} from "../request-traits.ts";

export function chatTraits(request: WireRequest): RequestTraits {
	switch (request.operation) {
		case "embeddings":
			return traitsOf(request, "embed", oneMessage);
		case "image-generations":
		case "image-edits":
			return traitsOf(request, "image", oneMessage, {
				...noMedia,
				images: request.mediaParts,
			});
		case "speech":
			return traitsOf(request, "speech", oneMessage);
		case "transcriptions":
		case "translations":
			return traitsOf(request, "transcription", oneMessage);
		default:
			return conversationTraits(request);
	}
}

function conversationTraits(request: WireRequest): RequestTraits {
	const body = request.opaque as RequestBody;
	const { bytes, members } = body;
	const messages = members.get("messages");
	const format = membersOf(body, "response_format");
	return traitsOf(
		request,
		"generate",
		{
			speakers: messages ? speakersIn(bytes, messages) : [],
			tools: toolsIn(body),
			schema: format
				? scalarOf(bytes, member(format, "type")) === "json_schema"
				: false,
			reasoning: reasoningIn(body),
			logprobs: scalarOf(bytes, members.get("logprobs")) === true,
		},
		body.media,
	);
}

/** What the client offers, and the search that some vendors switch on beside the tools. */
function toolsIn(body: RequestBody): number {
	let count = kindOf(body, "web_search_options") === "absent" ? 0 : 1;
	for (const name of ["tools", "functions"])
		count += body.members.get(name)?.elements.length ?? 0;
	return count;
}

/** OpenAI's effort, OpenRouter's object, or the switch of others. */
function reasoningIn(body: RequestBody): Reasoning {
	const { bytes, members } = body;
	const effort = scalarOf(bytes, members.get("reasoning_effort"));
	if (typeof effort === "string") return effortOf(effort);
	const object = membersOf(body, "reasoning");
	if (object) return reasoningOf(bytes, object);
	const thinking = membersOf(body, "thinking");
	const type = thinking && scalarOf(bytes, member(thinking, "type"));
	return type === undefined || type === "disabled" ? "none" : "some";
}

function reasoningOf(bytes: Buffer, object: Scan): Reasoning {
	const of = (name: string) => scalarOf(bytes, member(object, name));
	const effort = of("effort");
	if (typeof effort === "string") return effortOf(effort);
	const budget = of("max_tokens");
	if (typeof budget === "number")
		return budget >= muchThought ? "much" : budget > 0 ? "some" : "none";
	return of("enabled") === true ? "some" : "none";
}

/** Tokens of reasoning that come to a high effort. */
const muchThought = 16_000;
