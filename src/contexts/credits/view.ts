import type { MicroCredits } from "../../kernel/money.ts";
import { available, type CapWindow, leftUnder, limitsOn } from "./limits.ts";
import type { Account, Hold, Key } from "./model.ts";

/** An account as answers and pages show it. Plain JSON. */
export interface AccountView {
	readonly account: string;
	readonly name: string;
	/** What its calls may use, where that is not everything. */
	readonly models?: readonly string[];
	readonly granted: MicroCredits;
	readonly spent: MicroCredits;
	readonly held: MicroCredits;
	readonly available: MicroCredits;
	/** Oldest first. */
	readonly holds: readonly HoldView[];
	readonly caps: readonly CapView[];
}

export interface HoldView {
	readonly call: string;
	readonly key?: string;
	readonly amount: MicroCredits;
	readonly substrate: string;
	readonly model: string;
	readonly since: number;
	readonly expires: number;
}

/** One cap with what is left under it. */
export interface CapView {
	readonly of: "key" | "account";
	readonly window: CapWindow;
	readonly cap: MicroCredits;
	readonly spent: MicroCredits;
	readonly held: MicroCredits;
	readonly left: MicroCredits;
	/** Milliseconds since 1970 UTC; for caps per day and month. */
	readonly resetsAt?: number;
}

/** A key as answers and pages show it: nothing in it lets anyone use the key. Plain JSON. */
export interface KeyView {
	readonly key: string;
	readonly account: string;
	readonly name: string;
	readonly hint: string;
	readonly can: readonly ("call" | "read")[];
	readonly models?: readonly string[];
	readonly created: number;
	readonly expires?: number;
	readonly revoked?: number;
	readonly spent: MicroCredits;
	readonly held: MicroCredits;
	readonly caps: readonly CapView[];
}

/** An account at a moment; with a key, also what that key's caps leave. */
export function viewAccount(
	account: Account,
	now: number,
	key?: Key,
): AccountView {
	return {
		account: account.id,
		name: account.name,
		...(account.models && { models: account.models }),
		granted: account.granted,
		spent: account.spent,
		held: account.held,
		available: available(account),
		holds: [...account.holds.values()].map(viewHold),
		caps: viewCaps(account, key, now),
	};
}

export function viewKey(key: Key, account: Account, now: number): KeyView {
	return {
		key: key.id,
		account: key.account,
		name: key.name,
		hint: key.hint,
		can: key.scopes.can,
		...(key.scopes.models && { models: key.scopes.models }),
		created: key.created,
		...(key.expires !== undefined && { expires: key.expires }),
		...(key.revoked !== undefined && { revoked: key.revoked }),
		spent: key.spent,
		held: key.held,
		caps: viewCaps(account, key, now).filter((cap) => cap.of === "key"),
	};
}

function viewHold(hold: Hold): HoldView {
	return {
		call: hold.call,
		...(hold.key !== undefined && { key: hold.key }),
		amount: hold.amount,
		substrate: hold.substrate,
		model: hold.model,
		since: hold.time,
		expires: hold.expires,
	};
}

function viewCaps(
	account: Account,
	key: Key | undefined,
	now: number,
): CapView[] {
	const caps: CapView[] = [];
	for (const limit of limitsOn(account, key, now)) {
		const { of, window, cap, spent, held, resetsAt } = limit;
		if (of === undefined || window === "balance") continue;
		caps.push({
			of,
			window,
			cap,
			spent,
			held,
			left: leftUnder(limit).now,
			...(resetsAt !== undefined && { resetsAt }),
		});
	}
	return caps;
}
