import { accept, type Outcome } from "../../kernel/outcome.ts";
import { available, type CostLine, priceUsage } from "../credits/index.ts";
import { usualOfOrder } from "./orders.ts";
import type { Plans, Question } from "./plan.ts";

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

export function quoteFor(plans: Plans, question: Question): Outcome<Quote> {
	const { asked, caller } = question;
	const planned = plans.plan(question);
	if (!planned.ok) return planned;
	const leg = planned.value.next();
	if (!leg) return { ok: false, error: planned.value.refusal() };
	const { substrate, sheet, size, amount, expected } = leg;
	const usual = asked.order
		? usualOfOrder(sheet, asked.order)
		: priceUsage(sheet, {
				input: expected.inputUsual,
				output: Math.min(
					expected.outputUsual * asked.choices,
					size.outputTokens,
				),
			});
	const left = available(caller.account);
	return accept({
		substrate: substrate.id,
		sheet: sheet.id,
		hold: amount,
		atMost: { cost: amount, lines: size.lines },
		usually: {
			cost: usual.ok ? usual.value.cost : size.atLeast,
			samples: expected.samples,
		},
		outputTokens: size.outputTokens,
		limitFrom:
			asked.outputLimit !== undefined
				? "request"
				: size.outputLimit !== undefined
					? "ceiling"
					: "learned",
		available: left,
		affordable: amount <= left,
	});
}
