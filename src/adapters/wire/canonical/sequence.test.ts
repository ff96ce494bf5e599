import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerEvent } from "../../../ports/canonical.ts";
import {
	answerEvents,
	argumentsText,
	canonicalAnswers,
	reasoningParts,
} from "./arbitraries.testing.ts";
import { gathered } from "./gather.ts";
import { jsonProgress, sequenced } from "./sequence.ts";

const call = (part: number): AnswerEvent => ({
	type: "open",
	choice: 0,
	part,
	value: { type: "tool-call", id: `c${part}`, name: "f", arguments: "" },
});
const delta = (part: number, text: string): AnswerEvent => ({
	type: "delta",
	choice: 0,
	part,
	text,
});
const close = (part: number): AnswerEvent => ({
	type: "close",
	choice: 0,
	part,
});
const finish: AnswerEvent = {
	type: "finish",
	choice: 0,
	finish: { reason: "tool-calls" },
};
const brief = (events: readonly AnswerEvent[]) =>
	events.map((event) =>
		"part" in event
			? `${event.type} ${event.part}${event.type === "delta" ? ` ${event.text}` : ""}`
			: event.type,
	);

describe("parts one after the other", () => {
	it("closes a call whose arguments are whole when the next opens, and tells it at once", () => {
		const sequence = sequenced();
		expect(
			brief(
				sequence.push([call(0), delta(0, '{"a":"}'), delta(0, '"}'), call(1)]),
			),
		).toEqual(["open 0", 'delta 0 {"a":"}', 'delta 0 "}', "close 0", "open 1"]);
		expect(brief(sequence.push([delta(1, "{}"), close(0), close(1)]))).toEqual([
			"delta 1 {}",
			"close 1",
		]);
	});

	it("holds a later call until the earlier one is whole", () => {
		const sequence = sequenced();
		expect(
			brief(sequence.push([call(0), delta(0, '{"a"'), call(1), delta(1, "{")])),
		).toEqual(["open 0", 'delta 0 {"a"']);
		expect(brief(sequence.push([delta(0, ":1}")]))).toEqual([
			"delta 0 :1}",
			"close 0",
			"open 1",
			"delta 1 {",
		]);
		expect(brief(sequence.push([delta(1, "}"), finish]))).toEqual([
			"delta 1 }",
			"close 1",
			"finish",
		]);
	});

	it("holds what comes behind a text until that closes, through parts that are over already", () => {
		const sequence = sequenced();
		const text: AnswerEvent = {
			type: "open",
			choice: 0,
			part: 0,
			value: { type: "text", text: "" },
		};
		expect(
			brief(sequence.push([text, call(1), delta(1, "{}"), close(1), call(2)])),
		).toEqual(["open 0"]);
		expect(brief(sequence.push([delta(0, "a"), close(0)]))).toEqual([
			"delta 0 a",
			"close 0",
			"open 1",
			"delta 1 {}",
			"close 1",
			"open 2",
		]);
	});

	it("keeps choices apart, and closes what is open at the end", () => {
		const sequence = sequenced();
		expect(
			brief(sequence.push([call(0), { ...call(0), choice: 1 } as AnswerEvent])),
		).toEqual(["open 0", "open 0"]);
		expect(brief(sequence.push([finish, { type: "end" }]))).toEqual([
			"close 0",
			"finish",
			"close 0",
			"end",
		]);
	});

	it("loses nothing, and never has two open", () => {
		fc.assert(
			fc.property(
				answerEvents(
					canonicalAnswers({ reasoning: reasoningParts(), mostChoices: 2 }),
					true,
				),
				fc.integer({ min: 1, max: 5 }),
				({ answer, events }, size) => {
					const sequence = sequenced();
					const told: AnswerEvent[] = [];
					for (let at = 0; at < events.length; at += size)
						told.push(...sequence.push(events.slice(at, at + size)));
					expect(gathered(told)).toEqual(answer);
					const open = new Map<number, number>();
					for (const event of told) {
						if (!("part" in event)) continue;
						if (event.type === "open") {
							expect(open.has(event.choice)).toBe(false);
							open.set(event.choice, event.part);
						} else expect(open.get(event.choice)).toBe(event.part);
						if (event.type === "close") open.delete(event.choice);
					}
					expect(open.size).toBe(0);
				},
			),
			{ numRuns: 300 },
		);
	});
});

it("JSON is whole at its last character and not before", () => {
	fc.assert(
		fc.property(argumentsText, (text) => {
			const progress = jsonProgress();
			for (const character of text.slice(0, -1)) {
				progress.push(character);
				expect(progress.whole).toBe(false);
			}
			progress.push(text.slice(-1));
			expect(progress.whole).toBe(true);
		}),
	);
});
