import type { AnswerEvent, AnswerPart } from "../../../ports/canonical.ts";
import type { AnswerReader, Json } from "../../../ports/translator.ts";
import { isRecord, listOf, recordOf, textOf } from "../canonical/fields.ts";
import { json } from "../canonical/sse.ts";
import { messageReader, type StreamMessage } from "./messages.ts";
import { ours } from "./opaque.ts";
import {
	errorOf,
	ownBlock,
	readCitation,
	readFinish,
	readUsage,
} from "./translate-answer-in.ts";

/**
 * Reads a stream of Converse. Blocks of text and of reasoning begin with their first delta; only
 * calls of tools are announced. Usage comes last, behind the reason to stop.
 */
export function openReader(): AnswerReader {
	const reader = messageReader();
	/** Parts that are open, under the vendor's number for their block. */
	const blocks = new Map<unknown, number>();
	/** Those of the vendor's own among them, to be told whole when they close. */
	const own = new Map<unknown, OwnBlock>();
	/** Calls whose arguments have not begun. */
	const silent = new Set<number>();
	let parts = 0;
	let started = false;
	let finished = false;
	let over = false;
	let told: AnswerEvent[] = [];

	function emit(event: AnswerEvent): void {
		if (over) return;
		told.push(event);
		over = event.type === "end" || event.type === "error";
	}

	function start(): void {
		if (started) return;
		started = true;
		emit({ type: "start" });
	}

	function open(index: unknown, value: AnswerPart): number {
		start();
		const part = parts++;
		blocks.set(index, part);
		emit({ type: "open", choice: 0, part, value });
		return part;
	}

	function partAt(index: unknown, type: "text" | "reasoning"): number {
		return blocks.get(index) ?? open(index, { type, text: "" });
	}

	function more(part: number, text: unknown): void {
		if (typeof text !== "string" || text === "") return;
		silent.delete(part);
		emit({ type: "delta", choice: 0, part, text });
	}

	function begin(index: unknown, begun: Json): void {
		if (blocks.has(index)) return;
		const { toolUse } = begun;
		if (isRecord(toolUse) && toolUse.type === undefined)
			silent.add(
				open(index, {
					type: "tool-call",
					id: textOf(toolUse.toolUseId) ?? "",
					name: textOf(toolUse.name) ?? "",
					arguments: "",
				}),
			);
		else if (Object.keys(begun).length > 0) {
			own.set(index, { begun, input: [], content: [] });
			open(index, ownBlock(begun));
		}
	}

	function add(index: unknown, delta: Json): void {
		const mine = own.get(index);
		if (mine) {
			mine.input.push(textOf(recordOf(delta.toolUse)?.input) ?? "");
			mine.content.push(...listOf(delta.toolResult));
			return;
		}
		const { text, toolUse, reasoningContent: reasoning, citation } = delta;
		if (typeof text === "string") {
			more(partAt(index, "text"), text);
		} else if (isRecord(toolUse)) {
			const part = blocks.get(index);
			if (part !== undefined) more(part, toolUse.input);
		} else if (isRecord(reasoning)) {
			const part = partAt(index, "reasoning");
			more(part, reasoning.text);
			const signature = textOf(reasoning.signature);
			const redacted = textOf(reasoning.redactedContent);
			if (signature !== undefined || redacted !== undefined)
				emit({
					type: "opaque",
					choice: 0,
					part,
					opaque: ours(signature !== undefined ? { signature } : { redacted }),
				});
		} else {
			const read = readCitation(citation);
			if (read)
				emit({
					type: "citation",
					choice: 0,
					part: partAt(index, "text"),
					citation: read,
				});
		}
	}

	function close(index: unknown): void {
		const part = blocks.get(index);
		if (part === undefined) return;
		blocks.delete(index);
		// A call without arguments has no pieces, or empty ones.
		if (silent.has(part)) more(part, "{}");
		const mine = own.get(index);
		own.delete(index);
		emit({
			type: "close",
			choice: 0,
			part,
			...(mine && { value: ownBlock(whole(mine)) }),
		});
	}

	function finish(stopped: Json): void {
		if (finished) return;
		finished = true;
		start();
		for (const index of [...blocks.keys()]) close(index);
		emit({ type: "finish", choice: 0, finish: readFinish(stopped) });
	}

	function visit({ type, name, body }: StreamMessage): void {
		const said = json(body);
		if (type === "exception") {
			start();
			const { message } = errorOf(said) ?? {
				message: "The vendor sent an error.",
			};
			emit({ type: "error", error: { message, ...(name && { code: name }) } });
			return;
		}
		if (!isRecord(said)) return;
		const { contentBlockIndex: index } = said;
		switch (name) {
			case "messageStart":
				start();
				return;
			case "contentBlockStart":
				if (!finished) begin(index, recordOf(said.start) ?? {});
				return;
			case "contentBlockDelta":
				if (!finished) add(index, recordOf(said.delta) ?? {});
				return;
			case "contentBlockStop":
				close(index);
				return;
			case "messageStop":
				finish(said);
				return;
			case "metadata": {
				if (!finished) return;
				const usage = readUsage(said.usage);
				if (usage) emit({ type: "usage", usage });
				emit({ type: "end" });
			}
		}
	}

	function taken(): readonly AnswerEvent[] {
		const result = told;
		told = [];
		return result;
	}

	return {
		push(chunk) {
			if (over) return [];
			for (const message of reader.push(chunk)) visit(message);
			if (reader.broken !== undefined) {
				start();
				emit({
					type: "error",
					error: {
						message: "The vendor's stream is damaged.",
						code: "stream-damaged",
					},
				});
			}
			return taken();
		},
		end() {
			// The answer is whole with its reason to stop: only what it used is not known.
			if (finished) emit({ type: "end" });
			over = true;
			return taken();
		},
	};
}

/** A block of a tool that runs at the vendor, as it comes. */
interface OwnBlock {
	readonly begun: Json;
	/** Pieces of JSON text. */
	readonly input: string[];
	readonly content: unknown[];
}

function whole({ begun, input, content }: OwnBlock): Json {
	const { toolUse, toolResult } = begun;
	if (isRecord(toolUse))
		return { toolUse: { ...toolUse, input: json(input.join("")) ?? {} } };
	return isRecord(toolResult)
		? { toolResult: { ...toolResult, content } }
		: begun;
}
