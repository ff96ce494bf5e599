import type { Outcome } from "../../kernel/outcome.ts";
import type { AnswerStore } from "../../ports/answer-store.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Continuations } from "../../ports/continuation.ts";
import type { Crossings } from "../../ports/crossing.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { HttpClient, Timeouts } from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { Readings } from "../../ports/reading.ts";
import type { WireOperation, WireProtocol } from "../../ports/wire-protocol.ts";
import type { Hold } from "../credits/index.ts";
import type { Head } from "../log/index.ts";
import type { RoutingDesk } from "../routing/index.ts";
import { type Access, openAccess } from "./access.ts";
import { openAnswerCache } from "./answer-cache.ts";
import { openCalls } from "./call.ts";
import { describeFault } from "./faults.ts";
import { openGate } from "./gate.ts";
import { openHindsight } from "./hindsight.ts";
import { openHoldQueue } from "./hold-queue.ts";
import { openTurns, type Turns } from "./kept-turns.ts";
import { type Metrics, openMetrics } from "./metrics.ts";
import type {
	AttemptRules,
	CrowdRules,
	HoldRules,
	LedgerDeciders,
	Report,
} from "./model.ts";
import { openPlans, type Question } from "./plan.ts";
import { type Quote, quoteFor } from "./quote.ts";
import { type Receipt, receiptOf } from "./receipts.ts";
import { recoverHolds, sweepHolds } from "./recovery.ts";
import { openRefusedRoutes } from "./refused-routes.ts";
import { repeat } from "./repeat.ts";
import { openResolutions } from "./resolutions.ts";
import { openRetries } from "./retries.ts";
import { openShadows, type ShadowOptions } from "./shadow.ts";
import { noShadows } from "./shadow-watch.ts";
import type { Substrates } from "./substrates.ts";
import { openVendorKeys } from "./vendor-keys.ts";
import { openVitals } from "./vitals.ts";

export interface GatewayOptions {
	readonly head: Head<LedgerDeciders>;
	readonly log: EventLog;
	readonly clock: Clock;
	readonly chance: Chance;
	readonly digest: Digest;
	readonly client: HttpClient;
	readonly answers: AnswerStore;
	readonly crossings: Crossings;
	/** Absent: nobody goes on with what another began. */
	readonly continuations?: Continuations;
	readonly readings: Readings;
	readonly substrates: Substrates;
	/** What calls are decided by. */
	readonly desk: RoutingDesk;
	readonly holds: HoldRules;
	readonly attempts: AttemptRules;
	readonly crowd: CrowdRules;
	/** Calls that are sent a second time; absent: none. */
	readonly shadow?: ShadowOptions;
	/** What an answer out of the cache costs, in hundredths of what it cost first; 0: nothing. */
	readonly cachePrice: number;
	/** The one text of a JSON document; undefined where it is none. */
	readonly canonicalJson: (body: Uint8Array) => string | undefined;
	readonly timeouts: Timeouts;
	/** Bytes of a request's body, at most; also of one that goes on from earlier answers, once all is in it. */
	readonly bodyBytes: number;
	/** Calls a minute that one key may make; undefined for no limit. */
	readonly requestsPerMinute: number | undefined;
	/** Names this process on its holds, so that others know whose they were. */
	readonly holder: () => string;
	/** Those of these holders that will never come back. Asked after their holds were read. */
	readonly gone: (holders: readonly string[]) => Promise<ReadonlySet<string>>;
	/** Whether the background duties on this log are ours; absent: always. */
	readonly onDuty?: () => boolean;
	/** Processes that share this log, among which limits by the minute are divided; absent: one. */
	readonly replicas?: () => number;
	readonly report: Report;
}

/** The metered way to every model: nothing is forwarded without a durable hold, and each call is resolved once. */
export interface Gateway {
	readonly access: Access;
	readonly metrics: Metrics;
	/** Answers that were kept for later requests. */
	readonly turns: Turns;
	/** Answers a client's request to a model. Never rejects. */
	serve(
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
		parameters?: Readonly<Record<string, string>>,
	): Promise<void>;
	/** What a request would cost where it would go first. */
	quote(asked: Omit<Question, "call" | "previous" | "now">): Outcome<Quote>;
	/** The receipt of a call; with `account`, only of that account's calls. */
	receipt(call: string, account?: string): Promise<Outcome<Receipt>>;
	/** Resolves what earlier runs left open. Call it once, before serving. */
	recover(): Promise<readonly Hold[]>;
	/** Calls under way here. */
	inFlight(): number;
	/** Takes no more calls, aborts those under way (what was delivered is paid), and ends the sweeping. Idempotent. */
	stop(): Promise<void>;
}

const sweepEvery = 5_000;
const answerSweepEvery = 600_000;

export function openGateway(options: GatewayOptions): Gateway {
	const { head, clock, chance, holds, report } = options;
	const onDuty = options.onDuty ?? (() => true);
	const metrics = openMetrics();
	const access = openAccess(options);
	const resolutions = openResolutions({ head, clock, report });
	const queue = openHoldQueue({
		head,
		clock,
		wait: holds.wait,
		inDoubt: resolutions.disown,
	});
	const turns = openTurns(options);
	const vitals = openVitals({
		clock,
		digest: options.digest,
		chance,
		carries: (call) => calls.carries(call),
		metrics,
	});
	const stopWatching = head.subscribe(vitals.fold);
	const keys = openVendorKeys({ ...options, metrics });
	const retries = openRetries({ clock, metrics });
	const gate = openGate({ clock, ...options.crowd, metrics });
	const plans = openPlans({ ...options, vitals });
	const cache = openAnswerCache(options);
	const hindsight = openHindsight({ ...options, metrics });
	const carryOut = {
		...options,
		routing: options.attempts,
		plans,
		cache,
		vitals,
		keys,
		retries,
		refusedRoutes: openRefusedRoutes(options),
		gate,
		hindsight,
		access,
		queue,
		resolutions,
		metrics,
		turns,
	};
	const calls = openCalls({
		...carryOut,
		shadows: options.shadow ? openShadows(carryOut, options.shadow) : noShadows,
	});
	const stopSweeping = sweepHolds(
		head,
		clock,
		sweepEvery,
		calls.carries,
		report,
		onDuty,
	);
	const stopRecovering = repeat(
		clock,
		sweepEvery,
		async () => {
			if (onDuty()) await recoverHolds(head, options.gone, report);
		},
		(fault) =>
			report(
				`Holds of processes that ended could not be given back: ${describeFault(fault)}`,
			),
	);
	const stopForgetting = repeat(
		clock,
		answerSweepEvery,
		async () => {
			if (onDuty()) await options.answers.sweep(clock.now());
		},
		(fault) =>
			report(`Old answers could not be forgotten: ${describeFault(fault)}`),
	);

	metrics.gauge("dos_calls_in_flight", "Calls under way.", calls.inFlight);
	metrics.gauge(
		"dos_calls_waiting",
		"Calls that wait for credits held by others.",
		() => queue.waiting(),
	);
	metrics.gauge(
		"dos_holds_open",
		"Holds that are not resolved.",
		() => head.state("credits").holds.size,
	);
	metrics.gauge(
		"dos_held_micro_credits",
		"Micro-credits in open holds.",
		() => {
			let held = 0;
			for (const hold of head.state("credits").holds.values())
				held += hold.amount;
			return held;
		},
	);
	metrics.gauge("dos_log_position", "Position of the newest event.", () =>
		head.position(),
	);

	return {
		access,
		metrics,
		turns,
		serve: calls.serve,
		quote: (asked) =>
			quoteFor(plans, {
				...asked,
				call: "quote",
				previous: undefined,
				now: clock.now(),
			}),
		receipt: (call, account) =>
			receiptOf(call, head.state("credits"), options.log, account),
		recover: () => recoverHolds(head, options.gone, report),
		inFlight: calls.inFlight,
		async stop() {
			stopWatching();
			stopSweeping();
			stopRecovering();
			stopForgetting();
			await calls.stop();
			await hindsight.close();
		},
	};
}
