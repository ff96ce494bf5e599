import {
	createServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request as the upstream received it. */
export interface Received {
	readonly method: string;
	readonly path: string;
	readonly headers: IncomingMessage["headers"];
	readonly body: string;
	/** The same as it came. */
	readonly bytes: Buffer;
	/** Resolves when the gateway has closed the connection before the answer ended. */
	readonly cancelled: Promise<void>;
}

export type Answering = (
	received: Received,
	response: ServerResponse,
) => void | Promise<void>;

/** A vendor that a test writes: every request goes to `answer`, and is kept in `received`. */
export interface Upstream {
	readonly url: string;
	readonly received: Received[];
	answer: Answering;
	close(): Promise<void>;
}

export async function startUpstream(answer: Answering): Promise<Upstream> {
	const received: Received[] = [];
	const sockets = new Set<Socket>();
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const bytes = Buffer.concat(chunks);
			const one: Received = {
				method: request.method ?? "",
				path: request.url ?? "",
				headers: request.headers,
				body: bytes.toString("utf8"),
				bytes,
				cancelled: new Promise((resolve) => {
					response.on("close", () => {
						if (!response.writableFinished) resolve();
					});
				}),
			};
			received.push(one);
			void Promise.resolve(upstream.answer(one, response)).catch((fault) =>
				response.destroy(fault),
			);
		});
	});
	server.on("connection", (socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
		socket.on("error", () => {});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const upstream: Upstream = {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		received,
		answer,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
	return upstream;
}

/** A chat completion as OpenAI documents it. */
export function chatAnswer(
	text: string,
	usage: { prompt: number; completion: number; cached?: number },
): string {
	return JSON.stringify({
		id: "chatcmpl-1",
		object: "chat.completion",
		created: 1_760_000_000,
		model: "gpt-4o-mini-2024-07-18",
		choices: [
			{
				index: 0,
				message: { role: "assistant", content: text, refusal: null },
				logprobs: null,
				finish_reason: "stop",
			},
		],
		usage: {
			prompt_tokens: usage.prompt,
			completion_tokens: usage.completion,
			total_tokens: usage.prompt + usage.completion,
			prompt_tokens_details: {
				cached_tokens: usage.cached ?? 0,
				audio_tokens: 0,
			},
			completion_tokens_details: {
				reasoning_tokens: 0,
				audio_tokens: 0,
				accepted_prediction_tokens: 0,
				rejected_prediction_tokens: 0,
			},
		},
		system_fingerprint: "fp_1",
	});
}

/** The frames of the same answer as a stream; with `usage` as OpenAI sends it when it is asked for. */
export function chatFrames(
	words: readonly string[],
	usage?: { prompt: number; completion: number },
): string[] {
	const frame = (choices: unknown[], extra: object = {}) =>
		`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_760_000_000, model: "gpt-4o-mini-2024-07-18", choices, ...extra })}\n\n`;
	const none = usage ? { usage: null } : {};
	return [
		frame(
			[
				{
					index: 0,
					delta: { role: "assistant", content: "" },
					finish_reason: null,
				},
			],
			none,
		),
		...words.map((word) =>
			frame(
				[{ index: 0, delta: { content: word }, finish_reason: null }],
				none,
			),
		),
		frame([{ index: 0, delta: {}, finish_reason: "stop" }], none),
		...(usage
			? [
					frame([], {
						usage: {
							prompt_tokens: usage.prompt,
							completion_tokens: usage.completion,
							total_tokens: usage.prompt + usage.completion,
						},
					}),
				]
			: []),
		"data: [DONE]\n\n",
	];
}

/** The events of a message as Anthropic documents them. */
export function messageFrames(
	words: readonly string[],
	usage: { input: number; output: number; cacheRead?: number },
): string[] {
	const event = (data: { type: string }) =>
		`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
	return [
		event({
			type: "message_start",
			message: {
				id: "msg_1",
				type: "message",
				role: "assistant",
				model: "claude-haiku-4-5",
				content: [],
				stop_reason: null,
				stop_sequence: null,
				usage: {
					input_tokens: usage.input,
					cache_creation_input_tokens: 0,
					cache_read_input_tokens: usage.cacheRead ?? 0,
					output_tokens: 1,
				},
			},
		} as { type: string }),
		event({
			type: "content_block_start",
			index: 0,
			content_block: { type: "text", text: "" },
		} as { type: string }),
		...words.map((text) =>
			event({
				type: "content_block_delta",
				index: 0,
				delta: { type: "text_delta", text },
			} as { type: string }),
		),
		event({ type: "content_block_stop", index: 0 } as { type: string }),
		event({
			type: "message_delta",
			delta: { stop_reason: "end_turn", stop_sequence: null },
			usage: { output_tokens: usage.output },
		} as { type: string }),
		event({ type: "message_stop" }),
	];
}

export function sendJson(
	response: ServerResponse,
	status: number,
	body: string,
	headers: Record<string, string> = {},
): void {
	response.writeHead(status, {
		"content-type": "application/json",
		...headers,
	});
	response.end(body);
}

export async function sendFrames(
	response: ServerResponse,
	frames: readonly string[],
	gap = 0,
): Promise<void> {
	response.writeHead(200, {
		"content-type": "text/event-stream; charset=utf-8",
	});
	for (const frame of frames) {
		if (response.destroyed) return;
		response.write(frame);
		if (gap > 0) await new Promise((resolve) => setTimeout(resolve, gap));
	}
	response.end();
}
