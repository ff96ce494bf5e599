import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, resolve } from "node:path";
import {
	applyFix,
	type Check,
	check,
	type FixContext,
	interruptedFix,
	isChained,
	isInSync,
	type Manifest,
	type Plan,
	planFix,
	type Row,
	readManifest,
	undoFix,
} from "../../contexts/sync/index.ts";
import { Fault } from "../../kernel/outcome.ts";
import { type Arguments, helpText, readArguments } from "./arguments.ts";
import { composeSync } from "./compose.ts";
import {
	type Complain,
	type Opened,
	type Outside,
	type Session,
	type Streams,
	shown,
	slashes,
} from "./session.ts";
import { countsOf, openPaint, showRows, summaryOf } from "./text.ts";

const inSync = 0;
const drift = 1;
/** The manifest, the command line, or we ourselves: never drift. */
const trouble = 2;

/** Runs one command line and returns its exit code: 0 in sync, 1 drift, 2 anything else. Never throws. */
export async function runSyncCheck(
	words: readonly string[],
	streams: Streams,
	outside: Outside = { folder: process.cwd(), environment: process.env },
): Promise<number> {
	// A reader that has seen enough (`… | head`) ends us without a word.
	for (const stream of [streams.out, streams.error])
		stream.on?.("error", (fault) => {
			if (fault.code !== "EPIPE") throw fault;
		});
	const json = words.includes("--json") || words.includes("--format=json");
	const complain = (message: string, code: string, details?: object) => {
		if (json)
			streams.out.write(
				`${JSON.stringify({ exit_code: trouble, error: { code, message, ...details } }, undefined, 2)}\n`,
			);
		else streams.error.write(`sync-check: ${message}\n`);
		return trouble;
	};
	try {
		const read = readArguments(words);
		if (typeof read === "string") return complain(read, "sync/usage");
		if (read.help) {
			streams.out.write(helpText);
			return inSync;
		}
		return await run(read, streams, outside, complain);
	} catch (thrown) {
		if (thrown instanceof Fault) return complain(thrown.message, thrown.code);
		return complain(
			thrown instanceof Error
				? `failed and stopped: ${thrown.stack ?? thrown.message}`
				: String(thrown),
			"sync/failed",
		);
	}
}

async function run(
	read: Arguments,
	streams: Streams,
	outside: Outside,
	complain: Complain,
): Promise<number> {
	if (read.command === "schema") {
		// The file that editors are pointed at: there is no second one to keep equal.
		const file = new URL(
			"../../../docs/schemas/dos-sync-manifest.schema.json",
			import.meta.url,
		);
		streams.out.write(readFileSync(file, "utf8"));
		return inSync;
	}
	const session: Session = {
		read,
		streams,
		outside,
		complain,
		parts: composeSync(),
		paint: openPaint(
			wantsColor(read.color, streams.out.isTTY === true, outside.environment),
		),
		home: slashes(outside.environment.HOME || homedir()),
	};
	if (read.command === "init")
		return (await import("./init.ts")).proposeHere(session);
	const path = findManifest(session);
	if (path === undefined)
		return complain(
			read.manifest === undefined
				? "there is no .dos-sync-manifest.json here or in a folder above. `sync-check init` proposes one, --manifest names another."
				: `${read.manifest} is not there: --manifest names a manifest's file.`,
			"sync/manifest-missing",
		);
	const opened = openManifest(path, session);
	if (typeof opened === "number") return opened;
	if (read.command === "migrate")
		return (await import("./init.ts")).migrateHere(session, opened);
	if (read.command === "undo") return undo(session, opened);
	if (read.watch)
		return (await import("./watch.ts")).watch(session, path, () => {
			const again = openManifest(path, session);
			return typeof again === "number" ? again : look(session, again);
		});
	return look(session, opened);
}

function findManifest({ read, outside, parts }: Session): string | undefined {
	if (read.manifest !== undefined) {
		const path = slashes(resolve(outside.folder, read.manifest));
		return parts.tree.lookThrough(path) ? path : undefined;
	}
	for (let folder = slashes(resolve(outside.folder)); ; ) {
		const path = `${folder === "/" ? "" : folder}/.dos-sync-manifest.json`;
		if (parts.tree.lookThrough(path)) return path;
		const parent = folder.slice(0, folder.lastIndexOf("/"));
		if (folder === "/" || !folder.includes("/") || /^[A-Za-z]:$/.test(folder))
			return undefined;
		folder = parent === "" ? "/" : parent;
	}
}

function openManifest(path: string, session: Session): Opened | number {
	const { parts, home, complain } = session;
	let text: string;
	try {
		text = parts.tree.decode(parts.tree.read(path));
	} catch (thrown) {
		if (!(thrown instanceof Fault)) throw thrown;
		return complain(thrown.message, "sync/manifest-unreadable");
	}
	const manifest = readManifest(text, { path, home });
	if (!manifest.ok)
		return complain(manifest.error.message, manifest.error.code, {
			manifest: path,
			mistakes: manifest.error.mistakes,
		});
	return {
		manifest: manifest.value,
		text,
		store: parts.openStore({
			manifest: path,
			run: `${process.pid}-${Date.now().toString(36)}`,
			writes: !session.read.staged,
		}),
	};
}

function checkNow(
	session: Session,
	{ manifest, store }: Opened,
	more: { readonly only?: readonly string[] } = {},
): Check {
	const { read, streams } = session;
	const only =
		more.only ??
		(read.paths.length > 0
			? read.paths.map((path) => absolute(path, session))
			: undefined);
	const begun = performance.now();
	let shown = 0;
	const checked = check({
		tree: session.parts.tree,
		manifest,
		store,
		today: today(),
		verify: read.verify,
		full:
			read.full ||
			read.explain ||
			(read.fix && read.dryRun && isChained(manifest)),
		only,
		progress(rows) {
			const now = performance.now();
			if (streams.error.isTTY !== true || now - begun < 1_000) return;
			if (now - shown < 100 || read.quiet) return;
			shown = now;
			streams.error.write(`\r\u001b[Ksync-check: ${rows} rows`);
		},
	});
	if (shown > 0) streams.error.write("\r\u001b[K");
	return checked;
}

/** Check, and whatever else was asked for on the way. */
async function look(session: Session, opened: Opened): Promise<number> {
	const { read, streams } = session;
	if (read.staged) return lookAtStaged(session, opened);
	const checked = checkNow(session, opened);
	checked.save();
	warn(session, opened);
	if (read.paths.length > 0 && checked.total === 0)
		return session.complain(
			`no row of the manifest is at or below ${read.paths.join(", ")}.`,
			"sync/no-such-row",
		);
	if (read.explain)
		return (await import("./explain.ts")).explain(session, checked);
	if (read.merge) return (await import("./merge.ts")).merge(session, checked);
	if (read.fix || read.adopt) return mend(session, opened, checked);
	await report(session, opened, checked);
	if (read.format === "text" && !read.quiet && !read.summary) {
		const cut = interruptedFix({
			tree: session.parts.tree,
			store: opened.store,
		});
		if (cut)
			streams.out.write(
				`A fix was cut off (${cut}): --fix carries it on, undo takes it back.\n`,
			);
	}
	return exitOf(checked);
}

async function lookAtStaged(session: Session, opened: Opened): Promise<number> {
	const folder = opened.manifest.path.slice(
		0,
		opened.manifest.path.lastIndexOf("/"),
	);
	const staged = await session.parts.openStaged(folder || "/");
	if (!staged)
		return session.complain(
			"--staged needs the manifest to lie in a git repository.",
			"sync/no-repository",
		);
	const wanted = session.read.paths.map((path) => absolute(path, session));
	const isWanted = (path: string) =>
		wanted.length === 0 ||
		wanted.some((one) => path === one || path.startsWith(`${one}/`));
	// Git keeps one permission bit, and another time than the disk: neither is compared, nor remembered.
	const manifest: Manifest = {
		...opened.manifest,
		modes: opened.manifest.modes === "ignore" ? "ignore" : "executable",
	};
	// Diffs are of what is staged as well.
	const inside: Session = {
		...session,
		read: { ...session.read, verify: true },
		parts: { ...session.parts, tree: staged.tree },
	};
	const staging = { ...opened, manifest };
	if (session.read.explain) {
		// The path may be the one side, and what is staged the other.
		const checked = checkNow(inside, staging, { only: staged.changed });
		const rows = checked.rows.filter(({ source, copy }) =>
			[source.path, copy.path].some(isWanted),
		);
		if (rows.length === 0)
			return session.complain(
				`nothing is staged that a row at or below ${session.read.paths.join(", ")} is about.`,
				"sync/no-such-row",
			);
		const inSync = rows.every(({ status }) => isInSync(status));
		const { explain } = await import("./explain.ts");
		return explain(inside, { ...checked, rows, inSync });
	}
	const checked = checkNow(inside, staging, {
		only: staged.changed.filter(isWanted),
	});
	await report(inside, opened, checked);
	return exitOf(checked);
}

function today(): string {
	return new Date().toISOString().slice(0, 10);
}

function exitOf(checked: Check): number {
	return Object.entries(checked.counts).every(
		([status, count]) => count === 0 || isInSync(status as Row["status"]),
	)
		? inSync
		: drift;
}

async function mend(
	session: Session,
	opened: Opened,
	checked: Check,
): Promise<number> {
	const { read, streams } = session;
	const options = { force: read.force, adopt: read.adopt };
	const plan = planFix(checked.rows, opened.manifest, options);
	if (read.dryRun) {
		const whole = planFix(checked.rows, opened.manifest, {
			...options,
			today: today(),
		});
		await reportPlan(session, whole, undefined);
		return exitOf(checked);
	}
	const context = fixContext(session, opened);
	const done: Plan["operations"][number][] = [];
	const failed: { operation: Plan["operations"][number]; reason: string }[] =
		[];
	let current = plan;
	let after = checked;
	// A copy may be the source of the next: then one round makes work for another.
	for (let round = 0; round < 16 && current.operations.length > 0; round++) {
		const fixed = applyFix(current.operations, context);
		if (fixed.resumed && round === 0 && read.format === "text" && !read.quiet)
			streams.out.write("A fix that was cut off is carried on.\n");
		done.push(...fixed.done);
		failed.push(...fixed.failed);
		after = checkNow(session, renewed(session, opened));
		after.save();
		if (fixed.done.length === 0 || read.adopt) break;
		current = planFix(after.rows, opened.manifest, options);
	}
	await reportPlan(
		session,
		{
			operations: done,
			refused: planFix(after.rows, opened.manifest, options).refused,
		},
		failed,
	);
	if (read.format === "json") await report(session, opened, after);
	else if (!read.quiet)
		streams.out.write(`${summaryOf(after, session.paint)}\n`);
	return exitOf(after);
}

/** A store that looks again, as the one before has read its cache already. */
function renewed(session: Session, opened: Opened): Opened {
	return {
		...opened,
		store: session.parts.openStore({
			manifest: opened.manifest.path,
			run: `${process.pid}-${Date.now().toString(36)}`,
		}),
	};
}

function fixContext(session: Session, { store }: Opened): FixContext {
	return {
		tree: session.parts.tree,
		store,
		id: `${new Date().toISOString().replace(/[:.]/g, "-")}-${process.pid}`,
		process: process.pid,
		isAlive,
	};
}

function undo(session: Session, opened: Opened): number {
	const { streams, paint, read } = session;
	const undone = undoFix(fixContext(session, opened));
	if (undone.id === undefined)
		return session.complain("there is no fix to undo.", "sync/nothing-to-undo");
	const again = renewed(session, opened);
	const after = checkNow(session, again);
	after.save();
	// What could not be brought back is a failure of ours, whatever the rows say now.
	const code = undone.failed.length > 0 ? trouble : exitOf(after);
	if (read.format === "json")
		streams.out.write(
			`${JSON.stringify({ exit_code: code, undone: undone.id, restored: undone.restored.map(({ path }) => path), failed: undone.failed.map(({ operation, reason }) => ({ path: operation.path, reason })) }, undefined, 2)}\n`,
		);
	else if (!read.quiet) {
		for (const { path } of undone.restored)
			streams.out.write(
				`${paint.green("restored")}  ${shown(path, session)}\n`,
			);
		for (const { operation, reason } of undone.failed)
			streams.out.write(
				`${paint.red("left")}      ${shown(operation.path, session)}: ${reason}\n`,
			);
		streams.out.write(`${summaryOf(after, paint)}\n`);
	}
	return code;
}

function warn(session: Session, { manifest, store }: Opened): void {
	if (session.read.quiet) return;
	for (const warning of new Set([...manifest.warnings, ...store.warnings]))
		session.streams.error.write(`sync-check: ${warning}\n`);
}

async function report(
	session: Session,
	opened: Opened,
	checked: Check,
): Promise<void> {
	const { read, streams, paint, outside } = session;
	if (read.quiet) return;
	if (read.format !== "text" && read.format !== "table") {
		const { formatted } = await import("./formats.ts");
		streams.out.write(
			formatted(read.format, checked, {
				folder: slashes(outside.folder),
				manifest: opened.manifest.path,
				exitCode: exitOf(checked),
			}),
		);
		return;
	}
	if (read.summary) {
		streams.out.write(`${summaryOf(checked, paint)}\n`);
		return;
	}
	let text = "";
	if (read.full) text += showRows(checked.rows, slashes(outside.folder), paint);
	else text += countsOf(checked, paint);
	if (read.diff) {
		const { diffOf } = await import("./explain.ts");
		for (const row of checked.rows)
			if (!isInSync(row.status)) text += await diffOf(row, session);
	}
	if (!read.full && exitOf(checked) === drift)
		text += `${paint.dim("--full lists every row, --explain PATH says why, --fix --dry-run shows what a fix would do.")}\n`;
	else if (read.full) text += `${summaryOf(checked, paint)}\n`;
	streams.out.write(text);
}

/** What would be done, was done, and was left alone. */
async function reportPlan(
	session: Session,
	plan: Plan,
	failed:
		| readonly {
				readonly operation: Plan["operations"][number];
				readonly reason: string;
		  }[]
		| undefined,
): Promise<void> {
	const { read, streams, paint } = session;
	if (read.quiet) return;
	const dry = failed === undefined;
	if (read.format === "json") {
		if (!dry) return;
		streams.out.write(
			`${JSON.stringify(
				{
					exit_code:
						plan.operations.length + plan.refused.length > 0 ? drift : inSync,
					dry_run: true,
					operations: plan.operations.map(({ action, path, from }) => ({
						action,
						path,
						from: from === "" ? undefined : from,
					})),
					refused: plan.refused.map(({ row, reason }) => ({
						status: row.status,
						path: row.copy.path,
						reason,
					})),
				},
				undefined,
				2,
			)}\n`,
		);
		return;
	}
	let text = "";
	for (const { action, path, from } of plan.operations)
		text += `${paint.green(`${dry ? "would " : ""}${action}`.padEnd(dry ? 18 : 12))}${shown(path, session)}${from === "" ? "" : paint.dim(` from ${shown(from, session)}`)}\n`;
	for (const { operation, reason } of failed ?? [])
		text += `${paint.red("failed".padEnd(12))}${shown(operation.path, session)}: ${reason}\n`;
	const { diffOf } = await import("./explain.ts");
	for (const { row, reason } of plan.refused) {
		text += `${paint.yellow("left alone".padEnd(dry ? 18 : 12))}${shown(row.copy.path, session)} (${row.status}): ${reason}\n`;
		text += await diffOf(row, session);
	}
	if (text === "" && dry) text = "Nothing to do.\n";
	streams.out.write(text);
}

function absolute(path: string, { outside, home }: Session): string {
	const expanded =
		path === "~" || path.startsWith("~/") ? home + path.slice(1) : path;
	return slashes(
		isAbsolute(expanded)
			? resolve(expanded)
			: resolve(outside.folder, expanded),
	);
}

/** As on every terminal program: the flag decides, then NO_COLOR and FORCE_COLOR, then the terminal. */
function wantsColor(
	wanted: boolean | undefined,
	isTerminal: boolean,
	environment: Outside["environment"],
): boolean {
	if (wanted !== undefined) return wanted;
	if (environment.NO_COLOR) return false;
	if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
	return isTerminal && environment.TERM !== "dumb";
}

/** Whether a process still runs; one of another user does, even if it may not be signalled. */
function isAlive(id: number): boolean {
	try {
		process.kill(id, 0);
		return true;
	} catch (thrown) {
		return (thrown as NodeJS.ErrnoException).code === "EPERM";
	}
}
