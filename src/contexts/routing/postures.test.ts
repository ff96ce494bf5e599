import { describe, expect, it, test } from "vitest";
import { substrate } from "./fixtures/substrates.ts";
import type { Posture, Selector } from "./model.ts";
import { inForce, readInstant, readPostures, whyBarred } from "./postures.ts";

const acme = substrate("acme/m");

function posture(id: string, changes: Partial<Posture> = {}): Posture {
	return {
		id,
		by: "owner",
		why: "test",
		from: 0,
		scope: {},
		allow: [],
		deny: [],
		require: [],
		prefer: [],
		...changes,
	};
}

describe("a posture bars", () => {
	it.each<[string, Partial<Posture>, string | undefined]>([
		["nothing by itself", {}, undefined],
		[
			"what it denies",
			{ deny: [{ vendor: ["bolt"] }, { vendor: ["acme"] }] },
			'the posture "p" denies vendor acme',
		],
		[
			"nothing that it denies of others",
			{ deny: [{ vendor: ["bolt"] }] },
			undefined,
		],
		[
			"what it does not allow",
			{ allow: [{ vendor: ["bolt"] }, { trains: true }] },
			'the posture "p" allows only vendor bolt; or trains true',
		],
		[
			"nothing that one of its rules allows",
			{ allow: [{ vendor: ["bolt"] }, { vendor: ["acme"] }] },
			undefined,
		],
		[
			"nothing that its only rule allows",
			{ allow: [{ vendor: ["acme"] }] },
			undefined,
		],
		[
			"what its only rule does not allow",
			{ allow: [{ vendor: ["bolt"] }] },
			'the posture "p" allows only vendor bolt',
		],
		[
			"what any of its requirements is not held by",
			{ require: [{ vendor: ["acme"] }, { trains: true }] },
			'the posture "p" requires trains true: whether it trains on calls is false, and it must be true',
		],
		[
			"nothing that holds all its requirements",
			{ require: [{ vendor: ["acme"] }, { trains: false }] },
			undefined,
		],
	])("%s", (_, changes, why) => {
		expect(whyBarred(posture("p", changes), acme)).toBe(why);
	});

	it("what it may deny, and what it may not allow", () => {
		const secret = substrate("acme/m", { operator: "unknown" });
		const operator: Selector = { operator: ["bolt"] };
		expect(whyBarred(posture("p", { deny: [operator] }), secret)).toBe(
			'the posture "p" denies operator bolt, and nothing that is known rules that out',
		);
		expect(whyBarred(posture("p", { allow: [operator] }), secret)).toBe(
			'the posture "p" allows only operator bolt',
		);
	});
});

describe("in force", () => {
	const who = { account: "main", key: "k", tags: ["t"] };

	it("are all that bind, in the order in which they stand, and all stops", () => {
		const [one, two] = [posture("one"), posture("two")];
		expect(inForce({ postures: [one, two], broken: [] }, who, 5)).toEqual({
			postures: [one, two],
			stops: [],
		});
		const rivals = [
			posture("one"),
			posture("one"),
			posture("two"),
			posture("two"),
		];
		const broken = ["x", "y"].map((id) => ({
			id,
			problem: `no ${id}`,
			scope: {},
		}));
		expect(inForce({ postures: rivals, broken }, who, 5)).toEqual({
			postures: [],
			stops: [
				...["one", "two"].map((id) => ({
					id,
					problem: "two of its entries come into force at the same moment",
				})),
				{ id: "x", problem: "no x" },
				{ id: "y", problem: "no y" },
			],
		});
	});

	it("is nothing for keys, where the call has none", () => {
		const bound = posture("p", { scope: { keys: ["k"] } });
		const binds = (key?: string) =>
			inForce(
				{ postures: [bound], broken: [] },
				{ account: "main", ...(key !== undefined && { key }) },
				5,
			).postures.length;
		expect([binds("k"), binds("other"), binds()]).toEqual([1, 0, 0]);
	});
});

describe("an instant", () => {
	it.each([
		["2026-11-12", Date.UTC(2026, 10, 12)],
		["2026-11-12T09:30Z", Date.UTC(2026, 10, 12, 9, 30)],
		["2026-11-12T09:30:15.5+02:00", Date.UTC(2026, 10, 12, 7, 30, 15, 500)],
	])("%s", (text, at) => {
		expect(readInstant(text)).toBe(at);
	});

	it.each([
		"x2026-11-12",
		// What some runtimes take for a date.
		"Thu 2026-11-12",
		"2026-11-12x",
		"2026-11-12T09:30",
		"2026-02-31",
		"2026-13-45",
		"2026-11-12T25:00Z",
		5,
		["2026-11-12"],
		undefined,
	])("is not %j", (raw) => {
		expect(readInstant(raw)).toBeUndefined();
	});
});

describe("reading documents", () => {
	const document = { id: "p", by: "owner", why: "test", from: "2026-11-12" };
	const from = Date.UTC(2026, 10, 12);
	const problemOf = (changes: object) =>
		readPostures([{ ...document, ...changes }]).broken[0]?.problem;

	it("gives each as it was said, in order", () => {
		const rules = { vendor: ["a"] };
		const others = { vendor: ["b"] };
		const { postures, broken, places } = readPostures([
			document,
			{
				...document,
				id: "q",
				until: "2026-11-13",
				scope: { tags: ["t"] },
				allow: [rules, others],
				deny: [{ vendor: ["c"] }],
				require: [{ trains: false }],
				prefer: [others],
			},
		]);
		expect(postures).toStrictEqual([
			posture("p", { from }),
			posture("q", {
				from,
				until: from + 86_400_000,
				scope: { tags: ["t"] },
				allow: [rules, others],
				deny: [{ vendor: ["c"] }],
				require: [{ trains: false }],
				prefer: [others],
			}),
		]);
		expect([broken, places]).toEqual([[], []]);
	});

	it("tells which cannot be read, with their places", () => {
		const { postures, broken, places } = readPostures([
			{ ...document, id: "a", by: 1 },
			document,
			{ ...document, id: "b", why: " " },
		]);
		expect(postures).toHaveLength(1);
		expect(broken.map(({ id, problem }) => `${id}: ${problem}`)).toEqual([
			"a: by is missing",
			"b: why is missing",
		]);
		expect(places).toEqual([0, 2]);
	});

	it.each<[object, string]>([
		[{ id: 5 }, "id is missing"],
		[{ id: "" }, "id is missing"],
		[{ by: undefined }, "by is missing"],
		[{ more: 1 }, '"more" is not known'],
		[{ from: "soon" }, "from is no date"],
		[{ until: "later" }, "until is no date"],
		[{ until: "2026-11-12" }, "it ends before it begins"],
		[{ prefer: {} }, "prefer: is no list"],
		[
			{ prefer: [{}] },
			"prefer: a rule names nothing, and would mean everything",
		],
		[{ scope: [] }, "scope is no map"],
		[{ scope: { people: ["a"] } }, 'scope: "people" is not known'],
		[{ scope: { keys: [] } }, "scope: keys names nobody"],
	])("%j is broken", (changes, problem) => {
		expect(problemOf(changes)).toBe(problem);
	});

	it.each<[string, Selector, Selector, boolean]>([
		["the same rule", { vendor: ["a"] }, { vendor: ["a"] }, true],
		["in another case", { vendor: ["A"] }, { vendor: ["a"] }, true],
		["in another order", { vendor: ["a", "b"] }, { vendor: ["b", "a"] }, true],
		[
			"its fields in another order",
			{ vendor: ["a"], country: ["DE"], trains: true },
			{ trains: true, country: ["DE"], vendor: ["a"] },
			true,
		],
		["of another value", { vendor: ["a"] }, { vendor: ["b"] }, false],
		["of another field", { vendor: ["a"] }, { operator: ["a"] }, false],
		["the other way round", { trains: true }, { trains: false }, false],
		[
			"with one field more",
			{ vendor: ["a"] },
			{ vendor: ["a"], trains: true },
			false,
		],
		// Selectors compare in small letters, in which these are two.
		[
			"of like letters",
			{ operator: ["straße"] },
			{ operator: ["strasse"] },
			false,
		],
	])(
		"to deny what is asked for is a contradiction: %s",
		(_, one, other, is) => {
			for (const rule of ["allow", "require"])
				expect(problemOf({ [rule]: [one], deny: [other] })?.slice(0, 26)).toBe(
					is ? "it denies what it asks for" : undefined,
				);
			expect(problemOf({ prefer: [one], deny: [other] })).toBeUndefined();
		},
	);
});

describe("what cannot be read stops", () => {
	const stopOf = (raw: unknown) => readPostures([raw]).broken[0];

	it.each([null, 5, "p", []])("everybody and always, where it is %j", (raw) => {
		expect(stopOf(raw)).toStrictEqual({
			id: "number 1",
			problem: "it is no map",
			scope: {},
		});
	});

	it("those in its scope, from when to when it says", () => {
		const said = { id: "p", scope: { keys: ["k"] } };
		expect(
			stopOf({ ...said, from: "2026-11-12", until: "2026-11-13" }),
		).toStrictEqual({
			id: "p",
			problem: "by is missing",
			scope: { keys: ["k"] },
			from: Date.UTC(2026, 10, 12),
			until: Date.UTC(2026, 10, 13),
		});
		expect(stopOf({ ...said, until: "2026-11-13" })).toStrictEqual({
			id: "p",
			problem: "by is missing",
			scope: { keys: ["k"] },
			until: Date.UTC(2026, 10, 13),
		});
		expect(stopOf({ ...said, from: "2026-11-12" })).toStrictEqual({
			id: "p",
			problem: "by is missing",
			scope: { keys: ["k"] },
			from: Date.UTC(2026, 10, 12),
		});
	});

	it("always, where it ends before it begins", () => {
		for (const until of ["2026-11-11", "2026-11-12"])
			expect(stopOf({ id: "p", from: "2026-11-12", until })).toStrictEqual({
				id: "p",
				problem: "by is missing",
				scope: {},
			});
	});

	it("everybody, where its scope cannot be read", () => {
		expect(stopOf({ id: "p", scope: { keys: [] } })).toStrictEqual({
			id: "p",
			problem: "by is missing",
			scope: {},
		});
	});

	test("under its place, where it has no name", () => {
		for (const id of [5, "", undefined])
			expect(stopOf({ id })?.id).toBe("number 1");
	});
});
