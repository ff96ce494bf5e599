import type { MicroCredits } from "../../kernel/money.ts";
import { dayOf, endOfDay, endOfMonth, monthOf } from "./calendar.ts";
import type { Account, Caps, Hold, Key, Spending } from "./model.ts";

/** What may still be spent: the balance and the caps of an account and a key, at one moment. */

/** Neither spent nor held. */
export function available(account: Account): MicroCredits {
	return account.granted - account.held - account.spent;
}

/** The most that a new hold, or a charge beyond a hold, may take: never negative. Caps per request are apart. */
export function roomFor(
	account: Account,
	key: Key | undefined,
	now: number,
): MicroCredits {
	let room = Math.min(
		available(account),
		underCaps(account, account.caps, now),
	);
	if (key) room = Math.min(room, underCaps(key, key.caps, now));
	return Math.max(0, room);
}

/** The most that a single call may take. */
export function requestCap(
	account: Account,
	key: Key | undefined,
): MicroCredits {
	return Math.min(
		account.caps.request ?? unlimited,
		key?.caps.request ?? unlimited,
	);
}

/**
 * The most that an open hold may come to. It counts in the windows of its first moment, for good: one
 * that is over takes no more. Less than it holds is never asked of it.
 */
export function mostFor(
	hold: Hold,
	account: Account,
	key: Key | undefined,
	now: number,
): MicroCredits {
	if (windowOver(hold, account, key, now)) return hold.amount;
	const most = Math.min(
		hold.amount + roomFor(account, key, now),
		requestCap(account, key),
	);
	return Math.max(hold.amount, most);
}

/** A cap in force whose window an open hold counts in, and that is over. */
export function windowOver(
	{ time }: Hold,
	account: Account,
	key: Key | undefined,
	now: number,
):
	| {
			readonly of: "key" | "account";
			readonly window: "day" | "month";
			readonly cap: MicroCredits;
	  }
	| undefined {
	for (const owner of ["key", "account"] as const) {
		const { day, month } = (owner === "key" ? key : account)?.caps ?? {};
		if (month !== undefined && monthOf(time) !== monthOf(now))
			return { of: owner, window: "month", cap: month };
		if (day !== undefined && dayOf(time) !== dayOf(now))
			return { of: owner, window: "day", cap: day };
	}
	return undefined;
}

/** Account and key as they would be without an open hold. Copies the open holds: not for the hot path. */
export function aside(
	hold: Hold,
	account: Account,
	key: Key | undefined,
): { readonly account: Account; readonly key: Key | undefined } {
	const holds = new Map(account.holds);
	holds.delete(hold.call);
	const without = <Owner extends Spending>(owner: Owner): Owner => ({
		...owner,
		held: owner.held - hold.amount,
		day: owner.day - (owner.dayOf === dayOf(hold.time) ? hold.amount : 0),
		month:
			owner.month - (owner.monthOf === monthOf(hold.time) ? hold.amount : 0),
	});
	return {
		account: { ...without(account), holds },
		key: key && without(key),
	};
}

/** One thing that limits a hold. */
export interface Limit {
	/** Absent for the balance. */
	readonly of?: "key" | "account";
	readonly window: "balance" | CapWindow;
	/** The cap itself; for the balance, what was granted. */
	readonly cap: MicroCredits;
	/** Settled, less refunds, in the window. */
	readonly spent: MicroCredits;
	/** In open holds that count in the window. */
	readonly held: MicroCredits;
	/** Milliseconds since 1970 UTC; absent when it never begins anew by itself. */
	readonly resetsAt?: number;
}

export type CapWindow = "total" | "day" | "month" | "request";

/** Everything that limits a hold, key before account, balance last. Walks the open holds: not for the hot path. */
export function limitsOn(
	account: Account,
	key: Key | undefined,
	now: number,
): Limit[] {
	const limits: Limit[] = [];
	const holds = [...account.holds.values()];
	if (key) {
		const own = holds.filter((hold) => hold.key === key.id);
		limits.push(
			...capLimits(key, key.caps, own, now).map((limit) => ({
				of: "key" as const,
				...limit,
			})),
		);
	}
	limits.push(
		...capLimits(account, account.caps, holds, now).map((limit) => ({
			of: "account" as const,
			...limit,
		})),
	);
	limits.push({
		window: "balance",
		cap: account.granted,
		spent: account.spent,
		held: account.held,
	});
	return limits;
}

/** What a limit leaves: now, and were every open hold released. */
export function leftUnder(limit: Limit): {
	readonly now: MicroCredits;
	readonly withoutHolds: MicroCredits;
} {
	return {
		now: Math.max(0, limit.cap - limit.spent - limit.held),
		withoutHolds: Math.max(0, limit.cap - limit.spent),
	};
}

const unlimited = Number.MAX_SAFE_INTEGER;

function underCaps(spending: Spending, caps: Caps, now: number): MicroCredits {
	let room = unlimited;
	if (caps.total !== undefined)
		room = Math.min(room, caps.total - spending.spent - spending.held);
	if (caps.day !== undefined)
		room = Math.min(room, caps.day - usedToday(spending, now));
	if (caps.month !== undefined)
		room = Math.min(room, caps.month - usedThisMonth(spending, now));
	return room;
}

function usedToday(spending: Spending, now: number): MicroCredits {
	return spending.dayOf === dayOf(now) ? spending.day : 0;
}

function usedThisMonth(spending: Spending, now: number): MicroCredits {
	return spending.monthOf === monthOf(now) ? spending.month : 0;
}

function capLimits(
	spending: Spending,
	caps: Caps,
	holds: readonly Hold[],
	now: number,
): Limit[] {
	const limits: Limit[] = [];
	if (caps.request !== undefined)
		limits.push({ window: "request", cap: caps.request, spent: 0, held: 0 });
	if (caps.total !== undefined) {
		limits.push({
			window: "total",
			cap: caps.total,
			spent: spending.spent,
			held: spending.held,
		});
	}
	if (caps.day !== undefined) {
		const held = sum(holds.filter((hold) => dayOf(hold.time) === dayOf(now)));
		limits.push({
			window: "day",
			cap: caps.day,
			spent: usedToday(spending, now) - held,
			held,
			resetsAt: endOfDay(now),
		});
	}
	if (caps.month !== undefined) {
		const held = sum(
			holds.filter((hold) => monthOf(hold.time) === monthOf(now)),
		);
		limits.push({
			window: "month",
			cap: caps.month,
			spent: usedThisMonth(spending, now) - held,
			held,
			resetsAt: endOfMonth(now),
		});
	}
	return limits;
}

function sum(holds: readonly Hold[]): MicroCredits {
	return holds.reduce((total, hold) => total + hold.amount, 0);
}
