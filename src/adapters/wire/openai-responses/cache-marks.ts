import type { CacheMark } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import type { Fields } from "../canonical/fields.ts";

/** A part's breakpoint. Half an hour is what it lasts when nothing is said. */
export function markOf(part: Fields): CacheMark | undefined {
	const mark = part.fields("prompt_cache_breakpoint");
	if (!mark) return undefined;
	mark.oneOf("mode", ["explicit"]);
	const ttl = mark.oneOf("ttl", ["30m", "12h"]);
	mark.done();
	if (ttl !== "12h") return {};
	part.warn({
		kind: "changed",
		field: `${part.path}prompt_cache_breakpoint.ttl`,
		message: "Vendors of other protocols keep a prompt for an hour at most.",
	});
	return { ttl: "1h" };
}

/** The breakpoint for a mark, where the model knows them. */
export function breakpoint(
	mark: CacheMark | undefined,
	field: string,
	explicit: boolean,
	warn: Warn,
): Json {
	if (!mark) return {};
	if (!explicit) {
		warn({
			kind: "dropped",
			field: `${field}.cache`,
			message: "The vendor decides itself what of a prompt it keeps.",
		});
		return {};
	}
	return {
		prompt_cache_breakpoint: {
			mode: "explicit",
			...(mark.ttl === "1h" && { ttl: "12h" }),
		},
	};
}

/** Marks of the client's own are known from GPT-5.6 on (developers.openai.com/api/docs/guides/prompt-caching); others refuse them. */
export function marksCache(model: string): boolean {
	const version = /(?:^|\/)gpt-(\d{1,2})(?:\.(\d{1,2}))?/.exec(model);
	if (!version) return false;
	const [major, minor] = [Number(version[1]), Number(version[2] ?? 0)];
	return major > 5 || (major === 5 && minor >= 6);
}
