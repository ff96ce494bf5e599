import type { Clock } from "../../ports/clock.ts";
import type { Timeouts } from "../../ports/http-client.ts";
import type { Head } from "../log/index.ts";
import type { HoldRules, LedgerDeciders } from "./model.ts";

/** A hold outlives the longest call by this many milliseconds. */
const holdGrace = 60_000;

/** When a hold that is made now is over. Holds are decided in the log's time: a clock that was set back must not make them due at once. */
export function expiryOf({
	clock,
	head,
	timeouts,
	holds,
}: {
	readonly clock: Clock;
	readonly head: Head<LedgerDeciders>;
	readonly timeouts: Timeouts;
	readonly holds: HoldRules;
}): number {
	return (
		Math.max(clock.now(), head.time()) + timeouts.total + holds.wait + holdGrace
	);
}
