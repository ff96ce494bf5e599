import { Fault } from "../kernel/outcome.ts";

/**
 * Files, folders and links by path. Its verbs answer at once instead of later: a run looks at a hundred
 * thousand files, and a promise for each costs more than the looking.
 *
 * Paths are absolute and use `/`. A byte of a name that is not UTF-8 stands in it as the lone surrogate
 * U+DC00 + byte, so that every name there is can be shown, kept and opened again.
 *
 * Whatever goes wrong is a `Fault`: `file-tree/missing`, `file-tree/denied`, `file-tree/exists`,
 * `file-tree/changing` (the file did not hold still while it was read), `file-tree/full`, `file-tree/failed`.
 */
export interface FileTree {
	/** What stands at a path, without following a link there; undefined when nothing does. */
	look(path: string): Look | undefined;
	/** The same, through links; undefined too when a link leads nowhere. */
	lookThrough(path: string): Look | undefined;
	/** Names in a folder with what each is, sorted by code unit. */
	list(folder: string): readonly Listed[];
	/** The text a link holds. */
	target(path: string): string;
	/** The path with every link in it resolved; undefined when nothing stands there. */
	real(path: string): string | undefined;
	read(path: string): Uint8Array;
	/**
	 * SHA-256 of a file's bytes in lower-case hex, in memory that does not grow with the file. `look` is how
	 * the file was last seen: when it is no longer so after reading, the fault is `file-tree/changing`.
	 */
	digest(path: string, look: Look): string;
	/**
	 * Whether two paths lead to one file, through links. Equal numbers in two looks are a hint, no proof:
	 * some file systems number files beyond what a `number` tells apart.
	 */
	isOneFile(path: string, other: string): boolean;
	/**
	 * Looks at everything that earlier listings named, as `look` does, on as many cores as pay: `lookWidth`
	 * numbers for each, in the order of `readLook`, a folder's own before those of the names in it. Where
	 * `mode` is 0 nothing is known, for whatever reason: look at that one alone. `looked` is told now and
	 * then about how many that were.
	 */
	lookAll(
		listings: readonly Listing[],
		looked?: (files: number) => void,
	): readonly Float64Array[];
	/** Told that as many looks will be asked for at once: what helps with them may start meanwhile. */
	expect(looks: number): void;
	/**
	 * Reads many files, and nothing through links: their looks, and their SHA-256, 32 bytes each. What has
	 * not changed since `mark` (a look taken before) is read once; what may have is read again, to be sure
	 * that it held still. Where `mode` is 0, it could not be: look at and digest that one alone.
	 */
	digestAll(batch: Batch, mark: Look | undefined): Digests;
	/** UTF-8 to text and back. Bytes that are not UTF-8 become U+FFFD. */
	decode(bytes: Uint8Array): string;
	encode(text: string): Uint8Array;
	/**
	 * CRC-32, going on from that of the bytes before (0: there were none). Tells bytes that were written in
	 * part from whole ones; it guards against nobody's malice.
	 */
	checksum(bytes: Uint8Array, before: number): number;

	/**
	 * Writes a new file; `file-tree/exists` when anything stands there. Durable before it returns, unless
	 * `durable` is false: then a power cut may leave any part of it, and whoever reads it has to notice.
	 * Of pieces, each is written before the next is asked for.
	 */
	write(
		path: string,
		bytes: Uint8Array | Iterable<Uint8Array>,
		permissions: number,
		durable?: boolean,
	): void;
	/** Adds to the end of a file, which is made when missing; durable before it returns. */
	append(path: string, bytes: Uint8Array): void;
	/** Copies a file to a new one, durable before it returns; gives the SHA-256 of what was copied. */
	copy(from: string, to: string, permissions: number): string;
	/** Makes a link that holds this text. */
	link(target: string, path: string): void;
	/** Gives a file or link a second, new name, so that it outlives the first; copies it where that cannot be. */
	keep(from: string, to: string): void;
	/** Moves a file or link over whatever file or link stands there, in one step. */
	rename(from: string, to: string): void;
	setPermissions(path: string, permissions: number): void;
	/** Makes one folder; nothing happens when it is there. */
	makeFolder(path: string): void;
	/** Takes away a file or link. */
	remove(path: string): void;
	/** Takes away an empty folder. */
	removeFolder(path: string): void;
	/** Makes what was renamed, made and removed in a folder durable. */
	settle(folder: string): void;
}

/**
 * Times are milliseconds since 1970 in a `number`, which tells a quarter of a microsecond: two changes
 * closer than that look the same, as two within one tick of the file system's clock do.
 */
export interface Look {
	/** Kind and permission bits, as in POSIX `st_mode`. */
	readonly mode: number;
	readonly size: number;
	/** Of the content. */
	readonly modified: number;
	/** Of anything about it; nobody can set it. */
	readonly changed: number;
	readonly inode: number;
	readonly device: number;
}

/** Folders and what is in them, kept so that a hundred thousand names cross to another thread in a few texts. */
export interface Listing {
	/** Absolute. */
	readonly root: string;
	/**
	 * For each `blockLength` folders one text: a folder's path below the root ("" for the root itself), then
	 * the names in it, then the next folder, all joined by NUL, which no path holds.
	 */
	readonly blocks: readonly string[];
	/** The index of each folder's first name. */
	readonly starts: Int32Array;
	/** Of names, in all folders. */
	readonly count: number;
}

export const blockLength = 64;

/** Files to be read, in an order of the asker's choice, in texts of `filesInBlock` files each. */
export interface Batch {
	readonly blocks: readonly string[];
	readonly count: number;
}

const filesInBlock = 64;

/** Gathers files for a batch. */
export function openBatch(): {
	add(folder: string, name: string): void;
	finish(): Batch;
} {
	const blocks: string[] = [];
	let folders: string[] = [];
	let names: string[] = [];
	let count = 0;
	const end = () => {
		if (count > 0) blocks.push([...folders, "", ...names].join("\0"));
		folders = [];
		names = [];
	};
	return {
		add(folder, name) {
			if (count % filesInBlock === 0) end();
			count++;
			// Mostly the last one, or the one before, as a source and its copy take turns.
			let at = folders.lastIndexOf(folder);
			if (at < 0) at = folders.push(folder) - 1;
			names.push(String.fromCharCode(at + 1) + name);
		},
		finish() {
			end();
			return { blocks, count };
		},
	};
}

/** Every file of one block of a batch, with its place in the batch. */
export function eachFile(
	{ blocks }: Batch,
	block: number,
	each: (folder: string, name: string, index: number) => void,
): void {
	const text = blocks[block] as string;
	// An empty text stands between the folders and the names.
	const middle = text.indexOf("\0\0");
	const folders = text.slice(0, middle).split("\0");
	let index = block * filesInBlock;
	for (const name of text.slice(middle + 2).split("\0"))
		each(folders[name.charCodeAt(0) - 1] as string, name.slice(1), index++);
}

/** Where the files of a block lie in a batch. */
export function filesOf(
	{ count }: Batch,
	block: number,
): { readonly from: number; readonly to: number } {
	const from = block * filesInBlock;
	return { from, to: Math.min(count, from + filesInBlock) };
}

export interface Digests {
	readonly looks: Float64Array;
	readonly hashes: Uint8Array;
}

export const lookWidth = 6;

export function readLook(looks: Float64Array, index: number): Look {
	const at = index * lookWidth;
	return {
		mode: looks[at] as number,
		size: looks[at + 1] as number,
		modified: looks[at + 2] as number,
		changed: looks[at + 3] as number,
		inode: looks[at + 4] as number,
		device: looks[at + 5] as number,
	};
}

export function writeLook(
	looks: Float64Array,
	index: number,
	look: Look,
): void {
	const at = index * lookWidth;
	looks[at] = look.mode;
	looks[at + 1] = look.size;
	looks[at + 2] = look.modified;
	looks[at + 3] = look.changed;
	looks[at + 4] = look.inode;
	looks[at + 5] = look.device;
}

/** Batches for a tree that answers one by one. */
export function oneByOne({
	look,
	digest,
}: Pick<FileTree, "look" | "digest">): Pick<FileTree, "lookAll" | "digestAll"> {
	const unlessFault = (work: () => void): void => {
		try {
			work();
		} catch (thrown) {
			if (!(thrown instanceof Fault)) throw thrown;
		}
	};
	return {
		lookAll: (listings) =>
			listings.map((listing) => {
				const looks = looksFor(listing);
				for (const block of listing.blocks.keys())
					eachInBlock(listing, block, listing.root, (path, index) =>
						unlessFault(() => {
							const found = look(path);
							if (found) writeLook(looks, index, found);
						}),
					);
				return looks;
			}),
		digestAll(batch) {
			const looks = new Float64Array(batch.count * lookWidth);
			const hashes = new Uint8Array(batch.count * 32);
			for (const block of batch.blocks.keys())
				eachFile(batch, block, (folder, name, index) =>
					unlessFault(() => {
						const path = `${folder}/${name}`;
						const found = look(path);
						if (!found || kindOf(found.mode) !== "file") return;
						writeHash(hashes, index, digest(path, found));
						writeLook(looks, index, found);
					}),
				);
			return { looks, hashes };
		},
	};
}

/** Room for the looks at a listing, in memory that threads may share. */
export function looksFor(
	{ starts, count }: Listing,
	shared = false,
): Float64Array {
	const bytes = (starts.length + count) * lookWidth * 8;
	return new Float64Array(
		shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes),
	);
}

/** Every path of one block of a listing, with its place among the looks. `root` may be a shorter way to the listing's own. */
export function eachInBlock(
	{ blocks, starts, count }: Listing,
	block: number,
	root: string,
	each: (path: string, index: number) => void,
): void {
	const parts = (blocks[block] as string).split("\0");
	let part = 0;
	const last = Math.min(starts.length, (block + 1) * blockLength);
	for (let folder = block * blockLength; folder < last; folder++) {
		const below = parts[part++] as string;
		const path = below === "" ? root : `${root}/${below}`;
		const start = starts[folder] as number;
		const end = folder + 1 < starts.length ? starts[folder + 1] : count;
		let index = start + folder;
		each(path, index++);
		for (let at = start; at < (end as number); at++)
			each(`${path}/${parts[part++]}`, index++);
	}
}

/** Puts a hash in hex where a batch keeps it. */
export function writeHash(
	hashes: Uint8Array,
	index: number,
	hash: string,
): void {
	for (let at = 0; at < 32; at++)
		hashes[index * 32 + at] = Number.parseInt(
			hash.slice(at * 2, at * 2 + 2),
			16,
		);
}

export interface Listed {
	readonly name: string;
	readonly kind: Kind;
}

export type Kind = "file" | "folder" | "link" | "other";

export function kindOf(mode: number): Kind {
	switch (mode & 0o170000) {
		case 0o100000:
			return "file";
		case 0o040000:
			return "folder";
		case 0o120000:
			return "link";
		default:
			return "other";
	}
}
