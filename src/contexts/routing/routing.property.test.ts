import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRouter, decide } from "./decide.ts";
import { mayAnswer } from "./fixtures/oracle.ts";
import {
	catalogues,
	day,
	epochStart,
	healths,
	instants,
	policies,
	requests,
	tables,
} from "./fixtures/random.ts";
import { type DecisionRecord, recordOf, replay } from "./record.ts";
import { defaultClasses } from "./sovereignty.ts";

const cases = catalogues.chain((catalogue) =>
	fc.record({
		catalogue: fc.constant(catalogue),
		policy: policies(defaultClasses),
		table: tables,
		request: requests(catalogue),
		other: requests(catalogue),
		health: healths(catalogue),
		later: healths(catalogue),
		now: instants,
	}),
);
const runs = { numRuns: 1500 };

describe("whatever is asked, of whatever catalogue and policy", () => {
	test("exactly those are eligible that nothing excludes, and a walk down the order never leaves them", () => {
		let eligible = 0;
		let dropped = 0;
		fc.assert(
			fc.property(
				cases,
				({ catalogue, policy, table, request, health, now }) => {
					const decision = decide(
						request,
						catalogue,
						policy,
						health,
						table,
						now,
					);
					const allowed = catalogue.substrates
						.filter((facts) =>
							mayAnswer(facts, catalogue.off, request, policy, table, now),
						)
						.map(({ id }) => id);
					const order = decision.order.map(({ facts }) => facts.id);
					expect([...order].sort()).toEqual([...allowed].sort());
					const told = decision.dropped();
					expect(
						[...order, ...told.map(({ substrate }) => substrate)].sort(),
					).toEqual(catalogue.substrates.map(({ id }) => id).sort());
					eligible += order.length;
					dropped += told.length;
				},
			),
			runs,
		);
		// Cases that let nothing or everything through would prove little.

		expect(eligible).toBeGreaterThan(500);
		expect(dropped).toBeGreaterThan(5000);
	});

	test("what was asked before changes no answer", () => {
		const router = createRouter({ worlds: 1, needs: 2 });
		let number = 0;
		fc.assert(
			fc.property(cases, (given) => {
				number++;
				const { health, now } = given;
				const later = { ...given.later, version: "later" };
				const catalogue = { ...given.catalogue, version: `c${number}` };
				const policy = { ...given.policy, version: `p${number}` };
				const table = { ...given.table, version: `t${number}` };
				for (const [request, seen, at] of [
					[given.request, health, now],
					[given.other, health, now],
					[given.request, later, now],
					[{ ...given.request, seed: 7 }, health, now + day],
					[given.request, health, epochStart],
					[{ ...given.request, budget: 2000 }, health, now],
					[given.request, health, now],
				] as const) {
					const warm = router.decide(
						request,
						catalogue,
						policy,
						seen,
						table,
						at,
					);
					const fresh = decide(request, catalogue, policy, seen, table, at);
					expect(warm.order.map(({ place }) => place)).toEqual(
						fresh.order.map(({ place }) => place),
					);
					expect(warm.verdicts).toBe(fresh.verdicts);
					expect(warm.dropped()).toEqual(fresh.dropped());
				}
			}),
			{ numRuns: 500 },
		);
	});

	test("a record read back from its JSON is replayed to the same answer", () => {
		fc.assert(
			fc.property(
				cases,
				({ catalogue, policy, table, request, health, now }) => {
					const decision = decide(
						request,
						catalogue,
						policy,
						health,
						table,
						now,
					);
					const record = JSON.parse(
						JSON.stringify(
							recordOf(
								decision,
								decision.order.map(({ facts }) => [facts.id, "overload", 12]),
							),
						),
					) as DecisionRecord;
					const again = replay(
						record,
						{
							catalogue: () => catalogue,
							policy: () => policy,
							table: () => table,
						},
						createRouter(),
					);
					if (!again.ok) throw new Error(again.error.message);
					expect(again.value.decision.request).toEqual(request);
					expect(again.value.differs).toEqual([]);
					expect(
						again.value.decision.order.map(({ facts }) => facts.id),
					).toEqual(decision.order.map(({ facts }) => facts.id));
				},
			),
			{ numRuns: 1000 },
		);
	});
});
