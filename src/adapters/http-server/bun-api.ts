/** The small part of Bun's own API that we use, so that nobody needs Bun's types to check our code. */
export interface BunRuntime {
	readonly version: string;
	serve(options: BunServeOptions): BunServer;
	connect<Data>(options: {
		readonly hostname: string;
		readonly port: number;
		readonly data: Data;
		readonly socket: BunSocketHandlers<Data>;
	}): Promise<unknown>;
}

export interface BunSocket<Data> {
	readonly data: Data;
	/** How many of the bytes the system has taken; none or less when it can take none now. `drain` tells when to go on. */
	write(bytes: Uint8Array): number;
	pause(): void;
	resume(): void;
	ref(): void;
	unref(): void;
	/** Closes it at once. */
	terminate(): void;
}

export interface BunSocketHandlers<Data> {
	readonly binaryType: "buffer";
	open(socket: BunSocket<Data>): void;
	/** Memory that is read to once. */
	data(socket: BunSocket<Data>, bytes: Buffer): void;
	drain(socket: BunSocket<Data>): void;
	end(socket: BunSocket<Data>): void;
	close(socket: BunSocket<Data>): void;
	error(socket: BunSocket<Data>, error: Error): void;
	connectError(socket: BunSocket<Data>, error: Error): void;
}

export interface BunServeOptions {
	readonly hostname: string;
	readonly port: number;
	readonly development?: boolean;
	readonly reusePort?: boolean;
	/** Seconds without traffic after which a connection is closed; at most 255. */
	readonly idleTimeout?: number;
	readonly maxRequestBodySize?: number;
	readonly tls?: { readonly key: string; readonly cert: string };
	fetch(request: Request, server: BunServer): Response | Promise<Response>;
	error?(error: unknown): Response;
}

export interface BunServer {
	readonly port: number;
	readonly pendingRequests: number;
	requestIP(request: Request): { readonly address: string } | null;
	/** Seconds without traffic for the connection of this request; 0 for no limit. */
	timeout(request: Request, seconds: number): void;
	closeIdleConnections(): void;
	/** Stops accepting and resolves when all requests have ended; with `true`, closes all connections. */
	stop(closeConnections?: boolean): Promise<void>;
}

/** The controller of a stream of type `direct`, which goes to the socket without queues between. */
export interface DirectController {
	/** A promise when the client is slow: it resolves when there is room again. */
	write(chunk: Uint8Array): number | Promise<number>;
	flush(): unknown;
	end(): unknown;
	/** With an error, breaks the connection. */
	close(error?: Error): unknown;
}

/** Undefined on other runtimes. */
export const bun: BunRuntime | undefined = (
	globalThis as { readonly Bun?: BunRuntime }
).Bun;

export function bunRuntime(): BunRuntime {
	if (!bun)
		throw new Error(
			"This adapter runs on Bun only: use the one for Node here.",
		);
	return bun;
}
