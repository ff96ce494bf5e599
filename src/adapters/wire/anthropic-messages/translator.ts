import type { Translator } from "../../../ports/translator.ts";
import { outcomeOf } from "../canonical/fields.ts";
import { openReader } from "./stream-in.ts";
import { openWriter } from "./stream-out.ts";
import { readAnswer, readError } from "./translate-answer-in.ts";
import { writeAnswer } from "./translate-answer-out.ts";
import { readForm, readRequest } from "./translate-request-in.ts";
import { writeRequest } from "./translate-request-out.ts";

/** The Messages API to and from the canonical form. */
export const anthropicMessagesTranslator: Translator = {
	id: "anthropic-messages",
	words: {
		outputLimit: "max_tokens",
		stop: "stop_sequences",
		topP: "top_p",
		topK: "top_k",
		toolChoice: "tool_choice",
		parallelToolCalls: "tool_choice.disable_parallel_tool_use",
		output: "output_config.format",
		"output.schema": "output_config.format.schema",
		reasoning: "thinking",
		"reasoning.effort": "output_config.effort",
		"reasoning.budget": "thinking.budget_tokens",
		"reasoning.adaptive": "thinking.type",
		"reasoning.show": "thinking.display",
		serviceTier: "service_tier",
		user: "metadata.user_id",
		cache: "cache_control",
	},
	readRequest: (request, warn) => outcomeOf(() => readRequest(request, warn)),
	readForm: (request) => outcomeOf(() => readForm(request)),
	writeRequest: (request, change, warn) =>
		outcomeOf(() => writeRequest(request, change, warn)),
	readAnswer: (body) => outcomeOf(() => readAnswer(body)),
	writeAnswer: (answer, _request, naming, warn) =>
		writeAnswer(answer, naming, warn),
	openReader,
	openWriter: (_request, naming, _asked, warn) => openWriter(naming, warn),
	readError,
};
