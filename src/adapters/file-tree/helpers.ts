import { dirname } from "node:path";
import type { Worker } from "node:worker_threads";

/** Where the program is published it is compiled, and so is this. */
const workerFile = new URL(
	new URL("./batch-worker.ts", import.meta.url).href.replace(
		/\.ts$/,
		/\.[a-z]+$/.exec(import.meta.url)?.[0] ?? ".ts",
	),
);

const mostHelpers = 3;

/** Below this many looks a thread costs more than it brings. */
export const leastLooks = 12_000;

/**
 * Megabytes that a thread may fill before it looks for what is no longer needed. Paths make much that is,
 * and looking is all that a run over unchanged files does; one that reads has other things to keep in memory.
 */
export const youngForLooks = 6;
export const youngForReads = 3;

/** The threads beside this process's first. They take one job after the other, whoever asks. */
const hired: Worker[] = [];

/**
 * Threads that help, as many as pay on this machine, or `wanted`; a first call starts them. They start on their
 * own time: nobody waits for them.
 */
export function hireHelpers(young: number, wanted?: number): readonly Worker[] {
	const { availableParallelism } = process.getBuiltinModule("node:os");
	const many = wanted ?? Math.min(mostHelpers, availableParallelism() - 1);
	const { Worker: Thread } = process.getBuiltinModule("node:worker_threads");
	try {
		while (hired.length < many) {
			const worker = new Thread(workerFile, {
				env: environment(),
				resourceLimits: { maxYoungGenerationSizeMb: young },
			});
			// One that cannot start or go on takes no unit, and what it took is looked at by the asker.
			worker.on("error", () => {});
			worker.on("exit", () => hired.splice(hired.indexOf(worker), 1));
			worker.unref();
			hired.push(worker);
		}
	} catch {
		// Threads may be forbidden here: then this one does it all.
	}
	return hired.slice(0, many);
}

/** Before anything is loaded that could say how many: for a run that will look at many files. */
export function hireForLooks(): void {
	hireHelpers(youngForLooks);
}

/** A thread takes what is kept of compiled code where its environment says, not where its program does. */
function environment(): NodeJS.ProcessEnv {
	const { getCompileCacheDir } = process.getBuiltinModule("node:module");
	const folder = getCompileCacheDir?.();
	return folder
		? { ...process.env, NODE_COMPILE_CACHE: dirname(folder) }
		: process.env;
}
