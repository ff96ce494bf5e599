import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as requestTls } from "node:https";
import { Fault } from "../../kernel/outcome.ts";
import type { ListenConfig } from "../config.ts";
import type { Home } from "../home.ts";

/** Not imported: as a module it brings what it offers on demand as well, a client of WebSockets among it, for 20 ms of a start. */
const { request: requestPlain } = process.getBuiltinModule("node:http");

/** Where a server of this home says it listens. */
export interface ServerPlace {
	readonly pid: number;
	/** `http://127.0.0.1:4141`. */
	readonly url: string;
	/** PEM file of its certificate, which is trusted as it is the owner's own. */
	readonly certificate?: string;
}

/** The address to reach a listener on this machine by: one that listens everywhere is asked at home. */
export function urlOf({
	host,
	port,
	tls,
}: Pick<ListenConfig, "host" | "port" | "tls">): string {
	const reached =
		host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
	const bare = reached.replace(/^\[(.*)\]$/, "$1");
	return `${tls ? "https" : "http"}://${bare.includes(":") ? `[${bare}]` : bare}:${port}`;
}

/** Leaves word for other commands; the returned function takes it away again, unless another server has left its own. */
export function announceServer(home: Home, place: ServerPlace): () => void {
	const text = JSON.stringify(place);
	writeFileSync(home.server, text, { mode: 0o600 });
	return () => {
		try {
			if (readFileSync(home.server, "utf8") === text) rmSync(home.server);
		} catch {
			// It is gone already: so it should be.
		}
	};
}

/** The server of this home that answers now, or undefined. */
export async function findServer(home: Home): Promise<ServerPlace | undefined> {
	let place: Partial<ServerPlace>;
	try {
		place = JSON.parse(
			readFileSync(home.server, "utf8"),
		) as Partial<ServerPlace>;
	} catch {
		return undefined;
	}
	if (
		typeof place.url !== "string" ||
		typeof place.pid !== "number" ||
		!URL.canParse(place.url)
	)
		return undefined;
	return (await isOurs(place as ServerPlace))
		? (place as ServerPlace)
		: undefined;
}

/** Whether a DuranteOS server answers there. */
export async function isOurs(
	place: Pick<ServerPlace, "url" | "certificate">,
): Promise<boolean> {
	try {
		const answer = await send(place, {
			method: "GET",
			path: "/healthz",
			timeout: 2_000,
		});
		answer.resume();
		return (
			answer.statusCode === 200 || answer.headers["x-dos-version"] !== undefined
		);
	} catch {
		return false;
	}
}

export interface ServerRequest {
	readonly method: "GET" | "POST";
	readonly path: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array;
	/** Milliseconds until the head of the answer; absent: as long as it takes. */
	readonly timeout?: number;
	readonly signal?: AbortSignal;
}

/** Sends one request; resolves with the head of the answer. Rejects with `server/unreachable` or `server/timeout`. */
export function send(
	place: Pick<ServerPlace, "url" | "certificate">,
	asked: ServerRequest,
): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		const url = new URL(asked.path, place.url);
		const options = {
			method: asked.method,
			headers: {
				...asked.headers,
				...(asked.body && { "content-length": String(asked.body.length) }),
			},
			agent: false as const,
			...(asked.signal && { signal: asked.signal }),
		};
		const request =
			url.protocol === "https:"
				? requestTls(url, {
						...options,
						// The very certificate that the owner configured: its names need not include this machine's.
						...(place.certificate && {
							ca: readFileSync(place.certificate),
							checkServerIdentity: () => undefined,
						}),
					})
				: requestPlain(url, options);
		if (asked.timeout !== undefined) {
			const timer = setTimeout(
				() =>
					request.destroy(
						new Fault(
							"server/timeout",
							`${url.origin} did not answer in time.`,
							{ retryable: true },
						),
					),
				asked.timeout,
			);
			request.on("close", () => clearTimeout(timer));
			request.on("response", () => clearTimeout(timer));
		}
		request.on("response", resolve);
		request.on("error", (cause) =>
			reject(
				cause instanceof Fault
					? cause
					: new Fault(
							"server/unreachable",
							`${url.origin} cannot be reached (${(cause as NodeJS.ErrnoException).code ?? cause.message}).`,
							{
								cause,
								retryable: true,
							},
						),
			),
		);
		request.end(asked.body);
	});
}

/** The whole body; refused beyond 64 MiB. */
export async function readAll(answer: IncomingMessage): Promise<Buffer> {
	const parts: Buffer[] = [];
	let size = 0;
	for await (const part of answer as AsyncIterable<Buffer>) {
		size += part.length;
		if (size > 64 * 2 ** 20)
			throw new Fault(
				"server/answer-too-large",
				"The answer is larger than 64 MiB.",
			);
		parts.push(part);
	}
	return Buffer.concat(parts);
}
