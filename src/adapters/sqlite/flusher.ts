import fs, { closeSync, openSync, readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { Fault } from "../../kernel/outcome.ts";
import { lockedError } from "./faults.ts";
import { isWhole } from "./write-ahead-log.ts";

/** How the system is asked to flush a file. */
export type Disk = Pick<typeof fs, "fdatasyncSync"> & {
	fdatasync(file: number, done: (error: Error | null) => void): void;
	/** Milliseconds, for measuring how long it takes. */
	now?(): number;
};

/** What stands between a commit and the disk. */
export interface Flusher {
	/**
	 * Resolves when the disk has all that was committed before the call; else rejects with `log/unknown`.
	 * A quick disk is waited for on the spot, which costs less than giving way.
	 */
	flush(): Promise<void>;
	/** Before a transaction: makes good what a flush that failed left behind, or throws. */
	mend(): void;
	close(): Promise<void>;
}

/** SQLite waits for the disk itself, in the commit. */
export const flushedWithin: Flusher = {
	flush: () => Promise.resolve(),
	mend: () => {},
	close: () => Promise.resolve(),
};

/**
 * Milliseconds up to which a disk is waited for on the spot. Giving way costs a thread's work, and batches of
 * half the size: what would have gathered meanwhile is decided in two.
 */
const quick = 3;
/**
 * Of so many flushes one is waited for on the spot, whatever the disk is: only so can it be seen how quick it
 * is, as the time of any other is also that of what the event loop did meanwhile.
 */
const lookEvery = 50;

/**
 * Flushes the write-ahead log through a descriptor of its own. SQLite takes its locks on the other two
 * files, so this one may be closed without giving any up; and as long as a connection is open, the
 * write-ahead log is emptied and begun anew in place, never another file. What SQLite moves from it into
 * the database, it flushes there before it begins anew.
 *
 * At most one flush is under way. Who asks meanwhile shares the next, which covers all of them.
 *
 * After a flush that failed, the system may take the pages for written and say so to the next one, and
 * what is written behind a lost page is lost with it. So nothing is, before a checkpoint has moved
 * everything into the database (out of the system's memory, held against its checksums), waited for that
 * to reach the disk, and emptied the write-ahead log. The first write of a process does the same: another
 * that has ended may have left such pages behind and told nobody.
 */
export function flusherOf(
	path: string,
	durable: DatabaseSync,
	disk: Disk = fs,
): Flusher {
	const file = openAhead(path);
	let open = true;
	let current: Promise<void> | undefined;
	let next: Promise<void> | undefined;
	let state: "new" | "sound" | "failed" = "new";
	const now = disk.now ?? (() => performance.now());
	/** Milliseconds of the last flush that was waited for on the spot. */
	let took = Number.POSITIVE_INFINITY;
	let count = 0;

	function unknown(cause?: unknown): Fault {
		return new Fault(
			"log/unknown",
			`The disk did not confirm what was written to ${path}: it may stay or be lost. Check that the disk has room and is sound.`,
			{ cause },
		);
	}

	function failed(cause: unknown): Fault {
		state = "failed";
		return unknown(cause);
	}

	function begin(): Promise<void> {
		return new Promise<void>((resolve, reject) => {
			disk.fdatasync(file, (error) => {
				current = next;
				next = undefined;
				if (error) reject(failed(error));
				// One that ended well beside one that failed proves nothing.
				else if (state === "failed") reject(unknown());
				else resolve();
			});
		});
	}

	function assertWhole(): void {
		// Another process may begin the file anew between the two looks.
		for (let tries = 0; tries < 5; tries++) {
			const row = durable.prepare("pragma wal_checkpoint(noop)").get();
			if (isWhole(readFileSync(`${path}-wal`), Number(row?.log))) return;
		}
		throw new Fault(
			"log/damaged",
			`The disk lost what was written last to ${path}, which nobody was told of. Stop everything that uses the file and start again: what the disk has is whole.`,
		);
	}

	return {
		async flush() {
			if (!open) throw new Fault("log/closed", `${path} is closed.`);
			if (state === "failed") throw unknown();
			if (current) {
				next ??= current.then(begin, begin);
				return next;
			}
			count++;
			if (took > quick && count % lookEvery !== 0) {
				current = begin();
				return current;
			}
			const started = now();
			try {
				disk.fdatasyncSync(file);
			} catch (error) {
				throw failed(error);
			}
			took = now() - started;
		},
		mend() {
			if (state === "sound") return;
			if (state === "failed") assertWhole();
			const moved = durable.prepare("pragma wal_checkpoint(truncate)").get();
			if (moved?.busy !== 0) throw lockedError();
			state = "sound";
		},
		async close() {
			if (!open) return;
			open = false;
			while (current) await current.catch(() => {});
			closeSync(file);
		},
	};
}

function openAhead(path: string): number {
	try {
		return openSync(`${path}-wal`, "r");
	} catch (cause) {
		throw new Fault(
			"log/failed",
			`${path}-wal could not be opened, so nothing could be flushed to the disk. Check the rights of the file and how many files may be open.`,
			{ cause },
		);
	}
}
