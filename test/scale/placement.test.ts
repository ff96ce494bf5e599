import { describe, expect, it } from "vitest";
import { jump, mix, openPlacement } from "./placement.ts";

describe("the hash", () => {
	it("is even, and always within", () => {
		const counts = new Uint32Array(100);
		for (let key = 0; key < 200_000; key++) {
			const bucket = jump(mix(key), 100);
			counts[bucket] = (counts[bucket] as number) + 1;
		}
		// 2,000 each, with a standard deviation of 44.
		expect(Math.min(...counts)).toBeGreaterThan(1_780);
		expect(Math.max(...counts)).toBeLessThan(2_220);
		expect(jump(mix(5), 1)).toBe(0);
	});

	it("moves into a new bucket what belongs there, and nothing else", () => {
		let moved = 0;
		for (let key = 0; key < 50_000; key++) {
			const [before, after] = [jump(mix(key), 100), jump(mix(key), 101)];
			if (before === after) continue;
			expect(after).toBe(100);
			moved++;
		}
		expect(moved / 50_000).toBeCloseTo(1 / 101, 2);
	});
});

it("the table goes before the hash, and holds none that is where the hash says", () => {
	const placement = openPlacement(10);
	const home = placement.logOf(7);
	placement.move(7, (home + 1) % 10);
	expect(placement.logOf(7)).toBe((home + 1) % 10);
	expect(placement.moved).toBe(1);
	placement.move(7, home);
	expect(placement.logOf(7)).toBe(home);
	expect(placement.moved).toBe(0);
});
