import { hash } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Fault } from "../../kernel/outcome.ts";
import { takeTurns } from "../turns.ts";
import { isBusy, translate } from "./faults.ts";
import { type Migration, migrations as shipped } from "./migrations.ts";

/** One SQLite file, shared by the log, the derived store and the answer store of this process. */
export interface Database {
	readonly path: string;
	/** For reading: never sees what is not yet committed. */
	readonly reader: DatabaseSync;
	/** For what must survive a power cut: a commit has reached the disk. Write inside `write` only. */
	readonly durable: DatabaseSync;
	/** For what may be lost in a power cut, though never torn: a commit waits for no disk. */
	readonly relaxed: DatabaseSync;
	/**
	 * Runs `work` inside a transaction of this connection, under the file's one write lock; a throw
	 * rolls it back. Calls of this process queue. Another process' lock is waited for without holding up
	 * this one, up to the busy timeout.
	 */
	write<T>(connection: DatabaseSync, work: () => T | Promise<T>): Promise<T>;
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
	const { busyTimeout = 5_000, migrations = shipped } = options;
	if (path === ":memory:" || path === "") {
		throw new Fault(
			"log/failed",
			"A database needs a file: connections to memory would not see each other.",
		);
	}
	createFile(path);
	const { durable, reader, relaxed } = patiently(busyTimeout, path, () =>
		connectAll(path, busyTimeout, migrations),
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
		write: (connection, work) =>
			turn(async () => {
				const { begin, commit } = connection === durable ? durably : relaxedly;
				await patientlyBegin(begin, busyTimeout);
				try {
					const result = await work();
					commit.run();
					return result;
				} catch (error) {
					rollBack(connection);
					throw error;
				}
			}),
		settled: () => turn(() => {}),
		close() {
			closing ??= turn(() => {
				// The durable one last: it is the one that tidies the write-ahead log away.
				for (const connection of [reader, relaxed, durable]) connection.close();
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
	busyTimeout: number,
	migrations: readonly Migration[],
): Pick<Database, "durable" | "reader" | "relaxed"> {
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
		const reader = connect("full");
		// Writers wait in `begin`, where others go on; a reader waits only while another process recovers the file.
		reader.exec(`pragma query_only = 1; pragma busy_timeout = ${busyTimeout}`);
		const relaxed = connect("normal");
		// Moving pages from the write-ahead log into the file waits for the disk: left to the durable connection.
		relaxed.exec("pragma wal_autocheckpoint = 0");
		return { durable, reader, relaxed };
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

/** Takes the write lock. Between tries the event loop goes on. */
async function patientlyBegin(
	begin: StatementSync,
	busyTimeout: number,
): Promise<void> {
	const start = performance.now();
	for (let tries = 0; ; tries++) {
		try {
			begin.run();
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
