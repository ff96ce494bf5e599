import type { Transform } from "node:stream";
import type {
	HttpClient,
	UpstreamCall,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import { AnswerFault } from "./answer-reader.ts";
import { CallTimer } from "./call-timer.ts";
import { type Connection, Connections, type Tenant } from "./connections.ts";
import { type Origin, originOf, requestHead } from "./request-rules.ts";
import { packedAs, unpack } from "./unpacking.ts";

export interface SocketHttpClientOptions {
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

/**
 * The HTTP edge to vendors on the sockets of either runtime, with a reader of answers of our own: what
 * runtimes bring costs more and is less strict (docs/decisions/0009-hot-path.md). Redirects are not
 * followed, proxy variables of the environment are not read, HTTP/1.1 only.
 *
 * Nothing is sent a second time here. A reused connection may turn out dead, but then its bytes
 * had been handed over, and the vendor may have acted on them: `upstream/reset`, `unsent` false.
 */
export function socketHttpClient(
	options: SocketHttpClientOptions = {},
): HttpClient {
	const connections = new Connections({
		perOrigin: options.socketsPerOrigin ?? 512,
		idlePerOrigin: options.idleSocketsPerOrigin ?? 256,
		idleMilliseconds: options.idleMilliseconds ?? 4_000,
		headerBytes: options.headerBytes ?? 65_536,
		authorities: options.authorities,
	});
	const unpackedBytes = options.unpackedBytes ?? 256 * 1_048_576;
	const origins = new Map<string, Origin | undefined>();

	return {
		send(request, sink) {
			const call = new Call(connections, unpackedBytes, request, sink);
			const origin = originOf(request.url, origins);
			if (origin) call.start(origin);
			else
				call.refuse("The address of the vendor is not an http or https URL.");
			return call;
		},
		close() {
			connections.close();
		},
	};
}

/** One call. A class, because this is the hot path: it costs few allocations and one timer. */
class Call implements UpstreamCall, Tenant {
	readonly method: string;
	readonly #connections: Connections;
	readonly #unpackedBytes: number;
	readonly #request: UpstreamRequest;
	readonly #sink: UpstreamSink;
	readonly #timer: CallTimer;
	#head = "";
	#pieces: readonly Uint8Array[] = nothing;
	#size = 0;
	#connection: Connection | undefined;
	#header: ((name: string) => string | undefined) | undefined;
	#encoding: string | undefined;
	#unpacker: Transform | undefined;
	/** The unpacker has enough for now. */
	#full = false;
	#paused = false;
	#over = false;

	constructor(
		connections: Connections,
		unpackedBytes: number,
		request: UpstreamRequest,
		sink: UpstreamSink,
	) {
		this.method = request.method;
		this.#connections = connections;
		this.#unpackedBytes = unpackedBytes;
		this.#request = request;
		this.#sink = sink;
		this.#timer = new CallTimer(request.timeouts, this);
	}

	/** A time limit passed. */
	passed(code: string, message: string): void {
		this.#fail(code, message);
	}

	start(origin: Origin): void {
		const { method, url, headers } = this.#request;
		const pieces = piecesOf(this.#request);
		let size = 0;
		for (const piece of pieces) size += piece.length;
		const head = requestHead(method, origin.path(url), headers, origin, size);
		if (head === undefined) {
			this.refuse(
				"The request has a method, path or header that HTTP cannot carry.",
			);
			return;
		}
		this.#head = head;
		this.#pieces = pieces;
		this.#size = size;
		this.#connections.lease(origin, this);
	}

	/** Nothing was sent and nothing can be. */
	refuse(message: string): void {
		queueMicrotask(() => this.#fail("upstream/connect", message));
	}

	abort(): void {
		if (this.#finish()) this.#letGo();
	}

	/** The request's bytes are handed to the connection only once it stands. */
	get unsent(): boolean {
		return this.#timer.phase === "connect";
	}

	pause(): void {
		if (this.#over) return;
		this.#paused = true;
		this.#timer.pause();
		if (this.#unpacker) this.#unpacker.pause();
		else this.#connection?.hold();
	}

	resume(): void {
		if (this.#over || !this.#paused) return;
		this.#paused = false;
		this.#timer.resume();
		if (this.#unpacker) this.#unpacker.resume();
		else this.#connection?.resume();
	}

	/** The connection stands: the request goes out. */
	assigned(connection: Connection): void {
		this.#connection = connection;
		// Told in the same breath for a request that is small.
		this.#timer.enter("send");
		connection.sending = true;
		connection.line.send(this.#head, this.#pieces, this.#size, () => {
			connection.sending = false;
			if (this.#timer.phase === "send") this.#timer.enter("firstByte");
		});
	}

	/** Nothing more may be told. What is packed goes on until the unpacker has enough. */
	get held(): boolean {
		return this.#unpacker === undefined ? this.#paused : this.#full;
	}

	head(status: number, header: (name: string) => string | undefined): void {
		this.#timer.enter("idle");
		this.#header = header;
		this.#encoding = packedAs(header("content-encoding"));
		this.#sink.head(
			status,
			this.#encoding === undefined ? header : (name) => this.#unpacked(name),
		);
	}

	/** Some headers are said of the body as it was sent, not as we hand it on. */
	#unpacked(name: string): string | undefined {
		return name === "content-encoding" || name === "content-length"
			? undefined
			: this.#header?.(name);
	}

	data(piece: Buffer): void {
		this.#timer.touch();
		const chunk = this.#connection?.line.lent ? Buffer.from(piece) : piece;
		if (this.#encoding === undefined) {
			this.#sink.data(chunk);
			return;
		}
		this.#unpacker ??= this.#unpackerFor(this.#encoding, chunk);
		if (this.#unpacker && !this.#unpacker.write(chunk)) this.#full = true;
	}

	#unpackerFor(encoding: string, first: Uint8Array): Transform | undefined {
		const broken = (message: string) =>
			this.#fail("upstream/protocol", message);
		const unpacker = unpack(encoding, first, this.#unpackedBytes, {
			data: (chunk) => {
				if (!this.#over) this.#sink.data(chunk);
			},
			end: () => this.#end(),
			broken,
			drain: () => {
				this.#full = false;
				this.#connection?.resume();
			},
		});
		if (!unpacker) broken("The vendor sent an encoding that nobody asked for.");
		else if (this.#paused) unpacker.pause();
		return unpacker;
	}

	/** The answer has arrived whole, and the connection is somebody else's now. */
	ended(): void {
		this.#connection = undefined;
		if (this.#unpacker) this.#unpacker.end();
		else this.#end();
	}

	#end(): void {
		if (this.#finish()) this.#sink.end();
	}

	lost(error: NodeJS.ErrnoException | undefined): void {
		this.#connection = undefined;
		const reason = error?.code ?? "closed";
		if (this.#timer.phase === "connect") {
			this.#fail(
				"upstream/connect",
				`No connection to the vendor (${reason}).`,
			);
		} else if (error instanceof AnswerFault) {
			this.#fail(
				"upstream/protocol",
				`The vendor's answer is not sound HTTP (${error.message}).`,
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
		this.#letGo();
		this.#sink.fail({ code, message, unsent });
	}

	#letGo(): void {
		if (this.#connection) this.#connection.destroy();
		else this.#connections.withdraw(this);
		this.#connection = undefined;
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

const nothing: readonly Uint8Array[] = [];

/** Those that are empty are nothing to send. */
function piecesOf(request: UpstreamRequest): readonly Uint8Array[] {
	if (request.pieces) return request.pieces.filter(({ length }) => length > 0);
	const { body } = request;
	return body === undefined || body.length === 0 ? nothing : [body];
}
