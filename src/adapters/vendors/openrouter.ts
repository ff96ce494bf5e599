import type { Vendor } from "../../ports/vendor.ts";

export const openrouter: Vendor = {
	id: "openrouter",
	name: "OpenRouter",
	bases: {
		"openai-chat": "https://openrouter.ai/api/v1",
		"anthropic-messages": "https://openrouter.ai/api/v1",
	},
	keyNames: ["OPENROUTER_API_KEY"],
	auth: "bearer",
	quirks: { reportsCost: true },
	source:
		"https://openrouter.ai/docs/use-cases/usage-accounting and https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-messages",
};
