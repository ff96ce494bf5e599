import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RunFacts, Sample } from "../../contexts/learning/index.ts";
import { type Asker, type Reply, type RunEnd, runBakeoff } from "./run.ts";
import type { Case, Suite } from "./suite.ts";

const refused = (code: string, again?: number): Reply => ({
	ok: false,
	error: { code, message: code },
	again,
	call: undefined,
	cost: 0,
});

function suiteOf(count: number, checks: Case["checks"]): Suite {
	return {
		name: "s",
		cases: Array.from({ length: count }, (_, at) => ({
			id: `case-${at}`,
			callType: "chat",
			difficulty: "easy",
			question: "q",
			body: {
				messages: [{ role: "user", content: `${at}` }],
				max_completion_tokens: 10,
			},
			checks,
		})),
	};
}

function factsOf(
	suite: Suite,
	over: readonly string[],
	samples: number,
): RunFacts {
	return {
		run: "r",
		suite: suite.name,
		digest: "d",
		account: "main",
		key: "k",
		over,
		samples,
		judge: "j/judge",
		cases: suite.cases.map(({ id, callType, difficulty }) => ({
			id,
			callType,
			difficulty,
		})),
	};
}

/** A gateway under a cap: holds before it answers, answers once under a key, and forgets what a crash cut off. */
function gatewayOf(options: {
	readonly cap: number;
	readonly most: number;
	readonly costOf: (key: string) => number;
	readonly text?: (model: string) => string;
}) {
	const answers = new Map<string, Reply>();
	const payments = new Map<string, number>();
	let cap = options.cap;
	let held = 0;
	let highest = 0;
	let life = 0;
	const spent = () => [...payments.values()].reduce((sum, one) => sum + one, 0);
	const asker: Asker = {
		atMost: async () => options.most,
		async ask(body, key) {
			const known = answers.get(key);
			if (known) return known;
			if (spent() + held + options.most > cap)
				return refused("credits/cap-exceeded");
			const born = life;
			held += options.most;
			highest = Math.max(highest, spent() + held);
			const cost = options.costOf(key);
			for (let turn = 0; turn < cost % 4; turn++) await Promise.resolve();
			// The process that carried it is gone: nothing is charged.
			if (born !== life) return refused("server/gone");
			held -= options.most;
			const { model } = body as { model: string };
			const reply: Reply = {
				ok: true,
				call: `call of ${key}`,
				substrate: model,
				answer: { text: options.text?.(model) ?? "yes", toolCalls: [] },
				finish: "stop",
				outputTokens: 1,
				cost,
				latency: 5,
			};
			payments.set(key, (payments.get(key) ?? 0) + cost);
			answers.set(key, reply);
			return reply;
		},
	};
	return {
		asker,
		spent,
		highest: () => highest,
		calls: () => answers.size,
		raise(to: number) {
			cap = to;
		},
		crash() {
			life++;
			held = 0;
		},
	};
}

describe("whatever it costs, however many calls are made at a time, and wherever it is killed", () => {
	const world = fc.record({
		cases: fc.integer({ min: 1, max: 5 }),
		over: fc.integer({ min: 1, max: 3 }),
		samples: fc.integer({ min: 1, max: 3 }),
		concurrency: fc.integer({ min: 1, max: 12 }),
		most: fc.integer({ min: 1, max: 20 }),
		budget: fc.integer({ min: 0, max: 400 }),
		killAfter: fc.integer({ min: 0, max: 50 }),
		seed: fc.nat(),
		judged: fc.boolean(),
		/** Without the key's cap, what the runner sets aside must keep the budget by itself. */
		capped: fc.boolean(),
	});

	it("the budget is kept, no sample is paid twice, and none is missing in the end", async () => {
		await fc.assert(
			fc.asyncProperty(world, async (one) => {
				const suite = suiteOf(
					one.cases,
					one.judged
						? [{ kind: "judge", rubric: "r", atLeast: 0.5 }]
						: [{ kind: "equals", text: "yes" }],
				);
				const over = ["a/x", "b/y", "c/z"].slice(0, one.over);
				const facts = factsOf(suite, over, one.samples);
				const gateway = gatewayOf({
					cap: one.capped ? one.budget : 1_000_000,
					most: one.most,
					costOf: (key) =>
						((one.seed + key.length * 7 + key.charCodeAt(12)) % one.most) + 1,
					text: (model) => (model === "j/judge" ? '{"score": 1}' : "yes"),
				});
				const recorded: Sample[] = [];

				async function go(
					budget: number,
					killAfter?: number,
				): Promise<RunEnd | "killed"> {
					let killed = false;
					const run = runBakeoff({
						facts,
						suite,
						recorded: [...recorded],
						budget,
						concurrency: one.concurrency,
						asker: {
							atMost: gateway.asker.atMost,
							async ask(...asked) {
								if (killed) return new Promise<never>(() => {});
								const reply = await gateway.asker.ask(...asked);
								// A process that was killed hears of nothing any more.
								return killed ? new Promise<never>(() => {}) : reply;
							},
						},
						async record(sample) {
							await Promise.resolve();
							if (!killed) recorded.push(sample);
						},
						stopping: () => false,
						wait: () => Promise.resolve(),
					});
					if (killAfter === undefined) return run;
					let over = false;
					const kill = (async () => {
						for (let turn = 0; turn < killAfter; turn++)
							await Promise.resolve();
						if (over) return "killed" as const;
						killed = true;
						gateway.crash();
						return "killed" as const;
					})();
					const first = await Promise.race([run, kill]);
					over = true;
					return first;
				}

				if (one.capped) await go(one.budget, one.killAfter);
				expect(gateway.highest()).toBeLessThanOrEqual(one.budget);
				await go(one.budget);
				expect(gateway.spent()).toBeLessThanOrEqual(one.budget);
				expect(gateway.highest()).toBeLessThanOrEqual(one.budget);

				gateway.raise(1_000_000);
				expect(await go(1_000_000)).toEqual({ why: "finished" });
				const planned = one.cases * one.over * one.samples;
				const places = recorded.map(
					(sample) => `${sample.case} ${sample.substrate} ${sample.sample}`,
				);
				expect(new Set(places).size).toBe(planned);
				expect(places).toHaveLength(planned);
				expect(gateway.calls()).toBe(planned * (one.judged ? 2 : 1));
				expect(recorded.every(({ passed }) => passed)).toBe(true);
				const paid = recorded.reduce(
					(sum, { cost, judgeCost = 0 }) => sum + cost + judgeCost,
					0,
				);
				expect(paid).toBe(gateway.spent());
			}),
			{ numRuns: 60 },
		);
	});
});

interface Ran {
	readonly end: RunEnd;
	readonly recorded: readonly Sample[];
	readonly asked: number;
}

async function runOne(
	answer: (asked: number, model: string) => Reply,
	checks: Case["checks"] = [{ kind: "equals", text: "yes" }],
): Promise<Ran> {
	const suite = suiteOf(1, checks);
	const recorded: Sample[] = [];
	let asked = 0;
	const end = await runBakeoff({
		facts: factsOf(suite, ["a/x"], 1),
		suite,
		recorded: [],
		budget: 1_000,
		concurrency: 4,
		asker: {
			atMost: async () => 10,
			ask: async (body) => answer(++asked, (body as { model: string }).model),
		},
		record: async (sample) => void recorded.push(sample),
		stopping: () => false,
		wait: () => Promise.resolve(),
	});
	return { end, recorded, asked };
}

const answered: Reply & { ok: true } = {
	ok: true,
	call: "c1",
	substrate: "a/x",
	answer: { text: "yes", toolCalls: [] },
	finish: "stop",
	outputTokens: 3,
	cost: 7,
	latency: 5,
};

describe("one sample", () => {
	it("is checked and recorded with what it cost", async () => {
		const { end, recorded } = await runOne(() => answered);
		expect(end).toEqual({ why: "finished" });
		expect(recorded).toEqual([
			{
				case: 0,
				substrate: 0,
				sample: 1,
				call: "c1",
				score: 1000,
				passed: true,
				checks: [1000],
				cost: 7,
				latency: 5,
				finish: "stop",
			},
		]);
	});

	it("that failed for a while is asked again, and in the end recorded as failed", async () => {
		const late = await runOne((asked) =>
			asked < 3 ? refused("vendor/rate-limited", 1) : answered,
		);
		expect(late.recorded).toMatchObject([{ passed: true }]);
		const never = await runOne(() => refused("vendor/rate-limited", 1));
		expect(never.recorded).toEqual([
			{
				case: 0,
				substrate: 0,
				sample: 1,
				cost: 0,
				failed: "vendor/rate-limited",
			},
		]);
		expect(never.asked).toBe(5);
	});

	it.each([
		[
			"of another substrate",
			{ ...answered, substrate: "b/y" },
			"bakeoff/other-substrate",
		],
		[
			"cut before its own limit",
			{ ...answered, finish: "length" },
			"bakeoff/cut-short",
		],
		[
			"that was refused",
			refused("translate/unsupported"),
			"translate/unsupported",
		],
		[
			"whose answer is gone",
			{ ...refused("idempotency/answer-gone"), call: "c0", cost: 9 },
			"idempotency/answer-gone",
		],
	])("%s is no answer to judge", async (_, reply, failed) => {
		const { recorded } = await runOne(() => reply as Reply);
		expect(recorded).toMatchObject([{ failed, cost: reply.cost }]);
		expect(recorded[0]).not.toHaveProperty("score");
	});

	it("cut at its own limit is an answer", async () => {
		const { recorded } = await runOne(() => ({
			...answered,
			finish: "length",
			outputTokens: 10,
		}));
		expect(recorded).toMatchObject([{ finish: "length", passed: true }]);
	});

	it("is judged by the model that judges, which is paid apart", async () => {
		const { recorded } = await runOne(
			(_, model) =>
				model === "a/x"
					? answered
					: {
							...answered,
							substrate: model,
							cost: 2,
							answer: { text: '{"score": 0.6}', toolCalls: [] },
						},
			[
				{ kind: "equals", text: "yes" },
				{ kind: "judge", rubric: "r", atLeast: 0.7 },
			],
		);
		expect(recorded).toMatchObject([
			{ score: 800, passed: false, checks: [1000, 600], cost: 7, judgeCost: 2 },
		]);
	});

	it("without a verdict of its judge is recorded, and not judged", async () => {
		const { recorded } = await runOne(
			(_, model) => ({ ...answered, substrate: model }),
			[{ kind: "judge", rubric: "r", atLeast: 0.7 }],
		);
		expect(recorded).toMatchObject([{ cost: 7, judgeCost: 7 }]);
		expect(recorded[0]).not.toHaveProperty("score");
	});

	it.each(["key/revoked", "account/unknown", "log/busy"])(
		"is not recorded when %s stands in the way of all",
		async (code) => {
			await expect(runOne(() => refused(code))).rejects.toMatchObject({
				refusal: { code },
			});
		},
	);

	it("ends the run when credits are short", async () => {
		const { end, recorded } = await runOne(() =>
			refused("credits/insufficient"),
		);
		expect(end).toMatchObject({
			why: "credits",
			refusal: { code: "credits/insufficient" },
		});
		expect(recorded).toEqual([]);
	});
});
