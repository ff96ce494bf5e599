import type { WireProtocol } from "../../../ports/wire-protocol.ts";
import { clientKey } from "../client-key.ts";
import {
	errorBody,
	isEventStream,
	modelList,
	namesNone,
	oneModel,
	refusalBody,
} from "../openai-family.ts";
import { outputCeiling } from "../usage-counts.ts";
import { plainAnswer, streamedAnswer } from "./answer.ts";
import {
	forwardMedia,
	mediaOperations,
	meterMedia,
	readMedia,
} from "./media-operations.ts";
import { forward, readChat, readEmbeddings } from "./request.ts";
import { chatTraits } from "./traits.ts";

// Beta features and the form of the answer are the client's to choose. Keys, cookies, organisation
// and project headers, and what names the client's program or machine, never go on.
const passHeaders = ["accept", "openai-beta"];

/** Chat completions, embeddings, images and sound, as OpenAI defined them and most vendors speak them. */
export const openaiChat: WireProtocol = {
	id: "openai-chat",
	operations: [
		{
			id: "chat",
			means: "generate",
			method: "POST",
			path: "/v1/chat/completions",
			upstreamPath: "/chat/completions",
			passHeaders,
		},
		{
			id: "embeddings",
			means: "embed",
			method: "POST",
			path: "/v1/embeddings",
			upstreamPath: "/embeddings",
			passHeaders,
		},
		...mediaOperations(passHeaders),
	],
	read: (operation, body, target) =>
		readMedia(operation, body, target) ??
		(operation === "embeddings" ? readEmbeddings(body) : readChat(body)),
	traits: chatTraits,
	forward: (request, change) =>
		request.order ? forwardMedia(request, change) : forward(request, change),
	meter(request, forwarded, status, contentType) {
		if (request.order) return meterMedia(request, status, contentType);
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		return isEventStream(status, contentType)
			? streamedAnswer(forwarded.usageAsked, request.choices, ceiling)
			: plainAnswer(request.operation, ceiling);
	},
	refusal: refusalBody,
	streamRefusal: (refusal) =>
		// The blank line ends a frame that the vendor left unfinished.
		Buffer.from(
			`\n\ndata: ${JSON.stringify(errorBody("server_error", refusal))}\n\n`,
		),
	speaks: namesNone,
	clientKey,
	models: modelList,
	model: oneModel,
};
