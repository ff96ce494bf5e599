import type {
	AnswerPart,
	CanonicalRequest,
	MediaPart,
	Message,
	OutputForm,
	Reasoning,
	TextPart,
	ToolCallPart,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { AskedForm, Warn } from "../../../ports/translator.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import {
	bodyFields,
	type Fields,
	present,
	someOf,
} from "../canonical/fields.ts";
import { someFields } from "../request-body.ts";
import { detailOf, readMedia } from "./media.ts";
import { inner, innerEach, protoFields } from "./proto-fields.ts";
import type { Asked } from "./request.ts";
import { openSignature, ours } from "./signature.ts";
import { readSchema, readTools } from "./tools.ts";

export function readRequest(
	request: WireRequest,
	warn: Warn,
): CanonicalRequest {
	const body = protoFields(bodyFields(request.body, warn).record, "", warn);
	const system = inner(body, "systemInstruction");
	const contents = innerEach(body, "contents");
	const config = inner(body, "generationConfig");
	const detail = readResolution(config);
	const conversation = readContents(contents);
	const canonical = present({
		model: request.model,
		messages: [...(system ? readSystem(system) : []), ...conversation],
		...readTools(body),
		...(config && readConfig(config)),
		serviceTier: readTier(body),
		metadata: readLabels(body),
		stream: request.stream,
		streamUsage: true,
	}) as CanonicalRequest;
	body.pass("model");
	if (body.value("cachedContent") !== undefined)
		body.unsupported(
			"cachedContent",
			"is kept by a vendor of this protocol alone",
		);
	if (body.value("continuationToken") !== undefined)
		body.unsupported(
			"continuationToken",
			"continues an answer of a vendor of this protocol",
		);
	body.drop(
		"safetySettings",
		"Other vendors filter what they say in their own way.",
	);
	body.drop("store", "Other vendors keep records in their own way.");
	body.done();
	config?.done();
	return detail === undefined
		? canonical
		: {
				...canonical,
				messages: canonical.messages.map((each) => looked(each, detail)),
			};
}

/** The tools and the form of the output alone. */
export function readForm({ opaque }: WireRequest): AskedForm {
	const { record, path, warn } = someFields((opaque as Asked).body, [
		"tools",
		"generationConfig",
	]);
	const body = protoFields(record, path, warn);
	const config = inner(body, "generationConfig");
	return present({
		tools: readTools(body).tools,
		output: config && readOutput(config),
	}) as AskedForm;
}

function readSystem(system: Fields): Message[] {
	system.pass("role");
	const parts = innerEach(system, "parts").map((part): TextPart => {
		const text = part.need("text", part.text("text"));
		part.done();
		return { type: "text", text };
	});
	system.done();
	return parts.length > 0 ? [{ role: "system", parts }] : [];
}

/** Calls that wait for their results, in order; those without an id are known by their names. */
type Waiting = {
	readonly id: string;
	readonly name: string;
	readonly unnamed: boolean;
}[];

/** Far more than a model calls before it waits for an answer. */
const mostWaiting = 5_000;

function readContents(contents: readonly Fields[]): Message[] {
	const messages: Message[] = [];
	const waiting: Waiting = [];
	/** What the model said last: clients keep each piece of a stream as a content of its own. */
	let said: AnswerPart[] | undefined;
	for (const [index, content] of contents.entries()) {
		const role = content.text("role") ?? "user";
		const parts = innerEach(content, "parts");
		content.done();
		if (role === "model") {
			if (!said) {
				said = [];
				messages.push({ role: "assistant", parts: said });
			}
			readModelParts(parts, index, waiting, said);
		} else if (role === "user" || role === "function" || role === "tool") {
			said = undefined;
			readUserParts(parts, waiting, messages);
		} else {
			content.refuse("role", 'must be "user" or "model"');
		}
	}
	return messages;
}

/** Adds what the user said, and what tools gave, to `messages`. */
function readUserParts(
	parts: readonly Fields[],
	waiting: Waiting,
	messages: Message[],
): void {
	let last: Message | undefined;
	for (const part of parts) {
		const response = inner(part, "functionResponse");
		if (response) {
			const result = readResult(response, waiting);
			part.done();
			if (last?.role === "tool") (last.parts as ToolResultPart[]).push(result);
			else {
				last = { role: "tool", parts: [result] };
				messages.push(last);
			}
			continue;
		}
		const said = readUserPart(part);
		if (last?.role === "user")
			(last.parts as (TextPart | MediaPart)[]).push(said);
		else {
			last = { role: "user", parts: [said] };
			messages.push(last);
		}
	}
}

function readUserPart(part: Fields): TextPart | MediaPart {
	const text = part.text("text");
	part.pass("thought", "thoughtSignature");
	const said: TextPart | MediaPart | undefined =
		text === undefined ? readMedia(part) : { type: "text", text };
	part.done();
	return (
		said ??
		part.refuse(
			"text",
			"or other data is required, of a kind that a user sends",
		)
	);
}

function readResult(response: Fields, waiting: Waiting): ToolResultPart {
	const name = response.need("name", response.text("name"));
	const id = response.text("id");
	const given = response.json("response") ?? {};
	const media = innerEach(response, "parts").map((part): MediaPart => {
		const there = readMedia(part) ?? part.refuse("inlineData", "is required");
		part.done();
		return there;
	});
	response.pass("scheduling", "willContinue");
	response.done();
	const at = waiting.findIndex((each) =>
		id === undefined ? each.name === name : each.id === id,
	);
	// One that has no id in the call but has one in the response is found by its name.
	const place =
		at >= 0 || id === undefined
			? at
			: waiting.findIndex((each) => each.unnamed && each.name === name);
	const [call] = place >= 0 ? waiting.splice(place, 1) : [];
	const failed = given.error !== undefined && given.output === undefined;
	const said = failed ? given.error : "output" in given ? given.output : given;
	const text = typeof said === "string" ? said : JSON.stringify(said ?? null);
	return {
		type: "tool-result",
		call:
			call?.id ??
			id ??
			response.refuse("name", "answers no call of the conversation"),
		name,
		parts: [
			...(text === "" ? [] : [{ type: "text" as const, text }]),
			...media,
		],
		...(failed && { error: true }),
	};
}

/** Adds what the model said to `read`. */
function readModelParts(
	parts: readonly Fields[],
	content: number,
	waiting: Waiting,
	read: AnswerPart[],
): void {
	let calls = 0;
	for (const [index, part] of parts.entries()) {
		const carried = openSignature(part.text("thoughtSignature"));
		const { opaque, before, hollow } = carried;
		if (before.length > 0) {
			// What they stand for was told to the client as plain thoughts as well.
			let last = read.at(-1);
			while (last?.type === "reasoning" && !last.opaque) {
				read.pop();
				last = read.at(-1);
			}
			read.push(...before);
		}
		const last = read.at(-1);
		if (hollow) {
			part.pass("text", "thought");
			if (opaque && last && last.type !== "refusal")
				read[read.length - 1] = { ...last, opaque };
		} else if (
			last?.type === "server-tool" &&
			(part.json("codeExecutionResult") ?? part.json("toolResponse"))
		) {
			read[read.length - 1] = withPart(last, part.record);
		} else {
			const said = readModelPart(part, content, calls);
			if (said.type === "tool-call") {
				calls++;
				// Each result is looked for among them.
				if (waiting.length >= mostWaiting)
					part.refuse(
						"functionCall",
						`is one of more than ${mostWaiting} that no response answers`,
					);
				waiting.push({
					id: said.id,
					name: said.name,
					unnamed: part.json("functionCall")?.id === undefined,
				});
			}
			const joined =
				index === 0 && before.length === 0 && !opaque && last
					? join(last, said)
					: undefined;
			if (joined) read[read.length - 1] = joined;
			else if (opaque && said.type !== "server-tool" && said.type !== "refusal")
				read.push({ ...said, opaque });
			else if (said.type !== "text" || said.text !== "") read.push(said);
		}
		part.done();
	}
}

/** Two pieces of one text; signed ones stay apart. */
function join(last: AnswerPart, said: AnswerPart): AnswerPart | undefined {
	if (said.type !== "text" && said.type !== "reasoning") return undefined;
	return last.type === said.type && !last.opaque
		? ({ ...last, text: last.text + said.text } as AnswerPart)
		: undefined;
}

function withPart(
	tool: Extract<AnswerPart, { type: "server-tool" }>,
	part: Fields["record"],
): AnswerPart {
	const parts = (tool.opaque?.data as { parts?: unknown } | undefined)?.parts;
	if (!Array.isArray(parts))
		return { ...tool, opaque: ours({ parts: [part] }) };
	parts.push(part);
	return tool;
}

function readModelPart(
	part: Fields,
	content: number,
	number: number,
): AnswerPart {
	const text = part.text("text");
	const thought = part.flag("thought");
	if (text !== undefined)
		return thought
			? { type: "reasoning", text, summary: true }
			: { type: "text", text };
	const call = inner(part, "functionCall");
	if (call) return readCall(call, content, number);
	for (const name of vendorParts) {
		const value = part.json(name);
		if (!value) continue;
		return {
			type: "server-tool",
			tool: "other",
			id:
				typeof value.id === "string"
					? value.id
					: `${name}_${content}_${number}`,
			opaque: ours({ parts: [part.record] }),
		};
	}
	return (
		readMedia(part) ??
		part.refuse(
			"text",
			"or other data is required, of a kind that a model says",
		)
	);
}

/** Parts that say what ran at the vendor. */
export const vendorParts = [
	"executableCode",
	"codeExecutionResult",
	"toolCall",
	"toolResponse",
] as const;

function readCall(call: Fields, content: number, number: number): ToolCallPart {
	const name = call.need("name", call.text("name"));
	const args = call.json("args") ?? {};
	const id = call.text("id") ?? `call_${content}_${number}`;
	call.pass("partialArgs", "willContinue");
	call.done();
	return { type: "tool-call", id, name, arguments: JSON.stringify(args) };
}

function readConfig(config: Fields): Partial<CanonicalRequest> {
	const logprobs = config.flag("responseLogprobs");
	const alternatives = config.whole("logprobs", 0, 20);
	const choices = config.whole("candidateCount", 1);
	config.drop(
		"imageConfig",
		"Only the vendor's own models are told the form of images.",
	);
	config.drop("routingConfig", "The model is the one that was asked for.");
	config.drop("audioTimestamp", "Only the vendor stamps what it hears.");
	config.drop(
		"enableEnhancedCivicAnswers",
		"Only the vendor has such answers.",
	);
	return present({
		outputLimit: config.whole("maxOutputTokens", 0),
		temperature: config.number("temperature"),
		topP: config.number("topP"),
		topK: config.number("topK"),
		seed: config.whole("seed"),
		frequencyPenalty: config.number("frequencyPenalty"),
		presencePenalty: config.number("presencePenalty"),
		stop: someOf(config.texts("stopSequences")),
		choices: choices === 1 ? undefined : choices,
		logprobs: logprobs ? { alternatives: alternatives ?? 0 } : undefined,
		output: readOutput(config),
		reasoning: readThinking(config),
		modalities: readModalities(config),
		voice: readVoice(config),
	}) as Partial<CanonicalRequest>;
}

function readOutput(config: Fields): OutputForm | undefined {
	const type = config.text("responseMimeType");
	const schema = readSchema(
		config,
		"responseSchema",
		"responseJsonSchema",
		"_responseJsonSchema",
	);
	switch (type) {
		case "application/json":
			return schema ? { type: "json-schema", schema } : { type: "json" };
		case undefined:
			return schema ? { type: "json-schema", schema } : undefined;
		case "text/plain":
			return { type: "text" };
		default:
			return config.unsupported(
				"responseMimeType",
				"asks for a form that only its own vendor has",
			);
	}
}

function readThinking(config: Fields): Reasoning | undefined {
	const thinking = inner(config, "thinkingConfig");
	if (!thinking) return undefined;
	const budget = thinking.whole("thinkingBudget", -1);
	const level = thinking.text("thinkingLevel")?.toLowerCase();
	const shown = thinking.flag("includeThoughts");
	thinking.done();
	const effort = efforts.find((each) => each === level);
	if (level !== undefined && !effort && !level.endsWith("unspecified"))
		thinking.refuse("thinkingLevel", "must be MINIMAL, LOW, MEDIUM or HIGH");
	const reasoning: Reasoning = present({
		effort,
		budget: budget === -1 ? undefined : budget,
		adaptive: budget === -1 || undefined,
		show: shown === undefined ? undefined : shown ? "auto" : "none",
	});
	return Object.keys(reasoning).length > 0 ? reasoning : undefined;
}

export const efforts = ["minimal", "low", "medium", "high"] as const;

function readModalities(config: Fields): CanonicalRequest["modalities"] {
	return config.texts("responseModalities")?.map((each, index) => {
		const name = each.toLowerCase();
		return name === "text" || name === "audio" || name === "image"
			? name
			: config.unsupported(
					`responseModalities.${index}`,
					"asks for what only its own vendor gives",
				);
	});
}

/** The vendor's speech is always of one form. */
export const speechFormat = "pcm16";

function readVoice(config: Fields): CanonicalRequest["voice"] {
	const speech = inner(config, "speechConfig");
	if (!speech) return undefined;
	const voice = inner(speech, "voiceConfig");
	const prebuilt = voice && inner(voice, "prebuiltVoiceConfig");
	const name = prebuilt?.text("voiceName") ?? voice?.text("voice");
	speech.drop("languageCode", "Other vendors speak the language of the text.");
	if (speech.value("multiSpeakerVoiceConfig") !== undefined)
		speech.unsupported("multiSpeakerVoiceConfig", "asks for several voices");
	if (voice?.value("replicatedVoiceConfig") !== undefined)
		voice.unsupported("replicatedVoiceConfig", "asks for a voice of one's own");
	prebuilt?.done();
	voice?.done();
	speech.done();
	return name === undefined ? undefined : { name, format: speechFormat };
}

function readTier(body: Fields): CanonicalRequest["serviceTier"] {
	const tier = body.text("serviceTier")?.toLowerCase();
	switch (tier) {
		case "standard":
		case "flex":
		case "priority":
			return tier;
		case undefined:
		case "unspecified":
			return undefined;
		default:
			return body.refuse(
				"serviceTier",
				'must be "standard", "flex" or "priority"',
			);
	}
}

function readLabels(body: Fields): CanonicalRequest["metadata"] {
	return body.dictionary("labels");
}

function readResolution(config: Fields | undefined): MediaPart["detail"] {
	const level = config?.text("mediaResolution");
	if (!config || level === undefined) return undefined;
	const detail = detailOf(level);
	if (detail === undefined && !level.endsWith("UNSPECIFIED"))
		config.warn({
			kind: "dropped",
			field: `${config.path}mediaResolution`,
			message: "Only a low and a high resolution have a meaning elsewhere.",
		});
	return detail;
}

/** What was said of all images, for those of which nothing was said. */
function looked(message: Message, detail: MediaPart["detail"]): Message {
	if (message.role !== "user") return message;
	return {
		...message,
		parts: message.parts.map((part) =>
			part.type === "image" && part.detail === undefined
				? ({ ...part, detail } as MediaPart)
				: part,
		),
	};
}
