import type { Usage, UsageClass } from "../../ports/price-book.ts";
import { isRecord } from "./request-body.ts";

/** What a usage report came to: counts, or why it cannot be believed. */
export type UsageReading =
	| { readonly usage: Usage }
	| { readonly absurd: string };

/** Reads a named count of a report: absent or null is undefined. */
export type ReadCount = (report: unknown, name: string) => number | undefined;

const mostTokens = 2 ** 40;

class Absurd extends Error {}

/** Runs a reader of a vendor's report, which calls `doubt` when numbers contradict each other. */
export function readUsage(
	read: (
		count: ReadCount,
		doubt: (reason: string) => never,
	) => Readonly<Partial<Record<UsageClass, number>>>,
): UsageReading {
	try {
		const usage: Partial<Record<UsageClass, number>> = {};
		const counts = read(count, doubt);
		for (const name in counts) {
			const amount = counts[name as UsageClass] as number;
			if (amount > 0) usage[name as UsageClass] = amount;
		}
		return { usage };
	} catch (error) {
		if (error instanceof Absurd) return { absurd: error.message };
		throw error;
	}
}

/**
 * More output than this contradicts the limit that was sent. Generous, since vendors count a little
 * differently; none where server-side tools make several answers of one.
 */
export function outputCeiling(
	limit: number | undefined,
	choices: number,
	serverTools: readonly string[],
): number | undefined {
	return limit === undefined || serverTools.length > 0
		? undefined
		: 2 * limit * choices + 1024;
}

function count(report: unknown, name: string): number | undefined {
	const value = isRecord(report) ? report[name] : undefined;
	if (value === undefined || value === null) return undefined;
	if (typeof value !== "number") return doubt(`${name} is no number`);
	if (!Number.isInteger(value)) return doubt(`${name} is no whole number`);
	if (value < 0) return doubt(`${name} is negative`);
	if (value > mostTokens) return doubt(`${name} is over 2^40`);
	return value;
}

function doubt(reason: string): never {
	throw new Absurd(reason);
}
