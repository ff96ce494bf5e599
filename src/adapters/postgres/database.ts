import { hash } from "node:crypto";
import type { Client, ClientConfig, Pool } from "pg";
import { Fault } from "../../kernel/outcome.ts";
import { takeTurns } from "../turns.ts";
import { type PostgresAddress, readAddress } from "./address.ts";
import { isLost, translate } from "./faults.ts";
import { type Migration, migrations as shipped } from "./migrations.ts";
import {
	type Answer,
	type RoundTrip,
	roundTripsOf,
	type Statement,
	type Step,
	type Wire,
} from "./round-trip.ts";

export type { Answer, Row, Statement, Step } from "./round-trip.ts";

/** One connection, for whoever was given it. */
export interface Connection {
	/**
	 * Sends statements in one piece, and waits for all answers: one round trip. The server stops at the first that
	 * fails, which is thrown.
	 */
	send(...steps: readonly Step[]): Promise<readonly Answer[]>;
	/** Ends the connection at once: what was sent last may have happened or not. */
	cut(): void;
}

/** One Postgres database (one schema of it), shared by the log and the stores of this process. */
export interface PostgresDatabase {
	/** For people: where it is, without any secret. */
	readonly name: string;
	/** Quoted, to stand in front of a table's name. */
	readonly schema: string;
	/** Whether a pooler in transaction mode stands between: nothing may then outlast a transaction. */
	readonly pooler: boolean;
	readonly serverVersion: string;
	/** The address of this machine that the database was reached from; undefined where that was no network. */
	readonly ownAddress: string | undefined;
	/** What of the server's settings gives up durability, each a sentence. */
	readonly warnings: readonly string[];
	/** One statement by itself. A reading is tried again when its connection had died; give `once` for what changes something. */
	query(
		statement: Statement,
		values?: readonly unknown[],
		options?: { readonly once?: boolean },
	): Promise<Answer>;
	/** The one connection for writing to the log, kept between uses. Uses take turns. An error of `work` is passed on as it is. */
	exclusively<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
	/** Tells others, as part of the transaction it is sent in. */
	readonly notify: { readonly channel: string };
	/**
	 * Calls `heard` when another connection committed a notification: a wake-up only, which may come late, twice,
	 * or, through a pooler, never. The returned function ends it.
	 */
	listen(heard: () => void): () => void;
	settled(): Promise<void>;
	close(): Promise<void>;
}

export interface PostgresOptions {
	/** Milliseconds to wait for a lock, and that a transaction of ours may stand still. Default 5 s. */
	readonly lockTimeout?: number;
	/** Milliseconds a statement may take. Default 60 s. */
	readonly statementTimeout?: number;
	/** Milliseconds to wait for a connection. Default 10 s. */
	readonly connectTimeout?: number;
	/** Other steps than the shipped ones: for tests. */
	readonly migrations?: readonly Migration[];
	/** Hears of a connection for listening that broke; it is made anew by itself. */
	readonly onFault?: (fault: unknown) => void;
}

/**
 * Opens a database and brings its schema up to date, which needs a role that may create tables only when
 * steps are missing.
 *
 * Faults: `store/bad-address`, `store/unavailable`, `store/denied`, `store/too-old`, `store/too-new`,
 * `store/migration-changed`, `store/not-utf8`.
 */
export async function openPostgres(
	address: string,
	options: PostgresOptions = {},
): Promise<PostgresDatabase> {
	const at = readAddress(address);
	const {
		lockTimeout = 5_000,
		statementTimeout = 60_000,
		connectTimeout = 10_000,
		migrations = shipped,
		onFault = () => {},
	} = options;
	// Loaded here, so that those who keep their log in a file start without it.
	const { default: driver } = await import("pg");
	const name = at.name;
	const schema = `"${at.schema}"`;
	const channel = `dos_${at.schema}`;
	const base: ClientConfig = {
		...at.client,
		connectionTimeoutMillis: connectTimeout,
	};
	const facts = await translated(() => prepare(driver.Client, base, at));
	const config: ClientConfig = facts.pooler
		? base
		: { ...base, statement_timeout: statementTimeout };

	async function translated<T>(work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw translate(error, "store", name);
		}
	}

	async function prepare(
		ClientOf: typeof Client,
		config: ClientConfig,
		{ pooler }: PostgresAddress,
	) {
		const client = new ClientOf(config);
		client.on("error", () => {});
		await client.connect();
		try {
			const facts = await lookAt(client, name, pooler);
			await migrate(client, at.schema, migrations, name, lockTimeout);
			return facts;
		} finally {
			await client.end().catch(() => {});
		}
	}

	const roundTrips = roundTripsOf(driver);
	const toSend = (steps: readonly Step[]) => roundTrips(steps, !facts.pooler);

	const pool: Pool = new driver.Pool({
		...config,
		query_timeout: statementTimeout + 5_000,
		max: at.connections,
		idleTimeoutMillis: 60_000,
	});
	// One that breaks while nobody uses it is replaced when it is needed.
	pool.on("error", () => {});
	// The pool passes on what it is given; its types know of the driver's own queries only.
	const inPool = (...steps: readonly Step[]) =>
		(
			pool.query as unknown as (trip: RoundTrip) => Promise<readonly Answer[]>
		).call(pool, toSend(steps));

	const turn = takeTurns();
	let writer: Writer | undefined;
	let closed: Promise<void> | undefined;

	interface Writer extends Connection {
		readonly usable: () => boolean;
		end(): Promise<void>;
	}

	async function connect(): Promise<Writer> {
		const client = new driver.Client({ ...config, pipeline: true });
		let usable = true;
		client.on("error", () => {
			usable = false;
		});
		client.on("end", () => {
			usable = false;
		});
		await client.connect();
		const { stream } = (client as unknown as { connection: Wire }).connection;
		return {
			usable: () => usable,
			send: (...steps) =>
				new Promise((resolve, reject) => {
					const trip = toSend(steps);
					trip.callback = (error, answers) =>
						error ? reject(error) : resolve(answers as readonly Answer[]);
					client.query(trip);
				}),
			cut() {
				usable = false;
				stream.destroy(new Error("Connection terminated by us"));
			},
			end: () => client.end().catch(() => {}),
		};
	}

	const listeners = new Set<() => void>();
	let listening: { stop(): void } | undefined;

	/** Stays connected until stopped; every new connection is a wake-up too, as one may have been missed. */
	function startListening(): { stop(): void } {
		let stopped = false;
		let client: Client | undefined;
		let timer: NodeJS.Timeout | undefined;
		const tell = () => {
			for (const heard of listeners) heard();
		};
		async function begin(): Promise<void> {
			const mine = new driver.Client({ ...base, statement_timeout: 0 });
			client = mine;
			let over = false;
			const again = (fault?: unknown) => {
				if (over || stopped) return;
				over = true;
				if (fault) onFault(translate(fault, "store", name));
				timer = setTimeout(begin, 500);
				timer.unref();
			};
			mine.on("error", again);
			mine.on("end", () => again());
			mine.on("notification", tell);
			try {
				await mine.connect();
				await mine.query(`listen "${channel}"`);
				tell();
			} catch (fault) {
				again(fault);
				mine.end().catch(() => {});
			}
			if (stopped) mine.end().catch(() => {});
		}
		void begin();
		return {
			stop() {
				stopped = true;
				clearTimeout(timer);
				client?.end().catch(() => {});
			},
		};
	}

	function assertOpen(): void {
		if (closed) throw new Fault("store/closed", `${name} is closed.`);
	}

	return {
		name,
		schema,
		...facts,
		notify: { channel },
		async query(statement, values = [], { once = false } = {}) {
			assertOpen();
			for (let tries = 0; ; tries++) {
				try {
					const [answer] = await inPool({ statement, values });
					return answer as Answer;
				} catch (error) {
					// Named statements that another version of the program had prepared in between are prepared anew.
					if (once || tries >= 2 || !isLost(error)) throw error;
				}
			}
		},
		exclusively: (work) =>
			turn(async () => {
				if (writer && !writer.usable()) {
					void writer.end();
					writer = undefined;
				}
				writer ??= await connect();
				return work(writer);
			}),
		listen(heard) {
			if (facts.pooler) return () => {};
			listeners.add(heard);
			listening ??= startListening();
			return () => {
				listeners.delete(heard);
				if (listeners.size > 0) return;
				listening?.stop();
				listening = undefined;
			};
		},
		settled: () => turn(() => {}),
		close() {
			closed ??= turn(async () => {
				listening?.stop();
				listeners.clear();
				await writer?.end();
				await pool.end();
			});
			return closed;
		},
	};
}

async function lookAt(
	client: Client,
	name: string,
	pooler: boolean | undefined,
): Promise<
	Pick<PostgresDatabase, "pooler" | "serverVersion" | "ownAddress" | "warnings">
> {
	const { rows } = await client.query<{
		version: string;
		number: number;
		encoding: string;
		pid: number;
		fsync: string;
		pages: string;
	}>(
		`select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
			current_setting('server_encoding') as encoding, pg_backend_pid() as pid,
			current_setting('fsync') as fsync, current_setting('full_page_writes') as pages`,
	);
	const [found] = rows;
	if (!found || found.number < 150_000)
		throw new Fault(
			"store/too-old",
			`${name} is Postgres ${found?.version}. Version 15 or newer is needed.`,
		);
	if (found.encoding !== "UTF8")
		throw new Fault(
			"store/not-utf8",
			`${name} keeps text as ${found.encoding}, which cannot hold every text. Create the database with encoding UTF8.`,
		);
	return {
		// A pooler says a process number of its own.
		pooler:
			pooler ??
			(client as unknown as { processID: number }).processID !== found.pid,
		serverVersion: found.version,
		ownAddress: (client as unknown as { connection: Wire }).connection.stream
			.localAddress,
		warnings: [
			...(found.fsync === "off"
				? ["fsync is off: a power cut can lose or break what was committed"]
				: []),
			...(found.pages === "off"
				? ["full_page_writes is off: a power cut can tear a page"]
				: []),
		],
	};
}

/** SHA-256 of a migration's text: what is recorded when it is applied. */
export function migrationHash({ sql }: Migration): string {
	return hash("sha256", sql, "hex");
}

/** Applies the steps that are missing, in one transaction under a lock of their own; each database takes each step once. */
async function migrate(
	client: Client,
	schema: string,
	migrations: readonly Migration[],
	name: string,
	lockTimeout: number,
): Promise<void> {
	if ((await pending(client, schema, migrations, name)).length === 0) return;
	await client.query("begin");
	try {
		await client.query(`set local lock_timeout = ${lockTimeout * 6}`);
		await client.query("select pg_advisory_xact_lock(hashtext($1))", [
			`dos/${schema}`,
		]);
		// Asked again: another process may have done it while we waited for the lock.
		const missing = await pending(client, schema, migrations, name);
		if (missing[0]?.number === 1) {
			await client.query(`create schema if not exists "${schema}"`);
			await client.query(
				`create table "${schema}".migration (number integer primary key, name text not null, hash text not null, needs integer not null)`,
			);
		}
		await client.query(`set local search_path = "${schema}"`);
		for (const migration of missing) {
			await client.query(migration.sql);
			await client.query(
				"insert into migration (number, name, hash, needs) values ($1, $2, $3, $4)",
				[
					migration.number,
					migration.name,
					migrationHash(migration),
					migration.needs,
				],
			);
		}
		await client.query("commit");
	} catch (error) {
		await client.query("rollback").catch(() => {});
		throw error;
	}
}

/** The steps this database still lacks. Throws when what it has cannot be worked with. */
async function pending(
	client: Client,
	schema: string,
	migrations: readonly Migration[],
	name: string,
): Promise<readonly Migration[]> {
	// Asked for first, as an error would end the transaction we may be in; and of the catalogue itself, as a
	// name's look-up may be answered from before the lock was ours.
	const { rowCount } = await client.query(
		`select 1 from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = 'migration'`,
		[schema],
	);
	if (rowCount === 0) return migrations;
	const { rows: applied } = await client.query<{
		number: number;
		hash: string;
		needs: number;
	}>(`select number, hash, needs from "${schema}".migration order by number`);
	for (const [index, { number, hash, needs }] of applied.entries()) {
		const migration = migrations[index];
		if (!migration) {
			// Made by a newer version, beside which we may go on when it says so.
			if (needs <= migrations.length) continue;
			throw new Fault(
				"store/too-new",
				`${name} was set up by a newer version of this program (schema ${applied.length}, this one knows ${migrations.length}). Update the program.`,
			);
		}
		if (number !== migration.number || hash !== migrationHash(migration))
			throw new Fault(
				"store/migration-changed",
				`${name} was made with another text of migration ${number} than this program ships. Use the version of the program that made it.`,
			);
	}
	return migrations.slice(applied.length);
}
