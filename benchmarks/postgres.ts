import { type ChildProcess, fork } from "node:child_process";
import {
	closeSync,
	fdatasyncSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPostgres } from "../src/adapters/postgres/database.ts";
import { startPostgres } from "../src/adapters/postgres/fixtures/server.ts";
import { findHome } from "../src/apps/home.ts";
import { openLedger } from "../src/apps/ledger.ts";
import { openStore } from "../src/apps/store.ts";
import { ledgerDeciders } from "../src/contexts/gateway/index.ts";
import { copyLog, openHead, openProjector } from "../src/contexts/log/index.ts";
import type { Projection } from "../src/kernel/projection.ts";
import { assertBalanced, openAccounts } from "./lib/accounts.ts";
import { pair } from "./lib/pair.ts";
import type { Asked, Pairs } from "./lib/replica.ts";

/**
 * What a fleet carries: pairs of a hold and its settlement a second, each durable before the next begins,
 * of 1, 2, 4 and 8 replicas (processes) on one Postgres, for one hot account and for many, with SQLite
 * beside it; then the time of a pair at half of that load, and the CPU of a pair, of all replicas and of all
 * processes of the server: what two cores can carry at most is in it. Replicas follow the log and choose who writes for
 * all as those of `dos start` do; beside that, on one hot account, each writes for itself. Then the same log on both engines: how
 * quickly all states are folded anew, and a subscriber that lags is at the end.
 *
 * `node benchmarks/postgres.ts [seconds] [clients] [events to read] [replicas, such as 1,4]`. A server is started
 * for it, with everything durable; `DOS_TEST_POSTGRES` names another. Every run ends with a look at the sums.
 */
const seconds = Number(process.argv[2] ?? 4);
const clients = Number(process.argv[3] ?? 256);
const events = Number(process.argv[4] ?? 1_000_000);
const fleets = (process.argv[5] ?? "1,2,4,8").split(",").map(Number);
const cold = 1_000;
/** Milliseconds of load before anything is measured: a replica's code is compiled while it runs, and takes up to twice the CPU until then. */
const warmUp = 8_000;

/** What each day cost: reads one type of event in full. */
const spentByDay: Projection<Map<number, number>> = {
	name: "spent-by-day",
	format: 1,
	types: ["credits-settled"],
	initial: () => new Map(),
	apply(state, { time, data }) {
		const day = Math.floor(time / 86_400_000);
		state.set(day, (state.get(day) ?? 0) + (data.amount as number));
		return state;
	},
	save: (state) => [...state],
	load: (saved) => new Map(saved as [number, number][]),
};

interface Replica {
	ask<T>(asked: Asked): Promise<T>;
	close(): Promise<void>;
}

interface Shape {
	readonly store: "sqlite" | "postgres";
	readonly replicas: number;
	readonly accounts: number;
	/** Each replica writes for itself, as where they do not reach each other. */
	readonly apart?: boolean;
}

// A new server fills every new file of its journal with zeros; one that has run for a while uses old ones again.
const server = await startPostgres({ wal_init_zero: "off" });
try {
	console.log(
		`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}, ${clients} clients in all`,
	);
	measureDisk();
	await measureServer();
	for (const accounts of [1, cold])
		await measure({ store: "sqlite", replicas: 1, accounts });
	for (const replicas of fleets)
		for (const accounts of [1, cold])
			await measure({ store: "postgres", replicas, accounts });
	for (const replicas of fleets.filter((count) => count > 1))
		await measure({ store: "postgres", replicas, accounts: 1, apart: true });
	if (events > 0) await measureReading();
} finally {
	await server.stop();
}

/** The floor of every figure below: what a flush of a batch takes by itself. A pair waits for two, and for those before them. */
function measureDisk(): void {
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-"));
	const file = openSync(join(folder, "flushed"), "w");
	try {
		const batch = Buffer.alloc(16 * 1024, 7);
		const slots = 1_000;
		for (let slot = 0; slot < slots; slot++) writeSync(file, batch);
		fdatasyncSync(file);
		const took = Array.from({ length: slots }, (_, slot) => {
			const begun = performance.now();
			writeSync(file, batch, 0, batch.length, slot * batch.length);
			fdatasyncSync(file);
			return performance.now() - begun;
		}).sort((one, other) => one - other);
		const at = (share: number) => (took[share * slots] as number).toFixed(1);
		console.log(
			`  ${"the disk alone, a flush of 16 KB".padEnd(40)} p50 ${at(0.5)} p99 ${at(0.99)} ms, at most ${at(0.999)}`,
		);
	} finally {
		closeSync(file);
		rmSync(folder, { recursive: true, force: true });
	}
}

/** And a transaction of one row, alone on its server, asked for in one piece. A pair is two of them at least, each in two pieces. */
async function measureServer(): Promise<void> {
	const database = await openPostgres(server.fresh());
	try {
		const text = `insert into ${database.schema}.derived values ('floor', 1, 1, '', '') on conflict (name) do update set position = derived.position + 1`;
		const took: number[] = [];
		for (let turn = 0; turn < 1_000; turn++) {
			const begun = performance.now();
			await database.query({ name: "floor", text });
			took.push(performance.now() - begun);
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		took.sort((one, other) => one - other);
		const at = (share: number) => (took[share * 1_000] as number).toFixed(1);
		console.log(
			`  ${"the server alone, a transaction".padEnd(40)} p50 ${at(0.5)} p99 ${at(0.99)} ms, at most ${at(0.999)}`,
		);
	} finally {
		await database.close();
	}
}

async function measure(shape: Shape): Promise<void> {
	const { store, replicas, accounts, apart = false } = shape;
	const address = store === "postgres" ? server.fresh() : "";
	const fleet: Replica[] = [];
	for (let index = 0; index < replicas; index++)
		fleet.push(await startReplica(address, apart));
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
		await run(warmUp);
		const before = serverCpu();
		const full = await run(seconds * 1_000);
		const inServer =
			before === undefined
				? undefined
				: ((serverCpu() ?? before) - before) / full.pairs;
		const half = await run(seconds * 1_000, full.perSecond / 2);
		await first.ask({ do: "balance", accounts });
		const name = `${store}, ${replicas} replica${replicas === 1 ? "" : "s"}, ${apart ? "each for itself" : accounts === 1 ? "one hot account" : `${accounts} accounts`}`;
		console.log(
			`  ${name.padEnd(40)} ${full.perSecond.toFixed(0).padStart(6)} pairs/s  p50 ${full.p50.toFixed(1)} p99 ${full.p99.toFixed(1)} ms  CPU ${full.cpu.toFixed(0)}${store === "postgres" && inServer !== undefined ? ` + ${inServer.toFixed(0)}` : ""} µs   at half load p50 ${half.p50.toFixed(1)} p99 ${half.p99.toFixed(1)} ms`,
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
		pairs: latencies.length,
		perSecond: all.reduce(
			(sum, one) => sum + (one.latencies.length / one.elapsed) * 1_000,
			0,
		),
		p50: at(0.5),
		p99: at(0.99),
		cpu: all.reduce((sum, one) => sum + one.cpu, 0) / latencies.length,
	};
}

/** Microseconds of CPU of the server's processes so far, where the system tells. */
function serverCpu(): number | undefined {
	const { pid } = server;
	if (process.platform !== "linux" || pid === undefined) return undefined;
	let ticks = 0;
	for (const entry of readdirSync("/proc").filter((name) =>
		/^\d+$/.test(name),
	)) {
		let stat: string;
		try {
			stat = readFileSync(`/proc/${entry}/stat`, "utf8");
		} catch {
			continue;
		}
		// What follows the name, which may hold anything: state, parent, …, user and system time.
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		if (Number(entry) === pid || Number(fields[1]) === pid)
			ticks += Number(fields[11]) + Number(fields[12]);
	}
	return ticks * 10_000;
}

async function startReplica(address: string, apart: boolean): Promise<Replica> {
	const child: ChildProcess = fork(
		fileURLToPath(new URL("lib/replica.ts", import.meta.url)),
		[address, ...(apart ? ["apart"] : [])],
		// The young generation of `dos start`.
		{
			serialization: "advanced",
			...(process.versions.bun === undefined && {
				execArgv: ["--max-semi-space-size=8"],
			}),
		},
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

/** The same log on both engines: how quickly states are folded anew from it, and a subscriber that lags is at its end. */
async function measureReading(): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-"));
	const [file, database] = await Promise.all([
		openLedger(findHome({}, folder), { create: true }),
		openStore(findHome({ DOS_STORE: server.fresh() }, folder)),
	]);
	try {
		const accounts = 100;
		await openAccounts(file, accounts);
		let next = 0;
		await Promise.all(
			Array.from({ length: 1_000 }, async () => {
				while (file.head.position() < events)
					await pair(file, next++ % accounts);
			}),
		);
		await assertBalanced(file, accounts);
		const began = begin();
		const { size } = await copyLog({
			from: file.log,
			to: database.log,
			digest: file.digest,
		});
		say("sqlite to postgres, copied and verified", size, began);
		for (const [name, log] of [
			["sqlite", file.log],
			["postgres", database.log],
		] as const) {
			for (let round = 0; round < 2; round++) {
				let begins = begin();
				const head = await openHead({
					log,
					deciders: ledgerDeciders,
					clock: file.clock,
					digest: file.digest,
				});
				say(`${name}, all states folded anew`, head.position(), begins);
				await assertBalanced({ head }, accounts);
				begins = begin();
				const subscriber = await openProjector({ log, projection: spentByDay });
				await subscriber.catchUp();
				say(`${name}, a subscriber catches up`, subscriber.position(), begins);
				const spent = [...subscriber.state().values()];
				if (spent.reduce((sum, day) => sum + day, 0) !== next * 41_700)
					throw new Error(`The subscriber does not know of ${next} pairs.`);
			}
		}
	} finally {
		await file.close();
		await database.close();
		rmSync(folder, { recursive: true, force: true });
	}
}

interface Begun {
	readonly time: number;
	readonly cpu: NodeJS.CpuUsage;
}

function begin(): Begun {
	return { time: performance.now(), cpu: process.cpuUsage() };
}

/** CPU is of this process, all its threads: it says what a busy machine hides. */
function say(what: string, count: number, began: Begun): void {
	const elapsed = (performance.now() - began.time) / 1_000;
	const { user, system } = process.cpuUsage(began.cpu);
	console.log(
		`  ${what.padEnd(40)} ${count} events in ${elapsed.toFixed(1).padStart(5)} s  ${(count / elapsed).toFixed(0).padStart(7)} events/s  CPU ${((user + system) / count).toFixed(1)} µs`,
	);
}
