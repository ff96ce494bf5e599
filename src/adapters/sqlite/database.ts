import { hash } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Fault } from "../../kernel/outcome.ts";
import { takeTurns } from "../turns.ts";
import { isBusy, translate } from "./faults.ts";
import {
	type Disk,
	type Flusher,
	flushedWithin,
	flusherOf,
} from "./flusher.ts";
import { type Migration, migrations as shipped } from "./migrations.ts";

/** One SQLite file, shared by the log, the derived store and the answer store of this process. */
export interface Database {
	readonly path: string;
	/** For reading: never sees what is not yet committed. */
	readonly reader: DatabaseSync;
	/** For what must survive a power cut: once `write` resolves it has reached the disk. Write inside `write` only. */
	readonly durable: DatabaseSync;
	/** For what may be lost in a power cut, though never torn: a commit waits for no disk. */
	readonly relaxed: DatabaseSync;
	/**
	 * Runs `work` inside a transaction of this connection, under the file's one write lock; a throw
	 * rolls it back. Calls of this process queue. Another process' lock is waited for without holding up
	 * this one, up to the busy timeout.
	 *
	 * On the durable connection it resolves when the disk has it, and rejects with `log/unknown` when the
	 * disk did not say so: then others may see what was committed, and a power cut may take it back.
	 */
	write<T>(
		connection: DatabaseSync,
		work: () => T | Promise<T>,
		options?: {
			/** Asked after the commit: whether the disk has all that the work did and saw. */
			readonly settled?: () => boolean;
		},
	): Promise<T>;
	/**
	 * Resolves when the disk has all that anybody, another process too, had committed before this was called.
	 * Rejects with `log/unknown` where it does not say so, and from then on until a write has made that good.
	 */
	flush(): Promise<void>;
	/** Resolves when the writes that were asked for have ended. */
	settled(): Promise<void>;
	/** The same, then closes the file. */
	close(): Promise<void>;
}

export interface DatabaseOptions {
	/** Milliseconds to wait for another process' write lock. */
	readonly busyTimeout?: number;
	/** Other steps than the shipped ones: for tests. */
	readonly migrations?: readonly Migration[];
	/**
	 * Who waits for the disk. `beside`: the commit does not, and the write-ahead log is flushed after it,
	 * while the event loop goes on where the disk is slow. `within`: SQLite, in the commit, which holds up the event loop; so it
	 * is outside Linux, where what a flush of ours promises was not proved.
	 */
	readonly flushing?: "beside" | "within";
	/** Another disk than the system's: for tests. */
	readonly disk?: Disk;
}

/**
 * Opens a database file and brings its schema up to date. A missing file (with its folder) is created,
 * readable by its owner alone.
 *
 * Faults: `log/sqlite-too-old`, `store/migration-changed`, `store/too-new`, `store/not-ours`,
 * `store/no-wal`, `log/damaged`, and the other faults of the log.
 */
export function openDatabase(
	path: string,
	options: DatabaseOptions = {},
): Database {
	const {
		busyTimeout = 5_000,
		migrations = shipped,
		flushing = process.platform === "linux" ? "beside" : "within",
	} = options;
	if (path === ":memory:" || path === "") {
		throw new Fault(
			"log/failed",
			"A database needs a file: connections to memory would not see each other.",
		);
	}
	createFile(path);
	const { durable, reader, relaxed, disk } = patiently(busyTimeout, path, () =>
		connectAll(path, { ...options, busyTimeout, migrations, flushing }),
	);
	const durably = transactionOf(durable);
	const relaxedly = transactionOf(relaxed);
	const turn = takeTurns();
	let closing: Promise<void> | undefined;

	return {
		path,
		durable,
		reader,
		relaxed,
		write: (connection, work, { settled } = {}) =>
			turn(async () => {
				const { begin, commit } = connection === durable ? durably : relaxedly;
				if (connection === durable)
					await whileBusy(() => disk.mend(), busyTimeout);
				await whileBusy(() => begin.run(), busyTimeout);
				let result: Awaited<ReturnType<typeof work>>;
				try {
					result = await work();
					commit.run();
				} catch (error) {
					rollBack(connection);
					throw error;
				}
				if (connection === durable && !settled?.()) await disk.flush();
				return result;
			}),
		flush: () => disk.flush(),
		settled: () => turn(() => {}),
		close() {
			closing ??= turn(() => {
				// The durable one last: it is the one that tidies the write-ahead log away.
				for (const connection of [reader, relaxed, durable]) connection.close();
				return disk.close();
			});
			return closing;
		},
	};
}

/**
 * Refuses a SQLite that can lose committed writes: versions before 3.51.3 may reset the write-ahead
 * log while another connection still needs it.
 */
export function assertSqliteVersion(version: string): void {
	const parts = version.split(".").map(Number);
	for (const [index, wanted] of [3, 51, 3].entries()) {
		const part = parts[index] ?? 0;
		if (part > wanted) return;
		if (part < wanted || Number.isNaN(part)) {
			throw new Fault(
				"log/sqlite-too-old",
				`This runtime brings SQLite ${version}, which can lose committed writes. Use a runtime with SQLite 3.51.3 or newer: Node 24.21 or later, or Bun 1.4 or later.`,
			);
		}
	}
}

/** SHA-256 of a migration's text: what is recorded when it is applied. */
export function migrationHash(migration: Migration): string {
	return hash("sha256", migration.sql, "hex");
}

function connectAll(
	path: string,
	{
		busyTimeout,
		migrations,
		flushing,
		disk,
	}: DatabaseOptions &
		Required<Pick<DatabaseOptions, "busyTimeout" | "migrations" | "flushing">>,
): Pick<Database, "durable" | "reader" | "relaxed"> & {
	readonly disk: Flusher;
} {
	const opened: DatabaseSync[] = [];
	function connect(synchronous: "full" | "normal"): DatabaseSync {
		const connection = new DatabaseSync(path);
		opened.push(connection);
		connection.exec(`
			pragma synchronous = ${synchronous};
			pragma fullfsync = 1;
			pragma checkpoint_fullfsync = 1;
			pragma cache_size = -4000;
		`);
		return connection;
	}
	try {
		const durable = connect("full");
		assertSqliteVersion(
			String(
				durable.prepare("select sqlite_version() as version").get()?.version,
			),
		);
		useWriteAheadLog(durable, path);
		// A write-ahead log that grew in a burst gives the room back.
		durable.exec("pragma journal_size_limit = 67108864");
		migrate(durable, migrations, path);
		// Still never torn: SQLite waits for the disk where it moves pages out of the write-ahead log.
		if (flushing === "beside") durable.exec("pragma synchronous = normal");
		const reader = connect("full");
		// Writers wait in `begin`, where others go on; a reader waits only while another process recovers the file.
		reader.exec(`pragma query_only = 1; pragma busy_timeout = ${busyTimeout}`);
		const relaxed = connect("normal");
		// Moving pages from the write-ahead log into the file waits for the disk: left to the durable connection.
		relaxed.exec("pragma wal_autocheckpoint = 0");
		return {
			durable,
			reader,
			relaxed,
			disk:
				flushing === "beside" ? flusherOf(path, durable, disk) : flushedWithin,
		};
	} catch (error) {
		for (const connection of opened) connection.close();
		throw error;
	}
}

function createFile(path: string): void {
	try {
		mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
		// SQLite gives its companion files the mode of this one.
		closeSync(openSync(path, "wx", 0o600));
	} catch (error) {
		if (
			(error as NodeJS.ErrnoException).syscall !== "open" ||
			(error as NodeJS.ErrnoException).code !== "EEXIST"
		) {
			throw new Fault("log/failed", `${path} could not be created.`, {
				cause: error,
			});
		}
	}
}

function useWriteAheadLog(connection: DatabaseSync, path: string): void {
	const mode = connection
		.prepare("pragma journal_mode = wal")
		.get()?.journal_mode;
	if (mode !== "wal") {
		throw new Fault(
			"store/no-wal",
			`The file system of ${path} does not carry a shared write-ahead log. Keep the file on a local disk.`,
		);
	}
}

/** Applies the steps that are missing, all under one write lock; each file takes each step once. */
function migrate(
	connection: DatabaseSync,
	migrations: readonly Migration[],
	path: string,
): void {
	if (pending(connection, migrations, path).length === 0) return;
	connection.exec("begin immediate");
	try {
		// Asked again: another process may have done it while we waited for the lock.
		for (const migration of pending(connection, migrations, path)) {
			if (migration.number === 1) {
				connection.exec(
					"create table migration (number integer primary key, name text not null, hash text not null) strict",
				);
			}
			connection.exec(migration.sql);
			connection
				.prepare("insert into migration (number, name, hash) values (?, ?, ?)")
				.run(migration.number, migration.name, migrationHash(migration));
		}
		connection.exec("commit");
	} catch (error) {
		rollBack(connection);
		throw error;
	}
}

/** The steps this file still lacks. Throws when what it has is not what we shipped. */
function pending(
	connection: DatabaseSync,
	migrations: readonly Migration[],
	path: string,
): readonly Migration[] {
	const tables = connection
		.prepare("select name from sqlite_schema where type = 'table'")
		.all();
	if (tables.length === 0) return migrations;
	if (!tables.some(({ name }) => name === "migration")) {
		throw new Fault(
			"store/not-ours",
			`${path} is a database of another program. Choose another path.`,
		);
	}
	const applied = connection
		.prepare("select number, hash from migration order by number")
		.all();
	if (applied.length > migrations.length) {
		throw new Fault(
			"store/too-new",
			`${path} was written by a newer version of this program (schema ${applied.length}, this one knows ${migrations.length}). Update the program.`,
		);
	}
	for (const [index, { number, hash }] of applied.entries()) {
		const migration = migrations[index] as Migration;
		if (number !== migration.number || hash !== migrationHash(migration)) {
			throw new Fault(
				"store/migration-changed",
				`${path} was made with another text of migration ${number} than this program ships. Use the version of the program that made it.`,
			);
		}
	}
	return migrations.slice(applied.length);
}

/** Milliseconds before the next try, after so many. */
function pause(tries: number): number {
	return Math.min(25, 2 ** Math.min(tries, 5));
}

/** Parsed once: both run for every commit. */
function transactionOf(connection: DatabaseSync): {
	readonly begin: StatementSync;
	readonly commit: StatementSync;
} {
	return {
		begin: connection.prepare("begin immediate"),
		commit: connection.prepare("commit"),
	};
}

/** What needs a lock that another process has. Between tries the event loop goes on. */
async function whileBusy(
	work: () => unknown,
	busyTimeout: number,
): Promise<void> {
	const start = performance.now();
	for (let tries = 0; ; tries++) {
		try {
			work();
			return;
		} catch (error) {
			if (!isBusy(error) || performance.now() - start >= busyTimeout)
				throw error;
			await new Promise((resolve) => setTimeout(resolve, pause(tries)));
		}
	}
}

/** The same at the start of a program, where nothing else waits. */
function patiently<T>(busyTimeout: number, path: string, work: () => T): T {
	const start = performance.now();
	for (let tries = 0; ; tries++) {
		try {
			return work();
		} catch (error) {
			if (!isBusy(error) || performance.now() - start >= busyTimeout)
				throw translate(error, "log", path);
			Atomics.wait(
				new Int32Array(new SharedArrayBuffer(4)),
				0,
				0,
				pause(tries),
			);
		}
	}
}

function rollBack(connection: DatabaseSync): void {
	try {
		connection.exec("rollback");
	} catch {
		// SQLite has rolled back by itself, as it does when the disk fails.
	}
}
