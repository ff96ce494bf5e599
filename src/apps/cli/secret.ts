import { keyHint } from "../../contexts/credits/index.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Digest } from "../../ports/digest.ts";

export interface Secret {
	/** Shown once, never stored. */
	readonly text: string;
	/** What is stored. */
	readonly hash: string;
	readonly hint: string;
}

const alphabet =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Base62 digits that 256 bits need. */
const length = 43;

/** A new secret: `dos_sk_` and 256 random bits in base62. */
export function makeSecret(chance: Chance, digest: Digest): Secret {
	let rest = 0n;
	for (const byte of chance.bytes(32)) rest = rest * 256n + BigInt(byte);
	let body = "";
	for (; body.length < length; rest /= 62n)
		body = alphabet.charAt(Number(rest % 62n)) + body;
	const text = `dos_sk_${body}`;
	return { text, hash: digest.text(text), hint: keyHint(text) };
}
