/**
 * One replica of `postgres.ts`: opens the ledger that it is told of, then does as it is asked over its
 * channel and answers each with a result.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";
import { execute, pair } from "./pair.ts";

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
process.on("message", async (asked: Asked) => {
	if (asked.do === "close") {
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
			await openAccounts(asked.count);
			return asked.count;
		case "pairs":
			return run(asked);
		case "balance":
			return assertBalanced(asked.accounts);
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
		await pair(ledger, next++ % asked.accounts);
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

async function openAccounts(count: number): Promise<void> {
	const commands: CreditsCommand[] = [];
	for (let index = 0; index < count; index++) {
		const account = `a${index}`;
		commands.push(
			{ type: "open-account", account, name: account },
			{ type: "grant", account, amount: 10 ** 12 },
			{
				type: "create-key",
				account,
				key: `k${index}`,
				name: "bench",
				hash: ledger.digest.text(account),
				hint: "bench",
				scopes: { can: ["call"] },
			},
		);
	}
	await Promise.all(commands.map((command) => execute(ledger, command)));
}

/** Nothing is held when all is settled, and what is spent is what was settled, to the last micro-credit. Pairs. */
async function assertBalanced(accounts: number): Promise<number> {
	const { head } = ledger;
	await head.refresh();
	const state = head.state("credits");
	let spent = 0;
	for (const account of state.accounts.values()) {
		if (account.held !== 0) throw new Error(`${account.id} still holds.`);
		spent += account.spent;
	}
	// Three events open an account, two are a pair.
	const pairs = (head.position() - 3 * accounts) / 2;
	if (state.holds.size !== 0 || spent !== pairs * 41_700)
		throw new Error(`${pairs} pairs spent ${spent}.`);
	return pairs;
}
