import { expect, it } from "vitest";
import type { Reading } from "../../ports/reading.ts";
import { agreementOf } from "./agreement.ts";

const text = (text: string): Reading => ({
	asked: { schema: true },
	answer: { text, toolCalls: [] },
});
const tools = (...names: string[]): Reading => ({
	asked: {},
	answer: {
		text: "",
		toolCalls: names.map((name) => ({ name, arguments: "{}" })),
	},
});

it.each([
	["the same tools", tools("a", "b"), tools("a", "b"), { tools: true }],
	["other tools", tools("a"), tools("b"), { tools: false }],
	["another order", tools("a", "b"), tools("b", "a"), { tools: false }],
	["a tool and words", tools("a"), undefined, { tools: false }],
	["words and a tool", undefined, tools("a"), { tools: false }],
	[
		"the same JSON",
		text('{"a":1,"b":2}'),
		text('{"b":2,"a":1}'),
		{ json: true },
	],
	["other JSON", text("1"), text("2"), { json: false }],
	["JSON and what is none", text("1"), text("no"), { json: false }],
	["JSON and what cannot be read", text("null"), undefined, { json: false }],
	["no JSON to begin with", text("no"), text("1"), {}],
	["nothing to begin with", undefined, text("1"), {}],
	["words", undefined, undefined, {}],
] as const)("of %s", (_, first, second, agreement) => {
	expect(agreementOf(first, second)).toEqual(agreement);
});
