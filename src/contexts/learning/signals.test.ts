import { describe, expect, it } from "vitest";
import { openRepeats, signalsOf } from "./signals.ts";

const schema = { type: "object", required: ["n"] };
const tools = [
	{ name: "find", schema: { properties: { n: { type: "integer" } } } },
	{ name: "stop" },
	{ name: "odd", schema: { contains: 1 } },
	{ name: "write", text: true },
];
const calling = (name: string, args: string) => ({
	text: "",
	toolCalls: [{ name, arguments: args }],
});

describe("an answer shows of itself", () => {
	it.each([
		[{ schema }, { text: '{"n":1}', toolCalls: [] }, { schema: true }],
		[{ schema }, { text: "{}", toolCalls: [] }, { schema: false }],
		[{ schema }, { text: "no JSON", toolCalls: [] }, { schema: false }],
		[{ tools }, calling("find", '{"n":1}'), { tools: true }],
		[{ tools }, calling("find", '{"n":"1"}'), { tools: false }],
		[{ tools }, calling("find", "{"), { tools: false }],
		[{ tools }, calling("stop", ""), { tools: true }],
		[{ tools }, calling("lose", "{}"), { tools: false }],
		[{ tools }, calling("write", "no JSON"), { tools: true }],
		[{ tools, others: true }, calling("find", "{"), { tools: false }],
	])("%j, %j: %j", (asked, answer, signals) => {
		expect(signalsOf(asked, answer)).toEqual(signals);
	});

	it.each([
		["nothing was asked", {}, { text: "x", toolCalls: [] }],
		["it calls a tool instead", { schema }, calling("find", "{}")],
		["it calls none", { tools }, { text: "x", toolCalls: [] }],
		[
			"there are tools that are not known",
			{ tools, others: true },
			calling("lose", "{}"),
		],
		["a keyword is not understood", { tools }, calling("odd", "{}")],
		[
			"the schema has a stranger's pattern",
			{ schema: { pattern: "(a+)+$" } },
			{ text: '"aaaa"', toolCalls: [] },
		],
		[
			"the schema leads round in itself",
			{ schema: { anyOf: [{ $ref: "#" }, { $ref: "#" }] } },
			{ text: "1", toolCalls: [] },
		],
		[
			"it is very large",
			{ schema },
			{ text: `"${"x".repeat(300_000)}"`, toolCalls: [] },
		],
	])("nothing where %s", (_, asked, answer) => {
		expect(signalsOf(asked, answer)).toEqual({});
	});
});

describe("a client that asks again", () => {
	it("is noticed soon after the answer", () => {
		const repeats = openRepeats({ within: 100 });
		expect(repeats.saw("key", "hash", "c1", 0)).toBeUndefined();
		repeats.answered("c1", 500);
		expect(repeats.saw("key", "hash", "c2", 600)).toBe("c1");
		repeats.answered("c2", 600);
		expect(repeats.saw("key", "hash", "c3", 701)).toBeUndefined();
	});

	it("is none while the first is under way, with another key, or for something else", () => {
		const repeats = openRepeats();
		repeats.saw("key", "hash", "c1", 0);
		expect(repeats.saw("key", "hash", "c2", 1)).toBeUndefined();
		repeats.answered("c1", 2);
		repeats.answered("c2", 3);
		expect(repeats.saw("other", "hash", "c3", 4)).toBeUndefined();
		expect(repeats.saw("key", "other", "c4", 4)).toBeUndefined();
		expect(repeats.saw("key", "hash", "c5", 4)).toBe("c2");
	});

	it("counts as one request however often it asks", () => {
		const repeats = openRepeats({ most: 2 });
		for (const call of ["c1", "c2", "c3"]) repeats.saw("key", "a", call, 0);
		repeats.saw("key", "b", "c4", 0);
		// What an earlier call of it is answered says nothing of the last one.
		repeats.answered("c2", 1);
		expect(repeats.saw("key", "a", "c5", 2)).toBeUndefined();
		repeats.answered("c5", 3);
		expect(repeats.saw("key", "a", "c6", 4)).toBe("c5");
	});

	it("is forgotten when there are too many", () => {
		const repeats = openRepeats({ most: 2 });
		for (const call of ["c1", "c2", "c3"]) {
			repeats.saw("key", call, call, 0);
			repeats.answered(call, 0);
		}
		expect(repeats.saw("key", "c1", "d1", 1)).toBeUndefined();
		expect(repeats.saw("key", "c3", "d3", 1)).toBe("c3");
	});
});
