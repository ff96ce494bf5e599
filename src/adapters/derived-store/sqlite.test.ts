import { derivedStoreContract } from "../../ports/derived-store.contract.ts";
import { openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteDerivedStore } from "./sqlite.ts";

derivedStoreContract("sqlite", () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	return sqliteDerivedStore(database);
});
