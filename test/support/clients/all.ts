import {
	aiSdkAnthropic,
	aiSdkGoogle,
	aiSdkOpenaiChat,
	aiSdkOpenaiResponses,
} from "./ai-sdk.ts";
import { anthropic } from "./anthropic.ts";
import type { Connect } from "./client.ts";
import { google } from "./google.ts";
import {
	langchainAnthropic,
	langchainGoogle,
	langchainOpenaiChat,
	langchainOpenaiResponses,
} from "./langchain.ts";
import { openaiChat, openaiResponses } from "./openai.ts";

/** The vendors' own SDKs, one for each protocol that clients speak. */
export const vendorClients: readonly Connect[] = [
	openaiChat,
	openaiResponses,
	anthropic,
	google,
];

/** Those of others, over the same protocols. */
export const otherClients: readonly Connect[] = [
	aiSdkOpenaiChat,
	aiSdkOpenaiResponses,
	aiSdkAnthropic,
	aiSdkGoogle,
	langchainOpenaiChat,
	langchainOpenaiResponses,
	langchainAnthropic,
	langchainGoogle,
];
