import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const lmStudio: Vendor = {
	id: "lm-studio",
	name: "LM Studio",
	bases: {
		"openai-chat": "http://127.0.0.1:1234/v1",
		"openai-responses": "http://127.0.0.1:1234/v1",
		"anthropic-messages": "http://127.0.0.1:1234/v1",
	},
	// Only where its owner has switched "Require Authentication" on.
	keyNames: ["LM_API_TOKEN"],
	auth: "bearer",
	baseName: "LM_STUDIO_BASE_URL",
	local: true,
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k"],
		lacks: [...onlyOpenai, "n", "logprobs", "top_logprobs"],
	},
	source:
		"https://lmstudio.ai/docs/developer/openai-compat/chat-completions, https://lmstudio.ai/docs/developer/core/authentication and https://lmstudio.ai/docs/developer/anthropic-compat",
};
