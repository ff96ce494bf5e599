import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Runs the benchmarks one after the other, or those named: `npm run bench -- gateway log`. RESULTS.md keeps what they printed. */
const all = {
	startup: ["startup.ts"],
	gateway: ["gateway.ts", "4", "3"],
	ledger: ["ledger.ts"],
	log: ["log.ts", "--events", "1000000"],
	wire: ["wire.ts"],
	"http-edge": ["http-edge.ts", "4", "3"],
	"event-log": ["event-log.ts"],
	"sync-check": ["sync-check.ts"],
} as const;

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(all, name));
if (unknown.length > 0) {
	console.error(
		`There is no benchmark ${unknown.join(", ")}. There are: ${Object.keys(all).join(", ")}.`,
	);
	process.exitCode = 2;
} else {
	for (const [name, [file, ...args]] of Object.entries(all)) {
		if (chosen.length > 0 && !chosen.includes(name)) continue;
		console.log(`\n── ${name}\n`);
		const path = fileURLToPath(new URL(file, import.meta.url));
		const { status } = spawnSync(process.execPath, [path, ...args], {
			stdio: "inherit",
		});
		if (status !== 0) process.exitCode = 1;
	}
}
