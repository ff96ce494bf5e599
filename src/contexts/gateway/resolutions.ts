import { Fault, type Outcome } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CreditsCommand } from "../credits/index.ts";
import type { Head, Recorded } from "../log/index.ts";
import type { LedgerDeciders, Report } from "./model.ts";

export type Resolution = Extract<
	CreditsCommand,
	{ type: "settle" } | { type: "release" }
>;

/** How calls ended, on its way into the log: nothing is dropped because a disk was full for a while. */
export interface Resolutions {
	/** Never rejects. Undefined when the log refuses to write: then it is tried again until the log takes it. */
	record(resolution: Resolution): Promise<Outcome<Recorded> | undefined>;
	/** Whether the resolution of a call still waits for the log. */
	waits(call: string): boolean;
	/** Tries once more what waits, and stops trying. What the log does not take then, the next start releases. */
	close(): Promise<void>;
}

/** Milliseconds between two tries. */
const tryAgain = 1_000;

export function openResolutions(options: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	readonly report: Report;
}): Resolutions {
	const { head, clock, report } = options;
	const waiting = new Map<string, Resolution>();
	let closed = false;
	let stopTimer = (): void => {};
	let scheduled = false;

	async function attempt(
		resolution: Resolution,
	): Promise<Outcome<Recorded> | undefined> {
		const { call, type } = resolution;
		try {
			const outcome = await head.execute("credits", resolution, {
				actor: "system",
				cause: call,
			});
			const again = waiting.delete(call);
			// After `log/unknown` the first try may have been taken: then this one finds it done.
			if (!outcome.ok && !(again && outcome.error.code === already[type]))
				report(
					`${call} could not be ${done[type]}: ${outcome.error.code}. Its hold ends when it expires.`,
				);
			return outcome;
		} catch (fault) {
			if (!waiting.has(call) && !closed)
				report(
					`${call} could not be ${done[type]} yet (${fault instanceof Fault ? fault.code : "log/failed"}); it is tried again until the log takes it.`,
				);
			waiting.set(call, resolution);
			schedule();
			return undefined;
		}
	}

	function schedule(): void {
		if (scheduled || closed) return;
		scheduled = true;
		stopTimer = clock.later(tryAgain, () => {
			void attemptAll().then(() => {
				scheduled = false;
				if (waiting.size > 0) schedule();
			});
		});
	}

	async function attemptAll(): Promise<void> {
		await Promise.all([...waiting.values()].map(attempt));
	}

	return {
		record: attempt,
		waits: (call) => waiting.has(call),
		async close() {
			closed = true;
			stopTimer();
			await attemptAll();
			if (waiting.size > 0)
				report(
					`The log did not take how these calls ended: ${[...waiting.keys()].join(", ")}. Their holds are released at the next start.`,
				);
		},
	};
}

const done = { settle: "settled", release: "released" } as const;
const already = {
	settle: "hold/already-settled",
	release: "hold/already-released",
} as const;
