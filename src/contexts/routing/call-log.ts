import { type DomainEvent, readEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Router } from "./decide.ts";
import type { RecordedInputs } from "./desk.ts";
import type { Attempt, DecisionRecord, Replay } from "./record.ts";
import { replay } from "./record.ts";

/** Events of calls that say where those went. */
export const callEvents = [
	"credits-held",
	"hold-moved",
	"credits-settled",
	"credits-released",
	"hold-expired",
	"route-refused",
] as const;

/** What of such an event is about its route. */
export interface CallData {
	readonly call: string;
	readonly account: string;
	readonly key?: string;
	readonly model?: string;
	readonly substrate?: string;
	readonly route?: DecisionRecord;
	readonly attempts?: readonly Attempt[];
	/** Who was paid for which part of the answer, where it has parts. */
	readonly parts?: readonly { readonly substrate: string }[];
	/** Of `route-refused`: refusals of this key before it that were not recorded. */
	readonly unrecorded?: number;
	readonly ending?: string;
	readonly amount?: number;
	readonly held?: { readonly position: number };
}

/** A call's event that somebody may want to see again, as it was decided then. */
export interface Retold {
	readonly event: DomainEvent;
	readonly data: CallData;
	/** Of `credits-held` and `route-refused` that carry a decision; a string says why it cannot be run again. */
	readonly again?: Replay | string;
}

/**
 * The calls' events after `position`, oldest first, each decision run again from what was recorded. Reads the log once
 * and keeps nothing.
 */
export async function* retell(options: {
	readonly log: Pick<EventLog, "scan">;
	readonly inputs: RecordedInputs;
	readonly router: Router;
	readonly position?: number;
	readonly to?: number;
}): AsyncGenerator<Retold> {
	const { log, inputs, router, position = 0, to } = options;
	for await (const batch of log.scan(position, {
		types: callEvents,
		...(to !== undefined && { to }),
	})) {
		for (const stored of batch) {
			const event = readEvent(stored);
			const data = event.data as unknown as CallData;
			const { route } = data;
			if (!route) {
				yield { event, data };
				continue;
			}
			const looked = inputs.look(route);
			if (looked) await looked;
			yield { event, data, again: runAgain(route, inputs, router) };
		}
	}
}

/** Position of the last event before an instant: 0 where there is none. Times never go back, so a few looks are enough. */
export async function positionBefore(
	log: Pick<EventLog, "tip" | "at">,
	time: number,
): Promise<number> {
	let low = 0;
	let high = (await log.tip()).position;
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		const event = await log.at(middle);
		if (!event)
			throw new Fault(
				"log/damaged",
				`The log has no event at position ${middle}. Verify it to see what is wrong.`,
			);
		if (event.time < time) low = middle;
		else high = middle - 1;
	}
	return low;
}

/** What a record comes to now; a string where it cannot be run again. Never throws: a record may be anybody's. */
function runAgain(
	route: DecisionRecord,
	inputs: RecordedInputs,
	router: Router,
): Replay | string {
	try {
		const again = replay(route, inputs, router);
		return again.ok ? again.value : again.error.message;
	} catch (fault) {
		return `The decision cannot be run again: ${(fault as Error).message}`;
	}
}
