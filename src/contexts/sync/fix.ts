import { Fault } from "../../kernel/outcome.ts";
import { type FileTree, kindOf } from "../../ports/file-tree.ts";
import { isWithin, parentOf } from "./path.ts";
import {
	type Content,
	collisions,
	isSameContent,
	type Operation,
} from "./plan.ts";
import { reasonOf } from "./scan.ts";
import type { Store } from "./store.ts";

/** What became of a plan. */
export interface Fixed {
	/** The journal this is undone by; undefined when nothing was to do. */
	readonly id: string | undefined;
	readonly done: readonly Operation[];
	readonly failed: readonly {
		readonly operation: Operation;
		readonly reason: string;
	}[];
	/** A fix that was cut off earlier is carried on. */
	readonly resumed: boolean;
}

export interface FixContext {
	readonly tree: FileTree;
	readonly store: Store;
	/** Names a new journal; sorts after every earlier one. */
	readonly id: string;
	/** This process, and whether another one still runs. */
	readonly process: number;
	readonly isAlive: (process: number) => boolean;
}

/**
 * Carries a plan out. Before a byte is overwritten, it has a second name in the memory's folder and the
 * plan stands in a journal; a file changes in one step, from whole to whole. Whenever this is cut off, the
 * next fix carries on, and `undo` brings everything back. What is not as the plan saw it is left alone.
 */
export function applyFix(
	operations: readonly Operation[],
	context: FixContext,
): Fixed {
	const { tree, store } = context;
	if (operations.length === 0)
		return { id: undefined, done: [], failed: [], resumed: false };
	return locked(context, () => {
		const journals = readJournals(context);
		const cut = journals.findLast(
			(one) => !one.ended && !one.undone && one.id !== context.id,
		);
		// A later round of the same fix is undone with the earlier ones.
		const earlier = cut ?? journals.find((one) => one.id === context.id);
		const id = earlier?.id ?? context.id;
		if (cut) sweep(cut, context);
		const first = earlier?.operations.length ?? 0;
		const kept = `${store.folder}/kept/${id}`;
		for (const folder of [
			`${store.folder}/journal`,
			`${store.folder}/kept`,
			kept,
		])
			tree.makeFolder(folder);
		tree.settle(store.folder);
		const journal = `${store.folder}/journal/${id}`;
		const lines = operations.map((operation) =>
			JSON.stringify(
				operation.before.kind === "none"
					? { ...operation, makes: missingFolders(operation.path, tree) }
					: operation,
			),
		);
		// Begins on a line of its own, in case the last word of a cut-off run was half a line.
		tree.append(journal, tree.encode(`\n${lines.join("\n")}\n`));
		tree.settle(parentOf(journal));

		const done: Operation[] = [];
		const failed: { operation: Operation; reason: string }[] = [];
		const colliding = findCollisions(operations, context);
		for (const [index, operation] of operations.entries()) {
			const other = colliding.get(operation.path);
			try {
				if (other !== undefined)
					throw new Fault(
						"sync/collision",
						`it and ${other} are one name on a file system that ignores case or accents: rename one of them`,
					);
				assertInside(operation, tree);
				perform(operation, {
					tree,
					kept: `${kept}/${first + index}`,
					temporary: temporaryOf(operation.path, id, first + index),
				});
				done.push(operation);
			} catch (thrown) {
				failed.push({ operation, reason: reasonOf(thrown) });
			}
		}
		tree.append(journal, tree.encode('{"ended":true}\n'));
		forgetOld(context, id);
		return { id, done, failed, resumed: cut !== undefined };
	});
}

/** What can be undone: the last fixes, and every one of the last days, whichever are more. */
const fixesKept = 10;
const daysKept = 30;

/** Lets go of what old fixes kept. One that was cut off, and is neither carried on nor undone, stays. */
function forgetOld(context: FixContext, current: string): void {
	const { tree, store } = context;
	const journalOf = (id: string) => `${store.folder}/journal/${id}`;
	const now = tree.look(journalOf(current))?.modified ?? 0;
	for (const { id, ended, undone } of readJournals(context)
		.filter((one) => one.id !== current)
		.slice(0, 1 - fixesKept)) {
		const journal = journalOf(id);
		const last = tree.look(journal)?.modified ?? now;
		if (!(ended || undone) || now - last < daysKept * 86_400_000) continue;
		try {
			// Said first: if this is cut off, nobody tries to undo half of it.
			if (!undone) tree.append(journal, tree.encode('\n{"undone":true}\n'));
			const kept = `${store.folder}/kept/${id}`;
			if (tree.look(kept)) {
				for (const { name } of tree.list(kept)) tree.remove(`${kept}/${name}`);
				tree.removeFolder(kept);
			}
			tree.remove(journal);
		} catch (thrown) {
			// It is in nobody's way, and the next fix tries again.
			reasonOf(thrown);
		}
	}
}

/** What undoing brought back. */
export interface Undone {
	readonly id: string | undefined;
	readonly restored: readonly Operation[];
	/**
	 * Somebody edited these since the fix, and they stay as they are. What each was before the fix lies
	 * beside it, at `before`; undefined: it was not there, or only its permission bits were others.
	 */
	readonly edited: readonly {
		readonly operation: Operation;
		readonly before: string | undefined;
	}[];
	readonly failed: readonly {
		readonly operation: Operation;
		readonly reason: string;
	}[];
}

/**
 * Brings back what the last fix changed, byte for byte. An edit that was made since is nobody's to throw
 * away: it stays, and what the fix had changed is laid beside it. So a fix is undone once, and the next
 * undo is of the fix before.
 */
export function undoFix(context: FixContext): Undone {
	const { tree, store } = context;
	return locked(context, () => {
		const journal = readJournals(context).findLast(
			({ undone, operations }) => !undone && operations.length > 0,
		);
		if (!journal)
			return { id: undefined, restored: [], edited: [], failed: [] };
		sweep(journal, context);
		const kept = `${store.folder}/kept/${journal.id}`;
		tree.makeFolder(`${store.folder}/kept`);
		tree.makeFolder(kept);
		const restored: Operation[] = [];
		const failed: { operation: Operation; reason: string }[] = [];
		/** By path: what was changed first, where a fix changed it more than once. */
		const moved = new Map<string, number>();
		const attempt = (operation: Operation, work: () => void) => {
			try {
				work();
			} catch (thrown) {
				failed.push({ operation, reason: reasonOf(thrown) });
			}
		};
		for (const [index, operation] of [
			...journal.operations.entries(),
		].reverse())
			attempt(operation, () => {
				const { before, after, path } = operation;
				const current = standingAt(path, tree);
				if (current && isSameContent(current, before)) return;
				// One that was taken away since holds nothing that could be lost.
				const isFree = current?.kind === "none" && before.kind !== "none";
				if (!current || !(isFree || isSameContent(current, after))) {
					moved.set(path, index);
					return;
				}
				assertInside(operation, tree);
				perform(
					{
						...operation,
						from: `${kept}/${index}`,
						before: current,
						after: before,
					},
					{
						tree,
						kept: freshName(`${kept}/${index}-undone`, tree),
						temporary: temporaryOf(path, journal.id, index),
					},
				);
				restored.push(operation);
			});
		const edited: { operation: Operation; before: string | undefined }[] = [];
		for (const [path, index] of moved) {
			const operation = journal.operations[index] as Operation;
			const { before } = operation;
			const from = `${kept}/${index}`;
			attempt(operation, () => {
				if (before.kind === "none" || !tree.look(from)) {
					edited.push({ operation, before: undefined });
					return;
				}
				assertInside(operation, tree);
				const beside = layBeside(path, before, tree);
				if (beside.isNew)
					perform(
						{
							...operation,
							path: beside.path,
							from,
							before: { kind: "none" },
							after: before,
						},
						{
							tree,
							kept: from,
							temporary: temporaryOf(path, journal.id, index),
						},
					);
				edited.push({ operation, before: beside.path });
			});
		}
		// Deepest first: a folder is taken away only when nothing is left in it.
		for (const folder of [...journal.made].sort(
			(left, right) => right.length - left.length,
		))
			removeIfEmpty(folder, tree);
		const memory = store.open();
		for (const { rows } of journal.operations)
			for (const { link, relative, base } of rows)
				memory.bases().set(link, relative, base ?? undefined);
		memory.save(memory.cache?.scans ?? new Map(), new Map(), false);
		if (failed.length === 0)
			tree.append(
				`${store.folder}/journal/${journal.id}`,
				tree.encode('\n{"undone":true}\n'),
			);
		return { id: journal.id, restored, edited, failed };
	});
}

/** A fix that was cut off and neither carried on nor undone. */
export function interruptedFix(context: {
	readonly tree: FileTree;
	readonly store: Store;
}): string | undefined {
	return readJournals(context).findLast(
		({ ended, undone, operations }) =>
			!ended && !undone && operations.length > 0,
	)?.id;
}

interface Journal {
	readonly id: string;
	readonly operations: readonly Operation[];
	/** Folders that were made for it. */
	readonly made: ReadonlySet<string>;
	readonly ended: boolean;
	readonly undone: boolean;
}

function readJournals({
	tree,
	store,
}: {
	readonly tree: FileTree;
	readonly store: Store;
}): readonly Journal[] {
	const folder = `${store.folder}/journal`;
	if (!tree.look(folder)) return [];
	return tree.list(folder).map(({ name }) => {
		const operations: Operation[] = [];
		let ended = false;
		let undone = false;
		for (const line of tree
			.decode(tree.read(`${folder}/${name}`))
			.split("\n")) {
			if (line === "") continue;
			try {
				const entry = JSON.parse(line) as
					| Operation
					| { ended?: true; undone?: true };
				if ("path" in entry) {
					operations.push(entry);
					ended = false;
				} else {
					ended ||= entry.ended === true;
					undone ||= entry.undone === true;
				}
			} catch {
				// Half a line: the run was cut off while it wrote its plan, so nothing of it was done.
			}
		}
		const made = new Set<string>();
		for (const operation of operations)
			for (const one of operation.makes ?? []) made.add(one);
		return { id: name, operations, made, ended, undone };
	});
}

/** Takes away what a cut-off run left lying beside the files it was about to change. */
function sweep(journal: Journal, { tree }: FixContext): void {
	for (const [index, { path }] of journal.operations.entries()) {
		const temporary = temporaryOf(path, journal.id, index);
		if (tree.look(temporary)) tree.remove(temporary);
	}
}

function temporaryOf(path: string, id: string, index: number): string {
	return `${parentOf(path)}/.dos-sync-${id}-${index}.tmp`;
}

function perform(
	operation: Operation,
	{
		tree,
		kept,
		temporary,
	}: {
		readonly tree: FileTree;
		readonly kept: string;
		readonly temporary: string;
	},
): void {
	const { path, before, after } = operation;
	const folder = parentOf(path);
	if (!isSameContent(contentAt(path, tree), before))
		throw new Fault("sync/moved", "it changed meanwhile and was left as it is");
	const seen = tree.look(path);
	if (
		before.kind === "file" &&
		after.kind === "file" &&
		before.hash === after.hash
	) {
		tree.setPermissions(path, after.permissions);
		return;
	}
	if (before.kind !== "none") {
		tree.keep(path, kept);
		tree.settle(parentOf(kept));
	}
	if (after.kind === "none") {
		tree.remove(path);
		tree.settle(folder);
		return;
	}
	makeFolders(folder, tree);
	try {
		if (after.kind === "link") tree.link(after.target, temporary);
		else if (
			tree.copy(operation.from, temporary, after.permissions) !== after.hash
		)
			throw new Fault(
				"sync/moved",
				`${operation.from} changed meanwhile: run again`,
			);
		// As late as can be: who writes now still writes to the file that was kept.
		const now = tree.look(path);
		if (
			now?.inode !== seen?.inode ||
			now?.modified !== seen?.modified ||
			now?.size !== seen?.size
		)
			throw new Fault(
				"sync/moved",
				"it changed meanwhile and was left as it is",
			);
	} catch (thrown) {
		if (tree.look(temporary)) tree.remove(temporary);
		throw thrown;
	}
	tree.rename(temporary, path);
	tree.settle(folder);
}

/** What stands at a path now, read anew. */
function contentAt(path: string, tree: FileTree): Content {
	const look = tree.look(path);
	if (!look) return { kind: "none" };
	const kind = kindOf(look.mode);
	if (kind === "link") return { kind: "link", target: tree.target(path) };
	if (kind !== "file")
		throw new Fault("sync/moved", `a ${kind} stands there now`);
	return {
		kind: "file",
		hash: tree.digest(path, look),
		permissions: look.mode & 0o777,
	};
}

/** The same; undefined for a folder, or whatever else is kept from nobody. */
function standingAt(path: string, tree: FileTree): Content | undefined {
	const look = tree.look(path);
	const kind = look && kindOf(look.mode);
	return kind === "folder" || kind === "other"
		? undefined
		: contentAt(path, tree);
}

/** The name beside `path` for what it was before: one that holds it already, or a new one. */
function layBeside(
	path: string,
	before: Content,
	tree: FileTree,
): { readonly path: string; readonly isNew: boolean } {
	for (let count = 0; ; count++) {
		const beside = `${path}.dos-before${count === 0 ? "" : `-${count}`}`;
		const standing = standingAt(beside, tree);
		if (standing?.kind === "none") return { path: beside, isNew: true };
		if (standing && isSameContent(standing, before))
			return { path: beside, isNew: false };
	}
}

/** Refuses a path that a link on its way leads out of where it was written for. */
function assertInside(operation: Operation, tree: FileTree): void {
	const { path, root, bounds } = operation;
	for (const folder of foldersUpTo(path, root)) {
		const look = tree.look(folder);
		if (look && folder !== root && kindOf(look.mode) !== "folder")
			throw new Fault(
				"sync/escape",
				`${folder} is a ${kindOf(look.mode)}, not a folder: nothing is written through it`,
			);
	}
	if (bounds.length === 0) return;
	let standing = parentOf(path);
	while (standing.length > 1 && !tree.look(standing))
		standing = parentOf(standing);
	const real = tree.real(standing);
	const inside = bounds.some((bound) => {
		const realBound = tree.real(bound);
		// A bound that is not there yet will be made as it is written.
		return realBound === undefined
			? isWithin(standing, bound) || isWithin(bound, standing)
			: real !== undefined && isWithin(realBound, real);
	});
	if (!inside)
		throw new Fault(
			"sync/escape",
			`a link on the way leads to ${real ?? "nowhere"}, outside ${bounds[0]}: name that place under "allow_outside" if it is meant`,
		);
}

/** The folders a path lies in, from its own up to `root`. */
function foldersUpTo(path: string, root: string): readonly string[] {
	const folders: string[] = [];
	for (
		let at = parentOf(path);
		at.length > 1 && isWithin(root, at);
		at = parentOf(at)
	)
		folders.push(at);
	return folders;
}

function makeFolders(folder: string, tree: FileTree): void {
	if (tree.lookThrough(folder)) return;
	makeFolders(parentOf(folder), tree);
	tree.makeFolder(folder);
	tree.settle(parentOf(folder));
}

function removeIfEmpty(folder: string, tree: FileTree): void {
	const look = tree.look(folder);
	if (!look || kindOf(look.mode) !== "folder") return;
	if (tree.list(folder).length > 0) return;
	tree.removeFolder(folder);
	tree.settle(parentOf(folder));
}

/** Folders that are made on the way to a path. */
function missingFolders(path: string, tree: FileTree): readonly string[] {
	const missing: string[] = [];
	for (
		let at = parentOf(path);
		at.length > 1 && !tree.look(at);
		at = parentOf(at)
	)
		missing.push(at);
	return missing;
}

/** A name that is not taken, as an undo that was cut off may have kept something already. */
function freshName(path: string, tree: FileTree): string {
	let name = path;
	for (let count = 1; tree.look(name); count++) name = `${path}-${count}`;
	return name;
}

function findCollisions(
	operations: readonly Operation[],
	context: FixContext,
): ReadonlyMap<string, string> {
	const { tree } = context;
	const created = operations
		.filter(
			({ before, after }) => before.kind === "none" && after.kind !== "none",
		)
		.map(({ path }) => path);
	const found = new Map(
		collisions(created, (folder) => {
			const look = tree.look(folder);
			return look && kindOf(look.mode) === "folder"
				? tree.list(folder).map(({ name }) => name)
				: [];
		}),
	);
	for (const [path, other] of found)
		if (!isOneName(path, other, context)) found.delete(path);
	return found;
}

/** Whether the file system takes both names for one: asked of what stands there, else of a folder made for it. */
function isOneName(path: string, other: string, context: FixContext): boolean {
	const { tree } = context;
	// The other may be a folder on the way.
	const mine = path.split("/").slice(0, other.split("/").length).join("/");
	if (tree.look(other))
		return tree.look(mine) !== undefined && tree.isOneFile(mine, other);
	let folder = parentOf(other);
	while (folder.length > 1 && !tree.look(folder)) folder = parentOf(folder);
	const probe = `${folder}/.dos-sync-${context.id}-\u00c5.tmp`;
	tree.makeFolder(probe);
	try {
		// Some ignore case, some how an accent is encoded, some both: names are one under what this one ignores.
		const ignoresCase = tree.look(probe.replace("\u00c5", "\u00e5"));
		const ignoresAccents = tree.look(probe.replace("\u00c5", "A\u030a"));
		const fold = (name: string) => {
			const composed = ignoresAccents ? name.normalize("NFC") : name;
			return ignoresCase ? composed.toLowerCase() : composed;
		};
		return fold(mine) === fold(other);
	} finally {
		tree.removeFolder(probe);
	}
}

/** One fix or undo at a time; a lock whose holder is no more is taken over. */
function locked<T>(context: FixContext, work: () => T): T {
	const { tree, store } = context;
	store.prepare();
	const lock = `${store.folder}/lock`;
	for (let attempt = 1; ; attempt++) {
		try {
			tree.write(lock, tree.encode(`${context.process}\n`), 0o600);
			break;
		} catch (thrown) {
			if (!(thrown instanceof Fault) || thrown.code !== "file-tree/exists")
				throw thrown;
			// Half a line was written by a process that did not live to finish it.
			const holder = /^(\d+)\n$/.exec(tree.decode(tree.read(lock)))?.[1];
			if (
				attempt > 3 ||
				(holder !== undefined && context.isAlive(Number(holder)))
			)
				throw new Fault(
					"sync/busy",
					`Another fix is under way (process ${holder ?? "unknown"}): wait for it. If there is none, remove ${lock}.`,
					{ cause: thrown, retryable: true },
				);
			tree.remove(lock);
		}
	}
	try {
		return work();
	} finally {
		tree.remove(lock);
	}
}
