import type { AnswerEvent } from "../../../ports/canonical.ts";

export interface Sequence {
	/** The events that may be told now, with no two parts of a choice open at once. */
	push(events: readonly AnswerEvent[]): readonly AnswerEvent[];
}

/**
 * Puts parts that overlap one after the other, in the order in which they began. A tool call is
 * closed when the next part opens if its arguments are whole by then, or as soon as they are; else
 * the later part is held until the earlier one closes. Parts that are open when their choice
 * finishes are closed before, so that every part told is closed once.
 */
export function sequenced(): Sequence {
	const choices = new Map<number, ChoiceSequence>();
	function choiceAt(choice: number): ChoiceSequence {
		let found = choices.get(choice);
		if (!found) {
			found = choiceSequence(choice);
			choices.set(choice, found);
		}
		return found;
	}
	return {
		push(events) {
			const told: AnswerEvent[] = [];
			for (const event of events) {
				switch (event.type) {
					case "open":
					case "delta":
					case "opaque":
					case "citation":
					case "close":
						choiceAt(event.choice).take(event, told);
						break;
					case "finish":
						choices.get(event.choice)?.finish(told);
						told.push(event);
						break;
					case "end":
						for (const choice of choices.values()) choice.finish(told);
						told.push(event);
						break;
					default:
						told.push(event);
				}
			}
			return told;
		},
	};
}

type PartEvent = Extract<AnswerEvent, { readonly part: number }>;

interface ChoiceSequence {
	take(event: PartEvent, told: AnswerEvent[]): void;
	finish(told: AnswerEvent[]): void;
}

function choiceSequence(choice: number): ChoiceSequence {
	/** The part that is being told. */
	let current: number | undefined;
	/** Set while a tool call is being told. */
	let progress: JsonProgress | undefined;
	/** Parts that wait, with their events, in the order in which they began. */
	const waiting = new Map<number, PartEvent[]>();

	function tell(event: PartEvent, told: AnswerEvent[]): void {
		told.push(event);
		if (event.type === "open") {
			current = event.part;
			const { value } = event;
			progress =
				value.type === "tool-call" && !value.custom
					? jsonProgress(value.arguments)
					: undefined;
		} else if (event.type === "delta") progress?.push(event.text);
		else if (event.type === "close") {
			current = undefined;
			progress = undefined;
		}
	}

	/** Goes on to the next part when the current one is over. */
	function advance(told: AnswerEvent[]): void {
		for (const [part, events] of waiting) {
			if (current !== undefined && !progress?.whole) return;
			closeCurrent(told);
			waiting.delete(part);
			for (const event of events) tell(event, told);
		}
	}

	function closeCurrent(told: AnswerEvent[]): void {
		if (current !== undefined)
			tell({ type: "close", choice, part: current }, told);
	}

	return {
		take(event, told) {
			if (event.part === current) {
				tell(event, told);
				if (waiting.size > 0) advance(told);
			} else if (event.type === "open") {
				waiting.set(event.part, [event]);
				advance(told);
			} else {
				// A part that is neither told nor waiting was closed because it was whole.
				waiting.get(event.part)?.push(event);
			}
		},
		finish(told) {
			for (const [part, events] of waiting) {
				closeCurrent(told);
				waiting.delete(part);
				for (const event of events) tell(event, told);
			}
			closeCurrent(told);
		},
	};
}

export interface JsonProgress {
	push(text: string): void;
	/** What came so far is one JSON object or list, whole. */
	readonly whole: boolean;
}

/** Watches JSON text as it comes, to say when it is whole. Each character is looked at once. */
export function jsonProgress(text: string = ""): JsonProgress {
	let depth = 0;
	let inString = false;
	let escaped = false;
	let whole = false;
	function push(more: string): void {
		for (let at = 0; at < more.length; at++) {
			const code = more.charCodeAt(at);
			if (inString) {
				if (escaped) escaped = false;
				else if (code === 0x5c) escaped = true;
				else if (code === 0x22) inString = false;
			} else if (code === 0x22) inString = true;
			else if (code === 0x7b || code === 0x5b) depth++;
			else if ((code === 0x7d || code === 0x5d) && --depth === 0) whole = true;
		}
	}
	push(text);
	return {
		push,
		get whole() {
			return whole;
		},
	};
}
