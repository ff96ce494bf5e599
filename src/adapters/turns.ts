/** Work that takes turns: each starts when the one before has ended, in the order it was asked for. */
type Turns = <T>(work: () => T | Promise<T>) => Promise<T>;

export function takeTurns(): Turns {
	let last: Promise<unknown> | undefined;
	return async (work) => {
		const before = last;
		let done = () => {};
		const mine = new Promise<void>((resolve) => {
			done = resolve;
		});
		last = mine;
		try {
			if (before) await before;
			return await work();
		} finally {
			if (last === mine) last = undefined;
			done();
		}
	};
}
