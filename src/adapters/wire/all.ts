import { anthropicMessages } from "./anthropic-messages/protocol.ts";
import { anthropicMessagesTranslator } from "./anthropic-messages/translator.ts";
import { bedrockConverse } from "./bedrock-converse/protocol.ts";
import { bedrockConverseTranslator } from "./bedrock-converse/translator.ts";
import type { Spoken } from "./crossing.ts";
import { googleGenerate } from "./google-generate/protocol.ts";
import { googleGenerateTranslator } from "./google-generate/translator.ts";
import { openaiChat } from "./openai-chat/protocol.ts";
import { openaiChatTranslator } from "./openai-chat/translator.ts";
import { openaiResponses } from "./openai-responses/protocol.ts";
import { openaiResponsesTranslator } from "./openai-responses/translator.ts";

/** Every wire protocol, the one first whose shape is used where a client's cannot be told. */
export const spoken: readonly [Spoken, ...Spoken[]] = [
	{ wire: openaiChat, translator: openaiChatTranslator },
	{ wire: openaiResponses, translator: openaiResponsesTranslator },
	{ wire: anthropicMessages, translator: anthropicMessagesTranslator },
	{ wire: googleGenerate, translator: googleGenerateTranslator },
	{ wire: bedrockConverse, translator: bedrockConverseTranslator },
];
