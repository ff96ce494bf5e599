import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { Fault } from "../../kernel/outcome.ts";
import type {
	HttpHandler,
	HttpLimits,
	HttpRequest,
	HttpResponse,
	HttpServer,
	Listening,
	ListenOptions,
} from "../../ports/http-server.ts";
import {
	checkHead,
	faultAnswer,
	isFraming,
	listenFault,
	splitTarget,
} from "./edge-rules.ts";

/** Not imported: as a module it brings what it offers on demand as well, a client of WebSockets among it, for 20 ms of a start. */
const { createServer: createPlainServer, STATUS_CODES } =
	process.getBuiltinModule("node:http");

/** How long a connection that is closed over an unread body is still listened to, so that the client reads the answer. */
const lingerMilliseconds = 1_000;

/** Answers up to this size travel as one string with their head: one write instead of a gathered one. */
const joinBytes = 16_384;

/** Bodies announced no larger than this are read into one memory; who announces more may never send it. */
const wholeBytes = 1_048_576;

/** The HTTP edge on Node's own server, with its strict parser. HTTP/1.1, upgrades are never made. */
export function nodeHttpServer(): HttpServer {
	return {
		async listen(options, handler) {
			tuneCollector();
			const server = createServer(options);
			const edge: Edge = {
				handler,
				limits: options.limits,
				onFault: options.onFault,
				draining: false,
			};
			const sockets = serve(server, edge);
			await start(server, options);
			return listening(server, edge, sockets);
		},
	};
}

/**
 * For a process that answers many requests at once (docs/decisions/0009-hot-path.md, fifth round).
 *
 * V8 notes where objects come from that live long, and makes later ones of there old from the first. Requests that
 * wait, all at once, are such objects: from one busy moment on, every ended call would stay until the next full
 * collection, with all that it leads to.
 *
 * And it lets what is old grow to four times what lives before it collects that. Where more requests are under way
 * than fit into what is young, all that they leave behind is old. Twice is enough; with less, what is young finds no
 * room there, and V8 marks the heap again and again.
 */
function tuneCollector(): void {
	if (process.versions.bun) return;
	setFlagsFromString("--no-allocation-site-pretenuring");
	setFlagsFromString("--heap-growing-percent=100");
}

function createServer({ tls, limits }: ListenOptions): Server {
	const shortest = Math.min(limits.headersTimeout, limits.requestTimeout);
	const options = {
		maxHeaderSize: limits.headerBytes,
		// Node refuses a time for the headers that is longer than the time for the whole request.
		headersTimeout: shortest,
		requestTimeout: limits.requestTimeout,
		keepAliveTimeout: limits.keepAliveTimeout,
		connectionsCheckingInterval: Math.max(20, Math.min(5_000, shortest / 4)),
		// Without it Node keeps the first of repeated headers and drops the rest in silence.
		joinDuplicateHeaders: true,
		noDelay: true,
	};
	if (!tls) return createPlainServer(options);
	try {
		return createSecureServer({
			...options,
			key: tls.key,
			cert: tls.certificate,
			minVersion: "TLSv1.2",
			handshakeTimeout: limits.headersTimeout,
		});
	} catch (cause) {
		throw new Fault(
			"http/bad-certificate",
			"The TLS certificate or its key cannot be used: check that both are PEM and belong together.",
			{ cause },
		);
	}
}

/** What every exchange of one server shares. */
interface Edge {
	readonly handler: HttpHandler;
	readonly limits: HttpLimits;
	readonly onFault: ((error: unknown) => void) | undefined;
	draining: boolean;
}

const connectionOf = Symbol("connection");
type EdgeSocket = Socket & { [connectionOf]?: Connection };

/** The requests of one connection that have not been answered whole, oldest first: more than one when pipelined. */
class Connection {
	readonly socket: Socket;
	readonly remote: string;
	readonly open: Exchange[] = [];
	/** No further request is taken from it. */
	last = false;

	constructor(socket: Socket) {
		this.socket = socket;
		this.remote = socket.remoteAddress ?? "";
	}
}

interface Sockets {
	/** As accepted: under TLS, the ones below it. */
	readonly accepted: Set<Socket>;
	/** Those that speak HTTP. */
	readonly speaking: Set<EdgeSocket>;
}

function serve(server: Server, edge: Edge): Sockets {
	const sockets: Sockets = { accepted: new Set(), speaking: new Set() };
	server.maxConnections = edge.limits.connections;
	// Bounded by `headerBytes` already; beyond a count Node would drop headers in silence.
	server.maxHeadersCount = 0;

	server.on("connection", (socket: Socket) => {
		sockets.accepted.add(socket);
		socket.on("close", () => sockets.accepted.delete(socket));
	});
	const secure = "setSecureContext" in server;
	server.on(
		secure ? "secureConnection" : "connection",
		(socket: EdgeSocket) => {
			const connection = new Connection(socket);
			socket[connectionOf] = connection;
			sockets.speaking.add(socket);
			socket.on("close", () => {
				sockets.speaking.delete(socket);
				for (const exchange of connection.open) exchange.gone();
			});
		},
	);

	server.on("request", (request, response) =>
		answer(edge, request, response, false),
	);
	server.on("checkContinue", (request, response) =>
		answer(edge, request, response, true),
	);
	server.on("connect", (_request, socket) =>
		refuse(socket as Socket, 405, "http/method-refused"),
	);
	server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
		refuseMalformed(error, socket as EdgeSocket);
	});
	return sockets;
}

function answer(
	edge: Edge,
	request: IncomingMessage,
	response: ServerResponse,
	expectsContinue: boolean,
): void {
	const connection = (request.socket as EdgeSocket)[connectionOf] as Connection;
	if (connection.last) {
		connection.socket.destroy();
		return;
	}
	const exchange = new Exchange(
		edge,
		connection,
		request,
		response,
		expectsContinue,
	);
	connection.open.push(exchange);
	if (!exchange.understood) {
		exchange.refuse(
			400,
			"http/malformed",
			"The request's target, host or framing cannot be used.",
		);
		return;
	}
	try {
		const promise = edge.handler(exchange, exchange);
		if (promise !== undefined)
			promise.then(undefined, exchange.fail.bind(exchange));
	} catch (error) {
		exchange.fail(error);
	}
}

function start(server: Server, { host, port }: ListenOptions): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", (cause: NodeJS.ErrnoException) => {
			reject(listenFault(cause, host, port));
		});
		server.listen({ host, port }, () => {
			server.removeAllListeners("error");
			// Running out of file descriptors ends one accept, never the process.
			server.on("error", () => {});
			resolve();
		});
	});
}

function listening(server: Server, edge: Edge, sockets: Sockets): Listening {
	const address = server.address();
	let closed: Promise<void> | undefined;
	/** Not `http.Server.close`, which also stops enforcing the time limits on what is still under way. */
	const close = () => {
		closed ??= new Promise((resolve) => {
			NetServer.prototype.close.call(server, () => {
				server.close(() => {});
				resolve();
			});
		});
		return closed;
	};
	return {
		port: typeof address === "object" && address ? address.port : 0,
		connections: () => sockets.accepted.size,
		drain() {
			edge.draining = true;
			const done = close();
			for (const socket of sockets.speaking) {
				const connection = socket[connectionOf];
				if (connection?.open.length === 0) socket.destroySoon();
			}
			return done;
		},
		stop() {
			edge.draining = true;
			const done = close();
			for (const socket of sockets.accepted) socket.destroy();
			return done;
		},
	};
}

const exchangeOf = Symbol("exchange");
type EdgeResponse = ServerResponse & { [exchangeOf]?: Exchange };

/**
 * One request and its answer. A class, and one object for both sides, because this is the hot
 * path: methods live on the prototype, so that a request costs one allocation and no closures.
 */
class Exchange implements HttpRequest, HttpResponse {
	readonly method: string;
	readonly path: string;
	readonly query: string;
	/** False for a target, a Host header or a framing that has no clear meaning. */
	readonly understood: boolean;
	readonly #edge: Edge;
	readonly #connection: Connection;
	readonly #request: IncomingMessage;
	readonly #response: EdgeResponse;
	/** Bytes of body announced; Infinity when chunked. */
	readonly #length: number;
	/** The client waits for our word before it sends its body. */
	#expectsContinue: boolean;
	#body: Promise<Uint8Array> | undefined;
	#rejectBody: ((fault: Fault) => void) | undefined;
	#bodyFault: Fault | undefined;
	/** Head as told, until the first byte of body shows how it is to be sent. */
	#status = 0;
	#headers: Readonly<Record<string, string>> | undefined;
	#sent = false;
	#chunked = false;
	/** Chunks written in this turn. */
	#gathered = "";
	#flushing = false;
	#over = false;
	#gone: (() => void)[] | undefined;

	constructor(
		edge: Edge,
		connection: Connection,
		request: IncomingMessage,
		response: EdgeResponse,
		expectsContinue: boolean,
	) {
		this.#edge = edge;
		this.#connection = connection;
		this.#request = request;
		this.#response = response;
		this.#expectsContinue = expectsContinue;
		response[exchangeOf] = this;
		response.on("finish", onFinish);

		const headers = request.headers;
		const length = headers["content-length"];
		const encoding = headers["transfer-encoding"];
		this.#length =
			encoding !== undefined ? Number.POSITIVE_INFINITY : Number(length ?? 0);
		this.method = request.method ?? "GET";
		const target = splitTarget(request.url ?? "", headers.host);
		// The parser lets encodings pass that it does not know, and takes the body to be empty.
		this.understood =
			target !== undefined &&
			(encoding === undefined || encoding.toLowerCase() === "chunked");
		this.path = target?.path ?? "";
		this.query = target?.query ?? "";
	}

	get remote(): string {
		return this.#connection.remote;
	}

	get started(): boolean {
		return this.#status !== 0;
	}

	/** Whether the client can still be told a status in place of the answer. */
	get refusable(): boolean {
		return !this.#sent && !this.#over && !this.#request.complete;
	}

	header(name: string): string | undefined {
		const value = this.#request.headers[name];
		if (typeof value === "string") return value;
		// Names such as `constructor` reach the prototype: only what was sent counts.
		return Array.isArray(value) ? value.join(", ") : undefined;
	}

	body(): Promise<Uint8Array> {
		if (this.#body === undefined) {
			this.#body = this.#readBody();
			// A handler that asked and then lost interest must not bring the process down.
			this.#body.catch(ignore);
		}
		return this.#body;
	}

	#readBody(): Promise<Uint8Array> {
		const encoding = this.#request.headers["content-encoding"];
		if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
			this.#bodyFault ??= new Fault(
				"http/unsupported-encoding",
				"Send the body as it is, without content-encoding.",
			);
		} else if (
			Number.isFinite(this.#length) &&
			this.#length > this.#edge.limits.bodyBytes
		) {
			this.#bodyFault ??= this.#tooLarge();
		}
		if (this.#bodyFault) return Promise.reject(this.#bodyFault);
		if (this.#length === 0) return Promise.resolve(new Uint8Array(0));
		if (this.#expectsContinue) {
			this.#expectsContinue = false;
			this.#response.writeContinue();
		}
		return new Promise((resolve, reject) => {
			const request = this.#request;
			const limit = this.#edge.limits.bodyBytes;
			let first: Uint8Array | undefined;
			let chunks: Uint8Array[] | undefined;
			let whole: Buffer | undefined;
			let size = 0;
			this.#rejectBody = reject;
			request.on("data", (chunk: Uint8Array) => {
				if (this.#bodyFault) return;
				size += chunk.length;
				if (size > limit) {
					first = chunks = whole = undefined;
					this.breakBody(this.#tooLarge());
					return;
				}
				if (
					whole === undefined &&
					size < this.#length &&
					this.#length <= wholeBytes
				)
					whole = Buffer.allocUnsafeSlow(this.#length);
				if (whole) {
					whole.set(chunk, size - chunk.length);
					giveBack(chunk);
				} else if (first === undefined) first = chunk;
				else if (chunks === undefined) chunks = [first, chunk];
				else chunks.push(chunk);
				if (size === this.#length) settle();
			});
			request.on("end", () => {
				if (this.#length === Number.POSITIVE_INFINITY && !this.#bodyFault)
					settle();
			});
			const settle = () => {
				this.#rejectBody = undefined;
				resolve(
					whole ??
						(chunks ? joined(chunks, size) : (first ?? new Uint8Array(0))),
				);
			};
		});
	}

	#tooLarge(): Fault {
		const limit = this.#edge.limits.bodyBytes;
		return new Fault(
			"http/body-too-large",
			`The body is larger than ${limit} bytes: send less, or have the limit raised.`,
			{ details: { limit } },
		);
	}

	/** The body will not become whole. The first reason stands. */
	breakBody(fault: Fault): void {
		this.#bodyFault ??= fault;
		this.#rejectBody?.(this.#bodyFault);
		this.#rejectBody = undefined;
	}

	head(status: number, headers: Readonly<Record<string, string>>): void {
		if (this.#status !== 0) {
			throw new Fault(
				"http/head-twice",
				"The head of this answer was told before.",
			);
		}
		checkHead(status, headers);
		this.#status = status;
		this.#headers = headers;
	}

	write(chunk: Uint8Array): boolean {
		if (this.#over) return true;
		if (!this.#sent) this.#sendHead(-1);
		const response = this.#response;
		if (chunk.length === 0) {
			response.flushHeaders();
			return true;
		}
		if (!this.#chunked) return response.write(chunk);
		// Node would hand head, size, chunk and line ends over as five pieces; one string is much cheaper.
		if (chunk.length <= joinBytes) {
			this.#gathered += `${chunk.length.toString(16)}\r\n${latin1(chunk)}\r\n`;
			if (this.#gathered.length > joinBytes) return this.#flush();
			if (!this.#flushing) {
				this.#flushing = true;
				queueMicrotask(() => {
					this.#flushing = false;
					this.#flush();
				});
			}
			return !response.writableNeedDrain;
		}
		this.#flush();
		response.write(`${chunk.length.toString(16)}\r\n`, "latin1");
		response.write(chunk);
		return response.write("\r\n", "latin1");
	}

	/** Sends what was written in this turn, in one piece. */
	#flush(): boolean {
		const text = this.#gathered;
		if (text === "") return true;
		this.#gathered = "";
		return this.#response.write(text, "latin1");
	}

	end(chunk?: Uint8Array): void {
		if (this.#over) return;
		const response = this.#response;
		if (this.#sent) {
			if (chunk !== undefined && chunk.length > 0) this.write(chunk);
			this.#over = true;
			const rest = this.#gathered;
			this.#gathered = "";
			if (this.#chunked) response.end(`${rest}0\r\n\r\n`, "latin1");
			else response.end();
			return;
		}
		this.#sendHead(chunk?.length ?? 0);
		this.#over = true;
		if (chunk === undefined || chunk.length === 0) response.end();
		else if (chunk.length <= joinBytes) response.end(latin1(chunk), "latin1");
		else response.end(chunk);
	}

	/** With `length` -1 the body's size is not known yet. */
	#sendHead(length: number): void {
		const headers = this.#headers;
		if (headers === undefined) {
			throw new Fault(
				"http/head-missing",
				"Tell the head of an answer before its body.",
			);
		}
		const status = this.#status;
		const flat: string[] = [];
		for (const name in headers) {
			if (!isFraming(name)) flat.push(name, headers[name] as string);
		}
		const response = this.#response;
		const bodyless = status === 204 || status === 304;
		if (length >= 0 && !bodyless) flat.push("Content-Length", String(length));
		if (this.#endsConnection()) {
			flat.push("Connection", "close");
			this.#connection.last = true;
			if (!this.#request.complete) this.#connection.socket.destroySoon = linger;
		}
		const chunked =
			length < 0 &&
			!bodyless &&
			this.method !== "HEAD" &&
			response.useChunkedEncodingByDefault;
		if (chunked) flat.push("Transfer-Encoding", "chunked");
		response.writeHead(status, flat);
		if (chunked) {
			response.chunkedEncoding = false;
			this.#chunked = true;
		}
		this.#sent = true;
	}

	/** After a body that was refused, or that nobody wants and may be long, the next request cannot be found. */
	#endsConnection(): boolean {
		if (this.#edge.draining || this.#bodyFault || !this.understood) return true;
		if (this.#request.complete) return false;
		return this.#expectsContinue || this.#length > this.#edge.limits.bodyBytes;
	}

	abort(): void {
		if (this.#over) return;
		this.#over = true;
		this.#connection.socket.destroy();
	}

	onGone(listener: () => void): void {
		if (this.#gone) this.#gone.push(listener);
		else this.#gone = [listener];
	}

	onDrain(listener: () => void): void {
		this.#response.on("drain", listener);
	}

	/** The handler threw. */
	fail(error: unknown): void {
		const known = faultAnswer(error);
		if (!known) this.#edge.onFault?.(error);
		if (this.#over) return;
		if (this.#sent) this.abort();
		else if (known) this.refuse(known.status, known.code, known.message);
		else
			this.refuse(
				500,
				"http/internal",
				"The request failed inside the server.",
			);
	}

	refuse(status: number, code: string, message: string): void {
		this.#status = status;
		this.#headers = { "content-type": "application/json" };
		this.end(Buffer.from(JSON.stringify({ error: { code, message } })));
	}

	/** The connection was lost. */
	gone(): void {
		this.breakBody(
			new Fault("http/aborted", "The client left before its request was read."),
		);
		if (this.#over) return;
		this.#over = true;
		if (!this.#gone) return;
		for (const listener of this.#gone) {
			try {
				listener();
			} catch (error) {
				this.#edge.onFault?.(error);
			}
		}
	}

	/** The answer has left for the client. */
	finished(): void {
		const { open, socket } = this.#connection;
		open.shift();
		// An answer whose head had promised to keep the connection when the drain began.
		if (this.#edge.draining && open.length === 0) socket.destroySoon();
	}
}

function onFinish(this: EdgeResponse): void {
	this[exchangeOf]?.finished();
}

function ignore(): void {}

/** One body of chunks that nobody knew the number of, or that are many. */
function joined(chunks: readonly Uint8Array[], size: number): Buffer {
	const body = Buffer.concat(chunks, size);
	for (const chunk of chunks) giveBack(chunk);
	return body;
}

/**
 * The memory of a chunk that was copied: nobody else has it, and left to the collector it costs more
 * than all the rest of a large request (docs/decisions/0009-hot-path.md).
 */
function giveBack({ buffer, byteLength }: Uint8Array): void {
	if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength)
		buffer.transfer(0);
}

function latin1(chunk: Uint8Array): string {
	const bytes =
		chunk instanceof Buffer
			? chunk
			: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	return bytes.toString("latin1");
}

/**
 * Takes the place of `destroySoon` on a connection that ends while its client still sends: closing
 * it at once would reset it, and the client would lose the answer that tells it why.
 */
function linger(this: Socket): void {
	this.end();
	setTimeout(() => this.destroy(), lingerMilliseconds).unref();
}

function refuseMalformed(
	error: NodeJS.ErrnoException,
	socket: EdgeSocket,
): void {
	const connection = socket[connectionOf];
	if (!connection || error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	const timedOut = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
	const [first] = connection.open;
	if (first) {
		const refusable = connection.open.length === 1 && first.refusable;
		if (timedOut && refusable) {
			first.breakBody(
				new Fault("http/timeout", "The request did not arrive in time."),
			);
			return;
		}
		// A status now would be read as the answer to another request.
		if (!refusable) {
			socket.destroy();
			return;
		}
		first.gone();
	}
	connection.last = true;
	if (timedOut) refuse(socket, 408, "http/timeout");
	else if (error.code === "HPE_HEADER_OVERFLOW")
		refuse(socket, 431, "http/headers-too-large");
	else refuse(socket, 400, "http/malformed");
}

/** An answer where no request could be read. */
function refuse(socket: Socket, status: number, code: string): void {
	const body = JSON.stringify({
		error: { code, message: STATUS_CODES[status] },
	});
	socket.destroySoon = linger;
	socket.write(
		`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
		"latin1",
	);
	socket.destroySoon();
}
