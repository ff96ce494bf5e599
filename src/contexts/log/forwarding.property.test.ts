import fc from "fast-check";
import { expect, it } from "vitest";
import { Fault, type Outcome } from "../../kernel/outcome.ts";
import type { Peer } from "../../ports/peer-link.ts";
import type { CreditsCommand } from "../credits/index.ts";
import {
	auditLog,
	connect,
	hold,
	openFleet,
	openReplica,
	type Replica,
	release,
	settle,
	type Wire,
} from "./forwarding.testing.ts";
import type { Recorded } from "./head.ts";

const replicas = 3;

/** What may happen: numbers choose among what there is then. */
type Step =
	| {
			readonly does: "hold" | "settle" | "release";
			readonly on: number;
			readonly call: number;
			readonly amount: number;
	  }
	| { readonly does: "cap"; readonly on: number; readonly amount: number }
	| {
			readonly does: "follow";
			readonly on: number;
			readonly to: number;
			readonly lossy: boolean;
	  }
	| { readonly does: "cut" | "hold up" | "let go"; readonly on: number }
	| {
			readonly does: "stop" | "wake" | "stand alone" | "fail" | "lose";
			readonly on: number;
	  }
	| { readonly does: "wait"; readonly milliseconds: number }
	| { readonly does: "go on" };

const on = fc.nat(replicas - 1);
const any = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 12,
		arbitrary: fc.record({
			does: fc.constantFrom("hold", "hold", "settle", "release"),
			on,
			// Mostly a call of its own, sometimes one that others ask for as well.
			call: fc.nat(25),
			amount: fc.nat(600),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			does: fc.constant("cap"),
			on,
			amount: fc.nat(1_500),
		}),
	},
	{
		weight: 5,
		arbitrary: fc.record({
			does: fc.constant("follow"),
			on,
			to: on,
			lossy: fc.boolean(),
		}),
	},
	{
		weight: 4,
		arbitrary: fc.record({
			does: fc.constantFrom("cut", "hold up", "let go"),
			on: any,
		}),
	},
	{
		weight: 6,
		arbitrary: fc.record({
			does: fc.constantFrom(
				"stop",
				"stop",
				"wake",
				"stand alone",
				"fail",
				"lose",
			),
			on,
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			does: fc.constant("wait"),
			milliseconds: fc.nat(1_500),
		}),
	},
	{ weight: 8, arbitrary: fc.record({ does: fc.constant("go on") }) },
);

interface Told {
	readonly does: "hold" | "settle" | "release";
	readonly call: string;
	/** Undefined while nothing was. */
	outcome?: Outcome<Recorded> | Fault;
}

const recordedBy = {
	hold: "credits-held",
	settle: "credits-settled",
	release: "credits-released",
} as const;

it("tells every caller the truth, whoever decides, is cut off, sleeps, or wakes and carries out what is old", async () => {
	/** How often what this is about came up. */
	const seen = { asked: 0, unknown: 0, ghosts: 0, found: 0 };
	await fc.assert(
		fc.asyncProperty(
			fc.array(step, { minLength: 20, maxLength: 80, size: "max" }),
			async (steps) => {
				const { log, clock, replicas: fleet } = await openFleet(replicas);
				const wires: Wire[] = [];
				const told: Told[] = [];

				function ask(
					replica: Replica,
					does: Told["does"],
					command: CreditsCommand,
				): void {
					const one: Told = { does, call: (command as { call: string }).call };
					told.push(one);
					replica.ask(command).then(
						(outcome) => {
							one.outcome = outcome;
						},
						(fault) => {
							one.outcome = fault;
						},
					);
				}

				async function take(next: Step): Promise<void> {
					if (next.does === "go on") return clock.settle();
					if (next.does === "wait") return clock.advance(next.milliseconds);
					const replica = fleet[next.on % replicas] as Replica;
					const wire = wires[next.on % Math.max(1, wires.length)];
					switch (next.does) {
						case "hold":
							return ask(replica, "hold", hold(`c${next.call}`, next.amount));
						case "settle":
							return ask(
								replica,
								"settle",
								settle(`c${next.call}`, next.amount),
							);
						case "release":
							return ask(replica, "release", release(`c${next.call}`));
						case "cap":
							void replica
								.ask({
									type: "set-account-caps",
									account: "a",
									caps: { total: next.amount },
								})
								.catch(() => {});
							return;
						case "follow":
							if (next.on !== next.to)
								wires.push(
									connect(
										replica,
										fleet[next.to] as Replica,
										undefined,
										next.lossy ? undefined : delivering,
									),
								);
							return;
						case "cut":
							return wire?.serves.cut();
						case "hold up":
							return wire?.on.shut();
						case "let go":
							return wire?.on.open();
						case "stop":
							return replica.writes.shut();
						case "wake":
							return replica.writes.open();
						case "stand alone":
							return replica.forwarding.standAlone();
						case "fail":
							return replica.fail("write", "log/busy");
						case "lose":
							return replica.fail("answer", "log/unknown");
					}
				}

				for (const next of steps) await take(next);
				// Everybody wakes; what is still held up on its way is waited for by nobody for ever.
				for (const { writes } of fleet) writes.open();
				await clock.advance(10_000);
				for (const { does, call, outcome } of told)
					expect(outcome, `${does} ${call} is never answered`).toBeDefined();
				for (const wire of wires) wire.on.open();
				await clock.advance(10_000);

				const fresh = await openReplica({ log, clock });
				const events = await auditLog(log, fresh.head);
				for (const { head, looks } of fleet) {
					await auditLog(log, head);
					seen.found += looks.length;
				}

				const recorded = (does: Told["does"], call: string) =>
					events.filter(
						({ type, data }) => type === recordedBy[does] && data.call === call,
					);
				for (const { does, call, outcome } of told) {
					seen.asked++;
					const of = recorded(does, call);
					const what = `${does} ${call}`;
					if (outcome instanceof Error) {
						expect(outcome, what).toBeInstanceOf(Fault);
						expect(["log/unknown", "log/busy"], what).toContain(
							(outcome as Fault).code,
						);
						if ((outcome as Fault).code !== "log/unknown") continue;
						seen.unknown++;
						if (of.length > 0) seen.ghosts++;
					} else if (outcome?.ok) {
						// It is in the log, and is what was told.
						expect(outcome.value.events, what).toEqual(of);
					}
				}
				for (const { does, call } of told) {
					const all = told.filter(
						(one) => one.does === does && one.call === call,
					);
					const none = all.every(({ outcome }) =>
						outcome instanceof Fault
							? outcome.code !== "log/unknown"
							: !outcome?.ok,
					);
					// Whoever was refused, and asked alone, is not charged later.
					if (none) expect(recorded(does, call), `${does} ${call}`).toEqual([]);
				}
			},
		),
		{ numRuns: 300 },
	);
	for (const [name, times] of Object.entries(seen))
		expect(times, name).toBeGreaterThan(0);
});

/** Leaves a connection so that what was said before still arrives there. */
function delivering(peer: Peer): Peer {
	return { ...peer, cut: peer.end };
}
