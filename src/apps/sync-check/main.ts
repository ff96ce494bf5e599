#!/usr/bin/env node
import { runSyncCheck } from "./run.ts";

/** sync-check as a program of its own: `node src/apps/sync-check/main.ts`, or `bun` with the same. `dos sync-check` is the same program. */
export async function main(words: readonly string[]): Promise<void> {
	// A runtime ends with 1 when it fails, and 1 means drift: a failure of ours has to be told apart.
	process.on("uncaughtException", (fault) => {
		process.stderr.write(`sync-check: failed and stopped: ${fault.message}\n`);
		process.exit(2);
	});
	process.exitCode = await runSyncCheck(words, {
		out: process.stdout,
		error: process.stderr,
	});
}

if (import.meta.main) await main(process.argv.slice(2));
