import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenaiBut } from "./only-openai.ts";

export const githubModels: Vendor = {
	id: "github-models",
	name: "GitHub Models",
	bases: {
		"openai-chat": "https://models.github.ai/inference",
	},
	// GITHUB_TOKEN is not looked for: machines hold it for repositories.
	keyNames: ["GITHUB_MODELS_TOKEN"],
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		lacks: [
			...onlyOpenaiBut("developer"),
			"n",
			"reasoning_effort",
			"logprobs",
			"top_logprobs",
			"parallel_tool_calls",
			"user",
		],
	},
	source: "https://docs.github.com/en/rest/models/inference",
};
