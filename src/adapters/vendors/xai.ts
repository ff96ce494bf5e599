import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const xai: Vendor = {
	id: "xai",
	name: "xAI",
	// Its Anthropic layer is deprecated, and Chat is: what it thought comes back in Responses alone.
	bases: {
		"openai-responses": "https://api.x.ai/v1",
		"openai-chat": "https://api.x.ai/v1",
	},
	keyNames: ["XAI_API_KEY"],
	auth: "bearer",
	priceId: "x-ai",
	quirks: {
		reportsCost: true,
		lacks: onlyOpenai,
	},
	source:
		"https://docs.x.ai/developers/model-capabilities/text/comparison and https://docs.x.ai/docs/api-reference#chat-completions",
};
