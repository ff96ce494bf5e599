import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const qwen: Vendor = {
	id: "qwen",
	name: "Qwen (Alibaba Cloud Model Studio)",
	// Keys are of one region: this is Singapore, at the address of all workspaces. Another region, or the
	// address that a workspace has of its own, is a `base` in the settings.
	bases: {
		"openai-chat": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
		"openai-responses":
			"https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
		"anthropic-messages":
			"https://dashscope-intl.aliyuncs.com/apps/anthropic/v1",
	},
	keyNames: ["DASHSCOPE_API_KEY"],
	auth: "bearer",
	quirks: {
		maxTokensOnly: true,
		takes: ["top_k"],
		lacks: [...onlyOpenai, "reasoning_effort"],
	},
	source:
		"https://docs.qwencloud.com/api-reference/chat/openai-chat, https://www.alibabacloud.com/help/en/model-studio/base-url, https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages and https://www.alibabacloud.com/help/en/model-studio/compatibility-with-openai-responses-api",
};
