import type { Vendor } from "../../ports/vendor.ts";

export const azure: Vendor = {
	id: "azure",
	name: "Azure OpenAI",
	bases: {
		"openai-responses": "https://{resource}.openai.azure.com/openai/v1",
		"openai-chat": "https://{resource}.openai.azure.com/openai/v1",
		"anthropic-messages":
			"https://{resource}.services.ai.azure.com/anthropic/v1",
	},
	parameters: {
		resource: { names: ["AZURE_OPENAI_RESOURCE", "AZURE_RESOURCE_NAME"] },
	},
	keyNames: ["AZURE_OPENAI_API_KEY"],
	auth: {
		"openai-responses": "api-key",
		"openai-chat": "api-key",
		"anthropic-messages": "x-api-key",
	},
	quirks: { takes: ["metadata"], lacks: ["web_search_options"] },
	source:
		"https://learn.microsoft.com/en-us/azure/foundry/openai/latest and https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry",
};
