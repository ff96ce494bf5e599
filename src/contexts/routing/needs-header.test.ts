import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StatedNeeds } from "./model.ts";
import { readDosField, readNeedsHeader } from "./needs-header.ts";

function header(text: string): unknown {
	const outcome = readNeedsHeader(text);
	return outcome.ok ? outcome.value : outcome.error;
}

function field(raw: unknown): unknown {
	const outcome = readDosField(raw);
	return outcome.ok ? outcome.value : outcome.error;
}

const all: StatedNeeds = {
	sovereignty: ["eu-processed", "no-training"],
	callType: "extract",
	difficulty: "easy",
	qualityFloor: 700,
	latencyCeiling: 2000,
	costCeiling: 5000,
	channels: ["direct", "bedrock"],
	capabilities: ["tools"],
};

describe("the header of needs", () => {
	it("says each need by its name", () => {
		expect(
			header(
				"sovereignty=eu-processed+no-training, call-type=extract, difficulty=easy, quality-floor=700, latency-ceiling=2000, cost-ceiling=5000, channels=direct+bedrock, capabilities=tools",
			),
		).toEqual(all);
		expect(header(" difficulty = hard ,, channels=a + b,")).toEqual({
			difficulty: "hard",
			channels: ["a", "b"],
		});
		expect(header("")).toEqual({});
	});

	it.each([
		["speed=fast", /"speed" is no need: write any of call-type, /],
		["callType=extract", /"callType" is no need/],
		["__proto__=1", /is no need/],
		["difficulty", /write difficulty=easy/],
		["difficulty=", /write difficulty=easy/],
		["difficulty=a=b", /write difficulty=easy/],
		["difficulty=tricky", /difficulty must be easy or .*write difficulty=easy/],
		["quality-floor=high", /quality-floor must be .*write quality-floor=700/],
		["quality-floor=7e2", /quality-floor must be/],
		["cost-ceiling=-1", /cost-ceiling must be/],
		["sovereignty=+", /sovereignty must be/],
		["capabilities=telepathy", /capabilities must be a list of tools/],
		["difficulty=easy,difficulty=hard", /twice: write it once\./],
		["channels=a, channels=b", /twice: write it once, with "\+"/],
	])("refuses %j, and says what to write", (text, message) => {
		expect(header(text)).toMatchObject({
			code: "request/invalid",
			message: expect.stringMatching(message),
			details: { field: "x-dos-needs" },
		});
	});

	it("never throws, whatever stands in it", () => {
		fc.assert(
			fc.property(fc.string(), (text) => {
				expect(() => readNeedsHeader(text)).not.toThrow();
			}),
		);
	});
});

describe("the body's own field", () => {
	it("says needs under either name, the session and whether kept answers will do", () => {
		expect(
			field({ needs: all, session: "s-1", cache: false, shadow: false }),
		).toEqual({ needs: all, session: "s-1", cache: false, shadow: false });
		expect(
			field({ needs: { "call-type": "extract", qualityFloor: 3 } }),
		).toEqual({ needs: { callType: "extract", qualityFloor: 3 } });
		expect(field({})).toEqual({ needs: {} });
		expect(
			field({ needs: { difficulty: null }, session: null, cache: null }),
		).toEqual({ needs: {} });
	});

	it.each([
		["extract", /must be an object, as in/],
		[["extract"], /must be an object/],
		[{ need: {} }, /"need", which is none of needs, session, cache, shadow/],
		[{ resume: "yes" }, /"resume" that is not "continue"/],
		[{ resume: false }, /"resume" that is not "continue"/],
		[{ session: "" }, /"session" that is no text/],
		[{ session: "s".repeat(201) }, /"session" that is no text/],
		[{ cache: "no" }, /"cache" that is neither/],
		[{ shadow: 0 }, /"shadow" that is neither/],
		[{ needs: [] }, /the needs are no map/],
		[{ needs: { speed: 1 } }, /"speed" is no need/],
		[JSON.parse('{"needs":{"__proto__":{}}}'), /"__proto__" is no need/],
		[{ needs: { difficulty: "tricky" } }, /difficulty must be/],
		[
			{ needs: { "call-type": "a", callType: "b" } },
			/callType stands there twice/,
		],
	])("refuses %j", (raw, message) => {
		expect(field(raw)).toMatchObject({
			code: "request/invalid",
			message: expect.stringMatching(message),
			details: { field: "dos" },
		});
	});

	it("never throws, whatever JSON it is", () => {
		fc.assert(
			fc.property(fc.jsonValue(), (raw) => {
				expect(() => readDosField(raw)).not.toThrow();
			}),
		);
	});
});
