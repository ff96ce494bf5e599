import type { MicroCredits } from "../../kernel/money.ts";
import type { Difficulty } from "../routing/index.ts";
import type { CallSeen } from "./calls.ts";
import type { RunFacts, Sample } from "./model.ts";
import {
	holm,
	type Interval,
	mean,
	pairsNeeded,
	percentile,
	seeded,
	signFlipTest,
	studentInterval,
	wilson,
} from "./statistics.ts";

/** One answer of a substrate, from a bakeoff or from production. */
export interface Observation {
	readonly callType: string;
	readonly difficulty: Difficulty | undefined;
	readonly substrate: string;
	/** What else was asked the same; undefined in production, where each call is a case of its own. */
	readonly case: string | undefined;
	/** 0 to 1; undefined where nobody judged, or where there is no answer. */
	readonly quality: number | undefined;
	readonly passed: boolean;
	readonly cost: MicroCredits;
	readonly latency: number | undefined;
	/** There is no answer. */
	readonly failed: boolean;
	/** Something was seen to be wrong with it: a schema or a tool call that does not fit, or the client asked again. */
	readonly suspect: boolean;
}

/** A kind of call at a substrate. */
export interface Row {
	readonly callType: string;
	readonly substrate: string;
	readonly difficulties: readonly Difficulty[];
	/** Answers and failures. */
	readonly samples: number;
	readonly failed: number;
	/** Answers that were judged, over so many cases. */
	readonly judged: number;
	readonly cases: number;
	readonly passed: number;
	readonly suspect: number;
	/** The mean over cases, 0 to 1, with its 95 % interval. */
	readonly quality?: Interval & {
		readonly mean: number;
		readonly method: "wilson" | "student";
	};
	readonly cost: MicroCredits;
	/** Micro-credits, failures and what did not pass paid with it; absent where nothing passed. */
	readonly costPerSuccess?: number;
	/** Milliseconds. */
	readonly latency?: { readonly p50: number; readonly p95: number };
}

/** Two substrates on the cases that both answered. */
export interface Difference {
	readonly callType: string;
	readonly better: string;
	readonly worse: string;
	/** Of the means, 0 to 1. */
	readonly by: number;
	/** Cases that both answered. */
	readonly cases: number;
	/** How often chance alone would do it: for this pair, and corrected for all pairs looked at (Holm). */
	readonly chance: number;
	readonly corrected: number;
	readonly significant: boolean;
}

/** A row that says less than it should. */
export interface Lacking {
	readonly callType: string;
	readonly substrate: string;
	readonly why: string;
}

export interface Report {
	/** By kind of call, then best first. */
	readonly rows: readonly Row[];
	/** Of every two substrates of a kind of call; none where cases cannot be paired. */
	readonly differences: readonly Difference[];
	readonly lacking: readonly Lacking[];
	/** Cases that a kind of call must have before any difference can be significant. */
	readonly casesNeeded: number;
}

/** How a production call that was scored counts as passed. */
const passedFrom = 0.7;

/** Puts observations of a run together. The same observations, in whatever order, give the same report. */
export function reportOn(observations: readonly Observation[]): Report {
	const cells = new Map<string, Cell>();
	for (const one of observations) {
		const name = JSON.stringify([one.callType, one.substrate]);
		const cell = cells.get(name);
		if (cell) cell.all.push(one);
		else
			cells.set(name, {
				callType: one.callType,
				substrate: one.substrate,
				all: [one],
			});
	}
	const rows = [...cells.values()]
		.map(rowOf)
		.sort(
			(one, other) =>
				compare(one.callType, other.callType) ||
				(other.quality?.mean ?? -1) - (one.quality?.mean ?? -1) ||
				compare(one.substrate, other.substrate),
		);
	const differences = differencesOf(rows, cells);
	const casesNeeded = pairsNeeded(differences.length);
	return {
		rows,
		differences,
		lacking: rows.flatMap((row) => {
			const paired = cells
				.get(JSON.stringify([row.callType, row.substrate]))
				?.all.some((one) => one.case !== undefined);
			const why = lackOf(row, paired ? casesNeeded : leastLive);
			return why === undefined
				? []
				: [{ callType: row.callType, substrate: row.substrate, why }];
		}),
		casesNeeded,
	};
}

/** What a run's samples show. */
export function observeRun(
	facts: RunFacts,
	samples: readonly Sample[],
): readonly Observation[] {
	return samples.flatMap((sample) => {
		const asked = facts.cases[sample.case];
		const substrate = facts.over[sample.substrate];
		if (!asked || substrate === undefined) return [];
		return [
			{
				callType: asked.callType,
				difficulty: asked.difficulty,
				substrate,
				case: asked.id,
				quality: sample.score === undefined ? undefined : sample.score / 1000,
				passed: sample.passed === true,
				cost: sample.cost,
				latency: sample.latency,
				failed: sample.failed !== undefined,
				suspect: false,
			},
		];
	});
}

/** What a production call shows: of each that failed before another answered, and of that. */
export function observeCall(call: CallSeen): readonly Observation[] {
	const { quality, signals, failed = [] } = call;
	const asked = {
		callType: call.callType ?? "unknown",
		difficulty: call.difficulty,
		case: undefined,
	};
	const answered: Observation = {
		...asked,
		substrate: call.substrate,
		quality,
		passed: quality !== undefined && quality >= passedFrom,
		cost: call.charged,
		latency: call.latency,
		failed: call.ending !== "finished" && call.ending !== "client-gone",
		suspect:
			signals.schema === false ||
			signals.tools === false ||
			signals.repeatedBy !== undefined,
	};
	const none = {
		quality: undefined,
		passed: false,
		cost: 0,
		latency: undefined,
		failed: true,
		suspect: false,
	};
	return [
		...failed.map((substrate) => ({ ...asked, substrate, ...none })),
		answered,
	];
}

interface Cell {
	readonly callType: string;
	readonly substrate: string;
	readonly all: Observation[];
}

/** Calls that were judged before a row of production says much. */
const leastLive = 20;

function rowOf({ callType, substrate, all }: Cell): Row {
	const judged = all.filter((one) => one.quality !== undefined);
	const byCase = caseMeans(judged);
	const passed = judged.filter((one) => one.passed).length;
	const cost = all.reduce((sum, one) => sum + one.cost, 0);
	const paidForJudged = all
		.filter((one) => one.failed || one.quality !== undefined)
		.reduce((sum, one) => sum + one.cost, 0);
	const latencies = all.flatMap((one) =>
		one.failed ? [] : (one.latency ?? []),
	);
	return {
		callType,
		substrate,
		difficulties: difficulties.filter((each) =>
			all.some((one) => one.difficulty === each),
		),
		samples: all.length,
		failed: all.filter((one) => one.failed).length,
		judged: judged.length,
		cases: byCase.size,
		passed,
		suspect: all.filter((one) => one.suspect).length,
		...(byCase.size > 0 && {
			quality: qualityOfRow(judged, [...byCase.values()]),
		}),
		cost,
		...(passed > 0 && { costPerSuccess: Math.ceil(paidForJudged / passed) }),
		...(latencies.length > 0 && {
			latency: {
				p50: percentile(latencies, 0.5),
				p95: percentile(latencies, 0.95),
			},
		}),
	};
}

const difficulties: readonly Difficulty[] = ["easy", "medium", "hard"];

/**
 * The interval stands on cases: more samples of one case say more of that case, and nothing of the next. Yes or no, and
 * means that are all the same, get Wilson's; scores get Student's.
 */
function qualityOfRow(
	judged: readonly Observation[],
	byCase: readonly number[],
): NonNullable<Row["quality"]> {
	const centre = mean(byCase);
	const graded =
		judged.some(({ quality }) => quality !== 0 && quality !== 1) &&
		byCase.some((value) => value !== byCase[0]);
	if (!graded)
		return { mean: centre, ...wilson(centre, byCase.length), method: "wilson" };
	const { low, high } = studentInterval(byCase);
	return {
		mean: centre,
		low: Math.max(0, low),
		high: Math.min(1, high),
		method: "student",
	};
}

/** Mean quality by case, in the cases' own order. */
function caseMeans(
	judged: readonly Observation[],
): ReadonlyMap<string, number> {
	const values = new Map<string, number[]>();
	for (const [at, one] of judged.entries()) {
		const name = one.case ?? `#${at}`;
		const known = values.get(name);
		if (known) known.push(one.quality as number);
		else values.set(name, [one.quality as number]);
	}
	return new Map(
		[...values]
			.sort(([one], [other]) => compare(one, other))
			// Sorted, so that their sum does not hang on the order they came in.
			.map(([name, all]) => [
				name,
				mean(all.sort((one, other) => one - other)),
			]),
	);
}

function differencesOf(
	rows: readonly Row[],
	cells: ReadonlyMap<string, Cell>,
): readonly Difference[] {
	const means = rows.map(({ callType, substrate }) =>
		caseMeans(
			(cells.get(JSON.stringify([callType, substrate])) as Cell).all.filter(
				(one) => one.quality !== undefined && one.case !== undefined,
			),
		),
	);
	const pairs: Omit<Difference, "corrected" | "significant">[] = [];
	for (const [at, one] of rows.entries()) {
		for (const [there, other] of rows.entries()) {
			if (there <= at || one.callType !== other.callType) continue;
			const pair = compareCases(
				means[at] as ReadonlyMap<string, number>,
				means[there] as ReadonlyMap<string, number>,
			);
			if (pair.cases === 0) continue;
			// The one with the better mean stands first, though not always on the cases that both answered.
			const turned = pair.by < 0;
			pairs.push({
				callType: one.callType,
				better: turned ? other.substrate : one.substrate,
				worse: turned ? one.substrate : other.substrate,
				by: Math.abs(pair.by),
				cases: pair.cases,
				chance: pair.chance,
			});
		}
	}
	const corrected = holm(pairs.map(({ chance }) => chance));
	return pairs.map((pair, at) => ({
		...pair,
		corrected: corrected[at] as number,
		significant: (corrected[at] as number) <= 0.05,
	}));
}

function compareCases(
	one: ReadonlyMap<string, number>,
	other: ReadonlyMap<string, number>,
): { readonly by: number; readonly cases: number; readonly chance: number } {
	const differences: number[] = [];
	for (const [name, value] of one) {
		const against = other.get(name);
		if (against !== undefined) differences.push(value - against);
	}
	return {
		by: differences.length === 0 ? 0 : mean(differences),
		cases: differences.length,
		chance: signFlipTest(differences, seeded(differences.length)),
	};
}

function lackOf(row: Row, needed: number): string | undefined {
	if (row.failed === row.samples) return "it never answered";
	if (row.judged === 0) return "nothing of it was judged";
	if (row.cases < needed)
		return `${row.cases} of the ${needed} cases that it takes`;
	if (row.failed > 0 && row.failed * 10 >= row.samples)
		return `${row.failed} of ${row.samples} calls failed`;
	return undefined;
}

function compare(one: string, other: string): number {
	return one < other ? -1 : one > other ? 1 : 0;
}
