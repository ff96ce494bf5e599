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
	// A router: what it does not name goes on to whoever serves the model.
	quirks: {
		maxTokensOnly: true,
		noEmbeddings: true,
		lacks: [...onlyOpenai, "n"],
	},
	source:
		"https://huggingface.co/docs/inference-providers/en/tasks/chat-completion and https://huggingface.co/docs/inference-providers/guides/responses-api; ChatCompletionInput in its SDK `huggingface_hub` 2.4.0",
};
