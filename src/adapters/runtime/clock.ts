import type { Clock } from "../../ports/clock.ts";

/** Timers hold this many milliseconds at most and fire at once beyond: longer waits go in legs. */
const longestLeg = 2_147_483_647;

export const systemClock: Clock = {
	now: () => Date.now(),
	soon: (work) => void setImmediate(work),
	later(milliseconds, work) {
		let timer: NodeJS.Timeout;
		function wait(left: number): void {
			const leg = Math.min(left, longestLeg);
			timer = setTimeout(() => (left > leg ? wait(left - leg) : work()), leg);
			timer.unref();
		}
		wait(milliseconds);
		return () => clearTimeout(timer);
	},
};
