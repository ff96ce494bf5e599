import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { Fault } from "../../kernel/outcome.ts";
import {
	eachFile,
	type FileTree,
	type Kind,
	type Listed,
	type Look,
	oneByOne,
} from "../../ports/file-tree.ts";

const objectsAtOnce = 500;

const sha256 = (bytes: Buffer): string =>
	createHash("sha256").update(bytes).digest("hex");

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
	const ask = (input: string, ...words: readonly string[]): Buffer =>
		execFileSync("git", ["-C", folder, ...words], {
			maxBuffer: Number.POSITIVE_INFINITY,
			input,
			stdio: ["pipe", "pipe", "pipe"],
		});
	const git = (...words: readonly string[]): Buffer => ask("", ...words);
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
	const bytesOf = (path: string): Buffer =>
		git("cat-file", "blob", objectOf(path));
	const objectOf = (path: string): string => {
		const entry = entries.get(inRepository(path) ?? "");
		if (!entry)
			throw new Fault("file-tree/missing", `${path} is not in the index.`);
		return entry.object;
	};
	interface Content {
		readonly hash: string;
		readonly size: number;
	}
	/** By object: the same bytes are read once, however many paths hold them. */
	const contents = new Map<string, Content>();
	/** Reads many objects with few processes, so many at a time that they fit into memory. */
	const readObjects = (objects: readonly string[]): void => {
		for (let at = 0; at < objects.length; at += objectsAtOnce) {
			const wanted = objects.slice(at, at + objectsAtOnce);
			const output = ask(`${wanted.join("\n")}\n`, "cat-file", "--batch");
			let start = 0;
			for (const object of wanted) {
				const end = output.indexOf(10, start);
				const size = Number(
					/ blob (\d+)$/.exec(output.toString("latin1", start, end))?.[1],
				);
				// One that is not there is asked for alone, and says so.
				if (Number.isNaN(size)) {
					start = end + 1;
					continue;
				}
				const bytes = output.subarray(end + 1, end + 1 + size);
				contents.set(object, { hash: sha256(bytes), size });
				start = end + 1 + size + 1;
			}
		}
	};
	const digest = (path: string, look: Look): string => {
		if (inRepository(path) === undefined) return tree.digest(path, look);
		return contentOf(objectOf(path)).hash;
	};
	const contentOf = (object: string): Content => {
		if (!contents.has(object)) readObjects([object]);
		const found = contents.get(object);
		if (found) return found;
		throw new Fault(
			"file-tree/failed",
			`git has no object ${object}, which the index names: run git fsck.`,
		);
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
			// What is looked at alone is compared next: git is asked once, for both.
			size: entry ? contentOf(entry.object).size : 0,
			modified: 0,
			changed: 0,
			// Every path is a file of its own here, whatever the disk says.
			inode: Number.parseInt(
				createHash("sha256").update(path).digest("hex").slice(0, 13),
				16,
			),
			device: -1,
		};
	};
	const look = (path: string): Look | undefined => {
		const inside = inRepository(path);
		return inside === undefined ? tree.look(path) : lookIn(inside);
	};
	const batches = oneByOne({ look, digest });
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
			look,
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
			digest,
			isOneFile: (path, other) =>
				inRepository(path) === undefined && inRepository(other) === undefined
					? tree.isOneFile(path, other)
					: path === other,
			lookAll: batches.lookAll,
			expect() {},
			digestAll(batch, mark) {
				const objects = new Set<string>();
				for (const block of batch.blocks.keys())
					eachFile(batch, block, (from, name) => {
						const inside = inRepository(`${from}/${name}`);
						if (inside === undefined) return;
						const object = entries.get(inside)?.object;
						if (object !== undefined && !contents.has(object))
							objects.add(object);
					});
				readObjects([...objects]);
				return batches.digestAll(batch, mark);
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
