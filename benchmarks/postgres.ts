import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../src/adapters/postgres/fixtures/server.ts";
import { findHome } from "../src/apps/home.ts";
import { openStore } from "../src/apps/store.ts";
import type { Asked, Pairs } from "./lib/replica.ts";

/**
 * What a fleet carries: pairs of a hold and its settlement a second, each durable before the next begins,
 * of 1, 2, 4 and 8 replicas (processes) on one Postgres, for one hot account and for many, with SQLite
 * beside it; then the time of a pair at half of that load; then how fast a projection is rebuilt:
 * `node benchmarks/postgres.ts [seconds] [clients] [events to rebuild from] [replicas, such as 1,4]`. A server is started for it,
 * with everything durable; `DOS_TEST_POSTGRES` names another. Every run ends with a look at the sums.
 */
const seconds = Number(process.argv[2] ?? 4);
const clients = Number(process.argv[3] ?? 128);
const events = Number(process.argv[4] ?? 200_000);
const fleets = (process.argv[5] ?? "1,2,4,8").split(",").map(Number);
const cold = 1_000;

interface Replica {
	ask<T>(asked: Asked): Promise<T>;
	close(): Promise<void>;
}

interface Shape {
	readonly store: "sqlite" | "postgres";
	readonly replicas: number;
	readonly accounts: number;
}

// A new server fills every new file of its journal with zeros; one that has run for a while uses old ones again.
const server = await startPostgres({ wal_init_zero: "off" });
try {
	console.log(
		`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}, ${clients} clients in all`,
	);
	for (const accounts of [1, cold])
		await measure({ store: "sqlite", replicas: 1, accounts });
	for (const replicas of fleets)
		for (const accounts of [1, cold])
			await measure({ store: "postgres", replicas, accounts });
	if (events > 0) await measureRebuild();
} finally {
	await server.stop();
}

async function measure({ store, replicas, accounts }: Shape): Promise<void> {
	const address = store === "postgres" ? server.fresh() : "";
	const fleet: Replica[] = [];
	for (let index = 0; index < replicas; index++)
		fleet.push(await startReplica(address));
	const [first] = fleet as [Replica];
	try {
		await first.ask({ do: "accounts", count: accounts });
		const run = async (milliseconds: number, rate?: number) => {
			const asked: Asked = {
				do: "pairs",
				clients: Math.ceil(clients / replicas),
				accounts,
				milliseconds,
				...(rate !== undefined && { rate: rate / replicas }),
			};
			return summary(
				await Promise.all(fleet.map((one) => one.ask<Pairs>(asked))),
			);
		};
		await run(1_500);
		const full = await run(seconds * 1_000);
		const half = await run(seconds * 1_000, full.perSecond / 2);
		await first.ask({ do: "balance", accounts });
		const name = `${store}, ${replicas} replica${replicas === 1 ? "" : "s"}, ${accounts === 1 ? "one hot account" : `${accounts} accounts`}`;
		console.log(
			`  ${name.padEnd(40)} ${full.perSecond.toFixed(0).padStart(6)} pairs/s  p50 ${full.p50.toFixed(1)} p99 ${full.p99.toFixed(1)} ms  ${full.cpu.toFixed(0)} µs CPU here   at half load p50 ${half.p50.toFixed(1)} p99 ${half.p99.toFixed(1)} ms`,
		);
	} finally {
		await Promise.all(fleet.map((one) => one.close()));
	}
}

function summary(all: readonly Pairs[]) {
	const latencies = all.flatMap((one) => one.latencies).sort((a, b) => a - b);
	const at = (share: number) =>
		latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
	return {
		perSecond: all.reduce(
			(sum, one) => sum + (one.latencies.length / one.elapsed) * 1_000,
			0,
		),
		p50: at(0.5),
		p99: at(0.99),
		cpu: all.reduce((sum, one) => sum + one.cpu, 0) / latencies.length,
	};
}

async function startReplica(address: string): Promise<Replica> {
	const child: ChildProcess = fork(
		fileURLToPath(new URL("lib/replica.ts", import.meta.url)),
		[address],
		{ serialization: "advanced" },
	);
	const next = <T>() =>
		new Promise<T>((resolve, reject) => {
			child.once("message", (answer) => {
				child.off("exit", ended);
				resolve(answer as T);
			});
			const ended = (code: number | null) =>
				reject(new Error(`A replica ended with ${code}.`));
			child.once("exit", ended);
		});
	await next();
	return {
		ask: (asked) => {
			child.send(asked);
			return next();
		},
		close: () =>
			new Promise((resolve) => {
				child.once("exit", () => resolve());
				child.send({ do: "close" } satisfies Asked);
			}),
	};
}

/** Reads a log as a projection does: parsed, event by event. */
async function measureRebuild(): Promise<void> {
	const address = server.fresh();
	const filler = await startReplica(address);
	await filler.ask({ do: "accounts", count: cold });
	let pairs = 0;
	while (2 * pairs < events) {
		await filler.ask({
			do: "pairs",
			clients: 512,
			accounts: cold,
			milliseconds: 2_000,
		});
		pairs = await filler.ask<number>({ do: "balance", accounts: cold });
	}
	await filler.close();
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-"));
	const store = await openStore(findHome({ DOS_STORE: address }, folder));
	try {
		let best = 0;
		let count = 0;
		for (let round = 0; round < 3; round++) {
			const began = performance.now();
			count = 0;
			let spent = 0;
			for await (const batch of store.log.scan(0)) {
				for (const { type, data } of batch) {
					const read = JSON.parse(data) as { amount?: number };
					if (type === "credits-settled") spent += read.amount ?? 0;
				}
				count += batch.length;
			}
			if (spent === 0) throw new Error("Nothing was read.");
			best = Math.max(best, (count / (performance.now() - began)) * 1_000);
		}
		console.log(
			`  rebuild from postgres, ${count} events       ${best.toFixed(0)} events/s`,
		);
	} finally {
		await store.close();
		rmSync(folder, { recursive: true, force: true });
	}
}
