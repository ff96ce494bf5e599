import type { Vendor } from "../../ports/vendor.ts";

export const together: Vendor = {
	id: "together",
	name: "Together AI",
	bases: { "openai-chat": "https://api.together.xyz/v1" },
	keyNames: ["TOGETHER_API_KEY"],
	auth: "bearer",
	quirks: { maxTokensOnly: true },
	source: "https://docs.together.ai/reference/chat-completions-1",
};
