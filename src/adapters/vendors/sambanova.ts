import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const sambanova: Vendor = {
	id: "sambanova",
	name: "SambaNova",
	// Its Responses API knows a few of its models only.
	bases: {
		"openai-chat": "https://api.sambanova.ai/v1",
		"anthropic-messages": "https://api.sambanova.ai/v1",
	},
	keyNames: ["SAMBANOVA_API_KEY"],
	// Both take it; the Anthropic one `x-api-key` as well.
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k"],
		efforts: ["low", "medium", "high"],
		lacks: [...onlyOpenai, "n", "detail", "user", "input_audio"],
	},
	source:
		"https://docs.sambanova.ai/docs/en/features/openai-compatibility and https://docs.sambanova.ai/docs/en/features/messages; the parameters in its SDK `sambanova` 1.13.0",
};
