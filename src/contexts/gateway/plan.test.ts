import { describe, expect, it } from "vitest";
import type { Outcome } from "../../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { WireRequest } from "../../ports/wire-protocol.ts";
import type { Caps } from "../credits/index.ts";
import {
	emptyPolicy,
	emptyTable,
	fact,
	priced,
	substrate,
} from "../routing/fixtures/substrates.ts";
import type { OwnerTable, Policy, Profile } from "../routing/index.ts";
import type { Caller } from "./access.ts";
import {
	askedFor,
	chat,
	noCatalogue,
	noCrossings,
	prices,
	testKey,
	testWire,
} from "./gateway.testing.ts";
import { type Instead, openPlans, type Plan, type Question } from "./plan.ts";
import { sizing } from "./sizing.ts";
import { openSubstrates } from "./substrates.ts";

/** Cheaper ones come first. */
const catalogue: CatalogueSnapshot = {
	version: "c-three",
	substrates: [
		substrate("one/m", { prices: fact(priced(1, 1)) }),
		substrate("two/m", { prices: fact(priced(2_000_000, 2_000_000)) }),
		substrate("three/m", { prices: fact(priced(4_000_000, 4_000_000)) }),
	],
	off: {},
};

/** Where calls go under all that a test says; what it says may change between two questions. */
function desk(
	says: {
		catalogue?: CatalogueSnapshot;
		policy?: Policy;
		table?: OwnerTable;
		profiles?: Readonly<Record<string, Profile>>;
		/** Of the account. */
		models?: readonly string[];
		/** Those that rest. */
		resting?: readonly string[];
	} = {},
) {
	const substrates = openSubstrates({
		vendors: ["one", "two", "three"].map((id) => ({
			id,
			bases: { test: `https://${id}.test` },
			keys: [testKey("1")],
			secrets: () => [],
			quirks: {},
		})),
		off: {},
		aliases: { nick: "two/m" },
		prices,
		crossings: noCrossings,
	});
	const probed: string[] = [];
	const world = {
		policy: says.policy ?? emptyPolicy,
		table: says.table ?? emptyTable,
		models: says.models,
	};
	const plans = openPlans({
		substrates,
		crossings: noCrossings,
		head: {
			state: (name: string) =>
				name === "credits"
					? { accounts: new Map([["main", { models: world.models }]]) }
					: sizing.initial(),
		} as never,
		holds: { wait: 0, outputCeiling: undefined },
		desk: {
			current: () => ({ catalogue: says.catalogue ?? catalogue, ...world }),
			profile: (of, id) => says.profiles?.[`${of}/${id}`],
		},
		vitals: {
			snapshot: () => ({ version: "h", of: new Map() }),
			mayCall(id) {
				probed.push(id);
				return says.resting?.includes(id) !== true;
			},
			answered() {},
			saw() {},
			fold() {},
		},
	});
	return {
		world,
		probed,
		plans,
		ask: (
			asked: Partial<WireRequest> = {},
			more: Partial<Omit<Question, "asked">> & {
				models?: readonly string[];
				caps?: Caps;
				accountCaps?: Caps;
			} = {},
			instead?: Instead,
		) => {
			const { models, caps = {}, accountCaps = {}, ...question } = more;
			return plans.plan(
				{
					call: "call_1",
					wire: testWire,
					operation: chat,
					asked: askedFor({ model: "m", max: 50, ...asked }),
					caller: {
						key: { id: "key", scopes: { can: ["call"], models }, caps },
						account: { id: "main", caps: accountCaps },
					} as unknown as Caller,
					needs: undefined,
					session: undefined,
					previous: undefined,
					now: 1_000,
					...question,
				},
				instead,
			);
		},
	};
}

function planned(outcome: Outcome<Plan>): Plan {
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

const walk = (plan: Plan): string[] => {
	const ids: string[] = [];
	for (let leg = plan.next(); leg; leg = plan.next()) {
		ids.push(leg.substrate.id);
		if (ids.length > 10) throw new Error("It does not end.");
	}
	return ids;
};
const request = (outcome: Outcome<Plan>) => planned(outcome).decision.request;
const code = (outcome: Outcome<Plan>) =>
	outcome.ok ? undefined : outcome.error.code;

/** A posture in force from one moment on. */
const denying = (vendor: string, from = 0): Policy => ({
	...emptyPolicy,
	version: `p-${vendor}-${from}`,
	postures: [
		{
			id: "bar",
			by: "owner",
			why: "test",
			from,
			scope: {},
			allow: [],
			deny: [{ vendor: [vendor] }],
			require: [],
			prefer: [],
		},
	],
});

describe("walking down a plan", () => {
	it("asks each once, in the order of its decision, and then none", () => {
		const plan = planned(desk().ask());
		expect(plan.decision.order.map(({ facts }) => facts.id)).toEqual([
			"one/m",
			"two/m",
			"three/m",
		]);
		expect(walk(plan)).toEqual(["one/m", "two/m", "three/m"]);
		expect(plan.next()).toBeUndefined();
		expect(plan.attempts).toEqual([]);
	});

	it("passes over what has no price, and says so", () => {
		const { ask } = desk({
			catalogue: {
				...catalogue,
				substrates: [
					substrate("one/unpriced", { name: "m" }),
					substrate("two/m"),
					substrate("three/unpriced", { name: "m" }),
				],
			},
		});
		const plan = planned(ask());
		expect(walk(plan)).toEqual(["two/m"]);
		expect(plan.attempts.map(([id, ending]) => [id, ending]).sort()).toEqual([
			["one/unpriced", "passed price/unknown"],
			["three/unpriced", "passed price/unknown"],
		]);
	});

	it("what rests comes last, the first of them first, and says so", () => {
		const { ask } = desk({ resting: ["one/m", "two/m"] });
		const plan = planned(ask());
		expect(walk(plan)).toEqual(["three/m", "one/m", "two/m"]);
		expect(plan.attempts).toEqual([
			["one/m", "passed route/resting", 0],
			["two/m", "passed route/resting", 0],
		]);
	});

	it("when all rest, each is asked even so", () => {
		const { ask, probed } = desk({ resting: ["one/m", "two/m", "three/m"] });
		expect(walk(planned(ask()))).toEqual(["one/m", "two/m", "three/m"]);
		expect(probed).toEqual(["one/m", "two/m", "three/m"]);
	});

	it("the only one is asked without a look at whether it rests", () => {
		const { ask, probed } = desk({ resting: ["one/m"] });
		const plan = planned(ask({ model: "one/m" }));
		expect(walk(plan)).toEqual(["one/m"]);
		expect(probed).toEqual([]);
		expect(plan.attempts).toEqual([]);
	});

	it("the last one is asked without a look where nothing else is left", () => {
		const { ask, probed } = desk({ resting: ["three/m"] });
		expect(walk(planned(ask()))).toEqual(["one/m", "two/m", "three/m"]);
		expect(probed).toEqual(["one/m", "two/m"]);
	});
});

describe("going on with another plan", () => {
	it("asks whom that has not asked, in its order, and notes it there", () => {
		const { ask } = desk();
		const begun = planned(ask());
		begun.next();
		begun.pass("one/m", "test");
		const rest = planned(ask());
		rest.goOn(begun);
		expect(walk(rest)).toEqual(["two/m", "three/m"]);
		rest.pass("two/m", "test");
		expect(begun.attempts.map(([id]) => id)).toEqual(["one/m", "two/m"]);
	});

	it("keeps that one's order where its own would be another", () => {
		const { ask } = desk();
		const begun = planned(ask());
		begun.next();
		const rest = planned(
			desk({
				catalogue: {
					...catalogue,
					substrates: [
						substrate("two/m", { prices: fact(priced(9, 9)) }),
						substrate("three/m", { prices: fact(priced(1, 1)) }),
					],
				},
			}).ask(),
		);
		expect(rest.decision.order.map(({ facts }) => facts.id)).toEqual([
			"three/m",
			"two/m",
		]);
		rest.goOn(begun);
		expect(walk(rest)).toEqual(["two/m", "three/m"]);
	});

	it("asks none that its own decision leaves out, nor one that the other does", () => {
		const { ask } = desk();
		const all = planned(ask());
		const few = planned(ask({}, { models: ["three/*"] }));
		few.goOn(all);
		expect(walk(few)).toEqual(["three/m"]);
		const again = planned(ask({}, { models: ["two/*", "three/*"] }));
		again.next();
		const rest = planned(ask());
		rest.goOn(again);
		expect(walk(rest)).toEqual(["three/m"]);
	});

	it("asks whom that has only looked at, and whom it let rest", () => {
		const { ask } = desk({ resting: ["one/m"] });
		const begun = planned(ask());
		expect(begun.next()?.substrate.id).toBe("two/m");
		expect(begun.peek()?.substrate.id).toBe("three/m");
		const rest = planned(desk().ask());
		rest.goOn(begun);
		expect(walk(rest)).toEqual(["one/m", "three/m"]);
		const third = planned(desk().ask());
		third.goOn(rest);
		expect(walk(third)).toEqual([]);
	});

	it("is allowed only what both may ask at that moment", () => {
		const { ask, world } = desk();
		const begun = planned(ask({}, { models: ["two/*"] }));
		const three = planned(ask({ model: "three/m" })).next();
		const rest = planned(ask());
		rest.goOn(begun);
		expect(rest.allows(three as never, 1_000)).toBe(true);
		// Decided anew for both: the one may not ask it.
		world.policy = { ...emptyPolicy, version: "p-2" };
		expect(rest.allows(three as never, 1_000)).toBe(false);
		const two = planned(ask({ model: "two/m" })).next();
		expect(rest.allows(two as never, 1_000)).toBe(true);
		world.policy = denying("two");
		expect(rest.allows(two as never, 1_000)).toBe(false);
	});
});

describe("asking again whether it is allowed", () => {
	const legs = (plan: Plan) => [plan.next(), plan.next(), plan.next()] as const;

	it("is so while nothing has changed", () => {
		const plan = planned(desk().ask());
		for (const leg of legs(plan))
			expect(plan.allows(leg as never, 1_000)).toBe(true);
	});

	it("is not so from the moment on that a posture bars it", () => {
		const { ask } = desk({ policy: denying("two", 2_000) });
		const plan = planned(ask());
		const [one, two, three] = legs(plan);
		expect(plan.allows(two as never, 1_999)).toBe(true);
		expect(plan.allows(two as never, 2_000)).toBe(false);
		expect(plan.allows(one as never, 2_000)).toBe(true);
		expect(plan.allows(three as never, 2_000)).toBe(true);
	});

	it.each(["policy", "table"] as const)(
		"is not so once another %s bars it",
		(what) => {
			const { ask, world } = desk();
			const plan = planned(ask());
			const [one, two] = legs(plan);
			if (what === "policy") world.policy = denying("two");
			else
				world.table = {
					...emptyTable,
					version: "t-2",
					killed: [{ vendor: ["two"] }],
				};
			expect(plan.allows(two as never, 1_000)).toBe(false);
			expect(plan.allows(one as never, 1_000)).toBe(true);
		},
	);
});

describe("rights", () => {
	it.each([
		["none stated", undefined, undefined],
		["the name that is asked for", ["m"], undefined],
		["a pattern of it", ["*"], undefined],
		["others", ["one/*", "x"], [["one/*", "x"]]],
		["nothing at all", [], [[]]],
	])("with %s", (_, models, rights) => {
		const { ask } = desk();
		expect(request(ask({}, models ? { models } : {})).rights).toEqual(rights);
	});

	it.each([
		["none stated", undefined, undefined],
		["the name that is asked for", ["m"], undefined],
		["others", ["one/*", "x"], ["one/*", "x"]],
		["nothing at all", [], []],
	])("of the account, with %s", (_, models, rights) => {
		const { ask } = desk(models ? { models } : {});
		const asked = request(ask());
		expect(asked.accountRights).toEqual(rights);
		expect(asked).not.toHaveProperty("rights");
		if (!rights) expect(asked).not.toHaveProperty("accountRights");
	});

	it("of the account and of its key are both kept", () => {
		const { ask } = desk({ models: ["one/*", "two/*"] });
		expect(walk(planned(ask()))).toEqual(["one/m", "two/m"]);
		expect(walk(planned(ask({}, { models: ["two/*", "three/*"] })))).toEqual([
			"two/m",
		]);
	});

	it("of the account that are taken while a call is under way, count from then on", () => {
		const { ask, world } = desk();
		const plan = planned(ask());
		const [one, two] = [plan.next(), plan.next()];
		world.models = ["one/*"];
		expect(plan.allows(one as never, 1_000)).toBe(true);
		expect(plan.allows(two as never, 1_000)).toBe(false);
		world.models = undefined;
		expect(plan.allows(two as never, 1_000)).toBe(true);
	});

	it("of the account that are widened meanwhile, count from then on too", () => {
		const { ask, world } = desk({ models: ["one/*"] });
		const plan = planned(ask());
		const two = { substrate: { id: "two/m" } } as never;
		world.models = ["three/*"];
		expect(plan.allows(two, 1_000)).toBe(false);
		world.models = ["one/*", "two/*"];
		expect(plan.allows(two, 1_000)).toBe(true);
		world.models = undefined;
		expect(plan.allows(two, 1_000)).toBe(true);
	});

	it.each([
		["key/forbidden", { models: ["two/*"] }, {}, "This key"],
		["account/forbidden", {}, { models: ["two/*"] }, "This account"],
	])(
		"a substrate that they do not name is refused: %s",
		(code, key, account, who) => {
			const plan = planned(desk(account).ask({ model: "one/m" }, key));
			expect(plan.next()).toBeUndefined();
			expect(plan.refusal()).toMatchObject({
				code,
				message: `${who} may not use this model.`,
				details: { model: "one/m" },
			});
		},
	);

	it("drop all that they do not name", () => {
		const { ask } = desk();
		expect(walk(planned(ask({}, { models: ["two/*"] })))).toEqual(["two/m"]);
	});
});

describe("instead of what was asked for", () => {
	it("another name is decided, under the same rights", () => {
		const { ask } = desk();
		expect(walk(planned(ask({}, {}, { name: "three/m" })))).toEqual([
			"three/m",
		]);
		expect(
			walk(
				planned(
					ask({ model: "one/m" }, { models: ["one/m"] }, { name: "two/m" }),
				),
			),
		).toEqual([]);
		expect(
			walk(
				planned(
					ask({ model: "one/m" }, { models: ["*/m"] }, { name: "two/m" }),
				),
			),
		).toEqual(["two/m"]);
	});

	it("the same needs and tags hold, and no session and no cache", () => {
		const { ask } = desk({
			profiles: { "key/key": { tags: ["t"], cache: 5 } },
		});
		const more = { needs: "sovereignty=no-training", session: "s" };
		const own = planned(ask({}, more));
		const other = planned(ask({}, more, { name: "three/m" }));
		const { seed: _, asked: __, ...rest } = own.decision.request;
		expect(other.decision.request).toMatchObject(rest);
		expect(own).toMatchObject({ session: "main/s", cache: 5, shadow: true });
		expect(other.session).toBeUndefined();
		expect(other.cache).toBeUndefined();
		expect(other.shadow).toBe(false);
	});

	it("it may be done for something else", () => {
		const { ask } = desk();
		const needs = "call-type=extract, quality-floor=5";
		const stated = (instead: Instead) =>
			request(ask({}, { needs }, instead)).stated;
		expect(stated({ name: "m" })).toEqual({
			callType: "extract",
			qualityFloor: 5,
		});
		expect(stated({ name: "m", callType: "judge" })).toEqual({
			callType: "judge",
			qualityFloor: 5,
		});
	});

	it("the next call of its own is decided as if nothing had been", () => {
		const [one, other] = [desk(), desk()];
		one.ask();
		one.ask({}, {}, { name: "three/m" });
		other.ask();
		expect(request(one.ask()).seed).toBe(request(other.ask()).seed);
	});
});

describe("needs", () => {
	it("of a caller who says nothing are none", () => {
		const plan = planned(desk().ask());
		expect(plan.decision.request.stated).toEqual({});
		expect(plan.decision.request).not.toHaveProperty("tags");
		expect(plan.session).toBeUndefined();
		expect(plan.cache).toBeUndefined();
		expect(plan.shadow).toBe(true);
	});

	it("of the body, the header, the key and the account all hold", () => {
		const { ask } = desk({
			profiles: {
				"key/key": { needs: { sovereignty: ["eu-processed"] } },
				"account/main": { needs: { capabilities: ["logprobs"] } },
			},
		});
		const stated = request(
			ask(
				{ dos: { needs: { capabilities: ["tools"] } } },
				{ needs: "sovereignty=no-training" },
			),
		).stated;
		expect(stated).toEqual({
			capabilities: ["tools", "logprobs"],
			sovereignty: ["no-training", "eu-processed"],
		});
	});

	it.each([
		["the body", { dos: { needs: { qualityFloor: 5 } } }, {}],
		["the header", {}, { needs: "quality-floor=5" }],
	])("of %s alone hold", (_, asked, more) => {
		expect(request(desk().ask(asked, more)).stated).toEqual({
			qualityFloor: 5,
		});
	});

	it("of a profile alone hold", () => {
		const { ask } = desk({
			profiles: { "account/main": { needs: { qualityFloor: 5 } } },
		});
		expect(request(ask()).stated).toEqual({ qualityFloor: 5 });
	});

	it("that cannot be read are refused", () => {
		const { ask } = desk();
		expect(code(ask({ dos: 1 }))).toBe("request/invalid");
		expect(code(ask({}, { needs: "speed=1" }))).toBe("request/invalid");
		expect(code(ask({ dos: {} }, { needs: "speed=1" }))).toBe(
			"request/invalid",
		);
	});

	it("a session is named by the body, else by the header", () => {
		const { ask } = desk();
		const session = (asked: object, more = {}) =>
			planned(ask(asked, more)).session;
		expect(session({}, { session: "h" })).toBe("main/h");
		expect(session({ dos: {} }, { session: "h" })).toBe("main/h");
		expect(session({ dos: { session: "b" } }, { session: "h" })).toBe("main/b");
		expect(session({ dos: { session: "b" } })).toBe("main/b");
	});

	it("a session's name in the header has 1 to 200 characters", () => {
		const { ask } = desk();
		for (const session of ["s", "s".repeat(200)])
			expect(planned(ask({}, { session })).session).toBe(`main/${session}`);
		for (const session of ["", "s".repeat(201)])
			expect(ask({}, { session })).toMatchObject({
				error: {
					code: "request/invalid",
					details: { field: "x-dos-session" },
				},
			});
	});

	it("the key's cache counts before the account's, and the call may refuse it", () => {
		const cacheOf = (
			profiles: Readonly<Record<string, Profile>>,
			asked: object = {},
		) => planned(desk({ profiles }).ask(asked)).cache;
		const both = { "key/key": { cache: 5 }, "account/main": { cache: 7 } };
		expect(cacheOf(both)).toBe(5);
		expect(cacheOf({ ...both, "key/key": { tags: ["t"] } })).toBe(7);
		expect(cacheOf({ "key/key": { tags: ["t"] } })).toBeUndefined();
		expect(cacheOf(both, { dos: { cache: false } })).toBeUndefined();
		expect(cacheOf(both, { dos: { cache: true } })).toBe(5);
	});

	it("a stream may be gone on with where the header or the body says so, and nowhere else", () => {
		const profiles = { "key/key": { cache: 5 } };
		const may = (resume: string | undefined, dos?: object) =>
			[desk(), desk({ profiles })].map(
				({ ask }) => planned(ask({ dos }, { resume })).resume,
			);
		expect(may(undefined)).toEqual([false, false]);
		expect(may(undefined, {})).toEqual([false, false]);
		expect(may("continue")).toEqual([true, true]);
		expect(may(" continue ", {})).toEqual([true, true]);
		expect(may(undefined, { resume: "continue" })).toEqual([true, true]);
		expect(may("continue", { resume: "continue" })).toEqual([true, true]);
		expect(may(undefined, { resume: null })).toEqual([false, false]);
	});

	it("no word but the one lets a stream be gone on with", () => {
		const { ask } = desk();
		expect(ask({}, { resume: "continued" })).toMatchObject({
			error: { code: "request/invalid", details: { field: "x-dos-resume" } },
		});
		expect(ask({ dos: { resume: true } })).toMatchObject({
			error: { code: "request/invalid", details: { field: "dos" } },
		});
	});

	it("what is decided in place of another is not gone on with", () => {
		const { ask } = desk();
		const other = ask({}, { resume: "continue" }, { name: "three/m" });
		expect(planned(other).resume).toBe(false);
	});

	it("call, key and account may each refuse a shadow", () => {
		const may = (
			profiles: Readonly<Record<string, Profile>>,
			asked: object = {},
		) => planned(desk({ profiles }).ask(asked)).shadow;
		const no = { shadow: false } as const;
		expect(may({}, { dos: {} })).toBe(true);
		expect(may({}, { dos: no })).toBe(false);
		expect(may({}, { dos: { shadow: true } })).toBe(true);
		expect(may({ "key/key": no })).toBe(false);
		expect(may({ "key/key": no, "account/main": { cache: 1 } })).toBe(false);
		expect(may({ "key/key": { cache: 1 }, "account/main": no })).toBe(false);
		expect(may({ "key/key": { cache: 1 } })).toBe(true);
		expect(may({ "account/main": no }, { dos: { shadow: true } })).toBe(false);
	});
});

describe("tags", () => {
	it("of key and account add up, each once", () => {
		const tagsOf = (profiles: Readonly<Record<string, Profile>>) =>
			request(desk({ profiles }).ask()).tags;
		expect(tagsOf({ "key/key": { cache: 1 } })).toBeUndefined();
		expect(tagsOf({ "key/key": { tags: ["a"] } })).toEqual(["a"]);
		expect(
			tagsOf({ "key/key": { cache: 1 }, "account/main": { tags: ["b"] } }),
		).toEqual(["b"]);
		expect(
			tagsOf({
				"key/key": { tags: ["a", "b"] },
				"account/main": { tags: ["b", "c"] },
			}),
		).toEqual(["a", "b", "c"]);
	});
});

describe("the budget of one call", () => {
	const budget = (
		caps: Caps,
		accountCaps: Caps,
		asked: Partial<WireRequest> = {},
	) => request(desk().ask(asked, { caps, accountCaps })).budget;

	it("is the smaller cap of key and account", () => {
		expect(budget({}, {})).toBeUndefined();
		expect(budget({ request: 5 }, {})).toBe(5);
		expect(budget({}, { request: 7 })).toBe(7);
		expect(budget({ request: 5 }, { request: 7 })).toBe(5);
		expect(budget({ request: 7 }, { request: 5 })).toBe(5);
	});

	it("bounds nothing where the caller has chosen", () => {
		expect(
			budget({ request: 5 }, { request: 5 }, { model: "one/m" }),
		).toBeUndefined();
		expect(budget({ request: 5 }, {}, { model: "nick" })).toBeUndefined();
	});
});

it("what no catalogue lists is asked for by its name", () => {
	const { ask } = desk({ catalogue: noCatalogue });
	expect(walk(planned(ask({ model: "two/new" })))).toEqual(["two/new"]);
});
