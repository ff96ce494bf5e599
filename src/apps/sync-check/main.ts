#!/usr/bin/env node
import { runSyncCheck } from "./run.ts";

/** sync-check as a program of its own: `node src/apps/sync-check/main.ts`, or `bun` with the same. */
process.exitCode = await runSyncCheck(process.argv.slice(2), {
	out: process.stdout,
	error: process.stderr,
});
