/**
 * Which log an account is in, past what one log carries (docs/scale.md): a hash that everybody computes, and a
 * table of the few that were put elsewhere.
 */
export interface Placement {
	/** Numbered from 0. */
	logOf(account: number): number;
	move(account: number, log: number): void;
	/** Entries of the table. */
	readonly moved: number;
}

export function openPlacement(logs: number): Placement {
	const table = new Map<number, number>();
	return {
		logOf: (account) => table.get(account) ?? jump(mix(account), logs),
		move(account, log) {
			if (jump(mix(account), logs) === log) table.delete(account);
			else table.set(account, log);
		},
		get moved() {
			return table.size;
		},
	};
}

/**
 * The bucket of a key, as jump consistent hashing has it (Lamping and Veach 2014): even, without a table, and when
 * a bucket is added, only what goes into it moves.
 */
export function jump(key: number, buckets: number): number {
	let state = key >>> 0;
	let bucket = 0;
	for (let next = 0; next < buckets; ) {
		bucket = next;
		state = mix(state + 0x9e3779b9);
		next = Math.floor((bucket + 1) * (2 ** 32 / (state + 1)));
	}
	return bucket;
}

/** 32 bits well mixed: every bit of the answer depends on every bit of the number. */
export function mix(number: number): number {
	let bits = number | 0;
	bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
	bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
	return (bits ^ (bits >>> 16)) >>> 0;
}
