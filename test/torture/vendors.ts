import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import {
	chatAnswer,
	chatFrames,
	messageFrames,
	sendFrames,
	sendJson,
	startUpstream,
} from "../support/upstream.ts";
import { type Answer, codeOf, memoryOf, mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep } from "./scenario.ts";

type Protocol = "chat" | "messages";

interface Asked {
	readonly protocol: Protocol;
	readonly stream: boolean;
}

/** What a vendor may do to a call, and what may come of it. */
interface Misdeed {
	answer(
		response: ServerResponse,
		asked: Asked,
		raw: Socket,
	): void | Promise<void>;
	/** Statuses that a client may see. */
	readonly statuses: readonly number[];
	/** What may be charged at most, in output tokens; 0: nothing at all. */
	readonly output: number;
	/** The whole answer, charged like a good one. */
	readonly good?: boolean;
}

const words = ["Hello ", "there, ", "friend"];
const usage = { prompt: 20, completion: 30 };
const limit = 50;
/** Micro-credits a token at the mock vendor's prices. */
const inputPrice = 100;
const outputPrice = 200;

function frames({ protocol }: Asked): string[] {
	return protocol === "chat"
		? chatFrames(words, usage)
		: messageFrames(words, { input: 20, output: 30 });
}

function wholeAnswer(
	{ protocol }: Asked,
	counts: unknown = protocol === "chat"
		? { prompt_tokens: 20, completion_tokens: 30, total_tokens: 50 }
		: { input_tokens: 20, output_tokens: 30 },
): string {
	return JSON.stringify(
		protocol === "chat"
			? {
					...JSON.parse(chatAnswer("Hello there, friend", usage)),
					usage: counts,
				}
			: {
					id: "msg_1",
					type: "message",
					role: "assistant",
					model: "m",
					content: [{ type: "text", text: "Hello there, friend" }],
					stop_reason: "end_turn",
					usage: counts,
				},
	);
}

function good(response: ServerResponse, asked: Asked): Promise<void> | void {
	return asked.stream
		? sendFrames(response, frames(asked), 1)
		: sendJson(response, 200, wholeAnswer(asked));
}

function begin(response: ServerResponse): void {
	response.writeHead(200, { "content-type": "text/event-stream" });
}

/** A stream's frames with other counts of tokens in them. */
function lying(asked: Asked, counts: object): string[] {
	return frames(asked).map((frame) =>
		frame.replace(/"usage":\{[^{}]*\}/, `"usage":${JSON.stringify(counts)}`),
	);
}

/** Usage that no vendor could mean. */
function lie(prompt: unknown, output: unknown): Misdeed {
	return {
		statuses: [200],
		output: limit,
		answer(response, asked) {
			const counts =
				asked.protocol === "chat"
					? { prompt_tokens: prompt, completion_tokens: output }
					: { input_tokens: prompt, output_tokens: output };
			return asked.stream
				? sendFrames(response, lying(asked, counts), 1)
				: sendJson(response, 200, wholeAnswer(asked, counts));
		},
	};
}

function refusing(
	status: number,
	body = '{"error":{"message":"no"}}',
): Misdeed {
	return {
		statuses: [status, 502],
		output: 0,
		answer: (response) =>
			sendJson(response, status, body, { "retry-after": "1" }),
	};
}

/** Bytes straight onto the connection. */
function rawly(bytes: string, statuses: readonly number[] = [502]): Misdeed {
	return {
		statuses,
		output: limit,
		answer(_response, _asked, raw) {
			raw.end(bytes, "latin1");
		},
	};
}

/** Writes what an endless source gives, no faster than it is taken, until nobody listens. */
async function pour(
	response: ServerResponse,
	pieces: Iterable<string | Buffer>,
	gap = 0,
): Promise<void> {
	let wake = (): void => {};
	response.on("drain", () => wake());
	response.on("close", () => wake());
	for (const piece of pieces) {
		if (response.destroyed) return;
		if (!response.write(piece))
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		if (gap > 0) await sleep(gap);
	}
}

function* times<T>(count: number, piece: T): Generator<T> {
	for (let sent = 0; sent < count; sent++) yield piece;
}

const megabyte = 1_048_576;
const unlimited = Number.POSITIVE_INFINITY;
const bomb = gzipSync(Buffer.alloc(64 * megabyte));
const timedOut = [200, 504];

const misdeeds: Readonly<Record<string, Misdeed>> = {
	good: { answer: good, statuses: [200], output: 30, good: true },
	"says nothing": { answer: () => {}, statuses: [504], output: 0 },
	"head and nothing more": {
		statuses: timedOut,
		output: 0,
		answer(response, { stream }) {
			response.writeHead(200, {
				"content-type": stream ? "text/event-stream" : "application/json",
			});
			response.flushHeaders();
		},
	},
	"hangs in mid-stream": {
		statuses: timedOut,
		output: limit,
		answer(response, asked) {
			begin(response);
			response.write(frames(asked).slice(0, 4).join(""));
		},
	},
	"resets before the head": {
		statuses: [502],
		output: 0,
		answer: (_response, _asked, raw) => void raw.resetAndDestroy(),
	},
	"resets in mid-stream": {
		statuses: [200, 502],
		output: limit,
		async answer(response, asked, raw) {
			begin(response);
			response.write(frames(asked).slice(0, 4).join(""));
			await sleep(20);
			raw.resetAndDestroy();
		},
	},
	"drips one byte at a time": {
		statuses: timedOut,
		output: limit,
		async answer(response, asked) {
			begin(response);
			const all = frames(asked).join("");
			for (let at = 0; !response.destroyed; at++) {
				response.write(all[at % all.length] as string);
				await sleep(100);
			}
		},
	},
	"streams for ever": {
		statuses: [200],
		output: limit,
		answer(response, asked) {
			begin(response);
			const [, one = "", other = ""] = frames(asked);
			const delta = asked.protocol === "chat" ? one : other;
			return pour(response, times(unlimited, delta), 10);
		},
	},
	"comments for ever": {
		statuses: [200, 504],
		output: 0,
		answer(response) {
			begin(response);
			return pour(response, times(unlimited, ": still thinking\n\n"), 20);
		},
	},
	"a line without end": {
		statuses: [200, 502],
		output: limit,
		async answer(response) {
			begin(response);
			response.write('data: {"choices":[{"delta":{"content":"');
			await pour(response, times(24, Buffer.alloc(megabyte, "x")));
			response.end();
		},
	},
	"100 MB in one piece": {
		statuses: [200, 502],
		output: limit,
		async answer(response) {
			response.writeHead(200, { "content-type": "application/json" });
			response.write('{"choices":[{"message":{"content":"');
			await pour(response, times(100, Buffer.alloc(megabyte, "x")));
			response.end('"}}]}');
		},
	},
	"100 MB of frames": {
		statuses: [200, 502],
		output: limit,
		async answer(response, asked) {
			begin(response);
			const piece = Buffer.from(
				(frames(asked)[2] as string).replace("Hello ", "x".repeat(60_000)),
			);
			await pour(response, times(1_700, piece));
			response.end();
		},
	},
	"headers for ever": {
		statuses: [502, 504],
		output: 0,
		async answer(_response, _asked, raw) {
			raw.write("HTTP/1.1 200 OK\r\n");
			for (let at = 0; !raw.destroyed; at++) {
				raw.write(`x-${at}: y\r\n`);
				await sleep(50);
			}
		},
	},
	"a head of a megabyte": rawly(
		`HTTP/1.1 200 OK\r\nx-long: ${"y".repeat(megabyte)}\r\n\r\n{}`,
	),
	"interim answers for ever": {
		statuses: [502, 504],
		output: 0,
		async answer(_response, _asked, raw) {
			while (!raw.destroyed) {
				raw.write("HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n");
				await sleep(20);
			}
		},
	},
	"switches protocols": rawly(
		"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello",
	),
	"no HTTP": rawly("\x00\x01\x02 garbage \r\n\r\n"),
	"two lengths": rawly(
		"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 9\r\n\r\n{}",
	),
	"length and chunks": rawly(
		"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
	),
	"broken chunks": rawly(
		"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
	),
	"shorter than its length": rawly(
		'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{"choices":[',
	),
	"longer than its length": rawly(
		'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{"choices":[]}HTTP/1.1 200 OK\r\n\r\n',
		[200, 502],
	),
	"an answer split in its headers": rawly(
		"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: a\rset-cookie: stolen=1\r\ncontent-length: 2\r\n\r\n{}",
		[200, 502],
	),
	"cookies and links": {
		statuses: [200],
		output: 30,
		good: true,
		answer(response, asked) {
			response.setHeader("set-cookie", "stolen=1");
			response.setHeader("x-dos-credits", "999999999");
			response.setHeader("access-control-allow-origin", "*");
			return good(response, asked);
		},
	},
	"a gzip bomb": {
		statuses: [502],
		output: limit,
		answer(response) {
			response.writeHead(200, {
				"content-type": "application/json",
				"content-encoding": "gzip",
			});
			response.end(bomb);
		},
	},
	"a page": {
		statuses: [200, 502],
		output: limit,
		answer(response) {
			response.writeHead(200, { "content-type": "text/html" });
			response.end("<html>Sign in to the hotel's network</html>");
		},
	},
	"no content": {
		statuses: [200, 204, 502],
		output: 0,
		answer: (response) => void response.writeHead(204).end(),
	},
	"garbage for JSON": {
		statuses: [502],
		output: limit,
		answer: (response) => sendJson(response, 200, '{"choices":[{"mess'),
	},
	"100,000 levels deep": {
		statuses: [200, 502],
		output: limit,
		answer: (response) =>
			sendJson(
				response,
				200,
				`{"choices":${"[".repeat(100_000)}${"]".repeat(100_000)},"usage":{"prompt_tokens":20,"completion_tokens":30,"input_tokens":20,"output_tokens":30}}`,
			),
	},
	"broken unicode": {
		statuses: [200, 502],
		output: limit,
		async answer(response, asked) {
			begin(response);
			const [first = "", ...rest] = frames(asked);
			response.write(first);
			response.write(
				Buffer.from(
					'data: {"choices":[{"delta":{"content":"\xff\xfe\xc0\x80"}}]}\n\n',
					"latin1",
				),
			);
			for (const frame of rest) response.write(frame);
			response.end();
		},
	},
	"usage that goes down": {
		statuses: [200],
		output: limit,
		async answer(response, asked) {
			begin(response);
			for (const count of [9_999_999, 40, 3])
				response.write(
					`data: ${JSON.stringify({ type: "message_delta", choices: [], delta: {}, usage: { prompt_tokens: 20, completion_tokens: count, output_tokens: count } })}\n\n`,
				);
			response.end(frames(asked).join(""));
		},
	},
	"negative usage": lie(-20, -30),
	"huge usage": lie(2 ** 60, 2 ** 60),
	"usage beyond numbers": lie(1e308, 1e308),
	"usage in text": lie("20", "30"),
	"usage in fractions": lie(20.5, 30.5),
	"usage of nothing": lie(0, 0),
	"usage in lists": lie([20], { a: 1 }),
	"usage of null": lie(null, null),
	"more output than was allowed": lie(20, 1_000_000),
	"too many requests": refusing(429),
	"a server error": refusing(500),
	overloaded: refusing(529),
	"an error of 10 MB": refusing(
		500,
		JSON.stringify({ error: { message: "x".repeat(10 * megabyte) } }),
	),
	"an error page": {
		statuses: [502],
		output: 0,
		answer: (response) =>
			void response
				.writeHead(503, { "content-type": "text/html" })
				.end("<h1>503</h1>"),
	},
	"leads elsewhere": {
		statuses: [502],
		output: 0,
		answer: (response) =>
			void response
				.writeHead(307, { location: "http://169.254.169.254/latest/" })
				.end(),
	},
};

/** Memory that one misdeed may cost, over what the program had before: the largest is an answer of 100 MB. */
const memoryLimit = 400;
/** Every limit of time together, and some for the machine. */
const longest = 8_000;

export const vendors: Scenario = {
	name: "vendors",
	promise:
		"Whatever a vendor does, the client has an answer in time and in its protocol's shape, the call is resolved once for no more than it could have cost, memory stays bounded and the next call works.",
	rounds: { long: 3, short: 1 },
	async play({ random, short }) {
		const upstream = await startUpstream(({ body }, response) => {
			const { model, stream } = JSON.parse(body) as {
				model: string;
				stream?: boolean;
			};
			const [protocol, name = ""] = model.split(":") as [Protocol, string];
			const misdeed = misdeeds[decodeURIComponent(name)] as Misdeed;
			return misdeed.answer(
				response,
				{ protocol, stream: stream === true },
				response.socket as Socket,
			);
		});
		const rig = await openRig({
			config: `
timeouts: { connect: 1s, firstByte: 800ms, idle: 800ms, total: 2500ms }
vendors:
  mock-chat: { protocol: openai-chat, base: "${upstream.url}/v1", key: vendor-secret-key-123456 }
  mock-messages: { protocol: anthropic-messages, base: "${upstream.url}/v1", key: vendor-secret-key-123456 }
prices:
  - { vendor: "mock-*", model: "*", prices: { input: 1, output: 2 } }
`,
		});
		try {
			const server = await rig.serve();
			const { pid } = server.process;
			const charges = new Map<string, { name: string; misdeed: Misdeed }>();

			function ask(name: string, { protocol, stream }: Asked): Promise<Answer> {
				return rig.call(server.url, {
					path: protocol === "chat" ? "/v1/chat/completions" : "/v1/messages",
					body: {
						model: `mock-${protocol}/${protocol}:${encodeURIComponent(name)}`,
						messages: [{ role: "user", content: "hi" }],
						max_tokens: limit,
						...(stream && { stream }),
					},
				});
			}

			async function suffer(name: string, asked: Asked): Promise<void> {
				const misdeed = misdeeds[name] as Misdeed;
				const kind = `"${name}" (${asked.protocol}${asked.stream ? ", stream" : ""})`;
				const answer = await ask(name, asked);
				const call = answer.headers["x-dos-call-id"];
				must(
					misdeed.statuses.includes(answer.status),
					`${kind} was answered ${answer.status}`,
				);
				must(
					answer.milliseconds < longest,
					`${kind} took ${Math.round(answer.milliseconds)} ms`,
				);
				must(typeof call === "string", `${kind} has no call id`);
				if (answer.status >= 500 && !misdeed.statuses.every((one) => one < 501))
					must(
						answer.whole &&
							(codeOf(answer) !== undefined ||
								JSON.parse(answer.body.toString()).error !== undefined),
						`${kind}: the refusal is ${answer.body.toString().slice(0, 200)}`,
					);
				for (const name of [
					"set-cookie",
					"access-control-allow-origin",
					"location",
					"link",
				])
					must(!(name in answer.headers), `${kind} passed ${name} on`);
				if (misdeed.good)
					must(answer.whole && answer.status === 200, `${kind} was not whole`);
				charges.set(call, { name: kind, misdeed });
			}

			const all = (["chat", "messages"] as const).flatMap((protocol) =>
				[false, true].flatMap((stream) =>
					Object.keys(misdeeds).map((name) => ({ name, protocol, stream })),
				),
			);
			// The seed shuffles, and with it who suffers beside whom.
			for (let at = all.length - 1; at > 0; at--) {
				const other = random.below(at + 1);
				[all[at], all[other]] = [all[other] as never, all[at] as never];
			}
			const heavy = all.filter(({ name }) => /MB|bomb|line/.test(name));
			const light = all.filter((one) => !heavy.includes(one));
			const memoryBefore = memoryOf(pid) ?? 0;
			let most = 0;
			const watching = setInterval(() => {
				most = Math.max(most, memoryOf(pid) ?? 0);
			}, 50);
			try {
				await Promise.all(
					Array.from({ length: 16 }, async () => {
						for (let one = light.pop(); one; one = light.pop())
							await suffer(one.name, one);
					}),
				);
				// One at a time: what is bounded is what a single answer may cost.
				for (const one of short ? heavy.slice(0, 4) : heavy)
					await suffer(one.name, one);
			} finally {
				clearInterval(watching);
			}
			must(
				most < memoryBefore + memoryLimit,
				`Memory grew from ${memoryBefore} to ${most} MB`,
			);
			for (const protocol of ["chat", "messages"] as const)
				await suffer("good", { protocol, stream: true });
			server.process.kill("SIGTERM");
			const { code, error } = await server.ended;
			mustEqual(code, 0, "Exit code");
			must(!error.includes("failed inside"), error);

			const books = await rig.books();
			mustBalance(books);
			for (const [call, { name, misdeed }] of charges) {
				const [one] = books.resolved.get(call) ?? [];
				const amount = one?.type === "credits-settled" ? one.data.amount : 0;
				if (misdeed.good)
					mustEqual(amount, 20 * inputPrice + 30 * outputPrice, `${name} cost`);
				// No more input than the request has bytes, and no more output than it allowed.
				const bound = 250 * inputPrice + misdeed.output * outputPrice;
				must(amount <= bound, `${name} cost ${amount}, which is over ${bound}`);
			}
			return `${charges.size} calls to ${Object.keys(misdeeds).length} misdeeds, at most ${Math.round(most)} MB`;
		} finally {
			await rig.close();
			await upstream.close();
		}
	},
};
