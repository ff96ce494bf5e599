import type { Vendor } from "../../ports/vendor.ts";

export const anthropic: Vendor = {
	id: "anthropic",
	name: "Anthropic",
	bases: { "anthropic-messages": "https://api.anthropic.com/v1" },
	keyNames: ["ANTHROPIC_API_KEY"],
	auth: "x-api-key",
	source: "https://docs.anthropic.com/en/api/messages",
};
