import type { MicroCredits } from "../../kernel/money.ts";
import { accept, type Outcome } from "../../kernel/outcome.ts";
import type { PriceSheet } from "../../ports/price-book.ts";
import type { MediaOrder, WireRequest } from "../../ports/wire-protocol.ts";
import { type CostLine, maximumCost, priceUsage } from "../credits/index.ts";
import { mostOfOrder } from "./orders.ts";
import type { Expected } from "./sizing.ts";

/** How much to hold for a call, and the output limit that goes to the vendor with it. */
export interface HoldSize {
	readonly amount: MicroCredits;
	/** Least that a call of this kind usually takes: a nearly empty account can still make it. */
	readonly atLeast: MicroCredits;
	/** Limit to send when it is not the caller's own; undefined leaves the request as it is. */
	readonly outputLimit: number | undefined;
	/** Output tokens held for, all choices together. */
	readonly outputTokens: number;
	readonly inputTokens: number;
	readonly inputUsual: number;
	/** Input tokens that the least hold and a lowered limit reckon with: what was never seen is not guessed low, as a hold that is too small leaves a cost that nobody pays. */
	readonly inputLeast: number;
	/** The amount as a sum. */
	readonly lines: readonly CostLine[];
}

/** Requests of a vendor's own search tool that one call may make. */
const searchesHeld = 5;

/**
 * Sizes a hold: the caller's own output limit, else the owner's ceiling (which is then sent to the
 * vendor), else what such calls were seen to need; never a model's theoretical maximum.
 */
export function sizeHold(
	sheet: PriceSheet,
	request: WireRequest,
	expected: Expected,
	outputCeiling: number | undefined,
): Outcome<HoldSize> {
	if (request.order) return sizeOrder(sheet, request.order);
	const limit = request.outputLimit ?? outputCeiling;
	const outputTokens = (limit ?? expected.outputHigh) * request.choices;
	const searches =
		request.serverTools.length > 0 && sheet.rates.search ? searchesHeld : 0;
	const most = maximumCost(sheet, {
		inputTokens: expected.input,
		outputTokens,
		searches,
	});
	if (!most.ok) return most;
	const amount = most.value.cost;
	const usual = Math.min(expected.outputUsual * request.choices, outputTokens);
	const inputLeast =
		expected.samples > 0 ? expected.inputUsual : expected.input;
	return accept({
		amount,
		atLeast: Math.min(amount, costOf(sheet, inputLeast, usual)),
		outputLimit: request.outputLimit === undefined ? outputCeiling : undefined,
		outputTokens,
		inputTokens: expected.input,
		inputUsual: expected.inputUsual,
		inputLeast,
		lines: most.value.lines,
	});
}

/** An order is held for whole: no limit could be sent with it that would make it smaller. */
function sizeOrder(sheet: PriceSheet, order: MediaOrder): Outcome<HoldSize> {
	const most = mostOfOrder(sheet, order);
	if (!most.ok) return most;
	const { cost, lines } = most.value;
	return accept({
		amount: cost,
		atLeast: cost,
		outputLimit: undefined,
		outputTokens: 0,
		inputTokens: 0,
		inputUsual: 0,
		inputLeast: 0,
		lines,
	});
}

/** The output limit, per choice, that a hold which had to shrink pays for: at least 1. */
export function affordableLimit(
	sheet: PriceSheet,
	size: HoldSize,
	held: MicroCredits,
	choices: number,
): number {
	let low = 1;
	let high = Math.max(1, Math.floor(size.outputTokens / choices));
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		if (costOf(sheet, size.inputLeast, middle * choices) <= held) low = middle;
		else high = middle - 1;
	}
	return low;
}

function costOf(
	sheet: PriceSheet,
	input: number,
	output: number,
): MicroCredits {
	const priced = priceUsage(sheet, { input, output });
	return priced.ok ? priced.value.cost : Number.MAX_SAFE_INTEGER;
}
