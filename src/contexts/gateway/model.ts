import type { Decider } from "../../kernel/decider.ts";
import type {
	CreditsCommand,
	CreditsEvent,
	CreditsState,
	DataOf,
} from "../credits/index.ts";
import type { LearningCommand } from "../learning/index.ts";
import type { Recorded } from "../log/index.ts";
import type { RoutingCommand, RoutingState } from "../routing/index.ts";
import type { ShadowCommand } from "./shadow-log.ts";
import type { SizingState } from "./sizing.ts";
import type { TurnCommand } from "./turns.ts";

/** The deciders that the gateway's head drives. */
export type LedgerDeciders = {
	readonly credits: Decider<CreditsState, CreditsCommand>;
	readonly sizing: Decider<SizingState, never>;
	readonly turns: Decider<null, TurnCommand>;
	readonly routing: Decider<RoutingState, RoutingCommand>;
	readonly learning: Decider<null, LearningCommand>;
	readonly shadows: Decider<null, ShadowCommand>;
};

/** How holds are sized, and how long a call waits for others' to come free. */
export interface HoldRules {
	/** Milliseconds that a call waits when only holds in flight stand in its way. */
	readonly wait: number;
	/**
	 * Output tokens that a call without a limit of its own may produce; sent to the vendor as the limit.
	 * Undefined sends none: the hold is then sized by what such calls were seen to need.
	 */
	readonly outputCeiling: number | undefined;
}

/** How often a call is tried before its client hears of a failure. */
export interface AttemptRules {
	/** Times that one substrate is asked, at most: 1 never asks the same again. */
	readonly attempts: number;
	/** Other substrates that are asked when one fails, at most. */
	readonly fallbacks: number;
	/** A short call whose answer is late asks a second substrate. Absent: none does. */
	readonly hedge?: {
		/** Milliseconds that the first may take to begin. */
		readonly after: number;
		/** Output tokens that a call may ask for and still be short. */
		readonly outputTokens: number;
	};
}

/** How many calls are carried out at once, and how many may wait for it. */
export interface CrowdRules {
	readonly calls: number;
	/** Bytes of their bodies together; absent: any. */
	readonly bytes?: number;
	readonly queue: number;
	/** Milliseconds that one waits, at most. */
	readonly wait: number;
}

/** One line on standard error for the owner: never a prompt, an answer or a secret. */
export type Report = (line: string) => void;

/** The data of the event that a command recorded: one of the given type, as its decider promises. */
export function recordedData<Type extends CreditsEvent["type"]>(
	recorded: Recorded,
): DataOf<Type> {
	return (recorded.events[0] as unknown as { data: DataOf<Type> }).data;
}

/** HTTP status of a refusal or fault, by its code; 500 for one that is not listed. */
export function statusOf(code: string): number {
	const exact = statuses[code];
	if (exact !== undefined) return exact;
	return statuses[code.slice(0, code.indexOf("/") + 1)] ?? 500;
}

const statuses: Readonly<Record<string, number>> = {
	"request/": 400,
	"request/too-deep": 400,
	"http/body-too-large": 413,
	"http/aborted": 499,
	"http/timeout": 408,
	"http/unsupported-encoding": 415,
	"http/not-found": 404,
	"http/method-not-allowed": 405,
	"http/host-refused": 421,
	"key/": 401,
	"key/forbidden": 403,
	"rate/": 429,
	"credits/insufficient": 402,
	"credits/cap-exceeded": 402,
	"credits/": 400,
	"account/": 403,
	"idempotency/": 409,
	"model/unknown": 404,
	"model/vendor-off": 404,
	"model/": 400,
	"price/": 422,
	"translate/unsupported": 422,
	"outcome/": 409,
	"receipt/unknown": 404,
	"response/unknown": 404,
	"response/": 400,
	"hold/": 409,
	"log/": 503,
	"store/": 503,
	"route/": 403,
	"vendor/rate-limited": 429,
	"vendor/": 502,
	"upstream/first-byte-timeout": 504,
	"upstream/idle-timeout": 504,
	"upstream/total-timeout": 504,
	"upstream/connect-timeout": 504,
	"upstream/": 502,
	"gateway/stopping": 503,
};
