import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const vllm: Vendor = {
	id: "vllm",
	name: "vLLM",
	bases: {
		"openai-chat": "http://127.0.0.1:8000/v1",
		"openai-responses": "http://127.0.0.1:8000/v1",
		"anthropic-messages": "http://127.0.0.1:8000/v1",
	},
	// Only where it was started with --api-key.
	keyNames: ["VLLM_API_KEY"],
	auth: "bearer",
	baseName: "VLLM_BASE_URL",
	local: true,
	quirks: {
		takes: ["top_k", "reasoning_content"],
		// It passes over the user.
		lacks: [...onlyOpenai, "user"],
	},
	source:
		"https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html; ChatCompletionRequest in https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/chat_completion/protocol.py",
};
