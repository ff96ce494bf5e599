import type { Vendor } from "../../ports/vendor.ts";

export const perplexity: Vendor = {
	id: "perplexity",
	name: "Perplexity",
	// Its Chat Completions ended on 27 September 2026.
	bases: {
		"openai-responses": "https://api.perplexity.ai/v1",
	},
	keyNames: ["PERPLEXITY_API_KEY"],
	auth: "bearer",
	// A Responses API of fewer words, that holds answers to schemas in the words of Chat Completions.
	quirks: {
		takes: ["response_format"],
		lacks: [
			"custom",
			"detail",
			"include",
			"input_file",
			"max_tool_calls",
			"metadata",
			"output_parts",
			"parallel_tool_calls",
			"prompt_cache_key",
			"safety_identifier",
			"service_tier",
			"summary",
			"temperature",
			"text",
			"tool_choice",
			"top_logprobs",
			"top_p",
		],
		efforts: ["minimal", "low", "medium", "high", "xhigh"],
	},
	source:
		"https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview and https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility; the parameters in its SDK `perplexityai` 0.46.1",
};
