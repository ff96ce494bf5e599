import {
	type ClientRequest,
	type ClientRequestArgs,
	type IncomingMessage,
	Agent as PlainAgent,
	request as plainRequest,
} from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import type { Duplex, Transform } from "node:stream";
import type {
	HttpClient,
	Timeouts,
	UpstreamCall,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import { CallTimer } from "./call-timer.ts";
import { type Origin, originOf, ownHeaders } from "./request-rules.ts";
import { packedAs, unpack } from "./unpacking.ts";

export interface NodeHttpClientOptions {
	/** Connections to one origin at once; further calls wait, within their time to connect. */
	readonly socketsPerOrigin?: number;
	/** Connections to one origin that are kept while nobody uses them. */
	readonly idleSocketsPerOrigin?: number;
	/**
	 * Milliseconds that an unused connection is kept when the vendor does not say (`Keep-Alive:
	 * timeout=`). Shorter than servers commonly keep theirs: what is sent on a connection that the
	 * vendor is closing is lost, and nobody can know whether it was received.
	 */
	readonly idleMilliseconds?: number;
	/** Bytes of an answer's status line and headers together. */
	readonly headerBytes?: number;
	/** Bytes that one compressed answer may unpack to. */
	readonly unpackedBytes?: number;
	/** PEM texts of certificate authorities to trust in place of the system's. */
	readonly authorities?: readonly string[];
}

/** Requests up to this size travel as one string with their head: one write instead of a gathered one. */
const joinBytes = 16_384;

/**
 * The HTTP edge to vendors on Node's own client. Redirects are not followed, proxy variables of
 * the environment are not read, HTTP/1.1 only.
 *
 * Nothing is sent a second time here. A reused connection may turn out dead, but then its bytes
 * had been handed over, and the vendor may have acted on them: `upstream/reset`, `unsent` false.
 */
export function nodeHttpClient(
	options: NodeHttpClientOptions = {},
): HttpClient {
	const pool: Pool = {
		closed: false,
		idleMilliseconds: options.idleMilliseconds ?? 4_000,
		headerBytes: options.headerBytes ?? 65_536,
		unpackedBytes: options.unpackedBytes ?? 256 * 1_048_576,
		sweeper: undefined,
		agents: [],
	};
	const agentOptions = {
		keepAlive: true,
		maxSockets: options.socketsPerOrigin ?? 512,
		maxFreeSockets: options.idleSocketsPerOrigin ?? 256,
		scheduling: "lifo",
		noDelay: true,
	} as const;
	const plain = patient(new PlainAgent(agentOptions), pool);
	const secure = patient(
		new SecureAgent({
			...agentOptions,
			minVersion: "TLSv1.2",
			...(options.authorities ? { ca: [...options.authorities] } : {}),
		}),
		pool,
	);
	const origins = new Map<string, Origin | undefined>();

	return {
		send(request, sink) {
			const call = new Call(pool, request.timeouts, sink);
			const origin = originOf(request.url, origins);
			if (origin) call.start(request, origin, origin.secure ? secure : plain);
			else
				call.refuse("The address of the vendor is not an http or https URL.");
			return call;
		},
		close() {
			pool.closed = true;
			sweep(pool, Number.POSITIVE_INFINITY);
		},
	};
}

/** What the calls and connections of one client share. */
interface Pool {
	closed: boolean;
	readonly idleMilliseconds: number;
	readonly headerBytes: number;
	readonly unpackedBytes: number;
	sweeper: NodeJS.Timeout | undefined;
	readonly agents: PlainAgent[];
}

const idleUntil = Symbol("idle until");
type PooledSocket = Socket & {
	[idleUntil]?: number;
	_httpMessage?: { res?: IncomingMessage };
};

/**
 * Keeps unused connections for as long as it is safe: a stamp on each and one sweep for all, as a
 * timer for each connection would have to be set and taken back with every call.
 */
function patient<T extends PlainAgent>(agent: T, pool: Pool): T {
	agent.keepSocketAlive = (socket: Duplex) =>
		keep(pool, socket as PooledSocket);
	// All else that tells connections apart is the same for every call of a client.
	agent.getName = (target) => `${target?.host}:${target?.port}`;
	pool.agents.push(agent);
	return agent;
}

function keep(pool: Pool, socket: PooledSocket): boolean {
	if (pool.closed) return false;
	const hint = socket._httpMessage?.res?.headers["keep-alive"];
	const said =
		typeof hint === "string" ? /timeout=(\d{1,6})/i.exec(hint)?.[1] : undefined;
	// A second less than said, for the way of our next request to the vendor.
	const kept =
		said === undefined
			? pool.idleMilliseconds
			: Math.min(600, Number(said) - 1) * 1_000;
	if (kept <= 0) return false;
	socket[idleUntil] = performance.now() + kept;
	socket.unref();
	pool.sweeper ??= setInterval(
		() => sweep(pool, performance.now()),
		500,
	).unref();
	return true;
}

/** Closes what has been unused for too long. */
function sweep(pool: Pool, now: number): void {
	let left = 0;
	for (const agent of pool.agents) {
		for (const sockets of Object.values(agent.freeSockets)) {
			for (const socket of [...(sockets ?? [])] as PooledSocket[]) {
				if ((socket[idleUntil] ?? 0) <= now) socket.destroy();
				else left++;
			}
		}
	}
	if (left > 0) return;
	clearInterval(pool.sweeper);
	pool.sweeper = undefined;
}

/**
 * One call. A class with shared listeners because this is the hot path: a call costs few
 * allocations, one timer and two closures (the header look-up and the time limit).
 */
class Call implements UpstreamCall {
	readonly #pool: Pool;
	readonly #sink: UpstreamSink;
	readonly #timer: CallTimer;
	#request: ClientRequest | undefined;
	#answer: IncomingMessage | undefined;
	#encoding: string | undefined;
	#unpacker: Transform | undefined;
	#large = false;
	#paused = false;
	#over = false;

	constructor(pool: Pool, timeouts: Timeouts, sink: UpstreamSink) {
		this.#pool = pool;
		this.#sink = sink;
		this.#timer = new CallTimer(timeouts, (code, message) => {
			this.#fail(code, message);
		});
	}

	start(
		{ method, url, headers, body }: UpstreamRequest,
		origin: Origin,
		agent: PlainAgent,
	): void {
		const size = body?.length ?? 0;
		let request: ClientRequest & Owned;
		try {
			request = (origin.secure ? secureRequest : plainRequest)({
				agent,
				host: origin.hostname,
				port: origin.port,
				servername: origin.servername,
				method,
				path: origin.path(url),
				headers: ownHeaders(headers, origin, method, size),
				maxHeaderSize: this.#pool.headerBytes,
				joinDuplicateHeaders: true,
			} as ClientRequestArgs);
		} catch {
			this.refuse(
				"The request has a method, path or header that HTTP cannot carry.",
			);
			return;
		}
		this.#request = request;
		request[callOf] = this;
		request.on("socket", onSocket);
		request.on("response", onResponse);
		request.on("error", onError);
		request.on("close", onClose);
		if (body === undefined || size === 0) request.end();
		else if (size <= joinBytes) request.end(latin1(body), "latin1");
		else {
			this.#large = true;
			request.on("finish", onSent);
			request.end(body);
		}
	}

	/** Nothing was sent and nothing can be. */
	refuse(message: string): void {
		queueMicrotask(() => this.#fail("upstream/connect", message));
	}

	abort(): void {
		if (this.#finish()) this.#request?.destroy();
	}

	/** The request's bytes are handed to the connection only once it stands. */
	get unsent(): boolean {
		return this.#timer.phase === "connect";
	}

	pause(): void {
		if (this.#over) return;
		this.#paused = true;
		this.#timer.pause();
		(this.#unpacker ?? this.#answer)?.pause();
	}

	resume(): void {
		if (this.#over || !this.#paused) return;
		this.#paused = false;
		this.#timer.resume();
		(this.#unpacker ?? this.#answer)?.resume();
	}

	/** A connection was found or begun. */
	assigned(socket: Socket & { secureConnecting?: boolean }): void {
		if (socket.connecting || socket.secureConnecting) {
			const stands = "encrypted" in socket ? "secureConnect" : "connect";
			socket.once(stands, () => this.#connected());
		} else this.#connected();
	}

	#connected(): void {
		this.#timer.enter(this.#large ? "send" : "firstByte");
	}

	sent(): void {
		if (this.#timer.phase === "send") this.#timer.enter("firstByte");
	}

	answered(answer: IncomingMessage & Owned): void {
		if (this.#over) return;
		this.#answer = answer;
		answer[callOf] = this;
		answer.on("error", onError);
		answer.on("data", onData);
		answer.on("end", onEnd);
		this.#timer.enter("idle");
		this.#encoding = packedAs(answer.headers["content-encoding"]);
		this.#sink.head(answer.statusCode ?? 0, (name) => this.#header(name));
		if (this.#paused) answer.pause();
	}

	#header(name: string): string | undefined {
		// Said of the body as it was sent, not as we hand it on.
		if (
			this.#encoding &&
			(name === "content-encoding" || name === "content-length")
		)
			return undefined;
		const value = this.#answer?.headers[name];
		// Names such as `constructor` reach the prototype: only what was sent counts.
		if (typeof value === "string") return value;
		return Array.isArray(value) ? value.join(", ") : undefined;
	}

	received(chunk: Uint8Array): void {
		if (this.#over) return;
		this.#timer.touch();
		if (this.#encoding === undefined) {
			this.#sink.data(chunk);
			return;
		}
		this.#unpacker ??= this.#unpackerFor(this.#encoding, chunk);
		if (this.#unpacker && !this.#unpacker.write(chunk)) this.#answer?.pause();
	}

	#unpackerFor(encoding: string, first: Uint8Array): Transform | undefined {
		const broken = (message: string) =>
			this.#fail("upstream/protocol", message);
		const unpacker = unpack(encoding, first, this.#pool.unpackedBytes, {
			data: (chunk) => {
				if (!this.#over) this.#sink.data(chunk);
			},
			end: () => this.#end(),
			broken,
			drain: () => this.#answer?.resume(),
		});
		if (!unpacker) broken("The vendor sent an encoding that nobody asked for.");
		else if (this.#paused) unpacker.pause();
		return unpacker;
	}

	/** The answer has arrived whole. */
	arrived(): void {
		if (this.#unpacker) this.#unpacker.end();
		else this.#end();
	}

	#end(): void {
		if (this.#finish()) this.#sink.end();
	}

	/** The request is done with its connection: a fault, unless the answer only waits to be read. */
	closed(): void {
		if (!this.#answer?.complete) this.lost(undefined);
	}

	lost(error: NodeJS.ErrnoException | undefined): void {
		const reason = error?.code ?? "closed";
		if (this.#timer.phase === "connect") {
			this.#fail(
				"upstream/connect",
				`No connection to the vendor (${reason}).`,
			);
		} else if (reason.startsWith("HPE_")) {
			this.#fail(
				"upstream/protocol",
				`The vendor's answer is not sound HTTP (${reason}).`,
			);
		} else {
			this.#fail(
				"upstream/reset",
				`The connection to the vendor was lost (${reason}).`,
			);
		}
	}

	#fail(code: string, message: string): void {
		const { unsent } = this;
		if (!this.#finish()) return;
		this.#request?.destroy();
		this.#sink.fail({ code, message, unsent });
	}

	/** False when it was over before. */
	#finish(): boolean {
		if (this.#over) return false;
		this.#over = true;
		this.#timer.stop();
		if (this.#unpacker && !this.#unpacker.readableEnded)
			this.#unpacker.destroy();
		return true;
	}
}

const callOf = Symbol("call");
interface Owned {
	[callOf]?: Call;
}

function onSocket(this: Owned, socket: Socket): void {
	this[callOf]?.assigned(socket);
}
function onSent(this: Owned): void {
	this[callOf]?.sent();
}
function onResponse(this: Owned, answer: IncomingMessage): void {
	this[callOf]?.answered(answer);
}
function onData(this: Owned, chunk: Uint8Array): void {
	this[callOf]?.received(chunk);
}
function onEnd(this: Owned): void {
	this[callOf]?.arrived();
}
function onError(this: Owned, error: NodeJS.ErrnoException): void {
	this[callOf]?.lost(error);
}
/** Whatever else may end a request (a switch of protocols, say), the call hears of it. */
function onClose(this: Owned): void {
	this[callOf]?.closed();
}
function latin1(chunk: Uint8Array): string {
	const bytes =
		chunk instanceof Buffer
			? chunk
			: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	return bytes.toString("latin1");
}
