import { Fault, type Outcome, type Refusal } from "../../kernel/outcome.ts";
import type { UpstreamFault } from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { Warning } from "../../ports/translator.ts";
import type {
	Metered,
	TurnWatch,
	WireOperation,
	WireProtocol,
} from "../../ports/wire-protocol.ts";
import type { CreditsCommand, DataOf, Ending } from "../credits/index.ts";
import type { Recorded } from "../log/index.ts";
import { type Admitted, limitFor } from "./admission.ts";
import { Attempt, type AttemptWatch, isTimeout } from "./attempt.ts";
import { Body } from "./body.ts";
import { describeFault } from "./faults.ts";
import type { Watched } from "./hindsight.ts";
import { recordedData } from "./model.ts";
import type { Leg } from "./plan.ts";
import type { Resolution } from "./resolutions.ts";
import { respond } from "./respond.ts";
import { readRetryAfter, retryDelay } from "./retries.ts";
import { costOfCall } from "./settlement.ts";
import type { VendorKey } from "./substrates.ts";
import type { CallTools } from "./tools.ts";
import {
	barredSince,
	brokeOff,
	errorClassOf,
	keyMissing,
	keysBusy,
	mentions,
	refusalOfVendor,
	stopping,
	vendorFailed,
} from "./vendor-refusals.ts";
import type { ErrorClass } from "./vitals.ts";

/** A day: how long the first answer to an idempotency key is kept. */
export const answerKept: number = 24 * 3_600_000;
/** Bytes of an answer that are kept for a retry, and that are gathered before a plain answer starts to flow. */
const answerBytes = 4 * 1024 * 1024;
const plainBytes = 1024 * 1024;

/** Milliseconds until a key that could not be fetched is tried again, and one that may not do what was asked. */
const keyFetchRest = 5_000;
const forbiddenRest = 1_000;

/** Warnings named in a header; all of them stand on the receipt. */
const mostShown = 20;

/** Why an attempt came to nothing, and what the client is told where it was the last. */
interface Failure {
	/** As attempts record it: `http/503`, `upstream/connect`. */
	readonly code: string;
	/** Absent: no fault of the substrate's, so no other is asked. `passed`: it was not asked. */
	readonly kind: ErrorClass | "passed" | undefined;
	readonly ending: Ending;
	readonly note: string;
	/** Milliseconds after which the vendor would be asked again. */
	readonly retryAfter?: number | undefined;
	/** Absent: nothing was sent. */
	readonly attempt?: Attempt | undefined;
	readonly answer: (charged: number | undefined) => void;
}

/**
 * A call under way: from its durable hold to its one resolution. Walks down its plan until a substrate answers; once
 * something of an answer was passed it stays with that. Whatever happens, it is resolved once, vendors are let go
 * and the answer ends.
 */
export class Flight implements AttemptWatch {
	/** Resolves when the call is resolved and its answer has ended. Never rejects. */
	readonly done: Promise<void>;
	/** Who answered, once the call has ended well. */
	answeredBy: string | undefined;
	readonly #tools: CallTools;
	readonly #wire: WireProtocol;
	readonly #operation: WireOperation;
	readonly #request: HttpRequest;
	readonly #response: HttpResponse;
	readonly #admitted: Admitted;
	readonly #started: number;
	/** The answer, for retries and like requests. */
	#kept: Body | undefined;
	#leg: Leg;
	/** What the hold stands for: the leg, but where a second substrate was asked at once and answered. */
	#holding: Leg;
	#held: number;
	/** Undefined between two attempts. */
	#attempt: Attempt | undefined;
	/** How often the leg was tried. */
	#tries = 0;
	#legs = 1;
	/** The one whose answer the client gets. */
	#answering: Attempt | undefined;
	/** As the vendor asked last answered; 0: none did. */
	#status = 0;
	#headers: Record<string, string> = {};
	/** Sees the answer that later requests may go on from. */
	#turn: TurnWatch | undefined;
	/** Gathers the answer, to be judged when its client has it. */
	#watched: Watched | undefined;
	/** A plain answer is gathered up to a bound, so that its head can say what it cost. */
	#gathered: Body | undefined;
	#passedBytes = 0;
	#concluded = false;
	#finish = (): void => {};
	#stopWaiting = (): void => {};
	/** A second substrate that is asked while the first one is slow. */
	#hedge: Attempt | undefined;
	#stopHedging = (): void => {};

	constructor(
		tools: CallTools,
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
		admitted: Admitted,
		started: number,
	) {
		this.#tools = tools;
		this.#wire = wire;
		this.#operation = operation;
		this.#request = request;
		this.#response = response;
		this.#admitted = admitted;
		this.#started = started;
		this.#leg = admitted.leg;
		this.#holding = admitted.leg;
		this.#held = admitted.held;
		this.done = new Promise((resolved) => {
			this.#finish = resolved;
		});
		tools.retries.began();
		this.#send();
		this.#hedgeLater();
	}

	clientGone(): void {
		this.#breakOff("client-gone");
	}

	/** Breaks the call off; what was delivered is paid. */
	stop(): void {
		this.#breakOff("stopped");
	}

	/** Milliseconds since the request; the wall clock may be set back in between. */
	elapsed(): number {
		return Math.max(0, this.#tools.clock.now() - this.#started);
	}

	/* What attempts tell. */

	allows({ leg }: Attempt): boolean {
		return this.#admitted.plan.allows(leg, this.#tools.clock.now());
	}

	began(attempt: Attempt): void {
		const { leg, streaming, meter, contentType } = attempt;
		const { turn, retry, place } = this.#admitted;
		this.#win(attempt);
		this.#answering = attempt;
		this.#tools.vitals.answered(
			leg.substrate.id,
			(attempt.firstByte as number) - attempt.began,
		);
		this.#headers = this.#headersOf(attempt);
		this.#turn = turn && this.#wire.state?.watch(turn, contentType);
		this.#kept = retry || place ? new Body(answerBytes) : undefined;
		this.#watched = this.#tools.hindsight.watch(
			this.#wire,
			this.#admitted,
			contentType,
		);
		if (streaming || meter?.flows) {
			if (streaming) this.#headers["cache-control"] = "no-cache";
			this.#headers["x-dos-held"] = String(this.#held);
		} else this.#gathered = new Body(plainBytes);
	}

	passed(_: Attempt, chunk: Uint8Array): void {
		this.#passedBytes += chunk.byteLength;
		this.#kept?.add(chunk);
		this.#watched?.add(chunk);
		this.#turn?.push(chunk);
		if (this.#gathered) {
			if (this.#gathered.add(chunk)) return;
			// Too large to wait for: it flows from here on, and its cost is on the receipt.
			this.#begin();
			for (const piece of this.#gathered.pieces) this.#response.write(piece);
			this.#gathered = undefined;
		} else if (!this.#response.started) this.#begin();
		if (!this.#response.write(chunk)) this.#attempt?.pause();
	}

	ended(attempt: Attempt, metered: Metered): void {
		const broken = brokeOff(attempt.leg.substrate);
		if (metered.vendorError !== undefined)
			this.#concludeBroken("vendor-error", metered, broken, "server");
		else if (!metered.complete)
			this.#concludeBroken("vendor-broke-off", metered, broken, "broke-off");
		else
			this.#settle("finished", metered, (charged) => this.#endWhole(charged));
	}

	failed(attempt: Attempt, fault: UpstreamFault): void {
		const refusal: Refusal = {
			code: fault.code,
			message: `${attempt.leg.substrate.id}: ${fault.message}`,
		};
		const ending: Ending = isTimeout(fault)
			? "timeout"
			: fault.unsent
				? "not-sent"
				: "vendor-broke-off";
		const kind = fault.unsent
			? "connect"
			: isTimeout(fault)
				? "timeout"
				: "broke-off";
		if (attempt.meter)
			this.#concludeBroken(ending, attempt.finish(), refusal, kind);
		else
			this.#onward({
				code: fault.code,
				kind,
				ending,
				note: fault.message,
				attempt,
				answer: (charged) => this.#endBroken(refusal, charged),
			});
	}

	/** Nothing is owed. The vendor's own words go on to the client, unless they are about the owner's key. */
	refused(attempt: Attempt, body: Body): void {
		const { status, leg } = attempt;
		const { substrate, passage } = leg;
		const about = refusalOfVendor(status, substrate);
		if (about)
			this.#tools.report(`${substrate.id}: ${about.code} (HTTP ${status}).`);
		const bytes = body.whole();
		const passable =
			status >= 400 &&
			status < 600 &&
			!body.overflowed &&
			attempt.contentType.includes("json") &&
			!mentions(bytes, substrate.vendor.secrets());
		const own =
			about ?? (passable ? undefined : vendorFailed(status, substrate));
		const retryAfter = readRetryAfter(
			attempt.headers["retry-after"],
			this.#tools.clock.now(),
		);
		const kind = errorClassOf(status);
		this.#restKey(attempt, retryAfter);
		this.#headers = this.#headersOf(attempt);
		this.#onward({
			code: `http/${status}`,
			kind,
			ending: "vendor-error",
			note: `The vendor answered ${status}.`,
			retryAfter,
			attempt,
			answer: (charged) => {
				if (own) this.#endBroken(own, charged);
				else
					this.#endPlain(status, passage.vendorError(status, bytes), charged);
			},
		});
	}

	unauthorised(attempt: Attempt, fault: unknown): void {
		const { substrate } = attempt.leg;
		this.#tools.report(`${substrate.id}: ${describeFault(fault)}`);
		this.#restKey(attempt, keyFetchRest);
		this.#onward({
			code: "vendor/no-key",
			kind: "key",
			ending: "not-sent",
			note: "No key for the vendor could be had.",
			attempt,
			answer: (charged) => this.#endBroken(keyMissing(substrate), charged),
		});
	}

	/** Something of ours threw: the call ends here, and what was delivered is paid. */
	broke(_: Attempt | undefined, fault: unknown): void {
		const { call } = this.#admitted.command;
		this.#tools.report(`${call} failed inside: ${describeFault(fault)}`);
		const unsent = this.#attempt === undefined || this.#attempt.unsent;
		this.#attempt?.abort();
		this.#hedge?.abort();
		const answer = (charged: number | undefined): void =>
			this.#endBroken(failedInside, charged);
		if (unsent) {
			this.#release(
				"not-sent",
				["The gateway failed before it sent it."],
				answer,
			);
			return;
		}
		const note = "The gateway failed in the middle of this call.";
		try {
			this.#settle("stopped", this.#meteredSoFar(), answer, [note]);
		} catch (again) {
			this.#tools.report(`${call} has no cost: ${describeFault(again)}`);
			this.#release("stopped", [note], answer);
		}
	}

	/**
	 * A key that the vendor refused or limited rests, so that others are taken. An only key rests no longer than the
	 * vendor asks for: a client whose request is forbidden would else take the vendor from everybody.
	 */
	#restKey({ status, key, leg }: Attempt, asked: number | undefined): void {
		const { keys } = this.#tools;
		const { vendor, model } = leg.substrate;
		const only = vendor.keys.length === 1;
		if (status === 429) {
			if (!only || asked !== undefined)
				keys.limited(vendor.id, key.id, asked, model);
		} else if (only) return;
		else if (status === 401 || status === 402) keys.refused(vendor.id, key.id);
		else if (status === 403 || status === 0)
			keys.limited(vendor.id, key.id, asked ?? forbiddenRest, model);
	}

	/* From substrate to substrate. */

	#send(): void {
		if (!this.#admitted.plan.allows(this.#leg, this.#tools.clock.now())) {
			this.#onward(this.#barred());
			return;
		}
		const key = this.#key();
		if ("retryAfter" in key) this.#onward(this.#busy(key.retryAfter));
		else this.#sendWith(key);
	}

	#key(): ReturnType<CallTools["keys"]["take"]> {
		const { substrate, size } = this.#leg;
		return this.#tools.keys.take(
			substrate.vendor,
			size.inputUsual + size.outputTokens,
			substrate.model,
		);
	}

	#sendWith(key: VendorKey): void {
		this.#tries++;
		// What an attempt that came to nothing left behind.
		this.#answering = undefined;
		this.#turn = undefined;
		this.#kept = undefined;
		this.#watched?.drop();
		this.#watched = undefined;
		this.#gathered = undefined;
		try {
			this.#attempt = this.#attemptAt(
				this.#leg,
				key,
				limitFor(this.#leg, this.#held, this.#admitted.asked),
			);
			this.#attempt.send();
		} catch (fault) {
			this.broke(this.#attempt, fault);
		}
	}

	#attemptAt(
		leg: Leg,
		key: VendorKey,
		outputLimit: number | undefined,
	): Attempt {
		const { timeouts, client } = this.#tools;
		const passed = this.elapsed();
		return new Attempt(
			leg,
			key,
			outputLimit,
			{
				client,
				method: this.#operation.method,
				request: this.#request,
				timeouts: this.#isFirst
					? timeouts
					: { ...timeouts, total: timeouts.total - passed },
				elapsed: () => this.elapsed(),
			},
			this,
		);
	}

	/** What was decided does not hold any more. */
	#barred(): Failure {
		const refusal = barredSince(this.#leg.substrate);
		return {
			code: refusal.code,
			kind: "passed",
			ending: "not-sent",
			note: "The policy changed before it was sent.",
			answer: (charged) => this.#endBroken(refusal, charged),
		};
	}

	/** No key of the vendor's has room: as if it had told us to come again later. */
	#busy(retryAfter: number): Failure {
		const refusal = keysBusy(this.#leg.substrate, retryAfter);
		return {
			code: refusal.code,
			kind: "passed",
			ending: "not-sent",
			note: "No key of the vendor's had room.",
			retryAfter,
			answer: (charged) => this.#endBroken(refusal, charged),
		};
	}

	/** An attempt came to nothing, and nothing is owed for it: another key, another substrate, the same once more, or the end. */
	#onward(failure: Failure): void {
		const { vitals, timeouts, routing } = this.#tools;
		const { kind, attempt } = failure;
		const { substrate } = attempt?.leg ?? this.#leg;
		this.#note(kind ? `${kind} ${failure.code}` : failure.code, attempt);
		if (attempt && kind !== "passed")
			vitals.saw(substrate.id, {
				// A limited key, where there are others, says nothing of the substrate.
				ending:
					failure.code === "http/429" && substrate.vendor.keys.length > 1
						? "key"
						: (kind ?? "ok"),
				total: this.elapsed() - attempt.began,
			});
		if (this.#concluded) return;
		const other = attempt && this.#besides(attempt);
		if (other) {
			this.#stayWith(other);
			return;
		}
		this.#attempt = undefined;
		if (
			kind === undefined ||
			this.#response.started ||
			this.elapsed() >= timeouts.total
		) {
			this.#giveUp(failure);
			return;
		}
		const limited = kind === "key" || kind === "overload";
		const anotherKey =
			attempt && limited && this.#tries < substrate.vendor.keys.length
				? this.#key()
				: undefined;
		if (anotherKey && !("retryAfter" in anotherKey)) {
			this.#sendWith(anotherKey);
			return;
		}
		const next =
			this.#legs <= routing.fallbacks ? this.#admitted.plan.next() : undefined;
		if (next) void this.#moveTo(next, failure);
		else this.#again(failure);
	}

	/** A short call that has waited for its answer asks a second substrate, where the owner wants that. */
	#hedgeLater(): void {
		const { routing, clock } = this.#tools;
		const { asked } = this.#admitted;
		const { hedge } = routing;
		if (!hedge || asked.order) return;
		if ((asked.outputLimit ?? Number.POSITIVE_INFINITY) > hedge.outputTokens)
			return;
		this.#stopHedging = clock.later(hedge.after, () => void this.#hedgeNow());
	}

	/** Both are held for before the second is sent: whichever answers is paid. */
	async #hedgeNow(): Promise<void> {
		const { head, keys, retries, metrics, clock } = this.#tools;
		const { plan, command } = this.#admitted;
		const first = this.#attempt;
		const isWaiting = (): boolean =>
			!this.#concluded &&
			first !== undefined &&
			this.#attempt === first &&
			this.#answering === undefined &&
			this.#legs === 1;
		if (!first || !isWaiting() || !retries.allowed()) return;
		// Taken only when it is asked: should the first fail meanwhile, it is the one to go on with.
		const leg = plan.peek();
		if (!leg) return;
		const amount = first.leg.amount + leg.amount;
		const { costCeiling } = plan.decision.request.stated;
		if (amount > (costCeiling ?? amount)) return;
		try {
			const moved = await head.execute(
				"credits",
				this.#move(first.leg, amount, amount),
				{ actor: `key/${command.key}`, cause: command.call },
			);
			if (!moved.ok || !isWaiting() || !plan.allows(leg, clock.now())) return;
			const key = keys.take(
				leg.substrate.vendor,
				leg.size.inputUsual + leg.size.outputTokens,
				leg.substrate.model,
			);
			if ("retryAfter" in key) return;
			plan.next();
			metrics.count("dos_hedges_total", { vendor: leg.substrate.vendor.id });
			this.#hedge = this.#attemptAt(leg, key, leg.size.outputLimit);
			this.#hedge.send();
		} catch (fault) {
			if (!(fault instanceof Fault)) this.broke(this.#hedge, fault);
		}
	}

	/** The first to answer is the one that answers; the other is let go, and nothing is owed for it. */
	#win(attempt: Attempt): void {
		this.#stopHedging();
		const other = this.#besides(attempt);
		if (!other) return;
		other.abort();
		this.#note("passed route/slower", other);
		this.#stayWith(attempt);
	}

	#stayWith(attempt: Attempt): void {
		this.#attempt = attempt;
		this.#hedge = undefined;
		this.#leg = attempt.leg;
	}

	/** The other one of two that are asked at once. */
	#besides(attempt: Attempt): Attempt | undefined {
		return attempt === this.#hedge ? this.#attempt : this.#hedge;
	}

	#move(
		{ substrate, names, sheet }: Leg,
		amount: number,
		atLeast: number,
	): Extract<CreditsCommand, { type: "move-hold" }> {
		const { call, model } = this.#admitted.command;
		return {
			type: "move-hold",
			call,
			amount,
			atLeast,
			substrate: substrate.id,
			model,
			names,
			sheet: sheet.id,
		};
	}

	/** The hold stands for another substrate before anything is sent there. */
	async #moveTo(leg: Leg, failure: Failure): Promise<void> {
		const { head, metrics } = this.#tools;
		const { plan, command } = this.#admitted;
		try {
			const moved = await head.execute(
				"credits",
				this.#move(leg, leg.amount, Math.min(leg.size.atLeast, leg.amount)),
				{ actor: `key/${command.key}`, cause: command.call },
			);
			if (this.#concluded) return;
			if (!moved.ok) {
				plan.pass(leg.substrate.id, moved.error.code);
				const next = plan.next();
				if (next) return this.#moveTo(next, failure);
				return this.#again(failure);
			}
			metrics.count("dos_fallbacks_total", {
				vendor: leg.substrate.vendor.id,
			});
			this.#leg = leg;
			this.#holding = leg;
			this.#held = recordedData<"hold-moved">(moved.value).amount;
			this.#legs++;
			this.#tries = 0;
			this.#send();
		} catch (fault) {
			if (!(fault instanceof Fault)) this.broke(undefined, fault);
			else if (!this.#concluded) this.#giveUp(failure);
		}
	}

	/** The same substrate once more, after a while, where that is worth it. */
	#again(failure: Failure): void {
		const { retries, routing, chance, clock, timeouts } = this.#tools;
		const delay =
			(worthAnother.has(failure.kind) || failure.retryAfter !== undefined) &&
			this.#tries < routing.attempts
				? retryDelay(
						Math.max(1, this.#tries),
						failure.retryAfter,
						() => (chance.bytes(1)[0] as number) / 256,
					)
				: undefined;
		if (
			delay === undefined ||
			this.elapsed() + delay >= timeouts.total ||
			!retries.allowed()
		) {
			this.#giveUp(failure);
			return;
		}
		this.#stopWaiting = clock.later(delay, () => this.#send());
	}

	#giveUp({ ending, note, answer }: Failure): void {
		this.#release(ending, [note], answer);
	}

	#note(ending: string, attempt: Attempt | undefined): void {
		this.#admitted.plan.attempts.push([
			(attempt?.leg ?? this.#leg).substrate.id,
			ending,
			attempt ? Math.round(this.elapsed() - attempt.began) : 0,
		]);
	}

	/** Whether this is the only attempt so far. */
	get #isFirst(): boolean {
		return this.#legs === 1 && this.#tries <= 1;
	}

	/* How it ends. */

	/** The vendor's fault: what was delivered is paid; where nothing was, the next one is asked. */
	#concludeBroken(
		ending: Ending,
		metered: Metered,
		refusal: Refusal,
		kind: ErrorClass,
	): void {
		const owed = metered.usage !== undefined || metered.deliveredBytes > 0;
		const said = metered.vendorError !== undefined;
		const answer = (charged: number | undefined): void => {
			// The client has the vendor's own error frame already, or gets it with what was delivered.
			if (said && (owed || this.#response.started)) this.#endWhole(charged);
			else this.#endBroken(refusal, charged);
		};
		if (owed) {
			this.#settle(ending, metered, answer);
			return;
		}
		this.#onward({
			code: refusal.code,
			kind,
			ending,
			// What a vendor says of its error may quote the prompt, so the log does not repeat it.
			note: said
				? "The vendor sent an error in place of an answer."
				: "The vendor delivered nothing.",
			attempt: this.#attempt,
			answer,
		});
	}

	/** The client or the owner ended it: the vendor is told, and what was delivered is paid. */
	#breakOff(ending: "client-gone" | "stopped"): void {
		if (this.#concluded) return;
		this.#stopWaiting();
		const attempt = this.#attempt;
		const unsent = attempt === undefined || attempt.unsent;
		attempt?.abort();
		this.#hedge?.abort();
		const answer = (charged: number | undefined): void =>
			ending === "stopped"
				? this.#endBroken(stopping, charged)
				: this.#response.abort();
		try {
			if (unsent) this.#release(ending, ["Nothing was sent."], answer);
			else if (attempt.isRefused)
				this.#release(
					ending,
					[`The vendor answered ${attempt.status}.`],
					answer,
				);
			else {
				// A vendor that already has the request may charge for reading it, so its input is paid even before the first byte.
				const metered = this.#meteredSoFar();
				this.#settle(
					this.#sawItsEnd(metered) ? "finished" : ending,
					metered,
					answer,
				);
			}
		} catch (fault) {
			this.broke(attempt, fault);
		}
	}

	/** Some clients close as soon as they have seen the end that a stream of events names itself. */
	#sawItsEnd(metered: Metered | undefined): boolean {
		return (
			metered?.complete === true &&
			metered.vendorError === undefined &&
			this.#headers["content-type"]?.startsWith("text/event-stream") === true
		);
	}

	#meteredSoFar(): Metered | undefined {
		try {
			return this.#attempt?.meter?.finish();
		} catch {
			return { ...unread, deliveredBytes: this.#passedBytes };
		}
	}

	#settle(
		ending: Ending,
		metered: Metered | undefined,
		answer: (charged: number | undefined) => void,
		notes: readonly string[] = [],
	): void {
		if (this.#concluded) return;
		const { asked, command, plan } = this.#admitted;
		const { sheet, size, passage, substrate } = this.#leg;
		const attempt = this.#attempt;
		const settlement = costOfCall(
			sheet,
			asked,
			metered,
			size.inputUsual,
			attempt?.outputLimit ?? asked.outputLimit,
			substrate.vendor.quirks.reportsCost === true,
		);
		const total = this.elapsed();
		if (this.#leg !== this.#holding)
			// In order with the settlement, so that this names who answered.
			void this.#tools.head
				.execute("credits", this.#move(this.#leg, this.#leg.amount, 0), {
					actor: `key/${command.key}`,
					cause: command.call,
				})
				.catch(() => {});
		this.#note(seenAs[ending] ?? ending, attempt);
		this.#saw(ending, settlement.usage.output);
		if (ending === "finished" && plan.session !== undefined)
			this.#tools.plans.answered(plan.session, substrate.id);
		void this.#conclude(
			{
				type: "settle",
				call: command.call,
				...settlement,
				notes: [
					...settlement.notes,
					...notes,
					...passage.warnings.map(({ message }) => message),
					...(metered?.warnings ?? []),
				],
				ending,
				sheet: sheet.id,
				inputBytes: asked.inputBytes,
				finishReason: metered?.finishReason,
				timing: {
					...(attempt?.firstByte === undefined
						? {}
						: { firstByte: attempt.firstByte }),
					total,
				},
				...(this.#status ? { status: this.#status } : {}),
				...this.#attemptsMade(2),
			},
			answer,
		);
	}

	#release(
		ending: Ending,
		notes: readonly string[],
		answer: (charged: number | undefined) => void,
	): void {
		const status = this.#status;
		void this.#conclude(
			{
				type: "release",
				call: this.#admitted.command.call,
				ending,
				notes,
				...(status ? { status } : {}),
				...this.#attemptsMade(1),
			},
			answer,
		);
	}

	/** The one attempt of most calls follows from their settlement. */
	#attemptsMade(least: number): Pick<Resolution, "attempts"> {
		const { attempts } = this.#admitted.plan;
		return attempts.length >= least ? { attempts } : {};
	}

	/** Health is measured on what vendors did, not on who left. */
	#saw(ending: Ending, outputTokens: number | undefined): void {
		const attempt = this.#attempt;
		const kind = seenAs[ending];
		if (!attempt || kind === undefined) return;
		this.#tools.vitals.saw(this.#leg.substrate.id, {
			ending: kind,
			...(attempt.firstByte !== undefined && {
				firstByte: attempt.firstByte - attempt.began,
			}),
			total: this.elapsed() - attempt.began,
			...(outputTokens !== undefined && { outputTokens }),
		});
	}

	/** The one way out, and the first ending counts. The resolution is recorded before the answer ends: no answer is whole before it is paid. */
	async #conclude(
		resolution: Resolution,
		answer: (charged: number | undefined) => void,
	): Promise<void> {
		if (this.#concluded) return;
		this.#concluded = true;
		this.#stopHedging();
		if (resolution.ending === "finished") {
			await this.#keep();
			if (this.#turn) await this.#keepTurn(this.#turn);
		}
		const outcome = await this.#tools.resolutions.record(resolution);
		const charged = chargedBy(resolution, outcome);
		if (resolution.ending === "finished" && charged !== undefined)
			void this.#keepForOthers(charged);
		try {
			this.#measure(resolution.ending, outcome);
			answer(charged);
			if (resolution.ending === "finished")
				this.answeredBy = this.#leg.substrate.id;
		} catch (fault) {
			this.#tools.report(
				`${resolution.call} failed inside: ${describeFault(fault)}`,
			);
			this.#response.abort();
		}
		if (resolution.ending === "finished") {
			this.#tools.hindsight.answered(resolution.call);
			this.#watched?.judge();
		} else this.#watched?.drop();
		this.#finish();
	}

	async #keep(): Promise<void> {
		if (!this.#admitted.retry || !this.#kept || this.#kept.overflowed) return;
		const { answers, clock, report } = this.#tools;
		const { call } = this.#admitted.command;
		try {
			await answers.keep(
				call,
				{
					status: this.#status,
					headers: { ...this.#headers },
					body: this.#kept.whole(),
				},
				clock.now() + answerKept,
			);
		} catch (fault) {
			report(
				`The answer to ${call} could not be kept for retries: ${describeFault(fault)}`,
			);
		}
	}

	/** The client has its answer already: keeping it makes nobody wait. */
	async #keepForOthers(charged: number): Promise<void> {
		const { place, command } = this.#admitted;
		if (!place || !this.#kept || this.#kept.overflowed) return;
		if (this.#status !== 200) return;
		const { cache, report } = this.#tools;
		try {
			await cache.keep(place, {
				answer: {
					status: this.#status,
					headers: { "content-type": this.#headers["content-type"] as string },
					body: this.#kept.whole(),
				},
				substrate: this.#leg.substrate.id,
				call: command.call,
				charged,
			});
		} catch (fault) {
			report(
				`The answer to ${command.call} could not be kept for like requests: ${describeFault(fault)}`,
			);
		}
	}

	async #keepTurn(watch: TurnWatch): Promise<void> {
		const { turns, report } = this.#tools;
		const { account, key, call } = this.#admitted.command;
		try {
			const kept = watch.finish();
			if (!kept) return;
			const outcome = await turns.keep(kept, { account, key, call });
			if (!outcome.ok) report(`${call}: ${outcome.error.message}`);
		} catch (fault) {
			report(
				`The answer to ${call} could not be stored: ${describeFault(fault)}`,
			);
		}
	}

	/* What the client gets. */

	#headersOf(attempt: Attempt): Record<string, string> {
		const { leg, outputLimit, status, contentType } = attempt;
		const { asked, command } = this.#admitted;
		this.#status = status;
		const headers: Record<string, string> = {
			"content-type": contentType,
			...warningsHeader(leg.passage.warnings),
			"x-dos-call-id": command.call,
			"x-dos-substrate": inHeader(leg.substrate.id),
		};
		const sent = outputLimit ?? asked.outputLimit;
		if (sent !== asked.outputLimit)
			headers["x-dos-output-limit"] = String(sent);
		return Object.assign(headers, attempt.headers);
	}

	#begin(): void {
		this.#response.head(this.#status, this.#headers);
		this.#response.onDrain(() => this.#attempt?.resume());
	}

	/** Ends an answer that became all that it was to be. */
	#endWhole(charged: number | undefined): void {
		if (this.#gathered)
			this.#endPlain(this.#status, this.#gathered.whole(), charged);
		else {
			if (!this.#response.started) this.#begin();
			this.#response.end();
		}
	}

	#endPlain(
		status: number,
		body: Uint8Array,
		charged: number | undefined,
	): void {
		this.#response.head(status, {
			...this.#headers,
			"content-length": String(body.byteLength),
			...creditsHeader(charged),
		});
		this.#response.end(body);
	}

	/** Ends an answer that did not become whole: says why where that can still be said, else lets it be seen. */
	#endBroken(refusal: Refusal, charged: number | undefined): void {
		const response = this.#response;
		const answering = this.#answering;
		if (response.started && answering?.streaming)
			response.end(
				answering.meter?.refuse?.(refusal) ?? this.#wire.streamRefusal(refusal),
			);
		else
			respond(this.#wire, response, refusal, {
				"x-dos-call-id": this.#admitted.command.call,
				...creditsHeader(charged),
			});
	}

	#measure(ending: Ending, outcome: Outcome<Recorded> | undefined): void {
		const { metrics } = this.#tools;
		const { id: vendor } = this.#leg.substrate.vendor;
		const { id: operation } = this.#operation;
		metrics.count("dos_calls_total", { operation, vendor, ending });
		metrics.observe("dos_call_seconds", { operation }, this.elapsed());
		const firstByte = this.#attempt?.firstByte;
		if (firstByte !== undefined)
			metrics.observe("dos_first_byte_seconds", { operation }, firstByte);
		if (!outcome?.ok) return;
		const data = outcome.value.events[0]?.data as Partial<
			DataOf<"credits-settled">
		>;
		if (data.amount !== undefined)
			metrics.count("dos_micro_credits_total", { vendor }, data.amount);
		if (data.uncollected)
			metrics.count(
				"dos_uncollected_micro_credits_total",
				{ vendor },
				data.uncollected,
			);
		for (const [name, units] of Object.entries(data.usage ?? {}))
			metrics.count("dos_units_total", { vendor, class: name }, units);
	}
}

/** Failures that may pass by themselves. */
const worthAnother: ReadonlySet<Failure["kind"]> = new Set([
	"connect",
	"overload",
	"server",
]);

const seenAs: Partial<Record<Ending, "ok" | ErrorClass>> = {
	finished: "ok",
	"vendor-error": "server",
	"vendor-broke-off": "broke-off",
	timeout: "timeout",
};

/** What was charged: nothing by a release; undefined when the log has not said yet. */
function chargedBy(
	{ type }: Resolution,
	outcome: Outcome<Recorded> | undefined,
): number | undefined {
	if (type === "release") return 0;
	return outcome?.ok
		? recordedData<"credits-settled">(outcome.value).amount
		: undefined;
}

function creditsHeader(charged: number | undefined): Record<string, string> {
	return charged === undefined ? {} : { "x-dos-credits": String(charged) };
}

/** `dropped seed, changed tools.0.parameters`: what of the request could not be carried as it was. */
function warningsHeader(warnings: readonly Warning[]): Record<string, string> {
	if (warnings.length === 0) return {};
	const shown = warnings.slice(0, mostShown);
	const rest = warnings.length - shown.length;
	const text = shown
		.map(({ kind, field }) => `${kind} ${field.slice(0, 100)}`)
		.join(", ");
	return {
		"x-dos-warnings": inHeader(rest > 0 ? `${text}, and ${rest} more` : text),
	};
}

/** A model may have any name: what a header cannot carry is percent-encoded. */
export function inHeader(name: string): string {
	return name.replace(/[^ -~]+/g, (odd) =>
		encodeURIComponent(odd.toWellFormed()),
	);
}

const failedInside: Refusal = {
	code: "gateway/internal",
	message:
		"The gateway failed in the middle of this call. What was delivered is charged; the owner finds the place in its output.",
};

const unread: Metered = {
	rest: undefined,
	usage: undefined,
	absurd: undefined,
	reportedCost: undefined,
	deliveredBytes: 0,
	partialUsage: undefined,
	complete: false,
	finishReason: undefined,
	vendorError: undefined,
};
