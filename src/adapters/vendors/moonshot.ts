import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

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
		takes: ["reasoning_content", "thinking"],
		lacks: [...onlyOpenai, "reasoning_effort"],
	},
	source:
		"https://platform.kimi.ai/docs/api/chat and https://platform.kimi.ai/docs/overview",
};
