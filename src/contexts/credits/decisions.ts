import type { Decision, KeyedDraft } from "../../kernel/decider.ts";
import type { JsonObject } from "../../kernel/event.ts";
import { Fault, refuse } from "../../kernel/outcome.ts";
import type {
	Account,
	CreditsCommand,
	CreditsEvent,
	CreditsState,
	DataOf,
	Key,
} from "./model.ts";

/** The idempotency key under which the log keeps the one resolution of a call. */
export function resolutionKey(call: string): string {
	return `resolve/${call}`;
}

/** The stream that holds all that ever happened to an account: its statement. */
export function accountStream(account: string): string {
	return `account/${account}`;
}

export type Ask<Type extends CreditsCommand["type"]> = Extract<
	CreditsCommand,
	{ type: Type }
>;

export function unknownAccount(account: string): Decision {
	return refuse("account/unknown", "No account has this id.", { account });
}

export function unknownKey(key: string): Decision {
	return refuse("key/unknown", "No key has this id.", { key });
}

/** Accepts with one event on its account's stream. */
export function record<Type extends CreditsEvent["type"]>(
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
export function present<Fields extends object>(
	fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
	const there: Record<string, unknown> = {};
	for (const name in fields)
		if (fields[name] !== undefined) there[name] = fields[name];
	return there as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}

export function accountOf(state: CreditsState, id: string): Account {
	const account = state.accounts.get(id);
	if (!account)
		throw inconsistent(
			`The log names the account ${id}, which it never opened.`,
		);
	return account;
}

export function keyOf(state: CreditsState, id: string): Key {
	const key = state.keys.get(id);
	if (!key)
		throw inconsistent(`The log names the key ${id}, which it never created.`);
	return key;
}

/** No decision of ours leads there: the log was written by something else, and its sums cannot be trusted. */
export function inconsistent(message: string): Fault {
	return new Fault("credits/log-inconsistent", `${message} Verify the log.`);
}
