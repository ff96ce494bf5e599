import type { Decision, DecisionContext } from "../../kernel/decider.ts";
import { formatCredits, type MicroCredits } from "../../kernel/money.ts";
import { refuse } from "../../kernel/outcome.ts";
import {
	type Ask,
	accountOf,
	keyOf,
	present,
	record,
	resolutionKey,
	unknownAccount,
	unknownKey,
} from "./decisions.ts";
import {
	checkAmount,
	checkCounts,
	checkId,
	checkText,
	checkTime,
	type Invalid,
} from "./input.ts";
import { allowsModel, whyUnusable } from "./keys.ts";
import {
	aside,
	available,
	type CapWindow,
	leftUnder,
	limitsOn,
	mostFor,
	requestCap,
	roomFor,
	windowOver,
} from "./limits.ts";
import type { Account, CreditsState, DataOf, Hold, Key } from "./model.ts";

export function hold(
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
	const before = state.holds.get(call) ?? recalled.get(resolutionKey(call));
	if (before) {
		return refuse(
			"hold/exists",
			"Credits were held for this call before. A new call needs a new id.",
			{ call, ...present({ position: before.position }) },
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
			whyUnusable(key, now) ?? whyForbidden(key, account, command);
		if (unusable) return unusable;
	}
	const forbidden = whyOutOfReach(account, command);
	if (forbidden) return forbidden;
	const room = Math.min(roomFor(account, key, now), requestCap(account, key));
	let held = amount;
	if (amount > room) {
		const withoutHolds = roomWithoutHolds(account, key, now);
		// Takes less only when it would get no more by waiting until the holds in flight are resolved, or has waited enough.
		if (
			atLeast === undefined ||
			atLeast > room ||
			(!pressing && Math.min(amount, withoutHolds) > room)
		) {
			return whyNoRoom(account, key, command, now);
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
		...(command.route && { route: command.route }),
	});
}

export function moveHold(
	command: Ask<"move-hold">,
	state: CreditsState,
	context: DecisionContext,
): Decision {
	const { call, amount, atLeast, substrate, model, sheet } = command;
	const invalid =
		checkAmount("amount", amount) ??
		(atLeast === undefined ? undefined : checkAmount("atLeast", atLeast)) ??
		checkText("substrate", substrate, 500) ??
		checkText("model", model, 500) ??
		checkText("sheet", sheet, 500);
	if (invalid) return invalid;
	const open = state.holds.get(call);
	if (!open) return whyNotOpen(call, context);
	const account = accountOf(state, open.account);
	const key = open.key === undefined ? undefined : keyOf(state, open.key);
	if (key) {
		const unusable =
			whyUnusable(key, context.now) ?? whyForbidden(key, account, command);
		if (unusable) return unusable;
	}
	const forbidden = whyOutOfReach(account, command);
	if (forbidden) return forbidden;
	let moved = amount;
	if (amount > open.amount) {
		const most = mostFor(open, account, key, context.now);
		if (amount > most) {
			if (atLeast === undefined || atLeast > most)
				return whyNoMore(open, account, key, command, context.now);
			moved = most;
		}
	}
	return record("hold-moved", {
		...resolved(open),
		amount: moved,
		before: { amount: open.amount, substrate: open.substrate },
		substrate,
		model,
		sheet,
	});
}

function whyNoMore(
	open: Hold,
	account: Account,
	key: Key | undefined,
	command: Ask<"move-hold">,
	now: number,
): Decision {
	const over = windowOver(open, account, key, now);
	if (!over) {
		const rest = aside(open, account, key);
		return whyNoRoom(rest.account, rest.key, command, now);
	}
	return refuse(
		"credits/cap-exceeded",
		`This call needs ${formatCredits(command.amount)} credits, and its hold of ${formatCredits(open.amount)} counts in a ${over.window} that is over, so that the ${over.of}'s cap ${windowNames[over.window]} leaves no more for it.`,
		{
			needed: command.amount,
			...present({ atLeast: command.atLeast }),
			available: 0,
			held: account.held,
			holds: account.holds.size,
			waitable: false,
			...over,
			id: over.of === "key" ? key?.id : account.id,
		},
	);
}

function whyForbidden(
	key: Key,
	account: Account,
	{ substrate, model, names = [] }: Ask<"hold" | "move-hold">,
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
	if (!allowsModel(key.scopes, substrate, model, ...names)) {
		return refuse("key/forbidden", "This key may not use this model.", {
			key: key.id,
			model,
			models: key.scopes.models,
		});
	}
	return undefined;
}

/** What an account may not use, none of its keys may. */
function whyOutOfReach(
	account: Account,
	{ substrate, model, names = [] }: Ask<"hold" | "move-hold">,
): ReturnType<typeof refuse> | undefined {
	return allowsModel(account, substrate, model, ...names)
		? undefined
		: refuse("account/forbidden", "This account may not use this model.", {
				account: account.id,
				model,
				models: account.models,
			});
}

/** Names what stands in the way: a limit that no waiting moves before one that holds in flight make too tight. */
function whyNoRoom(
	account: Account,
	key: Key | undefined,
	{ amount, atLeast }: Ask<"hold" | "move-hold">,
	now: number,
): Decision {
	const limits = limitsOn(account, key, now);
	const least = Math.min(amount, atLeast ?? amount);
	const waitable = least <= roomWithoutHolds(account, key, now);
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

/** What a hold could take were every open one released. */
function roomWithoutHolds(
	account: Account,
	key: Key | undefined,
	now: number,
): MicroCredits {
	return Math.min(
		...limitsOn(account, key, now).map(
			(limit) => leftUnder(limit).withoutHolds,
		),
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

export function settle(
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
		parts,
		sheet,
		notes,
		inputBytes,
		finishReason,
		timing,
		status,
		attempts,
	} = command;
	const invalid =
		checkAmount("cost", cost) ??
		checkCounts("usage", usage) ??
		checkLines(lines) ??
		checkParts(command);
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
			...present({
				parts,
				sheet,
				notes,
				inputBytes,
				finishReason,
				timing,
				status,
				attempts,
			}),
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

/** The sum is that of the parts, to the last micro-credit, and no line stands beside them. */
function checkParts({ cost, lines, parts }: Ask<"settle">): Invalid {
	if (parts === undefined) return undefined;
	let sum = 0;
	for (const part of parts) {
		const invalid =
			checkText("parts.substrate", part.substrate, 500) ??
			checkText("parts.sheet", part.sheet, 500) ??
			checkAmount("parts.after", part.after) ??
			checkAmount("parts.cost", part.cost) ??
			checkCounts("parts.usage", part.usage) ??
			checkLines(part.lines);
		if (invalid) return invalid;
		sum += part.cost;
	}
	return sum === cost && lines.length === 0
		? undefined
		: refuse(
				"credits/invalid",
				"parts must come to the cost, and have all the lines.",
				{ field: "parts" },
			);
}

export function release(
	{ call, ending, notes, status, attempts }: Ask<"release">,
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
			...present({ notes, status, attempts }),
		},
		resolutionKey(call),
	);
}

export function expire(
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

export function refund(
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

function resolved(open: Hold): { call: string; account: string; key?: string } {
	return open.key === undefined
		? { call: open.call, account: open.account }
		: { call: open.call, account: open.account, key: open.key };
}
