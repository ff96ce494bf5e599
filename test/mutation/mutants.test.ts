import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { equivalents } from "./equivalents.ts";
import { mutantsOf, nameOf } from "./mutants.ts";
import { targets } from "./targets.ts";

const changes = (source: string, within?: readonly string[]) =>
	mutantsOf("a.ts", source, within).map(({ to }) => to);

describe("the mutants", () => {
	it.each([
		["const a = b < c;", ["const a = b <= c;", "const a = b >= c;"]],
		["const a = b === c;", ["const a = b !== c;"]],
		[
			"const a = (b || c) && d;",
			[
				"const a = (b || c) || d;",
				"const a = b || c;",
				"const a = d;",
				"const a = (b && c) && d;",
				"const a = (b) && d;",
				"const a = (c) && d;",
			],
		],
		["const a = b ?? c;", ["const a = b;", "const a = c;"]],
		["const a = !b;", ["const a = b;"]],
		["const a = true;", ["const a = false;"]],
		["const a = 1;", ["const a = 2;", "const a = 0;"]],
		["const a = 0;", ["const a = 1;"]],
		['const a = "b";', ['const a = "";']],
		['const a = "";', ['const a = "mutant";']],
		["const a = /^b$/;", ["const a = /b$/;", "const a = /^b/;"]],
		[
			"const a = [b, c];",
			["const a = [];", "const a = [ c];", "const a = [b, ];"],
		],
		[
			"const a = b ? c : d;",
			["const a = true ? c : d;", "const a = false ? c : d;"],
		],
		["const a = b?.c;", ["const a = b.c;"]],
		["const a = b.every(c);", ["const a = b.some(c);"]],
		["const a = b.filter(c);", ["const a = b;"]],
		["const a = Math.min(b, c);", ["const a = Math.max(b, c);"]],
		["const a = () => b;", ["const a = () => undefined;"]],
		["if (a) b();", ["if (true) b();", "if (false) b();", "if (a) ;"]],
		["const a = { b: c };", ["const a = { };"]],
		[
			"function a(): number { return b; }",
			["function a(): number {}", "function a(): number { return; }"],
		],
	])("of %s", (source, mutants) => {
		expect(changes(source)).toEqual(mutants);
	});

	it("leave types, imports and words for people alone", () => {
		expect(
			changes(
				[
					'import { a } from "a";',
					'type B = "b" | true;',
					'interface C { readonly d: "e" }',
					"const f = g as 1 | 2;",
					'const h = "for people";',
				].join("\n"),
			),
		).toEqual([]);
	});

	it("are of the functions that are named alone, where any are", () => {
		expect(
			changes("function a() { b(1); }\nfunction c() { d(); }", ["c"]),
		).toEqual(["function c() {}", "function c() { ; }"]);
		expect(() => changes("function a() {}", ["a", "b"])).toThrow("has no b");
	});

	it("that read the same are told apart", () => {
		const [one, other] = mutantsOf("a.ts", "a(true);\na(true);")
			.filter(({ to }) => to.startsWith("a("))
			.map(nameOf);
		expect(one).toBeDefined();
		expect(other).toBe(`${one} #2`);
	});
});

it("what is listed as an equivalent is a mutant, and says why", () => {
	const root = fileURLToPath(new URL("../..", import.meta.url));
	const mutants = new Set(
		targets.flatMap(({ file, within }) =>
			mutantsOf(file, readFileSync(root + file, "utf8"), within).map(nameOf),
		),
	);
	expect(mutants.size).toBeGreaterThan(1_000);
	for (const each of equivalents) {
		expect(mutants).toContain(nameOf(each));
		expect(each.why).toMatch(/\.$/);
	}
	expect(new Set(equivalents.map(nameOf)).size).toBe(equivalents.length);
});
