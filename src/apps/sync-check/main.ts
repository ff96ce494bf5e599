#!/usr/bin/env node
import { statSync } from "node:fs";
import { createRequire } from "node:module";

/** As the store reckons: a hundred bytes for each of the 12,000 looks that are worth a thread. */
const manyBytes = 1_200_000;

/** sync-check as a program of its own: `node src/apps/sync-check/main.ts`, or `bun` with the same. `dos sync-check` is the same program. */
export async function main(words: readonly string[]): Promise<void> {
	// A runtime ends with 1 when it fails, and 1 means drift: a failure of ours has to be told apart.
	process.on("uncaughtException", (fault) => {
		process.stderr.write(`sync-check: failed and stopped: ${fault.message}\n`);
		process.exit(2);
	});
	// All that follows is loaded when what makes loading fast is in place.
	if (remembersMany(words)) {
		const { hireForLooks } = await import(
			"../../adapters/file-tree/helpers.ts"
		);
		hireForLooks();
	}
	const { runSyncCheck } = await import("./run.ts");
	process.exitCode = await runSyncCheck(words, {
		out: process.stdout,
		error: process.stderr,
	});
}

/**
 * Whether the memory in this folder is of so many files that a thread will help to look at them: one takes
 * longer to begin than all that is done before the first look. Where it lies elsewhere, the run finds out itself.
 */
function remembersMany(words: readonly string[]): boolean {
	if (words.some((word) => word.startsWith("--manifest"))) return false;
	try {
		const cache = statSync(".dos-sync/cache", { throwIfNoEntry: false });
		return cache !== undefined && cache.size > manyBytes;
	} catch {
		return false;
	}
}

if (import.meta.main) {
	keepCompiledCode();
	await main(process.argv.slice(2));
}

/** As `dos` does it, and by the same file: plain JavaScript beside the tree, which `dos` needs before it can read any of it. */
function keepCompiledCode(): void {
	try {
		const { keepCompiledCode } = createRequire(import.meta.url)(
			"../../../bin/compiled-code.mjs",
		) as { keepCompiledCode(installation: URL): void };
		keepCompiledCode(new URL("../../../", import.meta.url));
	} catch {
		// Without it a start takes longer, no more.
	}
}
