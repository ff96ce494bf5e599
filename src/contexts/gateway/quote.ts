import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Meaning, WireRequest } from "../../ports/wire-protocol.ts";
import { available, type CostLine, priceUsage } from "../credits/index.ts";
import type { Caller } from "./access.ts";
import { sizeHold } from "./hold-size.ts";
import { unknownOrderPrice, usualOfOrder } from "./orders.ts";
import { expect, type SizingState } from "./sizing.ts";
import type { Substrates } from "./substrates.ts";

/** What a call would cost, before it is made. Amounts are micro-credits. Plain JSON. */
export interface Quote {
	readonly substrate: string;
	readonly sheet: string;
	/** What would be held: the call is charged this at most, as long as the vendor keeps to the output limit. */
	readonly hold: number;
	/** The bound behind it, line by line. */
	readonly atMost: {
		readonly cost: number;
		readonly lines: readonly CostLine[];
	};
	/** What calls like it usually cost here; a rule of thumb until some were made (`samples`). */
	readonly usually: { readonly cost: number; readonly samples: number };
	/** Output tokens that the bound stands on, and whose limit that is. */
	readonly outputTokens: number;
	readonly limitFrom: "request" | "ceiling" | "learned";
	readonly available: number;
	/** Whether the balance would cover the hold now. */
	readonly affordable: boolean;
}

export function quoteFor(
	asked: WireRequest,
	protocol: string,
	means: Meaning,
	caller: Caller,
	substrates: Substrates,
	sizing: SizingState,
	outputCeiling: number | undefined,
	now: number,
): Outcome<Quote> {
	const found = substrates.find(asked.model, protocol, means);
	if (!found.ok) return found;
	const sheet = substrates.sheet(found.value, now);
	const { order } = asked;
	const unknown = (): Outcome<never> => {
		const { vendor, model } = found.value;
		if (order)
			return { ok: false, error: unknownOrderPrice(order, vendor.id, model) };
		return refuse(
			"price/unknown",
			`No price is known for ${found.value.id}. Add a row under prices: in config.yaml, or a ceiling price.`,
			{ substrate: found.value.id },
		);
	};
	if (!sheet) return unknown();
	const expected = expect(
		sizing,
		caller.key.id,
		found.value.id,
		asked.inputBytes,
		asked.mediaParts,
	);
	const size = sizeHold(sheet, asked, expected, outputCeiling);
	if (!size.ok)
		return order && size.error.code === "price/unknown-class"
			? unknown()
			: size;
	const usual = order
		? usualOfOrder(sheet, order)
		: priceUsage(sheet, {
				input: expected.inputUsual,
				output: Math.min(
					expected.outputUsual * asked.choices,
					size.value.outputTokens,
				),
			});
	const left = available(caller.account);
	return accept({
		substrate: found.value.id,
		sheet: sheet.id,
		hold: size.value.amount,
		atMost: { cost: size.value.amount, lines: size.value.lines },
		usually: {
			cost: usual.ok ? usual.value.cost : size.value.atLeast,
			samples: expected.samples,
		},
		outputTokens: size.value.outputTokens,
		limitFrom:
			asked.outputLimit !== undefined
				? "request"
				: outputCeiling !== undefined
					? "ceiling"
					: "learned",
		available: left,
		affordable: size.value.amount <= left,
	});
}
