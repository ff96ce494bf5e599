import type { Vendor } from "../../ports/vendor.ts";

export const xai: Vendor = {
	id: "xai",
	name: "xAI",
	bases: { "openai-chat": "https://api.x.ai/v1" },
	keyNames: ["XAI_API_KEY"],
	auth: "bearer",
	priceId: "x-ai",
	quirks: { reportsCost: true },
	source: "https://docs.x.ai/docs/api-reference#chat-completions",
};
