import type { Translator } from "../../../ports/translator.ts";
import { outcomeOf } from "../canonical/fields.ts";
import { googleEmbeddings } from "./embeddings.ts";
import { openReader, readAnswer, readError } from "./translate-answer-in.ts";
import { openWriter, writeAnswer } from "./translate-answer-out.ts";
import { readForm, readRequest } from "./translate-request-in.ts";
import { writeRequest } from "./translate-request-out.ts";

/** generateContent to and from the canonical form. */
export const googleGenerateTranslator: Translator = {
	id: "google-generate",
	words: {
		messages: "contents",
		output: "generationConfig.responseMimeType",
		"output.schema": "generationConfig.responseSchema",
		outputLimit: "generationConfig.maxOutputTokens",
		stop: "generationConfig.stopSequences",
		temperature: "generationConfig.temperature",
		topP: "generationConfig.topP",
		topK: "generationConfig.topK",
		seed: "generationConfig.seed",
		frequencyPenalty: "generationConfig.frequencyPenalty",
		presencePenalty: "generationConfig.presencePenalty",
		choices: "generationConfig.candidateCount",
		logprobs: "generationConfig.responseLogprobs",
		"logprobs.alternatives": "generationConfig.logprobs",
		reasoning: "generationConfig.thinkingConfig",
		"reasoning.effort": "generationConfig.thinkingConfig.thinkingLevel",
		"reasoning.budget": "generationConfig.thinkingConfig.thinkingBudget",
		"reasoning.adaptive": "generationConfig.thinkingConfig.thinkingBudget",
		"reasoning.show": "generationConfig.thinkingConfig.includeThoughts",
		modalities: "generationConfig.responseModalities",
		voice: "generationConfig.speechConfig",
		toolChoice: "toolConfig.functionCallingConfig",
		metadata: "labels",
		inputs: "requests",
		dimensions: "outputDimensionality",
		task: "taskType",
	},
	readRequest: (request, warn) => outcomeOf(() => readRequest(request, warn)),
	readForm: (request) => outcomeOf(() => readForm(request)),
	writeRequest: (request, change, warn) =>
		outcomeOf(() => writeRequest(request, change, warn)),
	readAnswer: (body) => outcomeOf(() => readAnswer(body)),
	writeAnswer,
	openReader,
	openWriter,
	readError,
	embeddings: googleEmbeddings,
};
