import type { Refusal } from "../../../kernel/outcome.ts";
import type { ModelEntry, WireProtocol } from "../../../ports/wire-protocol.ts";
import { clientKey } from "../client-key.ts";
import { outputCeiling } from "../usage-counts.ts";
import { plainAnswer, streamedAnswer, tokenCount } from "./answer.ts";
import { callAsAsked } from "./asked-name.ts";
import { countTokens, forward, readMessages } from "./request.ts";
import { messagesTraits } from "./traits.ts";

// The version and the beta features are the client's to choose. Keys, cookies, workspace headers,
// and what names the client's program or machine, never go on.
const passHeaders = ["accept", "anthropic-version", "anthropic-beta"];

/** The Messages API, as Anthropic defined it and some others speak it. */
export const anthropicMessages: WireProtocol = {
	id: "anthropic-messages",
	operations: [
		{
			id: "messages",
			means: "generate",
			method: "POST",
			path: "/v1/messages",
			upstreamPath: "/messages",
			passHeaders,
		},
		{
			id: countTokens,
			means: "count-tokens",
			method: "POST",
			path: "/v1/messages/count_tokens",
			upstreamPath: "/messages/count_tokens",
			passHeaders,
		},
	],
	read: (operation, body) => readMessages(body, operation),
	traits: messagesTraits,
	forward,
	meter(request, forwarded, status, contentType) {
		if (request.operation === countTokens) return tokenCount();
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		const streamed =
			status < 400 && /^\s*text\/event-stream\b/i.test(contentType);
		const meter = streamed ? streamedAnswer(ceiling) : plainAnswer(ceiling);
		return forwarded.model === undefined || forwarded.model === request.model
			? meter
			: callAsAsked(meter, request.model, streamed);
	},
	refusal(status, refusal) {
		return {
			headers: { "content-type": "application/json" },
			body: encode(errorBody(errorType(status), refusal)),
		};
	},
	streamRefusal(refusal) {
		const type = refusal.code.startsWith("credits/")
			? "billing_error"
			: "api_error";
		// The blank line ends a frame that the vendor left unfinished.
		return Buffer.from(
			`\n\nevent: error\ndata: ${JSON.stringify(errorBody(type, refusal))}\n\n`,
		);
	},
	speaks: (header) => header("anthropic-version") !== undefined,
	clientKey,
	models: (list) =>
		encode({
			data: list.map(modelInfo),
			has_more: false,
			first_id: list[0]?.id ?? null,
			last_id: list.at(-1)?.id ?? null,
		}),
	model: (entry) => encode(modelInfo(entry)),
	counted: (tokens) => encode({ input_tokens: tokens }),
};

function modelInfo({ id, contextWindow }: ModelEntry): object {
	return {
		type: "model",
		id,
		display_name: id,
		// What the vendor's own list says where it knows no date.
		created_at: "1970-01-01T00:00:00Z",
		max_input_tokens: contextWindow ?? null,
		max_tokens: null,
		capabilities: null,
		line: null,
		lifecycle: "active",
		deprecated_at: null,
		retires_at: null,
	};
}

function errorBody(type: string, { code, message, details }: Refusal): object {
	return {
		type: "error",
		error: {
			type,
			message,
			code,
			...(details?.field === "thread" && { details: unsupportedThread }),
			...(details && { dos: details }),
		},
	};
}

/** By this the vendor's clients know to go on without a thread. */
const unsupportedThread = {
	error_code: "thread_unsupported_request",
	unsupported: [],
};

function errorType(status: number): string {
	return (
		errorTypes.get(status) ??
		(status >= 500 ? "api_error" : "invalid_request_error")
	);
}

const errorTypes: ReadonlyMap<number, string> = new Map([
	[401, "authentication_error"],
	[402, "billing_error"],
	[403, "permission_error"],
	[404, "not_found_error"],
	[409, "conflict_error"],
	[413, "request_too_large"],
	[429, "rate_limit_error"],
	[503, "overloaded_error"],
	[504, "timeout_error"],
	[529, "overloaded_error"],
]);

function encode(value: object): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}
