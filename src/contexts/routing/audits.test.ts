import { describe, expect, test } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { genesisHash, sealEvent } from "../../kernel/event.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { type BoundCall, gatherBound } from "./bound.ts";
import { positionBefore, retell } from "./call-log.ts";
import { createRouter } from "./decide.ts";
import { recordedInputs } from "./desk.ts";
import { request, substrate } from "./fixtures/substrates.ts";
import type { RouteRequest } from "./model.ts";
import { packCatalogue } from "./packed.ts";
import { type DecisionRecord, recordOf } from "./record.ts";
import { catalogueKey, policyKey, tableKey } from "./recorded.ts";
import { openReplays } from "./replays.ts";
import { readRouting } from "./settings.ts";

const catalogue = {
	version: "c-1",
	substrates: [
		substrate("acme/one"),
		substrate("bolt/two"),
		substrate("coil/three"),
	],
	off: {},
};
const { policy, table } = readRouting(
	{
		postures: [
			{
				id: "bar",
				by: "the owner",
				why: "a test",
				from: "2026-10-01",
				scope: { tags: ["federal"] },
				deny: [{ vendor: ["acme"] }],
			},
		],
	},
	nodeDigest.text,
);
const november = {
	from: Date.parse("2026-11-01"),
	to: Date.parse("2026-12-01"),
};
const noon = Date.parse("2026-11-21T12:00:00Z");
const router = createRouter();

function routeOf(
	changes: Partial<RouteRequest> = {},
	at = noon,
): DecisionRecord {
	return recordOf(
		router.decide(
			request({ tags: ["federal"], ...changes }),
			catalogue,
			policy,
			{ version: "h", of: new Map() },
			table,
			at,
		),
	);
}

interface Entry {
	readonly type: string;
	readonly data: object;
	readonly key?: string;
	readonly time?: number;
}

/** A log with the inputs and these events after them. */
async function logWith(entries: readonly Entry[]): Promise<EventLog> {
	const log = memoryEventLog();
	const all: Entry[] = [
		{
			type: "catalogue-recorded",
			data: packCatalogue(catalogue),
			key: catalogueKey("c-1"),
			time: 1,
		},
		{
			type: "policy-recorded",
			data: { ...policy, by: "owner" },
			key: policyKey(policy.version),
			time: 1,
		},
		{
			type: "table-recorded",
			data: { ...table, by: "owner" },
			key: tableKey(table.version),
			time: 1,
		},
		...entries,
	];
	let previous = genesisHash;
	const sealed = all.map(({ type, data, key, time = noon }, at) => {
		const event = sealEvent(
			{
				position: at + 1,
				previous,
				time,
				stream: "s",
				version: at + 1,
				type,
				actor: "system",
				key,
				data: JSON.stringify(data),
			},
			nodeDigest.text,
		);
		previous = event.hash;
		return event;
	});
	await log.write((head) => head.append(sealed));
	return log;
}

const held = (call: string, substrate: string, route = routeOf()): Entry => ({
	type: "credits-held",
	data: { call, account: "acme", substrate, route },
});
const settled = (call: string, substrate: string, more = {}): Entry => ({
	type: "credits-settled",
	data: { call, account: "acme", substrate, ending: "finished", ...more },
});
const moved = (call: string, substrate: string): Entry => ({
	type: "hold-moved",
	data: { call, account: "acme", substrate },
});
const refused = (call: string, route: DecisionRecord): Entry => ({
	type: "route-refused",
	data: { call, account: "acme", route },
});

async function replayed(entries: readonly Entry[]) {
	const log = await logWith(entries);
	const replays = openReplays();
	const why: string[] = [];
	for await (const retold of retell({
		log,
		inputs: recordedInputs(log, nodeDigest),
		router: createRouter(),
	}))
		why.push(...replays.check(retold).map((each) => each.why));
	return {
		why,
		decisions: replays.decisions(),
		undecided: replays.undecided(),
	};
}

describe("running all decisions again", () => {
	test("finds nothing where all is as it was decided", async () => {
		const nothing = routeOf({
			asked: { kind: "substrate", id: "acme/one" },
		});
		expect(
			await replayed([
				held("1", "bolt/two"),
				moved("1", "coil/three"),
				settled("1", "coil/three", {
					attempts: [
						["bolt/two", "server http/503", 5],
						["coil/three", "ok", 6],
					],
					parts: [{ substrate: "bolt/two" }, { substrate: "coil/three" }],
				}),
				refused("2", nothing),
				{ type: "credits-held", data: { call: "3", account: "a" } },
				settled("3", "acme/one"),
			]),
		).toEqual({ why: [], decisions: 2, undecided: 1 });
	});

	test.each([
		["held", [held("1", "acme/one")]],
		["moved", [held("1", "bolt/two"), moved("1", "acme/one")]],
		["settled", [held("1", "bolt/two"), settled("1", "acme/one")]],
		[
			"tried",
			[
				held("1", "bolt/two"),
				settled("1", "bolt/two", {
					attempts: [["acme/one", "server http/503", 1]],
				}),
			],
		],
		[
			"paid for in part",
			[
				held("1", "bolt/two"),
				settled("1", "bolt/two", {
					parts: [{ substrate: "bolt/two" }, { substrate: "acme/one" }],
				}),
			],
		],
	])(
		"finds a call that was %s where its decision did not allow",
		async (_, entries) => {
			const { why } = await replayed(entries);
			expect(why).toEqual([expect.stringMatching(/^1 .*not eligible$/)]);
		},
	);

	test("finds a record that was changed, and one whose inputs are gone", async () => {
		const route = routeOf();
		const { why } = await replayed([
			held("1", "bolt/two", { ...route, winner: "acme/one" }),
			held("2", "bolt/two", { ...route, catalogue: "c-9" }),
			held("3", "bolt/two", { ...route, request: null as never }),
		]);
		expect(why).toHaveLength(3);
		expect(why[0]).toMatch(/winner/);
		expect(why[1]).toMatch(/c-9 is not known/);
		expect(why[2]).toMatch(/cannot be run again/);
	});
});

test("the last event before an instant is found", async () => {
	const log = await logWith([
		{ ...settled("1", "x"), time: 10 },
		{ ...settled("2", "x"), time: 20 },
		{ ...settled("3", "x"), time: 20 },
	]);
	for (const [time, position] of [
		[0, 0],
		[1, 0],
		[2, 3],
		[11, 4],
		[20, 4],
		[21, 6],
	] as const)
		expect(await positionBefore(log, time)).toBe(position);
	expect(await positionBefore(memoryEventLog(), 5)).toBe(0);
});

async function bound(
	entries: readonly Entry[],
	bond: Parameters<typeof gatherBound>[0] = { kind: "posture", id: "bar" },
): Promise<readonly BoundCall[]> {
	const log = await logWith(entries);
	const inputs = recordedInputs(log, nodeDigest);
	const gathered = gatherBound(bond, november, inputs);
	const calls: BoundCall[] = [];
	for await (const retold of retell({ log, inputs, router: createRouter() })) {
		const done = gathered.take(retold);
		if (done) calls.push(done);
	}
	return [...calls, ...gathered.open()];
}

describe("the calls that a rule bound", () => {
	test("are those in its scope and month, with where each went", async () => {
		const calls = await bound([
			held("1", "bolt/two"),
			held("2", "acme/one", routeOf({ tags: [] })),
			held("3", "bolt/two", routeOf({}, november.from - 1)),
			held("4", "bolt/two"),
			moved("4", "coil/three"),
			settled("1", "bolt/two"),
			settled("2", "acme/one"),
			settled("4", "coil/three", {
				attempts: [
					["bolt/two", "server http/503", 5],
					["coil/three", "ok", 6],
				],
			}),
			held("5", "bolt/two"),
		]);
		expect(
			calls.map(({ call, outcome, went }) => [
				call,
				outcome,
				went.map(({ id }) => id),
			]),
		).toEqual([
			["1", "answered", ["bolt/two"]],
			["4", "answered", ["bolt/two", "coil/three"]],
			["5", "under way", ["bolt/two"]],
		]);
		expect(calls[0]).toMatchObject({
			account: "acme",
			asked: "auto",
			position: 4,
			end: 9,
			barred: [{ why: 'the posture "bar" denies vendor acme', substrates: 1 }],
		});
		expect(calls[0]?.rules).toEqual([
			"deny vendor acme, for tag federal, from 2026-10-01 (the owner: a test)",
		]);
	});

	test("tell of a refused one why", async () => {
		const route = routeOf({ asked: { kind: "substrate", id: "acme/one" } });
		const [call] = await bound([refused("1", route)]);
		expect(call).toMatchObject({
			outcome: "refused",
			asked: "acme/one",
			went: [],
			barred: [{ substrates: 1 }],
		});
	});

	test("say where a call went that its decision did not allow, and what cannot be run again", async () => {
		const calls = await bound([
			held("1", "acme/one"),
			settled("1", "acme/one"),
			held("2", "bolt/two", { ...routeOf(), policy: "p-9" }),
		]);
		expect(calls).toMatchObject([
			{ call: "1", doubt: expect.stringMatching(/not eligible/) },
			{ call: "2", doubt: expect.stringMatching(/p-9/) },
		]);
	});

	test("of a class are those that need it, or one that is stricter", async () => {
		const need = (...sovereignty: string[]) =>
			routeOf({ tags: [], stated: { sovereignty } });
		const calls = await bound(
			[
				held("1", "bolt/two", need("eu-processed")),
				held("2", "bolt/two", need("no-training")),
				held("3", "bolt/two", need("anywhere")),
				held("4", "bolt/two", need()),
			],
			{ kind: "class", name: "no-training" },
		);
		expect(calls.map(({ call }) => call)).toEqual(["1", "2"]);
	});
});
