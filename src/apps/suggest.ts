/** The known word that somebody who typed `word` most likely meant, or undefined when none is near. */
export function closest(
	word: string,
	known: readonly string[],
): string | undefined {
	let best: string | undefined;
	let least = Math.max(1, Math.ceil(word.length / 3)) + 1;
	for (const candidate of known) {
		const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
		if (distance < least) {
			least = distance;
			best = candidate;
		}
	}
	return best;
}

/** Letters to insert, delete, replace or swap with their neighbour to turn one word into the other. */
function editDistance(from: string, to: string): number {
	if (Math.abs(from.length - to.length) > 20) return Number.POSITIVE_INFINITY;
	let before: number[] = [];
	let above = Array.from({ length: to.length + 1 }, (_, column) => column);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const same = from[row - 1] === to[column - 1];
			let least = Math.min(
				(above[column] as number) + 1,
				(current[column - 1] as number) + 1,
				(above[column - 1] as number) + (same ? 0 : 1),
			);
			if (
				row > 1 &&
				column > 1 &&
				from[row - 1] === to[column - 2] &&
				from[row - 2] === to[column - 1]
			) {
				least = Math.min(least, (before[column - 2] as number) + 1);
			}
			current.push(least);
		}
		before = above;
		above = current;
	}
	return above[to.length] as number;
}
