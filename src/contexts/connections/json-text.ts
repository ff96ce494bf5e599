import {
	lineEndOf,
	lineStart,
	nextLine,
	type TextEditor,
	Unclear,
	withLineEnd,
} from "./text-editor.ts";

/** JSON, also with comments and trailing commas. Of two members with one name the last counts, as readers keep it. */
export const jsonText: TextEditor = {
	find(text, path) {
		let node: Node | undefined = parse(text);
		for (const name of path) node = node && memberOf(node, name)?.value;
		return node && path.length > 0
			? text.slice(node.start, node.end)
			: undefined;
	},

	set(text, path, written) {
		const root = parse(text);
		if (!root) {
			const style = { unit: "  ", lineEnd: lineEndOf(text), space: " " };
			const body = render(path, written, "", style);
			return {
				text: withLineEnd(text) + body + style.lineEnd,
				made: path.length,
			};
		}
		let node = root;
		for (const [depth, name] of path.entries()) {
			if (!node.members)
				throw new Unclear(
					text,
					node.start,
					`${path.slice(0, depth).join(".") || "the whole"} is no object`,
				);
			const found = memberOf(node, name);
			if (!found) {
				return {
					text: insert(text, root, node, path.slice(depth), written),
					made: path.length - 1 - depth,
				};
			}
			node = found.value;
		}
		return {
			text: text.slice(0, node.start) + written + text.slice(node.end),
			made: 0,
		};
	},

	remove(text, path, made) {
		let left = removeMember(text, path);
		for (let depth = 1; depth <= made; depth++) {
			const parent = path.slice(0, -depth);
			let node = parse(left);
			for (const name of parent) node = node && memberOf(node, name)?.value;
			if (!node?.members || node.members.length > 0) break;
			if (left.slice(node.start + 1, node.end - 1).trim() !== "") break;
			left =
				parent.length > 0
					? removeMember(left, parent)
					: left.slice(0, node.start) +
						left.slice(node.end).replace(/^[ \t]*\r?\n/, "");
		}
		return left;
	},

	write: (value) => JSON.stringify(value),

	read(written) {
		return written.startsWith('"')
			? (JSON.parse(written) as string)
			: undefined;
	},
};

interface Node {
	readonly start: number;
	readonly end: number;
	/** Of an object; other values have none. */
	readonly members?: readonly Member[];
}

interface Member {
	readonly name: string;
	readonly start: number;
	readonly colon: number;
	readonly value: Node;
	/** Where the comma after it stands. */
	comma: number | undefined;
}

interface Style {
	readonly unit: string;
	readonly lineEnd: string;
	/** Behind a colon. */
	readonly space: string;
}

/** Deeper than anybody's settings. */
const deepest = 200;

function memberOf(node: Node, name: string): Member | undefined {
	return node.members?.findLast((member) => member.name === name);
}

/** The value that the text is; undefined for one of nothing but white space and comments. */
function parse(text: string): Node | undefined {
	let at = skip(0);
	if (at === text.length) return undefined;
	const root = value(1);
	at = skip(at);
	if (at < text.length) fail("more follows where the file should end");
	return root;

	function fail(message: string): never {
		throw new Unclear(text, at, message);
	}

	/** Past white space and comments. */
	function skip(from: number): number {
		const gap = /(?:[\s\ufeff]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
		gap.lastIndex = from;
		gap.test(text);
		return gap.lastIndex;
	}

	function string(): string {
		const token = /"(?:[^"\\\p{Cc}]|\t|\\.)*"/uy;
		token.lastIndex = at;
		const [written] = token.exec(text) ?? fail("a string is not as it must be");
		at = token.lastIndex;
		try {
			return JSON.parse(written.replaceAll("\t", "\\t")) as string;
		} catch {
			return fail("a string is not as it must be");
		}
	}

	function value(depth: number): Node {
		if (depth > deepest) fail("values stand in each other too deeply");
		const start = at;
		if (text[at] === "{") {
			const members: Member[] = [];
			sequence("}", () => {
				const memberStart = at;
				const name = string();
				at = skip(at);
				const colon = at;
				if (text[at] !== ":") fail('a ":" is missing');
				at = skip(at + 1);
				const member: Member = {
					name,
					start: memberStart,
					colon,
					value: value(depth + 1),
					comma: undefined,
				};
				members.push(member);
				return (comma) => {
					member.comma = comma;
				};
			});
			return { start, end: at, members };
		}
		if (text[at] === "[") {
			sequence("]", () => {
				value(depth + 1);
				return () => {};
			});
		} else if (text[at] === '"') string();
		else {
			const scalar =
				/(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
			scalar.lastIndex = at;
			if (!scalar.test(text)) fail("no value stands where one should");
			at = scalar.lastIndex;
		}
		return { start, end: at };
	}

	/** What stands between brackets, with commas between and perhaps behind. */
	function sequence(close: string, item: () => (comma: number) => void): void {
		at = skip(at + 1);
		while (text[at] !== close) {
			const separated = item();
			at = skip(at);
			if (text[at] === ",") {
				separated(at);
				at = skip(at + 1);
			} else if (text[at] !== close) fail(`a "," or "${close}" is missing`);
		}
		at += 1;
	}
}

function insert(
	text: string,
	root: Node,
	object: Node,
	path: readonly string[],
	written: string,
): string {
	const members = object.members ?? [];
	const first = root.members?.[0];
	const style: Style = {
		unit: (first && indentBefore(text, first.start)) || "  ",
		lineEnd: lineEndOf(text),
		space: first && !/\s/.test(text[first.colon + 1] ?? "") ? "" : " ",
	};
	const last = members.at(-1);
	const oneLine = last
		? !text.slice(object.start, object.end).includes("\n")
		: object !== root && !text.trimEnd().includes("\n");
	const outer = /^[ \t]*/.exec(
		text.slice(lineStart(text, object.start)),
	)?.[0] as string;
	const indent =
		(members[0] && indentBefore(text, members[0].start)) ?? outer + style.unit;
	const member = (trailing: string) =>
		oneLine
			? renderLine(path, written, style.space) + trailing
			: style.lineEnd +
				indent +
				renderMember(path, written, indent, style) +
				trailing;

	if (!last) {
		const inside = text.slice(object.start + 1, object.end - 1);
		if (oneLine && inside.trim() === "")
			return splice(text, object.start + 1, object.end - 1, member(""));
		// Comments that stand in it stay ahead; what closes it goes to a line of its own.
		const kept = inside.trimEnd();
		return splice(
			text,
			object.start + 1 + kept.length,
			object.end - 1,
			member("") + style.lineEnd + outer,
		);
	}
	if (last.comma === undefined && oneLine) {
		return splice(
			text,
			last.value.end,
			last.value.end,
			`,${style.space}${member("")}`,
		);
	}
	// A remark behind the last member stays behind it.
	const after = (last.comma ?? last.value.end - 1) + 1;
	const rest =
		/^(?:[ \t]*\/\*(?:(?!\*\/)[^\n])*\*\/)*(?:[ \t]*\/\/[^\r\n]*)?/.exec(
			text.slice(after),
		)?.[0] as string;
	const place = after + rest.length;
	const closing =
		oneLine || text.slice(place, object.end - 1).includes("\n")
			? ""
			: style.lineEnd + outer;
	const added = splice(
		text,
		place,
		place,
		`${oneLine ? style.space : ""}${member(last.comma === undefined ? "" : ",")}${closing}`,
	);
	return last.comma === undefined
		? splice(added, last.value.end, last.value.end, ",")
		: added;
}

/** The white space before a token that begins its line; undefined when something else does. */
function indentBefore(text: string, at: number): string | undefined {
	const before = text.slice(lineStart(text, at), at);
	return /^[ \t]*$/.test(before) && lineStart(text, at) > 0
		? before
		: undefined;
}

function render(
	path: readonly string[],
	written: string,
	indent: string,
	style: Style,
): string {
	if (path.length === 0) return written;
	const inner = indent + style.unit;
	return `{${style.lineEnd}${inner}${renderMember(path, written, inner, style)}${style.lineEnd}${indent}}`;
}

function renderMember(
	[name, ...rest]: readonly string[],
	written: string,
	indent: string,
	style: Style,
): string {
	return `${JSON.stringify(name)}:${style.space}${render(rest, written, indent, style)}`;
}

function renderLine(
	[name, ...rest]: readonly string[],
	written: string,
	space: string,
): string {
	const value =
		rest.length === 0 ? written : `{${renderLine(rest, written, space)}}`;
	return `${JSON.stringify(name)}:${space}${value}`;
}

function removeMember(text: string, path: readonly string[]): string {
	let object = parse(text);
	for (const name of path.slice(0, -1))
		object = object && memberOf(object, name)?.value;
	const member = object && memberOf(object, path.at(-1) as string);
	if (!object?.members || !member) return text;
	const before = object.members[object.members.indexOf(member) - 1];
	let start = member.start;
	let end = member.comma === undefined ? member.value.end : member.comma + 1;
	const from = lineStart(text, start);
	if (
		indentBefore(text, start) !== undefined &&
		/^[ \t]*\r?\n/.test(text.slice(end))
	) {
		start = from;
		end = nextLine(text, end);
	} else if (member.comma !== undefined) {
		while (text[end] === " ") end += 1;
	} else while (text[start - 1] === " ") start -= 1;
	const left = splice(text, start, end, "");
	return member.comma === undefined && before?.comma !== undefined
		? splice(left, before.comma, before.comma + 1, "")
		: left;
}

function splice(text: string, start: number, end: number, put: string): string {
	return text.slice(0, start) + put + text.slice(end);
}
