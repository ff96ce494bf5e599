import type { Vendor } from "../../ports/vendor.ts";

export const anthropic: Vendor = {
	id: "anthropic",
	name: "Anthropic",
	// Its OpenAI-compatible layer is for trials: it passes over what it does not know without a word.
	// So such clients are translated.
	bases: {
		"anthropic-messages": "https://api.anthropic.com/v1",
	},
	keyNames: ["ANTHROPIC_API_KEY"],
	auth: "x-api-key",
	source:
		"https://docs.anthropic.com/en/api/messages and https://platform.claude.com/docs/en/api/openai-sdk",
};
