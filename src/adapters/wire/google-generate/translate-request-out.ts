import type {
	AnswerPart,
	CanonicalRequest,
	MediaPart,
	Message,
	OutputForm,
	Reasoning,
	TextPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Json, Warn, WrittenRequest } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import type { ForwardChange } from "../../../ports/wire-protocol.ts";
import { isRecord, present, unsupported } from "../canonical/fields.ts";
import {
	toGoogleJsonSchema,
	toGoogleSchema,
} from "../canonical/schema-dialect.ts";
import { mediaManner, writeMedia } from "./media.ts";
import { type ModelRules, rulesFor } from "./models.ts";
import { vendorPath } from "./request.ts";
import { ownParts, placeholder, signatureIn } from "./signature.ts";
import { warnCache, writeTools } from "./tools.ts";
import { speechFormat } from "./translate-request-in.ts";

/** A request as it is being written: for which model, and what could not be said. */
interface Writing {
	readonly rules: ModelRules;
	readonly quirks: Quirks;
	readonly warn: Warn;
	/** Names of tools by the ids of their calls: a result has to say its tool's name. */
	readonly names: Map<string, string>;
}

export function writeRequest(
	request: CanonicalRequest,
	{ model, outputLimit, quirks }: ForwardChange,
	warn: Warn,
): WrittenRequest {
	const rules = rulesFor(model);
	const writing: Writing = { rules, quirks, warn, names: new Map() };
	const { system, contents } = writeMessages(request.messages, writing);
	const config = writeConfig(request, outputLimit, writing);
	warnOfRest(request, warn);
	return {
		path: vendorPath(
			model,
			request.stream ? "streamGenerateContent" : "generateContent",
		),
		body: present({
			systemInstruction: system.length > 0 ? { parts: system } : undefined,
			contents,
			...writeTools(request, rules, quirks, warn),
			generationConfig: Object.keys(config).length > 0 ? config : undefined,
			serviceTier: writeTier(request, quirks, warn),
		}),
	};
}

interface Content {
	readonly role: "user" | "model";
	readonly parts: Json[];
}

function writeMessages(
	messages: readonly Message[],
	writing: Writing,
): { system: Json[]; contents: Content[] } {
	const { warn } = writing;
	const system: Json[] = [];
	const contents: Content[] = [];
	/** Results of the step that is being written: media that its model takes beside them only stands behind all. */
	let results: { parts: Json[]; media: number } | undefined;
	for (const [index, message] of messages.entries()) {
		const field = `messages.${index}`;
		if ("name" in message && message.name !== undefined)
			warn({
				kind: "dropped",
				field: `${field}.name`,
				message: "The vendor is not told names of speakers.",
			});
		if (message.role === "tool") {
			const { responses, media } = writeResults(message.parts, field, writing);
			// All results of a step have to stand in one content.
			if (!results) {
				results = { parts: [], media: 0 };
				contents.push({ role: "user", parts: results.parts });
			}
			const at = results.parts.length - results.media;
			results.parts.splice(at, 0, ...responses);
			results.parts.push(...media);
			results.media += media.length;
			continue;
		}
		results = undefined;
		switch (message.role) {
			case "system":
			case "developer": {
				const parts = message.parts.map((part, at) =>
					writeText(part, `${field}.parts.${at}`, writing),
				);
				if (contents.length === 0) {
					system.push(...parts);
					break;
				}
				warn({
					kind: "changed",
					field,
					message:
						"The vendor takes instructions at the beginning only: these were sent as the user's words.",
				});
				contents.push({ role: "user", parts });
				break;
			}
			case "user":
				contents.push({
					role: "user",
					parts: message.parts.map((part, at) =>
						writeSaid(part, `${field}.parts.${at}`, writing),
					),
				});
				break;
			case "assistant": {
				const parts = writeAnswer(message.parts, field, writing);
				if (parts.length > 0) contents.push({ role: "model", parts });
				break;
			}
		}
	}
	return { system, contents };
}

function writeText(part: TextPart, field: string, { warn }: Writing): Json {
	if (part.cache) warnCache(`${field}.cache`, warn);
	return { text: part.text };
}

function writeSaid(
	part: TextPart | MediaPart,
	field: string,
	writing: Writing,
): Json {
	if (part.type === "text") return writeText(part, field, writing);
	if (part.cache) warnCache(`${field}.cache`, writing.warn);
	return {
		...writeMedia(part, field),
		...mediaManner(part, field, writing.rules, writing.warn),
	};
}

function writeAnswer(
	parts: readonly AnswerPart[],
	message: string,
	writing: Writing,
): Json[] {
	const { warn, rules, names } = writing;
	const written: Json[] = [];
	let called = false;
	for (const [index, part] of parts.entries()) {
		const field = `${message}.parts.${index}`;
		if ("cache" in part && part.cache) warnCache(`${field}.cache`, warn);
		const thoughtSignature =
			part.type === "refusal" ? undefined : signatureIn(part.opaque);
		if (
			part.type !== "refusal" &&
			part.opaque &&
			part.opaque.protocol !== "google-generate"
		)
			warn({
				kind: "dropped",
				field: `${field}.opaque`,
				message: "It means something to the vendor that made it alone.",
			});
		switch (part.type) {
			case "text":
				if (part.text !== "" || thoughtSignature !== undefined)
					written.push(present({ text: part.text, thoughtSignature }));
				break;
			case "refusal":
				written.push({ text: part.text });
				break;
			case "reasoning":
				if (part.text !== "" || thoughtSignature !== undefined)
					written.push(
						present({ text: part.text, thought: true, thoughtSignature }),
					);
				break;
			case "tool-call": {
				names.set(part.id, part.name);
				const first = !called;
				called = true;
				written.push(
					present({
						functionCall: {
							id: part.id,
							name: part.name,
							args: writeArguments(part.arguments, field, warn),
						},
						thoughtSignature:
							thoughtSignature ??
							(first && rules.signs ? placeholder : undefined),
					}),
				);
				break;
			}
			case "server-tool": {
				const own = ownParts(part);
				written.push(...own);
				if (own.length === 0 && !part.opaque)
					warn({
						kind: "dropped",
						field,
						message: "The vendor is not told what another's tools did.",
					});
				break;
			}
			default:
				written.push(
					present({
						...writeMedia(part, field),
						...mediaManner(part, field, rules, warn),
						thoughtSignature,
					}),
				);
		}
	}
	return written;
}

/** Arguments have to be an object here; a model may have said something else. */
function writeArguments(text: string, field: string, warn: Warn): Json {
	if (text === "") return {};
	try {
		const value: unknown = JSON.parse(text);
		if (isRecord(value)) return value;
	} catch {
		// Said below.
	}
	warn({
		kind: "changed",
		field: `${field}.arguments`,
		message: "They are no JSON object: they were sent as a text within one.",
	});
	return { arguments: text };
}

function writeResults(
	results: readonly ToolResultPart[],
	message: string,
	writing: Writing,
): { readonly responses: readonly Json[]; readonly media: readonly Json[] } {
	const responses: Json[] = [];
	/** For models that take no media within a result: it follows all of them. */
	const media: Json[] = [];
	const withinResult = {
		...writing,
		rules: { ...writing.rules, resolutions: false },
	};
	for (const [index, result] of results.entries()) {
		const field = `${message}.parts.${index}`;
		if (result.cache) warnCache(`${field}.cache`, writing.warn);
		const name =
			result.name ??
			writing.names.get(result.call) ??
			unsupported(
				`${field}.call`,
				"answers a call that the conversation does not have",
			);
		const texts: string[] = [];
		const parts: Json[] = [];
		for (const [at, part] of result.parts.entries()) {
			const place = `${field}.parts.${at}`;
			if (part.type === "text") texts.push(part.text);
			else if (writing.rules.mediaInResults)
				parts.push(writeSaid(part, place, withinResult));
			else {
				media.push(writeSaid(part, place, writing));
				writing.warn({
					kind: "changed",
					field: place,
					message:
						"This model takes no media within a tool's result: it was sent behind it.",
				});
			}
		}
		const text = texts.join("\n");
		responses.push({
			functionResponse: {
				id: result.call,
				name,
				response: result.error ? { error: text } : { output: text },
				...(parts.length > 0 && { parts }),
			},
		});
	}
	return { responses, media };
}

function writeConfig(
	request: CanonicalRequest,
	outputLimit: number | undefined,
	{ rules, quirks, warn }: Writing,
): Json {
	const { logprobs } = request;
	return present({
		maxOutputTokens: outputLimit ?? request.outputLimit,
		temperature: request.temperature,
		topP: request.topP,
		topK: request.topK,
		seed: request.seed,
		frequencyPenalty: request.frequencyPenalty,
		presencePenalty: request.presencePenalty,
		stopSequences: request.stop,
		candidateCount: request.choices,
		responseLogprobs: logprobs ? true : undefined,
		logprobs: logprobs?.alternatives || undefined,
		...writeOutput(request.output, quirks, warn),
		thinkingConfig: request.reasoning
			? writeThinking(request.reasoning, rules, warn)
			: undefined,
		responseModalities: request.modalities?.map((each) => each.toUpperCase()),
		speechConfig: writeVoice(request.voice),
	});
}

function writeOutput(
	output: OutputForm | undefined,
	quirks: Quirks,
	warn: Warn,
): Json {
	switch (output?.type) {
		case undefined:
			return {};
		case "text":
			return { responseMimeType: "text/plain" };
		case "json":
			return { responseMimeType: "application/json" };
		case "json-schema": {
			const { schema, description } = output;
			const described =
				description !== undefined && schema.description === undefined
					? { ...schema, description }
					: schema;
			return {
				responseMimeType: "application/json",
				...(quirks.schemaSubset
					? { responseSchema: toGoogleSchema(described, "output.schema", warn) }
					: {
							responseJsonSchema: toGoogleJsonSchema(
								described,
								"output.schema",
								warn,
							),
						}),
			};
		}
	}
}

type Effort = NonNullable<Reasoning["effort"]>;

function writeThinking(
	reasoning: Reasoning,
	rules: ModelRules,
	warn: Warn,
): Json | undefined {
	const { effort, budget, adaptive, show } = reasoning;
	const asks = effort !== undefined || budget !== undefined || adaptive;
	if (rules.thinking === "none") {
		const unthinking = effort === "none" || budget === 0;
		if ((asks && !unthinking) || (show !== undefined && show !== "none"))
			warn({
				kind: "dropped",
				field: "reasoning",
				message: "This model does not think.",
			});
		return undefined;
	}
	const config = present({
		...(budget !== undefined
			? writeBudget(budget, rules, warn)
			: effort !== undefined
				? writeEffort(effort, rules, warn)
				: adaptive
					? { thinkingBudget: -1 }
					: {}),
		includeThoughts: show === undefined ? undefined : show !== "none",
	});
	return Object.keys(config).length > 0 ? config : undefined;
}

function writeBudget(budget: number, rules: ModelRules, warn: Warn): Json {
	if (budget > 0 || rules.least) return { thinkingBudget: budget };
	changedReasoning("budget", warn);
	return rules.thinking === "levels"
		? { thinkingLevel: "LOW" }
		: { thinkingBudget: leastBudget };
}

function writeEffort(effort: Effort, rules: ModelRules, warn: Warn): Json {
	if (rules.thinking === "budget") {
		const exact = budgets.get(effort) ?? 0;
		const least = effort === "none" && !rules.least;
		if (least || effort === "xhigh" || effort === "max")
			changedReasoning("effort", warn);
		return { thinkingBudget: least ? leastBudget : exact };
	}
	const wanted = levels.get(effort) ?? "HIGH";
	const level = wanted === "MINIMAL" && !rules.least ? "LOW" : wanted;
	if (level !== effort.toUpperCase()) changedReasoning("effort", warn);
	return { thinkingLevel: level };
}

function changedReasoning(member: string, warn: Warn): void {
	warn({
		kind: "changed",
		field: `reasoning.${member}`,
		message:
			"The model cannot think as little or as much: the nearest was sent.",
	});
}

/** What a model thinks at least that cannot be kept from it. */
const leastBudget = 128;

/** As the vendor maps them itself: ai.google.dev/gemini-api/docs/openai, "Thinking". */
const budgets: ReadonlyMap<Effort, number> = new Map([
	["none", 0],
	["minimal", 1024],
	["low", 1024],
	["medium", 8192],
	["high", 24_576],
	["xhigh", 24_576],
	["max", 24_576],
]);

const levels: ReadonlyMap<Effort, string> = new Map([
	["none", "MINIMAL"],
	["minimal", "MINIMAL"],
	["low", "LOW"],
	["medium", "MEDIUM"],
]);

function writeVoice(voice: CanonicalRequest["voice"]): Json | undefined {
	if (!voice) return undefined;
	if (voice.format !== speechFormat)
		return unsupported(
			"voice.format",
			`asks for a form of audio other than ${speechFormat}`,
		);
	return {
		voiceConfig: { prebuiltVoiceConfig: { voiceName: voice.name } },
	};
}

function writeTier(
	{ serviceTier }: CanonicalRequest,
	{ lacks }: Quirks,
	warn: Warn,
): string | undefined {
	if (serviceTier === undefined || serviceTier === "auto") return undefined;
	const untold = lacks?.includes("serviceTier");
	if (serviceTier !== "batch" && !untold) return serviceTier;
	warn({
		kind: "dropped",
		field: "serviceTier",
		message: untold
			? "This vendor is not told of tiers."
			: "The vendor takes batches elsewhere.",
	});
	return undefined;
}

function warnOfRest(request: CanonicalRequest, warn: Warn): void {
	if (request.cache) warnCache("cache", warn);
	if (request.cacheKey !== undefined) warnCache("cacheKey", warn);
	for (const name of ["user", "metadata", "verbosity"] as const)
		if (request[name] !== undefined)
			warn({
				kind: "dropped",
				field: name,
				message: "The vendor knows no such member.",
			});
}
