import type {
	AnswerEvent,
	AnswerPart,
	ServerToolPart,
} from "../../../ports/canonical.ts";
import type { AnswerReader, Json } from "../../../ports/translator.ts";
import { isRecord, recordOf, textOf } from "../canonical/fields.ts";
import { answerReader, json } from "../canonical/sse.ts";
import { readCitation } from "./citations.ts";
import { ours } from "./opaque.ts";
import { isResult, ownBlocks, withResult } from "./server-tools.ts";
import {
	errorOf,
	explanation,
	readFinish,
	readPart,
	readTier,
	readUsage,
} from "./translate-answer-in.ts";
import { mergeReports } from "./usage.ts";

type Emit = (event: AnswerEvent) => void;

/** A block that is being told, under the vendor's number for it. */
interface Block {
	readonly part: number;
	readonly value: AnswerPart;
	/** Of a call: its input as the block began, until a piece of it came. */
	input?: unknown;
	/** Of a tool that the vendor ran: pieces of its input. */
	readonly pieces: string[];
}

/** Reads a stream of the Messages API. Pings and events of other kinds are passed by. */
export function openReader(): AnswerReader {
	const blocks = new Map<unknown, Block>();
	/** Tools that run at the vendor, by their id, until their result comes. */
	const running = new Map<string, { part: number; value: ServerToolPart }>();
	let parts = 0;
	let report: Json | undefined;
	let started = false;
	let finished = false;

	function start(event: Json, emit: Emit): void {
		if (started) return;
		started = true;
		const message = recordOf(event.message) ?? {};
		const id = textOf(message.id);
		const model = textOf(message.model);
		const first = recordOf(message.usage);
		report = first && mergeReports(undefined, first);
		const usage = readUsage(report);
		const serviceTier = readTier(report);
		emit({
			type: "start",
			...(id !== undefined && { id }),
			...(model !== undefined && { model }),
			...(usage && { usage }),
			...(serviceTier !== undefined && { serviceTier }),
		});
	}

	function open(index: unknown, content: Json, emit: Emit): void {
		const tool = isResult(content)
			? running.get(content.tool_use_id as string)
			: undefined;
		if (tool) {
			running.delete(content.tool_use_id as string);
			const value = withResult(tool.value, content);
			emit({ type: "close", choice: 0, part: tool.part, value });
			return;
		}
		start({}, emit);
		const value = emptied(readPart(content));
		const part = parts++;
		blocks.set(index, { part, value, input: content.input, pieces: [] });
		emit({ type: "open", choice: 0, part, value });
		more(part, content.text, emit);
		more(part, content.thinking, emit);
	}

	function add(block: Block, delta: Json, emit: Emit): void {
		const { part, value } = block;
		switch (delta.type) {
			case "text_delta":
				more(part, delta.text, emit);
				return;
			case "thinking_delta":
				more(part, delta.thinking, emit);
				return;
			case "input_json_delta": {
				if (value.type === "server-tool")
					block.pieces.push(textOf(delta.partial_json) ?? "");
				else if (delta.partial_json !== "") {
					block.input = undefined;
					more(part, delta.partial_json, emit);
				}
				return;
			}
			case "signature_delta": {
				const signature = textOf(delta.signature);
				if (signature !== undefined)
					emit({
						type: "opaque",
						choice: 0,
						part,
						opaque: ours({ signature }),
					});
				return;
			}
			case "citations_delta": {
				const citation = readCitation(delta.citation);
				if (citation) emit({ type: "citation", choice: 0, part, citation });
			}
		}
	}

	function close(block: Block, emit: Emit): void {
		const { part, value, input, pieces } = block;
		if (value.type === "server-tool") {
			const said = pieces.length > 0 ? json(pieces.join("")) : undefined;
			const whole = said === undefined ? value : withInput(value, said);
			// Blocks of other kinds have no result.
			if (isCall(whole)) running.set(whole.id, { part, value: whole });
			else emit({ type: "close", choice: 0, part });
			return;
		}
		// A call without arguments has no pieces; some send its input whole.
		if (value.type === "tool-call" && input !== undefined)
			more(part, JSON.stringify(input ?? {}), emit);
		emit({ type: "close", choice: 0, part });
	}

	function finish(event: Json, emit: Emit): void {
		if (isRecord(event.usage)) report = mergeReports(report, event.usage);
		const delta = recordOf(event.delta);
		if (finished || typeof delta?.stop_reason !== "string") return;
		finished = true;
		start({}, emit);
		closeAll(emit);
		for (const value of explanation(delta)) {
			const part = parts++;
			emit({ type: "open", choice: 0, part, value });
			emit({ type: "close", choice: 0, part });
		}
		emit({ type: "finish", choice: 0, finish: readFinish(delta) });
	}

	/** Tools whose result never came, as when the turn pauses, and blocks that were left open. */
	function closeAll(emit: Emit): void {
		for (const block of blocks.values()) close(block, emit);
		blocks.clear();
		for (const { part, value } of running.values())
			emit({ type: "close", choice: 0, part, value });
		running.clear();
	}

	function end(emit: Emit): void {
		start({}, emit);
		const usage = readUsage(report);
		if (usage) emit({ type: "usage", usage });
		emit({ type: "end" });
	}

	return answerReader({
		visit(data, _event, emit) {
			const event = json(data);
			if (!isRecord(event)) return;
			switch (event.type) {
				case "message_start":
					start(event, emit);
					return;
				case "content_block_start":
					if (isRecord(event.content_block) && !blocks.has(event.index))
						open(event.index, event.content_block, emit);
					return;
				case "content_block_delta": {
					const block = blocks.get(event.index);
					if (block && isRecord(event.delta)) add(block, event.delta, emit);
					return;
				}
				case "content_block_stop": {
					const block = blocks.get(event.index);
					blocks.delete(event.index);
					if (block) close(block, emit);
					return;
				}
				case "message_delta":
					finish(event, emit);
					return;
				case "message_stop":
					end(emit);
					return;
				case "error":
					start({}, emit);
					emit({
						type: "error",
						error: errorOf(event) ?? { message: "The vendor sent an error." },
					});
			}
		},
		conclude(emit) {
			// Some servers send no `message_stop`: a reason to stop is an end as well.
			if (finished) end(emit);
		},
	});
}

function more(part: number, text: unknown, emit: Emit): void {
	if (typeof text === "string" && text !== "")
		emit({ type: "delta", choice: 0, part, text });
}

/** The part as its block begins: what it holds comes in pieces. */
function emptied(part: AnswerPart): AnswerPart {
	switch (part.type) {
		case "text":
		case "reasoning":
			return { ...part, text: "" };
		case "tool-call":
			return { ...part, arguments: "" };
		default:
			return part;
	}
}

/** Whether a result may follow. */
function isCall(part: ServerToolPart): boolean {
	const [block = {}] = ownBlocks(part);
	return part.id !== "" && !isResult(block) && "input" in block;
}

function withInput(part: ServerToolPart, input: unknown): ServerToolPart {
	return readPart({ ...ownBlocks(part)[0], input }) as ServerToolPart;
}
