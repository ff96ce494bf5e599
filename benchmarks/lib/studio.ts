import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSecret } from "../../src/apps/cli/secret.ts";
import { openStudio } from "../../src/apps/compose.ts";
import { parseConfig } from "../../src/apps/config.ts";
import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";
import { microCreditsPerCredit } from "../../src/kernel/money.ts";

/**
 * The whole gateway, for a load to be put on: `node studio.ts <upstream port> [home folder] [budget
 * in USD]`. Authentication, prices, durable holds and settlements, hash chain: nothing is left out.
 * Its first line says where it listens and with which key. A folder that was named is kept and may
 * be used again; without one the home is new, and gone afterwards.
 */
const [port, folder, budget] = process.argv.slice(2);
const home = findHome({}, folder ?? mkdtempSync(join(tmpdir(), "dos-bench-")));
const prices =
	'{ input: "2.5", cache-read: "0.25", cache-write-5m: "3.125", output: "10" }';
const yaml = `
vendors:
  mock: { protocol: openai-chat, base: "http://127.0.0.1:${port}/v1", key: mock-key }
  messages: { protocol: anthropic-messages, base: "http://127.0.0.1:${port}/v1", key: mock-key }
prices:
  - { vendor: mock, model: "*", prices: ${prices} }
  - { vendor: messages, model: "*", prices: ${prices} }
models:
  gpt-4o-mini: mock/gpt-4o-mini
  claude-haiku-4-5: messages/claude-haiku-4-5
listen: { port: 0 }
`;
const { config } = parseConfig(yaml, {
	environment: {},
	file: "config.yaml",
	folder: home.folder,
});
const ledger = await openLedger(home, { create: true });
const studio = await openStudio({
	ledger,
	config,
	environment: {},
	version: "benchmark",
	report: (line) => console.error(line),
});
const url = await studio.listen();
const secret = makeSecret(ledger.chance, ledger.digest);
const opened = ledger.head.state("credits").accounts.has("main");
await record(
	...(opened
		? []
		: ([
				{ type: "open-account", account: "main", name: "main" },
				{ type: "grant", account: "main", amount: granted() },
			] as const)),
	{
		type: "create-key",
		account: "main",
		key: ledger.chance.id(),
		name: "bench",
		hash: secret.hash,
		hint: secret.hint,
		scopes: { can: ["call", "read"] },
	},
);
console.log(
	JSON.stringify({ port: Number(new URL(url).port), key: secret.text }),
);

process.once("SIGTERM", async () => {
	await studio.stop();
	await ledger.close();
	if (folder === undefined)
		rmSync(home.folder, { recursive: true, force: true });
	process.exit(0);
});

async function record(...commands: readonly CreditsCommand[]): Promise<void> {
	for (const command of commands) {
		const outcome = await ledger.head.execute("credits", command, {
			actor: "operator",
		});
		if (!outcome.ok) throw new Error(outcome.error.message);
	}
}

/** Micro-credits: more than a load can spend, unless there is a budget. */
function granted(): number {
	return budget === undefined
		? 10 ** 15
		: Math.round(Number(budget) * 100 * microCreditsPerCredit);
}
