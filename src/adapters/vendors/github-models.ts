import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

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
		lacks: [...onlyOpenai, "n", "reasoning_effort"],
	},
	source: "https://docs.github.com/en/rest/models/inference",
};
