const decimals = 40;

/**
 * What amounts in US dollars, written as JSON writes numbers, come to in micro-credits (1e-8 USD),
 * added up exactly and rounded up once. Undefined when one is no amount, is negative, or the sum
 * is beyond what money may be.
 */
export function microCreditsOfUsd(
	...amounts: readonly string[]
): number | undefined {
	let sum = 0n;
	for (const amount of amounts) {
		const units = exactUnits(amount);
		if (units === undefined) return undefined;
		sum += units;
	}
	const unitsPerMicroCredit = 10n ** BigInt(decimals - 8);
	const result = Number((sum + unitsPerMicroCredit - 1n) / unitsPerMicroCredit);
	return Number.isSafeInteger(result) ? result : undefined;
}

/** In units of 1e-40 USD; what is finer still is rounded up. */
function exactUnits(text: string): bigint | undefined {
	const match = /^(\d{1,30})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,4}))?$/.exec(
		text,
	);
	if (!match) return undefined;
	const [, whole = "", fraction = "", exponent = "0"] = match;
	const digits = BigInt(whole + fraction);
	const shift = decimals + Number(exponent) - fraction.length;
	if (digits === 0n) return 0n;
	if (shift > 100) return undefined;
	if (shift >= 0) return digits * 10n ** BigInt(shift);
	if (shift < -100) return 1n;
	const divisor = 10n ** BigInt(-shift);
	return (digits + divisor - 1n) / divisor;
}
