import type {
	AnswerEvent,
	AnswerPart,
	Citation,
	Finish,
	Opaque,
} from "../../../ports/canonical.ts";
import type { Usage } from "../../../ports/price-book.ts";
import type {
	AnswerWriter,
	Json,
	Naming,
	Warn,
} from "../../../ports/translator.ts";
import { sequenced } from "../canonical/sequence.ts";
import { bytesOf } from "../canonical/sse.ts";
import { writeCitation } from "./citations.ts";
import { signatureFor } from "./opaque.ts";
import {
	callBlock,
	markBlocks,
	messageHead,
	redactedBlock,
	serverBlocks,
	warnOfChoices,
	warnOfPart,
	writeFinish,
} from "./translate-answer-out.ts";
import { writeDeltaUsage, writeUsage } from "./usage-out.ts";

/** The part that is being told. */
interface Telling {
	readonly number: number;
	readonly value: AnswerPart;
	/** Its block was begun: of text and reasoning with the first word, as empty ones may be no block, or a redacted one. */
	begun: boolean;
	opaque: Opaque | undefined;
	/** Of what can only be said whole: its pieces. */
	readonly pieces: string[];
}

/** Writes a stream of the Messages API: one block after the other, numbered in their order. */
export function openWriter(
	naming: Naming,
	warn: Warn = () => {},
): AnswerWriter {
	const sequence = sequenced();
	let frames: string[] = [];
	let started = false;
	let over = false;
	let blocks = 0;
	let telling: Telling | undefined;
	let finish: Finish | undefined;
	let usage: Usage | undefined;
	/** What decides on the reason to stop: whether tools were called, and the words of a refusal. */
	const told: AnswerPart[] = [];
	const refused: string[] = [];

	function frame(type: string, members: string): void {
		frames.push(`event: ${type}\ndata: {"type":"${type}"${members}}\n\n`);
	}

	function start(event?: Extract<AnswerEvent, { type: "start" }>): void {
		if (started) return;
		started = true;
		const message = {
			...messageHead(event?.id, naming),
			content: [],
			stop_reason: null,
			stop_sequence: null,
			stop_details: null,
			usage: writeUsage(event?.usage, event?.serviceTier),
		};
		frame("message_start", `,"message":${JSON.stringify(message)}`);
	}

	function begin(block: Json): void {
		frame(
			"content_block_start",
			`,"index":${blocks},"content_block":${JSON.stringify(block)}`,
		);
	}

	/** `member` holds `value`, in a delta of that type. */
	function delta(type: string, member: string, value: unknown): void {
		frame(
			"content_block_delta",
			`,"index":${blocks},"delta":{"type":"${type}","${member}":${JSON.stringify(value)}}`,
		);
	}

	function stop(): void {
		frame("content_block_stop", `,"index":${blocks++}`);
	}

	function whole(block: Json): void {
		const { input } = block;
		const inPieces = block.type === "server_tool_use" && input !== undefined;
		begin(inPieces ? { ...block, input: {} } : block);
		if (inPieces)
			delta("input_json_delta", "partial_json", JSON.stringify(input));
		stop();
	}

	function open(number: number, value: AnswerPart): void {
		const opaque = "opaque" in value ? value.opaque : undefined;
		warnOfPart(value, warn);
		telling = { number, value, begun: false, opaque, pieces: [] };
		if (value.type === "tool-call") {
			told.push(value);
			beginPart(telling);
			more(telling, value.arguments);
		} else if (value.type === "reasoning") {
			more(telling, value.text);
		} else if (value.type === "text" || value.type === "refusal") {
			more(telling, value.text);
			if (value.type === "text")
				for (const each of value.citations ?? []) cite(telling, each);
		}
	}

	function beginPart(part: Telling): void {
		if (part.begun) return;
		part.begun = true;
		const { value } = part;
		if (value.type === "tool-call") begin(callBlock(value));
		else if (value.type === "reasoning")
			begin({ type: "thinking", thinking: "", signature: "" });
		else begin({ type: "text", text: "", citations: null });
	}

	function more(part: Telling, text: string): void {
		if (text === "") return;
		switch (part.value.type) {
			case "tool-call":
				if (part.value.custom) part.pieces.push(text);
				else delta("input_json_delta", "partial_json", text);
				return;
			case "reasoning":
				beginPart(part);
				delta("thinking_delta", "thinking", text);
				return;
			case "refusal":
				refused.push(text);
				beginPart(part);
				delta("text_delta", "text", text);
				return;
			case "text":
				beginPart(part);
				delta("text_delta", "text", text);
		}
	}

	function cite(part: Telling, citation: Citation): void {
		if (part.value.type !== "text") return;
		beginPart(part);
		delta("citations_delta", "citation", writeCitation(citation));
	}

	function close(part: Telling, last: AnswerPart | undefined): void {
		telling = undefined;
		const { value, begun, opaque, pieces } = part;
		if (value.type === "server-tool") {
			const final = last?.type === "server-tool" ? last : value;
			const marked = opaque && !final.opaque ? { ...final, opaque } : final;
			for (const block of serverBlocks(marked, `${naming.call}_${part.number}`))
				whole(block);
			return;
		}
		if (value.type === "reasoning") {
			const redacted = redactedBlock(opaque ? { ...value, opaque } : value);
			if (redacted && !begun) {
				whole(redacted);
				return;
			}
			beginPart(part);
			delta("signature_delta", "signature", signatureFor(opaque));
			stop();
			return;
		}
		if (pieces.length > 0)
			delta(
				"input_json_delta",
				"partial_json",
				JSON.stringify({ input: pieces.join("") }),
			);
		if (begun) stop();
		for (const block of markBlocks(opaque)) whole(block);
	}

	function take(event: AnswerEvent): void {
		if ("choice" in event && event.choice !== 0) {
			warnOfChoices(warn);
			return;
		}
		switch (event.type) {
			case "start":
				usage = event.usage;
				start(event);
				return;
			case "open":
				start();
				open(event.part, event.value);
				return;
			case "delta":
				if (telling) more(telling, event.text);
				return;
			case "opaque":
				if (telling) telling.opaque = event.opaque;
				return;
			case "citation":
				if (telling) cite(telling, event.citation);
				return;
			case "close":
				if (telling) close(telling, event.value);
				return;
			case "finish":
				finish = event.finish;
				return;
			case "usage":
				usage = event.usage;
				return;
			case "error":
				over = true;
		}
	}

	function taken(): Uint8Array | undefined {
		const result = bytesOf(frames);
		frames = [];
		return result;
	}

	return {
		push(events) {
			for (const event of sequence.push(events)) take(event);
			return taken();
		},
		end() {
			if (over) return undefined;
			over = true;
			start();
			for (const event of sequence.push([{ type: "end" }])) take(event);
			if (refused.length > 0)
				told.push({ type: "refusal", text: refused.join("") });
			const reason = writeFinish(finish ?? { reason: "stop" }, told);
			frame(
				"message_delta",
				`,"delta":${JSON.stringify({ container: null, ...reason })},"usage":${JSON.stringify(writeDeltaUsage(usage))}`,
			);
			frame("message_stop", "");
			return taken();
		},
	};
}
