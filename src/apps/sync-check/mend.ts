import {
	type Check,
	type FixContext,
	loadFix,
	loadPlan,
	type Operation,
	type Plan,
} from "../../contexts/sync/index.ts";
import { checkNow, exitOf, isForReading, report, today } from "./look.ts";
import { type Opened, type Session, shown, trouble } from "./session.ts";
import { asWord, summaryOf } from "./text.ts";

/** `--fix` and `--adopt`, or what they would do. */
export async function mend(
	session: Session,
	opened: Opened,
	checked: Check,
): Promise<number> {
	const { read, streams } = session;
	const options = { force: read.force, adopt: read.adopt };
	const { planFix } = await loadPlan();
	const { applyFix } = await loadFix();
	const plan = planFix(checked.rows, opened.manifest, options);
	if (read.dryRun) {
		const whole = planFix(checked.rows, opened.manifest, {
			...options,
			today: today(),
		});
		if (isForReading(session)) await reportPlan(session, whole);
		else if (read.format !== "json") await report(session, opened, checked);
		else if (!read.quiet)
			streams.out.write(
				`${JSON.stringify({ exit_code: exitOf(checked), dry_run: true, ...planAsJson(whole) }, undefined, 2)}\n`,
			);
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
		if (fixed.resumed && round === 0 && isForReading(session))
			streams.out.write("A fix that was cut off is carried on.\n");
		done.push(...fixed.done);
		failed.push(...fixed.failed);
		after = checkNow(session, renewed(session, opened));
		after.save();
		if (fixed.done.length === 0 || read.adopt) break;
		current = planFix(after.rows, opened.manifest, options);
	}
	const { refused } = planFix(after.rows, opened.manifest, options);
	const told = {
		operations: done,
		refused,
		// What one round could not do, as its source was not there yet, a later one may have done.
		failed: failed.filter(
			({ operation: { path } }, at) =>
				!done.some((one) => one.path === path) &&
				!failed.slice(at + 1).some((one) => one.operation.path === path),
		),
	};
	if (!isForReading(session))
		await report(session, opened, after, planAsJson(told));
	else {
		if (!read.summary) await reportPlan(session, told);
		streams.out.write(`${summaryOf(after, session.paint)}\n`);
		if (done.length > 0 && !read.summary)
			streams.out.write(
				`${session.paint.dim("What was overwritten is kept: undo takes this back.")}\n`,
			);
	}
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

/** Takes the last fix back. */
export async function undo(session: Session, opened: Opened): Promise<number> {
	const { streams, paint, read } = session;
	const { undoFix } = await loadFix();
	const undone = undoFix(fixContext(session, opened));
	if (undone.id === undefined)
		return session.complain("there is no fix to undo.", "sync/nothing-to-undo");
	const again = renewed(session, opened);
	const after = checkNow(session, again);
	after.save();
	// What could not be brought back is a failure of ours, whatever the rows say now.
	const code = undone.failed.length > 0 ? trouble : exitOf(after);
	if (read.quiet) return code;
	if (read.format === "json") {
		streams.out.write(
			`${JSON.stringify(
				{
					exit_code: code,
					undone: undone.id,
					restored: undone.restored.map(({ path }) => path),
					edited: undone.edited.map(({ operation, before }) => ({
						path: operation.path,
						before,
					})),
					failed: undone.failed.map(({ operation, reason }) => ({
						path: operation.path,
						reason,
					})),
				},
				undefined,
				2,
			)}\n`,
		);
		return code;
	}
	for (const { path, before } of undone.restored)
		streams.out.write(
			`${paint.green(before.kind === "none" ? "taken away" : "restored  ")}  ${shown(path, session)}\n`,
		);
	for (const { operation, before } of undone.edited)
		streams.out.write(
			`${paint.yellow("left alone")}  ${shown(operation.path, session)}: it was edited since the fix${before === undefined ? "" : `; what it was before is ${shown(before, session)}`}\n`,
		);
	for (const { operation, reason } of undone.failed)
		streams.out.write(
			`${paint.red("failed    ")}  ${shown(operation.path, session)}: ${reason}\n`,
		);
	streams.out.write(`${summaryOf(after, paint)}\n`);
	return code;
}

interface Told extends Plan {
	/** Undefined: nothing was tried, it is a plan. */
	readonly failed?: readonly {
		readonly operation: Operation;
		readonly reason: string;
	}[];
}

function planAsJson({ operations, refused, failed }: Told): object {
	return {
		operations: operations.map(({ action, path, from }) => ({
			action,
			path,
			from: from === "" ? undefined : from,
		})),
		refused: refused.map(({ row, reason }) => ({
			status: row.status,
			path: row.copy.path,
			reason: reasonFor(reason, row.copy.path),
		})),
		failed: failed?.map(({ operation, reason }) => ({
			path: operation.path,
			reason,
		})),
	};
}

/** A way out can be taken as it is written. */
function reasonFor(reason: string, path: string): string {
	return reason.replaceAll("PATH", () => asWord(path));
}

const doing: Readonly<Record<Operation["action"], string>> = {
	create: "create",
	overwrite: "overwrite",
	remove: "remove",
	permissions: "chmod",
	link: "link",
};

/** What would be done, was done, and was left alone. */
async function reportPlan(session: Session, told: Told): Promise<void> {
	const { streams, paint } = session;
	const { operations, refused, failed } = told;
	const dry = failed === undefined;
	const width = dry ? 18 : 12;
	let text = "";
	for (const { action, path, from, after } of operations) {
		const what =
			action === "permissions" && after.kind === "file"
				? ` to ${after.permissions.toString(8).padStart(3, "0")}`
				: from === ""
					? ""
					: ` from ${shown(from, session)}`;
		text += `${paint.green(`${dry ? "would " : ""}${doing[action]}`.padEnd(width))}${shown(path, session)}${paint.dim(what)}\n`;
	}
	for (const { operation, reason } of failed ?? [])
		text += `${paint.red("failed".padEnd(width))}${shown(operation.path, session)}: ${reason}\n`;
	const { diffOf } = await import("./explain.ts");
	for (const { row, reason } of refused) {
		const path = shown(row.copy.path, session);
		text += `${paint.yellow("left alone".padEnd(width))}${path} (${row.status}): ${reasonFor(reason, path)}\n`;
		text += await diffOf(row, session);
	}
	if (text === "" && dry) text = "Nothing to do.\n";
	streams.out.write(text);
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
