import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
	copyFileSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/**
 * How soon the command is there: `node benchmarks/startup.ts [runs]`, or `bun` with the same. Whole processes, and
 * `dos start` until its /healthz answers; as it is published and from its sources; with compiled code that earlier
 * runs left (`warm`), and without (`cold`). Lines are measured in turns, so that what else the machine does falls on
 * all of them. CPU is that of all threads; of a start it is known on Linux alone.
 */
const runs = Number(process.argv[2] ?? 11);
const root = join(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "dos-bench-startup-"));

interface Line {
	readonly name: string;
	readonly times: Measured[];
	measure(): Measured | Promise<Measured>;
}

interface Measured {
	readonly wall: number;
	readonly cpu: number;
}

try {
	const programs = { published: publish(), sources: join(root, "bin/dos.mjs") };
	const lines: Line[] = [
		{ name: "an empty process", times: [], measure: () => run(["-e", "0"]) },
	];
	for (const [name, program] of Object.entries(programs))
		for (const state of process.versions.bun ? [""] : ["warm", "cold"]) {
			const told = `${name} ${state}`.trimEnd();
			const environment = {
				XDG_CACHE_HOME: join(work, "caches"),
				DOS_HOME: join(work, told),
				...(state === "cold" && { NODE_DISABLE_COMPILE_CACHE: "1" }),
			};
			for (const word of ["--version", "--help"])
				lines.push({
					name: `${told}: dos ${word}`,
					times: [],
					measure: () => run([program, word], environment),
				});
			lines.push({
				name: `${told}: dos start until ready`,
				times: [],
				measure: () => start(program, environment),
			});
		}
	mkdirSync(join(work, "caches"));
	// The first of each sets up its home and leaves what is kept for the others.
	for (const { measure } of lines) await measure();
	for (let turn = 0; turn < runs; turn++)
		for (const { times, measure } of lines) times.push(await measure());
	console.log(
		`${cpus()[0]?.model?.trim()}, ${cpus().length} cores, ${process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`}\n`,
	);
	for (const { name, times } of lines)
		console.log(
			`${name.padEnd(42)} time ${spread(times.map(({ wall }) => wall))}   CPU ${spread(times.map(({ cpu }) => cpu))}`,
		);
} finally {
	rmSync(work, { recursive: true, force: true });
}

/** The package as it is published, and its command. */
function publish(): string {
	const folder = join(work, "package");
	cpSync(join(root, "bin"), join(folder, "bin"), { recursive: true });
	copyFileSync(join(root, "package.json"), join(folder, "package.json"));
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
	execFileSync(
		process.execPath,
		[
			join(root, "node_modules/typescript/bin/tsc"),
			"-p",
			join(root, "tsconfig.build.json"),
			"--noCheck",
			"--outDir",
			join(folder, "dist"),
		],
		{ stdio: ["ignore", "inherit", "inherit"] },
	);
	return join(folder, "bin/dos.mjs");
}

/** A whole process. The shell says what its children took. */
function run(
	words: readonly string[],
	environment: Readonly<Record<string, string>> = {},
): Measured {
	const script = '"$@" >/dev/null || exit 1; times';
	const began = performance.now();
	const { status, stdout, stderr } = spawnSync(
		"bash",
		["-c", script, "bash", process.execPath, ...words],
		{ env: { ...process.env, ...environment }, encoding: "utf8" },
	);
	const wall = performance.now() - began;
	if (status !== 0)
		throw new Error(`${words.join(" ")} ended with ${status}: ${stderr}`);
	const children = stdout.trim().split("\n").at(-1) ?? "";
	let cpu = 0;
	for (const [, minutes, seconds] of children.matchAll(/(\d+)m([\d.,]+)s/g))
		cpu +=
			60_000 * Number(minutes) + 1_000 * Number(seconds?.replace(",", "."));
	return { wall, cpu };
}

async function start(
	program: string,
	environment: Readonly<Record<string, string>>,
): Promise<Measured> {
	const port = await freePort();
	const began = performance.now();
	const server = spawn(
		process.execPath,
		[program, "start", "--port", String(port)],
		{ stdio: "ignore", env: { ...process.env, ...environment } },
	);
	const ended = new Promise((resolve) => server.once("exit", resolve));
	while (!(await answers(port))) {
		if (server.exitCode !== null || performance.now() - began > 20_000)
			throw new Error("dos start did not come up");
		await pause(2);
	}
	const wall = performance.now() - began;
	const cpu = cpuOf(server.pid as number);
	server.kill("SIGTERM");
	await ended;
	return { wall, cpu };
}

function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = createServer().listen(0, "127.0.0.1", () => {
			const address = server.address();
			const port = typeof address === "object" ? address?.port : undefined;
			server.close(() => resolve(port as number));
		});
	});
}

function answers(port: number): Promise<boolean> {
	return fetch(`http://127.0.0.1:${port}/healthz`).then(
		(response) => response.ok,
		() => false,
	);
}

/** Milliseconds of all threads so far. */
function cpuOf(pid: number): number {
	try {
		const threads = `/proc/${pid}/task`;
		return readdirSync(threads).reduce(
			(sum, thread) =>
				sum +
				Number(
					readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ")[0],
				) /
					1e6,
			0,
		);
	} catch {
		return Number.NaN;
	}
}

function spread(milliseconds: readonly number[]): string {
	const sorted = milliseconds.toSorted((a, b) => a - b);
	const at = (share: number) =>
		(sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN)
			.toFixed(0)
			.padStart(5);
	return `least ${at(0)}, middle ${at(0.5)} ms`;
}
