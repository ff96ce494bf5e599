import {
	type Check,
	contentOf,
	isInSync,
	loadDiff,
	type Row,
} from "../../contexts/sync/index.ts";
import { Fault } from "../../kernel/outcome.ts";
import { type Session, shown } from "./session.ts";
import { asWord, harmless } from "./text.ts";

/** Tells for each row that was asked for what stands on both sides, what they agreed on last, and what can be done. */
export async function explain(
	session: Session,
	checked: Check,
): Promise<number> {
	const { streams, read } = session;
	if (read.format === "json") {
		const { formatted } = await import("./formats.ts");
		streams.out.write(
			formatted("json", checked, {
				folder: session.outside.folder,
				manifest: "",
				exitCode: checked.inSync ? 0 : 1,
			}),
		);
		return checked.inSync ? 0 : 1;
	}
	for (const row of checked.rows) {
		const lines = [
			`${row.status}  ${shown(row.copy.path, session)}`,
			`  set      ${harmless(row.set)}`,
			`  source   ${side(row.source, session)}`,
			`  copy     ${side(row.copy, session)}`,
			`  base     ${row.base ? harmless(row.base) : "none: nobody remembers the two in agreement"}`,
			`  because  ${harmless(because(row))}`,
		];
		if (row.hint) lines.push(`  hint     ${row.hint}`);
		const way = wayOut(row, session);
		if (way) lines.push(`  way out  ${way}`);
		streams.out.write(`${lines.join("\n")}\n${await diffOf(row, session)}`);
	}
	return checked.inSync ? 0 : 1;
}

function side({ role, path, fact }: Row["source"], session: Session): string {
	const what =
		fact.kind === "file"
			? `sha256 ${fact.hash}, ${fact.size} bytes, ${fact.permissions.toString(8).padStart(3, "0")}`
			: fact.kind === "link"
				? `a link to ${harmless(fact.target)}`
				: fact.kind === "none"
					? "not there"
					: fact.kind === "unreadable"
						? "cannot be read"
						: `a ${fact.kind}`;
	return `${role}: ${shown(path, session)} (${what})`;
}

function because(row: Row): string {
	if (row.note) return row.note;
	switch (row.status) {
		case "SYNCED":
			return "both hold the same bytes";
		case "STALE":
			return "the copy is what both were when they last agreed; the source moved on";
		case "EDITED":
			return "the source is what both were when they last agreed; the copy was edited";
		case "CONFLICT":
			return "neither is what both were when they last agreed";
		case "DRIFT":
			return "they differ, and no agreement is remembered that could tell who moved";
		case "MISSING":
			return "the source is there and the copy is not";
		case "EXTRA":
			return "the copy is there and the source is not";
		default:
			return row.status;
	}
}

function wayOut(row: Row, session: Session): string | undefined {
	const path = asWord(shown(row.copy.path, session));
	switch (row.status) {
		case "STALE":
		case "MISSING":
		case "MODE":
			return `--fix ${path}`;
		case "EDITED":
		case "CONFLICT":
		case "DRIFT":
		case "DECLARED-CHANGED":
			return row.source.fact.kind === "file" && row.copy.fact.kind === "file"
				? `--adopt ${path}, --fix --force ${path}, or --merge ${path}`
				: `--adopt ${path}, or --fix --force ${path}`;
		case "EXTRA":
			return `--adopt ${path} brings it to the source, --fix --force ${path} takes it away; both can be undone`;
		case "TYPE":
			return `--fix --force ${path}`;
		default:
			return undefined;
	}
}

/** What would change in the copy if it became the source; "" where there is nothing to read. */
export async function diffOf(row: Row, session: Session): Promise<string> {
	const { source, copy } = row;
	if (isInSync(row.status) && row.status !== "DECLARED") return "";
	if (contentOf(source.fact) === contentOf(copy.fact)) return "";
	if (source.fact.kind === "link" || copy.fact.kind === "link") return "";
	if (source.fact.kind !== "file" || copy.fact.kind !== "file") return "";
	const largest = 4_000_000;
	if (source.fact.size > largest || copy.fact.size > largest)
		return "(too large for a diff)\n";
	const { isText, unifiedDiff } = await loadDiff();
	const { tree } = session.parts;
	try {
		const left = tree.read(copy.path);
		const right = tree.read(source.path);
		if (!isText(left) || !isText(right)) return "(not text: no diff)\n";
		const diff = unifiedDiff(tree.decode(left), tree.decode(right), {
			left: shown(copy.path, session),
			right: shown(source.path, session),
		});
		return paintDiff(diff, session);
	} catch (thrown) {
		if (thrown instanceof Fault) return `(${thrown.message})\n`;
		throw thrown;
	}
}

function paintDiff(diff: string, { paint }: Session): string {
	return diff
		.split("\n")
		.map((line) => {
			// A tab is a tab; anything else that could move the cursor is shown, not sent.
			const safe = line.split("\t").map(harmless).join("\t");
			if (line.startsWith("+") && !line.startsWith("+++"))
				return paint.green(safe);
			if (line.startsWith("-") && !line.startsWith("---"))
				return paint.red(safe);
			return line.startsWith("@@") ? paint.dim(safe) : safe;
		})
		.join("\n");
}
