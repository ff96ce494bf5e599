import type { SQLOutputValue, StatementSync } from "node:sqlite";
import { genesisHash, type StoredEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type {
	EventLog,
	LogHead,
	ScannedEvent,
	Tip,
} from "../../ports/event-log.ts";
import {
	type Database,
	type DatabaseOptions,
	openDatabase,
} from "../sqlite/database.ts";
import { isConstraint, translate } from "../sqlite/faults.ts";
import {
	checkFollows,
	headExpired,
	keyConflict,
	logClosed,
} from "./append-check.ts";

/** Events in one batch of a reading. Between two batches the event loop goes on. */
const batchSize = 1_000;
/** Positions that are looked through at once, where few or small things are read of each. */
const span = 8_192;
/** Stream versions remembered from one write to the next. */
const versionsKept = 10_000;

/**
 * A log in a SQLite file, safe for any number of processes on one machine. Give it a path, and it opens
 * and closes the file; give it a database that is already open, and whoever opened it closes it.
 */
export function sqliteEventLog(
	target: string | Database,
	options: DatabaseOptions = {},
): EventLog {
	const database =
		typeof target === "string" ? openDatabase(target, options) : target;
	const { path, reader, durable } = database;
	const reading = prepare(reader);
	const writing = prepare(durable);
	const insert = durable.prepare(
		"insert into event (position, time, stream, version, type, actor, cause, correlation, key, input, hash, data) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	);
	/** Versions as of `knownTip`; worthless once somebody else has written. */
	const known = new Map<string, number>();
	let knownTip = genesisHash;
	let closed = false;
	/** The newest event that is known to be on the disk. */
	let durableTo: number | undefined;

	function prepare(connection: Database["reader"]): Statements {
		const rows = (sql: string) => {
			const statement = connection.prepare(sql);
			statement.setReturnArrays(true);
			return statement;
		};
		return {
			tip: rows(
				"select position, hash, time from event order by position desc limit 1",
			),
			hashAt: rows("select hash from event where position = ?"),
			place: rows("select position, hash, time from event where position = ?"),
			after: rows(
				`select ${columns}, null from event where position > ? and position <= ? order by position limit ?`,
			),
			scan: rows(
				"select position, time, stream, type, data from event where position > ? and position <= ? order by position",
			),
			scanTypes: rows(
				"select position, time, stream, type, data from event where position > ? and position <= ? and type in (select value from json_each(?)) order by position",
			),
			version: rows(
				"select version from event where stream = ? order by version desc limit 1",
			),
			stream: rows(
				`select ${columns}, ${previous} from event where stream = ? and version > ? order by version limit ?`,
			),
			streamBackwards: rows(
				`select ${columns}, ${previous} from event where stream = ? and version < ? order by version desc limit ?`,
			),
			byKey: rows(`select ${columns}, ${previous} from event where key = ?`),
			at: rows(`select ${columns}, ${previous} from event where position = ?`),
			hashes: rows(
				"select hash from event where position >= ? and position <= ? order by position",
			),
		};
	}

	/** Reads for whoever may: errors come in our own words. */
	function attempt<T>(work: () => T): T {
		assertOpen();
		try {
			return work();
		} catch (error) {
			throw translate(error, "log", path);
		}
	}

	/**
	 * How far what was read up to `position` may be handed out: what a power cut could still take back is
	 * flushed first, whoever committed it. Where the disk refuses that, only what it has is shown.
	 */
	async function settled(position: number): Promise<number> {
		if (position <= (durableTo ?? 0)) return position;
		try {
			await database.flush();
		} catch (error) {
			if (durableTo !== undefined) return durableTo;
			throw new Fault(
				"log/failed",
				`What ${path} holds could not be flushed to the disk, so none of it is shown. Check that the disk has room and is sound.`,
				{ cause: error },
			);
		}
		durableTo = Math.max(durableTo ?? 0, position);
		return position;
	}

	async function handOut(events: StoredEvent[]): Promise<StoredEvent[]> {
		let newest = 0;
		for (const { position } of events) newest = Math.max(newest, position);
		const end = await settled(newest);
		return end === newest
			? events
			: events.filter(({ position }) => position <= end);
	}

	function assertOpen(): void {
		if (closed) throw logClosed();
	}

	function openHead(): {
		readonly head: LogHead;
		commit(): void;
		discard(): void;
	} {
		let tip = readTip(writing);
		if (tip.hash !== knownTip || known.size > versionsKept) known.clear();
		// Trusted again by `commit` alone, after the database has committed too.
		knownTip = "";
		let open = true;
		let refused: unknown;
		function inside<T>(work: () => T): T {
			if (!open) throw headExpired();
			try {
				return work();
			} catch (error) {
				throw translate(error, "log", path);
			}
		}
		function versionOf(stream: string): number {
			let version = known.get(stream);
			if (version === undefined) {
				version = (writing.version.get(stream) as Row | undefined)?.[0] as
					| number
					| undefined;
				known.set(stream, version ?? 0);
			}
			return version ?? 0;
		}
		function append(event: StoredEvent): void {
			const next = checkFollows(event, tip, versionOf(event.stream));
			try {
				insert.run(
					event.position,
					event.time,
					event.stream,
					event.version,
					event.type,
					event.actor,
					event.cause ?? null,
					event.correlation ?? null,
					event.key ?? null,
					event.input ?? null,
					event.hash,
					event.data,
				);
			} catch (error) {
				if (event.key !== undefined && isConstraint(error))
					throw keyConflict(event.key);
				throw error;
			}
			known.set(event.stream, event.version);
			tip = next;
		}
		return {
			head: {
				get tip() {
					return inside(() => tip);
				},
				after: (position) =>
					inside(() =>
						readAfter(writing, position, Number.MAX_SAFE_INTEGER, -1),
					),
				versions: (streams) =>
					inside(
						() => new Map(streams.map((stream) => [stream, versionOf(stream)])),
					),
				findByKey: (keys) => inside(() => findByKey(writing, keys)),
				append(events) {
					try {
						inside(() => events.forEach(append));
					} catch (fault) {
						refused = fault;
						throw fault;
					}
				},
			},
			commit() {
				open = false;
				if (refused) throw refused;
				knownTip = tip.hash;
			},
			discard() {
				open = false;
			},
		};
	}

	return {
		async write(work) {
			assertOpen();
			try {
				let tip = 0;
				const result = await database.write(
					durable,
					async () => {
						const { head, commit, discard } = openHead();
						try {
							const result = await work(head);
							tip = head.tip.position;
							commit();
							return result;
						} finally {
							discard();
						}
					},
					{ settled: () => tip <= (durableTo ?? -1) },
				);
				durableTo = Math.max(durableTo ?? 0, tip);
				return result;
			} catch (error) {
				knownTip = "";
				throw translate(error, "log", path);
			}
		},
		async tip() {
			const tip = attempt(() => readTip(reading));
			const end = await settled(tip.position);
			if (end === tip.position) return tip;
			return end === 0
				? emptyTip
				: attempt(() => toTip(reading.place.get(end) as unknown as Row));
		},
		async *read(position, { to = Number.MAX_SAFE_INTEGER } = {}) {
			let from = position;
			for (;;) {
				const found = attempt(() => readAfter(reading, from, to, batchSize));
				const batch = await handOut(found);
				const last = batch.at(-1);
				if (!last) return;
				yield batch;
				if (batch.length < batchSize) return;
				from = last.position;
				await otherWork();
			}
		},
		async *scan(position, { types, to = Number.MAX_SAFE_INTEGER } = {}) {
			const wanted = types && JSON.stringify(types);
			const tip = attempt(() => readTip(reading)).position;
			const end = await settled(Math.min(to, tip));
			for (let from = position; from < end; from += batchSize) {
				const until = Math.min(from + batchSize, end);
				const rows = attempt(() =>
					wanted === undefined
						? reading.scan.all(from, until)
						: reading.scanTypes.all(from, until, wanted),
				) as unknown as Row[];
				if (rows.length > 0) yield rows.map(toScanned);
				if (until < end) await otherWork();
			}
		},
		async readStream(stream, { after = 0, limit = -1 } = {}) {
			return handOut(
				attempt(() =>
					(reading.stream.all(stream, after, limit) as unknown as Row[]).map(
						toEvent,
					),
				),
			);
		},
		async readStreamBackwards(
			stream,
			{ before = Number.MAX_SAFE_INTEGER, limit = -1 } = {},
		) {
			return handOut(
				attempt(() =>
					(
						reading.streamBackwards.all(
							stream,
							before,
							limit,
						) as unknown as Row[]
					).map(toEvent),
				),
			);
		},
		async findByKey(keys) {
			return handOut(attempt(() => findByKey(reading, keys)));
		},
		async at(position) {
			const row = attempt(() => reading.at.get(position) as Row | undefined);
			if (!row) return undefined;
			const [event] = await handOut([attempt(() => toEvent(row))]);
			return event;
		},
		async hashes(from, to) {
			const hashes: string[] = [];
			const tip = attempt(() => readTip(reading)).position;
			const end = await settled(Math.min(to, tip));
			for (let first = Math.max(1, from); first <= end; first += span) {
				if (hashes.length > 0) await otherWork();
				const last = Math.min(first + span - 1, end);
				const rows = attempt(
					() => reading.hashes.all(first, last) as unknown as Row[],
				);
				for (const row of rows) hashes.push(row[0] as string);
			}
			return hashes;
		},
		async close() {
			if (closed) return;
			closed = true;
			await (database === target ? database.settled() : database.close());
		},
	};
}

type Row = readonly SQLOutputValue[];

type Statements = Readonly<
	Record<
		| "tip"
		| "hashAt"
		| "place"
		| "after"
		| "scan"
		| "scanTypes"
		| "version"
		| "stream"
		| "streamBackwards"
		| "byKey"
		| "at"
		| "hashes",
		StatementSync
	>
>;

const columns =
	"position, time, stream, version, type, actor, cause, correlation, key, input, hash, data";
const previous =
	"(select before.hash from event as before where before.position = event.position - 1)";

/** `previous` is the hash of the row before, and what `genesisHash` is for where there is none. */
function toEvent(row: Row): StoredEvent {
	return eventAfter(row, (row[12] as string | null) ?? genesisHash);
}

function eventAfter(row: Row, previous: string): StoredEvent {
	return {
		position: row[0] as number,
		previous,
		time: row[1] as number,
		stream: row[2] as string,
		version: row[3] as number,
		type: row[4] as string,
		actor: row[5] as string,
		cause: (row[6] as string | null) ?? undefined,
		correlation: (row[7] as string | null) ?? undefined,
		key: (row[8] as string | null) ?? undefined,
		input: (row[9] as string | null) ?? undefined,
		data: row[11] as string,
		hash: row[10] as string,
	};
}

function toScanned(row: Row): ScannedEvent {
	return {
		position: row[0] as number,
		time: row[1] as number,
		stream: row[2] as string,
		type: row[3] as string,
		data: row[4] as string,
	};
}

function readTip(statements: Statements): Tip {
	const row = statements.tip.get() as Row | undefined;
	return row ? toTip(row) : emptyTip;
}

function toTip(row: Row): Tip {
	return {
		position: row[0] as number,
		hash: row[1] as string,
		time: row[2] as number,
	};
}

const emptyTip: Tip = { position: 0, hash: genesisHash, time: 0 };

/** Events one after the other, each chained to the row before it. A negative limit is none. */
function readAfter(
	statements: Statements,
	position: number,
	to: number,
	limit: number,
): StoredEvent[] {
	const rows = statements.after.all(position, to, limit) as unknown as Row[];
	if (rows.length === 0) return [];
	let hash =
		((statements.hashAt.get(position) as Row | undefined)?.[0] as
			| string
			| undefined) ?? genesisHash;
	return rows.map((row) => {
		const event = eventAfter(row, hash);
		hash = event.hash;
		return event;
	});
}

function findByKey(
	statements: Statements,
	keys: readonly string[],
): StoredEvent[] {
	const found: StoredEvent[] = [];
	// Nearly always one key: no set is made for it.
	for (const key of keys.length === 1 ? keys : new Set(keys)) {
		const row = statements.byKey.get(key) as Row | undefined;
		if (row) found.push(toEvent(row));
	}
	return found;
}

/** A long reading must not starve those who wait. */
function otherWork(): Promise<void> {
	return new Promise((resolve) => void setImmediate(resolve));
}
