import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const novita: Vendor = {
	id: "novita",
	name: "Novita AI",
	bases: {
		"openai-chat": "https://api.novita.ai/openai/v1",
		"anthropic-messages": "https://api.novita.ai/anthropic/v1",
	},
	keyNames: ["NOVITA_API_KEY"],
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k", "video_url"],
		lacks: [...onlyOpenai, "reasoning_effort", "parallel_tool_calls", "user"],
	},
	source:
		"https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion and https://novita.ai/docs/guides/llm-anthropic-compatibility",
};
