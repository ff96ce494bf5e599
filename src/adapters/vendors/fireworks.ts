import type { Vendor } from "../../ports/vendor.ts";

export const fireworks: Vendor = {
	id: "fireworks",
	name: "Fireworks AI",
	bases: {
		"openai-chat": "https://api.fireworks.ai/inference/v1",
		"anthropic-messages": "https://api.fireworks.ai/inference/v1",
	},
	keyNames: ["FIREWORKS_API_KEY"],
	auth: "bearer",
	source:
		"https://docs.fireworks.ai/tools-sdks/openai-compatibility and https://docs.fireworks.ai/tools-sdks/anthropic-compatibility",
};
