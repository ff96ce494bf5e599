import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The real program in child processes, on a home of its own. */
export interface Dos {
	readonly home: string;
	/** Runs a command to its end. */
	run(...words: readonly string[]): Promise<Ended>;
	/** The same with something on standard input, or more in the environment. */
	with(extra: {
		readonly input?: string;
		readonly environment?: Readonly<Record<string, string>>;
	}): Dos["run"];
	/** Runs with `--json` and gives the document; throws when it did not end with 0. */
	// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks at.
	json(...words: readonly string[]): Promise<any>;
	/** Begins a command, and leaves it running. */
	launch(
		...words: readonly string[]
	): Pick<Serving, "process" | "ended" | "said">;
	/** Starts a server on a free port and waits until it listens. */
	serve(...words: readonly string[]): Promise<Serving>;
	/** Ends what runs still, and removes the home. */
	close(): Promise<void>;
}

export interface Ended {
	readonly code: number | null;
	readonly out: string;
	readonly error: string;
}

export interface Serving {
	readonly url: string;
	readonly process: ChildProcessWithoutNullStreams;
	readonly ended: Promise<Ended>;
	said(): string;
}

const program = fileURLToPath(new URL("../../bin/dos.mjs", import.meta.url));

export function openDos(
	options: {
		/** Where the home's folder is made: the system's own place for temporary files, unless told otherwise. */
		readonly within?: string;
		/** More in the environment of every process. */
		readonly environment?: Readonly<Record<string, string>>;
	} = {},
): Dos {
	const folder = mkdtempSync(join(options.within ?? tmpdir(), "dos-e2e-"));
	const home = join(folder, "home");
	const running = new Set<ChildProcessWithoutNullStreams>();
	// A test process that ends before its time leaves no server behind.
	const killAll = (): void => {
		for (const child of running) child.kill("SIGKILL");
	};
	process.once("exit", killAll);

	function launch(
		words: readonly string[],
		environment: Readonly<Record<string, string>> = {},
	) {
		const child = spawn(process.execPath, [program, ...words], {
			cwd: folder,
			// Nothing of the developer's own: no vendor's key, no colour, no other home.
			env: {
				PATH: process.env.PATH ?? "",
				// Hundreds of processes of the same program: what each would compile anew is kept, as it is for its user.
				XDG_CACHE_HOME: process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
				HOME: folder,
				DOS_HOME: home,
				...options.environment,
				...environment,
			},
		});
		running.add(child);
		let out = "";
		let error = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			out += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			error += text;
		});
		const ended = new Promise<Ended>((resolve) => {
			child.on("close", (code) => {
				running.delete(child);
				resolve({ code, out, error });
			});
		});
		return { child, ended, said: () => out + error };
	}

	const withExtra: Dos["with"] =
		({ input = "", environment = {} }) =>
		(...words) => {
			const { child, ended } = launch(words, environment);
			child.stdin.on("error", () => {});
			child.stdin.end(input);
			return ended;
		};

	return {
		home,
		run: withExtra({}),
		with: withExtra,
		async json(...words) {
			const ended = await withExtra({})(...words, "--json");
			if (ended.code !== 0)
				throw new Error(
					`dos ${words.join(" ")} ended with ${ended.code}: ${ended.error}`,
				);
			return JSON.parse(ended.out);
		},
		launch(...words) {
			const { child, ended, said } = launch(words);
			return { process: child, ended, said };
		},
		async serve(...words) {
			const { child, ended, said } = launch(["start", "--port", "0", ...words]);
			for (let tries = 0; !said().includes("Stop with Ctrl-C."); tries++) {
				if (tries > 400 || child.exitCode !== null)
					throw new Error(`The server did not start: ${said()}`);
				await new Promise((resolve) => setTimeout(resolve, 25));
			}
			const { url } = JSON.parse(
				readFileSync(join(home, "server.json"), "utf8"),
			) as { url: string };
			return { url, process: child, ended, said };
		},
		async close() {
			await Promise.all(
				[...running].map(async (child) => {
					const closed = new Promise((resolve) => child.on("close", resolve));
					child.kill("SIGKILL");
					await closed;
				}),
			);
			process.off("exit", killAll);
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
