import { expect, it } from "vitest";
import { derivedStoreContract } from "../../ports/derived-store.contract.ts";
import { sqliteEventLog } from "../event-log/sqlite.ts";
import { openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteDerivedStore } from "./sqlite.ts";

derivedStoreContract("sqlite", () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	return sqliteDerivedStore(database);
});

const saved = { format: 1, position: 1, hash: "", body: "{}" };

it("survives closing and opening again, and is nobody's business after", async () => {
	const path = temporaryPath();
	const database = openDatabase(path);
	const store = sqliteDerivedStore(database);
	await store.save("head", saved);
	await database.close();
	await expect(store.load("head")).rejects.toMatchObject({
		code: "store/closed",
	});
	await expect(store.save("head", saved)).rejects.toMatchObject({
		code: "store/closed",
	});
	const again = openDatabase(path);
	afterwards(() => again.close());
	expect(await sqliteDerivedStore(again).load("head")).toEqual(saved);
});

it("says store/full, keeps what it had, and leaves the log untouched", async () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	const store = sqliteDerivedStore(database);
	const log = sqliteEventLog(database);
	await store.save("head", saved);
	database.relaxed.exec("pragma max_page_count = 20");
	const body = JSON.stringify("x".repeat(1_000_000));
	await expect(store.save("head", { ...saved, body })).rejects.toMatchObject({
		code: "store/full",
	});
	expect(await store.load("head")).toEqual(saved);
	expect(await log.write((head) => head.tip)).toMatchObject({ position: 0 });
});

it("takes a save that cannot be read for none", async () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	const store = sqliteDerivedStore(database);
	await store.save("head", saved);
	database.durable.exec("update derived set position = 9007199254740993");
	expect(await store.load("head")).toBeUndefined();
});
