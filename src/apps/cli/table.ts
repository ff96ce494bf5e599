import { stripVTControlCharacters } from "node:util";
import { harmless } from "./style.ts";

export interface Column {
	readonly title: string;
	/** Numbers stand at the right. */
	readonly align?: "left" | "right";
	/** Gives way, down to this many characters, when the table is wider than the screen. */
	readonly shrink?: number;
	/** Paints a padded cell. */
	readonly paint?: (cell: string, row: number) => string;
}

/**
 * An aligned table without lines around it, two spaces between columns, no space at a line's end.
 * `width` is the screen's: columns that may shrink then do, ending in "…".
 */
export function table(
	columns: readonly Column[],
	rows: readonly (readonly string[])[],
	width?: number,
): string {
	const cells = rows.map((row) => row.map(harmless));
	const widths = columns.map(({ title }, index) =>
		cells.reduce(
			(widest, row) => Math.max(widest, displayWidth(row[index] ?? "")),
			displayWidth(title),
		),
	);
	if (width !== undefined) shrink(columns, widths, width);
	const line = (
		row: readonly string[],
		paint: (cell: string, column: Column) => string,
	) =>
		columns
			.map((column, index) =>
				paint(
					pad(row[index] ?? "", widths[index] as number, column.align),
					column,
				),
			)
			.join("  ")
			.trimEnd();
	return [
		line(
			columns.map(({ title }) => title),
			(cell) => cell,
		),
		...cells.map((row, index) =>
			line(row, (cell, column) => column.paint?.(cell, index) ?? cell),
		),
	].join("\n");
}

/** Names and values under each other: `balance    990 credits`. */
export function pairs(
	rows: readonly (readonly [name: string, value: string])[],
): string {
	const widest = rows.reduce(
		(width, [name]) => Math.max(width, displayWidth(name)),
		0,
	);
	return rows
		.map(([name, value]) => `${pad(name, widest)}  ${value}`.trimEnd())
		.join("\n");
}

/** Breaks a text between words into lines of at most `width`, each but the first after `indent`. A longer word stays whole. */
export function wrap(text: string, width: number, indent: string): string {
	const lines: string[] = [];
	for (const given of text.split("\n")) {
		let line = "";
		for (const word of given.split(" ")) {
			if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) {
				lines.push(line);
				line = word;
			} else line = line === "" ? word : `${line} ${word}`;
		}
		lines.push(line);
	}
	return lines.join(`\n${indent}`);
}

/** Columns of the screen that a text takes: wide characters take two, marks that combine none. */
export function displayWidth(text: string): number {
	if (/^[ -~]*$/.test(text)) return text.length;
	let width = 0;
	for (const { segment } of graphemesOf(stripVTControlCharacters(text)))
		width += wide.test(segment) ? 2 : 1;
	return width;
}

let segmenter: Intl.Segmenter | undefined;
/** Made when a text needs it: it takes as long as a small command. */
function graphemesOf(text: string): Intl.Segments {
	segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
	return segmenter.segment(text);
}
const wide =
	/\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

function pad(
	text: string,
	width: number,
	align: Column["align"] = "left",
): string {
	const fitting = displayWidth(text) > width ? cut(text, width) : text;
	const space = " ".repeat(width - displayWidth(fitting));
	return align === "right" ? space + fitting : fitting + space;
}

function cut(text: string, width: number): string {
	let kept = "";
	let taken = 0;
	for (const { segment } of graphemesOf(text)) {
		const next = displayWidth(segment);
		if (taken + next > width - 1) break;
		kept += segment;
		taken += next;
	}
	return `${kept}…`;
}

function shrink(
	columns: readonly Column[],
	widths: number[],
	width: number,
): void {
	let excess =
		widths.reduce((sum, one) => sum + one, 2 * (widths.length - 1)) - width;
	while (excess > 0) {
		let widest = -1;
		columns.forEach(({ shrink: least }, index) => {
			if (least === undefined || (widths[index] as number) <= least) return;
			if (widest < 0 || (widths[index] as number) > (widths[widest] as number))
				widest = index;
		});
		if (widest < 0) return;
		widths[widest] = (widths[widest] as number) - 1;
		excess--;
	}
}
