import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const llamaCpp: Vendor = {
	id: "llama-cpp",
	name: "llama.cpp",
	bases: {
		"openai-chat": "http://127.0.0.1:8080/v1",
		"openai-responses": "http://127.0.0.1:8080/v1",
		"anthropic-messages": "http://127.0.0.1:8080/v1",
	},
	// Only where it was started with --api-key.
	keyNames: ["LLAMA_API_KEY"],
	auth: "bearer",
	baseName: "LLAMA_CPP_BASE_URL",
	local: true,
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k", "reasoning_content"],
		lacks: onlyOpenai,
	},
	source:
		"https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md and https://huggingface.co/blog/ggml-org/anthropic-messages-api-in-llamacpp",
};
