import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffLines, mergeTexts, splitLines, unifiedDiff } from "./diff.ts";
import { openGlob } from "./glob.ts";
import { readJson } from "./json.ts";
import {
	escapeName,
	isWithin,
	join,
	normalize,
	relativeTo,
	unescapeName,
} from "./path.ts";
import { collisions } from "./plan.ts";
import { openBases } from "./state.ts";

describe("globs", () => {
	it.each([
		["*.md", "a.md", true],
		["*.md", "deep/a.md", true],
		["*.md", "a.mdx", false],
		["/*.md", "deep/a.md", false],
		["dist", "dist/x/y", true],
		["dist/", "a/dist/x", true],
		["a/*/c", "a/b/c", true],
		["a/*/c", "a/b/b/c", false],
		["a/**/c", "a/c", true],
		["a/**/c", "a/b/b/c/d", true],
		["**/x", "x", true],
		["a/**", "a/b", true],
		["f?.ts", "f1.ts", true],
		["[!a]b", "ab", false],
		["[a-c]b", "bb", true],
		["{a,b}.ts", "b.ts", true],
		["\\*", "*", true],
		["\\*", "x", false],
		["a.b", "axb", false],
		["*", "line\nbreak", true],
		["x(1)", "x(1)", true],
	])("%s on %s: %s", (glob, path, fits) => {
		expect(openGlob(glob)?.(path)).toBe(fits);
	});

	it.each([[""], ["[a"], ["{a"], ["./"]])("%j is none", (glob) => {
		expect(openGlob(glob)).toBeUndefined();
	});
});

describe("json", () => {
	it("reads what JSON.parse reads, to the same values", () => {
		const plain = (node: unknown): unknown => {
			const one = node as {
				kind: string;
				value?: unknown;
				items?: unknown[];
				entries?: { key: string; value: unknown }[];
			};
			if (one.kind === "array") return one.items?.map(plain);
			if (one.kind === "object")
				return Object.fromEntries(
					one.entries?.map(({ key, value }) => [key, plain(value)]) ?? [],
				);
			return one.kind === "null" ? null : one.value;
		};
		fc.assert(
			fc.property(fc.json({ maxDepth: 8 }), fc.boolean(), (text, spaced) => {
				const value: unknown = JSON.parse(text);
				const read = readJson(
					spaced ? JSON.stringify(value, undefined, "\t") : text,
				);
				expect(JSON.stringify(read.ok && plain(read.root))).toBe(
					JSON.stringify(value),
				);
			}),
		);
	});

	it("refuses what JSON.parse refuses", () => {
		fc.assert(
			fc.property(
				fc.string({ unit: fc.constantFrom(...'{}[]",:0-1.e \\ntrue') }),
				(text) => {
					let parses = true;
					try {
						JSON.parse(text);
					} catch {
						parses = false;
					}
					const read = readJson(text);
					if (!parses) expect(read.ok).toBe(false);
					else if (!read.ok)
						expect(read.mistakes[0]?.message).toContain("twice");
				},
			),
			{ numRuns: 2_000 },
		);
	});
});

describe("paths", () => {
	it.each([
		["a/../b", "b"],
		["../a", "../a"],
		["/../a", "/a"],
		["a//b/./", "a/b"],
		["C:/a/../..", "C:/"],
	])("%s is %s", (path, wanted) => {
		expect(normalize(path)).toBe(wanted);
	});

	it("join and relativeTo undo each other", () => {
		const part = fc.constantFrom("a", "b", "..", "c");
		fc.assert(
			fc.property(fc.array(part), fc.array(part), (left, right) => {
				const from = normalize(`/${left.join("/")}`);
				const to = normalize(`/${right.join("/")}`);
				expect(join(from, relativeTo(from, to))).toBe(to);
			}),
		);
	});

	it("knows what lies in a folder", () => {
		expect(isWithin("/a", "/a/b")).toBe(true);
		expect(isWithin("/a", "/ab")).toBe(false);
		expect(isWithin("/", "/a")).toBe(true);
	});

	it("escapes any name into one line, and back", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (name) => {
				const escaped = escapeName(name);
				expect(escaped).not.toMatch(/[\n\r\t\0]/);
				expect(escaped.isWellFormed()).toBe(true);
				expect(unescapeName(escaped)).toBe(name);
			}),
		);
		expect(unescapeName(escapeName("\udcff\ud83d\ude00"))).toBe(
			"\udcff\ud83d\ude00",
		);
	});

	it("finds names that would be one where case or accents do not count", () => {
		const found = collisions(["/r/A", "/r/a", "/r/x/é", "/r/B/c"], (folder) =>
			folder === "/r/x" ? ["e\u0301"] : folder === "/r" ? ["b"] : [],
		);
		expect(Object.fromEntries(found)).toEqual({
			"/r/a": "/r/A",
			"/r/x/é": "/r/x/e\u0301",
			"/r/B/c": "/r/b",
		});
	});
});

describe("diffs", () => {
	const lines = fc.array(fc.constantFrom("a\n", "b\n", "c\n", "d"), {
		maxLength: 12,
	});

	it("turn the left text into the right one", () => {
		fc.assert(
			fc.property(lines, lines, (left, right) => {
				const result: string[] = [];
				let at = 0;
				for (const hunk of diffLines(left, right)) {
					result.push(...left.slice(at, hunk.left[0]));
					expect(result.length).toBe(hunk.right[0]);
					result.push(...right.slice(...hunk.right));
					at = hunk.left[1];
				}
				expect([...result, ...left.slice(at)]).toEqual(right);
			}),
		);
	});

	it("are the shortest", () => {
		const common = (left: string[], right: string[]): number => {
			let row = new Array<number>(right.length + 1).fill(0);
			for (const one of left) {
				const next = [0];
				for (const [at, other] of right.entries())
					next.push(
						one === other
							? (row[at] as number) + 1
							: Math.max(row[at + 1] as number, next[at] as number),
					);
				row = next;
			}
			return row.at(-1) as number;
		};
		fc.assert(
			fc.property(lines, lines, (left, right) => {
				let changed = 0;
				for (const hunk of diffLines(left, right))
					changed +=
						hunk.left[1] - hunk.left[0] + hunk.right[1] - hunk.right[0];
				expect(changed).toBe(
					left.length + right.length - 2 * common(left, right),
				);
			}),
		);
	});

	it("read as everywhere", () => {
		const names = { left: "old", right: "new" };
		expect(unifiedDiff("a\nb\nc\n", "a\nx\nc", names)).toBe(
			"--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+x\n+c\n\\ No newline at end of file\n",
		);
		expect(unifiedDiff("", "a\n", names)).toBe(
			"--- old\n+++ new\n@@ -0,0 +1 @@\n+a\n",
		);
		expect(unifiedDiff("a", "a", names)).toBe("");
	});

	it("merge what was done on two sides", () => {
		const names = { left: "L", right: "R" };
		const base = "1\n2\n3\n4\n5\n";
		expect(
			mergeTexts(base, "1\nx\n3\n4\n5\n", "1\n2\n3\n4\n5\n6\n", names),
		).toEqual({ text: "1\nx\n3\n4\n5\n6\n", conflicts: 0 });
		expect(
			mergeTexts(base, "1\nx\n3\n4\n5\n", "1\ny\n3\n4\n5\n", names),
		).toEqual({
			text: "1\n<<<<<<< L\nx\n=======\ny\n>>>>>>> R\n3\n4\n5\n",
			conflicts: 1,
		});
		expect(mergeTexts(undefined, "a\nb\n", "a\nc\n", names).conflicts).toBe(1);
	});

	it("merge: one side alone always wins whole", () => {
		const names = { left: "L", right: "R" };
		fc.assert(
			fc.property(lines, lines, (base, side) => {
				const text = (parts: string[]) => parts.join("");
				const [before, after] = [text(base), text(side)];
				expect(mergeTexts(before, after, before, names).text).toBe(after);
				expect(mergeTexts(before, before, after, names).text).toBe(after);
				expect(mergeTexts(before, after, after, names)).toEqual({
					text: after,
					conflicts: 0,
				});
			}),
		);
		expect(splitLines("a\n\nb")).toEqual(["a\n", "\n", "b"]);
	});
});

describe("state", () => {
	it("reads what it wrote, whatever the names are", () => {
		const name = fc.string({ unit: "binary", minLength: 1 });
		fc.assert(
			fc.property(fc.array(fc.tuple(name, name, name)), (rows) => {
				const bases = openBases("");
				for (const [link, path, base] of rows) bases?.set(link, path, base);
				const again = openBases([...(bases?.pieces() ?? [])].join(""));
				for (const [link, path] of rows)
					expect(again?.get(link, path)).toBe(bases?.get(link, path));
				expect(again?.moved).toBe(false);
			}),
		);
	});

	it("is none when it is damaged", () => {
		expect(openBases("something else\n")).toBeUndefined();
		expect(
			openBases("dos-sync state 1\n= a -> b\nhash without a tab\n"),
		).toBeUndefined();
		expect(openBases("dos-sync state 1\n= a -> b\nabc\tcut o")).toBeUndefined();
	});
});
