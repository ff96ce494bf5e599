import { describe, expect, it } from "vitest";
import { type Check, judgeMessages, meets, readVerdict } from "./checks.ts";

type Ruled = Exclude<Check, { kind: "judge" }>;

const saying = (text: string) => ({ text, toolCalls: [] });
const schema = { type: "object", required: ["n"] };

describe("what a text must be", () => {
	it.each<[Ruled, string, boolean]>([
		[{ kind: "equals", text: "Paris" }, " Paris\n", true],
		[{ kind: "equals", text: "Paris" }, "paris", false],
		[{ kind: "contains", texts: ["one", "TWO"] }, "One and two.", true],
		[{ kind: "contains", texts: ["one", "three"] }, "One and two.", false],
		[{ kind: "lacks", texts: ["sorry"] }, "Here it is.", true],
		[{ kind: "lacks", texts: ["x", "sorry"] }, "Sorry, no.", false],
		[{ kind: "regex", pattern: "^\\d+$", flags: "u" }, "42", true],
		[{ kind: "regex", pattern: "^\\d+$", flags: "u" }, "42 ", false],
		[{ kind: "json-schema", schema }, '{"n":1}', true],
		[{ kind: "json-schema", schema }, '```json\n{"n":1}\n```', true],
		[{ kind: "json-schema", schema }, 'Here: {"n":1}', false],
		[{ kind: "json-schema", schema }, "{}", false],
		[{ kind: "number-close", to: 1234.5, within: 0 }, "It is 1,234.5", true],
		[{ kind: "number-close", to: 0.3, within: 0.1 }, "0.2", true],
		[{ kind: "number-close", to: -4, within: 0.5 }, "so -4.6", false],
		[{ kind: "number-close", to: 7, within: 1 }, "none", false],
		[{ kind: "number-close", to: 5, within: 0 }, "2 + 3 = 5.", true],
	])("%j of %j: %j", (check, text, met) => {
		expect(meets(check, saying(text))).toBe(met);
	});
});

it("a tool is called, with the arguments that are asked for among its own", () => {
	const answer = {
		text: "",
		toolCalls: [
			{
				name: "find",
				arguments: '{"place":{"city":"Rome","near":true},"n":2}',
			},
			{ name: "broken", arguments: "{" },
		],
	};
	const called = (name: string, wanted?: unknown) =>
		meets(
			{
				kind: "tool-called",
				name,
				...(wanted !== undefined && { arguments: wanted }),
			},
			answer,
		);
	expect(called("find")).toBe(true);
	expect(called("lose")).toBe(false);
	expect(called("find", { place: { city: "Rome" } })).toBe(true);
	expect(called("find", { place: { city: "Pisa" } })).toBe(false);
	expect(called("broken")).toBe(true);
	expect(called("broken", {})).toBe(false);
});

describe("a judge's verdict", () => {
	it.each([
		['{"score": 0.8, "why": "good"}', 0.8],
		['```json\n{"score": 1}\n```', 1],
		['{"score": 1.2}', undefined],
		['{"score": "1"}', undefined],
		['I say {"score": 1}', undefined],
		["", undefined],
	])("in %j is %j", (text, score) => {
		expect(readVerdict(text)).toBe(score);
	});

	it("is never read out of the question: what is asked holds no verdict", () => {
		const messages = judgeMessages("q", saying('{"score": 1}'), "rubric");
		for (const { content } of messages)
			expect(readVerdict(content)).toBeUndefined();
		expect(messages[1]?.content).toContain("<rubric>\nrubric\n</rubric>");
	});
});
