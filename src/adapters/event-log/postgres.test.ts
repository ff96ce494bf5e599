import { hash } from "node:crypto";
import { connect, createServer } from "node:net";
import pg, { type Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	genesisHash,
	type StoredEvent,
	sealEvent,
} from "../../kernel/event.ts";
import { eventLogContract } from "../../ports/event-log.contract.ts";
import type { Ahead, EventLog } from "../../ports/event-log.ts";
import {
	type Connection,
	openPostgres,
	type Step,
} from "../postgres/database.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../postgres/fixtures/server.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { type PostgresLogOptions, postgresEventLog } from "./postgres.ts";

let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

async function open(address: string): Promise<EventLog> {
	const database = await openPostgres(address);
	const log = postgresEventLog(database);
	return {
		...log,
		async close() {
			await log.close();
			await database.close();
		},
	};
}

eventLogContract("postgres", () => open(server.fresh()));
eventLogContract("postgres through a pooler", () =>
	open(`${server.fresh()}&pooler=true`),
);

/** Appends one event to a stream of its own, under a key. */
function append(
	log: EventLog,
	key: string,
	ahead: Ahead = {},
): Promise<StoredEvent> {
	return log.write(async (head) => {
		const version = (await head.versions(["stream/a"])).get("stream/a") ?? 0;
		const event = sealEvent(
			{
				position: head.tip.position + 1,
				previous: head.tip.hash,
				time: head.tip.time + 1,
				stream: "stream/a",
				version: version + 1,
				type: "thing-happened",
				actor: "operator",
				key,
				data: "{}",
			},
			(text) => hash("sha256", text, "hex"),
		);
		await head.append([event]);
		return event;
	}, ahead);
}

/** One plain connection beside the log's. */
async function admin(): Promise<Client> {
	const client = new pg.Client(server.url);
	client.on("error", () => {});
	await client.connect();
	afterwards(() => client.end().catch(() => {}));
	return client;
}

async function openBeside(
	address: string,
	options: PostgresLogOptions = {},
): Promise<EventLog> {
	const database = await openPostgres(address);
	afterwards(() => database.close());
	return postgresEventLog(database, options);
}

/** What was told of each key must be what the log holds, whoever asks. */
async function assertTold(
	address: string,
	told: ReadonlyMap<string, boolean>,
): Promise<void> {
	const log = await openBeside(address);
	const stored: StoredEvent[] = [];
	for await (const batch of log.read(0)) stored.push(...batch);
	const keys = new Set(stored.map(({ key }) => key));
	for (const [key, wasWritten] of told)
		expect([key, keys.has(key)]).toEqual([key, wasWritten]);
	expect(stored).toHaveLength([...told.values()].filter(Boolean).length);
	let previous = genesisHash;
	for (const [index, event] of stored.entries()) {
		expect(event.position).toBe(index + 1);
		expect(event.previous).toBe(previous);
		previous = event.hash;
	}
}

describe("a head that is taken together with the commit before", () => {
	/** A log that says what it sends for each of its writes. */
	async function openCounted(address: string) {
		const database = await openPostgres(address);
		afterwards(() => database.close());
		const sent: string[] = [];
		const counted = new WeakMap<Connection, Connection>();
		const countedOf = (connection: Connection) => {
			const known = counted.get(connection) ?? {
				...connection,
				send(...steps: readonly Step[]) {
					sent.push(steps[0]?.statement.text.split(" ")[0] as string);
					return connection.send(...steps);
				},
			};
			counted.set(connection, known);
			return known;
		};
		const log = postgresEventLog({
			...database,
			exclusively: (work) =>
				database.exclusively((connection) => work(countedOf(connection))),
		});
		return { log, sent };
	}
	const last = () => undefined;
	const nextIs = (key: string) => () => [key];

	it("spares the write that follows a round trip, and shows it what others appended", async () => {
		const address = server.fresh();
		const [{ log, sent }, other] = [
			await openCounted(address),
			await openBeside(address),
		];
		await append(log, "1", { next: last });
		sent.length = 0;
		await append(log, "2", { next: nextIs("3") });
		// The head, the event with its commit, and the head of the next with what it asks for.
		expect(sent).toEqual(["begin", "insert", "begin"]);
		await append(log, "3", { keys: ["3"], next: last });
		expect(sent).toEqual(["begin", "insert", "begin", "insert"]);
		await append(other, "4");
		await append(log, "5", { next: nextIs("6") });
		await expect(append(log, "4", { keys: ["4"] })).rejects.toMatchObject({
			code: "log/conflict",
		});
		await append(log, "6");
		await assertTold(
			address,
			new Map(["1", "2", "3", "4", "5", "6"].map((key) => [key, true])),
		);
	});

	it("is given back when no write follows", async () => {
		const address = server.fresh();
		const [{ log }, other] = [
			await openCounted(address),
			await openBeside(address, { lockTimeout: 1_500 }),
		];
		await append(log, "1", { next: nextIs("2") });
		await append(other, "3");
		await append(log, "2", { next: last });
		await assertTold(
			address,
			new Map(["1", "2", "3"].map((key) => [key, true])),
		);
	});

	it("goes with the commit before it, should that fail", async () => {
		const address = server.fresh();
		const { log } = await openCounted(address);
		const beside = await admin();
		const schema = new URL(address).searchParams.get("schema");
		await append(log, "1", { next: last });
		await beside.query(
			`alter table "${schema}".event add constraint even check (position <> 2)`,
		);
		await expect(append(log, "2", { next: nextIs("3") })).rejects.toMatchObject(
			{ code: "log/failed" },
		);
		await beside.query(`alter table "${schema}".event drop constraint even`);
		await append(log, "3", { keys: ["3"], next: last });
		await assertTold(
			address,
			new Map([
				["1", true],
				["2", false],
				["3", true],
			]),
		);
	});

	it("comes to others in time, however many writes follow one another", async () => {
		const address = server.fresh();
		const { log } = await openCounted(address);
		const other = await openBeside(address);
		let going = true;
		let count = 0;
		const busy = (async () => {
			for (; going; count++)
				await append(log, `a${count}`, { next: nextIs(`a${count + 1}`) });
		})();
		while (count < 50) await new Promise(setImmediate);
		const waited: number[] = [];
		for (let turn = 0; turn < 20; turn++) {
			const before = count;
			await append(other, `b${turn}`);
			waited.push(count - before);
		}
		going = false;
		await busy;
		expect(Math.max(...waited)).toBeLessThan(200);
	}, 30_000);
});

describe("when connections break", () => {
	it("tells every writer the true outcome, whenever its connection is cut", async () => {
		const address = server.fresh();
		const logs = await Promise.all([openBeside(address), openBeside(address)]);
		const killer = await admin();
		const told = new Map<string, boolean>();
		let going = true;
		const writers = logs.map(async (log, index) => {
			for (let count = 0; going; count++) {
				const key = `${index}/${count}`;
				// Of the second, the head is taken together with the commit before.
				const next = index === 0 ? undefined : () => [`${index}/${count + 1}`];
				await append(log, key, { keys: [key], ...(next && { next }) }).then(
					() => told.set(key, true),
					(fault) => {
						expect(fault).toMatchObject({ retryable: true });
						told.set(key, false);
					},
				);
			}
		});
		for (let round = 0; round < 60; round++) {
			const before = told.size;
			while (told.size < before + 3)
				await new Promise((resolve) => setTimeout(resolve, 1));
			await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
			await killer.query(
				"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'duranteos'",
			);
		}
		going = false;
		await Promise.all(writers);
		expect([...told.values()].filter(Boolean).length).toBeGreaterThan(20);
		await assertTold(address, told);
	}, 60_000);

	it.each(["before", "after"])(
		"finds out what a commit came to whose answer was lost %s it was done",
		async (when) => {
			const address = server.fresh();
			const { port } = new URL(address);
			// Between us and the server: it cuts once, at the commit.
			let armed = false;
			const proxy = createServer((near) => {
				const far = connect(Number(port), "127.0.0.1");
				const end = () => {
					near.destroy();
					far.destroy();
				};
				near.on("error", end).on("close", end);
				far.on("error", end).on("close", end);
				near.on("data", (bytes) => {
					const cuts = armed && bytes.includes("commit");
					if (cuts && when === "before") {
						armed = false;
						return end();
					}
					far.write(bytes);
				});
				far.on("data", (bytes) => {
					if (armed && bytes.includes("COMMIT")) {
						armed = false;
						return end();
					}
					near.write(bytes);
				});
			});
			await new Promise<void>((resolve) =>
				proxy.listen(0, "127.0.0.1", resolve),
			);
			afterwards(() => proxy.close());
			const through = new URL(address);
			through.port = String((proxy.address() as { port: number }).port);
			const log = await openBeside(through.href);
			await append(log, "first");
			armed = true;
			const attempt = append(log, "second");
			if (when === "before")
				await expect(attempt).rejects.toMatchObject({
					code: "log/unavailable",
					retryable: true,
				});
			else expect(await attempt).toMatchObject({ position: 2 });
			expect(armed).toBe(false);
			await append(log, "third");
			await assertTold(
				address,
				new Map([
					["first", true],
					["second", when === "after"],
					["third", true],
				]),
			);
		},
	);

	it("takes the head from a writer that stands still, and lets it write nothing", async () => {
		const address = server.fresh();
		const [slow, other] = [
			await openBeside(address, { lockTimeout: 300 }),
			await openBeside(address),
		];
		await append(other, "before");
		const [taken, resumed] = [
			Promise.withResolvers<void>(),
			Promise.withResolvers<void>(),
		];
		const stuck = slow.write(async (head) => {
			taken.resolve();
			await resumed.promise;
			await head.append([
				sealEvent(
					{
						position: 2,
						previous: head.tip.hash,
						time: 2_000,
						stream: "stream/stuck",
						version: 1,
						type: "thing-happened",
						actor: "operator",
						key: "stuck",
						data: "{}",
					},
					(text) => hash("sha256", text, "hex"),
				),
			]);
		});
		stuck.catch(() => {});
		await taken.promise;
		await append(other, "other");
		resumed.resolve();
		await expect(stuck).rejects.toMatchObject({ retryable: true });
		await append(slow, "again");
		await assertTold(
			address,
			new Map([
				["before", true],
				["other", true],
				["again", true],
				["stuck", false],
			]),
		);
	});

	it("says log/busy when another keeps the head for too long", async () => {
		const address = server.fresh();
		const log = await openBeside(address, { lockTimeout: 100 });
		const schema = new URL(address).searchParams.get("schema");
		const holder = await admin();
		await holder.query("begin");
		await holder.query(`select one from "${schema}".head for update`);
		await expect(append(log, "a")).rejects.toMatchObject({
			code: "log/busy",
			retryable: true,
		});
		await holder.query("rollback");
		expect(await append(log, "a")).toMatchObject({ position: 1 });
	});

	it("keeps its limits also when its first write came to nothing", async () => {
		const address = server.fresh();
		const log = await openBeside(address, { lockTimeout: 100 });
		await log.write((head) => head.tip);
		const schema = new URL(address).searchParams.get("schema");
		const holder = await admin();
		await holder.query("begin");
		await holder.query(`select one from "${schema}".head for update`);
		await expect(append(log, "a")).rejects.toMatchObject({ code: "log/busy" });
		await holder.query("rollback");
	});

	it.skipIf(process.env.DOS_TEST_POSTGRES)(
		"goes on by itself when the server was restarted, also in the middle of everything",
		async () => {
			const address = server.fresh();
			const log = await openBeside(address);
			const told = new Map<string, boolean>();
			let going = true;
			const writing = (async () => {
				for (let count = 0; going; count++)
					await append(log, `${count}`).then(
						() => told.set(`${count}`, true),
						(fault) => {
							expect(fault).toMatchObject({
								code: "log/unavailable",
								retryable: true,
							});
							told.set(`${count}`, false);
						},
					);
			})();
			await new Promise((resolve) => setTimeout(resolve, 100));
			await server.restart({ atOnce: true });
			const before = told.size;
			while (told.size < before + 50)
				await new Promise((resolve) => setTimeout(resolve, 10));
			going = false;
			await writing;
			await assertTold(address, told);
		},
		60_000,
	);
});

/** Until somebody does. */
async function waitsForALock(): Promise<void> {
	const watcher = await admin();
	for (;;) {
		const { rowCount } = await watcher.query(
			"select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'duranteos'",
		);
		if (rowCount) return;
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}

describe("other replicas", () => {
	it("see each other's newest state under the head, however far behind they are", async () => {
		const address = server.fresh();
		const [one, two] = [await openBeside(address), await openBeside(address)];
		await append(one, "1");
		await append(two, "2");
		for (let count = 3; count < 20; count++)
			expect(await append(count % 3 ? one : two, String(count))).toMatchObject({
				position: count,
				version: count,
			});
		await expect(append(one, "2")).rejects.toMatchObject({
			code: "log/conflict",
		});
		const many = Array.from({ length: 2_500 }, (_, index) => `many/${index}`);
		await two.write(async (head) => {
			let tip = head.tip;
			const events = many.map((key, index) => {
				const event = sealEvent(
					{
						position: tip.position + 1,
						previous: tip.hash,
						time: tip.time,
						stream: "stream/many",
						version: index + 1,
						type: "thing-happened",
						actor: "operator",
						key,
						data: "{}",
					},
					(text) => hash("sha256", text, "hex"),
				);
				tip = event;
				return event;
			});
			await head.append(events);
		});
		const seen = await one.write(async (head) => [
			...(await head.after(19)).map(({ key }) => key),
			(await head.versions(["stream/many"])).get("stream/many"),
			(await head.findByKey(["many/7"]))[0]?.position,
		]);
		expect(seen).toEqual([...many, 2_500, 27]);
	});

	it("are heard of when they use a key that was looked for on the way to the head", async () => {
		const address = server.fresh();
		const [one, two] = [await openBeside(address), await openBeside(address)];
		await append(one, "1");
		await append(two, "2");
		const [taken, going] = [
			Promise.withResolvers<void>(),
			Promise.withResolvers<void>(),
		];
		const first = one.write(async (head) => {
			taken.resolve();
			await going.promise;
			const version = (await head.versions(["stream/a"])).get("stream/a") ?? 0;
			await head.append([
				sealEvent(
					{
						position: head.tip.position + 1,
						previous: head.tip.hash,
						time: head.tip.time + 1,
						stream: "stream/a",
						version: version + 1,
						type: "thing-happened",
						actor: "operator",
						key: "shared",
						data: "{}",
					},
					(text) => hash("sha256", text, "hex"),
				),
			]);
		});
		await taken.promise;
		const second = two.write((head) => head.findByKey(["shared", "2"]), {
			keys: ["shared", "2"],
		});
		await waitsForALock();
		going.resolve();
		await first;
		expect((await second).map(({ key }) => key)).toEqual(["shared", "2"]);
		await expect(append(two, "shared")).rejects.toMatchObject({
			code: "log/conflict",
		});
	});

	it("see each other's newest state also where transactions are serializable by default", async () => {
		const address = server.fresh();
		const strict = new URL(address);
		const role = strict.searchParams.get("schema") as string;
		const client = await admin();
		await client.query(`create role ${role} superuser login password 'test'`);
		await client.query(
			`alter role ${role} set default_transaction_isolation = serializable`,
		);
		strict.username = role;
		strict.password = "test";
		const [one, two] = [
			await openBeside(strict.href),
			await openBeside(strict.href),
		];
		await append(one, "0");
		await Promise.all(
			Array.from({ length: 20 }, (_, index) =>
				append(index % 2 ? one : two, String(index + 1)),
			),
		);
		expect((await one.tip()).position).toBe(21);
	});

	it("are woken soon after a commit", async () => {
		const address = server.fresh();
		const log = await openBeside(address);
		const listener = await openPostgres(address);
		afterwards(() => listener.close());
		let woken = 0;
		const stop = listener.listen(() => void woken++);
		const until = async (count: number) => {
			while (woken < count)
				await new Promise((resolve) => setTimeout(resolve, 5));
		};
		// Once for the connection itself.
		await until(1);
		await append(log, "a");
		await until(2);
		await append(log, "b");
		await until(3);
		stop();
	});
});
