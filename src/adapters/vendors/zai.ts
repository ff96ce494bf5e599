import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const zai: Vendor = {
	id: "zai",
	name: "Z.ai",
	bases: {
		"openai-chat": "https://api.z.ai/api/paas/v4",
		"anthropic-messages": "https://api.z.ai/api/anthropic/v1",
	},
	keyNames: ["ZAI_API_KEY"],
	auth: "bearer",
	// Reasoning is switched, not graded; JSON is held to no schema; tools are called as the model likes.
	quirks: {
		maxTokensOnly: true,
		noSchemas: true,
		takes: ["reasoning_content", "thinking"],
		lacks: [
			...onlyOpenai,
			"reasoning_effort",
			"n",
			"seed",
			"logprobs",
			"top_logprobs",
			"frequency_penalty",
			"presence_penalty",
			"parallel_tool_calls",
			"tool_choice",
			"user",
		],
	},
	source:
		"https://docs.z.ai/api-reference/llm/chat-completion and https://docs.z.ai/guides/capabilities/thinking; address, key and members in its SDK `zai-sdk` 0.2.3",
};
