import { expect, it } from "vitest";
import { lookAtReadiness } from "./readiness.ts";

function following(behind: number, more: object = {}) {
	let looks = 0;
	return {
		lag: () => 7,
		behind: () => behind,
		failing: () => false,
		look: async () => {
			looks += 1;
		},
		looks: () => looks,
		...more,
	};
}

it("is ready while what was seen is fresh, and asks nobody", async () => {
	const fresh = following(400);
	expect(await lookAtReadiness(fresh, false, 5_000)).toEqual({
		ready: true,
		lag: 7,
		behind: 400,
	});
	expect(fresh.looks()).toBe(0);
});

it("looks again before it says anything of what is old", async () => {
	let behind = 60_000;
	const old = following(0, {
		behind: () => behind,
		look: async () => {
			behind = 3;
		},
	});
	expect(await lookAtReadiness(old, false, 5_000)).toMatchObject({
		ready: true,
		behind: 3,
	});
});

it("says why not: draining before all, a store that is away, a log it cannot keep up with", async () => {
	const never = new Promise<void>(() => {});
	expect(await lookAtReadiness(following(10), true, 5_000)).toMatchObject({
		ready: false,
		reason: "draining",
	});
	expect(
		await lookAtReadiness(
			following(6_000, { failing: () => true, look: () => never }),
			false,
			5_000,
		),
	).toMatchObject({ ready: false, reason: "store-unreachable" });
	expect(await lookAtReadiness(following(6_000), false, 5_000)).toMatchObject({
		ready: false,
		reason: "behind",
		lag: 7,
	});
});
