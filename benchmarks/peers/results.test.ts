import { describe, expect, it } from "vitest";
import {
	better,
	type Contender,
	disturbedOf,
	type Figures,
	figuresOf,
	type Results,
	round,
	targetsOf,
} from "./results.ts";

const nothing: Figures = {
	cpu: null,
	foreign: null,
	memory: null,
	perSecond: null,
	p50: null,
	p99: null,
	firstByteP50: null,
	firstByteP99: null,
	failed: 0,
};

function contender(
	id: string,
	figures: Record<string, Partial<Figures>>,
): Contender {
	return {
		id,
		name: id,
		kind: "peer",
		conditions: "",
		version: "",
		notes: [],
		figures: Object.fromEntries(
			Object.entries(figures).map(([name, some]) => [
				name,
				{ ...nothing, ...some },
			]),
		),
	};
}

function results(...contenders: Contender[]): Results {
	return {
		taken: "2026-01-01T00:00:00Z",
		commit: "abc",
		command: "npm run bench -- peers",
		machine: "a machine",
		seconds: 1,
		rounds: 1,
		minutes: 1,
		contenders,
	};
}

describe("two rounds", () => {
	it("the one with less CPU counts, and without CPU the one that waited less", () => {
		const [cheap, dear] = [
			{ ...nothing, cpu: 50, p50: 9 },
			{ ...nothing, cpu: 60, p50: 1 },
		];
		expect(better(dear, cheap)).toBe(cheap);
		expect(better(cheap, dear)).toBe(cheap);
		const [quick, slow] = [
			{ ...nothing, p50: 1 },
			{ ...nothing, p50: 2 },
		];
		expect(better(slow, quick)).toBe(quick);
		expect(better(undefined, slow)).toBe(slow);
	});

	it("but one that others disturbed does not, however little CPU it shows", () => {
		const disturbed = { ...nothing, cpu: 50, foreign: 0.4 };
		const quiet = { ...nothing, cpu: 60, foreign: 0.02 };
		expect(better(disturbed, quiet)).toBe(quiet);
		expect(better(quiet, disturbed)).toBe(quiet);
		const [one, other] = [
			contender("a", { many: disturbed, one: quiet }),
			contender("b", { many: quiet }),
		];
		expect(disturbedOf(results(one, other))).toContain("in 1 of 3 cells");
		expect(disturbedOf(results(other))).toBeUndefined();
	});

	it("nor a round with failed calls, against one without", () => {
		const refused = { ...nothing, cpu: 1, failed: 3 };
		const honest = { ...nothing, cpu: 60 };
		expect(better(refused, honest)).toBe(honest);
		expect(better(honest, refused)).toBe(honest);
	});
});

describe("targets", () => {
	it("are ratios within one run, reached or not", () => {
		const targets = targetsOf(
			results(
				contender("portkey", { many: { perSecond: 1_000 } }),
				contender("bare-node", { many: { cpu: 60 } }),
				contender("ours-node", { many: { perSecond: 9_500, cpu: 120 } }),
			),
		);
		expect(targets[0]).toMatchObject({
			wanted: "at least 9 × Portkey's",
			seen: "9.5 × Portkey's",
			verdict: "reached",
		});
		expect(targets[1]).toMatchObject({
			seen: "2 × the bare proxy's",
			verdict: "not reached",
		});
	});

	it("are neither where a figure is missing", () => {
		for (const target of targetsOf(results()))
			expect(target).not.toHaveProperty("verdict");
	});

	it("are told and not judged where others disturbed what they stand on", () => {
		const [plain] = targetsOf(
			results(
				contender("portkey", { many: { perSecond: 1_000, foreign: 0.5 } }),
				contender("ours-node", { many: { perSecond: 9_500 } }),
			),
		);
		expect(plain?.seen).toBe("9.5 × Portkey's");
		expect(plain).not.toHaveProperty("verdict");
	});

	it("may be a difference, or a figure in another unit", () => {
		const targets = targetsOf(
			results(
				contender("direct", { paced: { firstByteP99: 55 } }),
				contender("ours-node", {
					paced: { firstByteP99: 61.5 },
					most: { memory: 140e6 },
				}),
			),
		);
		expect(targets[5]).toMatchObject({
			seen: "6.5 ms over no gateway",
			verdict: "reached",
		});
		expect(targets[6]).toMatchObject({ seen: "140 MB", verdict: "reached" });
	});
});

it("what cannot be measured is null, not NaN", () => {
	const load = {
		requests: 0,
		perSecond: 0,
		failed: 0,
		p50: 1,
		p90: 1,
		p99: 1,
		firstByteP50: Number.NaN,
		firstByteP99: 1,
	};
	expect(
		figuresOf({ cpu: Number.NaN, foreign: 0, memory: 5, load }),
	).toMatchObject({
		cpu: null,
		memory: 5,
		firstByteP50: null,
		p50: 1,
	});
});

it("figures are told short", () => {
	expect([12_345.6, 99.96, 9.876, 1, 0.004].map(round)).toEqual([
		"12,346",
		"100",
		"9.88",
		"1",
		"0",
	]);
});
