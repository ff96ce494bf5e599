import { describe, expect, it } from "vitest";
import type { Usage } from "../../ports/price-book.ts";
import { expect as expectUse, type SizingState, sizing } from "./sizing.ts";

function settled(
	state: SizingState,
	usage: Usage,
	more: Record<string, unknown> = {},
): SizingState {
	return sizing.evolve(state, {
		type: "credits-settled",
		data: {
			key: "k",
			substrate: "s/m",
			basis: "priced",
			inputBytes: 400,
			usage,
			...more,
		} as never,
		stream: "account/main",
		time: 0,
		position: 1,
	});
}

const use = (state: SizingState, bytes = 400, media = 0, key = "k") =>
	expectUse(state, key, "s/m", bytes, media);

describe("what a call will probably use", () => {
	it("is a cautious rule of thumb until one was settled", () => {
		const { input, inputUsual, outputUsual, outputHigh, samples } = use(
			sizing.initial(),
			4_000,
		);
		expect(samples).toBe(0);
		expect(input).toBeGreaterThanOrEqual(4_000);
		expect(inputUsual).toBeLessThan(input);
		expect(outputUsual).toBeLessThan(outputHigh);
	});

	it("is learned from settled calls of the key to the substrate", () => {
		const state = sizing.initial();
		for (let n = 1; n <= 9; n++) settled(state, { input: 100, output: n * 10 });
		const learned = use(state);
		expect(learned.samples).toBe(9);
		expect(learned.input).toBeGreaterThanOrEqual(100);
		expect(learned.input).toBeLessThan(150);
		expect(learned.outputUsual).toBe(50);
		expect(learned.outputHigh).toBeGreaterThanOrEqual(90);
		expect(learned.outputHigh).toBeLessThan(150);
		// Twice as long a request, twice the input.
		expect(use(state, 800).input).toBeGreaterThanOrEqual(200);
		expect(use(state, 400, 0, "another").samples).toBe(0);
	});

	it("doubles what few calls have shown", () => {
		expect(
			use(settled(sizing.initial(), { input: 1, output: 500 })).outputHigh,
		).toBe(1_000);
	});

	it("counts every class of input and output", () => {
		const learned = use(
			settled(sizing.initial(), {
				input: 1,
				"cache-read": 10,
				"cache-write-5m": 20,
				"cache-write-1h": 30,
				"input-audio": 40,
				"cache-read-audio": 50,
				"input-image": 60,
				output: 1_000,
				reasoning: 2_000,
				"output-audio": 3_000,
				"output-image": 4_000,
				search: 99_999,
			}),
		);
		expect(learned.inputUsual).toBe(211);
		expect(learned.outputUsual).toBe(10_000);
	});

	it("adds room for media, whose bytes are not text", () => {
		const state = settled(sizing.initial(), { input: 100, output: 10 });
		expect(use(state, 400, 2).input - use(state).input).toBe(5_000);
	});

	it("learns nothing from estimates, from calls without input, or from other events", () => {
		const state = sizing.initial();
		settled(state, { input: 1, output: 1 }, { basis: "estimated" });
		settled(state, { input: 1, output: 1 }, { inputBytes: 0 });
		sizing.evolve(state, {
			type: "credits-released",
			data: {},
			stream: "",
			time: 0,
			position: 1,
		});
		expect(state.samples.size).toBe(0);
	});

	it("forgets the oldest samples, and the pair that was used least lately", () => {
		const state = sizing.initial();
		settled(state, { input: 1, output: 9_999 });
		for (let n = 0; n < 32; n++) settled(state, { input: 1, output: 10 });
		expect(use(state)).toMatchObject({ samples: 32, outputUsual: 10 });
		expect(use(state).outputHigh).toBeLessThan(100);
		for (let n = 0; n < 4_999; n++)
			settled(state, { input: 1, output: 1 }, { key: `k${n}` });
		settled(state, { input: 1, output: 10 });
		settled(state, { input: 1, output: 1 }, { key: "one more" });
		expect(state.samples.size).toBe(5_000);
		expect(use(state).samples).toBe(32);
		expect(use(state, 400, 0, "k0").samples).toBe(0);
	});

	it("survives a snapshot", () => {
		const state = settled(sizing.initial(), { input: 100, output: 10 });
		const loaded = sizing.load(JSON.parse(JSON.stringify(sizing.save(state))));
		expect(loaded).toEqual(state);
		expect(use(loaded)).toEqual(use(state));
	});

	it("decides nothing", () => {
		expect(
			sizing.decide({} as never, sizing.initial(), {
				now: 0,
				recalled: new Map(),
			}),
		).toEqual({ ok: true, events: [] });
	});
});
