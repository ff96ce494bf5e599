import type { UsageClass } from "../../ports/price-book.ts";
import type { CostBasis, CostPart, Ending } from "../credits/index.ts";
import type { Leg } from "./plan.ts";
import type { Settlement } from "./settlement.ts";

/**
 * A stream that broke off when its client had some of it, and that another substrate is to go on with
 * (docs/decisions/0013-a-continued-stream.md). Once in a call.
 */
export interface Continued {
	/** Why it broke off: what is recorded and answered where nobody can go on. */
	readonly broken: {
		readonly ending: Ending;
		readonly note: string;
		readonly answer: (charged: number | undefined) => void;
	};
	/** What is owed for what broke off; undefined: nothing is. */
	readonly begun: CostPart | undefined;
	readonly notes: readonly string[];
	/** Characters of the answer's text when it broke off. */
	readonly after: number;
	/** Milliseconds from the request to the first byte that the client got. */
	readonly firstByte: number | undefined;
}

/** What is owed for what was begun. */
export function owedFor(continued: Continued | undefined): number {
	return continued?.begun?.cost ?? 0;
}

/** What a substrate's part of an answer costs, by its own price sheet. */
export function partOf(
	{ substrate, sheet }: Leg,
	after: number,
	{ cost, basis, usage, lines }: Settlement,
): CostPart {
	return {
		substrate: substrate.id,
		after,
		cost,
		basis,
		sheet: sheet.id,
		usage,
		lines,
	};
}

/** The whole of an answer in parts: each part's cost was rounded by its own sheet's lines, and the sum is not rounded again. */
export function sumOf(parts: readonly CostPart[]): Pick<
	Settlement,
	"cost" | "basis" | "usage" | "lines"
> & {
	readonly parts: readonly CostPart[];
} {
	const usage: { [Class in UsageClass]?: number } = {};
	for (const part of parts)
		for (const [name, units] of Object.entries(part.usage) as Entries)
			usage[name] = (usage[name] ?? 0) + units;
	return {
		cost: parts.reduce((sum, { cost }) => sum + cost, 0),
		basis: basisOf(parts.map(({ basis }) => basis)),
		usage,
		lines: [],
		parts,
	};
}

type Entries = readonly (readonly [UsageClass, number])[];

/** A sum is as sure as the least sure of its parts. */
function basisOf(bases: readonly CostBasis[]): CostBasis {
	if (bases.includes("estimated")) return "estimated";
	const [first = "priced"] = bases;
	return bases.every((each) => each === first) ? first : "priced";
}

/**
 * What a call's hold has to come to before the next substrate is asked: what it takes there, on top of what is owed
 * already. Undefined: the caller's ceiling for the whole call leaves no room for that.
 */
export function holdFor(
	{ amount, size }: Leg,
	owed: number,
	ceiling: number | undefined,
): { readonly amount: number; readonly atLeast: number } | undefined {
	const most = Math.min(owed + amount, ceiling ?? Number.POSITIVE_INFINITY);
	const atLeast = owed + Math.min(size.atLeast, amount);
	return atLeast <= most ? { amount: most, atLeast } : undefined;
}
