import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

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
		lacks: [...onlyOpenai, "n"],
	},
	source:
		"https://inference-docs.cerebras.ai/resources/openai and https://inference-docs.cerebras.ai/api-reference/chat-completions",
};
