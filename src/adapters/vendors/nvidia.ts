import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const nvidia: Vendor = {
	id: "nvidia",
	name: "NVIDIA NIM",
	bases: {
		"openai-chat": "https://integrate.api.nvidia.com/v1",
	},
	keyNames: ["NVIDIA_API_KEY"],
	auth: "bearer",
	// Each model has a page of its own: what they lack in common is second-hand.
	quirks: {
		maxTokensOnly: true,
		lacks: [...onlyOpenai, "n"],
	},
	source: "https://docs.api.nvidia.com/nim/reference/llm-apis",
};
