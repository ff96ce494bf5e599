import type { Decider, Decision } from "../../kernel/decider.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import { refuse } from "../../kernel/outcome.ts";
import {
	createKey,
	grant,
	openAccount,
	revokeKey,
	rotateKey,
	setAccountCaps,
	setAccountModels,
	setKeyCaps,
} from "./accounts.ts";
import { dayOf, monthOf } from "./calendar.ts";
import { accountOf, inconsistent, keyOf, resolutionKey } from "./decisions.ts";
import { expire, hold, moveHold, refund, release, settle } from "./holds.ts";
import type {
	Account,
	CreditsCommand,
	CreditsEvent,
	CreditsState,
	DataOf,
	Hold,
	Key,
	Spending,
} from "./model.ts";

const nothing: readonly string[] = [];

/**
 * The money rules. They promise, after every event:
 *
 * - granted = available + held + spent for each account, and nothing is ever negative;
 * - a call is resolved (settled, released or expired) once, for ever: each resolution claims the log's
 *   key `resolve/<call>`, so such a command must not be given an idempotency key of its own;
 * - no hold and no charge takes an account or a key past a cap that is in force.
 *
 * **Windows.** Caps per day and month are of UTC calendar days and months. A hold counts in the day and
 * month in which it was made, also when it is moved or settled later: a resolution only ever gives back,
 * and so breaks no cap. What it gives back returns to that window, as long as it is the current one. What a
 * settlement charges beyond its hold counts when it is settled, and goes only as far as the balance and
 * every cap then leave; the rest is recorded as `uncollected`. A refund gives back what was charged
 * beyond the hold first, each part to the window that it counted in.
 *
 * **Caps that are lowered** below what is already used stop new spending and touch nothing else.
 */
export const credits: Decider<CreditsState, CreditsCommand> = {
	name: "credits",
	format: 2,

	initial: () => ({
		accounts: new Map(),
		keys: new Map(),
		secrets: new Map(),
		holds: new Map(),
		refunded: new Map(),
	}),

	recall(command, state) {
		switch (command.type) {
			case "hold":
			case "move-hold":
			case "settle":
			case "release":
			case "expire":
				return state.holds.has(command.call)
					? nothing
					: [resolutionKey(command.call)];
			case "refund":
				return [resolutionKey(command.call)];
			default:
				return nothing;
		}
	},

	decide(command, state, context) {
		switch (command.type) {
			case "open-account":
				return openAccount(command, state);
			case "set-account-caps":
				return setAccountCaps(command, state);
			case "set-account-models":
				return setAccountModels(command, state);
			case "create-key":
				return createKey(command, state, context);
			case "set-key-caps":
				return setKeyCaps(command, state);
			case "rotate-key":
				return rotateKey(command, state, context);
			case "revoke-key":
				return revokeKey(command, state);
			case "grant":
				return grant(command, state);
			case "hold":
				return hold(command, state, context);
			case "move-hold":
				return moveHold(command, state, context);
			case "settle":
				return settle(command, state, context);
			case "release":
				return release(command, state, context);
			case "expire":
				return expire(command, state, context);
			case "refund":
				return refund(command, state, context);
			default:
				return unknownCommand(command);
		}
	},

	evolve(state, recorded) {
		const event = recorded as CreditsEvent;
		switch (event.type) {
			case "account-opened": {
				const { account, name, caps } = event.data;
				state.accounts.set(account, {
					id: account,
					name,
					granted: 0,
					caps,
					models: undefined,
					holds: new Map(),
					...nothingSpent,
				});
				break;
			}
			case "account-caps-set":
				accountOf(state, event.data.account).caps = event.data.caps;
				break;
			case "account-models-set":
				accountOf(state, event.data.account).models = event.data.models;
				break;
			case "key-created": {
				const { account, key, name, hash, hint, scopes, caps, expires } =
					event.data;
				state.keys.set(key, {
					id: key,
					account,
					name,
					created: event.time,
					hint,
					hashes: [hash],
					scopes,
					caps,
					expires,
					revoked: undefined,
					...nothingSpent,
				});
				state.secrets.set(hash, { key, until: undefined });
				break;
			}
			case "key-caps-set":
				keyOf(state, event.data.key).caps = event.data.caps;
				break;
			case "key-rotated": {
				const key = keyOf(state, event.data.key);
				// Secrets rotated out before live no longer than the newest grace: a leak ends them all.
				for (const old of key.hashes) {
					const until = Math.min(
						state.secrets.get(old)?.until ?? event.data.graceUntil,
						event.data.graceUntil,
					);
					state.secrets.set(old, { key: key.id, until });
				}
				key.hashes.push(event.data.hash);
				key.hint = event.data.hint;
				state.secrets.set(event.data.hash, { key: key.id, until: undefined });
				break;
			}
			case "key-revoked":
				keyOf(state, event.data.key).revoked = event.time;
				break;
			case "credits-granted":
				accountOf(state, event.data.account).granted += event.data.amount;
				break;
			case "credits-held":
				addHold(state, event);
				break;
			case "hold-moved":
				changeHold(state, event.data);
				break;
			case "credits-settled": {
				const { call, held, amount } = event.data;
				const { account, key } = removeHold(state, call);
				charge(account, held, amount, event.time);
				if (key) charge(key, held, amount, event.time);
				break;
			}
			case "credits-released":
			case "hold-expired": {
				const { account, key } = removeHold(state, event.data.call);
				charge(account, event.data.held, 0, event.time);
				if (key) charge(key, event.data.held, 0, event.time);
				break;
			}
			case "credits-refunded": {
				const before = state.refunded.get(event.data.call) ?? 0;
				giveBack(accountOf(state, event.data.account), event.data, before);
				if (event.data.key !== undefined)
					giveBack(keyOf(state, event.data.key), event.data, before);
				state.refunded.set(event.data.call, before + event.data.amount);
				break;
			}
		}
		return state;
	},

	save: (state): SavedState => ({
		accounts: [...state.accounts.values()].map(
			({ holds: _, ...account }) => account,
		),
		keys: [...state.keys.values()].map((key) => ({
			...key,
			hashes: [...key.hashes],
		})),
		secrets: [...state.secrets].map(([hash, { key, until }]) => ({
			hash,
			key,
			until,
		})),
		holds: [...state.holds.values()],
		refunded: [...state.refunded],
	}),

	load(saved) {
		const { accounts, keys, secrets, holds, refunded } = saved as SavedState;
		const state: CreditsState = {
			accounts: new Map(
				accounts.map(({ id, name, granted, caps, models, ...spending }) => [
					id,
					{ id, name, granted, caps, models, holds: new Map(), ...spending },
				]),
			),
			// JSON leaves out what is undefined. Named here, a loaded state is the folded one to the order of its members.
			keys: new Map(
				keys.map(
					({
						id,
						account,
						name,
						created,
						hint,
						hashes,
						scopes,
						caps,
						expires,
						revoked,
						...spending
					}) => [
						id,
						{
							id,
							account,
							name,
							created,
							hint,
							hashes: [...hashes],
							scopes,
							caps,
							expires,
							revoked,
							...spending,
						},
					],
				),
			),
			secrets: new Map(
				secrets.map(({ hash, key, until }) => [hash, { key, until }]),
			),
			holds: new Map(
				holds.map(({ call, account, key, ...rest }) => [
					call,
					{ call, account, key, ...rest },
				]),
			),
			refunded: new Map(refunded),
		};
		for (const hold of state.holds.values())
			accountOf(state, hold.account).holds.set(hold.call, hold);
		return state;
	},
};

function unknownCommand(command: never): Decision {
	return refuse("credits/invalid", "No such command.", {
		field: "type",
		type: (command as CreditsCommand).type,
	});
}

const nothingSpent: Spending = {
	spent: 0,
	held: 0,
	day: 0,
	dayOf: 0,
	month: 0,
	monthOf: 0,
};

function addHold(
	state: CreditsState,
	{ data, position, time }: DomainEvent<"credits-held", DataOf<"credits-held">>,
): void {
	const account = accountOf(state, data.account);
	const hold: Hold = {
		call: data.call,
		account: data.account,
		key: data.key,
		amount: data.amount,
		expires: data.expires,
		holder: data.holder,
		substrate: data.substrate,
		model: data.model,
		operation: data.operation,
		position,
		time,
	};
	state.holds.set(hold.call, hold);
	account.holds.set(hold.call, hold);
	account.held += hold.amount;
	count(account, hold.amount, time);
	if (hold.key === undefined) return;
	const key = keyOf(state, hold.key);
	key.held += hold.amount;
	count(key, hold.amount, time);
}

/** The hold stands for another amount, in the windows that it counts in already. */
function changeHold(state: CreditsState, data: DataOf<"hold-moved">): void {
	const hold = state.holds.get(data.call);
	if (!hold)
		throw inconsistent(
			`The log moves the hold of the call ${data.call}, for which it holds nothing.`,
		);
	const account = accountOf(state, hold.account);
	const { amount, substrate, model } = data;
	const moved: Hold = { ...hold, amount, substrate, model };
	// Under its key, so that it stays in its place among the holds.
	state.holds.set(hold.call, moved);
	account.holds.set(hold.call, moved);
	const more = amount - hold.amount;
	account.held += more;
	discount(account, -more, hold.time);
	if (hold.key === undefined) return;
	const key = keyOf(state, hold.key);
	key.held += more;
	discount(key, -more, hold.time);
}

function removeHold(
	state: CreditsState,
	call: string,
): { readonly account: Account; readonly key: Key | undefined } {
	const hold = state.holds.get(call);
	if (!hold)
		throw inconsistent(
			`The log resolves the call ${call}, for which it holds nothing.`,
		);
	const account = accountOf(state, hold.account);
	const key = hold.key === undefined ? undefined : keyOf(state, hold.key);
	state.holds.delete(call);
	account.holds.delete(call);
	return { account, key };
}

/** Turns a hold into what was charged, each in the window that it counts in. */
function charge(
	spending: Spending,
	held: { readonly time: number; readonly amount: MicroCredits },
	amount: MicroCredits,
	time: number,
): void {
	spending.held -= held.amount;
	spending.spent += amount;
	if (amount < held.amount) discount(spending, held.amount - amount, held.time);
	if (amount > held.amount) count(spending, amount - held.amount, time);
}

/** Undoes part of a charge: what went beyond the hold first. `before` was refunded earlier. */
function giveBack(
	spending: Spending,
	{ amount, settled, held }: DataOf<"credits-refunded">,
	before: MicroCredits,
): void {
	const beyond = Math.max(0, settled.amount - held.amount);
	const fromBeyond = Math.min(amount, Math.max(0, beyond - before));
	spending.spent -= amount;
	discount(spending, fromBeyond, settled.time);
	discount(spending, amount - fromBeyond, held.time);
}

/** Counts an amount in the windows of `time`, which is never before those it counts in already. */
function count(spending: Spending, amount: MicroCredits, time: number): void {
	const day = dayOf(time);
	const month = monthOf(time);
	spending.day = (spending.dayOf === day ? spending.day : 0) + amount;
	spending.month = (spending.monthOf === month ? spending.month : 0) + amount;
	spending.dayOf = day;
	spending.monthOf = month;
}

/** Takes an amount that was counted at `time` out of the windows that still are the current ones. */
function discount(
	spending: Spending,
	amount: MicroCredits,
	time: number,
): void {
	if (spending.dayOf === dayOf(time)) spending.day -= amount;
	if (spending.monthOf === monthOf(time)) spending.month -= amount;
}

/** Snapshots as plain JSON. Open holds stand once, and find their accounts on loading. */
interface SavedState {
	readonly accounts: readonly (Omit<Account, "holds" | "models"> & {
		models?: readonly string[] | undefined;
	})[];
	readonly keys: readonly (Omit<Key, "expires" | "revoked"> & {
		expires?: number | undefined;
		revoked?: number | undefined;
	})[];
	readonly secrets: readonly {
		readonly hash: string;
		readonly key: string;
		readonly until?: number | undefined;
	}[];
	readonly holds: readonly (Omit<Hold, "key"> & {
		readonly key?: string | undefined;
	})[];
	readonly refunded: readonly (readonly [string, MicroCredits])[];
}
