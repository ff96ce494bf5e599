import type {
	AnswerEvent,
	AnswerPart,
	CanonicalRequest,
	Citation,
	Finish,
	Opaque,
	ReasoningPart,
	ServerToolPart,
	TokenLogprob,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type { Json, Naming, Warn, Warning } from "../../../ports/translator.ts";
import { isRecord, present } from "../canonical/fields.ts";
import { writeMedia } from "./media.ts";
import { ownParts, signatureFor, signatureIn } from "./signature.ts";
import { writeUsage } from "./usage-out.ts";

/** What is to be said of a choice: pieces of its content, and members of its candidate. */
export interface Said {
	readonly choice: number;
	readonly parts: readonly Json[];
	readonly members?: Json;
}

/** Writes answers for clients, whole ones and the pieces of streams alike. */
export interface Writing {
	take(events: readonly AnswerEvent[]): readonly Said[];
	/** What ends each choice. */
	conclude(): readonly Said[];
	/** What stands on every piece. */
	head(): Json;
	/** Usage as far as it is known. */
	usage(): Json | undefined;
	/** The vendor's error ended it. */
	readonly broken: boolean;
}

export function openWriting(
	request: CanonicalRequest,
	naming: Naming,
	warn: Warn = () => {},
): Writing {
	const choices = new Map<number, ChoiceWriting>();
	const { show } = request.reasoning ?? {};
	const shows = show !== undefined && show !== "none";
	const searches =
		request.tools?.some(
			({ type }) => type === "web-search" || type === "server",
		) === true;
	let id: string | undefined;
	let model: string | undefined;
	let usage: Usage | undefined;
	let serviceTier: string | undefined;
	let broken = false;

	function choiceAt(choice: number): ChoiceWriting {
		let found = choices.get(choice);
		if (!found) {
			found = openChoice(shows, searches, warn);
			choices.set(choice, found);
		}
		return found;
	}

	return {
		take(events) {
			const said: Said[] = [];
			for (const event of events) {
				switch (event.type) {
					case "start":
						id = event.id;
						model = event.model;
						usage = event.usage;
						serviceTier = event.serviceTier;
						break;
					case "usage":
						usage = event.usage;
						break;
					case "error":
						broken = true;
						break;
					case "end":
						break;
					case "logprobs":
						if (event.tokens.length > 0)
							said.push({
								choice: event.choice,
								parts: [],
								members: { logprobsResult: writeLogprobs(event.tokens) },
							});
						break;
					default: {
						const parts = choiceAt(event.choice).take(event);
						if (parts.length > 0) said.push({ choice: event.choice, parts });
					}
				}
			}
			return said;
		},
		conclude() {
			const ended = choices.size > 0 ? choices : new Map([[0, choiceAt(0)]]);
			return [...ended].map(([choice, each]) => ({
				choice,
				...each.conclude(),
			}));
		},
		usage() {
			if (usage) return writeUsage(usage, serviceTier);
			return serviceTier === undefined ? undefined : { serviceTier };
		},
		head: () => ({
			modelVersion: model ?? naming.model,
			responseId: id ?? naming.call,
		}),
		get broken() {
			return broken;
		},
	};
}

type ChoiceEvent = Exclude<
	Extract<AnswerEvent, { readonly choice: number }>,
	{ readonly type: "logprobs" }
>;

interface ChoiceWriting {
	take(event: ChoiceEvent): readonly Json[];
	conclude(): Omit<Said, "choice">;
}

/** A part that was opened and not closed. */
interface Open {
	readonly value: AnswerPart;
	/** Of reasoning and calls: their text so far. */
	readonly pieces: string[];
	opaque?: Opaque;
}

/** Something of the text that a citation is about. */
interface Cited {
	readonly citation: Citation;
	/** Where its part begins in the choice's text. */
	readonly base: number;
	end: number;
}

function openChoice(
	shows: boolean,
	searches: boolean,
	warn: Warn,
): ChoiceWriting {
	const open = new Map<number, Open>();
	/** Parts that have no form here: they ride on the next one. */
	let before: (ReasoningPart | ServerToolPart)[] = [];
	let finish: Finish | undefined;
	/** Tools whose calls were no JSON object, as nothing else is taken here. */
	const malformed: string[] = [];
	/** The text so far, where citations may point into it, and how much there is. */
	const told: string[] = [];
	let length = 0;
	/** Where the text of the open part began. */
	const bases = new Map<number, number>();
	const cited: Cited[] = [];
	const found: ServerToolPart[] = [];

	/** The signature of the next part: it takes along what waits. */
	function waiting(): readonly AnswerPart[] {
		const carried = before;
		before = [];
		// Thoughts that nobody signed were told as such; beside signed ones they go along, in their order.
		return carried.some(({ opaque }) => opaque) ? carried : [];
	}

	function sign(opaque?: Opaque): { thoughtSignature?: string } {
		const thoughtSignature = signatureFor({
			...(opaque && { opaque }),
			before: waiting(),
		});
		return thoughtSignature === undefined ? {} : { thoughtSignature };
	}

	function add(part: number, there: Open, text: string): readonly Json[] {
		if (text === "") return [];
		switch (there.value.type) {
			case "reasoning":
				there.pieces.push(text);
				return shows ? [{ text, thought: true }] : [];
			case "tool-call":
				there.pieces.push(text);
				return [];
			default:
				if (!bases.has(part)) bases.set(part, length);
				length += text.length;
				if (searches) told.push(text);
				return [{ text, ...sign() }];
		}
	}

	function close(
		part: number,
		value: AnswerPart,
		there: Open,
	): readonly Json[] {
		const opaque =
			there.opaque ?? ("opaque" in value ? value.opaque : undefined);
		switch (value.type) {
			case "text": {
				for (const each of cited)
					if (each.end < 0 && each.base === bases.get(part)) each.end = length;
				if (!opaque) return [];
				const thoughtSignature =
					signatureIn(opaque) ?? signatureFor({ opaque, hollow: true });
				return thoughtSignature ? [{ text: "", thoughtSignature }] : [];
			}
			case "reasoning": {
				const text = there.pieces.join("");
				const signature = signatureIn(opaque);
				if (signature !== undefined)
					return [{ text: "", thought: true, thoughtSignature: signature }];
				before.push({ ...value, text, ...(opaque && { opaque }) });
				return [];
			}
			case "tool-call": {
				const functionCall = callOf(value, there.pieces.join(""));
				if (functionCall) return [{ functionCall, ...sign(opaque) }];
				malformed.push(value.name);
				return [];
			}
			case "server-tool": {
				const own = ownParts(value);
				if (own.length > 0) return own;
				if (value.tool === "web-search") found.push(value);
				if (opaque) before.push(value);
				return [];
			}
			case "refusal":
				return [];
			default:
				return [{ ...writeMedia(value, "media"), ...sign(opaque) }];
		}
	}

	return {
		take(event) {
			if (event.type === "finish") {
				finish = event.finish;
				return [];
			}
			if (event.type === "open") {
				const { value, part } = event;
				const there: Open = { value, pieces: [] };
				open.set(part, there);
				if (value.type === "tool-call") {
					there.pieces.push(value.arguments);
					return [];
				}
				return "text" in value ? add(part, there, value.text) : [];
			}
			const there = open.get(event.part);
			if (!there) return [];
			switch (event.type) {
				case "delta":
					return add(event.part, there, event.text);
				case "opaque":
					there.opaque = event.opaque;
					return [];
				case "citation":
					if (event.citation.url === undefined) warn(uncited);
					cited.push({
						citation: event.citation,
						base: bases.get(event.part) ?? length,
						end: -1,
					});
					return [];
				case "close":
					open.delete(event.part);
					return close(event.part, event.value ?? there.value, there);
			}
		},
		conclude() {
			const parts: Json[] = [];
			const carried = waiting();
			const thoughtSignature =
				carried.length > 0
					? signatureFor({ before: carried, hollow: true })
					: undefined;
			if (thoughtSignature) parts.push({ text: "", thoughtSignature });
			const [name] = malformed;
			const groundingMetadata = ground(
				found,
				cited,
				searches ? told.join("") : undefined,
			);
			return {
				parts,
				members: present({
					finishReason:
						name === undefined
							? finishes[finish?.reason ?? "error"]
							: "MALFORMED_FUNCTION_CALL",
					finishMessage:
						name === undefined
							? undefined
							: `The model called ${name} with arguments that are no JSON object.`,
					groundingMetadata,
				}),
			};
		},
	};
}

const uncited: Warning = {
	kind: "dropped",
	field: "citations",
	message:
		"This protocol cites pages only: what is cited of a document is not told.",
};

function callOf(call: ToolCallPart, text: string): Json | undefined {
	const { id, name, custom } = call;
	if (custom) return { id, name, args: { input: text } };
	if (text === "") return { id, name, args: {} };
	try {
		const args: unknown = JSON.parse(text);
		return isRecord(args) ? { id, name, args } : undefined;
	} catch {
		return undefined;
	}
}

const finishes: Readonly<Record<Finish["reason"], string>> = {
	stop: "STOP",
	"stop-sequence": "STOP",
	"tool-calls": "STOP",
	length: "MAX_TOKENS",
	"context-window": "MAX_TOKENS",
	"content-filter": "SAFETY",
	refusal: "SAFETY",
	pause: "OTHER",
	error: "OTHER",
};

function ground(
	searches: readonly ServerToolPart[],
	cited: readonly Cited[],
	text: string | undefined,
): Json | undefined {
	const pages = cited.filter(({ citation }) => citation.url !== undefined);
	if (searches.length === 0 && pages.length === 0) return undefined;
	const chunks: Json[] = [];
	const places = new Map<string, number>();
	function chunkOf(url: string, title: string | undefined): number {
		const there = places.get(url);
		if (there !== undefined) return there;
		places.set(url, chunks.length);
		chunks.push({ web: present({ uri: url, title }) });
		return chunks.length - 1;
	}
	for (const { results = [] } of searches)
		for (const { url, title } of results) chunkOf(url, title);
	const supports = pages.map(({ citation, base, end }) => {
		const { url = "", title, start } = citation;
		const from = start === undefined ? base : base + start;
		const to =
			start === undefined || citation.end === undefined
				? end
				: base + citation.end;
		const index = chunkOf(url, title);
		return {
			...(text !== undefined &&
				to > from && { segment: segmentOf(text, from, to) }),
			groundingChunkIndices: [index],
		};
	});
	const queries = searches.flatMap(({ query }) => query ?? []);
	return present({
		webSearchQueries: queries.length > 0 ? queries : undefined,
		groundingChunks: chunks.length > 0 ? chunks : undefined,
		groundingSupports: supports.length > 0 ? supports : undefined,
	});
}

/** Places are counted in bytes here. */
function segmentOf(text: string, from: number, to: number): Json {
	const quoted = text.slice(from, to);
	const startIndex = Buffer.byteLength(text.slice(0, from));
	return present({
		startIndex: startIndex || undefined,
		endIndex: startIndex + Buffer.byteLength(quoted),
		text: quoted,
	});
}

function writeLogprobs(tokens: readonly TokenLogprob[]): Json {
	return present({
		chosenCandidates: tokens.map(writeToken),
		topCandidates: tokens.some(({ top }) => top && top.length > 0)
			? tokens.map(({ top = [] }) => ({ candidates: top.map(writeToken) }))
			: undefined,
	});
}

function writeToken({
	token,
	logprob,
}: {
	token: string;
	logprob: number;
}): Json {
	return { token, logProbability: logprob };
}
