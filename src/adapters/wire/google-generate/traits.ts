import type { RequestTraits } from "../../../ports/request-traits.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { skipSpace } from "../json-members.ts";
import {
	membersAt,
	oneMessage,
	type Reasoning,
	type Speaker,
	scalarOf,
	speakerAt,
	traitsOf,
} from "../request-traits.ts";
import type { Asked } from "./request.ts";

export function googleTraits(request: WireRequest): RequestTraits {
	const asked = request.opaque as Asked;
	const { verb, body, config } = asked;
	if (verb === "embedContent" || verb === "batchEmbedContents")
		return traitsOf(request, "embed", oneMessage, body.media);
	return traitsOf(
		request,
		verb === "countTokens" ? "count-tokens" : "generate",
		{
			speakers: speakersIn(asked),
			tools: asked.tools,
			schema: config.has("responseSchema") || config.has("responseJsonSchema"),
			reasoning: reasoningIn(asked),
			logprobs: scalarOf(body.bytes, config.get("responseLogprobs")) === true,
		},
		body.media,
	);
}

/** Results of tools come in the user's contents. A single one may stand in place of the list. */
function speakersIn({ body }: Asked): readonly Speaker[] {
	const { bytes } = body;
	const contents = body.members.get("contents");
	if (!contents) return ["user"];
	const { valueStart, valueEnd } = contents;
	const elements =
		bytes[valueStart] === 0x7b ? [0] : (contents.elements as number[]);
	return elements.map((at, index) => {
		const start = valueStart + at;
		const speaker = speakerAt(bytes, start);
		if (speaker !== "user") return speaker;
		const next = elements[index + 1];
		const end = next === undefined ? valueEnd : valueStart + next;
		return hasResult(bytes.subarray(start, end)) ? "tool" : "user";
	});
}

/** The name stands nowhere but in front of a result: within a text, its quotes have backslashes. */
function hasResult(content: Buffer): boolean {
	return resultNames.some((name) => {
		const at = content.indexOf(name);
		return at >= 0 && content[skipSpace(content, at + name.length)] === 0x3a;
	});
}

const resultNames = ['"functionResponse"', '"function_response"'].map((name) =>
	Buffer.from(name),
);

/** The highest level is what the newest models do unless told otherwise. */
function reasoningIn({ body: { bytes }, config }: Asked): Reasoning {
	const at = config.get("thinkingConfig");
	const thinking = at && membersAt(bytes, at.valueStart);
	const of = (...names: readonly string[]) =>
		scalarOf(
			bytes,
			thinking?.members.find(({ name }) => names.includes(name)),
		);
	const budget = of("thinkingBudget", "thinking_budget");
	if (typeof budget === "number")
		return budget >= muchThought ? "much" : budget === 0 ? "none" : "some";
	const level = of("thinkingLevel", "thinking_level");
	if (typeof level === "string")
		return level.toLowerCase() === "minimal" ? "none" : "some";
	return of("includeThoughts", "include_thoughts") === true ? "some" : "none";
}

/** As the vendor itself reads another protocol's high effort. */
const muchThought = 24_576;
