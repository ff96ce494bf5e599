import { describe, expect, it } from "vitest";
import { manualClock } from "./manual-clock.ts";

describe("manual clock", () => {
	it("stands still until it is driven", async () => {
		const clock = manualClock({ start: 1_000 });
		expect(clock.now()).toBe(1_000);
		await clock.advance(250);
		expect(clock.now()).toBe(1_250);
	});

	it("runs what falls due in order, each at its own moment", async () => {
		const clock = manualClock({ start: 0 });
		const story: string[] = [];
		const tell = (what: string) => () =>
			story.push(`${what} at ${clock.now()}`);
		clock.later(30, tell("third"));
		clock.later(10, tell("first"));
		clock.later(30, tell("fourth"));
		clock.later(20, () => {
			tell("second")();
			clock.later(15, tell("fifth"));
			clock.later(100, tell("too late"));
		});
		clock.later(25, tell("called off"))();
		expect([clock.timers(), clock.untilNext()]).toEqual([4, 10]);
		await clock.advance(35);
		expect(story).toEqual([
			"first at 10",
			"second at 20",
			"third at 30",
			"fourth at 30",
			"fifth at 35",
		]);
		expect([clock.now(), clock.timers(), clock.untilNext()]).toEqual([
			35, 1, 85,
		]);
	});

	it("settles between two timers, so that the second sees all the first led to", async () => {
		const clock = manualClock({ start: 0, soon: "settle" });
		const story: string[] = [];
		clock.later(10, () => {
			clock.soon(async () => {
				for (let turn = 0; turn < 20; turn++) await Promise.resolve();
				story.push(`consequence at ${clock.now()}`);
			});
		});
		clock.later(11, () => story.push("next"));
		await clock.advance(20);
		expect(story).toEqual(["consequence at 10", "next"]);
	});

	it("does soon's work by itself on the microtask queue, after what is under way", async () => {
		const clock = manualClock();
		const story: string[] = [];
		clock.soon(() => story.push("soon"));
		story.push("now");
		await Promise.resolve();
		expect(story).toEqual(["now", "soon"]);
	});

	it("holds soon's work back until it settles, and then does what that leads to as well", async () => {
		const clock = manualClock({ soon: "settle" });
		const story: string[] = [];
		clock.soon(() => {
			story.push("first");
			void Promise.resolve().then(() => clock.soon(() => story.push("second")));
		});
		await new Promise((resolve) => setTimeout(resolve, 1));
		expect(story).toEqual([]);
		await clock.settle();
		expect(story).toEqual(["first", "second"]);
	});

	it("jumps without timers noticing", async () => {
		const clock = manualClock({ start: 10_000 });
		const seen: number[] = [];
		clock.later(100, () => seen.push(clock.now()));
		clock.jump(-5_000);
		expect(clock.now()).toBe(5_000);
		await clock.advance(99);
		expect(seen).toEqual([]);
		await clock.advance(1);
		expect(seen).toEqual([5_100]);
	});

	it.each(["microtask", "settle"] as const)(
		"forgets all that a killed process never does: %s",
		async (soon) => {
			const clock = manualClock({ soon });
			const story: string[] = [];
			clock.soon(() => story.push("soon"));
			clock.later(1, () => story.push("later"));
			clock.clear();
			clock.soon(() => story.push("after"));
			await clock.advance(10);
			expect(story).toEqual(["after"]);
		},
	);
});
