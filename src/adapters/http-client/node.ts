import {
	type ClientRequest,
	type ClientRequestArgs,
	Agent as PlainAgent,
	type IncomingMessage,
	request as plainRequest,
} from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import type { Duplex, Transform } from "node:stream";
import type { TLSSocket } from "node:tls";
import {
	createBrotliDecompress,
	createGunzip,
	createInflate,
	createInflateRaw,
	createZstdDecompress,
} from "node:zlib";
import type {
	HttpClient,
	Timeouts,
	UpstreamCall,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import { type Origin, originOf, ownHeaders } from "./request-rules.ts";

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

/** How many times its size a compressed answer may have, once past its first mebibyte. */
const unpackedRatio = 200;
const ratioFreeBytes = 1 << 20;

/** Requests up to this size travel as one string with their head: one write instead of a gathered one. */
const joinBytes = 16_384;

/**
 * The HTTP edge to vendors on Node's own client. Redirects are not followed, proxy variables of
 * the environment are not read, HTTP/1.1 only.
 *
 * Nothing is sent a second time here. A reused connection may turn out dead, but then its bytes
 * had been handed over, and the vendor may have acted on them: `upstream/reset`, `unsent` false.
 */
export function nodeHttpClient(options: NodeHttpClientOptions = {}): HttpClient {
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
			else call.refuse("The address of the vendor is not an http or https URL.");
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
	agent.keepSocketAlive = (socket: Duplex) => keep(pool, socket as PooledSocket);
	// All else that tells connections apart is the same for every call of a client.
	agent.getName = (target) => `${target?.host}:${target?.port}`;
	pool.agents.push(agent);
	return agent;
}

function keep(pool: Pool, socket: PooledSocket): boolean {
	if (pool.closed) return false;
	const hint = socket._httpMessage?.res?.headers["keep-alive"];
	const said = typeof hint === "string" ? /timeout=(\d{1,6})/i.exec(hint)?.[1] : undefined;
	// A second less than said, for the way of our next request to the vendor.
	const kept = said === undefined ? pool.idleMilliseconds : Math.min(600, Number(said) - 1) * 1_000;
	if (kept <= 0) return false;
	socket[idleUntil] = performance.now() + kept;
	socket.unref();
	pool.sweeper ??= setInterval(() => sweep(pool, performance.now()), 500).unref();
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

type Phase = "connect" | "send" | "firstByte" | "idle";

/**
 * One call. A class with shared listeners because this is the hot path: a call costs one
 * allocation, one timer and one closure (the header look-up).
 */
class Call implements UpstreamCall {
	readonly #pool: Pool;
	readonly #timeouts: Timeouts;
	readonly #sink: UpstreamSink;
	readonly #started = performance.now();
	#request: ClientRequest | undefined;
	#answer: IncomingMessage | undefined;
	#encoding: string | undefined;
	#unpacker: Transform | undefined;
	#unpacked = 0;
	#timer: NodeJS.Timeout | undefined;
	#due = Number.POSITIVE_INFINITY;
	#phase: Phase = "connect";
	#since = this.#started;
	#large = false;
	#paused = false;
	#over = false;

	constructor(pool: Pool, timeouts: Timeouts, sink: UpstreamSink) {
		this.#pool = pool;
		this.#timeouts = timeouts;
		this.#sink = sink;
	}

	start({ method, url, headers, body }: UpstreamRequest, origin: Origin, agent: PlainAgent): void {
		const size = body?.length ?? 0;
		let request: ClientRequest & { [callOf]?: Call };
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
			this.refuse("The request has a method, path or header that HTTP cannot carry.");
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
		this.#arm(Math.min(this.#timeouts.connect, this.#timeouts.total));
	}

	/** Nothing was sent and nothing can be. */
	refuse(message: string): void {
		queueMicrotask(() => this.#fail("upstream/connect", message));
	}

	abort(): void {
		if (this.#finish()) this.#request?.destroy();
	}

	pause(): void {
		this.#paused = true;
		(this.#unpacker ?? this.#answer)?.pause();
	}

	resume(): void {
		if (!this.#paused) return;
		this.#paused = false;
		(this.#unpacker ?? this.#answer)?.resume();
		if (this.#answer && !this.#over) this.#await("idle");
	}

	/** A connection was found or begun. */
	assigned(socket: Socket & { secureConnecting?: boolean }): void {
		if (socket.connecting || socket.secureConnecting) {
			socket.once("encrypted" in socket ? "secureConnect" : "connect", () => this.#connected());
		} else this.#connected();
	}

	#connected(): void {
		if (this.#phase === "connect") this.#await(this.#large ? "send" : "firstByte");
	}

	sent(): void {
		if (this.#phase === "send") this.#await("firstByte");
	}

	answered(answer: IncomingMessage & { [callOf]?: Call }): void {
		if (this.#over) return;
		this.#answer = answer;
		answer[callOf] = this;
		answer.on("error", onError);
		answer.on("data", onData);
		answer.on("end", onEnd);
		this.#await("idle");
		const encoding = answer.headers["content-encoding"]?.trim().toLowerCase();
		if (encoding && encoding !== "identity") this.#encoding = encoding;
		this.#sink.head(answer.statusCode ?? 0, (name) => {
			if (this.#encoding && (name === "content-encoding" || name === "content-length")) return;
			const value = answer.headers[name];
			if (typeof value === "string") return value;
			return Array.isArray(value) ? value.join(", ") : undefined;
		});
		if (this.#paused) answer.pause();
	}

	received(chunk: Uint8Array): void {
		if (this.#over) return;
		this.#since = performance.now();
		if (this.#encoding === undefined) {
			this.#sink.data(chunk);
			return;
		}
		this.#unpacker ??= this.#unpackerFor(this.#encoding, chunk);
		if (this.#unpacker && !this.#unpacker.write(chunk)) this.#answer?.pause();
	}

	/** Made with the first bytes, as an answer without a body has nothing to unpack. */
	#unpackerFor(encoding: string, first: Uint8Array): Transform | undefined {
		const unpacker = unpackers[encoding]?.(first);
		if (!unpacker) {
			this.#fail("upstream/protocol", "The vendor sent an encoding that nobody asked for.");
			return undefined;
		}
		unpacker.on("data", (chunk: Uint8Array) => {
			if (this.#over) return;
			this.#unpacked += chunk.length;
			if (
				this.#unpacked > this.#pool.unpackedBytes ||
				(this.#unpacked > ratioFreeBytes &&
					this.#unpacked > unpackedRatio * (unpacker as Transform & { bytesWritten: number }).bytesWritten)
			) {
				this.#fail("upstream/protocol", "The vendor's compressed answer unpacks to too much.");
				return;
			}
			this.#sink.data(chunk);
		});
		unpacker.on("drain", () => this.#answer?.resume());
		unpacker.on("end", () => this.#end());
		unpacker.on("error", () => {
			this.#fail("upstream/protocol", "The vendor's compressed answer cannot be unpacked.");
		});
		if (this.#paused) unpacker.pause();
		return unpacker;
	}

	/** The answer is whole. */
	receivedAll(): void {
		if (this.#unpacker) this.#unpacker.end();
		else this.#end();
	}

	#end(): void {
		if (this.#finish()) this.#sink.end();
	}

	lost(error: NodeJS.ErrnoException | undefined): void {
		if (this.#over) return;
		if (this.#phase === "connect") {
			this.#fail("upstream/connect", `No connection to the vendor (${error?.code ?? "closed"}).`);
		} else if (error?.code?.startsWith("HPE_")) {
			this.#fail("upstream/protocol", `The vendor's answer is not sound HTTP (${error.code}).`);
		} else {
			this.#fail("upstream/reset", `The connection to the vendor was lost (${error?.code ?? "closed"}).`);
		}
	}

	/** The request is done with its connection: a fault, unless the answer still waits to be read. */
	closed(): void {
		if (!this.#answer?.complete) this.lost(undefined);
	}

	#fail(code: string, message: string): void {
		// The request's bytes are handed to the connection only once it stands.
		const unsent = this.#phase === "connect";
		if (!this.#finish()) return;
		this.#request?.destroy();
		this.#sink.fail({ code, message, unsent });
	}

	/** False when it was over before. */
	#finish(): boolean {
		if (this.#over) return false;
		this.#over = true;
		clearTimeout(this.#timer);
		if (this.#unpacker && !this.#unpacker.readableEnded) this.#unpacker.destroy();
		return true;
	}

	#await(phase: Phase): void {
		this.#phase = phase;
		this.#since = performance.now();
		if (this.#phaseEnds() < this.#due) {
			clearTimeout(this.#timer);
			this.#arm(this.#phaseEnds() - this.#since);
		}
	}

	/** A slow client is not the vendor's silence, and a long request is bounded by the whole alone. */
	#phaseEnds(): number {
		if (this.#phase === "send" || this.#paused) return Number.POSITIVE_INFINITY;
		return this.#since + this.#timeouts[this.#phase];
	}

	/** One timer for all four limits: set anew when it rings, not whenever something arrives. */
	#arm(milliseconds: number): void {
		if (this.#over) return;
		this.#due = performance.now() + milliseconds;
		this.#timer = setTimeout(onTimer, Math.min(Math.max(1, milliseconds), longestTimer), this);
	}

	rang(): void {
		const now = performance.now();
		const phaseEnds = this.#phaseEnds();
		const totalEnds = this.#started + this.#timeouts.total;
		// A timer may ring a fraction of a millisecond early.
		if (Math.min(phaseEnds, totalEnds) > now + 1) {
			this.#arm(Math.min(phaseEnds, totalEnds) - now);
		} else if (phaseEnds < totalEnds) {
			const [code, message] = silences[this.#phase as keyof typeof silences];
			this.#fail(code, message);
		} else {
			this.#fail("upstream/total-timeout", "The call took longer than it may in all.");
		}
	}
}

const longestTimer = 2_147_483_647;

const silences = {
	connect: ["upstream/connect-timeout", "The connection to the vendor did not stand in time."],
	send: ["upstream/total-timeout", "The request could not be sent in time."],
	firstByte: ["upstream/first-byte-timeout", "The vendor did not begin to answer in time."],
	idle: ["upstream/idle-timeout", "The vendor fell silent in the middle of its answer."],
} as const;

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
	this[callOf]?.receivedAll();
}
function onError(this: Owned, error: NodeJS.ErrnoException): void {
	this[callOf]?.lost(error);
}
/** Whatever else may end a request (a switch of protocols, say), the call hears of it. */
function onClose(this: Owned): void {
	this[callOf]?.closed();
}
function onTimer(call: Call): void {
	call.rang();
}

const unpackers: Readonly<Record<string, (first: Uint8Array) => Transform>> = {
	gzip: () => createGunzip(),
	"x-gzip": () => createGunzip(),
	// Said of both, with the wrapping of zlib and without; the first byte tells.
	deflate: (first) => (((first[0] ?? 8) & 15) === 8 ? createInflate() : createInflateRaw()),
	br: () => createBrotliDecompress(),
	zstd: () => createZstdDecompress(),
};

function latin1(chunk: Uint8Array): string {
	const bytes =
		chunk instanceof Buffer
			? chunk
			: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	return bytes.toString("latin1");
}
