import type { Vendor } from "../../ports/vendor.ts";

export const openai: Vendor = {
	id: "openai",
	name: "OpenAI",
	bases: { "openai-chat": "https://api.openai.com/v1" },
	keyNames: ["OPENAI_API_KEY"],
	auth: "bearer",
	source: "https://platform.openai.com/docs/api-reference/chat/create",
};
