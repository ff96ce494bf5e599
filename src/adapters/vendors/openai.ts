import type { Vendor } from "../../ports/vendor.ts";

export const openai: Vendor = {
	id: "openai",
	name: "OpenAI",
	bases: {
		"openai-responses": "https://api.openai.com/v1",
		"openai-chat": "https://api.openai.com/v1",
	},
	keyNames: ["OPENAI_API_KEY"],
	auth: "bearer",
	quirks: {
		takes: ["metadata", "prompt_cache_breakpoint"],
	},
	source:
		"https://developers.openai.com/api/docs/guides/migrate-to-responses and https://platform.openai.com/docs/api-reference/chat/create",
};
