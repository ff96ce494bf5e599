/**
 * Where derived state waits for the next start: snapshots of decider state, projections, tree nodes.
 * All of it can be deleted at any time; the log gives it back.
 */
export interface DerivedStore {
	/** What was last saved under a name, or undefined. A save that cannot be read is undefined too. */
	load(name: string): Promise<Saved | undefined>;
	/** Replaces what stands under the name: whole or not at all. Need not survive a power cut. */
	save(name: string, saved: Saved): Promise<void>;
	/** Names of all that is saved, sorted. */
	names(): Promise<readonly string[]>;
	/** Forgets one name, or everything. */
	clear(name?: string): Promise<void>;
}

export interface Saved {
	/** Shape of `body`; another format than the reader's is as good as nothing. */
	readonly format: number;
	/** Position of the last event that `body` includes. */
	readonly position: number;
	/** Hash of that event: a save that belongs to another log is found out. */
	readonly hash: string;
	/** JSON text. */
	readonly body: string;
}
