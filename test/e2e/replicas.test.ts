import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
	type PostgresServer,
	startPostgres,
} from "../../src/adapters/postgres/fixtures/server.ts";
import { type CuttableProxy, openProxy } from "../fleet/proxy.ts";
import { type Books, readBooks } from "../support/books.ts";
import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";
import { type Dos, openDos, type Serving } from "./dos.ts";

/** Several `dos start --replica` on one database, as an operator and a load balancer see them. */
let server: PostgresServer;
let proxy: CuttableProxy;
let upstream: Upstream;
let address: URL;
let dos: Dos;
let replicas: readonly Serving[];
let key: string;

beforeAll(async () => {
	server = await startPostgres();
	address = new URL(server.fresh());
	proxy = await openProxy(Number(address.port));
	address.port = String(proxy.port);
	dos = openDos({
		environment: {
			DOS_STORE: address.href,
			DOS_INSTANCE: "pod",
		},
	});
	upstream = await startUpstream((_, response) =>
		sendJson(
			response,
			200,
			chatAnswer("Hello there", { prompt: 1_000, completion: 500 }),
		),
	);
	mkdirSync(dos.home, { recursive: true });
	writeFileSync(join(dos.home, "config.yaml"), mockVendor(upstream.url));
	await dos.run("init");
	await dos.json("credits", "grant", "100000");
	// Where the books of this home are.
	process.env.DOS_STORE = address.href;
	({ secret: key } = await dos.json("key", "create", "--name", "clients"));
	replicas = [await dos.serve("--replica"), await dos.serve("--replica")];
}, 60_000);

afterAll(async () => {
	delete process.env.DOS_STORE;
	await dos.close();
	await upstream.close();
	await proxy.close();
	await server.stop();
});

const call = ({ url }: Serving, model = "loopback/loopback") =>
	fetch(`${url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
		},
		body: JSON.stringify({
			model,
			messages: [{ role: "user", content: "Hello" }],
		}),
	});

const ready = async ({ url }: Serving) => {
	const answer = await fetch(`${url}/readyz`);
	return (await answer.json()) as { status: string; lag: number };
};

/** Whether another replica writes for each of these. */
const forwarding = (...all: readonly Serving[]) =>
	Promise.all(
		all.map(async ({ url }) => {
			const metrics = await (await fetch(`${url}/metrics`)).text();
			return /^dos_forwarding (\d)$/m.exec(metrics)?.[1] === "1";
		}),
	);

/** What calls came to that were made without a pause, until told to end. */
interface Load {
	readonly answered: readonly {
		readonly call: string;
		readonly cost: number;
	}[];
	/** Of those that did not come to an answer. */
	readonly failed: readonly string[];
	/** Resolves when so many more have come to an end. */
	goOn(calls: number): Promise<void>;
	end(): Promise<void>;
}

function load(on: readonly Serving[], clients = 12): Load {
	const answered: { call: string; cost: number }[] = [];
	const failed: string[] = [];
	let ending = false;
	async function client(replica: Serving): Promise<void> {
		while (!ending) {
			try {
				const response = await call(replica, "mock/m");
				const text = await response.text();
				if (response.status !== 200) failed.push(text);
				else
					answered.push({
						call: response.headers.get("x-dos-call-id") as string,
						cost: Number(response.headers.get("x-dos-credits")),
					});
			} catch (fault) {
				failed.push(String(fault));
			}
		}
	}
	const all = on.flatMap((replica) =>
		Array.from({ length: clients }, () => client(replica)),
	);
	return {
		answered,
		failed,
		goOn(calls) {
			const ended = () => answered.length + failed.length;
			const goal = ended() + calls;
			return until(async () => ended() >= goal);
		},
		async end() {
			ending = true;
			await Promise.all(all);
		},
	};
}

/** Every call was held for once and resolved once, and its client was told what it was charged. */
async function expectBalanced({ answered }: Load): Promise<void> {
	let books: Books | undefined;
	await until(async () => {
		books = await readBooks(dos.home);
		return books.holds === 0;
	});
	const { held, resolved, account, findings, lowest } = books as Books;
	expect(findings).toEqual([]);
	expect(lowest).toBeGreaterThanOrEqual(0);
	expect(account.held).toBe(0);
	expect(new Set(held).size).toBe(held.length);
	for (const id of held) expect(resolved.get(id)).toHaveLength(1);
	expect(new Set(answered.map((one) => one.call)).size).toBe(answered.length);
	for (const { call: id, cost } of answered)
		expect(resolved.get(id)).toMatchObject([
			{ type: "credits-settled", data: { amount: cost } },
		]);
	let spent = 0;
	for (const [one] of resolved.values())
		if (one?.type === "credits-settled") spent += one.data.amount;
	expect(account.spent).toBe(spent);
}

/** Asks the leases in the database. `lease` is what the table is called there. */
async function askLeases<Row extends pg.QueryResultRow>(
	sql: (lease: string) => string,
	...values: readonly unknown[]
): Promise<pg.QueryResult<Row>> {
	const client = new pg.Client(server.url);
	await client.connect();
	try {
		const lease = `${address.searchParams.get("schema")}.lease`;
		return await client.query<Row>(sql(lease), [...values]);
	} finally {
		await client.end();
	}
}

/** Ends a lease before its time, as if that had passed: the one whose name is like this. */
async function endLease(like: string): Promise<void> {
	const { rowCount } = await askLeases(
		(lease) =>
			`update ${lease} set expires = (extract(epoch from clock_timestamp()) * 1000)::bigint - 1 where name like $1`,
		like,
	);
	expect(rowCount).toBe(1);
}

async function kill({ process: { pid }, ...replica }: Serving): Promise<void> {
	process.kill(pid as number, "SIGKILL");
	await replica.ended;
	await endLease(`instance/%.${pid}.%`);
}

/** Ports that a process listens at. */
function portsOf({ process: { pid } }: Serving): number {
	const sockets = new Set(
		readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
			try {
				const to = readlinkSync(`/proc/${pid}/fd/${name}`);
				return /^socket:\[(\d+)\]$/.exec(to)?.[1] ?? [];
			} catch {
				// Closed meanwhile.
				return [];
			}
		}),
	);
	const isListening = (line: string) => {
		const [, , , state, , , , , , inode] = line.trim().split(/\s+/);
		return state === "0A" && sockets.has(inode ?? "");
	};
	return ["tcp", "tcp6"]
		.flatMap((name) =>
			readFileSync(`/proc/${pid}/net/${name}`, "utf8").split("\n"),
		)
		.filter(isListening).length;
}

const pause = (milliseconds: number) =>
	new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

async function until(work: () => Promise<boolean>): Promise<void> {
	const deadline = performance.now() + 15_000;
	while (!(await work())) {
		expect(performance.now()).toBeLessThan(deadline);
		await pause(100);
	}
}

it("needs a database, and makes no log in a file", async () => {
	const alone = openDos();
	try {
		const ended = await alone.run("start", "--replica");
		expect(ended.code).not.toBe(0);
		expect(ended.error).toContain("start/replica-needs-database");
		expect(existsSync(`${alone.home}/dos.db`)).toBe(false);
	} finally {
		await alone.close();
	}
});

it("serves on every replica, prints no key, and tells a balancer and the owner how it stands", async () => {
	for (const replica of replicas) {
		expect(replica.said()).not.toContain("dos_sk_");
		expect((await call(replica)).status).toBe(200);
		expect(await ready(replica)).toMatchObject({
			status: "ready",
			lag: expect.any(Number),
		});
		const metrics = await (await fetch(`${replica.url}/metrics`)).text();
		expect(metrics).toMatch(/^dos_log_lag_events \d+$/m);
	}
	const { checks } = await dos.json("doctor");
	expect(
		checks.find(({ check }: { check: string }) => check === "replicas"),
	).toMatchObject({
		state: "ok",
		message: expect.stringContaining("2 servers on this log"),
	});
}, 30_000);

it("has one replica write for all, and says which", async () => {
	expect(await forwarding(...replicas)).toEqual([false, true]);
	const calls = load(replicas, 4);
	await calls.goOn(30);
	await calls.end();
	expect(calls.failed).toEqual([]);
	expect(calls.answered.map(({ cost }) => cost)).toContain(200_000);
	await expectBalanced(calls);
	const { checks } = await dos.json("doctor");
	const [held] = (
		await askLeases<{ note: string }>(
			(lease) => `select note from ${lease} where name = 'duty/sequencer'`,
		)
	).rows;
	const { secret } = JSON.parse(held?.note ?? "") as { secret: string };
	expect(secret).toHaveLength(64);
	const metrics = await Promise.all(
		replicas.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
	);
	for (const said of [
		JSON.stringify(checks),
		...replicas.map((one) => one.said()),
		...metrics,
	])
		expect(said).not.toContain(secret);
	expect(
		checks.flatMap(({ check, message }: { check: string; message: string }) =>
			check === "replicas" ? message : [],
		),
	).toContainEqual(
		expect.stringMatching(/^the one at 127\.0\.0\.1, port \d+, writes for all/),
	);
}, 30_000);

it("ends a revoked key on every replica within a second", async () => {
	expect(await forwarding(...replicas)).toEqual([false, true]);
	const { secret } = await dos.json("key", "create", "--name", "lost");
	const ask = ({ url }: Serving) =>
		fetch(`${url}/v1/models`, {
			headers: { authorization: `Bearer ${secret}` },
		}).then(({ status }) => status);
	for (const replica of replicas) expect(await ask(replica)).toBe(200);
	await dos.json("key", "revoke", "lost");
	await pause(1_000);
	for (const replica of replicas) expect(await ask(replica)).toBe(401);
}, 30_000);

it("keeps to a policy on every replica within a second", async () => {
	const settings = join(dos.home, "config.yaml");
	const before = readFileSync(settings, "utf8");
	const policy = (killed: string) =>
		writeFileSync(
			settings,
			`${before}\nrouting: { table: { killed: [${killed}] } }\n`,
		);
	const statuses = () =>
		Promise.all(replicas.map(async (each) => (await call(each)).status));
	policy("{ vendor: [loopback] }");
	expect((await dos.json("route", "apply")).applied).toBe(true);
	await pause(1_000);
	expect(await statuses()).toEqual([403, 403]);
	policy("");
	await dos.json("route", "apply");
	await pause(1_000);
	expect(await statuses()).toEqual([200, 200]);
	expect(await dos.json("audit", "replay")).toMatchObject({ departures: [] });
	writeFileSync(settings, before);
}, 30_000);

it("goes on beside a replica that writes for all and stands still, and lets it write again when it wakes", async () => {
	const [sleeper, follower] = replicas as [Serving, Serving];
	const calls = load([follower]);
	await calls.goOn(30);
	sleeper.process.kill("SIGSTOP");
	await pause(2_500);
	sleeper.process.kill("SIGCONT");
	await calls.goOn(30);
	await calls.end();
	expect(calls.failed).toEqual([]);
	await expectBalanced(calls);
	await until(async () => (await forwarding(follower))[0] === true);
	expect((await call(sleeper)).status).toBe(200);
}, 30_000);

it("loses nothing, charges nothing twice and fails nobody when the replica that writes for all is killed; another writes then", async () => {
	const [killed, heir] = replicas as [Serving, Serving];
	const calls = load([heir]);
	await calls.goOn(30);
	await kill(killed);
	await calls.goOn(60);
	await calls.end();
	expect(calls.failed).toEqual([]);
	await expectBalanced(calls);
	expect(await forwarding(heir)).toEqual([false]);
	await endLease("duty/sequencer");
	const fresh = await dos.serve("--replica");
	replicas = [fresh, heir];
	// Whoever looks first has it.
	await until(
		async () => (await forwarding(fresh, heir)).filter(Boolean).length === 1,
	);
	const shared = load(replicas, 4);
	await shared.goOn(30);
	await shared.end();
	expect(shared.failed).toEqual([]);
	await expectBalanced(shared);
}, 30_000);

it("opens no port and asks nobody where the owner wants none of it", async () => {
	const settings = join(dos.home, "config.yaml");
	const before = readFileSync(settings, "utf8");
	writeFileSync(settings, `${before}\nreplica: { peer: off }\n`);
	const alone = await dos.serve("--replica");
	writeFileSync(settings, before);
	expect((await call(alone, "mock/m")).status).toBe(200);
	expect(await forwarding(alone)).toEqual([false]);
	if (existsSync("/proc/net/tcp")) {
		expect(portsOf(alone)).toBe(1);
		for (const replica of replicas) expect(portsOf(replica)).toBe(2);
	}
	await kill(alone);
}, 30_000);

it("is not ready while the database is away, lives on, and is ready again by itself", async () => {
	const [one] = replicas as [Serving];
	const again = proxy.silence();
	await until(async () => (await ready(one)).status === "not-ready");
	expect((await fetch(`${one.url}/healthz`)).status).toBe(200);
	again();
	await until(async () => (await ready(one)).status === "ready");
}, 60_000);

it("drains: says so first, takes calls for a moment still, then ends with 0; the other goes on", async () => {
	const [one, other] = replicas as [Serving, Serving];
	one.process.kill("SIGTERM");
	await until(async () => {
		const answer = await fetch(`${one.url}/readyz`);
		return (
			answer.status === 503 &&
			((await answer.json()) as { reason: string }).reason === "draining"
		);
	});
	expect((await call(one)).status).toBe(200);
	expect((await fetch(`${one.url}/healthz`)).status).toBe(200);
	expect((await one.ended).code).toBe(0);
	expect((await call(other)).status).toBe(200);
	const { checks } = await dos.json("doctor");
	expect(
		checks.find(({ check }: { check: string }) => check === "replicas").message,
	).toContain("1 server on this log");
}, 60_000);
