import { describe, expect, it } from "vitest";
import { joinNeeds, readNeeds } from "./needs.ts";

describe("needs of several", () => {
	it("are none where nobody says any", () => {
		expect(joinNeeds([])).toStrictEqual({});
		expect(joinNeeds([{}, {}])).toStrictEqual({});
	});

	it("kind and difficulty are the first's that says them", () => {
		expect(
			joinNeeds([{}, { callType: "a" }, { callType: "b", difficulty: "hard" }]),
		).toStrictEqual({ callType: "a", difficulty: "hard" });
		expect(
			joinNeeds([{ difficulty: "easy" }, { difficulty: "hard" }]),
		).toStrictEqual({ difficulty: "easy" });
	});

	it("the strictest bound counts, and channels must be allowed by each", () => {
		const bounds = (bound: number) => ({
			qualityFloor: bound,
			latencyCeiling: bound,
			costCeiling: bound,
		});
		const strict = { qualityFloor: 7, latencyCeiling: 5, costCeiling: 5 };
		expect(joinNeeds([bounds(5), bounds(7)])).toStrictEqual(strict);
		expect(joinNeeds([bounds(7), {}, bounds(5)])).toStrictEqual(strict);
		expect(
			joinNeeds([{ channels: ["a", "b"] }, { channels: ["b", "c"] }]),
		).toStrictEqual({ channels: ["b"] });
		expect(joinNeeds([{ channels: ["a"] }, { channels: ["b"] }])).toStrictEqual(
			{ channels: [] },
		);
	});

	it("classes and capabilities add up, each once", () => {
		expect(
			joinNeeds([
				{ sovereignty: ["a"], capabilities: ["tools"] },
				{ sovereignty: ["a", "b"], capabilities: ["image", "tools"] },
			]),
		).toStrictEqual({
			sovereignty: ["a", "b"],
			capabilities: ["tools", "image"],
		});
	});
});

describe("reading needs", () => {
	it.each<[object]>([
		[{}],
		[{ callType: "code-edit" }],
		[{ callType: `a${"b".repeat(39)}` }],
		[{ difficulty: "easy" }],
		[{ difficulty: "medium" }],
		[{ difficulty: "hard" }],
		[{ qualityFloor: 1 }],
		[{ qualityFloor: 1000 }],
		[{ latencyCeiling: 0 }],
		[{ costCeiling: 0 }],
		[{ channels: ["direct"], sovereignty: ["eu-processed"] }],
		[{ channels: Array.from({ length: 32 }, () => "c".repeat(100)) }],
		[
			{
				capabilities: [
					"tools",
					"json-schema",
					"reasoning",
					"caching",
					"logprobs",
					"streaming",
					"image",
					"document",
					"audio",
				],
			},
		],
	])("takes %j", (raw) => {
		expect(readNeeds(raw)).toBe(raw);
	});

	it.each<[unknown, RegExp]>([
		[5, /^the needs are no map$/],
		[{ speed: 1 }, /^"speed" is no need: there are callType, difficulty, /],
		[{ ["s".repeat(60)]: 1 }, /^"s{50}" is no need/],
		[{ toString: 1 }, /^"toString" is no need/],
		[{ callType: ["chat"] }, /^callType must be a word/],
		[{ callType: "chat!" }, /^callType must be/],
		[{ callType: "1chat" }, /^callType must be/],
		[{ callType: `a${"b".repeat(40)}` }, /^callType must be/],
		[{ difficulty: "tricky" }, /^difficulty must be easy or medium or hard$/],
		[{ qualityFloor: 0 }, /^qualityFloor must be a whole number from 1/],
		[{ qualityFloor: 1001 }, /^qualityFloor must be/],
		[{ qualityFloor: 1.5 }, /^qualityFloor must be/],
		[{ latencyCeiling: -1 }, /^latencyCeiling must be a whole number from 0$/],
		[{ costCeiling: 0.5 }, /^costCeiling must be/],
		[{ channels: [] }, /^channels must be a list of names/],
		[{ sovereignty: "a" }, /^sovereignty must be a list of names/],
		[
			{ sovereignty: Array.from({ length: 33 }, () => "c") },
			/^sovereignty must be/,
		],
		[{ sovereignty: ["a", "c".repeat(101)] }, /^sovereignty must be/],
		[{ capabilities: [] }, /^capabilities must be a list of tools, /],
		[{ capabilities: ["tools", "flight"] }, /^capabilities must be/],
		[{ capabilities: "tools" }, /^capabilities must be/],
	])("refuses %j", (raw, problem) => {
		expect(readNeeds(raw)).toMatch(problem);
	});
});
