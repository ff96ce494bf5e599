import type { Decision, DecisionContext } from "../../kernel/decider.ts";
import { refuse } from "../../kernel/outcome.ts";
import {
	type Ask,
	present,
	record,
	unknownAccount,
	unknownKey,
} from "./decisions.ts";
import {
	checkAmount,
	checkCaps,
	checkHash,
	checkId,
	checkModels,
	checkScopes,
	checkText,
	checkTime,
	cleanCaps,
	cleanScopes,
} from "./input.ts";
import { whyUnusable } from "./keys.ts";
import type { CreditsState } from "./model.ts";

export function openAccount(
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

export function setAccountCaps(
	{ account, caps }: Ask<"set-account-caps">,
	state: CreditsState,
): Decision {
	const invalid = checkCaps(caps);
	if (invalid) return invalid;
	if (!state.accounts.has(account)) return unknownAccount(account);
	return record("account-caps-set", { account, caps: cleanCaps(caps) });
}

export function setAccountModels(
	{ account, models }: Ask<"set-account-models">,
	state: CreditsState,
): Decision {
	const invalid = checkModels("models", models);
	if (invalid) return invalid;
	if (!state.accounts.has(account)) return unknownAccount(account);
	return record("account-models-set", {
		account,
		...(models && { models: [...models] }),
	});
}

export function createKey(
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

export function setKeyCaps(
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

export function rotateKey(
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

export function revokeKey(
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

export function grant(
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

function duplicateSecret(): Decision {
	return refuse(
		"key/duplicate",
		"This secret is or was in use. Make a new one.",
	);
}
