import {
	lineEndOf,
	lineStart,
	nextLine,
	type TextEditor,
	Unclear,
	withLineEnd,
} from "./text-editor.ts";

/** TOML: values at the root and in tables with a header, or beside dotted keys. Inline tables and lists of tables are not changed. */
export const tomlText: TextEditor = {
	find(text, path) {
		const found = assignmentAt(scan(text), path);
		return found && text.slice(found.valueStart, found.valueEnd);
	},

	set(text, path, written) {
		const statements = scan(text);
		const found = assignmentAt(statements, path);
		if (found) {
			return {
				text:
					text.slice(0, found.valueStart) +
					written +
					text.slice(found.valueEnd),
				made: 0,
			};
		}
		for (const one of statements) {
			const fixed =
				one.kind === "list"
					? startsWith(path, one.path)
					: one.kind === "value" &&
						(startsWith(path, one.path) || startsWith(one.path, path));
			if (fixed || (one.kind === "table" && startsWith(one.path, path)))
				throw new Unclear(
					text,
					one.start,
					`${one.path.join(".")} is written in a form that is not changed here`,
				);
		}
		const lineEnd = lineEndOf(text);
		const parent = path.slice(0, -1);
		const header = statements.findLastIndex(
			(one) => one.kind === "table" && same(one.path, parent),
		);
		if (header >= 0 || parent.length === 0) {
			let place = header;
			while (statements[place + 1]?.kind === "value") place += 1;
			return {
				text: insertLine(
					text,
					statements[place]?.end ?? (text.startsWith("\ufeff") ? 1 : 0),
					`${keyText(path.slice(parent.length))} = ${written}`,
				),
				made: 0,
			};
		}
		// A table made of dotted keys takes no header beside them.
		const dotted = statements.findLast(
			(one): one is Assignment =>
				one.kind === "value" &&
				!one.listed &&
				startsWith(one.path, parent) &&
				one.table.length < parent.length,
		);
		if (dotted) {
			return {
				text: insertLine(
					text,
					dotted.end,
					`${keyText(path.slice(dotted.table.length))} = ${written}`,
				),
				made: 0,
			};
		}
		const body = withLineEnd(text);
		const gap = body.trim() === "" ? "" : lineEnd;
		return {
			text: `${body}${gap}[${keyText(parent)}]${lineEnd}${keyText(path.slice(-1))} = ${written}${lineEnd}`,
			made: 1,
		};
	},

	remove(text, path, made) {
		const found = assignmentAt(scan(text), path);
		if (!found) return text;
		const left = text.slice(0, found.start) + text.slice(found.end);
		if (made === 0) return left;
		const statements = scan(left);
		const at = statements.findLastIndex(
			(one) => one.kind === "table" && same(one.path, path.slice(0, -1)),
		);
		const header = statements[at];
		const next = statements[at + 1];
		if (!header || next?.kind === "value") return left;
		// What is said below it may be about it.
		if (/#/.test(left.slice(header.end, next?.start ?? left.length)))
			return left;
		const before = left.slice(0, header.start).replace(/(\n|^)\r?\n$/, "$1");
		return before + left.slice(header.end);
	},

	// Texts without control characters and single surrogates are written alike in both.
	write: (value) => JSON.stringify(value),

	read(written) {
		if (/^"(?!"")/.test(written)) {
			try {
				return JSON.parse(written) as string;
			} catch {
				return undefined;
			}
		}
		return /^'(?!'')/.test(written) ? written.slice(1, -1) : undefined;
	},
};

/** A header or an assignment, from the beginning of its first line to behind its last. */
type Statement = Assignment | Header;

interface Header {
	readonly kind: "table" | "list";
	readonly path: readonly string[];
	readonly start: number;
	readonly end: number;
}

interface Assignment {
	readonly kind: "value";
	/** From the root on. */
	readonly path: readonly string[];
	/** Of the header it stands under. */
	readonly table: readonly string[];
	/** Stands in a list of tables, where a path names no single value. */
	readonly listed: boolean;
	readonly start: number;
	readonly valueStart: number;
	readonly valueEnd: number;
	readonly end: number;
}

const deepest = 100;

function assignmentAt(
	statements: readonly Statement[],
	path: readonly string[],
): Assignment | undefined {
	return statements.findLast(
		(one): one is Assignment =>
			one.kind === "value" && !one.listed && same(one.path, path),
	);
}

function scan(text: string): readonly Statement[] {
	const statements: Statement[] = [];
	const lists: (readonly string[])[] = [];
	let table: readonly string[] = [];
	let at = 0;

	for (;;) {
		at = past(/(?:[ \t\r\n\ufeff]|#[^\n]*)*/y);
		if (at === text.length) return statements;
		const start = text.startsWith("\ufeff")
			? Math.max(1, lineStart(text, at))
			: lineStart(text, at);
		if (text[at] === "[") {
			const list = text[at + 1] === "[";
			at += list ? 2 : 1;
			const path = key();
			const close = list ? "]]" : "]";
			if (!text.startsWith(close, at)) fail(`"${close}" is missing`);
			at += close.length;
			endLine();
			statements.push({ kind: list ? "list" : "table", path, start, end: at });
			if (list) lists.push(path);
			table = path;
		} else {
			const path = [...table, ...key()];
			if (text[at] !== "=") fail('a "=" is missing');
			at += 1;
			at = past(/[ \t]*/y);
			const valueStart = at;
			value(1);
			const valueEnd = at;
			endLine();
			const listed = lists.some((list) => startsWith(table, list));
			statements.push({
				kind: "value",
				path,
				table,
				listed,
				start,
				valueStart,
				valueEnd,
				end: at,
			});
		}
	}

	function fail(message: string): never {
		throw new Unclear(text, at, message);
	}

	function past(pattern: RegExp): number {
		pattern.lastIndex = at;
		return pattern.test(text) ? pattern.lastIndex : at;
	}

	function endLine(): void {
		at = past(/[ \t]*(?:#[^\n]*)?/y);
		if (at < text.length && !/^\r?\n/.test(text.slice(at, at + 2)))
			fail("more follows on the line than there should");
		at = nextLine(text, at);
	}

	function key(): readonly string[] {
		const parts: string[] = [];
		for (;;) {
			at = past(/[ \t]*/y);
			const part = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
			part.lastIndex = at;
			const [written] =
				part.exec(text) ?? fail("no key stands where one should");
			at = part.lastIndex;
			parts.push(
				/^["']/.test(written)
					? (tomlText.read(written) ?? fail("a key is not as it must be"))
					: written,
			);
			at = past(/[ \t]*/y);
			if (text[at] !== ".") return parts;
			at += 1;
		}
	}

	function value(depth: number): void {
		if (depth > deepest) fail("values stand in each other too deeply");
		const start = at;
		const open = text[at];
		if (open === '"' || open === "'") {
			at = past(
				text.startsWith(open.repeat(3), at)
					? open === '"'
						? /"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}/y
						: /'''(?:[^']|'(?!''))*'{3,5}/y
					: open === '"'
						? /"(?:[^"\\\n]|\\.)*"/y
						: /'[^'\n]*'/y,
			);
		} else if (open === "[" || open === "{") {
			const close = open === "[" ? "]" : "}";
			at += 1;
			for (;;) {
				at = past(/(?:[ \t\r\n,]|#[^\n]*)*/y);
				if (text[at] === close) break;
				if (at >= text.length) fail(`a "${close}" is missing`);
				if (open === "{") {
					key();
					if (text[at] !== "=") fail('a "=" is missing');
					at += 1;
					at = past(/[ \t]*/y);
				}
				value(depth + 1);
			}
			at += 1;
		} else at = past(/\d{4}-\d\d-\d\d \d[\w+.:-]*|[\w+.:-]+/y);
		if (at === start) fail("no value stands where one should");
	}
}

function insertLine(text: string, at: number, line: string): string {
	const lineEnd = lineEndOf(text);
	const before = text.slice(0, at);
	const after = text.slice(at);
	const lead = /[^\n\ufeff]$/.test(before) ? lineEnd : "";
	// At the top, what was first keeps its distance.
	const gap = /^\ufeff?$/.test(before) && after.trim() !== "" ? lineEnd : "";
	return `${before}${lead}${line}${lineEnd}${gap}${after}`;
}

function keyText(path: readonly string[]): string {
	return path
		.map((part) =>
			/^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part),
		)
		.join(".");
}

function same(one: readonly string[], other: readonly string[]): boolean {
	return one.length === other.length && startsWith(one, other);
}

function startsWith(
	path: readonly string[],
	beginning: readonly string[],
): boolean {
	return (
		path.length >= beginning.length &&
		beginning.every((part, index) => part === path[index])
	);
}
