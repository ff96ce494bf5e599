import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { HttpClient, UpstreamCall } from "../../ports/http-client.ts";
import type { PriceBook, PriceSheet } from "../../ports/price-book.ts";
import type { Vendor } from "../../ports/vendor.ts";

/** The vendor that is none: answers on this machine, without a model, and is metered like any other. */
export const loopback: Vendor = {
	id: "loopback",
	name: "Loopback (no model)",
	bases: {
		"openai-chat": "loopback://openai-chat",
		"anthropic-messages": "loopback://anthropic-messages",
	},
	keyNames: [],
	auth: "none",
	standIn: true,
	source: "docs/guides/vendors.md",
};

/** Prices of its own, so that a first call shows what any call shows: 1 USD per million tokens in, 2 out; 0.01 USD an image, 10 USD per million characters, 0.006 USD a minute of sound. */
export function loopbackPriceBook(): PriceBook {
	const sheet: PriceSheet = {
		id: "loopback/2",
		rates: {
			input: [{ from: 0, price: 100_000_000 }],
			output: [{ from: 0, price: 200_000_000 }],
			image: [{ from: 0, price: 1_000_000_000_000 }],
			character: [{ from: 0, price: 1_000_000_000 }],
			"audio-second": [{ from: 0, price: 10_000_000_000 }],
		},
	};
	return {
		version: "loopback/2",
		find: (vendor) => (vendor === loopback.id ? sheet : undefined),
		models: (vendor) => (vendor === loopback.id ? [{ model: "loopback" }] : []),
	};
}

/**
 * Answers `loopback://` addresses in the exact shape of the protocol they name, streamed or whole, the
 * same request always with the same bytes. Each piece comes on a later turn of the event loop; abort,
 * pause and resume do what they do on a network. Other addresses go to `next`; without one, they fail
 * as unreachable.
 */
export function loopbackClient(next?: HttpClient): HttpClient {
	return {
		send(request, sink): UpstreamCall {
			if (!request.url.startsWith("loopback:") && next)
				return next.send(request, sink);
			let state: "running" | "paused" | "over" = "running";
			let steps: (() => void)[];
			const answer = request.url.startsWith("loopback:")
				? answerTo(request.url, request.body ?? new Uint8Array())
				: undefined;
			if (answer) {
				const headers: Readonly<Record<string, string>> = {
					"content-type": answer.contentType,
					...answer.headers,
				};
				steps = [
					() => sink.head(answer.status, (name) => headers[name]),
					...answer.pieces.map((piece) => () => sink.data(piece)),
					() => {
						state = "over";
						sink.end();
					},
				];
			} else {
				steps = [
					() => {
						state = "over";
						sink.fail({
							code: "upstream/connect",
							message: "The loopback substrate reaches no network.",
							unsent: true,
						});
					},
				];
			}
			let scheduled = false;
			const schedule = (): void => {
				if (scheduled || state !== "running" || steps.length === 0) return;
				scheduled = true;
				setImmediate(() => {
					scheduled = false;
					if (state !== "running") return;
					steps.shift()?.();
					schedule();
				});
			};
			schedule();
			return {
				abort() {
					state = "over";
				},
				pause() {
					if (state === "running") state = "paused";
				},
				resume() {
					if (state === "paused") state = "running";
					schedule();
				},
			};
		},
		close() {
			next?.close();
		},
	};
}

interface Answer {
	readonly status: number;
	readonly contentType: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly pieces: readonly Uint8Array[];
}

type Json = Readonly<Record<string, unknown>>;

const json = "application/json";
const eventStream = "text/event-stream; charset=utf-8";
/** No clock is read: the same request gets the same bytes on any day. */
const created = 1_767_225_600;

function answerTo(url: string, body: Uint8Array): Answer {
	const hash = createHash("sha256").update(url).update(body).digest("hex");
	const protocol = url.startsWith("loopback://anthropic-messages/")
		? anthropicMessages
		: openaiChat;
	switch (url) {
		case "loopback://openai-chat/audio/transcriptions":
		case "loopback://openai-chat/audio/translations":
			return openaiChat.transcript(Buffer.from(body), hash);
		case "loopback://openai-chat/images/edits":
			return openaiChat.images({}, hash);
	}
	let request: unknown;
	try {
		request = JSON.parse(
			new TextDecoder("utf-8", { fatal: true }).decode(body),
		);
	} catch {
		return protocol.refusal(400, "The body is no JSON.", hash);
	}
	if (!isObject(request))
		return protocol.refusal(400, "The body must be a JSON object.", hash);
	switch (url) {
		case "loopback://openai-chat/chat/completions":
			return openaiChat.chat(request, hash);
		case "loopback://openai-chat/embeddings":
			return openaiChat.embeddings(request, hash);
		case "loopback://openai-chat/images/generations":
			return openaiChat.images(request, hash);
		case "loopback://openai-chat/audio/speech":
			return openaiChat.speech(request, hash);
		case "loopback://anthropic-messages/messages":
			return anthropicMessages.messages(request, hash);
		default:
			return protocol.refusal(
				404,
				"The loopback substrate answers nothing at this address.",
				hash,
			);
	}
}

const openaiChat = {
	chat(request: Json, hash: string): Answer {
		if (!Array.isArray(request.messages))
			return this.refusal(400, "Missing required parameter: 'messages'.", hash);
		const stated =
			request.max_completion_tokens ?? request.max_tokens ?? undefined;
		const choices = request.n ?? 1;
		if (stated !== undefined && !isCount(stated, 2 ** 31))
			return this.refusal(
				400,
				"The output limit must be a whole number of at least 1.",
				hash,
			);
		if (!isCount(choices, 128))
			return this.refusal(400, "'n' must be between 1 and 128.", hash);
		const said = speak(request.messages, stated, request.model);
		const outputTokens = said.tokens * choices;
		const inputTokens = tokensOf(textOf(request.messages));
		const usage = {
			prompt_tokens: inputTokens,
			completion_tokens: outputTokens,
			total_tokens: inputTokens + outputTokens,
			prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
			completion_tokens_details: {
				reasoning_tokens: 0,
				audio_tokens: 0,
				accepted_prediction_tokens: 0,
				rejected_prediction_tokens: 0,
			},
		};
		const finish = said.cut ? "length" : "stop";
		const indexes = Array.from({ length: choices }, (_, index) => index);
		const shared = {
			id: `chatcmpl-${hash.slice(0, 29)}`,
			created,
			model: "loopback",
			service_tier: "default",
			system_fingerprint: "fp_loopback",
		};
		const headers = { "x-request-id": `req_${hash.slice(0, 32)}` };
		if (request.stream !== true) {
			const answer = {
				...shared,
				object: "chat.completion",
				choices: indexes.map((index) => ({
					index,
					message: {
						role: "assistant",
						content: said.text,
						refusal: null,
						annotations: [],
					},
					logprobs: null,
					finish_reason: finish,
				})),
				usage,
			};
			return whole(200, answer, headers);
		}
		const options = request.stream_options;
		const withUsage = isObject(options) && options.include_usage === true;
		const chunk = (
			chosen: readonly Json[],
			counted: unknown = null,
		): string => {
			const body = {
				...shared,
				object: "chat.completion.chunk",
				choices: chosen,
			};
			return `data: ${JSON.stringify(withUsage ? { ...body, usage: counted } : body)}\n\n`;
		};
		const delta = (
			index: number,
			delta: Json,
			finish_reason: string | null = null,
		): string => chunk([{ index, delta, logprobs: null, finish_reason }]);
		return stream(
			[
				...indexes.map((index) =>
					delta(index, { role: "assistant", content: "", refusal: null }),
				),
				...said.pieces.flatMap((content) =>
					indexes.map((index) => delta(index, { content })),
				),
				...indexes.map((index) => delta(index, {}, finish)),
				...(withUsage ? [chunk([], usage)] : []),
				"data: [DONE]\n\n",
			],
			headers,
		);
	},

	embeddings(request: Json, hash: string): Answer {
		const input = request.input;
		const dimensions = request.dimensions ?? 256;
		const list =
			Array.isArray(input) && typeof input[0] !== "number" ? input : [input];
		const valid = list.every(
			(entry) =>
				typeof entry === "string" ||
				(Array.isArray(entry) && entry.every(Number.isSafeInteger)),
		);
		if (!valid || list.length === 0 || list.length > 2048) {
			return this.refusal(
				400,
				"'input' must be a text, tokens, or a list of up to 2048 of either.",
				hash,
			);
		}
		if (!isCount(dimensions, 4096))
			return this.refusal(
				400,
				"'dimensions' must be between 1 and 4096.",
				hash,
			);
		const tokens = list.reduce<number>(
			(sum, entry) =>
				sum +
				(typeof entry === "string"
					? tokensOf(entry)
					: (entry as unknown[]).length),
			0,
		);
		const data = list.map((entry, index) => {
			const vector = unitVector(
				typeof entry === "string" ? entry : JSON.stringify(entry),
				dimensions,
			);
			const embedding =
				request.encoding_format === "base64"
					? littleEndian(vector).toString("base64")
					: [...vector];
			return { object: "embedding", index, embedding };
		});
		const answer = {
			object: "list",
			data,
			model: "loopback",
			usage: { prompt_tokens: tokens, total_tokens: tokens },
		};
		return whole(200, answer, { "x-request-id": `req_${hash.slice(0, 32)}` });
	},

	/** The smallest image there is, as often as it was asked for. */
	images(request: Json, hash: string): Answer {
		const count = request.n ?? 1;
		if (!isCount(count, 10))
			return this.refusal(400, "'n' must be between 1 and 10.", hash);
		const image = {
			b64_json: onePixel,
			revised_prompt:
				"The loopback substrate drew one pixel: no model was called.",
		};
		return whole(
			200,
			{ created, data: Array.from({ length: count }, () => image) },
			{ "x-request-id": `req_${hash.slice(0, 32)}` },
		);
	},

	/** A tenth of a second of silence. */
	speech(request: Json, hash: string): Answer {
		if (typeof request.input !== "string")
			return this.refusal(400, "Missing required parameter: 'input'.", hash);
		return {
			status: 200,
			contentType: "audio/wav",
			headers: { "x-request-id": `req_${hash.slice(0, 32)}` },
			pieces: [silence],
		};
	},

	transcript(form: Buffer, hash: string): Answer {
		const headers = { "x-request-id": `req_${hash.slice(0, 32)}` };
		const text =
			"This is the loopback substrate of DuranteOS: no model was called, and nothing was heard.";
		const asked =
			/name="response_format"\r\n(?:[^\r\n]+\r\n)*\r\n(\w+)\r\n/.exec(
				form.toString("latin1"),
			)?.[1] ?? "json";
		if (asked.endsWith("json"))
			return whole(
				200,
				{ text, usage: { type: "duration", seconds: 1 } },
				headers,
			);
		return {
			status: 200,
			contentType: "text/plain; charset=utf-8",
			headers,
			pieces: [Buffer.from(`${text}\n`)],
		};
	},

	refusal(status: number, message: string, hash: string): Answer {
		const error = {
			message,
			type: "invalid_request_error",
			param: null,
			code: null,
		};
		return whole(
			status,
			{ error },
			{ "x-request-id": `req_${hash.slice(0, 32)}` },
		);
	},
};

/** A PNG of one transparent pixel. */
const onePixel =
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/** WAV, 8,000 samples a second of one byte, which is silent at 128. */
const silence: Buffer = (() => {
	const samples = 800;
	const file = Buffer.alloc(44 + samples, 128);
	file.write("RIFF", 0, "latin1");
	file.writeUInt32LE(36 + samples, 4);
	file.write("WAVEfmt ", 8, "latin1");
	file.writeUInt32LE(16, 16);
	file.writeUInt16LE(1, 20);
	file.writeUInt16LE(1, 22);
	file.writeUInt32LE(8_000, 24);
	file.writeUInt32LE(8_000, 28);
	file.writeUInt16LE(1, 32);
	file.writeUInt16LE(8, 34);
	file.write("data", 36, "latin1");
	file.writeUInt32LE(samples, 40);
	return file;
})();

const anthropicMessages = {
	messages(request: Json, hash: string): Answer {
		const limit = request.max_tokens;
		if (!Array.isArray(request.messages))
			return this.refusal(400, "messages: Field required", hash);
		if (!isCount(limit, 2 ** 31))
			return this.refusal(
				400,
				"max_tokens: a whole number of at least 1 is required",
				hash,
			);
		const said = speak(request.messages, limit, request.model);
		const inputUsage = {
			input_tokens: tokensOf(textOf(request.system) + textOf(request.messages)),
			cache_creation_input_tokens: 0,
			cache_read_input_tokens: 0,
			cache_creation: {
				ephemeral_5m_input_tokens: 0,
				ephemeral_1h_input_tokens: 0,
			},
		};
		const stop = said.cut ? "max_tokens" : "end_turn";
		const shared = {
			id: `msg_${hash.slice(0, 24)}`,
			type: "message",
			role: "assistant",
			model: "loopback",
		};
		const headers = { "request-id": `req_${hash.slice(0, 24)}` };
		if (request.stream !== true) {
			const answer = {
				...shared,
				content: [{ type: "text", text: said.text }],
				stop_reason: stop,
				stop_sequence: null,
				usage: {
					...inputUsage,
					output_tokens: said.tokens,
					service_tier: "standard",
				},
			};
			return whole(200, answer, headers);
		}
		const event = (type: string, members: Json = {}): string =>
			`event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
		return stream(
			[
				event("message_start", {
					message: {
						...shared,
						content: [],
						stop_reason: null,
						stop_sequence: null,
						usage: {
							...inputUsage,
							output_tokens: 1,
							service_tier: "standard",
						},
					},
				}),
				event("content_block_start", {
					index: 0,
					content_block: { type: "text", text: "" },
				}),
				event("ping"),
				...said.pieces.map((text) =>
					event("content_block_delta", {
						index: 0,
						delta: { type: "text_delta", text },
					}),
				),
				event("content_block_stop", { index: 0 }),
				event("message_delta", {
					delta: { stop_reason: stop, stop_sequence: null },
					usage: {
						input_tokens: inputUsage.input_tokens,
						cache_creation_input_tokens: 0,
						cache_read_input_tokens: 0,
						output_tokens: said.tokens,
					},
				}),
				event("message_stop"),
			],
			headers,
		);
	},

	refusal(status: number, message: string, hash: string): Answer {
		const type = status === 404 ? "not_found_error" : "invalid_request_error";
		const request_id = `req_${hash.slice(0, 24)}`;
		return whole(
			status,
			{ type: "error", error: { type, message }, request_id },
			{ "request-id": request_id },
		);
	},
};

/**
 * What it says to a conversation, in a few pieces, within a limit of tokens. As the model `echo` it says back what was
 * said and nothing else, so that two of its models can be told apart.
 */
function speak(
	messages: readonly unknown[],
	limit: number | undefined,
	model: unknown,
): { text: string; pieces: readonly string[]; tokens: number; cut: boolean } {
	const last = messages.findLast(
		(message) => isObject(message) && message.role === "user",
	);
	const heard = Array.from(textOf(isObject(last) ? last.content : undefined));
	const echo =
		heard.length > 2000 ? `${heard.slice(0, 2000).join("")}…` : heard.join("");
	const full =
		model === "echo" && echo !== ""
			? echo
			: `This is the loopback substrate of DuranteOS: no model was called. You said: ${echo}`;
	const room = (limit ?? Number.MAX_SAFE_INTEGER) * 4;
	const cut = Buffer.byteLength(full) > room;
	// Four bytes hold any character, so that even the smallest limit leaves one.
	const text = cut ? firstBytes(full, room) : full;
	const words = text.match(/\s*\S+\s*/g) ?? [text];
	const size = Math.ceil(words.length / 6);
	const pieces = Array.from(
		{ length: Math.ceil(words.length / size) },
		(_, index) => words.slice(index * size, (index + 1) * size).join(""),
	);
	return { text, pieces, tokens: tokensOf(text), cut };
}

/** The whole characters that fit. */
function firstBytes(text: string, room: number): string {
	let bytes = 0;
	let kept = "";
	for (const character of text) {
		bytes += Buffer.byteLength(character);
		if (bytes > room) break;
		kept += character;
	}
	return kept;
}

/** The texts of a message, a list of messages, or their parts. Images, documents and tools say nothing here. */
function textOf(value: unknown): string {
	if (typeof value === "string") return value;
	if (Array.isArray(value))
		return value
			.map((entry) =>
				textOf(isObject(entry) ? (entry.text ?? entry.content) : entry),
			)
			.join("");
	return "";
}

/** How this substrate counts: a token is four bytes of text, the last one perhaps fewer. */
function tokensOf(text: string): number {
	return Math.ceil(Buffer.byteLength(text) / 4);
}

/** A vector of length 1 that only the text decides. */
function unitVector(text: string, dimensions: number): Float32Array {
	const raw: number[] = [];
	for (let block = 0; raw.length < dimensions; block++) {
		const bytes = createHash("sha256").update(`${block} ${text}`).digest();
		for (let offset = 0; offset < 32 && raw.length < dimensions; offset += 4)
			raw.push(bytes.readInt32LE(offset) / 2 ** 31 || 1);
	}
	const length = Math.hypot(...raw);
	return Float32Array.from(raw, (value) => value / length);
}

function littleEndian(vector: Float32Array): Buffer {
	const bytes = Buffer.alloc(vector.length * 4);
	vector.forEach((value, index) => {
		bytes.writeFloatLE(value, index * 4);
	});
	return bytes;
}

function whole(status: number, body: Json, headers: Answer["headers"]): Answer {
	const bytes = Buffer.from(JSON.stringify(body));
	return {
		status,
		contentType: json,
		headers: { ...headers, "content-length": String(bytes.length) },
		pieces: [bytes],
	};
}

function stream(frames: readonly string[], headers: Answer["headers"]): Answer {
	return {
		status: 200,
		contentType: eventStream,
		headers,
		pieces: frames.map((frame) => Buffer.from(frame)),
	};
}

function isObject(value: unknown): value is Json {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown, most: number): value is number {
	return (
		Number.isSafeInteger(value) &&
		(value as number) >= 1 &&
		(value as number) <= most
	);
}
