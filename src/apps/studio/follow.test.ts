import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startPostgres } from "../../adapters/postgres/fixtures/server.ts";
import { findHome } from "../home.ts";
import { openLedger } from "../ledger.ts";
import { followOthers } from "./follow.ts";

it("sees within a second that another replica revoked a key, woken or not, and outlives cut connections", async () => {
	const server = await startPostgres();
	const folder = mkdtempSync(join(tmpdir(), "dos-"));
	const address = server.fresh();
	const open = (store: string) =>
		openLedger(findHome({ DOS_STORE: store }, folder), { create: true });
	const [one, woken, polling] = [
		await open(address),
		await open(address),
		await open(`${address}&pooler=true`),
	];
	const said: string[] = [];
	const ends = [woken, polling].map((ledger) =>
		followOthers(ledger, (line) => said.push(line)),
	);
	try {
		const execute = async (command: never) => {
			const run = () =>
				one.head.execute("credits", command, { actor: "operator" });
			// Its own connection was cut as well, which it may not have noticed yet.
			const outcome = await run().catch((fault: { retryable?: boolean }) => {
				if (!fault.retryable) throw fault;
				return run();
			});
			expect(outcome.ok).toBe(true);
		};
		await execute({
			type: "open-account",
			account: "main",
			name: "main",
		} as never);
		for (const key of ["a", "b"]) {
			await execute({
				type: "create-key",
				account: "main",
				key,
				name: key,
				hash: one.digest.text(key),
				hint: "hint",
				scopes: { can: ["call"] },
			} as never);
			await execute({ type: "revoke-key", key, reason: "lost" } as never);
			await new Promise((resolve) => setTimeout(resolve, 1_000));
			for (const { head } of [woken, polling])
				expect(head.state("credits").keys.get(key)?.revoked).toBeTypeOf(
					"number",
				);
			if (key === "a") await one.store.log.tip().then(() => cutAll(address));
		}
		expect(said).toEqual([]);
	} finally {
		for (const { end } of ends) end();
		for (const ledger of [one, woken, polling]) await ledger.close();
		await server.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}, 60_000);

async function cutAll(address: string): Promise<void> {
	const { default: pg } = await import("pg");
	const url = new URL(address);
	url.search = "";
	const client = new pg.Client(url.href);
	await client.connect();
	await client.query(
		"select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'duranteos'",
	);
	await client.end();
}
