import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSecret } from "../../src/apps/cli/secret.ts";
import { openStudio } from "../../src/apps/compose.ts";
import { parseConfig } from "../../src/apps/config.ts";
import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";

/**
 * The whole gateway in a home of its own, for a load to be put on: `node studio.ts <upstream port>`.
 * Authentication, prices, durable holds and settlements, hash chain: nothing is left out. Its first
 * line says where it listens and with which key.
 */
const home = findHome({}, mkdtempSync(join(tmpdir(), "dos-bench-")));
const yaml = `
vendors: { mock: { protocol: openai-chat, base: "http://127.0.0.1:${process.argv[2]}/v1", key: mock-key } }
prices: [{ vendor: mock, model: "*", prices: { input: 1, output: 2 } }]
models: { gpt-4o-mini: mock/gpt-4o-mini }
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
for (const command of [
	{ type: "open-account", account: "main", name: "main" },
	{ type: "grant", account: "main", amount: 10 ** 15 },
	{
		type: "create-key",
		account: "main",
		key: "bench",
		name: "bench",
		hash: secret.hash,
		hint: secret.hint,
		scopes: { can: ["call", "read"] },
	},
] as const) {
	const outcome = await ledger.head.execute("credits", command, {
		actor: "operator",
	});
	if (!outcome.ok) throw new Error(outcome.error.message);
}
console.log(
	JSON.stringify({ port: Number(new URL(url).port), key: secret.text }),
);

process.once("SIGTERM", async () => {
	await studio.stop();
	await ledger.close();
	rmSync(home.folder, { recursive: true, force: true });
	process.exit(0);
});
