import { expect, test } from "vitest";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { settingsChanges } from "./changes.ts";
import { catalogueChanges, missingFacts, tellFacts } from "./facts.ts";
import { fact, substrate } from "./fixtures/substrates.ts";
import { readRouting } from "./settings.ts";

const read = (raw: unknown) => readRouting(raw, nodeDigest.text);
const bar = {
	id: "bar",
	by: "the owner",
	why: "w",
	from: "2026-11-09",
	deny: [{ vendor: ["acme"] }],
};

test("the same settings are no change", () => {
	expect(
		settingsChanges(read({ postures: [bar] }), read({ postures: [bar] })),
	).toEqual([]);
});

test("every part of the settings that is new, changed or gone is told", () => {
	const before = read({
		classes: { house: { says: "x", require: [{ country: ["DE"] }] } },
		postures: [bar, { ...bar, id: "old" }],
		table: {
			killed: [{ vendor: ["acme"] }],
			aliases: { home: [{ tier: ["small"] }] },
		},
	});
	const after = read({
		classes: { house: { says: "x", require: [{ country: ["FR"] }] } },
		postures: [
			{ ...bar, deny: [{ vendor: ["bolt"] }] },
			{ ...bar, id: "bad", from: "?", scope: { tags: ["t"] } },
		],
		table: {
			rows: [{ callTypes: ["plan"], prefer: [{ vendor: ["bolt"] }] }],
			grades: [{ where: { vendor: ["bolt"] }, quality: 7 }],
			aliases: { home: [{ tier: ["balanced"] }] },
		},
	});
	expect(settingsChanges(before, after)).toEqual([
		'The class "house" is changed. It requires country FR; it was country DE.',
		'The posture "bar" of 2026-11-09 is changed. It says deny vendor bolt, for everybody, from 2026-11-09 (the owner: w); it was deny vendor acme, for everybody, from 2026-11-09 (the owner: w).',
		'The posture "old" of 2026-11-09 is taken back. It was deny vendor acme, for everybody, from 2026-11-09 (the owner: w).',
		'The posture "bad", which cannot be read, is new. It stops every call of tag t: from is no date.',
		"The table's row for plan is new. It prefers vendor bolt.",
		"The grade of vendor bolt is new. It is 7.",
		'The alias "home" is changed. It stands for tier balanced; it was tier small.',
		"Switching off vendor acme is taken back.",
	]);
});

test("rows that only change places are told, as the first that fits counts", () => {
	const [one, other] = [
		{ callTypes: ["plan"], prefer: [{ vendor: ["a"] }] },
		{ difficulties: ["hard"], prefer: [{ vendor: ["b"] }] },
	];
	expect(
		settingsChanges(
			read({ table: { rows: [one, other] } }),
			read({ table: { rows: [other, one] } }),
		),
	).toEqual(["Rows or grades of the table stand in another order."]);
});

test("every fact that is told anew is a change of the catalogue", () => {
	const before = {
		version: "c-1",
		substrates: [substrate("a/one"), substrate("a/gone")],
		off: { b: "no key", c: "no key" },
	};
	const after = {
		version: "c-2",
		substrates: [
			substrate("a/one", {
				countries: fact(["DE", "FR"]),
				trains: "unknown",
				operator: { value: "a", source: "elsewhere", date: "2026-11-02" },
			}),
			substrate("a/new"),
		],
		off: { c: "switched off", d: "no key" },
	};
	expect(catalogueChanges(before, after)).toEqual([
		"a/one: where calls are processed was DE, and is DE, FR (test, 2026-11-01).",
		"a/one: who runs it is still a, by elsewhere on 2026-11-02, where it was test on 2026-11-01.",
		"a/one: whether calls train it was no, and is unknown.",
		"a/new is new.",
		"a/gone is not there any more.",
		"The vendor b is on, and was off.",
		"The vendor c is off for another reason: switched off.",
		"The vendor d is off: no key.",
	]);
	expect(catalogueChanges(after, after)).toEqual([]);
});

test("every fact of a substrate is told, with who says it", () => {
	const facts = substrate("a/one", { trains: "unknown" });
	const told = tellFacts(facts);
	const count = (value: object): number =>
		Object.values(value).reduce(
			(sum: number, each) =>
				each === "unknown" || (typeof each === "object" && "source" in each)
					? sum + 1
					: typeof each === "object"
						? sum + count(each)
						: sum,
			0,
		);
	expect(told).toHaveLength(count(facts));
	expect(told.find(({ fact }) => fact === "trains")).toEqual({
		fact: "trains",
		about: "whether calls train it",
		value: "unknown",
	});
	expect(told.find(({ fact }) => fact === "prices")?.value).toMatch(
		/^input 100;/,
	);
	expect(missingFacts(facts)).toEqual([]);
	expect(missingFacts({ ...facts, prices: "unknown" })).toEqual(["its price"]);
});
