#!/usr/bin/env node
import { createRequire } from "node:module";

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
