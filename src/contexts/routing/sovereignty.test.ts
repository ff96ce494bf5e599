import { describe, expect, it } from "vitest";
import { fact, substrate } from "./fixtures/substrates.ts";
import type { SovereigntyClass } from "./model.ts";
import {
	defaultClasses,
	isAtLeast,
	keepsClass,
	readClass,
	readClasses,
	requirementsOf,
} from "./sovereignty.ts";

const named = (
	id: string,
	parents?: readonly string[],
	require: SovereigntyClass["require"] = [],
): SovereigntyClass => ({
	id,
	says: id,
	...(parents && { extends: parents }),
	require,
});

describe("the classes that everybody has", () => {
	it("say what they mean", () => {
		for (const { says } of defaultClasses) expect(says).toMatch(/^[A-Z].*\.$/);
	});

	const american = {
		countries: fact(["US"]),
		trains: fact(false),
		attestations: fact(["FedRAMP Moderate"]),
	};

	it.each([
		["anywhere", { trains: "unknown" }, true],
		["no-training", {}, true],
		["no-training", { trains: fact(true) }, false],
		["no-training", { trains: "unknown" }, false],
		["eu-processed", {}, true],
		["eu-processed", { countries: fact(["NO"]) }, true],
		["eu-processed", { trains: fact(true) }, false],
		["eu-processed", { countries: fact(["DE", "US"]) }, false],
		["eu-processed-eu-operated", {}, true],
		["eu-processed-eu-operated", { seat: fact("NO") }, false],
		["eu-processed-eu-operated", { laws: fact(["DE", "US"]) }, false],
		["eu-processed-eu-operated", { countries: fact(["US"]) }, false],
		["us-federal", american, true],
		["us-federal", { ...american, attestations: fact(["FedRAMP High"]) }, true],
		["us-federal", { ...american, attestations: fact(["C5"]) }, false],
		["us-federal", { ...american, trains: fact(true) }, false],
		["us-federal", { ...american, countries: fact(["CA"]) }, false],
		["own-machine", {}, false],
		["own-machine", { channel: fact("own-machine") }, true],
		["nowhere", {}, false],
	] as const)("%s, of %j: %s", (id, facts, keeps) => {
		expect(keepsClass(id, defaultClasses, substrate("acme/m", facts))).toBe(
			keeps,
		);
	});
});

describe("what a class requires", () => {
	it("is its own first, then what it extends, however far", () => {
		const classes = [
			named("a", ["b"], [{ vendor: ["a"] }]),
			named("b", ["mutant"], [{ vendor: ["b"] }]),
			named("mutant", undefined, [{ vendor: ["c"] }]),
		];
		expect(requirementsOf("a", classes)).toEqual(
			["a", "b", "c"].map((vendor) => ({ vendor: [vendor] })),
		);
		expect(requirementsOf("mutant", classes)).toEqual([{ vendor: ["c"] }]);
	});

	it("cannot be told in a circle, nor where a part is missing", () => {
		const classes = [
			named("a", ["b"]),
			named("b", ["c"]),
			named("c", ["a"]),
			named("self", ["self"]),
			named("torn", ["gone"]),
		];
		for (const id of ["a", "b", "c", "self", "torn", "gone"]) {
			expect(requirementsOf(id, classes)).toBeUndefined();
			expect(keepsClass(id, classes, substrate("acme/m"))).toBe(false);
			expect(isAtLeast(id, id, classes)).toBe(false);
		}
	});
});

describe("at least", () => {
	it("is a class itself, and what it extends", () => {
		const classes = [...defaultClasses, named("mutant")];
		const is = (id: string, other: string) => isAtLeast(id, other, classes);
		expect(is("eu-processed-eu-operated", "no-training")).toBe(true);
		expect(is("no-training", "eu-processed")).toBe(false);
		expect(is("anywhere", "anywhere")).toBe(true);
		expect(is("anywhere", "mutant")).toBe(false);
		expect(is("own-machine", "no-training")).toBe(false);
	});
});

describe("reading classes", () => {
	it("without any gives those that everybody has", () => {
		expect(readClasses(undefined)).toStrictEqual({
			classes: defaultClasses,
			problems: [],
		});
	});

	it.each([5, null, [], "x"])("of %j gives none", (raw) => {
		expect(readClasses(raw)).toStrictEqual({
			classes: [],
			problems: [
				{
					path: ["classes"],
					message:
						"The sovereignty classes are no map from id to class: none is in force, and calls that need one are refused.",
				},
			],
		});
	});

	it("leaves out what cannot be read, and tells of each where it stands", () => {
		const { classes, problems } = readClasses({
			one: 5,
			two: { says: "Two.", require: {} },
			"no-training": { says: 1 },
			fine: { says: "Fine.", require: [] },
		});
		expect(classes.map(({ id }) => id)).not.toContain("no-training");
		expect(classes.at(-1)).toStrictEqual({
			id: "fine",
			says: "Fine.",
			require: [],
		});
		expect(problems.map(({ path }) => path.join("."))).toEqual([
			"classes.one",
			"classes.two",
			"classes.no-training",
			// What extends it cannot be kept either.
			"classes.eu-processed",
			"classes.eu-processed-eu-operated",
			"classes.us-federal",
		]);
		expect(problems[0]?.message).toBe(
			'The sovereignty class "one" is not in force, and calls that need it are refused: it is no map.',
		);
		expect(problems[3]?.message).toBe(
			'The sovereignty class "eu-processed" extends a class that is not there, or itself: calls that need it are refused.',
		);
	});

	it("gives one as it was said", () => {
		const rules = [{ vendor: ["a"] }, { trains: false }];
		expect(
			readClass("x", { says: "X.", extends: ["anywhere"], require: rules }),
		).toStrictEqual({
			id: "x",
			says: "X.",
			extends: ["anywhere"],
			require: rules,
		});
	});

	it.each<[unknown, string]>([
		[null, "it is no map"],
		["x", "it is no map"],
		[[], "it is no map"],
		[{ says: "X.", require: [], more: 1 }, '"more" is not known'],
		[{ require: [] }, "it does not say what it means (says)"],
		[{ says: "X.", extends: [], require: [] }, "extends is no list of classes"],
		[{ says: "X." }, "require is no list"],
		[
			{ says: "X.", require: [{}] },
			"a rule names nothing, and would mean everything",
		],
	])("refuses %j", (raw, problem) => {
		expect(readClass("x", raw)).toBe(problem);
	});
});
