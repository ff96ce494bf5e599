import { expect, it } from "vitest";
import { leaseContract } from "../../ports/lease.contract.ts";
import { manualClock } from "../runtime/manual-clock.ts";
import { openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteLeases } from "./sqlite.ts";

function open(path = temporaryPath()) {
	const clock = manualClock();
	const database = openDatabase(path);
	afterwards(() => database.close());
	return {
		leases: sqliteLeases(database, clock),
		pass: (milliseconds: number) => clock.advance(milliseconds),
	};
}

leaseContract("sqlite", async () => open());

it("keeps leases apart among two processes on one file", async () => {
	const path = temporaryPath();
	const [one, other] = [open(path).leases, open(path).leases];
	const token = await one.take("duty", "one", 1_000);
	expect(await other.take("duty", "other", 1_000)).toBeUndefined();
	await one.release("duty", token as number);
	expect(await other.take("duty", "other", 1_000)).toBeGreaterThan(
		token as number,
	);
});
