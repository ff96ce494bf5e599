import type { Transform } from "node:stream";
import type {
	HttpClient,
	UpstreamCall,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import { CallTimer } from "./call-timer.ts";
import { type Origin, originOf, ownHeaders } from "./request-rules.ts";
import { packedAs, unpack } from "./unpacking.ts";

export interface BunHttpClientOptions {
	/** Bytes that one compressed answer may unpack to. */
	readonly unpackedBytes?: number;
	/** PEM texts of certificate authorities to trust in place of the system's. */
	readonly authorities?: readonly string[];
}

/** Answers announced no larger than this are taken whole, which saves a stream. */
const wholeBytes = 65_536;

/**
 * The HTTP edge to vendors on Bun's own `fetch`. Redirects are not followed, proxy variables of the
 * environment are not used. What it cannot do is named where it runs its contract (`bun.test.ts`);
 * above all, connections are Bun's: it keeps and limits them for the whole process, 256 calls at
 * once unless `BUN_CONFIG_MAX_HTTP_REQUESTS` says more at the start.
 */
export function bunHttpClient(options: BunHttpClientOptions = {}): HttpClient {
	const settings: Settings = {
		unpackedBytes: options.unpackedBytes ?? 256 * 1_048_576,
		tls: options.authorities ? { ca: [...options.authorities] } : undefined,
	};
	const origins = new Map<string, Origin | undefined>();
	return {
		send(request, sink) {
			const call = new Call(settings, request, sink);
			const origin = originOf(request.url, origins);
			if (origin) void call.run(origin);
			else
				call.refuse("The address of the vendor is not an http or https URL.");
			return call;
		},
		close() {},
	};
}

interface Settings {
	readonly unpackedBytes: number;
	readonly tls: { readonly ca: string[] } | undefined;
}

/** What Bun's `fetch` takes beyond the standard. */
interface BunInit extends RequestInit {
	readonly decompress: boolean;
	/** False: not even the one that the environment names. */
	readonly proxy: false;
	/** False: no limit of Bun's own. */
	readonly timeout: false;
	readonly tls?: { readonly ca: string[] };
}

class Call implements UpstreamCall {
	readonly #settings: Settings;
	readonly #request: UpstreamRequest;
	readonly #sink: UpstreamSink;
	readonly #timer: CallTimer;
	readonly #controller = new AbortController();
	#answer: Response | undefined;
	#encoding: string | undefined;
	#unpacker: Transform | undefined;
	#paused = false;
	#resumed: (() => void) | undefined;
	#over = false;

	constructor(
		settings: Settings,
		request: UpstreamRequest,
		sink: UpstreamSink,
	) {
		this.#settings = settings;
		this.#request = request;
		this.#sink = sink;
		this.#timer = new CallTimer(request.timeouts, this);
		// `fetch` does not tell when the connection stands.
		this.#timer.enter("firstByte");
	}

	/** A time limit passed. */
	passed(code: string, message: string): void {
		this.#fail(code, message, false);
	}

	/** Nothing was sent and nothing can be. */
	refuse(message: string): void {
		queueMicrotask(() => this.#fail("upstream/connect", message, true));
	}

	async run(origin: Origin): Promise<void> {
		const { method, url, headers, body } = this.#request;
		if (!/^[A-Z]+$/.test(method)) {
			this.refuse("The request has a method that HTTP cannot carry.");
			return;
		}
		const init: BunInit = {
			method,
			headers: pairs(ownHeaders(headers, origin, method, body?.length ?? 0)),
			redirect: "manual",
			decompress: false,
			proxy: false,
			timeout: false,
			signal: this.#controller.signal,
			...(body && body.length > 0 ? { body } : {}),
			...(this.#settings.tls ? { tls: this.#settings.tls } : {}),
		};
		try {
			const answer = await fetch(url, init);
			if (this.#over) return;
			this.#answer = answer;
			this.#timer.enter("idle");
			this.#encoding = packedAs(
				answer.headers.get("content-encoding") ?? undefined,
			);
			this.#sink.head(answer.status, (name) => this.#header(name));
			if (!this.#over) await this.#read(answer);
		} catch (error) {
			this.#lost(error);
		}
	}

	async #read(answer: Response): Promise<void> {
		const length = Number(answer.headers.get("content-length") ?? Infinity);
		if (length <= wholeBytes && this.#encoding === undefined) {
			const bytes = await answer.bytes();
			await this.#unpaused();
			if (bytes.length > 0) this.#received(bytes);
		} else {
			const reader = answer.body?.getReader();
			while (reader && !this.#over) {
				const { done, value } = await reader.read();
				if (done) break;
				await this.#unpaused();
				this.#received(value);
			}
		}
		if (this.#over) return;
		if (this.#unpacker) this.#unpacker.end();
		else this.#end();
	}

	async #unpaused(): Promise<void> {
		while (this.#paused && !this.#over) {
			await new Promise<void>((resolve) => {
				this.#resumed = resolve;
			});
		}
	}

	#header(name: string): string | undefined {
		// Said of the body as it was sent, not as we hand it on.
		if (
			this.#encoding &&
			(name === "content-encoding" || name === "content-length")
		)
			return undefined;
		return this.#answer?.headers.get(name) ?? undefined;
	}

	#received(chunk: Uint8Array): void {
		if (this.#over) return;
		this.#timer.touch();
		if (this.#encoding === undefined) {
			this.#sink.data(chunk);
			return;
		}
		this.#unpacker ??= this.#unpackerFor(this.#encoding, chunk);
		this.#unpacker?.write(chunk);
	}

	#unpackerFor(encoding: string, first: Uint8Array): Transform | undefined {
		const broken = (message: string) =>
			this.#fail("upstream/protocol", message, false);
		const unpacker = unpack(encoding, first, this.#settings.unpackedBytes, {
			data: (chunk) => {
				if (!this.#over) this.#sink.data(chunk);
			},
			end: () => this.#end(),
			broken,
			drain: () => {},
		});
		if (!unpacker) broken("The vendor sent an encoding that nobody asked for.");
		return unpacker;
	}

	abort(): void {
		if (this.#finish()) this.#controller.abort();
	}

	pause(): void {
		if (this.#over) return;
		this.#paused = true;
		this.#timer.pause();
		this.#unpacker?.pause();
	}

	resume(): void {
		if (this.#over || !this.#paused) return;
		this.#paused = false;
		this.#timer.resume();
		this.#unpacker?.resume();
		this.#resumed?.();
	}

	#end(): void {
		if (this.#finish()) this.#sink.end();
	}

	#lost(error: unknown): void {
		const code = String((error as { code?: unknown } | null)?.code ?? "");
		if (this.#answer === undefined && neverSent.test(code)) {
			this.#fail(
				"upstream/connect",
				`No connection to the vendor (${code}).`,
				true,
			);
		} else if (this.#answer === undefined && code === "") {
			// A standard `TypeError`: Bun did not take the request.
			this.#fail(
				"upstream/connect",
				"The request has a method, path or header that HTTP cannot carry.",
				true,
			);
		} else if (/^(Invalid|Malformed|HPE_|HTTP)/i.test(code)) {
			this.#fail(
				"upstream/protocol",
				`The vendor's answer is not sound HTTP (${code}).`,
				false,
			);
		} else {
			this.#fail(
				"upstream/reset",
				`The connection to the vendor was lost (${code || "closed"}).`,
				false,
			);
		}
	}

	#fail(code: string, message: string, unsent: boolean): void {
		if (!this.#finish()) return;
		this.#controller.abort();
		this.#sink.fail({ code, message, unsent });
	}

	/** False when it was over before. */
	#finish(): boolean {
		if (this.#over) return false;
		this.#over = true;
		this.#timer.stop();
		if (this.#unpacker && !this.#unpacker.readableEnded)
			this.#unpacker.destroy();
		this.#resumed?.();
		return true;
	}
}

/** Codes of what goes wrong before a request can leave: no address, no connection, no trust. */
const neverSent =
	/^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EPROTO|FailedToOpenSocket|.*CERT.*|UNABLE_TO_\w+|HOSTNAME_MISMATCH)$/;

function pairs(flat: readonly string[]): [string, string][] {
	const pairs: [string, string][] = [];
	for (let index = 0; index < flat.length; index += 2) {
		const name = flat[index] as string;
		// Bun writes these itself.
		if (name !== "host" && name !== "content-length")
			pairs.push([name, flat[index + 1] as string]);
	}
	return pairs;
}
