/**
 * The HTTP edge that clients reach us by. A port of its own because the runtimes differ: each gets
 * an adapter on its quickest server. Callbacks rather than promises and streams: this is the hot path.
 */
export interface HttpServer {
	/** Resolves when it accepts connections; rejects with `http/address-in-use`, `http/address-refused` or `http/bad-certificate`. */
	listen(options: ListenOptions, handler: HttpHandler): Promise<Listening>;
}

export interface ListenOptions {
	readonly host: string;
	/** 0 picks a free one. */
	readonly port: number;
	/** PEM texts. Without it, plain HTTP. */
	readonly tls?: { readonly key: string; readonly certificate: string };
	readonly limits: HttpLimits;
	/** Hears what a handler or a listener threw, of which the client is told nothing. Must not throw. */
	readonly onFault?: (error: unknown) => void;
}

export interface HttpLimits {
	/** Bytes of a request's body; more is answered 413. */
	readonly bodyBytes: number;
	/** Bytes of a request's line and headers together; more is answered 431. */
	readonly headerBytes: number;
	/** Connections at once; further ones are closed at once. */
	readonly connections: number;
	/** Milliseconds for the headers to arrive, for the whole request to arrive, and that an idle connection is kept. */
	readonly headersTimeout: number;
	readonly requestTimeout: number;
	readonly keepAliveTimeout: number;
}

export interface Listening {
	/** The port in use. */
	readonly port: number;
	/** Connections open now. */
	connections(): number;
	/** Stops accepting; resolves when every request under way has ended. */
	drain(): Promise<void>;
	/** Closes everything at once. */
	stop(): Promise<void>;
}

/** Answers one request. A throw or a rejection is answered 500 `http/internal` without detail, and the server lives. */
export type HttpHandler = (
	request: HttpRequest,
	response: HttpResponse,
) => void | Promise<void>;

export interface HttpRequest {
	readonly method: string;
	/** Path as sent, without the query: `/v1/messages`. */
	readonly path: string;
	/** Query as sent, without the question mark; "" when there is none. */
	readonly query: string;
	/** Value of a header, by lower-case name; repeated ones joined with ", ". */
	header(name: string): string | undefined;
	/** Address of the client. */
	readonly remote: string;
	/**
	 * The whole body; asked again, the same promise. Rejects with `http/body-too-large`,
	 * `http/aborted`, `http/timeout` or `http/unsupported-encoding` (a compressed body); a handler
	 * that lets one of these pass has it answered 413, not at all, 408 or 415.
	 * A body is only read when asked for.
	 */
	body(): Promise<Uint8Array>;
}

export interface HttpResponse {
	/**
	 * Status (200 to 599) and headers, once, before anything else. What a header cannot carry is
	 * refused with a throw (`http/bad-head`). How the body is framed and whether the connection
	 * stays is the edge's business: such headers are left out. The head leaves with the first of the
	 * body; `write` of nothing sends it at once.
	 */
	head(status: number, headers: Readonly<Record<string, string>>): void;
	/** False when the client is slow: wait for `onDrain` before writing more. Ignored once the client has gone. */
	write(chunk: Uint8Array): boolean;
	/** Ends the answer; idempotent. */
	end(chunk?: Uint8Array): void;
	/** Breaks the connection, so that a client sees a half answer for what it is. */
	abort(): void;
	/** Runs once when the client has left before the answer ended. */
	onGone(listener: () => void): void;
	onDrain(listener: () => void): void;
	/** Whether the head was told. */
	readonly started: boolean;
}
