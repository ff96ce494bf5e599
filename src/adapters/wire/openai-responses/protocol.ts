import { accept } from "../../../kernel/outcome.ts";
import type { Turn, WireProtocol } from "../../../ports/wire-protocol.ts";
import { clientKey } from "../client-key.ts";
import { withDos } from "../dos-member.ts";
import {
	isEventStream,
	modelList,
	namesNone,
	oneModel,
	refusalBody,
} from "../openai-family.ts";
import { outputCeiling } from "../usage-counts.ts";
import { plainAnswer, streamedAnswer } from "./answer.ts";
import { failureFrames } from "./failure.ts";
import { forward, readResponses } from "./request.ts";
import {
	deleted,
	expandRequest,
	inputItems,
	readState,
	recordOf,
	retrieved,
	type StoredResponse,
	watchResponse,
} from "./state.ts";
import { responsesTraits } from "./traits.ts";

/** The Responses API, as OpenAI defined it and some others speak it. */
export const openaiResponses: WireProtocol = {
	id: "openai-responses",
	operations: [
		{
			id: "responses",
			means: "generate",
			method: "POST",
			path: "/v1/responses",
			upstreamPath: "/responses",
			passHeaders: ["accept", "openai-beta"],
		},
	],
	read: (_operation, body) => readResponses(body),
	traits: responsesTraits,
	forward,
	meter(request, forwarded, status, contentType) {
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		return isEventStream(status, contentType)
			? streamedAnswer(ceiling)
			: plainAnswer(ceiling);
	},
	refusal: refusalBody,
	streamRefusal: (refusal) =>
		// The blank line ends a frame that the vendor left unfinished.
		Buffer.from(`\n\n${failureFrames(refusal)}`),
	speaks: namesNone,
	clientKey,
	models: modelList,
	model: oneModel,
	state: {
		asks: ({ body }) => readState(body),
		expand({ body, dos }, chain) {
			const expanded = expandRequest(body, chain.map(storedIn));
			return expanded.ok ? accept(withDos(expanded.value, dos)) : expanded;
		},
		watch({ body }, contentType) {
			const { push, finish } = watchResponse(contentType);
			return {
				push,
				finish() {
					const record = recordOf(body, finish());
					return (
						record && {
							id: record.id,
							...(record.previous !== undefined && {
								previous: record.previous,
							}),
							record: JSON.stringify(record),
						}
					);
				},
			};
		},
		show: (turn, query) => retrieved(storedIn(turn), query),
		showInput: (chain, query) => inputItems(chain.map(storedIn), query),
		deleted,
	},
};

function storedIn({ record }: Turn): StoredResponse {
	return JSON.parse(record) as StoredResponse;
}
