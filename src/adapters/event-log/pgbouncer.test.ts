import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StoredEvent, sealEvent } from "../../kernel/event.ts";
import { eventLogContract } from "../../ports/event-log.contract.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { openPostgres } from "../postgres/database.ts";
import {
	findPgBouncer,
	type Pooler,
	startPgBouncer,
} from "../postgres/fixtures/pooler.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../postgres/fixtures/server.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { postgresEventLog } from "./postgres.ts";

// It is in no package of npm. Where a machine has none, the suite of `postgres.test.ts` that sets its limits by
// hand (`pooler=true`) is what remains.
const program = findPgBouncer();

describe.skipIf(!program)("through a real PgBouncer", () => {
	let server: PostgresServer;
	let pooler: Pooler;
	beforeAll(async () => {
		server = await startPostgres();
		pooler = await startPgBouncer(program as string, server.url);
	}, 60_000);
	afterAll(async () => {
		await pooler?.stop();
		await server?.stop();
	});

	async function open(address: string): Promise<EventLog> {
		const database = await openPostgres(address);
		expect(database.pooler).toBe(true);
		const log = postgresEventLog(database);
		return {
			...log,
			async close() {
				await log.close();
				await database.close();
			},
		};
	}

	eventLogContract("postgres through PgBouncer", () =>
		open(pooler.through(server.fresh())),
	);

	it("carries more replicas than it has connections, beside one that goes past it", async () => {
		const address = server.fresh();
		const direct = await openPostgres(address);
		const beside = postgresEventLog(direct);
		const fleet = await Promise.all(
			Array.from({ length: 8 }, () => open(pooler.through(address))),
		);
		const logs = [...fleet, beside];
		await Promise.all(
			logs.map(async (log, index) => {
				for (let count = 0; count < 20; count++)
					await append(log, `${index}/${count}`);
			}),
		);
		const stored: StoredEvent[] = [];
		for await (const batch of beside.read(0)) stored.push(...batch);
		expect(new Set(stored.map(({ key }) => key)).size).toBe(logs.length * 20);
		expect(stored.at(-1)?.position).toBe(logs.length * 20);
		// The limits of a transaction end with it: the server's next client finds none of them.
		const client = await openPostgres(pooler.through(address));
		const settings = await Promise.all(
			Array.from({ length: 20 }, () =>
				client.query({
					text: "select current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')",
				}),
			),
		);
		for (const { rows } of settings) expect(rows).toEqual([["0", "0"]]);
		await client.close();
		for (const log of fleet) await log.close();
		await direct.close();
	}, 30_000);
});

function append(log: EventLog, key: string): Promise<void> {
	return log.write(async (head) => {
		const stream = `stream/${key.split("/")[0]}`;
		const version = (await head.versions([stream])).get(stream) ?? 0;
		await head.append([
			sealEvent(
				{
					position: head.tip.position + 1,
					previous: head.tip.hash,
					time: head.tip.time + 1,
					stream,
					version: version + 1,
					type: "thing-happened",
					actor: "operator",
					key,
					data: "{}",
				},
				nodeDigest.text,
			),
		]);
	});
}
