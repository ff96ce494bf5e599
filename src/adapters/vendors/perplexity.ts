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
	source:
		"https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview and https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility",
};
