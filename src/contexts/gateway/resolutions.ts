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
	/**
	 * Gives back a hold that was not confirmed, and that nobody uses: at once, or when it turns up later, as long as it
	 * may: a replica that was stopped may carry out old commands when it wakes.
	 */
	disown(hold: { readonly call: string; readonly expires: number }): void;
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
	/** Calls whose hold may yet turn up, with the time from which it cannot. */
	const disowned = new Map<string, number>();
	let closed = false;
	let stopTimer = (): void => {};
	let scheduled = false;

	const unsubscribe = head.subscribe((events) => {
		if (disowned.size === 0) return;
		for (const { type, data } of events) {
			const { call } = data as { readonly call?: string };
			if (type !== "credits-held" || call === undefined) continue;
			if (disowned.has(call) && head.state("credits").holds.has(call))
				giveBack(call);
		}
	});

	function giveBack(call: string): void {
		void attempt({
			type: "release",
			call,
			ending: "not-sent",
			notes: [
				"The log did not confirm the hold in time; the call was refused and nothing was sent.",
			],
		});
	}

	async function attempt(
		resolution: Resolution,
	): Promise<Outcome<Recorded> | undefined> {
		const { call, type } = resolution;
		const unconfirmed = disowned.has(call);
		try {
			const outcome = await head.execute("credits", resolution, {
				actor: "system",
				cause: call,
			});
			const again = waiting.delete(call);
			// After `log/unknown` the first try may have been taken: then this one finds it done.
			if (unconfirmed) {
				// Nothing is held, or nothing is held any more: nobody was told otherwise.
				if (outcome.ok || outcome.error.code !== "hold/unknown")
					disowned.delete(call);
			} else if (
				!outcome.ok &&
				!(again && outcome.error.code === already[type])
			)
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
		disown({ call, expires }) {
			for (const [earlier, until] of disowned) {
				if (until > head.time()) break;
				disowned.delete(earlier);
			}
			disowned.set(call, expires);
			giveBack(call);
		},
		async close() {
			closed = true;
			unsubscribe();
			stopTimer();
			await attemptAll();
			if (waiting.size > 0)
				report(
					`The log did not take how these calls ended: ${[...waiting.keys()].join(", ")}. Their holds are released at the next start.`,
				);
		},
	};
}

/**
 * Whether a call has an open hold. One that we were `told` of may have been recorded by another replica, and not be seen
 * here yet: the log is asked, and where that fails, it is taken to be open.
 */
export async function mayBeHeld(
	head: Head<LedgerDeciders>,
	call: string,
	told: boolean,
): Promise<boolean> {
	if (told) {
		try {
			await head.refresh();
		} catch {
			return true;
		}
	}
	return head.state("credits").holds.has(call);
}

const done = { settle: "settled", release: "released" } as const;
const already = {
	settle: "hold/already-settled",
	release: "hold/already-released",
} as const;
