import type { Outcome } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CreditsCommand } from "../credits/index.ts";
import type { Head, Intent, Recorded } from "../log/index.ts";
import type { LedgerDeciders } from "./model.ts";

export type HoldCommand = Extract<CreditsCommand, { type: "hold" }>;

/**
 * Holds with patience. When only holds in flight stand in the way of a call, it waits, first come
 * first served within its account, until enough of them are resolved or its time is up; then it is
 * asked once more with `pressing`, so that it may shrink to what is there, and only then refused.
 */
export interface HoldQueue {
	/** `cancelled` is asked before each try: a client that has left waits for nothing. */
	hold(
		command: HoldCommand,
		intent: Intent,
		cancelled: () => boolean,
	): Promise<Outcome<Recorded>>;
	/** Calls waiting now. */
	waiting(): number;
	close(): void;
}

interface Waiter {
	readonly command: HoldCommand;
	readonly intent: Intent;
	readonly cancelled: () => boolean;
	settle(outcome: Promise<Outcome<Recorded>>): void;
	stopTimer(): void;
}

/** How many waiters of an account are tried when credits come free: the first may be too large for what came. */
const triedAtOnce = 8;

export function openHoldQueue(options: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	/** Milliseconds that a call waits at most; 0 refuses at once. */
	readonly wait: number;
}): HoldQueue {
	const { head, clock, wait } = options;
	const queues = new Map<string, Waiter[]>();
	const pumping = new Set<string>();
	const again = new Set<string>();
	/** A waiter that is being tried must not be tried a second time by its timer. */
	const trying = new Set<Waiter>();

	const unsubscribe = head.subscribe((events) => {
		if (queues.size === 0) return;
		for (const { type, data } of events) {
			if (type === "credits-held") continue;
			const account = (data as { account?: string }).account;
			if (account !== undefined && queues.has(account)) pump(account);
		}
	});

	function pump(account: string): void {
		if (pumping.has(account)) {
			again.add(account);
			return;
		}
		pumping.add(account);
		void tryWaiters(account).finally(() => {
			pumping.delete(account);
			if (again.delete(account)) pump(account);
		});
	}

	async function tryWaiters(account: string): Promise<void> {
		for (let admitted = true; admitted; ) {
			const batch = (queues.get(account) ?? []).slice(0, triedAtOnce);
			const outcomes = await Promise.allSettled(
				batch.map((waiter) => tryNow(waiter)),
			);
			admitted = false;
			outcomes.forEach((outcome, index) => {
				const waiter = batch[index] as Waiter;
				if (outcome.status === "fulfilled" && isWaitable(outcome.value)) return;
				admitted = true;
				remove(account, waiter);
				waiter.settle(
					outcome.status === "fulfilled"
						? Promise.resolve(outcome.value)
						: Promise.reject(outcome.reason),
				);
			});
		}
	}

	async function tryNow(waiter: Waiter): Promise<Outcome<Recorded>> {
		if (waiter.cancelled()) return cancelledOutcome;
		trying.add(waiter);
		try {
			return await head.execute("credits", waiter.command, waiter.intent);
		} finally {
			trying.delete(waiter);
		}
	}

	function remove(account: string, waiter: Waiter): boolean {
		const queue = queues.get(account);
		const index = queue?.indexOf(waiter) ?? -1;
		if (!queue || index < 0) return false;
		queue.splice(index, 1);
		if (queue.length === 0) queues.delete(account);
		waiter.stopTimer();
		return true;
	}

	function enqueue(
		command: HoldCommand,
		intent: Intent,
		cancelled: () => boolean,
	): Promise<Outcome<Recorded>> {
		return new Promise((resolve) => {
			let stopTimer = () => {};
			const waiter: Waiter = {
				command,
				intent,
				cancelled,
				settle: resolve,
				stopTimer: () => stopTimer(),
			};
			const timeUp = (): void => {
				if (trying.has(waiter)) {
					stopTimer = clock.later(5, timeUp);
					return;
				}
				if (!remove(command.account, waiter)) return;
				resolve(
					cancelled()
						? cancelledOutcome
						: head.execute("credits", { ...command, pressing: true }, intent),
				);
			};
			stopTimer = clock.later(wait, timeUp);
			const queue = queues.get(command.account);
			if (queue) queue.push(waiter);
			else queues.set(command.account, [waiter]);
		});
	}

	return {
		async hold(command, intent, cancelled) {
			if (!queues.has(command.account)) {
				const outcome = await head.execute("credits", command, intent);
				if (!isWaitable(outcome)) return outcome;
				if (wait === 0)
					return head.execute(
						"credits",
						{ ...command, pressing: true },
						intent,
					);
			}
			const outcome = enqueue(command, intent, cancelled);
			// What stood in the way may have gone between the refusal and now.
			pump(command.account);
			return outcome;
		},
		waiting() {
			let count = 0;
			for (const queue of queues.values()) count += queue.length;
			return count;
		},
		close() {
			unsubscribe();
			for (const [account, queue] of queues) {
				for (const waiter of [...queue]) {
					// One that is being tried right now gets its answer from that try.
					if (trying.has(waiter)) continue;
					remove(account, waiter);
					waiter.settle(Promise.resolve(cancelledOutcome));
				}
			}
		},
	};
}

function isWaitable(outcome: Outcome<Recorded>): boolean {
	return !outcome.ok && outcome.error.details?.waitable === true;
}

const cancelledOutcome: Outcome<Recorded> = {
	ok: false,
	error: {
		code: "request/cancelled",
		message: "The client left while its call waited.",
	},
};
