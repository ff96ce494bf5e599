import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	Opaque,
} from "../../../ports/canonical.ts";
import type { AnswerReader, Json } from "../../../ports/translator.ts";
import { numberOf, recordOf, recordsOf, textOf } from "../canonical/fields.ts";
import { answerReader, json } from "../canonical/sse.ts";
import {
	readCitation,
	readContent,
	readLogprobs,
	readUsage,
} from "./answer-in.ts";
import { errorIn } from "./error-in.ts";
import { finishOf } from "./finish.ts";
import { drawnImage, spokenAudio } from "./media.ts";
import { markOf, opaqueOfDetail, protocol, textOfDetail } from "./reasoning.ts";

type Emit = (event: AnswerEvent) => void;

/** Reads a vendor's stream of chunks. */
export function openReader(): AnswerReader {
	const head: { id?: string; model?: string; serviceTier?: string } = {};
	const choices = new Map<number, ChoiceReader>();
	let started = false;
	/** The last chunk that carried usage that makes sense: some vendors put a running count on every chunk. */
	let usage: CanonicalAnswer["usage"];

	function start(emit: Emit): void {
		if (!started) emit({ type: "start", ...head });
		started = true;
	}
	function note(chunk: Json): void {
		if (started) return;
		const id = textOf(chunk.id);
		const model = textOf(chunk.model);
		const tier = textOf(chunk.service_tier);
		if (id) head.id = id;
		if (model) head.model = model;
		if (tier) head.serviceTier = tier;
	}
	function close(emit: Emit): void {
		start(emit);
		for (const choice of choices.values()) choice.finish(undefined, emit);
		if (usage) emit({ type: "usage", usage });
		emit({ type: "end" });
	}

	return answerReader({
		visit(data, event, emit) {
			if (data.startsWith("[DONE]")) return close(emit);
			const chunk = recordOf(json(data));
			if (!chunk) return;
			const error =
				errorIn(chunk) ??
				(event === "error" ? { message: "The vendor broke off." } : undefined);
			if (error) {
				start(emit);
				emit({ type: "error", error });
				return;
			}
			note(chunk);
			for (const each of recordsOf(chunk.choices)) {
				start(emit);
				const index = numberOf(each.index) ?? 0;
				let choice = choices.get(index);
				if (!choice) {
					choice = choiceReader(index);
					choices.set(index, choice);
				}
				const failed = choice.read(each, emit);
				if (failed) return;
			}
			usage = readUsage(chunk) ?? usage;
		},
		conclude(emit) {
			if (!started) return;
			const all = [...choices.values()];
			// Not every vendor sends [DONE]: a reason to finish serves, as it does for the meter.
			if (all.length > 0 && all.every((choice) => choice.finished)) close(emit);
			else if (usage) emit({ type: "usage", usage });
		},
	});
}

interface ChoiceReader {
	readonly finished: boolean;
	/** True when the choice told an error. */
	read(choice: Json, emit: Emit): boolean;
	finish(reason: unknown, emit: Emit): void;
}

/** A tool call under way. It opens when its name is known. */
interface Call {
	id: string;
	name: string;
	custom: boolean;
	part: number | undefined;
	/** Arguments that came before the name. */
	held: string;
	empty: boolean;
}

function choiceReader(choice: number): ChoiceReader {
	const types = new Set<AnswerPart["type"]>();
	/** By the vendor's index, the latest under it. */
	const calls = new Map<number, Call>();
	const all: Call[] = [];
	let parts = 0;
	/** The text, reasoning or refusal that is being told; only tool calls stay open beside each other. */
	let current:
		| { readonly type: AnswerPart["type"]; readonly part: number }
		| undefined;
	/** The reasoning has its mark: what follows is another's. */
	let sealed = false;
	let detailIndex: number | undefined;
	let finished = false;
	let spoken: { data: string[]; id: unknown; expires: unknown } | undefined;

	function open(value: AnswerPart, emit: Emit): number {
		types.add(value.type);
		const part = parts++;
		emit({ type: "open", choice, part, value });
		return part;
	}
	function closeCurrent(emit: Emit): void {
		if (current) emit({ type: "close", choice, part: current.part });
		current = undefined;
		sealed = false;
		detailIndex = undefined;
	}
	function ensure(
		type: "text" | "reasoning" | "refusal",
		emit: Emit,
		summary = false,
	): number {
		if (current?.type === type && !sealed) return current.part;
		closeCurrent(emit);
		const value =
			type === "reasoning" && summary
				? ({ type, text: "", summary } as const)
				: ({ type, text: "" } as const);
		current = { type, part: open(value, emit) };
		return current.part;
	}
	function say(
		type: "text" | "reasoning" | "refusal",
		text: string | undefined,
		emit: Emit,
	): void {
		if (text) emit({ type: "delta", choice, part: ensure(type, emit), text });
	}

	function readReasoning(delta: Json, emit: Emit): void {
		const details = recordsOf(delta.reasoning_details);
		const told = details.some((each) => textOfDetail(each) !== "");
		if (!told)
			say(
				"reasoning",
				textOf(delta.reasoning_content) ?? textOf(delta.reasoning),
				emit,
			);
		for (const detail of details) readDetail(detail, emit);
	}

	function readDetail(detail: Json, emit: Emit): void {
		const index = numberOf(detail.index);
		const opaque = opaqueOfDetail(detail);
		if (detail.type === "reasoning.encrypted") {
			if (!opaque) return;
			closeCurrent(emit);
			const part = open({ type: "reasoning", text: "" }, emit);
			emit({ type: "opaque", choice, part, opaque });
			emit({ type: "close", choice, part });
			return;
		}
		const text = textOfDetail(detail);
		const marked = isMarked(detail) ? opaque : undefined;
		if (text === "" && !marked) return;
		if (
			text !== "" &&
			index !== undefined &&
			detailIndex !== undefined &&
			index !== detailIndex
		)
			closeCurrent(emit);
		const part = ensure("reasoning", emit, detail.type === "reasoning.summary");
		detailIndex = index ?? detailIndex;
		if (text !== "") emit({ type: "delta", choice, part, text });
		if (marked) {
			emit({ type: "opaque", choice, part, opaque: marked });
			sealed = true;
		}
	}

	function readCall(delta: Json, position: number, emit: Emit): void {
		const custom = recordOf(delta.custom);
		const inner = custom ?? recordOf(delta.function);
		const id = textOf(delta.id) ?? "";
		const name = textOf(inner?.name) ?? "";
		const numbered = numberOf(delta.index);
		const index = numbered ?? (id ? -1 - all.length : position);
		// Without number and id it goes on with the latest.
		const goesOn = numbered === undefined && id === "" && name === "";
		let call = calls.get(index) ?? (goesOn ? all.at(-1) : undefined);
		// Some vendors give all calls of an answer the same index.
		if (!call || (id !== "" && call.id !== "" && id !== call.id && name)) {
			call = {
				id,
				name: "",
				custom: custom !== undefined || delta.type === "custom",
				part: undefined,
				held: "",
				empty: true,
			};
			calls.set(index, call);
			all.push(call);
		}
		if (call.id === "") call.id = id;
		const more =
			textOf(custom ? custom.input : inner?.arguments) ??
			objectText(inner?.arguments);
		if (call.part === undefined) {
			call.held += more;
			call.name = name || call.name;
			if (call.name !== "") openCall(call, emit);
		} else if (more !== "") tell(call, more, emit);
		const opaque = markOf(delta);
		if (opaque && call.part !== undefined)
			emit({ type: "opaque", choice, part: call.part, opaque });
	}

	function openCall(call: Call, emit: Emit): void {
		closeCurrent(emit);
		const id = call.id || `call_${parts}`;
		call.part = open(
			{
				type: "tool-call",
				id,
				name: call.name,
				arguments: "",
				...(call.custom ? { custom: true } : {}),
			},
			emit,
		);
		if (call.held !== "") tell(call, call.held, emit);
	}

	function tell(call: Call, text: string, emit: Emit): void {
		call.empty = false;
		emit({ type: "delta", choice, part: call.part as number, text });
	}

	function readAudio(audio: Json, emit: Emit): void {
		say("text", textOf(audio.transcript), emit);
		spoken ??= { data: [], id: undefined, expires: undefined };
		spoken.id = audio.id ?? spoken.id;
		spoken.expires = audio.expires_at ?? spoken.expires;
		const data = textOf(audio.data);
		if (data) spoken.data.push(data);
	}

	function finish(reason: unknown, emit: Emit): void {
		if (finished) return;
		finished = true;
		closeCurrent(emit);
		for (const { part, empty, custom } of all) {
			if (part === undefined) continue;
			if (empty && !custom) emit({ type: "delta", choice, part, text: "{}" });
			emit({ type: "close", choice, part });
		}
		if (spoken && spoken.data.length > 0) {
			const opaque: Opaque = {
				protocol,
				data: { id: spoken.id, expires_at: spoken.expires },
			};
			whole(
				{ type: "audio", source: spokenAudio(joinBase64(spoken.data)), opaque },
				emit,
			);
		}
		emit({ type: "finish", choice, finish: finishOf(reason, types) });
	}

	function whole(value: AnswerPart, emit: Emit): void {
		const part = open(value, emit);
		emit({ type: "close", choice, part });
	}

	return {
		get finished() {
			return finished;
		},
		finish,
		read(each, emit) {
			if (finished) return false;
			const delta = recordOf(each.delta) ?? recordOf(each.message) ?? {};
			readReasoning(delta, emit);
			if (typeof delta.content === "string") say("text", delta.content, emit);
			else if (delta.content) {
				const { text, thought } = readContent(delta.content);
				say("reasoning", thought, emit);
				say("text", text, emit);
			}
			say("refusal", textOf(delta.refusal), emit);
			for (const annotation of recordsOf(delta.annotations)) {
				for (const citation of readCitation(annotation))
					emit({
						type: "citation",
						choice,
						part: ensure("text", emit),
						citation,
					});
			}
			const audio = recordOf(delta.audio);
			if (audio) readAudio(audio, emit);
			for (const image of recordsOf(delta.images)) {
				const value = drawnImage(textOf(recordOf(image.image_url)?.url) ?? "");
				if (!value) continue;
				closeCurrent(emit);
				whole(value, emit);
			}
			for (const [position, call] of recordsOf(delta.tool_calls).entries())
				readCall(call, position, emit);
			const called = recordOf(delta.function_call);
			if (called) readCall({ index: 0, function: called }, 0, emit);
			const tokens = readLogprobs(each.logprobs);
			if (tokens.length > 0) emit({ type: "logprobs", choice, tokens });
			const error = recordOf(each.error) && errorIn({ error: each.error });
			if (error) {
				emit({ type: "error", error });
				return true;
			}
			if (typeof each.finish_reason === "string" && each.finish_reason !== "")
				finish(each.finish_reason, emit);
			return false;
		},
	};
}

/** Whether a detail ends its part: it says what has to come back. */
function isMarked(detail: Json): boolean {
	return (
		textOf(detail.signature) !== undefined || textOf(detail.data) !== undefined
	);
}

function objectText(value: unknown): string {
	const there = recordOf(value);
	return there ? JSON.stringify(there) : "";
}

/** Each chunk of audio is base64 of its own. */
function joinBase64(pieces: readonly string[]): string {
	return Buffer.concat(
		pieces.map((piece) => Buffer.from(piece, "base64")),
	).toString("base64");
}
