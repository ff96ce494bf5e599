import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const huggingface: Vendor = {
	id: "huggingface",
	name: "Hugging Face",
	bases: {
		"openai-chat": "https://router.huggingface.co/v1",
		"openai-responses": "https://router.huggingface.co/v1",
	},
	// HF_TOKEN is not looked for: machines hold it to download models.
	keyNames: ["HUGGINGFACE_API_KEY"],
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		noEmbeddings: true,
		lacks: onlyOpenai,
	},
	source:
		"https://huggingface.co/docs/inference-providers/en/tasks/chat-completion and https://huggingface.co/docs/inference-providers/guides/responses-api",
};
