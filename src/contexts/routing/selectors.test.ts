import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
	type CatalogueSnapshot,
	type SubstrateFacts,
	unlisted,
} from "../../ports/catalogue.ts";
import { catalogues, selectors } from "./fixtures/random.ts";
import { fact, substrate } from "./fixtures/substrates.ts";
import type { Selector } from "./model.ts";
import { hasPlace, placesIn, placesWhere } from "./places.ts";
import {
	describe as describeSelector,
	holds,
	isListOfText,
	openColumns,
	patternOf,
	readSelector,
	touches,
	whyNot,
} from "./selectors.ts";

const acme = substrate("acme/m");

describe("a pattern", () => {
	it.each([
		["acme/*", "acme/m", true],
		["ACME/*", "acme/m", true],
		["acme/*", "ACME/M", true],
		["acme", "acme/m", false],
		["*a*", "abc", true],
		["*c*", "abc", true],
		["*d*", "abc", false],
		["ab*ba", "aba", false],
		["ab*ba", "abba", true],
		["*a*a*", "a", false],
		["a*b*c", "abc", true],
		["a*c*b", "abc", false],
		["*", "", true],
		["", "", true],
		["", "a", false],
	])("%s fits %s: %s", (pattern, text, fits) => {
		expect(patternOf(pattern)(text.toLowerCase())).toBe(fits);
	});
});

test("a list of texts has one in it, and nothing else", () => {
	expect(isListOfText(["a", "b"])).toBe(true);
	for (const other of [[], ["a", 5], [5], ["a", " "], ["a", ""], "a", null, {}])
		expect(isListOfText(other)).toBe(false);
});

/** What holds for certain, and what may hold in any part: the same where it is judged over a catalogue. */
const truths = (selector: Selector, facts: SubstrateFacts) => {
	const [held, touched] = [holds(selector, facts), touches(selector, facts)];
	const columns = openColumns([acme, facts, unlisted("none", "known")]);
	for (const _ of ["read", "remembered"]) {
		expect(hasPlace(columns.certain(selector), 1)).toBe(held === "yes");
		expect(hasPlace(columns.possible(selector), 1)).toBe(touched !== "no");
	}
	return [held, touched];
};

it("judged over a catalogue is what it is for each of them", () => {
	const [all] = fc.sample(
		fc.tuple(
			fc.array(catalogues, { minLength: 16, maxLength: 16 }),
			fc.array(selectors, { minLength: 200, maxLength: 200 }),
		),
		{ seed: 6, numRuns: 1 },
	) as [[CatalogueSnapshot[], Selector[]]];
	const [some, asked] = all;
	const substrates = some.flatMap((each) => each.substrates);
	const columns = openColumns(substrates);
	expect(columns.size).toBe(substrates.length);
	expect(columns.size).toBeGreaterThan(64);
	for (const selector of [{}, ...asked]) {
		expect(columns.certain(selector)).toEqual(
			placesWhere(
				columns.size,
				(place) =>
					holds(selector, substrates[place] as SubstrateFacts) === "yes",
			),
		);
		expect(columns.possible(selector)).toEqual(
			placesWhere(
				columns.size,
				(place) =>
					touches(selector, substrates[place] as SubstrateFacts) !== "no",
			),
		);
	}
});

it("a name that is written in several ways is one over a catalogue too", () => {
	const columns = openColumns(
		["Acme", "ACME", "bolt", "acme"].map((name) =>
			substrate("x/y", { operator: fact(name), laws: fact([name]) }),
		),
	);
	expect(placesIn(columns.certain({ operator: ["aCME"] }))).toEqual([0, 1, 3]);
	expect(placesIn(columns.possible({ law: ["acme"] }))).toEqual([0, 1, 3]);
});

describe("a field", () => {
	it.each<[string, Selector, SubstrateFacts, string, string]>([
		["substrate", { substrate: ["acme/*"] }, acme, "yes", "yes"],
		["substrate", { substrate: ["bolt/*"] }, acme, "no", "no"],
		[
			"any pattern of several",
			{ substrate: ["x", "acme/*"] },
			acme,
			"yes",
			"yes",
		],
		[
			"model by its common name",
			{ model: ["common"] },
			substrate("acme/own", { name: "common" }),
			"yes",
			"yes",
		],
		[
			"model by its vendor's name",
			{ model: ["own"] },
			substrate("acme/own", { name: "common" }),
			"yes",
			"yes",
		],
		["another model", { model: ["n"] }, acme, "no", "no"],
		["vendor, which is no pattern", { vendor: ["ac*"] }, acme, "no", "no"],
		["vendor in capitals", { vendor: ["ACME"] }, acme, "yes", "yes"],
		[
			"vendor of any name",
			{ vendor: ["acme"] },
			substrate("mutant/m"),
			"no",
			"no",
		],
		[
			"operator not known",
			{ operator: ["acme"] },
			substrate("acme/m", { operator: "unknown" }),
			"unknown",
			"unknown",
		],
		[
			"one attestation of several",
			{ attestation: ["HDS"] },
			substrate("acme/m", { attestations: fact(["C5", "HDS"]) }),
			"yes",
			"yes",
		],
		["no attestation", { attestation: ["HDS"] }, acme, "no", "no"],
		[
			"every country within the union",
			{ country: ["EU"] },
			substrate("acme/m", { countries: fact(["DE", "FR"]) }),
			"yes",
			"yes",
		],
		[
			"one country of several",
			{ country: ["EU"] },
			substrate("acme/m", { countries: fact(["DE", "US"]) }),
			"no",
			"yes",
		],
		[
			"no country at all",
			{ country: ["EU"] },
			substrate("acme/m", { countries: fact([]) }),
			"no",
			"no",
		],
		["a lineage by its name", { lineage: ["m", "acme"] }, acme, "yes", "yes"],
		["a lineage by its own name alone", { lineage: ["m"] }, acme, "yes", "yes"],
		[
			"a lineage in part",
			{ lineage: ["acme"] },
			substrate("acme/m", {
				bases: fact([{ model: "base", trainer: "bolt" }]),
			}),
			"no",
			"yes",
		],
		[
			"a lineage whose trainer is not known",
			{ lineage: ["bolt"] },
			substrate("acme/m", {
				trainer: "unknown",
				bases: fact([{ model: "base", trainer: "bolt" }]),
			}),
			"unknown",
			"yes",
		],
		[
			"a lineage whose trainer is not known, and of another base",
			{ lineage: ["coil"] },
			substrate("acme/m", {
				trainer: "unknown",
				bases: fact([{ model: "base", trainer: "bolt" }]),
			}),
			"no",
			"unknown",
		],
		[
			"a lineage whose bases are not known",
			{ lineage: ["bolt"] },
			substrate("acme/m", { bases: "unknown" }),
			"no",
			"unknown",
		],
		["what trains", { trains: false }, acme, "yes", "yes"],
		["what trains otherwise", { trains: true }, acme, "no", "no"],
		[
			"what may train",
			{ trains: true },
			substrate("acme/m", { trains: "unknown" }),
			"unknown",
			"unknown",
		],
		[
			"what keeps calls so long",
			{ retentionDaysAtMost: 5 },
			substrate("acme/m", { retentionDays: fact(5) }),
			"yes",
			"yes",
		],
		[
			"what keeps calls longer",
			{ retentionDaysAtMost: 5 },
			substrate("acme/m", { retentionDays: fact(6) }),
			"no",
			"no",
		],
		[
			"what keeps calls nobody knows how long",
			{ retentionDaysAtMost: 5 },
			substrate("acme/m", { retentionDays: "unknown" }),
			"unknown",
			"unknown",
		],
	])("%s", (_, selector, facts, certain, possible) => {
		expect(truths(selector, facts)).toEqual([certain, possible]);
	});
});

describe("why not", () => {
	const partly = substrate("acme/m", { operator: "unknown", tier: "unknown" });

	it("is nothing where it holds", () => {
		expect(whyNot({ vendor: ["acme"], trains: false }, acme)).toBeUndefined();
	});

	it.each<[Selector, SubstrateFacts, string]>([
		[
			{ trains: false },
			substrate("acme/m", { trains: fact(true) }),
			"whether it trains on calls is true, and it must be false",
		],
		[
			{ retentionDaysAtMost: 1 },
			substrate("acme/m", { retentionDays: fact(30) }),
			"the days it keeps calls is 30, and it must be 1 or less",
		],
		[
			{ lineage: ["acme"] },
			substrate("acme/m", {
				bases: fact([
					{ model: "b1", trainer: "bolt" },
					{ model: "b2", trainer: "coil" },
				]),
			}),
			"its lineage is m by acme and b1 by bolt and b2 by coil, and it must be acme",
		],
		[
			{ attestation: ["HDS", "C5"] },
			acme,
			"what attests it is none, and it must be HDS or C5",
		],
		// What holds, and what is not known before it, is not what stands in the way.
		[
			{ vendor: ["acme"], operator: ["x"], seat: ["FR"] },
			partly,
			"its operator's seat is DE, and it must be FR",
		],
		[
			{ vendor: ["acme"], operator: ["x"], tier: ["small"] },
			partly,
			"its operator is not known, and it must be x",
		],
		[
			{ country: ["DE"], tier: ["small"] },
			partly,
			"its tier is not known, and it must be small",
		],
		[
			{ trains: false, retentionDaysAtMost: 3 },
			substrate("acme/m", { retentionDays: "unknown" }),
			"the days it keeps calls is not known, and it must be 3 or less",
		],
	])("%j", (selector, facts, why) => {
		expect(whyNot(selector, facts)).toBe(why);
	});
});

test("a selector in words", () => {
	expect(
		describeSelector({
			vendor: ["a", "b"],
			trains: false,
			retentionDaysAtMost: 3,
		}),
	).toBe("vendor a or b, trains false, retentionDaysAtMost 3 or less");
});

describe("reading a selector", () => {
	it.each<[object]>([
		[{ weights: ["open", "closed"] }],
		[{ tier: ["flagship", "balanced", "small"] }],
		[{ trains: true }],
		[{ trains: false }],
		[{ retentionDaysAtMost: 0 }],
		[{ retentionDaysAtMost: 1.5 }],
	])("takes %j", (raw) => {
		expect(readSelector(raw)).toBe(raw);
	});

	it.each<[object, string]>([
		[{ weights: ["ajar"] }, 'weights cannot be "ajar": there are open, closed'],
		[
			{ tier: ["small", "tiny"] },
			'tier cannot be "tiny": there are flagship, balanced, small',
		],
		[{ trains: "no" }, "trains is not true or false"],
		[{ retentionDaysAtMost: "5" }, "retentionDaysAtMost is no number from 0"],
		[{ retentionDaysAtMost: -1 }, "retentionDaysAtMost is no number from 0"],
		[{ vendor: [] }, "vendor is no list of texts with one in it"],
	])("refuses %j", (raw, problem) => {
		expect(readSelector(raw)).toBe(problem);
	});
});
