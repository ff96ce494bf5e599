import { viewAccount, viewKey } from "../../contexts/credits/index.ts";
import {
	type Caller,
	type Gateway,
	isStorage,
	respond,
	type Substrates,
	toldToClient,
} from "../../contexts/gateway/index.ts";
import { Fault, type Outcome, type Refusal } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
	HttpHandler,
	HttpRequest,
	HttpResponse,
} from "../../ports/http-server.ts";
import type { WireOperation, WireProtocol } from "../../ports/wire-protocol.ts";

/**
 * What Studio answers over HTTP. Models are called on each protocol's own paths; everything else is ours:
 *
 * - `GET /v1/models`: what can be called, in the shape of the asking client's protocol.
 * - `POST /v1/quote[?for=/v1/messages]`: the body of a call; what it would cost, at most and usually.
 * - `GET /v1/receipts/{call}`: what a call cost and why.
 * - `GET /v1/account`: balance, holds in flight, caps.
 * - `GET /healthz`, `GET /metrics` (Prometheus): no key from this machine, a key with `read` from elsewhere.
 *
 * Refusals come in the asking client's own error shape with our stable code inside.
 */
export function openRoutes(options: {
	readonly gateway: Gateway;
	readonly substrates: Substrates;
	/** The first one's shape is used where the client's protocol cannot be told. */
	readonly protocols: readonly [WireProtocol, ...WireProtocol[]];
	readonly clock: Clock;
	readonly version: string;
	/** Host names that requests may carry, lower-case, without port. */
	readonly hosts: ReadonlySet<string>;
	/** Sees what other processes appended, so that reads are not behind a command that was just run. */
	readonly refresh: () => Promise<void>;
	readonly draining: () => boolean;
	/** Hears what failed inside, of which the client is told nothing. */
	readonly onFault: (fault: unknown) => void;
}): HttpHandler {
	const { gateway, substrates, protocols, clock, hosts } = options;
	const calls = new Map<
		string,
		{ wire: WireProtocol; operation: WireOperation }
	>();
	for (const wire of protocols)
		for (const operation of wire.operations)
			calls.set(operation.path, { wire, operation });

	const reads: Readonly<
		Record<string, (exchange: Exchange) => void | Promise<void>>
	> = {
		"/v1/models": models,
		"/v1/account": account,
		"/healthz": health,
		"/metrics": metrics,
		"/": welcome,
	};

	return (request, response) => {
		const host = hostOf(request.header("host"));
		if (host === undefined || !hosts.has(host)) {
			return respond(
				shapeOf(request),
				response,
				refusal(
					"http/host-refused",
					"This Host header is not one that the gateway answers to. Use its own address, or add the name under listen.hosts in config.yaml.",
				),
			);
		}
		const { path, method } = request;
		const call = calls.get(path);
		if (call) {
			if (method === "POST")
				return gateway.serve(call.wire, call.operation, request, response);
			return respond(call.wire, response, notAllowed("POST"), {
				allow: "POST",
			});
		}
		const exchange = { request, response, wire: shapeOf(request) };
		return route(exchange).catch((fault: unknown) => {
			if (!(fault instanceof Fault) || isStorage(fault)) options.onFault(fault);
			respond(exchange.wire, response, toldToClient(fault));
		});
	};

	async function route(exchange: Exchange): Promise<void> {
		const { request, response, wire } = exchange;
		const { path, method } = request;
		if (path === "/v1/quote") {
			if (method !== "POST")
				return respond(wire, response, notAllowed("POST"), { allow: "POST" });
			return quote(exchange);
		}
		const receipt = path.startsWith("/v1/receipts/")
			? path.slice("/v1/receipts/".length)
			: undefined;
		const read = Object.hasOwn(reads, path) ? reads[path] : undefined;
		if (receipt === undefined && !read) {
			return respond(
				wire,
				response,
				refusal(
					"http/not-found",
					`There is nothing at ${method.slice(0, 16)} ${path.slice(0, 100)}.`,
				),
			);
		}
		if (method !== "GET" && method !== "HEAD")
			return respond(wire, response, notAllowed("GET"), { allow: "GET" });
		return receipt === undefined
			? read?.(exchange)
			: showReceipt(exchange, receipt);
	}

	function admitted({ request, wire }: Exchange): Promise<Outcome<Caller>> {
		return gateway.access.admit(
			wire.clientKey((name) => request.header(name)),
			"read",
			request.remote,
		);
	}

	/** Whether the request comes from this machine, or carries a key that may read. */
	async function trusted(exchange: Exchange): Promise<Outcome<unknown>> {
		return isThisMachine(exchange.request.remote)
			? { ok: true, value: undefined }
			: admitted(exchange);
	}

	async function models(exchange: Exchange): Promise<void> {
		const caller = await admitted(exchange);
		if (!caller.ok)
			return respond(exchange.wire, exchange.response, caller.error);
		sendBytes(
			exchange.response,
			200,
			"application/json",
			exchange.wire.models(substrates.list()),
		);
	}

	async function account(exchange: Exchange): Promise<void> {
		await options.refresh();
		const caller = await admitted(exchange);
		if (!caller.ok)
			return respond(exchange.wire, exchange.response, caller.error);
		const now = clock.now();
		const { key } = caller.value;
		sendJson(exchange.response, 200, {
			...viewAccount(caller.value.account, now, key),
			key: viewKey(key, caller.value.account, now),
		});
	}

	async function showReceipt(exchange: Exchange, call: string): Promise<void> {
		await options.refresh();
		const caller = await admitted(exchange);
		if (!caller.ok)
			return respond(exchange.wire, exchange.response, caller.error);
		const receipt = await gateway.receipt(call, caller.value.account.id);
		if (!receipt.ok)
			return respond(exchange.wire, exchange.response, receipt.error);
		sendJson(exchange.response, 200, receipt.value);
	}

	async function quote(exchange: Exchange): Promise<void> {
		const { request, response, wire: shape } = exchange;
		const caller = await admitted(exchange);
		if (!caller.ok) return respond(shape, response, caller.error);
		const path =
			new URLSearchParams(request.query).get("for") ?? "/v1/chat/completions";
		const call = calls.get(path);
		if (!call) {
			return respond(
				shape,
				response,
				refusal(
					"request/invalid",
					`?for= names the path of a call: one of ${[...calls.keys()].join(", ")}.`,
				),
			);
		}
		const read = call.wire.read(call.operation.id, await request.body());
		if (!read.ok) return respond(shape, response, read.error);
		const quoted = gateway.quote(read.value, call.wire.id, caller.value);
		if (!quoted.ok) return respond(shape, response, quoted.error);
		sendJson(response, 200, quoted.value);
	}

	async function health(exchange: Exchange): Promise<void> {
		const allowed = await trusted(exchange);
		if (!allowed.ok)
			return respond(exchange.wire, exchange.response, allowed.error);
		const draining = options.draining();
		sendJson(exchange.response, draining ? 503 : 200, {
			status: draining ? "draining" : "ok",
			version: options.version,
			inFlight: gateway.inFlight(),
		});
	}

	async function metrics(exchange: Exchange): Promise<void> {
		const allowed = await trusted(exchange);
		if (!allowed.ok)
			return respond(exchange.wire, exchange.response, allowed.error);
		sendBytes(
			exchange.response,
			200,
			"text/plain; version=0.0.4; charset=utf-8",
			new TextEncoder().encode(gateway.metrics.render()),
		);
	}

	function welcome({ response }: Exchange): void {
		sendJson(response, 200, {
			name: "DuranteOS",
			version: options.version,
			calls: [...calls.keys()],
			also: [
				"/v1/models",
				"/v1/quote",
				"/v1/receipts/{call}",
				"/v1/account",
				"/healthz",
				"/metrics",
			],
		});
	}

	/** The protocol in whose shape an answer of ours goes out. */
	function shapeOf(request: HttpRequest): WireProtocol {
		return (
			protocols.find((wire) =>
				wire.operations.some(({ path }) => path === request.path),
			) ??
			protocols.find((wire) => wire.speaks((name) => request.header(name))) ??
			protocols[0]
		);
	}
}

interface Exchange {
	readonly request: HttpRequest;
	readonly response: HttpResponse;
	readonly wire: WireProtocol;
}

function refusal(code: string, message: string): Refusal {
	return { code, message };
}

function notAllowed(allowed: string): Refusal {
	return refusal(
		"http/method-not-allowed",
		`Only ${allowed} is answered here.`,
	);
}

function sendJson(
	response: HttpResponse,
	status: number,
	document: unknown,
): void {
	sendBytes(
		response,
		status,
		"application/json",
		new TextEncoder().encode(`${JSON.stringify(document)}\n`),
	);
}

function sendBytes(
	response: HttpResponse,
	status: number,
	type: string,
	body: Uint8Array,
): void {
	response.head(status, {
		"content-type": type,
		"content-length": String(body.byteLength),
		"cache-control": "no-store",
	});
	response.end(body);
}

/** The name in a Host header, without port and brackets, lower-case. */
function hostOf(header: string | undefined): string | undefined {
	if (header === undefined) return undefined;
	const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::\d{1,5})?$/i.exec(
		header,
	);
	return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function isThisMachine(address: string): boolean {
	return address === "::1" || /^(::ffff:)?127\./.test(address);
}
