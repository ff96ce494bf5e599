import { afterAll, beforeAll, expect, it } from "vitest";
import { derivedStoreContract } from "../../ports/derived-store.contract.ts";
import { openPostgres } from "../postgres/database.ts";
import {
	type PostgresServer,
	startPostgres,
} from "../postgres/fixtures/server.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { postgresDerivedStore } from "./postgres.ts";

let server: PostgresServer;
beforeAll(async () => {
	server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

async function open(address = server.fresh()) {
	const database = await openPostgres(address);
	afterwards(() => database.close());
	return postgresDerivedStore(database);
}

derivedStoreContract("postgres", () => open());

it("is seen by another replica, and is nobody's business once closed", async () => {
	const saved = { format: 1, position: 1, hash: "", body: "{}" };
	const address = server.fresh();
	const database = await openPostgres(address);
	const store = postgresDerivedStore(database);
	await store.save("head", saved);
	await database.close();
	await expect(store.load("head")).rejects.toMatchObject({
		code: "store/closed",
	});
	expect(await (await open(address)).load("head")).toEqual(saved);
});
