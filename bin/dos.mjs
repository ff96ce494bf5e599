#!/usr/bin/env node
/**
 * Starts `dos` on a runtime that can run it. Plain JavaScript that an old Node reads too: where the
 * Node at hand is too old, the one pinned in node_modules takes over, else one sentence says what to do.
 * Flags are none of its business.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { keepCompiledCode } from "./compiled-code.mjs";

/**
 * Megabytes of half a young generation of `dos start`, of up to 64 that Node would take: it costs no time, as
 * what waits there is old when it is collected, and no full collections start because of it
 * (docs/decisions/0009-hot-path.md).
 */
const youngHalf = 8;

const nodeNeeded = 24;
const bunNeeded = [1, 4];

const root = new URL("..", import.meta.url);

if (isSupported()) {
	await run();
} else {
	const pinned = pinnedNode();
	if (pinned) await handOver(pinned);
	else {
		const found = process.versions.bun
			? `Bun ${process.versions.bun}`
			: `Node ${process.versions.node}`;
		const remedy = existsSync(new URL("src", root))
			? "run npm install, which brings the right one"
			: "install one of them (https://nodejs.org), then run dos again";
		console.error(
			`dos needs Node ${nodeNeeded} or Bun ${bunNeeded.join(".")}, or newer, and this is ${found}: ${remedy}.`,
		);
		process.exitCode = 1;
	}
}

function isSupported() {
	const bun = process.versions.bun;
	if (bun) {
		const [major, minor] = bun.split(".").map(Number);
		return (
			major > bunNeeded[0] || (major === bunNeeded[0] && minor >= bunNeeded[1])
		);
	}
	return Number(process.versions.node.split(".")[0]) >= nodeNeeded;
}

/** A checkout runs from its sources, so that a build left behind is never run by mistake; a published package has only the build. */
async function run() {
	boundYoungGeneration();
	keepCompiledCode(root);
	const source = new URL("src/apps/cli/main.ts", root);
	await import(
		existsSync(source) ? source : new URL("dist/apps/cli/main.js", root)
	);
}

/** Node takes this size at its own start alone, so this process begins anew, as the same one; where it cannot, it goes on as it is. */
function boundYoungGeneration() {
	const { argv, env, execArgv, execPath, platform, versions } = process;
	const set = `${execArgv.join(" ")} ${env.NODE_OPTIONS ?? ""}`;
	if (!argv.slice(2).includes("start") || /semi-space-size/.test(set)) return;
	if (versions.bun || platform === "win32" || env.NODE_CHANNEL_FD) return;
	try {
		process.execve?.(
			execPath,
			[
				execPath,
				`--max-semi-space-size=${youngHalf}`,
				...execArgv,
				...argv.slice(1),
			],
			env,
		);
	} catch {
		// Not allowed here: a larger memory is all that it costs.
	}
}

/** The Node that came with a checkout as a development dependency, or undefined. */
function pinnedNode() {
	try {
		const { resolve } = createRequire(import.meta.url);
		const name = process.platform === "win32" ? "node.exe" : "node";
		const path = join(dirname(resolve("node/package.json")), "bin", name);
		return existsSync(path) ? path : undefined;
	} catch {
		return undefined;
	}
}

/** Runs this file on another Node and ends the way that one ends. */
async function handOver(node) {
	const { spawn } = await import("node:child_process");
	const { fileURLToPath } = await import("node:url");
	const child = spawn(
		node,
		[
			...process.execArgv,
			fileURLToPath(import.meta.url),
			...process.argv.slice(2),
		],
		{ stdio: "inherit" },
	);
	// A terminal sends its signals to both; what is sent to this process alone is passed on.
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
		process.on(signal, () => {
			if (!process.stdin.isTTY || signal !== "SIGINT") child.kill(signal);
		});
	}
	child.on("error", (fault) => {
		console.error(`dos could not start ${node}: ${fault.message}`);
		process.exitCode = 1;
	});
	child.on("exit", (code, signal) => {
		if (signal) {
			process.removeAllListeners(signal);
			process.kill(process.pid, signal);
		} else process.exitCode = code ?? 1;
	});
}
