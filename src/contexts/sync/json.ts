/** JSON that remembers where everything stands, so that an error can name line and column. */

export type JsonNode =
	| {
			readonly kind: "object";
			readonly at: number;
			readonly entries: readonly JsonEntry[];
	  }
	| {
			readonly kind: "array";
			readonly at: number;
			readonly items: readonly JsonNode[];
	  }
	| { readonly kind: "string"; readonly at: number; readonly value: string }
	| { readonly kind: "number"; readonly at: number; readonly value: number }
	| { readonly kind: "boolean"; readonly at: number; readonly value: boolean }
	| { readonly kind: "null"; readonly at: number };

export interface JsonEntry {
	readonly key: string;
	readonly keyAt: number;
	readonly value: JsonNode;
}

/** A mistake in a text: where, what, and what to write instead. */
export interface Mistake {
	readonly line: number;
	readonly column: number;
	readonly message: string;
}

/** Deeper than any manifest; a text that nests further is refused before it can exhaust the stack. */
const deepest = 64;

/** Reads one JSON document. Stricter than `JSON.parse`: a key may stand once in an object. */
export function readJson(
	text: string,
):
	| { readonly ok: true; readonly root: JsonNode }
	| { readonly ok: false; readonly mistakes: readonly Mistake[] } {
	let at = text.startsWith("\ufeff") ? 1 : 0;

	class Stop {
		readonly at: number;
		readonly message: string;
		constructor(where: number, message: string) {
			this.at = where;
			this.message = message;
		}
	}

	function skip(): void {
		for (;;) {
			const unit = text.charCodeAt(at);
			if (unit === 32 || unit === 10 || unit === 13 || unit === 9) at++;
			else return;
		}
	}

	function shown(): string {
		if (at >= text.length) return "the end of the file";
		const found = String.fromCodePoint(text.codePointAt(at) ?? 0);
		if (found === "/") return '"/" (JSON has no comments)';
		return found === "'"
			? "' (JSON wants double quotes)"
			: JSON.stringify(found);
	}

	function readValue(depth: number): JsonNode {
		skip();
		const start = at;
		if (depth > deepest)
			throw new Stop(
				at,
				`This is nested more than ${deepest} levels deep; a manifest needs no more than eight.`,
			);
		switch (text[at]) {
			case "{":
				return readObject(depth);
			case "[":
				return readArray(depth);
			case '"':
				return { kind: "string", at: start, value: readString() };
			case "t":
				return readWord("true", { kind: "boolean", at: start, value: true });
			case "f":
				return readWord("false", { kind: "boolean", at: start, value: false });
			case "n":
				return readWord("null", { kind: "null", at: start });
		}
		const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
		number.lastIndex = at;
		const found = number.exec(text)?.[0];
		if (!found) throw new Stop(at, `Expected a value here, found ${shown()}.`);
		at += found.length;
		return { kind: "number", at: start, value: Number(found) };
	}

	function readWord(word: string, node: JsonNode): JsonNode {
		if (!text.startsWith(word, at))
			throw new Stop(at, `Expected a value here, found ${shown()}.`);
		at += word.length;
		return node;
	}

	function readString(): string {
		const start = at;
		let end = at + 1;
		for (; ; end++) {
			const unit = text.charCodeAt(end);
			if (unit === 34) break;
			if (unit === 92) end++;
			else if (Number.isNaN(unit) || end >= text.length)
				throw new Stop(start, 'This text has no closing ".');
			else if (unit < 32)
				throw new Stop(
					end,
					`A text may not hold a bare control character or line break: write \\u${unit.toString(16).padStart(4, "0")}, or close the text with ".`,
				);
		}
		at = end + 1;
		const raw = text.slice(start + 1, end);
		if (!raw.includes("\\")) return raw;
		try {
			return JSON.parse(text.slice(start, at)) as string;
		} catch {
			throw new Stop(
				start,
				'This text holds an escape that JSON does not know; write "\\\\" for a backslash.',
			);
		}
	}

	function readArray(depth: number): JsonNode {
		const start = at++;
		const items: JsonNode[] = [];
		skip();
		if (text[at] === "]") {
			at++;
			return { kind: "array", at: start, items };
		}
		for (;;) {
			items.push(readValue(depth + 1));
			skip();
			if (text[at] === "]") {
				at++;
				return { kind: "array", at: start, items };
			}
			if (text[at] !== ",")
				throw new Stop(at, `Expected "," or "]" here, found ${shown()}.`);
			const comma = at++;
			skip();
			if (text[at] === "]")
				throw new Stop(comma, 'Take away this ",": nothing follows it.');
		}
	}

	function readObject(depth: number): JsonNode {
		const start = at++;
		const entries: JsonEntry[] = [];
		const keys = new Set<string>();
		skip();
		if (text[at] === "}") {
			at++;
			return { kind: "object", at: start, entries };
		}
		for (;;) {
			skip();
			const keyAt = at;
			if (text[at] !== '"')
				throw new Stop(
					at,
					`Expected a key in double quotes, found ${shown()}.`,
				);
			const key = readString();
			if (keys.has(key))
				throw new Stop(
					keyAt,
					`The key ${JSON.stringify(key)} stands twice in this object: keep one of them.`,
				);
			keys.add(key);
			skip();
			if (text[at] !== ":")
				throw new Stop(
					at,
					`Expected ":" after the key ${JSON.stringify(key)}, found ${shown()}.`,
				);
			at++;
			entries.push({ key, keyAt, value: readValue(depth + 1) });
			skip();
			if (text[at] === "}") {
				at++;
				return { kind: "object", at: start, entries };
			}
			if (text[at] !== ",")
				throw new Stop(at, `Expected "," or "}" here, found ${shown()}.`);
			const comma = at++;
			skip();
			if (text[at] === "}")
				throw new Stop(comma, 'Take away this ",": nothing follows it.');
		}
	}

	try {
		const root = readValue(0);
		skip();
		if (at < text.length)
			throw new Stop(at, `The document ends before this: ${shown()}.`);
		return { ok: true, root };
	} catch (thrown) {
		if (!(thrown instanceof Stop)) throw thrown;
		return {
			ok: false,
			mistakes: [{ ...placeOf(text, thrown.at), message: thrown.message }],
		};
	}
}

/** Line and column, both from 1; a column counts characters as an editor shows them. */
export function placeOf(
	text: string,
	at: number,
): { readonly line: number; readonly column: number } {
	const before = text.slice(0, at);
	const lineStart =
		Math.max(before.lastIndexOf("\n"), before.lastIndexOf("\r")) + 1;
	const line = before.split(/\r\n|\r|\n/).length;
	let column = 1;
	for (const character of before.slice(lineStart))
		if (character !== "\ufeff") column++;
	return { line, column };
}
