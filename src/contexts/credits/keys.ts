import { refuse } from "../../kernel/outcome.ts";
import type { CreditsState, Key, Scopes } from "./model.ts";

/**
 * Whose key a secret is, found by its hash; undefined when it is nobody's, or was rotated out and its
 * grace is over. The key may be revoked or past its time: `whyUnusable` says so.
 */
export function findKeyBySecret(
	state: Pick<CreditsState, "secrets" | "keys">,
	hash: string,
	now: number,
): Key | undefined {
	const secret = state.secrets.get(hash);
	if (!secret || (secret.until !== undefined && now >= secret.until))
		return undefined;
	return state.keys.get(secret.key);
}

/** Refusal of a key that is revoked or past its time; undefined for one that works. */
export function whyUnusable(
	key: Key,
	now: number,
): ReturnType<typeof refuse> | undefined {
	if (key.revoked !== undefined) {
		return refuse("key/revoked", "This key was revoked. Use another.", {
			key: key.id,
			revoked: key.revoked,
		});
	}
	if (key.expires !== undefined && now >= key.expires) {
		return refuse("key/expired", "This key is past its time. Create another.", {
			key: key.id,
			expired: key.expires,
		});
	}
	return undefined;
}

/** True when a key's scopes, or an account, allow a model under one of its names: `vendor/model`, bare, as it was asked for. */
export function allowsModel(
	{ models }: Pick<Scopes, "models">,
	...names: readonly string[]
): boolean {
	return (
		models === undefined ||
		models.some((pattern) => names.some((name) => matches(pattern, name)))
	);
}

/** First and last characters of a key, to tell keys apart: `dos_sk_ab…yz`. Too short a secret gives nothing away. */
export function keyHint(secret: string): string {
	const prefix = /^[a-z]+_[a-z]+_/.exec(secret)?.[0] ?? "";
	const body = secret.slice(prefix.length);
	return body.length < 16
		? `${prefix}…`
		: `${prefix}${body.slice(0, 2)}…${body.slice(-2)}`;
}

/** `*` stands for anything, also for nothing. Time grows with pattern × text at most. */
export function matches(pattern: string, text: string): boolean {
	let at = 0;
	let next = 0;
	let star = -1;
	let resume = 0;
	while (at < text.length) {
		if (pattern[next] === "*") {
			star = next++;
			resume = at;
		} else if (next < pattern.length && pattern[next] === text[at]) {
			next += 1;
			at += 1;
		} else if (star >= 0) {
			next = star + 1;
			at = ++resume;
		} else {
			return false;
		}
	}
	while (pattern[next] === "*") next += 1;
	return next === pattern.length;
}
