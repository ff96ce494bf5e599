import { answerStoreContract } from "../../ports/answer-store.contract.ts";
import { openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteAnswerStore } from "./sqlite.ts";

answerStoreContract("sqlite", () => {
	const database = openDatabase(temporaryPath());
	afterwards(() => database.close());
	return sqliteAnswerStore(database);
});
