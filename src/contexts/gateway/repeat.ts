import type { Clock } from "../../ports/clock.ts";

/** Does `work` every `milliseconds`, each time counted from the end of the one before, until the returned function is called. */
export function repeat(
	clock: Clock,
	milliseconds: number,
	work: () => Promise<unknown>,
	onFault: (fault: unknown) => void,
): () => void {
	let stopped = false;
	let cancel = (): void => {};
	function next(): void {
		if (stopped) return;
		cancel = clock.later(milliseconds, () => {
			work()
				.catch((fault: unknown) => {
					if (!stopped) onFault(fault);
				})
				.finally(next);
		});
	}
	next();
	return () => {
		stopped = true;
		cancel();
	};
}
