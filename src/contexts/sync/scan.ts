import { Fault } from "../../kernel/outcome.ts";
import { type FileTree, kindOf, type Look } from "../../ports/file-tree.ts";
import { escapeName, unescapeName } from "./path.ts";

/**
 * What stood under one root, folder by folder in order, in flat arrays: a run over a hundred thousand
 * files that did not change makes no object for any of them. A list of single files is a scan too, with
 * one folder whose names are whole paths.
 */
export interface Scan {
	/** Says what was scanned and what was left out, so that another question gets another answer. */
	readonly key: string;
	/** Relative to the root, each before what is in it; the root itself is "". */
	readonly folders: string[];
	/** For each folder: its first entry, and the first folder after it that is not in it. */
	readonly starts: number[];
	readonly ends: number[];
	readonly folderNumbers: Numbers;
	/** Everything that is no folder, in order of folders, then of names. */
	readonly names: string[];
	readonly numbers: Numbers;
	/** SHA-256 in hex; "" where it is not known. */
	readonly hashes: string[];
	/** Why a folder or a name could not be looked at, by relative path. */
	readonly problems: Map<string, string>;
}

/** Looks, six integers each. */
export interface Numbers {
	values: BigInt64Array;
	length: number;
}

const width = 6;

export function emptyScan(key: string): Scan {
	return {
		key,
		folders: [],
		starts: [],
		ends: [],
		folderNumbers: { values: new BigInt64Array(width * 16), length: 0 },
		names: [],
		numbers: { values: new BigInt64Array(width * 64), length: 0 },
		hashes: [],
		problems: new Map(),
	};
}

export function lookAt({ values }: Numbers, index: number): Look {
	const at = index * width;
	return {
		mode: Number(values[at]),
		size: values[at + 1] as bigint,
		modified: values[at + 2] as bigint,
		changed: values[at + 3] as bigint,
		inode: values[at + 4] as bigint,
		device: values[at + 5] as bigint,
	};
}

export function modeAt({ values }: Numbers, index: number): number {
	return Number(values[index * width]);
}

/** Whether two entries are one file. */
export function isSameFile(
	left: Numbers,
	leftIndex: number,
	right: Numbers,
	rightIndex: number,
): boolean {
	const l = leftIndex * width;
	const r = rightIndex * width;
	return (
		left.values[l + 4] === right.values[r + 4] &&
		left.values[l + 5] === right.values[r + 5]
	);
}

export function push(numbers: Numbers, look: Look): void {
	const at = numbers.length * width;
	if (at + width > numbers.values.length) {
		const larger = new BigInt64Array(numbers.values.length * 2);
		larger.set(numbers.values);
		numbers.values = larger;
	}
	numbers.length++;
	put(numbers, numbers.length - 1, look);
}

export function put({ values }: Numbers, index: number, look: Look): void {
	const at = index * width;
	values[at] = BigInt(look.mode);
	values[at + 1] = look.size;
	values[at + 2] = look.modified;
	values[at + 3] = look.changed;
	values[at + 4] = look.inode;
	values[at + 5] = look.device;
}

/** Whether nothing about it changed since. */
export function isUnchanged(
	{ values }: Numbers,
	index: number,
	look: Look,
): boolean {
	const at = index * width;
	return (
		values[at + 2] === look.modified &&
		values[at + 3] === look.changed &&
		values[at + 1] === look.size &&
		values[at + 4] === look.inode &&
		values[at + 5] === look.device &&
		Number(values[at]) === look.mode
	);
}

export interface ScanOptions {
	readonly tree: FileTree;
	readonly root: string;
	readonly key: string;
	/** Of relative paths: what is left out, folders with everything in them. */
	readonly leavesOut: (path: string, isFolder: boolean) => boolean;
	readonly previous: Scan | undefined;
	/** Told before the first thing is read anew: from then on, what is found is newer than the cache. */
	readonly fresh: () => void;
	/** Told of every entry. */
	readonly seen: () => void;
}

/** Names that no comparison wants: what tools keep for themselves, and what a fix leaves while it works. */
export function isPrivate(name: string): boolean {
	return (
		name === ".git" ||
		name === "node_modules" ||
		name === ".dos-sync" ||
		(name.startsWith(".dos-sync-") && name.endsWith(".tmp")) ||
		name.endsWith(".dos-merge")
	);
}

/**
 * Looks at everything under a root. A folder whose own look did not change has the names it had, and a
 * file whose look did not change the hash it had; the cache holds neither for what was too young to tell.
 */
export function scanTree(options: ScanOptions): Scan {
	const { tree, root, previous, leavesOut, fresh, seen } = options;
	const scan = emptyScan(options.key);

	function visit(folder: string, before: number): void {
		const path = folder === "" ? root : `${root}/${folder}`;
		const index = scan.folders.length;
		let look: Look | undefined;
		try {
			// The root may be reached through a link; what is in it may not be left through one.
			look = folder === "" ? tree.lookThrough(path) : tree.look(path);
		} catch (thrown) {
			scan.problems.set(folder, reasonOf(thrown));
		}
		if (!look || kindOf(look.mode) !== "folder") return;
		scan.folders.push(folder);
		scan.starts.push(scan.names.length);
		scan.ends.push(index + 1);
		push(scan.folderNumbers, look);
		const prefix = folder === "" ? "" : `${folder}/`;

		if (
			previous &&
			before >= 0 &&
			isUnchanged(previous.folderNumbers, before, look)
		) {
			const last = endOfEntries(previous, before);
			for (let at = previous.starts[before] as number; at < last; at++)
				enter(prefix, path, previous.names[at] as string, at);
			const end = previous.ends[before] as number;
			for (let child = before + 1; child < end; ) {
				visit(previous.folders[child] as string, child);
				child = previous.ends[child] as number;
			}
		} else {
			fresh();
			const folders: string[] = [];
			let at =
				before >= 0 && previous ? (previous.starts[before] as number) : 0;
			const last = before >= 0 && previous ? endOfEntries(previous, before) : 0;
			try {
				for (const { name, kind } of tree.list(path)) {
					if (isPrivate(name)) continue;
					const relative = prefix + name;
					if (leavesOut(relative, kind === "folder")) continue;
					if (kind === "folder") {
						folders.push(relative);
						continue;
					}
					while (at < last && (previous?.names[at] as string) < name) at++;
					enter(
						prefix,
						path,
						name,
						at < last && previous?.names[at] === name ? at : -1,
					);
				}
			} catch (thrown) {
				scan.problems.set(folder, reasonOf(thrown));
				// Names that could not be read are not remembered as none.
				put(scan.folderNumbers, index, unseen);
			}
			const known = new Map<string, number>();
			if (previous && before >= 0)
				for (
					let child = before + 1;
					child < (previous.ends[before] as number);
					child = previous.ends[child] as number
				)
					known.set(previous.folders[child] as string, child);
			for (const child of folders) visit(child, known.get(child) ?? -1);
		}
		scan.ends[index] = scan.folders.length;
	}

	function enter(
		prefix: string,
		folder: string,
		name: string,
		before: number,
	): void {
		seen();
		let look: Look | undefined;
		try {
			look = tree.look(`${folder}/${name}`);
		} catch (thrown) {
			scan.problems.set(prefix + name, reasonOf(thrown));
			look = unseen;
		}
		// Gone since it was listed: then it is not there.
		if (!look) return;
		scan.names.push(name);
		push(scan.numbers, look);
		scan.hashes.push(
			previous && before >= 0 && isUnchanged(previous.numbers, before, look)
				? (previous.hashes[before] as string)
				: "",
		);
	}

	visit("", previous && previous.folders.length > 0 ? 0 : -1);
	return scan;
}

/** Stands in for the look that could not be taken; the row says why. */
const unseen: Look = {
	mode: 0,
	size: 0n,
	modified: 0n,
	changed: 0n,
	inode: 0n,
	device: 0n,
};

export function endOfEntries(scan: Scan, folder: number): number {
	return folder + 1 < scan.starts.length
		? (scan.starts[folder + 1] as number)
		: scan.names.length;
}

export function reasonOf(thrown: unknown): string {
	if (thrown instanceof Fault) return thrown.message;
	throw thrown;
}

// ---- the cache file: what is remembered of looks. It can be deleted at any time.

export interface StatCache {
	/** The look of the state file that was written with it. */
	readonly stateLook: string;
	readonly scans: ReadonlyMap<string, Scan>;
}

const magic = 0x646f_7373_796e_6334n;

/** Magic, count of numbers, checksum. */
const head = 24;

/** Tells a cache that a power cut left in part from a whole one; it guards against nobody's malice. */
function checksum(bytes: Uint8Array): number {
	const words = new Int32Array(
		bytes.buffer,
		bytes.byteOffset + head,
		(bytes.length - head) >> 2,
	);
	let sum = words.length;
	for (let at = 0; at < words.length; at++)
		sum = (Math.imul(sum, 31) + (words[at] as number)) | 0;
	return sum;
}

/**
 * A look that is not older than the moment of reading may hide a second change in the same tick of the
 * clock: then neither the hash nor the names are kept, and the next run reads again. `now` is the file
 * system's own time from before anything was read. File systems that keep whole seconds, and devices
 * whose clock may be another, get two seconds more.
 */
export function isYoung(
	look: {
		readonly modified: bigint;
		readonly changed: bigint;
		readonly device: bigint;
	},
	now: { readonly modified: bigint; readonly device: bigint },
): boolean {
	// biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint.
	const youngest = look.modified > look.changed ? look.modified : look.changed;
	const coarse =
		look.device !== now.device || look.modified % 1_000_000n === 0n;
	return youngest >= now.modified - (coarse ? 2_000_000_000n : 0n);
}

export function writeCache(
	cache: StatCache,
	now: Look,
	encode: (text: string) => Uint8Array,
): Uint8Array {
	const lines: string[] = [];
	const header: unknown[] = [];
	let count = 0;
	for (const scan of cache.scans.values()) {
		header.push([scan.key, scan.folders.length, scan.names.length]);
		count += scan.folders.length * (width + 2) + scan.names.length * width;
	}
	const numbers = new BigInt64Array(count);
	let at = 0;
	for (const scan of cache.scans.values()) {
		for (const [index, folder] of scan.folders.entries()) {
			lines.push(escapeName(folder));
			numbers.set(
				scan.folderNumbers.values.subarray(index * width, (index + 1) * width),
				at,
			);
			// A look that fits nothing: the folder is listed again.
			if (isYoung(lookAt(scan.folderNumbers, index), now))
				numbers[at + 2] = -1n;
			numbers[at + width] = BigInt(scan.starts[index] as number);
			numbers[at + width + 1] = BigInt(scan.ends[index] as number);
			at += width + 2;
		}
		numbers.set(scan.numbers.values.subarray(0, scan.names.length * width), at);
		at += scan.names.length * width;
		const { values } = scan.numbers;
		for (let index = 0; index < scan.names.length; index++) {
			const hash = scan.hashes[index] as string;
			const young =
				hash !== "" &&
				isYoung(
					{
						modified: values[index * width + 2] as bigint,
						changed: values[index * width + 3] as bigint,
						device: values[index * width + 5] as bigint,
					},
					now,
				);
			lines.push(
				`${young ? "" : hash}\t${escapeName(scan.names[index] as string)}`,
			);
		}
	}
	lines.unshift(JSON.stringify({ stateLook: cache.stateLook, scans: header }));
	// The last line says that it is the last, as line breaks fill up what follows.
	lines.push(".");
	const text = encode(lines.join("\n"));
	// A whole number of words, so that the checksum sees every byte.
	const start = head + numbers.byteLength;
	const bytes = new Uint8Array(start + Math.ceil(text.length / 8) * 8).fill(10);
	bytes.set(new Uint8Array(numbers.buffer), head);
	bytes.set(text, start);
	new BigInt64Array(bytes.buffer, 0, 3).set([
		magic,
		BigInt(count),
		BigInt(checksum(bytes)),
	]);
	return bytes;
}

/** Undefined for anything that is not wholly a cache of ours. */
export function readCache(
	bytes: Uint8Array,
	decode: (bytes: Uint8Array) => string,
): StatCache | undefined {
	if (bytes.length < head || bytes.length % 8 !== 0) return undefined;
	const buffer = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
	const [found, count, sum] = new BigInt64Array(
		buffer.buffer,
		buffer.byteOffset,
		3,
	);
	const total = Number(count);
	if (found !== magic || total < 0 || head + total * 8 > buffer.length)
		return undefined;
	if (sum !== BigInt(checksum(buffer))) return undefined;
	const numbers = new BigInt64Array(
		buffer.buffer,
		buffer.byteOffset + head,
		total,
	);
	let end = buffer.length;
	while (end > head + total * 8 && buffer[end - 1] === 10) end--;
	const lines = decode(buffer.subarray(head + total * 8, end)).split("\n");
	try {
		const header = JSON.parse(lines[0] as string) as {
			stateLook: string;
			scans: [string, number, number][];
		};
		const scans = new Map<string, Scan>();
		let line = 1;
		let at = 0;
		for (const [key, folders, entries] of header.scans) {
			const scan = emptyScan(key);
			scan.folderNumbers.values = new BigInt64Array((folders + 1) * width);
			scan.folderNumbers.length = folders;
			for (let index = 0; index < folders; index++) {
				scan.folders.push(unescapeName(lines[line++] as string));
				scan.folderNumbers.values.set(
					numbers.subarray(at, at + width),
					index * width,
				);
				scan.starts.push(Number(numbers[at + width]));
				scan.ends.push(Number(numbers[at + width + 1]));
				at += width + 2;
			}
			// A view, not a copy: a cache is read and then left as it is.
			scan.numbers.values = numbers.subarray(at, at + entries * width);
			scan.numbers.length = entries;
			at += entries * width;
			for (let index = 0; index < entries; index++) {
				const text = lines[line++] as string;
				const tab = text.charCodeAt(0) === 9 ? 0 : 64;
				scan.hashes.push(tab === 0 ? "" : text.slice(0, 64));
				scan.names.push(unescapeName(text.slice(tab + 1)));
			}
			scans.set(key, scan);
		}
		return line === lines.length - 1 && at === total
			? { stateLook: header.stateLook, scans }
			: undefined;
	} catch {
		return undefined;
	}
}
