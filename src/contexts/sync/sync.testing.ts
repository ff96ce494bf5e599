import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import type { FileTree } from "../../ports/file-tree.ts";
import {
	applyFix,
	type Check,
	type CheckOptions,
	check,
	type FixContext,
	type Fixed,
	openStore,
	planFix,
	readManifest,
	type Store,
	type Undone,
	undoFix,
} from "./index.ts";

/** A folder with a manifest, and everything a test does to it. */
export interface Playground {
	readonly folder: string;
	put(path: string, text: string, permissions?: number): void;
	putLink(path: string, target: string): void;
	remove(path: string): void;
	read(path: string): string;
	/** Every file, link and folder below, with its bytes and bits. */
	snapshot(path: string): Readonly<Record<string, string>>;
	write(manifest: unknown): void;
	check(options?: Partial<CheckOptions>, tree?: FileTree): Check;
	/** Status by path of the copy, below the playground. */
	statuses(options?: Partial<CheckOptions>): Readonly<Record<string, string>>;
	fix(
		options?: { force?: boolean; adopt?: boolean; only?: readonly string[] },
		tree?: FileTree,
	): Fixed;
	undo(tree?: FileTree): Undone;
	end(): void;
}

let runs = 0;

export function openPlayground(manifest?: unknown): Playground {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), "sync-check-")));
	const at = (path: string) => join(folder, path);
	const node = nodeFileTree();
	const path = `${folder}/.dos-sync-manifest.json`;
	const open = (tree: FileTree) => {
		const text = readFileSync(path, "utf8");
		const read = readManifest(text, { path, home: `${folder}/home` });
		if (!read.ok) throw new Error(read.error.message);
		runs++;
		const store: Store = openStore({
			tree,
			manifest: path,
			manifestHash: nodeDigest.text(text),
			run: `test-${runs}`,
		});
		const context: FixContext = {
			tree,
			store,
			id: `fix-${String(runs).padStart(9, "0")}`,
			process: process.pid,
			isAlive: () => false,
		};
		return { manifest: read.value, store, context };
	};
	const playground: Playground = {
		folder,
		put(file, text, permissions) {
			mkdirSync(dirname(at(file)), { recursive: true });
			writeFileSync(at(file), text);
			if (permissions !== undefined) chmodSync(at(file), permissions);
		},
		putLink(file, target) {
			mkdirSync(dirname(at(file)), { recursive: true });
			symlinkSync(target, at(file));
		},
		remove: (file) => rmSync(at(file), { recursive: true, force: true }),
		read: (file) => readFileSync(at(file), "utf8"),
		snapshot(root) {
			const found: Record<string, string> = {};
			const walk = (below: string) => {
				const stats = lstatSync(at(below));
				if (stats.isSymbolicLink())
					found[below] = `-> ${readlinkSync(at(below))}`;
				else if (stats.isDirectory()) {
					found[`${below}/`] = "";
					for (const name of readdirSync(at(below))) walk(`${below}/${name}`);
				} else
					found[below] =
						`${(stats.mode & 0o777).toString(8)} ${readFileSync(at(below), "latin1")}`;
			};
			if (existsSync(at(root))) walk(root);
			return found;
		},
		write: (value) => writeFileSync(path, JSON.stringify(value)),
		check(options, tree = node) {
			const opened = open(tree);
			const checked = check({
				tree,
				manifest: opened.manifest,
				store: opened.store,
				today: "2026-06-01",
				full: true,
				...options,
			});
			checked.save();
			return checked;
		},
		statuses: (options) =>
			Object.fromEntries(
				playground
					.check(options)
					.rows.map((row) => [
						row.copy.path.slice(folder.length + 1),
						row.status,
					]),
			),
		fix(options = {}, tree = node) {
			const { manifest: opened, context } = open(tree);
			const checked = playground.check(
				options.only ? { only: options.only } : {},
				tree,
			);
			return applyFix(
				planFix(checked.rows, opened, options).operations,
				context,
			);
		},
		undo: (tree = node) => undoFix(open(tree).context),
		end: () => rmSync(folder, { recursive: true, force: true }),
	};
	if (manifest !== undefined) playground.write(manifest);
	return playground;
}
