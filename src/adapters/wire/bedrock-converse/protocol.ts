import { refuse } from "../../../kernel/outcome.ts";
import type { WireProtocol } from "../../../ports/wire-protocol.ts";
import { outputCeiling } from "../usage-counts.ts";
import { plainAnswer, streamedAnswer } from "./answer.ts";

/**
 * Converse, as Amazon Bedrock defined it. Vendors speak it and no client of ours does: it has no path,
 * so nothing is ever read or forwarded as it is, only translated to it (`translator.ts`).
 */
export const bedrockConverse: WireProtocol = {
	id: "bedrock-converse",
	operations: [
		{
			id: "converse",
			means: "generate",
			method: "POST",
			upstreamPath: "/model/{model}/converse",
			passHeaders: [],
		},
	],
	read: () => refuse("request/invalid", noClients),
	traits: () => {
		throw new Error(noClients);
	},
	forward: () => {
		throw new Error(noClients);
	},
	meter(request, forwarded, status, contentType) {
		const limit = forwarded.outputLimit ?? request.outputLimit;
		const ceiling = outputCeiling(limit, request.choices, request.serverTools);
		return status < 400 && !/^\s*application\/json\b/i.test(contentType)
			? streamedAnswer(ceiling)
			: plainAnswer(ceiling);
	},
	refusal: (_, { message, code }) => ({
		headers: { "content-type": "application/json" },
		body: Buffer.from(JSON.stringify({ message, code })),
	}),
	streamRefusal: () => {
		throw new Error(noClients);
	},
	speaks: () => false,
	clientKey: () => undefined,
	models: () => {
		throw new Error(noClients);
	},
	model: () => {
		throw new Error(noClients);
	},
};

export const noClients = "No client of ours speaks Converse.";
