import type { DomainEvent, EventDraft } from "./event.ts";
import type { Refusal } from "./outcome.ts";

/** What a decision may know besides the state: time, and what the log remembers that the state has let go. */
export interface DecisionContext {
	/** Milliseconds since 1970 UTC; never earlier than the newest event. */
	readonly now: number;
	/** Earlier events by idempotency key, for the keys that `recall` named and the log holds. */
	readonly recalled: ReadonlyMap<string, DomainEvent>;
}

/** The events to record, or why not. An accepted command may also find nothing left to record. */
export type Decision =
	| { readonly ok: true; readonly events: readonly KeyedDraft[] }
	| { readonly ok: false; readonly error: Refusal };

/** A draft that claims an idempotency key of its own: the log records at most one event under it, for ever. */
export interface KeyedDraft extends EventDraft {
	readonly key?: string;
}

/**
 * The rules of one context. Pure: the same log always gives the same state and the same answers.
 *
 * `decide` reads the state and never changes it. `evolve` may change the state it is given in place
 * and returns it; an event type that it does not know leaves the state as it was.
 */
export interface Decider<State, Command> {
	readonly name: string;
	/** Changes whenever the shape of the state does: snapshots of another format are thrown away and folded anew. */
	readonly format: number;
	initial(): State;
	decide(command: Command, state: State, context: DecisionContext): Decision;
	evolve(state: State, event: DomainEvent): State;
	/** Idempotency keys whose earlier events the decision needs although the state has let them go. */
	recall?(command: Command, state: State): readonly string[];
	/** The state as plain JSON and back, for snapshots. */
	save(state: State): unknown;
	load(saved: unknown): State;
}
