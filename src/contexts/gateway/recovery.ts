import type { Clock } from "../../ports/clock.ts";
import type { Hold } from "../credits/index.ts";
import type { Head } from "../log/index.ts";
import { describeFault } from "./faults.ts";
import type { LedgerDeciders, Report } from "./model.ts";
import { repeat } from "./repeat.ts";

/**
 * Holds whose process is gone, and holds past their time, are resolved here; none leaks for ever.
 *
 * The rule for a crash: what the vendor had delivered by then cannot be known, so nothing is charged. The hold is
 * released with ending `crashed`, and stands in the statement and in `dos doctor` as a call whose cost at the vendor the owner may
 * want to look up. A hold whose process still lives (another server on the same log) is left alone until it expires.
 *
 * Safe to do late and twice: who is gone stays gone, and a hold is resolved once.
 */
export async function recoverHolds(
	head: Head<LedgerDeciders>,
	gone: (holders: readonly string[]) => Promise<ReadonlySet<string>>,
	report: Report,
): Promise<readonly Hold[]> {
	const open = [...head.state("credits").holds.values()];
	if (open.length === 0) return [];
	const ended = await gone([...new Set(open.map(({ holder }) => holder))]);
	const orphans = open.filter(({ holder }) => ended.has(holder));
	const outcomes = await Promise.all(
		orphans.map(({ call }) =>
			head.execute(
				"credits",
				{
					type: "release",
					call,
					ending: "crashed",
					notes: [
						"The process that made this call ended without settling it; what the vendor delivered is not known.",
					],
				},
				{ actor: "system", cause: call },
			),
		),
	);
	const released = orphans.filter((_, index) => outcomes[index]?.ok);
	if (released.length > 0)
		report(
			`In flight when another run ended: ${released.length === 1 ? "1 call, whose hold was released" : `${released.length} calls, whose holds were released`}.`,
		);
	return released;
}

/**
 * Expires overdue holds every `every` milliseconds while `onDuty` says so, until the returned function is called. What
 * is due and not resolved is decided under the log's head, so that two who do it at once, or one who does it late, do no harm. A call that is carried out
 * here still, after a machine slept for hours say, keeps its hold: it ends by itself and is then paid.
 */
export function sweepHolds(
	head: Head<LedgerDeciders>,
	clock: Clock,
	every: number,
	carries: (call: string) => boolean,
	report: Report,
	onDuty: () => boolean = () => true,
): () => void {
	async function sweep(): Promise<void> {
		if (!onDuty()) return;
		const now = clock.now();
		const due = [...head.state("credits").holds.values()].filter(
			(hold) => hold.expires <= now && !carries(hold.call),
		);
		for (const { call } of due) {
			const outcome = await head.execute(
				"credits",
				{ type: "expire", call },
				{ actor: "system", cause: call },
			);
			if (outcome.ok) report(`The hold of ${call} expired and was given back.`);
		}
	}
	return repeat(clock, every, sweep, (fault) =>
		report(`Overdue holds could not be swept: ${describeFault(fault)}`),
	);
}
