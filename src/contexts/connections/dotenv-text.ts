import { lineEndOf, type TextEditor, withLineEnd } from "./text-editor.ts";

/** Files of `NAME=value` lines, with or without `export`. Of two lines with one name the last counts. */
export const dotenvText: TextEditor = {
	find(text, [name]) {
		const found = lineOf(text, name);
		return found && text.slice(found.valueStart, found.valueEnd);
	},

	set(text, [name], written) {
		const found = lineOf(text, name);
		if (found) {
			return {
				text:
					text.slice(0, found.valueStart) +
					written +
					text.slice(found.valueEnd),
				made: 0,
			};
		}
		return {
			text: `${withLineEnd(text)}${name}=${written}${lineEndOf(text)}`,
			made: 0,
		};
	},

	remove(text, [name]) {
		const found = lineOf(text, name);
		return found ? text.slice(0, found.start) + text.slice(found.end) : text;
	},

	// Quotes that every reader and every shell takes the same way.
	write: (value) => (/^[\w.:/@%+,~-]*$/.test(value) ? value : `'${value}'`),

	read: (written) => /^(["'`])([\s\S]*)\1$/.exec(written)?.[2] ?? written,
};

interface Line {
	readonly start: number;
	readonly valueStart: number;
	readonly valueEnd: number;
	readonly end: number;
}

function lineOf(text: string, name: string | undefined): Line | undefined {
	let found: Line | undefined;
	const line = new RegExp(assignment, "gy");
	for (const match of text.matchAll(line)) {
		const [whole, lead, key, value] = match;
		if (whole === "") break;
		if (lead === undefined || value === undefined || key !== name) continue;
		const mark = lead.startsWith("\ufeff") ? 1 : 0;
		const valueStart = match.index + lead.length;
		found = {
			start: match.index + mark,
			valueStart,
			valueEnd: valueStart + value.trimEnd().length,
			end: match.index + whole.length,
		};
	}
	return found;
}

/** Up to the end of a quoted value's line there may be a remark. */
const lineEnds = "(?=[ \\t]*(?:#[^\\n]*)?\\r?(?:\\n|$))";
/** A whole line, or several where a quoted value goes on; its lead, name and value where it is an assignment. */
const assignment = `(\\ufeff?[ \\t]*(?:export[ \\t]+)?([\\w.-]+)[ \\t]*=[ \\t]*)("(?:\\\\[^]|[^"\\\\])*"${lineEnds}|'[^']*'${lineEnds}|\`[^\`]*\`${lineEnds}|[^#\\r\\n]*)[^\\n]*(?:\\n|$)|[^\\n]*(?:\\n|$)`;
