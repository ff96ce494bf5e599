import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerEvent } from "../../../ports/canonical.ts";
import {
	answerEvents,
	canonicalAnswers,
	names,
	opaques,
	reasoningParts,
	textParts,
	tokenLogprobs,
	toolCallParts,
} from "./arbitraries.testing.ts";
import { gathered, gatherer, spread } from "./gather.ts";

const anyAnswers = canonicalAnswers({
	reasoning: reasoningParts({
		summary: fc.boolean(),
		opaque: opaques("protocol-x"),
	}),
	text: textParts({
		opaque: opaques("protocol-x"),
		citations: fc.array(
			names.map((each) => ({ url: `https://example.com/${each}` })),
			{ minLength: 1, maxLength: 2 },
		),
	}),
	call: toolCallParts({ opaque: opaques("protocol-x") }),
	mostChoices: 3,
	logprobs: tokenLogprobs,
	serviceTier: names,
});

describe("an answer from its events", () => {
	it("is the answer that they tell, however mixed and in pieces", () => {
		fc.assert(
			fc.property(answerEvents(anyAnswers, true), ({ answer, events }) => {
				expect(gathered(events)).toEqual(answer);
			}),
		);
	});

	it("takes the value a part has at its close", () => {
		const opaque = { protocol: "protocol-x", data: 1 };
		const search = {
			type: "server-tool",
			tool: "web-search",
			id: "s",
		} as const;
		const events: AnswerEvent[] = [
			{ type: "open", choice: 0, part: 0, value: search },
			{ type: "close", choice: 0, part: 0, value: { ...search, opaque } },
		];
		expect(gathered(events).choices[0]?.parts).toEqual([{ ...search, opaque }]);
	});

	it("says of a choice that broke off that it did, and what the vendor said", () => {
		const gathering = gatherer();
		gathering.push([
			{ type: "start", id: "a", usage: { input: 3 } },
			{ type: "open", choice: 0, part: 0, value: { type: "text", text: "" } },
			{ type: "delta", choice: 0, part: 0, text: "Hel" },
			{ type: "error", error: { message: "overloaded" } },
		]);
		expect(gathering.error).toEqual({ message: "overloaded" });
		expect(gathering.ended).toBe(false);
		expect(gathering.answer()).toEqual({
			id: "a",
			usage: { input: 3 },
			choices: [
				{ parts: [{ type: "text", text: "Hel" }], finish: { reason: "error" } },
			],
		});
		expect(gathered([]).choices).toEqual([
			{ parts: [], finish: { reason: "error" } },
		]);
	});

	it("passes by what belongs to no part", () => {
		const stray = [
			{ type: "delta", choice: 0, part: 4, text: "x" },
			{ type: "close", choice: 1, part: 0 },
		] as const;
		expect(gathered([...stray, ...spread(gathered([]))])).toEqual(gathered([]));
	});
});
