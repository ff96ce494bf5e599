import {
	isAlias,
	isMap,
	isScalar,
	isSeq,
	type Node,
	type Pair,
	parseDocument,
	stringify,
	type YAMLMap,
} from "yaml";
import type { Proposal } from "../../contexts/learning/index.ts";
import { Fault } from "../../kernel/outcome.ts";

/**
 * `config.yaml` with proposals in its `routing.table`, ahead of the rows and grades that are there, with the evidence as
 * comments. Every other byte stays. What an earlier proposal for the same kind of call put there goes; it is known by the
 * comments around it. Throws `bakeoff/cannot-edit` where the section is written in a way that cannot be added to.
 */
export function editConfig(
	source: string,
	proposals: readonly Proposal[],
	from: string,
): string {
	let text = source === "" || source.endsWith("\n") ? source : `${source}\n`;
	for (const name of ["rows", "grades"] as const) {
		for (const { callType } of proposals) text = without(text, name, callType);
		const lines = proposals.flatMap((proposal) =>
			blockOf(name, proposal, from),
		);
		text = insert(text, ["routing", "table", name], lines);
	}
	assertSame(source, text);
	return text;
}

/** The lines of one proposal in a list: a comment, its items, and a comment that ends it. */
function blockOf(
	name: "rows" | "grades",
	{ callType, row, grades, evidence }: Proposal,
	from: string,
): readonly string[] {
	const items = name === "rows" ? [row] : grades;
	return [
		`# ${beginOf(name, callType)}: ${from}`,
		...(name === "rows" ? evidence.map((line) => `#   ${line}`) : []),
		...items.map(
			(item) =>
				`- ${stringify(item, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trimEnd()}`,
		),
		`# ${endOf(name, callType)}`,
	];
}

function beginOf(name: string, callType: string): string {
	return `bakeoff, ${name} for ${callType}`;
}

function endOf(name: string, callType: string): string {
	return `end of bakeoff, ${name} for ${callType}`;
}

/** Without the block that an earlier proposal put there. */
function without(text: string, name: string, callType: string): string {
	const lines = text.split("\n");
	const begin = lines.findIndex((line) =>
		line.trim().startsWith(`# ${beginOf(name, callType)}: `),
	);
	const end = lines.findIndex(
		(line, at) => at > begin && line.trim() === `# ${endOf(name, callType)}`,
	);
	if (begin < 0 || end < 0) return text;
	lines.splice(begin, end - begin + 1);
	return lines.join("\n");
}

/** Puts items at the head of the list at a path, making what is missing of it. */
function insert(
	text: string,
	path: readonly string[],
	items: readonly string[],
): string {
	const document = parseDocument(text, { logLevel: "error" });
	if (document.errors.length > 0)
		throw cannot("it is no valid YAML: run dos doctor");
	let parent: Pair | undefined;
	let map: unknown = document.contents;
	for (const [depth, step] of path.entries()) {
		const missing = path.slice(depth);
		if (isNothing(map)) {
			if (!parent) return spliced(text, text.length, nested(missing, items));
			const indent = columnOf(text, parent.key as Node) + 2;
			const at = lineEnd(text, endOfKey(parent));
			return spliced(text, at, indented(nested(missing, items), indent));
		}
		if (!isMap(map) || map.flow)
			throw cannot(
				`${path.slice(0, depth).join(".") || "it"} is not written as lines of "name: value"`,
			);
		const pair = map.items.find(
			({ key }) => isScalar(key) && key.value === step,
		);
		if (!pair)
			return spliced(
				text,
				endOfMap(text, map),
				indented(
					nested(missing, items),
					columnOf(text, map.items[0]?.key as Node),
				),
			);
		parent = pair;
		map = pair.value;
	}
	const key = parent as Pair;
	const list = map;
	if (!isNothing(list) && (!isSeq(list) || list.flow))
		throw cannot(
			`${path.join(".")} is not written as lines that begin with "-"`,
		);
	const [first] = isSeq(list) ? (list.items as Node[]) : [];
	const indent = first
		? columnOfDash(text, first)
		: columnOf(text, key.key as Node) + 2;
	// Behind the line of the name: comments above the first item stay with it.
	return spliced(text, lineEnd(text, endOfKey(key)), indented(items, indent));
}

/** `routing:` without anything, which is as good as absent. */
function isNothing(node: unknown): boolean {
	if (isAlias(node)) return false;
	return (
		node === null ||
		node === undefined ||
		(isScalar(node) && node.value === null)
	);
}

function nested(
	path: readonly string[],
	items: readonly string[],
): readonly string[] {
	const [name, ...rest] = path;
	if (name === undefined) return items;
	return [`${name}:`, ...indented(nested(rest, items), 2)];
}

function indented(lines: readonly string[], by: number): readonly string[] {
	return lines.map((line) => `${" ".repeat(by)}${line}`);
}

function spliced(text: string, at: number, lines: readonly string[]): string {
	return `${text.slice(0, at)}${lines.join("\n")}\n${text.slice(at)}`;
}

function endOfKey({ key }: Pair): number {
	return (key as Node).range?.[1] ?? 0;
}

/** Behind the last line that belongs to the map's values. */
function endOfMap(text: string, map: YAMLMap): number {
	const end = map.range?.[1] ?? text.length;
	return text[end - 1] === "\n" ? end : lineEnd(text, end);
}

/** Behind the line break that ends the line. */
function lineEnd(text: string, offset: number): number {
	const found = text.indexOf("\n", offset);
	return found < 0 ? text.length : found + 1;
}

function columnOf(text: string, node: Node): number {
	const start = node.range?.[0] ?? 0;
	return start - (text.lastIndexOf("\n", start - 1) + 1);
}

function columnOfDash(text: string, item: Node): number {
	const start = item.range?.[0] ?? 0;
	const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
	return line.indexOf("-");
}

/** What is not ours to change has to be as it was. */
function assertSame(before: string, after: string): void {
	const read = (text: string) => {
		const plain = (parseDocument(text, { logLevel: "error" }).toJS() ??
			{}) as Record<string, Record<string, unknown> | null>;
		const { routing, ...rest } = plain;
		const { table: _, ...others } = routing ?? {};
		return JSON.stringify([rest, others]);
	};
	if (read(before) !== read(after))
		throw cannot("something else in it would change");
}

function cannot(why: string): Fault {
	return new Fault(
		"bakeoff/cannot-edit",
		`config.yaml cannot be added to: ${why}. Put the rows and grades there by hand: dos bakeoff propose --json prints them.`,
	);
}
