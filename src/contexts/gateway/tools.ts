import type { AnswerStore } from "../../ports/answer-store.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Continuations } from "../../ports/continuation.ts";
import type { Crossings } from "../../ports/crossing.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { HttpClient, Timeouts } from "../../ports/http-client.ts";
import type { Readings } from "../../ports/reading.ts";
import type { Head } from "../log/index.ts";
import type { Access } from "./access.ts";
import type { AnswerCache } from "./answer-cache.ts";
import type { Gate } from "./gate.ts";
import type { Hindsight } from "./hindsight.ts";
import type { HoldQueue } from "./hold-queue.ts";
import type { Turns } from "./kept-turns.ts";
import type { Metrics } from "./metrics.ts";
import type {
	AttemptRules,
	HoldRules,
	LedgerDeciders,
	Report,
} from "./model.ts";
import type { Plans } from "./plan.ts";
import type { RefusedRoutes } from "./refused-routes.ts";
import type { Resolutions } from "./resolutions.ts";
import type { Retries } from "./retries.ts";
import type { Shadows } from "./shadow-watch.ts";
import type { Substrates } from "./substrates.ts";
import type { VendorKeys } from "./vendor-keys.ts";
import type { Vitals } from "./vitals.ts";

/** What carrying out a call needs. */
export interface CallTools {
	readonly head: Head<LedgerDeciders>;
	readonly log: EventLog;
	readonly clock: Clock;
	readonly chance: Chance;
	readonly digest: Digest;
	readonly client: HttpClient;
	readonly answers: AnswerStore;
	readonly access: Access;
	readonly crossings: Crossings;
	/** Absent: nobody goes on with what another began. */
	readonly continuations?: Continuations;
	readonly readings: Readings;
	readonly substrates: Substrates;
	readonly turns: Turns;
	readonly queue: HoldQueue;
	readonly resolutions: Resolutions;
	readonly metrics: Metrics;
	readonly plans: Plans;
	readonly cache: AnswerCache;
	/** The one text of a JSON document; undefined where it is none. */
	readonly canonicalJson: (body: Uint8Array) => string | undefined;
	readonly vitals: Vitals;
	readonly keys: VendorKeys;
	readonly retries: Retries;
	readonly refusedRoutes: RefusedRoutes;
	readonly gate: Gate;
	readonly shadows: Shadows;
	readonly hindsight: Hindsight;
	readonly holds: HoldRules;
	readonly routing: AttemptRules;
	/** What an answer out of the cache costs, in hundredths of what it cost first. */
	readonly cachePrice: number;
	readonly timeouts: Timeouts;
	/** Bytes of a request's body, at most. */
	readonly bodyBytes: number;
	/** Names this process on its holds. */
	readonly holder: () => string;
	readonly report: Report;
}
