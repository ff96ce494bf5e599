import type { MicroCredits } from "../../kernel/money.ts";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type {
	PriceSheet,
	Rate,
	Usage,
	UsageClass,
} from "../../ports/price-book.ts";
import type { CostLine } from "./model.ts";

/**
 * What usage costs, exactly: the sum of `units × price` over all lines is kept whole and rounded once,
 * up, to a micro-credit. Who has the lines can recompute the cost without asking us.
 */
export interface PricedUsage {
	readonly cost: MicroCredits;
	readonly lines: readonly CostLine[];
	/** Classes that the sheet has no price of its own for, so that a stand-in's was taken. */
	readonly missing: readonly UsageClass[];
	/** The same in words, for the receipt. */
	readonly notes: readonly string[];
}

/** How much a call can use at most. Whole numbers, never negative. */
export interface UsageBound {
	/** Cached and uncached together. */
	readonly inputTokens: number;
	/** Over all answers, reasoning included. */
	readonly outputTokens: number;
	/** Absent: one. */
	readonly requests?: number;
	/** Absent: none. */
	readonly searches?: number;
	/** Classes that the tokens may turn out to be counted as. Absent: `textClasses`. */
	readonly classes?: readonly UsageClass[];
}

export interface PricingOptions {
	/** A batch call: pays the sheet's part of the price. */
	readonly batch?: boolean;
}

const inputClasses: readonly UsageClass[] = [
	"input",
	"cache-read",
	"cache-write-5m",
	"cache-write-1h",
	"input-audio",
	"cache-read-audio",
	"input-image",
	"cache-read-image",
];
const outputClasses: readonly UsageClass[] = [
	"output",
	"reasoning",
	"output-audio",
	"output-image",
];

const pieceClasses: readonly UsageClass[] = [
	"image",
	"character",
	"audio-second",
];

/** Every class, in the order of a receipt's lines. */
export const usageClasses: readonly UsageClass[] = [
	...inputClasses,
	...outputClasses,
	...pieceClasses,
	"search",
	"request",
];

/** What a call without images and audio can be counted as. */
export const textClasses: readonly UsageClass[] = [
	"input",
	"cache-read",
	"cache-write-5m",
	"cache-write-1h",
	"output",
	"reasoning",
];

/**
 * Whose price stands in when a sheet has none for a class, first found. A sheet that leaves a class
 * out says that its vendor does not price it apart, so the class it would be counted in is taken, and
 * where there is a choice the dearer one. `input`, `output`, `search` and pieces have no stand-in: their
 * price is unknown, never zero. `request` needs none: a sheet without it says that calls carry no fee.
 */
const standIns: Readonly<Record<UsageClass, readonly UsageClass[]>> = {
	input: [],
	"cache-read": ["input"],
	"cache-write-5m": ["input"],
	"cache-write-1h": ["cache-write-5m", "input"],
	"input-audio": ["input"],
	"cache-read-audio": ["input-audio", "cache-read", "input"],
	"input-image": ["input"],
	"cache-read-image": ["input-image", "cache-read", "input"],
	output: [],
	reasoning: ["output"],
	"output-audio": ["output"],
	"output-image": ["output"],
	image: [],
	character: [],
	"audio-second": [],
	search: [],
	request: [],
};

/**
 * The cost of what was used. The tier is chosen by the call's whole input, cached and uncached, and
 * holds for the whole call. A sheet with a fee per request charges one where usage counts none.
 *
 * Refuses with `price/invalid-usage` (a count is no whole number of at least 0), `price/out-of-range`
 * (the sum exceeds what money can hold) or `price/unknown-class` (used, and neither priced nor with a
 * stand-in); the latter's details carry `classes` and, as `rest`, the `PricedUsage` of all else.
 */
export function priceUsage(
	sheet: PriceSheet,
	usage: Usage,
	options: PricingOptions = {},
): Outcome<PricedUsage> {
	const unknown: string[] = [];
	for (const name in usage) {
		const units = usage[name as UsageClass];
		if (units !== undefined && !isCount(units)) {
			return refuse(
				"price/invalid-usage",
				`Usage of ${name} is ${units}, not a whole number of at least 0.`,
				{ class: name },
			);
		}
		if (units && !Object.hasOwn(standIns, name)) unknown.push(name);
	}
	let total = 0;
	for (const name of inputClasses) total += usage[name] ?? 0;
	const lines: CostLine[] = [];
	const missing: UsageClass[] = [];
	const notes: string[] = [];
	for (const name of usageClasses) {
		const units =
			usage[name] ?? (name === "request" && sheet.rates.request ? 1 : 0);
		if (units === 0) continue;
		const priced = pricedAs(sheet, name);
		const rate = priced && rateAt(ratesFor(sheet, priced), total);
		if (rate) {
			lines.push(line(sheet, name, units, rate.price, options));
			if (priced !== name) {
				missing.push(name);
				notes.push(
					`The price sheet has no price for ${name}: charged as ${priced}.`,
				);
			}
		} else if (name !== "request") unknown.push(name);
	}
	const cost = sum(lines);
	if (cost === undefined) return outOfRange(sheet);
	const priced = { cost, lines, missing, notes };
	return unknown.length === 0
		? accept(priced)
		: refuse(
				"price/unknown-class",
				`The price sheet ${sheet.id} has no price for ${unknown.join(", ")}.`,
				{
					sheet: sheet.id,
					classes: unknown,
					rest: priced,
				},
			);
}

/** Whether the sheet has a price, its own or a stand-in's, for every class that is named, of 0 units too. */
export function pricesAll(sheet: PriceSheet, usage: Usage): boolean {
	return Object.keys(usage).every(
		(name) => pricedAs(sheet, name as UsageClass) !== undefined,
	);
}

/**
 * An upper bound of `priceUsage` over all usage within `bound`: each token at the dearest price that
 * its side of the call could turn out to have, over classes and over the tiers within reach. For
 * quotes and holds. Refuses as `priceUsage` does, for any class that could occur.
 */
export function maximumCost(
	sheet: PriceSheet,
	bound: UsageBound,
	options: PricingOptions = {},
): Outcome<PricedUsage> {
	const {
		inputTokens,
		outputTokens,
		requests = 1,
		searches = 0,
		classes = textClasses,
	} = bound;
	const invalid =
		checkBound("inputTokens", inputTokens) ??
		checkBound("outputTokens", outputTokens) ??
		checkBound("requests", requests) ??
		checkBound("searches", searches);
	if (invalid) return invalid;
	const lines: CostLine[] = [];
	const unknown: UsageClass[] = [];
	const addDearest = (
		units: number,
		candidates: readonly UsageClass[],
		wanted: readonly UsageClass[],
	): void => {
		if (units === 0) return;
		let dearest: UsageClass | undefined;
		let highest = -1;
		for (const name of candidates) {
			if (!wanted.includes(name)) continue;
			let reachable = false;
			for (const { from, price } of ratesFor(sheet, name)) {
				if (from > inputTokens) continue;
				reachable = true;
				if (price <= highest) continue;
				dearest = name;
				highest = price;
			}
			if (!reachable) unknown.push(name);
		}
		if (dearest) lines.push(line(sheet, dearest, units, highest, options));
	};
	addDearest(inputTokens, inputClasses, classes);
	addDearest(outputTokens, outputClasses, classes);
	addDearest(searches, searchClass, searchClass);
	if (sheet.rates.request) addDearest(requests, requestClass, requestClass);
	if (unknown.length > 0) {
		return refuse(
			"price/unknown-class",
			`The price sheet ${sheet.id} has no price for ${unknown.join(", ")}.`,
			{
				sheet: sheet.id,
				classes: unknown,
			},
		);
	}
	const cost = sum(lines);
	return cost === undefined
		? outOfRange(sheet)
		: accept({ cost, lines, missing: [], notes: [] });
}

/** The class itself where the sheet has rates for it, else its first stand-in that has some. */
function pricedAs(sheet: PriceSheet, name: UsageClass): UsageClass | undefined {
	if (sheet.rates[name]?.length) return name;
	for (const candidate of standIns[name])
		if (sheet.rates[candidate]?.length) return candidate;
	return undefined;
}

function ratesFor(sheet: PriceSheet, name: UsageClass): readonly Rate[] {
	const priced = pricedAs(sheet, name);
	return (priced && sheet.rates[priced]) ?? noRates;
}

/** The last tier that a total reaches. */
function rateAt(rates: readonly Rate[], total: number): Rate | undefined {
	for (let index = rates.length - 1; index >= 0; index--) {
		const rate = rates[index] as Rate;
		if (rate.from <= total) return rate;
	}
	return undefined;
}

const noRates: readonly Rate[] = [];
const searchClass: readonly UsageClass[] = ["search"];
const requestClass: readonly UsageClass[] = ["request"];

function checkBound(
	name: string,
	units: number,
): ReturnType<typeof refuse> | undefined {
	return isCount(units)
		? undefined
		: refuse(
				"price/invalid-usage",
				`${name} is ${units}, not a whole number of at least 0.`,
				{ class: name },
			);
}

function line(
	sheet: PriceSheet,
	name: UsageClass,
	units: number,
	price: number,
	options: PricingOptions,
): CostLine {
	return options.batch && sheet.batchBasisPoints !== undefined
		? { class: name, units, price, basisPoints: sheet.batchBasisPoints }
		: { class: name, units, price };
}

/** Rounds once, up. Undefined when the result is no safe integer. */
function sum(lines: readonly CostLine[]): MicroCredits | undefined {
	let total = 0;
	for (const { units, price, basisPoints = 10_000 } of lines)
		total += units * price * basisPoints;
	// Nothing was rounded on the way: every product and sum is below the total.
	if (total <= Number.MAX_SAFE_INTEGER) {
		const rest = total % 10_000_000_000;
		return (total - rest) / 10_000_000_000 + (rest > 0 ? 1 : 0);
	}
	return largeSum(lines);
}

/** Products pass 2^53 long before their millionth does. */
function largeSum(lines: readonly CostLine[]): MicroCredits | undefined {
	let tenthousandths = 0n;
	for (const { units, price, basisPoints = 10_000 } of lines) {
		tenthousandths += BigInt(units) * BigInt(price) * BigInt(basisPoints);
	}
	const cost = Number((tenthousandths + 9_999_999_999n) / 10_000_000_000n);
	return Number.isSafeInteger(cost) ? cost : undefined;
}

function isCount(value: unknown): boolean {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function outOfRange(sheet: PriceSheet): ReturnType<typeof refuse> {
	return refuse(
		"price/out-of-range",
		`By the price sheet ${sheet.id} this costs more than an amount can hold.`,
		{ sheet: sheet.id },
	);
}
