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
	/** UTF-8 to text and back. Bytes that are not UTF-8 become U+FFFD. */
	decode(bytes: Uint8Array): string;
	encode(text: string): Uint8Array;

	/**
	 * Writes a new file; `file-tree/exists` when anything stands there. Durable before it returns, unless
	 * `durable` is false: then a power cut may leave any part of it, and whoever reads it has to notice.
	 */
	write(
		path: string,
		bytes: Uint8Array,
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

export interface Look {
	/** Kind and permission bits, as in POSIX `st_mode`. */
	readonly mode: number;
	readonly size: bigint;
	/** Nanoseconds since 1970, of the content. */
	readonly modified: bigint;
	/** Nanoseconds since 1970, of anything about it; nobody can set it. */
	readonly changed: bigint;
	readonly inode: bigint;
	readonly device: bigint;
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
