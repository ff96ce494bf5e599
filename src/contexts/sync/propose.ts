import { type FileTree, kindOf } from "../../ports/file-tree.ts";
import { nameOf, parentOf } from "./path.ts";
import { isPrivate, reasonOf } from "./scan.ts";

/** A manifest made of what a tree holds twice. */
export interface Proposal {
	readonly pairs: readonly { readonly a: string; readonly b: string }[];
	/** For each pair: how many files are the same, and how many only nearly. */
	readonly notes: readonly string[];
}

/** Files too small to mean anything when they are equal, and too large to compare line by line. */
const least = 64;
const most = 262_144;
const nearlySame = 0.7;
/** Of one name: each is compared with every other of it, and a thousand may be called index.ts. */
const mostSources = 50;

/**
 * Finds identical and nearly identical files below `root` and gathers them into pairs of folders where
 * whole folders agree. The shorter path, then the first by name, is taken for the source.
 */
export function proposeManifest(tree: FileTree, root: string): Proposal {
	const files: { path: string; size: number }[] = [];
	const walk = (folder: string) => {
		const path = folder === "" ? root : `${root}/${folder}`;
		let listed: ReturnType<FileTree["list"]> = [];
		try {
			listed = tree.list(path);
		} catch (thrown) {
			reasonOf(thrown);
		}
		for (const { name, kind } of listed) {
			if (isPrivate(name)) continue;
			const below = folder === "" ? name : `${folder}/${name}`;
			if (kind === "folder") walk(below);
			else if (kind === "file") {
				const look = tree.look(`${root}/${below}`);
				if (look && kindOf(look.mode) === "file")
					files.push({ path: below, size: look.size });
			}
		}
	};
	walk("");

	const hashes = new Map<string, string>();
	const bySize = groupBy(files, ({ size }) => String(size));
	const found: { a: string; b: string; same: boolean }[] = [];
	for (const group of bySize.values()) {
		if (group.length < 2 || (group[0]?.size ?? 0) < least) continue;
		for (const { path } of group) {
			const look = tree.look(`${root}/${path}`);
			if (!look) continue;
			try {
				hashes.set(path, tree.digest(`${root}/${path}`, look));
			} catch (thrown) {
				reasonOf(thrown);
			}
		}
		for (const same of groupBy(
			group.filter(({ path }) => hashes.has(path)),
			({ path }) => hashes.get(path) as string,
		).values()) {
			const [source, ...copies] = same.map(({ path }) => path).sort(byWorth);
			for (const copy of copies)
				found.push({ a: source as string, b: copy, same: true });
		}
	}
	const copies = new Set(found.map(({ b }) => b));
	for (const group of groupBy(
		files.filter(
			({ path, size }) => !copies.has(path) && size >= least && size <= most,
		),
		({ path }) => nameOf(path),
	).values()) {
		if (group.length < 2) continue;
		const sources: { path: string; lines: ReadonlySet<string> }[] = [];
		for (const path of group.map(({ path }) => path).sort(byWorth)) {
			const lines = linesOf(tree, `${root}/${path}`);
			if (!lines) continue;
			const like = sources.find(
				(source) => likeness(source.lines, lines) >= nearlySame,
			);
			if (like) found.push({ a: like.path, b: path, same: false });
			else if (sources.length < mostSources) sources.push({ path, lines });
		}
	}
	return gather(found, files);
}

function linesOf(
	tree: FileTree,
	path: string,
): ReadonlySet<string> | undefined {
	try {
		const bytes = tree.read(path);
		if (bytes.subarray(0, 8_192).includes(0)) return undefined;
		return new Set(
			tree
				.decode(bytes)
				.split("\n")
				.map((line) => line.trim())
				.filter((line) => line !== ""),
		);
	} catch (thrown) {
		reasonOf(thrown);
		return undefined;
	}
}

/** Lines in common, of all lines. */
function likeness(
	left: ReadonlySet<string>,
	right: ReadonlySet<string>,
): number {
	if (left.size === 0 || right.size === 0) return 0;
	let common = 0;
	for (const line of left) if (right.has(line)) common++;
	return common / (left.size + right.size - common);
}

/** Two files of one name under two folders speak for the folders; enough of them make one pair of folders. */
function gather(
	found: readonly { a: string; b: string; same: boolean }[],
	files: readonly { path: string }[],
): Proposal {
	const byFolders = groupBy(found, ({ a, b }) => {
		let left = a;
		let right = b;
		while (
			left.includes("/") &&
			right.includes("/") &&
			left.slice(left.lastIndexOf("/")) === right.slice(right.lastIndexOf("/"))
		) {
			left = parentOf(left);
			right = parentOf(right);
		}
		return left === a || left === "" || right === ""
			? `${a}\0${b}`
			: `${left}\0${right}`;
	});
	const pairs: { a: string; b: string }[] = [];
	const notes: string[] = [];
	const note = (a: string, b: string, group: typeof found) => {
		const same = group.filter((one) => one.same).length;
		const near = group.length - same;
		pairs.push({ a, b });
		notes.push(
			`${a} = ${b}: ${same} identical${near > 0 ? `, ${near} nearly` : ""}`,
		);
	};
	for (const [key, group] of [...byFolders].sort(([left], [right]) =>
		left < right ? -1 : 1,
	)) {
		const [a, b] = key.split("\0") as [string, string];
		const inside = (folder: string) =>
			files.filter(({ path }) => path.startsWith(`${folder}/`)).length;
		const isFolder = group[0]?.a !== a;
		if (isFolder && group.length * 2 >= Math.min(inside(a), inside(b)))
			note(a, b, group);
		else for (const one of group) note(one.a, one.b, [one]);
	}
	return { pairs, notes };
}

function byWorth(left: string, right: string): number {
	return (
		left.split("/").length - right.split("/").length || (left < right ? -1 : 1)
	);
}

function groupBy<T>(
	items: readonly T[],
	key: (item: T) => string,
): ReadonlyMap<string, T[]> {
	const groups = new Map<string, T[]>();
	for (const item of items) {
		const group = groups.get(key(item));
		if (group) group.push(item);
		else groups.set(key(item), [item]);
	}
	return groups;
}
