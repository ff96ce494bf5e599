import type { Random } from "../simulation/random.ts";

/** One way to torture the program: a case is made of its seed, and given again by it. */
export interface Scenario {
	readonly name: string;
	/** What must hold, in a sentence. */
	readonly promise: string;
	/** Cases in a whole run, and in a short one; 0 leaves it out of the short one. */
	readonly rounds: { readonly long: number; readonly short: number };
	/** Plays one case. Resolves to what was seen, in a few words; rejects when the promise is broken, or with `Skipped`. */
	play(round: Case): Promise<string>;
}

export interface Case {
	readonly seed: number;
	readonly random: Random;
	/** Less of everything. */
	readonly short: boolean;
}

/** This machine cannot play the scenario. */
export class Skipped extends Error {}

/** A promise that did not hold. */
export class Broken extends Error {}

export function must(holds: unknown, what: string): asserts holds {
	if (!holds) throw new Broken(what);
}

export function mustEqual(seen: unknown, wanted: unknown, what: string): void {
	const [left, right] = [JSON.stringify(seen), JSON.stringify(wanted)];
	if (left !== right)
		throw new Broken(`${what}: expected ${right}, but it was ${left}`);
}

export function sleep(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until something is so; rejects with `what` when it is not in time. */
export async function until(
	isSo: () => boolean | Promise<boolean>,
	what: string,
	milliseconds = 10_000,
): Promise<void> {
	const end = performance.now() + milliseconds;
	while (!(await isSo())) {
		must(performance.now() < end, what);
		await sleep(20);
	}
}
