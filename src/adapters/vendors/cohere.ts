import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const cohere: Vendor = {
	id: "cohere",
	name: "Cohere",
	bases: {
		"openai-chat": "https://api.cohere.ai/compatibility/v1",
	},
	keyNames: ["COHERE_API_KEY", "CO_API_KEY"],
	auth: "bearer",
	// Passes over the members named here without a word.
	quirks: {
		maxTokensOnly: true,
		efforts: ["none", "high"],
		lacks: [
			...onlyOpenaiBut("developer"),
			"n",
			"logprobs",
			"top_logprobs",
			"tool_choice",
			"parallel_tool_calls",
			"user",
		],
	},
	source: "https://docs.cohere.com/docs/compatibility-api",
};
