import type { Refusal } from "../../../kernel/outcome.ts";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalRequest,
	Citation,
	Finish,
	Opaque,
	ServerToolPart,
	TokenLogprob,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type {
	AnswerWriter,
	Json,
	Naming,
	Warn,
} from "../../../ports/translator.ts";
import { sequenced } from "../canonical/sequence.ts";
import { bytesOf, sse } from "../canonical/sse.ts";
import {
	asShown,
	contentOf,
	isLost,
	itemId,
	itemOf,
	messageItem,
	phaseOf,
	refusalText,
	searchItem,
	warnOfPart,
	warnOfQuotes,
} from "./answer-out.ts";
import { annotationOf, writtenLogprobs } from "./citations.ts";
import { failureFrames } from "./failure.ts";
import { clientTools } from "./native-tools.ts";
import { carrierOf, foreignOpaque, ourId, ownData } from "./opaque.ts";
import { askedMembers, type Ending, endingOf } from "./response.ts";
import { writtenToolUsage, writtenUsage } from "./usage-out.ts";

/** The part that is being told: what came of it so far, and where it stands in the output. */
interface Telling {
	value: AnswerPart;
	readonly texts: string[];
	/** Characters of text so far. */
	length: number;
	readonly citations: Citation[];
	opaque: Opaque | undefined;
	readonly id: string;
	readonly index: number;
	/** Of a message's content; 0 otherwise. */
	readonly place: number;
	/** What tells of pieces of its text has begun. */
	begun: boolean;
	/** The frame of a delta up to the delta itself: written for every piece. */
	head: string;
}

/** The message whose content is being told. */
interface Message {
	readonly id: string;
	readonly index: number;
	readonly phase: unknown;
	readonly content: Json[];
}

/** Writes a client's stream. Texts that follow each other are one message. */
export function openWriter(
	request: CanonicalRequest,
	naming: Naming,
	_asked?: unknown,
	warn: Warn = () => {},
): AnswerWriter {
	const sequence = sequenced();
	const tools = clientTools(request.tools);
	const output: Json[] = [];
	let frames: string[] = [];
	let number = 0;
	let asked: Json | undefined;
	let model = naming.model;
	let telling: Telling | undefined;
	/** Text that has ended, but whose log probabilities may still come. */
	let ended: Telling | undefined;
	let message: Message | undefined;
	let logprobs: TokenLogprob[] = [];
	let told: TokenLogprob[] = [];
	/** The text that ended last. */
	let last: { readonly content: Json[]; readonly place: number } | undefined;
	let usage: Usage | undefined;
	let finish: Finish | undefined;
	let refused = false;
	let failed = false;

	function say(type: string, members: Json): void {
		frames.push(
			sse(
				JSON.stringify({ type, sequence_number: number++, ...members }),
				type,
			),
		);
	}

	function response(ending: Ending | undefined): Json {
		asked ??= askedMembers(request, naming);
		return {
			...asked,
			status: ending?.status ?? "in_progress",
			completed_at: ending?.status === "completed" ? asked.created_at : null,
			error: ending?.error ?? null,
			incomplete_details: ending?.incomplete_details ?? null,
			model,
			output: ending ? output : [],
			usage: ending && usage ? writtenUsage(usage) : null,
			...(ending && usage && writtenToolUsage(usage)),
		};
	}

	function start(
		event: Partial<Extract<AnswerEvent, { type: "start" }>>,
	): void {
		if (asked) return;
		model = event.model ?? model;
		usage = event.usage;
		asked = askedMembers(request, naming);
		if (event.serviceTier !== undefined)
			asked = { ...asked, service_tier: event.serviceTier };
		say("response.created", { response: response(undefined) });
		say("response.in_progress", { response: response(undefined) });
	}

	function open(value: AnswerPart): void {
		flushEnded();
		if (isLost(value)) {
			telling = undefined;
			return;
		}
		const isContent = value.type === "text" || value.type === "refusal";
		if (message && (!isContent || message.phase !== phaseOf(value)))
			closeMessage(message);
		if (isContent) {
			const inside = message ?? openMessage(phaseOf(value));
			telling = tellingOf(
				value,
				inside.id,
				inside.index,
				inside.content.length,
			);
			const empty = value.type === "text" ? { ...value, citations: [] } : value;
			const part = contentOf({ ...empty, text: "" }, undefined);
			say("response.content_part.added", { ...placeOf(telling), part });
		} else {
			const id = itemId(value, naming.call, output.length);
			telling = tellingOf(value, id, output.length, 0);
			output.push({});
			addItem(value, telling);
		}
		const text = textOf(value);
		if (text !== "") delta(telling, text);
		if (value.type === "text")
			for (const each of value.citations ?? []) cite(telling, each);
	}

	function openMessage(phase: unknown): Message {
		const id = ourId("msg", naming.call, output.length);
		const opened = { id, index: output.length, phase, content: [] };
		output.push({});
		say("response.output_item.added", {
			output_index: opened.index,
			item: messageItem(id, "in_progress", [], phase),
		});
		message = opened;
		return opened;
	}

	function closeMessage({ id, index, phase, content }: Message): void {
		message = undefined;
		done(index, messageItem(id, "completed", content, phase));
	}

	function done(index: number, item: Json): void {
		output[index] = item;
		say("response.output_item.done", { output_index: index, item });
	}

	/** What can be said of an item before it is whole; of some nothing can. */
	function addItem(value: AnswerPart, at: Telling): void {
		let item: Json | undefined;
		if (value.type === "reasoning")
			item = { id: at.id, type: "reasoning", summary: [] };
		else if (
			value.type === "tool-call" &&
			(value.custom || !tools.natives.has(value.name))
		)
			item = {
				...itemOf({ ...value, arguments: "" }, tools, at.id),
				status: "in_progress",
			};
		else if (value.type === "server-tool" && value.tool === "web-search")
			item = searching(value, at.id);
		if (!item) {
			at.head = "";
			return;
		}
		at.begun = value.type !== "reasoning";
		say("response.output_item.added", { output_index: at.index, item });
		if (value.type === "server-tool") {
			const place = { output_index: at.index, item_id: item.id };
			say("response.web_search_call.in_progress", place);
			say("response.web_search_call.searching", place);
		}
	}

	function delta(to: Telling, text: string): void {
		to.texts.push(text);
		to.length += text.length;
		if (to.head === "" || text === "") return;
		if (to.value.type === "reasoning" && !to.begun) beginReasoning(to);
		const tail =
			to.value.type === "text" ? `,"logprobs":${takeLogprobs()}` : "";
		// The hot path: but for the text, all of a frame is known.
		frames.push(
			`${to.head}${number++}${placeJson(to)},"delta":${JSON.stringify(text)}${tail}}\n\n`,
		);
	}

	function takeLogprobs(): string {
		if (logprobs.length === 0) return "[]";
		const written = JSON.stringify(writtenLogprobs(logprobs));
		told.push(...logprobs);
		logprobs = [];
		return written;
	}

	function beginReasoning(to: Telling): void {
		to.begun = true;
		const text = { text: "" };
		if (isSummary(to))
			say("response.reasoning_summary_part.added", {
				...summaryPlace(to),
				part: { type: "summary_text", ...text },
			});
		else
			say("response.content_part.added", {
				...placeOf(to),
				part: { type: "reasoning_text", ...text },
			});
	}

	function cite(to: Telling, citation: Citation): void {
		say("response.output_text.annotation.added", {
			...placeOf(to),
			annotation_index: to.citations.length,
			annotation: annotationOf(citation, to.length),
		});
		// Where it names no place, what the whole says is what the event said.
		to.citations.push({
			...citation,
			start: citation.start ?? 0,
			end: citation.end ?? to.length,
		});
	}

	function close(whole: AnswerPart | undefined): void {
		const closing = telling;
		telling = undefined;
		if (!closing) return;
		if (whole?.type === closing.value.type && isUntold(whole))
			closing.value = whole;
		if (closing.value.type === "text" || closing.value.type === "refusal")
			ended = closing;
		else closeItem(closing, closing.value);
	}

	/** Ends the content that stands last. */
	function flushEnded(): void {
		const closing = ended;
		ended = undefined;
		if (!closing || !message) return;
		const text = closing.texts.join("");
		const part = closing.value;
		const place = placeOf(closing);
		if (part.type === "refusal") {
			refused = true;
			const content = { type: "refusal", refusal: text };
			say("response.refusal.done", { ...place, refusal: text });
			say("response.content_part.done", { ...place, part: content });
			message.content.push(content);
		} else if (part.type === "text") {
			const all = [...told, ...logprobs];
			told = [];
			logprobs = [];
			const content = contentOf(
				{ ...part, text, citations: closing.citations },
				all,
			);
			say("response.output_text.done", {
				...place,
				text,
				logprobs: content.logprobs,
			});
			say("response.content_part.done", { ...place, part: content });
			last = { content: message.content, place: closing.place };
			message.content.push(content);
		}
		carry(closing);
	}

	/** Sends after a part what it brought that only its vendor understands. */
	function carry({ value, opaque }: Telling): void {
		const carried = foreignOpaque(
			value.type === "refusal" || !opaque ? value : { ...value, opaque },
		);
		const index = output.length;
		const item = carried && carrierOf(carried, ourId("rs", naming.call, index));
		if (!item) return;
		if (message) closeMessage(message);
		output.push({});
		const { encrypted_content: _, ...empty } = item;
		say("response.output_item.added", { output_index: index, item: empty });
		done(index, item);
	}

	/** Log probabilities that came when the text had been told stand in the whole response alone. */
	function addLateLogprobs(): void {
		if (!last || logprobs.length === 0) return;
		const { content, place } = last;
		content[place] = {
			...content[place],
			logprobs: [
				...((content[place]?.logprobs as Json[] | undefined) ?? []),
				...writtenLogprobs(logprobs),
			],
		};
	}

	function closeItem(
		at: Telling,
		value: Exclude<AnswerPart, { type: "text" | "refusal" }>,
	): void {
		const text = at.texts.join("");
		const place = { item_id: at.id, output_index: at.index };
		if (value.type === "reasoning") {
			if (at.begun) endReasoning(at, text);
			const { opaque: _, ...bare } = value;
			const item = itemOf(
				{ ...bare, text, ...(at.opaque && { opaque: at.opaque }) },
				tools,
				at.id,
				true,
			);
			done(at.index, item);
		} else if (value.type === "tool-call") {
			const item = itemOf(
				{ ...value, arguments: text, ...(at.opaque && { opaque: at.opaque }) },
				tools,
				at.id,
			);
			if (value.custom)
				say("response.custom_tool_call_input.done", { ...place, input: text });
			else if (at.begun)
				say("response.function_call_arguments.done", {
					...place,
					name: item.name,
					arguments: text,
				});
			else addWhole(at.index, item);
			done(at.index, item);
		} else if (value.type === "server-tool" && value.tool === "web-search") {
			const item = itemOf(value, tools, at.id);
			const search = { ...item, id: searching(value, at.id).id };
			say("response.web_search_call.completed", {
				output_index: at.index,
				item_id: search.id,
			});
			done(at.index, search);
		} else {
			const item = itemOf(value, tools, at.id);
			addWhole(at.index, item);
			done(at.index, item);
		}
		carry(at);
	}

	function addWhole(index: number, item: Json): void {
		say("response.output_item.added", {
			output_index: index,
			item: { ...item, status: "in_progress" },
		});
	}

	function endReasoning(at: Telling, text: string): void {
		if (isSummary(at)) {
			const place = summaryPlace(at);
			say("response.reasoning_summary_text.done", { ...place, text });
			say("response.reasoning_summary_part.done", {
				...place,
				part: { type: "summary_text", text },
			});
		} else {
			const place = placeOf(at);
			say("response.reasoning_text.done", { ...place, text });
			say("response.content_part.done", {
				...place,
				part: { type: "reasoning_text", text },
			});
		}
	}

	function take(event: AnswerEvent): void {
		if (event.type !== "start") start({});
		// No client of this protocol asks for a second choice.
		if ("choice" in event && event.choice !== 0) return;
		switch (event.type) {
			case "start":
				start(event);
				return;
			case "open":
				warnOfPart(event.value, event.part, warn);
				open(asShown(event.value, request));
				return;
			case "delta":
				if (telling) delta(telling, event.text);
				return;
			case "opaque":
				if (telling) telling.opaque = event.opaque;
				return;
			case "citation":
				if (event.citation.quote) warnOfQuotes(event.part, warn);
				if (telling) cite(telling, event.citation);
				return;
			case "logprobs":
				logprobs.push(...event.tokens);
				return;
			case "close":
				close(event.value && asShown(event.value, request));
				return;
			case "finish":
				finish = event.finish;
				return;
			case "usage":
				usage = event.usage;
				return;
			case "error":
				failed = true;
		}
	}

	function taken(): Uint8Array | undefined {
		const bytes = bytesOf(frames);
		frames = [];
		return bytes;
	}

	return {
		push(events) {
			for (const event of sequence.push(events)) take(event);
			return taken();
		},
		end() {
			if (failed) return undefined;
			for (const event of sequence.push([{ type: "end" }])) take(event);
			flushEnded();
			if (finish?.reason === "refusal" && !refused) {
				open({ type: "refusal", text: refusalText });
				close(undefined);
				flushEnded();
			}
			if (message) closeMessage(message);
			addLateLogprobs();
			const ending = endingOf(finish ?? { reason: "stop" });
			say(`response.${ending.status}`, { response: response(ending) });
			return taken();
		},
		refuse(refusal: Refusal) {
			return Buffer.from(
				frames.join("") +
					failureFrames(
						refusal,
						number,
						asked && {
							...asked,
							model,
							output: output.filter(({ id }) => id !== undefined),
						},
					),
			);
		},
	};
}

function tellingOf(
	value: AnswerPart,
	id: string,
	index: number,
	place: number,
): Telling {
	const opaque = "opaque" in value ? value.opaque : undefined;
	const type = deltaOf(value);
	return {
		value,
		texts: [],
		length: 0,
		citations: [],
		opaque,
		id:
			value.type === "reasoning" && typeof ownData(opaque)?.id === "string"
				? (ownData(opaque)?.id as string)
				: id,
		index,
		place,
		begun: false,
		head:
			type === undefined
				? ""
				: `event: ${type}\ndata: {"type":"${type}","sequence_number":`,
	};
}

function deltaOf(value: AnswerPart): string | undefined {
	switch (value.type) {
		case "text":
			return "response.output_text.delta";
		case "refusal":
			return "response.refusal.delta";
		case "reasoning":
			return value.summary
				? "response.reasoning_summary_text.delta"
				: "response.reasoning_text.delta";
		case "tool-call":
			return value.custom
				? "response.custom_tool_call_input.delta"
				: "response.function_call_arguments.delta";
		default:
			return undefined;
	}
}

function textOf(value: AnswerPart): string {
	if (value.type === "tool-call") return value.arguments;
	return "text" in value ? value.text : "";
}

/** Parts whose closing may bring what their opening did not have. */
function isUntold(value: AnswerPart): boolean {
	return value.type === "server-tool" || value.type === "image";
}

function isSummary({ value }: Telling): boolean {
	return value.type === "reasoning" && value.summary === true;
}

function placeOf({ id, index, place }: Telling): Json {
	return { item_id: id, output_index: index, content_index: place };
}

function summaryPlace({ id, index }: Telling): Json {
	return { item_id: id, output_index: index, summary_index: 0 };
}

function placeJson(to: Telling): string {
	const place = `,"item_id":${JSON.stringify(to.id)},"output_index":${to.index}`;
	if (to.value.type === "tool-call") return place;
	return isSummary(to)
		? `${place},"summary_index":0`
		: `${place},"content_index":${to.place}`;
}

function searching(value: ServerToolPart, id: string): Json {
	const data = ownData(value.opaque);
	return data
		? { ...data, status: "in_progress" }
		: searchItem(value, id, "in_progress");
}
