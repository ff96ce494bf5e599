import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const nebius: Vendor = {
	id: "nebius",
	name: "Nebius Token Factory",
	bases: {
		"openai-chat": "https://api.tokenfactory.nebius.com/v1",
	},
	keyNames: ["NEBIUS_API_KEY"],
	auth: "bearer",
	// `top_k` and the efforts are second-hand: the page does not list them.
	quirks: {
		takes: ["top_k", "reasoning_content"],
		efforts: ["low", "medium", "high"],
		lacks: onlyOpenaiBut("service_tier"),
	},
	source:
		"https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion",
};
