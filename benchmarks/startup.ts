import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * How soon the command is there: `node benchmarks/startup.ts [runs]`. `dos --version` as a whole
 * process, and `dos start` until its /healthz answers, on a home that is empty and on one that is not.
 */
const runs = Number(process.argv[2] ?? 11);
const dos = fileURLToPath(new URL("../bin/dos.mjs", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "dos-bench-"));
const port = 40_000 + (process.pid % 20_000);

console.log(
	`${cpus()[0]?.model?.trim()}, ${cpus().length} cores, Node ${process.versions.node}\n`,
);
try {
	report("dos --version", await repeat(version));
	report("dos start until ready, empty home", await repeat(ready, 1));
	report("dos start until ready", await repeat(ready));
	report("an empty Node process", await repeat(empty));
} finally {
	rmSync(home, { recursive: true, force: true });
}

async function repeat(
	measure: () => number | Promise<number>,
	times = runs,
): Promise<number[]> {
	const milliseconds: number[] = [];
	for (let run = 0; run < times; run++) milliseconds.push(await measure());
	return milliseconds.sort((a, b) => a - b);
}

function version(): number {
	return processTime([dos, "--version"]);
}

function empty(): number {
	return processTime(["-e", "0"]);
}

function processTime(args: readonly string[]): number {
	const began = performance.now();
	const { status } = spawnSync(process.execPath, args);
	if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`);
	return performance.now() - began;
}

async function ready(): Promise<number> {
	const began = performance.now();
	const server = spawn(
		process.execPath,
		[dos, "start", "--port", String(port), "--home", home],
		{ stdio: "ignore" },
	);
	const ended = new Promise((resolve) => server.once("exit", resolve));
	while (!(await answers())) {
		if (server.exitCode !== null || performance.now() - began > 20_000)
			throw new Error("dos start did not come up");
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	const took = performance.now() - began;
	server.kill("SIGTERM");
	await ended;
	return took;
}

function answers(): Promise<boolean> {
	return fetch(`http://127.0.0.1:${port}/healthz`).then(
		(response) => response.ok,
		() => false,
	);
}

function report(name: string, sorted: readonly number[]): void {
	const at = (share: number) =>
		(sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(0);
	console.log(
		`${name.padEnd(36)} least ${at(0).padStart(5)} ms   median ${at(0.5).padStart(5)} ms   most ${at(1).padStart(5)} ms`,
	);
}
