import { Fault } from "./outcome.ts";

/**
 * Money inside the system: a whole number of micro-credits. 1 credit = 0.01 USD, so 1 micro-credit
 * = 1e-8 USD. A `number` that is always a safe integer: 2^53 micro-credits are 90 million USD, and
 * `checked` refuses anything beyond (see docs/decisions/0003-money-is-a-safe-integer.md).
 */
export type MicroCredits = number;

export const microCreditsPerCredit = 1_000_000;

/** One US dollar is 100 credits. */
export const microCreditsPerUsd: number = 100 * microCreditsPerCredit;

/** The amount itself, or a `money/not-exact` fault when it is no safe integer: money is never rounded by accident. */
export function checked(amount: number): MicroCredits {
	if (!Number.isSafeInteger(amount)) {
		throw new Fault(
			"money/not-exact",
			`${amount} is not a whole number of micro-credits within ±2^53.`,
		);
	}
	return amount;
}

/**
 * Reads a decimal amount of credits ("12.5", "1_000") into micro-credits, or undefined when the
 * text is no amount, is negative, has more than six decimals, or exceeds the safe range.
 */
export function parseCredits(text: string): MicroCredits | undefined {
	return parseDecimal(text, 6);
}

/** Reads a decimal amount of US dollars ("0.075") into micro-credits; at most eight decimals. */
export function parseUsd(text: string): MicroCredits | undefined {
	return parseDecimal(text, 8);
}

/** "1234.5" for 1_234_500_000 micro-credits: exact, without trailing zeros. */
export function formatCredits(amount: MicroCredits): string {
	return formatDecimal(amount, 6);
}

/** "0.0123" for 1_230_000 micro-credits: exact, without trailing zeros. */
export function formatUsd(amount: MicroCredits): string {
	return formatDecimal(amount, 8);
}

function parseDecimal(text: string, decimals: number): number | undefined {
	const match = /^(\d[\d_]*)(?:\.(\d+))?$/.exec(text.trim());
	if (!match) return undefined;
	const whole = (match[1] as string).replaceAll("_", "");
	const fraction = (match[2] ?? "").replace(/0+$/, "");
	if (fraction.length > decimals) return undefined;
	const amount = Number(whole + fraction.padEnd(decimals, "0"));
	return Number.isSafeInteger(amount) ? amount : undefined;
}

function formatDecimal(amount: number, decimals: number): string {
	const digits = Math.abs(checked(amount))
		.toString()
		.padStart(decimals + 1, "0");
	const whole = digits.slice(0, -decimals);
	const fraction = digits.slice(-decimals).replace(/0+$/, "");
	return `${amount < 0 ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}
