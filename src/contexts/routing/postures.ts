import type { SubstrateFacts } from "../../ports/catalogue.ts";
import type { BrokenPosture, Posture, Scope, Selector } from "./model.ts";
import { allPlaces, join, leave, noPlaces, type Places } from "./places.ts";
import {
	type Columns,
	describe,
	holds,
	isListOfText,
	isRecord,
	readSelector,
	touches,
	whyNot,
} from "./selectors.ts";

/** Whom a call is for. */
export interface Who {
	readonly account: string;
	readonly key?: string;
	readonly tags?: readonly string[];
}

/** The postures that bind a call. Where there are stops, nothing is allowed. */
export interface InForce {
	readonly postures: readonly Posture[];
	readonly stops: readonly { readonly id: string; readonly problem: string }[];
}

/**
 * What binds a call at an instant: now, or one long past. Of several entries with one id the one that came
 * into force last counts; two of the same moment contradict each other, and stop what both bind.
 */
export function inForce(
	policy: {
		readonly postures: readonly Posture[];
		readonly broken: readonly BrokenPosture[];
	},
	who: Who,
	at: number,
): InForce {
	const latest = new Map<string, Posture[]>();
	for (const posture of policy.postures) {
		if (!isDue(posture, at) || !binds(posture.scope, who)) continue;
		const rivals = latest.get(posture.id);
		const lead = rivals?.[0]?.from ?? Number.NEGATIVE_INFINITY;
		if (posture.from > lead) latest.set(posture.id, [posture]);
		else if (posture.from === lead) rivals?.push(posture);
	}
	const postures: Posture[] = [];
	const stops: { id: string; problem: string }[] = [];
	for (const [id, [first, ...rivals]] of latest) {
		if (rivals.length > 0)
			stops.push({
				id,
				problem: "two of its entries come into force at the same moment",
			});
		else if (first) postures.push(first);
	}
	for (const broken of policy.broken) {
		if (isDue(broken, at) && binds(broken.scope, who))
			stops.push({ id: broken.id, problem: broken.problem });
	}
	return { postures, stops };
}

/** Why a posture bars a substrate, in words; undefined where it does not. */
export function whyBarred(
	posture: Posture,
	facts: SubstrateFacts,
): string | undefined {
	for (const selector of posture.deny) {
		const truth = touches(selector, facts);
		if (truth === "yes")
			return `the posture "${posture.id}" denies ${describe(selector)}`;
		if (truth === "unknown")
			return `the posture "${posture.id}" denies ${describe(selector)}, and nothing that is known rules that out`;
	}
	for (const selector of posture.require) {
		const why = whyNot(selector, facts);
		if (why !== undefined)
			return `the posture "${posture.id}" requires ${describe(selector)}: ${why}`;
	}
	if (
		posture.allow.length > 0 &&
		!posture.allow.some((selector) => holds(selector, facts) === "yes")
	)
		return `the posture "${posture.id}" allows only ${posture.allow.map(describe).join("; or ")}`;
	return undefined;
}

/** Those that a posture bars, without the words. */
export function barredBy(
	{ deny, require: required, allow }: Posture,
	columns: Columns,
): Places {
	const barred = noPlaces(columns.size);
	for (const selector of deny) join(barred, columns.possible(selector));
	for (const selector of required)
		join(barred, leave(allPlaces(columns.size), columns.certain(selector)));
	if (allow.length === 0) return barred;
	const stray = allPlaces(columns.size);
	for (const selector of allow) leave(stray, columns.certain(selector));
	return join(barred, stray);
}

/** Reads the owner's documents. One that cannot be read, or that cannot be kept, comes back broken. */
export function readPostures(documents: readonly unknown[]): {
	readonly postures: readonly Posture[];
	readonly broken: readonly BrokenPosture[];
	/** Which of the documents each broken one is, from 0. */
	readonly places: readonly number[];
} {
	const postures: Posture[] = [];
	const broken: BrokenPosture[] = [];
	const places: number[] = [];
	for (const [at, document] of documents.entries()) {
		const read = readPosture(document);
		if (typeof read !== "string") postures.push(read);
		else {
			broken.push(stopFor(document, at, read));
			places.push(at);
		}
	}
	return { postures, broken, places };
}

/** Milliseconds of `2026-11-12` (midnight UTC) or of a time with its zone, `2026-11-12T09:30:00Z`; undefined for any other text. */
export function readInstant(raw: unknown): number | undefined {
	if (typeof raw !== "string") return undefined;
	const match =
		/^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/.exec(
			raw,
		);
	if (!match) return undefined;
	const [, day = ""] = match;
	const midnight = Date.parse(day);
	// A runtime may take the 31st of February for the 3rd of March.
	if (
		Number.isNaN(midnight) ||
		new Date(midnight).toISOString().slice(0, 10) !== day
	)
		return undefined;
	const instant = Date.parse(raw);
	return Number.isNaN(instant) ? undefined : instant;
}

const members = [
	"id",
	"by",
	"why",
	"from",
	"until",
	"scope",
	"allow",
	"deny",
	"require",
	"prefer",
];

function readPosture(raw: unknown): Posture | string {
	if (!isRecord(raw)) return "it is no map";
	const stray = Object.keys(raw).find((name) => !members.includes(name));
	if (stray !== undefined) return `"${stray}" is not known`;
	const { id, by, why } = raw;
	for (const [name, value] of Object.entries({ id, by, why })) {
		if (typeof value !== "string" || value.trim() === "")
			return `${name} is missing`;
	}
	const from = readInstant(raw.from);
	if (from === undefined) return "from is no date";
	const until = readInstant(raw.until);
	if (raw.until !== undefined && until === undefined) return "until is no date";
	if (until !== undefined && until <= from) return "it ends before it begins";
	const scope = readScope(raw.scope);
	if (typeof scope === "string") return scope;
	const rules: Record<string, readonly Selector[]> = {};
	for (const name of ["allow", "deny", "require", "prefer"]) {
		const read = readSelectors(raw[name]);
		if (typeof read === "string") return `${name}: ${read}`;
		rules[name] = read;
	}
	const { allow = [], deny = [], require: required = [], prefer = [] } = rules;
	const denied = new Set(deny.map(canonical));
	const both = [...allow, ...required].find((one) =>
		denied.has(canonical(one)),
	);
	if (both) return `it denies what it asks for: ${describe(both)}`;
	return {
		id: id as string,
		by: by as string,
		why: why as string,
		from,
		...(until === undefined ? {} : { until }),
		scope,
		allow,
		deny,
		require: required,
		prefer,
	};
}

function readSelectors(raw: unknown): readonly Selector[] | string {
	if (raw === undefined) return [];
	if (!Array.isArray(raw)) return "is no list";
	const selectors: Selector[] = [];
	for (const each of raw) {
		const read = readSelector(each);
		if (typeof read === "string") return read;
		selectors.push(read);
	}
	return selectors;
}

function readScope(raw: unknown): Scope | string {
	if (raw === undefined) return {};
	if (!isRecord(raw)) return "scope is no map";
	for (const [name, value] of Object.entries(raw)) {
		if (!["accounts", "keys", "tags"].includes(name))
			return `scope: "${name}" is not known`;
		// An empty list would bind nobody: nobody means that.
		if (!isListOfText(value)) return `scope: ${name} names nobody`;
	}
	return raw as Scope;
}

/** What of a broken document can be read still bounds what it stops. */
function stopFor(raw: unknown, at: number, problem: string): BrokenPosture {
	const { id, from, until, scope } = isRecord(raw) ? raw : ({} as never);
	const [start, end] = [readInstant(from), readInstant(until)];
	const inOrder = start === undefined || end === undefined || start < end;
	const bound = isRecord(raw) ? readScope(scope) : "";
	return {
		id: typeof id === "string" && id !== "" ? id : `number ${at + 1}`,
		problem,
		scope: typeof bound === "string" ? {} : bound,
		...(start === undefined || !inOrder ? {} : { from: start }),
		...(end === undefined || !inOrder ? {} : { until: end }),
	};
}

function isDue(
	{
		from = Number.NEGATIVE_INFINITY,
		until = Number.POSITIVE_INFINITY,
	}: { readonly from?: number; readonly until?: number },
	at: number,
): boolean {
	return from <= at && at < until;
}

function binds({ accounts, keys, tags }: Scope, who: Who): boolean {
	return (
		(accounts === undefined || accounts.includes(who.account)) &&
		(keys === undefined || (who.key !== undefined && keys.includes(who.key))) &&
		(tags === undefined || tags.some((tag) => who.tags?.includes(tag) === true))
	);
}

function canonical(selector: Selector): string {
	return JSON.stringify(
		Object.entries(selector)
			.map(([name, value]) => [
				name,
				Array.isArray(value)
					? value.map((one) => String(one).toLowerCase()).sort()
					: value,
			])
			.sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),
	);
}
