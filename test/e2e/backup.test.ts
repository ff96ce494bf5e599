import { spawn } from "node:child_process";
import {
	appendFileSync,
	copyFileSync,
	existsSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
	type PostgresServer,
	startPostgres,
} from "../../src/adapters/postgres/fixtures/server.ts";
import { type Dos, openDos } from "./dos.ts";

const program = fileURLToPath(new URL("../../bin/dos.mjs", import.meta.url));
let dos: Dos;
let beside: (name: string) => string;
beforeEach(() => {
	dos = openDos();
	beside = (name) => join(dos.home, "..", name);
});
afterEach(() => dos.close());

const grant = (amount: number) => dos.json("credits", "grant", String(amount));
const partsOf = (folder: string) => readdirSync(folder).sort();
const name = (first: number, last: number) =>
	[first, last].map((at) => String(at).padStart(12, "0")).join("-");
async function rootOf(...where: string[]): Promise<string> {
	const { ok, root } = await dos.json("audit", "verify", ...where);
	expect(ok).toBe(true);
	return root;
}

describe("a backup", () => {
	it("of a server at work is whole, grows by what is new, and is restored to the same root", async () => {
		const { key } = await dos.json("init");
		const server = await dos.serve();
		let calling = true;
		let calls = 0;
		const load = Promise.all(
			[1, 2, 3].map(async () => {
				while (calling) {
					const answer = await fetch(`${server.url}/v1/chat/completions`, {
						method: "POST",
						headers: {
							authorization: `Bearer ${key.secret}`,
							"content-type": "application/json",
						},
						body: '{"model":"loopback/loopback","messages":[{"role":"user","content":"hi"}]}',
					});
					await answer.text();
					expect(answer.status).toBe(200);
					calls++;
				}
			}),
		);
		const first = await dos.json("backup", beside("safe"));
		const second = await dos.json("backup", beside("safe"));
		calling = false;
		await load;
		expect(second.events).toBeGreaterThan(first.events);
		expect(second.added).toBe(second.events - first.events);
		const last = await dos.json("backup", beside("safe"));
		const idle = await dos.json("backup", beside("safe"));
		expect(idle).toMatchObject({ added: 0, file: null, events: last.events });
		expect(last.events).toBeGreaterThanOrEqual(2 * calls);
		expect(partsOf(beside("safe"))).toHaveLength(6);
		expect(await dos.json("restore", beside("safe"), "--check")).toMatchObject({
			checked: true,
			events: last.events,
		});
		const restored = await dos.json(
			"restore",
			beside("safe"),
			"--home",
			beside("other"),
		);
		expect(restored.root).toBe(await rootOf());
		expect(await rootOf("--home", beside("other"))).toBe(restored.root);
		const balance = await dos.json("credits", "balance");
		expect(
			await dos.json("credits", "balance", "--home", beside("other")),
		).toEqual(balance);
		// The checkpoint beside a part is what audit verify takes; the key is another home's, so it is named.
		const verified = await dos.json(
			"audit",
			"verify",
			"--home",
			beside("other"),
			"--checkpoint",
			join(beside("safe"), `${name(1, first.events)}.checkpoint`),
			"--trust",
			restored.signedBy,
		);
		expect(verified).toMatchObject({ ok: true, checkpoints: 1 });
	}, 60_000);

	it("can be taken back to a position and to a moment", async () => {
		await dos.json("init", "--grant", "100");
		await dos.json("backup", beside("safe"));
		await grant(7);
		const { events } = await dos.json("backup", beside("safe"));
		const before = await dos.json(
			"restore",
			beside("safe"),
			"--home",
			beside("before"),
			"--to-position",
			String(events - 1),
		);
		expect(before.events).toBe(events - 1);
		const balance = await dos.json(
			"credits",
			"balance",
			"--home",
			beside("before"),
		);
		expect(balance.available).toBe(100_000_000);
		const year = await dos.json(
			"restore",
			beside("safe"),
			"--home",
			beside("year"),
			"--to-time",
			"2020-01-01",
		);
		expect(year.events).toBe(0);
		const both = await dos.run(
			"restore",
			beside("safe"),
			"--to-position",
			"1",
			"--to-time",
			"1h",
		);
		expect(both.code).toBe(2);
		const far = await dos.run(
			"restore",
			beside("safe"),
			"--home",
			beside("far"),
			"--to-position",
			"999",
		);
		expect(far).toMatchObject({ code: 3 });
		expect(far.error).toContain("import/not-that-far");
	}, 60_000);

	it("is refused over another log, a log that went back, and damage, and what lies there stays", async () => {
		await dos.json("init");
		await dos.json("backup", beside("safe"));
		await grant(1);
		await dos.json("backup", beside("safe"));
		const other = ["--home", beside("other")] as const;
		await dos.json("init", ...other);
		const lying = partsOf(beside("safe"));
		const refused = async (code: string, ...where: string[]) => {
			const { error } = await dos.run("backup", beside("safe"), ...where);
			expect(error).toContain(`(${code})`);
			expect(partsOf(beside("safe"))).toEqual(lying);
		};
		await refused("backup/other-log", ...other);
		const back = ["--home", beside("back")] as const;
		await dos.json("restore", beside("safe"), "--to-position", "3", ...back);
		await refused("backup/other-log", ...back);
		const [part] = lying.filter((file) => file.endsWith("4.jsonl"));
		const file = join(beside("safe"), part as string);
		const whole = readFileSync(file);
		truncateSync(file, whole.length - 20);
		await refused("backup/damaged");
		writeFileSync(file, whole);
		appendFileSync(file, "\n{}\n");
		await refused("backup/damaged");
		const { error } = await dos.run("restore", beside("safe"), "--check");
		expect(error).toContain("import/more-than-one-export");
		rmSync(join(beside("safe"), `${name(1, 3)}.jsonl`));
		const gap = await dos.run("restore", beside("safe"), "--check");
		expect(gap.error).toContain("backup/part-missing");
		const none = await dos.run("restore", beside("nothing"), "--check");
		expect(none.error).toContain("backup/missing");
	}, 60_000);

	it("goes by the longest of parts that two made at once", async () => {
		await dos.json("init");
		await dos.json("backup", beside("safe"));
		copyFileSync(
			join(beside("safe"), `${name(1, 3)}.jsonl`),
			join(dos.home, "first"),
		);
		await grant(1);
		rmSync(beside("safe"), { recursive: true });
		await dos.json("backup", beside("safe"));
		copyFileSync(
			join(dos.home, "first"),
			join(beside("safe"), `${name(1, 3)}.jsonl`),
		);
		expect(await dos.json("restore", beside("safe"), "--check")).toMatchObject({
			events: 4,
		});
	}, 60_000);

	it("is not restored into a home that has a log, nor when signed by a stranger", async () => {
		await dos.json("init");
		const { key } = await dos.json("audit", "checkpoint");
		await dos.json("backup", beside("safe"));
		const again = await dos.run("restore", beside("safe"));
		expect(again.error).toContain("(import/not-empty)");
		const stranger = await dos
			.json("init", "--home", beside("other"))
			.then(() => dos.json("audit", "checkpoint", "--home", beside("other")));
		const refused = await dos.run(
			"restore",
			beside("safe"),
			"--check",
			"--trust",
			stranger.key,
		);
		expect(refused.error).toContain("(import/bad-checkpoint)");
		expect(
			await dos.json("restore", beside("safe"), "--check", "--trust", key),
		).toMatchObject({ signedBy: key });
	}, 60_000);
});

describe("a migration", () => {
	it("between files has the same root; what is there, is new, or is another's is told apart", async () => {
		await dos.json("init");
		await dos.json("audit", "checkpoint");
		const to = `sqlite:${beside("there")}/`;
		expect(await dos.json("migrate", "--to", to)).toMatchObject({
			ok: true,
			copied: 3,
			checkpoints: 1,
		});
		await grant(1);
		expect(await dos.json("migrate", "--to", to)).toMatchObject({
			copied: 1,
			events: 4,
			root: await rootOf(),
		});
		const same = await dos.run("migrate", "--to", `sqlite:${dos.home}/dos.db`);
		expect(same.error).toContain("(migrate/same-place)");
		await dos.json("init", "--home", beside("other"));
		const other = await dos.run("migrate", "--to", `sqlite:${beside("other")}`);
		expect(other.error).toContain("(copy/other-log)");
		for (const wrong of ["mysql://x", "env:DOS_NOWHERE"])
			expect((await dos.run("migrate", "--to", wrong)).code).toBe(2);
		expect(existsSync(join(dos.home, "dos.db"))).toBe(true);
	}, 60_000);

	it("says that the source is still written to, and takes the rest when it is not", async () => {
		const { key } = await dos.json("init");
		const server = await dos.serve();
		let calling = true;
		const load = (async () => {
			while (calling)
				await fetch(`${server.url}/v1/chat/completions`, {
					method: "POST",
					headers: {
						authorization: `Bearer ${key.secret}`,
						"content-type": "application/json",
					},
					body: '{"model":"loopback/loopback","messages":[{"role":"user","content":"hi"}]}',
				}).then((answer) => answer.text());
		})();
		const to = ["--to", `sqlite:${beside("there.db")}`] as const;
		const busy = await dos.run("migrate", ...to);
		calling = false;
		await load;
		expect(busy.error).toContain("(migrate/source-in-use)");
		expect(busy.code).toBe(1);
		server.process.kill("SIGTERM");
		await server.ended;
		const { root } = await dos.json("migrate", ...to);
		expect(root).toBe(await rootOf());
	}, 60_000);

	let server: PostgresServer | undefined;
	afterAll(() => server?.stop());

	it("to Postgres and back has the same root on every side, also after kill -9", async () => {
		server = await startPostgres();
		await dos.json("init", "--grant", "1000");
		await fillHome(dos.home, 12_000);
		const root = await rootOf();
		const address = server.fresh();
		const environment = { DOS_TARGET: address };
		const child = spawn(
			process.execPath,
			[program, "migrate", "--to", "env:DOS_TARGET"],
			{
				env: {
					PATH: process.env.PATH ?? "",
					DOS_HOME: dos.home,
					...environment,
				},
				stdio: "ignore",
			},
		);
		const ended = new Promise((resolve) => child.on("close", resolve));
		const there = await eventsIn(address, child);
		child.kill("SIGKILL");
		await ended;
		expect(there).toBeGreaterThan(0);
		const { out } = await dos.with({ environment })(
			"migrate",
			"--to",
			"env:DOS_TARGET",
			"--json",
		);
		const done = JSON.parse(out);
		expect(done).toMatchObject({ ok: true, events: 12_003, root });
		expect(done.copied).toBeLessThan(12_003);
		expect(out).not.toContain("postgres@");
		const back = await dos.with({ environment: { DOS_STORE: address } })(
			"migrate",
			"--to",
			`sqlite:${beside("back")}/`,
			"--json",
		);
		expect(JSON.parse(back.out)).toMatchObject({
			ok: true,
			copied: 12_003,
			root,
		});
		expect(await rootOf("--home", beside("back"))).toBe(root);
		// And a backup of the one restored into the other.
		const onPostgres = dos.with({ environment: { DOS_STORE: address } });
		await onPostgres("backup", beside("safe"));
		const restored = await dos.with({
			environment: { DOS_STORE: server.fresh() },
		})("restore", beside("safe"), "--json");
		expect(JSON.parse(restored.out)).toMatchObject({ events: 12_003, root });
	}, 120_000);
});

/** More events in a home's log than fit into one batch. */
async function fillHome(home: string, count: number): Promise<void> {
	const { openLedger } = await import("../../src/apps/ledger.ts");
	const { findHome } = await import("../../src/apps/home.ts");
	const ledger = await openLedger(findHome({}, home));
	const made = Array.from({ length: count }, () =>
		ledger.head.execute(
			"credits",
			{ type: "grant", account: "main", amount: 1 },
			{ actor: "operator" },
		),
	);
	for (const outcome of await Promise.all(made)) expect(outcome.ok).toBe(true);
	await ledger.close();
}

/** Waits until some events are in a database, while the child that puts them there runs. */
async function eventsIn(
	address: string,
	child: { readonly exitCode: number | null },
): Promise<number> {
	const { openServerStore } = await import("../../src/apps/store.ts");
	const store = await openServerStore(address);
	try {
		for (;;) {
			const { position } = await store.log.tip();
			if (position > 0 || child.exitCode !== null) return position;
			await new Promise((resolve) => setTimeout(resolve, 2));
		}
	} finally {
		await store.log.close();
		await store.close();
	}
}
