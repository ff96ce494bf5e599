import { Fault } from "../../kernel/outcome.ts";
import type { FileTree, Look } from "../../ports/file-tree.ts";
import { nameOf, parentOf } from "./path.ts";
import { readCache, type Scan, type StatCache, writeCache } from "./scan.ts";
import { type Bases, openBases } from "./state.ts";

/** Where a manifest's memory lies: a folder beside it that no version control wants. */
export interface Store {
	readonly folder: string;
	open(): Memory;
	/** Takes the file system's time, before anything is read; undefined where nothing can be written. */
	mark(): Look | undefined;
	/** Makes the folder, with everything above a fix needs; throws where it cannot be made. */
	prepare(): void;
	/** What could not be remembered, and why; a check goes on without. */
	readonly warnings: readonly string[];
}

export interface Memory {
	readonly cache: StatCache | undefined;
	/** Whether everything the cache says agreed is in the state as well. */
	readonly recorded: boolean;
	bases(): Bases;
	save(
		scans: ReadonlyMap<string, Scan>,
		agreed: ReadonlyMap<string, number>,
		isNew: boolean,
	): void;
}

export interface StoreOptions {
	readonly tree: FileTree;
	/** The manifest's own file, absolute. */
	readonly manifest: string;
	/** Tells this run from any other. */
	readonly run: string;
	/** False: nothing is written. */
	readonly writes?: boolean;
}

const usualName = ".dos-sync-manifest.json";

export function openStore(options: StoreOptions): Store {
	const { tree, run } = options;
	const top = `${parentOf(options.manifest)}/.dos-sync`;
	const name = nameOf(options.manifest);
	// Two manifests in one folder have a memory each.
	const folder = name === usualName ? top : `${top}/${name}`;
	const statePath = `${folder}/state`;
	const cachePath = `${folder}/cache`;
	const warnings: string[] = [];
	let now: Look | undefined;
	let isMarked = false;

	/** Does what may fail on a disk that cannot be written, without failing the check. */
	function attempt(work: () => void): void {
		try {
			work();
		} catch (thrown) {
			if (!(thrown instanceof Fault)) throw thrown;
			warnings.push(`What agreed could not be remembered: ${thrown.message}`);
		}
	}

	function prepare(): void {
		if (!tree.look(`${top}/.gitignore`)) {
			tree.makeFolder(top);
			try {
				tree.write(`${top}/.gitignore`, tree.encode("*\n"), 0o644, false);
			} catch (thrown) {
				if (!isFault(thrown, "file-tree/exists")) throw thrown;
			}
		}
		if (folder !== top) tree.makeFolder(folder);
	}

	function* encoded(pieces: Iterable<string>): Iterable<Uint8Array> {
		for (const piece of pieces) yield tree.encode(piece);
	}

	/** Puts a file in the place of another, or of none: at every moment it is whole, the old or the new. */
	function replace(
		path: string,
		bytes: Iterable<Uint8Array>,
		durable = true,
	): void {
		const temporary = `${path}-${run}.tmp`;
		tree.write(temporary, bytes, 0o600, durable);
		tree.rename(temporary, path);
		if (durable) tree.settle(parentOf(path));
	}

	function mark(): Look | undefined {
		if (isMarked || options.writes === false) return now;
		// Once only: a later time would take for old what was young when it was read.
		isMarked = true;
		attempt(() => {
			prepare();
			// A folder has a time of its own and costs no flush.
			const probe = `${folder}/now-${run}.tmp`;
			tree.makeFolder(probe);
			now = tree.look(probe);
			tree.removeFolder(probe);
		});
		return now;
	}

	function readIfThere(path: string): Uint8Array | undefined {
		try {
			return tree.read(path);
		} catch (thrown) {
			if (isFault(thrown, "file-tree/missing")) return undefined;
			if (thrown instanceof Fault) {
				warnings.push(thrown.message);
				return undefined;
			}
			throw thrown;
		}
	}

	/** The state and the manifest as they lie there: with others, what was recorded is looked at again. */
	function describeState(): string {
		const looks = [statePath, options.manifest].map((path) => {
			const look = tree.look(path);
			return look
				? `${look.size} ${look.modified} ${look.changed} ${look.inode}`
				: undefined;
		});
		return looks.includes(undefined) ? "" : looks.join(" ");
	}

	return {
		folder,
		warnings,
		prepare,
		mark,
		open() {
			// About a hundred bytes are kept of each file.
			tree.expect((tree.look(cachePath)?.size ?? 0) / 100);
			const bytes = readIfThere(cachePath);
			const cache = bytes && readCache(bytes, tree);
			const stateLook = cache ? describeState() : "";
			let bases: Bases | undefined;
			return {
				cache,
				recorded:
					cache !== undefined &&
					cache.stateLook === stateLook &&
					stateLook !== "",
				bases() {
					if (bases) return bases;
					const text = readIfThere(statePath);
					bases = openBases(text ? tree.decode(text) : "");
					if (!bases) {
						warnings.push(
							`${statePath} is damaged and was left aside: rows that differ are DRIFT until they agree again.`,
						);
						bases = openBases("") as Bases;
					}
					return bases;
				},
				save(scans, agreed, isNew) {
					if (options.writes === false) return;
					const moved = bases?.moved === true;
					const first = stateLook === "" && tree.look(statePath) === undefined;
					if (!moved && !isNew && cache?.stateLook === stateLook && !first)
						return;
					attempt(() => {
						prepare();
						if (moved || first)
							replace(
								statePath,
								encoded((bases ?? (openBases("") as Bases)).pieces()),
							);
						// Without the time, nothing is known to be old enough to be trusted. Where nothing was
						// read, it may be taken now.
						const time = mark();
						if (!time) return;
						replace(
							cachePath,
							writeCache(
								{ stateLook: describeState(), scans, agreed },
								time,
								tree,
							),
							// It carries a checksum, and can be lost.
							false,
						);
					});
				},
			};
		},
	};
}

function isFault(thrown: unknown, code: string): boolean {
	return thrown instanceof Fault && thrown.code === code;
}
