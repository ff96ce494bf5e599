import type { StoredEvent } from "../kernel/event.ts";

/** The newest event's place. An empty log: position 0, `genesisHash`, time 0. */
export interface Tip {
	readonly position: number;
	readonly hash: string;
	/** Milliseconds since 1970 UTC. */
	readonly time: number;
}

/** The part of an event that deciders and projections fold. */
export type ScannedEvent = Pick<
	StoredEvent,
	"position" | "time" | "stream" | "type" | "data"
>;

/**
 * The system's only memory: append-only, ordered, durable.
 *
 * One writer at a time holds the *head*. Positions are taken under it, in commit order and without
 * gaps, so that a reader can never skip an event.
 *
 * What can be read is durable, whoever wrote it: no reading shows what a power cut could take back. Only
 * the head may see such events, and what is appended behind them is durable no sooner than they are.
 *
 * Faults: `log/busy` (another writer kept the head too long; retryable), `log/full` and
 * `log/read-only` (the disk refuses; nothing was written), `log/damaged` (what is stored cannot be
 * read), `log/conflict` and `log/malformed` (see `append`; nothing was written), `log/failed` (anything
 * else; nothing was written), `log/closed`. Where the log is reached over a network, also
 * `log/unavailable` (it cannot be reached; nothing was written, retryable) and `log/denied` (our rights
 * do not reach).
 *
 * `log/unknown` is the only fault after which something may have been written: the connection broke in a
 * commit and for too long nobody could be asked whether it holds, or the disk did not confirm it. What was
 * written stays hidden from readers until the disk has it, and then stands in its place like any event.
 */
export interface EventLog {
	/**
	 * Takes the head, hands it to `work`, and commits what it appended: durably, whole, or not at all.
	 * Calls queue: within one process and across processes, `work` never runs beside another's.
	 * When `work` throws, nothing is written and the throw goes on.
	 */
	write<T>(work: (head: LogHead) => T | Promise<T>, ahead?: Ahead): Promise<T>;

	/** The newest committed event's place, also when another process wrote it. */
	tip(): Promise<Tip>;

	/**
	 * Every committed event after `position`, oldest first, in batches. What is committed while
	 * reading may or may not be included; nothing is skipped or repeated.
	 */
	read(
		position: number,
		options?: { readonly to?: number },
	): AsyncIterable<readonly StoredEvent[]>;

	/** As `read`, but only what folding needs, and with `types` only those: about twice as quick. */
	scan(
		position: number,
		options?: { readonly types?: readonly string[]; readonly to?: number },
	): AsyncIterable<readonly ScannedEvent[]>;

	/** The events of one stream after `version`, oldest first; at most `limit`. */
	readStream(
		stream: string,
		options?: { readonly after?: number; readonly limit?: number },
	): Promise<readonly StoredEvent[]>;

	/** The newest events of one stream before `version`, newest first; at most `limit`. */
	readStreamBackwards(
		stream: string,
		options?: { readonly before?: number; readonly limit?: number },
	): Promise<readonly StoredEvent[]>;

	/** The events recorded under these idempotency keys, those that exist. */
	findByKey(keys: readonly string[]): Promise<readonly StoredEvent[]>;

	/** The event at a position, if there is one. */
	at(position: number): Promise<StoredEvent | undefined>;

	/** Hashes (hex) of the events from `from` to `to`, both included, as stored. */
	hashes(from: number, to: number): Promise<readonly string[]>;

	close(): Promise<void>;
}

/** What a write will most likely ask its head for, so that a log that is far away brings it along. No promise. */
export interface Ahead {
	readonly keys?: readonly string[];
	/**
	 * Asked while what was appended is on its way: the keys that the next write will ask for, or undefined when none
	 * follows at once. Whoever gives keys must write: the head may be taken for that already.
	 */
	readonly next?: () => readonly string[] | undefined;
}

/** The log as its one writer sees it, newest state included. Valid only inside `work`. */
export interface LogHead {
	readonly tip: Tip;
	/** Events after `position`, oldest first: what others appended since we last looked. */
	after(
		position: number,
	): readonly StoredEvent[] | Promise<readonly StoredEvent[]>;
	/** Version of each stream: 0 for one that has no event. */
	versions(
		streams: readonly string[],
	): ReadonlyMap<string, number> | Promise<ReadonlyMap<string, number>>;
	findByKey(
		keys: readonly string[],
	): readonly StoredEvent[] | Promise<readonly StoredEvent[]>;
	/**
	 * Events sealed by the caller: positions go on from the tip, versions from the streams', each
	 * `previous` is the hash before it. An event that breaks this, or a key used before, rejects the
	 * whole write with `log/conflict`; a name (stream, type, key, …) that is no well-formed Unicode
	 * text, with `log/malformed`. What the head shows includes what was appended.
	 */
	append(events: readonly StoredEvent[]): void | Promise<void>;
}
