import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { KeptAnswer } from "../../ports/answer-store.ts";
import type { HttpRequest } from "../../ports/http-server.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
	WireState,
} from "../../ports/wire-protocol.ts";
import { resolutionKey } from "../credits/index.ts";
import type { Intent, Recorded } from "../log/index.ts";
import { recordOf } from "../routing/index.ts";
import type { Caller } from "./access.ts";
import { type CachePlace, placeOf } from "./answer-cache.ts";
import { expiryOf } from "./hold-expiry.ts";
import type { HoldCommand } from "./hold-queue.ts";
import { affordableLimit } from "./hold-size.ts";
import { tooLong } from "./kept-turns.ts";
import { recordedData } from "./model.ts";
import type { Leg, Plan } from "./plan.ts";
import { expect } from "./sizing.ts";
import type { Substrate } from "./substrates.ts";
import type { CallTools } from "./tools.ts";

/** A call that may be made: who asks, what, where it may go, and at which price. Nothing is held yet. */
export interface Prepared {
	readonly asked: WireRequest;
	readonly plan: Plan;
	/** Where it goes first. */
	readonly leg: Leg;
	readonly command: HoldCommand;
	/** The idempotency key, and the hash of what was asked under it. */
	readonly retry: { readonly key: string; readonly input: string } | undefined;
	/** What the client sent, where its answer is to be kept for later requests. */
	readonly turn: WireRequest | undefined;
	/** Where its answer may be found, and is kept, for like requests. */
	readonly place: CachePlace | undefined;
}

/** A call whose hold is durable. */
export interface Admitted extends Prepared {
	readonly held: number;
}

/** A question for the number of tokens that only we can answer, with an estimate. Costs nothing. */
export interface Counted {
	readonly substrate: Substrate;
	/** The answer's body. */
	readonly counted: Uint8Array;
}

/** The first answer to an idempotency key. */
export interface Replayed {
	readonly kept: KeptAnswer;
}

/** Calls that may be tried under one idempotency key, each after one that failed and cost nothing. */
const mostAttempts = 50;

const nothingKept = { previous: undefined, store: false };

/** What is asked, where that may go, and at which price. Takes as long as the client takes to send its body. */
export async function prepare(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	request: HttpRequest,
	parameters: Readonly<Record<string, string>>,
	call: string,
	caller: Caller,
): Promise<Outcome<Prepared | Counted>> {
	const { key, account } = caller;
	const body = await request.body();
	const read = wire.read(operation.id, body, {
		parameters,
		query: request.query,
		header: (name) => request.header(name),
	});
	if (!read.ok) return read;
	const state = wire.state?.asks(read.value);
	if (state && !state.ok) return state;
	const { previous, store } = state?.value ?? nothingKept;
	const expanded =
		previous === undefined
			? read
			: await goOn(tools, wire, operation, read.value, account.id, previous);
	if (!expanded.ok) return expanded;
	const asked = expanded.value;
	const counted = count(tools, wire, operation, asked, key.id);
	if (counted) return accept(counted);
	const now = tools.clock.now();
	const needs = request.header("x-dos-needs");
	const resume = request.header("x-dos-resume");
	const planned = tools.plans.plan({
		call,
		wire,
		operation,
		asked,
		caller,
		needs,
		session: request.header("x-dos-session"),
		resume,
		previous,
		now,
	});
	if (!planned.ok) return planned;
	const plan = planned.value;
	const leg = plan.next();
	if (!leg) {
		if (plan.decision.order.length === 0)
			await tools.refusedRoutes.record(call, plan.decision);
		return { ok: false, error: plan.refusal() };
	}
	const retry = request.header("idempotency-key");
	if (retry === "" || (retry !== undefined && retry.length > 255)) {
		return refuse(
			"request/invalid",
			"An Idempotency-Key has 1 to 255 characters.",
			{ field: "Idempotency-Key" },
		);
	}
	return accept({
		asked,
		plan,
		leg,
		command: {
			type: "hold",
			call,
			account: account.id,
			key: key.id,
			amount: leg.amount,
			atLeast: Math.min(leg.size.atLeast, leg.amount),
			expires: expiryOf(tools),
			holder: tools.holder(),
			substrate: leg.substrate.id,
			model: asked.model,
			names: leg.names,
			operation: operation.id,
			sheet: leg.sheet.id,
			route: recordOf(plan.decision),
		},
		retry:
			retry === undefined
				? undefined
				: {
						key: retry,
						input: [
							operation.id,
							// What stands in the address is asked for too.
							...Object.values(parameters),
							hex(tools.digest.bytes(body)),
							...(needs === undefined ? [] : [needs]),
							...(resume === undefined ? [] : [`resume=${resume}`]),
						].join(" "),
					},
		turn: store ? read.value : undefined,
		// What later requests go on from has to be of its own call.
		place: store
			? undefined
			: placeOf(
					tools.digest,
					tools.canonicalJson,
					operation,
					asked,
					plan,
					request,
				),
	});
}

/** The vendor counts where it speaks the client's protocol; else what such requests were seen to take is the best that is known. */
function count(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	asked: WireRequest,
	key: string,
): Counted | undefined {
	if (operation.means !== "count-tokens" || !wire.counted) return undefined;
	const found = tools.substrates.find(asked.model, wire.id, "generate");
	if (!found.ok) return undefined;
	const { vendor, protocol } = found.value;
	if (protocol === wire.id && !vendor.standIn) return undefined;
	const { inputUsual } = expect(
		tools.head.state("sizing"),
		key,
		found.value.id,
		asked.inputBytes,
		asked.mediaParts,
	);
	return { substrate: found.value, counted: wire.counted(inputUsual) };
}

/** A request that goes on from an earlier answer, with all that was said before in it. */
async function goOn(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	request: WireRequest,
	account: string,
	previous: string,
): Promise<Outcome<WireRequest>> {
	const chain = await tools.turns.chain(account, previous);
	if (!chain.ok) return chain;
	const body = (wire.state as WireState).expand(request, chain.value);
	if (!body.ok) return body;
	if (body.value.byteLength > tools.bodyBytes) return tooLong(previous);
	return wire.read(operation.id, body.value);
}

/** Holds the credits, durably: from here on the call has to be resolved. `cancelled` says why it need not be made any more. */
export async function admit(
	tools: CallTools,
	prepared: Prepared,
	cancelled: () => Refusal | undefined,
): Promise<Outcome<Admitted | Replayed>> {
	const { command, retry } = prepared;
	const intent: Intent = {
		actor: `key/${command.key}`,
		correlation: command.call,
	};
	let recorded = retry
		? await holdUnder(retry, tools, command, intent, cancelled)
		: await tools.queue.hold(command, intent, cancelled);
	if (!retry && isDueAlready(recorded))
		recorded = await tools.queue.hold(
			timedAnew(tools, command),
			intent,
			cancelled,
		);
	if (!recorded.ok) return recorded;
	if ("kept" in recorded.value) return accept(recorded.value);
	const { amount: held } = recordedData<"credits-held">(recorded.value);
	return accept({ ...prepared, held });
}

/** The output limit to send: one that a hold which had to shrink pays for. */
export function limitFor(
	{ sheet, size }: Leg,
	held: number,
	asked: WireRequest,
): number | undefined {
	return held < size.amount && size.outputTokens > 0
		? affordableLimit(sheet, size, held, asked.choices)
		: size.outputLimit;
}

/** The clock was set forward while it waited: it is timed anew, once. */
function isDueAlready(outcome: Outcome<unknown>): boolean {
	return !outcome.ok && outcome.error.code === "hold/due-already";
}

function timedAnew(tools: CallTools, command: HoldCommand): HoldCommand {
	return { ...command, expires: expiryOf(tools) };
}

/**
 * Under an idempotency key the first hold counts: while it is open a retry is told to wait, once settled it gets the
 * kept answer, and a call that was released (nothing was charged) may be tried again.
 */
async function holdUnder(
	retry: NonNullable<Prepared["retry"]>,
	tools: CallTools,
	command: HoldCommand,
	intent: Intent,
	cancelled: () => Refusal | undefined,
): Promise<Outcome<Recorded | Replayed>> {
	for (let attempt = 1; attempt <= mostAttempts; attempt++) {
		const own: Intent = {
			...intent,
			key: `call/${command.key}/${attempt}/${retry.key}`,
			input: retry.input,
		};
		let outcome = await tools.queue.hold(command, own, cancelled);
		if (isDueAlready(outcome))
			outcome = await tools.queue.hold(
				timedAnew(tools, command),
				own,
				cancelled,
			);
		if (!outcome.ok || !outcome.value.replayed) return outcome;
		const first = recordedData<"credits-held">(outcome.value).call;
		if (tools.head.state("credits").holds.has(first)) {
			return refuse(
				"idempotency/in-flight",
				"The first request with this idempotency key is still being answered. Try again shortly.",
				{
					call: first,
					retryAfter: 1,
				},
			);
		}
		const [resolution] = await tools.log.findByKey([resolutionKey(first)]);
		if (resolution && resolution.type !== "credits-settled") continue;
		const kept = await tools.answers.find(first, tools.clock.now());
		if (kept) return accept({ kept });
		return refuse(
			"idempotency/answer-gone",
			"This idempotency key was used and its call was charged, but the answer is no longer kept (24 hours, up to 4 MiB, whole answers only). Nothing is charged again under it: use a new key for a new call.",
			{ call: first, receipt: `/v1/receipts/${first}` },
		);
	}
	return refuse(
		"idempotency/worn-out",
		`This idempotency key was tried ${mostAttempts} times and every call failed. Nothing was charged; use a new key.`,
	);
}

function hex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
	return text;
}
