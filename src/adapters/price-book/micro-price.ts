/** A price as micro-credits per million units, and whether that is all of it. */
export interface MicroPrice {
	readonly price: number;
	/** False when the decimal had more places than a micro-credit shows: it was rounded up. */
	readonly exact: boolean;
}

/**
 * Reads an amount of US dollars (for one million units, or for `perUnits` of them) into micro-credits
 * per million units, on its decimal digits and never through a product of floats. A number counts with
 * 15 significant digits: those a float truly carries, so that 0.18000000000000002 is 0.18. Undefined
 * when it is no amount, negative, or out of range.
 */
export function microPrice(
	usd: string | number,
	perUnits: 1 | 1000 | 3600 | 1_000_000 = 1_000_000,
): MicroPrice | undefined {
	const text =
		typeof usd === "number" ? String(Number(usd.toPrecision(15))) : usd.trim();
	const match = /^(\d{1,30})(?:\.(\d{1,30}))?(?:e([+-]\d{1,2}))?$/.exec(text);
	if (!match) return undefined;
	const [, whole = "", fraction = "", exponent = "0"] = match;
	const digits = BigInt(whole + fraction);
	// 1 USD is 10^8 micro-credits.
	const shift =
		8 +
		{ 1000000: 0, 3600: 4, 1000: 3, 1: 6 }[perUnits] +
		Number(exponent) -
		fraction.length;
	// A million is 3600 times 10^4 / 36.
	const divisor =
		10n ** BigInt(Math.max(0, -shift)) * (perUnits === 3600 ? 36n : 1n);
	const scaled = digits * 10n ** BigInt(Math.max(0, shift));
	const price = Number((scaled + divisor - 1n) / divisor);
	return Number.isSafeInteger(price)
		? { price, exact: scaled % divisor === 0n }
		: undefined;
}
