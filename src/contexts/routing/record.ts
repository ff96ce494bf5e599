import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import { choiceOf, type Decision, type Router } from "./decide.ts";
import type { OwnerTable, Policy, RouteRequest } from "./model.ts";

/** A decision as the log keeps it: all that it stood on, and what it came to. Plain JSON. */
export interface DecisionRecord {
	/** Milliseconds since 1970 UTC. */
	readonly at: number;
	/** Who asked for what, needs as stated and as inferred, money, session and seed: `expand` gives it back. */
	readonly request: ShortRequest;
	/** Versions of what it was decided under. */
	readonly catalogue: string;
	readonly policy: string;
	readonly table: string;
	readonly health: string;
	/** Every substrate's verdict by its place in the catalogue, with the health it was ranked with; `(12)A` for twelve times A. */
	readonly verdicts: string;
	/** The winner's id; absent where nothing was eligible. */
	readonly winner?: string;
	/** Places in the catalogue of the winner and those who would follow: the first eight. */
	readonly order: readonly number[];
	/** In their order. */
	readonly attempts?: readonly Attempt[];
}

/** A request with its members' names made short. */
export type ShortRequest = Readonly<Record<string, unknown>>;

/** One try of a call: the substrate, how it ended (`ok`, a fault, or `passed` and why nothing was sent), and milliseconds. */
export type Attempt = readonly [
	substrate: string,
	ending: string,
	took: number,
];

/** What a record names by version; undefined where it is not known any more. */
export interface Inputs {
	catalogue(version: string): CatalogueSnapshot | undefined;
	policy(version: string): Policy | undefined;
	table(version: string): OwnerTable | undefined;
}

/** What running a record again came to. */
export interface Replay {
	readonly decision: Decision;
	/** What is not as it was recorded, in words; none: the same answer. */
	readonly differs: readonly string[];
}

/** At most 1 KB for 300 substrates: versions of up to 16 characters, three patterns of rights. Attempts are known when the call ends: the log has them in the event that ends it. */
export function recordOf(
	{ at, request, catalogue, policy, table, health, verdicts, order }: Decision,
	attempts: readonly Attempt[] = [],
): DecisionRecord {
	const [winner] = order;
	return {
		at,
		request: renamed(request, shortNames) as ShortRequest,
		catalogue,
		policy,
		table,
		health,
		verdicts: shortOf(verdicts),
		...(winner && { winner: winner.facts.id }),
		order: order.slice(0, mostFollowers).map(({ place }) => place),
		...(attempts.length > 0 && { attempts }),
	};
}

/**
 * Decides again from what was recorded. Attempts must follow the order too: one outside of it would have
 * crossed a filter. Refuses with `route/inputs-missing`, or `route/record-broken` where it is none of ours.
 */
export function replay(
	record: DecisionRecord,
	inputs: Inputs,
	router: Router,
): Outcome<Replay> {
	const catalogue = inputs.catalogue(record.catalogue);
	const policy = inputs.policy(record.policy);
	const table = inputs.table(record.table);
	if (!catalogue || !policy || !table) {
		const missing = [
			!catalogue && `catalogue ${record.catalogue}`,
			!policy && `policy ${record.policy}`,
			!table && `table ${record.table}`,
		].filter((each) => each !== false);
		return refuse(
			"route/inputs-missing",
			`The decision cannot be run again: ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} not known here.`,
		);
	}
	const verdicts = lengthen(record.verdicts, catalogue.substrates.length);
	if (verdicts === undefined)
		return refuse(
			"route/record-broken",
			"The verdicts of this record are not as many as its catalogue has substrates.",
		);
	const decision = router.decideGraded(
		expand(record.request),
		catalogue,
		policy,
		{ version: record.health, verdicts },
		table,
		record.at,
	);
	return accept({ decision, differs: differences(record, verdicts, decision) });
}

/** The request of a record as it was. */
export function expand(request: ShortRequest): RouteRequest {
	return renamed(request, longNames) as RouteRequest;
}

/** Stand in the log: a name never gets another meaning, a new one never takes an old one's. */
const shortNames: Readonly<Record<string, string>> = {
	account: "a",
	accountRights: "ar",
	asked: "q",
	because: "w",
	budget: "b",
	callType: "t",
	capabilities: "c",
	channels: "ch",
	costCeiling: "mc",
	difficulty: "d",
	id: "id",
	inferred: "i",
	input: "in",
	key: "k",
	kind: "as",
	latencyCeiling: "ml",
	means: "m",
	name: "n",
	output: "o",
	qualityFloor: "mq",
	rights: "r",
	seed: "e",
	sovereignty: "v",
	stated: "s",
	sticky: "h",
	tags: "g",
	unreachable: "u",
};

const longNames: Readonly<Record<string, string>> = Object.fromEntries(
	Object.entries(shortNames).map(([long, short]) => [short, long]),
);

function renamed(
	value: unknown,
	names: Readonly<Record<string, string>>,
): unknown {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		return value;
	const members: Record<string, unknown> = {};
	for (const name in value)
		if (Object.hasOwn(value, name))
			members[names[name] ?? name] = renamed(
				(value as Record<string, unknown>)[name],
				names,
			);
	return members;
}

const mostFollowers = 8;

function differences(
	record: DecisionRecord,
	verdicts: string,
	decision: Decision,
): readonly string[] {
	const { order } = decision;
	const differs: string[] = [];
	const winner = order[0]?.facts.id;
	if (winner !== record.winner)
		differs.push(
			`the winner is ${winner ?? "nobody"}, and ${record.winner ?? "nobody"} was recorded`,
		);
	if (decision.verdicts !== verdicts)
		differs.push("the verdicts are not those that were recorded");
	const places = order.slice(0, mostFollowers).map(({ place }) => place);
	if (places.join() !== record.order.join())
		differs.push("the order is not the one that was recorded");
	for (const [substrate] of record.attempts ?? []) {
		if (!choiceOf(order, substrate))
			differs.push(`an attempt went to ${substrate}, which was not eligible`);
	}
	return differs;
}

/** Decisions of one second mostly have the same verdicts: the last that were made short. */
let lastVerdicts = "";
let lastShort = "";

function shortOf(verdicts: string): string {
	if (verdicts !== lastVerdicts) {
		lastShort = shorten(verdicts);
		lastVerdicts = verdicts;
	}
	return lastShort;
}

/** Runs of five and more by their length. */
function shorten(verdicts: string): string {
	return verdicts.replace(
		/(.)\1{4,}/g,
		(run, verdict: string) => `(${run.length})${verdict}`,
	);
}

/** Undefined where it does not come to `length`. */
function lengthen(short: string, length: number): string | undefined {
	let verdicts = "";
	let at = 0;
	while (at < short.length && verdicts.length < length) {
		let times = 1;
		if (short[at] === "(") {
			const end = short.indexOf(")", at);
			times = Number(short.slice(at + 1, end));
			at = end + 1;
			if (end < 0 || !(times >= 1 && times <= length)) return undefined;
		}
		verdicts += (short[at] ?? "").repeat(times);
		at++;
	}
	return at === short.length && verdicts.length === length
		? verdicts
		: undefined;
}
