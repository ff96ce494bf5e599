import type { StatedNeeds } from "./model.ts";
import { readNeeds } from "./needs.ts";
import { isListOfText, isRecord } from "./selectors.ts";

/** What an account or a key brings to every call of its own. */
export interface Profile {
	readonly needs?: StatedNeeds;
	readonly tags?: readonly string[];
	/** Milliseconds that a cached answer may be used; absent: no cache. */
	readonly cache?: number;
	/** False: no call of it is sent a second time, to another model. */
	readonly shadow?: false;
}

export type ProfileOf = "key" | "account";

/** Reads a profile, or says what is wrong. One that says nothing is none. */
export function readProfile(raw: unknown): Profile | string {
	if (!isRecord(raw)) return "it is no map";
	const { needs, tags, cache, shadow, ...stray } = raw;
	const [unknown] = Object.keys(stray);
	if (unknown !== undefined) return `"${unknown.slice(0, 50)}" is not known`;
	if (needs !== undefined) {
		const read = readNeeds(needs);
		if (typeof read === "string") return read;
	}
	if (tags !== undefined && !isListOfText(tags))
		return "tags is no list of words with one in it";
	if (
		cache !== undefined &&
		!(Number.isSafeInteger(cache) && (cache as number) >= 1)
	)
		return "cache is no time in milliseconds";
	if (shadow !== undefined && shadow !== false)
		return "shadow can only be false";
	if ([needs, tags, cache, shadow].every((each) => each === undefined))
		return "it says nothing";
	return raw as Profile;
}
