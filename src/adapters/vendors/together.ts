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
		takes: ["top_k"],
		efforts: ["low", "medium", "high"],
		lacks: onlyOpenai,
	},
	source:
		"https://docs.together.ai/reference/chat-completions-1 and https://docs.together.ai/docs/inference/chat/reasoning",
};
