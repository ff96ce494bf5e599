/** The HTTP edge that we reach vendors by: keep-alive, callbacks, abort that truly closes the connection. */
export interface HttpClient {
	/**
	 * Sends a request. The sink hears `head`, then `data` any number of times, then exactly one of
	 * `end` and `fail`; after `abort` it hears nothing more. Never throws.
	 */
	send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
	/** Closes idle connections; those in use end with their calls. */
	close(): void;
}

export interface UpstreamRequest {
	readonly method: string;
	/** Absolute. */
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: Uint8Array;
	/** The same bytes, not joined: an adapter that can send them so spares a large copy, and never asks for `body`. */
	readonly pieces?: readonly Uint8Array[] | undefined;
	readonly timeouts: Timeouts;
}

/** Milliseconds. */
export interface Timeouts {
	/** Until the connection (with TLS) stands. */
	readonly connect: number;
	/** From the sent request to the first byte of the answer. */
	readonly firstByte: number;
	/** Between two pieces of the answer. */
	readonly idle: number;
	/** From start to end. */
	readonly total: number;
}

export interface UpstreamSink {
	/** `header` looks a response header up by its lower-case name. */
	head(status: number, header: (name: string) => string | undefined): void;
	data(chunk: Uint8Array): void;
	end(): void;
	/**
	 * Codes: `upstream/connect` (no connection: the request was certainly not received),
	 * `upstream/reset` (connection lost), `upstream/connect-timeout`, `upstream/first-byte-timeout`,
	 * `upstream/idle-timeout`, `upstream/total-timeout`, `upstream/protocol` (no HTTP, broken encoding).
	 */
	fail(fault: UpstreamFault): void;
}

export interface UpstreamFault {
	readonly code: string;
	readonly message: string;
	/** True when the vendor cannot have received the request, so that sending it again is no second call. */
	readonly unsent: boolean;
}

export interface UpstreamCall {
	/** Closes the connection: the vendor sees that nobody listens. Idempotent. */
	abort(): void;
	/** Stops reading, so that a slow client slows the vendor; and goes on. */
	pause(): void;
	resume(): void;
	/** True while the vendor cannot have received the request; absent where that is not known. */
	readonly unsent?: boolean;
}
