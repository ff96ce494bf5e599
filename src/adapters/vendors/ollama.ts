import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const ollama: Vendor = {
	id: "ollama",
	name: "Ollama",
	bases: {
		"openai-chat": "http://127.0.0.1:11434/v1",
		"openai-responses": "http://127.0.0.1:11434/v1",
		"anthropic-messages": "http://127.0.0.1:11434/v1",
	},
	keyNames: [],
	auth: "none",
	baseName: "OLLAMA_HOST",
	local: true,
	quirks: {
		maxTokensOnly: true,
		lacks: [...onlyOpenai, "n", "parallel_tool_calls", "tool_choice", "user"],
	},
	source:
		"https://docs.ollama.com/api/openai-compatibility (log probabilities: ChatCompletionRequest in https://github.com/ollama/ollama/blob/main/openai/openai.go) and https://docs.ollama.com/api/anthropic-compatibility",
};
