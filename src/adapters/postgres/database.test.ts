import { readFileSync } from "node:fs";
import pg, { type Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sealEvent } from "../../kernel/event.ts";
import { postgresAnswerStore } from "../answer-store/postgres.ts";
import { postgresDerivedStore } from "../derived-store/postgres.ts";
import { postgresEventLog } from "../event-log/postgres.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { readAddress } from "./address.ts";
import { nameOf, storedName } from "./arrays.ts";
import {
	migrationHash,
	openPostgres,
	type PostgresOptions,
} from "./database.ts";
import { type PostgresServer, startPostgres } from "./fixtures/server.ts";
import { migrations } from "./migrations.ts";

let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

async function open(address: string, options?: PostgresOptions) {
	const database = await openPostgres(address, options);
	afterwards(() => database.close());
	return database;
}

async function admin(database?: string): Promise<Client> {
	const url = new URL(server.url);
	if (database) url.pathname = `/${database}`;
	const client = new pg.Client(url.href);
	await client.connect();
	afterwards(() => client.end());
	return client;
}

describe("an address", () => {
	it("is read without its secrets reaching the name", () => {
		const at = readAddress(
			"postgres://ada:s%40cret@127.0.0.1:5433/books?schema=mine&pooler=true&connections=9",
		);
		expect(at).toMatchObject({
			name: "127.0.0.1:5433/books (mine)",
			schema: "mine",
			pooler: true,
			connections: 9,
			client: {
				user: "ada",
				password: "s@cret",
				database: "books",
				ssl: false,
			},
		});
	});

	it.each([
		["db.example.com/b", { rejectUnauthorized: true }],
		["db.example.com/b?sslmode=require", { rejectUnauthorized: false }],
		["db.example.com/b?sslmode=disable", false],
		["127.0.0.1/b", false],
		["localhost/b?sslmode=verify-full", { rejectUnauthorized: true }],
	])("beyond this machine asks for TLS: %s", (rest, ssl) => {
		expect(readAddress(`postgres://u:p@${rest}`).client.ssl).toEqual(ssl);
	});

	it.each([
		"mysql://u:secret@h/b",
		"postgres://u:secret@h/b?sslmode=prefer",
		"postgres://u:secret@h/b?unheard=secret",
		"postgres://u:secret@h/b?schema=A;drop",
		"postgres://u:secret%@h/b",
		"secret",
	])("that is none is refused, and not repeated", (address) => {
		try {
			readAddress(address);
			expect.unreachable();
		} catch (fault) {
			expect(fault).toMatchObject({ code: "store/bad-address" });
			expect(String((fault as Error).message)).not.toContain("secret");
		}
	});
});

it("keeps names apart that hold what its text cannot", () => {
	const names = [
		"",
		"a",
		"\0",
		"\u0001",
		"\u0001\0",
		"\0\u0001",
		"\u0001\u0001",
		"\u0001\u0002",
	];
	expect(new Set(names.map(storedName)).size).toBe(names.length);
	for (const name of names) {
		expect(storedName(name)).not.toContain("\0");
		expect(nameOf(storedName(name))).toBe(name);
	}
});

it("that cannot be reached says so, and may be tried again", async () => {
	await expect(
		openPostgres("postgres://u:secret@127.0.0.1:1/b"),
	).rejects.toMatchObject({ code: "store/unavailable", retryable: true });
});

it.skipIf(process.env.DOS_TEST_POSTGRES)(
	"that refuses the password says so without it",
	async () => {
		const url = new URL(server.fresh());
		url.password = "wrong-secret";
		const fault = await openPostgres(url.href).catch((thrown) => thrown);
		expect(fault).toMatchObject({ code: "store/denied" });
		expect(fault.message).not.toContain("wrong-secret");
	},
);

describe("migrations", () => {
	it("never change once shipped", () => {
		expect(
			migrations.map(
				(one) => `${one.number} ${one.name} ${one.needs} ${migrationHash(one)}`,
			),
		).toEqual(pinned);
	});

	it("are applied once, also when many replicas start at the same moment", async () => {
		const address = server.fresh();
		const all = await Promise.all(
			Array.from({ length: 8 }, () => open(address)),
		);
		const { rows } = await (all[0] as (typeof all)[0]).query({
			text: `select number from ${all[0]?.schema}.migration order by number`,
		});
		expect(rows.map(([number]) => Number(number))).toEqual(
			migrations.map(({ number }) => number),
		);
	});

	const newer = (needs: number) => [
		...migrations,
		{
			number: migrations.length + 1,
			name: "newer",
			needs,
			sql: "create table newer (a integer)",
		},
	];

	it("of a newer version are no matter to an older one that may go on beside it", async () => {
		const address = server.fresh();
		const old = postgresEventLog(await open(address));
		await old.write((head) => head.tip);
		await open(address, { migrations: newer(migrations.length) });
		expect(await old.write((head) => head.tip)).toMatchObject({ position: 0 });
		await open(address);
	});

	it("of a newer version keep an older one out that would do harm", async () => {
		const address = server.fresh();
		await open(address, { migrations: newer(migrations.length + 1) });
		await expect(openPostgres(address)).rejects.toMatchObject({
			code: "store/too-new",
		});
	});

	it("are refused when an applied one has another text", async () => {
		const address = server.fresh();
		await open(address);
		const changed = migrations.map((one) =>
			one.number === 2 ? { ...one, sql: `${one.sql} ` } : one,
		);
		await expect(
			openPostgres(address, { migrations: changed }),
		).rejects.toMatchObject({ code: "store/migration-changed" });
	});

	it("leave nothing when one fails, and can be tried again", async () => {
		const address = server.fresh();
		await expect(
			openPostgres(address, {
				migrations: [
					...migrations,
					{
						number: migrations.length + 1,
						name: "broken",
						needs: 0,
						sql: "create table half (a integer); create nonsense",
					},
				],
			}),
		).rejects.toMatchObject({ code: "store/failed" });
		const database = await open(address);
		const { rows } = await database.query({
			text: `select to_regclass('${database.schema}.half')`,
		});
		expect(rows).toEqual([[null]]);
	});
});

describe.each(["", "&pooler=true"])("one round trip%s", (way) => {
	const one = { statement: { name: "test_one", text: "select $1::text" } };
	const bad = { statement: { name: "test_bad", text: "select 1/$1::int" } };
	const plain = (text: string) => ({ statement: { text } });

	it("answers each statement in order, sent together or one after the other", async () => {
		const database = await open(`${server.fresh()}${way}`);
		const answers = await database.exclusively((connection) =>
			Promise.all([
				connection.send(
					plain("begin"),
					{ ...one, values: ["a"] },
					{ ...one, values: [null] },
					plain("commit"),
				),
				connection.send({ ...one, values: [7] }),
			]),
		);
		expect(answers).toEqual([
			[
				{ command: "BEGIN", count: 0, rows: [] },
				{ command: "SELECT", count: 1, rows: [["a"]] },
				{ command: "SELECT", count: 1, rows: [[null]] },
				{ command: "COMMIT", count: 0, rows: [] },
			],
			[{ command: "SELECT", count: 1, rows: [["7"]] }],
		]);
	});

	it("stops at the first that fails, and all of it can be sent again", async () => {
		const database = await open(`${server.fresh()}${way}`);
		const { schema } = database;
		await database.query({ text: `create table ${schema}.t (a text)` });
		const insert = {
			statement: {
				name: "test_in",
				text: `insert into ${schema}.t values ($1)`,
			},
			values: ["x"],
		};
		const whole = (divisor: number) => [
			plain("begin"),
			insert,
			{ ...bad, values: [divisor] },
			plain("commit"),
		];
		await database.exclusively(async (connection) => {
			for (let tries = 0; tries < 2; tries++) {
				await expect(connection.send(...whole(0))).rejects.toMatchObject({
					code: "22012",
				});
				expect(await connection.send(plain("rollback"))).toMatchObject([
					{ command: "ROLLBACK" },
				]);
			}
			expect((await connection.send(...whole(1)))[1]).toMatchObject({
				command: "INSERT",
				count: 1,
			});
		});
		const { rows } = await database.query({
			text: `select a from ${schema}.t`,
		});
		expect(rows).toEqual([["x"]]);
	});
});

it.skipIf(process.env.DOS_TEST_POSTGRES)(
	"serves a role with the rights that the guide lists, and with no other",
	async () => {
		const guide = readFileSync(
			new URL("../../../docs/guides/run-on-postgres.md", import.meta.url),
			"utf8",
		);
		const grants = [...guide.matchAll(/^grant .*;$/gm)].map(([line]) => line);
		expect(grants.length).toBeGreaterThan(4);
		const root = await admin();
		for (const role of ["dos_owner", "dos_app", "dos_read"])
			await root.query(`create role ${role} login password 'p'`);
		await root.query("create database guide owner dos_owner");
		const as = (role: string) => {
			const url = new URL(server.url);
			url.username = role;
			url.password = "p";
			url.pathname = "/guide";
			return url.href;
		};
		await expect(openPostgres(as("dos_app"))).rejects.toMatchObject({
			code: "store/denied",
		});
		await (await openPostgres(as("dos_owner"))).close();
		const granting = await admin("guide");
		for (const grant of grants) await granting.query(grant);

		const database = await open(as("dos_app"));
		const log = postgresEventLog(database);
		const event = sealEvent(
			{
				position: 1,
				previous: (await log.tip()).hash,
				time: 1,
				stream: "stream/a",
				version: 1,
				type: "thing-happened",
				actor: "operator",
				data: "{}",
			},
			nodeDigest.text,
		);
		await log.write((head) => head.append([event]));
		expect(await log.at(1)).toEqual(event);
		const saved = { format: 1, position: 1, hash: "", body: "{}" };
		const derived = postgresDerivedStore(database);
		await derived.save("a", saved);
		await derived.clear();
		const answers = postgresAnswerStore(database);
		await answers.keep(
			"c",
			{ status: 200, headers: {}, body: new Uint8Array() },
			1,
		);
		expect(await answers.sweep(2)).toBe(1);
		for (const text of [
			"update dos.event set data = '{\"forged\":1}'",
			"delete from dos.event",
			"truncate dos.event",
			"drop table dos.event",
			"delete from dos.head",
		])
			await expect(database.query({ text })).rejects.toMatchObject({
				code: "42501",
			});

		const reader = postgresEventLog(await open(as("dos_read")));
		expect(await reader.at(1)).toEqual(event);
		await expect(reader.write((head) => head.tip)).rejects.toMatchObject({
			code: "log/denied",
		});
	},
);

/** Add a line for a new migration; never change one that was released. */
const pinned = [
	"1 event-log 1 725b55a468a08f173db9d54c605a361714c1680e38e6aa63fc28b87ddacb813e",
	"2 derived-store 2 d04cbdd20ae2adced4beba77a8a6b63a67823f94373ba2cb1719b98d6f4f6c95",
	"3 answer-store 3 152fbf2788d20e3c064da25b43092cfe0079e9cbb2158fe1f328b0745228e01c",
	"4 lease 3 2fd7d3960fa030e3f8f279005ec0db9230ff6d43156006709d942d84f4b9abff",
];
