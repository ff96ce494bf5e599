import type { CallData, Retold } from "./call-log.ts";
import { choiceOf, type Decision } from "./decide.ts";

/** Something that is not as the decisions say. */
export interface Departure {
	readonly call: string;
	/** Of the event. */
	readonly position: number;
	readonly why: string;
}

/** Checks call events one after the other, in the log's order. */
export interface Replays {
	/** What is wrong with this one; mostly nothing. */
	check(retold: Retold): readonly Departure[];
	/** Decisions run again so far. */
	decisions(): number;
	/** Holds without a decision: of before there were any. */
	undecided(): number;
}

/**
 * A decision must come to the answer that was recorded, and a call may have gone only to what its decision allowed:
 * what it was held for, what its hold moved to, what was tried and what was paid. Keeps the orders of calls that are
 * under way, and nothing else.
 */
export function openReplays(): Replays {
	const open = new Map<string, Decision["order"]>();
	let decisions = 0;
	let undecided = 0;

	function went(
		{ call, substrate, attempts, parts }: CallData,
		order: Decision["order"],
	): readonly string[] {
		const wrong: string[] = [];
		if (substrate !== undefined && !choiceOf(order, substrate))
			wrong.push(`${call} went to ${substrate}, which was not eligible`);
		for (const [tried] of attempts ?? [])
			if (!choiceOf(order, tried))
				wrong.push(`${call} was tried at ${tried}, which was not eligible`);
		for (const part of parts ?? [])
			if (!choiceOf(order, part.substrate))
				wrong.push(
					`${call} paid ${part.substrate} for a part, which was not eligible`,
				);
		return wrong;
	}

	function look({ event, data, again }: Retold): readonly string[] {
		const { call } = data;
		if (again !== undefined) {
			decisions++;
			if (typeof again === "string") return [again];
			const { order } = again.decision;
			if (event.type === "route-refused") return again.differs;
			open.set(call, order);
			return [...again.differs, ...went(data, order)];
		}
		if (event.type === "credits-held") {
			undecided++;
			return [];
		}
		const order = open.get(call);
		if (!order) return [];
		if (event.type !== "hold-moved") open.delete(call);
		return went(data, order);
	}

	return {
		check: (retold) =>
			look(retold).map((why) => ({
				call: retold.data.call,
				position: retold.event.position,
				why,
			})),
		decisions: () => decisions,
		undecided: () => undecided,
	};
}
