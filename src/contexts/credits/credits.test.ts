import { describe, expect, it } from "vitest";
import {
	given,
	type PastDraft,
	refusal,
} from "../../kernel/decider.testing.ts";
import type { JsonObject } from "../../kernel/event.ts";
import { credits } from "./credits.ts";
import type {
	Caps,
	CreditsCommand,
	CreditsEvent,
	DataOf,
	Scopes,
} from "./model.ts";

const hour = 3_600_000;
const day = 24 * hour;
/** Noon of the last day of January 2026, UTC. */
const noon = Date.UTC(2026, 0, 31, 12);
const tomorrow = noon + day;
/** When the holds here can be expired. */
const due = tomorrow + hour;
const hashOf = (name: string) =>
	Buffer.from(name).toString("hex").padEnd(64, "0");

// What was recorded.

function past<Type extends CreditsEvent["type"]>(
	type: Type,
	data: DataOf<Type> & { account: string },
	time = noon,
): PastDraft {
	return {
		stream: `account/${data.account}`,
		type,
		data: data as unknown as JsonObject,
		time,
	};
}
const opened = (account = "main", caps: Caps = {}) =>
	past("account-opened", { account, name: "Main", caps });
const granted = (amount: number, account = "main") =>
	past("credits-granted", { account, amount });
const created = (
	key: string,
	options: {
		caps?: Caps;
		scopes?: Scopes;
		expires?: number;
		account?: string;
	} = {},
) =>
	past("key-created", {
		account: options.account ?? "main",
		key,
		name: "Laptop",
		hash: hashOf(key),
		hint: "dos_sk_ab…yz",
		scopes: options.scopes ?? { can: ["call"] },
		caps: options.caps ?? {},
		...(options.expires !== undefined && { expires: options.expires }),
	});
const revoked = (key: string) => past("key-revoked", { account: "main", key });
const rotated = (key: string, to: string, graceUntil: number) =>
	past("key-rotated", {
		account: "main",
		key,
		hash: hashOf(to),
		hint: "dos_sk_cd…wx",
		graceUntil,
	});

const target = {
	substrate: "acme/large-2",
	model: "large-2",
	operation: "chat",
};
interface At {
	key?: string;
	time?: number;
	/** Of the hold. */
	position?: number;
	heldAt?: number;
}
const held = (call: string, amount: number, { key, time = noon }: At = {}) =>
	past(
		"credits-held",
		{
			call,
			account: "main",
			...(key !== undefined && { key }),
			amount,
			expires: due,
			holder: "studio-1",
			...target,
			sheet: "prices@1",
		},
		time,
	);
const moved = (
	call: string,
	before: number,
	amount: number,
	{ key, time = noon }: At = {},
) =>
	past(
		"hold-moved",
		{
			call,
			account: "main",
			...(key !== undefined && { key }),
			amount,
			before: { amount: before, substrate: target.substrate },
			substrate: "apex/small-1",
			model: "small-1",
			sheet: "prices@2",
		},
		time,
	);
const resolution = (
	call: string,
	amount: number,
	{ key, position = 0, heldAt = noon }: At,
) => ({
	call,
	account: "main",
	...(key !== undefined && { key }),
	held: { position, time: heldAt, amount },
	...target,
});
const settled = (
	call: string,
	hold: number,
	cost: number,
	at: At & { charged?: number } = {},
): PastDraft => ({
	...past(
		"credits-settled",
		{
			...resolution(call, hold, at),
			amount: at.charged ?? cost,
			cost,
			...(at.charged !== undefined && { uncollected: cost - at.charged }),
			basis: "priced",
			ending: "finished",
			usage: { input: 10 },
			lines: [{ class: "input", units: 10, price: 5 }],
		},
		at.time,
	),
	key: `resolve/${call}`,
});
const released = (call: string, hold: number, at: At = {}): PastDraft => ({
	...past(
		"credits-released",
		{ ...resolution(call, hold, at), ending: "not-sent" },
		at.time,
	),
	key: `resolve/${call}`,
});
const expired = (call: string, hold: number, at: At = {}): PastDraft => ({
	...past("hold-expired", resolution(call, hold, at), at.time),
	key: `resolve/${call}`,
});
const refunded = (
	call: string,
	amount: number,
	of: { hold: number; charged: number; position: number; heldPosition: number },
) =>
	past("credits-refunded", {
		call,
		account: "main",
		amount,
		reason: "wrong answer",
		settled: { position: of.position, time: noon, amount: of.charged },
		held: { position: of.heldPosition, time: noon, amount: of.hold },
	});

// What is asked.

type Hold = Extract<CreditsCommand, { type: "hold" }>;
const hold = (amount: number, more: Partial<Hold> = {}): Hold => ({
	type: "hold",
	call: "next",
	account: "main",
	amount,
	expires: due,
	holder: "studio-1",
	...target,
	sheet: "prices@1",
	...more,
});
const settle = (call: string, cost: number): CreditsCommand => ({
	type: "settle",
	call,
	cost,
	basis: "priced",
	ending: "finished",
	usage: { input: 10 },
	lines: [{ class: "input", units: 10, price: 5 }],
});
type Move = Extract<CreditsCommand, { type: "move-hold" }>;
const move = (
	call: string,
	amount: number,
	more: Partial<Move> = {},
): Move => ({
	type: "move-hold",
	call,
	amount,
	substrate: "apex/small-1",
	model: "small-1",
	sheet: "prices@2",
	...more,
});
const release = (call: string): CreditsCommand => ({
	type: "release",
	call,
	ending: "not-sent",
});
const refund = (call: string, amount?: number): CreditsCommand => ({
	type: "refund",
	call,
	reason: "wrong answer",
	...(amount !== undefined && { amount }),
});
const createKey = (
	more: Partial<Extract<CreditsCommand, { type: "create-key" }>> = {},
): CreditsCommand => ({
	type: "create-key",
	account: "main",
	key: "laptop",
	name: "Laptop",
	hash: hashOf("laptop"),
	hint: "dos_sk_ab…yz",
	scopes: { can: ["call"] },
	...more,
});

const funded = [opened(), granted(100)];

describe("accounts", () => {
	it("opens one, with the caps that are given", () => {
		given(credits, [])
			.when({
				type: "open-account",
				account: "main",
				name: "Main",
				caps: { day: 5, total: undefined },
			})
			.then([opened("main", { day: 5 })]);
	});
	it("opens an id once", () => {
		given(credits, [opened()])
			.when({ type: "open-account", account: "main", name: "Again" })
			.then(refusal("account/exists", { account: "main" }));
	});
	it.each(["", "Main", "a b", "a/b", "é", "a".repeat(65), "a\n"])(
		"refuses the id %j",
		(account) => {
			given(credits, [])
				.when({ type: "open-account", account, name: "x" })
				.then(refusal("credits/invalid", { field: "account" }));
		},
	);
	it.each([
		"",
		"a\u0000b",
		"a\nb",
		"\u202Eevil",
		"\uD800",
		"a\u2028b",
		"x".repeat(201),
	])("refuses the name %j", (name) => {
		given(credits, [])
			.when({ type: "open-account", account: "a", name })
			.then(refusal("credits/invalid", { field: "name" }));
	});
	it("takes names in any script", () => {
		given(credits, [])
			.when({ type: "open-account", account: "a", name: "Zoë 家 🌱" })
			.then([
				past("account-opened", { account: "a", name: "Zoë 家 🌱", caps: {} }),
			]);
	});
	it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses a cap of %d", (total) => {
		given(credits, [opened()])
			.when({ type: "set-account-caps", account: "main", caps: { total } })
			.then(refusal("credits/invalid", { field: "caps.total" }));
	});
	it("refuses a cap that it does not know, rather than not to hold it", () => {
		given(credits, [opened()])
			.when({
				type: "set-account-caps",
				account: "main",
				caps: { weekly: 1 } as Caps,
			})
			.then(refusal("credits/invalid", { field: "caps.weekly" }));
	});
	it("sets caps, all at once", () => {
		given(credits, [opened("main", { day: 5, total: 9 })])
			.when({ type: "set-account-caps", account: "main", caps: { total: 8 } })
			.then([
				past("account-caps-set", { account: "main", caps: { total: 8 } }),
			]);
	});
	it("sets the models that an account may use, and takes them back", () => {
		given(credits, [opened()])
			.when({
				type: "set-account-models",
				account: "main",
				models: ["acme/*", "fast"],
			})
			.then([
				past("account-models-set", {
					account: "main",
					models: ["acme/*", "fast"],
				}),
			]);
		given(credits, [opened()])
			.when({ type: "set-account-models", account: "main" })
			.then([past("account-models-set", { account: "main" })]);
		given(credits, [])
			.when({ type: "set-account-models", account: "main", models: [] })
			.then(refusal("account/unknown"));
	});
	it.each([[[""]], [["x".repeat(257)]], [Array(101).fill("*")]])(
		"refuses models that are no patterns, or too many",
		(models) => {
			given(credits, [opened()])
				.when({ type: "set-account-models", account: "main", models })
				.then(refusal("credits/invalid", { field: "models" }));
		},
	);
	it("sets no caps of an account that it does not know", () => {
		given(credits, [])
			.when({ type: "set-account-caps", account: "main", caps: {} })
			.then(refusal("account/unknown"));
	});
});

describe("grants", () => {
	it("adds credits", () => {
		given(credits, [opened()])
			.when({ type: "grant", account: "main", amount: 7, note: "top-up" })
			.then([
				past("credits-granted", { account: "main", amount: 7, note: "top-up" }),
			]);
	});
	it("need an account", () => {
		given(credits, [])
			.when({ type: "grant", account: "main", amount: 7 })
			.then(refusal("account/unknown"));
	});
	it.each([0, -1, 1.5, Number.POSITIVE_INFINITY])(
		"refuses an amount of %d",
		(amount) => {
			given(credits, [opened()])
				.when({ type: "grant", account: "main", amount })
				.then(refusal("credits/invalid", { field: "amount" }));
		},
	);
	it("go to 2^53 - 1 in an account's life, and no further", () => {
		const full = Number.MAX_SAFE_INTEGER;
		given(credits, [opened(), granted(full - 1)])
			.when({ type: "grant", account: "main", amount: 1 })
			.then([granted(1)]);
		given(credits, [opened(), granted(full - 1)])
			.when({ type: "grant", account: "main", amount: 2 })
			.then(
				refusal("credits/amount-too-large", { granted: full - 1, most: 1 }),
			);
	});
});

describe("keys", () => {
	it("are created with scopes, caps and an expiry", () => {
		given(credits, [opened()])
			.when(
				createKey({
					scopes: { can: ["read", "call", "read"], models: ["acme/*"] },
					caps: { request: 5 },
					expires: tomorrow,
				}),
			)
			.then([
				created("laptop", {
					scopes: { can: ["call", "read"], models: ["acme/*"] },
					caps: { request: 5 },
					expires: tomorrow,
				}),
			]);
	});
	it("need an account", () => {
		given(credits, []).when(createKey()).then(refusal("account/unknown"));
	});
	it("have ids of their own", () => {
		given(credits, [opened(), created("laptop")])
			.when(createKey({ hash: hashOf("x") }))
			.then(refusal("key/exists"));
	});
	it("have secrets of their own, also against rotated and revoked ones", () => {
		const secrets = [
			opened(),
			created("old"),
			rotated("old", "newer", noon),
			revoked("old"),
		];
		for (const hash of [hashOf("old"), hashOf("newer")]) {
			given(credits, secrets)
				.when(createKey({ hash }))
				.then(refusal("key/duplicate"));
		}
		given(credits, [opened(), created("a"), created("b")])
			.when({
				type: "rotate-key",
				key: "a",
				hash: hashOf("b"),
				hint: "x",
				graceUntil: 0,
			})
			.then(refusal("key/duplicate"));
	});
	it("cannot be born past their time", () => {
		given(credits, [opened()])
			.when(createKey({ expires: noon }), noon)
			.then(refusal("key/expired"));
	});
	it.each([
		["hash", { hash: "abc" }],
		["hash", { hash: hashOf("a").toUpperCase().replace("0", "A") }],
		["key", { key: "../x" }],
		["hint", { hint: "a\nb" }],
		["expires", { expires: Number.NaN }],
		["expires", { expires: 8_640_000_000_000_001 }],
		["scopes.can", { scopes: { can: [] } }],
		["scopes.can", { scopes: { can: ["admin" as "call"] } }],
		["scopes.models", { scopes: { can: ["call" as const], models: [""] } }],
		[
			"scopes.models",
			{
				scopes: {
					can: ["call" as const],
					models: Array.from({ length: 101 }, () => "*"),
				},
			},
		],
	])("refuses a wrong %s", (field, wrong) => {
		given(credits, [opened()])
			.when(createKey(wrong))
			.then(refusal("credits/invalid", { field }));
	});
	it("get other caps", () => {
		given(credits, [opened(), created("laptop")])
			.when({ type: "set-key-caps", key: "laptop", caps: { month: 3 } })
			.then([
				past("key-caps-set", {
					account: "main",
					key: "laptop",
					caps: { month: 3 },
				}),
			]);
		given(credits, [])
			.when({ type: "set-key-caps", key: "laptop", caps: {} })
			.then(refusal("key/unknown"));
		given(credits, [])
			.when({ type: "set-key-caps", key: "x", caps: { day: -1 } })
			.then(refusal("credits/invalid"));
	});
	it("are rotated while they work", () => {
		const rotate: CreditsCommand = {
			type: "rotate-key",
			key: "laptop",
			hash: hashOf("two"),
			hint: "dos_sk_cd…wx",
			graceUntil: noon + 5,
		};
		given(credits, [opened(), created("laptop")])
			.when(rotate)
			.then([rotated("laptop", "two", noon + 5)]);
		given(credits, [opened()]).when(rotate).then(refusal("key/unknown"));
		given(credits, [opened(), created("laptop"), revoked("laptop")])
			.when(rotate)
			.then(refusal("key/revoked"));
		given(credits, [opened(), created("laptop", { expires: tomorrow })])
			.when(rotate, tomorrow)
			.then(refusal("key/expired"));
		given(credits, [opened(), created("laptop")])
			.when({ ...rotate, graceUntil: -1 })
			.then(refusal("credits/invalid", { field: "graceUntil" }));
	});
	it("are revoked once", () => {
		given(credits, [opened(), created("laptop")])
			.when({ type: "revoke-key", key: "laptop", reason: "lost" })
			.then([
				past("key-revoked", { account: "main", key: "laptop", reason: "lost" }),
			]);
		given(credits, [opened(), created("laptop"), revoked("laptop")])
			.when({ type: "revoke-key", key: "laptop" })
			.then(refusal("key/already-revoked", { revoked: noon }));
		given(credits, [])
			.when({ type: "revoke-key", key: "laptop" })
			.then(refusal("key/unknown"));
		given(credits, [])
			.when({ type: "revoke-key", key: "x", reason: "a\u0007" })
			.then(refusal("credits/invalid"));
	});
});

describe("holds", () => {
	it("set credits aside, to the last one", () => {
		given(credits, funded)
			.when(hold(100))
			.then([held("next", 100)]);
		given(credits, [...funded, held("a", 60)])
			.when(hold(40))
			.then([held("next", 40)]);
	});
	it("may be of nothing: a free model costs nothing", () => {
		given(credits, [opened()])
			.when(hold(0))
			.then([held("next", 0)]);
	});
	it("are refused when the balance does not cover them", () => {
		given(credits, funded)
			.when(hold(101))
			.then(
				refusal("credits/insufficient", {
					needed: 101,
					available: 100,
					held: 0,
					holds: 0,
					waitable: false,
				}),
			);
	});
	it("say when only holds in flight stand in the way", () => {
		given(credits, [...funded, held("a", 60), held("b", 10)])
			.when(hold(31))
			.then(
				refusal("credits/insufficient", {
					needed: 31,
					available: 30,
					held: 70,
					holds: 2,
					waitable: true,
				}),
			);
		given(credits, [...funded, held("a", 60)])
			.when(hold(101))
			.then(refusal("credits/insufficient", { waitable: false }));
	});
	it("need an account, and a key of that account that works", () => {
		given(credits, []).when(hold(1)).then(refusal("account/unknown"));
		given(credits, funded)
			.when(hold(1, { key: "x" }))
			.then(refusal("key/unknown"));
		const keys = [
			...funded,
			created("k"),
			opened("other"),
			created("theirs", { account: "other" }),
		];
		given(credits, keys)
			.when(hold(1, { key: "k" }))
			.then([held("next", 1, { key: "k" })]);
		given(credits, keys)
			.when(hold(1, { key: "theirs" }))
			.then(refusal("key/forbidden"));
		given(credits, [...keys, revoked("k")])
			.when(hold(1, { key: "k" }))
			.then(refusal("key/revoked", { revoked: noon }));
	});
	it("are refused for a key from its expiry on", () => {
		const expiring = [...funded, created("k", { expires: noon + 10 })];
		given(credits, expiring)
			.when(hold(1, { key: "k" }), noon + 9)
			.then([held("next", 1, { key: "k" })]);
		given(credits, expiring)
			.when(hold(1, { key: "k" }), noon + 10)
			.then(refusal("key/expired", { expired: noon + 10 }));
	});
	it.each([
		[["large-2"], true],
		[["acme/large-2"], true],
		[["acme/*"], true],
		[["large-*"], true],
		[["*"], true],
		[["*large*2*"], true],
		[["none", "*-2"], true],
		[[], false],
		[["large"], false],
		[["acme/"], false],
		[["arge-2"], false],
		[["*-3"], false],
		[["other/*"], false],
	])("with the models %j in scope: %s", (models, allowed) => {
		given(credits, [
			...funded,
			created("k", { scopes: { can: ["call"], models } }),
		])
			.when(hold(1, { key: "k" }))
			.then(
				allowed ? [held("next", 1, { key: "k" })] : refusal("key/forbidden"),
			);
	});
	it.each<[readonly string[] | undefined, string | undefined, boolean]>([
		[["acme/*"], "k", true],
		[["acme/*"], undefined, true],
		[["other/*"], "k", false],
		[["other/*"], undefined, false],
		[[], "k", false],
		[undefined, "k", true],
	])(
		"of an account that may use %j, with the key %s: %s",
		(models, key, allowed) => {
			const bearer = key === undefined ? {} : { key };
			given(credits, [
				...funded,
				created("k"),
				past("account-models-set", { account: "main", models: ["other/*"] }),
				past("account-models-set", {
					account: "main",
					...(models && { models }),
				}),
			])
				.when(hold(1, bearer))
				.then(
					allowed
						? [held("next", 1, bearer)]
						: refusal("account/forbidden", { account: "main" }),
				);
		},
	);
	it("need the scope `call`", () => {
		given(credits, [...funded, created("k", { scopes: { can: ["read"] } })])
			.when(hold(1, { key: "k" }))
			.then(refusal("key/forbidden"));
	});
	it("are made once for a call, for ever", () => {
		given(credits, [...funded, held("next", 1)])
			.when(hold(1))
			.then(refusal("hold/exists"));
		given(credits, [...funded, held("next", 1), released("next", 1)])
			.when(hold(1))
			.then(refusal("hold/exists"));
	});
	it("must have time left", () => {
		given(credits, funded)
			.when(hold(1, { expires: noon }), noon)
			.then(refusal("hold/due-already"));
	});
	it.each([
		["call", { call: "A" }],
		["amount", { amount: -1 }],
		["amount", { amount: 0.1 }],
		["atLeast", { atLeast: -1 }],
		["expires", { expires: Number.NaN }],
		["holder", { holder: "" }],
		["substrate", { substrate: "a\nb" }],
		["model", { model: "x".repeat(501) }],
		["operation", { operation: "" }],
		["sheet", { sheet: "" }],
	])("refuse a wrong %s", (field, wrong) => {
		given(credits, funded)
			.when(hold(1, wrong))
			.then(refusal("credits/invalid", { field }));
	});
});

describe("caps", () => {
	const spent = (caps: Caps, keyCaps: Caps = {}) => [
		opened("main", caps),
		granted(1_000),
		created("k", { caps: keyCaps }),
		held("a", 30, { key: "k" }),
		settled("a", 30, 20, { key: "k", position: 4 }),
		held("b", 10, { key: "k" }),
	];
	const left = (caps: Caps, keyCaps: Caps = {}) =>
		given(credits, spent(caps, keyCaps));

	it.each(["total", "day", "month"] as const)(
		"of the account, per %s",
		(window) => {
			left({ [window]: 50 })
				.when(hold(20, { key: "k" }))
				.then([held("next", 20, { key: "k" })]);
			left({ [window]: 50 })
				.when(hold(20))
				.then([held("next", 20)]);
			left({ [window]: 50 })
				.when(hold(21, { key: "k" }))
				.then(
					refusal("credits/cap-exceeded", {
						of: "account",
						id: "main",
						window,
						cap: 50,
						spent: 20,
						held: 10,
						needed: 21,
						waitable: true,
					}),
				);
		},
	);
	it.each(["total", "day", "month"] as const)(
		"of the key, per %s",
		(window) => {
			left({}, { [window]: 50 })
				.when(hold(20, { key: "k" }))
				.then([held("next", 20, { key: "k" })]);
			left({}, { [window]: 50 })
				.when(hold(31, { key: "k" }))
				.then(
					refusal("credits/cap-exceeded", {
						of: "key",
						id: "k",
						window,
						cap: 50,
						spent: 20,
						held: 10,
						needed: 31,
						waitable: false,
					}),
				);
			left({}, { [window]: 50 })
				.when(hold(500))
				.then([held("next", 500)]);
		},
	);
	it("say when they begin anew", () => {
		left({ day: 1 })
			.when(hold(2))
			.then(
				refusal("credits/cap-exceeded", { resetsAt: Date.UTC(2026, 1, 1) }),
			);
		left({ month: 1 })
			.when(hold(2))
			.then(
				refusal("credits/cap-exceeded", { resetsAt: Date.UTC(2026, 1, 1) }),
			);
		given(credits, [opened("main", { month: 1 }), granted(9)])
			.when(hold(2, { expires: Date.UTC(2027, 0, 1) }), Date.UTC(2026, 11, 5))
			.then(
				refusal("credits/cap-exceeded", { resetsAt: Date.UTC(2027, 0, 1) }),
			);
	});
	it("per request, of key and account", () => {
		left({ request: 5 })
			.when(hold(5))
			.then([held("next", 5)]);
		left({ request: 5 })
			.when(hold(6))
			.then(
				refusal("credits/cap-exceeded", {
					of: "account",
					window: "request",
					cap: 5,
					waitable: false,
				}),
			);
		left({}, { request: 5 })
			.when(hold(6, { key: "k" }))
			.then(
				refusal("credits/cap-exceeded", {
					of: "key",
					window: "request",
					cap: 5,
					waitable: false,
				}),
			);
	});
	it("name what no waiting moves before what holds in flight make too tight", () => {
		left({ total: 40 }, { total: 35, request: 4 })
			.when(hold(11, { key: "k" }))
			.then(refusal("credits/cap-exceeded", { of: "key", window: "request" }));
	});
	it("begin anew with the UTC day and month, not before", () => {
		const midnight = Date.UTC(2026, 1, 1);
		const all = [
			opened("main", { day: 10, month: 10 }),
			granted(100),
			held("a", 10),
		];
		given(credits, all)
			.when(hold(1), midnight - 1)
			.then(refusal("credits/cap-exceeded"));
		given(credits, all)
			.when(hold(10), midnight)
			.then([held("next", 10)]);
	});
	it("count a hold in the window in which it was made: settled later it takes nothing of the new one", () => {
		const overnight = [
			opened("main", { day: 10 }),
			granted(100),
			held("a", 10),
			settled("a", 10, 10, { position: 3, time: tomorrow }),
		];
		given(credits, overnight)
			.when(hold(10), tomorrow)
			.then([held("next", 10)]);
	});
	it("do not get back in the new window what an old hold leaves", () => {
		const overnight = [
			opened("main", { day: 10 }),
			granted(100),
			held("a", 10),
			held("b", 8, { time: tomorrow }),
			released("a", 10, { position: 3, time: tomorrow }),
		];
		given(credits, overnight)
			.when(hold(3))
			.then(
				refusal("credits/cap-exceeded", {
					window: "day",
					cap: 10,
					spent: 0,
					held: 8,
				}),
			);
	});
	it("get back in the same month what a hold of an earlier day leaves", () => {
		const early = Date.UTC(2026, 0, 5);
		const days = [
			opened("main", { month: 10 }),
			granted(100),
			held("a", 10, { time: early }),
			released("a", 10, { position: 3, heldAt: early, time: noon }),
		];
		given(credits, days)
			.when(hold(10))
			.then([held("next", 10)]);
	});
	it("stop new spending when they are lowered below what is used, and leave what was held alone", () => {
		const lowered = [
			...funded,
			held("a", 60),
			past("account-caps-set", { account: "main", caps: { total: 50 } }),
		];
		given(credits, lowered)
			.when(hold(1))
			.then(refusal("credits/cap-exceeded", { cap: 50, held: 60 }));
		given(credits, lowered)
			.when(settle("a", 60))
			.then([settled("a", 60, 60, { position: 3 })]);
		given(credits, lowered)
			.when(hold(0))
			.then([held("next", 0)]);
	});
});

describe("holds that take what is there", () => {
	it("take less, down to the least that makes sense", () => {
		given(credits, funded)
			.when(hold(150, { atLeast: 100 }))
			.then([held("next", 100)]);
		given(credits, funded)
			.when(hold(150, { atLeast: 101 }))
			.then(
				refusal("credits/insufficient", {
					needed: 150,
					atLeast: 101,
					waitable: false,
				}),
			);
		given(credits, funded)
			.when(hold(50, { atLeast: 10 }))
			.then([held("next", 50)]);
	});
	it("take less also under a cap", () => {
		given(credits, [opened("main", { day: 40, request: 60 }), granted(100)])
			.when(hold(150, { atLeast: 1 }))
			.then([held("next", 40)]);
	});
	it("are not shrunk while waiting would help", () => {
		given(credits, [...funded, held("a", 50)])
			.when(hold(80, { atLeast: 10 }))
			.then(refusal("credits/insufficient", { waitable: true, holds: 1 }));
		given(credits, [...funded, held("a", 50)])
			.when(hold(120, { atLeast: 110 }))
			.then(refusal("credits/insufficient", { waitable: false, holds: 1 }));
	});
	it("are shrunk beside other holds when the caller has waited enough, and no further than it makes sense", () => {
		const busy = given(credits, [...funded, held("a", 50)]);
		busy
			.when(hold(80, { atLeast: 10, pressing: true }))
			.then([held("next", 50)]);
		busy
			.when(hold(80, { atLeast: 51, pressing: true }))
			.then(refusal("credits/insufficient", { waitable: true }));
		busy
			.when(hold(80, { pressing: true }))
			.then(refusal("credits/insufficient", { waitable: true }));
	});
	it("are shrunk beside other holds when waiting would change nothing", () => {
		given(credits, [
			opened("main", { request: 20 }),
			granted(100),
			held("a", 50),
		])
			.when(hold(80, { atLeast: 10 }))
			.then([held("next", 20)]);
	});
});

describe("a hold that is moved", () => {
	it("stands for another substrate, at what that may cost", () => {
		for (const amount of [10, 60, 90, 0])
			given(credits, [...funded, held("a", 60)])
				.when(move("a", amount))
				.then([moved("a", 60, amount)]);
	});
	it("asks for the difference, and for no more", () => {
		const busy = given(credits, [...funded, held("a", 60), held("b", 30)]);
		busy.when(move("a", 70)).then([moved("a", 60, 70)]);
		busy.when(move("a", 71)).then(
			refusal("credits/insufficient", {
				needed: 71,
				available: 70,
				held: 30,
				holds: 1,
				waitable: true,
			}),
		);
		busy
			.when(move("a", 101))
			.then(refusal("credits/insufficient", { waitable: false }));
	});
	it("takes what is there, down to the least that makes sense", () => {
		const busy = given(credits, [...funded, held("a", 60), held("b", 30)]);
		busy.when(move("a", 90, { atLeast: 50 })).then([moved("a", 60, 70)]);
		busy
			.when(move("a", 90, { atLeast: 71 }))
			.then(refusal("credits/insufficient", { atLeast: 71, waitable: true }));
	});
	it("passes no cap, of its account or its key", () => {
		const capped = (caps: Caps, keyCaps: Caps = {}) =>
			given(credits, [
				opened("main", caps),
				granted(100),
				created("laptop", { caps: keyCaps }),
				held("a", 20, { key: "laptop" }),
			]);
		for (const window of ["total", "day", "month"] as const) {
			for (const busy of [
				capped({ [window]: 30 }),
				capped({}, { [window]: 30 }),
			]) {
				busy.when(move("a", 30)).then([moved("a", 20, 30, { key: "laptop" })]);
				busy
					.when(move("a", 31))
					.then(refusal("credits/cap-exceeded", { window, cap: 30, held: 0 }));
			}
		}
		capped({ request: 25 })
			.when(move("a", 26))
			.then(refusal("credits/cap-exceeded", { window: "request", cap: 25 }));
		capped({ request: 25 })
			.when(move("a", 40, { atLeast: 5 }))
			.then([moved("a", 20, 25, { key: "laptop" })]);
	});
	it("counts in the windows of its first moment: when one is over, it takes no more and may give back", () => {
		for (const [caps, window] of [
			[{ day: 90 }, "day"],
			[{ month: 90 }, "month"],
		] as const) {
			const past = given(credits, [
				opened("main", caps),
				granted(100),
				held("a", 20),
			]);
			past.when(move("a", 21), tomorrow).then(
				refusal("credits/cap-exceeded", {
					of: "account",
					id: "main",
					window,
					cap: 90,
					waitable: false,
				}),
			);
			past
				.when(move("a", 30, { atLeast: 20 }), tomorrow)
				.then([moved("a", 20, 20, { time: tomorrow })]);
			past
				.when(move("a", 5), tomorrow)
				.then([moved("a", 20, 5, { time: tomorrow })]);
		}
		given(credits, [...funded, held("a", 20)])
			.when(move("a", 30), tomorrow)
			.then([moved("a", 20, 30, { time: tomorrow })]);
	});
	it("is not asked for less than it holds when caps are lowered", () => {
		given(credits, [
			...funded,
			held("a", 60),
			past("account-caps-set", {
				account: "main",
				caps: { total: 10, request: 10, day: 0 },
			}),
		])
			.when(move("a", 60))
			.then([moved("a", 60, 60)]);
	});
	it("needs a key that works, and may use the model", () => {
		const keyed = (scopes: Scopes) => [
			...funded,
			created("laptop", { scopes, expires: noon + hour }),
			held("a", 10, { key: "laptop" }),
		];
		given(credits, keyed({ can: ["call"], models: ["large-2"] }))
			.when(move("a", 10))
			.then(refusal("key/forbidden", { model: "small-1" }));
		given(credits, keyed({ can: ["call"], models: ["apex/*"] }))
			.when(move("a", 10))
			.then([moved("a", 10, 10, { key: "laptop" })]);
		given(credits, [
			...keyed({ can: ["call"] }),
			past("account-models-set", { account: "main", models: ["large-2"] }),
		])
			.when(move("a", 10))
			.then(refusal("account/forbidden", { model: "small-1" }));
		given(credits, keyed({ can: ["call"] }))
			.when(move("a", 10), noon + hour)
			.then(refusal("key/expired", { key: "laptop" }));
		given(credits, [...keyed({ can: ["call"] }), revoked("laptop")])
			.when(move("a", 10))
			.then(refusal("key/revoked", { key: "laptop" }));
	});
	it("is one that is open", () => {
		given(credits, funded)
			.when(move("a", 10))
			.then(refusal("hold/unknown", { call: "a" }));
		for (const [end, code] of [
			[settled("a", 10, 5), "hold/already-settled"],
			[released("a", 10), "hold/already-released"],
			[expired("a", 10), "hold/expired"],
		] as const)
			given(credits, [...funded, held("a", 10), end])
				.when(move("a", 10))
				.then(refusal(code, { call: "a" }));
	});
	it("is settled, released and expired as what it was moved to", () => {
		const apex = { substrate: "apex/small-1", model: "small-1" };
		const there = given(credits, [
			...funded,
			held("a", 10),
			moved("a", 10, 30),
		]);
		const as = (draft: PastDraft): PastDraft => ({
			...draft,
			data: { ...draft.data, ...apex },
		});
		there
			.when(settle("a", 25))
			.then([as(settled("a", 30, 25, { position: 3 }))]);
		there.when(release("a")).then([as(released("a", 30, { position: 3 }))]);
	});
	it("refuses amounts and names that are none", () => {
		const open = given(credits, [...funded, held("a", 10)]);
		for (const [bad, field] of [
			[{ amount: -1 }, "amount"],
			[{ amount: 1.5 }, "amount"],
			[{ atLeast: -1 }, "atLeast"],
			[{ substrate: "" }, "substrate"],
			[{ model: "a\u0000" }, "model"],
			[{ sheet: "" }, "sheet"],
		] as const)
			open.when(move("a", 5, bad)).then(refusal("credits/invalid", { field }));
	});
});

describe("what is kept and not looked into", () => {
	it("is the route of a hold, and what was tried when the call ends", () => {
		const route = { winner: "acme/large-2", order: [1] };
		const attempts = [
			["acme/large-2", "timeout", 900],
			["apex/small-1", "ok", 40],
		] as const;
		const withData = (draft: PastDraft, more: JsonObject): PastDraft => ({
			...draft,
			data: { ...draft.data, ...more },
		});
		given(credits, funded)
			.when(hold(10, { route }))
			.then([withData(held("next", 10), { route })]);
		const open = given(credits, [...funded, held("a", 10)]);
		open.when({ ...settle("a", 5), attempts } as CreditsCommand).then([
			withData(settled("a", 10, 5, { position: 3 }), {
				attempts,
			} as unknown as JsonObject),
		]);
		open.when({ ...release("a"), attempts } as CreditsCommand).then([
			withData(released("a", 10, { position: 3 }), {
				attempts,
			} as unknown as JsonObject),
		]);
	});
});

describe("an answer in parts", () => {
	const open = given(credits, [...funded, held("a", 60)]);
	const part = (cost: number, more: object = {}) => ({
		substrate: "acme/large-2",
		after: 0,
		cost,
		basis: "priced",
		sheet: "prices@1",
		usage: { input: 10 },
		lines: [{ class: "input", units: 10, price: 5 }],
		...more,
	});
	const inParts = (cost: number, parts: readonly object[], more = {}) =>
		({ ...settle("a", cost), lines: [], parts, ...more }) as CreditsCommand;

	it("is settled once, with what each part costs", () => {
		const parts = [part(20), part(25, { substrate: "apex/small-1", after: 9 })];
		const whole = settled("a", 60, 45, { position: 3 });
		open.when(inParts(45, parts)).then([
			{
				...whole,
				data: { ...whole.data, lines: [], parts } as unknown as JsonObject,
			},
		]);
	});

	it("comes to the cost, to the last micro-credit, and has all the lines", () => {
		const lines = [{ class: "input", units: 1, price: 1 }];
		for (const wrong of [
			inParts(45, [part(20), part(24)]),
			inParts(45, [part(20), part(26)]),
			inParts(45, []),
			inParts(45, [part(45)], { lines }),
		])
			open.when(wrong).then(refusal("credits/invalid", { field: "parts" }));
	});

	it("is of whole numbers, and of names that can be read", () => {
		for (const [more, field] of [
			[{ cost: 0.5 }, "parts.cost"],
			[{ after: -1 }, "parts.after"],
			[{ substrate: "" }, "parts.substrate"],
			[{ sheet: "a\u0000" }, "parts.sheet"],
			[{ usage: { input: 1.5 } }, "parts.usage.input"],
			[{ lines: [{ class: "input", units: -1, price: 1 }] }, "lines.units"],
		] as const)
			open
				.when(inParts(45, [part(45, more)]))
				.then(refusal("credits/invalid", { field }));
	});
});

describe("settlements", () => {
	const open = [...funded, held("a", 60)];

	it("charge the cost and give the rest back", () => {
		given(credits, open)
			.when(settle("a", 45))
			.then([settled("a", 60, 45, { position: 3 })]);
		const { state } = given(credits, [
			...open,
			settled("a", 60, 45, { position: 3 }),
		]);
		expect(state.accounts.get("main")).toMatchObject({
			granted: 100,
			held: 0,
			spent: 45,
			day: 45,
			month: 45,
		});
		expect(state.holds.size).toBe(0);
	});
	it("keep all that is known of the call", () => {
		const more = {
			sheet: "prices@2",
			notes: ["priced late"],
			inputBytes: 12,
			finishReason: "stop",
			timing: { firstByte: 3, total: 9 },
			status: 200,
		};
		given(credits, open)
			.when({ ...settle("a", 45), ...more } as CreditsCommand)
			.then([
				{
					...settled("a", 60, 45, { position: 3 }),
					data: { ...settled("a", 60, 45, { position: 3 }).data, ...more },
				},
			]);
	});
	it("charge beyond the hold what the balance leaves, and say what was not collected", () => {
		given(credits, open)
			.when(settle("a", 100))
			.then([settled("a", 60, 100, { position: 3 })]);
		given(credits, open)
			.when(settle("a", 130))
			.then([settled("a", 60, 130, { charged: 100, position: 3 })]);
		given(credits, [...open, held("b", 30)])
			.when(settle("a", 100))
			.then([settled("a", 60, 100, { charged: 70, position: 3 })]);
	});
	it.each([
		["account's total", { total: 65 }, {}],
		["account's day", { day: 65 }, {}],
		["account's month", { month: 65 }, {}],
		["account's request", { request: 65 }, {}],
		["key's total", {}, { total: 65 }],
		["key's day", {}, { day: 65 }],
		["key's month", {}, { month: 65 }],
		["key's request", {}, { request: 65 }],
	])(
		"charge beyond the hold no further than the %s cap",
		(_, caps, keyCaps) => {
			given(credits, [
				opened("main", caps),
				granted(100),
				created("k", { caps: keyCaps }),
				held("a", 60, { key: "k" }),
			])
				.when(settle("a", 80))
				.then([settled("a", 60, 80, { key: "k", charged: 65, position: 4 })]);
		},
	);
	it("charge the hold also when a cap was lowered below it", () => {
		given(credits, [
			...open,
			past("account-caps-set", {
				account: "main",
				caps: { request: 1, total: 1 },
			}),
		])
			.when(settle("a", 80))
			.then([settled("a", 60, 80, { charged: 60, position: 3 })]);
	});
	it("count what went beyond the hold when it was charged", () => {
		const { state } = given(credits, [
			...open,
			settled("a", 60, 75, { position: 3, time: tomorrow }),
		]);
		expect(state.accounts.get("main")).toMatchObject({
			spent: 75,
			day: 15,
			month: 15,
		});
	});
	it("happen also after the key was revoked, and after the hold's time while it is open", () => {
		given(credits, [
			...funded,
			created("k"),
			held("a", 60, { key: "k" }),
			revoked("k"),
		])
			.when(settle("a", 45), tomorrow)
			.then([settled("a", 60, 45, { key: "k", position: 4 })]);
	});
	it.each([
		["cost", { cost: -1 }],
		["cost", { cost: 1.5 }],
		["usage.input", { usage: { input: 0.5 } }],
		["lines.units", { lines: [{ class: "input", units: -1, price: 1 }] }],
		["lines.price", { lines: [{ class: "input", units: 1, price: 0.1 }] }],
	])("refuse a wrong %s", (field, wrong) => {
		given(credits, open)
			.when({ ...settle("a", 1), ...wrong } as CreditsCommand)
			.then(refusal("credits/invalid", { field }));
	});
});

describe("a call ends once", () => {
	const again: readonly CreditsCommand[] = [
		settle("a", 1),
		release("a"),
		{ type: "expire", call: "a" },
	];
	const open = [...funded, held("a", 60)];

	it.each(again)("settled, a second $type is refused", (command) => {
		given(credits, [...open, settled("a", 60, 45)])
			.when(command, tomorrow)
			.then(refusal("hold/already-settled", { call: "a", position: 4 }));
	});
	it.each(again)("released, a second $type is refused", (command) => {
		given(credits, [...open, released("a", 60)])
			.when(command, tomorrow)
			.then(refusal("hold/already-released", { call: "a" }));
	});
	it.each(again)("expired, a second $type is refused", (command) => {
		given(credits, [...open, expired("a", 60)])
			.when(command, tomorrow)
			.then(refusal("hold/expired", { call: "a" }));
	});
	it.each(again)("never held, a $type is refused", (command) => {
		given(credits, funded)
			.when(command, tomorrow)
			.then(refusal("hold/unknown", { call: "a" }));
	});
	it("by a release, which gives everything back", () => {
		given(credits, open)
			.when({
				type: "release",
				call: "a",
				ending: "vendor-error",
				notes: ["503"],
				status: 503,
			})
			.then([
				{
					...past("credits-released", {
						...resolution("a", 60, { position: 3 }),
						ending: "vendor-error",
						notes: ["503"],
						status: 503,
					}),
					key: "resolve/a",
				},
			]);
		expect(
			given(credits, [...open, released("a", 60)]).state.accounts.get("main"),
		).toMatchObject({ held: 0, spent: 0, day: 0, month: 0 });
	});
	it("by expiry, when its time has come", () => {
		given(credits, open)
			.when({ type: "expire", call: "a" }, due - 1)
			.then(refusal("hold/not-due", { expires: due }));
		given(credits, open)
			.when({ type: "expire", call: "a" }, due)
			.then([expired("a", 60, { position: 3 })]);
	});
});

describe("refunds", () => {
	const charged = [
		...funded,
		held("a", 60),
		settled("a", 60, 45, { position: 3 }),
	];
	const of = { hold: 60, charged: 45, position: 4, heldPosition: 3 };

	it("give back all that is left unless told otherwise", () => {
		given(credits, charged)
			.when(refund("a"))
			.then([refunded("a", 45, of)]);
		given(credits, charged)
			.when(refund("a", 5))
			.then([refunded("a", 5, of)]);
		given(credits, [...charged, refunded("a", 5, of)])
			.when(refund("a"))
			.then([refunded("a", 40, of)]);
	});
	it("never add up to more than was charged", () => {
		given(credits, charged)
			.when(refund("a", 46))
			.then(
				refusal("refund/exceeds-charge", {
					charged: 45,
					refunded: 0,
					left: 45,
				}),
			);
		given(credits, [...charged, refunded("a", 5, of)])
			.when(refund("a", 41))
			.then(refusal("refund/exceeds-charge", { left: 40 }));
		given(credits, [...charged, refunded("a", 45, of)])
			.when(refund("a"))
			.then(refusal("refund/exceeds-charge", { left: 0 }));
	});
	it("are of settled calls only", () => {
		given(credits, funded)
			.when(refund("a"))
			.then(refusal("refund/not-settled"));
		given(credits, [...funded, held("a", 60)])
			.when(refund("a"))
			.then(refusal("refund/not-settled"));
		given(credits, [...funded, held("a", 60), released("a", 60)])
			.when(refund("a"))
			.then(refusal("refund/not-settled"));
		given(credits, [...funded, held("a", 60), expired("a", 60)])
			.when(refund("a"))
			.then(refusal("refund/not-settled"));
	});
	it("need a reason, and a whole amount of at least one", () => {
		given(credits, charged)
			.when({ type: "refund", call: "a", reason: "" })
			.then(refusal("credits/invalid", { field: "reason" }));
		given(credits, charged)
			.when(refund("a", 0))
			.then(refusal("credits/invalid", { field: "amount" }));
	});
	it("return to the balance and to the windows they were counted in", () => {
		const { state } = given(credits, [...charged, refunded("a", 5, of)]);
		expect(state.accounts.get("main")).toMatchObject({
			spent: 40,
			held: 0,
			day: 40,
			month: 40,
		});
	});
	it("give back what went beyond the hold first, to the day it was charged on", () => {
		const beyond = [
			opened(),
			granted(200),
			held("a", 60),
			settled("a", 60, 75, { position: 3, time: tomorrow }),
			held("b", 20, { time: tomorrow }),
		];
		const back = (amount: number): PastDraft => {
			const event = refunded("a", amount, {
				hold: 60,
				charged: 75,
				position: 4,
				heldPosition: 3,
			});
			return {
				...event,
				time: tomorrow,
				data: {
					...event.data,
					settled: { position: 4, time: tomorrow, amount: 75 },
				},
			};
		};
		given(credits, beyond)
			.when(refund("a", 10))
			.then([back(10)]);
		const today = (...refunds: PastDraft[]) =>
			given(credits, [...beyond, ...refunds]).state.accounts.get("main");
		expect(today()).toMatchObject({ day: 35 });
		expect(today(back(10))).toMatchObject({ day: 25, spent: 65 });
		expect(today(back(10), back(10))).toMatchObject({ day: 20, spent: 55 });
		expect(today(back(75))).toMatchObject({ day: 20, spent: 0 });
	});
});

describe("the state", () => {
	const events = [
		opened("main", { day: 500 }),
		granted(1_000),
		created("k", { caps: { day: 300 } }),
		created("e", { expires: tomorrow }),
		rotated("k", "k2", tomorrow),
		held("a", 60, { key: "k" }),
		settled("a", 60, 45, { key: "k", position: 6 }),
		held("b", 20),
		revoked("e"),
		refunded("a", 5, { hold: 60, charged: 45, position: 7, heldPosition: 6 }),
	];

	it("is the same after it was saved as JSON and loaded", () => {
		const { state } = given(credits, events);
		const loaded = credits.load(
			JSON.parse(JSON.stringify(credits.save(state))),
		);
		expect(loaded).toStrictEqual(state);
		expect(loaded.accounts.get("main")?.holds.get("b")).toBe(
			loaded.holds.get("b"),
		);
	});
	it("once loaded shares nothing with what was saved", () => {
		const { state } = given(credits, events);
		const loaded = credits.load(credits.save(state));
		const before = structuredClone(state);
		credits.evolve(loaded, {
			...held("c", 5, { key: "k" }),
			time: noon,
			position: 11,
		});
		credits.evolve(loaded, {
			...rotated("k", "k3", noon),
			time: noon,
			position: 12,
		});
		expect(state).toStrictEqual(before);
	});
	it("stays as it was on an event that it does not know", () => {
		const { state } = given(credits, events);
		const before = structuredClone(state);
		expect(
			credits.evolve(state, {
				type: "memory-kept",
				data: {},
				stream: "memory/x",
				time: noon,
				position: 11,
			}),
		).toStrictEqual(before);
	});
	it.each([
		["a resolution without a hold", settled("ghost", 1, 1)],
		["an account that was never opened", granted(1, "ghost")],
		["a key that was never created", revoked("ghost")],
	])("refuses a log that cannot be ours: %s", (_, event) => {
		expect(() => given(credits, [...events, event])).toThrow(
			expect.objectContaining({ code: "credits/log-inconsistent" }),
		);
	});
	it("refuses a command that it does not know", () => {
		given(credits, [])
			.when({ type: "mint" } as unknown as CreditsCommand)
			.then(refusal("credits/invalid", { type: "mint" }));
	});
});
