import { parseAst } from "vitest/node";

/** One change to a source that its tests should notice. */
export interface Mutant {
	readonly file: string;
	/** 1-based. */
	readonly line: number;
	/** The lines that change, trimmed and in one, before and after: together with the file, its name. */
	readonly from: string;
	readonly to: string;
	/** The whole source, changed. */
	readonly source: string;
}

/**
 * Every mutant of a source. `within` names the functions and methods that are looked at; absent: all. Types are left
 * alone, and so are words for people: a text with a space in it decides nothing.
 */
export function mutantsOf(
	file: string,
	source: string,
	within?: readonly string[],
): readonly Mutant[] {
	const found = new Map<string, Mutant>();
	const edit = (start: number, end: number, text: string): void => {
		const changed = source.slice(0, start) + text + source.slice(end);
		const first = source.lastIndexOf("\n", start - 1) + 1;
		const newline = source.indexOf("\n", end);
		const last = newline < 0 ? source.length : newline;
		const mutant = {
			file,
			line: source.slice(0, start).split("\n").length,
			from: inOne(source.slice(first, last)),
			to: inOne(changed.slice(first, last + changed.length - source.length)),
			source: changed,
		};
		if (mutant.from === mutant.to || !parses(changed)) return;
		// The same line may stand twice in a file.
		let name = nameOf(mutant);
		for (let count = 2; found.has(name); count++) {
			if (found.get(name)?.source === changed) return;
			mutant.to = `${mutant.to.replace(/ #\d+$/, "")} #${count}`;
			name = nameOf(mutant);
		}
		found.set(name, mutant);
	};
	const text = ({ start, end }: Node): string => source.slice(start, end);

	const missing = new Set(within);

	function walk(node: Node, inside: boolean): void {
		if (node.type.startsWith("TS") && !wrappers.has(node.type)) return;
		if (node.type.startsWith("Import")) return;
		const name = nameIn(node);
		const here = inside || (name !== undefined && missing.delete(name));
		if (here) mutate(node);
		for (const child of childrenOf(node)) walk(child, here);
	}

	function mutate(node: Node): void {
		const { type, start, end } = node;
		const replace = (by: string): void => edit(start, end, by);
		/** Another operator between its two sides; brackets stay as they are. */
		const operate = (by: string): void => {
			const { end: from } = node.left;
			const at = from + source.slice(from).indexOf(node.operator);
			edit(at, at + node.operator.length, by);
		};
		switch (type) {
			case "BinaryExpression":
				for (const by of operators[node.operator] ?? []) operate(by);
				return;
			case "LogicalExpression":
				if (node.operator !== "??")
					operate(node.operator === "&&" ? "||" : "&&");
				replace(text(node.left));
				replace(text(node.right));
				return;
			case "UnaryExpression":
				if (node.operator === "!" || node.operator === "-")
					replace(text(node.argument));
				return;
			case "UpdateExpression":
				replace(
					text(node).replace(/\+\+|--/, (sign) =>
						sign === "++" ? "--" : "++",
					),
				);
				return;
			case "IfStatement":
			case "ConditionalExpression":
				edit(node.test.start, node.test.end, "true");
				edit(node.test.start, node.test.end, "false");
				return;
			case "WhileStatement":
				edit(node.test.start, node.test.end, "false");
				return;
			case "ForOfStatement":
				edit(node.right.start, node.right.end, "[]");
				return;
			case "Literal":
				mutateLiteral(node, replace);
				return;
			case "TemplateLiteral":
				if (!isProse(text(node))) replace('""');
				return;
			case "ArrayExpression":
				replace(node.elements.length > 0 ? "[]" : '["mutant"]');
				removeEach(node.elements);
				return;
			case "ObjectExpression":
				removeEach(node.properties);
				return;
			case "ArrowFunctionExpression":
				if (node.body.type === "BlockStatement") empty(node.body);
				else edit(node.body.start, node.body.end, "undefined");
				return;
			case "FunctionDeclaration":
			case "FunctionExpression":
				empty(node.body);
				return;
			case "ReturnStatement":
				if (node.argument && text(node.argument) !== "undefined")
					replace("return;");
				return;
			case "ContinueStatement":
			case "BreakStatement":
				replace(";");
				return;
			case "ExpressionStatement":
				replace(";");
				return;
			case "AssignmentExpression":
				if (node.operator === "??=") operate("=");
				return;
			case "MemberExpression":
				if (node.optional)
					edit(node.object.end, node.property.start, node.computed ? "[" : ".");
				return;
			case "CallExpression":
				mutateCall(node, replace);
		}
	}

	function empty(body: Node | undefined): void {
		if (body?.body?.length > 0) edit(body?.start ?? 0, body?.end ?? 0, "{}");
	}

	/** One element or property after the other, with its comma. */
	function removeEach(parts: readonly (Node | null)[]): void {
		for (const part of parts) {
			if (!part) continue;
			const comma = /^\s*,/.exec(source.slice(part.end))?.[0].length ?? 0;
			edit(part.start, part.end + comma, "");
		}
	}

	function mutateCall(node: Node, replace: (by: string) => void): void {
		const { callee } = node;
		if (callee.type !== "MemberExpression" || callee.computed) return;
		const method = text(callee.property);
		const other = methods[method];
		if (other) edit(callee.property.start, callee.property.end, other);
		if (dispensable.has(method)) replace(text(callee.object));
	}

	walk(
		parseAst(source, { lang: "ts" }) as unknown as Node,
		within === undefined,
	);
	if (missing.size > 0)
		throw new Error(`${file} has no ${[...missing].join(", ")}.`);
	return [...found.values()];
}

/** How a list of equivalents names it. */
export function nameOf({
	file,
	from,
	to,
}: Pick<Mutant, "file" | "from" | "to">): string {
	return `${file}\n- ${from}\n+ ${to}`;
}

// biome-ignore lint/suspicious/noExplicitAny: the nodes of a syntax tree differ by their type, and are only looked at here.
type Node = any;

/** Syntax of types around an expression. */
const wrappers: ReadonlySet<string> = new Set([
	"TSAsExpression",
	"TSNonNullExpression",
	"TSSatisfiesExpression",
]);

const operators: Readonly<Record<string, readonly string[]>> = {
	"<": ["<=", ">="],
	"<=": ["<", ">"],
	">": [">=", "<="],
	">=": [">", "<"],
	"===": ["!=="],
	"!==": ["==="],
	"+": ["-"],
	"-": ["+"],
	"*": ["/"],
	"/": ["*"],
};

const methods: Readonly<Record<string, string>> = {
	every: "some",
	some: "every",
	min: "max",
	max: "min",
	startsWith: "endsWith",
	endsWith: "startsWith",
	toLowerCase: "toUpperCase",
	indexOf: "lastIndexOf",
	lastIndexOf: "indexOf",
	pop: "shift",
	shift: "pop",
	push: "unshift",
};

/** Calls that may be left out, so that what they are called on stands in their place. */
const dispensable: ReadonlySet<string> = new Set([
	"filter",
	"map",
	"reverse",
	"slice",
	"sort",
	"toLowerCase",
	"trim",
]);

function mutateLiteral(node: Node, replace: (by: string) => void): void {
	const { value, raw, regex } = node;
	if (regex) {
		const { pattern, flags } = regex as { pattern: string; flags: string };
		if (pattern.startsWith("^")) replace(`/${pattern.slice(1)}/${flags}`);
		if (pattern.endsWith("$")) replace(`/${pattern.slice(0, -1)}/${flags}`);
	} else if (typeof value === "boolean") replace(String(!value));
	else if (typeof value === "number") {
		replace(String(value + 1));
		if (value > 0) replace(String(value - 1));
	} else if (typeof value === "string" && !isProse(raw))
		replace(value === "" ? '"mutant"' : '""');
}

function isProse(text: string): boolean {
	return text.includes(" ");
}

function parses(source: string): boolean {
	try {
		parseAst(source, { lang: "ts" });
		return true;
	} catch {
		return false;
	}
}

function inOne(lines: string): string {
	return lines.trim().replace(/\s+/g, " ");
}

function nameIn({ type, key, id }: Node): string | undefined {
	if (type === "MethodDefinition" || type === "Property") return key.name;
	return type === "FunctionDeclaration" ? id?.name : undefined;
}

function* childrenOf(node: Node): Generator<Node> {
	for (const [name, value] of Object.entries(node)) {
		if (notCode.has(name)) continue;
		for (const child of Array.isArray(value) ? value : [value])
			if (typeof (child as Node)?.type === "string") yield child;
	}
}

/** Members of a node that hold no expression of its own. */
const notCode: ReadonlySet<string> = new Set([
	"typeAnnotation",
	"typeArguments",
	"typeParameters",
	"returnType",
]);
