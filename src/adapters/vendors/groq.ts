import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const groq: Vendor = {
	id: "groq",
	name: "Groq",
	bases: {
		"openai-chat": "https://api.groq.com/openai/v1",
		"openai-responses": "https://api.groq.com/openai/v1",
	},
	keyNames: ["GROQ_API_KEY"],
	auth: "bearer",
	// Answers 400 to log probabilities, names of speakers and any n but 1; its service tiers are named otherwise.
	quirks: {
		noEmbeddings: true,
		efforts: ["none", "low", "medium", "high"],
		lacks: [
			...onlyOpenai,
			"logprobs",
			"top_logprobs",
			"n",
			"name",
			"input_audio",
		],
	},
	source:
		"https://console.groq.com/docs/openai and https://console.groq.com/docs/responses-api; the parameters in its SDK `groq` 1.7.0",
};
