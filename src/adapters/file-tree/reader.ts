import * as fs from "node:fs";
import type { Look } from "../../ports/file-tree.ts";

/** A run in which nothing changed hashes nothing, and does not wait for the library to load. */
let crypto: typeof import("node:crypto") | undefined;
export function hashing(): typeof import("node:crypto") {
	crypto ??= process.getBuiltinModule("node:crypto");
	return crypto;
}

/** Never waits for a writer when something became a pipe, and never reads through a link that took a file's place. */
export const openForReading: number =
	fs.constants.O_RDONLY |
	(fs.constants.O_NOFOLLOW ?? 0) |
	(fs.constants.O_NONBLOCK ?? 0);

export function asLook(stats: fs.Stats): Look {
	return {
		mode: stats.mode,
		size: stats.size,
		modified: stats.mtimeMs,
		changed: stats.ctimeMs,
		inode: stats.ino,
		device: stats.dev,
	};
}

/** Most files fit, and two for each thread cost little memory. */
export const blockSize: number = 1 << 18;

/**
 * Hashes open files from their beginning, and tells how long they were. A source and its copy are read one
 * after the other and are mostly equal: bytes that are those of the file before have its hash, which costs
 * a comparison instead of a digest. `alive` is called
 * with each block of a long one.
 */
export function openReader(): (
	file: number,
	alive?: () => void,
) => { readonly hash: Buffer; readonly length: number } {
	let current = Buffer.alloc(0);
	let before = Buffer.alloc(0);
	let beforeLength = -1;
	let beforeHash = Buffer.alloc(0);
	return (file, alive) => {
		if (current.length === 0) {
			current = Buffer.allocUnsafeSlow(blockSize);
			before = Buffer.allocUnsafeSlow(blockSize);
		}
		let read = fs.readSync(file, current, 0, blockSize, 0);
		if (read < blockSize) {
			if (
				read !== beforeLength ||
				current.compare(before, 0, read, 0, read) !== 0
			)
				beforeHash = hashing().hash(
					"sha256",
					current.subarray(0, read),
					"buffer",
				);
			beforeLength = read;
			[current, before] = [before, current];
			return { hash: beforeHash, length: read };
		}
		// A device has no end.
		if (!fs.fstatSync(file).isFile()) return { hash: beforeHash, length: -1 };
		const digest = hashing().createHash("sha256");
		let length = 0;
		while (read > 0) {
			digest.update(current.subarray(0, read));
			length += read;
			alive?.();
			read = fs.readSync(file, current, 0, blockSize, length);
		}
		return { hash: digest.digest(), length };
	};
}
