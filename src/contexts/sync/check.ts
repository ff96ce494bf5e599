import { Fault } from "../../kernel/outcome.ts";
import {
	type FileTree,
	kindOf,
	type Look,
	openBatch,
	readLook,
} from "../../ports/file-tree.ts";
import { anyOf, type Glob, openGlob } from "./glob.ts";
import type { Link, Manifest, Side } from "./manifest.ts";
import { isWithin, join, nameOf, parentOf, relativeTo } from "./path.ts";
import {
	emptyScan,
	endOfEntries,
	enter,
	entryAt,
	hasHash,
	hashAt,
	haveOneHash,
	isPrivate,
	lookAgain,
	lookOf,
	mayBeOneFile,
	modeAt,
	put,
	reasonOf,
	type Scan,
	scanTree,
	setHash,
} from "./scan.ts";
import type { Store } from "./store.ts";
import {
	contentOf,
	type Fact,
	isInSync,
	judge,
	modesAgree,
	type Status,
	statuses,
} from "./verdict.ts";

/** One file that should be the same in two places. */
export interface Row {
	readonly set: string;
	readonly status: Status;
	/** Below both sides of the link; "" when the link is of two files. */
	readonly relative: string;
	readonly source: RowSide;
	readonly copy: RowSide;
	/** What both held when they last agreed. */
	readonly base: string | undefined;
	readonly note: string | undefined;
	/** Which side is smaller: as published, and no more than a hint. */
	readonly hint: string | undefined;
	readonly link: Link;
}

export interface RowSide {
	readonly role: string;
	/** Absolute. */
	readonly path: string;
	readonly fact: Fact;
}

export interface CheckOptions {
	readonly tree: FileTree;
	readonly manifest: Manifest;
	readonly store: Store;
	/** `YYYY-MM-DD`. */
	readonly today: string;
	/** Read everything, whatever the cache says. */
	readonly verify?: boolean;
	/** Rows that agree are told as well, not only counted. */
	readonly full?: boolean;
	/** Only rows with a side at or below one of these absolute paths. */
	readonly only?: readonly string[] | undefined;
	readonly progress?: Progress;
}

/** Told now and then what is being done, and with how many files so far. */
export type Progress = (
	doing: "listing" | "looking at" | "reading",
	files: number,
) => void;

export interface Check {
	readonly counts: Readonly<Record<Status, number>>;
	readonly total: number;
	/** By path of the copy; those that agree only when asked for. */
	readonly rows: readonly Row[];
	readonly inSync: boolean;
	/** Remembers what agreed, and what was read. Nothing is written when nothing is new. */
	save(): void;
}

const filesAtOnce = 8_192;

/** Looks at every row once and says what is known about it. Writes nothing. */
export function check(options: CheckOptions): Check {
	const { tree, manifest, store, today } = options;
	const base = parentOf(manifest.path);
	const memory = store.open();
	const remembered = options.verify ? undefined : memory.cache;
	const counts = Object.fromEntries(
		statuses.map((status) => [status, 0]),
	) as Record<Status, number>;
	const rows: Row[] = [];
	const scans = new Map<string, Scan>();
	const agreed = new Map<string, number>();
	let total = 0;
	let filesListed = 0;
	let filesRead = 0;
	let isFresh = false;
	let mark: Look | undefined;
	const fresh = () => {
		if (isFresh) return;
		isFresh = true;
		mark = store.mark();
	};

	function digest(path: string, look: Look): { fact: Fact; look: Look } {
		fresh();
		let current = look;
		for (let attempt = 1; ; attempt++) {
			try {
				const hash = tree.digest(path, current);
				return {
					look: current,
					fact: {
						kind: "file",
						hash,
						permissions: current.mode & 0o777,
						size: current.size,
					},
				};
			} catch (thrown) {
				if (!(thrown instanceof Fault)) throw thrown;
				if (thrown.code === "file-tree/missing")
					return { look: current, fact: { kind: "none" } };
				if (thrown.code !== "file-tree/changing" || attempt === 3)
					return {
						look: current,
						fact: { kind: "unreadable", reason: thrown.message },
					};
				const again = tree.look(path);
				if (!again) return { look: current, fact: { kind: "none" } };
				if (kindOf(again.mode) !== "file")
					return {
						look: again,
						fact: { kind: "unreadable", reason: thrown.message },
					};
				current = again;
			}
		}
	}

	/** What stands at an entry of a scan; reads it when its hash is not known. */
	function factAt(scan: Scan, index: number, path: string): Fact {
		try {
			lookIfDeferred(scan, index, path);
		} catch (thrown) {
			return { kind: "unreadable", reason: reasonOf(thrown) };
		}
		const mode = modeAt(scan.looks, index);
		if (mode === 0) return { kind: "none" };
		const kind = kindOf(mode);
		if (kind === "link") {
			try {
				return { kind: "link", target: tree.target(path) };
			} catch (thrown) {
				return { kind: "unreadable", reason: reasonOf(thrown) };
			}
		}
		if (kind !== "file")
			return { kind: kind === "folder" ? "folder" : "other" };
		const known = hashAt(scan.hashes, index);
		if (known !== "")
			return {
				kind: "file",
				hash: known,
				permissions: mode & 0o777,
				size: lookOf(scan.looks, index).size,
			};
		const { fact, look } = digest(path, lookOf(scan.looks, index));
		put(scan.looks, index, look);
		if (fact.kind === "file") setHash(scan, index, bytesOf(fact.hash), 0);
		return fact;
	}

	/** An entry that was left for a batch, which then knew nothing of it. */
	function lookIfDeferred(scan: Scan, index: number, path: string): void {
		if (modeAt(scan.looks, index) !== 0) return;
		const look = tree.look(path);
		if (look) put(scan.looks, index, look);
	}

	function isOneFile(path: string, other: string): boolean {
		try {
			return tree.isOneFile(path, other);
		} catch (thrown) {
			reasonOf(thrown);
			return false;
		}
	}

	function counted(status: Status, rows = 1): void {
		counts[status] += rows;
		total += rows;
	}

	/** Judges a row that is not plainly in order, and keeps it. */
	function row(
		link: Link,
		linkKey: string,
		relative: string,
		source: Fact,
		copy: Fact,
		same: boolean,
	): void {
		const sourcePath = pathOf(link.source, relative);
		const copyPath = pathOf(link.copy, relative);
		if (options.only && !isWanted(sourcePath, copyPath)) return;
		const last = memory.bases().get(linkKey, relative);
		const verdict = judge({
			source,
			copy,
			same,
			base: last,
			declared: link.declared.get(relative),
			alone:
				source.kind === "none"
					? link.copyOnly(copyPath)
					: copy.kind === "none" && link.sourceOnly(sourcePath),
			linked: link.linked,
			modes: manifest.modes,
			today,
		});
		counted(verdict.status);
		if (verdict.status === "SYNCED" || verdict.status === "MODE")
			memory.bases().set(linkKey, relative, contentOf(source));
		if (isInSync(verdict.status) && !options.full) return;
		rows.push({
			set: link.set,
			status: verdict.status,
			relative,
			source: { role: link.source.role, path: sourcePath, fact: source },
			copy: { role: link.copy.role, path: copyPath, fact: copy },
			base: last,
			note: verdict.note,
			hint: isInSync(verdict.status) ? undefined : smaller(link, source, copy),
			link,
		});
	}

	function isWanted(sourcePath: string, copyPath: string): boolean {
		return (options.only as readonly string[]).some(
			(path) => isWithin(path, sourcePath) || isWithin(path, copyPath),
		);
	}

	/** A link concerns the paths that are asked for when it lies in them, or they in it. */
	function concerns(link: Link): boolean {
		return (
			!options.only ||
			options.only.some((path) =>
				[link.source.path, link.copy.path].some(
					(side) => isWithin(path, side) || isWithin(side, path),
				),
			)
		);
	}

	// ---- single files

	const files = emptyScan("files");
	const before = remembered?.scans.get("files");
	let expected = 0;
	let places: Map<string, number> | undefined;
	/** Keeps one path in the list of single files; gives its index. */
	function enterFile(path: string, look: Look): number {
		let at = -1;
		if (before) {
			if (before.names[expected] === path) at = expected;
			else {
				places ??= new Map(before.names.map((name, index) => [name, index]));
				at = places.get(path) ?? -1;
			}
			if (at >= 0) expected = at + 1;
		}
		return enter(files, path, look, before, at);
	}

	const realParents = new Map<string, string | undefined>();
	const realOf = (path: string): string | undefined => {
		if (!realParents.has(path)) realParents.set(path, tree.real(path));
		return realParents.get(path);
	};
	/** Why what a path leads to may not be looked at: it lies where the side's root does not reach. */
	function escapes(side: Side, path: string): string | undefined {
		// Version 1 has no roots: what is written relative to the manifest stays in its folder.
		const root = side.root ?? (isWithin(base, side.path) ? base : undefined);
		// The root itself may be a link: only what is below it may not lead out.
		if (root === undefined || side.path === root) return undefined;
		const real = realOf(path);
		if (real === undefined) return undefined;
		const inside = [root, ...side.outside].some((allowed) => {
			const realRoot = realOf(allowed);
			return realRoot !== undefined && isWithin(realRoot, real);
		});
		const left =
			side.root === undefined
				? "the manifest's folder"
				: `the root of "${side.role}"`;
		return inside
			? undefined
			: `${side.path} leaves ${left} through a link. If that is meant, name it under "allow_outside".`;
	}

	function lookAtSide(
		side: Side,
		other: Side,
	): {
		readonly look: Look | undefined;
		readonly isFolder: boolean;
		readonly problem: string | undefined;
	} {
		try {
			const problem = escapes(side, parentOf(side.path));
			if (problem) return { look: undefined, isFolder: false, problem };
			const look = tree.look(side.path);
			if (!look) return { look, isFolder: false, problem };
			const kind = kindOf(look.mode);
			if (kind !== "link")
				return { look, isFolder: kind === "folder", problem };
			const through = tree.lookThrough(side.path);
			const isFolder =
				through !== undefined && kindOf(through.mode) === "folder";
			// A folder is entered through its link; a link to the other side leads nowhere that is not named.
			if (isFolder && !isOneFile(side.path, other.path)) {
				const way = escapes(side, side.path);
				if (way) return { look: undefined, isFolder: false, problem: way };
			}
			return { look, isFolder, problem };
		} catch (thrown) {
			return { look: undefined, isFolder: false, problem: reasonOf(thrown) };
		}
	}

	function compareFiles(
		link: Link,
		linkKey: string,
		source: ReturnType<typeof lookAtSide>,
		copy: ReturnType<typeof lookAtSide>,
	): void {
		if (options.only && !isWanted(link.source.path, link.copy.path)) return;
		if (link.speaksFor?.("") === false) return;
		const same =
			source.look !== undefined &&
			copy.look !== undefined &&
			((source.look.inode === copy.look.inode &&
				source.look.device === copy.look.device) ||
				kindOf(source.look.mode) === "link" ||
				kindOf(copy.look.mode) === "link") &&
			isOneFile(link.source.path, link.copy.path);
		if (same && !options.full) {
			counted("LINKED");
			return;
		}
		const factOf = (side: Side, seen: typeof source): Fact => {
			if (seen.problem !== undefined)
				return { kind: "unreadable", reason: seen.problem };
			if (!seen.look) return { kind: "none" };
			return factAt(files, enterFile(side.path, seen.look), side.path);
		};
		const wasFresh = isFresh;
		const left = factOf(link.source, source);
		const right = factOf(link.copy, copy);
		if (
			!options.full &&
			!wasFresh &&
			!isFresh &&
			memory.recorded &&
			isPlainlySynced(link, "", left, right)
		) {
			counted("SYNCED");
			return;
		}
		row(link, linkKey, "", left, right, same);
	}

	function isPlainlySynced(
		link: Link,
		relative: string,
		left: Fact,
		right: Fact,
	): boolean {
		return (
			left.kind === "file" &&
			right.kind === "file" &&
			left.hash === right.hash &&
			!link.linked &&
			!link.declared.has(relative) &&
			modesAgree(left, right, manifest.modes)
		);
	}

	// ---- folders

	function scanOf(side: Side, other: Side, link: Link): Scan {
		// A side that lies within the other is no part of it: it would hold a copy of itself without end.
		const inner =
			side.path !== other.path && isWithin(side.path, other.path)
				? relativeTo(side.path, other.path)
				: undefined;
		const key = JSON.stringify([
			relativeTo(base, side.path),
			link.include,
			link.exclude,
			inner,
		]);
		const done = scans.get(key);
		if (done) return done;
		const excluded = globsOf(link.exclude);
		const included =
			link.include.length > 0 ? globsOf(link.include) : undefined;
		const previous = remembered?.scans.get(key);
		const scan = scanTree({
			tree,
			root: side.path,
			key,
			leavesOut: (path, isFolder) =>
				path === inner ||
				excluded(path) ||
				(!isFolder && included !== undefined && !included(path)),
			previous,
			again: previous && again.get(previous),
			defers: true,
			fresh,
			listed: (names) => options.progress?.("listing", filesListed + names),
		});
		filesListed += scan.looks.length;
		scans.set(key, scan);
		return scan;
	}

	/** Reads whatever has no hash yet in both, a source and its copy one after the other. */
	function readAhead(link: Link, left: Scan, right: Scan, pairs: Pairs): void {
		let batch = openBatch();
		/** Indexes at the source as they are, at the copy below zero. */
		let entries: number[] = [];
		let seen = 0;
		const read = () => {
			if (entries.length === 0) return;
			fresh();
			const { looks, hashes } = tree.digestAll(batch.finish(), mark);
			for (const [at, entry] of entries.entries()) {
				const look = readLook(looks, at);
				if (look.mode === 0) continue;
				const scan = entry < 0 ? right : left;
				const index = entry < 0 ? ~entry : entry;
				put(scan.looks, index, look);
				setHash(scan, index, hashes, at);
			}
			batch = openBatch();
			entries = [];
			filesRead += seen;
			seen = 0;
			options.progress?.("reading", filesRead);
		};
		const want = (scan: Scan, side: Side, folder: string, index: number) => {
			const mode = modeAt(scan.looks, index);
			if (mode !== 0 && kindOf(mode) !== "file") return;
			batch.add(pathOf(side, folder), scan.names[index] as string);
			entries.push(scan === left ? index : ~index);
		};
		pairs((l, r, scan, folder) => {
			const isLeftUnread = l >= 0 && !hasHash(left.hashes, l);
			const isRightUnread = r >= 0 && !hasHash(right.hashes, r);
			if (!isLeftUnread && !isRightUnread) return;
			if (isOthers(link, scan, folder, l < 0 ? r : l)) return;
			if (options.only) {
				const relative = relativeOf(scan, folder, l < 0 ? r : l);
				if (
					!isWanted(pathOf(link.source, relative), pathOf(link.copy, relative))
				)
					return;
			}
			const below = scan.folders[folder] as string;
			if (isLeftUnread) want(left, link.source, below, l);
			if (isRightUnread) want(right, link.copy, below, r);
			seen += Number(isLeftUnread) + Number(isRightUnread);
			// A million files are read in pieces that fit into memory, and into a line of progress.
			if (entries.length >= filesAtOnce) read();
		});
		read();
	}

	function compareFolders(link: Link, linkKey: string): void {
		const left = scanOf(link.source, link.copy, link);
		const right = scanOf(link.copy, link.source, link);
		if (
			!options.only &&
			!options.full &&
			memory.recorded &&
			left === remembered?.scans.get(left.key) &&
			right === remembered.scans.get(right.key)
		) {
			// Nothing is as much as a look away from what it was when all of it was in order.
			const rows = remembered.agreed.get(linkKey);
			if (rows !== undefined) {
				agreed.set(linkKey, rows);
				counted("SYNCED", rows);
				return;
			}
		}
		const pairs = pairsOf(left, right);
		readAhead(link, left, right, pairs);
		const isClaimed = (
			claims: ReadonlySet<string>,
			relative: string,
		): boolean => {
			if (claims.size === 0) return false;
			for (let at = relative; at !== ""; at = parentOf(at))
				if (claims.has(at)) return true;
			return false;
		};
		const plain =
			link.claimed.source.size === 0 &&
			link.claimed.copy.size === 0 &&
			link.declared.size === 0 &&
			!link.linked &&
			!options.only &&
			!options.full;
		const isOf = (scan: Scan) => {
			let names: Set<string> | undefined;
			return (folder: string) => {
				names ??= new Set(scan.folders);
				return names.has(folder);
			};
		};
		const isLeftFolder = isOf(left);
		const isRightFolder = isOf(right);

		const one = (
			relative: string,
			leftIndex: number,
			rightIndex: number,
		): void => {
			const sourceClaimed = isClaimed(link.claimed.source, relative);
			const copyClaimed = isClaimed(link.claimed.copy, relative);
			const l = sourceClaimed ? -1 : leftIndex;
			const r = copyClaimed ? -1 : rightIndex;
			if (l < 0 && r < 0) return;
			const sourcePath = pathOf(link.source, relative);
			const copyPath = pathOf(link.copy, relative);
			if (options.only && !isWanted(sourcePath, copyPath)) return;
			const factOf = (
				scan: Scan,
				index: number,
				path: string,
				isFolder: (relative: string) => boolean,
				claimed: boolean,
			): Fact => {
				const problem = problemAt(scan, relative);
				if (problem !== undefined && !claimed)
					return { kind: "unreadable", reason: problem };
				if (index >= 0) return factAt(scan, index, path);
				return !claimed && isFolder(relative)
					? { kind: "folder" }
					: { kind: "none" };
			};
			const source = factOf(left, l, sourcePath, isLeftFolder, sourceClaimed);
			const copy = factOf(right, r, copyPath, isRightFolder, copyClaimed);
			// Gone since they were listed.
			if (source.kind === "none" && copy.kind === "none") return;
			const same =
				l >= 0 &&
				r >= 0 &&
				(mayBeOneFile(left.looks, l, right.looks, r) ||
					(source.kind === "link") !== (copy.kind === "link")) &&
				isOneFile(sourcePath, copyPath);
			row(link, linkKey, relative, source, copy, same);
		};

		let synced = 0;
		const seen = total;
		pairs((l, r, scan, folder) => {
			if (isOthers(link, scan, folder, l < 0 ? r : l)) return;
			if (
				plain &&
				l >= 0 &&
				r >= 0 &&
				haveOneHash(left.hashes, l, right.hashes, r) &&
				modeAt(left.looks, l) === modeAt(right.looks, r) &&
				!mayBeOneFile(left.looks, l, right.looks, r)
			) {
				counted("SYNCED");
				synced++;
				const isNew = left.hashes.fresh?.[l] || right.hashes.fresh?.[r];
				if (isNew || !memory.recorded)
					memory
						.bases()
						.set(linkKey, relativeOf(scan, folder, l), hashAt(left.hashes, l));
			} else one(relativeOf(scan, folder, l < 0 ? r : l), l, r);
		});

		if (
			plain &&
			synced === total - seen &&
			left.problems.size + right.problems.size === 0
		)
			agreed.set(linkKey, synced);

		// Folders that could not be opened hide what is in them: one row says so.
		for (const folder of new Set([
			...left.problems.keys(),
			...right.problems.keys(),
		])) {
			if (entryAt(left, folder) >= 0 || entryAt(right, folder) >= 0) continue;
			if (link.speaksFor?.(folder) === false) continue;
			const factOf = (scan: Scan): Fact => {
				const reason = scan.problems.get(folder);
				return reason === undefined
					? { kind: "folder" }
					: { kind: "unreadable", reason };
			};
			row(link, linkKey, folder, factOf(left), factOf(right), false);
		}
	}

	/** The earlier scans that this run will ask for again. */
	function rememberedBelow(
		wanted: readonly Link[],
	): readonly { root: string; scan: Scan }[] {
		const roots = new Set(
			wanted.flatMap(({ source, copy }) => [source.path, copy.path]),
		);
		return [...(remembered?.scans ?? [])].flatMap(([key, scan]) => {
			if (key === "files") return [];
			const root = join(base, (JSON.parse(key) as [string])[0]);
			return roots.has(root) ? [{ root, scan }] : [];
		});
	}

	// ---- the run

	const links = withoutDoubles(expandLinks(tree, manifest.links)).filter(
		concerns,
	);
	const again = lookAgain(tree, rememberedBelow(links), (files) =>
		options.progress?.("looking at", files),
	);
	for (const link of links) {
		const linkKey = keyOf(base, link);
		const source = lookAtSide(link.source, link.copy);
		const copy = lookAtSide(link.copy, link.source);
		const oneFolder =
			(source.isFolder && (copy.isFolder || !copy.look)) ||
			(copy.isFolder && !source.look);
		if (
			source.problem === undefined &&
			copy.problem === undefined &&
			oneFolder
		) {
			// Looked at through the folders that hold them: one row would hide a thousand.
			compareFolders(link, linkKey);
		} else compareFiles(link, linkKey, source, copy);
	}
	rows.sort((left, right) =>
		left.copy.path === right.copy.path
			? left.source.path < right.source.path
				? -1
				: 1
			: left.copy.path < right.copy.path
				? -1
				: 1,
	);
	if (files.names.length > 0) scans.set("files", files);

	return {
		counts,
		total,
		rows,
		inSync: rows.every(({ status }) => isInSync(status)),
		save() {
			// A run over a part knows only that part: what it did not look at stays remembered.
			const kept = new Map(options.only ? memory.cache?.scans : []);
			for (const [key, scan] of scans) kept.set(key, scan);
			if (options.only && before) kept.set("files", before);
			const gone =
				memory.cache !== undefined &&
				(memory.cache.scans.size !== kept.size ||
					[...kept].some(
						([key, scan]) =>
							memory.cache?.scans.get(key)?.looks.length !== scan.looks.length,
					));
			// A run that told every row, or only some, has not found out which links agree.
			const known =
				(options.only || options.full) && !isFresh
					? (memory.cache?.agreed ?? agreed)
					: agreed;
			const other = memory.cache?.agreed.size !== known.size;
			memory.save(kept, known, isFresh || gone || other);
		},
	};
}

/** Why this, or a folder it is in, could not be looked at. */
function problemAt(scan: Scan, path: string): string | undefined {
	if (scan.problems.size === 0) return undefined;
	for (let at = path; ; at = parentOf(at)) {
		const problem = scan.problems.get(at);
		if (problem !== undefined || at === "") return problem;
	}
}

/** Calls back for every name either side has: its index on each side, or -1, and a scan and folder that name it. */
type Pairs = (
	each: (left: number, right: number, scan: Scan, folder: number) => void,
) => void;

/** Below both roots. */
function relativeOf(scan: Scan, folder: number, index: number): string {
	const name = scan.names[index] as string;
	const path = scan.folders[folder] as string;
	return path === "" ? name : `${path}/${name}`;
}

/** Whether another link speaks for an entry. */
function isOthers(
	{ speaksFor }: Link,
	scan: Scan,
	folder: number,
	index: number,
): boolean {
	return speaksFor !== undefined && !speaksFor(relativeOf(scan, folder, index));
}

function pairsOf(left: Scan, right: Scan): Pairs {
	// Mostly both have the same names in the same order, and then nothing has to be found.
	if (isSameListing(left, right))
		return (each) => {
			for (let folder = 0; folder < left.starts.length; folder++) {
				const end = endOfEntries(left, folder);
				for (let at = left.starts[folder] as number; at < end; at++)
					each(at, at, left, folder);
			}
		};
	const rightFolders = new Map(
		right.folders.map((folder, index) => [folder, index]),
	);
	const leftFolders = new Set(left.folders);
	return (each) => {
		const inFolder = (leftFolder: number, rightFolder: number): void => {
			let l = leftFolder < 0 ? 0 : (left.starts[leftFolder] as number);
			const lEnd = leftFolder < 0 ? 0 : endOfEntries(left, leftFolder);
			let r = rightFolder < 0 ? 0 : (right.starts[rightFolder] as number);
			const rEnd = rightFolder < 0 ? 0 : endOfEntries(right, rightFolder);
			while (l < lEnd || r < rEnd) {
				const leftName = l < lEnd ? (left.names[l] as string) : undefined;
				const rightName = r < rEnd ? (right.names[r] as string) : undefined;
				if (leftName === rightName) each(l++, r++, left, leftFolder);
				else if (
					rightName === undefined ||
					(leftName !== undefined && leftName < rightName)
				)
					each(l++, -1, left, leftFolder);
				else each(-1, r++, right, rightFolder);
			}
		};
		for (const [index, folder] of left.folders.entries())
			inFolder(index, rightFolders.get(folder) ?? -1);
		for (const [index, folder] of right.folders.entries())
			if (!leftFolders.has(folder)) inFolder(-1, index);
	};
}

function isSameListing(left: Scan, right: Scan): boolean {
	if (
		left.starts.length !== right.starts.length ||
		left.looks.length !== right.looks.length
	)
		return false;
	for (let folder = 0; folder < left.starts.length; folder++)
		if (left.starts[folder] !== right.starts[folder]) return false;
	const others = right.blocks();
	return left.blocks().every((block, at) => block === others[at]);
}

function bytesOf(hash: string): Uint8Array {
	const bytes = new Uint8Array(32);
	for (let at = 0; at < 32; at++)
		bytes[at] = Number.parseInt(hash.slice(at * 2, at * 2 + 2), 16);
	return bytes;
}

/** What a link is called in the state, so that the state may move with the tree it is about. */
export function keyOf(base: string, link: Link): string {
	return `${relativeTo(base, link.source.path)} -> ${relativeTo(base, link.copy.path)}`;
}

export function pathOf(side: Side, relative: string): string {
	return relative === "" ? side.path : `${side.path}/${relative}`;
}

const opened = new Map<readonly string[], Glob>();
function globsOf(globs: readonly string[]): Glob {
	let found = opened.get(globs);
	if (!found) {
		found = anyOf(
			globs.map((glob) => openGlob(glob)).filter((glob) => glob !== undefined),
		);
		opened.set(globs, found);
	}
	return found;
}

function smaller(link: Link, source: Fact, copy: Fact): string | undefined {
	if (source.kind !== "file" || copy.kind !== "file") return undefined;
	if (source.size === copy.size) return undefined;
	return `the ${source.size < copy.size ? link.source.role : link.copy.role} side is the smaller one`;
}

/**
 * A `*` in the paths of a set stands for every name that is there on any side: a skill that only the copy
 * has is found as well.
 */
export function expandLinks(
	tree: FileTree,
	links: readonly Link[],
): readonly Link[] {
	return links.flatMap((link) => {
		if (!link.source.path.includes("*") || link.source.root === undefined)
			return [link];
		const found = new Set<string>();
		for (const side of [link.source, link.copy])
			for (const names of matches(tree, side)) found.add(names.join("/"));
		return [...found].sort().map((joined) => {
			const names = joined.split("/");
			const { speaksFor } = link;
			return {
				...link,
				speaksFor:
					speaksFor &&
					((path) => speaksFor(path === "" ? joined : `${joined}/${path}`)),
				set: `${link.set}/${joined}`,
				source: { ...link.source, path: fill(link.source, names) },
				copy: { ...link.copy, path: fill(link.copy, names) },
			};
		});
	});
}

/**
 * Every row is told once: what is said twice counts once, and what one link says of a file or folder within
 * another, at the same place on both sides, the other leaves to it.
 */
function withoutDoubles(links: readonly Link[]): readonly Link[] {
	const keyed = (source: string, copy: string) => `${source}\0${copy}`;
	const byPaths = new Map<string, Link[]>();
	for (const link of links) {
		const key = keyed(link.source.path, link.copy.path);
		const others = byPaths.get(key);
		if (!others) byPaths.set(key, [link]);
		else if (!others.some((other) => isSaidTwice(link, other)))
			others.push(link);
	}
	const claims = new Map<Link, Set<string>>();
	for (const [link] of byPaths.values()) {
		// One that speaks for some of what is there claims nothing.
		if (!link || link.speaksFor || link.include.length > 0) continue;
		let source = link.source.path;
		let copy = link.copy.path;
		while (nameOf(source) === nameOf(copy) && source.length > 1) {
			source = parentOf(source);
			copy = parentOf(copy);
			if (source === "" || copy === "") break;
			for (const outer of byPaths.get(keyed(source, copy)) ?? []) {
				const inner = link.source.path.slice(source.length + 1);
				claims.set(outer, (claims.get(outer) ?? new Set()).add(inner));
			}
		}
	}
	return [...byPaths.values()].flat().map((link) => {
		const more = claims.get(link);
		if (!more) return link;
		return {
			...link,
			claimed: {
				source: new Set([...link.claimed.source, ...more]),
				copy: new Set([...link.claimed.copy, ...more]),
			},
		};
	});
}

function isSaidTwice(link: Link, other: Link): boolean {
	const said = ({ include, exclude, linked, declared }: Link) =>
		JSON.stringify([include, exclude, linked, [...declared]]);
	return !link.speaksFor && !other.speaksFor && said(link) === said(other);
}

/** What each `*` of a side's path stands for, for everything that is there. */
function matches(tree: FileTree, side: Side): readonly (readonly string[])[] {
	let open: { path: string; names: readonly string[] }[] = [
		{ path: "", names: [] },
	];
	for (const part of side.path.split("/").slice(1)) {
		if (!part.includes("*")) {
			open = open.map(({ path, names }) => ({
				path: `${path}/${part}`,
				names,
			}));
			continue;
		}
		const fits = openGlob(`/${part}`);
		open = open.flatMap(({ path, names }) => {
			const look = tree.lookThrough(path);
			if (!look || kindOf(look.mode) !== "folder") return [];
			return tree
				.list(path)
				.filter(
					({ name }) =>
						fits?.(name) && !isPrivate(name) && !name.startsWith(".dos-sync"),
				)
				.map(({ name }) => ({
					path: `${path}/${name}`,
					names: [...names, captured(part, name)],
				}));
		});
	}
	return open
		.filter(({ path }) => tree.look(path) !== undefined)
		.map(({ names }) => names);
}

/** What the `*` in `part` stands for; a part has one. */
function captured(part: string, name: string): string {
	const star = part.indexOf("*");
	return name.slice(star, name.length - (part.length - star - 1));
}

function fill(side: Side, names: readonly string[]): string {
	let at = 0;
	return side.path
		.split("/")
		.map((part) =>
			part.includes("*") ? part.replace("*", () => names[at++] ?? "") : part,
		)
		.join("/");
}
