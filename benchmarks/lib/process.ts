import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** A file of ours, or another that Node or Bun can run. */
export interface Program {
	readonly name: string;
	readonly runtime?: "node" | "bun";
	/** Beside this file, or absolute. */
	readonly file: string;
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	/** The core it is bound to, where the system can do so and has it. */
	readonly cpu?: number;
	/** Milliseconds it may take until it is ready; a minute and a half unless said. */
	readonly patience?: number;
}

/** Any program of the machine. */
export interface Command {
	readonly name: string;
	readonly command: string;
	readonly args?: readonly string[];
	readonly env?: Readonly<Record<string, string>>;
	readonly cpu?: number;
	readonly patience?: number;
	/**
	 * A program of others: of this environment it gets PATH and HOME alone, and no key that lies in
	 * it; what it prints is kept for the error message.
	 */
	readonly foreign?: boolean;
	/**
	 * Where it answers 200 once it is ready, for a program that does not say so itself. Without it,
	 * the first line of JSON it prints says where it listens.
	 */
	readonly answers?: { readonly port: number; readonly path: string };
}

export interface Started {
	readonly pid: number;
	/** The first line of JSON it printed: where it listens, or a result. */
	readonly ready: Readonly<Record<string, unknown>>;
	/** Microseconds of CPU used so far, all threads and child processes, user and system. */
	cpu(): number;
	/** Bytes of memory held now, child processes with it. */
	memory(): number;
	stop(): Promise<void>;
	/** Ends it as a power cut would: no signal that it could hear. */
	kill(): Promise<void>;
}

const taskset = ["/usr/bin/taskset", "/bin/taskset"].find((path) =>
	existsSync(path),
);

const pinnedBun = fileURLToPath(
	new URL("../../node_modules/.bin/bun", import.meta.url),
);
const bun = existsSync(pinnedBun) ? pinnedBun : "bun";

/** What runs still ends with this process, however that ends. */
const alive = new Set<ChildProcess>();
process.once("exit", () => {
	for (const child of alive) child.kill("SIGKILL");
});

/** Starts a program in a process of its own and waits for its first line. */
export function startProgram(program: Program): Promise<Started> {
	const file = program.file.startsWith("/")
		? program.file
		: fileURLToPath(new URL(program.file, import.meta.url));
	return startCommand({
		...program,
		command: program.runtime === "bun" ? bun : process.execPath,
		args: [file, ...(program.args ?? [])],
	});
}

/** Starts any program and waits until it is ready. */
export async function startCommand(wanted: Command): Promise<Started> {
	let command = wanted.command;
	let args = [...(wanted.args ?? [])];
	if (
		taskset &&
		wanted.cpu !== undefined &&
		wanted.cpu < availableParallelism()
	) {
		args = ["-c", String(wanted.cpu), command, ...args];
		command = taskset;
	}
	const child = spawn(command, args, {
		stdio: ["ignore", "pipe", wanted.foreign ? "pipe" : "inherit"],
		env: {
			...(wanted.foreign
				? { PATH: process.env.PATH, HOME: process.env.HOME }
				: process.env),
			...wanted.env,
		},
	});
	alive.add(child);
	const ended = new Promise<void>((resolve) => {
		const over = () => {
			alive.delete(child);
			resolve();
		};
		child.once("exit", over);
		child.once("error", over);
	});
	const end = (signal: NodeJS.Signals, patience: number) => {
		child.kill(signal);
		const kill = setTimeout(() => child.kill("SIGKILL"), patience);
		return ended.finally(() => clearTimeout(kill));
	};
	let ready: Record<string, unknown>;
	try {
		ready = await becomesReady(child, wanted);
	} catch (fault) {
		if (child.pid !== undefined && child.exitCode === null)
			await end("SIGKILL", 0);
		throw fault;
	}
	const pid = child.pid as number;
	return {
		pid,
		ready,
		cpu: () => sumOf(pid, cpuOf),
		memory: () => sumOf(pid, memoryOf),
		stop: () => end("SIGTERM", 3_000),
		kill: () => end("SIGKILL", 0),
	};
}

function becomesReady(
	child: ChildProcess,
	{ name, answers, patience = 90_000 }: Command,
): Promise<Record<string, unknown>> {
	return new Promise((resolve, reject) => {
		let said = "";
		let lines = "";
		const over = setTimeout(
			() =>
				reject(new Error(`${name} was not ready in time: ${lastWords(said)}`)),
			patience,
		);
		const settle = (outcome: Record<string, unknown> | Error) => {
			clearTimeout(over);
			clearInterval(asking);
			if (outcome instanceof Error) reject(outcome);
			else resolve(outcome);
		};
		const asking = setInterval(async () => {
			if (!answers) return clearInterval(asking);
			const { port, path } = answers;
			const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(
				() => undefined,
			);
			await response?.arrayBuffer().catch(() => {});
			if (response?.ok) settle({ port });
		}, 100);
		child.once("error", settle);
		child.once("exit", (code) =>
			settle(
				new Error(
					`${name} ended with ${code} before it was ready: ${lastWords(said)}`,
				),
			),
		);
		child.stderr?.on("data", (bytes: Buffer) => {
			said = (said + bytes).slice(-2_000);
		});
		child.stdout?.on("data", (bytes: Buffer) => {
			said = (said + bytes).slice(-2_000);
			if (answers) return;
			lines += bytes;
			const ready = firstDocument(lines);
			if (ready) settle(ready);
		});
	});
}

/** The last line that says something, without addresses and kept short. */
export function lastWords(said: string): string {
	const lines = stripVTControlCharacters(said)
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "");
	return (lines.at(-1) ?? "nothing was said")
		.replaceAll(/https?:\/\/\S+/g, "its registry")
		.replace(/[.:]+$/, "")
		.slice(0, 200);
}

/** The first whole line that is a JSON object; a program may greet before it. */
export function firstDocument(
	text: string,
): Record<string, unknown> | undefined {
	for (const line of text.split("\n").slice(0, -1)) {
		if (!line.startsWith("{")) continue;
		try {
			return JSON.parse(line);
		} catch {
			// Something else that begins with a brace.
		}
	}
	return undefined;
}

/** Clock ticks of Linux's process table: 100 a second on every platform Node runs on. */
const tickMicroseconds = 10_000;

/** CPU of any process, from the process table; NaN where there is none to read. */
export function cpuOf(pid: number): number {
	return reading(`/proc/${pid}/stat`, readCpu);
}

export function memoryOf(pid: number): number {
	return reading(`/proc/${pid}/status`, readMemory);
}

/** Microseconds in which a core was not idle since the machine started, whoever used it; NaN where it cannot be read. */
export function busyOf(core: number): number {
	return reading("/proc/stat", (stat) => readBusy(stat, core));
}

/** The same in a `/proc/stat`: all that is neither idle nor waiting for a disk. */
export function readBusy(stat: string, core: number): number {
	const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(stat)?.[1];
	if (line === undefined) return Number.NaN;
	const [user, nice, system, , , irq, softirq, steal] = line
		.split(" ")
		.map(Number);
	return (
		[user, nice, system, irq, softirq, steal].reduce<number>(
			(sum, ticks) => sum + (ticks ?? 0),
			0,
		) * tickMicroseconds
	);
}

/** Microseconds of user and system time in a `/proc/<pid>/stat`. */
export function readCpu(stat: string): number {
	// The name in brackets may hold spaces and brackets: count from behind the last.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) * tickMicroseconds;
}

/** Bytes of memory held, in a `/proc/<pid>/status`; NaN for a process that has none left. */
export function readMemory(status: string): number {
	return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

function reading(path: string, read: (text: string) => number): number {
	try {
		return read(readFileSync(path, "latin1"));
	} catch {
		return Number.NaN;
	}
}

/** A process and those it started, and those they started. */
function sumOf(pid: number, of: (pid: number) => number): number {
	let sum = of(pid);
	for (const child of childrenOf(pid)) sum += sumOf(child, of) || 0;
	return sum;
}

function childrenOf(pid: number): readonly number[] {
	try {
		return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
			readFileSync(`/proc/${pid}/task/${thread}/children`, "latin1")
				.split(" ")
				.filter((text) => text !== "")
				.map(Number),
		);
	} catch {
		return [];
	}
}
