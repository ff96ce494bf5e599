/**
 * One replica of `postgres.ts`: opens the ledger that it is told of, among its fleet unless it is told to stand `apart`,
 * then does as it is asked over its
 * channel and answers each with a result.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHome } from "../../src/apps/home.ts";
import { joinFleet, type Ledger, openLedger } from "../../src/apps/ledger.ts";
import { followOthers } from "../../src/apps/studio/follow.ts";
import { leaseTimes } from "../../src/apps/studio/instance.ts";
import { assertBalanced, openAccounts } from "./accounts.ts";
import { pair } from "./pair.ts";

/** What a replica is asked for. */
export type Asked =
	| { readonly do: "accounts"; readonly count: number }
	| {
			readonly do: "pairs";
			readonly clients: number;
			readonly accounts: number;
			readonly milliseconds: number;
			/** Pairs begun a second, evenly, whoever waits; absent: each client begins when its last has ended. */
			readonly rate?: number;
	  }
	| { readonly do: "balance"; readonly accounts: number }
	| { readonly do: "close" };

export interface Pairs {
	readonly latencies: readonly number[];
	readonly elapsed: number;
	/** Microseconds of CPU, user and system. */
	readonly cpu: number;
}

const folder = mkdtempSync(join(tmpdir(), "dos-bench-"));
const store = process.argv[2];
const ledger = await openLedger(
	findHome(store ? { DOS_STORE: store } : {}, folder),
	{ create: true },
);
const report = (line: string) => process.stderr.write(`${line}\n`);
const following = store ? followOthers(ledger, report) : undefined;
const fleet =
	store && process.argv[3] !== "apart"
		? await joinFleet(ledger, {
				version: "bench",
				lease: leaseTimes.lease,
				report,
			})
		: undefined;
await fleet?.sequencing.begin();
await fleet?.sequencing.look();
/** As the gateway has it. */
const joined: Ledger = { ...ledger, head: fleet?.head ?? ledger.head };
process.on("message", async (asked: Asked) => {
	if (asked.do === "close") {
		following?.end();
		await fleet?.sequencing.end();
		await ledger.close();
		rmSync(folder, { recursive: true, force: true });
		process.disconnect();
		return;
	}
	process.send?.(await answer(asked));
});
process.send?.("ready");

async function answer(
	asked: Exclude<Asked, { do: "close" }>,
): Promise<Pairs | number> {
	switch (asked.do) {
		case "accounts":
			await openAccounts(ledger, asked.count);
			return asked.count;
		case "pairs":
			return run(asked);
		case "balance":
			return assertBalanced(ledger, asked.accounts);
	}
}

async function run(asked: Extract<Asked, { do: "pairs" }>): Promise<Pairs> {
	const latencies: number[] = [];
	const before = process.cpuUsage();
	const began = performance.now();
	const until = began + asked.milliseconds;
	let next = Math.floor(Math.random() * asked.accounts);
	async function one(): Promise<void> {
		const started = performance.now();
		await pair(joined, next++ % asked.accounts);
		latencies.push(performance.now() - started);
	}
	if (asked.rate === undefined) {
		await Promise.all(
			Array.from({ length: asked.clients }, async () => {
				while (performance.now() < until) await one();
			}),
		);
	} else {
		const all: Promise<void>[] = [];
		for (let begun = 0; performance.now() < until; ) {
			const due = ((performance.now() - began) / 1_000) * asked.rate;
			for (; begun < due; begun++) all.push(one());
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		await Promise.all(all);
	}
	const { user, system } = process.cpuUsage(before);
	return {
		latencies,
		elapsed: performance.now() - began,
		cpu: user + system,
	};
}
