import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { given, refusal } from "../../kernel/decider.testing.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import { catalogues } from "./fixtures/random.ts";
import { emptyPolicy, emptyTable, substrate } from "./fixtures/substrates.ts";
import { packCatalogue, unpackCatalogue } from "./packed.ts";
import type { DecisionRecord } from "./record.ts";
import { type RoutingCommand, routing, type SaidBy } from "./recorded.ts";

const catalogue = { version: "c-1", substrates: [substrate("a/b")], off: {} };
const policy = (version: string) => ({ ...emptyPolicy, version });
const table = { ...emptyTable, version: "t-1" };

const recordPolicy = (version: string, by: SaidBy = "owner") =>
	({
		type: "record-policy",
		policy: policy(version),
		by,
	}) as const satisfies RoutingCommand;
const policyRecorded = (
	version: string,
	by: SaidBy = "owner",
	again = false,
) => ({
	stream: "routing/policy",
	type: "policy-recorded",
	data: { ...policy(version), by },
	...(!again && { key: `policy/${version}` }),
});

describe("a catalogue", () => {
	const recorded = {
		stream: "routing/catalogue",
		type: "catalogue-recorded",
		data: packCatalogue(catalogue),
		key: "catalogue/c-1",
	};

	test("is recorded once under its version", () => {
		const record = { type: "record-catalogue", catalogue } as const;
		given(routing, []).when(record).then([recorded]);
		given(routing, [recorded]).when(record).then([]);
		expect(given(routing, [recorded]).state.catalogue).toBe("c-1");
	});

	test("is the same when it is read back, whatever it holds", () => {
		fc.assert(
			fc.property(catalogues, (given) => {
				const written = JSON.parse(JSON.stringify(packCatalogue(given)));
				expect(unpackCatalogue(written)).toEqual(given);
			}),
		);
	});
});

describe("a policy", () => {
	test("is in force from its event on", () => {
		const { state } = given(routing, [
			{ ...policyRecorded("p-1"), time: 5 },
			{ ...policyRecorded("p-2", "defaults"), time: 7 },
		]);
		expect(state.policy).toEqual({
			content: policy("p-2"),
			by: "defaults",
			since: 7,
		});
	});

	test("is not recorded again while it is in force", () => {
		given(routing, [policyRecorded("p-1")])
			.when(recordPolicy("p-1"))
			.then([]);
	});

	test("may come back: its key stays with the first", () => {
		given(routing, [policyRecorded("p-1"), policyRecorded("p-2")])
			.when(recordPolicy("p-1"))
			.then([policyRecorded("p-1", "owner", true)]);
	});

	test("that nobody said takes back none that somebody said, but another that nobody said", () => {
		given(routing, [policyRecorded("p-1")])
			.when(recordPolicy("p-0", "defaults"))
			.then([]);
		given(routing, [policyRecorded("p-1", "defaults")])
			.when(recordPolicy("p-0", "defaults"))
			.then([policyRecorded("p-0", "defaults")]);
	});

	test("of the owner's is the owner's, even where it is the default one", () => {
		given(routing, [policyRecorded("p-0", "defaults")])
			.when(recordPolicy("p-0"))
			.then([policyRecorded("p-0", "owner", true)]);
	});
});

test("a table is recorded like a policy", () => {
	const command = { type: "record-table", table, by: "owner" } as const;
	const recorded = {
		stream: "routing/table",
		type: "table-recorded",
		data: { ...table, by: "owner" },
		key: "table/t-1",
	};
	given(routing, []).when(command).then([recorded]);
	given(routing, [recorded]).when(command).then([]);
	expect(given(routing, [recorded]).state.table?.content).toEqual(table);
});

describe("a profile", () => {
	const profile = {
		needs: { sovereignty: ["eu-processed"] },
		tags: ["x"],
		cache: 5,
	};
	const set = {
		stream: "routing/profile/key/k",
		type: "profile-set",
		data: { of: "key", id: "k", profile },
	};

	test("is set and taken back", () => {
		given(routing, [])
			.when({ type: "set-profile", of: "key", id: "k", profile })
			.then([set]);
		expect([...given(routing, [set]).state.profiles]).toEqual([
			["key/k", profile],
		]);
		const cleared = { ...set, data: { of: "key", id: "k" } };
		given(routing, [set])
			.when({ type: "set-profile", of: "key", id: "k" })
			.then([cleared]);
		expect(given(routing, [set, cleared]).state.profiles.size).toBe(0);
	});

	test.each([
		[{ needs: { sovereignity: ["x"] } }],
		[{ tags: [] }],
		[{ cache: 0 }],
		[{ shadow: true }],
		[{ cache: 1.5 }],
		[{}],
		[{ extra: 1 }],
	])("%j is refused", (wrong) => {
		given(routing, [])
			.when({
				type: "set-profile",
				of: "key",
				id: "k",
				profile: wrong as never,
			})
			.then(refusal("route/invalid"));
	});
});

test("a refused call's decision stands under its call, once", () => {
	const route = { at: 1 } as unknown as DecisionRecord;
	given(routing, [])
		.when({ type: "refuse-route", call: "c", account: "a", key: "k", route })
		.then([
			{
				stream: "routing/refused/a",
				type: "route-refused",
				data: { call: "c", account: "a", key: "k", route },
				key: "route-refused/c",
			},
		]);
});

test("the state is the same out of a snapshot", () => {
	const { state } = given(routing, [
		policyRecorded("p-1"),
		{
			stream: "routing/profile/key/k",
			type: "profile-set",
			data: { of: "key", id: "k", profile: { tags: ["x"] } },
		},
	]);
	const loaded = routing.load(JSON.parse(JSON.stringify(routing.save(state))));
	expect(loaded).toEqual(state);
	const event: DomainEvent = {
		...policyRecorded("p-2"),
		time: 9,
		position: 9,
	};
	expect(routing.evolve(loaded, event).policy?.content.version).toBe("p-2");
});
