import * as fs from "node:fs";
import type { Worker } from "node:worker_threads";
import {
	type Batch,
	blockLength,
	eachFile,
	eachInBlock,
	type FileTree,
	filesOf,
	type Listing,
	type Look,
	looksFor,
	lookWidth,
} from "../../ports/file-tree.ts";
import {
	hireHelpers,
	leastLooks,
	youngForLooks,
	youngForReads,
} from "./helpers.ts";
import { openForReading, openReader } from "./reader.ts";

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

/** Below this many reads a thread costs more than it brings. */
const leastReads = 3_000;

/** Looks and reads in this thread, and in others beside it when there is enough to do; `helpers` forces how many. */
export function openBatches(helpers?: number): Pick<
	FileTree,
	"lookAll" | "digestAll" | "expect"
> & {
	/** Told of files that were listed and will probably be read: when they are many, helpers start meanwhile. */
	listed(files: number): void;
} {
	let workers: readonly Worker[] = [];
	let filesListed = 0;

	/** Whether others help with so many entries. */
	function employ(count: number, least: number, young: number): boolean {
		if (helpers === undefined && count < least) return false;
		workers = hireHelpers(young, helpers);
		return workers.length > 0;
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
			const own = task.looks.map((looks) => looks.slice());
			for (const unit of lost) {
				const { at, block } = blockOf(listings, unit);
				eachInBlock(listings[at] as Listing, block, "", (_, index) => {
					own[at]?.fill(0, index * lookWidth, (index + 1) * lookWidth);
				});
			}
			return own;
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

const quietly = { throwIfNoEntry: false } as const;

function openLooking({ listings, looks }: Looking): Visit {
	const short = shortening();
	return (unit) => {
		const { at, block } = blockOf(listings, unit);
		const listing = listings[at] as Listing;
		lookAtBlock(listing, block, short(listing.root), looks[at] as Float64Array);
	};
}

function blockOf(
	listings: readonly Listing[],
	unit: number,
): { readonly at: number; readonly block: number } {
	let block = unit;
	let at = 0;
	for (; block >= (listings[at] as Listing).blocks.length; at++)
		block -= (listings[at] as Listing).blocks.length;
	return { at, block };
}

/**
 * What `eachInBlock` calls back for, looked at in one loop: of a hundred thousand looks, callbacks are a tenth
 * of the time.
 */
function lookAtBlock(
	{ blocks, starts, count }: Listing,
	block: number,
	root: string,
	into: Float64Array,
): void {
	const text = blocks[block] as string;
	// Names that are no UTF-8 need more care than this.
	const isPlain = root.isWellFormed() && text.isWellFormed();
	const parts = text.split("\0");
	const last = Math.min(starts.length, (block + 1) * blockLength);
	let part = 0;
	for (let folder = block * blockLength; folder < last; folder++) {
		const below = parts[part++] as string;
		const path = below === "" ? root : `${root}/${below}`;
		let at = (starts[folder] as number) + folder;
		const end =
			folder + 1 < starts.length
				? (starts[folder + 1] as number) + folder
				: count + folder;
		if (isPlain || path.isWellFormed()) lookInto(into, at, path);
		for (const prefix = `${path}/`; at < end; ) {
			const name = prefix + parts[part++];
			at++;
			if (isPlain || name.isWellFormed()) lookInto(into, at, name);
		}
	}
}

/** What could not be looked at stays unknown, as promised: whoever needs it looks alone and learns why. */
function lookInto(looks: Float64Array, index: number, path: string): void {
	try {
		const stats = fs.lstatSync(path, quietly);
		if (stats) put(looks, index, stats);
	} catch {}
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
		eachFile(batch, unit, (folder, name, index) => {
			const path = `${short(folder)}/${name}`;
			if (!path.isWellFormed()) return;
			try {
				const file = fs.openSync(path, openForReading);
				try {
					read(file, index, beat);
				} finally {
					fs.closeSync(file);
				}
			} catch {}
		});
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
