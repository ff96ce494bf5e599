import type { Vendor } from "../../ports/vendor.ts";

export const openrouter: Vendor = {
	id: "openrouter",
	name: "OpenRouter",
	bases: {
		"openai-chat": "https://openrouter.ai/api/v1",
		"openai-responses": "https://openrouter.ai/api/v1",
		"anthropic-messages": "https://openrouter.ai/api/v1",
	},
	keyNames: ["OPENROUTER_API_KEY"],
	auth: "bearer",
	quirks: {
		reportsCost: true,
		takes: [
			"cache_control",
			"reasoning",
			"reasoning_details",
			"top_k",
			"file_url",
			"metadata",
			"image_output",
			"video_url",
			"web_search",
		],
		lacks: ["custom", "allowed_tools", "n"],
	},
	source:
		"https://openrouter.ai/docs/use-cases/usage-accounting, https://openrouter.ai/docs/api/reference/responses/overview and https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-messages; ChatRequest in its SDK `openrouter` 1.3.84",
};
