import type { Outcome, Refusal } from "../../kernel/outcome.ts";
import {
	type Choice,
	type Decision,
	type Dropped,
	gradeOfVerdict,
	type Router,
} from "./decide.ts";
import { describeHealth } from "./health.ts";
import { sayRule } from "./infer.ts";
import type { StatedNeeds } from "./model.ts";
import {
	type Attempt,
	type DecisionRecord,
	type Inputs,
	replay,
} from "./record.ts";

/** A decision in plain words, a sentence or two each. */
export function explainDecision(
	decision: Decision,
	attempts: readonly Attempt[] = [],
): readonly string[] {
	const { at, request, order, catalogue, policy, table, health } = decision;
	const { stated, inferred, account, key, tags } = request;
	const who = [
		`account ${account}`,
		key && `key ${key}`,
		tags?.length && `tags ${tags.join(", ")}`,
	].filter(Boolean);
	const lines = [
		`Decided on ${new Date(at).toISOString()} for ${who.join(", ")}, who asked for ${sayAsked(decision)}.`,
		`Stated: ${sayStated(stated)}.`,
		`Inferred: ${inferred.callType}, ${inferred.difficulty}, as ${inferred.because.map(sayRule).join(" and ")}; some ${inferred.input} tokens in and ${inferred.output} out${inferred.capabilities.length > 0 ? `; needs ${inferred.capabilities.join(", ")}` : ""}.`,
		`Under catalogue ${catalogue}, policy ${policy}, table ${table}, health ${health}.`,
	];
	const [winner, ...followers] = order;
	if (winner) {
		lines.push(`${winner.facts.id} won: ${saySeen(decision, winner)}.`);
		for (const choice of followers.slice(0, 7))
			lines.push(`Then ${choice.facts.id}: ${saySeen(decision, choice)}.`);
		if (followers.length > 7)
			lines.push(`And ${followers.length - 7} more, in their order.`);
	} else lines.push("Nothing was eligible, and nothing was called.");
	const others = decision.dropped().filter(({ filter }) => filter !== "asked");
	for (const [reason, substrates] of grouped(others))
		lines.push(
			`${substrates.join(", ")} ${substrates.length > 1 ? "were" : "was"} dropped by ${reason}.`,
		);
	for (const [number, [substrate, ending, took]] of attempts.entries())
		lines.push(
			`Attempt ${number + 1}: ${substrate}, ${ending} after ${took} ms.`,
		);
	return lines;
}

/** Substrates by what dropped them: most go for the same few reasons. */
function grouped(
	dropped: readonly Dropped[],
): ReadonlyMap<string, readonly string[]> {
	const groups = new Map<string, string[]>();
	for (const { substrate, filter, why } of dropped) {
		const reason = `${filter}: ${why}`;
		const group = groups.get(reason);
		if (group) group.push(substrate);
		else groups.set(reason, [substrate]);
	}
	return groups;
}

/** A record in plain words: decides again under the versions that it names, and says so where that comes to something else. */
export function explain(
	record: DecisionRecord,
	inputs: Inputs,
	router: Router,
): Outcome<readonly string[]> {
	const again = replay(record, inputs, router);
	if (!again.ok) return again;
	const { decision, differs } = again.value;
	return {
		ok: true,
		value: [
			...explainDecision(decision, record.attempts),
			...(differs.length > 0
				? [`This is not what was recorded: ${differs.join("; ")}.`]
				: ["Run again, it comes to the same answer."]),
		],
	};
}

/** The refusal of a call that nothing may answer; undefined where something may. */
export function refusalOf(decision: Decision): Refusal | undefined {
	if (decision.order.length > 0) return undefined;
	const dropped = decision.dropped();
	const meant = dropped.filter(({ filter }) => filter !== "asked");
	const told = meant.slice(0, mostTold);
	const first = told[0];
	return {
		code: "route/no-eligible-substrate",
		message: first
			? `No substrate may answer this call, and none was asked. ${first.substrate}: ${first.why}.${meant.length > 1 ? " The details say why each other one was dropped." : ""} Ask for less, or have the owner change the policy.`
			: `Nothing in the catalogue is ${sayAsked(decision)}.`,
		details: {
			dropped: told,
			...(meant.length > told.length && { more: meant.length - told.length }),
			catalogue: decision.catalogue,
			policy: decision.policy,
			table: decision.table,
		},
	};
}

/** A refusal goes to a client: it stays readable. */
const mostTold = 50;

function sayAsked({ request: { asked } }: Decision): string {
	if (asked.kind === "auto") return "whatever fits (auto)";
	if (asked.kind === "substrate") return `the substrate ${asked.id}`;
	if (asked.kind === "model")
		return `the model ${asked.name}, over any channel`;
	return `what "${asked.name}" stands for`;
}

function sayStated(stated: StatedNeeds): string {
	const parts = Object.entries(stated).map(
		([name, value]) =>
			`${name} ${Array.isArray(value) ? value.join(" and ") : value}`,
	);
	return parts.join(", ") || "nothing";
}

function saySeen(decision: Decision, choice: Choice): string {
	const { cost, quality } = decision.merits(choice);
	const price =
		cost === undefined
			? "its price is not known"
			: `some ${Math.ceil(cost)} micro-credits`;
	const grade = quality === 0 ? "no grade" : `grade ${quality}`;
	const verdict = decision.verdicts.charAt(choice.place);
	return `${price}, ${grade}, ${describeHealth(gradeOfVerdict(verdict) ?? 0)}`;
}
