import {
	type Check,
	contentOf,
	isInSync,
	type Row,
	statuses,
} from "../../contexts/sync/index.ts";
import { meanings } from "./text.ts";

export interface FormatContext {
	/** Where the run began: paths are told from here. */
	readonly folder: string;
	readonly manifest: string;
	readonly exitCode: number;
	/** What a fix did, told in JSON. */
	readonly fix?: object | undefined;
}

/** A check for programs to read. */
export function formatted(
	format: "json" | "sarif" | "junit" | "github",
	checked: Check,
	context: FormatContext,
): string {
	switch (format) {
		case "json":
			return json(checked, context);
		case "sarif":
			return sarif(checked, context);
		case "junit":
			return junit(checked, context);
		case "github":
			return github(checked, context);
	}
}

function json({ counts, total, rows }: Check, context: FormatContext): string {
	const sum = (wanted: (status: (typeof statuses)[number]) => boolean) =>
		statuses
			.filter(wanted)
			.reduce((added, status) => added + counts[status], 0);
	const identical = sum(isInSync);
	const missing = counts.MISSING + counts.EXTRA;
	return `${JSON.stringify(
		{
			version: 1,
			exit_code: context.exitCode,
			manifest: context.manifest,
			fix: context.fix,
			total,
			total_identical: identical,
			total_missing: missing,
			total_drift: total - identical - missing,
			counts,
			files: rows.map((row) => ({
				pair: row.set,
				relative_path: row.relative,
				status: row.status,
				source: sideOf(row.source),
				copy: sideOf(row.copy),
				base: row.base,
				note: row.note,
				hint: row.hint,
			})),
		},
		undefined,
		2,
	)}\n`;
}

function sideOf({ role, path, fact }: Row["source"]): unknown {
	return {
		role,
		path,
		kind: fact.kind,
		content: contentOf(fact),
		...(fact.kind === "file"
			? {
					size: fact.size,
					permissions: fact.permissions.toString(8).padStart(3, "0"),
				}
			: {}),
	};
}

function told(row: Row, context: FormatContext): string {
	const { status, source, note, hint } = row;
	const why = [note, hint].filter((one) => one !== undefined).join("; ");
	return `${status}: ${relationOf(row)} ${near(source.path, context)}${why === "" ? "" : ` (${why})`}`;
}

/** What is wrong, up to the name of the source. */
function relationOf({ status, source, copy }: Row): string {
	switch (status) {
		case "MISSING":
			return "is not there, and should be the same as";
		case "EXTRA":
			return "is there without";
		case "MODE":
			return "has other permissions than";
		case "STALE":
			return "is as it was last synced, and not as";
		case "EDITED":
			return "was edited, unlike its source";
		case "CONFLICT":
			return "was edited, and so was its source";
		case "UNREADABLE":
			return "could not be compared with";
		default:
			return source.fact.kind === copy.fact.kind
				? "differs from"
				: "is something else than";
	}
}

function near(path: string, { folder }: FormatContext): string {
	return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

function sarif({ rows }: Check, context: FormatContext): string {
	const wrong = rows.filter(({ status }) => !isInSync(status));
	const used = [...new Set(wrong.map(({ status }) => status))];
	return `${JSON.stringify(
		{
			$schema: "https://json.schemastore.org/sarif-2.1.0.json",
			version: "2.1.0",
			runs: [
				{
					tool: {
						driver: {
							name: "sync-check",
							rules: used.map((status) => ({
								id: status,
								shortDescription: { text: meanings[status] },
							})),
						},
					},
					results: wrong.map((row) => ({
						ruleId: row.status,
						level: "error",
						message: { text: told(row, context) },
						locations: [
							{
								physicalLocation: {
									artifactLocation: {
										uri: uriOf(near(row.copy.path, context)),
									},
								},
							},
						],
					})),
				},
			],
		},
		undefined,
		2,
	)}\n`;
}

/** Relative to where the run began, or whole for what lies elsewhere. */
function uriOf(path: string): string {
	const encoded = path
		.toWellFormed()
		.split("/")
		.map(encodeURIComponent)
		.join("/");
	return path.startsWith("/") ? `file://${encoded}` : encoded;
}

function junit(checked: Check, context: FormatContext): string {
	const wrong = checked.rows.filter(({ status }) => !isInSync(status));
	const cases = checked.rows
		.map((row) => {
			const open = `    <testcase classname="${xml(row.set)}" name="${xml(near(row.copy.path, context))}"`;
			return isInSync(row.status)
				? `${open}/>`
				: `${open}>\n      <failure type="${row.status}" message="${xml(told(row, context))}"/>\n    </testcase>`;
		})
		.join("\n");
	return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="sync-check" tests="${checked.total}" failures="${wrong.length}">
${cases}${cases === "" ? "" : "\n"}  </testsuite>
</testsuites>
`;
}

function xml(text: string): string {
	const entities: Readonly<Record<string, string>> = {
		"&": "&amp;",
		"<": "&lt;",
		">": "&gt;",
		'"': "&quot;",
		"\n": "&#10;",
		"\r": "&#13;",
		"\t": "&#9;",
	};
	return (
		text
			.toWellFormed()
			.replace(/[&<>"\n\r\t]/g, (character) => entities[character] as string)
			// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot hold them, not even escaped.
			.replace(/[\u0000-\u001f\ufffe\uffff]/g, "\ufffd")
	);
}

function github({ rows }: Check, context: FormatContext): string {
	const data = (text: string) =>
		text
			.toWellFormed()
			.replaceAll("%", "%25")
			.replaceAll("\r", "%0D")
			.replaceAll("\n", "%0A");
	const property = (text: string) =>
		data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
	return rows
		.filter(({ status }) => !isInSync(status))
		.map(
			(row) =>
				`::error file=${property(near(row.copy.path, context))},title=${property(`sync-check: ${row.status}`)}::${data(told(row, context))}\n`,
		)
		.join("");
}
