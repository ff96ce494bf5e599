import type { Refusal } from "../../../kernel/outcome.ts";
import type { WireProtocol } from "../../../ports/wire-protocol.ts";
import { clientKey } from "../client-key.ts";
import { outputCeiling } from "../usage-counts.ts";
import { plainAnswer, streamedAnswer } from "./answer.ts";
import { forward, readChat, readEmbeddings } from "./request.ts";

// Beta features and the form of the answer are the client's to choose. Keys, cookies, organisation
// and project headers, and what names the client's program or machine, never go on.
const passHeaders = ["accept", "openai-beta"];

/** Chat completions and embeddings, as OpenAI defined them and most vendors speak them. */
export const openaiChat: WireProtocol = {
	id: "openai-chat",
	operations: [
		{
			id: "chat",
			method: "POST",
			path: "/v1/chat/completions",
			upstreamPath: "/chat/completions",
			passHeaders,
		},
		{
			id: "embeddings",
			method: "POST",
			path: "/v1/embeddings",
			upstreamPath: "/embeddings",
			passHeaders,
		},
	],
	read: (operation, body) =>
		operation === "embeddings" ? readEmbeddings(body) : readChat(body),
	forward,
	meter(request, forwarded, status, contentType) {
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		return isEventStream(status, contentType)
			? streamedAnswer(forwarded.usageAsked, request.choices, ceiling)
			: plainAnswer(request.operation, ceiling);
	},
	refusal(status, refusal) {
		return {
			headers: { "content-type": "application/json" },
			body: encode(errorBody(errorType(status), refusal)),
		};
	},
	streamRefusal: (refusal) =>
		// The blank line ends a frame that the vendor left unfinished.
		Buffer.from(
			`\n\ndata: ${JSON.stringify(errorBody("server_error", refusal))}\n\n`,
		),
	speaks: (header) => header("anthropic-version") === undefined,
	clientKey,
	models: (list) =>
		encode({
			object: "list",
			data: list.map(({ id, owner, contextWindow }) => ({
				id,
				object: "model",
				created: 0,
				owned_by: owner,
				...(contextWindow === undefined
					? {}
					: { context_window: contextWindow }),
			})),
		}),
};

function isEventStream(status: number, contentType: string): boolean {
	return status < 400 && /^\s*text\/event-stream\b/i.test(contentType);
}

function errorBody(type: string, { code, message, details }: Refusal): object {
	const param = typeof details?.field === "string" ? details.field : null;
	return {
		error: { message, type, param, code, ...(details ? { dos: details } : {}) },
	};
}

function errorType(status: number): string {
	if (status >= 500) return "server_error";
	return errorTypes.get(status) ?? "invalid_request_error";
}

const errorTypes: ReadonlyMap<number, string> = new Map([
	[401, "authentication_error"],
	[402, "insufficient_quota"],
	[403, "permission_error"],
	[404, "not_found_error"],
	[409, "conflict_error"],
	[413, "request_too_large"],
	[429, "rate_limit_error"],
]);

function encode(value: object): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}
