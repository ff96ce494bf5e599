import { afterAll, beforeAll, expect, it } from "vitest";
import { postgresEventLog } from "../../src/adapters/event-log/postgres.ts";
import { memoryLeases } from "../../src/adapters/lease/memory.ts";
import { postgresLeases } from "../../src/adapters/lease/postgres.ts";
import { openPostgres } from "../../src/adapters/postgres/database.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../../src/adapters/postgres/fixtures/server.ts";
import {
	type Migration,
	migrations,
} from "../../src/adapters/postgres/migrations.ts";
import { systemChance } from "../../src/adapters/runtime/chance.ts";
import { systemClock } from "../../src/adapters/runtime/clock.ts";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import { openInstance } from "../../src/apps/studio/instance.ts";
import {
	type LedgerDeciders,
	ledgerDeciders,
} from "../../src/contexts/gateway/index.ts";
import { openHead, verifyLog } from "../../src/contexts/log/index.ts";

/** Replicas of three versions on one database, as in an upgrade that goes from one to the next. */
let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

/** The version before leases, this one, and one to come that adds what older programs need not know. */
const before = migrations.slice(0, 3);
const coming: readonly Migration[] = [
	...migrations,
	{
		number: migrations.length + 1,
		name: "coming",
		needs: before.length,
		sql: "alter table event add column coming text; create table coming (a integer)",
	},
];

async function run(address: string, version: readonly Migration[]) {
	const database = await openPostgres(address, { migrations: version });
	const log = postgresEventLog(database);
	const head = await openHead<LedgerDeciders>({
		log,
		deciders: ledgerDeciders,
		clock: systemClock,
		digest: nodeDigest,
	});
	return {
		database,
		log,
		head,
		async close() {
			await head.close();
			await log.close();
			await database.close();
		},
	};
}

type Running = Awaited<ReturnType<typeof run>>;

async function execute(
	{ head }: Running,
	command: Parameters<Running["head"]["execute"]>[1],
): Promise<void> {
	const outcome = await head.execute("credits", command as never, {
		actor: "operator",
	});
	expect(outcome).toMatchObject({ ok: true });
}

it("goes on writing on all versions while the tables are brought up to date beneath them", async () => {
	const address = server.fresh();
	const old = await run(address, before);
	await execute(old, { type: "open-account", account: "main", name: "main" });
	await execute(old, { type: "grant", account: "main", amount: 1_000_000 });

	let busy = true;
	let made = 0;
	const write = async (one: Running, version: string): Promise<void> => {
		for (let count = 0; busy; count++) {
			const call = `${version}-${count}`;
			await execute(one, {
				type: "hold",
				call,
				account: "main",
				amount: 10,
				expires: Date.now() + 600_000,
				holder: "host.1.abcdefghij",
				substrate: "mock/m",
				model: "m",
				operation: "chat",
				sheet: "s",
			});
			await execute(one, { type: "release", call, ending: "not-sent" });
			made += 1;
		}
	};
	const all = [old];
	const work = [write(old, "old")];
	const pause = () => new Promise((resolve) => setTimeout(resolve, 300));
	try {
		await pause();
		for (const [name, version] of [
			["now", migrations],
			["coming", coming],
			// One of the versions before dies in the middle of it and comes back.
			["old-again", before],
		] as const) {
			const one = await run(address, version);
			all.push(one);
			work.push(write(one, name));
			await pause();
		}
	} finally {
		busy = false;
	}
	await Promise.all(work);

	const { log } = old;
	const { position } = await log.tip();
	expect(position).toBe(2 + 2 * made);
	const audit = await verifyLog({ log, digest: nodeDigest });
	expect(audit).toMatchObject({ ok: true, events: position });
	for (const { head } of all) {
		await head.refresh();
		expect(head.state("credits").accounts.get("main")).toMatchObject({
			held: 0,
			spent: 0,
		});
	}
	for (const one of all) await one.close();
}, 60_000);

it("takes no replica of a version without leases for dead", async () => {
	const address = server.fresh();
	const now = await openPostgres(address);
	const { gone } = openInstance({
		leases: postgresLeases(now),
		chance: systemChance,
		oneMachine: false,
		report: () => {},
	});
	const without = "host.1.abcdefghij";
	const dead = "host.12345678.1.abcdefghij";
	expect([...(await gone([without, dead]))]).toEqual([dead]);
	await now.close();
	const one = openInstance({
		leases: memoryLeases(systemClock),
		chance: systemChance,
		oneMachine: false,
		report: () => {},
	});
	expect(one.holder().split(".")).toHaveLength(without.split(".").length);
});
