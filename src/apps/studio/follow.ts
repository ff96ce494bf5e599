import type { Ledger } from "../ledger.ts";

/** Milliseconds between two looks when nothing woke us: half of what a revoked key may go on elsewhere. */
const every = 500;
/** Milliseconds between two looks at most, however often we are woken. */
const atMost = 50;

/**
 * Keeps this process up with what other replicas append, so that a key revoked elsewhere ends here within a
 * second, also while no call is decided. `report` hears once when the store stops answering, and once when it
 * answers again. The returned function ends it.
 */
export function followOthers(
	{ head, store }: Pick<Ledger, "head" | "store">,
	report: (line: string) => void,
): () => void {
	if (store.kind === "sqlite") return () => {};
	let timer: NodeJS.Timeout | undefined;
	let looking = false;
	let again = false;
	let failing = false;
	let ended = false;

	function plan(milliseconds: number): void {
		clearTimeout(timer);
		timer = setTimeout(look, milliseconds);
		timer.unref();
	}

	async function look(): Promise<void> {
		looking = true;
		again = false;
		try {
			await head.refresh();
			if (failing) report(`${store.name} answers again.`);
			failing = false;
		} catch (fault) {
			if (!failing && !ended)
				report(
					`${store.name} does not answer: what other replicas did is not seen until it does (${(fault as Error).message})`,
				);
			failing = true;
		}
		looking = false;
		if (!ended) plan(again ? atMost : every);
	}

	const unwatch = store.watch(() => {
		if (ended || again) return;
		again = true;
		if (!looking) plan(atMost);
	});
	plan(every);
	return () => {
		ended = true;
		unwatch();
		clearTimeout(timer);
	};
}
