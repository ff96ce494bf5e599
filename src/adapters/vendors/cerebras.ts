import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const cerebras: Vendor = {
	id: "cerebras",
	name: "Cerebras",
	bases: {
		"openai-chat": "https://api.cerebras.ai/v1",
	},
	keyNames: ["CEREBRAS_API_KEY"],
	auth: "bearer",
	quirks: {
		noEmbeddings: true,
		efforts: ["none", "low", "medium", "high"],
		lacks: [
			...onlyOpenaiBut("service_tier", "prompt_cache_key"),
			"n",
			"input_audio",
		],
	},
	source:
		"https://inference-docs.cerebras.ai/resources/openai and https://inference-docs.cerebras.ai/api-reference/chat-completions; the parameters in its SDK `cerebras_cloud_sdk` 1.91.0",
};
