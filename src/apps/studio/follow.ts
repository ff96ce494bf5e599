import type { Ledger } from "../ledger.ts";

/** Milliseconds between two looks when nothing woke us: half of what a revoked key may go on elsewhere. */
const every = 500;
/** Milliseconds between two looks at most, however often we are woken. */
const atMost = 50;

/** How far this process has seen the log. */
export interface Following {
	/** Events that the log had at the last look and that are not folded here. */
	lag(): number;
	/** Milliseconds since everything that the log had was folded here. */
	behind(): number;
	/** Whether the store did not answer at the last look. */
	failing(): boolean;
	/** Looks now. Never rejects. */
	look(): Promise<void>;
	end(): void;
}

/**
 * Keeps this process up with what other processes append, so that a key revoked elsewhere ends here, and a policy
 * applied elsewhere holds here, within a second, also while no call is decided. `report` hears once when the store
 * stops answering, and once when it answers again.
 */
export function followOthers(
	{ head, log, store }: Pick<Ledger, "head" | "log" | "store">,
	report: (line: string) => void,
): Following {
	let timer: NodeJS.Timeout | undefined;
	let looking: Promise<void> | undefined;
	let again = false;
	let failing = false;
	let ended = false;
	let newest = head.position();
	let caughtUp = performance.now();

	function plan(milliseconds: number): void {
		clearTimeout(timer);
		timer = setTimeout(() => void look(), milliseconds);
		timer.unref();
	}

	function look(): Promise<void> {
		looking ??= lookOnce().finally(() => {
			looking = undefined;
			if (!ended) plan(again ? atMost : every);
		});
		return looking;
	}

	async function lookOnce(): Promise<void> {
		again = false;
		const asked = performance.now();
		try {
			newest = (await log.tip()).position;
			await head.refresh();
			if (head.position() >= newest) caughtUp = asked;
			if (failing) report(`${store.name} answers again.`);
			failing = false;
		} catch (fault) {
			if (!failing && !ended)
				report(
					`${store.name} does not answer: what other replicas did is not seen until it does (${(fault as Error).message})`,
				);
			failing = true;
		}
	}

	const unwatch = store.watch(() => {
		if (ended || again) return;
		again = true;
		if (!looking) plan(atMost);
	});
	plan(every);
	return {
		lag: () => Math.max(0, newest - head.position()),
		behind: () => performance.now() - caughtUp,
		failing: () => failing,
		look,
		end() {
			ended = true;
			unwatch();
			clearTimeout(timer);
		},
	};
}
