import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	Choice,
	Citation,
	Finish,
	TokenLogprob,
	VendorError,
} from "../../../ports/canonical.ts";

export interface Gatherer {
	push(events: readonly AnswerEvent[]): void;
	/** The vendor's error in the middle, if there was one. */
	readonly error: VendorError | undefined;
	/** The protocol's own end was seen. */
	readonly ended: boolean;
	/** What has come so far, as a whole answer: a choice without a reason to finish broke off in an error. */
	answer(): CanonicalAnswer;
}

/** Folds the events of an answer into the whole of it. */
export function gatherer(): Gatherer {
	let head: Omit<CanonicalAnswer, "choices"> = {};
	const choices = new Map<number, Gathering>();
	let error: VendorError | undefined;
	let ended = false;

	function choiceAt(choice: number): Gathering {
		let found = choices.get(choice);
		if (!found) {
			found = { parts: new Map(), logprobs: [] };
			choices.set(choice, found);
		}
		return found;
	}
	function partAt(choice: number, part: number): GatheringPart | undefined {
		return choices.get(choice)?.parts.get(part);
	}
	function take(event: AnswerEvent): void {
		switch (event.type) {
			case "start": {
				const { type: _, ...rest } = event;
				head = { ...head, ...rest };
				return;
			}
			case "open":
				choiceAt(event.choice).parts.set(event.part, {
					value: event.value,
					texts: [],
					citations: [],
				});
				return;
			case "delta":
				partAt(event.choice, event.part)?.texts.push(event.text);
				return;
			case "opaque": {
				const part = partAt(event.choice, event.part);
				if (part && part.value.type !== "refusal")
					part.value = { ...part.value, opaque: event.opaque };
				return;
			}
			case "citation":
				partAt(event.choice, event.part)?.citations.push(event.citation);
				return;
			case "close": {
				const part = partAt(event.choice, event.part);
				if (part && event.value) part.whole = event.value;
				return;
			}
			case "logprobs":
				choiceAt(event.choice).logprobs.push(...event.tokens);
				return;
			case "finish":
				choiceAt(event.choice).finish = event.finish;
				return;
			case "usage":
				head = { ...head, usage: event.usage };
				return;
			case "error":
				error = event.error;
				return;
			case "end":
				ended = true;
		}
	}
	return {
		push(events) {
			for (const event of events) take(event);
		},
		get error() {
			return error;
		},
		get ended() {
			return ended;
		},
		answer() {
			const numbers = [...choices.keys()].sort((one, other) => one - other);
			return {
				...head,
				choices:
					numbers.length > 0
						? numbers.map((each) => choiceOf(choices.get(each) as Gathering))
						: [{ parts: [], finish: { reason: "error" } }],
			};
		},
	};
}

export function gathered(events: readonly AnswerEvent[]): CanonicalAnswer {
	const gathering = gatherer();
	gathering.push(events);
	return gathering.answer();
}

/** A whole answer as the events that tell it. */
export function spread(answer: CanonicalAnswer): AnswerEvent[] {
	const { choices, usage, ...head } = answer;
	const events: AnswerEvent[] = [{ type: "start", ...head }];
	for (const [choice, { parts, finish, logprobs }] of choices.entries()) {
		for (const [part, value] of parts.entries())
			events.push(...partEvents(choice, part, value));
		if (logprobs) events.push({ type: "logprobs", choice, tokens: logprobs });
		events.push({ type: "finish", choice, finish });
	}
	if (usage) events.push({ type: "usage", usage });
	events.push({ type: "end" });
	return events;
}

interface Gathering {
	readonly parts: Map<number, GatheringPart>;
	readonly logprobs: TokenLogprob[];
	finish?: Finish;
}

interface GatheringPart {
	value: AnswerPart;
	readonly texts: string[];
	readonly citations: Citation[];
	/** The part as it stood at its close. */
	whole?: AnswerPart;
}

function choiceOf({ parts, logprobs, finish }: Gathering): Choice {
	const numbers = [...parts.keys()].sort((one, other) => one - other);
	return {
		parts: numbers.map((each) => partOf(parts.get(each) as GatheringPart)),
		finish: finish ?? { reason: "error" },
		...(logprobs.length > 0 ? { logprobs } : {}),
	};
}

function partOf({ value, texts, citations, whole }: GatheringPart): AnswerPart {
	if (whole) return whole;
	const more = texts.join("");
	switch (value.type) {
		case "text": {
			const all = [...(value.citations ?? []), ...citations];
			return {
				...value,
				text: value.text + more,
				...(all.length > 0 ? { citations: all } : {}),
			};
		}
		case "reasoning":
		case "refusal":
			return { ...value, text: value.text + more };
		case "tool-call":
			return { ...value, arguments: value.arguments + more };
		default:
			return value;
	}
}

function partEvents(
	choice: number,
	part: number,
	value: AnswerPart,
): AnswerEvent[] {
	const events: AnswerEvent[] = [];
	let more = "";
	switch (value.type) {
		case "text": {
			const { citations, opaque, ...rest } = value;
			more = value.text;
			events.push({ type: "open", choice, part, value: { ...rest, text: "" } });
			break;
		}
		case "reasoning": {
			const { opaque, ...rest } = value;
			more = value.text;
			events.push({ type: "open", choice, part, value: { ...rest, text: "" } });
			break;
		}
		case "refusal":
			more = value.text;
			events.push({
				type: "open",
				choice,
				part,
				value: { ...value, text: "" },
			});
			break;
		case "tool-call": {
			const { opaque, ...rest } = value;
			more = value.arguments;
			events.push({
				type: "open",
				choice,
				part,
				value: { ...rest, arguments: "" },
			});
			break;
		}
		default:
			events.push({ type: "open", choice, part, value });
	}
	if (more !== "") events.push({ type: "delta", choice, part, text: more });
	if (value.type === "text" && value.citations) {
		for (const citation of value.citations)
			events.push({ type: "citation", choice, part, citation });
	}
	if (isMarked(value) && value.opaque)
		events.push({ type: "opaque", choice, part, opaque: value.opaque });
	events.push({ type: "close", choice, part });
	return events;
}

/** Whether its opaque is told by an event of its own: server tools and media stand whole in their opening. */
function isMarked(
	value: AnswerPart,
): value is Extract<AnswerPart, { type: "text" | "reasoning" | "tool-call" }> {
	return (
		value.type === "text" ||
		value.type === "reasoning" ||
		value.type === "tool-call"
	);
}
