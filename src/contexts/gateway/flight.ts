import {
	Fault,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { Telling } from "../../ports/continuation.ts";
import type { UpstreamFault } from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { Usage } from "../../ports/price-book.ts";
import type { Warning } from "../../ports/translator.ts";
import type {
	Metered,
	TurnWatch,
	WireOperation,
	WireProtocol,
} from "../../ports/wire-protocol.ts";
import type {
	CostPart,
	CreditsCommand,
	DataOf,
	Ending,
} from "../credits/index.ts";
import type { Recorded } from "../log/index.ts";
import { type Admitted, limitFor } from "./admission.ts";
import { Attempt, type AttemptWatch, isTimeout } from "./attempt.ts";
import { Body } from "./body.ts";
import {
	type Continued,
	holdFor,
	owedFor,
	partOf,
	sumOf,
} from "./continuation.ts";
import { describeFault } from "./faults.ts";
import type { Watched } from "./hindsight.ts";
import type { Metrics } from "./metrics.ts";
import { recordedData } from "./model.ts";
import type { Leg } from "./plan.ts";
import type { Resolution } from "./resolutions.ts";
import { respond } from "./respond.ts";
import { readRetryAfter, retryDelay } from "./retries.ts";
import { costOfCall, type Settlement } from "./settlement.ts";
import { outputTokens } from "./sizing.ts";
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
	/** Who answered, once the call has ended well: undefined where two did. */
	answeredBy: string | undefined;
	readonly #tools: CallTools;
	readonly #wire: WireProtocol;
	readonly #operation: WireOperation;
	readonly #request: HttpRequest;
	readonly #response: HttpResponse;
	/** What is to be answered: of an answer that broke off, what is left of it. */
	#admitted: Admitted;
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
	/** Bytes of the answer, or of the rest of one that was begun, that the client got. */
	#passedBytes = 0;
	#concluded = false;
	#finish = nothingToDo;
	#stopWaiting = nothingToDo;
	/** A second substrate that is asked while the first one is slow. */
	#hedge: Attempt | undefined;
	#stopHedging = nothingToDo;
	/** Tells a stream that another may go on with. Absent: bytes pass as they come. */
	#telling: Telling | undefined;
	#continued: Continued | undefined;

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
		if (this.#continued) {
			this.#takeOver(attempt, this.#continued);
			return;
		}
		this.#headers = this.#headersOf(attempt);
		this.#telling = this.#tellingOf(attempt);
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
		const said = this.#telling ? this.#telling.push(chunk) : chunk;
		if (said) this.#pass(said);
	}

	#pass(chunk: Uint8Array): void {
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
		else {
			const rest = this.#telling?.end();
			if (rest) this.#pass(rest);
			this.#settle("finished", metered, (charged) => this.#endWhole(charged));
		}
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
		// Of an answer that was begun the client has the head.
		if (!this.#continued) this.#headers = this.#headersOf(attempt);
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
		if (!this.#continued) this.#forget();
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

	/** What an attempt that came to nothing left behind. */
	#forget(): void {
		this.#answering = undefined;
		this.#telling = undefined;
		this.#turn = undefined;
		this.#kept = undefined;
		this.#watched?.drop();
		this.#watched = undefined;
		this.#gathered = undefined;
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
			this.#hasSpoken ||
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
		const owed = owedFor(this.#continued);
		try {
			const hold = holdFor(leg, owed, plan.decision.request.stated.costCeiling);
			const moved = hold
				? await head.execute(
						"credits",
						this.#move(leg, hold.amount, hold.atLeast),
						{ actor: `key/${command.key}`, cause: command.call },
					)
				: overCeiling;
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
			this.#held = recordedData<"hold-moved">(moved.value).amount - owed;
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
		const broken = this.#continued?.broken;
		if (broken)
			this.#release(broken.ending, [broken.note, note], broken.answer);
		else this.#release(ending, [note], answer);
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
		// Who tells a stream held the vendor's words back.
		const told =
			this.#telling && metered.vendorError !== undefined
				? { code: "vendor/error", message: metered.vendorError }
				: refusal;
		const answer = (charged: number | undefined): void => {
			// The client has the vendor's own error frame already, or gets it with what was delivered.
			if (said && !this.#telling && (owed || this.#response.started))
				this.#endWhole(charged);
			else this.#endBroken(told, charged);
		};
		const whyNot = this.#telling
			? this.#goOn(this.#telling, ending, metered, owed, answer)
			: this.#admitted.plan.resume
				? neverTold
				: noNotes;
		if (!whyNot) return;
		if (owed) {
			this.#settle(ending, metered, answer, whyNot);
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

	/* Where another goes on. */

	#tellingOf({ streaming, contentType }: Attempt): Telling | undefined {
		const { asked, plan, command } = this.#admitted;
		if (!plan.resume || !streaming) return undefined;
		if (!contentType.toLowerCase().startsWith("text/event-stream"))
			return undefined;
		const { continuations } = this.#tools;
		const { previous, now } = plan.question;
		return continuations?.tell(this.#wire, this.#operation, asked, {
			call: command.call,
			model: asked.model,
			time: now,
			...(previous !== undefined && { previous }),
		});
	}

	/**
	 * Has another substrate go on with what broke off: the next of the call's own decision that a decision made now for
	 * the rest of the answer allows as well. Undefined: so it does. Otherwise notes for the receipt, why nobody can.
	 */
	#goOn(
		telling: Telling,
		ending: Ending,
		metered: Metered,
		owed: boolean,
		answer: (charged: number | undefined) => void,
	): readonly string[] | undefined {
		const { retries, routing, timeouts, plans, clock } = this.#tools;
		const { plan } = this.#admitted;
		const attempt = this.#attempt;
		if (this.#concluded || !attempt) return noNotes;
		const nobody = (why: string): readonly string[] => [
			`Nobody went on with it: ${why}`,
		];
		if (this.#continued) return nobody("that had been done once.");
		if (metered.complete && metered.vendorError === undefined)
			return nobody("its end had come.");
		const settlement = owed ? this.#costOf(metered) : undefined;
		const rest = telling.rest(settlement ? outputTokens(settlement.usage) : 0);
		if (!rest.ok) return nobody(rest.error.message);
		if (this.#legs > routing.fallbacks || this.elapsed() >= timeouts.total)
			return nobody("no further attempt was allowed.");
		const planned = plans.plan({
			...plan.question,
			asked: rest.value,
			now: clock.now(),
		});
		if (!planned.ok) return nobody(planned.error.message);
		const tried = plan.attempts.length;
		planned.value.goOn(plan);
		const leg = planned.value.next();
		const passed = plan.attempts.splice(tried);
		if (!leg) return nobody("no other substrate may.");
		if (!retries.allowed()) return nobody("too many calls are tried again.");
		this.#note(seenAs[ending] ?? ending, attempt);
		plan.attempts.push(...passed);
		this.#saw(ending, settlement?.usage.output);
		const note = "What was begun broke off, and nobody went on with it.";
		this.#continued = {
			broken: { ending, note, answer },
			begun: settlement && partOf(this.#leg, 0, settlement),
			notes: settlement ? this.#notesOn(settlement, metered) : noNotes,
			after: telling.characters,
			firstByte: attempt.firstByte,
		};
		// In the cache an answer is one substrate's.
		this.#admitted = {
			...this.#admitted,
			plan: planned.value,
			asked: rest.value,
			place: undefined,
		};
		this.#watched?.drop();
		this.#watched = undefined;
		this.#attempt = undefined;
		this.#passedBytes = 0;
		void this.#moveTo(leg, {
			code: "vendor/broke-off",
			kind: "broke-off",
			ending,
			note,
			answer,
		});
		return undefined;
	}

	/** Its bytes come behind those that the client has. */
	#takeOver(attempt: Attempt, { begun }: Continued): void {
		const telling = this.#telling as Telling;
		const { id, vendor } = attempt.leg.substrate;
		telling.goOn(inHeader(id), begun?.usage ?? {});
		if (attempt.streaming) {
			this.#tools.metrics.count("dos_continuations_total", {
				vendor: vendor.id,
			});
			return;
		}
		attempt.abort();
		this.#onward({
			code: "vendor/no-stream",
			kind: "server",
			ending: "vendor-error",
			note: "The vendor answered with no stream.",
			attempt,
			answer: (charged) =>
				this.#endBroken(brokeOff(attempt.leg.substrate), charged),
		});
	}

	/** The client has something that no other attempt can take back. */
	get #hasSpoken(): boolean {
		return this.#continued ? this.#passedBytes > 0 : this.#response.started;
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
			if (unsent)
				this.#release(
					ending,
					[this.#continued ? "Nothing more was sent." : "Nothing was sent."],
					answer,
				);
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
		const { sheet, substrate } = this.#leg;
		const attempt = this.#attempt;
		const continued = this.#continued;
		const settlement = this.#costOf(metered);
		const said = this.#notesOn(settlement, metered, notes);
		const total = this.elapsed();
		/** The settlement names who answered. */
		const named =
			this.#leg === this.#holding
				? undefined
				: this.#tools.head
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
				...(continued
					? sumOf([
							...(continued.begun ? [continued.begun] : []),
							partOf(this.#leg, continued.after, settlement),
						])
					: { sheet: sheet.id, inputBytes: asked.inputBytes }),
				notes: continued ? [...continued.notes, ...said] : said,
				ending,
				finishReason: metered?.finishReason,
				timing: this.#timing(total),
				...(this.#status ? { status: this.#status } : {}),
				...this.#attemptsMade(2),
			},
			answer,
			named,
		);
	}

	#costOf(metered: Metered | undefined): Settlement {
		const { asked } = this.#admitted;
		const { sheet, size, substrate } = this.#leg;
		return costOfCall(
			sheet,
			asked,
			metered,
			size.inputUsual,
			this.#attempt?.outputLimit ?? asked.outputLimit,
			substrate.vendor.quirks.reportsCost === true,
		);
	}

	#notesOn(
		settlement: Settlement,
		metered: Metered | undefined,
		notes: readonly string[] = noNotes,
	): readonly string[] {
		return [
			...settlement.notes,
			...notes,
			...this.#leg.passage.warnings.map(({ message }) => message),
			...(metered?.warnings ?? noNotes),
		];
	}

	/** The client's first byte is the first of what was begun. */
	#timing(total: number): {
		readonly firstByte?: number;
		readonly total: number;
	} {
		const firstByte = this.#firstByte;
		return firstByte === undefined ? { total } : { firstByte, total };
	}

	get #firstByte(): number | undefined {
		return this.#continued
			? this.#continued.firstByte
			: this.#attempt?.firstByte;
	}

	/** What was begun is paid, though nothing is owed for what came after it. */
	#settleBegun(
		{ begun, notes: before }: Continued,
		ending: Ending,
		notes: readonly string[],
		answer: (charged: number | undefined) => void,
	): void {
		void this.#conclude(
			{
				type: "settle",
				call: this.#admitted.command.call,
				...sumOf(begun ? [begun] : []),
				notes: [...before, ...notes],
				// Something was sent, whatever became of the rest.
				ending: ending === "not-sent" ? "stopped" : ending,
				timing: this.#timing(this.elapsed()),
				...(this.#status ? { status: this.#status } : {}),
				...this.#attemptsMade(1),
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
		if (this.#continued?.begun) {
			this.#settleBegun(this.#continued, ending, notes, answer);
			return;
		}
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
		before?: Promise<unknown>,
	): Promise<void> {
		if (this.#concluded) return;
		this.#concluded = true;
		this.#stopHedging();
		if (before) await before;
		if (resolution.ending === "finished") {
			if (this.#admitted.retry) await this.#keep();
			if (this.#turn) await this.#keepTurn(this.#turn);
		}
		const outcome = await this.#tools.resolutions.record(resolution);
		const charged = chargedBy(resolution, outcome);
		if (
			resolution.ending === "finished" &&
			charged !== undefined &&
			this.#admitted.place
		)
			void this.#keepForOthers(charged);
		try {
			this.#measure(resolution.ending, outcome);
			answer(charged);
			if (resolution.ending === "finished" && !this.#continued)
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
				this.#telling?.refuse(refusal) ??
					answering.meter?.refuse?.(refusal) ??
					this.#wire.streamRefusal(refusal),
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
		const firstByte = this.#firstByte;
		if (firstByte !== undefined)
			metrics.observe("dos_first_byte_seconds", { operation }, firstByte);
		if (!outcome?.ok) return;
		const data = outcome.value.events[0]?.data as Partial<
			DataOf<"credits-settled">
		>;
		if (data.parts) measureParts(metrics, data.parts, data.amount ?? 0);
		else if (data.amount !== undefined)
			metrics.count("dos_micro_credits_total", { vendor }, data.amount);
		if (data.uncollected)
			metrics.count(
				"dos_uncollected_micro_credits_total",
				{ vendor },
				data.uncollected,
			);
		if (!data.parts && data.usage) measureUnits(metrics, vendor, data.usage);
	}
}

function measureUnits(metrics: Metrics, vendor: string, usage: Usage): void {
	for (const name in usage)
		metrics.count(
			"dos_units_total",
			{ vendor, class: name },
			usage[name as keyof Usage],
		);
}

/** To each vendor what is its own, as far as the charge goes. */
function measureParts(
	metrics: Metrics,
	parts: readonly CostPart[],
	amount: number,
): void {
	let left = amount;
	for (const { substrate, cost, usage } of parts) {
		const vendor = substrate.slice(0, substrate.indexOf("/"));
		metrics.count("dos_micro_credits_total", { vendor }, Math.min(cost, left));
		left = Math.max(0, left - cost);
		measureUnits(metrics, vendor, usage);
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

function nothingToDo(): void {}

const noNotes: readonly string[] = [];
const neverTold: readonly string[] = [
	"Nobody went on with it: that can be done with a stream of plain text in one choice.",
];

const overCeiling = refuse(
	"route/cost-ceiling",
	"What is owed already leaves too little of the cost ceiling.",
);

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
