/**
 * Candidates in order by numbers alone: what each is ranked by becomes one number, so that sorting compares nothing
 * else. Exact for catalogues of up to 32,768 substrates.
 */
export interface Ladder {
	/** The number of one candidate. Of two, the lower goes first; those of one rung are equals. */
	key(
		rests: boolean,
		/** By what postures and the table prefer: a rank among the places. */
		standing: number,
		unfit: boolean,
		/** Of `rankIn`. */
		worth: number,
		/** Below 16. */
		speed: number,
		place: number,
	): number;
	place(key: number): number;
	rung(key: number): number;
}

export function ladderOf(size: number): Ladder {
	// A power of two, so that nothing is rounded.
	const step = 2 ** Math.ceil(Math.log2(Math.max(1, size)));
	return {
		key(rests, standing, unfit, worth, speed, place) {
			const stands = (rests ? step : 0) + standing;
			const fits = stands * 2 + (unfit ? 1 : 0);
			return ((fits * 4 * step + worth) * 16 + speed) * step + place;
		},
		place: (key) => key - Math.floor(key / step) * step,
		rung: (key) => Math.floor(key / step),
	};
}

/** The values that there are, each once, the lowest first. */
export function distinct(values: Float64Array): Float64Array {
	const sorted = values.slice().sort();
	let count = 0;
	for (let at = 0; at < sorted.length; at++) {
		const value = sorted[at] as number;
		if (count === 0 || value !== sorted[count - 1]) sorted[count++] = value;
	}
	return sorted.subarray(0, count);
}

/** An odd number for a value that is there, and an even one for one between two of them. */
export function rankIn(values: Float64Array, value: number): number {
	let [low, high] = [0, values.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((values[middle] as number) < value) low = middle + 1;
		else high = middle;
	}
	return values[low] === value ? 2 * low + 1 : 2 * low;
}
