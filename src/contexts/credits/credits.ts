import type {
	Decider,
	Decision,
	DecisionContext,
	KeyedDraft,
} from "../../kernel/decider.ts";
import type { DomainEvent, JsonObject } from "../../kernel/event.ts";
import { formatCredits, type MicroCredits } from "../../kernel/money.ts";
import { Fault, refuse } from "../../kernel/outcome.ts";
import { dayOf, monthOf } from "./calendar.ts";
import {
	checkAmount,
	checkCaps,
	checkCounts,
	checkHash,
	checkId,
	checkScopes,
	checkText,
	checkTime,
	cleanCaps,
	cleanScopes,
	type Invalid,
} from "./input.ts";
import { allowsModel, whyUnusable } from "./keys.ts";
import {
	available,
	type CapWindow,
	leftUnder,
	limitsOn,
	requestCap,
	roomFor,
} from "./limits.ts";
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

/**
 * The money rules. They promise, after every event:
 *
 * - granted = available + held + spent for each account, and nothing is ever negative;
 * - a call is resolved (settled, released or expired) once, for ever: each resolution claims the log's
 *   key `resolve/<call>`, so such a command must not be given an idempotency key of its own;
 * - no hold and no charge takes an account or a key past a cap that is in force.
 *
 * **Windows.** Caps per day and month are of UTC calendar days and months. A hold counts in the day and
 * month in which it was made, also when it is settled later: a resolution only ever gives back, and so
 * breaks no cap. What it gives back returns to that window, as long as it is the current one. What a
 * settlement charges beyond its hold counts when it is settled, and goes only as far as the balance and
 * every cap then leave; the rest is recorded as `uncollected`. A refund gives back what was charged
 * beyond the hold first, each part to the window that it counted in.
 *
 * **Caps that are lowered** below what is already used stop new spending and touch nothing else.
 */
export const credits: Decider<CreditsState, CreditsCommand> = {
	name: "credits",
	format: 1,

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
			case "settle":
			case "release":
			case "expire":
				return state.holds.has(command.call)
					? []
					: [resolutionKey(command.call)];
			case "refund":
				return [resolutionKey(command.call)];
			default:
				return [];
		}
	},

	decide(command, state, context) {
		switch (command.type) {
			case "open-account":
				return openAccount(command, state);
			case "set-account-caps":
				return setAccountCaps(command, state);
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
					holds: new Map(),
					...nothingSpent,
				});
				break;
			}
			case "account-caps-set":
				accountOf(state, event.data.account).caps = event.data.caps;
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
				accounts.map(({ id, name, granted, caps, ...spending }) => [
					id,
					{ id, name, granted, caps, holds: new Map(), ...spending },
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

/** The idempotency key under which the log keeps the one resolution of a call. */
export function resolutionKey(call: string): string {
	return `resolve/${call}`;
}

/** The stream that holds all that ever happened to an account: its statement. */
export function accountStream(account: string): string {
	return `account/${account}`;
}

type Ask<Type extends CreditsCommand["type"]> = Extract<
	CreditsCommand,
	{ type: Type }
>;

function openAccount(
	{ account, name, caps }: Ask<"open-account">,
	state: CreditsState,
): Decision {
	const invalid =
		checkId("account", account) ??
		checkText("name", name, 200) ??
		checkCaps(caps);
	if (invalid) return invalid;
	if (state.accounts.has(account))
		return refuse("account/exists", "An account of this id exists.", {
			account,
		});
	return record("account-opened", { account, name, caps: cleanCaps(caps) });
}

function setAccountCaps(
	{ account, caps }: Ask<"set-account-caps">,
	state: CreditsState,
): Decision {
	const invalid = checkCaps(caps);
	if (invalid) return invalid;
	if (!state.accounts.has(account)) return unknownAccount(account);
	return record("account-caps-set", { account, caps: cleanCaps(caps) });
}

function createKey(
	command: Ask<"create-key">,
	state: CreditsState,
	{ now }: DecisionContext,
): Decision {
	const { account, key, name, hash, hint, scopes, caps, expires } = command;
	const invalid =
		checkId("key", key) ??
		checkText("name", name, 200) ??
		checkHash("hash", hash) ??
		checkText("hint", hint, 64) ??
		checkScopes(scopes) ??
		checkCaps(caps) ??
		(expires === undefined ? undefined : checkTime("expires", expires));
	if (invalid) return invalid;
	if (!state.accounts.has(account)) return unknownAccount(account);
	if (state.keys.has(key))
		return refuse("key/exists", "A key of this id exists.", { key });
	if (state.secrets.has(hash)) return duplicateSecret();
	if (expires !== undefined && expires <= now) {
		return refuse(
			"key/expired",
			"The key would be past its time at once. Choose a later one.",
			{ expired: expires },
		);
	}
	return record("key-created", {
		account,
		key,
		name,
		hash,
		hint,
		scopes: cleanScopes(scopes),
		caps: cleanCaps(caps),
		...present({ expires }),
	});
}

function setKeyCaps(
	command: Ask<"set-key-caps">,
	state: CreditsState,
): Decision {
	const invalid = checkCaps(command.caps);
	if (invalid) return invalid;
	const key = state.keys.get(command.key);
	if (!key) return unknownKey(command.key);
	return record("key-caps-set", {
		account: key.account,
		key: key.id,
		caps: cleanCaps(command.caps),
	});
}

function rotateKey(
	command: Ask<"rotate-key">,
	state: CreditsState,
	{ now }: DecisionContext,
): Decision {
	const { hash, hint, graceUntil } = command;
	const invalid =
		checkHash("hash", hash) ??
		checkText("hint", hint, 64) ??
		checkTime("graceUntil", graceUntil);
	if (invalid) return invalid;
	const key = state.keys.get(command.key);
	if (!key) return unknownKey(command.key);
	const unusable = whyUnusable(key, now);
	if (unusable) return unusable;
	if (state.secrets.has(hash)) return duplicateSecret();
	return record("key-rotated", {
		account: key.account,
		key: key.id,
		hash,
		hint,
		graceUntil,
	});
}

function revokeKey(
	{ key: id, reason }: Ask<"revoke-key">,
	state: CreditsState,
): Decision {
	const invalid = checkText("reason", reason, 500, 0);
	if (invalid) return invalid;
	const key = state.keys.get(id);
	if (!key) return unknownKey(id);
	if (key.revoked !== undefined) {
		return refuse("key/already-revoked", "This key is revoked already.", {
			key: id,
			revoked: key.revoked,
		});
	}
	return record("key-revoked", {
		account: key.account,
		key: id,
		...present({ reason }),
	});
}

function grant(
	{ account: id, amount, note }: Ask<"grant">,
	state: CreditsState,
): Decision {
	const invalid =
		checkAmount("amount", amount, 1) ?? checkText("note", note, 500, 0);
	if (invalid) return invalid;
	const account = state.accounts.get(id);
	if (!account) return unknownAccount(id);
	const most = Number.MAX_SAFE_INTEGER - account.granted;
	if (amount > most) {
		return refuse(
			"credits/amount-too-large",
			"An account can be granted 2^53 - 1 micro-credits in its life.",
			{
				account: id,
				granted: account.granted,
				most,
			},
		);
	}
	return record("credits-granted", {
		account: id,
		amount,
		...present({ note }),
	});
}

function hold(
	command: Ask<"hold">,
	state: CreditsState,
	{ now, recalled }: DecisionContext,
): Decision {
	const {
		call,
		amount,
		atLeast,
		pressing = false,
		expires,
		holder,
		substrate,
		model,
		operation,
		sheet,
	} = command;
	const invalid =
		checkId("call", call) ??
		checkAmount("amount", amount) ??
		(atLeast === undefined ? undefined : checkAmount("atLeast", atLeast)) ??
		checkTime("expires", expires) ??
		checkText("holder", holder, 200) ??
		checkText("substrate", substrate, 500) ??
		checkText("model", model, 500) ??
		checkText("operation", operation, 100) ??
		checkText("sheet", sheet, 500);
	if (invalid) return invalid;
	if (state.holds.has(call) || recalled.has(resolutionKey(call))) {
		return refuse(
			"hold/exists",
			"Credits were held for this call before. A new call needs a new id.",
			{ call },
		);
	}
	if (expires <= now) {
		return refuse(
			"hold/due-already",
			"The hold would expire at once: choose a later time, and check the clock.",
			{
				expires,
				now,
			},
		);
	}
	const account = state.accounts.get(command.account);
	if (!account) return unknownAccount(command.account);
	let key: Key | undefined;
	if (command.key !== undefined) {
		key = state.keys.get(command.key);
		if (!key) return unknownKey(command.key);
		const unusable =
			whyUnusable(key, now) ?? whyForbidden(key, account, substrate, model);
		if (unusable) return unusable;
	}
	const room = Math.min(roomFor(account, key, now), requestCap(account, key));
	let held = amount;
	if (amount > room) {
		const withoutHolds = Math.min(
			...limitsOn(account, key, now).map(
				(limit) => leftUnder(limit).withoutHolds,
			),
		);
		// Takes less only when it would get no more by waiting until the holds in flight are resolved, or has waited enough.
		if (
			atLeast === undefined ||
			atLeast > room ||
			(!pressing && Math.min(amount, withoutHolds) > room)
		) {
			return whyNoRoom(account, key, command, withoutHolds, now);
		}
		held = room;
	}
	return record("credits-held", {
		call,
		account: account.id,
		...(key && { key: key.id }),
		amount: held,
		expires,
		holder,
		substrate,
		model,
		operation,
		sheet,
	});
}

function whyForbidden(
	key: Key,
	account: Account,
	substrate: string,
	model: string,
): ReturnType<typeof refuse> | undefined {
	if (key.account !== account.id) {
		return refuse("key/forbidden", "This key belongs to another account.", {
			key: key.id,
			account: account.id,
		});
	}
	if (!key.scopes.can.includes("call")) {
		return refuse(
			"key/forbidden",
			"This key may not call models. Use one with the scope `call`.",
			{ key: key.id },
		);
	}
	if (!allowsModel(key.scopes, substrate, model)) {
		return refuse("key/forbidden", "This key may not use this model.", {
			key: key.id,
			model,
			models: key.scopes.models,
		});
	}
	return undefined;
}

/** Names what stands in the way: a limit that no waiting moves before one that holds in flight make too tight. */
function whyNoRoom(
	account: Account,
	key: Key | undefined,
	{ amount, atLeast }: Ask<"hold">,
	withoutHolds: MicroCredits,
	now: number,
): Decision {
	const limits = limitsOn(account, key, now);
	const least = Math.min(amount, atLeast ?? amount);
	const waitable = least <= withoutHolds;
	const limit =
		limits.find((one) => leftUnder(one).withoutHolds < least) ??
		limits.find((one) => leftUnder(one).now < amount);
	const numbers = {
		needed: amount,
		...(atLeast !== undefined && { atLeast }),
		available: available(account),
		held: account.held,
		holds: account.holds.size,
		waitable,
	};
	const advice = waitable
		? "Calls in flight hold the rest: try again when they are done."
		: "Grant credits to go on.";
	if (!limit || limit.window === "balance") {
		return refuse(
			"credits/insufficient",
			`This call needs ${formatCredits(amount)} credits, and ${formatCredits(numbers.available)} are available${heldBy(account)}. ${advice}`,
			{
				account: account.id,
				...numbers,
			},
		);
	}
	const left = Math.max(0, leftUnder(limit).now);
	return refuse(
		"credits/cap-exceeded",
		limit.window === "request"
			? `This call needs ${formatCredits(amount)} credits, and the ${limit.of} allows a single call ${formatCredits(limit.cap)}. Ask for less, or raise the cap.`
			: `This call needs ${formatCredits(amount)} credits, and the ${limit.of}'s cap ${windowNames[limit.window]} of ${formatCredits(limit.cap)} leaves ${formatCredits(left)}${heldBy(account)}. ${
					waitable
						? advice
						: `Raise the cap${limit.resetsAt === undefined ? "" : ", or wait until it begins anew"}.`
				}`,
		{
			...numbers,
			available: Math.min(numbers.available, left),
			of: limit.of,
			id: limit.of === "key" ? key?.id : account.id,
			window: limit.window,
			cap: limit.cap,
			spent: limit.spent,
			held: limit.held,
			...present({ resetsAt: limit.resetsAt }),
		},
	);
}

/** "; 0.42 are held by 3 calls in flight". */
function heldBy({ held, holds }: Account): string {
	return holds.size === 0
		? ""
		: `; ${formatCredits(held)} are held by ${holds.size === 1 ? "a call" : `${holds.size} calls`} in flight`;
}

const windowNames: Readonly<Record<CapWindow, string>> = {
	total: "in all",
	day: "a day",
	month: "a month",
	request: "a call",
};

function settle(
	command: Ask<"settle">,
	state: CreditsState,
	context: DecisionContext,
): Decision {
	const {
		cost,
		basis,
		ending,
		usage,
		lines,
		sheet,
		notes,
		inputBytes,
		finishReason,
		timing,
		status,
	} = command;
	const invalid =
		checkAmount("cost", cost) ??
		checkCounts("usage", usage) ??
		checkLines(lines);
	if (invalid) return invalid;
	const open = state.holds.get(command.call);
	if (!open) return whyNotOpen(command.call, context);
	const account = accountOf(state, open.account);
	const key = open.key === undefined ? undefined : keyOf(state, open.key);
	let amount = cost;
	if (cost > open.amount) {
		const beyond = Math.min(
			roomFor(account, key, context.now),
			requestCap(account, key) - open.amount,
		);
		amount = Math.min(cost, open.amount + Math.max(0, beyond));
	}
	return record(
		"credits-settled",
		{
			...resolved(open),
			amount,
			cost,
			...(amount < cost && { uncollected: cost - amount }),
			held: { position: open.position, time: open.time, amount: open.amount },
			substrate: open.substrate,
			model: open.model,
			operation: open.operation,
			basis,
			ending,
			usage,
			lines,
			...present({ sheet, notes, inputBytes, finishReason, timing, status }),
		},
		resolutionKey(open.call),
	);
}

function checkLines(lines: Ask<"settle">["lines"]): Invalid {
	for (const { units, price, basisPoints = 0 } of lines) {
		const invalid =
			checkAmount("lines.units", units) ??
			checkAmount("lines.price", price) ??
			checkAmount("lines.basisPoints", basisPoints);
		if (invalid) return invalid;
	}
	return undefined;
}

function release(
	{ call, ending, notes, status }: Ask<"release">,
	state: CreditsState,
	context: DecisionContext,
): Decision {
	const open = state.holds.get(call);
	if (!open) return whyNotOpen(call, context);
	return record(
		"credits-released",
		{
			...resolved(open),
			held: { position: open.position, time: open.time, amount: open.amount },
			substrate: open.substrate,
			model: open.model,
			operation: open.operation,
			ending,
			...present({ notes, status }),
		},
		resolutionKey(call),
	);
}

function expire(
	{ call }: Ask<"expire">,
	state: CreditsState,
	context: DecisionContext,
): Decision {
	const open = state.holds.get(call);
	if (!open) return whyNotOpen(call, context);
	if (context.now < open.expires) {
		return refuse("hold/not-due", "This hold has time left.", {
			call,
			expires: open.expires,
		});
	}
	return record(
		"hold-expired",
		{
			...resolved(open),
			held: { position: open.position, time: open.time, amount: open.amount },
			substrate: open.substrate,
			model: open.model,
			operation: open.operation,
		},
		resolutionKey(call),
	);
}

function refund(
	{ call, amount, reason }: Ask<"refund">,
	state: CreditsState,
	{ recalled }: DecisionContext,
): Decision {
	const invalid =
		(amount === undefined ? undefined : checkAmount("amount", amount, 1)) ??
		checkText("reason", reason, 500);
	if (invalid) return invalid;
	const resolution = recalled.get(resolutionKey(call));
	if (resolution?.type !== "credits-settled") {
		return refuse(
			"refund/not-settled",
			"Only a settled call can be refunded.",
			{ call },
		);
	}
	const settled = resolution.data as DataOf<"credits-settled">;
	const refunded = state.refunded.get(call) ?? 0;
	const left = settled.amount - refunded;
	if (left === 0 || (amount ?? left) > left) {
		return refuse(
			"refund/exceeds-charge",
			"No more can be refunded than was charged.",
			{
				call,
				charged: settled.amount,
				refunded,
				left,
			},
		);
	}
	return record("credits-refunded", {
		call,
		account: settled.account,
		...present({ key: settled.key }),
		amount: amount ?? left,
		reason,
		settled: {
			position: resolution.position,
			time: resolution.time,
			amount: settled.amount,
		},
		held: settled.held,
	});
}

/** How a call that has no open hold ended, as the refusal of a second ending. */
function whyNotOpen(call: string, { recalled }: DecisionContext): Decision {
	const resolution = recalled.get(resolutionKey(call));
	const details = {
		call,
		...(resolution && { position: resolution.position, time: resolution.time }),
	};
	switch (resolution?.type) {
		case "credits-settled":
			return refuse(
				"hold/already-settled",
				"This call was settled already. A correction is a refund.",
				details,
			);
		case "credits-released":
			return refuse(
				"hold/already-released",
				"This call's hold was released already.",
				details,
			);
		case "hold-expired":
			return refuse(
				"hold/expired",
				"This call's hold expired before it was resolved.",
				details,
			);
		default:
			return refuse(
				"hold/unknown",
				"No credits are held for this call.",
				details,
			);
	}
}

function unknownAccount(account: string): Decision {
	return refuse("account/unknown", "No account has this id.", { account });
}

function unknownKey(key: string): Decision {
	return refuse("key/unknown", "No key has this id.", { key });
}

function duplicateSecret(): Decision {
	return refuse(
		"key/duplicate",
		"This secret is or was in use. Make a new one.",
	);
}

function unknownCommand(command: never): Decision {
	return refuse("credits/invalid", "No such command.", {
		field: "type",
		type: (command as CreditsCommand).type,
	});
}

function resolved(open: Hold): { call: string; account: string; key?: string } {
	return open.key === undefined
		? { call: open.call, account: open.account }
		: { call: open.call, account: open.account, key: open.key };
}

/** Accepts with one event on its account's stream. */
function record<Type extends CreditsEvent["type"]>(
	type: Type,
	data: DataOf<Type> & { readonly account: string },
	key?: string,
): Decision {
	const draft: KeyedDraft = {
		stream: accountStream(data.account),
		type,
		data: data as unknown as JsonObject,
	};
	return { ok: true, events: [key === undefined ? draft : { ...draft, key }] };
}

/** The members that are there. */
function present<Fields extends object>(
	fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
	const there: Record<string, unknown> = {};
	for (const name in fields)
		if (fields[name] !== undefined) there[name] = fields[name];
	return there as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
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

function accountOf(state: CreditsState, id: string): Account {
	const account = state.accounts.get(id);
	if (!account)
		throw inconsistent(
			`The log names the account ${id}, which it never opened.`,
		);
	return account;
}

function keyOf(state: CreditsState, id: string): Key {
	const key = state.keys.get(id);
	if (!key)
		throw inconsistent(`The log names the key ${id}, which it never created.`);
	return key;
}

/** No decision of ours leads there: the log was written by something else, and its sums cannot be trusted. */
function inconsistent(message: string): Fault {
	return new Fault("credits/log-inconsistent", `${message} Verify the log.`);
}

/** Snapshots as plain JSON. Open holds stand once, and find their accounts on loading. */
interface SavedState {
	readonly accounts: readonly Omit<Account, "holds">[];
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
