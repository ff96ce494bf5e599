import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import { cost, type Filter, filters, type Question } from "./filters.ts";
import {
	catalogues,
	day,
	epochStart,
	policies,
	requests,
	selectors,
	tables,
} from "./fixtures/random.ts";
import {
	emptyPolicy,
	emptyTable,
	fact,
	request,
	substrate,
} from "./fixtures/substrates.ts";
import type {
	Asked,
	OwnerTable,
	Policy,
	Posture,
	RouteRequest,
	Selector,
} from "./model.ts";
import { allPlaces, hasPlace, placesWhere } from "./places.ts";
import { inForce } from "./postures.ts";
import { defaultClasses } from "./sovereignty.ts";
import { openShelf, openWorld } from "./world.ts";

const acme = substrate("acme/m");

/** Why a filter drops the one substrate of a world; undefined where it does not. In words and without them it comes to the same. */
function dropped(
	name: string,
	facts: SubstrateFacts,
	changes: Partial<RouteRequest> = {},
	question: Partial<Omit<Question, "request">> & {
		readonly gone?: number;
		readonly off?: CatalogueSnapshot["off"];
		readonly policy?: Policy;
		readonly table?: OwnerTable;
	} = {},
): string | undefined {
	const {
		gone = Number.POSITIVE_INFINITY,
		off = {},
		policy = emptyPolicy,
		table = emptyTable,
		...more
	} = question;
	const filter = filters.find((each) => each.name === name) as Filter;
	const shelf = {
		...openShelf({ version: "c", substrates: [facts], off }),
		gone: Float64Array.of(gone),
	};
	const asked: Question = {
		world: openWorld(shelf, policy, table),
		request: request(changes),
		inForce: { postures: [], stops: [] },
		quality: Uint16Array.of(0),
		at: 1_000,
		...more,
	};
	const why = filter.drops(facts, asked, 0);
	for (const _ of ["made", "remembered"]) {
		const places = filter.places(asked, allPlaces(1));
		expect(places !== undefined && hasPlace(places, 0)).toBe(why !== undefined);
	}
	expect(filter.drops(facts, asked, 0)).toBe(why);
	return why;
}

it("each has a name that people are told, and a character in records that never means another", () => {
	expect([...filters, cost].map(({ code, name }) => `${code} ${name}`)).toEqual(
		[
			"A asked",
			"B reach",
			"C rights",
			"L account",
			"D sovereignty",
			"E channel",
			"F posture",
			"G capability",
			"H context",
			"I lifecycle",
			"J killed",
			"K cost",
		],
	);
});

it("each drops the same in words and without them, and without them whoever was dropped before may be among them", () => {
	const cases = catalogues.chain((catalogue) =>
		fc.tuple(
			fc.constant(catalogue),
			policies(defaultClasses),
			fc
				.tuple(tables, fc.array(selectors, { maxLength: 2 }))
				.map(([table, killed]) => ({ ...table, killed })),
			requests(catalogue),
			fc.subarray(catalogue.substrates.map((_, place) => place)),
		),
	);
	const counted = new Map<string, number>();
	for (const [catalogue, policy, table, request, left] of fc.sample(cases, {
		seed: 6,
		numRuns: 150,
	})) {
		const { substrates } = catalogue;
		const asked: Question = {
			world: openWorld(openShelf(catalogue), policy, table),
			request,
			inForce: inForce(policy, request, epochStart + 10 * day),
			quality: Uint16Array.from(substrates, (_, place) => place * 100),
			at: epochStart + 10 * day,
		};
		const among = placesWhere(substrates.length, (place) =>
			left.includes(place),
		);
		for (const filter of filters) {
			const dropped = left.filter(
				(place) =>
					filter.drops(substrates[place] as SubstrateFacts, asked, place) !==
					undefined,
			);
			const places = filter.places(asked, among);
			expect(
				left.filter((place) => places && hasPlace(places, place)),
				filter.name,
			).toEqual(dropped);
			counted.set(
				filter.name,
				(counted.get(filter.name) ?? 0) + dropped.length,
			);
		}
	}
	for (const { name } of filters)
		expect(counted.get(name), name).toBeGreaterThan(3);
});

describe("what was asked for", () => {
	const alias = { asked: { kind: "alias", name: "fast" } } as const;

	it("of a name of the owner's, is what any of its selectors fits", () => {
		const [no, yes] = [{ vendor: ["bolt"] }, { vendor: ["acme"] }];
		const meant = (...fast: Selector[]) =>
			dropped("asked", acme, alias, {
				table: { ...emptyTable, aliases: { fast } },
			});
		expect(meant(no, yes)).toBeUndefined();
		expect(meant(no)).toBe("it is not what was asked for");
		expect(meant()).toBeDefined();
		expect(dropped("asked", acme, alias)).toBeDefined();
	});

	it.each<[Asked, boolean]>([
		[{ kind: "auto" }, true],
		[{ kind: "substrate", id: "acme/m" }, true],
		[{ kind: "substrate", id: "m" }, false],
		[{ kind: "model", name: "m" }, true],
		[{ kind: "model", name: "common" }, true],
		[{ kind: "model", name: "acme/m" }, false],
	])("%j: %s", (asked, meant) => {
		const facts = substrate("acme/m", { name: "common" });
		expect(dropped("asked", facts, { asked }) === undefined).toBe(meant);
	});
});

describe("reach", () => {
	it("is what is on, and speaks to the client's protocol", () => {
		const off = { acme: "no key" };
		expect(dropped("reach", acme)).toBeUndefined();
		expect(dropped("reach", acme, {}, { off })).toBe(
			"its vendor is off: no key",
		);
		expect(dropped("reach", acme, {}, { off: { bolt: "" } })).toBeUndefined();
		expect(dropped("reach", acme, { unreachable: ["acme"] })).toBe(
			"it cannot be spoken to from the client's protocol",
		);
		const bolt = { unreachable: ["bolt"] };
		expect(dropped("reach", acme, bolt)).toBeUndefined();
		expect(dropped("reach", acme, bolt, { off })).toBeDefined();
	});
});

describe("rights", () => {
	it("of the key, each list, must have a pattern for it", () => {
		const rights = (...rights: string[][]) =>
			dropped("rights", acme, { rights });
		expect(rights(["acme/*"], ["*"])).toBeUndefined();
		expect(rights(["acme/*"], ["bolt/*"])).toBe("the key may not use it");
		expect(rights(["x", "acme/m"])).toBeUndefined();
		expect(rights([])).toBeDefined();
		expect(rights()).toBeUndefined();
		expect(dropped("rights", acme)).toBeUndefined();
	});

	it("are for an id, a model and its common name, in whatever case", () => {
		const facts = substrate("acme/Own", { name: "Common" });
		for (const pattern of ["ACME/o*", "own", "common", "COM*"])
			expect(dropped("rights", facts, { rights: [[pattern]] })).toBeUndefined();
		for (const pattern of ["acme", "ow", "comm"])
			expect(dropped("rights", facts, { rights: [[pattern]] })).toBeDefined();
	});

	it("of the account bound every key of it", () => {
		const rights = (...accountRights: string[]) =>
			dropped("account", acme, { accountRights });
		expect(rights("x", "acme/*")).toBeUndefined();
		expect(rights("bolt/*", "x")).toBe("the account may not use it");
		expect(rights()).toBeDefined();
		expect(dropped("account", acme)).toBeUndefined();
	});
});

describe("the channel", () => {
	it.each([
		[["direct"], "direct", undefined],
		[
			["reseller", "x"],
			"direct",
			"its channel is direct, and only reseller or x may be used",
		],
		[[], "direct", "its channel is direct, and only none may be used"],
		[
			["direct"],
			"unknown",
			"its channel is not known, and only direct may be used",
		],
		[undefined, "unknown", undefined],
	])("where %j may be used, and it is %s", (channels, channel, why) => {
		const facts = substrate("acme/m", {
			channel: channel === "unknown" ? "unknown" : fact(channel),
		});
		expect(
			dropped("channel", facts, { stated: channels ? { channels } : {} }),
		).toBe(why);
	});
});

describe("sovereignty and postures", () => {
	it("any reason drops it, the first that there is", () => {
		const needing = (...sovereignty: string[]) =>
			dropped("sovereignty", acme, { stated: { sovereignty } });
		expect(needing("eu-processed", "own-machine", "mars")).toBe(
			'the class "own-machine" does not hold: its channel is direct, and it must be own-machine',
		);
		expect(needing("eu-processed")).toBeUndefined();
		expect(needing("mars")).toBe(
			'the sovereignty class "mars" is not known here',
		);
		expect(dropped("sovereignty", acme)).toBeUndefined();
		const posture = (id: string, rules: Partial<Posture>): Posture => ({
			...{ id, by: "o", why: "w", from: 0, scope: {} },
			...{ allow: [], deny: [], require: [], prefer: [] },
			...rules,
		});
		const under = (...postures: Posture[]) =>
			dropped("posture", acme, {}, { inForce: { postures, stops: [] } });
		const mild = posture("mild", { deny: [{ vendor: ["bolt"] }] });
		const harsh = posture("harsh", { deny: [{ vendor: ["acme"] }] });
		const later = posture("later", { require: [{ vendor: ["bolt"] }] });
		expect(under(mild, harsh, later)).toBe(
			'the posture "harsh" denies vendor acme',
		);
		expect(under(mild)).toBeUndefined();
		expect(under()).toBeUndefined();
		const stops = [{ id: "house", problem: "from is no date" }];
		expect(
			dropped("posture", acme, {}, { inForce: { postures: [mild], stops } }),
		).toBe(
			'the posture "house" stops every call in its scope, as from is no date',
		);
	});
});

describe("capabilities", () => {
	it("a floor of quality drops what is graded below it, and what is not graded", () => {
		const graded = (grade: number) =>
			dropped(
				"capability",
				acme,
				{ stated: { qualityFloor: 700 } },
				{ quality: Uint16Array.of(grade) },
			);
		expect(graded(700)).toBeUndefined();
		expect(graded(699)).toBe("its grade is 699, and at least 700 is asked for");
		expect(graded(0)).toBe(
			"its grade is not known, and at least 700 is asked for",
		);
	});

	it.each([
		[{ kind: "auto" }, true],
		[{ kind: "alias", name: "fast" }, true],
		[{ kind: "model", name: "m" }, false],
		[{ kind: "substrate", id: "acme/m" }, false],
	] as const)(
		"what is inferred and not known counts against what %j brings: %s",
		(asked, counts) => {
			const facts = substrate("acme/m", {
				capabilities: {
					tools: "unknown",
					context: "unknown",
					outputLimit: "unknown",
				},
			});
			const { inferred } = request();
			const wanted = {
				asked,
				inferred: { ...inferred, capabilities: ["tools" as const] },
			};
			expect(dropped("capability", facts, wanted) !== undefined).toBe(counts);
			expect(dropped("context", facts, wanted) !== undefined).toBe(counts);
		},
	);
});

describe("the context", () => {
	const { inferred } = request();
	const tokens = { inferred: { ...inferred, input: 900, output: 200 } };
	const why = (
		context: number | undefined,
		outputLimit: number | undefined,
	): string | undefined =>
		dropped(
			"context",
			substrate("acme/m", {
				capabilities: {
					context: context === undefined ? "unknown" : fact(context),
					outputLimit:
						outputLimit === undefined ? "unknown" : fact(outputLimit),
				},
			}),
			tokens,
		);

	it("holds both what goes in and what comes out", () => {
		expect(why(1_100, 200)).toBeUndefined();
		expect(why(1_099, 200)).toBe(
			"some 900 tokens in and 200 out do not fit its context of 1099",
		);
		expect(why(undefined, 200)).toBe(
			"some 900 tokens in and 200 out may not fit: its context is not known",
		);
		expect(why(1_100, 199)).toBe(
			"200 tokens out are more than its limit of 199",
		);
		expect(why(1_100, undefined)).toBe(
			"200 tokens out may be too many: its limit is not known",
		);
	});

	it.each([
		["generate", true],
		["embed", true],
		["count-tokens", false],
		["image", false],
		["speech", false],
		["transcription", false],
	] as const)("counts for %s: %s", (means, counts) => {
		const narrow = substrate("acme/m", { capabilities: { context: fact(1) } });
		const short = substrate("acme/m", {
			capabilities: { outputLimit: fact(1) },
		});
		const asked = { inferred: { ...inferred, means } };
		expect(dropped("context", narrow, asked) !== undefined).toBe(counts);
		expect(dropped("context", short, asked) !== undefined).toBe(counts);
	});
});

describe("the end of its life", () => {
	it("is told with its day, as far as that is known", () => {
		const gone = substrate("acme/m", {
			lifecycle: { goneOn: fact("2026-11-01") },
		});
		expect(dropped("lifecycle", gone, {}, { gone: 1_000 })).toBe(
			"it is gone since 2026-11-01",
		);
		expect(dropped("lifecycle", gone, {}, { gone: 1_001 })).toBeUndefined();
		expect(dropped("lifecycle", acme, {}, { gone: 0 })).toBe(
			"it is gone since unknown",
		);
	});
});

describe("what is switched off", () => {
	const killed = (facts: SubstrateFacts) =>
		dropped(
			"killed",
			facts,
			{},
			{ table: { ...emptyTable, killed: [{ operator: ["acme"] }] } },
		);

	it("is dropped, also where it may be that", () => {
		expect(killed(acme)).toBe("the owner switched off operator acme");
		expect(killed(substrate("bolt/m"))).toBeUndefined();
		expect(killed(substrate("bolt/m", { operator: "unknown" }))).toBeDefined();
	});
});

describe("the ceiling on cost", () => {
	it("is kept up to itself, and never by what has no price", () => {
		expect(cost.isOver(5, 5)).toBe(false);
		expect(cost.isOver(5.1, 5)).toBe(true);
		expect(cost.isOver(undefined, 5)).toBe(true);
		expect(cost.isOver(undefined, Number.POSITIVE_INFINITY)).toBe(false);
		expect(cost.isOver(Number.NaN, 5)).toBe(true);
		expect(cost.why(5.1, 5)).toBe(
			"some 6 micro-credits are expected, and 5 are the most",
		);
		expect(cost.why(undefined, 5)).toBe(
			"its price is not known, and 5 micro-credits are the most",
		);
	});
});
