import type { AnswerStore } from "../../ports/answer-store.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Crossings } from "../../ports/crossing.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { HttpClient, Timeouts } from "../../ports/http-client.ts";
import type { Head } from "../log/index.ts";
import type { Access } from "./access.ts";
import type { HoldQueue } from "./hold-queue.ts";
import type { Turns } from "./kept-turns.ts";
import type { Metrics } from "./metrics.ts";
import type { HoldRules, LedgerDeciders, Report } from "./model.ts";
import type { Resolutions } from "./resolutions.ts";
import type { Substrates } from "./substrates.ts";

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
	readonly substrates: Substrates;
	readonly turns: Turns;
	readonly queue: HoldQueue;
	readonly resolutions: Resolutions;
	readonly metrics: Metrics;
	readonly holds: HoldRules;
	readonly timeouts: Timeouts;
	/** Bytes of a request's body, at most. */
	readonly bodyBytes: number;
	/** Names this process on its holds. */
	readonly holder: () => string;
	readonly report: Report;
}
