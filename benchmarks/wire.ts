/**
 * How long reading, forwarding and metering take, without network: `node benchmarks/wire.ts`.
 * The best of several rounds, as anything else on the machine only ever adds time.
 */
import { anthropicMessages } from "../src/adapters/wire/anthropic-messages/protocol.ts";
import { openaiChat } from "../src/adapters/wire/openai-chat/protocol.ts";
import type {
	Forwarded,
	WireProtocol,
	WireRequest,
} from "../src/ports/wire-protocol.ts";

function microseconds(times: number, run: () => unknown): number {
	let best = Number.POSITIVE_INFINITY;
	for (let round = 0; round < 12; round++) {
		const start = process.hrtime.bigint();
		for (let count = 0; count < times; count++) run();
		best = Math.min(
			best,
			Number(process.hrtime.bigint() - start) / 1000 / times,
		);
	}
	return best;
}

function report(
	name: string,
	value: number,
	unit: string,
	target: number,
): void {
	console.log(
		`${name.padEnd(58)} ${value.toFixed(2).padStart(8)} ${unit.padEnd(9)} target ${target}`,
	);
}

function body(bytes: number, message: number): Buffer {
	const line =
		'He said "no" to it,\n\tand then: naïve façade — ≥ 3 items, {"a": [1, 2]}; ';
	const messages: { role: string; content: string }[] = [];
	for (let left = bytes - 130; left > 50; ) {
		const content = line
			.repeat(Math.ceil(message / line.length))
			.slice(0, Math.min(left, message));
		const next = { role: messages.length % 2 ? "assistant" : "user", content };
		messages.push(next);
		left -= Buffer.byteLength(JSON.stringify(next)) + 1;
	}
	return Buffer.from(
		JSON.stringify({
			model: "gpt-5-mini",
			messages,
			temperature: 0.7,
			max_tokens: 512,
			stream: true,
			user: "someone",
		}),
	);
}

function request(wire: WireProtocol, bytes: Uint8Array): WireRequest {
	const read = wire.read(wire.operations[0]?.id ?? "", bytes);
	if (!read.ok) throw new Error(read.error.message);
	return read.value;
}

const change = { model: "vendor-model", outputLimit: 400, quirks: {} };

for (const [name, bytes, target, times] of [
	["500 B", body(500, 300), 8, 20_000],
	["100 KB, messages of 2 KB", body(100_000, 2_000), 130, 400],
	["100 KB, messages of 50 B", body(100_000, 50), 130, 200],
	["100 KB, one message", body(100_000, 100_000), 130, 400],
] as const) {
	for (const wire of [openaiChat, anthropicMessages]) {
		const time = microseconds(times, () =>
			wire.forward(request(wire, bytes), change),
		);
		report(`${wire.id}: read + forward ${name}`, time, "µs", target);
	}
}

for (const [name, bytes, target] of [
	["500 B", body(500, 300), 5],
	["100 KB, messages of 2 KB", body(100_000, 2_000), 10],
	["100 KB, messages of 50 B", body(100_000, 50), 200],
] as const) {
	for (const wire of [openaiChat, anthropicMessages]) {
		const asked = request(wire, bytes);
		const time = microseconds(2_000, () => wire.traits(asked));
		report(`${wire.id}: traits ${name}`, time, "µs", target);
	}
}

const frames: Buffer[] = [];
for (let index = 0; index < 34; index++) {
	const last = index === 33;
	const choices = last
		? "[]"
		: `[{"index":0,"delta":{"content":" word${index}"},"logprobs":null,"finish_reason":${index === 32 ? '"stop"' : "null"}}]`;
	const usage = last
		? '{"prompt_tokens":42,"completion_tokens":128,"total_tokens":170,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}'
		: "null";
	frames.push(
		Buffer.from(
			`data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","choices":${choices},"usage":${usage},"obfuscation":"abcdef"}\n\n`,
		),
	);
}
frames.push(Buffer.from("data: [DONE]\n\n"));

const asked = request(openaiChat, body(500, 300));
for (const [name, usageAsked, target] of [
	["passed as they are", false, 34],
	["usage taken out", true, 34],
] as const) {
	const forwarded: Forwarded = { body: asked.body, usageAsked };
	const time = microseconds(2_000, () => {
		const meter = openaiChat.meter(asked, forwarded, 200, "text/event-stream");
		for (const frame of frames) meter.pass(frame);
		return meter.finish();
	});
	report(`openai-chat: stream of 34 frames, ${name}`, time, "µs", target);
	report("  a frame", time / 34, "µs", 1);
}
