import {
	type Check,
	isInSync,
	type Row,
	type Status,
	statuses,
} from "../../contexts/sync/index.ts";

/** Colours where they are wanted, plain text where not. */
export interface Paint {
	green(text: string): string;
	yellow(text: string): string;
	red(text: string): string;
	dim(text: string): string;
}

export function openPaint(painted: boolean): Paint {
	const paint = (open: number, close: number) => (text: string) =>
		painted && text ? `\u001b[${open}m${text}\u001b[${close}m` : text;
	return {
		green: paint(32, 39),
		yellow: paint(33, 39),
		red: paint(31, 39),
		dim: paint(2, 22),
	};
}

/** From here where that is shorter, with nothing in it that could move a cursor or end a line. */
export function showPath(path: string, folder: string): string {
	const near =
		path !== folder && path.startsWith(`${folder}/`)
			? path.slice(folder.length + 1)
			: path;
	return harmless(near);
}

export function harmless(text: string): string {
	return text.replace(
		/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu,
		(character) =>
			`\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

/** As a word of a command line. */
export function asWord(path: string): string {
	const word = path.startsWith("-") ? `./${path}` : path;
	return /^[\w./@%+=:,~-]+$/.test(word)
		? word
		: `'${word.replaceAll("'", "'\\''")}'`;
}

/** What each status means, and whether a fix ends it. */
export const meanings: Readonly<Record<Status, string>> = {
	SYNCED: "the same bytes",
	LINKED: "one file by two names",
	DECLARED: "declared to differ, or to stand on one side only",
	STALE: "the source moved: --fix overwrites the copy",
	MISSING: "the copy is not there: --fix brings it",
	MODE: "other permission bits: --fix sets them",
	EDITED: "the copy moved: left to you",
	CONFLICT: "both moved: left to you",
	DRIFT: "they differ, and nobody remembers them equal",
	EXTRA: "only the copy is there: left to you",
	TYPE: "a file against a folder, a link or something else: left to you",
	"DECLARED-CHANGED": "not the difference that was declared: left to you",
	UNREADABLE: "could not be read: --full says why",
};

function headOf({ counts, total }: Check, paint: Paint): string {
	const wrong = statuses
		.filter((status) => !isInSync(status))
		.reduce((sum, status) => sum + counts[status], 0);
	const rows = `${total} ${total === 1 ? "row" : "rows"}`;
	return wrong === 0
		? `${paint.green("in sync")}: ${rows}`
		: `${paint.red("drift")}: ${wrong} of ${rows}`;
}

/** One line for hooks. */
export function summaryOf(checked: Check, paint: Paint): string {
	const wrong = statuses
		.filter((status) => !isInSync(status) && checked.counts[status] > 0)
		.map((status) => `${checked.counts[status]} ${status}`);
	return `${headOf(checked, paint)}${wrong.length > 0 ? ` (${wrong.join(", ")})` : ""}`;
}

export function countsOf(checked: Check, paint: Paint): string {
	const { counts } = checked;
	const found = statuses.filter((status) => counts[status] > 0);
	const width = Math.max(...found.map((status) => `${counts[status]}`.length));
	let text = `${headOf(checked, paint)}\n`;
	for (const status of found)
		text += `  ${painted(status, paint)(status.padEnd(16))}  ${`${counts[status]}`.padStart(width)}  ${paint.dim(meanings[status])}\n`;
	return text;
}

/** A table, a row a file. */
export function showRows(
	rows: readonly Row[],
	folder: string,
	paint: Paint,
): string {
	const cells = rows.map((row) => ({
		row,
		copy: showPath(row.copy.path, folder),
		source: showPath(row.source.path, folder),
	}));
	const copyWidth = Math.min(
		60,
		cells.reduce((most, { copy }) => Math.max(most, copy.length), 4),
	);
	const sourceWidth = Math.min(
		60,
		cells.reduce((most, { source }) => Math.max(most, source.length), 6),
	);
	let text = `${paint.dim(`${"STATUS".padEnd(18)}${"COPY".padEnd(copyWidth)}  SOURCE`)}\n`;
	for (const { row, copy, source } of cells) {
		const why = [row.note, row.hint].filter((one) => one !== undefined);
		text += `${painted(row.status, paint)(row.status.padEnd(18))}${copy.padEnd(copyWidth)}  ${why.length > 0 ? source.padEnd(sourceWidth) : source}${why.length > 0 ? paint.dim(`  ${harmless(why.join("; "))}`) : ""}\n`;
	}
	return text;
}

function painted(status: Status, paint: Paint): (text: string) => string {
	if (isInSync(status)) return paint.green;
	return status === "STALE" || status === "MISSING" || status === "MODE"
		? paint.yellow
		: paint.red;
}
