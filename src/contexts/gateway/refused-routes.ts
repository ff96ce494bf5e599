import type { Clock } from "../../ports/clock.ts";
import type { Head } from "../log/index.ts";
import { type Decision, recordOf } from "../routing/index.ts";
import { describeFault } from "./faults.ts";
import type { LedgerDeciders, Report } from "./model.ts";

/**
 * Records that nothing may answer a call, as that is a decision too. It costs its caller nothing, so each key has only
 * so many of them recorded in a minute; the next that is recorded says how many were not.
 */
export interface RefusedRoutes {
	/** Never rejects: a log that does not take it stops no refusal. */
	record(call: string, decision: Decision): Promise<void>;
}

/** Recorded in a minute for one key, and at once. */
const perMinute = 30;
/** Keys that are remembered. */
const mostKeys = 10_000;

interface Of {
	left: number;
	at: number;
	unrecorded: number;
}

export function openRefusedRoutes(options: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Pick<Clock, "now">;
	readonly report: Report;
}): RefusedRoutes {
	const { head, clock, report } = options;
	const known = new Map<string, Of>();

	function of(key: string): Of {
		const now = clock.now();
		let one = known.get(key);
		if (!one) {
			if (known.size >= mostKeys)
				known.delete(known.keys().next().value as string);
			one = { left: perMinute, at: now, unrecorded: 0 };
			known.set(key, one);
		}
		const passed = Math.max(0, now - one.at);
		one.left = Math.min(perMinute, one.left + (passed * perMinute) / 60_000);
		one.at = now;
		return one;
	}

	return {
		async record(call, decision) {
			const { account, key } = decision.request;
			const one = of(key ?? account);
			if (one.left < 1) {
				one.unrecorded++;
				return;
			}
			one.left--;
			const { unrecorded } = one;
			one.unrecorded = 0;
			try {
				await head.execute(
					"routing",
					{
						type: "refuse-route",
						call,
						account,
						...(key !== undefined && { key }),
						route: recordOf(decision),
						...(unrecorded > 0 && { unrecorded }),
					},
					{ actor: `key/${key}`, correlation: call },
				);
			} catch (fault) {
				one.unrecorded += unrecorded + 1;
				report(`A refusal could not be recorded: ${describeFault(fault)}`);
			}
		},
	};
}
