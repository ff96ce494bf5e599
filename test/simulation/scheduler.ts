import type { Random } from "./random.ts";

/** Decides who goes on next. Whatever waits, waits here, and one at a time is let go. */
export interface Scheduler {
	/** Resolves when it is this one's turn: a point where anything else may come between. */
	pause(): Promise<void>;
	/** Runs the work when it is its turn. */
	add(work: () => void): void;
	waiting(): number;
	/** Lets one go on, and returns when it and all that follows from it wait again or are done. */
	step(): Promise<void>;
	/** Steps until nothing waits. */
	drain(): Promise<void>;
}

/** `settle` resolves when all that follows from what was let go waits again or is done. */
export function scheduler(
	random: Random,
	settle: () => Promise<void>,
): Scheduler {
	const waiting: (() => void)[] = [];

	async function step(): Promise<void> {
		if (waiting.length > 0)
			waiting.splice(random.below(waiting.length), 1)[0]?.();
		await settle();
	}

	return {
		pause: () => new Promise((resolve) => void waiting.push(resolve)),
		add: (work) => void waiting.push(work),
		waiting: () => waiting.length,
		step,
		async drain() {
			do await step();
			while (waiting.length > 0);
		},
	};
}
