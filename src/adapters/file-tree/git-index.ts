import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { Fault } from "../../kernel/outcome.ts";
import type { FileTree, Kind, Listed, Look } from "../../ports/file-tree.ts";

/**
 * Files as the next commit will hold them: what lies in the repository is read from git's index, what
 * lies outside it from `tree`. Nothing can be written through it. Undefined where there is no repository.
 */
export function gitIndexTree(
	tree: FileTree,
	folder: string,
):
	| { readonly tree: FileTree; readonly changed: readonly string[] }
	| undefined {
	const git = (...words: readonly string[]): Buffer =>
		execFileSync("git", ["-C", folder, ...words], {
			maxBuffer: 1 << 30,
			stdio: ["ignore", "pipe", "pipe"],
		});
	let root: string;
	try {
		root = git("rev-parse", "--show-toplevel").toString().replace(/\n$/, "");
	} catch {
		return undefined;
	}
	// git resolves links in the path to its top; what is asked for is written as the caller writes it.
	const below = tree.real(folder)?.slice(root.length) ?? "";
	const top = below === "" ? folder : folder.slice(0, -below.length);
	interface Entry {
		readonly mode: number;
		readonly object: string;
	}
	const entries = new Map<string, Entry>();
	const folders = new Map<string, Map<string, Kind>>([["", new Map()]]);
	for (const line of git("-C", root, "ls-files", "-s", "-z")
		.toString()
		.split("\0")) {
		const found = /^(\d+) ([0-9a-f]+) 0\t(.+)$/s.exec(line);
		if (!found) continue;
		const [, modeText = "", object = "", path = ""] = found;
		const mode = Number.parseInt(modeText, 8);
		// A submodule is a commit, not files.
		if ((mode & 0o170000) === 0o160000) continue;
		entries.set(path, { mode, object });
		let child = path;
		let kind: Kind = (mode & 0o170000) === 0o120000 ? "link" : "file";
		while (child !== "") {
			const slash = child.lastIndexOf("/");
			const parent = slash < 0 ? "" : child.slice(0, slash);
			const names = folders.get(parent) ?? new Map<string, Kind>();
			folders.set(parent, names);
			names.set(child.slice(slash + 1), kind);
			kind = "folder";
			child = parent;
		}
	}
	const changed = git(
		"-C",
		root,
		"diff",
		"--cached",
		"--name-only",
		"-z",
		"--no-renames",
	)
		.toString()
		.split("\0")
		.filter((path) => path !== "")
		.map((path) => `${top}/${path}`);

	const inRepository = (path: string): string | undefined =>
		path === top
			? ""
			: path.startsWith(`${top}/`)
				? path.slice(top.length + 1)
				: undefined;
	const blobs = new Map<string, Buffer>();
	const bytesOf = (path: string): Buffer => {
		const entry = entries.get(inRepository(path) ?? "");
		if (!entry)
			throw new Fault("file-tree/missing", `${path} is not in the index.`);
		const found =
			blobs.get(entry.object) ?? git("cat-file", "blob", entry.object);
		blobs.set(entry.object, found);
		return found;
	};
	const lookIn = (path: string): Look | undefined => {
		const entry = entries.get(path);
		const isFolder = !entry && folders.has(path);
		if (!entry && !isFolder) return undefined;
		return {
			mode: entry
				? (entry.mode & 0o170000) === 0o120000
					? entry.mode | 0o777
					: entry.mode
				: 0o040755,
			size: 0n,
			modified: 0n,
			changed: 0n,
			// Every path is a file of its own here, whatever the disk says.
			inode: BigInt(
				`0x${createHash("sha256").update(path).digest("hex").slice(0, 15)}`,
			),
			device: -1n,
		};
	};
	const readOnly = (): never => {
		throw new Fault(
			"file-tree/denied",
			"What is staged is only read: run again without --staged.",
		);
	};
	return {
		changed,
		tree: {
			...tree,
			look(path) {
				const inside = inRepository(path);
				return inside === undefined ? tree.look(path) : lookIn(inside);
			},
			lookThrough(path) {
				const inside = inRepository(path);
				return inside === undefined ? tree.lookThrough(path) : lookIn(inside);
			},
			list(path) {
				const inside = inRepository(path);
				if (inside === undefined) return tree.list(path);
				const listed: Listed[] = [];
				for (const [name, kind] of folders.get(inside) ?? [])
					listed.push({ name, kind });
				return listed.sort((left, right) => (left.name < right.name ? -1 : 1));
			},
			target(path) {
				return inRepository(path) === undefined
					? tree.target(path)
					: bytesOf(path).toString();
			},
			real(path) {
				return inRepository(path) === undefined ? tree.real(path) : path;
			},
			read(path) {
				return inRepository(path) === undefined
					? tree.read(path)
					: bytesOf(path);
			},
			digest(path, look) {
				return inRepository(path) === undefined
					? tree.digest(path, look)
					: createHash("sha256").update(bytesOf(path)).digest("hex");
			},
			write: readOnly,
			append: readOnly,
			copy: readOnly,
			link: readOnly,
			keep: readOnly,
			rename: readOnly,
			setPermissions: readOnly,
			makeFolder: readOnly,
			remove: readOnly,
			removeFolder: readOnly,
			settle: readOnly,
		},
	};
}
