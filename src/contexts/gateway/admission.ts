import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { KeptAnswer } from "../../ports/answer-store.ts";
import type { Passage } from "../../ports/crossing.ts";
import type { HttpRequest } from "../../ports/http-server.ts";
import type { PriceSheet } from "../../ports/price-book.ts";
import type {
	MediaOrder,
	WireOperation,
	WireProtocol,
	WireRequest,
	WireState,
} from "../../ports/wire-protocol.ts";
import { resolutionKey } from "../credits/index.ts";
import type { Intent, Recorded } from "../log/index.ts";
import type { HoldCommand } from "./hold-queue.ts";
import { affordableLimit, type HoldSize, sizeHold } from "./hold-size.ts";
import { tooLong } from "./kept-turns.ts";
import { recordedData } from "./model.ts";
import { unknownOrderPrice } from "./orders.ts";
import { expect } from "./sizing.ts";
import { straight } from "./straight.ts";
import type { Substrate } from "./substrates.ts";
import type { CallTools } from "./tools.ts";

/** A call that may be made: who asks, what, and at which price. Nothing is held yet. */
export interface Prepared {
	readonly asked: WireRequest;
	readonly substrate: Substrate;
	readonly passage: Passage;
	readonly sheet: PriceSheet;
	readonly size: HoldSize;
	readonly command: HoldCommand;
	/** The idempotency key, and the hash of what was asked under it. */
	readonly retry: { readonly key: string; readonly input: string } | undefined;
	/** What the client sent, where its answer is to be kept for later requests. */
	readonly turn: WireRequest | undefined;
}

/** A call whose hold is durable. */
export interface Admitted extends Prepared {
	readonly held: number;
	readonly outputLimit: number | undefined;
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

/** A hold outlives the longest call by this many milliseconds. */
const holdGrace = 60_000;
/** Calls that may be tried under one idempotency key, each after one that failed and cost nothing. */
const mostAttempts = 50;

const nothingKept = { previous: undefined, store: false };

/** Who asks, what, and at which price. Takes as long as the client takes to send its body. */
export async function prepare(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	request: HttpRequest,
	parameters: Readonly<Record<string, string>>,
	call: string,
): Promise<Outcome<Prepared | Counted>> {
	const access = await tools.access.admit(
		wire.clientKey((name) => request.header(name), request.query),
		"call",
		request.remote,
	);
	if (!access.ok) return access;
	const { key, account } = access.value;
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
	const found = tools.substrates.find(asked.model, wire.id, operation.means);
	if (!found.ok) return found;
	const substrate = found.value;
	const now = tools.clock.now();
	const sheet = tools.substrates.sheet(substrate, now);
	if (!sheet) {
		if (asked.order) return unknownOrder(asked.order, substrate);
		return refuse(
			"price/unknown",
			`No price is known for ${substrate.id}, and nothing is called at an unknown price. Add a row under prices: in config.yaml, or a ceiling price.`,
			{ substrate: substrate.id },
		);
	}
	const expected = expect(
		tools.head.state("sizing"),
		key.id,
		substrate.id,
		asked.inputBytes,
		asked.mediaParts,
	);
	const sized = sizeHold(sheet, asked, expected, tools.holds.outputCeiling);
	if (!sized.ok)
		return asked.order && sized.error.code === "price/unknown-class"
			? unknownOrder(asked.order, substrate)
			: sized;
	const change = {
		model: substrate.model,
		outputLimit: sized.value.outputLimit,
		quirks: substrate.vendor.quirks,
	};
	const passage =
		substrate.protocol === wire.id
			? accept(straight(wire, operation, asked, change))
			: tools.crossings.open({
					wire,
					operation,
					request: asked,
					vendor: substrate.protocol,
					change,
					naming: {
						call,
						model: asked.model,
						time: now,
						...(previous !== undefined && { previous }),
					},
				});
	if (!passage.ok) return passage;
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
		substrate,
		passage: passage.value,
		sheet,
		size: sized.value,
		command: {
			type: "hold",
			call,
			account: account.id,
			key: key.id,
			amount: sized.value.amount,
			atLeast: sized.value.atLeast,
			// Holds are decided in the log's time: a clock that was set back must not make them due at once.
			expires:
				Math.max(now, tools.head.time()) +
				tools.timeouts.total +
				tools.holds.wait +
				holdGrace,
			holder: tools.holder(),
			substrate: substrate.id,
			model: asked.model,
			operation: operation.id,
			sheet: sheet.id,
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
						].join(" "),
					},
		turn: store ? read.value : undefined,
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

function unknownOrder(
	order: MediaOrder,
	{ vendor, model }: Substrate,
): { readonly ok: false; readonly error: Refusal } {
	return { ok: false, error: unknownOrderPrice(order, vendor.id, model) };
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
	const { asked, sheet, size } = prepared;
	const recorded = await hold(tools, prepared, cancelled);
	if (!recorded.ok) return recorded;
	if ("kept" in recorded.value) return accept(recorded.value);
	const { amount: held } = recordedData<"credits-held">(recorded.value);
	const outputLimit =
		held < size.amount && size.outputTokens > 0
			? affordableLimit(sheet, size, held, asked.choices)
			: size.outputLimit;
	return accept({ ...prepared, held, outputLimit });
}

/**
 * Holds the credits. Under an idempotency key the first hold counts: while it is open a retry is told to wait, once
 * settled it gets the kept answer, and a call that was released (nothing was charged) may be tried again.
 */
async function hold(
	tools: CallTools,
	{ command, retry }: Prepared,
	cancelled: () => Refusal | undefined,
): Promise<Outcome<Recorded | Replayed>> {
	const intent: Intent = {
		actor: `key/${command.key}`,
		correlation: command.call,
	};
	if (!retry) return tools.queue.hold(command, intent, cancelled);
	for (let attempt = 1; attempt <= mostAttempts; attempt++) {
		const outcome = await tools.queue.hold(
			command,
			{
				...intent,
				key: `call/${command.key}/${attempt}/${retry.key}`,
				input: retry.input,
			},
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
