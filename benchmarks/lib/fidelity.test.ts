import { describe, expect, it } from "vitest";
import { difference, streamDifference } from "./fidelity.ts";

describe("what arrived against what was sent", () => {
	it("is no difference only when every byte is the same", () => {
		expect(difference('{"a": 1.0}', '{"a": 1.0}')).toBeUndefined();
		expect(difference('{"a": 1.0}', '{"a":1}')).toBe(
			"the same values in other bytes",
		);
		expect(difference('{"a":"\\u00e9"}', '{"a":"é"}')).toBe(
			"the same values in other bytes",
		);
	});

	it("names what was lost, added and changed, the first three of them", () => {
		expect(difference('{"a":1,"b":{"c":[2]}}', '{"b":{"c":[3]},"d":4}')).toBe(
			"a lost, b.c.0 changed, d added",
		);
		expect(difference('{"a":1,"b":2,"c":3,"d":4,"e":5}', "{}")).toBe(
			"a lost, b lost, c lost and 2 more",
		);
	});

	it("text that is no JSON is other text", () => {
		expect(difference('{"a":1}', "{")).toBe("other text");
		expect(difference('{"a":1}', "")).toBe("nothing arrived");
	});

	it("streams are held against each other frame by frame", () => {
		const sent = 'data: {"a":1,"x":2}\n\ndata: {"a":3}\n\ndata: [DONE]\n\n';
		expect(streamDifference(sent, sent)).toBeUndefined();
		expect(streamDifference(sent, sent.replace(',"x":2', ""))).toBe(
			"1 of 3 frames: x lost",
		);
		expect(streamDifference(sent, "data: [DONE]\n\n")).toBe(
			"3 frames sent, 1 arrived",
		);
		expect(streamDifference(sent, sent.replaceAll("\n", "\r\n"))).toBe(
			"the same frames, other bytes around them",
		);
	});
});
