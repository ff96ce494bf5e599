import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testCertificate } from "../../ports/http-tls.fixture.ts";
import { postgresEventLog } from "../event-log/postgres.ts";
import { afterwards } from "../sqlite/fixtures/temporary.ts";
import { openPostgres, type PostgresDatabase } from "./database.ts";
import { type PostgresServer, startPostgres } from "./fixtures/server.ts";

// A server that is given may have TLS or not: here it must be known.
describe.skipIf(process.env.DOS_TEST_POSTGRES)("over TLS", () => {
	let server: PostgresServer;
	let folder: string;
	let authority: string;
	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), "dos-tls-"));
		authority = join(folder, "authority.pem");
		writeFileSync(authority, testCertificate);
		server = await startPostgres({ ssl: "on" });
	}, 60_000);
	afterAll(async () => {
		await server?.stop();
		rmSync(folder, { recursive: true, force: true });
	});

	/** The certificate names `localhost` and 127.0.0.1; 127.1 is the same machine under a name that it lacks. */
	function address(parameters: Record<string, string>, host = "127.0.0.1") {
		const url = new URL(server.fresh());
		url.hostname = host;
		for (const [name, value] of Object.entries(parameters))
			url.searchParams.set(name, value);
		return url.href;
	}

	async function open(at: string): Promise<PostgresDatabase> {
		const database = await openPostgres(at);
		afterwards(() => database.close());
		return database;
	}

	/** Of every connection of ours to this schema: for reading, writing and listening. */
	async function encrypted(database: PostgresDatabase): Promise<unknown> {
		const log = postgresEventLog(database);
		const woken = Promise.withResolvers<void>();
		const stop = database.listen(woken.resolve);
		await woken.promise;
		await log.write((head) => head.tip);
		const { rows } = await database.query({
			text: "select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'duranteos'",
		});
		stop();
		return rows;
	}

	it("reads, writes and listens, the server's certificate verified to its name", async () => {
		const database = await open(
			address({ sslmode: "verify-full", sslrootcert: authority }),
		);
		expect(await encrypted(database)).toEqual([["t"]]);
	});

	it.each([
		["verify-ca", true],
		["require", false],
	])("takes another name with %s", async (sslmode, named) => {
		const database = await open(
			address({ sslmode, ...(named && { sslrootcert: authority }) }, "127.1"),
		);
		expect(await encrypted(database)).toEqual([["t"]]);
	});

	it.each([
		["an unknown authority", {}, "127.0.0.1"],
		["another name", { authority: true }, "127.1"],
	])("refuses %s, and says what to do", async (_, given, host) => {
		const refused = openPostgres(
			address(
				{
					sslmode: "verify-full",
					...("authority" in given && { sslrootcert: authority }),
				},
				host,
			),
		);
		await expect(refused).rejects.toMatchObject({
			code: "store/unavailable",
			message: expect.stringContaining("sslrootcert"),
		});
	});

	it("sends nothing in the clear to a server that has no TLS", async () => {
		const plain = await startPostgres();
		afterwards(() => plain.stop());
		await expect(
			openPostgres(`${plain.fresh()}&sslmode=require`),
		).rejects.toMatchObject({
			code: "store/unavailable",
			message: expect.stringContaining("SSL"),
		});
	}, 60_000);
});
