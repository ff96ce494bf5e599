import type { SubstrateFacts } from "../../ports/catalogue.ts";
import type { Retold } from "./call-log.ts";
import { sayPosture } from "./changes.ts";
import { choiceOf, type Decision } from "./decide.ts";
import { filters } from "./filters.ts";
import type { Policy } from "./model.ts";
import { inForce, whyBarred } from "./postures.ts";
import type { Inputs } from "./record.ts";
import { describe, whyNot } from "./selectors.ts";
import { isAtLeast, requirementsOf } from "./sovereignty.ts";

/** What an auditor asks about. */
export type Bond =
	| { readonly kind: "posture"; readonly id: string }
	| { readonly kind: "class"; readonly name: string };

/** A call that a posture or a class bound, and where it went. */
export interface BoundCall {
	readonly call: string;
	readonly account: string;
	readonly key?: string;
	/** When it was decided, milliseconds since 1970 UTC. */
	readonly at: number;
	/** As the caller named it. */
	readonly asked: string;
	/** The rules in words, as they were in force then. */
	readonly rules: readonly string[];
	readonly policy: string;
	readonly catalogue: string;
	/** Every substrate that it was sent to, in order, with its facts as known then; the last one answered. */
	readonly went: readonly SubstrateFacts[];
	/** What the rule kept it from: each reason, and of how many substrates. */
	readonly barred: readonly {
		readonly why: string;
		readonly substrates: number;
	}[];
	/** `refused` where nothing was eligible and nothing was sent. */
	readonly outcome: "refused" | "answered" | "not answered" | "under way";
	readonly ending?: string;
	/** Calls of this key that were refused before it and not recorded one by one. */
	readonly unrecorded?: number;
	/** Run again, the decision came to something else, or could not be run again. */
	readonly doubt?: string;
	/** Positions of the event that holds the decision, and of the one that ended the call. */
	readonly position: number;
	readonly end?: number;
}

/** Gathers what a bond bound, from call events in the log's order. */
export interface BoundCalls {
	/** A call that is complete with this event, if one is. Only those decided in `from`–`to` are gathered. */
	take(retold: Retold): BoundCall | undefined;
	/** Calls that are still under way. */
	open(): readonly BoundCall[];
	waiting(): number;
}

export function gatherBound(
	bond: Bond,
	window: { readonly from: number; readonly to: number },
	inputs: Inputs,
): BoundCalls {
	const open = new Map<
		string,
		{ readonly call: BoundCall; readonly decision: Decision }
	>();

	function begin({ event, data, again }: Retold): BoundCall | undefined {
		if (again === undefined || !data.route) return undefined;
		const { at } = data.route;
		if (at < window.from || at >= window.to) return undefined;
		const base = {
			call: data.call,
			account: data.account,
			...(data.key !== undefined && { key: data.key }),
			...(data.unrecorded !== undefined && { unrecorded: data.unrecorded }),
			at,
			position: event.position,
			policy: data.route.policy,
			catalogue: data.route.catalogue,
		};
		// What cannot be run again may have been bound: an auditor must see it.
		if (typeof again === "string")
			return {
				...base,
				asked: data.model ?? "",
				rules: [],
				went: [],
				barred: [],
				outcome: event.type === "route-refused" ? "refused" : "under way",
				doubt: again,
			};
		const { decision, differs } = again;
		const policy = inputs.policy(decision.policy);
		if (!policy) return undefined;
		const rules = rulesOf(bond, decision, policy);
		if (rules.length === 0) return undefined;
		const { asked } = decision.request;
		const call: BoundCall = {
			...base,
			asked:
				asked.kind === "auto"
					? "auto"
					: asked.kind === "substrate"
						? asked.id
						: asked.name,
			rules,
			went: [],
			barred: counted(
				event.type === "route-refused"
					? // All that is told, as any of it may be why nothing was left.
						decision
							.dropped()
							.filter(({ filter }) => filter !== "asked")
							.map(({ why }) => why)
					: reasonsFor(bond, decision, policy, inputs),
			),
			outcome: event.type === "route-refused" ? "refused" : "under way",
			...(differs.length > 0 && { doubt: differs.join("; ") }),
		};
		if (event.type !== "route-refused") open.set(data.call, { call, decision });
		return call;
	}

	return {
		take(retold) {
			const { event, data } = retold;
			if (event.type === "route-refused") return begin(retold);
			if (event.type === "credits-held") {
				const call = begin(retold);
				if (!call) return undefined;
				const known = open.get(data.call);
				if (!known) return call;
				open.set(data.call, {
					...known,
					call: sentTo(known.call, known.decision, data.substrate),
				});
				return undefined;
			}
			const known = open.get(data.call);
			if (!known) return undefined;
			const { decision } = known;
			if (event.type === "hold-moved") {
				open.set(data.call, {
					decision,
					call: sentTo(known.call, decision, data.substrate),
				});
				return undefined;
			}
			open.delete(data.call);
			const tried = (data.attempts ?? []).flatMap(([substrate, ending]) =>
				ending.startsWith("passed ")
					? []
					: (choiceOf(decision.order, substrate) ?? []),
			);
			return {
				...known.call,
				went:
					tried.length > 0
						? tried.map(({ facts }) => facts)
						: data.ending === "not-sent"
							? []
							: known.call.went.slice(-1),
				outcome: event.type === "credits-settled" ? "answered" : "not answered",
				...(data.ending !== undefined && { ending: data.ending }),
				end: event.position,
			};
		},
		open: () => [...open.values()].map(({ call }) => call),
		waiting: () => open.size,
	};
}

function counted(reasons: readonly string[]): BoundCall["barred"] {
	const counts = new Map<string, number>();
	for (const why of reasons) counts.set(why, (counts.get(why) ?? 0) + 1);
	return [...counts].map(([why, substrates]) => ({ why, substrates }));
}

/** Why the rule alone keeps a call from substrates that were asked for, whatever else would have. */
function reasonsFor(
	bond: Bond,
	{ request, at, catalogue: version, verdicts }: Decision,
	policy: Policy,
	inputs: Inputs,
): readonly string[] {
	const asked = (inputs.catalogue(version)?.substrates ?? []).filter(
		(_, place) => verdicts[place] !== notAsked,
	);
	const { postures } = inForce(policy, request, at);
	const tests: readonly ((facts: SubstrateFacts) => string | undefined)[] =
		bond.kind === "posture"
			? postures
					.filter(({ id }) => id === bond.id)
					.map((posture) => (facts) => whyBarred(posture, facts))
			: classesOf(bond.name, request, policy)
					.flatMap((id) => requirementsOf(id, policy.classes) ?? [])
					.map((requirement) => (facts) => whyNot(requirement, facts));
	return asked.flatMap(
		(facts) =>
			tests.map((why) => why(facts)).find((why) => why !== undefined) ?? [],
	);
}

/** The verdict on what a caller did not name. */
const notAsked = filters.find(({ name }) => name === "asked")?.code;

function sentTo(
	call: BoundCall,
	{ order }: Decision,
	substrate: string | undefined,
): BoundCall {
	const found = choiceOf(order, substrate);
	if (found) return { ...call, went: [...call.went, found.facts] };
	const doubt = `it was held for ${substrate}, which was not eligible`;
	return {
		...call,
		doubt: call.doubt === undefined ? doubt : `${call.doubt}; ${doubt}`,
	};
}

/** The rules of a bond that were in force for a call; none: it was not bound. */
function rulesOf(
	bond: Bond,
	{ request, at }: Decision,
	policy: Policy,
): readonly string[] {
	if (bond.kind === "posture") {
		const { postures, stops } = inForce(policy, request, at);
		return [
			...postures.filter(({ id }) => id === bond.id).map(sayPosture),
			...stops
				.filter(({ id }) => id === bond.id)
				.map(({ problem }) => `stops every call in its scope: ${problem}`),
		];
	}
	return classesOf(bond.name, request, policy).map((id) => {
		const requirements = requirementsOf(id, policy.classes);
		return `${id}: ${requirements ? requirements.map(describe).join("; ") || "nothing" : "not known, so that nothing keeps it"}`;
	});
}

/** The classes that a call needs and that keep `name`. */
function classesOf(
	name: string,
	{ stated }: Decision["request"],
	{ classes }: Policy,
): readonly string[] {
	return (stated.sovereignty ?? []).filter(
		(id) => id === name || isAtLeast(id, name, classes),
	);
}
