import type { ServerResponse } from "node:http";
import { sendFrames, sendJson } from "../../test/support/upstream.ts";
import { models, prices } from "./peer.ts";

/** What a call used, by classes that do not overlap, except that reasoning is part of the output. */
export interface TrueUsage {
	readonly input: number;
	readonly cacheRead?: number;
	readonly cacheWrite?: number;
	readonly output: number;
	readonly reasoning?: number;
}

/** US dollars. */
export function costOf(usage: TrueUsage): number {
	const { input, cacheRead = 0, cacheWrite = 0, output } = usage;
	return (
		(input * prices.input +
			cacheRead * prices.cacheRead +
			cacheWrite * prices.cacheWrite +
			output * prices.output) /
		1e6
	);
}

/** About `tokens` tokens of plain text: common words, one token each. */
export function words(tokens: number): string {
	return Array.from({ length: tokens }, () => "word").join(" ");
}

/** A call as a client of the protocol makes it. */
export function chatRequest(options: {
	readonly prompt: string;
	readonly maxTokens: number;
	readonly stream?: boolean;
}): string {
	return JSON.stringify({
		model: models.chat,
		messages: [{ role: "user", content: options.prompt }],
		max_tokens: options.maxTokens,
		...(options.stream
			? { stream: true, stream_options: { include_usage: true } }
			: {}),
	});
}

export function messagesRequest(stream: boolean, maxTokens: number): string {
	return JSON.stringify({
		model: models.messages,
		max_tokens: maxTokens,
		messages: [{ role: "user", content: "hi" }],
		stream,
	});
}

/** Answers a chat completion with just this usage, plain or as a stream whose usage comes after its end. */
export function answerChat(
	response: ServerResponse,
	usage: TrueUsage,
	stream: boolean,
): void | Promise<void> {
	const { input, cacheRead = 0, output, reasoning = 0 } = usage;
	const counted = {
		prompt_tokens: input + cacheRead,
		completion_tokens: output,
		total_tokens: input + cacheRead + output,
		prompt_tokens_details: { cached_tokens: cacheRead },
		completion_tokens_details: { reasoning_tokens: reasoning },
	};
	const about = {
		id: "chatcmpl-money",
		created: 1_760_000_000,
		model: models.chat,
	};
	if (!stream)
		return sendJson(
			response,
			200,
			JSON.stringify({
				...about,
				object: "chat.completion",
				choices: [
					{
						index: 0,
						message: { role: "assistant", content: "Hello there" },
						finish_reason: "stop",
					},
				],
				usage: counted,
			}),
		);
	return sendFrames(response, [
		chatFrame({ role: "assistant", content: "Hello" }, null),
		chatFrame({ content: " there" }, null),
		chatFrame({}, "stop"),
		`data: ${JSON.stringify({ ...about, object: "chat.completion.chunk", choices: [], usage: counted })}\n\n`,
		"data: [DONE]\n\n",
	]);
}

export function chatFrame(delta: object, finish: string | null): string {
	return `data: ${JSON.stringify({
		id: "chatcmpl-money",
		object: "chat.completion.chunk",
		created: 1_760_000_000,
		model: models.chat,
		choices: [{ index: 0, delta, finish_reason: finish }],
		usage: null,
	})}\n\n`;
}

/** The same over Anthropic's protocol, whose `input_tokens` hold nothing cached. */
export function answerMessage(
	response: ServerResponse,
	usage: TrueUsage,
	stream: boolean,
): void | Promise<void> {
	const counted = {
		input_tokens: usage.input,
		cache_read_input_tokens: usage.cacheRead ?? 0,
		cache_creation_input_tokens: usage.cacheWrite ?? 0,
	};
	const about = {
		id: "msg_money",
		type: "message",
		role: "assistant",
		model: models.messages,
	};
	if (!stream)
		return sendJson(
			response,
			200,
			JSON.stringify({
				...about,
				content: [{ type: "text", text: "Hello there" }],
				stop_reason: "end_turn",
				stop_sequence: null,
				usage: { ...counted, output_tokens: usage.output },
			}),
		);
	return sendFrames(response, [
		event({
			type: "message_start",
			message: {
				...about,
				content: [],
				stop_reason: null,
				stop_sequence: null,
				usage: { ...counted, output_tokens: 1 },
			},
		}),
		event({
			type: "content_block_start",
			index: 0,
			content_block: { type: "text", text: "" },
		}),
		event({
			type: "content_block_delta",
			index: 0,
			delta: { type: "text_delta", text: "Hello there" },
		}),
		event({ type: "content_block_stop", index: 0 }),
		event({
			type: "message_delta",
			delta: { stop_reason: "end_turn", stop_sequence: null },
			usage: { output_tokens: usage.output },
		}),
		event({ type: "message_stop" }),
	]);
}

function event(data: {
	readonly type: string;
	readonly [name: string]: unknown;
}): string {
	return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}
