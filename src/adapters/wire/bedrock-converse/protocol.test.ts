import { describe, expect, it } from "vitest";
import { wireProtocolContract } from "../../../ports/wire-protocol.contract.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { answers, packed, streams } from "./pack.testing.ts";
import { bedrockConverse } from "./protocol.ts";

const request: WireRequest = {
	operation: "converse",
	body: Buffer.alloc(0),
	model: "m",
	stream: true,
	outputLimit: undefined,
	choices: 1,
	inputBytes: 10,
	mediaParts: 0,
	serverTools: [],
	opaque: undefined,
};
const streamType = "application/vnd.amazon.eventstream";

function metered(
	bytes: Uint8Array,
	{ type = streamType, size = bytes.length, outputLimit = 1000 } = {},
) {
	const meter = bedrockConverse.meter(
		request,
		{ body: Buffer.alloc(0), usageAsked: false, outputLimit },
		200,
		type,
	);
	for (let at = 0; at < bytes.length; at += size) {
		const chunk = bytes.slice(at, at + size);
		expect(meter.pass(chunk)).toBe(chunk);
	}
	return meter.finish();
}
const whole = (answer: unknown) =>
	metered(Buffer.from(JSON.stringify(answer)), { type: "application/json" });
const stream = (name: keyof typeof streams) => packed(streams[name]);

wireProtocolContract("Converse", () => ({
	protocol: bedrockConverse,
	samples: {
		requests: {},
		streaming: { operation: "converse", limit: "inferenceConfig.maxTokens" },
		stream: stream("text"),
		plain: Buffer.from(JSON.stringify(answers.text)),
		vendorOnly: request,
	},
}));

describe("Converse", () => {
	it("has no path for clients, and is none's", () => {
		expect(bedrockConverse.operations).toMatchObject([
			{ means: "generate", upstreamPath: "/model/{model}/converse" },
		]);
		expect(bedrockConverse.operations[0]).not.toHaveProperty("path");
		expect(bedrockConverse.speaks(() => "x")).toBe(false);
		expect(bedrockConverse.read("converse", Buffer.from("{}"))).toMatchObject({
			ok: false,
			error: { code: "request/invalid" },
		});
	});

	it("counts a whole answer, caches by their lifetime", () => {
		expect(whole(answers.text)).toMatchObject({
			usage: { input: 125, output: 60 },
			complete: true,
			finishReason: "end_turn",
			deliveredBytes: 0,
		});
		expect(whole(answers.reasoning).usage).toEqual({
			input: 10,
			output: 20,
			"cache-read": 1000,
			"cache-write-5m": 500,
			"cache-write-1h": 400,
		});
	});

	it.each([
		[{ inputTokens: -1 }, "inputTokens is negative"],
		[{ outputTokens: 1 }, "inputTokens is missing"],
		[{ inputTokens: 1, outputTokens: 5000 }, "far over the limit"],
		[
			{ inputTokens: 1, cacheDetails: [{ ttl: "1h", inputTokens: 2 }] },
			"cacheDetails is more than",
		],
	])("does not believe %j", (usage, why) => {
		const read = whole({ ...answers.text, usage });
		expect(read.usage).toBeUndefined();
		expect(read.absurd).toContain(why);
		expect(read.deliveredBytes).toBe("Here is a list of songs.".length);
	});

	it.each([1, 7, 10_000])("counts a stream in chunks of %i", (size) => {
		expect(metered(stream("text"), { size })).toEqual({
			rest: undefined,
			usage: { input: 30, output: 62 },
			absurd: undefined,
			reportedCost: undefined,
			deliveredBytes: 0,
			partialUsage: undefined,
			complete: true,
			finishReason: "end_turn",
			vendorError: undefined,
		});
	});

	it("of a stream that broke off knows what was delivered", () => {
		const events = streams.tools;
		const read = metered(packed(events.slice(0, 6)));
		expect(read).toMatchObject({ usage: undefined, complete: false });
		expect(read.deliveredBytes).toBe(
			Buffer.byteLength('I will look.{"sign":"WZPZ"}'),
		);
		expect(metered(packed(events.slice(0, -1)))).toMatchObject({
			usage: undefined,
			complete: true,
			finishReason: "tool_use",
		});
		expect(metered(Buffer.alloc(0))).toMatchObject({
			complete: false,
			deliveredBytes: 0,
		});
	});

	it("names an exception in the stream, and damage", () => {
		expect(metered(stream("error"))).toMatchObject({
			vendorError:
				"throttlingException: Too many requests, please wait before trying again.",
			deliveredBytes: 7,
			complete: false,
		});
		const bytes = stream("text");
		bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
		expect(metered(bytes)).toMatchObject({
			vendorError: "a message of the stream is damaged",
			complete: false,
			usage: undefined,
		});
	});
});
