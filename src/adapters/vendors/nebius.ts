import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const nebius: Vendor = {
	id: "nebius",
	name: "Nebius Token Factory",
	bases: {
		"openai-chat": "https://api.tokenfactory.nebius.com/v1",
	},
	keyNames: ["NEBIUS_API_KEY"],
	auth: "bearer",
	quirks: {
		takes: ["top_k"],
		efforts: ["low", "medium", "high"],
		lacks: onlyOpenai,
	},
	source:
		"https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion",
};
