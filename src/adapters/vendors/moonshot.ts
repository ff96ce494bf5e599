import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const moonshot: Vendor = {
	id: "moonshot",
	name: "Moonshot AI",
	bases: {
		"openai-chat": "https://api.moonshot.ai/v1",
		"anthropic-messages": "https://api.moonshot.ai/anthropic/v1",
	},
	keyNames: ["MOONSHOT_API_KEY"],
	auth: "bearer",
	priceId: "moonshotai",
	// Reasoning is switched, not graded.
	quirks: {
		noEmbeddings: true,
		takes: ["reasoning_content", "thinking", "video_url"],
		// Of the user it is told in a member of its own.
		lacks: [
			...onlyOpenaiBut("prompt_cache_key"),
			"reasoning_effort",
			"seed",
			"logprobs",
			"top_logprobs",
			"parallel_tool_calls",
			"user",
		],
	},
	source:
		"https://platform.kimi.ai/docs/api/chat and https://platform.kimi.ai/docs/overview; members in its OpenAPI description, second-hand: https://github.com/api-evangelist/kimi-moonshot",
};
