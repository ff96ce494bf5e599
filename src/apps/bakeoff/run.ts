import {
	type Answer,
	judgeMessages,
	meets,
	type RunFacts,
	readVerdict,
	type Sample,
} from "../../contexts/learning/index.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import type { Refusal } from "../../kernel/outcome.ts";
import type { Case, Suite } from "./suite.ts";

/** What came of one call. */
export type Reply = Answered | Refused;

export interface Answered {
	readonly ok: true;
	readonly call: string;
	/** Who answered. */
	readonly substrate: string;
	readonly answer: Answer;
	readonly finish: string | undefined;
	readonly outputTokens: number | undefined;
	readonly cost: MicroCredits;
	readonly latency: number | undefined;
}

export interface Refused {
	readonly ok: false;
	readonly error: Refusal;
	/** The same may be asked again, after so many milliseconds. */
	readonly again: number | undefined;
	readonly call: string | undefined;
	/** What it cost nevertheless. */
	readonly cost: MicroCredits;
}

/** Makes calls through the gateway. */
export interface Asker {
	/** The most that a call may cost: what will be held for it. Throws what is refused. */
	atMost(body: object): Promise<MicroCredits>;
	/** Under one idempotency key a call is made, and paid, once: asked again, it gives the first answer. Rejects when `signal` aborts. */
	ask(body: object, idempotencyKey: string, about: Case): Promise<Reply>;
}

/** How a run came to its end for now. */
export type RunEnd =
	| { readonly why: "finished" | "stopped" }
	/** The budget, or what the account has, does not pay for the next call. */
	| { readonly why: "credits"; readonly refusal?: Refusal };

export interface RunOptions {
	readonly facts: RunFacts;
	readonly suite: Suite;
	/** What earlier goes recorded. */
	readonly recorded: readonly Sample[];
	/** All that the run may cost, earlier goes included. */
	readonly budget: MicroCredits;
	readonly concurrency: number;
	readonly asker: Asker;
	/** Durable when it resolves. */
	record(sample: Sample, answer: Answer | undefined): Promise<void>;
	/** True once no further sample shall begin. */
	stopping(): boolean;
	wait(milliseconds: number): Promise<void>;
}

type Place = Pick<Sample, "case" | "substrate" | "sample">;

/** Tries of a call that failed for a while. */
const mostTries = 5;
/** Tries of one that is still being answered: for an earlier go that was killed. */
const mostLooks = 600;
const judgeTokens = 300;

/** The samples that are not recorded yet: every case at every substrate, then all once more, so that pairs are whole early. */
export function missing(
	{ cases, over, samples }: RunFacts,
	recorded: readonly Sample[],
): readonly Place[] {
	const name = (place: Place) =>
		`${place.case} ${place.substrate} ${place.sample}`;
	const there = new Set(recorded.map(name));
	const places: Place[] = [];
	for (let sample = 1; sample <= samples; sample++)
		for (const at of cases.keys())
			for (const substrate of over.keys())
				places.push({ case: at, substrate, sample });
	return places.filter((place) => !there.has(name(place)));
}

/**
 * Makes and records the samples that are missing. No call begins that the budget might not pay for: what it may cost is
 * set aside here before, as the gateway sets it aside under the key's cap. Rejects with what neither can be waited out
 * nor recorded; what was recorded stays.
 */
export async function runBakeoff(options: RunOptions): Promise<RunEnd> {
	const { facts, suite, asker, budget, stopping } = options;
	const queue = [...missing(facts, options.recorded)];
	let spent = options.recorded.reduce(
		(sum, { cost, judgeCost = 0 }) => sum + cost + judgeCost,
		0,
	);
	let reserved = 0;
	let busy = 0;
	/** Of the busy, those that wait for credits that others hold. */
	let idle = 0;
	let end: RunEnd | undefined;
	let broken: { readonly cause: unknown } | undefined;
	let wake: (() => void)[] = [];

	const over = () => end !== undefined || broken !== undefined || stopping();

	function freed(): void {
		const waiting = wake;
		wake = [];
		for (const one of waiting) one();
	}

	/** Sets credits aside for a piece of work, once there is room for it; undefined where there will be none. */
	async function within<T>(
		atMost: MicroCredits,
		work: () => Promise<T>,
	): Promise<T | undefined> {
		while (spent + reserved + atMost > budget) {
			if (busy === 0) end ??= { why: "credits" };
			if (over()) return undefined;
			await new Promise<void>((resolve) => wake.push(resolve));
		}
		reserved += atMost;
		busy++;
		try {
			return await work();
		} finally {
			reserved -= atMost;
			busy--;
			freed();
		}
	}

	/** Asks again what failed for a while, and what others' holds stood in the way of. */
	async function ask(body: object, key: string, about: Case): Promise<Reply> {
		for (let tries = 1; ; ) {
			const reply = await asker.ask(body, key, about);
			if (reply.ok) return reply;
			if (isForCredits(reply)) {
				if (busy - idle <= 1) return reply;
				idle++;
				await new Promise<void>((resolve) => wake.push(resolve));
				idle--;
				if (over()) return reply;
				continue;
			}
			if (reply.again === undefined) return reply;
			const most =
				reply.error.code === "idempotency/in-flight" ? mostLooks : mostTries;
			if (tries++ >= most || stopping()) return reply;
			await options.wait(
				Math.max(reply.again, Math.min(8_000, 250 * 2 ** tries)),
			);
		}
	}

	/** The most that an answer and its judging may cost together. */
	async function atMost(one: Case, body: object): Promise<MicroCredits> {
		const longest = {
			text: "word".repeat(Number(one.body.max_completion_tokens)),
			toolCalls: [],
		};
		let sum = await asker.atMost(body);
		for (const check of one.checks)
			if (check.kind === "judge")
				sum += await asker.atMost(judgeBody(one, longest, check.rubric));
		return sum;
	}

	function judgeBody(one: Case, answer: Answer, rubric: string): object {
		return {
			model: facts.judge,
			messages: judgeMessages(one.question, answer, rubric),
			max_completion_tokens: judgeTokens,
			temperature: 0,
		};
	}

	async function make(place: Place): Promise<void> {
		const one = suite.cases[place.case] as Case;
		const model = facts.over[place.substrate] as string;
		const body = { model, ...one.body };
		const name = `${place.case} ${place.substrate}`;
		await within(await atMost(one, body), async () => {
			const key = `bakeoff ${facts.run} ${name} ${place.sample}`;
			const reply = await ask(body, key, one);
			spent += reply.cost;
			if (!reply.ok && isForCredits(reply)) {
				end ??= { why: "credits", refusal: reply.error };
				return;
			}
			if (!reply.ok && isNoAnswerOfIts(reply)) throw new NotMade(reply.error);
			// Not the substrate's doing: it is made the next time.
			if (!reply.ok && reply.again !== undefined && stopping()) return;
			const failed = failureOf(reply, model, one);
			if (!reply.ok || failed !== undefined) {
				const { call, cost } = reply;
				await options.record(
					{
						...place,
						...(call !== undefined && { call }),
						cost,
						failed: failed as string,
					},
					undefined,
				);
				return;
			}
			const judged = await judge(one, reply, key);
			if (judged === undefined) return;
			const { cost: judgeCost, scores } = judged;
			await options.record(
				{
					...place,
					call: reply.call,
					...scored(one, scores),
					cost: reply.cost,
					...(judgeCost > 0 && { judgeCost }),
					...(reply.latency !== undefined && { latency: reply.latency }),
					...(reply.finish !== undefined && { finish: reply.finish }),
				},
				reply.answer,
			);
		});
	}

	/** A score by check; undefined in the list where the judge gave none, undefined altogether where it is not paid for. */
	async function judge(
		one: Case,
		{ answer }: Answered,
		key: string,
	): Promise<
		| {
				readonly cost: number;
				readonly scores: readonly (number | undefined)[];
		  }
		| undefined
	> {
		const scores: (number | undefined)[] = [];
		let cost = 0;
		for (const [at, check] of one.checks.entries()) {
			if (check.kind !== "judge") {
				scores.push(meets(check, answer) ? 1 : 0);
				continue;
			}
			const body = judgeBody(one, answer, check.rubric);
			const reply = await ask(body, `${key} judge ${at}`, judging);
			spent += reply.cost;
			cost += reply.cost;
			if (!reply.ok && isForCredits(reply)) {
				end ??= { why: "credits", refusal: reply.error };
				return undefined;
			}
			if (!reply.ok && (isNoAnswerOfIts(reply) || reply.again !== undefined))
				throw new NotMade(reply.error);
			scores.push(reply.ok ? readVerdict(reply.answer.text) : undefined);
		}
		return { cost, scores };
	}

	async function work(): Promise<void> {
		while (!over()) {
			const next = queue.shift();
			if (!next) return;
			try {
				await make(next);
			} catch (cause) {
				broken ??= { cause };
				freed();
			}
		}
	}

	await Promise.all(
		Array.from({ length: Math.min(options.concurrency, queue.length) }, work),
	);
	if (broken && !stopping()) throw broken.cause;
	return end ?? { why: stopping() ? "stopped" : "finished" };
}

/** A call could not be made, and it is no matter of the substrate that was asked. */
export class NotMade extends Error {
	readonly refusal: Refusal;

	constructor(refusal: Refusal) {
		super(refusal.message);
		this.refusal = refusal;
	}
}

/** What a judge is asked stands in the log as what it is. */
const judging: Case = {
	id: "judge",
	callType: "judge",
	difficulty: "medium",
	body: {},
	question: "",
	checks: [],
};

function scored(
	{ checks }: Case,
	scores: readonly (number | undefined)[],
): Pick<Sample, "score" | "passed" | "checks"> {
	if (!scores.every((score) => score !== undefined)) return {};
	const thousandths = scores.map((score) => Math.round(score * 1000));
	return {
		score: Math.round(
			thousandths.reduce((sum, one) => sum + one, 0) / thousandths.length,
		),
		passed: scores.every((score, at) => {
			const check = checks[at];
			return score >= (check?.kind === "judge" ? check.atLeast : 1);
		}),
		checks: thousandths,
	};
}

/** Why an answer is none to judge: a code. */
function failureOf(
	reply: Reply,
	model: string,
	{ body }: Case,
): string | undefined {
	if (!reply.ok) return reply.error.code;
	if (reply.substrate !== model) return "bakeoff/other-substrate";
	// Cut before its own limit: the credits that were left had lowered it.
	return reply.finish === "length" &&
		reply.outputTokens !== undefined &&
		reply.outputTokens < Number(body.max_completion_tokens)
		? "bakeoff/cut-short"
		: undefined;
}

function isForCredits({ error }: Refused): boolean {
	return /^credits\/(cap-exceeded|insufficient)$/.test(error.code);
}

/** Refusals that say nothing of the substrate: its answers would be refused as well. */
function isNoAnswerOfIts({ error }: Refused): boolean {
	return /^(key|account|log|store|http|server)\/|^idempotency\/(mismatch|in-flight)$/.test(
		error.code,
	);
}
