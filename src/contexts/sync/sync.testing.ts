import { readFileSync, writeFileSync } from "node:fs";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import {
	openRealFolder,
	type RealFolder,
} from "../../ports/file-tree.fixture.ts";
import { type FileTree, type Look, oneByOne } from "../../ports/file-tree.ts";
import {
	applyFix,
	type FixContext,
	type Fixed,
	type Undone,
	undoFix,
} from "./fix.ts";
import {
	type Check,
	type CheckOptions,
	check,
	openStore,
	readManifest,
	type Store,
} from "./index.ts";
import { planFix } from "./plan.ts";

/** A folder with a manifest, and everything a test does to it. */
export interface Playground extends RealFolder {
	write(manifest: unknown): void;
	check(options?: Partial<CheckOptions>, tree?: FileTree): Check;
	/** Status by path of the copy, below the playground. */
	statuses(
		options?: Partial<CheckOptions>,
		tree?: FileTree,
	): Readonly<Record<string, string>>;
	fix(
		options?: { force?: boolean; adopt?: boolean; only?: readonly string[] },
		tree?: FileTree,
	): Fixed;
	undo(tree?: FileTree): Undone;
}

let runs = 0;

export function openPlayground(
	manifest?: unknown,
	isAlive: (process: number) => boolean = () => false,
): Playground {
	const real = openRealFolder();
	const { folder } = real;
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
			run: `test-${runs}`,
		});
		const context: FixContext = {
			tree,
			store,
			id: `fix-${String(runs).padStart(9, "0")}`,
			process: process.pid,
			isAlive,
		};
		return { manifest: read.value, store, context };
	};
	const playground: Playground = {
		...real,
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
		statuses: (options, tree) =>
			Object.fromEntries(
				playground
					.check(options, tree)
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
	};
	if (manifest !== undefined) playground.write(manifest);
	return playground;
}

/** Files whose clock stands still for `tick` milliseconds: many edits leave the same times. */
export function slowClockTree(tree: FileTree, tick: number): FileTree {
	const slowed = (look: ReturnType<FileTree["look"]>) =>
		look && {
			...look,
			modified: look.modified - (look.modified % tick),
			changed: look.changed - (look.changed % tick),
		};
	const look = (path: string) => slowed(tree.look(path));
	const digest = (path: string, seen: Look) =>
		tree.digest(path, tree.look(path) ?? seen);
	return {
		...tree,
		look,
		lookThrough: (path) => slowed(tree.lookThrough(path)),
		digest,
		...oneByOne({ look, digest }),
	};
}
