#!/usr/bin/env node
import { readFileSync } from "node:fs";

/** The command `dos`. Its version is answered before anything else is loaded. */

export function version(): string {
	const text = readFileSync(
		new URL("../../../package.json", import.meta.url),
		"utf8",
	);
	return (JSON.parse(text) as { version: string }).version;
}

const words = process.argv.slice(2);
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
	process.stdout.write(`${version()}\n`);
} else if (words[0] === "sync-check") {
	// A program of its own, that starts without the libraries of the others.
	const { main } = await import("../sync-check/main.ts");
	await main(words.slice(1));
} else if (words[0] === "help" && words[1] === "sync-check") {
	const { main } = await import("../sync-check/main.ts");
	await main(["--help"]);
} else {
	const { runCli } = await import("./program.ts");
	process.exitCode = await runCli(words, {
		version: version(),
		environment: process.env,
		streams: { out: process.stdout, error: process.stderr, in: process.stdin },
	});
}
