import type { Vendor } from "../../ports/vendor.ts";

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
	quirks: { noEmbeddings: true },
	source:
		"https://platform.kimi.ai/docs/api/quickstart and https://platform.kimi.ai/docs/overview",
};
