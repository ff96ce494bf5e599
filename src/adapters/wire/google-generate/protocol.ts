import type {
	Meaning,
	ModelEntry,
	WireOperation,
	WireProtocol,
} from "../../../ports/wire-protocol.ts";
import { clientKeyOrQuery } from "../client-key.ts";
import { outputCeiling } from "../usage-counts.ts";
import {
	embeddings,
	plainAnswer,
	streamedAnswer,
	tokenCount,
} from "./answer.ts";
import { refusalBody } from "./refusal.ts";
import { type Asked, forward, readRequest, type Verb } from "./request.ts";
import { googleTraits } from "./traits.ts";

// Keys, cookies, projects, and what names the client's program or machine, never go on.
const passHeaders = ["accept"];

const kinds: readonly (readonly [string, Meaning, Verb])[] = [
	["generate-content", "generate", "generateContent"],
	["stream-generate-content", "generate", "streamGenerateContent"],
	["count-tokens", "count-tokens", "countTokens"],
	["embed-content", "embed", "embedContent"],
	["batch-embed-contents", "embed", "batchEmbedContents"],
];

const verbs: ReadonlyMap<string, Verb> = new Map(
	kinds.map(([id, , verb]) => [id, verb]),
);

/** The same under both versions of the address. */
const operations: readonly WireOperation[] = ["v1beta", "v1"].flatMap(
	(version) =>
		kinds.map(([id, means, verb]) => ({
			id,
			means,
			method: "POST" as const,
			path: `/${version}/models/{model}:${verb}`,
			upstreamPath: `/models/{model}:${verb}`,
			passHeaders,
		})),
);

/** generateContent and what goes with it, as Google defined it. The model stands in the address. */
export const googleGenerate: WireProtocol = {
	id: "google-generate",
	operations,
	read: (operation, body, target) =>
		readRequest(
			verbs.get(operation) ?? "generateContent",
			operation,
			body,
			target,
		),
	traits: googleTraits,
	forward,
	meter(request, forwarded, status, contentType) {
		const verb = verbs.get(request.operation);
		if (verb === "countTokens") return tokenCount();
		if (verb === "embedContent" || verb === "batchEmbedContents")
			return embeddings();
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		if (status >= 400 || !/^\s*text\/event-stream\b/i.test(contentType))
			return plainAnswer(ceiling);
		// Requests that come from another protocol carry what is that protocol's.
		const asked = request.opaque as Partial<Asked> | undefined;
		return streamedAnswer(request.choices, ceiling, asked?.arrayForm === true);
	},
	refusal(status, refusal) {
		return {
			headers: { "content-type": "application/json" },
			body: encode(refusalBody(status, refusal)),
		};
	},
	streamRefusal(refusal) {
		const status = refusal.code.startsWith("credits/") ? 402 : 500;
		// The blank line ends a frame that the vendor left unfinished.
		return Buffer.from(
			`\n\ndata: ${JSON.stringify(refusalBody(status, refusal))}\n\n`,
		);
	},
	speaks: (header) =>
		header("x-goog-api-key") !== undefined ||
		header("x-goog-api-client") !== undefined,
	clientKey: clientKeyOrQuery,
	models: (list) => encode({ models: list.map(modelInfo) }),
	model: (entry) => encode(modelInfo(entry)),
	counted: (tokens) => encode({ totalTokens: tokens }),
};

function modelInfo({ id, contextWindow }: ModelEntry): object {
	return {
		name: `models/${id}`,
		displayName: id,
		...(contextWindow === undefined ? {} : { inputTokenLimit: contextWindow }),
		supportedGenerationMethods: kinds.map(([, , verb]) => verb),
	};
}

function encode(value: object): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}
