import { expect, it } from "vitest";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { repeat } from "./repeat.ts";

it("works at each interval, goes on after a fault, and never twice at once", async () => {
	const clock = manualClock();
	const faults: unknown[] = [];
	let times = 0;
	let end = (): void => {};
	const stop = repeat(
		clock,
		100,
		() => {
			times++;
			if (times === 1) return Promise.reject(new Error("first"));
			return new Promise<void>((resolve) => {
				end = resolve;
			});
		},
		(fault) => faults.push(fault),
	);
	await clock.advance(99);
	expect(times).toBe(0);
	await clock.advance(101);
	expect(times).toBe(2);
	expect(faults).toHaveLength(1);
	await clock.advance(1_000);
	expect(times).toBe(2);
	end();
	await clock.advance(100);
	expect(times).toBe(3);
	stop();
});

it("stopped in the middle of its work does not begin again, and keeps what then fails to itself", async () => {
	const clock = manualClock();
	const faults: unknown[] = [];
	let fail = (_: Error): void => {};
	const stop = repeat(
		clock,
		100,
		() =>
			new Promise<void>((_, reject) => {
				fail = reject;
			}),
		(fault) => faults.push(fault),
	);
	await clock.advance(100);
	stop();
	fail(new Error("closed under it"));
	await clock.advance(1_000);
	expect(clock.timers()).toBe(0);
	expect(faults).toEqual([]);
});
