import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import {
	assertSqliteVersion,
	type Database,
	type DatabaseOptions,
	migrationHash,
	openDatabase,
} from "./database.ts";
import { afterwards, temporaryPath } from "./fixtures/temporary.ts";
import { migrations } from "./migrations.ts";

function open(path: string, options?: DatabaseOptions): Database {
	const database = openDatabase(path, options);
	afterwards(() => database.close());
	return database;
}

const fault = (code: string) =>
	expect.objectContaining({ name: "Fault", code });

describe("the SQLite in use", () => {
	it.each(["3.51.3", "3.51.10", "3.52.0", "3.100.1", "4.0.0"])(
		"accepts %s",
		(version) => {
			expect(() => assertSqliteVersion(version)).not.toThrow();
		},
	);

	it.each(["3.51.2", "3.51", "3.50.9", "3.9.30", "2.99.99", "", "unknown"])(
		"refuses %s",
		(version) => {
			expect(() => assertSqliteVersion(version)).toThrow(
				fault("log/sqlite-too-old"),
			);
		},
	);
});

describe("the file", () => {
	it.skipIf(process.platform === "win32")(
		"can be read by its owner alone, with all that stands beside it",
		async () => {
			const path = join(dirname(temporaryPath()), "new", "home", "dos.db");
			const database = open(path);
			await database.write(database.durable, () => {});
			for (const end of ["", "-wal", "-shm"])
				expect(statSync(path + end).mode & 0o777, end).toBe(0o600);
			expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
		},
	);

	it.each([
		["within", 2],
		["beside", 1],
	] as const)(
		"is written with a log in front, and SQLite waits for the disk where it must: %s",
		(flushing, synchronous) => {
			const { durable, relaxed, reader } = open(temporaryPath(), { flushing });
			const ask = (connection: DatabaseSync, name: string) =>
				Object.values(connection.prepare(`pragma ${name}`).get() ?? {})[0];
			expect(ask(durable, "journal_mode")).toBe("wal");
			expect(ask(durable, "synchronous")).toBe(synchronous);
			expect(ask(durable, "fullfsync")).toBe(1);
			expect(ask(durable, "checkpoint_fullfsync")).toBe(1);
			expect(ask(relaxed, "synchronous")).toBe(1);
			expect(() => reader.exec("create table t (a)")).toThrow("readonly");
		},
	);

	it("is closed once, and refuses work after that", async () => {
		const database = openDatabase(temporaryPath());
		const running = database.write(database.durable, () => "done");
		await Promise.all([database.close(), database.close()]);
		expect(await running).toBe("done");
		await expect(database.write(database.durable, () => {})).rejects.toThrow();
	});

	it("is not one in memory", () => {
		expect(() => openDatabase(":memory:")).toThrow(fault("log/failed"));
	});
});

describe("writes", () => {
	it("of all connections take turns, and one that throws leaves nothing", async () => {
		const { durable, relaxed, reader, write } = open(temporaryPath());
		const names = () =>
			reader
				.prepare("select name from derived order by name")
				.all()
				.map(({ name }) => name);
		const add = (connection: DatabaseSync, name: string) =>
			connection
				.prepare("insert into derived values (?, 1, 1, '', '')")
				.run(name);
		const done = await Promise.allSettled([
			write(durable, async () => {
				add(durable, "a");
				await new Promise((resolve) => setTimeout(resolve, 10));
				expect(names()).toEqual([]);
			}),
			write(relaxed, () => {
				add(relaxed, "b");
				throw new Error("no");
			}),
			write(relaxed, () => add(relaxed, "c")),
		]);
		expect(done.map(({ status }) => status)).toEqual([
			"fulfilled",
			"rejected",
			"fulfilled",
		]);
		expect(names()).toEqual(["a", "c"]);
	});
});

describe("migrations", () => {
	it("never change once shipped", () => {
		expect(
			migrations.map(
				(migration) =>
					`${migration.number} ${migration.name} ${migrationHash(migration)}`,
			),
		).toEqual(pinned);
	});

	it("are applied once, in order, and what is missing is added later", () => {
		const path = temporaryPath();
		const [first, ...rest] = migrations;
		if (!first) throw new Error("no migration");
		const applied = (database: Database) =>
			database.reader.prepare("select number, hash from migration").all();
		expect(applied(open(path, { migrations: [first] }))).toHaveLength(1);
		expect(applied(open(path))).toEqual(
			[first, ...rest].map((one) =>
				expect.objectContaining({
					number: one.number,
					hash: migrationHash(one),
				}),
			),
		);
		expect(applied(open(path))).toHaveLength(migrations.length);
	});

	it("are refused when an applied one has another text", () => {
		const path = temporaryPath();
		open(path);
		const changed = migrations.map((one) =>
			one.number === 2 ? { ...one, sql: `${one.sql} ` } : one,
		);
		expect(() => openDatabase(path, { migrations: changed })).toThrow(
			fault("store/migration-changed"),
		);
	});

	it("are refused when the file is newer than the program", () => {
		const path = temporaryPath();
		open(path);
		expect(() =>
			openDatabase(path, { migrations: migrations.slice(0, -1) }),
		).toThrow(fault("store/too-new"));
	});

	it("leave nothing when one fails, and can be tried again", () => {
		const path = temporaryPath();
		const broken = {
			number: migrations.length + 1,
			name: "broken",
			sql: "create table half (a); create nonsense",
		};
		expect(() =>
			openDatabase(path, { migrations: [...migrations, broken] }),
		).toThrow(fault("log/failed"));
		const tables = open(path)
			.reader.prepare("select name from sqlite_schema where type = 'table'")
			.all();
		expect(tables.map(({ name }) => name)).not.toContain("half");
	});

	it("do not touch another program's database", () => {
		const path = temporaryPath();
		const other = new DatabaseSync(path);
		other.exec("create table theirs (a)");
		other.close();
		expect(() => openDatabase(path)).toThrow(fault("store/not-ours"));
	});
});

/** Add a line for a new migration; never change one that was released. */
const pinned = [
	"1 event-log ae4eac450d445b80da3be4fac752f99a840886157433d9f2520bb77e9b29b34f",
	"2 derived-store 0f8a8de58d57aea4b37704e2d79247ea121cc5dcbba1a5cd18eeb17c41436802",
	"3 answer-store f7db3838d785cb458e723cf4cc5c075752fa863ee8ee418101e00d7db784024b",
	"4 lease f13afcde468e0ec8a4f6ee3847bf957b8de2f468423848ec162f3c6bc76db7cd",
];
