#!/usr/bin/env node
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/** sync-check as a program of its own: `node src/apps/sync-check/main.ts`, or `bun` with the same. `dos sync-check` is the same program. */
export async function main(words: readonly string[]): Promise<void> {
	// A runtime ends with 1 when it fails, and 1 means drift: a failure of ours has to be told apart.
	process.on("uncaughtException", (fault) => {
		process.stderr.write(`sync-check: failed and stopped: ${fault.message}\n`);
		process.exit(2);
	});
	// Loaded when what makes loading fast is in place.
	const { runSyncCheck } = await import("./run.ts");
	process.exitCode = await runSyncCheck(words, {
		out: process.stdout,
		error: process.stderr,
	});
}

/** Compiled code is kept in the user's own cache, as `dos` does it: a start from the sources takes a fourth of the time. */
function keepCompiledCode(): void {
	if (process.env.NODE_COMPILE_CACHE || process.platform === "win32") return;
	const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
	nodeModule.enableCompileCache?.(join(caches, "duranteos"));
}

if (import.meta.main) {
	keepCompiledCode();
	await main(process.argv.slice(2));
}
