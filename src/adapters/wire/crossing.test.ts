import { describe, expect, it } from "vitest";
import type { Passage } from "../../ports/crossing.ts";
import type { Meter, WireProtocol } from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import { openCrossings } from "./crossing.ts";

const crossings = openCrossings(spoken);
const protocol = (id: string): WireProtocol => {
	const found = spoken.find(({ wire }) => wire.id === id);
	if (!found) throw new Error(id);
	return found.wire;
};
const bytes = (text: string) => Buffer.from(text);
const text = (piece: Uint8Array | undefined) =>
	piece === undefined ? "" : Buffer.from(piece).toString();

/** An Anthropic client's request on its way to a vendor that speaks Chat Completions. */
function cross(
	asked: object = {},
	change: { outputLimit?: number } = {},
): Passage {
	const outcome = tryCross(asked, change);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function tryCross(asked: object = {}, change: { outputLimit?: number } = {}) {
	const wire = protocol("anthropic-messages");
	const request = wire.read(
		"messages",
		bytes(
			JSON.stringify({
				model: "m",
				max_tokens: 100,
				messages: [{ role: "user", content: "Hi" }],
				...asked,
			}),
		),
	);
	if (!request.ok) throw new Error(request.error.message);
	const operation = wire.operations.find(({ id }) => id === "messages");
	if (!operation) throw new Error("no operation");
	return crossings.open({
		wire,
		operation,
		request: request.value,
		vendor: "openai-chat",
		change: { model: "gpt", outputLimit: change.outputLimit, quirks: {} },
		naming: { call: "call_1", model: "m", time: 1_700_000_000_000 },
	});
}

function answer(
	passage: Passage,
	contentType: string,
	status = 200,
): { meter: Meter; streaming: boolean; contentType: string } {
	return passage.answer(passage.forward(undefined), status, contentType);
}

const whole = JSON.stringify({
	id: "chatcmpl-1",
	object: "chat.completion",
	created: 1,
	model: "gpt",
	choices: [
		{
			index: 0,
			message: { role: "assistant", content: "Hello" },
			finish_reason: "stop",
		},
	],
	usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
});

const frames = [
	'{"id":"c","model":"gpt","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}',
	'{"id":"c","model":"gpt","choices":[{"index":0,"delta":{"content":"lo"}}]}',
	'{"id":"c","model":"gpt","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
	'{"id":"c","model":"gpt","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}',
	"[DONE]",
].map((data) => `data: ${data}\n\n`);

describe("which protocols reach which", () => {
	it("answers reach each other, and nothing reaches what has no such operation", () => {
		const ids = spoken.map(({ wire }) => wire.id);
		for (const client of ids)
			for (const vendor of ids)
				expect(crossings.reaches(client, "generate", vendor)).toBe(true);
		expect(
			crossings.reaches("openai-chat", "embed", "anthropic-messages"),
		).toBe(false);
		expect(crossings.reaches("openai-chat", "embed", "google-generate")).toBe(
			true,
		);
		expect(crossings.reaches("openai-chat", "generate", "unknown")).toBe(false);
		expect(crossings.reaches("openai-chat", "speech", "openai-responses")).toBe(
			false,
		);
	});
});

describe("the request", () => {
	it("leaves in the vendor's words, to its path, with none of the client's headers", () => {
		const passage = cross({ system: "Be kind." });
		const { body, path } = passage.forward(undefined);
		expect(JSON.parse(text(body))).toMatchObject({
			model: "gpt",
			messages: [
				{ role: "system", content: "Be kind." },
				{ role: "user", content: "Hi" },
			],
		});
		expect(path).toBe("/chat/completions");
		expect(passage.passHeaders).toEqual([]);
	});

	it("takes the smaller limit that the hold came out with", () => {
		const passage = cross();
		const limit = (outputLimit: number | undefined) => {
			const forwarded = passage.forward(outputLimit);
			const sent = JSON.parse(text(forwarded.body));
			return [
				sent.max_completion_tokens ?? sent.max_tokens,
				forwarded.outputLimit,
			];
		};
		expect(limit(undefined)).toEqual([100, 100]);
		expect(limit(40)).toEqual([40, 40]);
		expect(limit(undefined)).toEqual([100, 100]);
	});

	it("names what could not be carried, each once", () => {
		const marked = {
			type: "text",
			text: "x",
			cache_control: { type: "ephemeral" },
		};
		const passage = cross({ top_k: 4, system: [marked, marked] });
		const fields = passage.warnings.map(
			({ kind, field }) => `${kind} ${field}`,
		);
		expect(fields).toContain("dropped top_k");
		expect(new Set(fields).size).toBe(fields.length);
	});

	it("is refused by field when the vendor's protocol has no words for it", () => {
		const outcome = tryCross({
			tools: [{ type: "bash_20250124", name: "bash" }],
		});
		expect(outcome).toMatchObject({
			ok: false,
			error: {
				code: "translate/unsupported",
				details: { field: expect.stringContaining("tools") },
			},
		});
	});
});

describe("a whole answer", () => {
	it("comes back in the client's words, and is paid by the vendor's own count", () => {
		const { meter, streaming, contentType } = answer(
			cross(),
			"application/json",
		);
		expect([streaming, contentType]).toEqual([false, "application/json"]);
		expect(meter.pass(bytes(whole.slice(0, 50)))).toBeUndefined();
		expect(meter.pass(bytes(whole.slice(50)))).toBeUndefined();
		const metered = meter.finish();
		expect(metered).toMatchObject({
			usage: { input: 7, output: 3 },
			complete: true,
		});
		expect(JSON.parse(text(metered.rest))).toMatchObject({
			type: "message",
			content: [{ type: "text", text: "Hello" }],
			stop_reason: "end_turn",
			usage: { input_tokens: 7, output_tokens: 3 },
		});
	});

	it("becomes a stream for a client that wanted one", () => {
		const { meter, streaming, contentType } = answer(
			cross({ stream: true }),
			"application/json; charset=utf-8",
		);
		expect([streaming, contentType]).toEqual([true, "text/event-stream"]);
		meter.pass(bytes(whole));
		const out = text(meter.finish().rest);
		expect(out).toContain("event: message_start");
		expect(out).toContain('"text":"Hello"');
		expect(out.trimEnd()).toMatch(/event: message_stop\ndata: .*$/);
	});

	it.each(["[1,", "not json", '"text"', "{}", '{"choices":[]}'])(
		"that makes no sense is an error, and passes nothing on: %s",
		(body) => {
			const { meter } = answer(cross(), "application/json");
			meter.pass(bytes(body));
			const metered = meter.finish();
			expect(metered.rest).toBeUndefined();
			expect(metered.complete && metered.vendorError === undefined).toBe(false);
		},
	);

	it("that broke off passes nothing on", () => {
		const { meter } = answer(cross(), "application/json");
		meter.pass(bytes(whole.slice(0, -10)));
		expect(meter.finish()).toMatchObject({ rest: undefined, complete: false });
	});
});

describe("a streamed answer", () => {
	it("goes on piece by piece, as it comes", () => {
		const { meter } = answer(cross({ stream: true }), "text/event-stream");
		const first = text(meter.pass(bytes(frames[0] as string)));
		expect(first).toContain("event: message_start");
		expect(first).toContain('"text":"Hel"');
		expect(text(meter.pass(bytes(frames[1] as string)))).toContain(
			'"text":"lo"',
		);
		const rest = frames
			.slice(2)
			.map((frame) => text(meter.pass(bytes(frame))))
			.join("");
		const metered = meter.finish();
		expect(rest + text(metered.rest)).toContain("event: message_stop");
		expect(metered).toMatchObject({
			usage: { input: 7, output: 3 },
			complete: true,
		});
	});

	it("is the same however it is cut", () => {
		const run = (cut: number) => {
			const { meter } = answer(cross({ stream: true }), "text/event-stream");
			const all = Buffer.from(frames.join(""));
			let out = "";
			for (let at = 0; at < all.length; at += cut)
				out += text(meter.pass(all.subarray(at, at + cut)));
			return out + text(meter.finish().rest);
		};
		expect(run(1)).toBe(run(100_000));
		expect(run(7)).toBe(run(100_000));
	});

	it("with an error in the middle ends in the client's error event", () => {
		const { meter } = answer(cross({ stream: true }), "text/event-stream");
		meter.pass(bytes(frames[0] as string));
		const error = 'data: {"error":{"message":"Overloaded","code":"x"}}\n\n';
		const out = text(meter.pass(bytes(error)));
		expect(out).toContain("event: error");
		expect(out).toContain("Overloaded");
		expect(meter.pass(bytes(frames[1] as string))).toBeUndefined();
		const metered = meter.finish();
		expect(metered.vendorError).toBeDefined();
		expect(text(metered.rest)).toBe("");
	});

	it("that breaks off does not look whole", () => {
		const { meter } = answer(cross({ stream: true }), "text/event-stream");
		const out =
			text(meter.pass(bytes(frames[0] as string))) + text(meter.finish().rest);
		expect(out).not.toContain("message_stop");
		expect(
			text(meter.refuse?.({ code: "vendor/broke-off", message: "Gone." })),
		).toContain("event: error");
	});
});

describe("a vendor's error", () => {
	it.each([
		[
			400,
			'{"error":{"message":"Bad thing","type":"invalid_request_error","code":"oops"}}',
			"Bad thing",
		],
		[529, '{"error":"Overloaded"}', "Overloaded"],
		[500, "<html>no</html>", ""],
		[400, "", ""],
	])("%i comes in the client's shape", (status, body, said) => {
		const error = JSON.parse(text(cross().vendorError(status, bytes(body))));
		expect(error).toMatchObject({
			type: "error",
			error: { message: expect.stringContaining(said) },
		});
	});
});
