import { describe, expect, test } from "vitest";
import { decide } from "./decide.ts";
import {
	emptyPolicy,
	emptyTable,
	fact,
	request,
	substrate,
} from "./fixtures/substrates.ts";
import type { Policy, Selector } from "./model.ts";
import { inForce, readInstant, readPostures } from "./postures.ts";
import {
	holds,
	patternOf,
	readSelector,
	touches,
	whyNot,
} from "./selectors.ts";
import {
	defaultClasses,
	isAtLeast,
	readClasses,
	requirementsOf,
} from "./sovereignty.ts";

const health = { version: "h0", of: new Map() };
const monday = "2026-11-09";
const thursday = "2026-11-12";

const bar = {
	id: "federal-acme",
	by: "the owner",
	why: "acme is barred from federal work",
	from: monday,
	scope: { tags: ["federal"] },
	deny: [{ lineage: ["acme"] }],
};
const stay = { ...bar, why: "a court stays it", from: thursday, deny: [] };

function policyOf(...documents: readonly unknown[]): Policy {
	return { ...emptyPolicy, ...readPostures(documents) };
}

const catalogue = {
	version: "c1",
	substrates: [
		substrate("acme/one"),
		substrate("bolt/tuned", {
			trainer: fact("bolt"),
			bases: fact([{ model: "one", trainer: "acme" }]),
		}),
		substrate("coil/three"),
	],
	off: {},
};

function allowed(
	policy: Policy,
	at: string,
	tags: readonly string[],
): string[] {
	return decide(
		request({ tags }),
		catalogue,
		policy,
		health,
		emptyTable,
		readInstant(at) ?? Number.NaN,
	)
		.order.map(({ facts }) => facts.id)
		.sort();
}

describe("a bar on a Monday, stayed on a Thursday", () => {
	const policy = policyOf(bar, stay);
	test.each([
		["2026-11-08T23:59:59.999Z", ["acme/one", "bolt/tuned", "coil/three"]],
		[monday, ["coil/three"]],
		["2026-11-11T23:59:59.999Z", ["coil/three"]],
		[thursday, ["acme/one", "bolt/tuned", "coil/three"]],
	])("what would have been allowed at %s", (at, expected) => {
		expect(allowed(policy, at, ["federal"])).toEqual(expected);
	});

	test("binds those in its scope and no others", () => {
		expect(allowed(policy, monday, ["school"])).toHaveLength(3);
	});

	test("a stay that ends gives the bar back", () => {
		const lapsing = policyOf(bar, { ...stay, until: "2026-11-20" });
		expect(allowed(lapsing, "2026-11-19", ["federal"])).toHaveLength(3);
		expect(allowed(lapsing, "2026-11-20", ["federal"])).toEqual(["coil/three"]);
	});

	test("the order of the documents does not count", () => {
		expect(allowed(policyOf(stay, bar), monday, ["federal"])).toEqual([
			"coil/three",
		]);
		expect(allowed(policyOf(stay, bar), thursday, ["federal"])).toHaveLength(3);
	});
});

describe("what cannot be kept stops its scope and no other", () => {
	test("two entries of one moment", () => {
		const policy = policyOf(bar, { ...stay, from: monday });
		expect(allowed(policy, monday, ["federal"])).toEqual([]);
		expect(allowed(policy, monday, ["school"])).toHaveLength(3);
		const [first] = decide(
			request({ tags: ["federal"] }),
			catalogue,
			policy,
			health,
			emptyTable,
			readInstant(monday) as number,
		).dropped();
		expect(first).toEqual({
			substrate: "acme/one",
			filter: "posture",
			why: 'the posture "federal-acme" stops every call in its scope, as two of its entries come into force at the same moment',
		});
	});

	test.each([
		["no date", { from: "soon" }, "from is no date"],
		["no day of the calendar", { from: "2026-02-31" }, "from is no date"],
		[
			"a time without its zone",
			{ from: "2026-11-09T10:00" },
			"from is no date",
		],
		["an end that is no date", { until: "never" }, "until is no date"],
		[
			"an end before its begin",
			{ until: "2026-11-01" },
			"it ends before it begins",
		],
		["an end at its begin", { until: monday }, "it ends before it begins"],
		["nobody who decided", { by: " " }, "by is missing"],
		["no reason", { why: undefined }, "why is missing"],
		["a member that nobody knows", { denies: [] }, '"denies" is not known'],
		[
			"a rule that names nothing",
			{ deny: [{}] },
			"deny: a rule names nothing, and would mean everything",
		],
		[
			"a field that nobody knows",
			{ deny: [{ vendors: ["acme"] }] },
			/^deny: "vendors" is no field of a rule/,
		],
		[
			"an empty list",
			{ deny: [{ vendor: [] }] },
			"deny: vendor is no list of texts with one in it",
		],
		["no list", { deny: { vendor: ["acme"] } }, "deny: is no list"],
		[
			"an unknown tier",
			{ deny: [{ tier: ["huge"] }] },
			/^deny: tier cannot be "huge"/,
		],
		[
			"days below zero",
			{ deny: [{ retentionDaysAtMost: -1 }] },
			/retentionDaysAtMost is no number/,
		],
		[
			"no yes or no",
			{ deny: [{ trains: "no" }] },
			/trains is not true or false/,
		],
		[
			"what it denies, allowed",
			{ allow: [{ lineage: ["ACME"] }] },
			/^it denies what it asks for/,
		],
		[
			"what it denies, required",
			{ require: [{ lineage: ["acme"] }] },
			/^it denies what it asks for/,
		],
	])("a document with %s", (_, change, problem) => {
		const { postures, broken } = readPostures([{ ...bar, ...change }]);
		expect(postures).toEqual([]);
		expect(broken[0]?.problem).toMatch(problem);
		const policy = policyOf({ ...bar, ...change });
		expect(allowed(policy, "2026-11-30", ["federal"])).toEqual([]);
		expect(allowed(policy, "2026-11-30", ["school"])).toHaveLength(3);
	});

	test("a scope that cannot be read leaves nobody out, and dates that can still bound it", () => {
		for (const scope of [{ tag: ["federal"] }, { tags: [] }, "federal", null]) {
			const policy = policyOf({ ...bar, scope });
			expect(allowed(policy, monday, ["school"])).toEqual([]);
			expect(allowed(policy, "2026-11-08", ["school"])).toHaveLength(3);
		}
		expect(allowed(policyOf("deny acme"), "2020-01-01", [])).toEqual([]);
	});

	test("dates in the wrong order bound nothing", () => {
		const policy = policyOf({ ...bar, until: "2026-11-01" });
		expect(allowed(policy, "2026-10-01", ["federal"])).toEqual([]);
	});
});

test("accounts, keys and tags of a scope must all fit", () => {
	const { postures } = readPostures([
		{ ...bar, scope: { accounts: ["a"], keys: ["k"], tags: ["t", "u"] } },
	]);
	const bound = (account: string, key?: string, tags?: string[]): number =>
		inForce(
			{ postures, broken: [] },
			{ account, ...(key && { key }), ...(tags && { tags }) },
			readInstant(monday) as number,
		).postures.length;
	expect(bound("a", "k", ["x", "u"])).toBe(1);
	expect(bound("b", "k", ["t"])).toBe(0);
	expect(bound("a", "l", ["t"])).toBe(0);
	expect(bound("a", undefined, ["t"])).toBe(0);
	expect(bound("a", "k", ["x"])).toBe(0);
	expect(bound("a", "k")).toBe(0);
});

test("instants are midnight UTC, or a time with its zone", () => {
	expect(readInstant("1970-01-02")).toBe(86_400_000);
	expect(readInstant("1970-01-01T01:00:00+01:00")).toBe(0);
	expect(readInstant("1970-01-01T00:00:00.5Z")).toBe(500);
	for (const none of ["1970-1-1", "1970-01-01T25:00:00Z", 5, undefined, "now"])
		expect(readInstant(none)).toBeUndefined();
});

describe("a selector", () => {
	const facts = substrate("acme/one-large", {
		countries: fact(["DE", "NO"]),
		laws: fact(["IE", "US"]),
		attestations: fact(["C5"]),
		bases: fact([{ model: "root", trainer: "dyno" }]),
		operator: "unknown",
	});
	test.each<[Selector, string, string]>([
		[{ vendor: ["ACME"] }, "yes", "yes"],
		[{ vendor: ["bolt"] }, "no", "no"],
		[{ model: ["one-*"] }, "yes", "yes"],
		[{ substrate: ["acme/*"] }, "yes", "yes"],
		[{ country: ["EEA"] }, "yes", "yes"],
		[{ country: ["EU"] }, "no", "yes"],
		[{ country: ["FR"] }, "no", "no"],
		[{ law: ["US"] }, "no", "yes"],
		[{ law: ["eu", "us"] }, "yes", "yes"],
		[{ lineage: ["acme"] }, "no", "yes"],
		[{ lineage: ["root"] }, "no", "yes"],
		[{ lineage: ["acme", "dyno"] }, "yes", "yes"],
		[{ attestation: ["C5", "HDS"] }, "yes", "yes"],
		[{ attestation: ["HDS"] }, "no", "no"],
		[{ operator: ["acme"] }, "unknown", "unknown"],
		[{ operator: ["acme"], vendor: ["bolt"] }, "no", "no"],
		[{ operator: ["acme"], vendor: ["acme"] }, "unknown", "unknown"],
		[{ retentionDaysAtMost: 0, trains: false }, "yes", "yes"],
		[{ trains: true }, "no", "no"],
	])("%j", (selector, held, touched) => {
		expect(holds(selector, facts)).toBe(held);
		expect(touches(selector, facts)).toBe(touched);
		expect(whyNot(selector, facts) === undefined).toBe(held === "yes");
	});

	test("nowhere and no law at all keep no requirement", () => {
		const nowhere = substrate("acme/one", { countries: fact([]) });
		expect(holds({ country: ["EU"] }, nowhere)).toBe("no");
	});

	test("part of a lineage is enough to bar, and not enough to allow", () => {
		const half = substrate("acme/one", { bases: "unknown" });
		expect(touches({ lineage: ["acme"] }, half)).toBe("yes");
		expect(touches({ lineage: ["bolt"] }, half)).toBe("unknown");
		expect(holds({ lineage: ["acme"] }, half)).toBe("unknown");
		expect(holds({ lineage: ["bolt"] }, half)).toBe("no");
	});

	test("says what stands in the way, and what is not known", () => {
		expect(whyNot({ country: ["EU"] }, facts)).toBe(
			"where it is processed is DE and NO, and it must be EU",
		);
		expect(whyNot({ operator: ["acme"] }, facts)).toBe(
			"its operator is not known, and it must be acme",
		);
		expect(whyNot({ operator: ["acme"], vendor: ["bolt"] }, facts)).toBe(
			"its vendor is acme, and it must be bolt",
		);
		expect(
			whyNot(
				{ retentionDaysAtMost: 0 },
				substrate("a/b", { retentionDays: fact(30) }),
			),
		).toBe("the days it keeps calls is 30, and it must be 0 or less");
	});

	test("is read, or told what is wrong", () => {
		expect(readSelector({ country: ["EU"] })).toEqual({ country: ["EU"] });
		expect(readSelector([])).toBe("a rule is not a map of fields");
	});
});

test.each([
	["*", "", true],
	["a*", "abc", true],
	["a*c", "abc", true],
	["a*bc*c", "abc", false],
	["ab*bc", "abc", false],
	["*b*", "abc", true],
	["a*b*c*d", "a-b-c-d", true],
	["a*c*b*d", "a-b-c-d", false],
	["abc", "ABC", true],
	["ab", "abc", false],
	["*x", "abc", false],
])("%s matches %s: %s", (pattern, text, expected) => {
	expect(patternOf(pattern)(text.toLowerCase())).toBe(expected);
});

describe("sovereignty classes", () => {
	const facts = (changes: Parameters<typeof substrate>[1]) =>
		substrate("acme/one", changes);
	const keeping = (
		id: string,
		changes: Parameters<typeof substrate>[1],
		classes = defaultClasses,
	): boolean =>
		decide(
			request({ stated: { sovereignty: [id] } }),
			{ version: "c", substrates: [facts(changes)], off: {} },
			{ ...emptyPolicy, classes },
			health,
			emptyTable,
			0,
		).order.length > 0;

	test("are kept by facts alone, and by all of them", () => {
		expect(keeping("eu-processed-eu-operated", {})).toBe(true);
		expect(
			keeping("eu-processed-eu-operated", { laws: fact(["DE", "US"]) }),
		).toBe(false);
		expect(keeping("eu-processed-eu-operated", { seat: fact("US") })).toBe(
			false,
		);
		expect(keeping("eu-processed-eu-operated", { trains: fact(true) })).toBe(
			false,
		);
		expect(keeping("eu-processed", { seat: fact("US") })).toBe(true);
		expect(keeping("eu-processed", { countries: fact(["DE", "US"]) })).toBe(
			false,
		);
		expect(keeping("eu-processed", { countries: "unknown" })).toBe(false);
		expect(keeping("no-training", { trains: "unknown" })).toBe(false);
		expect(keeping("own-machine", {})).toBe(false);
		expect(keeping("own-machine", { channel: fact("own-machine") })).toBe(true);
		const federal = {
			countries: fact(["US"]),
			attestations: fact(["FedRAMP High"]),
		};
		expect(keeping("us-federal", federal)).toBe(true);
		expect(
			keeping("us-federal", { ...federal, attestations: fact(["C5"]) }),
		).toBe(false);
		expect(
			keeping("anywhere", { countries: "unknown", trains: "unknown" }),
		).toBe(true);
		expect(keeping("mine", {})).toBe(false);
	});

	test("are ordered by what they extend, and only so", () => {
		expect(
			isAtLeast("eu-processed-eu-operated", "no-training", defaultClasses),
		).toBe(true);
		expect(isAtLeast("no-training", "eu-processed", defaultClasses)).toBe(
			false,
		);
		expect(isAtLeast("us-federal", "eu-processed", defaultClasses)).toBe(false);
		expect(isAtLeast("nothing", "nothing", defaultClasses)).toBe(false);
	});

	test("are added and said anew by the owner", () => {
		const { classes, problems } = readClasses({
			hospital: {
				says: "HDS",
				extends: ["eu-processed"],
				require: [{ attestation: ["HDS"] }],
			},
			anywhere: { says: "Not everywhere.", require: [{ country: ["US"] }] },
		});
		expect(problems).toEqual([]);
		expect(requirementsOf("hospital", classes)).toEqual([
			{ attestation: ["HDS"] },
			{ country: ["EEA"] },
			{ trains: false },
		]);
		expect(keeping("anywhere", {}, classes)).toBe(false);
		expect(keeping("hospital", { attestations: fact(["HDS"]) }, classes)).toBe(
			true,
		);
	});

	test("that cannot be read are kept by nothing, the default ones too", () => {
		for (const broken of [
			"strict",
			{ require: [] },
			{ says: "x", require: {} },
			{ says: "x", require: [{}] },
			{ says: "x", require: [], extends: [] },
			{ says: "x", require: [], needs: [] },
			{ says: "x", require: [], extends: ["gone"] },
			{ says: "x", require: [], extends: ["anywhere"] },
		]) {
			const { classes, problems } = readClasses({ anywhere: broken });
			expect(problems).toHaveLength(1);
			expect(keeping("anywhere", {}, classes)).toBe(false);
			expect(keeping("no-training", {}, classes)).toBe(true);
		}
		const { classes, problems } = readClasses([]);
		expect(problems).toHaveLength(1);
		expect(keeping("anywhere", {}, classes)).toBe(false);
		expect(readClasses(undefined)).toEqual({
			classes: defaultClasses,
			problems: [],
		});
	});
});
