import { spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastWords } from "../lib/process.ts";

/** Where peers are installed, and kept between runs. Delete it whenever you like. */
export const peersFolder: string = join(tmpdir(), "dos-bench-peers");

/**
 * A folder with a peer in it: `fill` is called when it is not there yet, in an empty folder. What
 * was broken off is begun anew.
 */
export async function installed(
	name: string,
	fill: (folder: string) => Promise<void>,
): Promise<string> {
	const folder = join(peersFolder, name);
	const mark = join(folder, "installed");
	if (existsSync(mark)) return folder;
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	await fill(folder);
	writeFileSync(mark, "");
	return folder;
}

/** Runs a command to its end. Rejects with what it said last when it fails, or takes longer than ten minutes. */
export function run(
	command: string,
	args: readonly string[],
	options: {
		readonly folder: string;
		readonly env?: Readonly<Record<string, string>>;
	},
): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, {
			cwd: options.folder,
			env: { ...process.env, ...options.env },
			stdio: ["ignore", "pipe", "pipe"],
			timeout: 600_000,
		});
		let said = "";
		for (const stream of [child.stdout, child.stderr])
			stream.on("data", (bytes: Buffer) => {
				said = (said + bytes).slice(-4_000);
			});
		child.once("error", (fault) =>
			reject(new Error(`${command} cannot be started: ${fault.message}.`)),
		);
		child.once("close", (code) => {
			if (code === 0) resolve(said);
			else
				reject(
					new Error(
						`${command} ${args[0]} ended with ${code}: ${lastWords(said)}`,
					),
				);
		});
	});
}

/** A port of this machine that nobody listens on now, for programs that cannot choose one and say it. */
export function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			const port = address && typeof address === "object" ? address.port : 0;
			server.close(() => resolve(port));
		});
	});
}
