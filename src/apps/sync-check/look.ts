import {
	type Check,
	check,
	isInSync,
	type Progress,
	type Row,
} from "../../contexts/sync/index.ts";
import {
	absolute,
	type Opened,
	type Session,
	type Stream,
	slashes,
} from "./session.ts";
import { countsOf, showRows, summaryOf } from "./text.ts";

export const inSync = 0;
export const drift = 1;

/** Looks at all that the command line is about. */
export function checkNow(
	session: Session,
	{ manifest, store }: Opened,
	more: {
		readonly only?: readonly string[];
		/** Rows that agree are wanted as well, whatever is told of them. */
		readonly full?: boolean;
	} = {},
): Check {
	const { read, streams } = session;
	const only =
		more.only ??
		(read.paths.length > 0
			? read.paths.map((path) => absolute(path, session))
			: undefined);
	const progress = openProgress(streams.error, read.quiet);
	try {
		return check({
			tree: session.parts.tree,
			manifest,
			store,
			today: today(),
			verify: read.verify,
			full: read.full || read.explain || more.full === true,
			only,
			progress: progress.tell,
		});
	} finally {
		progress.end();
	}
}

export function today(): string {
	return new Date().toISOString().slice(0, 10);
}

export function exitOf(checked: Check): number {
	return Object.entries(checked.counts).every(
		([status, count]) => count === 0 || isInSync(status as Row["status"]),
	)
		? inSync
		: drift;
}

/** Whether a person reads what is told, and anything is. */
export function isForReading({ read }: Session): boolean {
	return !read.quiet && (read.format === "text" || read.format === "table");
}

/** Tells what was found, as it was asked for. */
export async function report(
	session: Session,
	opened: Opened,
	checked: Check,
	fix?: object,
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
				fix,
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
	// Whoever watches wants to know which.
	if (read.watch && !read.full && checked.rows.length > 0)
		text += showRows(checked.rows, slashes(outside.folder), paint);
	if (read.diff) {
		const { diffOf } = await import("./explain.ts");
		for (const row of checked.rows)
			if (!isInSync(row.status)) text += await diffOf(row, session);
	}
	if (!read.full && !read.watch && exitOf(checked) === drift)
		text += `${paint.dim("--full lists every row, --explain PATH says why, --fix --dry-run shows what a fix would do.")}\n`;
	else if (read.full) text += `${summaryOf(checked, paint)}\n`;
	streams.out.write(text);
}

const patience = 1_000;
const pause = 100;

/** A line that says how far a long run is: on a terminal only, from its second second on, and gone at its end. */
function openProgress(
	stream: Stream,
	quiet: boolean,
): { readonly tell: Progress; end(): void } {
	// Not even the time is asked for in vain: the clock is a part of the runtime that loads on first use.
	if (quiet || stream.isTTY !== true) return { tell() {}, end() {} };
	const begun = performance.now();
	let last = 0;
	return {
		tell(doing, files) {
			const now = performance.now();
			if (now - begun < patience || now - last < pause) return;
			last = now;
			stream.write(
				`\r\u001b[Ksync-check: ${doing} ${files.toLocaleString("en")} files`,
			);
		},
		end() {
			if (last > 0) stream.write("\r\u001b[K");
		},
	};
}
