import { describe, expect, it } from "vitest";
import type { SubstrateFacts } from "../../ports/catalogue.ts";
import { cost, filters, type Question } from "./filters.ts";
import {
	emptyPolicy,
	emptyTable,
	fact,
	request,
	substrate,
} from "./fixtures/substrates.ts";
import type { OwnerTable, RouteRequest } from "./model.ts";

const acme = substrate("acme/m");

/** Why a filter drops the one substrate of a world; undefined where it does not. */
function dropped(
	name: string,
	facts: SubstrateFacts,
	changes: Partial<RouteRequest> = {},
	question: Partial<Omit<Question, "request">> & {
		readonly gone?: number;
		readonly table?: OwnerTable;
	} = {},
): string | undefined {
	const {
		gone = Number.POSITIVE_INFINITY,
		table = emptyTable,
		...more
	} = question;
	return filters
		.find((each) => each.name === name)
		?.drops(
			facts,
			{
				world: {
					catalogue: { version: "c", substrates: [facts], off: {} },
					policy: emptyPolicy,
					table,
					gone: Float64Array.of(gone),
				} as unknown as Question["world"],
				request: request(changes),
				inForce: { postures: [], stops: [] },
				barred: [],
				outside: [],
				meant: undefined,
				quality: Uint16Array.of(0),
				at: 1_000,
				...more,
			},
			0,
		);
}

it("each has a name that people are told, and a character in records that never means another", () => {
	expect([...filters, cost].map(({ code, name }) => `${code} ${name}`)).toEqual(
		[
			"A asked",
			"B reach",
			"C rights",
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

describe("what was asked for", () => {
	const alias = { asked: { kind: "alias", name: "fast" } } as const;

	it("of a name of the owner's, is what any of its selectors fits", () => {
		const [no, yes] = [Uint8Array.of(0), Uint8Array.of(1)];
		expect(dropped("asked", acme, alias, { meant: [no, yes] })).toBeUndefined();
		expect(dropped("asked", acme, alias, { meant: [no] })).toBeDefined();
		expect(dropped("asked", acme, alias, { meant: [] })).toBeDefined();
		expect(dropped("asked", acme, alias)).toBeDefined();
	});
});

describe("rights", () => {
	it("of the key and of its account must both allow it", () => {
		const rights = (...rights: string[][]) =>
			dropped("rights", acme, { rights });
		expect(rights(["acme/*"], ["*"])).toBeUndefined();
		expect(rights(["acme/*"], ["bolt/*"])).toBeDefined();
		expect(rights(["x", "acme/m"])).toBeUndefined();
		expect(rights([])).toBeDefined();
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
		const reasons = [[undefined], ["why"], ["later"]];
		expect(dropped("sovereignty", acme, {}, { outside: reasons })).toBe("why");
		expect(dropped("posture", acme, {}, { barred: reasons })).toBe("why");
		expect(dropped("posture", acme, {}, { barred: [[undefined]] })).toBe(
			undefined,
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
		const asked = { inferred: { ...inferred, means } };
		expect(dropped("context", narrow, asked) !== undefined).toBe(counts);
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
