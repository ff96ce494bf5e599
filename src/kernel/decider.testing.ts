import type { Decider, DecisionContext } from "./decider.ts";
import type { DomainEvent, EventDraft } from "./event.ts";
import type { Refusal } from "./outcome.ts";

/**
 * Rules told as given, when, then:
 *
 *     given(credits, [opened("main"), granted("main", 100)]).when(hold("call", 101)).then(refusal("credits/insufficient"));
 *
 * What `recall` asks for is found among the given events by their keys, as the head finds it in the log.
 */
export function given<State, Command>(
	decider: Decider<State, Command>,
	events: readonly PastDraft[],
): Given<State, Command> {
	const recorded = events.map(
		({ stream, type, data, time }, index): DomainEvent => ({
			stream,
			type,
			data,
			time: time ?? 0,
			position: index + 1,
		}),
	);
	const state = recorded.reduce(
		(folded, event) => decider.evolve(folded, event),
		decider.initial(),
	);
	const newest = recorded.reduce(
		(time, event) => Math.max(time, event.time),
		0,
	);

	return {
		state,
		when(command, now = newest) {
			const wanted = decider.recall?.(command, state) ?? [];
			const recalled = new Map<string, DomainEvent>();
			events.forEach((event, index) => {
				if (event.key !== undefined && wanted.includes(event.key)) {
					recalled.set(event.key, recorded[index] as DomainEvent);
				}
			});
			const context: DecisionContext = { now, recalled };
			const decision = decider.decide(command, state, context);
			return {
				decision,
				// biome-ignore lint/suspicious/noThenProperty: the third word of given, when, then; nothing awaits it.
				then(expected) {
					if ("code" in expected) {
						if (decision.ok)
							throw mismatch("a refusal", expected, decision.events);
						if (!includes({ ...decision.error }, { ...expected }))
							throw mismatch("refusal", expected, decision.error);
						return;
					}
					if (!decision.ok) throw mismatch("events", expected, decision.error);
					const plain = expected.map(({ time: _, ...draft }) => draft);
					if (!same(decision.events, plain))
						throw mismatch("events", plain, decision.events);
				},
			};
		},
	};
}

/** A refusal to compare with: only the details that are named are compared. */
export function refusal(
	code: string,
	details?: Readonly<Record<string, unknown>>,
): ExpectedRefusal {
	return details ? { code, details } : { code };
}

export interface PastDraft extends EventDraft {
	readonly key?: string;
	/** Milliseconds since 1970; 0 when it does not matter. */
	readonly time?: number;
}

export type ExpectedRefusal = Pick<Refusal, "code" | "details">;

export interface Given<State, Command> {
	readonly state: State;
	/** Decides at `now`: without it, at the time of the newest event given. */
	when(
		command: Command,
		now?: number,
	): {
		readonly decision: ReturnType<Decider<State, Command>["decide"]>;
		/** Throws when the decision is another: these events, no more and no fewer, or this refusal. */
		then(expected: readonly PastDraft[] | ExpectedRefusal): void;
	};
}

function mismatch(what: string, expected: unknown, actual: unknown): Error {
	return new Error(
		`Expected ${what}\n${JSON.stringify(expected, null, 2)}\nbut it was\n${JSON.stringify(actual, null, 2)}`,
	);
}

/** Equal as JSON, whatever the order of members. */
function same(left: unknown, right: unknown): boolean {
	return sortedJson(left) === sortedJson(right);
}

/** Every member of `part` is in `whole`, at any depth. */
function includes(
	whole: Readonly<Record<string, unknown>>,
	part: Readonly<Record<string, unknown>>,
): boolean {
	return Object.entries(part).every(([name, value]) =>
		isObject(value)
			? isObject(whole[name]) && includes(whole[name], value)
			: same(whole[name], value),
	);
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sortedJson(value: unknown): string | undefined {
	return JSON.stringify(value, (_, member) =>
		isObject(member)
			? Object.fromEntries(
					Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)),
				)
			: member,
	);
}
