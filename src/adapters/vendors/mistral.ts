import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const mistral: Vendor = {
	id: "mistral",
	name: "Mistral",
	bases: {
		"openai-chat": "https://api.mistral.ai/v1",
	},
	keyNames: ["MISTRAL_API_KEY"],
	auth: "bearer",
	// Answers 422 `extra_forbidden` to what it does not know, max_completion_tokens and
	// stream_options.include_usage among it; usage comes on the last chunk of any stream.
	quirks: {
		maxTokensOnly: true,
		noStreamOptions: true,
		callIdLength: 9,
		takes: [
			"tool_name",
			"metadata",
			"document_url",
			"audio_data",
			"random_seed",
			"top_k",
		],
		efforts: ["none", "high"],
		lacks: [
			...onlyOpenaiBut("prompt_cache_key"),
			"user",
			"name",
			"parameterless",
		],
	},
	source:
		"https://docs.mistral.ai/api, ChatCompletionRequest in its SDK `mistralai` 3.7.0, https://github.com/avante-corp/avante.nvim/issues/2347 and https://github.com/editor-code-assistant/eca/issues/231",
};
