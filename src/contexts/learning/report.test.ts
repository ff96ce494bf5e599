import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { propose } from "./propose.ts";
import {
	type Observation,
	observeCall,
	observeRun,
	reportOn,
} from "./report.ts";

function seen(more: Partial<Observation>): Observation {
	return {
		callType: "chat",
		difficulty: "easy",
		substrate: "a/x",
		case: "one",
		quality: 1,
		passed: true,
		cost: 10,
		latency: 100,
		failed: false,
		suspect: false,
		...more,
	};
}

/** Cases of a substrate, each with these qualities. */
function cases(
	substrate: string,
	qualities: readonly number[],
	more: Partial<Observation> = {},
): readonly Observation[] {
	return qualities.map((quality, at) =>
		seen({
			substrate,
			case: `case ${at}`,
			quality,
			passed: quality === 1,
			...more,
		}),
	);
}

const ones = (count: number) => Array<number>(count).fill(1);
const zeros = (count: number) => Array<number>(count).fill(0);

describe("a row", () => {
	it("counts, and pays what failed with what passed", () => {
		const { rows } = reportOn([
			seen({ cost: 10, latency: 100 }),
			seen({ case: "two", quality: 0, passed: false, cost: 20, latency: 300 }),
			seen({
				case: "three",
				quality: undefined,
				passed: false,
				failed: true,
				cost: 7,
				latency: 9,
			}),
			seen({
				case: "four",
				quality: undefined,
				passed: false,
				cost: 50,
				latency: 200,
			}),
		]);
		expect(rows).toEqual([
			{
				callType: "chat",
				substrate: "a/x",
				difficulties: ["easy"],
				samples: 4,
				failed: 1,
				judged: 2,
				cases: 2,
				passed: 1,
				suspect: 0,
				quality: {
					mean: 0.5,
					low: expect.closeTo(0.0945, 3),
					high: expect.closeTo(0.9055, 3),
					method: "wilson",
				},
				cost: 87,
				costPerSuccess: 37,
				latency: { p50: 200, p95: 300 },
			},
		]);
	});

	it("more samples of the same cases make its interval no narrower", () => {
		const once = cases("a/x", [1, 0, 1, 1]);
		const [one] = reportOn(once).rows;
		const [many] = reportOn([...once, ...once, ...once]).rows;
		expect(many?.quality).toEqual(one?.quality);
		expect(many?.samples).toBe(12);
	});

	it("of scores has Student's interval, kept within 0 and 1", () => {
		const [row] = reportOn(cases("a/x", [0.9, 1, 0.95, 0.8])).rows;
		expect(row?.quality).toMatchObject({ method: "student", high: 1 });
		expect(row?.quality?.low).toBeCloseTo(0.7768, 3);
	});

	it("of scores that are all the same is not surer than its cases allow", () => {
		const [row] = reportOn(cases("a/x", [0.8, 0.8])).rows;
		expect(row?.quality?.method).toBe("wilson");
		expect(row?.quality?.low).toBeLessThan(0.4);
	});

	it("without a success has no cost of one", () => {
		expect(reportOn(cases("a/x", [0])).rows[0]).not.toHaveProperty(
			"costPerSuccess",
		);
	});
});

describe("differences", () => {
	it("are significant from the cases on that it takes, and not before", () => {
		const of = (count: number) =>
			reportOn([...cases("a/x", ones(count)), ...cases("b/y", zeros(count))]);
		const { casesNeeded } = of(3);
		expect(casesNeeded).toBe(6);
		expect(of(5).differences[0]).toMatchObject({
			better: "a/x",
			worse: "b/y",
			by: 1,
			significant: false,
		});
		expect(of(6).differences[0]?.significant).toBe(true);
		expect(of(5).lacking).toHaveLength(2);
		expect(of(6).lacking).toEqual([]);
	});

	it("stand on the cases that both answered", () => {
		const { differences } = reportOn([
			...cases("a/x", [1, 1, 1]),
			...cases("b/y", [0]),
			seen({
				substrate: "b/y",
				case: "case 1",
				quality: undefined,
				failed: true,
			}),
		]);
		expect(differences[0]).toMatchObject({ cases: 1, by: 1 });
	});

	it("are corrected for all that were looked at", () => {
		const all = ["a/x", "b/y", "c/z"].flatMap((one, at) =>
			cases(one, at === 0 ? ones(6) : zeros(6)),
		);
		const { differences, casesNeeded } = reportOn(all);
		expect(differences).toHaveLength(3);
		expect(casesNeeded).toBe(7);
		expect(differences.some(({ significant }) => significant)).toBe(false);
		expect(
			differences.every(({ chance, corrected }) => corrected >= chance),
		).toBe(true);
	});

	it("are not looked for between kinds of calls, nor in production", () => {
		expect(
			reportOn([
				...cases("a/x", ones(3)),
				...cases("b/y", ones(3), { callType: "plan" }),
			]).differences,
		).toEqual([]);
		expect(
			reportOn([
				...cases("a/x", ones(3), { case: undefined }),
				...cases("b/y", ones(3), { case: undefined }),
			]).differences,
		).toEqual([]);
	});
});

it("does not hang on the order of what was seen", () => {
	const observation = fc.record({
		substrate: fc.constantFrom("a/x", "b/y", "c/z"),
		callType: fc.constantFrom("chat", "plan"),
		case: fc.constantFrom("one", "two", "three"),
		quality: fc.option(
			fc.integer({ min: 0, max: 1000 }).map((one) => one / 1000),
			{ nil: undefined },
		),
		cost: fc.integer({ min: 0, max: 99 }),
		failed: fc.boolean(),
	});
	fc.assert(
		fc.property(fc.array(observation, { maxLength: 30 }), (all) => {
			const observations = all.map((one) => seen(one));
			expect(reportOn([...observations].reverse())).toEqual(
				reportOn(observations),
			);
		}),
		{ numRuns: 60 },
	);
});

it("says of what there is too little, and why", () => {
	const failed = { quality: undefined, passed: false, failed: true };
	const { lacking } = reportOn([
		...cases("a/x", ones(8)),
		seen({ substrate: "b/y", ...failed }),
		seen({ substrate: "c/z", quality: undefined, passed: false }),
		...cases("d/w", ones(8)),
		seen({ substrate: "d/w", ...failed }),
	]);
	expect(
		Object.fromEntries(lacking.map(({ substrate, why }) => [substrate, why])),
	).toEqual({
		"b/y": "it never answered",
		"c/z": "nothing of it was judged",
		"d/w": "1 of 9 calls failed",
	});
});

it("reads a run's samples and production calls the same way", () => {
	const [one] = observeRun(
		{
			run: "r",
			suite: "s",
			digest: "d",
			account: "main",
			key: "k",
			over: ["a/x"],
			samples: 1,
			cases: [{ id: "one", callType: "chat", difficulty: "easy" }],
		},
		[
			{
				case: 0,
				substrate: 0,
				sample: 1,
				score: 1000,
				passed: true,
				cost: 10,
				latency: 100,
			},
		],
	);
	expect(one).toEqual(seen({}));
	expect(
		observeCall({
			call: "c",
			account: "main",
			time: 1,
			callType: "chat",
			difficulty: "easy",
			substrate: "a/x",
			charged: 10,
			latency: 100,
			failed: ["b/y"],
			ending: "finished",
			quality: 1,
			signals: { schema: false },
		}),
	).toEqual([
		seen({
			case: undefined,
			substrate: "b/y",
			quality: undefined,
			passed: false,
			cost: 0,
			latency: undefined,
			failed: true,
		}),
		seen({ case: undefined, suspect: true }),
	]);
});

describe("a proposal", () => {
	const options = { margin: 0.05, sayCost: (amount: number) => `${amount} mc` };
	const only = (observations: readonly Observation[]) => {
		const [one] = propose(reportOn(observations), options);
		return one;
	};

	it("prefers the cheapest of those that are about as good as the best", () => {
		expect(
			only([
				...cases("a/large", ones(20), { cost: 100 }),
				...cases("b/small", [...ones(19), 0.2], { cost: 10 }),
				...cases("c/tiny", zeros(20), { cost: 1 }),
			]),
		).toMatchObject({
			row: {
				callTypes: ["chat"],
				difficulties: ["easy"],
				prefer: [{ substrate: ["b/small"] }, { substrate: ["a/large"] }],
			},
			grades: [
				{ where: { substrate: ["a/large"] }, quality: 1000 },
				{ where: { substrate: ["b/small"] }, quality: 960 },
				{ where: { substrate: ["c/tiny"] }, quality: 1 },
			],
			evidence: [
				expect.stringContaining("b/small: quality 0.96"),
				expect.stringContaining("a/large: quality 1.00"),
				expect.stringMatching(
					/c\/tiny.*100 points behind a\/large, significant/,
				),
			],
		});
	});

	it("takes what is within the margin and worse for sure for what it is: worse", () => {
		const good = ones(16);
		expect(
			only([
				...cases("a/large", good, { cost: 100 }),
				...cases(
					"b/small",
					good.map(() => 0.96),
					{ cost: 10, passed: true },
				),
			]),
		).toMatchObject({ row: { prefer: [{ substrate: ["a/large"] }] } });
	});

	it("grades and prefers nothing that lacks data", () => {
		expect(
			only([
				...cases("a/x", ones(8)),
				...cases("b/y", ones(8)),
				...cases("c/z", ones(2), { cost: 1 }),
			]),
		).toMatchObject({
			row: { prefer: [{ substrate: ["a/x"] }, { substrate: ["b/y"] }] },
			grades: [{}, {}],
			evidence: [
				expect.anything(),
				expect.anything(),
				"c/z is left out: 2 of the 7 cases that it takes",
			],
		});
	});

	it("is none for one substrate alone, or where nothing passed", () => {
		expect(only(cases("a/x", ones(8)))).toMatchObject({
			why: expect.stringContaining("there is one"),
		});
		expect(
			only([...cases("a/x", zeros(8)), ...cases("b/y", zeros(8))]),
		).toMatchObject({ why: "nothing passed anywhere" });
	});

	it("speaks of every difficulty only where every one was asked", () => {
		const all = (["easy", "medium", "hard"] as const).flatMap((difficulty) =>
			["a/x", "b/y"].flatMap((one) =>
				cases(one, ones(8), { difficulty }).map((seen) => ({
					...seen,
					case: `${difficulty} ${seen.case}`,
				})),
			),
		);
		const made = only(all);
		expect(made && "row" in made && made.row).not.toHaveProperty(
			"difficulties",
		);
	});
});
