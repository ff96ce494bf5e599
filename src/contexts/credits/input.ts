import { type Refusal, refuse } from "../../kernel/outcome.ts";
import { latestTime } from "./calendar.ts";
import type { Caps, Scopes } from "./model.ts";

/**
 * Checks of what commands carry: each answers undefined, or the refusal `credits/invalid` with the
 * field in its details. What passes can stand in the log for ever.
 */
export type Invalid =
	| { readonly ok: false; readonly error: Refusal }
	| undefined;

const id = /^[a-z0-9_-]{1,64}$/;
const hash = /^[0-9a-f]{64}$/;
/** Control and format characters, line separators, lone surrogates: what can hide in a name or break a line. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const printableAscii = /^[ -~]*$/;
const patternLimit = 100;

export function checkId(field: string, value: string): Invalid {
	return typeof value === "string" && id.test(value)
		? undefined
		: invalid(field, "must be 1 to 64 characters of a-z, 0-9, - and _");
}

export function checkText(
	field: string,
	value: string | undefined,
	limit: number,
	least = 1,
): Invalid {
	if (value === undefined && least === 0) return undefined;
	if (
		typeof value !== "string" ||
		value.length < least ||
		value.length > limit
	) {
		return invalid(field, `must be ${least} to ${limit} characters`);
	}
	if (printableAscii.test(value) || !unprintable.test(value)) return undefined;
	return invalid(field, "must hold no control characters or broken unicode");
}

export function checkHash(field: string, value: string): Invalid {
	return typeof value === "string" && hash.test(value)
		? undefined
		: invalid(field, "must be a SHA-256 in lower-case hex");
}

/** A whole number of micro-credits, or of anything else that is counted. */
export function checkAmount(
	field: string,
	value: number | undefined,
	least = 0,
): Invalid {
	return Number.isSafeInteger(value) && (value as number) >= least
		? undefined
		: invalid(field, `must be a whole number from ${least} to 2^53 - 1`);
}

export function checkTime(field: string, value: number | undefined): Invalid {
	return Number.isSafeInteger(value) &&
		(value as number) >= 0 &&
		(value as number) <= latestTime
		? undefined
		: invalid(field, "must be a time in milliseconds since 1970");
}

/** Counts by name: usage. */
export function checkCounts(
	field: string,
	counts: Readonly<Record<string, number | undefined>>,
): Invalid {
	for (const name in counts) {
		const value = counts[name];
		const problem =
			value === undefined ? undefined : checkAmount(`${field}.${name}`, value);
		if (problem) return problem;
	}
	return undefined;
}

export function checkCaps(caps: Caps | undefined): Invalid {
	if (caps === undefined) return undefined;
	for (const [name, cap] of Object.entries(caps)) {
		if (!capNames.includes(name as keyof Caps))
			return invalid(`caps.${name}`, "is no cap that we know");
		const problem =
			cap === undefined ? undefined : checkAmount(`caps.${name}`, cap);
		if (problem) return problem;
	}
	return undefined;
}

export function checkScopes(scopes: Scopes): Invalid {
	if (
		scopes.can.length === 0 ||
		scopes.can.some((can) => can !== "call" && can !== "read")
	) {
		return invalid("scopes.can", "must name call, read or both");
	}
	return checkModels("scopes.models", scopes.models);
}

export function checkModels(
	field: string,
	models: readonly string[] | undefined,
): Invalid {
	if (models === undefined) return undefined;
	if (models.length > patternLimit)
		return invalid(field, `must be at most ${patternLimit} patterns`);
	for (const pattern of models) {
		const problem = checkText(field, pattern, 256);
		if (problem) return problem;
	}
	return undefined;
}

/** The caps that are there, in one order, so that equal caps are equal bytes. */
export function cleanCaps(caps: Caps = {}): Caps {
	const clean: { -readonly [Name in keyof Caps]: Caps[Name] } = {};
	for (const name of capNames)
		if (caps[name] !== undefined) clean[name] = caps[name];
	return clean;
}

export function cleanScopes(scopes: Scopes): Scopes {
	const can = (["call", "read"] as const).filter((one) =>
		scopes.can.includes(one),
	);
	return scopes.models === undefined
		? { can }
		: { can, models: [...scopes.models] };
}

const capNames: readonly (keyof Caps)[] = ["total", "day", "month", "request"];

function invalid(field: string, rule: string): Invalid {
	return refuse("credits/invalid", `${field} ${rule}.`, { field });
}
