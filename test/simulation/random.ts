/** Chance that a seed fixes: the same seed gives the same draws, on every machine. */
export interface Random {
	/** From 0 to, not including, `end`. */
	below(end: number): number;
	/** From `least` to `most`, both included. */
	between(least: number, most: number): number;
	/** True this often, of 1. */
	chance(probability: number): boolean;
	pick<T>(list: readonly T[]): T;
}

/** The sfc32 generator, seeded from one number. */
export function seededRandom(seed: number): Random {
	let a = seed | 0;
	let b = Math.floor(seed / 2 ** 32) | 0;
	let c = 0x9e3779b9 | 0;
	let counter = 1;

	function next(): number {
		const sum = (((a + b) | 0) + counter) | 0;
		counter = (counter + 1) | 0;
		a = b ^ (b >>> 9);
		b = (c + (c << 3)) | 0;
		c = ((c << 21) | (c >>> 11)) + sum;
		c |= 0;
		return sum >>> 0;
	}

	// The first draws still resemble the seed.
	for (let draw = 0; draw < 15; draw++) next();

	const below = (end: number) => Math.floor((next() / 2 ** 32) * end);
	return {
		below,
		between: (least, most) => least + below(most - least + 1),
		chance: (probability) => next() / 2 ** 32 < probability,
		pick<T>(list: readonly T[]): T {
			if (list.length === 0)
				throw new RangeError("There is nothing to pick from.");
			return list[below(list.length)] as T;
		},
	};
}
