import { viewAccount, viewKey } from "../../contexts/credits/index.ts";
import {
	type Caller,
	type Gateway,
	isStorage,
	respond,
	type Substrates,
	toldToClient,
} from "../../contexts/gateway/index.ts";
import {
	accept,
	Fault,
	type Outcome,
	type Refusal,
} from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
	HttpHandler,
	HttpRequest,
	HttpResponse,
} from "../../ports/http-server.ts";
import type { WireProtocol, WireState } from "../../ports/wire-protocol.ts";
import { openCallPaths } from "./call-paths.ts";
import { type Learn, recordOutcome } from "./outcomes.ts";
import type { Readiness } from "./readiness.ts";

/**
 * What Studio answers over HTTP. Models are called on each protocol's own paths; everything else is ours:
 *
 * - `GET /v1/models[/{id}]`, `GET /v1beta/models[/{id}]`: what can be called, in the shape of the asking client's protocol.
 * - `GET`, `DELETE /v1/responses/{id}`, `GET /v1/responses/{id}/input_items`, `POST /v1/responses/{id}/cancel`: answers that were stored.
 * - `POST /v1/quote[?for=/v1/messages]`: the body of a call; what it would cost, at most and usually.
 * - `GET /v1/receipts/{call}`: what a call cost and why.
 * - `POST /v1/outcomes/{call}`: how good a call's answer was, as somebody says it.
 * - `GET /v1/account`: balance, holds in flight, caps.
 * - `GET /healthz`: 200 as long as we live. `GET /readyz`: 200 when calls should be sent here, else 503 with the reason.
 *   More about both from this machine, or with a key that has `read`.
 * - `GET /metrics` (Prometheus): no key from this machine, a key with `read` from elsewhere.
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
	readonly learn: Learn;
	readonly draining: () => boolean;
	readonly readiness: () => Promise<Readiness>;
	/** Runs on this log that live, this one included. */
	readonly replicas: () => number;
	/** Hears what failed inside, of which the client is told nothing. */
	readonly onFault: (fault: unknown) => void;
}): HttpHandler {
	const { gateway, substrates, protocols, clock, hosts } = options;
	const calls = openCallPaths(protocols);

	const reads: Readonly<Record<string, Action>> = {
		"/v1/models": models,
		"/v1beta/models": models,
		"/v1/account": account,
		"/healthz": health,
		"/readyz": ready,
		"/metrics": metrics,
		"/": welcome,
	};

	const resources: readonly (readonly [string, (rest: string) => Resource])[] =
		[
			["/v1/receipts/", (call) => ({ read: (on) => showReceipt(on, call) })],
			["/v1/outcomes/", (call) => ({ add: (on) => addOutcome(on, call) })],
			[responses, stored],
			["/v1/models/", (id) => ({ read: (on) => model(on, id) })],
			[`${beta}models/`, (id) => ({ read: (on) => model(on, id) })],
		];

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
		const call = calls.find(path);
		if (call) {
			if (method === "POST")
				return gateway.serve(
					call.wire,
					call.operation,
					request,
					response,
					call.parameters,
				);
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
		const found = resource(path);
		if (!found) {
			return respond(
				wire,
				response,
				refusal(
					"http/not-found",
					`There is nothing at ${method.slice(0, 16)} ${path.slice(0, 100)}.`,
				),
			);
		}
		const { read, remove, add } = found;
		if (add && method === "POST") return add(exchange);
		if (remove && method === "DELETE") return remove(exchange);
		if (read && (method === "GET" || method === "HEAD")) return read(exchange);
		const allowed = add ? "POST" : remove ? "GET, DELETE" : "GET";
		return respond(wire, response, notAllowed(allowed), { allow: allowed });
	}

	/** What can be read, and perhaps removed, at a path. */
	function resource(path: string): Resource | undefined {
		if (Object.hasOwn(reads, path)) return { read: reads[path] as Action };
		for (const [before, find] of resources) {
			if (!path.startsWith(before) || path.length === before.length) continue;
			const rest = decoded(path.slice(before.length));
			return rest === undefined ? undefined : find(rest);
		}
		return undefined;
	}

	function admitted(exchange: Exchange): Promise<Outcome<Caller>> {
		return gateway.access.admit(
			keyOf(exchange),
			"read",
			exchange.request.remote,
		);
	}

	function mayCall(exchange: Exchange): Promise<Outcome<Caller>> {
		return gateway.access.admit(
			keyOf(exchange),
			"call",
			exchange.request.remote,
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

	async function model(exchange: Exchange, id: string): Promise<void> {
		const caller = await admitted(exchange);
		if (!caller.ok)
			return respond(exchange.wire, exchange.response, caller.error);
		const entry = substrates.list().find((each) => each.id === id);
		if (!entry)
			return respond(
				exchange.wire,
				exchange.response,
				refusal(
					"model/unknown",
					`There is no model "${id.slice(0, 100)}" in the list at /v1/models.`,
				),
			);
		sendBytes(
			exchange.response,
			200,
			"application/json",
			exchange.wire.model(entry),
		);
	}

	/** A stored answer of the protocol that keeps some, and the input that it answered. */
	function stored(rest: string): Resource {
		const state = protocols.find((wire) => wire.state)?.state as WireState;
		const [, id = "", part] =
			/^(.*?)(?:\/(input_items|cancel))?$/s.exec(rest) ?? [];
		if (part === "cancel") return { add: (on) => cancel(on, id) };

		async function answerOf(account: string, query: string): Promise<Shown> {
			const turn = await gateway.turns.find(account, id);
			return turn.ok ? state.show(turn.value, query) : turn;
		}

		async function inputOf(account: string, query: string): Promise<Shown> {
			const chain = await gateway.turns.chain(account, id);
			if (!chain.ok) return chain;
			const body = state.showInput(chain.value, query);
			return body.ok
				? accept({ contentType: "application/json", body: body.value })
				: body;
		}

		return {
			async read(exchange) {
				await options.refresh();
				const caller = await admitted(exchange);
				if (!caller.ok)
					return respond(exchange.wire, exchange.response, caller.error);
				const show = part === undefined ? answerOf : inputOf;
				const shown = await show(
					caller.value.account.id,
					exchange.request.query,
				);
				if (!shown.ok)
					return respond(exchange.wire, exchange.response, shown.error);
				const { contentType, body } = shown.value;
				sendBytes(exchange.response, 200, contentType, body);
			},
			...(part === undefined && {
				async remove(exchange: Exchange) {
					await options.refresh();
					const caller = await mayCall(exchange);
					if (!caller.ok)
						return respond(exchange.wire, exchange.response, caller.error);
					const { account, key } = caller.value;
					const forgotten = await gateway.turns.forget(account.id, key.id, id);
					if (!forgotten.ok)
						return respond(exchange.wire, exchange.response, forgotten.error);
					sendBytes(
						exchange.response,
						200,
						"application/json",
						state.deleted(id),
					);
				},
			}),
		};
	}

	/** Whatever is stored has ended: nothing here runs in the background. */
	async function cancel(exchange: Exchange, id: string): Promise<void> {
		const { response, wire: shape } = exchange;
		await options.refresh();
		const caller = await mayCall(exchange);
		if (!caller.ok) return respond(shape, response, caller.error);
		const turn = await gateway.turns.find(caller.value.account.id, id);
		return respond(
			shape,
			response,
			turn.ok
				? refusal(
						"response/ended",
						"Only a response that runs in the background can be cancelled, and this one has ended.",
					)
				: turn.error,
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

	/** Whoever may make calls may say what came of them, and so may whoever may read of them. */
	async function addOutcome(exchange: Exchange, call: string): Promise<void> {
		const { request, response, wire: shape } = exchange;
		await options.refresh();
		const reader = await admitted(exchange);
		const caller =
			!reader.ok && reader.error.code === "key/forbidden"
				? await mayCall(exchange)
				: reader;
		if (!caller.ok) return respond(shape, response, caller.error);
		const said = await recordOutcome(call, await request.body(), caller.value, {
			receipt: gateway.receipt,
			learn: options.learn,
		});
		if (!said.ok) return respond(shape, response, said.error);
		sendJson(response, 200, said.value);
	}

	async function quote(exchange: Exchange): Promise<void> {
		const { request, response, wire: shape } = exchange;
		const caller = await admitted(exchange);
		if (!caller.ok) return respond(shape, response, caller.error);
		const path =
			new URLSearchParams(request.query).get("for") ?? "/v1/chat/completions";
		const call = calls.find(path);
		if (!call) {
			return respond(
				shape,
				response,
				refusal(
					"request/invalid",
					`?for= names the path of a call: one of ${calls.paths.join(", ")}.`,
				),
			);
		}
		const read = call.wire.read(call.operation.id, await request.body(), {
			parameters: call.parameters,
			query: "",
			header: (name) => request.header(name),
		});
		if (!read.ok) return respond(shape, response, read.error);
		const quoted = gateway.quote({
			wire: call.wire,
			operation: call.operation,
			asked: read.value,
			caller: caller.value,
			needs: request.header("x-dos-needs"),
			session: request.header("x-dos-session"),
		});
		if (!quoted.ok) return respond(shape, response, quoted.error);
		sendJson(response, 200, quoted.value);
	}

	async function health(exchange: Exchange): Promise<void> {
		const status = options.draining() ? "draining" : "ok";
		sendJson(
			exchange.response,
			200,
			(await mayKnowMore(exchange))
				? { status, version: options.version, inFlight: gateway.inFlight() }
				: { status },
		);
	}

	async function ready(exchange: Exchange): Promise<void> {
		const { ready, ...more } = await options.readiness();
		const status = ready ? "ready" : "not-ready";
		sendJson(
			exchange.response,
			ready ? 200 : 503,
			(await mayKnowMore(exchange))
				? {
						status,
						...more,
						inFlight: gateway.inFlight(),
						replicas: options.replicas(),
					}
				: { status },
		);
	}

	/** A wrong key, or a store that is away, is no reason to tell a load balancer nothing. */
	async function mayKnowMore(exchange: Exchange): Promise<boolean> {
		const { remote } = exchange.request;
		if (!isThisMachine(remote) && keyOf(exchange) === undefined) return false;
		return (await trusted(exchange).catch(() => undefined))?.ok ?? false;
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
			calls: calls.paths,
			also: [
				"/v1/models",
				"/v1/models/{id}",
				"/v1/responses/{id}",
				"/v1/quote",
				"/v1/receipts/{call}",
				"/v1/outcomes/{call}",
				"/v1/account",
				"/healthz",
				"/readyz",
				"/metrics",
			],
		});
	}

	/** The protocol that alone has operations under a path. */
	function protocolOf(path: string): WireProtocol | undefined {
		return protocols.find(({ operations }) =>
			operations.some((one) => `${one.path}/`.startsWith(path)),
		);
	}

	/** The protocol in whose shape an answer of ours goes out. */
	function shapeOf(request: HttpRequest): WireProtocol {
		const { path } = request;
		return (
			calls.find(path)?.wire ??
			(path.startsWith(beta) ? protocolOf(beta) : undefined) ??
			(path.startsWith(responses) ? protocolOf(responses) : undefined) ??
			protocols.find((wire) => wire.speaks((name) => request.header(name))) ??
			protocols[0]
		);
	}
}

type Action = (exchange: Exchange) => void | Promise<void>;

interface Resource {
	readonly read?: Action;
	readonly remove?: Action;
	readonly add?: Action;
}

/** What is sent of a stored answer. */
type Shown = Outcome<{
	readonly contentType: string;
	readonly body: Uint8Array;
}>;

interface Exchange {
	readonly request: HttpRequest;
	readonly response: HttpResponse;
	readonly wire: WireProtocol;
}

const beta = "/v1beta/";
const responses = "/v1/responses/";

function keyOf({ request, wire }: Exchange): string | undefined {
	return wire.clientKey((name) => request.header(name), request.query);
}

function decoded(text: string): string | undefined {
	try {
		return decodeURIComponent(text);
	} catch {
		return undefined;
	}
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
