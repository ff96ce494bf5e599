import type { DomainEvent } from "./event.ts";

/**
 * A view folded from the log, with a position of its own. It can be deleted and rebuilt, and gives
 * the same answers. `apply` may change the state in place and returns it.
 */
export interface Projection<State> {
	readonly name: string;
	/** Changes whenever the shape or the rules of the state do: an older save is thrown away and rebuilt. */
	readonly format: number;
	/** The event types it reads; the log need not hand it others. */
	readonly types: readonly string[];
	initial(): State;
	apply(state: State, event: DomainEvent): State;
	/** The state as plain JSON and back. */
	save(state: State): unknown;
	load(saved: unknown): State;
}
