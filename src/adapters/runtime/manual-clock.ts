import type { Clock } from "../../ports/clock.ts";

/** A clock that stands still until it is driven: for tests and simulations. */
export interface ManualClock extends Clock {
	/**
	 * Lets time pass. What falls due runs in order of its time (and of its making, at the same time),
	 * each at its own moment and settled before the next; new timers within the span run too.
	 */
	advance(milliseconds: number): Promise<void>;
	/**
	 * Runs all `soon` work, also what that work asks for, until nothing is left and every promise that
	 * needs neither a timer nor real I/O has settled.
	 */
	settle(): Promise<void>;
	/** Sets the wall clock forward or back (negative), as an owner or a time server does. Timers do not notice. */
	jump(milliseconds: number): void;
	/** Forgets all timers and `soon` work: what a killed process never gets to do. */
	clear(): void;
	/** Timers that wait. */
	timers(): number;
	/** Milliseconds until the next timer, or undefined when none waits. */
	untilNext(): number | undefined;
}

export interface ManualClockOptions {
	/** Milliseconds since 1970 UTC. */
	readonly start?: number;
	/**
	 * When `soon` work runs: on the microtask queue, so that tests need only await (`microtask`, the
	 * default), or when `settle` or `advance` is called, so that a simulation chooses the batches (`settle`).
	 */
	readonly soon?: "microtask" | "settle";
}

interface Timer {
	readonly due: number;
	readonly work: () => void;
}

export function manualClock(options: ManualClockOptions = {}): ManualClock {
	const { start = Date.UTC(2026, 0, 1), soon: mode = "microtask" } = options;
	/** Time that has passed: timers follow it, whatever is done to the wall clock. */
	let elapsed = 0;
	let offset = start;
	let waiting: (() => void)[] = [];
	let era = 0;
	const timers = new Set<Timer>();

	function next(): Timer | undefined {
		let first: Timer | undefined;
		// A set keeps the order of making, so that among equals the earliest made wins.
		for (const timer of timers)
			if (!first || timer.due < first.due) first = timer;
		return first;
	}

	async function settle(): Promise<void> {
		do {
			const works = waiting;
			waiting = [];
			for (const work of works) work();
			await promisesSettled();
		} while (waiting.length > 0);
	}

	return {
		now: () => offset + elapsed,
		soon(work) {
			if (mode === "settle") {
				waiting.push(work);
				return;
			}
			const born = era;
			queueMicrotask(() => {
				if (born === era) work();
			});
		},
		later(milliseconds, work) {
			const timer: Timer = { due: elapsed + Math.max(0, milliseconds), work };
			timers.add(timer);
			return () => void timers.delete(timer);
		},
		async advance(milliseconds) {
			const end = elapsed + milliseconds;
			await settle();
			for (let timer = next(); timer && timer.due <= end; timer = next()) {
				timers.delete(timer);
				elapsed = Math.max(elapsed, timer.due);
				timer.work();
				await settle();
			}
			elapsed = Math.max(elapsed, end);
		},
		settle,
		jump(milliseconds) {
			offset += milliseconds;
		},
		clear() {
			era += 1;
			waiting = [];
			timers.clear();
		},
		timers: () => timers.size,
		untilNext() {
			const timer = next();
			return timer && timer.due - elapsed;
		},
	};
}

/** Resolves when the microtask queue has run dry: the event loop only goes on once it is empty. */
function promisesSettled(): Promise<void> {
	return new Promise((resolve) => void setImmediate(resolve));
}
