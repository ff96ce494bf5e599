/** Statistics as pure functions: the same numbers in, the same numbers out. Tested against published values. */

/** Two ends, both included. */
export interface Interval {
	readonly low: number;
	readonly high: number;
}

/** A number from 0 up to 1 at each call. */
export type Random = () => number;

export function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The smallest value that at least the share `p` of all are at or under: one that was seen, never one between two. */
export function percentile(values: readonly number[], p: number): number {
	const sorted = [...values].sort((one, other) => one - other);
	return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/**
 * Wilson's score interval of a share, 95 %. Holds for the mean of any values from 0 to 1 as well, and is then
 * cautious: nothing between 0 and 1 varies more than a yes or no of the same mean.
 */
export function wilson(share: number, count: number): Interval {
	const square = normal975 ** 2 / count;
	const centre = share + square / 2;
	const reach =
		normal975 * Math.sqrt((share * (1 - share)) / count + square / (4 * count));
	return {
		low: Math.max(0, (centre - reach) / (1 + square)),
		high: Math.min(1, (centre + reach) / (1 + square)),
	};
}

/** Student's interval of a mean, 95 %; at least two values. */
export function studentInterval(values: readonly number[]): Interval {
	const centre = mean(values);
	const variance =
		values.reduce((sum, value) => sum + (value - centre) ** 2, 0) /
		(values.length - 1);
	const reach =
		student975(values.length - 1) * Math.sqrt(variance / values.length);
	return { low: centre - reach, high: centre + reach };
}

/** The point that a variable with Student's distribution stays under in 97.5 % of all cases. */
export function student975(degrees: number): number {
	let low = 1;
	let high = 20;
	while (high - low > 1e-10 * high) {
		const middle = (low + high) / 2;
		if (studentTail(middle, degrees) > 0.025) low = middle;
		else high = middle;
	}
	return (low + high) / 2;
}

/**
 * How often differences at least as far from nothing would come about if each were as likely to be turned round: the
 * paired permutation test, two-sided. Exact for up to 16 that are not 0; beyond, by 20,000 draws from `random`.
 */
export function signFlipTest(
	differences: readonly number[],
	random: Random,
): number {
	const sizes = differences.map(Math.abs).filter((size) => size > 0);
	const seen = Math.abs(differences.reduce((sum, value) => sum + value, 0));
	// Sums of the same numbers in another order differ in their last digits.
	const enough = seen - 1e-9 * sizes.reduce((sum, size) => sum + size, 1e-300);
	if (sizes.length <= mostExact) return flipAll(sizes, enough);
	let reached = 1;
	for (let draw = 0; draw < draws; draw++) {
		let sum = 0;
		for (const size of sizes) sum += random() < 0.5 ? size : -size;
		if (Math.abs(sum) >= enough) reached++;
	}
	return reached / (draws + 1);
}

/** Holm's correction: each chance as it counts when all of them were looked at, in their order. */
export function holm(chances: readonly number[]): readonly number[] {
	const order = chances.map((_, at) => at);
	order.sort(
		(one, other) => (chances[one] as number) - (chances[other] as number),
	);
	const corrected = chances.slice();
	let least = 0;
	for (const [rank, at] of order.entries()) {
		const chance = (chances[at] as number) * (chances.length - rank);
		least = Math.max(least, Math.min(1, chance));
		corrected[at] = least;
	}
	return corrected;
}

/** Pairs that must differ before any of so many comparisons can be significant at 5 %. */
export function pairsNeeded(comparisons: number): number {
	return Math.ceil(1 + Math.log2(Math.max(1, comparisons) / 0.05));
}

/** The same numbers for the same seed, on any machine: Marsaglia's xorshift of 32 bits. */
export function seeded(seed: number): Random {
	let state = seed >>> 0 || 0x9e3779b9;
	return () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) / 2 ** 32;
	};
}

const normal975 = 1.959963984540054;
const mostExact = 16;
const draws = 20_000;

/** The share of all ways to turn signs round that lead at least as far as `enough`. */
function flipAll(sizes: readonly number[], enough: number): number {
	let reached = 0;
	const ways = 2 ** sizes.length;
	for (let way = 0; way < ways; way++) {
		let sum = 0;
		for (const [at, size] of sizes.entries())
			sum += (way >> at) & 1 ? size : -size;
		if (Math.abs(sum) >= enough) reached++;
	}
	return reached / ways;
}

/** The chance that Student's variable is above `t`. */
function studentTail(t: number, degrees: number): number {
	return betaShare(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
}

/** The regularised incomplete beta function, by its continued fraction (Lentz's way). */
function betaShare(x: number, a: number, b: number): number {
	if (x <= 0) return 0;
	if (x >= 1) return 1;
	// The fraction converges quickly on this side of the peak alone.
	if (x > (a + 1) / (a + b + 2)) return 1 - betaShare(1 - x, b, a);
	const front = Math.exp(
		logGamma(a + b) -
			logGamma(a) -
			logGamma(b) +
			a * Math.log(x) +
			b * Math.log(1 - x),
	);
	const tiny = 1e-300;
	let c = 1;
	let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
	let fraction = d;
	for (let m = 1; m < 500; m++) {
		const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
		const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
		for (const step of [even, odd]) {
			d = 1 / (1 + step * d || tiny);
			c = 1 + step / c || tiny;
			fraction *= c * d;
		}
		if (Math.abs(c * d - 1) < 1e-15) break;
	}
	return (front * fraction) / a;
}

/** Stirling's series, moved to where it is exact to 1e-13. */
function logGamma(x: number): number {
	let shift = 0;
	let at = x;
	for (; at < 10; at++) shift += Math.log(at);
	const series =
		1 / (12 * at) -
		1 / (360 * at ** 3) +
		1 / (1260 * at ** 5) -
		1 / (1680 * at ** 7);
	return (
		(at - 0.5) * Math.log(at) - at + Math.log(2 * Math.PI) / 2 + series - shift
	);
}
