import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
	type PostgresServer,
	startPostgres,
} from "../../src/adapters/postgres/fixtures/server.ts";
import { type CuttableProxy, openProxy } from "../fleet/proxy.ts";
import { type Dos, openDos, type Serving } from "./dos.ts";

/** Several `dos start --replica` on one database, as an operator and a load balancer see them. */
let server: PostgresServer;
let proxy: CuttableProxy;
let dos: Dos;
let replicas: readonly Serving[];
let key: string;

beforeAll(async () => {
	server = await startPostgres();
	const address = new URL(server.fresh());
	proxy = await openProxy(Number(address.port));
	address.port = String(proxy.port);
	dos = openDos({
		environment: {
			DOS_STORE: address.href,
			DOS_INSTANCE: "pod",
		},
	});
	await dos.run("init");
	({ secret: key } = await dos.json("key", "create", "--name", "clients"));
	replicas = [await dos.serve("--replica"), await dos.serve("--replica")];
}, 60_000);

afterAll(async () => {
	await dos.close();
	await proxy.close();
	await server.stop();
});

const call = ({ url }: Serving) =>
	fetch(`${url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
		},
		body: JSON.stringify({
			model: "loopback/loopback",
			messages: [{ role: "user", content: "Hello" }],
		}),
	});

const ready = async ({ url }: Serving) => {
	const answer = await fetch(`${url}/readyz`);
	return (await answer.json()) as { status: string; lag: number };
};

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

it("ends a revoked key on every replica within a second", async () => {
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
