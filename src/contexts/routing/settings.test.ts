import { describe, expect, test } from "vitest";
import { decide } from "./decide.ts";
import { request, substrate } from "./fixtures/substrates.ts";
import { idleRules, readRouting } from "./settings.ts";
import { defaultTable } from "./table.ts";

/** Enough of a digest to tell these texts apart. */
const digest = (text: string): string => {
	let sum = 7;
	for (const character of text)
		sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 2 ** 40;
	return sum.toString(16).padStart(16, "0");
};

const catalogue = {
	version: "c1",
	substrates: [substrate("acme/one"), substrate("bolt/two")],
	off: {},
};

function allowed(raw: unknown, account = "a"): readonly string[] {
	const { policy, table } = readRouting(raw, digest);
	const health = { version: "h", of: new Map() };
	const at = Date.parse("2026-11-21");
	return decide(request({ account }), catalogue, policy, health, table, at)
		.order.map(({ facts }) => facts.id)
		.sort();
}

const bar = {
	id: "bar",
	by: "o",
	why: "w",
	from: "2026-01-01",
	deny: [{ vendor: ["acme"] }],
};

describe("the owner's settings", () => {
	test("are read whole", () => {
		const raw = {
			classes: { mine: { says: "x", require: [] } },
			postures: [bar],
			table: { killed: [{ model: ["two"] }] },
		};
		const { policy, table, problems } = readRouting(raw, digest);
		expect(problems).toEqual([]);
		expect(policy.classes.at(-1)?.id).toBe("mine");
		expect(policy.postures).toHaveLength(1);
		expect(table.killed).toHaveLength(1);
		expect(allowed(raw)).toEqual([]);
		expect(allowed({ postures: [bar] })).toEqual(["bolt/two"]);
	});

	test("that say nothing are the default ones", () => {
		const { policy, table, problems } = readRouting(undefined, digest);
		expect(problems).toEqual([]);
		expect(policy.postures).toEqual([]);
		expect(table).toEqual({ ...defaultTable, version: table.version });
		expect(allowed(undefined)).toHaveLength(2);
	});

	test("have a version for each content", () => {
		const versions = (raw: unknown): string[] => {
			const { policy, table } = readRouting(raw, digest);
			return [policy.version, table.version];
		};
		const [policy, table] = versions({});
		expect(policy).toMatch(/^p-.{14}$/);
		expect(table).toMatch(/^t-.{14}$/);
		expect(versions(undefined)).toEqual([policy, table]);
		const [barred, same] = versions({ postures: [bar] });
		expect(barred).not.toBe(policy);
		expect(same).toBe(table);
		expect(versions({ table: { killed: [{ vendor: ["x"] }] } })[1]).not.toBe(
			table,
		);
	});

	test.each([
		[
			"no map",
			[],
			/"routing" stops every call in its scope: the section is no map/,
		],
		["an unknown part", { posture: [] }, /"posture" is not known/],
		["postures that are no list", { postures: {} }, /number 1.*it is no map/],
		[
			"a table that cannot be read",
			{ table: { rows: 1 } },
			/table stops every call: rows is no list/,
		],
	])("with %s stop every call, and say so", (_, raw, problem) => {
		expect(
			readRouting(raw, digest)
				.problems.map(({ message }) => message)
				.join("\n"),
		).toMatch(problem);
		expect(allowed(raw)).toEqual([]);
	});

	test("with a class that cannot be read stop only those who need it", () => {
		const raw = { classes: { "no-training": 5 } };
		expect(readRouting(raw, digest).problems[0]).toMatchObject({
			path: ["classes", "no-training"],
			message: expect.stringContaining("no-training"),
		});
		expect(allowed(raw)).toHaveLength(2);
	});

	test("with a posture that cannot be read stop only its scope", () => {
		const raw = {
			postures: [bar, { ...bar, from: "?", scope: { accounts: ["b"] } }],
		};
		expect(readRouting(raw, digest).problems).toMatchObject([
			{ path: ["postures", 1] },
		]);
		expect(allowed(raw, "a")).toHaveLength(1);
		expect(allowed(raw, "b")).toEqual([]);
	});
});

test("a rule that meets nothing is told, as its name may be misspelt", () => {
	const { policy, table } = readRouting(
		{
			postures: [
				{ ...bar, deny: [{ vendor: ["acme"] }, { vendor: ["amce"] }] },
			],
			table: { killed: [{ vendor: ["bolt"] }, { vendor: ["blot"] }] },
		},
		digest,
	);
	expect(idleRules(policy, table, catalogue)).toEqual([
		'The posture "bar" denies vendor amce, and nothing in the catalogue is that.',
		"The routing table switches off vendor blot, and nothing in the catalogue is that.",
	]);
});
