import type {
	AnswerEvent,
	AnswerPart,
	TokenLogprob,
} from "../../../ports/canonical.ts";
import type { AnswerReader } from "../../../ports/translator.ts";
import {
	isRecord,
	listOf,
	present,
	recordOf,
	recordsOf,
	textOf,
} from "../canonical/fields.ts";
import { answerReader, json } from "../canonical/sse.ts";
import { logprobsIn, usageIn } from "./answer-in.ts";
import { citationOf, logprobsOf } from "./citations.ts";
import { carriedBy } from "./opaque.ts";
import { callPart, contentPart, partsOfItem } from "./parts-in.ts";
import { finishOf } from "./response.ts";

type Emit = (event: AnswerEvent) => void;
type Item = Readonly<Record<string, unknown>>;

/** A part of the answer that has begun. */
interface OpenPart {
	readonly part: number;
	/** Something was said of it, so that what the closing events say again is not said twice. */
	told: boolean;
	closed: boolean;
	citations: number;
	logprobs: boolean;
}

/** An item of the output, by its index. */
interface OpenItem {
	readonly item: Item;
	/** Parts of a message, by the index of their content; an item that is one part has it at 0. */
	readonly parts: Map<number, OpenPart>;
	done: boolean;
}

/**
 * Reads a vendor's stream. What deltas said, the events that close a part or an item say again: they
 * only count where there were none, as some vendors send.
 */
export function openReader(): AnswerReader {
	const items = new Map<number, OpenItem>();
	/** Ids of the items that are done. */
	const told = new Set<unknown>();
	let started = false;
	let parts = 0;
	let hasCalls = false;
	let hasRefusal = false;
	let hasLogprobs = false;

	function start(response: Item, emit: Emit): void {
		if (started) return;
		started = true;
		emit({
			type: "start",
			...present({
				id: textOf(response.id),
				model: textOf(response.model),
				serviceTier: textOf(response.service_tier),
			}),
		});
	}

	function open(
		at: OpenItem,
		index: number,
		value: AnswerPart,
		emit: Emit,
	): OpenPart {
		const opened = {
			part: parts++,
			told: false,
			closed: false,
			citations: 0,
			logprobs: false,
		};
		at.parts.set(index, opened);
		if (value.type === "tool-call") hasCalls = true;
		if (value.type === "refusal") hasRefusal = true;
		emit({ type: "open", choice: 0, part: opened.part, value });
		return opened;
	}

	function tell(to: OpenPart, text: unknown, emit: Emit): void {
		if (to.closed || typeof text !== "string" || text === "") return;
		to.told = true;
		emit({ type: "delta", choice: 0, part: to.part, text });
	}

	function tellLogprobs(to: OpenPart, value: unknown, emit: Emit): void {
		const tokens: readonly TokenLogprob[] = logprobsOf(value);
		if (tokens.length === 0) return;
		to.logprobs = hasLogprobs = true;
		emit({ type: "logprobs", choice: 0, tokens });
	}

	function close(to: OpenPart, emit: Emit): void {
		if (to.closed) return;
		to.closed = true;
		emit({ type: "close", choice: 0, part: to.part });
	}

	function itemAt(event: Item, type: string): OpenItem {
		const index = numberAt(event.output_index);
		let found = items.get(index);
		if (!found) {
			found = {
				item: { type, id: event.item_id },
				parts: new Map(),
				done: false,
			};
			items.set(index, found);
		}
		return found;
	}

	/** The content of a message that an event is about, begun if nobody said that it begins. */
	function contentAt(event: Item, type: string, emit: Emit): OpenPart {
		const at = itemAt(event, "message");
		const index = numberAt(event.content_index);
		return (
			at.parts.get(index) ??
			open(at, index, contentPart({ type }, at.item.phase) as AnswerPart, emit)
		);
	}

	function reasoningAt(event: Item, summary: boolean, emit: Emit): OpenPart {
		const at = itemAt(event, "reasoning");
		return (
			at.parts.get(0) ??
			open(
				at,
				0,
				{ type: "reasoning", text: "", ...(summary && { summary }) },
				emit,
			)
		);
	}

	function addItem(index: number, item: Item, emit: Emit): OpenItem {
		// Some vendors number none of their items.
		for (const each of items.get(index)?.parts.values() ?? [])
			close(each, emit);
		const at: OpenItem = { item, parts: new Map(), done: false };
		items.set(index, at);
		if (item.type === "function_call" || item.type === "custom_tool_call") {
			const call = callPart(item);
			if (call) {
				const opened = open(at, 0, { ...call, arguments: "" }, emit);
				tell(opened, call.arguments, emit);
			}
		} else if (item.type === "web_search_call") {
			const [search] = partsOfItem(item);
			if (search?.type === "server-tool") {
				const { opaque: _, ...value } = search;
				open(at, 0, value, emit);
			}
		}
		return at;
	}

	/** Everything about an item that was not said before it was done. */
	function finishItem(index: number, item: Item, emit: Emit): void {
		const at = items.get(index) ?? addItem(index, item, emit);
		if (at.done) return;
		at.done = true;
		told.add(item.id);
		if (item.type === "message") {
			for (const [place, content] of listOf(item.content).entries())
				if (isRecord(content)) finishContent(at, place, content, emit);
		} else if (item.type === "reasoning") {
			// What is carried for a part that has closed comes too late for it.
			if (!carriedBy(item)) finishReasoning(at, item, emit);
		} else if (
			item.type === "function_call" ||
			item.type === "custom_tool_call"
		) {
			const call = callPart(item);
			const opened = at.parts.get(0);
			if (opened && !opened.told) tell(opened, call?.arguments, emit);
			if (
				opened &&
				call?.opaque &&
				!opened.closed &&
				!callPart(at.item)?.opaque
			)
				emit({
					type: "opaque",
					choice: 0,
					part: opened.part,
					opaque: call.opaque,
				});
		} else {
			for (const [place, value] of partsOfItem(item).entries())
				finishWhole(at, place, value, emit);
		}
		for (const each of at.parts.values()) close(each, emit);
	}

	function finishContent(
		at: OpenItem,
		place: number,
		content: Item,
		emit: Emit,
	): void {
		const value = contentPart(content, at.item.phase);
		if (value?.type !== "text" && value?.type !== "refusal") return;
		const { citations, ...bare } =
			value.type === "text" ? value : { ...value, citations: undefined };
		const opened =
			at.parts.get(place) ?? open(at, place, { ...bare, text: "" }, emit);
		if (opened.closed) return;
		if (!opened.told) tell(opened, value.text, emit);
		for (const citation of (citations ?? []).slice(opened.citations))
			emit({ type: "citation", choice: 0, part: opened.part, citation });
		if (!opened.logprobs) tellLogprobs(opened, content.logprobs, emit);
		close(opened, emit);
	}

	function finishReasoning(at: OpenItem, item: Item, emit: Emit): void {
		const [value] = partsOfItem(item);
		if (value?.type !== "reasoning") return;
		const { opaque, ...bare } = value;
		const opened = at.parts.get(0) ?? open(at, 0, { ...bare, text: "" }, emit);
		if (!opened.told) tell(opened, value.text, emit);
		if (opaque && !opened.closed)
			emit({ type: "opaque", choice: 0, part: opened.part, opaque });
	}

	function finishWhole(
		at: OpenItem,
		place: number,
		value: AnswerPart,
		emit: Emit,
	): void {
		const before = at.parts.get(place);
		if (before?.closed) return;
		if (value.type === "tool-call") {
			if (before) return;
			const opened = open(at, place, { ...value, arguments: "" }, emit);
			tell(opened, value.arguments, emit);
			return;
		}
		const opened = before ?? open(at, place, value, emit);
		opened.closed = true;
		emit({ type: "close", choice: 0, part: opened.part, value });
	}

	function finish(response: Item, emit: Emit): void {
		start(response, emit);
		for (const [index, item] of listOf(response.output).entries())
			if (isRecord(item) && (item.id === undefined || !told.has(item.id)))
				finishItem(index, item, emit);
		for (const at of items.values())
			for (const each of at.parts.values()) close(each, emit);
		if (!hasLogprobs) {
			const tokens = recordsOf(response.output).flatMap(logprobsIn);
			if (tokens.length > 0) emit({ type: "logprobs", choice: 0, tokens });
		}
		const usage = usageIn(response);
		if (usage) emit({ type: "usage", usage });
		emit({
			type: "finish",
			choice: 0,
			finish: finishOf(response, hasCalls, hasRefusal),
		});
		emit({ type: "end" });
	}

	function visit(event: Item, emit: Emit): void {
		switch (event.type) {
			case "response.output_text.delta": {
				const to = contentAt(event, "output_text", emit);
				tell(to, event.delta, emit);
				if (Array.isArray(event.logprobs) && event.logprobs.length > 0)
					tellLogprobs(to, event.logprobs, emit);
				return;
			}
			case "response.function_call_arguments.delta":
			case "response.custom_tool_call_input.delta": {
				const to = items.get(numberAt(event.output_index))?.parts.get(0);
				if (to) tell(to, event.delta, emit);
				return;
			}
			case "response.reasoning_summary_text.delta":
				tell(reasoningAt(event, true, emit), event.delta, emit);
				return;
			case "response.reasoning_text.delta":
				tell(reasoningAt(event, false, emit), event.delta, emit);
				return;
			case "response.refusal.delta":
				tell(contentAt(event, "refusal", emit), event.delta, emit);
				return;
			case "response.output_text.done": {
				const to = contentAt(event, "output_text", emit);
				if (!to.told) tell(to, event.text, emit);
				if (!to.logprobs && !to.closed) tellLogprobs(to, event.logprobs, emit);
				return;
			}
			case "response.reasoning_summary_part.added":
				// Summaries of one item are one text, a paragraph each.
				if (numberAt(event.summary_index) > 0)
					tell(reasoningAt(event, true, emit), "\n\n", emit);
				return;
			case "response.content_part.added": {
				const part = recordOf(event.part);
				if (part?.type === "reasoning_text") reasoningAt(event, false, emit);
				else if (part?.type === "output_text" || part?.type === "refusal")
					tell(
						contentAt(event, part.type, emit),
						part.text ?? part.refusal,
						emit,
					);
				return;
			}
			case "response.output_text.annotation.added": {
				const annotation = recordOf(event.annotation);
				const to = contentAt(event, "output_text", emit);
				if (!annotation || to.closed) return;
				to.citations++;
				const citation = citationOf(annotation);
				emit({ type: "citation", choice: 0, part: to.part, citation });
				return;
			}
			case "response.content_part.done": {
				const part = recordOf(event.part);
				if (part && part.type !== "reasoning_text")
					finishContent(
						itemAt(event, "message"),
						numberAt(event.content_index),
						part,
						emit,
					);
				return;
			}
			case "response.output_item.added":
				if (isRecord(event.item))
					addItem(numberAt(event.output_index), event.item, emit);
				return;
			case "response.output_item.done":
				if (isRecord(event.item))
					finishItem(numberAt(event.output_index), event.item, emit);
				return;
			case "response.completed":
			case "response.incomplete":
				if (isRecord(event.response)) finish(event.response, emit);
				return;
			case "response.failed": {
				const response = recordOf(event.response);
				emit(failure(recordOf(response?.error) ?? {}));
				return;
			}
			default:
				if (event.type === "error" || isRecord(event.error))
					emit(failure(recordOf(event.error) ?? event));
		}
	}

	return answerReader({
		visit(data, _event, emit) {
			const event = json(data);
			if (!isRecord(event)) return;
			if (!started && typeof event.type === "string" && event.type !== "error")
				start(recordOf(event.response) ?? {}, emit);
			visit(event, emit);
		},
		// Only its last event says that an answer is whole.
		conclude() {},
	});
}

function numberAt(index: unknown): number {
	return typeof index === "number" ? index : 0;
}

function failure(error: Item): AnswerEvent {
	const code = textOf(error.code) ?? textOf(error.type);
	return {
		type: "error",
		error: {
			message: textOf(error.message) ?? "The vendor's answer failed.",
			...(code !== undefined && { code }),
		},
	};
}
