import type { Translator } from "../../../ports/translator.ts";
import { readAnswer } from "./answer-in.ts";
import { writeAnswer } from "./answer-out.ts";
import { embeddings } from "./embeddings.ts";
import { readError } from "./error-in.ts";
import { protocol } from "./reasoning.ts";
import { readForm, readRequest } from "./request-in.ts";
import { writeRequest } from "./request-out.ts";
import { openReader } from "./stream-in.ts";
import { openWriter } from "./stream-out.ts";

/** Chat completions and embeddings, to and from the canonical form. */
export const openaiChatTranslator: Translator = {
	id: protocol,
	words: {
		toolChoice: "tool_choice",
		parallelToolCalls: "parallel_tool_calls",
		output: "response_format",
		outputLimit: "max_completion_tokens",
		topP: "top_p",
		topK: "top_k",
		frequencyPenalty: "frequency_penalty",
		presencePenalty: "presence_penalty",
		choices: "n",
		reasoning: "reasoning_effort",
		serviceTier: "service_tier",
		cacheKey: "prompt_cache_key",
		cache: "cache_control",
		voice: "audio",
	},
	takesText: ({ lacks }) => !lacks?.includes("custom"),
	readRequest,
	readForm,
	writeRequest,
	readAnswer,
	writeAnswer,
	openReader,
	openWriter,
	readError,
	embeddings,
};
