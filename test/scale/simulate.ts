import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sqliteEventLog } from "../../src/adapters/event-log/sqlite.ts";
import { systemChance } from "../../src/adapters/runtime/chance.ts";
import { systemClock } from "../../src/adapters/runtime/clock.ts";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";
import { ledgerDeciders } from "../../src/contexts/gateway/index.ts";
import { openHead } from "../../src/contexts/log/index.ts";
import { canonicalLine } from "../../src/kernel/event.ts";
import { seededRandom } from "../simulation/random.ts";
import { jump, mix, openPlacement } from "./placement.ts";

/**
 * The numbers of docs/scale.md: how evenly many accounts lie on many logs, what a move of one costs, and what a
 * million calls leave behind, measured on a real ledger.
 * `node test/scale/simulate.ts [--logs 100] [--accounts 10000000] [--seed 1]`.
 */
const { values } = parseArgs({
	options: {
		logs: { type: "string", default: "100" },
		accounts: { type: "string", default: "10000000" },
		seed: { type: "string", default: "1" },
	},
});
const [logs, accounts] = [Number(values.logs), Number(values.accounts)];
const random = seededRandom(Number(values.seed));
/** Seconds. */
const longestCall = 1_800;
const fraction = () => random.below(2 ** 32) / 2 ** 32;
if (!(logs >= 2 && accounts >= logs)) {
	console.error("Give at least two --logs, and an account for each.");
	process.exitCode = 2;
} else {
	balance();
	growth();
	moves();
	await cost();
}

/**
 * Load falls with an account's rank to the power of `skew`. *Placed*: each account of half a log's mean load or more
 * has a log to itself, which the hash does not fill; of the others, the heaviest are put one after the other where
 * there is least.
 */
function balance(): void {
	title(`Balance: ${accounts.toLocaleString("en")} accounts on ${logs} logs`);
	const rows: Row[] = [];
	for (const skew of [0.8, 1, 1.2]) {
		const weight = (account: number) => (account + 1) ** -skew;
		const hashed = fill(logs, 0, weight);
		const total = sum(hashed.load);
		const mean = total / logs;
		let large = 0;
		while (weight(large) >= mean / 2) large++;
		const row: Record<string, string> = {
			skew: String(skew),
			"largest account": `${(weight(0) / mean).toFixed(2)} x mean`,
			"accounts, fullest log": `${((Math.max(...hashed.count) * logs) / accounts).toFixed(3)} x`,
			"load, hash alone": `${(Math.max(...hashed.load) / mean).toFixed(2)} x`,
			"logs of one": String(large),
		};
		const shared = logs - large;
		const rest = fill(shared, large, weight).load;
		const fair = sum(rest) / shared;
		for (const heavy of [0, 100, 1_000]) {
			const { load, moved } = spread(rest, large, heavy, weight);
			row[heavy === 0 ? "the others, by hash" : `${heavy} of them placed`] =
				`${(Math.max(...load) / fair).toFixed(3)} x${heavy === 0 ? "" : `, ${large + moved} rows`}`;
		}
		rows.push(row);
	}
	print(rows);
	console.log(
		"The largest account's log bounds the whole: an account is never split.",
	);
}

function fill(
	buckets: number,
	from: number,
	weight: (account: number) => number,
): { readonly load: Float64Array; readonly count: Uint32Array } {
	const load = new Float64Array(buckets);
	const count = new Uint32Array(buckets);
	for (let account = from; account < accounts; account++) {
		const log = jump(mix(account), buckets);
		load[log] = (load[log] as number) + weight(account);
		count[log] = (count[log] as number) + 1;
	}
	return { load, count };
}

/** Puts the heaviest accounts, one after the other, where there is least; all others stay where the hash says. */
function spread(
	before: Float64Array,
	from: number,
	heavy: number,
	weight: (account: number) => number,
): { readonly load: Float64Array; readonly moved: number } {
	const load = Float64Array.from(before);
	const placement = openPlacement(load.length);
	for (let account = from; account < from + heavy; account++) {
		const log = placement.logOf(account);
		load[log] = (load[log] as number) - weight(account);
	}
	for (let account = from; account < from + heavy; account++) {
		let least = 0;
		for (let log = 1; log < load.length; log++)
			if ((load[log] as number) < (load[least] as number)) least = log;
		load[least] = (load[least] as number) + weight(account);
		placement.move(account, least);
	}
	return { load, moved: placement.moved };
}

function sum(list: Float64Array): number {
	return list.reduce((all, one) => all + one, 0);
}

function growth(): void {
	title("One log more: accounts that move");
	const sample = Math.min(accounts, 1_000_000);
	const rows: Row[] = [];
	for (const [from, to] of [
		[logs, logs + 1],
		[logs, 2 * logs],
	] as const) {
		let moved = 0;
		for (let account = 0; account < sample; account++)
			if (jump(mix(account), from) !== jump(mix(account), to)) moved++;
		rows.push({
			logs: `${from} to ${to}`,
			"of all accounts": `${((100 * moved) / sample).toFixed(2)} %`,
			accounts: Math.round((moved / sample) * accounts).toLocaleString("en"),
			least: `${(100 * (1 - from / to)).toFixed(2)} %`,
		});
	}
	print(rows);
}

/**
 * A move takes what is available along at once; what calls in flight hold stays behind until the last of them has
 * ended, and follows then. Calls last from a second to half an hour, most of them seconds.
 */
function moves(): void {
	title("A move of one account");
	const rows: Row[] = [];
	for (const perSecond of [0.01, 1, 100]) {
		const tries = perSecond >= 100 ? 20 : 200;
		const waits: number[] = [];
		let inFlight = 0;
		for (let at = 0; at < tries; at++) {
			let last = 0;
			// Those that began within the longest call's time before the move and are not over.
			const began = poisson(perSecond * longestCall);
			for (let call = 0; call < began; call++) {
				const left = duration() - fraction() * longestCall;
				if (left <= 0) continue;
				inFlight++;
				last = Math.max(last, left);
			}
			waits.push(last);
		}
		waits.sort((one, other) => one - other);
		const wait = (share: number) =>
			`${(waits[Math.floor(share * (tries - 1))] as number).toFixed(0)} s`;
		rows.push({
			"calls/s": String(perSecond),
			"holds that stay behind": (inFlight / tries).toFixed(1),
			events: "4 + its keys",
			"calls refused": "0",
			"rest follows, p50": wait(0.5),
			p99: wait(0.99),
		});
	}
	print(rows);
	console.log(
		"Whatever its history: opened and granted there, closed here, the rest carried over, and one event for each key.",
	);
}

/** Seconds: log-normal with a median of 4 and a long tail, cut off where a call is. */
function duration(): number {
	const normal =
		Math.sqrt(-2 * Math.log(1 - fraction())) *
		Math.cos(2 * Math.PI * fraction());
	return Math.min(longestCall, 4 * Math.exp(1.2 * normal));
}

function poisson(mean: number): number {
	if (mean > 50)
		return Math.max(
			0,
			Math.round(
				mean +
					Math.sqrt(mean) *
						Math.sqrt(-2 * Math.log(1 - fraction())) *
						Math.cos(2 * Math.PI * fraction()),
			),
		);
	let [count, product] = [0, fraction()];
	for (const limit = Math.exp(-mean); product > limit; count++)
		product *= fraction();
	return count;
}

/** The events that a call of the gateway leaves, on SQLite, with as many clients at once as said. */
async function cost(): Promise<void> {
	title("A million calls, from so many measured");
	const rows: Row[] = [];
	for (const [clients, calls] of [
		[1, 1_000],
		[32, 10_000],
		[256, 20_000],
	] as const) {
		const folder = mkdtempSync(join(tmpdir(), "dos-scale-"));
		const file = join(folder, "dos.db");
		const log = sqliteEventLog(file);
		let commits = 0;
		const head = await openHead({
			log: {
				...log,
				write(work) {
					commits++;
					return log.write(work);
				},
			},
			deciders: ledgerDeciders,
			clock: systemClock,
			digest: nodeDigest,
		});
		const execute = async (command: CreditsCommand) => {
			const outcome = await head.execute("credits", command, {
				actor: "key/01jx0000000000000000000000",
				...("call" in command && { cause: command.call }),
			});
			if (!outcome.ok) throw new Error(outcome.error.message);
		};
		try {
			await execute({ type: "open-account", account: "main", name: "main" });
			await execute({ type: "grant", account: "main", amount: 10 ** 13 });
			const [first, already] = [head.position(), commits];
			let left = calls;
			await Promise.all(
				Array.from({ length: clients }, async () => {
					while (left-- > 0) await pair(execute);
				}),
			);
			const flushes = commits - already;
			const events = head.position() - first;
			await head.close();
			let text = "";
			let keys = 0;
			for await (const batch of log.read(first))
				for (const event of batch) {
					text += `${canonicalLine(event)}\n`;
					keys += (event.key?.length ?? 0) + (event.input?.length ?? 0);
				}
			await log.close();
			const per = 1_000_000 / calls;
			const bytes = Buffer.from(text);
			rows.push({
				clients: String(clients),
				events: (events * per).toLocaleString("en"),
				commits: Math.round(flushes * per).toLocaleString("en"),
				"in the file": megabytes(statSync(file).size * per),
				exported: megabytes(bytes.length * per),
				gzip: megabytes(gzipSync(bytes).length * per),
				zstd: megabytes(zstdCompressSync(bytes).length * per),
				hashes: megabytes(32 * events * per),
				keys: megabytes(keys * per),
			});
		} finally {
			await log.close();
			rmSync(folder, { recursive: true, force: true });
		}
	}
	print(rows);
}

async function pair(
	execute: (command: CreditsCommand) => Promise<void>,
): Promise<void> {
	const call = `call_${systemChance.id()}`;
	await execute({
		type: "hold",
		call,
		account: "main",
		amount: 83_100,
		expires: systemClock.now() + 1_860_000,
		holder: "replica-1.4242.0123456789",
		substrate: "openai/gpt-4o-mini",
		model: "gpt-4o-mini",
		operation: "chat",
		sheet: "genai-prices/0.1.8",
		// As the router leaves it with a call that names its substrate.
		route: {
			at: systemClock.now(),
			request: {
				q: { as: "substrate", id: "openai/gpt-4o-mini" },
				a: "main",
				k: "01jx0000000000000000000000",
				s: {},
				i: {
					t: "chat",
					d: "easy",
					w: ["short"],
					m: "generate",
					c: [],
					in: 1_105,
					o: 4_096,
				},
				e: 1,
			},
			catalogue: "c-fd70240b65cfc2",
			policy: "p-8ee1cbcd6db2e4",
			table: "t-76749509a13e64",
			health: "none",
			verdicts: "(254)A0",
			winner: "openai/gpt-4o-mini",
			order: [254],
		},
	});
	await execute({
		type: "settle",
		call,
		cost: 41_700,
		basis: "priced",
		ending: "finished",
		usage: { input: 1_057, output: 180 },
		lines: [
			{ class: "input", units: 1_057, price: 15_000_000 },
			{ class: "output", units: 180, price: 60_000_000 },
		],
		sheet: "genai-prices/0.1.8",
		inputBytes: 4_420,
		finishReason: "stop",
		timing: { firstByte: 312, total: 1_840 },
		status: 200,
	});
}

function megabytes(bytes: number): string {
	return `${Math.round(bytes / 2 ** 20).toLocaleString("en")} MB`;
}

type Row = Readonly<Record<string, string>>;

function title(text: string): void {
	console.log(`\n${text}\n`);
}

function print(rows: readonly Row[]): void {
	const names = Object.keys(rows[0] ?? {});
	const widths = names.map((name) =>
		Math.max(name.length, ...rows.map((row) => row[name]?.length ?? 0)),
	);
	for (const cells of [
		names,
		...rows.map((row) => names.map((name) => row[name] ?? "")),
	])
		console.log(
			`  ${cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join("  ")}`,
		);
}
