import fc from "fast-check";
import { expect, it } from "vitest";
import type { Decision } from "../../kernel/decider.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import { type Audit, auditHistory } from "./audit.testing.ts";
import { credits } from "./credits.ts";
import { resolutionKey } from "./decisions.ts";
import type { Caps, CreditsCommand, CreditsState } from "./model.ts";

const start = Date.UTC(2026, 11, 30, 20);
const hour = 3_600_000;
const most = Number.MAX_SAFE_INTEGER;

type Step = {
	readonly wait: number;
	readonly ask: (now: number) => CreditsCommand;
};

const id = (prefix: string, count: number) =>
	fc.integer({ min: 1, max: count }).map((number) => `${prefix}${number}`);
const account = fc.constantFrom("a", "a", "a", "b", "ghost");
const key = id("k", 4);
const call = id("c", 14);
const amount = fc.oneof(
	{ weight: 20, arbitrary: fc.integer({ min: 0, max: 120 }) },
	{ weight: 1, arbitrary: fc.constantFrom(most, most - 50) },
);
const cap = fc.option(fc.integer({ min: 0, max: 250 }), {
	nil: undefined,
	freq: 2,
});
const caps: fc.Arbitrary<Caps> = fc.record({
	total: cap,
	day: cap,
	month: cap,
	request: cap,
});
const hash = fc
	.integer({ min: 0, max: 15 })
	.map((digit) => digit.toString(16).repeat(64));
const wait = fc.oneof(
	{ weight: 6, arbitrary: fc.integer({ min: 0, max: hour }) },
	{ weight: 2, arbitrary: fc.integer({ min: 0, max: 24 * hour }) },
	{ weight: 1, arbitrary: fc.integer({ min: 0, max: 60 * 24 * hour }) },
);

const asks: fc.Arbitrary<(now: number) => CreditsCommand> = fc.oneof(
	{
		weight: 10,
		arbitrary: fc
			.record({
				call,
				account,
				key: fc.option(key, { nil: undefined, freq: 3 }),
				amount,
				atLeast: fc.option(fc.integer({ min: 0, max: 60 })),
				pressing: fc.boolean(),
				lasts: fc.integer({ min: 0, max: 30 * hour }),
				model: fc.constantFrom("m1", "m2"),
			})
			.map(
				({ lasts, atLeast, model, ...rest }) =>
					(now: number): CreditsCommand => ({
						type: "hold",
						...rest,
						...(atLeast !== null && { atLeast }),
						expires: now + lasts,
						holder: "h",
						substrate: `acme/${model}`,
						model,
						operation: "chat",
						sheet: "s",
					}),
			),
	},
	{
		weight: 6,
		arbitrary: fc
			.record({
				call,
				amount,
				atLeast: fc.option(fc.integer({ min: 0, max: 60 })),
				model: fc.constantFrom("m1", "m2"),
			})
			.map(
				({ atLeast, model, ...rest }) =>
					(): CreditsCommand => ({
						type: "move-hold",
						...rest,
						...(atLeast !== null && { atLeast }),
						substrate: `apex/${model}`,
						model,
						sheet: "s2",
					}),
			),
	},
	{
		weight: 6,
		arbitrary: fc.record({ call, cost: amount }).map(
			({ call, cost }) =>
				(): CreditsCommand => ({
					type: "settle",
					call,
					cost,
					basis: "priced",
					ending: "finished",
					usage: {},
					lines: [],
				}),
		),
	},
	{
		weight: 2,
		arbitrary: call.map(
			(call) => (): CreditsCommand => ({
				type: "release",
				call,
				ending: "not-sent",
			}),
		),
	},
	{
		weight: 2,
		arbitrary: call.map(
			(call) => (): CreditsCommand => ({ type: "expire", call }),
		),
	},
	{
		weight: 3,
		arbitrary: fc
			.record({ call, amount: fc.option(fc.integer({ min: 1, max: 60 })) })
			.map(
				({ call, amount }) =>
					(): CreditsCommand => ({
						type: "refund",
						call,
						reason: "r",
						...(amount !== null && { amount }),
					}),
			),
	},
	{
		weight: 3,
		arbitrary: fc
			.record({
				account,
				amount: fc.oneof(
					{ weight: 9, arbitrary: fc.integer({ min: 1, max: 300 }) },
					{ weight: 1, arbitrary: fc.constant(most) },
				),
			})
			.map(
				({ account, amount }) =>
					(): CreditsCommand => ({ type: "grant", account, amount }),
			),
	},
	{
		weight: 1,
		arbitrary: fc
			.record({ account, caps })
			.map(
				(some) => (): CreditsCommand => ({ type: "set-account-caps", ...some }),
			),
	},
	{
		weight: 1,
		arbitrary: fc
			.record({
				account,
				models: fc.constantFrom(undefined, undefined, ["m1"], ["acme/m2"], []),
			})
			.map(
				({ account, models }) =>
					(): CreditsCommand => ({
						type: "set-account-models",
						account,
						...(models && { models }),
					}),
			),
	},
	{
		weight: 1,
		arbitrary: fc
			.record({ key, caps })
			.map((some) => (): CreditsCommand => ({ type: "set-key-caps", ...some })),
	},
	{
		weight: 2,
		arbitrary: fc
			.record({
				account,
				key,
				hash,
				caps,
				lasts: fc.option(
					fc.constantFrom(0, 1, hour, 48 * hour, 90 * 24 * hour),
					{ freq: 2 },
				),
				scopes: fc.constantFrom(
					{ can: ["call"] as const },
					{ can: ["call", "read"] as const, models: ["m1", "acme/m2"] },
					{ can: ["call"] as const, models: ["m2"] },
					{ can: ["read"] as const },
				),
			})
			.map(
				({ lasts, ...rest }) =>
					(now: number): CreditsCommand => ({
						type: "create-key",
						...rest,
						name: "n",
						hint: "h",
						...(lasts !== null && { expires: now + lasts }),
					}),
			),
	},
	{
		weight: 1,
		arbitrary: fc.record({ key, hash }).map(
			(some) =>
				(now: number): CreditsCommand => ({
					type: "rotate-key",
					...some,
					hint: "h",
					graceUntil: now + 5,
				}),
		),
	},
	{
		weight: 1,
		arbitrary: key.map(
			(key) => (): CreditsCommand => ({ type: "revoke-key", key }),
		),
	},
	{
		weight: 1,
		arbitrary: fc.record({ account, caps }).map(
			(some) => (): CreditsCommand => ({
				type: "open-account",
				...some,
				name: "n",
			}),
		),
	},
);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
	fc.record({ wait, ask: asks }),
	{ maxLength: 80, size: "max" },
);

const opening: readonly CreditsCommand[] = [
	{ type: "open-account", account: "a", name: "A", caps: {} },
	{ type: "grant", account: "a", amount: 400 },
	{
		type: "create-key",
		account: "a",
		key: "k1",
		name: "n",
		hash: "f".repeat(64),
		hint: "h",
		scopes: { can: ["call"] },
	},
];

interface Run {
	readonly state: CreditsState;
	readonly log: readonly DomainEvent[];
	/** How each command went, for the statistics below. */
	readonly results: readonly string[];
}

/** Drives the decider as a head does, with an auditor beside it. */
function run(
	steps: readonly Step[],
	afterEach: (state: CreditsState, now: number) => CreditsState = (state) =>
		state,
): Run {
	const audit: Audit = auditHistory();
	const log: DomainEvent[] = [];
	const byKey = new Map<string, DomainEvent>();
	const results: string[] = [];
	let state = credits.initial();
	let now = start;
	const all: Step[] = [
		...opening.map((command) => ({ wait: 0, ask: () => command })),
		...steps,
	];
	for (const { wait, ask } of all) {
		now += wait;
		const command = ask(now);
		const wanted = credits.recall?.(command, state) ?? [];
		const recalled = new Map(
			[...byKey].filter(([key]) => wanted.includes(key)),
		);
		const expected = audit.expect(command, now);
		const before = JSON.stringify(credits.save(state));
		const decision = credits.decide(command, state, { now, recalled });
		expect(
			JSON.stringify(credits.save(state)),
			"a decision changes no state",
		).toBe(before);
		expect(describe(decision), JSON.stringify(command)).toBe(expected);
		results.push(`${command.type} ${decision.ok ? "ok" : decision.error.code}`);
		if (!decision.ok) continue;
		for (const draft of decision.events) {
			const event = {
				type: draft.type,
				data: draft.data,
				stream: draft.stream,
				time: now,
				position: log.length + 1,
			};
			expect(event.stream).toBe(`account/${draft.data.account}`);
			if (draft.key !== undefined) {
				expect(byKey.has(draft.key), "a key is claimed once").toBe(false);
				byKey.set(draft.key, event);
			}
			const resolves = [
				"credits-settled",
				"credits-released",
				"hold-expired",
			].includes(event.type);
			expect(draft.key).toBe(
				resolves ? resolutionKey(draft.data.call as string) : undefined,
			);
			log.push(event);
			audit.hear(event);
			state = credits.evolve(state, event);
		}
		audit.compare(state, now);
		state = afterEach(state, now);
	}
	return { state, log, results };
}

/** A decision in the auditor's words. */
function describe(decision: Decision): string | number {
	if (decision.ok)
		return (decision.events[0]?.data.amount as number | undefined) ?? 0;
	const { code, details } = decision.error;
	if (code !== "credits/insufficient" && code !== "credits/cap-exceeded")
		return code;
	return details?.waitable === true ? "no room, waitable" : "no room";
}

it("does what an auditor who knows only the history expects, and its state is what the history adds up to", () => {
	fc.assert(
		fc.property(steps, (some) => {
			run(some);
		}),
		{ numRuns: 300 },
	);
});

it("goes on from a saved state as if it had never stopped", () => {
	fc.assert(
		fc.property(steps, (some) => {
			const through = run(some);
			const restarted = run(some, (state) =>
				credits.load(JSON.parse(JSON.stringify(credits.save(state)))),
			);
			expect(restarted.log).toEqual(through.log);
			expect(restarted.state).toStrictEqual(through.state);
		}),
		{ numRuns: 60 },
	);
});

it("folds the same state from the log as written, read back as JSON", () => {
	fc.assert(
		fc.property(steps, (some) => {
			const { state, log } = run(some);
			const again = (JSON.parse(JSON.stringify(log)) as DomainEvent[]).reduce(
				(folded, event) => credits.evolve(folded, event),
				credits.initial(),
			);
			expect(again).toStrictEqual(state);
		}),
		{ numRuns: 60 },
	);
});

it("meets every refusal and every event on the way", () => {
	const met = new Set(
		fc
			.sample(steps, { numRuns: 400, seed: 1 })
			.flatMap((some) => run(some).results),
	);
	expect([...met].sort()).toEqual(
		expect.arrayContaining([
			...["account/exists", "ok"].map((end) => `open-account ${end}`),
			...[
				"account/unknown",
				"key/duplicate",
				"key/exists",
				"key/expired",
				"ok",
			].map((end) => `create-key ${end}`),
			...["hold-expired"].map(() => "expire ok"),
			...[
				"hold/already-released",
				"hold/already-settled",
				"hold/expired",
				"hold/not-due",
				"hold/unknown",
			].map((end) => `expire ${end}`),
			...["account/unknown", "credits/amount-too-large", "ok"].map(
				(end) => `grant ${end}`,
			),
			...["account/unknown", "ok"].map((end) => `set-account-models ${end}`),
			...[
				"account/forbidden",
				"account/unknown",
				"credits/cap-exceeded",
				"credits/insufficient",
				"hold/due-already",
				"hold/exists",
				"key/expired",
				"key/forbidden",
				"key/revoked",
				"key/unknown",
				"ok",
			].map((end) => `hold ${end}`),
			...[
				"account/forbidden",
				"credits/cap-exceeded",
				"credits/insufficient",
				"hold/already-released",
				"hold/already-settled",
				"hold/expired",
				"hold/unknown",
				"key/revoked",
				"ok",
			].map((end) => `move-hold ${end}`),
			...["refund/exceeds-charge", "refund/not-settled", "ok"].map(
				(end) => `refund ${end}`,
			),
			...[
				"hold/already-released",
				"hold/already-settled",
				"hold/expired",
				"hold/unknown",
				"ok",
			].map((end) => `settle ${end}`),
			...["key/already-revoked", "key/unknown", "ok"].map(
				(end) => `revoke-key ${end}`,
			),
			...["key/duplicate", "key/unknown", "ok"].map(
				(end) => `rotate-key ${end}`,
			),
		]),
	);
});
