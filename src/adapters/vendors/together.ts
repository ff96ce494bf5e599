import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const together: Vendor = {
	id: "together",
	name: "Together AI",
	bases: {
		"openai-chat": "https://api.together.xyz/v1",
	},
	keyNames: ["TOGETHER_API_KEY"],
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k", "video_url"],
		efforts: ["low", "medium", "high"],
		lacks: [
			...onlyOpenai,
			"parallel_tool_calls",
			"strict",
			"detail",
			"parts",
			"user",
			"logprobs",
			"top_logprobs",
		],
	},
	source:
		"https://docs.together.ai/reference/chat-completions-1 and https://docs.together.ai/docs/inference/chat/reasoning; the parameters in its SDK `together` 3.1.1",
};
