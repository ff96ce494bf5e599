import { isAscii } from "node:buffer";
import * as fs from "node:fs";
import { Fault } from "../../kernel/outcome.ts";
import type { FileTree, Kind, Listed, Look } from "../../ports/file-tree.ts";
import { openBatches } from "./batch.ts";
import {
	asLook,
	blockSize,
	hashing,
	openForReading,
	openReader,
} from "./reader.ts";

/** The files of this machine. `helpers` forces how many threads help with a batch. */
export function nodeFileTree(helpers?: number): FileTree {
	/** Read into again and again: most files fit, larger ones pass through it in pieces. */
	let shared: Buffer | undefined;
	const block = () => {
		shared ??= Buffer.allocUnsafeSlow(blockSize);
		return shared;
	};
	const reader = openReader();
	const { listed: toldOf, ...batches } = openBatches(helpers);
	let listings = 0;
	return {
		look(path) {
			try {
				const stats = fs.lstatSync(native(path), quietly);
				return stats && asLook(stats);
			} catch (thrown) {
				return asNothing(thrown, path);
			}
		},
		lookThrough(path) {
			try {
				const stats = fs.statSync(native(path), quietly);
				return stats && asLook(stats);
			} catch (thrown) {
				// Links that lead in a circle lead nowhere.
				if ((thrown as NodeJS.ErrnoException).code === "ELOOP")
					return undefined;
				return asNothing(thrown, path);
			}
		},
		list(folder) {
			if (++listings === manyListings) tuneForMany();
			return guard(folder, () => {
				const found = fs.readdirSync(native(folder), { withFileTypes: true });
				const listed: Listed[] = [];
				let broken = false;
				for (const entry of found) {
					if (entry.name.includes("\ufffd")) broken = true;
					listed.push({ name: entry.name, kind: kindOfEntry(entry) });
				}
				toldOf(listed.length);
				return (broken ? listBytes(folder) : listed).sort(byName);
			});
		},
		target(path) {
			return guard(path, () =>
				fromBytes(fs.readlinkSync(native(path), { encoding: "buffer" })),
			);
		},
		real(path) {
			try {
				return slashes(
					fromBytes(
						fs.realpathSync.native(native(path), { encoding: "buffer" }),
					),
				);
			} catch (thrown) {
				if (isMissing(thrown)) return undefined;
				throw faultOf(thrown, path);
			}
		},
		read(path) {
			return guard(path, () => fs.readFileSync(native(path)));
		},
		digest(path, look) {
			return guard(path, () => {
				const file = fs.openSync(native(path), openForReading);
				try {
					const { hash, length } = reader(file);
					const after = asLook(fs.fstatSync(file));
					if (!isSame(after, look) || length !== look.size)
						throw changing(path);
					return hash.toString("hex");
				} finally {
					fs.closeSync(file);
				}
			});
		},
		isOneFile(path, other) {
			return guard(path, () => {
				const [left, right] = [path, other].map((one) =>
					fs.statSync(native(one), { bigint: true, throwIfNoEntry: false }),
				);
				return (
					left !== undefined &&
					left.ino === right?.ino &&
					left.dev === right.dev
				);
			});
		},
		...batches,
		decode(bytes) {
			const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
			// Ten times as fast, and most text is no more than that.
			return isAscii(all) ? all.toString("latin1") : all.toString();
		},
		encode: (text) => Buffer.from(text),
		checksum: (bytes, before) =>
			process.getBuiltinModule("node:zlib").crc32(bytes, before),

		write(path, bytes, permissions, durable = true) {
			guard(path, () => {
				const file = fs.openSync(native(path), "wx", permissions);
				try {
					for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes)
						writeAll(file, piece);
					fs.fchmodSync(file, permissions);
					if (durable) fs.fsyncSync(file);
				} finally {
					fs.closeSync(file);
				}
			});
		},
		append(path, bytes) {
			guard(path, () => {
				const file = fs.openSync(native(path), "a", 0o600);
				try {
					writeAll(file, bytes);
					fs.fsyncSync(file);
				} finally {
					fs.closeSync(file);
				}
			});
		},
		copy(from, to, permissions) {
			return copyFile(from, to, permissions, block());
		},
		link(target, path) {
			guard(path, () => fs.symlinkSync(native(target), native(path)));
		},
		keep(from, to) {
			guard(from, () => {
				const look = fs.lstatSync(native(from));
				if (look.isSymbolicLink()) {
					fs.symlinkSync(fs.readlinkSync(native(from), "buffer"), native(to));
					return;
				}
				try {
					fs.linkSync(native(from), native(to));
				} catch (thrown) {
					if ((thrown as NodeJS.ErrnoException).code === "EEXIST") throw thrown;
					// Another device, or a file system or owner that allows no second name.
					copyFile(from, to, look.mode & 0o7777, block());
				}
			});
		},
		rename(from, to) {
			guard(to, () => fs.renameSync(native(from), native(to)));
		},
		setPermissions(path, permissions) {
			guard(path, () => fs.chmodSync(native(path), permissions));
		},
		makeFolder(path) {
			guard(path, () => {
				try {
					fs.mkdirSync(native(path));
				} catch (thrown) {
					if (!fs.statSync(native(path), quietly)?.isDirectory()) throw thrown;
				}
			});
		},
		remove(path) {
			guard(path, () => fs.unlinkSync(native(path)));
		},
		removeFolder(path) {
			guard(path, () => fs.rmdirSync(native(path)));
		},
		settle(folder) {
			// Windows opens no folder; its file systems journal names by themselves.
			if (process.platform === "win32") return;
			guard(folder, () => {
				const file = fs.openSync(native(folder), "r");
				try {
					fs.fsyncSync(file);
				} finally {
					fs.closeSync(file);
				}
			});
		},
	};
}

/** From so many on, what is listed stays in memory and is worth the care. */
const manyListings = 1_000;

/**
 * Node makes ever more room for what is young when much of it survives at first, as the names of a hundred
 * thousand files do. They are kept to the end: that room costs 30 MB and saves no time. Its last compiler
 * works for a fifth of a second of another thread on code that mostly waits for the system.
 */
function tuneForMany(): void {
	if (process.versions.bun) return;
	const { setFlagsFromString } = process.getBuiltinModule("node:v8");
	setFlagsFromString("--semi-space-growth-factor=1");
	setFlagsFromString("--no-turbofan");
}

const quietly = { throwIfNoEntry: false } as const;

/** A folder on the way that is none is no fault: then nothing stands there. */
function asNothing(thrown: unknown, path: string): undefined {
	if (!isMissing(thrown)) throw faultOf(thrown, path);
}

function isSame(left: Look, right: Look): boolean {
	return (
		left.size === right.size &&
		left.modified === right.modified &&
		left.changed === right.changed &&
		left.inode === right.inode
	);
}

function copyFile(
	from: string,
	to: string,
	permissions: number,
	block: Buffer,
): string {
	// Whoever is told what went wrong has to know on which side it did.
	const source = guard(from, () => fs.openSync(native(from), openForReading));
	const read = () =>
		guard(from, () => fs.readSync(source, block, 0, block.length, null));
	try {
		return guard(to, () => {
			const copy = fs.openSync(native(to), "wx", permissions);
			try {
				const digest = hashing().createHash("sha256");
				for (let length = read(); length > 0; length = read()) {
					const piece = block.subarray(0, length);
					digest.update(piece);
					writeAll(copy, piece);
				}
				// The mask of the process does not apply: permission bits are part of what is copied.
				fs.fchmodSync(copy, permissions);
				fs.fsyncSync(copy);
				return digest.digest("hex");
			} finally {
				fs.closeSync(copy);
			}
		});
	} finally {
		fs.closeSync(source);
	}
}

function writeAll(file: number, bytes: Uint8Array): void {
	for (let at = 0; at < bytes.length; )
		at += fs.writeSync(file, bytes, at, bytes.length - at);
}

function kindOfEntry(entry: {
	isFile(): boolean;
	isDirectory(): boolean;
	isSymbolicLink(): boolean;
}): Kind {
	if (entry.isFile()) return "file";
	if (entry.isDirectory()) return "folder";
	return entry.isSymbolicLink() ? "link" : "other";
}

function byName(left: Listed, right: Listed): number {
	return left.name < right.name ? -1 : 1;
}

/** The names as they are, where one of them may be no UTF-8. */
function listBytes(folder: string): Listed[] {
	return fs
		.readdirSync(native(folder), { encoding: "buffer" })
		.flatMap((bytes) => {
			const name = fromBytes(bytes);
			const stats = fs.lstatSync(native(`${folder}/${name}`), quietly);
			return stats ? [{ name, kind: kindOfEntry(stats) }] : [];
		});
}

function isSurrogate(unit: number): boolean {
	return unit >= 0xd800 && unit <= 0xdfff;
}

/** A path as the system takes it: bytes where it has names that are no UTF-8. */
function native(path: string): string | Buffer {
	if (path.isWellFormed()) return path;
	const parts: Buffer[] = [];
	for (const character of path) {
		const unit = character.charCodeAt(0);
		parts.push(
			character.length === 1 && isSurrogate(unit)
				? Buffer.from([unit & 0xff])
				: Buffer.from(character),
		);
	}
	return Buffer.concat(parts);
}

function fromBytes(bytes: Buffer): string {
	const text = bytes.toString();
	if (!text.includes("\ufffd")) return text;
	let name = "";
	for (let at = 0; at < bytes.length; ) {
		let length = 1;
		let character = "";
		for (; length <= 4; length++) {
			character = bytes.toString("utf8", at, at + length);
			if (
				Buffer.byteLength(character) === length &&
				(!character.includes("\ufffd") ||
					bytes.subarray(at, at + length).equals(Buffer.from("\ufffd")))
			)
				break;
		}
		if (length > 4) {
			character = String.fromCharCode(0xdc00 + (bytes[at] as number));
			length = 1;
		}
		name += character;
		at += length;
	}
	return name;
}

function slashes(path: string): string {
	return process.platform === "win32" ? path.replaceAll("\\", "/") : path;
}

function guard<T>(path: string, work: () => T): T {
	try {
		return work();
	} catch (thrown) {
		throw thrown instanceof Fault ? thrown : faultOf(thrown, path);
	}
}

function isMissing(thrown: unknown): boolean {
	const { code } = thrown as NodeJS.ErrnoException;
	return code === "ENOENT" || code === "ENOTDIR";
}

function changing(path: string): Fault {
	return new Fault(
		"file-tree/changing",
		`${path} changed while it was read. Run again when its writer is done.`,
		{ retryable: true },
	);
}

function faultOf(thrown: unknown, path: string): Fault {
	const { code, message } = thrown as NodeJS.ErrnoException;
	const options = { cause: thrown };
	switch (code) {
		case "ENOENT":
		case "ENOTDIR":
			return new Fault("file-tree/missing", `${path} is not there.`, options);
		case "EACCES":
		case "EPERM":
		case "EROFS":
			return new Fault(
				"file-tree/denied",
				`${path} may not be opened or changed by this user (${code}).`,
				options,
			);
		case "EEXIST":
			return new Fault(
				"file-tree/exists",
				`${path} stands there already.`,
				options,
			);
		case "ENOSPC":
		case "EDQUOT":
			return new Fault(
				"file-tree/full",
				`No room is left to write ${path}.`,
				options,
			);
		default:
			return new Fault("file-tree/failed", `${path}: ${message}`, options);
	}
}
