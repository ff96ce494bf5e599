import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Program {
	readonly name: string;
	readonly runtime?: "node" | "bun";
	/** Beside this file, or absolute. */
	readonly file: string;
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** The core it is bound to, where the system can do so and has it. */
	readonly cpu?: number;
}

export interface Started {
	readonly pid: number;
	/** The first line it printed: JSON that says where it listens, or a result. */
	readonly ready: Readonly<Record<string, unknown>>;
	/** Microseconds of CPU used so far, all threads, user and system. */
	cpu(): number;
	/** Bytes of memory held now. */
	memory(): number;
	stop(): Promise<void>;
}

const taskset = ["/usr/bin/taskset", "/bin/taskset"].find((path) =>
	existsSync(path),
);

/** Starts a program in a process of its own and waits for its first line. */
export async function startProgram(program: Program): Promise<Started> {
	const file = program.file.startsWith("/")
		? program.file
		: fileURLToPath(new URL(program.file, import.meta.url));
	const runtime = program.runtime ?? "node";
	let command: string = runtime === "node" ? process.execPath : "bun";
	let args = [file, ...(program.args ?? [])];
	if (
		taskset &&
		program.cpu !== undefined &&
		program.cpu < availableParallelism()
	) {
		args = ["-c", String(program.cpu), command, ...args];
		command = taskset;
	}
	const child = spawn(command, args, {
		stdio: ["ignore", "pipe", "inherit"],
		env: { ...process.env, ...program.env },
	});
	const ready = await firstLine(child, program.name);
	const pid = child.pid as number;
	const ended = new Promise<void>((resolve) =>
		child.once("exit", () => resolve()),
	);
	return {
		pid,
		ready,
		cpu: () => cpuOf(pid),
		memory: () => memoryOf(pid),
		stop() {
			child.kill("SIGTERM");
			const kill = setTimeout(() => child.kill("SIGKILL"), 3_000);
			return ended.finally(() => clearTimeout(kill));
		},
	};
}

function firstLine(
	child: ChildProcess,
	name: string,
): Promise<Record<string, unknown>> {
	return new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("exit", (code) =>
			reject(new Error(`${name} ended with ${code} before it was ready`)),
		);
		if (!child.stdout) return;
		createInterface({ input: child.stdout }).once("line", (line) => {
			try {
				resolve(JSON.parse(line));
			} catch {
				reject(new Error(`${name} said: ${line}`));
			}
		});
	});
}

/** Clock ticks of Linux's process table: 100 a second on every platform Node runs on. */
const tickMicroseconds = 10_000;

/** CPU of any process, from the process table; NaN where there is none to read. */
export function cpuOf(pid: number): number {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
		// The name in brackets may hold spaces: count from behind it.
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		return (Number(fields[11]) + Number(fields[12])) * tickMicroseconds;
	} catch {
		return Number.NaN;
	}
}

export function memoryOf(pid: number): number {
	try {
		const status = readFileSync(`/proc/${pid}/status`, "latin1");
		return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
	} catch {
		return Number.NaN;
	}
}
