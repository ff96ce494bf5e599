import { afterAll, beforeAll, expect, it } from "vitest";
import { answerStoreContract } from "../../ports/answer-store.contract.ts";
import { openPostgres } from "../postgres/database.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../postgres/fixtures/server.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { postgresAnswerStore } from "./postgres.ts";

let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

async function open(address = server.fresh()) {
	const database = await openPostgres(address);
	afterwards(() => database.close());
	return postgresAnswerStore(database);
}

answerStoreContract("postgres", () => open());

it("gives an answer to another replica", async () => {
	const address = server.fresh();
	const [first, second] = [await open(address), await open(address)];
	await first.keep(
		"c1",
		{ status: 200, headers: { a: "b" }, body: Uint8Array.of(1, 2) },
		1_000,
	);
	expect(await second.find("c1", 0)).toEqual({
		status: 200,
		headers: { a: "b" },
		body: Uint8Array.of(1, 2),
	});
});
