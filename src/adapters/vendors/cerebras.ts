import type { Vendor } from "../../ports/vendor.ts";

export const cerebras: Vendor = {
	id: "cerebras",
	name: "Cerebras",
	bases: { "openai-chat": "https://api.cerebras.ai/v1" },
	keyNames: ["CEREBRAS_API_KEY"],
	auth: "bearer",
	quirks: { noEmbeddings: true },
	source: "https://inference-docs.cerebras.ai/resources/openai",
};
