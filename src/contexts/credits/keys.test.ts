import { expect, it } from "vitest";
import { given } from "../../kernel/decider.testing.ts";
import { credits } from "./credits.ts";
import { findKeyBySecret, keyHint, matches, whyUnusable } from "./keys.ts";

const hash = (digit: string) => digit.repeat(64);
const onMain = (type: string, data: Record<string, unknown>, time = 0) => ({
	stream: "account/main",
	type,
	data: { account: "main", ...data },
	time,
});
const key = {
	key: "k",
	name: "K",
	hint: "h",
	scopes: { can: ["call"] },
	caps: {},
};
const made = [
	onMain("account-opened", { name: "Main", caps: {} }),
	onMain("key-created", { ...key, hash: hash("1"), expires: 1_000 }),
];
const rotate = (to: string, graceUntil: number) =>
	onMain("key-rotated", { key: "k", hash: hash(to), hint: "h2", graceUntil });
const find = (events: typeof made, secret: string, now: number) =>
	findKeyBySecret(given(credits, events).state, hash(secret), now)?.id;

it("finds a key by its secret, and nobody by another", () => {
	expect(find(made, "1", 0)).toBe("k");
	expect(find(made, "2", 0)).toBeUndefined();
});

it("lets a rotated-out secret work until its grace is over", () => {
	const events = [...made, rotate("2", 50)];
	expect([
		find(events, "1", 49),
		find(events, "1", 50),
		find(events, "2", 50),
	]).toEqual(["k", undefined, "k"]);
});

it("ends every older secret with the newest grace, and lengthens none", () => {
	const leaked = [...made, rotate("2", 50), rotate("3", 0)];
	expect([
		find(leaked, "1", 1),
		find(leaked, "2", 1),
		find(leaked, "3", 1),
	]).toEqual([undefined, undefined, "k"]);
	const longer = [...made, rotate("2", 50), rotate("3", 90)];
	expect([find(longer, "1", 60), find(longer, "2", 60)]).toEqual([
		undefined,
		"k",
	]);
});

it("says why a key does not work", () => {
	const used = (events: typeof made) => {
		const found = given(credits, events).state.keys.get("k");
		if (!found) throw new Error("no key");
		return (now: number) => whyUnusable(found, now)?.error.code;
	};
	expect([used(made)(999), used(made)(1_000)]).toEqual([
		undefined,
		"key/expired",
	]);
	expect(used([...made, onMain("key-revoked", { key: "k" })])(0)).toBe(
		"key/revoked",
	);
});

it.each([
	["dos_sk_abcdefghijklmnopqrstuvwxyz", "dos_sk_ab…yz"],
	["dos_sk_short", "dos_sk_…"],
	["abcdefghijklmnopqrstuvwxyz", "ab…yz"],
	["", "…"],
])("hints at %s as %s", (secret, hint) => {
	expect(keyHint(secret)).toBe(hint);
});

it.each([
	["", "", true],
	["*", "", true],
	["**", "abc", true],
	["a*c", "abbc", true],
	["a*c", "abcd", false],
	["a*b*c", "a-b-b-c", true],
	["a.c", "abc", false],
	["", "a", false],
	["a", "", false],
])("matches %j on %j: %s", (pattern, text, expected) => {
	expect(matches(pattern, text)).toBe(expected);
});

it("matches a hostile pattern in reasonable time", () => {
	expect(matches(`${"*a".repeat(128)}b`, "a".repeat(500))).toBe(false);
});
