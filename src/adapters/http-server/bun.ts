import { Fault } from "../../kernel/outcome.ts";
import type {
	HttpHandler,
	HttpLimits,
	HttpRequest,
	HttpResponse,
	HttpServer,
	ListenOptions,
} from "../../ports/http-server.ts";
import {
	type BunServer,
	bunRuntime,
	type DirectController,
} from "./bun-api.ts";
import {
	checkHead,
	faultAnswer,
	isFraming,
	listenFault,
	splitTarget,
} from "./edge-rules.ts";

/**
 * The HTTP edge on Bun's own server, much quicker than Node's. What it cannot do is named where it
 * runs its contract (`bun.test.ts`): mind above all that Bun limits neither connections nor the
 * time and size of headers by our numbers, so that towards a hostile network the Node adapter or a
 * proxy in front is the better choice.
 */
export function bunHttpServer(): HttpServer {
	return {
		async listen(options, handler) {
			const edge: Edge = {
				handler,
				limits: options.limits,
				onFault: options.onFault,
				idleSeconds: Math.min(
					255,
					Math.max(1, Math.ceil(options.limits.keepAliveTimeout / 1_000)),
				),
				draining: false,
			};
			const server = start(options, edge);
			let drained: Promise<void> | undefined;
			return {
				port: server.port,
				connections: () => server.pendingRequests,
				drain() {
					edge.draining = true;
					if (!drained) {
						drained = server.stop().then(() => server.stop(true));
						server.closeIdleConnections();
					}
					return drained;
				},
				async stop() {
					edge.draining = true;
					await server.stop(true);
				},
			};
		},
	};
}

function start(options: ListenOptions, edge: Edge): BunServer {
	const { host, port, tls } = options;
	try {
		return bunRuntime().serve({
			hostname: host,
			port,
			development: false,
			// Outside development Bun would let a second program take the same port, and calls at random.
			reusePort: false,
			idleTimeout: edge.idleSeconds,
			// The limit is ours to keep, so that the refusal can have the client's shape.
			maxRequestBodySize: Number.MAX_SAFE_INTEGER,
			...(tls ? { tls: { key: tls.key, cert: tls.certificate } } : {}),
			fetch: (request, bun) => new Exchange(edge, request, bun).run(),
			error(error) {
				edge.onFault?.(error);
				return new Response(null, { status: 500 });
			},
		});
	} catch (cause) {
		const code = String((cause as { code?: unknown } | null)?.code ?? "");
		if (tls && !/^E[A-Z]+$/.test(code)) {
			throw new Fault(
				"http/bad-certificate",
				"The TLS certificate or its key cannot be used: check that both are PEM and belong together.",
				{ cause },
			);
		}
		throw listenFault(cause, host, port);
	}
}

interface Edge {
	readonly handler: HttpHandler;
	readonly limits: HttpLimits;
	readonly onFault: ((error: unknown) => void) | undefined;
	/** Seconds that an idle connection is kept. */
	readonly idleSeconds: number;
	draining: boolean;
}

/** One request and its answer; a class because this is the hot path. */
class Exchange implements HttpRequest, HttpResponse {
	readonly method: string;
	readonly path: string;
	readonly query: string;
	readonly #edge: Edge;
	readonly #request: Request;
	readonly #server: BunServer;
	readonly #length: number;
	readonly #understood: boolean;
	#body: Promise<Uint8Array> | undefined;
	#bodyFault: Fault | undefined;
	#status = 0;
	#headers: Readonly<Record<string, string>> | undefined;
	/** The answer to hand to Bun, and who waits for it. */
	#response: Response | undefined;
	#deliver: ((response: Response) => void) | undefined;
	#controller: DirectController | undefined;
	/** Written before Bun asked for the stream. */
	#early: Uint8Array[] | undefined;
	#earlyBytes = 0;
	#pulled: (() => void) | undefined;
	#over = false;
	#gone: (() => void)[] | undefined;
	#drain: (() => void)[] | undefined;

	constructor(edge: Edge, request: Request, server: BunServer) {
		this.#edge = edge;
		this.#request = request;
		this.#server = server;
		const { headers, url } = request;
		this.method = request.method;
		const encoding = headers.get("transfer-encoding");
		this.#length =
			encoding !== null
				? Number.POSITIVE_INFINITY
				: Number(headers.get("content-length") ?? 0);
		const scheme = url.indexOf("://");
		const slash = scheme < 0 ? 0 : url.indexOf("/", scheme + 3);
		const target = splitTarget(
			slash < 0 ? "/" : url.slice(slash),
			headers.get("host") ?? undefined,
		);
		this.#understood =
			target !== undefined &&
			(encoding === null || encoding.toLowerCase() === "chunked") &&
			this.method !== "CONNECT";
		this.path = target?.path ?? "";
		this.query = target?.query ?? "";
	}

	run(): Response | Promise<Response> {
		// Answers may take as long as their handlers allow; the limit of the server is for idle connections.
		this.#server.timeout(this.#request, 0);
		if (!this.#understood) {
			this.#refuse(
				400,
				"http/malformed",
				"The request's target, host or framing cannot be used.",
			);
		} else {
			try {
				const promise = this.#edge.handler(this, this);
				if (promise !== undefined)
					promise.then(undefined, this.#fail.bind(this));
			} catch (error) {
				this.#fail(error);
			}
		}
		return (
			this.#response ??
			new Promise((resolve) => {
				this.#deliver = resolve;
			})
		);
	}

	get remote(): string {
		return this.#server.requestIP(this.#request)?.address ?? "";
	}

	get started(): boolean {
		return this.#status !== 0;
	}

	header(name: string): string | undefined {
		return this.#request.headers.get(name) ?? undefined;
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
		const { limits } = this.#edge;
		const encoding = this.header("content-encoding");
		if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
			this.#bodyFault = new Fault(
				"http/unsupported-encoding",
				"Send the body as it is, without content-encoding.",
			);
		} else if (
			Number.isFinite(this.#length) &&
			this.#length > limits.bodyBytes
		) {
			this.#bodyFault = this.#tooLarge();
		}
		if (this.#bodyFault) return Promise.reject(this.#bodyFault);
		if (this.#length === 0) return Promise.resolve(new Uint8Array(0));
		const reading =
			this.#length === Number.POSITIVE_INFINITY
				? this.#readChunks(limits.bodyBytes)
				: this.#request.bytes();
		return new Promise((resolve, reject) => {
			const fail = (fault: Fault) => {
				clearTimeout(timer);
				this.#bodyFault ??= fault;
				reject(this.#bodyFault);
			};
			const timer = setTimeout(
				() =>
					fail(
						new Fault("http/timeout", "The request did not arrive in time."),
					),
				limits.requestTimeout,
			);
			reading.then(
				(body) => {
					clearTimeout(timer);
					resolve(body);
				},
				(error) =>
					fail(
						error instanceof Fault
							? error
							: new Fault(
									"http/aborted",
									"The client left before its request was read.",
								),
					),
			);
		});
	}

	async #readChunks(limit: number): Promise<Uint8Array> {
		const chunks: Uint8Array[] = [];
		let size = 0;
		const reader = this.#request.body?.getReader();
		while (reader) {
			const { done, value } = await reader.read();
			if (done) break;
			size += value.length;
			if (size > limit) throw this.#tooLarge();
			chunks.push(value);
		}
		return Buffer.concat(chunks, size);
	}

	#tooLarge(): Fault {
		const limit = this.#edge.limits.bodyBytes;
		return new Fault(
			"http/body-too-large",
			`The body is larger than ${limit} bytes: send less, or have the limit raised.`,
			{ details: { limit } },
		);
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
		if (this.#response === undefined) this.#stream();
		if (this.#controller === undefined) {
			if (this.#early && chunk.length > 0) {
				this.#early.push(chunk);
				this.#earlyBytes += chunk.length;
			}
			return this.#earlyBytes <= earlyLimit;
		}
		if (chunk.length === 0) return true;
		return this.#send(this.#controller, chunk);
	}

	#send(controller: DirectController, chunk: Uint8Array): boolean {
		const written = controller.write(chunk);
		if (typeof written === "number") {
			controller.flush();
			return true;
		}
		written.then(() => this.#drained(), ignore);
		return false;
	}

	#drained(): void {
		if (this.#over || !this.#drain) return;
		for (const listener of this.#drain) listener();
	}

	end(chunk?: Uint8Array): void {
		if (this.#over) return;
		if (this.#response === undefined) {
			const response = new Response(
				this.#bodyless() ? null : (chunk ?? new Uint8Array(0)),
				this.#init(),
			);
			this.#finish();
			this.#hand(response);
			return;
		}
		if (chunk !== undefined && chunk.length > 0) this.write(chunk);
		this.#finish();
		this.#controller?.end();
		this.#pulled?.();
	}

	#finish(): void {
		this.#over = true;
		this.#server.timeout(this.#request, this.#edge.idleSeconds);
	}

	#stream(): void {
		this.#early = [];
		if (this.#bodyless() || this.method === "HEAD") {
			this.#hand(new Response(null, this.#init()));
			return;
		}
		const source = {
			type: "direct",
			pull: (controller: DirectController) => this.#pull(controller),
			cancel: () => this.#leave(),
		} as unknown as ConstructorParameters<typeof ReadableStream>[0];
		this.#hand(
			new Response(
				new ReadableStream(source) as ConstructorParameters<typeof Response>[0],
				this.#init(),
			),
		);
	}

	#pull(controller: DirectController): Promise<void> | undefined {
		this.#controller = controller;
		let room = true;
		for (const chunk of this.#early ?? []) room = this.#send(controller, chunk);
		this.#early = undefined;
		if (room && this.#earlyBytes > earlyLimit)
			queueMicrotask(() => this.#drained());
		if (this.#over) {
			controller.end();
			return undefined;
		}
		return new Promise((resolve) => {
			this.#pulled = resolve;
		});
	}

	#bodyless(): boolean {
		return this.#status === 204 || this.#status === 304;
	}

	#init(): ResponseInit {
		const told = this.#headers;
		if (told === undefined) {
			throw new Fault(
				"http/head-missing",
				"Tell the head of an answer before its body.",
			);
		}
		const headers: Record<string, string> = {};
		for (const name in told) {
			if (!isFraming(name)) headers[name] = told[name] as string;
		}
		if (this.#endsConnection()) headers.connection = "close";
		return { status: this.#status, headers };
	}

	#endsConnection(): boolean {
		if (this.#edge.draining || this.#bodyFault || !this.#understood)
			return true;
		return (
			this.#body === undefined && this.#length > this.#edge.limits.bodyBytes
		);
	}

	#hand(response: Response): void {
		this.#response = response;
		this.#deliver?.(response);
	}

	abort(): void {
		if (this.#over) return;
		if (this.#response === undefined) {
			if (this.#status === 0) this.head(500, {});
			this.#stream();
		}
		this.#over = true;
		const broken = new Error("broken off");
		if (this.#controller) this.#controller.close(broken);
		else this.#early = undefined;
		this.#pulled?.();
	}

	onGone(listener: () => void): void {
		if (this.#gone) {
			this.#gone.push(listener);
			return;
		}
		this.#gone = [listener];
		this.#request.signal.addEventListener("abort", () => this.#leave());
	}

	onDrain(listener: () => void): void {
		if (this.#drain) this.#drain.push(listener);
		else this.#drain = [listener];
	}

	/** The connection was lost. */
	#leave(): void {
		if (this.#over) return;
		this.#over = true;
		this.#pulled?.();
		if (this.#response === undefined) {
			// Nobody will see it; Bun counts the request until it has an answer.
			this.#hand(new Response(null, { status: 500 }));
		}
		for (const listener of this.#gone ?? []) {
			try {
				listener();
			} catch (error) {
				this.#edge.onFault?.(error);
			}
		}
	}

	/** The handler threw. */
	#fail(error: unknown): void {
		const known = faultAnswer(error);
		if (!known) this.#edge.onFault?.(error);
		if (this.#over) return;
		if (this.#response !== undefined) this.abort();
		else if (known) this.#refuse(known.status, known.code, known.message);
		else
			this.#refuse(
				500,
				"http/internal",
				"The request failed inside the server.",
			);
	}

	#refuse(status: number, code: string, message: string): void {
		this.#status = status;
		this.#headers = { "content-type": "application/json" };
		this.end(Buffer.from(JSON.stringify({ error: { code, message } })));
	}
}

function ignore(): void {}

/** Bytes taken before Bun asks for them; beyond, the handler is told to wait. */
const earlyLimit = 65_536;
