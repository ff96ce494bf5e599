import { expect, it } from "vitest";
import { answerStoreContract } from "../../ports/answer-store.contract.ts";
import { openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteAnswerStore } from "./sqlite.ts";

answerStoreContract("sqlite", () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	return sqliteAnswerStore(database);
});

it("survives closing and opening again, and says store/closed in between", async () => {
	const path = temporaryPath();
	const database = openDatabase(path);
	const store = sqliteAnswerStore(database);
	const answer = {
		status: 200,
		headers: { a: "b" },
		body: Uint8Array.of(1, 2),
	};
	await store.keep("c1", answer, 1_000);
	await database.close();
	await expect(store.find("c1", 0)).rejects.toMatchObject({
		code: "store/closed",
	});
	await expect(store.keep("c1", answer, 0)).rejects.toMatchObject({
		code: "store/closed",
	});
	const again = openDatabase(path);
	afterwards(() => again.close());
	expect(await sqliteAnswerStore(again).find("c1", 0)).toMatchObject({
		status: 200,
		headers: { a: "b" },
	});
});
