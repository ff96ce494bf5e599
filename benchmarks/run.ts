import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Runs the benchmarks one after the other, or those named: `npm run bench -- gateway log`. Flags go
 * to those named: `npm run bench -- peers --short`, values behind `=`. RESULTS.md keeps what they printed.
 */
const all = {
	startup: ["startup.ts"],
	gateway: ["gateway.ts", "4", "3"],
	ledger: ["ledger.ts"],
	log: ["log.ts", "--events", "1000000"],
	wire: ["wire.ts"],
	translation: ["translation.ts"],
	routing: ["routing.ts"],
	"http-edge": ["http-edge.ts", "4", "3"],
	"event-log": ["event-log.ts"],
	postgres: ["postgres.ts"],
	"sync-check": ["sync-check.ts"],
	peers: ["peers.ts"],
} as const;
/** Peers installs others' programs and takes its time: only when it is named. */
const everyDay = Object.keys(all).filter((name) => name !== "peers");

const [chosen, flags] = [
	process.argv.slice(2).filter((word) => !word.startsWith("-")),
	process.argv.slice(2).filter((word) => word.startsWith("-")),
];
const unknown = chosen.filter((name) => !Object.hasOwn(all, name));
if (unknown.length > 0) {
	console.error(
		`There is no benchmark ${unknown.join(", ")}. There are: ${Object.keys(all).join(", ")}.`,
	);
	process.exitCode = 2;
} else {
	for (const [name, [file, ...args]] of Object.entries(all)) {
		if (!(chosen.length > 0 ? chosen : everyDay).includes(name)) continue;
		console.log(`\n── ${name}\n`);
		const path = fileURLToPath(new URL(file, import.meta.url));
		const { status } = spawnSync(process.execPath, [path, ...args, ...flags], {
			stdio: "inherit",
		});
		if (status !== 0) process.exitCode = 1;
	}
}
