import { Fault, type Refusal } from "../../kernel/outcome.ts";
import type { KeptAnswer } from "../../ports/answer-store.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { WireOperation, WireProtocol } from "../../ports/wire-protocol.ts";
import {
	type Admitted,
	admit,
	type Counted,
	type Prepared,
	prepare,
} from "./admission.ts";
import type { CachedAnswer } from "./answer-cache.ts";
import { describeFault, isStorage, toldToClient } from "./faults.ts";
import { answerKept, Flight, inHeader } from "./flight.ts";
import { mayBeHeld } from "./resolutions.ts";
import { respond } from "./respond.ts";
import type { CallTools } from "./tools.ts";
import { stopping } from "./vendor-refusals.ts";

export interface Calls {
	/** Calls that are with a vendor now. */
	inFlight(): number;
	/** Whether a call is carried out here, from before its hold until its resolution is in the log. */
	carries(call: string): boolean;
	/** Answers one request of a client to a model; `parameters` are what stands in the places of the operation's path. Never rejects. */
	serve(
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
		parameters?: Readonly<Record<string, string>>,
	): Promise<void>;
	/** Takes no more calls and aborts those under way; what was delivered is paid. Resolves when each is resolved. */
	stop(): Promise<void>;
}

/** One request of a client, as it goes through here. */
interface Exchange {
	readonly wire: WireProtocol;
	readonly operation: WireOperation;
	readonly request: HttpRequest;
	readonly response: HttpResponse;
	readonly call: string;
	readonly started: number;
	/** The client has left. */
	gone: boolean;
	readonly carried: Carried;
}

/**
 * What is known of a call that is carried out here. Emptied when the call ends: a map that grows and
 * shrinks leaves old tables behind, and while the collector has not yet seen that those are dead,
 * they keep whatever their entries led to.
 */
interface Carried {
	flight: Flight | undefined;
	done: Promise<void> | undefined;
}

export function openCalls(tools: CallTools): Calls {
	const { clock, metrics, resolutions } = tools;
	/** From before the hold on. Such a call ends by itself within its timeouts: stopping waits for these. */
	const carried = new Map<string, Carried>();
	let inFlight = 0;
	let stopped = false;

	function whyNot(exchange: Exchange): Refusal | undefined {
		if (exchange.gone) return clientLeft;
		return stopped ? stopping : undefined;
	}

	async function serve(
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
		parameters: Readonly<Record<string, string>> = nothing,
	): Promise<void> {
		const exchange: Exchange = {
			wire,
			operation,
			request,
			response,
			call: `call_${tools.chance.id()}`,
			started: clock.now(),
			gone: false,
			carried: { flight: undefined, done: undefined },
		};
		const { call } = exchange;
		response.onGone(() => {
			exchange.gone = true;
			exchange.carried.flight?.clientGone();
		});
		const cancelled = (): Refusal | undefined => whyNot(exchange);
		let leave: (() => void) | undefined;
		try {
			const caller = await tools.access.admit(
				wire.clientKey((name) => request.header(name), request.query),
				"call",
				request.remote,
			);
			if (!caller.ok) return answerRefusal(exchange, caller.error);
			const waits = tools.gate.enter(
				caller.value.account.id,
				cancelled,
				// A body that does not say how long it is may be as long as any.
				request.header("transfer-encoding") === undefined
					? Number(request.header("content-length")) || 0
					: tools.bodyBytes,
			);
			const entered = waits instanceof Promise ? await waits : waits;
			if (!entered.ok) return answerRefusal(exchange, entered.error);
			leave = entered.value;
			const prepared = await prepare(
				tools,
				wire,
				operation,
				request,
				parameters,
				call,
				caller.value,
			);
			if (!prepared.ok) return answerRefusal(exchange, prepared.error);
			if ("counted" in prepared.value)
				return answerCounted(response, prepared.value);
			carried.set(call, exchange.carried);
			exchange.carried.done = carryOut(exchange, prepared.value, cancelled);
			await exchange.carried.done;
		} catch (fault) {
			answerFault(exchange, fault);
		} finally {
			exchange.carried.done = undefined;
			carried.delete(call);
			leave?.();
		}
	}

	async function carryOut(
		exchange: Exchange,
		prepared: Prepared,
		cancelled: () => Refusal | undefined,
	): Promise<void> {
		const { wire, operation, request, response, call, started } = exchange;
		let held = false;
		try {
			const cached = prepared.place && (await fromCache(prepared));
			const admitted = await admit(
				tools,
				cached ? pricedFromCache(prepared, cached) : prepared,
				cancelled,
			);
			if (!admitted.ok) return answerRefusal(exchange, admitted.error);
			if ("kept" in admitted.value)
				return answerAgain(response, admitted.value.kept);
			held = true;
			const reason = whyNot(exchange);
			if (reason) {
				const ending = exchange.gone ? "client-gone" : "stopped";
				await release(call, ending, "Nothing was sent.");
				return answerRefusal(exchange, reason);
			}
			if (cached) return await answerCached(exchange, admitted.value, cached);
			tools.hindsight.began(operation, admitted.value);
			const followed = tools.shadows.watch(request, response, admitted.value);
			const flight = new Flight(
				tools,
				wire,
				operation,
				request,
				followed?.response ?? response,
				admitted.value,
				started,
			);
			exchange.carried.flight = flight;
			inFlight++;
			await flight.done;
			if (flight.answeredBy !== undefined) followed?.follow(flight.answeredBy);
		} catch (fault) {
			// Ours, and before anything was sent.
			if (await mayBeHeld(tools.head, call, held))
				await release(
					call,
					"not-sent",
					"The gateway failed before it sent it.",
				);
			answerFault(exchange, fault);
		} finally {
			if (exchange.carried.flight) inFlight--;
			exchange.carried.flight = undefined;
		}
	}

	async function release(
		call: string,
		ending: "client-gone" | "stopped" | "not-sent",
		note: string,
	): Promise<void> {
		await resolutions.record({ type: "release", call, ending, notes: [note] });
	}

	/** A store that cannot be read costs the cache, and no call. */
	async function fromCache({
		place,
		plan,
	}: Prepared): Promise<CachedAnswer | undefined> {
		if (!place) return undefined;
		try {
			const found = await tools.cache.find(place, plan);
			metrics.count("dos_cache_total", { found: found ? "hit" : "miss" });
			return found;
		} catch (fault) {
			tools.report(`The cache could not be read: ${describeFault(fault)}`);
			return undefined;
		}
	}

	function pricedFromCache(
		prepared: Prepared,
		{ substrate, charged }: CachedAnswer,
	): Prepared {
		const amount = Math.ceil((charged * tools.cachePrice) / 100);
		return {
			...prepared,
			command: {
				...prepared.command,
				amount,
				atLeast: amount,
				substrate,
				sheet: "cache",
			},
		};
	}

	/** The answer to a like request, at the owner's price for that; its receipt says so. */
	async function answerCached(
		{ response, started }: Exchange,
		{ command, retry }: Admitted,
		{ answer, call, charged, age, substrate }: CachedAnswer,
	): Promise<void> {
		const share = tools.cachePrice;
		if (retry)
			await tools.answers
				.keep(command.call, answer, clock.now() + answerKept)
				.catch((fault: unknown) =>
					tools.report(
						`The answer to ${command.call} could not be kept for retries: ${describeFault(fault)}`,
					),
				);
		await resolutions.record({
			type: "settle",
			call: command.call,
			cost: command.amount,
			basis: "fixed",
			ending: "finished",
			usage: {},
			lines: [],
			sheet: "cache",
			notes: [
				`Given out of the cache, as it was given to ${call} ${age} s before. ${share === 0 ? "That costs nothing." : `That costs ${share} % of the ${charged} micro-credits that it cost first.`}`,
			],
			timing: { total: Math.max(0, clock.now() - started) },
			status: answer.status,
		});
		response.head(answer.status, {
			...answer.headers,
			"content-length": String(answer.body.byteLength),
			age: String(age),
			"x-dos-call-id": command.call,
			"x-dos-substrate": inHeader(substrate),
			"x-dos-cached-from": call,
			"x-dos-credits": String(command.amount),
		});
		response.end(answer.body);
	}

	function answerAgain(response: HttpResponse, kept: KeptAnswer): void {
		const { status, headers, body } = kept;
		response.head(status, {
			...headers,
			"content-length": String(body.byteLength),
			"x-dos-replayed": "true",
		});
		response.end(body);
	}

	function answerCounted(
		response: HttpResponse,
		{ substrate, counted }: Counted,
	): void {
		response.head(200, {
			"content-type": "application/json",
			"content-length": String(counted.byteLength),
			"x-dos-substrate": inHeader(substrate.id),
			"x-dos-warnings": "changed tokens",
		});
		response.end(counted);
	}

	function answerRefusal(
		{ wire, response, call }: Exchange,
		refusal: Refusal,
	): void {
		metrics.count("dos_refusals_total", { code: refusal.code });
		respond(wire, response, refusal, { "x-dos-call-id": call });
	}

	function answerFault(exchange: Exchange, fault: unknown): void {
		if (!(fault instanceof Fault))
			tools.report(`A request failed inside: ${describeFault(fault)}`);
		else if (isStorage(fault)) tools.report(describeFault(fault));
		answerRefusal(exchange, toldToClient(fault));
	}

	return {
		inFlight: () => inFlight,
		carries: (call) =>
			carried.has(call) ||
			tools.shadows.carries(call) ||
			resolutions.waits(call),
		serve,
		async stop() {
			stopped = true;
			tools.gate.close();
			tools.queue.close();
			const under = [...carried.values()];
			for (const { flight } of under) flight?.stop();
			await Promise.all([
				tools.shadows.stop(),
				...under.map(({ done }) => done),
			]);
			await resolutions.close();
		},
	};
}

const nothing = {};

const clientLeft: Refusal = {
	code: "request/cancelled",
	message: "The client left before its call was made.",
};
