import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const deepseek: Vendor = {
	id: "deepseek",
	name: "DeepSeek",
	bases: {
		"openai-chat": "https://api.deepseek.com",
		"anthropic-messages": "https://api.deepseek.com/anthropic/v1",
	},
	keyNames: ["DEEPSEEK_API_KEY"],
	// Both bases take it; the Anthropic one `x-api-key` as well.
	auth: "bearer",
	// Answers in JSON, held to no schema. Efforts that it has not become the next that it has.
	// Its Responses API stays out: it was for one of its models, and keeps nothing.
	quirks: {
		maxTokensOnly: true,
		noEmbeddings: true,
		noSchemas: true,
		takes: ["reasoning_content", "thinking"],
		lacks: [...onlyOpenai, "n", "seed"],
	},
	source:
		"https://api-docs.deepseek.com/guides/anthropic_api, https://api-docs.deepseek.com/guides/thinking_mode, https://api-docs.deepseek.com/guides/responses_api and https://api-docs.deepseek.com/api/create-chat-completion",
};
