import { Fault } from "../../kernel/outcome.ts";
import { type FileTree, kindOf, type Look } from "../../ports/file-tree.ts";
import { anyOf, type Glob, openGlob } from "./glob.ts";
import type { Link, Manifest, Side } from "./manifest.ts";
import { isWithin, nameOf, parentOf, relativeTo } from "./path.ts";
import {
	emptyScan,
	endOfEntries,
	isSameFile,
	isUnchanged,
	lookAt,
	modeAt,
	push,
	put,
	reasonOf,
	type Scan,
	scanTree,
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
	/** Told now and then how many rows were looked at. */
	readonly progress?: (rows: number) => void;
}

export interface Check {
	readonly counts: Readonly<Record<Status, number>>;
	readonly total: number;
	/** By path of the copy; those that agree only when asked for. */
	readonly rows: readonly Row[];
	readonly inSync: boolean;
	/** Remembers what agreed, and what was read. Nothing is written when nothing is new. */
	save(): void;
}

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
	let total = 0;
	let isFresh = false;
	const fresh = () => {
		if (isFresh) return;
		isFresh = true;
		store.mark();
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
						size: Number(current.size),
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
		const mode = modeAt(scan.numbers, index);
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
		const known = scan.hashes[index] as string;
		if (known !== "")
			return {
				kind: "file",
				hash: known,
				permissions: mode & 0o777,
				size: Number(lookAt(scan.numbers, index).size),
			};
		const { fact, look } = digest(path, lookAt(scan.numbers, index));
		put(scan.numbers, index, look);
		if (fact.kind === "file") scan.hashes[index] = fact.hash;
		return fact;
	}

	function leadsTo(path: string, other: string): boolean {
		try {
			const left = tree.lookThrough(path);
			const right = left && tree.lookThrough(other);
			return (
				right !== undefined &&
				left?.inode === right.inode &&
				left.device === right.device
			);
		} catch (thrown) {
			reasonOf(thrown);
			return false;
		}
	}

	function counted(status: Status): void {
		counts[status]++;
		total++;
		if ((total & 1023) === 0) options.progress?.(total);
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
	/** Looks at one path and keeps it in the list of single files; its index, or -1 when nothing is there. */
	function enter(path: string, look: Look): number {
		let at = -1;
		if (before) {
			if (before.names[expected] === path) at = expected;
			else {
				places ??= new Map(before.names.map((name, index) => [name, index]));
				at = places.get(path) ?? -1;
			}
			if (at >= 0) expected = at + 1;
		}
		files.names.push(path);
		push(files.numbers, look);
		files.hashes.push(
			before && at >= 0 && isUnchanged(before.numbers, at, look)
				? (before.hashes[at] as string)
				: "",
		);
		return files.names.length - 1;
	}

	const realParents = new Map<string, string | undefined>();
	/** Why a side may not be looked at: it lies where its root does not reach. */
	function escapes(side: Side): string | undefined {
		if (side.root === undefined) return undefined;
		const parent = parentOf(side.path);
		if (!realParents.has(parent)) realParents.set(parent, tree.real(parent));
		const real = realParents.get(parent);
		if (real === undefined) return undefined;
		const inside = [side.root, ...side.outside].some((root) => {
			if (!realParents.has(root)) realParents.set(root, tree.real(root));
			const realRoot = realParents.get(root);
			// The root itself may be a link: only what is below it may not lead out.
			return (
				(realRoot !== undefined && isWithin(realRoot, real)) ||
				side.path === root
			);
		});
		return inside
			? undefined
			: `${side.path} leaves the root of "${side.role}" through a link. If that is meant, name it under "allow_outside".`;
	}

	function lookAtSide(side: Side): {
		readonly look: Look | undefined;
		readonly isFolder: boolean;
		readonly problem: string | undefined;
	} {
		try {
			const problem = escapes(side);
			if (problem) return { look: undefined, isFolder: false, problem };
			const look = tree.look(side.path);
			if (!look) return { look, isFolder: false, problem };
			const kind = kindOf(look.mode);
			if (kind !== "link")
				return { look, isFolder: kind === "folder", problem };
			const through = tree.lookThrough(side.path);
			return {
				look,
				isFolder: through !== undefined && kindOf(through.mode) === "folder",
				problem,
			};
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
		const same =
			source.look !== undefined &&
			copy.look !== undefined &&
			((source.look.inode === copy.look.inode &&
				source.look.device === copy.look.device) ||
				((kindOf(source.look.mode) === "link" ||
					kindOf(copy.look.mode) === "link") &&
					leadsTo(link.source.path, link.copy.path)));
		if (same && !options.full) {
			counted("LINKED");
			return;
		}
		const factOf = (side: Side, seen: typeof source): Fact => {
			if (seen.problem !== undefined)
				return { kind: "unreadable", reason: seen.problem };
			if (!seen.look) return { kind: "none" };
			return factAt(files, enter(side.path, seen.look), side.path);
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

	function scanOf(side: Side, link: Link): Scan {
		const key = JSON.stringify([
			relativeTo(base, side.path),
			link.include,
			link.exclude,
		]);
		const done = scans.get(key);
		if (done) return done;
		const excluded = globsOf(link.exclude);
		const included =
			link.include.length > 0 ? globsOf(link.include) : undefined;
		const scan = scanTree({
			tree,
			root: side.path,
			key,
			leavesOut: (path, isFolder) =>
				excluded(path) ||
				(!isFolder && included !== undefined && !included(path)),
			previous: remembered?.scans.get(key),
			fresh,
			seen: () => {},
		});
		scans.set(key, scan);
		return scan;
	}

	function compareFolders(link: Link, linkKey: string): void {
		const left = scanOf(link.source, link);
		const right = scanOf(link.copy, link);
		const rightFolders = new Map(
			right.folders.map((folder, index) => [folder, index]),
		);
		const leftFolders =
			left.folders.length === right.folders.length &&
			left.folders.every((folder, index) => right.folders[index] === folder)
				? rightFolders
				: new Map(left.folders.map((folder, index) => [folder, index]));
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
			!options.full &&
			memory.recorded;

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
				folders: ReadonlyMap<string, number>,
				claimed: boolean,
			): Fact => {
				const problem = problemAt(scan, relative);
				if (problem !== undefined && !claimed)
					return { kind: "unreadable", reason: problem };
				if (index >= 0) return factAt(scan, index, path);
				return !claimed && folders.has(relative)
					? { kind: "folder" }
					: { kind: "none" };
			};
			let same = false;
			if (l >= 0 && r >= 0)
				same =
					isSameFile(left.numbers, l, right.numbers, r) ||
					((kindOf(modeAt(left.numbers, l)) === "link") !==
						(kindOf(modeAt(right.numbers, r)) === "link") &&
						leadsTo(sourcePath, copyPath));
			if (same && !options.full && !left.problems.has(relative)) {
				counted("LINKED");
				return;
			}
			row(
				link,
				linkKey,
				relative,
				factOf(left, l, sourcePath, leftFolders, sourceClaimed),
				factOf(right, r, copyPath, rightFolders, copyClaimed),
				same,
			);
		};

		const folderAt = (
			relative: string,
			leftFolder: number,
			rightFolder: number,
		): void => {
			let l = leftFolder < 0 ? 0 : (left.starts[leftFolder] as number);
			const lEnd = leftFolder < 0 ? 0 : endOfEntries(left, leftFolder);
			let r = rightFolder < 0 ? 0 : (right.starts[rightFolder] as number);
			const rEnd = rightFolder < 0 ? 0 : endOfEntries(right, rightFolder);
			const prefix = relative === "" ? "" : `${relative}/`;
			while (l < lEnd || r < rEnd) {
				const leftName = l < lEnd ? (left.names[l] as string) : undefined;
				const rightName = r < rEnd ? (right.names[r] as string) : undefined;
				if (leftName === rightName) {
					const known = left.hashes[l] as string;
					if (
						plain &&
						known !== "" &&
						known === right.hashes[r] &&
						!isSameFile(left.numbers, l, right.numbers, r) &&
						modeAt(left.numbers, l) === modeAt(right.numbers, r)
					)
						counted("SYNCED");
					else one(prefix + leftName, l, r);
					l++;
					r++;
				} else if (
					rightName === undefined ||
					(leftName !== undefined && leftName < rightName)
				)
					one(prefix + leftName, l++, -1);
				else one(prefix + rightName, -1, r++);
			}
		};
		for (const [index, folder] of left.folders.entries())
			folderAt(
				folder,
				index,
				right.folders[index] === folder
					? index
					: (rightFolders.get(folder) ?? -1),
			);
		for (const [index, folder] of right.folders.entries())
			if (!leftFolders.has(folder)) folderAt(folder, -1, index);

		// Folders that could not be opened hide what is in them: one row says so.
		for (const folder of new Set([
			...left.problems.keys(),
			...right.problems.keys(),
		])) {
			if (isEntry(left, folder) || isEntry(right, folder)) continue;
			const factOf = (scan: Scan): Fact => {
				const reason = scan.problems.get(folder);
				return reason === undefined
					? { kind: "folder" }
					: { kind: "unreadable", reason };
			};
			row(link, linkKey, folder, factOf(left), factOf(right), false);
		}
	}

	// ---- the run

	for (const link of expandLinks(tree, manifest.links)) {
		if (!concerns(link)) continue;
		const linkKey = keyOf(base, link);
		const source = lookAtSide(link.source);
		const copy = lookAtSide(link.copy);
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
							memory.cache?.scans.get(key)?.names.length !== scan.names.length,
					));
			memory.save(kept, isFresh || gone);
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

function isEntry(scan: Scan, path: string): boolean {
	const folder = scan.folders.indexOf(parentOf(path));
	if (folder < 0) return false;
	const name = nameOf(path);
	for (
		let at = scan.starts[folder] as number;
		at < endOfEntries(scan, folder);
		at++
	)
		if (scan.names[at] === name) return true;
	return false;
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
			return {
				...link,
				set: `${link.set}/${joined}`,
				source: { ...link.source, path: fill(link.source, names) },
				copy: { ...link.copy, path: fill(link.copy, names) },
			};
		});
	});
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
				.filter(({ name }) => fits?.(name) && !name.startsWith(".dos-sync"))
				.filter(({ name }) => name !== ".git" && name !== "node_modules")
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
