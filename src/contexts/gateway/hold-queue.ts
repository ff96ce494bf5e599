import type { Outcome, Refusal } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CreditsCommand, DataOf } from "../credits/index.ts";
import type { Head, Intent, Recorded } from "../log/index.ts";
import type { LedgerDeciders } from "./model.ts";

export type HoldCommand = Extract<CreditsCommand, { type: "hold" }>;

/**
 * Holds with patience. When only holds in flight stand in the way of a call, it waits, first come
 * first served among the calls of its key, until enough of them are resolved or its time is up; then it
 * is asked once more with `pressing`, so that it may shrink to what is there, and only then refused.
 */
export interface HoldQueue {
	/** `cancelled` says before each try why the call need not be made any more: the client has left, say. */
	hold(
		command: HoldCommand,
		intent: Intent,
		cancelled: () => Refusal | undefined,
	): Promise<Outcome<Recorded>>;
	/** Calls waiting now. */
	waiting(): number;
	/** Lets nobody wait any longer: each is refused with its `cancelled`, or with what stands in its way. */
	close(): void;
}

interface Waiter {
	readonly command: HoldCommand;
	readonly intent: Intent;
	readonly cancelled: () => Refusal | undefined;
	readonly answer: (outcome: Outcome<Recorded>) => void;
	readonly fail: (fault: unknown) => void;
	/** What it was refused with last. */
	refused: Outcome<Recorded> | undefined;
	/** Its command is with the head. It must not be sent a second time: that would be a second hold. */
	trying: boolean;
	timeUp: boolean;
	stopTimer(): void;
}

/** The waiters of one key. One lane a key, so that a key whose own cap is reached stops no other key. */
interface Lane {
	readonly account: string;
	readonly waiters: Waiter[];
	pumping: boolean;
	again: boolean;
}

/** How many waiters of a lane are tried when credits come free: the first may be too large for what came. */
const triedAtOnce = 8;

export function openHoldQueue(options: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	/** Milliseconds that a call waits at most; 0 refuses at once. */
	readonly wait: number;
	/** Hears of a call that was not held as far as anybody was told, and whose hold may yet turn up. */
	readonly inDoubt: (command: HoldCommand) => void;
}): HoldQueue {
	const { head, clock, wait, inDoubt } = options;
	const lanes = new Map<string, Lane>();
	let closed = false;

	const unsubscribe = head.subscribe((events) => {
		if (lanes.size === 0) return;
		const accounts = new Set<string>();
		for (const { type, data } of events) {
			const account = (data as { account?: string }).account;
			if (account !== undefined && mayFree(type, data)) accounts.add(account);
		}
		for (const lane of lanes.values())
			if (accounts.has(lane.account)) void pump(lane);
	});

	async function execute(
		{ command, intent }: Pick<Waiter, "command" | "intent">,
		pressing: boolean,
	): Promise<Outcome<Recorded>> {
		try {
			return await head.execute(
				"credits",
				pressing ? { ...command, pressing } : command,
				intent,
			);
		} catch (fault) {
			throw doubted(command, fault);
		}
	}

	function doubted(command: HoldCommand, fault: unknown): unknown {
		if (isUnknown(fault)) inDoubt(command);
		return fault;
	}

	/** Tries the first of a lane, again for as long as one of them leaves it or something more has come free. */
	async function pump(lane: Lane): Promise<void> {
		lane.again = true;
		if (lane.pumping) return;
		lane.pumping = true;
		while (lane.again && lane.waiters.length > 0) {
			lane.again = false;
			const first = lane.waiters.slice(0, triedAtOnce);
			const left = await Promise.all(first.map((one) => tryOnce(lane, one)));
			if (left.includes(true)) lane.again = true;
		}
		lane.pumping = false;
	}

	/** Whether it left the lane. */
	async function tryOnce(lane: Lane, waiter: Waiter): Promise<boolean> {
		const reason = waiter.cancelled();
		if (reason) {
			return leave(lane, waiter, () => waiter.answer(refusal(reason)));
		}
		waiter.trying = true;
		try {
			const outcome = await execute(waiter, false);
			waiter.trying = false;
			if (!isWaitable(outcome))
				return leave(lane, waiter, () => waiter.answer(outcome));
			waiter.refused = outcome;
			if (closed) return leave(lane, waiter, () => giveUp(waiter));
			if (waiter.timeUp) return leave(lane, waiter, () => press(waiter));
			return false;
		} catch (fault) {
			waiter.trying = false;
			return leave(lane, waiter, () => waiter.fail(fault));
		}
	}

	/** The last try: with what is there. */
	function press(waiter: Waiter): void {
		const reason = waiter.cancelled();
		if (reason) waiter.answer(refusal(reason));
		else execute(waiter, true).then(waiter.answer, waiter.fail);
	}

	function giveUp(waiter: Waiter): void {
		const reason = waiter.cancelled();
		if (reason) waiter.answer(refusal(reason));
		else if (waiter.refused) waiter.answer(waiter.refused);
		else press(waiter);
	}

	function leave(lane: Lane, waiter: Waiter, then: () => void): boolean {
		const index = lane.waiters.indexOf(waiter);
		if (index < 0) return false;
		lane.waiters.splice(index, 1);
		if (lane.waiters.length === 0) lanes.delete(laneOf(waiter.command));
		waiter.stopTimer();
		then();
		return true;
	}

	function enqueue(
		command: HoldCommand,
		intent: Intent,
		cancelled: () => Refusal | undefined,
		refused: Outcome<Recorded> | undefined,
	): Promise<Outcome<Recorded>> {
		const name = laneOf(command);
		let lane = lanes.get(name);
		if (!lane) {
			lane = {
				account: command.account,
				waiters: [],
				pumping: false,
				again: false,
			};
			lanes.set(name, lane);
		}
		const own = lane;
		return new Promise((answer, fail) => {
			const waiter: Waiter = {
				command,
				intent,
				cancelled,
				answer,
				fail,
				refused,
				trying: false,
				timeUp: false,
				stopTimer: clock.later(wait, () => {
					waiter.timeUp = true;
					if (waiter.trying) return;
					leave(own, waiter, () => press(waiter));
					// Whoever moved up to the first has not been tried yet.
					void pump(own);
				}),
			};
			own.waiters.push(waiter);
			// What stood in the way may have gone between the refusal and now.
			void pump(own);
		});
	}

	return {
		async hold(command, intent, cancelled) {
			const reason = cancelled();
			if (reason) return refusal(reason);
			let outcome: Outcome<Recorded> | undefined;
			if (closed || lanes.size === 0 || !lanes.has(laneOf(command))) {
				// Nearly every call: so without a promise more.
				try {
					outcome = await head.execute("credits", command, intent);
				} catch (fault) {
					throw doubted(command, fault);
				}
				if (!isWaitable(outcome)) return outcome;
				if (wait === 0) return execute({ command, intent }, true);
				if (closed) return outcome;
			}
			return enqueue(command, intent, cancelled, outcome);
		},
		waiting() {
			let count = 0;
			for (const lane of lanes.values()) count += lane.waiters.length;
			return count;
		},
		close() {
			closed = true;
			unsubscribe();
			for (const lane of [...lanes.values()]) {
				for (const waiter of [...lane.waiters]) {
					// One that is being tried right now gets its answer from that try.
					if (!waiter.trying) leave(lane, waiter, () => giveUp(waiter));
				}
			}
		},
	};
}

/** Whether there may be more to hold after an event than before. */
function mayFree(type: string, data: unknown): boolean {
	if (type === "credits-held") return false;
	if (type !== "hold-moved") return true;
	const { amount, before } = data as DataOf<"hold-moved">;
	return amount < before.amount;
}

/** Whether what was to be written may yet turn up. */
export function isUnknown(fault: unknown): boolean {
	return (
		(fault as { readonly code?: unknown } | undefined)?.code === "log/unknown"
	);
}

function laneOf({ account, key }: HoldCommand): string {
	return `${account} ${key ?? ""}`;
}

function refusal(error: Refusal): Outcome<never> {
	return { ok: false, error };
}

function isWaitable(outcome: Outcome<Recorded>): boolean {
	return !outcome.ok && outcome.error.details?.waitable === true;
}
