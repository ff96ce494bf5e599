import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Proposal } from "../../contexts/learning/index.ts";
import { readTable } from "../../contexts/routing/index.ts";
import { editConfig } from "./config-edit.ts";

const extract: Proposal = {
	callType: "extract",
	row: { callTypes: ["extract"], prefer: [{ substrate: ["a/small"] }] },
	grades: [
		{ callTypes: ["extract"], where: { substrate: ["a/small"] }, quality: 930 },
	],
	evidence: ["a/small: quality 0.93"],
};
const chat: Proposal = {
	...extract,
	callType: "chat",
	row: { callTypes: ["chat"], prefer: [{ substrate: ["b/large"] }] },
};

function tableOf(text: string): Record<string, unknown> {
	return (parse(text) as { routing: { table: Record<string, unknown> } })
		.routing.table;
}

it("adds the section to a file that has none, and to one that is not there", () => {
	const text = editConfig("account: main # mine\n", [extract], "run 1");
	expect(text).toBe(`account: main # mine
routing:
  table:
    rows:
      # bakeoff, rows for extract: run 1
      #   a/small: quality 0.93
      - {callTypes: [extract], prefer: [{substrate: [a/small]}]}
      # end of bakeoff, rows for extract
    grades:
      # bakeoff, grades for extract: run 1
      - {callTypes: [extract], where: {substrate: [a/small]}, quality: 930}
      # end of bakeoff, grades for extract
`);
	expect(tableOf(editConfig("", [extract], "run 1"))).toEqual(tableOf(text));
});

it("goes ahead of the owner's own rows, and leaves every byte of theirs", () => {
	const own = `# my settings
routing:   # where calls go
  postures: []

  table:
      rows: # best first
        # the house rule
        - { prefer: [{ vendor: [x] }] }   # odd   spacing
      killed:
      - vendor: [y]
models:
  fast: 'x/y'`;
	const text = editConfig(own, [extract], "run 1");
	for (const line of own.split("\n")) expect(text).toContain(line);
	expect(tableOf(text).rows).toEqual([
		extract.row,
		{ prefer: [{ vendor: ["x"] }] },
	]);
	expect(text).toContain("# the house rule\n        - { prefer");
	expect(readTable("t", tableOf(text))).not.toBeTypeOf("string");
});

it("takes the place of what it proposed before for the same kind of call, and of nothing else", () => {
	const once = editConfig("account: main\n", [extract, chat], "run 1");
	const better: Proposal = { ...extract, evidence: ["a/small: quality 0.95"] };
	const twice = editConfig(once, [better], "run 2");
	expect(twice).toContain("rows for extract: run 2");
	expect(twice).not.toContain("rows for extract: run 1");
	expect(twice).toContain("rows for chat: run 1");
	expect(tableOf(twice).rows).toHaveLength(2);
	expect(editConfig(twice, [better], "run 2")).toBe(twice);
});

describe("where it stands is kept", () => {
	it.each([
		["nothing behind its name", "routing:\naccount: main\n"],
		[
			"a table with nothing behind it",
			"routing:\n  table: # later\naccount: a\n",
		],
		["rows with nothing behind it", "routing:\n  table:\n    rows:\n"],
		[
			"a list that is not set in",
			"routing:\n  table:\n    rows:\n    - prefer: []\n",
		],
		["a block of text ahead", "account: |\n  main\n"],
		["a comment at the end", "account: main\n# the end\n"],
	])("%s", (_, text) => {
		const edited = editConfig(text, [extract], "run 1");
		expect((tableOf(edited).rows as unknown[])[0]).toEqual(extract.row);
		expect((tableOf(edited).grades as unknown[])[0]).toEqual(extract.grades[0]);
		for (const line of text.split("\n")) expect(edited).toContain(line);
	});
});

it.each([
	["in braces", "routing: { table: { rows: [] } }\n"],
	["a list in brackets", "routing:\n  table:\n    rows: [{ prefer: [] }]\n"],
	["no map", "routing: 3\n"],
	["an alias", "a: &a { table: 1 }\nrouting: *a\n"],
	["no YAML", "routing: [\n"],
])("refuses what it cannot add to: %s", (_, text) => {
	expect(() => editConfig(text, [extract], "run 1")).toThrow(
		expect.objectContaining({ code: "bakeoff/cannot-edit" }),
	);
});

it("never changes anything else, whatever the owner wrote", () => {
	const member = fc.constantFrom(
		"account: main",
		"models:\n  fast: a/b # quick",
		"prices:\n- vendor: a\n  model: b",
		"# a remark",
		"",
		"holds: { wait: 5s }",
		"routing:\n  classes: []\n  table:\n    aliases:\n      house: [{ vendor: [a] }]",
		"routing:\n    table:\n        rows:\n            - prefer: []",
	);
	fc.assert(
		fc.property(fc.uniqueArray(member, { maxLength: 6 }), (members) => {
			const text = members.join("\n");
			if (text.split("routing:").length > 2) return;
			const edited = editConfig(text, [extract, chat], "run 1");
			const { routing, ...rest } = parse(edited);
			const { routing: before, ...others } = parse(text) ?? {};
			expect(rest).toEqual(others);
			expect(routing.classes).toEqual(before?.classes);
			expect(routing.table.aliases).toEqual(before?.table.aliases);
			expect(routing.table.rows.slice(0, 2)).toEqual([extract.row, chat.row]);
			expect(routing.table.rows.slice(2)).toEqual(before?.table.rows ?? []);
		}),
	);
});
