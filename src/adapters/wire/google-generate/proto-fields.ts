import type { Warn } from "../../../ports/translator.ts";
import { Fields, isRecord, refuseField } from "../canonical/fields.ts";
import { snakeCase } from "./proto-members.ts";

/*
 * Messages of protocol buffers as JSON: a member may be spelled `inlineData` or `inline_data`. They
 * are read, and named in refusals and warnings, by the first.
 */

export function protoFields(
	record: Readonly<Record<string, unknown>>,
	path: string,
	warn: Warn,
): Fields {
	return new Fields(camelized(record, path), path, warn);
}

export function inner(fields: Fields, name: string): Fields | undefined {
	const record = fields.json(name);
	return record && protoFields(record, `${fields.path}${name}.`, fields.warn);
}

/** A list of messages; a single one in its place is taken for a list of one, as the vendor does. */
export function innerEach(fields: Fields, name: string): readonly Fields[] {
	const value = fields.value(name);
	if (value === undefined) return [];
	const list = Array.isArray(value) ? value : [value];
	return list.map((each, index) => {
		const path = `${fields.path}${name}.${index}`;
		return isRecord(each)
			? protoFields(each, `${path}.`, fields.warn)
			: refuseField(path, "must be an object");
	});
}

function camelized(
	record: Readonly<Record<string, unknown>>,
	path: string,
): Readonly<Record<string, unknown>> {
	let result: Record<string, unknown> | undefined;
	for (const name in record) {
		const camel = name.includes("_") ? snakeNames.get(name) : undefined;
		if (camel === undefined) continue;
		if (Object.hasOwn(record, camel))
			return refuseField(path + camel, "stands there in two spellings");
		result ??= { ...record };
		delete result[name];
		result[camel] = record[name];
	}
	return result ?? record;
}

/** Members of more than one word that are read, by their other spelling. */
const snakeNames: ReadonlyMap<string, string> = new Map(
	[
		"systemInstruction",
		"generationConfig",
		"toolConfig",
		"safetySettings",
		"cachedContent",
		"continuationToken",
		"serviceTier",
		"inlineData",
		"fileData",
		"mimeType",
		"fileUri",
		"displayName",
		"functionCall",
		"functionResponse",
		"willContinue",
		"partialArgs",
		"thoughtSignature",
		"videoMetadata",
		"mediaResolution",
		"executableCode",
		"codeExecutionResult",
		"toolCall",
		"toolResponse",
		"functionDeclarations",
		"parametersJsonSchema",
		"responseJsonSchema",
		"googleSearch",
		"googleSearchRetrieval",
		"enterpriseWebSearch",
		"dynamicRetrievalConfig",
		"excludeDomains",
		"timeRangeFilter",
		"searchTypes",
		"blockingConfidence",
		"codeExecution",
		"urlContext",
		"computerUse",
		"fileSearch",
		"googleMaps",
		"mcpServers",
		"functionCallingConfig",
		"allowedFunctionNames",
		"retrievalConfig",
		"includeServerSideToolInvocations",
		"maxOutputTokens",
		"candidateCount",
		"stopSequences",
		"topP",
		"topK",
		"frequencyPenalty",
		"presencePenalty",
		"responseLogprobs",
		"responseMimeType",
		"responseSchema",
		"responseModalities",
		"thinkingConfig",
		"thinkingBudget",
		"thinkingLevel",
		"includeThoughts",
		"speechConfig",
		"voiceConfig",
		"prebuiltVoiceConfig",
		"voiceName",
		"languageCode",
		"multiSpeakerVoiceConfig",
		"replicatedVoiceConfig",
		"imageConfig",
		"routingConfig",
		"audioTimestamp",
		"enableEnhancedCivicAnswers",
		"taskType",
		"outputDimensionality",
	].map((name) => [snakeCase(name), name]),
);
