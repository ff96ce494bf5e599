import type { Translator } from "../../../ports/translator.ts";
import { outcomeOf } from "../canonical/fields.ts";
import { readError } from "../openai-chat/error-in.ts";
import { readAnswer } from "./answer-in.ts";
import { writeAnswer } from "./answer-out.ts";
import { protocol } from "./opaque.ts";
import { readForm, readRequest } from "./request-in.ts";
import { writeRequest } from "./request-out.ts";
import { openReader } from "./stream-in.ts";
import { openWriter } from "./stream-out.ts";

/** The Responses API to and from the canonical form. */
export const openaiResponsesTranslator: Translator = {
	id: protocol,
	words: {
		messages: "input",
		toolChoice: "tool_choice",
		parallelToolCalls: "parallel_tool_calls",
		output: "text.format",
		verbosity: "text.verbosity",
		outputLimit: "max_output_tokens",
		topP: "top_p",
		logprobs: "top_logprobs",
		"reasoning.show": "reasoning.summary",
		serviceTier: "service_tier",
		user: "safety_identifier",
		cacheKey: "prompt_cache_key",
	},
	takesText: ({ lacks }) => !lacks?.includes("custom"),
	readRequest: ({ body }, warn) => outcomeOf(() => readRequest(body, warn)),
	readForm: (request) => outcomeOf(() => readForm(request)),
	writeRequest: (request, change, warn) =>
		outcomeOf(() => writeRequest(request, change, warn)),
	readAnswer: (body) => outcomeOf(() => readAnswer(body)),
	writeAnswer,
	openReader,
	openWriter,
	readError,
};
