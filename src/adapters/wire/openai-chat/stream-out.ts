import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Opaque,
} from "../../../ports/canonical.ts";
import type {
	AnswerWriter,
	Json,
	Naming,
	Warn,
} from "../../../ports/translator.ts";
import { bytesOf, sse } from "../canonical/sse.ts";
import {
	annotationOf,
	headOf,
	logprobsOf,
	lost,
	mediaOf,
} from "./answer-out.ts";
import { finishName } from "./finish.ts";
import { detailOf, markedCall } from "./reasoning.ts";
import { isLegacy } from "./request-in.ts";
import { usageReport } from "./usage-out.ts";

/** Writes chunks for a client. */
export function openWriter(
	request: CanonicalRequest,
	naming: Naming,
	_asked?: unknown,
	warn: Warn = () => {},
): AnswerWriter {
	const legacy = isLegacy(request);
	// Whoever asked for usage gets it as null on every chunk before the last.
	const tail = request.streamUsage ? ',"usage":null}' : "}";
	const choices = new Map<number, ChoiceWriter>();
	let frames: string[] = [];
	let head: Omit<CanonicalAnswer, "choices"> = {};
	/** A chunk up to its choices. */
	let prefix = "";
	let usage: CanonicalAnswer["usage"];
	let over = false;

	function start(): void {
		if (prefix !== "") return;
		const text = JSON.stringify(headOf(head, naming, "chat.completion.chunk"));
		prefix = `${text.slice(0, -1)},"choices":[`;
	}
	function chunk(choice: number, delta: Json, more: Json = {}): void {
		start();
		const { logprobs = null, finish_reason = null } = more;
		frames.push(
			sse(
				`${prefix}{"index":${choice},"delta":${JSON.stringify(delta)},"logprobs":${JSON.stringify(logprobs)},"finish_reason":${JSON.stringify(finish_reason)}}]${tail}`,
			),
		);
	}
	function choiceAt(choice: number): ChoiceWriter {
		let found = choices.get(choice);
		if (!found) {
			found = choiceWriter(
				(delta, more) => chunk(choice, delta, more),
				legacy,
				warn,
			);
			choices.set(choice, found);
			chunk(choice, { role: "assistant", content: "", refusal: null });
		}
		return found;
	}
	function take(event: AnswerEvent): void {
		switch (event.type) {
			case "start": {
				const { type: _, ...rest } = event;
				head = rest;
				usage = rest.usage;
				return;
			}
			case "usage":
				usage = event.usage;
				return;
			case "error":
				over = true;
				return;
			case "end":
				return;
			default:
				choiceAt(event.choice).take(event);
		}
	}
	function taken(): Uint8Array | undefined {
		const result = bytesOf(frames);
		frames = [];
		return result;
	}
	return {
		push(events) {
			for (const event of events) if (!over) take(event);
			return taken();
		},
		end() {
			if (over) return undefined;
			over = true;
			start();
			if (request.streamUsage && usage)
				frames.push(
					sse(`${prefix}],"usage":${JSON.stringify(usageReport(usage))}}`),
				);
			frames.push(sse("[DONE]"));
			return taken();
		},
	};
}

type ChoiceEvent = Extract<AnswerEvent, { readonly choice: number }>;

interface ChoiceWriter {
	take(event: ChoiceEvent): void;
}

interface Part {
	readonly value: AnswerPart;
	/** Among the parts of its kind. */
	readonly number: number;
	/** Of a text: how much of the answer's text stands before it. */
	readonly before: number;
	told: boolean;
}

function choiceWriter(
	say: (delta: Json, more?: Json) => void,
	legacy: boolean,
	warn: Warn,
): ChoiceWriter {
	const parts = new Map<number, Part>();
	let length = 0;
	let calls = 0;
	let thoughts = 0;
	let refused = false;

	function open(index: number, value: AnswerPart): void {
		const number =
			value.type === "tool-call"
				? calls++
				: value.type === "reasoning"
					? thoughts++
					: 0;
		const part = { value, number, before: length, told: false };
		parts.set(index, part);
		switch (value.type) {
			case "text":
				tell(part, value.text);
				for (const citation of value.citations ?? []) cite(part, citation);
				break;
			case "reasoning":
			case "refusal":
				tell(part, value.text);
				break;
			case "tool-call":
				openCall(value, number);
				break;
			case "server-tool":
				warn(lost.serverTool);
				break;
			default:
				show(value);
		}
		if (value.type === "reasoning" && value.opaque)
			markPart(part, value.opaque);
	}

	function show(value: Parameters<typeof mediaOf>[0]): void {
		const shown = mediaOf(value);
		if (shown?.image) say({ images: [shown.image] });
		else if (shown?.audio) say({ audio: shown.audio });
		else warn(lost.media(value.type));
	}

	function openCall(
		value: Extract<AnswerPart, { type: "tool-call" }>,
		index: number,
	): void {
		const { id, name, custom, opaque } = value;
		const text = value.arguments;
		if (legacy) {
			if (index === 0) say({ function_call: { name, arguments: text } });
			else warn(lost.calls);
		} else if (custom)
			say({
				tool_calls: [
					{ index, id, type: "custom", custom: { name, input: text } },
				],
			});
		else
			say({
				tool_calls: [
					{
						index,
						id,
						type: "function",
						function: { name, arguments: text },
						...markedCall(opaque),
					},
				],
			});
	}

	function tell(part: Part, text: string): void {
		if (text === "") return;
		part.told = true;
		const { value, number } = part;
		switch (value.type) {
			case "text":
				length += text.length;
				say({ content: text });
				return;
			case "reasoning":
				if (value.summary)
					say({
						reasoning_content: text,
						reasoning_details: [
							{ type: "reasoning.summary", summary: text, index: number },
						],
					});
				else say({ reasoning_content: text });
				return;
			case "refusal":
				refused = true;
				say({ refusal: text });
				return;
			case "tool-call":
				if (legacy) {
					if (number === 0) say({ function_call: { arguments: text } });
				} else if (value.custom)
					say({ tool_calls: [{ index: number, custom: { input: text } }] });
				else
					say({
						tool_calls: [{ index: number, function: { arguments: text } }],
					});
		}
	}

	/** Of reasoning the text was told before: the detail says what the next turn needs beside it. */
	function markPart({ value, number, told }: Part, opaque: Opaque): void {
		if (value.type === "tool-call") {
			const marked = markedCall(opaque);
			if (!legacy && Object.keys(marked).length > 0)
				// Some clients read no piece of a call that says nothing of its function.
				say({
					tool_calls: [
						{ index: number, function: { arguments: "" }, ...marked },
					],
				});
			return;
		}
		if (value.type !== "reasoning") return;
		const detail = detailOf({ ...value, text: "", opaque }, number, told);
		say({ reasoning_details: [detail] });
	}

	function cite(
		{ before }: Part,
		citation: Parameters<typeof annotationOf>[0],
	): void {
		const annotation = annotationOf(citation, before);
		if (annotation) say({ annotations: [annotation] });
		else warn(lost.citation);
	}

	return {
		take(event) {
			if (event.type === "logprobs") {
				say({}, { logprobs: logprobsOf(event.tokens) });
				return;
			}
			if (event.type === "finish") {
				const finish_reason = finishName(event.finish, refused, legacy);
				say({}, { finish_reason });
				return;
			}
			if (event.type === "open") {
				open(event.part, event.value);
				return;
			}
			const part = parts.get(event.part);
			if (!part) return;
			if (event.type === "delta") tell(part, event.text);
			else if (event.type === "opaque") markPart(part, event.opaque);
			else if (event.type === "citation") cite(part, event.citation);
		},
	};
}
