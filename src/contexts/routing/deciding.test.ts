import { describe, expect, test } from "vitest";
import { type CatalogueSnapshot, unlisted } from "../../ports/catalogue.ts";
import type { RequestTraits } from "../../ports/request-traits.ts";
import { type Choice, createRouter, decide, readAsked } from "./decide.ts";
import { explain, explainDecision, refusalOf } from "./explain.ts";
import {
	emptyPolicy,
	emptyTable,
	fact,
	priced,
	request,
	substrate,
} from "./fixtures/substrates.ts";
import {
	describeHealth,
	gradeOf,
	grades,
	isFailing,
	isWithin,
	resting,
} from "./health.ts";
import { infer } from "./infer.ts";
import type {
	Health,
	OwnerTable,
	Posture,
	RouteRequest,
	Scope,
} from "./model.ts";
import { joinNeeds, readNeeds } from "./needs.ts";
import { recordOf, replay } from "./record.ts";
import { defaultTable, readTable } from "./table.ts";
import { catalogueAt, withUnlisted } from "./unlisted.ts";

function catalogueOf(
	...substrates: CatalogueSnapshot["substrates"]
): CatalogueSnapshot {
	return { version: "c1", substrates, off: {} };
}

function order(
	catalogue: CatalogueSnapshot,
	changes: Partial<RouteRequest> = {},
	table: OwnerTable = emptyTable,
	health: Readonly<Record<string, Health>> = {},
): string[] {
	return decide(
		request(changes),
		catalogue,
		emptyPolicy,
		{ version: "h", of: new Map(Object.entries(health)) },
		table,
		0,
	).order.map(({ facts }) => facts.id);
}

const dear = substrate("acme/dear", {
	prices: fact(priced(300_000_000, 1_500_000_000, 30_000_000)),
	tier: fact("flagship"),
});
const fair = substrate("bolt/fair", {
	prices: fact(priced(100_000_000, 400_000_000)),
});
const cheap = substrate("coil/cheap", {
	prices: fact(priced(10_000_000, 40_000_000)),
	tier: fact("small"),
	weights: fact("open"),
});
const three = catalogueOf(dear, fair, cheap);

describe("ranking", () => {
	test("by expected cost per quality, what is not priced last", () => {
		expect(order(three)).toEqual(["coil/cheap", "bolt/fair", "acme/dear"]);
		const free = substrate("dyno/secret", { prices: "unknown" });
		expect(order(catalogueOf(free, dear))).toEqual([
			"acme/dear",
			"dyno/secret",
		]);
		const graded = {
			...emptyTable,
			grades: [
				{ where: { vendor: ["bolt"] }, quality: 1000 },
				{ where: { tier: ["small" as const] }, quality: 50 },
			],
		};
		expect(order(three, {}, graded)[0]).toBe("bolt/fair");
	});

	test("a price counts from its step on", () => {
		const stepped = substrate("acme/stepped", {
			prices: fact({
				input: [
					{ from: 0, price: 1 },
					{ from: 2000, price: 900_000_000 },
				],
				output: [{ from: 0, price: 0 }],
			}),
		});
		const both = catalogueOf(stepped, fair);
		const { inferred } = request();
		expect(order(both)[0]).toBe("acme/stepped");
		expect(order(both, { inferred: { ...inferred, input: 2000 } })[0]).toBe(
			"bolt/fair",
		);
	});

	test("the owner's table goes before cost, by kind of call", () => {
		const { inferred } = request();
		const hard = { inferred: { ...inferred, difficulty: "hard" as const } };
		const easy = { inferred: { ...inferred, difficulty: "easy" as const } };
		expect(order(three, hard, defaultTable)).toEqual([
			"acme/dear",
			"bolt/fair",
			"coil/cheap",
		]);
		expect(order(three, {}, defaultTable)[0]).toBe("bolt/fair");
		expect(order(three, easy, defaultTable)[0]).toBe("coil/cheap");
		expect(
			order(
				three,
				{ ...easy, stated: { difficulty: "hard" } },
				defaultTable,
			)[0],
		).toBe("acme/dear");
		const read = readTable("t2", {
			rows: [{ callTypes: ["judge"], prefer: [{ vendor: ["bolt"] }] }],
		});
		if (typeof read === "string") throw new Error(read);
		expect(
			order(three, { ...hard, stated: { callType: "judge" } }, read)[0],
		).toBe("bolt/fair");
	});

	test("a posture's preference goes before the table", () => {
		const posture = {
			id: "p",
			by: "o",
			why: "w",
			from: 0,
			scope: {},
			allow: [],
			deny: [],
			require: [],
			prefer: [{ vendor: ["bolt"] }],
		};
		const { inferred } = request();
		const decision = decide(
			request({ inferred: { ...inferred, difficulty: "hard" } }),
			three,
			{ ...emptyPolicy, postures: [posture] },
			{ version: "h", of: new Map() },
			defaultTable,
			0,
		);
		expect(decision.order.map(({ facts }) => facts.id)).toEqual([
			"bolt/fair",
			"acme/dear",
			"coil/cheap",
		]);
	});

	test("what rests comes last, what fails or is too slow after what does not, the quick before the slow", () => {
		const health = {
			"coil/cheap": { resting: true },
			"bolt/fair": { firstByte: 100, errors: 2500 },
		};
		expect(order(three, {}, emptyTable, health)).toEqual([
			"acme/dear",
			"bolt/fair",
			"coil/cheap",
		]);
		expect(
			order(three, { stated: { latencyCeiling: 2000 } }, emptyTable, {
				"acme/dear": { firstByte: 1500 },
			})[0],
		).toBe("acme/dear");
		const twin = { ...fair, id: "dyno/fair", vendor: "dyno" };
		expect(
			order(catalogueOf(fair, twin), {}, emptyTable, {
				"bolt/fair": { firstByte: 5000 },
				"dyno/fair": { firstByte: 100 },
			}),
		).toEqual(["dyno/fair", "bolt/fair"]);
	});

	test("a session stays where its prompt is cached, while that is as cheap", () => {
		const close = substrate("bolt/close", {
			prices: fact(priced(200_000_000, 1_500_000_000)),
		});
		const two = catalogueOf(close, dear);
		expect(order(two)).toEqual(["bolt/close", "acme/dear"]);
		expect(order(two, { sticky: "acme/dear" })).toEqual([
			"acme/dear",
			"bolt/close",
		]);
		expect(order(three, { sticky: "acme/dear" })[0]).toBe("coil/cheap");
		const twins = catalogueOf(fair, {
			...fair,
			id: "dyno/fair",
			vendor: "dyno",
		});
		for (const seed of [0, 1, 2])
			expect(order(twins, { sticky: "dyno/fair", seed })).toEqual([
				"dyno/fair",
				"bolt/fair",
			]);
	});

	test("equals take turns by the seed, and only they", () => {
		const twins = catalogueOf(
			fair,
			{ ...fair, id: "dyno/fair", vendor: "dyno" },
			dear,
		);
		expect(order(twins, { seed: 0 })).toEqual([
			"bolt/fair",
			"dyno/fair",
			"acme/dear",
		]);
		expect(order(twins, { seed: 1 })).toEqual([
			"dyno/fair",
			"bolt/fair",
			"acme/dear",
		]);
		expect(order(twins, { seed: 2 })).toEqual([
			"bolt/fair",
			"dyno/fair",
			"acme/dear",
		]);
		expect(order(twins, { seed: -1 })).toHaveLength(3);
	});
});

describe("what was asked", () => {
	test("is a substrate, a model over any channel, an alias, or auto", () => {
		const again = {
			...fair,
			id: "resold/fair",
			vendor: "resold",
			model: "bolt.fair-v1",
		};
		const both = catalogueOf(fair, again, dear);
		const table = {
			...emptyTable,
			aliases: { best: [{ tier: ["flagship" as const] }] },
		};
		const asked = (name: string): string[] => {
			const read = readAsked(name, both, table);
			return read.ok
				? order(both, { asked: read.value }, table)
				: [read.error.code];
		};
		expect(asked("resold/fair")).toEqual(["resold/fair"]);
		expect(asked("fair")).toEqual(["bolt/fair", "resold/fair"]);
		expect(asked("bolt.fair-v1")).toEqual(["resold/fair"]);
		expect(asked("best")).toEqual(["acme/dear"]);
		expect(asked("auto")).toHaveLength(3);
		expect(asked("toString")).toEqual(["model/unknown"]);
	});

	test("a substrate named outright passes with what is not known of it, unless that was asked for", () => {
		const more = withUnlisted(three, "bolt", "new/model");
		expect(more.version).toBe("c1+bolt/new/model");
		expect(
			catalogueAt(more.version, (version) =>
				version === "c1" ? three : undefined,
			),
		).toEqual(more);
		expect(catalogueAt("c1", () => three)).toBe(three);
		expect(catalogueAt("c2+bolt/x", () => undefined)).toBeUndefined();
		const { inferred } = request();
		const asked = { kind: "substrate" as const, id: "bolt/new/model" };
		const tools = { ...inferred, capabilities: ["tools" as const] };
		expect(order(more, { asked, inferred: tools })).toEqual(["bolt/new/model"]);
		expect(order(more, { asked, stated: { capabilities: ["tools"] } })).toEqual(
			[],
		);
		expect(
			order(more, { asked, stated: { sovereignty: ["no-training"] } }),
		).toEqual([]);
		expect(order(more, { asked, budget: 1_000_000_000 })).toEqual([]);
		expect(order(more, { inferred: tools })).not.toContain("bolt/new/model");
		const dumb = catalogueOf(
			substrate("a/b", { capabilities: { tools: fact(false) } }),
		);
		expect(
			order(dumb, { asked: { kind: "substrate", id: "a/b" }, inferred: tools }),
		).toEqual([]);
	});
});

test("each capability is looked at by its own name", () => {
	const names = [
		"tools",
		"json-schema",
		"reasoning",
		"caching",
		"logprobs",
		"streaming",
		"image",
		"document",
		"audio",
	] as const;
	const facts = [
		"tools",
		"jsonSchema",
		"reasoning",
		"caching",
		"logprobs",
		"streaming",
	] as const;
	for (const [at, need] of names.entries()) {
		const only = substrate("a/b", {
			capabilities: {
				...Object.fromEntries(
					facts.map((name, place) => [name, fact(place === at)]),
				),
				inputs: fact([need]),
			},
		});
		for (const other of names)
			expect(
				order(catalogueOf(only), { stated: { capabilities: [other] } }),
			).toHaveLength(other === need ? 1 : 0);
	}
});

test("a refusal says for each substrate the first rule that dropped it", () => {
	const closed = { ...three, off: { coil: "no key" } };
	const decision = decide(
		request({ rights: [["bolt/*"]], stated: { channels: ["reseller"] } }),
		closed,
		emptyPolicy,
		{ version: "h", of: new Map() },
		emptyTable,
		0,
	);
	expect(refusalOf(decision)).toMatchObject({
		code: "route/no-eligible-substrate",
		details: {
			dropped: [
				{
					substrate: "acme/dear",
					filter: "rights",
					why: "the key may not use it",
				},
				{
					substrate: "bolt/fair",
					filter: "channel",
					why: "its channel is direct, and only reseller may be used",
				},
				{
					substrate: "coil/cheap",
					filter: "reach",
					why: "its vendor is off: no key",
				},
			],
		},
	});
	expect(
		refusalOf(
			decide(
				request(),
				three,
				emptyPolicy,
				{ version: "h", of: new Map() },
				emptyTable,
				0,
			),
		),
	).toBeUndefined();
	const none = decide(
		request({ asked: { kind: "model", name: "x" } }),
		three,
		emptyPolicy,
		{ version: "h", of: new Map() },
		emptyTable,
		0,
	);
	expect(refusalOf(none)?.message).toBe(
		"Nothing in the catalogue is the model x, over any channel.",
	);
});

test("what just fits is let through", () => {
	const { inferred } = request();
	const tight = catalogueOf(
		substrate("a/b", {
			capabilities: { context: fact(2048), outputLimit: fact(1024) },
		}),
	);
	expect(order(tight)).toHaveLength(1);
	expect(order(tight, { inferred: { ...inferred, input: 1025 } })).toHaveLength(
		0,
	);
	const graded = {
		...emptyTable,
		grades: [{ where: { vendor: ["bolt"] }, quality: 500 }],
	};
	expect(order(three, { stated: { qualityFloor: 500 } }, graded)).toEqual([
		"bolt/fair",
	]);
	expect(order(three, { stated: { qualityFloor: 501 } }, graded)).toEqual([]);
	const decision = decide(
		request(),
		three,
		emptyPolicy,
		{ version: "h", of: new Map() },
		emptyTable,
		0,
	);
	const cost = decision.merits(decision.order[1] as Choice).cost ?? 0;
	expect(order(three, { budget: cost })).toEqual(["coil/cheap", "bolt/fair"]);
});

test("few that are named are looked at alone, and it comes to what looking at all of them does", () => {
	const rows = (count: number) => ({
		...catalogueOf(
			...Array.from({ length: count }, (_, at) => substrate(`v${at}/m`)),
		),
		off: { v2: "no key" },
	});
	const verdicts = (count: number, asked: RouteRequest["asked"]) => {
		const { verdicts, order } = decide(
			request({ asked }),
			rows(count),
			emptyPolicy,
			{ version: "h", of: new Map([["v1/m", { firstByte: 100 }]]) },
			emptyTable,
			0,
		);
		return [
			verdicts,
			order
				.map(({ place }) => place)
				.sort()
				.join(),
		];
	};
	expect(verdicts(6, { kind: "model", name: "m" })).toEqual([
		"04B000",
		"0,1,3,4,5",
	]);
	expect(verdicts(4, { kind: "model", name: "m" })).toEqual(["04B0", "0,1,3"]);
	expect(verdicts(6, { kind: "substrate", id: "v1/m" })).toEqual([
		"A4AAAA",
		"1",
	]);
	expect(verdicts(6, { kind: "substrate", id: "v2/m" })).toEqual([
		"AABAAA",
		"",
	]);
	expect(verdicts(6, { kind: "substrate", id: "x/m" })).toEqual(["AAAAAA", ""]);
});

test("a router that remembers tells apart whatever a decision stands on", () => {
	const bound = (
		scope: Scope,
		vendor: string,
		changes: Partial<Posture> = {},
	): Posture => ({
		id: vendor,
		by: "o",
		why: "w",
		from: 0,
		scope,
		allow: [],
		deny: [{ vendor: [vendor] }],
		require: [],
		prefer: [],
		...changes,
	});
	const policy = {
		...emptyPolicy,
		broken: [{ id: "x", problem: "y", scope: { keys: ["stopped"] } }],
		postures: [
			bound({ accounts: ["strict"] }, "acme"),
			bound({ keys: ["k"] }, "bolt"),
			bound({ tags: ["t"] }, "coil"),
			bound({}, "later", {
				deny: [{ tier: ["small"] }],
				from: 100,
				until: 200,
			}),
		],
	};
	const table: OwnerTable = {
		...emptyTable,
		rows: [
			{ callTypes: ["judge"], prefer: [{ vendor: ["acme"] }] },
			{ difficulties: ["hard"], prefer: [{ vendor: ["bolt"] }] },
		],
		grades: [{ where: { vendor: ["bolt"] }, quality: 900 }],
		aliases: {
			fast: [{ tier: ["small"] }],
			slow: [{ tier: ["flagship"] }],
			fair: [{ tier: ["flagship"] }],
		},
	};
	const mixed = catalogueOf(
		dear,
		fair,
		substrate("coil/cheap", {
			...cheap,
			capabilities: {
				tools: fact(false),
				jsonSchema: fact(false),
				context: fact(4096),
				outputLimit: fact(2048),
				means: fact(["generate", "embed"]),
			},
		}),
		substrate("dyno/none", {
			tier: "unknown",
			prices: fact(priced(1, 1)),
			lifecycle: { goneOn: fact("1970-01-02") },
			channel: fact("reseller"),
			trains: fact(true),
		}),
	);
	const { inferred } = request();
	const health = {
		version: "h",
		of: new Map<string, Health>([["acme/dear", { firstByte: 100 }]]),
	};
	const busy = {
		version: "h2",
		of: new Map<string, Health>([["dyno/none", { resting: true }]]),
	};
	const router = createRouter();
	const both = (
		changes: Partial<RouteRequest>,
		at = 0,
		seen = health,
	): string => {
		const answers = [router.decide, decide].map((each) =>
			each(request(changes), mixed, policy, seen, table, at)
				.order.map(({ facts }) => facts.id)
				.join(),
		);
		expect(answers[0]).toBe(answers[1]);
		return answers[0] ?? "";
	};
	const base = both({});
	expect(base.split(",")).toHaveLength(4);
	for (const changes of [
		{ account: "strict" },
		{ key: "k" },
		{ key: "stopped" },
		{ tags: ["t"] },
		{ rights: [["acme/*"]] },
		{ unreachable: ["acme"] },
		{ asked: { kind: "alias", name: "fast" } },
		{ asked: { kind: "alias", name: "slow" } },
		{ asked: { kind: "substrate", id: "acme/dear" } },
		{ asked: { kind: "substrate", id: "bolt/fair" } },
		{ asked: { kind: "model", name: "fair" } },
		{ stated: { callType: "judge" } },
		{ stated: { difficulty: "hard" } },
		{ stated: { qualityFloor: 1 } },
		{ stated: { latencyCeiling: 1000 } },
		{ stated: { sovereignty: ["no-training"] } },
		{ stated: { channels: ["direct"] } },
		{ stated: { capabilities: ["tools"] } },
		{ stated: { costCeiling: 1 } },
		{ budget: 2 },
		{ inferred: { ...inferred, means: "embed" } },
		{ inferred: { ...inferred, capabilities: ["json-schema"] } },
		{ inferred: { ...inferred, input: 4000 } },
		{ inferred: { ...inferred, output: 3000 } },
		{ inferred: { ...inferred, callType: "judge" } },
		{ inferred: { ...inferred, difficulty: "hard" } },
		{ sticky: "bolt/fair", stated: { qualityFloor: 900 } },
	] as const satisfies readonly Partial<RouteRequest>[])
		expect(both(changes), JSON.stringify(changes)).not.toBe(base);
	expect(both({ asked: { kind: "alias", name: "fair" } })).toBe("acme/dear");
	expect(both({ asked: { kind: "model", name: "fair" } })).toBe("bolt/fair");
	expect(both({}, 99)).toBe(base);
	expect(both({}, 100)).not.toBe(base);
	expect(both({}, 200)).toBe(base);
	expect(both({}, 86_400_000)).not.toBe(base);
	expect(both({}, 0, busy)).not.toBe(base);
	expect(both({})).toBe(base);
});

test("rights name a substrate, its vendor's model or the model itself", () => {
	const resold = catalogueOf({
		...fair,
		id: "resold/x",
		model: "bolt.fair-v1",
	});
	for (const [pattern, passes] of [
		["resold/*", 1],
		["bolt.fair-*", 1],
		["fair", 1],
		["unfair", 0],
	] as const)
		expect(order(resold, { rights: [[pattern]] })).toHaveLength(passes);
});

test("an unreadable day of an end counts as past, and a ceiling counts to the micro-credit", () => {
	expect(
		order(
			catalogueOf(substrate("a/b", { lifecycle: { goneOn: fact("soon") } })),
		),
	).toEqual([]);
	const exact = substrate("a/b", {
		prices: fact(priced(1_000_000, 1_000_000)),
	});
	expect(order(catalogueOf(exact), { budget: 2048 })).toHaveLength(1);
	expect(order(catalogueOf(exact), { budget: 2047 })).toHaveLength(0);
	expect(
		order(catalogueOf(exact), { stated: { costCeiling: 2047 }, budget: 9999 }),
	).toHaveLength(0);
});

describe("inference", () => {
	const plain: RequestTraits = {
		means: "generate",
		inputBytes: 600,
		messages: 1,
		last: "user",
		tools: 0,
		step: 0,
		images: 0,
		documents: 0,
		audio: 0,
		schema: false,
		reasoning: "none",
		logprobs: false,
		stream: false,
		outputLimit: undefined,
	};
	test.each<[Partial<RequestTraits>, string, string, string[]]>([
		[{}, "chat", "medium", ["talk"]],
		[{ means: "embed" }, "embed", "easy", ["embedding"]],
		[{ means: "image" }, "media", "medium", ["media"]],
		[{ means: "count-tokens" }, "count", "easy", ["count"]],
		[{ tools: 9, last: "tool", step: 4 }, "tool-step", "easy", ["tool-result"]],
		[
			{ tools: 9, last: "tool", step: 4, reasoning: "some" },
			"tool-step",
			"easy",
			["tool-result"],
		],
		[
			{ tools: 9, last: "tool", step: 4, reasoning: "much" },
			"tool-step",
			"hard",
			["tool-result", "much-reasoning"],
		],
		[{ tools: 9, step: 0 }, "plan", "hard", ["first-step"]],
		[{ tools: 1, step: 0 }, "chat", "medium", ["talk"]],
		[{ outputLimit: 8 }, "classify", "easy", ["few-words"]],
		[{ outputLimit: 65 }, "chat", "medium", ["talk"]],
		[{ schema: true }, "extract", "easy", ["schema"]],
		[
			{ schema: true, reasoning: "some" },
			"extract",
			"medium",
			["schema", "some-reasoning"],
		],
		[{ inputBytes: 24_000 }, "summarise", "easy", ["long-text"]],
		[
			{ inputBytes: 400_000 },
			"summarise",
			"medium",
			["long-text", "long-talk"],
		],
		[{ inputBytes: 24_000, messages: 3 }, "chat", "medium", ["talk"]],
	])("%j", (change, callType, difficulty, because) => {
		expect(infer({ ...plain, ...change })).toMatchObject({
			callType,
			difficulty,
			because,
		});
	});

	test("asks for what the request shows, and no more", () => {
		expect(infer(plain).capabilities).toEqual([]);
		expect(
			infer({
				...plain,
				tools: 1,
				schema: true,
				reasoning: "some",
				logprobs: true,
				stream: true,
				images: 1,
				documents: 1,
				audio: 1,
			}).capabilities,
		).toEqual([
			"tools",
			"json-schema",
			"reasoning",
			"logprobs",
			"streaming",
			"image",
			"document",
			"audio",
		]);
	});

	test("counts a little more than is expected, in steps", () => {
		const input = (inputBytes: number, images = 0) =>
			infer({ ...plain, inputBytes, images }).input;
		expect(input(0)).toBe(256);
		expect(input(3 * 257)).toBe(288);
		expect(input(3000)).toBe(1024);
		expect(input(3 * 100_000)).toBe(106_496);
		expect(input(3 * 512)).toBe(512);
		expect(input(0, 2)).toBe(3072);
		expect(infer({ ...plain, outputLimit: 64_000 }).output).toBe(64_000);
		expect(infer(plain).output).toBe(1024);
		expect(infer({ ...plain, means: "embed" }).output).toBe(0);
		for (
			let tokens = 300;
			tokens < 200_000;
			tokens = Math.ceil(tokens * 1.31)
		) {
			const counted = input(3 * tokens);
			expect(counted).toBeGreaterThanOrEqual(tokens);
			expect(counted).toBeLessThanOrEqual(tokens * 1.13);
		}
	});
});

describe("needs", () => {
	test("of several add up to the strictest", () => {
		expect(
			joinNeeds([
				{
					callType: "judge",
					costCeiling: 5,
					sovereignty: ["a"],
					channels: ["x", "y"],
					qualityFloor: 1,
				},
				{
					callType: "chat",
					costCeiling: 3,
					sovereignty: ["b", "a"],
					channels: ["y", "z"],
					latencyCeiling: 9,
				},
				{ qualityFloor: 7, latencyCeiling: 8, capabilities: ["tools"] },
			]),
		).toEqual({
			callType: "judge",
			costCeiling: 3,
			sovereignty: ["a", "b"],
			channels: ["y"],
			qualityFloor: 7,
			latencyCeiling: 8,
			capabilities: ["tools"],
		});
		expect(joinNeeds([{ channels: ["x"] }, { channels: ["y"] }])).toEqual({
			channels: [],
		});
		expect(order(three, { stated: { channels: [] } })).toEqual([]);
	});

	test.each([
		["text", /no map/],
		[{ sovreignty: ["a"] }, /"sovreignty" is no need/],
		[{ __proto__x: 1 }, /is no need/],
		[{ difficulty: "trivial" }, /easy or medium or hard/],
		[{ qualityFloor: 0 }, /1 to 1000/],
		[{ qualityFloor: 1001 }, /1 to 1000/],
		[{ costCeiling: 1.5 }, /whole number/],
		[{ latencyCeiling: -1 }, /whole number/],
		[{ sovereignty: [] }, /with one in it/],
		[{ sovereignty: "eu" }, /list of names/],
		[{ capabilities: ["vision"] }, /must be a list of tools/],
		[{ callType: "Chat now" }, /word/],
		[{ capabilities: ["constructor"] }, /must be a list/],
	])("%j is not passed over", (raw, problem) => {
		expect(readNeeds(raw)).toMatch(problem);
	});

	test("are taken as they are where they are understood", () => {
		const needs = {
			callType: "code-edit",
			difficulty: "hard",
			qualityFloor: 1000,
			costCeiling: 0,
			capabilities: ["audio"],
		};
		expect(readNeeds(needs)).toEqual(needs);
	});
});

test.each([
	["rows", /no map/],
	[{ row: [] }, /"row" is not known/],
	[{ rows: {} }, /rows is no list/],
	[{ rows: [1] }, /rows, number 1: it is no map/],
	[{ rows: [{ difficulties: ["odd"] }] }, /difficulties is no list/],
	[{ rows: [{ callTypes: [] }] }, /callTypes/],
	[{ rows: [{ prefers: [] }] }, /not known/],
	[{ rows: [{ prefer: [{}] }] }, /names nothing/],
	[{ grades: [{ where: { vendor: ["a"] }, quality: 0 }] }, /1 to 1000/],
	[{ grades: [{ where: {}, quality: 1 }] }, /names nothing/],
	[
		{ grades: [{ where: { vendor: ["a"] }, quality: 1, callTypes: "x" }] },
		/callTypes/,
	],
	[{ grades: [4] }, /no map/],
	[{ grades: [{ what: 1 }] }, /not known/],
	[{ killed: [{ vendor: "a" }] }, /killed, number 1: vendor is no list/],
	[{ aliases: [] }, /aliases is no map/],
	[{ aliases: { auto: [{ vendor: ["a"] }] } }, /cannot be auto/],
	[{ aliases: { quick: [] } }, /must name something/],
	[{ aliases: { quick: [{}] } }, /names nothing/],
])("a table of %j is told what is wrong", (raw, problem) => {
	expect(readTable("t", raw)).toMatch(problem);
});

test("a table of the owner's goes before the default one", () => {
	expect(readTable("t", undefined)).toEqual({ ...defaultTable, version: "t" });
	const read = readTable("t", {
		aliases: { fast: [{ vendor: ["bolt"] }] },
		killed: [{ vendor: ["coil"] }],
		grades: [{ callTypes: ["chat"], where: { vendor: ["bolt"] }, quality: 5 }],
	});
	if (typeof read === "string") throw new Error(read);
	expect(read.aliases.fast).toEqual([{ vendor: ["bolt"] }]);
	expect(read.aliases.smart).toBeDefined();
	expect(order(three, {}, read)).not.toContain("coil/cheap");
	expect(order(three, { stated: { qualityFloor: 6 } }, read)).toEqual([
		"acme/dear",
	]);
	expect(
		order(three, { stated: { qualityFloor: 6, callType: "judge" } }, read),
	).toEqual(["bolt/fair", "acme/dear"]);
});

test("health comes in steps that a record can hold", () => {
	expect(gradeOf(undefined, 0)).toBe(0);
	expect(gradeOf({ resting: true }, 0)).toBe(resting);
	expect(gradeOf({ firstByte: 249 }, 0)).toBe(4);
	expect(gradeOf({ firstByte: 250 }, 0)).toBe(8);
	expect(gradeOf({ firstByte: 100_000, errors: 10_000 }, 0)).toBe(resting - 1);
	expect(gradeOf({ firstByte: 100, throughput: 100 }, 150)).toBe(16);
	expect(isFailing(gradeOf({ errors: 2000 }, 0))).toBe(true);
	expect(isFailing(gradeOf({ errors: 1999 }, 0))).toBe(false);
	expect(isWithin(gradeOf({ firstByte: 900 }, 0), 1000)).toBe(true);
	expect(isWithin(gradeOf({ firstByte: 900 }, 0), 999)).toBe(false);
	expect(isWithin(0, 1_000_000)).toBe(false);
	expect(isWithin(resting, 1_000_000)).toBe(false);
	expect(describeHealth(gradeOf({ firstByte: 900, errors: 500 }, 0))).toBe(
		"answers in 500 to 1000 ms, at least 5 % of calls failing",
	);
	expect(describeHealth(gradeOf({ firstByte: 9e9 }, 0))).toBe(
		"answers in 32000 ms or more",
	);
	expect(
		new Set(Array.from({ length: grades }, (_, grade) => describeHealth(grade)))
			.size,
	).toBe(grades);
});

describe("a record", () => {
	const crowd = catalogueOf(
		...Array.from({ length: 300 }, (_, at) =>
			substrate(`vendor-${at % 17}/some-model-of-a-usual-length-${at}`, {
				prices: fact(priced(at * 1000, at)),
			}),
		),
	);
	const health = {
		version: "h-0123456789abcd",
		of: new Map<string, Health>(
			crowd.substrates.map(({ id }, at) => [
				id,
				{ firstByte: 90 * 2 ** (at % 10), errors: (at % 7) * 400 },
			]),
		),
	};
	const asking = request({
		account: "account-0123456789",
		key: "key_01K0000000000000000000000",
		tags: ["federal", "team-blue"],
		rights: [["vendor-*", "other/*"]],
		stated: {
			callType: "code-edit",
			difficulty: "hard",
			qualityFloor: 1,
			latencyCeiling: 8000,
			costCeiling: 500_000_000,
			sovereignty: ["eu-processed"],
			channels: ["direct"],
		},
		sticky: "vendor-5/some-model-of-a-usual-length-5",
		seed: 4_294_967_295,
	});
	const table = {
		...emptyTable,
		version: "t-0123456789abcd",
		grades: [{ where: { channel: ["direct"] }, quality: 700 }],
	};
	const policy = { ...emptyPolicy, version: "p-0123456789abcd" };
	const versioned = { ...crowd, version: "c-0123456789abcd" };
	const decision = decide(
		asking,
		versioned,
		policy,
		health,
		table,
		1_795_000_000_000,
	);
	const inputs = {
		catalogue: () => versioned,
		policy: () => policy,
		table: () => table,
	};
	const record = recordOf(decision, [
		["vendor-4/some-model-of-a-usual-length-4", "overload http/503", 120],
		["vendor-3/some-model-of-a-usual-length-3", "timeout upstream/connect", 9],
		["vendor-0/some-model-of-a-usual-length-0", "ok", 2345],
	]);

	test("holds 300 substrates, all different, in a kilobyte", () => {
		expect(decision.order).toHaveLength(300);
		expect(new Set(decision.verdicts).size).toBeGreaterThan(20);
		// Attempts stand in the event that ends the call.
		const bytes = Buffer.byteLength(JSON.stringify(recordOf(decision)));
		expect(bytes).toBeLessThanOrEqual(1024);
		expect(bytes).toBeGreaterThan(600);
	});

	test("is run again, and found out where it was changed", () => {
		const router = createRouter();
		const again = (changes: object) => {
			const outcome = replay({ ...record, ...changes }, inputs, router);
			return outcome.ok ? outcome.value.differs : [outcome.error.code];
		};
		expect(again({})).toEqual([]);
		expect(
			again({ winner: "vendor-1/some-model-of-a-usual-length-1" }),
		).toHaveLength(1);
		expect(again({ order: [...record.order].reverse() })).toEqual([
			"the order is not the one that was recorded",
		]);
		expect(again({ verdicts: `F${record.verdicts.slice(1)}` })).toContain(
			"the verdicts are not those that were recorded",
		);
		expect(again({ verdicts: record.verdicts.slice(1) })).toEqual([
			"route/record-broken",
		]);
		expect(again({ verdicts: "(999999999)A" })).toEqual([
			"route/record-broken",
		]);
		for (const verdicts of ["((", "(-1)A", "(5", "(0)A", ""])
			expect(again({ verdicts })).toEqual(["route/record-broken"]);
		expect(again({ attempts: [["vendor-1/other", "ok", 1]] })).toHaveLength(1);
		const barred = {
			...asking,
			stated: { ...asking.stated, channels: ["reseller"] },
		};
		expect(
			again({ request: recordOf({ ...decision, request: barred }).request })
				.length,
		).toBeGreaterThan(2);
		const missing = replay(
			record,
			{ ...inputs, policy: () => undefined },
			router,
		);
		expect(missing).toMatchObject({
			ok: false,
			error: { code: "route/inputs-missing" },
		});
		expect(JSON.stringify(missing)).toContain("p-0123456789abcd is not known");
	});

	test("is told in plain words", () => {
		const told = explain(record, inputs, createRouter());
		if (!told.ok) throw new Error(told.error.code);
		const text = told.value.join("\n");
		expect(text).toContain("who asked for whatever fits (auto)");
		expect(text).toContain(`${record.winner} won: some `);
		expect(text).toContain(
			"Attempt 2: vendor-3/some-model-of-a-usual-length-3, timeout upstream/connect after 9 ms.",
		);
		expect(text).toContain("Run again, it comes to the same answer.");
		const changed = explain({ ...record, winner: "x" }, inputs, createRouter());
		expect(changed.ok && changed.value.at(-1)).toMatch(
			/^This is not what was recorded: the winner is/,
		);
		const refused = explainDecision(
			decide(
				request({ stated: { sovereignty: ["us-federal"] } }),
				three,
				emptyPolicy,
				health,
				emptyTable,
				0,
			),
		);
		expect(refused).toContain("Nothing was eligible, and nothing was called.");
		expect(refused).toContain(
			'acme/dear, bolt/fair, coil/cheap were dropped by sovereignty: the class "us-federal" does not hold: where it is processed is DE, and it must be US.',
		);
	});
});

test("a substrate of which nothing is known keeps no class but anywhere", () => {
	const nothing = catalogueOf(unlisted("acme", "one"));
	const asked = { kind: "substrate" as const, id: "acme/one" };
	for (const { id } of emptyPolicy.classes)
		expect(
			order(nothing, { asked, stated: { sovereignty: [id] } }),
		).toHaveLength(id === "anywhere" ? 1 : 0);
});
