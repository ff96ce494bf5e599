import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const fireworks: Vendor = {
	id: "fireworks",
	name: "Fireworks AI",
	bases: {
		"openai-chat": "https://api.fireworks.ai/inference/v1",
		"openai-responses": "https://api.fireworks.ai/inference/v1",
		"anthropic-messages": "https://api.fireworks.ai/inference/v1",
	},
	keyNames: ["FIREWORKS_API_KEY"],
	auth: "bearer",
	quirks: {
		takes: ["top_k", "reasoning_content"],
		efforts: ["none", "low", "medium", "high"],
		lacks: [
			...onlyOpenaiBut("service_tier", "prompt_cache_key"),
			"input_audio",
			"name",
		],
	},
	source:
		"https://docs.fireworks.ai/tools-sdks/openai-compatibility, https://docs.fireworks.ai/guides/response-api and https://docs.fireworks.ai/tools-sdks/anthropic-compatibility; the parameters in its SDK `fireworks-ai` 1.2.30",
};
