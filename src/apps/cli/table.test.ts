import fc from "fast-check";
import { expect, it } from "vitest";
import { displayWidth, pairs, table, wrap } from "./table.ts";

const columns = [
	{ title: "what", shrink: 4 },
	{ title: "credits", align: "right" as const },
];

it("aligns words left and numbers right, without space at a line's end", () => {
	expect(
		table(columns, [
			["a long one", "1"],
			["b", "1000.5"],
		]),
	).toBe("what        credits\na long one        1\nb            1000.5");
});

it("cuts what may shrink, and nothing else, when the screen is narrow", () => {
	const rows = [["a very long name of a model", "1000.000001"]];
	expect(table(columns, rows, 21)).toBe(
		"what          credits\na very …  1000.000001",
	);
	expect(table(columns, rows, 3)).toBe("what      credits\na v…  1000.000001");
});

it("shows an empty cell for one that is missing", () => {
	expect(table(columns, [[]])).toBe("what  credits\n");
});

it("lets no cell move the cursor, break a line or paint", () => {
	const shown = table([{ title: "x" }], [["\u001b[2Jgone\nnext\u202e"]]);
	expect(shown.split("\n")).toHaveLength(2);
	expect(shown).toContain("\\u001b[2Jgone\\u000anext\\u202e");
});

it("keeps every line within the screen when columns can give way", () => {
	fc.assert(
		fc.property(
			fc.array(
				fc.tuple(
					fc.string({ unit: "grapheme", maxLength: 60 }),
					fc.nat().map(String),
				),
				{ minLength: 1 },
			),
			fc.integer({ min: 30, max: 100 }),
			(rows, width) => {
				for (const line of table(columns, rows, width).split("\n"))
					expect(displayWidth(line)).toBeLessThanOrEqual(width);
			},
		),
	);
});

it.each([
	["plain", 5],
	["日本", 4],
	["e\u0301", 1],
	["👩‍👩‍👧", 2],
	["\u001b[1mbold\u001b[22m", 4],
	["", 0],
])("%s takes %s columns", (text, width) =>
	expect(displayWidth(text)).toBe(width),
);

it("puts names and values under each other", () => {
	expect(
		pairs([
			["home", "/x"],
			["balance", ""],
		]),
	).toBe("home     /x\nbalance");
});

it("breaks text between words, and leaves long words whole", () => {
	expect(wrap("a bc def, an/unbreakable/path and\nmore", 6, "  ")).toBe(
		"a bc\n  def,\n  an/unbreakable/path\n  and\n  more",
	);
	expect(wrap("", 6, "  ")).toBe("");
});
