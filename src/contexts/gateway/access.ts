import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Digest } from "../../ports/digest.ts";
import {
	type Account,
	findKeyBySecret,
	type Key,
	whyUnusable,
} from "../credits/index.ts";
import type { Head } from "../log/index.ts";
import type { LedgerDeciders } from "./model.ts";

/** Who is asking: a key that works, and the account it belongs to. Live state: read it, never keep it. */
export interface Caller {
	readonly key: Key;
	readonly account: Account;
}

export interface Access {
	/**
	 * The caller behind a key's text. Refuses with `key/missing`, `key/unknown`, `key/revoked`, `key/expired`,
	 * `key/forbidden` (the key may not do this) and `rate/limited` (details carry `retryAfter` in seconds).
	 */
	admit(
		secret: string | undefined,
		to: "call" | "read",
		remote: string,
	): Promise<Outcome<Caller>>;
}

/** Keys come from outside: longer ones than ours are never hashed. */
const longestSecret = 200;
/** Wrong keys that one address may try in a minute. */
const wrongKeysPerMinute = 60;

export function openAccess(options: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	readonly digest: Digest;
	/** Calls a minute that one key may make; undefined for no limit. */
	readonly requestsPerMinute: number | undefined;
	/** Processes that a key's calls are spread over: each allows its part of the limit, and one call a minute at least. */
	readonly replicas?: () => number;
}): Access {
	const {
		head,
		clock,
		digest,
		requestsPerMinute,
		replicas = () => 1,
	} = options;
	const calls = new Map<string, Bucket>();
	const wrongKeys = new Map<string, Bucket>();

	/** Another process may have made the key. Only a wrong key costs a look at the log, and each address has only so many. */
	async function lookInLog(
		hash: string,
		remote: string,
		now: number,
	): Promise<Outcome<Key>> {
		const bucket = bucketOf(wrongKeys, remote, wrongKeysPerMinute, now);
		if (!allows(bucket, wrongKeysPerMinute, now))
			return limited(bucket, wrongKeysPerMinute, now);
		take(bucket);
		await head.refresh();
		const key = findKeyBySecret(head.state("credits"), hash, clock.now());
		return key ? accept(key) : unknownKey;
	}

	return {
		async admit(secret, to, remote) {
			if (secret === undefined || secret === "") {
				return refuse(
					"key/missing",
					"No key was sent. Send yours as `Authorization: Bearer dos_sk_…` or `x-api-key: dos_sk_…`; `dos key create` makes one.",
				);
			}
			if (secret.length > longestSecret) return unknownKey;
			const now = clock.now();
			const hash = digest.text(secret);
			const here = findKeyBySecret(head.state("credits"), hash, now);
			const found = here ? accept(here) : await lookInLog(hash, remote, now);
			if (!found.ok) return found;
			const key = found.value;
			const unusable = whyUnusable(key, now);
			if (unusable) return unusable;
			if (!key.scopes.can.includes(to))
				return refuse(
					"key/forbidden",
					`This key may not ${to === "call" ? "call models" : "read its account"}.`,
				);
			if (to === "call" && requestsPerMinute !== undefined) {
				const share = Math.max(1, requestsPerMinute / replicas());
				const bucket = bucketOf(calls, key.id, share, now);
				if (!allows(bucket, share, now))
					return limited(bucket, share, now, requestsPerMinute);
				take(bucket);
			}
			const account = head.state("credits").accounts.get(key.account);
			if (!account)
				return refuse("account/unknown", "The account of this key is gone.");
			return accept({ key, account });
		},
	};
}

const unknownKey = refuse(
	"key/unknown",
	"This key is not known here. `dos key list` shows which there are; `dos key create` makes a new one.",
);

/** Tokens that refill evenly over a minute. */
interface Bucket {
	left: number;
	at: number;
}

function bucketOf(
	buckets: Map<string, Bucket>,
	name: string,
	perMinute: number,
	now: number,
): Bucket {
	let bucket = buckets.get(name);
	if (!bucket) {
		// Forgetting the oldest bounds memory however many addresses come.
		if (buckets.size >= 10_000)
			buckets.delete(buckets.keys().next().value as string);
		bucket = { left: perMinute, at: now };
		buckets.set(name, bucket);
	}
	return bucket;
}

function refill(bucket: Bucket, perMinute: number, now: number): void {
	const passed = Math.max(0, now - bucket.at);
	bucket.left = Math.min(
		perMinute,
		bucket.left + (passed * perMinute) / 60_000,
	);
	bucket.at = now;
}

function allows(bucket: Bucket, perMinute: number, now: number): boolean {
	refill(bucket, perMinute, now);
	return bucket.left >= 1;
}

function take(bucket: Bucket): void {
	bucket.left -= 1;
}

function limited(
	bucket: Bucket,
	perMinute: number,
	now: number,
	told = perMinute,
): Outcome<never> {
	refill(bucket, perMinute, now);
	const retryAfter = Math.max(
		1,
		Math.ceil(((1 - bucket.left) * 60) / perMinute),
	);
	return refuse(
		"rate/limited",
		`Too many requests: at most ${told} a minute. Try again in ${retryAfter} s.`,
		{ retryAfter, perMinute: told },
	);
}
