import type { PriceSheet, Usage } from "../../ports/price-book.ts";
import type { Metered, WireRequest } from "../../ports/wire-protocol.ts";
import {
	type CostBasis,
	type CostLine,
	type PricedUsage,
	priceUsage,
} from "../credits/index.ts";
import { costOfOrder } from "./orders.ts";

/** What a call is charged, and why. */
export interface Settlement {
	readonly cost: number;
	readonly basis: CostBasis;
	readonly usage: Usage;
	readonly lines: readonly CostLine[];
	readonly notes: readonly string[];
}

/**
 * The true cost as far as it can be known: reported by the vendor, else priced from the usage it reported, else
 * estimated from what passed. An estimate is never above what the model could have produced: at most a token for
 * each delivered byte, and at most the output limit.
 */
export function costOfCall(
	sheet: PriceSheet,
	request: WireRequest,
	metered: Metered | undefined,
	expectedInput: number,
	outputLimit: number | undefined,
	reportsCost: boolean,
): Settlement {
	const notes: string[] = [];
	if (metered?.absurd !== undefined)
		notes.push(`The vendor's usage was thrown away: ${metered.absurd}.`);
	if (request.order) {
		const { order } = request;
		const settled = costOfOrder(sheet, order, metered);
		if (!reportsCost || !isAmount(metered?.reportedCost))
			return { ...settled, notes: [...notes, ...settled.notes] };
		return {
			cost: metered.reportedCost,
			basis: "reported",
			usage: metered.usage ?? settled.usage,
			lines: [],
			notes,
		};
	}
	if (metered?.usage) {
		const { usage } = metered;
		const priced = price(sheet, usage, notes);
		if (reportsCost && isAmount(metered.reportedCost)) {
			if (priced && priced.cost !== metered.reportedCost) {
				notes.push(
					`Priced from usage it would have been ${priced.cost} micro-credits.`,
				);
			}
			return {
				cost: metered.reportedCost,
				basis: "reported",
				usage,
				lines: [],
				notes,
			};
		}
		if (priced) {
			const fixed = Object.keys(sheet.rates).every(
				(name) => name === "request",
			);
			return {
				cost: priced.cost,
				basis: fixed ? "fixed" : "priced",
				usage,
				lines: priced.lines,
				notes,
			};
		}
	} else {
		notes.push(
			"The vendor reported no usable usage; it was estimated from what passed.",
		);
	}
	const usage = estimate(request, metered, expectedInput, outputLimit);
	const priced = price(sheet, usage, notes);
	return {
		cost: priced?.cost ?? 0,
		basis: "estimated",
		usage,
		lines: priced?.lines ?? [],
		notes,
	};
}

function isAmount(cost: number | undefined): cost is number {
	return Number.isSafeInteger(cost) && (cost as number) >= 0;
}

/** Prices usage; what the sheet has no price for is left out of the sum and said on the receipt. */
function price(
	sheet: PriceSheet,
	usage: Usage,
	notes: string[],
): PricedUsage | undefined {
	const priced = priceUsage(sheet, usage);
	if (priced.ok) {
		notes.push(...priced.value.notes);
		return priced.value;
	}
	notes.push(priced.error.message);
	return priced.error.details?.rest as PricedUsage | undefined;
}

function estimate(
	request: WireRequest,
	metered: Metered | undefined,
	expectedInput: number,
	outputLimit: number | undefined,
): Usage {
	const partial = metered?.partialUsage ?? {};
	const delivered = metered?.deliveredBytes ?? 0;
	const most =
		outputLimit === undefined
			? delivered
			: Math.min(delivered, outputLimit * request.choices);
	// Four bytes a token is what vendors themselves give as the rule of thumb for English.
	const output = Math.min(
		most,
		Math.max(Math.ceil(delivered / 4), Math.min(partial.output ?? 0, most)),
	);
	const { output: _, reasoning: __, ...input } = partial;
	const knownInput = Object.values(input).some((count) => (count ?? 0) > 0);
	return {
		...(knownInput
			? input
			: { input: Math.min(expectedInput, bytesBound(request)) }),
		...(output > 0 ? { output } : {}),
	};
}

function bytesBound(request: WireRequest): number {
	return request.mediaParts > 0 ? Number.MAX_SAFE_INTEGER : request.inputBytes;
}
