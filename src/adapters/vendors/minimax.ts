import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const minimax: Vendor = {
	id: "minimax",
	name: "MiniMax",
	bases: {
		"anthropic-messages": "https://api.minimax.io/anthropic/v1",
		"openai-chat": "https://api.minimax.io/v1",
		"openai-responses": "https://api.minimax.io/v1",
	},
	keyNames: ["MINIMAX_API_KEY"],
	auth: "bearer",
	// Its own first: in Chat most of its models mix what they think into the text.
	quirks: {
		noEmbeddings: true,
		noSchemas: true,
		lacks: [...onlyOpenai, "n", "frequency_penalty", "presence_penalty"],
	},
	source:
		"https://platform.minimax.io/docs/api-reference/text-anthropic-api and https://platform.minimax.io/docs/api-reference/text-openai-api",
};
