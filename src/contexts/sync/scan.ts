import { Fault } from "../../kernel/outcome.ts";
import {
	blockLength,
	type FileTree,
	kindOf,
	type Listing,
	type Look,
	lookWidth,
	readLook,
	writeLook,
} from "../../ports/file-tree.ts";
import { parentOf } from "./path.ts";

/**
 * What stood under one root, folder by folder in order, in flat arrays: a run over a hundred thousand
 * files that did not change makes no object for any of them. A list of single files is a scan too, with
 * one folder whose names are whole paths.
 */
export interface Scan {
	/** Says what was scanned and what was left out, so that another question gets another answer. */
	readonly key: string;
	/**
	 * Relative to the root, each before what is in it; the root itself is "". Of a scan that was remembered,
	 * they and the names are taken apart only when somebody asks.
	 */
	readonly folders: string[];
	/** For each folder: its first entry, and the first folder after it that is not in it. */
	readonly starts: Indexes;
	readonly ends: Indexes;
	readonly folderLooks: Looks;
	/** Everything that is no folder, in order of folders, then of names. */
	readonly names: string[];
	/** Folders and names as a listing has them. */
	blocks(): readonly string[];
	/** A mode of 0: listed as a file, and not looked at yet. */
	readonly looks: Looks;
	readonly hashes: Hashes;
	/** Why a folder or a name could not be looked at, by relative path. */
	readonly problems: Map<string, string>;
}

/** An array of indexes, or what a cache holds of one. */
type Indexes = number[] | Int32Array;

/** Looks, as a batch gives them, in an array that grows. */
export interface Looks {
	values: Float64Array;
	length: number;
}

/** SHA-256, 32 bytes each; nothing but zeros where it is not known. */
export interface Hashes {
	values: Uint8Array;
	/** The same memory in words, to tell quickly whether two are equal. */
	words: Int32Array;
	/** Which of them were read in this run; undefined: none. */
	fresh: Uint8Array | undefined;
}

const words = 8;

/** A scan that is being made. */
export interface NewScan extends Scan {
	readonly starts: number[];
	readonly ends: number[];
}

export function emptyScan(key: string): NewScan {
	let blocks: readonly string[] | undefined;
	const scan: NewScan = {
		key,
		folders: [],
		starts: [],
		ends: [],
		folderLooks: { values: new Float64Array(lookWidth * 16), length: 0 },
		names: [],
		blocks: () => {
			blocks ??= joinBlocks(scan);
			return blocks;
		},
		looks: { values: new Float64Array(lookWidth * 64), length: 0 },
		hashes: hashesIn(new Uint8Array(64 * 32)),
		problems: new Map(),
	};
	return scan;
}

/** Asked for when a scan is complete. */
function joinBlocks({ folders, starts, names }: Scan): readonly string[] {
	const blocks: string[] = [];
	let parts: string[] = [];
	for (let folder = 0; folder < folders.length; folder++) {
		parts.push(folders[folder] as string);
		const end =
			folder + 1 < folders.length
				? (starts[folder + 1] as number)
				: names.length;
		for (let at = starts[folder] as number; at < end; at++)
			parts.push(names[at] as string);
		if ((folder + 1) % blockLength !== 0 && folder + 1 < folders.length)
			continue;
		blocks.push(parts.join("\0"));
		parts = [];
	}
	return blocks;
}

function rememberedScan(
	key: string,
	blocks: readonly string[],
	view: ReturnType<typeof viewAt>,
): Scan {
	let parts: { folders: string[]; names: string[] } | undefined;
	const split = () => {
		if (parts) return parts;
		parts = { folders: [], names: [] };
		const all = blocks.flatMap((block) => block.split("\0"));
		const { starts } = view;
		for (let folder = 0, at = 0; folder < starts.length; folder++) {
			parts.folders.push(all[at++] as string);
			const end = folder + 1 < starts.length ? starts[folder + 1] : view.count;
			while (parts.names.length < (end as number))
				parts.names.push(all[at++] as string);
		}
		return parts;
	};
	return {
		key,
		get folders() {
			return split().folders;
		},
		get names() {
			return split().names;
		},
		blocks: () => blocks,
		starts: view.starts,
		ends: view.ends,
		// Views, not copies: a cache is read and then left as it is.
		folderLooks: { values: view.folderLooks, length: view.starts.length },
		looks: { values: view.looks, length: view.count },
		hashes: hashesIn(view.hashes),
		problems: new Map(),
	};
}

function hashesIn(values: Uint8Array): Hashes {
	return {
		values,
		words: new Int32Array(values.buffer, values.byteOffset, values.length >> 2),
		fresh: undefined,
	};
}

export function modeAt({ values }: Looks, index: number): number {
	return values[index * lookWidth] as number;
}

export function lookOf({ values }: Looks, index: number): Look {
	return readLook(values, index);
}

/** Whether two entries may be one file; only the tree can say for sure. */
export function mayBeOneFile(
	left: Looks,
	leftIndex: number,
	right: Looks,
	rightIndex: number,
): boolean {
	const l = leftIndex * lookWidth;
	const r = rightIndex * lookWidth;
	return (
		left.values[l + 4] === right.values[r + 4] &&
		left.values[l + 5] === right.values[r + 5]
	);
}

function push(looks: Looks, look: Look): void {
	const at = looks.length * lookWidth;
	if (at + lookWidth > looks.values.length) {
		const larger = new Float64Array(looks.values.length * 2);
		larger.set(looks.values);
		looks.values = larger;
	}
	looks.length++;
	writeLook(looks.values, looks.length - 1, look);
}

export function put({ values }: Looks, index: number, look: Look): void {
	writeLook(values, index, look);
}

/** Adds an entry; its hash is that of entry `before` of an earlier scan, where nothing changed since. */
export function enter(
	scan: Scan,
	name: string,
	look: Look,
	previous: Scan | undefined,
	before: number,
): number {
	const index = scan.names.length;
	scan.names.push(name);
	push(scan.looks, look);
	const { hashes } = scan;
	if ((index + 1) * 32 > hashes.values.length) {
		const larger = new Uint8Array(hashes.values.length * 2);
		larger.set(hashes.values);
		Object.assign(hashes, hashesIn(larger));
	}
	if (previous && before >= 0 && isUnchanged(previous.looks, before, look))
		hashes.values.set(
			previous.hashes.values.subarray(before * 32, before * 32 + 32),
			index * 32,
		);
	return index;
}

export function hasHash({ words: all }: Hashes, index: number): boolean {
	// No digest begins with 64 zeros; one that did would be read again, and nothing worse.
	return all[index * words] !== 0 || all[index * words + 1] !== 0;
}

export function haveOneHash(
	left: Hashes,
	leftIndex: number,
	right: Hashes,
	rightIndex: number,
): boolean {
	const l = leftIndex * words;
	const r = rightIndex * words;
	for (let at = 0; at < words; at++)
		if (left.words[l + at] !== right.words[r + at]) return false;
	return hasHash(left, leftIndex);
}

export function setHash(
	scan: Scan,
	index: number,
	bytes: Uint8Array,
	from: number,
): void {
	const { hashes } = scan;
	hashes.values.set(bytes.subarray(from * 32, from * 32 + 32), index * 32);
	hashes.fresh ??= new Uint8Array(scan.looks.length);
	hashes.fresh[index] = 1;
}

const digits: number[] = new Array(64).fill(0);

/** In hex; "" when it is not known. */
export function hashAt(hashes: Hashes, index: number): string {
	if (!hasHash(hashes, index)) return "";
	for (let at = 0; at < 32; at++) {
		const byte = hashes.values[index * 32 + at] as number;
		digits[at * 2] = digit(byte >> 4);
		digits[at * 2 + 1] = digit(byte & 15);
	}
	return String.fromCharCode.apply(null, digits);
}

function digit(value: number): number {
	return value < 10 ? 48 + value : 87 + value;
}

/** Whether nothing about it changed since. */
export function isUnchanged(
	{ values }: Looks,
	index: number,
	look: Look,
): boolean {
	const at = index * lookWidth;
	return (
		values[at + 2] === look.modified &&
		values[at + 3] === look.changed &&
		values[at + 1] === look.size &&
		values[at + 4] === look.inode &&
		values[at + 5] === look.device &&
		values[at] === look.mode
	);
}

export interface ScanOptions {
	readonly tree: FileTree;
	readonly root: string;
	readonly key: string;
	/** Of relative paths: what is left out, folders with everything in them. */
	readonly leavesOut: (path: string, isFolder: boolean) => boolean;
	readonly previous: Scan | undefined;
	/** What `previous` looks like by now, as `lookAgain` found it. */
	readonly again: Float64Array | undefined;
	/** Whether files whose hash is not known may be left for a batch, which looks and reads in one. */
	readonly defers: boolean;
	/** Told before the first thing is read anew: from then on, what is found is newer than the cache. */
	readonly fresh: () => void;
	/** Told now and then how many names were found. */
	readonly listed?: (names: number) => void;
}

/** Names that no comparison wants: what tools keep for themselves, and what a fix, merge or undo of ours lays beside a file. */
export function isPrivate(name: string): boolean {
	return (
		name === ".git" ||
		name === "node_modules" ||
		name === ".dos-sync" ||
		(name.includes(".dos-") &&
			/^\.dos-sync-.*\.tmp$|\.dos-(merge|before)(-\d+)?$/s.test(name))
	);
}

/** Looks at everything that earlier scans found, all at once. */
export function lookAgain(
	tree: FileTree,
	scans: readonly { readonly root: string; readonly scan: Scan }[],
	looked?: (files: number) => void,
): ReadonlyMap<Scan, Float64Array> {
	if (scans.length === 0) return new Map();
	const looks = tree.lookAll(
		scans.map(
			({ root, scan }): Listing => ({
				root,
				blocks: scan.blocks(),
				starts: new Int32Array(scan.starts),
				count: scan.looks.length,
			}),
		),
		looked,
	);
	return new Map(
		scans.map(({ scan }, at) => [scan, looks[at] as Float64Array]),
	);
}

/**
 * Looks at everything under a root. A folder whose own look did not change has the names it had, and a
 * file whose look did not change the hash it had; the cache holds neither for what was too young to tell.
 */
export function scanTree(options: ScanOptions): Scan {
	const { tree, root, previous, again, leavesOut, fresh, defers } = options;
	let rootLook: Look | undefined;
	const scan = emptyScan(options.key);
	try {
		// The root may be reached through a link; what is in it may not be left through one.
		rootLook = tree.lookThrough(root);
	} catch (thrown) {
		scan.problems.set("", reasonOf(thrown));
	}
	if (!rootLook) return scan;
	if (previous && again && isAsBefore(previous, again, rootLook))
		return previous;

	const lookAtFolder = (path: string, before: number): Look | undefined => {
		const known = before < 0 ? undefined : previous;
		const seen =
			known && again
				? readLook(again, startOf(known, before) + before)
				: undefined;
		return seen && seen.mode !== 0 ? seen : tree.look(path);
	};

	function visit(folder: string, before: number): void {
		const path = folder === "" ? root : `${root}/${folder}`;
		const index = scan.folders.length;
		let look: Look | undefined;
		try {
			look = folder === "" ? rootLook : lookAtFolder(path, before);
		} catch (thrown) {
			scan.problems.set(folder, reasonOf(thrown));
		}
		if (!look || kindOf(look.mode) !== "folder") return;
		scan.folders.push(folder);
		scan.starts.push(scan.names.length);
		scan.ends.push(index + 1);
		push(scan.folderLooks, look);
		const prefix = folder === "" ? "" : `${folder}/`;

		if (
			previous &&
			before >= 0 &&
			isUnchanged(previous.folderLooks, before, look)
		) {
			const last = endOfEntries(previous, before);
			for (let at = startOf(previous, before); at < last; at++) {
				const seen = again && readLook(again, at + before + 1);
				const name = previous.names[at] as string;
				if (seen && seen.mode !== 0) enter(scan, name, seen, previous, at);
				else lookAndEnter(prefix, path, name, at);
			}
			const end = previous.ends[before] as number;
			for (let child = before + 1; child < end; ) {
				visit(previous.folders[child] as string, child);
				child = previous.ends[child] as number;
			}
		} else {
			fresh();
			const folders: string[] = [];
			let at = before >= 0 && previous ? startOf(previous, before) : 0;
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
					const known = at < last && previous?.names[at] === name;
					if (defers && kind === "file" && !known)
						enter(scan, name, unseen, undefined, -1);
					else lookAndEnter(prefix, path, name, known ? at : -1);
				}
			} catch (thrown) {
				scan.problems.set(folder, reasonOf(thrown));
				// Names that could not be read are not remembered as none.
				put(scan.folderLooks, index, unseen);
			}
			const known = new Map<string, number>();
			if (previous && before >= 0)
				for (
					let child = before + 1;
					child < (previous.ends[before] as number);
					child = previous.ends[child] as number
				)
					known.set(previous.folders[child] as string, child);
			options.listed?.(scan.names.length);
			for (const child of folders) visit(child, known.get(child) ?? -1);
		}
		scan.ends[index] = scan.folders.length;
	}

	function lookAndEnter(
		prefix: string,
		folder: string,
		name: string,
		before: number,
	): void {
		let look: Look | undefined;
		try {
			look = tree.look(`${folder}/${name}`);
		} catch (thrown) {
			scan.problems.set(prefix + name, reasonOf(thrown));
			look = unseen;
		}
		// Gone since it was listed: then it is not there.
		if (look) enter(scan, name, look, previous, before);
	}

	visit("", previous && previous.starts.length > 0 ? 0 : -1);
	return scan;
}

/** Whether not one look of a whole scan is another than it was. */
function isAsBefore(scan: Scan, again: Float64Array, rootLook: Look): boolean {
	if (scan.starts.length === 0 || !isUnchanged(scan.folderLooks, 0, rootLook))
		return false;
	const { starts, folderLooks, looks } = scan;
	for (let folder = 0; folder < starts.length; folder++) {
		const from = startOf(scan, folder);
		const to = endOfEntries(scan, folder);
		// The root was looked at through a link, if it is one.
		if (folder > 0 && !areSame(folderLooks, folder, again, from + folder, 1))
			return false;
		if (!areSame(looks, from, again, from + folder + 1, to - from))
			return false;
	}
	return true;
}

function areSame(
	{ values }: Looks,
	from: number,
	again: Float64Array,
	fromAgain: number,
	count: number,
): boolean {
	let at = from * lookWidth;
	let other = fromAgain * lookWidth;
	for (const end = at + count * lookWidth; at < end; )
		if (values[at++] !== again[other++]) return false;
	return true;
}

/** Stands in for the look that was not, or could not be taken; for the latter a row says why. */
const unseen: Look = {
	mode: 0,
	size: 0,
	modified: 0,
	changed: 0,
	inode: 0,
	device: 0,
};

function startOf(scan: Scan, folder: number): number {
	return scan.starts[folder] as number;
}

export function endOfEntries(scan: Scan, folder: number): number {
	return folder + 1 < scan.starts.length
		? (scan.starts[folder + 1] as number)
		: scan.looks.length;
}

/** The index of a file or link in a scan, by relative path; -1 when it has none. */
export function entryAt(scan: Scan, path: string): number {
	const folder = scan.folders.indexOf(parentOf(path));
	if (folder < 0) return -1;
	const name = path.slice(path.lastIndexOf("/") + 1);
	const at = scan.names.indexOf(name, startOf(scan, folder));
	return at >= 0 && at < endOfEntries(scan, folder) ? at : -1;
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
	/** By link: how many rows it had, where all of them were plainly in order. */
	readonly agreed: ReadonlyMap<string, number>;
}

const magic = 0x646f_7337;

/**
 * At the end, since it is written in pieces: magic, length of the text, checksum of all before it, magic. The
 * checksum tells a cache that a power cut left in part from a whole one.
 */
const foot = 16;

/**
 * A look that is not older than the moment of reading may hide a second change in the same tick of the
 * clock: then neither the hash nor the names are kept, and the next run reads again. `now` is the file
 * system's own time from before anything was read. File systems that keep whole milliseconds or seconds,
 * and devices whose clock may be another, get two seconds more.
 */
export function isYoung(
	look: Pick<Look, "modified" | "changed" | "device">,
	now: Pick<Look, "modified" | "device">,
): boolean {
	const coarse = look.device !== now.device || Number.isInteger(look.modified);
	return (
		Math.max(look.modified, look.changed) >= now.modified - (coarse ? 2_000 : 0)
	);
}

function isYoungAt(looks: Float64Array, index: number, now: Look): boolean {
	const at = index * lookWidth;
	const modified = looks[at + 2] as number;
	const changed = looks[at + 3] as number;
	return isYoung({ modified, changed, device: looks[at + 5] as number }, now);
}

/**
 * For each scan: looks of folders, looks of entries, starts and ends of folders, lengths of blocks, hashes;
 * then the text: what there is, and all blocks. It comes in pieces that share one memory: each has to be
 * used before the next is asked for.
 */
export function* writeCache(
	cache: StatCache,
	now: Look,
	{ encode, checksum }: Pick<FileTree, "encode" | "checksum">,
): Iterable<Uint8Array> {
	// With room for the foot.
	const room = new Uint8Array((1 << 16) + foot);
	const piece = room.subarray(0, -foot);
	let sum = 0;
	let filled = 0;
	let textLength = 0;
	for (const [part, isText] of partsOf(cache, now, encode)) {
		if (isText) textLength += part.byteLength;
		const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
		for (let at = 0; at < bytes.length; ) {
			const next = bytes.subarray(at, at + piece.length - filled);
			piece.set(next, filled);
			at += next.length;
			filled += next.length;
			if (filled < piece.length) continue;
			sum = checksum(piece, sum);
			yield piece;
			filled = 0;
		}
	}
	// What it holds is read in words of eight bytes.
	const end = Math.ceil(filled / 8) * 8;
	piece.fill(0, filled, end);
	const last = new Int32Array(room.buffer, end, foot >> 2);
	last.set([magic, textLength]);
	last.set([checksum(room.subarray(0, end + 8), sum), magic], 2);
	yield room.subarray(0, end + foot);
}

/** What a cache is made of, in order, and whether it is text. */
function* partsOf(
	cache: StatCache,
	now: Look,
	encode: (text: string) => Uint8Array,
): Iterable<readonly [ArrayBufferView, boolean]> {
	const scans = [...cache.scans.values()];
	let isSettled = true;
	for (const scan of scans) {
		const { starts, ends, folderLooks, looks, hashes } = scan;
		for (let from = 0; from < folderLooks.length; from += looksAtOnce) {
			const part = rangeOf(folderLooks, from).slice();
			for (let index = 0; index * lookWidth < part.length; index++)
				// A look that fits nothing: the folder is listed again.
				if (isYoungAt(part, index, now)) part[index * lookWidth + 2] = -1;
			yield [part, false];
		}
		yield [looks.values.subarray(0, looks.length * lookWidth), false];
		yield [Int32Array.from(starts), false];
		yield [Int32Array.from(ends), false];
		const blocks = scan.blocks();
		const lengths = new Int32Array(blocks.length + (blocks.length % 2));
		lengths.set(blocks.map(({ length }) => length));
		yield [lengths, false];
		for (let from = 0; from < looks.length; from += looksAtOnce) {
			const to = Math.min(looks.length, from + looksAtOnce);
			const part = hashes.values.slice(from * 32, to * 32);
			for (let index = from; index < to; index++) {
				if (!isYoungAt(looks.values, index, now)) continue;
				part.fill(0, (index - from) * 32, (index - from + 1) * 32);
				isSettled = false;
			}
			yield [part, false];
		}
	}
	const header = JSON.stringify({
		stateLook: cache.stateLook,
		// Whoever has to be read again may not be found to agree without.
		agreed: isSettled ? [...cache.agreed] : [],
		scans: scans.map(({ key, starts, looks }) => [
			key,
			starts.length,
			looks.length,
		]),
	});
	yield [encode(`${header}\0`), true];
	for (const scan of scans)
		for (const block of scan.blocks()) yield [encode(escapeText(block)), true];
}

const looksAtOnce = 1_024;

function rangeOf({ values, length }: Looks, from: number): Float64Array {
	const to = Math.min(length, from + looksAtOnce);
	return values.subarray(from * lookWidth, to * lookWidth);
}

function sizeOf(folders: number, entries: number): number {
	const texts = Math.ceil(folders / blockLength);
	return (
		(folders + entries) * lookWidth * 8 +
		folders * 8 +
		texts * 4 +
		// A whole number of words, as looks are.
		(texts % 2) * 4 +
		entries * 32
	);
}

function viewAt(
	{ buffer, byteOffset }: Uint8Array,
	start: number,
	folders: number,
	entries: number,
) {
	let at = byteOffset + start;
	const take = (bytes: number) => {
		at += bytes;
		return at - bytes;
	};
	const numbers = (count: number) =>
		new Float64Array(buffer, take(count * lookWidth * 8), count * lookWidth);
	const indexes = (count: number) =>
		new Int32Array(buffer, take(count * 4), count);
	const texts = Math.ceil(folders / blockLength);
	return {
		count: entries,
		folderLooks: numbers(folders),
		looks: numbers(entries),
		starts: indexes(folders),
		ends: indexes(folders),
		lengths: indexes(texts + (texts % 2)).subarray(0, texts),
		hashes: new Uint8Array(buffer, take(entries * 32), entries * 32),
	};
}

/** Undefined for anything that is not wholly a cache of ours. */
export function readCache(
	given: Uint8Array,
	{ decode, checksum }: Pick<FileTree, "decode" | "checksum">,
): StatCache | undefined {
	if (given.length < foot || given.length % 8 !== 0) return undefined;
	const bytes = given.byteOffset % 8 === 0 ? given : given.slice();
	const [first, length, sum, last] = new Int32Array(
		bytes.buffer,
		bytes.byteOffset + bytes.length - foot,
		foot >> 2,
	) as unknown as [number, number, number, number];
	const start = bytes.length - foot - Math.ceil(length / 8) * 8;
	if (first !== magic || last !== magic || length < 0 || start < 0)
		return undefined;
	if ((checksum(bytes.subarray(0, -8), 0) | 0) !== sum) return undefined;
	const text = decode(bytes.subarray(start, start + length));
	const end = text.indexOf("\0");
	const blocks = unescapeText(text.slice(end + 1));
	try {
		const header = JSON.parse(text.slice(0, end)) as {
			stateLook: string;
			agreed: [string, number][];
			scans: [string, number, number][];
		};
		const scans = new Map<string, Scan>();
		let read = 0;
		let at = 0;
		for (const [key, folders, entries] of header.scans) {
			const view = viewAt(bytes, at, folders, entries);
			at += sizeOf(folders, entries);
			const own = Array.from(view.lengths, (characters) => {
				read += characters;
				return blocks.slice(read - characters, read);
			});
			scans.set(key, rememberedScan(key, own, view));
		}
		return read === blocks.length && at === start
			? {
					stateLook: header.stateLook,
					scans,
					agreed: new Map(header.agreed),
				}
			: undefined;
	} catch {
		return undefined;
	}
}

const lone =
	/\\|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Names that are no Unicode, in a text that is. */
function escapeText(text: string): string {
	return text.isWellFormed() && !text.includes("\\")
		? text
		: text.replace(
				lone,
				(unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
			);
}

function unescapeText(text: string): string {
	return text.includes("\\")
		? text.replace(/\\u([0-9a-f]{4})/g, (_, unit: string) =>
				String.fromCharCode(Number.parseInt(unit, 16)),
			)
		: text;
}
