import type { Difficulty, Grade, TableRow } from "../routing/index.ts";
import type { Report, Row } from "./report.ts";

/** A change to the owner's table for one kind of call, with what speaks for it. */
export interface Proposal {
	readonly callType: string;
	/** Goes before the rows that are there. */
	readonly row: TableRow;
	/** Go before the grades that are there. */
	readonly grades: readonly Grade[];
	/** In words, a line each. */
	readonly evidence: readonly string[];
}

/** A kind of call that nothing is proposed for. */
export interface NoProposal {
	readonly callType: string;
	readonly why: string;
}

export interface ProposeOptions {
	/** How much worse than the best, 0 to 1, may still be chosen for its price. */
	readonly margin: number;
	/** Amounts as the evidence tells them. */
	readonly sayCost: (microCredits: number) => string;
}

/**
 * What a report speaks for: for each kind of call, of those that are about as good as the best the cheapest first. About
 * as good is: within the margin, and not significantly worse. A substrate that lacks data is neither preferred nor graded.
 */
export function propose(
	report: Report,
	options: ProposeOptions,
): readonly (Proposal | NoProposal)[] {
	const callTypes = [...new Set(report.rows.map(({ callType }) => callType))];
	return callTypes.map((callType) => proposeFor(callType, report, options));
}

function proposeFor(
	callType: string,
	report: Report,
	{ margin, sayCost }: ProposeOptions,
): Proposal | NoProposal {
	const lacking = report.lacking.filter((one) => one.callType === callType);
	const rows = report.rows.filter(
		(row): row is Measured =>
			row.callType === callType &&
			row.quality !== undefined &&
			!lacking.some(({ substrate }) => substrate === row.substrate),
	);
	const [best] = rows;
	if (rows.length < 2 || !best)
		return {
			callType,
			why: `it takes two substrates with data enough, and ${rows.length === 1 ? "there is one" : "there is none"}${lacking.map(({ substrate, why }) => `; ${substrate}: ${why}`).join("")}`,
		};
	if (best.passed === 0) return { callType, why: "nothing passed anywhere" };
	const good = rows
		.filter((row) => isAsGood(row, best, report, margin))
		.sort((one, other) => costOf(one) - costOf(other));
	const difficulties = [...new Set(rows.flatMap((row) => row.difficulties))];
	const everyDifficulty = difficulties.length === all.length;
	const worse = rows.filter((row) => !good.includes(row));
	return {
		callType,
		row: {
			callTypes: [callType],
			...(!everyDifficulty &&
				difficulties.length > 0 && {
					difficulties: all.filter((one) => difficulties.includes(one)),
				}),
			prefer: good.map(({ substrate }) => ({ substrate: [substrate] })),
		},
		grades: rows.map(({ substrate, quality }) => ({
			callTypes: [callType],
			where: { substrate: [substrate] },
			quality: Math.max(1, Math.round(quality.mean * 1000)),
		})),
		evidence: [
			...good.map((row) => evidenceOf(row, sayCost)),
			...worse.map((row) => {
				const { quality } = row;
				const significant = isSignificantlyWorse(row, best, report);
				return `${evidenceOf(row, sayCost)}: ${Math.round((best.quality.mean - quality.mean) * 100)} points behind ${best.substrate}${significant ? ", significant" : ""}`;
			}),
			...lacking.map(
				({ substrate, why }) => `${substrate} is left out: ${why}`,
			),
		],
	};
}

type Measured = Row & { readonly quality: NonNullable<Row["quality"]> };

const all: readonly Difficulty[] = ["easy", "medium", "hard"];

function isAsGood(
	row: Measured,
	best: Measured,
	report: Report,
	margin: number,
): boolean {
	return (
		row.passed > 0 &&
		best.quality.mean - row.quality.mean <= margin + 1e-9 &&
		!isSignificantlyWorse(row, best, report)
	);
}

function isSignificantlyWorse(
	{ callType, substrate }: Row,
	best: Row,
	{ differences }: Report,
): boolean {
	return differences.some(
		(one) =>
			one.significant &&
			one.callType === callType &&
			one.worse === substrate &&
			one.better === best.substrate,
	);
}

function costOf({ costPerSuccess }: Row): number {
	return costPerSuccess ?? Number.POSITIVE_INFINITY;
}

function evidenceOf(
	{ substrate, quality, cases, judged, costPerSuccess, latency }: Measured,
	sayCost: ProposeOptions["sayCost"],
): string {
	const { mean, low, high } = quality;
	return [
		`${substrate}: quality ${mean.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}), ${judged} answers to ${cases} cases`,
		...(costPerSuccess === undefined
			? []
			: [`${sayCost(costPerSuccess)} per success`]),
		...(latency ? [`p95 ${latency.p95} ms`] : []),
	].join(", ");
}
