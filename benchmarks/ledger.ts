import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { findHome } from "../src/apps/home.ts";
import { type Ledger, openLedger } from "../src/apps/ledger.ts";
import { assertBalanced, openAccounts } from "./lib/accounts.ts";
import { pair } from "./lib/pair.ts";

/**
 * What the ledger carries: pairs of a hold and its settlement a second, each durable before the next
 * begins, through the head over SQLite: `node benchmarks/ledger.ts [seconds] [rounds]`. Clients wait
 * for their own commits as calls do. One hot account and many accounts take turns, each in a fresh
 * home; of each the round with the most pairs is shown. Every run ends with a look at the sums.
 */
const seconds = Number(process.argv[2] ?? 3);
const rounds = Number(process.argv[3] ?? 3);

interface Scenario {
	readonly clients: number;
	readonly accounts: number;
}

const scenarios: readonly Scenario[] = [
	{ clients: 1, accounts: 1 },
	{ clients: 32, accounts: 1 },
	{ clients: 32, accounts: 1_000 },
	{ clients: 256, accounts: 1 },
	{ clients: 256, accounts: 1_000 },
];

interface Result {
	readonly perSecond: number;
	/** Milliseconds of a pair. */
	readonly p50: number;
	readonly p99: number;
	/** Microseconds of CPU a pair, all threads, user and system. */
	readonly cpu: number;
}

const best = new Map<Scenario, Result>();
for (let round = 0; round < rounds; round++) {
	for (const scenario of scenarios) {
		const result = await run(scenario);
		const before = best.get(scenario);
		if (!before || result.perSecond > before.perSecond)
			best.set(scenario, result);
	}
}
console.log(
	`${cpus()[0]?.model}, ${cpus().length} cores, ${process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`}`,
);
for (const [{ clients, accounts }, { perSecond, p50, p99, cpu }] of best) {
	const name = `${clients} client${clients === 1 ? "" : "s"}, ${accounts === 1 ? "one hot account" : `${accounts} accounts`}`;
	console.log(
		`  ${name.padEnd(28)} ${perSecond.toFixed(0).padStart(7)} pairs/s  p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} ms  ${cpu.toFixed(1)} µs CPU`,
	);
}

async function run({ clients, accounts }: Scenario): Promise<Result> {
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-"));
	const ledger = await openLedger(findHome({}, folder), { create: true });
	try {
		await openAccounts(ledger, accounts);
		await work(ledger, clients, accounts, 1_000);
		const cpuBefore = process.cpuUsage();
		const started = performance.now();
		const latencies = await work(ledger, clients, accounts, seconds * 1_000);
		const elapsed = performance.now() - started;
		const { user, system } = process.cpuUsage(cpuBefore);
		await assertBalanced(ledger, accounts);
		latencies.sort((a, b) => a - b);
		const at = (share: number) =>
			latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
		return {
			perSecond: (latencies.length / elapsed) * 1_000,
			p50: at(0.5),
			p99: at(0.99),
			cpu: (user + system) / latencies.length,
		};
	} finally {
		await ledger.close();
		rmSync(folder, { recursive: true, force: true });
	}
}

/** Milliseconds that each pair took. */
async function work(
	ledger: Ledger,
	clients: number,
	accounts: number,
	milliseconds: number,
): Promise<number[]> {
	const latencies: number[] = [];
	const until = performance.now() + milliseconds;
	let next = 0;
	async function client(): Promise<void> {
		for (;;) {
			const started = performance.now();
			if (started >= until) return;
			await pair(ledger, next++ % accounts);
			latencies.push(performance.now() - started);
		}
	}
	await Promise.all(Array.from({ length: clients }, client));
	return latencies;
}
