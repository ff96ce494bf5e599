import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { PriceSheet, Usage, UsageClass } from "../../ports/price-book.ts";
import type {
	MediaAmount,
	MediaOrder,
	Metered,
} from "../../ports/wire-protocol.ts";
import {
	type CostBasis,
	type CostLine,
	maximumCost,
	type PricedUsage,
	pricesAll,
	priceUsage,
} from "../credits/index.ts";
import { inputTokens, outputTokens } from "./sizing.ts";

/**
 * Orders of images and sound. A sheet prices them by the piece or by tokens, and a call is paid the
 * one way or the other, never both: as the vendor counted where the sheet has a price for all that
 * it counted, else by pieces that are known, else by an estimate.
 */

/** The most that an order can cost, whichever way it turns out to be counted. */
export function mostOfOrder(
	sheet: PriceSheet,
	{ most }: MediaOrder,
): Outcome<PricedUsage> {
	let dearest: PricedUsage | undefined;
	for (const way of [mostInPieces, mostInTokens]) {
		const priced = way(sheet, most);
		if (!priced) continue;
		if (!priced.ok) return priced;
		if (!dearest || priced.value.cost > dearest.cost) dearest = priced.value;
	}
	if (dearest) return accept(dearest);
	const classes = [...Object.keys(most.pieces), ...Object.keys(most.tokens)];
	return refuse(
		"price/unknown-class",
		`The price sheet ${sheet.id} has a price neither for ${Object.keys(most.pieces).join(", ")} nor for ${Object.keys(most.tokens).join(", ")}.`,
		{ sheet: sheet.id, classes },
	);
}

/** What such an order usually costs: a rule of thumb. */
export function usualOfOrder(
	sheet: PriceSheet,
	{ usual }: MediaOrder,
): Outcome<PricedUsage> {
	return priceUsage(
		sheet,
		pricesAll(sheet, usual.pieces) ? usual.pieces : usual.tokens,
	);
}

/** What was used of an order, and what it costs. */
export interface SettledOrder {
	readonly basis: CostBasis;
	readonly usage: Usage;
	readonly cost: number;
	readonly lines: readonly CostLine[];
	readonly notes: readonly string[];
}

export function costOfOrder(
	sheet: PriceSheet,
	order: MediaOrder,
	metered: Metered | undefined,
): SettledOrder {
	for (const usage of [metered?.usage, metered?.counted]) {
		if (usage && pricesAll(sheet, usage))
			return { basis: "priced", usage, ...cost(sheet, usage) };
	}
	const { pieces, tokens } = order.usual;
	const usage = pricesAll(sheet, pieces)
		? pieces
		: asDelivered(tokens, metered?.deliveredBytes ?? 0);
	const { notes, ...rest } = cost(sheet, usage);
	const note = `Neither the vendor nor its answer said what this price sheet counts: estimated from ${order.grounds}.`;
	return { basis: "estimated", usage, ...rest, notes: [note, ...notes] };
}

/** The refusal of an order that has no price, with the row that would give it one. */
export function unknownOrderPrice(
	{ most }: MediaOrder,
	vendor: string,
	model: string,
): Refusal {
	const [piece] = Object.keys(most.pieces) as UsageClass[];
	const row = `- { vendor: ${vendor}, model: ${quoted(model)}, ${priceMembers[piece ?? ""] ?? "prices: { input: 1, output: 2 }"} }`;
	return {
		code: "price/unknown",
		message: `No price is known for ${vendor}/${model} by the ${piece}, nor by tokens, and nothing is called at an unknown price. Add a row under prices: in config.yaml with the vendor's price in US dollars, such as ${row}, or a ceiling price.`,
		details: { substrate: `${vendor}/${model}`, row },
	};
}

const priceMembers: Readonly<Record<string, string>> = {
	image: "perImage: 0.04",
	character: "prices: { character: 15 }",
	"audio-second": "perAudioMinute: 0.006",
};

function mostInPieces(sheet: PriceSheet, { pieces }: MediaAmount) {
	return pricesAll(sheet, pieces) ? priceUsage(sheet, pieces) : undefined;
}

function mostInTokens(sheet: PriceSheet, { tokens }: MediaAmount) {
	if (!pricesAll(sheet, tokens)) return undefined;
	return maximumCost(sheet, {
		inputTokens: inputTokens(tokens),
		outputTokens: outputTokens(tokens),
		classes: Object.keys(tokens) as UsageClass[],
	});
}

/** The sum, and what is to be said of it. */
function cost(sheet: PriceSheet, usage: Usage) {
	const priced = priceUsage(sheet, usage);
	if (priced.ok) {
		const { cost, lines, notes } = priced.value;
		return { cost, lines, notes };
	}
	const rest = priced.error.details?.rest as PricedUsage | undefined;
	return {
		cost: rest?.cost ?? 0,
		lines: rest?.lines ?? [],
		notes: [priced.error.message],
	};
}

/** Text that comes out is counted as it came: four bytes a token, as vendors give it for English. */
function asDelivered(tokens: Usage, deliveredBytes: number): Usage {
	return tokens.output === undefined
		? tokens
		: { ...tokens, output: Math.ceil(deliveredBytes / 4) };
}

/** A model's name as a row in YAML takes it: it came from a client. */
function quoted(model: string): string {
	return /^[\w.:/-]+$/.test(model) ? model : JSON.stringify(model);
}
