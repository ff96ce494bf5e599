import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const deepinfra: Vendor = {
	id: "deepinfra",
	name: "DeepInfra",
	bases: {
		"openai-chat": "https://api.deepinfra.com/v1/openai",
		"anthropic-messages": "https://api.deepinfra.com/anthropic/v1",
	},
	keyNames: ["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"],
	auth: "bearer",
	// The efforts, and that it knows one limit only, are second-hand.
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k"],
		efforts: ["none", "low", "medium", "high", "xhigh"],
		lacks: onlyOpenai,
	},
	source:
		"https://docs.deepinfra.com/api-reference/chat-completions/openai-chat-completions and https://docs.deepinfra.com/api-reference/chat-completions/anthropic-messages",
};
