import * as fs from "node:fs";
import { dirname } from "node:path";
import type { Worker } from "node:worker_threads";
import {
	type Batch,
	eachFile,
	eachInBlock,
	type FileTree,
	filesOf,
	type Listing,
	type Look,
	looksFor,
	lookWidth,
} from "../../ports/file-tree.ts";
import { openForReading, openReader } from "./reader.ts";

/** Where the program is published it is compiled, and so is this. */
const workerFile = new URL(
	new URL("./batch-worker.ts", import.meta.url).href.replace(
		/\.ts$/,
		/\.[a-z]+$/.exec(import.meta.url)?.[0] ?? ".ts",
	),
);

/** What the threads of a batch share. Whoever is free takes the next unit of it. */
export interface Job {
	readonly task: Looking | Reading;
	/** The next unit, a pulse, then 1 for each unit that is done. */
	readonly shared: Int32Array;
}

/** A unit is a block of a listing. */
interface Looking {
	readonly kind: "look";
	readonly listings: readonly Listing[];
	readonly looks: readonly Float64Array[];
}

/** A unit is a block of a batch. */
interface Reading {
	readonly kind: "read";
	readonly batch: Batch;
	readonly looks: Float64Array;
	readonly hashes: Uint8Array;
	readonly mark: Look | undefined;
}

const nextUnit = 0;
const pulse = 1;
const firstUnit = 2;

/** Below this many entries a thread costs more than it brings. */
const leastLooks = 12_000;
const leastReads = 3_000;
const mostHelpers = 3;

/**
 * Megabytes that a thread may fill before it looks for what is no longer needed. Paths make much that is,
 * and looking is all that a run over unchanged files does; one that reads has other things to keep in memory.
 */
const youngForLooks = 16;
const youngForReads = 3;

/** Looks and reads in this thread, and in others beside it when there is enough to do; `helpers` forces how many. */
export function openBatches(helpers?: number): Pick<
	FileTree,
	"lookAll" | "digestAll" | "expect"
> & {
	/** Told of files that were listed and will probably be read: when they are many, helpers start meanwhile. */
	listed(files: number): void;
} {
	const workers: Worker[] = [];
	let filesListed = 0;

	/** Whether others help with so many entries. They start on their own time: nobody waits for them. */
	function employ(count: number, least: number, young: number): boolean {
		if (helpers === undefined && count < least) return false;
		const { availableParallelism } = process.getBuiltinModule("node:os");
		const wanted = helpers ?? Math.min(mostHelpers, availableParallelism() - 1);
		const { Worker: Thread } = process.getBuiltinModule("node:worker_threads");
		try {
			while (workers.length < wanted) {
				const worker = new Thread(workerFile, {
					env: environment(),
					resourceLimits: { maxYoungGenerationSizeMb: young },
				});
				// One that cannot start or go on takes no unit, and what it took is looked at by the asker.
				worker.on("error", () => {});
				worker.unref();
				workers.push(worker);
			}
		} catch {
			// Threads may be forbidden here: then this one does it all.
		}
		return wanted > 0 && workers.length > 0;
	}

	/** Works along with everybody until the last unit is done; gives the units that never were. */
	function run(
		task: Looking | Reading,
		units: number,
		isShared: boolean,
		visit: Visit,
		taken?: (units: number) => void,
	): readonly number[] {
		const shared = new Int32Array(memory((firstUnit + units) * 4, isShared));
		if (isShared)
			for (const worker of workers)
				worker.postMessage({ task, shared } satisfies Job);
		takeUnits(shared, visit, taken);
		return lostUnits(shared, units);
	}

	return {
		listed(files) {
			const before = filesListed;
			filesListed += files;
			// Once: whoever has looked already has its helpers.
			if (before < leastReads && filesListed >= leastReads)
				employ(filesListed, leastReads, youngForReads);
		},
		expect(looks) {
			employ(looks, leastLooks, youngForLooks);
		},
		lookAll(listings, looked) {
			let count = 0;
			let units = 0;
			for (const listing of listings) {
				count += listing.starts.length + listing.count;
				units += listing.blocks.length;
			}
			const isShared = employ(count, leastLooks, youngForLooks);
			const task: Looking = {
				kind: "look",
				listings,
				looks: listings.map((listing) => looksFor(listing, isShared)),
			};
			const lost = run(task, units, isShared, openLooking(task), (taken) =>
				looked?.(Math.round((count / units) * taken)),
			);
			if (lost.length === 0) return task.looks;
			// Late answers may still come in: what is given away is not theirs to change.
			const own = { ...task, looks: task.looks.map((looks) => looks.slice()) };
			const forget = openLooking(own, (looks, index) =>
				looks.fill(0, index * lookWidth, (index + 1) * lookWidth),
			);
			for (const unit of lost) forget(unit, () => {});
			return own.looks;
		},
		digestAll(batch, mark) {
			const { count, blocks } = batch;
			const isShared = employ(count, leastReads, youngForReads);
			const task: Reading = {
				kind: "read",
				batch,
				mark,
				looks: new Float64Array(memory(count * lookWidth * 8, isShared)),
				hashes: new Uint8Array(memory(count * 32, isShared)),
			};
			const lost = run(task, blocks.length, isShared, openReading(task));
			if (lost.length === 0) return task;
			const looks = task.looks.slice();
			for (const block of lost) {
				const { from, to } = filesOf(batch, block);
				looks.fill(0, from * lookWidth, to * lookWidth);
			}
			return { looks, hashes: task.hashes.slice() };
		},
	};
}

/** A thread takes what is kept of compiled code where its environment says, not where its program does. */
function environment(): NodeJS.ProcessEnv {
	const { getCompileCacheDir } = process.getBuiltinModule("node:module");
	const folder = getCompileCacheDir?.();
	return folder
		? { ...process.env, NODE_COMPILE_CACHE: dirname(folder) }
		: process.env;
}

function memory(bytes: number, isShared: boolean): ArrayBuffer {
	// Both are the same to a typed array.
	return isShared
		? (new SharedArrayBuffer(bytes) as unknown as ArrayBuffer)
		: new ArrayBuffer(bytes);
}

/** Takes part in a job of another thread. */
export function help({ task, shared }: Job): void {
	takeUnits(
		shared,
		task.kind === "look" ? openLooking(task) : openReading(task),
	);
}

/** Does one unit; `beat` tells, within a long one, that it is under way. */
type Visit = (unit: number, beat: () => void) => void;

function takeUnits(
	shared: Int32Array,
	visit: Visit,
	taken?: (units: number) => void,
): void {
	const beat = () => {
		Atomics.add(shared, pulse, 1);
		Atomics.notify(shared, pulse);
	};
	for (;;) {
		const unit = Atomics.add(shared, nextUnit, 1);
		if (firstUnit + unit >= shared.length) return;
		visit(unit, beat);
		Atomics.store(shared, firstUnit + unit, 1);
		beat();
		taken?.(unit + 1);
	}
}

/** Waits for the units that others took; those whose taker gives no sign for so many milliseconds are lost. */
export function lostUnits(
	shared: Int32Array,
	units: number,
	patience = 10_000,
): readonly number[] {
	const isDone = (unit: number) => Atomics.load(shared, firstUnit + unit) === 1;
	for (let unit = 0; unit < units; unit++)
		while (!isDone(unit)) {
			const seen = Atomics.load(shared, pulse);
			if (isDone(unit)) break;
			if (Atomics.wait(shared, pulse, seen, patience) === "timed-out")
				return Array.from({ length: units }, (_, at) => at).filter(
					(at) => !isDone(at),
				);
		}
	return [];
}

/** What could not be looked at stays unknown, as promised: whoever needs it looks alone and learns why. */
function attempt(path: string, work: (path: string) => void): void {
	// Names that are no UTF-8 need more care than this.
	if (!path.isWellFormed()) return;
	try {
		work(path);
	} catch {}
}

const quietly = { throwIfNoEntry: false } as const;

function openLooking(
	{ listings, looks }: Looking,
	visit: (looks: Float64Array, index: number, path: string) => void = lookInto,
): Visit {
	const short = shortening();
	return (unit) => {
		let block = unit;
		let at = 0;
		for (; block >= (listings[at] as Listing).blocks.length; at++)
			block -= (listings[at] as Listing).blocks.length;
		const listing = listings[at] as Listing;
		const into = looks[at] as Float64Array;
		eachInBlock(listing, block, short(listing.root), (path, index) => {
			visit(into, index, path);
		});
	};
}

function lookInto(looks: Float64Array, index: number, path: string): void {
	attempt(path, (known) => {
		const stats = fs.lstatSync(known, quietly);
		if (stats) put(looks, index, stats);
	});
}

function openReading({ batch, looks, hashes, mark }: Reading): Visit {
	const short = shortening();
	const reader = openReader();
	const read = (file: number, index: number, beat: () => void): void => {
		let before: fs.Stats | undefined;
		for (let attempts = 0; attempts < 2; attempts++) {
			const { hash, length } = reader(file, beat);
			const after = fs.fstatSync(file);
			if (!after.isFile() || length !== after.size) return;
			const heldStill = before
				? before.mtimeMs === after.mtimeMs && before.ctimeMs === after.ctimeMs
				: // Whatever changed while we read would be younger than the mark.
					mark !== undefined &&
					after.dev === mark.device &&
					after.ctimeMs < mark.modified;
			if (heldStill) {
				put(looks, index, after);
				hashes.set(hash, index * 32);
				return;
			}
			before = after;
		}
	};
	return (unit, beat) =>
		eachFile(batch, unit, (folder, name, index) =>
			attempt(`${short(folder)}/${name}`, (path) => {
				const file = fs.openSync(path, openForReading);
				try {
					read(file, index, beat);
				} finally {
					fs.closeSync(file);
				}
			}),
		);
}

function put(looks: Float64Array, index: number, stats: fs.Stats): void {
	const at = index * lookWidth;
	looks[at] = stats.mode;
	looks[at + 1] = stats.size;
	looks[at + 2] = stats.mtimeMs;
	looks[at + 3] = stats.ctimeMs;
	looks[at + 4] = stats.ino;
	looks[at + 5] = stats.dev;
}

/** From here, where that is shorter: the system walks every name of a path, every time. */
function shortening(): (path: string) => string {
	const here = `${process.cwd()}/`;
	return (path) => {
		const short = path.startsWith(here) ? path.slice(here.length) : path;
		return short === "" ? path : short;
	};
}
