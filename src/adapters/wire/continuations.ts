import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type {
	AnswerEvent,
	AnswerPart,
	CanonicalRequest,
} from "../../ports/canonical.ts";
import type { Continuations, Telling } from "../../ports/continuation.ts";
import type { Usage, UsageClass } from "../../ports/price-book.ts";
import type { AnswerReader, AnswerWriter } from "../../ports/translator.ts";
import type {
	RequestTarget,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import type { Spoken } from "./crossing.ts";
import {
	asBuffer,
	type Edit,
	type Member,
	member,
	parseValue,
	scanMembers,
	skipSpace,
	splice,
} from "./json-members.ts";

/**
 * What a model that goes on is asked, behind what was said already: as the last message, since not every model takes
 * an assistant's half turn to complete.
 */
const instruction =
	"Your last message was cut off in the middle by a fault on the line; its reader has it up to there. Go on from exactly where it ends, with the character that comes next. Repeat nothing of it, and say nothing about the interruption.";

export function openContinuations(protocols: readonly Spoken[]): Continuations {
	const translators = new Map(
		protocols.map(({ wire, translator }) => [wire.id, translator]),
	);
	return {
		tell(wire, operation, request, naming) {
			const translator = translators.get(wire.id);
			const turns = ways[wire.id];
			if (!translator || !turns || operation.means !== "generate") return;
			if (!request.stream) return undefined;
			const read = translator.readRequest(request, () => {});
			if (!read.ok || !isPlain(read.value)) return undefined;
			const asked = read.value;
			const writer = translator.openWriter(asked, naming, request, () => {});
			if (writer.contentType !== undefined) return undefined;
			return openTelling({
				wire,
				operation,
				request,
				asked,
				turns,
				writer,
				openReader: () => translator.openReader(asked),
			});
		},
	};
}

/** Text in one choice, of whatever form; tools may be offered, and none has to be called. */
function isPlain({
	choices = 1,
	output,
	logprobs,
	modalities = [],
	toolChoice,
}: CanonicalRequest): boolean {
	const mustCall =
		toolChoice?.mode === "required" ||
		toolChoice?.mode === "tool" ||
		(toolChoice?.mode === "allowed" && toolChoice.required);
	return (
		choices === 1 &&
		(output === undefined || output.type === "text") &&
		logprobs === undefined &&
		modalities.every((each) => each === "text") &&
		!mustCall
	);
}

/** How a protocol's request is lengthened by two messages, and where it limits output. */
interface Turns {
	/** The member that holds the conversation. */
	readonly conversation: string;
	message(by: "user" | "assistant", text: string): object;
	/** Places of the limit, from the outside in, in any of the spellings that the protocol takes. */
	readonly limits: readonly (readonly string[])[];
	/** The mark stands in the first frame, as a member of ours: clients of Google's own cannot read a comment. */
	readonly markedWithin?: boolean;
}

const plainMessage = (role: "user" | "assistant", content: string): object => ({
	role,
	content,
});

const ways: Readonly<Record<string, Turns>> = {
	"openai-chat": {
		conversation: "messages",
		message: plainMessage,
		limits: [["max_tokens"], ["max_completion_tokens"]],
	},
	"openai-responses": {
		conversation: "input",
		message: plainMessage,
		limits: [["max_output_tokens"]],
	},
	"anthropic-messages": {
		conversation: "messages",
		message: plainMessage,
		limits: [["max_tokens"]],
	},
	"google-generate": {
		conversation: "contents",
		message: (by, text) => ({
			role: by === "user" ? "user" : "model",
			parts: [{ text }],
		}),
		limits: ["generationConfig", "generation_config"].flatMap((config) =>
			["maxOutputTokens", "max_output_tokens"].map((limit) => [config, limit]),
		),
		markedWithin: true,
	},
};

interface Asking {
	readonly wire: WireProtocol;
	readonly operation: WireOperation;
	readonly request: WireRequest;
	readonly asked: CanonicalRequest;
	readonly turns: Turns;
	readonly writer: AnswerWriter;
	openReader(): AnswerReader;
}

/** A part as the client knows it. */
interface Part {
	readonly number: number;
	readonly type: AnswerPart["type"];
	open: boolean;
	/** Of a text: how much of it is told. */
	length: number;
	/** Where the speaker's own part begins in it. */
	joinedAt: number;
}

/** Of each frame of JSON without a name. */
const beginning = "data: {";

type PartEvent = Extract<AnswerEvent, { readonly part: number }>;

function openTelling(asking: Asking): Telling {
	const { wire, writer, turns, openReader } = asking;
	const parts: Part[] = [];
	const texts: string[] = [];
	let reader = openReader();
	/** The speaker's parts as the client knows them. What is not here is not told. */
	let heard = new Map<number, Part>();
	/** Somebody spoke before. */
	let goesOn = false;
	let mark: { readonly after: number; readonly substrate: string } | undefined;
	let used: Usage = {};
	let finished = false;
	let over = false;

	function write(events: readonly AnswerEvent[]): Uint8Array | undefined {
		if (over) return undefined;
		const said = events.flatMap(take);
		const last = events.at(-1)?.type;
		over = last === "end";
		const bytes = Buffer.concat(
			[
				said.length > 0 ? writer.push(said) : undefined,
				over ? writer.end() : undefined,
			].filter((each) => each !== undefined),
		);
		return bytes.length === 0 ? undefined : marked(bytes);
	}

	function marked(bytes: Buffer): Buffer {
		if (!mark) return bytes;
		const { after, substrate } = mark;
		const member = `data: {"dos":${JSON.stringify({ continuation: mark })},`;
		mark = undefined;
		return turns.markedWithin
			? Buffer.concat([Buffer.from(member), bytes.subarray(beginning.length)])
			: Buffer.concat([
					Buffer.from(
						`: dos continuation after=${after} substrate=${substrate}\n\n`,
					),
					bytes,
				]);
	}

	/** What of the speaker's event the client hears. */
	function take(event: AnswerEvent): readonly AnswerEvent[] {
		switch (event.type) {
			case "start":
				if (!goesOn) return [event];
				return event.usage ? [usage(event.usage)] : [];
			case "usage":
				return [usage(event.usage)];
			case "open":
				return open(event);
			case "delta":
			case "citation":
			case "opaque":
			case "close":
				return within(event);
			case "finish":
				finished = true;
				return [...closeTexts(), event];
			// The vendor's error is not the client's yet, and the end is told by the writer.
			case "error":
			case "end":
				return [];
			default:
				return [event];
		}
	}

	function usage(of: Usage): AnswerEvent {
		return { type: "usage", usage: goesOn ? added(of, used) : of };
	}

	function open(
		event: Extract<AnswerEvent, { type: "open" }>,
	): readonly AnswerEvent[] {
		const { value, choice, part } = event;
		// The client has heard the reasoning of who began.
		if (goesOn && value.type === "reasoning") return [];
		const before = parts.at(-1);
		if (goesOn && value.type === "text" && before?.open && isText(before)) {
			before.joinedAt = before.length;
			heard.set(part, before);
			const more: AnswerEvent[] = [];
			if (value.text !== "")
				more.push({ type: "delta", choice, part, text: value.text });
			for (const citation of value.citations ?? [])
				more.push({ type: "citation", choice, part, citation });
			return more.flatMap((each) => within(each as PartEvent));
		}
		const closing = goesOn ? closeTexts() : [];
		const opened: Part = {
			number: parts.length,
			type: value.type,
			open: true,
			length: 0,
			joinedAt: 0,
		};
		parts.push(opened);
		heard.set(part, opened);
		if (value.type === "text") grow(opened, value.text);
		return [...closing, { ...event, part: opened.number }];
	}

	function within(event: PartEvent): readonly AnswerEvent[] {
		const at = heard.get(event.part);
		if (!at?.open) return [];
		const { joinedAt, number: part } = at;
		if (event.type === "delta" && isText(at)) grow(at, event.text);
		if (event.type === "close") at.open = false;
		// A mark on a text is for the whole of it, and none made this one whole.
		if (event.type === "opaque" && joinedAt > 0) return [];
		if (event.type === "citation" && joinedAt > 0) {
			const { start, end, ...rest } = event.citation;
			const citation = {
				...rest,
				...(start !== undefined && { start: start + joinedAt }),
				...(end !== undefined && { end: end + joinedAt }),
			};
			return [{ ...event, part, citation }];
		}
		return [{ ...event, part }];
	}

	function grow(part: Part, text: string): void {
		part.length += text.length;
		texts.push(text);
	}

	/** A text that broke off, and that what comes now is no more of. */
	function closeTexts(): readonly AnswerEvent[] {
		return parts
			.filter((part) => part.open && isText(part))
			.map((part) => {
				part.open = false;
				return { type: "close", choice: 0, part: part.number };
			});
	}

	function whyNot(): string | undefined {
		if (finished || over) return "the answer had come to its end";
		if (parts.some(({ type }) => type === "tool-call"))
			return "a tool call had begun";
		if (parts.some(({ type, open }) => type === "reasoning" && open))
			return "it broke off in its reasoning, which nobody else can go on with";
		if (parts.some(({ type }) => type !== "text" && type !== "reasoning"))
			return "it was not text alone";
		return undefined;
	}

	return {
		push: (chunk) => write(reader.push(chunk)),
		end: () => write(reader.end()),
		refuse(refusal) {
			over = true;
			return writer.refuse?.(refusal) ?? wire.streamRefusal(refusal);
		},
		get characters() {
			return [...texts.join("")].length;
		},
		rest(outputUsed) {
			const why = whyNot();
			return why === undefined
				? lengthened(asking, texts.join(""), outputUsed)
				: refuse("resume/impossible", `${why}.`);
		},
		goOn(speaker, spent) {
			reader = openReader();
			heard = new Map();
			goesOn = true;
			used = spent;
			mark = { after: this.characters, substrate: speaker };
		},
	};
}

function isText({ type }: Part): boolean {
	return type === "text";
}

function added(one: Usage, other: Usage): Usage {
	const sum: { [Class in UsageClass]?: number } = { ...one };
	for (const [name, units] of Object.entries(other))
		sum[name as UsageClass] = (sum[name as UsageClass] ?? 0) + (units ?? 0);
	return sum;
}

/** The client's own bytes with what was said behind them, and its limit less what was used. */
function lengthened(
	{ wire, operation, request, asked, turns }: Asking,
	said: string,
	outputUsed: number,
): Outcome<WireRequest> {
	const bytes = asBuffer(request.body);
	const edits: Edit[] = [];
	const { outputLimit } = request;
	if (outputLimit !== undefined) {
		const left = outputLimit - outputUsed;
		// A budget of reasoning has to be below the limit.
		if (left <= (asked.reasoning?.budget ?? 0))
			return refuse("resume/used-up", "its output limit was used up.");
		for (const place of turns.limits) {
			const limit = memberAt(bytes, place);
			if (limit && typeof parseValue(bytes, limit) === "number")
				edits.push(replaced(limit, String(left)));
		}
	}
	if (said.trim() !== "") {
		const conversation = memberAt(bytes, [turns.conversation]);
		if (!conversation)
			return refuse("resume/impossible", "its conversation is not at hand.");
		edits.push(
			behind(bytes, conversation, turns, [
				// Half a character may have been told; what is sent has to be text.
				turns.message("assistant", said.toWellFormed()),
				turns.message("user", instruction),
			]),
		);
	}
	const target: RequestTarget = {
		parameters: { model: request.model },
		query: "alt=sse",
		header: () => undefined,
	};
	const read = wire.read(operation.id, splice(bytes, edits), target);
	// What it says to us was taken out of its body before.
	return read.ok ? accept({ ...read.value, dos: request.dos }) : read;
}

/** Messages behind a conversation: in its list, or in a list that begins with the one message it is. */
function behind(
	bytes: Buffer,
	conversation: Member,
	turns: Turns,
	messages: readonly object[],
): Edit {
	const { valueStart, valueEnd } = conversation;
	const more = messages.map((each) => JSON.stringify(each)).join(",");
	const value = parseValue(bytes, conversation);
	if (Array.isArray(value)) {
		const end = valueEnd - 1;
		const comma = skipSpace(bytes, valueStart + 1) < end ? "," : "";
		return { start: end, end, text: `${comma}${more}` };
	}
	const only =
		typeof value === "string"
			? JSON.stringify(turns.message("user", value))
			: bytes.toString("utf8", valueStart, valueEnd);
	return replaced(conversation, `[${only},${more}]`);
}

function replaced({ valueStart, valueEnd }: Member, text: string): Edit {
	return { start: valueStart, end: valueEnd, text };
}

function memberAt(
	bytes: Buffer,
	[name = "", ...inner]: readonly string[],
	start = 0,
): Member | undefined {
	const scan = scanMembers(bytes, start, deepest);
	const found = typeof scan === "object" ? member(scan, name) : undefined;
	return found && inner.length > 0
		? memberAt(bytes, inner, found.valueStart)
		: found;
}

const deepest = 128;
