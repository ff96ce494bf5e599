import { afterAll, beforeAll, expect, it } from "vitest";
import { leaseContract } from "../../ports/lease.contract.ts";
import { openPostgres } from "../postgres/database.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../postgres/fixtures/server.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { postgresLeases } from "./postgres.ts";

let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

async function open(address = server.fresh()) {
	const database = await openPostgres(address);
	afterwards(() => database.close());
	return postgresLeases(database);
}

const pass = (milliseconds: number) =>
	new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

leaseContract("postgres", async () => ({ leases: await open(), pass }));

it("keeps leases apart among replicas that ask at once, whatever their clocks say", async () => {
	const address = server.fresh();
	const replicas = await Promise.all([1, 2, 3, 4].map(() => open(address)));
	let highest = 0;
	for (let round = 0; round < 10; round++) {
		const tokens = await Promise.all(
			replicas.map((leases, index) => leases.take("duty", `r${index}`, 30_000)),
		);
		const [token, ...more] = tokens.filter((one) => one !== undefined);
		expect(more).toEqual([]);
		expect(token).toBeGreaterThan(highest);
		highest = token as number;
		await (replicas[0] as (typeof replicas)[0]).release("duty", highest);
	}
});
