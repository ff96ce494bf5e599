import type { DomainEvent } from "../../kernel/event.ts";
import type {
	Caps,
	CreditsCommand,
	CreditsEvent,
	CreditsState,
	DataOf,
} from "./model.ts";

/**
 * An auditor of the money: hears every event, keeps nothing but a list of calls, and sums that list anew
 * for each question. It shares no arithmetic with the decider, windows and calendar included, and so says
 * independently what a history must never hold, what a state must be, and what a command must lead to.
 */
export interface Audit {
	/** Throws a `Violation` when this event must never have followed those before. */
	hear(event: DomainEvent): void;
	/** Throws a `Violation` when the state says otherwise than the history at `now`. */
	compare(state: CreditsState, now: number): void;
	/**
	 * What the command must lead to now: the amount that it records (0 when it records none), or a refusal's code.
	 * A hold that finds no room is `no room`, or `no room, waitable`.
	 */
	expect(command: CreditsCommand, now: number): string | number;
}

export class Violation extends Error {}

interface Owner {
	readonly id: string;
	caps: Caps;
}

interface AuditedAccount extends Owner {
	granted: number;
	models: readonly string[] | undefined;
}

interface AuditedKey extends Owner {
	readonly account: string;
	readonly can: readonly string[];
	readonly models: readonly string[] | undefined;
	readonly expires: number;
	revoked: boolean;
	hash: string;
}

interface Call {
	readonly account: string;
	readonly key: string | undefined;
	hold: number;
	readonly heldAt: number;
	readonly heldIn: Windows;
	readonly expires: number;
	ended?: "settled" | "released" | "expired";
	endedIn?: Windows;
	charged: number;
	refunded: number;
}

/** Names of the windows that a time is in. */
interface Windows {
	readonly total: "ever";
	readonly day: string;
	readonly month: string;
}

function windowsOf(time: number): Windows {
	const text = new Date(time).toISOString();
	return { total: "ever", day: text.slice(0, 10), month: text.slice(0, 7) };
}

export function auditHistory(): Audit {
	const accounts = new Map<string, AuditedAccount>();
	const keys = new Map<string, AuditedKey>();
	const hashes = new Set<string>();
	const calls = new Map<string, Call>();
	let lastTime = 0;

	function demand(truth: boolean, claim: string): asserts truth {
		if (!truth) throw new Violation(claim);
	}

	/** What an account or key has in holds and charges, counted in the windows where the rules say. */
	function used(
		of: "account" | "key",
		id: string,
		window: keyof Windows,
		now: Windows,
	): { held: number; spent: number } {
		let held = 0;
		let spent = 0;
		for (const call of calls.values()) {
			if (call[of] !== id) continue;
			const beyond = Math.max(0, call.charged - call.hold);
			const beyondBack = Math.min(call.refunded, beyond);
			if (call.heldIn[window] === now[window]) {
				if (!call.endedIn) held += call.hold;
				spent += call.charged - beyond - (call.refunded - beyondBack);
			}
			if (call.endedIn?.[window] === now[window]) spent += beyond - beyondBack;
		}
		return { held, spent };
	}

	/** By how much each limit is kept (or, negative, broken) at `now`. */
	function slack(
		account: string,
		key: string | undefined,
		time: number,
	): number[] {
		const now = windowsOf(time);
		const sum = used("account", account, "total", now);
		const found = [
			(accounts.get(account)?.granted ?? 0) - sum.spent - sum.held,
		];
		const owners = [
			["account", accounts.get(account)],
			["key", key === undefined ? undefined : keys.get(key)],
		] as const;
		for (const [of, owner] of owners) {
			for (const window of ["total", "day", "month"] as const) {
				const cap = owner?.caps[window];
				if (!owner || cap === undefined) continue;
				const { held, spent } = used(of, owner.id, window, now);
				found.push(cap - held - spent);
			}
		}
		return found;
	}

	function perRequest(account: string, key: string | undefined): number {
		return Math.min(
			accounts.get(account)?.caps.request ?? Number.MAX_SAFE_INTEGER,
			(key === undefined ? undefined : keys.get(key)?.caps.request) ??
				Number.MAX_SAFE_INTEGER,
		);
	}

	/** What `slack` would be with every open hold of the account released. */
	function slackWithoutHolds(
		account: string,
		key: string | undefined,
		now: number,
	): number[] {
		const open = [...calls].filter(
			([, call]) => call.account === account && !call.ended,
		);
		for (const [id] of open) calls.delete(id);
		const found = slack(account, key, now);
		for (const [id, call] of open) calls.set(id, call);
		return found;
	}

	function hearHold(data: DataOf<"credits-held">, time: number): void {
		demand(!calls.has(data.call), `the call ${data.call} is held twice`);
		demand(
			Number.isSafeInteger(data.amount) && data.amount >= 0,
			`a hold of ${data.amount}`,
		);
		demand(accounts.has(data.account), `a hold of nobody`);
		if (data.key !== undefined) {
			const key = keys.get(data.key);
			demand(key?.account === data.account, "a hold on another's key");
			demand(
				!key.revoked && time < key.expires && key.can.includes("call"),
				`a hold on the key ${key.id}, which does not work`,
			);
		}
		calls.set(data.call, {
			account: data.account,
			key: data.key,
			hold: data.amount,
			heldAt: time,
			heldIn: windowsOf(time),
			expires: data.expires,
			charged: 0,
			refunded: 0,
		});
		if (data.amount > 0)
			demandWithin(data.account, data.key, time, `the hold of ${data.call}`);
		demand(
			data.amount <= perRequest(data.account, data.key),
			`the hold of ${data.call} passes a cap per request`,
		);
	}

	function hearMove(data: DataOf<"hold-moved">, time: number): void {
		const call = calls.get(data.call);
		demand(
			call !== undefined && !call.ended,
			`the call ${data.call} is moved and not open`,
		);
		demand(
			call.account === data.account && call.key === data.key,
			`the call ${data.call} is moved to another's purse`,
		);
		demand(
			data.before.amount === call.hold,
			`the move of ${data.call} names another hold`,
		);
		demand(
			Number.isSafeInteger(data.amount) && data.amount >= 0,
			`a move to ${data.amount}`,
		);
		const more = data.amount > call.hold;
		call.hold = data.amount;
		if (!more) return;
		const what = `the move of ${data.call}`;
		// In the windows of its first moment, whatever the time is by now.
		demandWithin(call.account, call.key, call.heldAt, what);
		demandWithin(call.account, call.key, time, what);
		demand(
			data.amount <= perRequest(call.account, call.key),
			`${what} passes a cap per request`,
		);
	}

	function demandWithin(
		account: string,
		key: string | undefined,
		time: number,
		what: string,
	): void {
		demand(
			Math.min(...slack(account, key, time)) >= 0,
			`${what} passes the balance or a cap`,
		);
	}

	function hearEnd(
		call: string,
		ended: "settled" | "released" | "expired",
		time: number,
		charged: number,
	): Call {
		const open = calls.get(call);
		demand(open !== undefined, `the call ${call} ends without a hold`);
		demand(
			open.ended === undefined,
			`the call ${call} ends twice: ${open.ended}, then ${ended}`,
		);
		open.ended = ended;
		open.endedIn = windowsOf(time);
		open.charged = charged;
		return open;
	}

	function hearSettlement(data: DataOf<"credits-settled">, time: number): void {
		const { amount, cost, uncollected = 0 } = data;
		demand(
			[amount, cost, uncollected].every(
				(one) => Number.isSafeInteger(one) && one >= 0,
			),
			"a settlement of no amount",
		);
		demand(
			amount + uncollected === cost,
			`the settlement of ${data.call} loses something`,
		);
		const call = hearEnd(data.call, "settled", time, amount);
		demand(
			data.held.amount === call.hold && data.held.time === call.heldAt,
			`the settlement of ${data.call} names another hold`,
		);
		demand(
			amount >= Math.min(cost, call.hold),
			`the settlement of ${data.call} leaves a held debt`,
		);
		if (amount > call.hold) {
			demandWithin(call.account, call.key, time, `the charge of ${data.call}`);
			demand(
				amount <= perRequest(call.account, call.key),
				`the charge of ${data.call} passes a cap per request`,
			);
		}
		if (uncollected > 0) {
			const more = Math.min(
				...slack(call.account, call.key, time),
				perRequest(call.account, call.key) - amount,
			);
			demand(
				more <= 0,
				`the settlement of ${data.call} does not collect ${more} that are there`,
			);
		}
	}

	function predictHold(
		command: Extract<CreditsCommand, { type: "hold" }>,
		now: number,
	): string | number {
		const { account, key: id, amount, atLeast, pressing } = command;
		if (calls.has(command.call)) return "hold/exists";
		if (command.expires <= now) return "hold/due-already";
		if (!accounts.has(account)) return "account/unknown";
		if (id !== undefined) {
			const key = keys.get(id);
			if (!key) return "key/unknown";
			if (key.revoked) return "key/revoked";
			if (now >= key.expires) return "key/expired";
			const allowed =
				key.models?.some(
					(model) =>
						model === "*" ||
						model === command.model ||
						model === command.substrate,
				) ?? true;
			if (key.account !== account || !key.can.includes("call") || !allowed)
				return "key/forbidden";
		}
		if (isOutOfReach(account, command)) return "account/forbidden";
		const most = perRequest(account, id);
		const room = Math.max(0, Math.min(most, ...slack(account, id, now)));
		if (amount <= room) return amount;
		const best = Math.max(
			0,
			Math.min(most, ...slackWithoutHolds(account, id, now)),
		);
		if (
			atLeast !== undefined &&
			atLeast <= room &&
			(pressing || Math.min(amount, best) <= room)
		)
			return room;
		const waitable = Math.min(amount, atLeast ?? amount) <= best;
		return waitable ? "no room, waitable" : "no room";
	}

	function isOutOfReach(
		account: string,
		{
			model,
			substrate,
		}: { readonly model: string; readonly substrate: string },
	): boolean {
		const { models } = accounts.get(account) ?? {};
		return (
			models !== undefined &&
			!models.includes(model) &&
			!models.includes(substrate)
		);
	}

	function predictMove(
		command: Extract<CreditsCommand, { type: "move-hold" }>,
		now: number,
	): string | number {
		const refused = predictEnd(command.call);
		if (refused) return refused;
		const call = calls.get(command.call) as Call;
		const { account, key: id } = call;
		if (id !== undefined) {
			const key = keys.get(id);
			if (key?.revoked) return "key/revoked";
			if (key && now >= key.expires) return "key/expired";
			const { models } = key ?? {};
			if (
				models &&
				!models.includes(command.model) &&
				!models.includes(command.substrate)
			)
				return "key/forbidden";
		}
		if (isOutOfReach(account, command)) return "account/forbidden";
		const { amount, atLeast = amount } = command;
		if (amount <= call.hold) return amount;
		const today = windowsOf(now);
		const owners = [
			accounts.get(account),
			id === undefined ? undefined : keys.get(id),
		];
		const over = owners.some((owner) =>
			(["day", "month"] as const).some(
				(window) =>
					owner?.caps[window] !== undefined &&
					call.heldIn[window] !== today[window],
			),
		);
		const room = Math.min(
			perRequest(account, id) - call.hold,
			...slack(account, id, now),
		);
		const most = over ? call.hold : call.hold + Math.max(0, room);
		if (Math.min(amount, atLeast) <= most) return Math.min(amount, most);
		const best = Math.min(
			perRequest(account, id),
			...slackWithoutHolds(account, id, now),
		);
		return !over && Math.min(amount, atLeast) <= best
			? "no room, waitable"
			: "no room";
	}

	function predictEnd(call: string): string | undefined {
		const known = calls.get(call);
		if (!known) return "hold/unknown";
		if (known.ended === "settled") return "hold/already-settled";
		if (known.ended === "released") return "hold/already-released";
		return known.ended && "hold/expired";
	}

	return {
		hear(recorded) {
			const event = recorded as CreditsEvent;
			const { time } = event;
			demand(time >= lastTime, "time goes back in the log");
			lastTime = time;
			switch (event.type) {
				case "account-opened":
					demand(
						!accounts.has(event.data.account),
						"an account is opened twice",
					);
					accounts.set(event.data.account, {
						id: event.data.account,
						caps: event.data.caps,
						granted: 0,
						models: undefined,
					});
					return;
				case "account-models-set": {
					const account = accounts.get(event.data.account);
					demand(account !== undefined, "models of nobody");
					account.models = event.data.models;
					return;
				}
				case "account-caps-set":
				case "key-caps-set": {
					const owner =
						event.type === "key-caps-set"
							? keys.get(event.data.key)
							: accounts.get(event.data.account);
					demand(owner !== undefined, "caps of nobody");
					owner.caps = event.data.caps;
					return;
				}
				case "key-created": {
					const {
						key,
						account,
						scopes,
						expires = Number.POSITIVE_INFINITY,
						caps,
						hash,
					} = event.data;
					demand(!keys.has(key) && !hashes.has(hash), "a key is created twice");
					hashes.add(hash);
					keys.set(key, {
						id: key,
						account,
						can: scopes.can,
						models: scopes.models,
						expires,
						caps,
						revoked: false,
						hash,
					});
					return;
				}
				case "key-rotated":
				case "key-revoked": {
					const key = keys.get(event.data.key);
					demand(
						key !== undefined && !key.revoked,
						`${event.type} for a key that is none`,
					);
					if (event.type === "key-revoked") {
						key.revoked = true;
						return;
					}
					demand(!hashes.has(event.data.hash), "a secret is used twice");
					hashes.add(event.data.hash);
					key.hash = event.data.hash;
					return;
				}
				case "credits-granted": {
					const account = accounts.get(event.data.account);
					demand(account !== undefined, "a grant to nobody");
					account.granted += event.data.amount;
					demand(
						event.data.amount > 0 && Number.isSafeInteger(account.granted),
						"a grant of no amount",
					);
					return;
				}
				case "credits-held":
					return hearHold(event.data, time);
				case "hold-moved":
					return hearMove(event.data, time);
				case "credits-settled":
					return hearSettlement(event.data, time);
				case "credits-released":
					hearEnd(event.data.call, "released", time, 0);
					return;
				case "hold-expired": {
					const call = hearEnd(event.data.call, "expired", time, 0);
					demand(
						time >= call.expires,
						`the hold of ${event.data.call} expires before its time`,
					);
					return;
				}
				case "credits-refunded": {
					const call = calls.get(event.data.call);
					demand(call?.ended === "settled", "a refund of what was not settled");
					call.refunded += event.data.amount;
					demand(
						event.data.amount > 0 && call.refunded <= call.charged,
						`more of ${event.data.call} is refunded than was charged`,
					);
					return;
				}
			}
		},

		compare(state, now) {
			const same = (what: string, actual: unknown, expected: unknown) =>
				demand(
					actual === expected,
					`${what} is ${actual}, and ${expected} by the history`,
				);
			const windows = windowsOf(now);
			same("number of accounts", state.accounts.size, accounts.size);
			same("number of keys", state.keys.size, keys.size);
			const owners = [
				...[...accounts.keys()].map(
					(id) => ["account", id, state.accounts.get(id)] as const,
				),
				...[...keys.keys()].map(
					(id) => ["key", id, state.keys.get(id)] as const,
				),
			];
			for (const [of, id, owner] of owners) {
				demand(owner !== undefined, `the ${of} ${id} is missing`);
				const { held, spent } = used(of, id, "total", windows);
				const day = used(of, id, "day", windows);
				const month = used(of, id, "month", windows);
				same(`held of ${id}`, owner.held, held);
				same(`spent of ${id}`, owner.spent, spent);
				same(
					`day of ${id}`,
					owner.dayOf === Math.floor(now / 86_400_000) ? owner.day : 0,
					day.held + day.spent,
				);
				const monthNow =
					(new Date(now).getUTCFullYear() - 1970) * 12 +
					new Date(now).getUTCMonth();
				same(
					`month of ${id}`,
					owner.monthOf === monthNow ? owner.month : 0,
					month.held + month.spent,
				);
				for (const amount of [
					owner.held,
					owner.spent,
					owner.day,
					owner.month,
				]) {
					demand(
						Number.isSafeInteger(amount) && amount >= 0,
						`${of} ${id} has a negative or broken sum: ${amount}`,
					);
				}
			}
			let open = 0;
			for (const [id, { granted }] of accounts) {
				const account = state.accounts.get(id);
				demand(account !== undefined, `the account ${id} is missing`);
				same(`granted of ${id}`, account.granted, granted);
				demand(
					granted - account.held - account.spent >= 0,
					`the account ${id} is overdrawn`,
				);
				same(
					`sum of holds of ${id}`,
					[...account.holds.values()].reduce(
						(sum, hold) => sum + hold.amount,
						0,
					),
					account.held,
				);
				for (const hold of account.holds.values())
					demand(
						state.holds.get(hold.call) === hold,
						`the hold of ${hold.call} stands twice`,
					);
				open += account.holds.size;
				const own = [...state.keys.values()].filter(
					(key) => key.account === id,
				);
				const keyless = [...calls.values()].filter(
					(call) => call.account === id && call.key === undefined,
				);
				for (const sum of ["held", "spent"] as const) {
					const rest = keyless.reduce(
						(amount, call) =>
							amount +
							(sum === "held"
								? call.ended
									? 0
									: call.hold
								: call.charged - call.refunded),
						0,
					);
					same(
						`${sum} of the keys of ${id}`,
						own.reduce((amount, key) => amount + key[sum], 0),
						account[sum] - rest,
					);
				}
			}
			same("number of open holds", state.holds.size, open);
			same(
				"number of open calls",
				open,
				[...calls.values()].filter((call) => !call.ended).length,
			);
		},

		expect(command, now) {
			const key =
				"key" in command && command.key !== undefined
					? keys.get(command.key)
					: undefined;
			switch (command.type) {
				case "open-account":
					return accounts.has(command.account) ? "account/exists" : 0;
				case "set-account-caps":
				case "set-account-models":
					return accounts.has(command.account) ? 0 : "account/unknown";
				case "create-key":
					if (!accounts.has(command.account)) return "account/unknown";
					if (key) return "key/exists";
					if (hashes.has(command.hash)) return "key/duplicate";
					return command.expires !== undefined && command.expires <= now
						? "key/expired"
						: 0;
				case "set-key-caps":
					return key ? 0 : "key/unknown";
				case "rotate-key":
					if (!key) return "key/unknown";
					if (key.revoked) return "key/revoked";
					if (now >= key.expires) return "key/expired";
					return hashes.has(command.hash) ? "key/duplicate" : 0;
				case "revoke-key":
					if (!key) return "key/unknown";
					return key.revoked ? "key/already-revoked" : 0;
				case "grant": {
					const account = accounts.get(command.account);
					if (!account) return "account/unknown";
					return BigInt(account.granted) + BigInt(command.amount) >= 2n ** 53n
						? "credits/amount-too-large"
						: command.amount;
				}
				case "hold":
					return predictHold(command, now);
				case "move-hold":
					return predictMove(command, now);
				case "settle": {
					const refused = predictEnd(command.call);
					if (refused) return refused;
					const { hold, account, key: of } = calls.get(command.call) as Call;
					const beyond = Math.min(
						perRequest(account, of) - hold,
						...slack(account, of, now),
					);
					return Math.min(command.cost, hold + Math.max(0, beyond));
				}
				case "release":
					return predictEnd(command.call) ?? 0;
				case "expire":
					return (
						predictEnd(command.call) ??
						(now < (calls.get(command.call) as Call).expires
							? "hold/not-due"
							: 0)
					);
				case "refund": {
					const call = calls.get(command.call);
					if (call?.ended !== "settled") return "refund/not-settled";
					const left = call.charged - call.refunded;
					return left === 0 || (command.amount ?? 0) > left
						? "refund/exceeds-charge"
						: (command.amount ?? left);
				}
			}
		},
	};
}
