import { genesisHash, type StoredEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type {
	Ahead,
	EventLog,
	LogHead,
	ScannedEvent,
	Tip,
} from "../../ports/event-log.ts";
import {
	integerArray,
	nameOf,
	storedName,
	textArray,
} from "../postgres/arrays.ts";
import type {
	Answer,
	Connection,
	PostgresDatabase,
	Row,
	Statement,
	Step,
} from "../postgres/database.ts";
import { isLost, isUnique, sqlState, translate } from "../postgres/faults.ts";
import {
	checkFollows,
	headExpired,
	keyConflict,
	logClosed,
} from "./append-check.ts";

/** Positions read at once. */
const span = 2_000;
const hashSpan = 20_000;
/** Pages under way: what is asked for when one arrives leaves only after that was used, so one would not do. */
const pagesAhead = 2;
/** Events of others that come along with the head; a writer that is further behind reads them by itself. */
const tailLimit = 2_001;
/** Rows in one insert. */
const insertLimit = 5_000;
/** Stream versions remembered from one write to the next. */
const versionsKept = 100_000;
const keysKept = 100_000;
/** Milliseconds that a head taken ahead is kept for a write that does not come. */
const keptAhead = 20;
const empty: Tip = { position: 0, hash: genesisHash, time: 0 };

export interface PostgresLogOptions {
	/** Milliseconds to wait for the head, and that a writer that stands still may keep it. */
	readonly lockTimeout?: number;
	/** Milliseconds to go on asking whether a commit holds whose answer was lost. */
	readonly askFor?: number;
	/** Milliseconds between two wake-ups sent to others, at least. */
	readonly notifyEvery?: number;
}

/**
 * A log in a Postgres database, safe for any number of processes on any number of machines. The head is a
 * lock on one row. A batch takes two round trips: one for the lock and all that others appended, one for
 * the events and the commit. Whoever opened the database closes it.
 *
 * When the connection breaks in a commit, the log is asked whether the batch stands there, so that nobody is
 * told the wrong outcome. A writer that stands still under the head loses it, and what it wanted to write.
 */
export function postgresEventLog(
	database: PostgresDatabase,
	options: PostgresLogOptions = {},
): EventLog {
	const { lockTimeout = 5_000, askFor = 60_000, notifyEvery = 20 } = options;
	const { name } = database;
	const sql = statementsOf(database.schema);
	/** Versions as of `known`. */
	const versions = new Map<string, number>();
	/** Keys that no event up to `known` has: what was looked for before is not looked for again. */
	const unused = new Set<string>();
	/** Those that were told how long to wait and to stand still. */
	const limited = new WeakSet<Connection>();
	/** Newest event that a write of ours saw committed. */
	let known: Tip | undefined;
	/** The head, asked for together with the commit before it. */
	let taken: TakenAhead | undefined;
	let notified = 0;
	let notifyLater: NodeJS.Timeout | undefined;
	let closed = false;

	function assertOpen(): void {
		if (closed) throw logClosed();
	}

	async function query(
		statement: Statement,
		values: readonly unknown[] = [],
	): Promise<readonly Row[]> {
		assertOpen();
		try {
			return (await database.query(statement, values)).rows;
		} catch (error) {
			throw translate(error, "log", name);
		}
	}

	function remember(events: readonly StoredEvent[]): void {
		if (versions.size + events.length > versionsKept) versions.clear();
		for (const { stream, version, key } of events) {
			versions.set(stream, version);
			if (key !== undefined) unused.delete(key);
		}
	}

	function forget(): void {
		versions.clear();
		unused.clear();
	}

	/** Begins a transaction with these steps; gives their answers. The connection's limits are set before. */
	async function begin(
		connection: Connection,
		steps: readonly Step[],
	): Promise<readonly Answer[]> {
		const limits = (local: boolean) =>
			step(sql.limits, [String(lockTimeout), String(local)]);
		if (!database.pooler && !limited.has(connection)) {
			// By itself, as what a transaction sets is gone when that rolls back.
			await connection.send(limits(false));
			limited.add(connection);
		}
		const first = [step(sql.begin), ...(database.pooler ? [limits(true)] : [])];
		const answers = await connection.send(...first, ...steps);
		return answers.slice(first.length);
	}

	/**
	 * Takes the head and looks at all that the work is known to need, in one round trip. Keys are looked for before
	 * the head is ours, so that nobody waits for that: what is appended in between comes along under it.
	 */
	async function openHead(connection: Connection, ahead: Ahead) {
		const before = known && known.position > 0 ? known : undefined;
		// Trusted again when this write has ended well.
		known = undefined;
		if (!before) forget();
		const keys = [...new Set(ahead.keys ?? [])].filter(
			(key) => !unused.has(key),
		);
		const lock = step(sql.lock);
		const look = lookFor(keys);
		const answers = await begin(
			connection,
			before
				? [...look, lock, step(sql.from, [before.position, tailLimit])]
				: [lock, ...look, step(sql.newest)],
		);
		return opened(connection, before, keys, answers);
	}

	function lookFor(keys: readonly string[]): readonly Step[] {
		return keys.length > 0 ? [step(sql.byKey, [namesArray(keys)])] : [];
	}

	/** Sent behind a commit, for the write that follows it at once: by then the server has both. */
	function takeAhead(
		connection: Connection,
		last: StoredEvent,
		next: Ahead["next"],
	): void {
		const wanted = database.pooler ? undefined : next?.();
		if (!wanted) return;
		const keys = [...new Set(wanted)].filter((key) => !unused.has(key));
		const answers = connection
			.send(
				step(sql.begin),
				...lookFor(keys),
				step(sql.lock),
				step(sql.from, [last.position, tailLimit]),
			)
			.then((all) => all.slice(1));
		answers.catch(() => {});
		const mine: TakenAhead = {
			connection,
			before: last,
			keys,
			answers,
			timer: setTimeout(
				() =>
					void database
						.exclusively(async () => {
							if (taken === mine) await giveBack();
						})
						.catch(() => {}),
				keptAhead,
			).unref(),
		};
		taken = mine;
	}

	/** What was taken ahead is not wanted. */
	async function giveBack(): Promise<void> {
		if (!taken) return;
		const { connection, timer } = taken;
		clearTimeout(timer);
		taken = undefined;
		await rollBack(connection);
	}

	/** The head that was taken ahead on this connection, for a log that stands as it did then. */
	async function openTaken(connection: Connection) {
		if (!taken) return undefined;
		const { before, keys, answers, timer } = taken;
		if (taken.connection !== connection || known?.hash !== before.hash) {
			await giveBack();
			return undefined;
		}
		clearTimeout(timer);
		taken = undefined;
		known = undefined;
		return opened(connection, before, keys, await answers);
	}

	async function opened(
		connection: Connection,
		before: Tip | undefined,
		keys: readonly string[],
		answers: readonly Answer[],
	) {
		const { rows } = answers.at(-1) as Answer;
		const byKey = new Map<string, StoredEvent>();
		if (keys.length > 0)
			noteKeys(
				keys,
				(answers[before ? 0 : 1] as Answer).rows.map(toEvent),
				byKey,
			);
		let tail: StoredEvent[] | undefined;
		let tip: Tip;
		if (!before) tip = tipOf(rows[0]);
		else if (rows.length < tailLimit && rows[0]?.[10] === before.hash) {
			tail = chain(rows.slice(1), before.hash);
			remember(tail);
			tip = tail.at(-1) ?? before;
		} else {
			// Far behind, or the log is another than the one we knew.
			forget();
			const [newest] = await connection.send(step(sql.newest));
			tip = tipOf(newest?.rows[0]);
		}
		return headOf(connection, {
			tip: { position: tip.position, hash: tip.hash, time: tip.time },
			tail,
			tailAfter: before?.position ?? 0,
			byKey,
		});
	}

	function noteKeys(
		keys: readonly string[],
		found: readonly StoredEvent[],
		byKey: Map<string, StoredEvent>,
	): void {
		if (unused.size + keys.length > keysKept) unused.clear();
		for (const key of keys) unused.add(key);
		for (const event of found) {
			unused.delete(event.key as string);
			byKey.set(event.key as string, event);
		}
	}

	function headOf(
		connection: Connection,
		start: {
			readonly tip: Tip;
			/** All events after `tailAfter`, where they came along. */
			readonly tail: readonly StoredEvent[] | undefined;
			readonly tailAfter: number;
			/** What is known to stand under keys that were looked for. */
			readonly byKey: Map<string, StoredEvent>;
		},
	) {
		const staged: StoredEvent[] = [];
		const stagedVersions = new Map<string, number>();
		const fetched = new Map<string, number>();
		const { byKey } = start;
		let tip = start.tip;
		let open = true;
		let refused: unknown;

		function assertValid(): void {
			if (!open) throw headExpired();
		}

		async function ask(
			statement: Statement,
			values: readonly unknown[],
		): Promise<readonly Row[]> {
			try {
				const [answer] = await connection.send(step(statement, values));
				return (answer as Answer).rows;
			} catch (error) {
				refused = translate(error, "log", name);
				throw refused;
			}
		}

		function fetchVersions(
			streams: readonly string[],
		): Promise<void> | undefined {
			const missing = [...new Set(streams)].filter(
				(stream) => versionOf(stream) === undefined,
			);
			if (missing.length === 0) return undefined;
			return ask(sql.versions, [namesArray(missing)]).then((rows) => {
				for (const [index, stream] of missing.entries())
					fetched.set(stream, Number(rows[index]?.[0] ?? 0));
			});
		}

		const isKnown = (key: string) => byKey.has(key) || unused.has(key);

		const versionOf = (stream: string) =>
			stagedVersions.get(stream) ?? versions.get(stream) ?? fetched.get(stream);

		/** For a writer that is further behind than what came along. */
		async function readAfter(position: number): Promise<StoredEvent[]> {
			const events: StoredEvent[] = [];
			let previous = genesisHash;
			if (position > 0) {
				const [row] = await ask(sql.hashes, [position, position]);
				previous = row?.[0] ?? genesisHash;
			}
			for (let from = position; from < start.tip.position; from += span) {
				const rows = await ask(sql.range, [
					from,
					Math.min(from + span, start.tip.position),
				]);
				const page = chain(rows, previous);
				previous = page.at(-1)?.hash ?? previous;
				for (const event of page) events.push(event);
			}
			return events;
		}

		const head: LogHead = {
			get tip() {
				assertValid();
				return tip;
			},
			after(position) {
				assertValid();
				const mine = staged.filter((event) => event.position > position);
				if (position >= start.tip.position) return mine;
				if (start.tail && position >= start.tailAfter)
					return [...start.tail.slice(position - start.tailAfter), ...mine];
				return readAfter(position).then((events) => [...events, ...mine]);
			},
			versions(streams) {
				assertValid();
				const all = () =>
					new Map(streams.map((stream) => [stream, versionOf(stream) ?? 0]));
				return fetchVersions(streams)?.then(all) ?? all();
			},
			findByKey(wanted) {
				assertValid();
				const unique = wanted.length === 1 ? wanted : [...new Set(wanted)];
				const all = () => unique.flatMap((key) => byKey.get(key) ?? []);
				const missing = unique.filter((key) => !isKnown(key));
				if (missing.length === 0) return all();
				return ask(sql.byKey, [namesArray(missing)]).then((rows) => {
					noteKeys(missing, rows.map(toEvent), byKey);
					return all();
				});
			},
			async append(events) {
				assertValid();
				try {
					await fetchVersions(events.map(({ stream }) => stream));
					for (const event of events) {
						const next = checkFollows(event, tip, versionOf(event.stream) ?? 0);
						if (event.key !== undefined) {
							if (byKey.has(event.key)) throw keyConflict(event.key);
							byKey.set(event.key, event);
							unused.delete(event.key);
						}
						stagedVersions.set(event.stream, event.version);
						staged.push(event);
						tip = next;
					}
				} catch (fault) {
					refused = fault;
					throw fault;
				}
			},
		};
		return {
			head,
			tip: start.tip,
			/** What is to be written, once the work has ended. */
			end(): readonly StoredEvent[] {
				open = false;
				if (refused) throw refused;
				return staged;
			},
			discard() {
				open = false;
			},
		};
	}

	/** Writes and commits in one round trip. */
	async function commit(
		connection: Connection,
		events: readonly StoredEvent[],
		next: Ahead["next"],
	): Promise<void> {
		const now = performance.now();
		const tell = now - notified >= notifyEvery;
		const steps: Step[] = [];
		for (let from = 0; from < events.length; from += insertLimit)
			steps.push(
				step(sql.insert, insertValues(events.slice(from, from + insertLimit))),
			);
		if (tell) steps.push(step(sql.notify, [database.notify.channel]));
		steps.push(step(sql.commit));
		let answers: readonly Answer[];
		try {
			const sent = connection.send(...steps);
			takeAhead(connection, events.at(-1) as StoredEvent, next);
			answers = await sent;
		} catch (error) {
			if (isUnique(error)) throw conflictOf(error);
			// After an error that the server sent, it did nothing more of what came along: no commit.
			if (sqlState(error) !== undefined && !isLost(error)) throw error;
			throw new Uncertain(error);
		}
		if (answers.at(-1)?.command !== "COMMIT")
			throw new Fault(
				"log/failed",
				`The database ${name} rolled the write back. Nothing was written.`,
			);
		if (tell) notified = now;
		else tellLater();
	}

	/** A wake-up that was held back so that there are not too many is sent by itself, if none follows. */
	function tellLater(): void {
		notifyLater ??= setTimeout(() => {
			notifyLater = undefined;
			if (closed || performance.now() - notified < notifyEvery) return;
			notified = performance.now();
			database
				.query(sql.notify, [database.notify.channel])
				// Whoever waits for it looks by itself now and then.
				.catch(() => {});
		}, notifyEvery * 2).unref();
	}

	/** Whether an event stands in the log, once no transaction of ours can add it any more. */
	async function stands(event: StoredEvent): Promise<boolean> {
		const until = performance.now() + askFor;
		for (;;) {
			try {
				return await database.exclusively(async (connection) => {
					await giveBack();
					// It is held by the lost transaction until that has ended one way or the other.
					const [, found] = await within(connection, lockTimeout * 2, () =>
						begin(connection, [
							step(sql.lock),
							step(sql.hashes, [event.position, event.position]),
							step(sql.rollback),
						]),
					);
					return found?.rows[0]?.[0] === event.hash;
				});
			} catch (cause) {
				if (performance.now() >= until)
					throw new Fault(
						"log/unknown",
						`The connection to ${name} broke in a commit, and it could not be asked whether the commit holds. Look before you do it again.`,
						{ cause },
					);
				await new Promise((resolve) => setTimeout(resolve, 250));
			}
		}
	}

	async function attempt<T>(
		connection: Connection,
		work: (head: LogHead) => T | Promise<T>,
		ahead: Ahead,
	): Promise<T> {
		let events: readonly StoredEvent[] = [];
		let reached = empty;
		let result: T | undefined;
		try {
			const start = await within(
				connection,
				lockTimeout * 2,
				async () =>
					(await openTaken(connection)) ?? (await openHead(connection, ahead)),
			);
			const { head, end, discard } = start;
			reached = start.tip;
			try {
				result = await work(head);
				events = end();
			} finally {
				discard();
			}
			if (events.length > 0)
				await within(connection, 60_000, () =>
					commit(connection, events, ahead.next),
				);
		} catch (error) {
			forget();
			if (error instanceof Uncertain) {
				connection.cut();
				error.last = events.at(-1) as StoredEvent;
				error.result = result;
			} else await rollBack(connection);
			dropTaken();
			throw error;
		}
		if (events.length === 0) await rollBack(connection);
		remember(events);
		const { position, hash, time } = events.at(-1) ?? reached;
		known = { position, hash, time };
		return result;
	}

	/** What was taken behind a commit that failed is gone with it. */
	function dropTaken(): void {
		clearTimeout(taken?.timer);
		taken = undefined;
	}

	async function rollBack(connection: Connection): Promise<void> {
		await within(connection, lockTimeout, () =>
			connection.send(step(sql.rollback)),
		).catch(() => connection.cut());
	}

	/** Events after `position`, page by page; the next ones are under way while one is used. */
	async function* pages<T>(
		statement: Statement,
		position: number,
		end: number,
		size: number,
		more: readonly unknown[],
		read: (rows: readonly Row[]) => T,
	): AsyncGenerator<T> {
		const fetch = (from: number) => {
			const page = query(statement, [
				from,
				Math.min(from + size, end),
				...more,
			]);
			// Left alone when the reader goes away.
			page.catch(() => {});
			return page;
		};
		const coming: Promise<readonly Row[]>[] = [];
		let from = Math.max(0, position);
		const ask = () => {
			for (; coming.length < pagesAhead && from < end; from += size)
				coming.push(fetch(from));
		};
		ask();
		for (let page = coming.shift(); page; page = coming.shift()) {
			const rows = await page;
			ask();
			yield read(rows);
			assertOpen();
		}
	}

	async function endOf(to: number | undefined): Promise<number> {
		const [row] = await query(sql.newest);
		return Math.min(to ?? Number.MAX_SAFE_INTEGER, tipOf(row).position);
	}

	return {
		async write(work, ahead = {}) {
			assertOpen();
			try {
				return await database.exclusively((connection) =>
					attempt(connection, work, ahead),
				);
			} catch (error) {
				if (!(error instanceof Uncertain)) throw translate(error, "log", name);
				if (error.last && (await stands(error.last)))
					return error.result as Awaited<ReturnType<typeof work>>;
				throw translate(error.cause, "log", name);
			}
		},
		async tip() {
			return tipOf((await query(sql.newest))[0]);
		},
		async *read(position, { to } = {}) {
			const from = Math.max(0, position);
			const end = await endOf(to);
			if (from >= end) return;
			let previous = genesisHash;
			if (from > 0) {
				const [row] = await query(sql.hashes, [from, from]);
				previous = row?.[0] ?? genesisHash;
			}
			for await (const rows of pages(sql.range, from, end, span, [], same)) {
				const events = chain(rows, previous);
				previous = events.at(-1)?.hash ?? previous;
				yield events;
			}
		},
		async *scan(position, { types, to } = {}) {
			const end = await endOf(to);
			const batches = types
				? pages(
						sql.scanTypes,
						position,
						end,
						span * 4,
						[namesArray(types)],
						scannedOf,
					)
				: pages(sql.scan, position, end, span, [], scannedOf);
			for await (const batch of batches) if (batch.length > 0) yield batch;
		},
		async readStream(stream, { after = 0, limit } = {}) {
			if (limit !== undefined && limit <= 0) return query(sql.nothing) as never;
			const rows = await query(sql.stream, [
				storedName(stream),
				after,
				limit ?? null,
			]);
			return rows.map(toEvent);
		},
		async readStreamBackwards(
			stream,
			{ before = Number.MAX_SAFE_INTEGER, limit } = {},
		) {
			const rows = await query(sql.streamBackwards, [
				storedName(stream),
				before,
				limit === undefined ? null : Math.max(0, limit),
			]);
			return rows.map(toEvent);
		},
		async findByKey(keys) {
			const rows = await query(sql.byKey, [namesArray([...new Set(keys)])]);
			return rows.map(toEvent);
		},
		async at(position) {
			const [row] = await query(sql.at, [position]);
			return row && toEvent(row);
		},
		async hashes(from, to) {
			const first = Math.max(1, from);
			const hashes: string[] = [];
			const end = await endOf(to);
			for await (const rows of pages(
				sql.hashesAfter,
				first - 1,
				end,
				hashSpan,
				[],
				same,
			))
				for (const [hash] of rows) hashes.push(hash as string);
			return hashes;
		},
		async close() {
			if (closed) return;
			closed = true;
			clearTimeout(notifyLater);
			await database.settled();
		},
	};
}

interface TakenAhead {
	readonly connection: Connection;
	/** The newest event, once the commit before it holds. */
	readonly before: StoredEvent;
	/** What is looked for. */
	readonly keys: readonly string[];
	readonly answers: Promise<readonly Answer[]>;
	readonly timer: NodeJS.Timeout;
}

/** A commit of which it is not known whether it holds. */
class Uncertain extends Error {
	/** The last of the events it carried. */
	last: StoredEvent | undefined;
	/** What the work gave back: the outcome, should the commit hold. */
	result: unknown;
	constructor(cause: unknown) {
		super("It is not known whether a commit holds.", { cause });
	}
}

const same = (rows: readonly Row[]) => rows;
const scannedOf = (rows: readonly Row[]) => rows.map(toScanned);

const columns =
	"position, time, stream, version, type, actor, cause, correlation, key, input, hash, data";

function statementsOf(schema: string) {
	const event = `${schema}.event`;
	const whole = `${columns}, (select before.hash from ${event} as before where before.position = event.position - 1)`;
	const named = <Names extends string>(texts: Record<Names, string>) =>
		Object.fromEntries(
			Object.entries(texts).map(([name, text]) => [
				name,
				{ name: `log_${name}`, text },
			]),
		) as Record<Names, { readonly name: string; readonly text: string }>;
	return named({
		// Each statement must see what was committed before it began, whatever the database's default is.
		begin: "begin isolation level read committed",
		limits:
			"select set_config('lock_timeout', $1, $2::boolean), set_config('idle_in_transaction_session_timeout', $1, $2::boolean), set_config('synchronous_commit', 'on', $2::boolean)",
		lock: `select one from ${schema}.head for update`,
		newest: `select position, hash, time from ${event} order by position desc limit 1`,
		from: `select ${columns} from ${event} where position >= $1::bigint order by position limit $2::bigint`,
		range: `select ${columns} from ${event} where position > $1::bigint and position <= $2::bigint order by position`,
		scan: `select position, time, stream, type, data from ${event} where position > $1::bigint and position <= $2::bigint order by position`,
		scanTypes: `select position, time, stream, type, data from ${event} where position > $1::bigint and position <= $2::bigint and type = any($3::text[]) order by position`,
		versions: `select (select version from ${event} where event.stream = asked.stream order by version desc limit 1) from unnest($1::text[]) with ordinality as asked(stream, place) order by place`,
		byKey: `select ${whole} from ${event} where key = any($1::text[])`,
		stream: `select ${whole} from ${event} where stream = $1::text and version > $2::bigint order by version limit $3::bigint`,
		streamBackwards: `select ${whole} from ${event} where stream = $1::text and version < $2::bigint order by version desc limit $3::bigint`,
		nothing: `select ${whole} from ${event} limit 0`,
		at: `select ${whole} from ${event} where position = $1::bigint`,
		hashes: `select hash from ${event} where position >= $1::bigint and position <= $2::bigint order by position`,
		hashesAfter: `select hash from ${event} where position > $1::bigint and position <= $2::bigint order by position`,
		// Side by side in the list: in `from`, the server would first write each array into a table of its own.
		insert: `insert into ${event} (${columns}) select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), unnest($4::bigint[]), unnest($5::text[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]), unnest($11::text[]), unnest($12::text[])`,
		notify: "select pg_notify($1, '')",
		commit: "commit",
		rollback: "rollback",
	});
}

function step(statement: Statement, values: readonly unknown[] = []): Step {
	return { statement, values };
}

function insertValues(events: readonly StoredEvent[]): readonly Buffer[] {
	const names = (pick: (event: StoredEvent) => string | undefined) =>
		textArray(
			events.map((event) => {
				const name = pick(event);
				return name === undefined ? undefined : storedName(name);
			}),
		);
	return [
		integerArray(events.map(({ position }) => position)),
		integerArray(events.map(({ time }) => time)),
		names(({ stream }) => stream),
		integerArray(events.map(({ version }) => version)),
		names(({ type }) => type),
		names(({ actor }) => actor),
		names(({ cause }) => cause),
		names(({ correlation }) => correlation),
		names(({ key }) => key),
		names(({ input }) => input),
		textArray(events.map(({ hash }) => hash)),
		textArray(events.map(({ data }) => data)),
	];
}

function namesArray(names: readonly string[]): Buffer {
	// One that no text can be is in no log.
	return textArray(names.map(storedName));
}

function tipOf(row: Row | undefined): Tip {
	if (!row) return empty;
	return {
		position: Number(row[0]),
		hash: row[1] as string,
		time: Number(row[2]),
	};
}

/** Rows one after the other, each chained to the one before. */
function chain(rows: readonly Row[], before: string): StoredEvent[] {
	let previous = before;
	return rows.map((row) => {
		const event = eventAfter(row, previous);
		previous = event.hash;
		return event;
	});
}

function toEvent(row: Row): StoredEvent {
	return eventAfter(row, row[12] ?? genesisHash);
}

function eventAfter(row: Row, previous: string): StoredEvent {
	return {
		position: Number(row[0]),
		previous,
		time: Number(row[1]),
		stream: nameOf(row[2] as string),
		version: Number(row[3]),
		type: nameOf(row[4] as string),
		actor: nameOf(row[5] as string),
		cause: optional(row[6]),
		correlation: optional(row[7]),
		key: optional(row[8]),
		input: optional(row[9]),
		data: row[11] as string,
		hash: row[10] as string,
	};
}

function optional(stored: string | null | undefined): string | undefined {
	return stored === null || stored === undefined ? undefined : nameOf(stored);
}

function toScanned(row: Row): ScannedEvent {
	return {
		position: Number(row[0]),
		time: Number(row[1]),
		stream: nameOf(row[2] as string),
		type: nameOf(row[3] as string),
		data: row[4] as string,
	};
}

function conflictOf(error: unknown): unknown {
	const { constraint, detail } = error as {
		constraint?: string;
		detail?: string;
	};
	if (constraint === "event_key")
		return keyConflict(
			/\(key\)=\((.*)\) already exists/s.exec(detail ?? "")?.[1] ?? "it names",
		);
	return new Fault(
		"log/conflict",
		"The log refused a write: another event stands at its place. Nothing was written; read and decide again.",
		{ cause: error },
	);
}

/** Ends a connection that says nothing for too long: the other side may be gone without a word. */
async function within<T>(
	connection: Connection,
	milliseconds: number,
	work: () => Promise<T>,
): Promise<T> {
	const timer = setTimeout(() => connection.cut(), milliseconds);
	try {
		return await work();
	} finally {
		clearTimeout(timer);
	}
}
