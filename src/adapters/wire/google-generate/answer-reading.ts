import type {
	AnswerEvent,
	AnswerPart,
	Citation,
	Finish,
	ServerToolPart,
	TokenLogprob,
	VendorError,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";
import {
	isRecord,
	listOf,
	numberOf,
	present,
	recordOf,
	recordsOf,
	textOf,
} from "../canonical/fields.ts";
import { answerMedia } from "./media.ts";
import { ours, ownParts } from "./signature.ts";
import { vendorParts } from "./translate-request-in.ts";
import { addQueries, generateUsage, paidSearches } from "./usage.ts";

type Emit = (event: AnswerEvent) => void;

/** Reads answers of the vendor, whole ones and the pieces of streams alike, as events. */
export interface Reading {
	/** One response, or one piece of a stream. */
	take(response: Json, emit: Emit): void;
	/** After the last: what ends the answer, if it came to an end. */
	conclude(emit: Emit): void;
}

/** @param keepsText whether sources may follow: their places are counted in the text's bytes. */
export function openReading(wanted: number, keepsText: boolean): Reading {
	const choices = new Map<number, ChoiceReading>();
	const queries = new Set<string>();
	let started = false;
	let id: string | undefined;
	let model: string | undefined;
	let report: Json | undefined;
	let blocked = false;

	function start(response: Json, emit: Emit): void {
		started = true;
		id = textOf(response.responseId);
		model = textOf(response.modelVersion);
		const usage = usageOf(report, new Set(), model);
		const { output, reasoning, ...input } = usage ?? {};
		emit({
			type: "start",
			...present({
				id,
				model,
				usage: usage && input,
				serviceTier: textOf(report?.serviceTier),
			}),
		} as AnswerEvent);
	}

	function choiceAt(candidate: Json): ChoiceReading {
		const said = numberOf(candidate.index) ?? 0;
		const choice = Number.isInteger(said) && said >= 0 && said < 128 ? said : 0;
		let found = choices.get(choice);
		if (!found) {
			found = openChoice(choice, callPrefix(id, choice), keepsText);
			choices.set(choice, found);
		}
		return found;
	}

	return {
		take(response, emit) {
			report = recordOf(response.usageMetadata) ?? report;
			if (response.error !== undefined && response.error !== null) {
				emit({ type: "error", error: errorOf(response) ?? unknownError });
				return;
			}
			if (!started) {
				if (!members.some((name) => response[name] !== undefined)) return;
				start(response, emit);
			}
			addQueries(response.candidates, queries);
			for (const candidate of recordsOf(response.candidates))
				choiceAt(candidate).take(candidate, emit);
			const feedback = recordOf(response.promptFeedback);
			if (typeof feedback?.blockReason === "string") blocked = true;
		},
		conclude(emit) {
			const finished = [...choices.values()].filter((each) => each.finished);
			const complete =
				blocked ||
				finished.length >= wanted ||
				(finished.length > 0 && report !== undefined);
			if (!complete || !started) return;
			if (choices.size === 0)
				emit({
					type: "finish",
					choice: 0,
					finish: { reason: "content-filter" },
				});
			for (const choice of choices.values()) choice.conclude(blocked, emit);
			const usage = usageOf(report, queries, model);
			if (usage) emit({ type: "usage", usage });
			emit({ type: "end" });
		},
	};
}

/** An answer has at least one of them. */
const members = ["candidates", "promptFeedback", "usageMetadata"];

function usageOf(
	report: Json | undefined,
	queries: ReadonlySet<string>,
	model: string | undefined,
): Usage | undefined {
	const reading =
		report && generateUsage(report, undefined, paidSearches(queries, model));
	return reading && "usage" in reading ? reading.usage : undefined;
}

/** Calls that the vendor gave no id get one that no other answer's calls have. */
function callPrefix(id: string | undefined, choice: number): string {
	const end = (id ?? "").replace(/[^a-zA-Z0-9]/g, "").slice(-16);
	return `call_${end}${end ? "_" : ""}${choice}`;
}

interface ChoiceReading {
	readonly finished: boolean;
	take(candidate: Json, emit: Emit): void;
	conclude(blocked: boolean, emit: Emit): void;
}

/** A text whose sources may follow. */
interface Told {
	readonly part: number;
	readonly pieces: string[];
}

function openChoice(
	choice: number,
	prefix: string,
	keepsText: boolean,
): ChoiceReading {
	let parts = 0;
	let calls = 0;
	/** The part that text is added to. */
	let open: { part: number; type: "text" | "reasoning" } | undefined;
	/** What the vendor runs, until its result has come. */
	let running: { part: number; value: ServerToolPart } | undefined;
	let told: Told | undefined;
	let reason: string | undefined;
	let called = false;
	let grounding: Json | undefined;
	let citing: Json | undefined;

	function close(emit: Emit): void {
		if (open) emit({ type: "close", choice, part: open.part });
		open = undefined;
		if (running)
			emit({ type: "close", choice, part: running.part, value: running.value });
		running = undefined;
	}

	function begin(value: AnswerPart, emit: Emit): number {
		close(emit);
		const part = parts++;
		emit({ type: "open", choice, part, value });
		return part;
	}

	function say(
		type: "text" | "reasoning",
		text: string,
		signature: string | undefined,
		emit: Emit,
	): void {
		if (text === "" && signature === undefined) return;
		// Text that is signed stays a part of its own: signatures are never to be joined.
		const joins = open?.type === type && (type === "reasoning" || !signature);
		if (!joins) {
			const value: AnswerPart =
				type === "text"
					? { type, text: "" }
					: { type, text: "", summary: true };
			open = { part: begin(value, emit), type };
			if (type === "text") told = { part: open.part, pieces: [] };
		}
		const { part } = open as { part: number };
		if (text !== "") emit({ type: "delta", choice, part, text });
		if (type === "text" && keepsText) told?.pieces.push(text);
		if (signature === undefined) return;
		emit({ type: "opaque", choice, part, opaque: ours({ signature }) });
		close(emit);
	}

	function call(value: Json, signature: string | undefined, emit: Emit): void {
		called = true;
		const part = begin(
			{
				type: "tool-call",
				id: textOf(value.id) || `${prefix}_${calls}`,
				name: textOf(value.name) ?? "",
				arguments: "",
			},
			emit,
		);
		calls++;
		const args = recordOf(value.args) ?? {};
		emit({ type: "delta", choice, part, text: JSON.stringify(args) });
		if (signature !== undefined)
			emit({ type: "opaque", choice, part, opaque: ours({ signature }) });
		emit({ type: "close", choice, part });
	}

	function run(part: Json, emit: Emit): void {
		const said = vendorParts
			.map((name) => recordOf(part[name]))
			.find((each) => each !== undefined);
		const isResult =
			part.codeExecutionResult !== undefined || part.toolResponse !== undefined;
		if (running && isResult) {
			const { value } = running;
			running.value = {
				...value,
				opaque: ours({ parts: [...ownParts(value), part] }),
			};
			close(emit);
			return;
		}
		const value: ServerToolPart = {
			type: "server-tool",
			tool: "other",
			id: textOf(said?.id) || `${prefix}_tool_${parts}`,
			opaque: ours({ parts: [part] }),
		};
		running = { part: begin(value, emit), value };
	}

	function takePart(part: Json, emit: Emit): void {
		const signature = textOf(part.thoughtSignature) || undefined;
		const functionCall = recordOf(part.functionCall);
		if (functionCall) {
			call(functionCall, signature, emit);
		} else if (typeof part.text === "string") {
			const type = part.thought === true ? "reasoning" : "text";
			say(type, part.text, signature, emit);
		} else if (vendorParts.some((name) => isRecord(part[name]))) {
			run(part, emit);
		} else if (part.thought !== true) {
			// Images that were only thought of are not shown.
			const media = answerMedia(part);
			if (!media) return;
			const opaque = signature === undefined ? undefined : ours({ signature });
			const at = begin({ ...media, ...(opaque && { opaque }) }, emit);
			emit({ type: "close", choice, part: at });
		}
	}

	function ground(emit: Emit): void {
		const sources = recordsOf(grounding?.groundingChunks).map(sourceOf);
		if (told && open?.part === told.part)
			for (const citation of citations(told, sources, grounding, citing))
				emit({ type: "citation", choice, part: told.part, citation });
		const queries = listOf(grounding?.webSearchQueries).filter(
			(each) => typeof each === "string" && each.trim() !== "",
		);
		for (const [index, query] of queries.entries()) {
			const results =
				index === queries.length - 1
					? sources.flatMap((each) => each ?? [])
					: [];
			const value: ServerToolPart = {
				type: "server-tool",
				tool: "web-search",
				id: `${prefix}_search_${index}`,
				query: query as string,
				...(results.length > 0 && { results }),
			};
			const part = begin(value, emit);
			emit({ type: "close", choice, part });
		}
	}

	return {
		get finished() {
			return reason !== undefined;
		},
		take(candidate, emit) {
			const content = recordOf(candidate.content);
			for (const part of recordsOf(content?.parts)) takePart(part, emit);
			const tokens = logprobsOf(candidate.logprobsResult);
			if (tokens.length > 0) emit({ type: "logprobs", choice, tokens });
			grounding = recordOf(candidate.groundingMetadata) ?? grounding;
			citing = recordOf(candidate.citationMetadata) ?? citing;
			const said = textOf(candidate.finishReason);
			if (said !== undefined && said !== "FINISH_REASON_UNSPECIFIED")
				reason = said;
		},
		conclude(blocked, emit) {
			ground(emit);
			close(emit);
			const finish: Finish =
				reason === undefined
					? { reason: blocked ? "content-filter" : "error" }
					: { reason: finishOf(reason, called) };
			emit({ type: "finish", choice, finish });
		},
	};
}

function finishOf(reason: string, called: boolean): Finish["reason"] {
	if (reason === "STOP" && called) return "tool-calls";
	return finishes.get(reason) ?? (called ? "tool-calls" : "stop");
}

const finishes: ReadonlyMap<string, Finish["reason"]> = new Map([
	["STOP", "stop"],
	["MAX_TOKENS", "length"],
	["CONTINUATION", "length"],
	["SAFETY", "content-filter"],
	["RECITATION", "content-filter"],
	["BLOCKLIST", "content-filter"],
	["PROHIBITED_CONTENT", "content-filter"],
	["SPII", "content-filter"],
	["IMAGE_SAFETY", "content-filter"],
	["IMAGE_PROHIBITED_CONTENT", "content-filter"],
	["IMAGE_RECITATION", "content-filter"],
	["MODEL_ARMOR", "content-filter"],
	["LANGUAGE", "error"],
	["OTHER", "error"],
	["IMAGE_OTHER", "error"],
	["NO_IMAGE", "error"],
	["MALFORMED_FUNCTION_CALL", "error"],
	["MALFORMED_RESPONSE", "error"],
	["UNEXPECTED_TOOL_CALL", "error"],
	["TOO_MANY_TOOL_CALLS", "error"],
	["MISSING_THOUGHT_SIGNATURE", "error"],
] as const);

type Source = { readonly url: string; readonly title?: string };

function sourceOf(chunk: Json): Source | undefined {
	const there =
		recordOf(chunk.web) ??
		recordOf(chunk.retrievedContext) ??
		recordOf(chunk.maps);
	const url = textOf(there?.uri);
	const title = textOf(there?.title);
	return url === undefined ? undefined : (present({ url, title }) as Source);
}

/** Each is looked up in the text: far more than any answer has. */
const mostSupports = 500;

/** What a text rests on: sources of searches, and works that it recites. */
function citations(
	{ pieces }: Told,
	sources: readonly (Source | undefined)[],
	grounding: Json | undefined,
	citing: Json | undefined,
): Citation[] {
	const supports = recordsOf(grounding?.groundingSupports).slice(
		0,
		mostSupports,
	);
	const recited = [
		...recordsOf(citing?.citations),
		...recordsOf(citing?.citationSources),
	].slice(0, mostSupports);
	if (supports.length === 0 && recited.length === 0) return [];
	const text = pieces.join("");
	const placeOf = charactersOf(text);
	const found: Citation[] = [];
	for (const support of supports) {
		const place = placeOf(recordOf(support.segment) ?? {});
		for (const index of listOf(support.groundingChunkIndices)) {
			const source = typeof index === "number" ? sources[index] : undefined;
			if (source) found.push({ ...source, ...place });
		}
	}
	for (const each of recited) {
		const source = sourceOf({ web: each });
		if (source) found.push({ ...source, ...placeOf(each) });
	}
	return found;
}

/** Places that are counted in bytes of UTF-8, counted as JavaScript does; none where they do not fit the text. */
function charactersOf(
	text: string,
): (segment: Json) => { start?: number; end?: number } {
	const bytes = Buffer.from(text);
	const at = (place: number) => bytes.toString("utf8", 0, place).length;
	return (segment) => {
		const from = numberOf(segment.startIndex) ?? 0;
		const to = numberOf(segment.endIndex) ?? -1;
		const quoted = textOf(segment.text);
		if (from >= 0 && to > from && to <= bytes.length) {
			const [start, end] = [at(from), at(to)];
			if (quoted === undefined || text.slice(start, end) === quoted)
				return { start, end };
		}
		const start = quoted ? text.indexOf(quoted) : -1;
		return start < 0 || !quoted ? {} : { start, end: start + quoted.length };
	};
}

function logprobsOf(result: unknown): TokenLogprob[] {
	if (!isRecord(result)) return [];
	const tops = recordsOf(result.topCandidates);
	return recordsOf(result.chosenCandidates).flatMap((chosen, index) => {
		const token = tokenOf(chosen);
		if (!token) return [];
		const top = recordsOf(tops[index]?.candidates).flatMap(
			(each) => tokenOf(each) ?? [],
		);
		return [top.length > 0 ? { ...token, top } : token];
	});
}

function tokenOf(value: Json): { token: string; logprob: number } | undefined {
	const token = textOf(value.token);
	return token === undefined
		? undefined
		: { token, logprob: numberOf(value.logProbability) ?? 0 };
}

const unknownError: VendorError = { message: "The vendor sent an error." };

/** `{"error":{"code","message","status"}}`, alone or as the one element of an array. */
export function errorOf(value: unknown): VendorError | undefined {
	const first = Array.isArray(value) ? value[0] : value;
	const error = isRecord(first) ? recordOf(first.error) : undefined;
	const message = textOf(error?.message);
	if (!message) return undefined;
	return present({
		message: message.slice(0, 2_000),
		code: textOf(error?.status)?.slice(0, 100),
	}) as VendorError;
}
