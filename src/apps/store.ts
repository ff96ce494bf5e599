import { readFileSync } from "node:fs";
import { isPostgresAddress } from "../adapters/postgres/address.ts";
import { systemClock } from "../adapters/runtime/clock.ts";
import type { Database } from "../adapters/sqlite/database.ts";
import { Fault } from "../kernel/outcome.ts";
import type { AnswerStore } from "../ports/answer-store.ts";
import type { DerivedStore } from "../ports/derived-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Leases } from "../ports/lease.ts";
import type { Environment, Home } from "./home.ts";

/** Where the log and what stands beside it are kept: a file of this machine, or a database for a fleet. */
export interface Store {
	readonly kind: "sqlite" | "postgres";
	/** For people: a path, or host and database; never a secret. */
	readonly name: string;
	/** The engine, its version, and how it is reached. */
	readonly engine: string;
	/** What is set so that it should be mended, each a sentence. */
	readonly warnings: readonly string[];
	readonly log: EventLog;
	readonly derived: DerivedStore;
	answers(): AnswerStore;
	/** Leases of who shares this store. */
	leases(): Leases;
	/** The address of this machine that the store was reached from, where that was over a network. */
	readonly ownAddress?: string | undefined;
	/**
	 * Calls `heard` when another process may have appended: a wake-up only, which may come late, twice, or never.
	 * The returned function ends it.
	 */
	watch(heard: () => void): () => void;
	/** The file, where it is one. */
	readonly file?: Database;
	close(): Promise<void>;
}

/**
 * The address of the home's store: `DOS_STORE`, else `store` in `config.yaml`, else undefined, which is the file
 * in the home.
 */
export async function storeAddress(
	home: Home,
	environment: Environment = process.env,
): Promise<string | undefined> {
	const named = home.store ?? environment.DOS_STORE;
	if (named) return checked(named);
	let text: string;
	try {
		text = readFileSync(home.config, "utf8");
	} catch {
		return undefined;
	}
	// Most homes say nothing of it, and commands then start without the weight of the settings.
	if (!/^["']?store["']?\s*:/m.test(text)) return undefined;
	const { loadConfig } = await import("./config.ts");
	const { store } = loadConfig(home, environment).config;
	return store === undefined ? undefined : checked(store);
}

/** Whether a text is the address of a database server. */
export function isServerAddress(text: string): boolean {
	return isPostgresAddress(text);
}

function checked(address: string): string {
	if (isServerAddress(address)) return address;
	throw new Fault(
		"store/bad-address",
		"The store must be an address such as postgres://role:password@host:5432/database. Without one, the log is kept in the home folder.",
	);
}

/** Opens the home's store. */
export async function openStore(
	home: Home,
	options: {
		readonly environment?: Environment;
		readonly onFault?: (fault: unknown) => void;
	} = {},
): Promise<Store> {
	const address = await storeAddress(home, options.environment);
	return address === undefined
		? openFileStore(home.database)
		: openServerStore(address, options.onFault);
}

/** A store in a file, made where there is none. */
export async function openFileStore(path: string): Promise<Store> {
	const [
		{ openDatabase },
		{ sqliteEventLog },
		{ sqliteDerivedStore },
		{ sqliteAnswerStore },
		{ sqliteLeases },
	] = await Promise.all([
		import("../adapters/sqlite/database.ts"),
		import("../adapters/event-log/sqlite.ts"),
		import("../adapters/derived-store/sqlite.ts"),
		import("../adapters/answer-store/sqlite.ts"),
		import("../adapters/lease/sqlite.ts"),
	]);
	const file = openDatabase(path);
	try {
		return {
			kind: "sqlite",
			name: path,
			engine: "SQLite",
			warnings: [],
			log: sqliteEventLog(file),
			derived: sqliteDerivedStore(file),
			answers: () => sqliteAnswerStore(file),
			leases: () => sqliteLeases(file, systemClock),
			watch: () => () => {},
			file,
			close: () => file.close(),
		};
	} catch (fault) {
		await file.close();
		throw fault;
	}
}

/** A store in a database server. */
export async function openServerStore(
	address: string,
	onFault?: (fault: unknown) => void,
): Promise<Store> {
	const [
		{ openPostgres },
		{ postgresEventLog },
		{ postgresDerivedStore },
		{ postgresAnswerStore },
		{ postgresLeases },
	] = await Promise.all([
		import("../adapters/postgres/database.ts"),
		import("../adapters/event-log/postgres.ts"),
		import("../adapters/derived-store/postgres.ts"),
		import("../adapters/answer-store/postgres.ts"),
		import("../adapters/lease/postgres.ts"),
	]);
	const database = await openPostgres(address, {
		...(onFault && { onFault }),
	});
	return {
		kind: "postgres",
		name: database.name,
		engine: `Postgres ${database.serverVersion}${database.pooler ? ", through a pooler" : ""}`,
		warnings: database.warnings,
		log: postgresEventLog(database),
		derived: postgresDerivedStore(database),
		answers: () => postgresAnswerStore(database),
		leases: () => postgresLeases(database),
		ownAddress: database.ownAddress,
		watch: (heard) => database.listen(heard),
		close: () => database.close(),
	};
}
