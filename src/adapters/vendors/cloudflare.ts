import type { Vendor } from "../../ports/vendor.ts";
import { onlyOpenai } from "./only-openai.ts";

export const cloudflare: Vendor = {
	id: "cloudflare",
	name: "Cloudflare Workers AI",
	// Its Responses API knows a few of its models only.
	bases: {
		"openai-chat":
			"https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
	},
	parameters: {
		account: { names: ["CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID"] },
	},
	// CLOUDFLARE_API_TOKEN is not looked for: machines hold it to deploy.
	keyNames: ["CF_AI_API_TOKEN"],
	auth: "bearer",
	// What it lacks is second-hand: the page names no members.
	quirks: { maxTokensOnly: true, lacks: [...onlyOpenai, "n"] },
	source:
		"https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
};
