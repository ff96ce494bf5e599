import { expect, it } from "vitest";
import { given } from "../../kernel/decider.testing.ts";
import { credits } from "./credits.ts";
import { viewAccount, viewKey } from "./view.ts";

const at = Date.UTC(2028, 1, 29, 23);
const onMain = (type: string, data: Record<string, unknown>) => ({
	stream: "account/main",
	type,
	data: { account: "main", ...data },
	time: at,
});
const target = {
	expires: at + 60,
	holder: "h",
	substrate: "acme/m",
	model: "m",
	operation: "chat",
	sheet: "s",
};
const { state } = given(credits, [
	onMain("account-opened", { name: "Main", caps: { total: 900, day: 100 } }),
	onMain("credits-granted", { amount: 1_000 }),
	onMain("key-created", {
		key: "k",
		name: "K",
		hash: "1".repeat(64),
		hint: "dos_sk_ab…yz",
		scopes: { can: ["call"], models: ["m*"] },
		caps: { month: 70, request: 50 },
	}),
	onMain("credits-held", { call: "a", key: "k", amount: 40, ...target }),
	onMain("credits-settled", {
		call: "a",
		key: "k",
		amount: 25,
		cost: 25,
		held: { position: 4, time: at, amount: 40 },
	}),
	onMain("credits-held", { call: "b", key: "k", amount: 30, ...target }),
	onMain("credits-held", { call: "c", amount: 20, ...target }),
]);
const account = state.accounts.get("main");
const key = state.keys.get("k");
if (!account || !key) throw new Error("nothing to view");

it("shows the balance, what is held by which calls, and every cap with what is left", () => {
	expect(viewAccount(account, at, key)).toEqual({
		account: "main",
		name: "Main",
		granted: 1_000,
		spent: 25,
		held: 50,
		available: 925,
		holds: [
			{
				call: "b",
				key: "k",
				amount: 30,
				substrate: "acme/m",
				model: "m",
				since: at,
				expires: at + 60,
			},
			{
				call: "c",
				amount: 20,
				substrate: "acme/m",
				model: "m",
				since: at,
				expires: at + 60,
			},
		],
		caps: [
			{ of: "key", window: "request", cap: 50, spent: 0, held: 0, left: 50 },
			{
				of: "key",
				window: "month",
				cap: 70,
				spent: 25,
				held: 30,
				left: 15,
				resetsAt: Date.UTC(2028, 2, 1),
			},
			{
				of: "account",
				window: "total",
				cap: 900,
				spent: 25,
				held: 50,
				left: 825,
			},
			{
				of: "account",
				window: "day",
				cap: 100,
				spent: 25,
				held: 50,
				left: 25,
				resetsAt: Date.UTC(2028, 2, 1),
			},
		],
	});
});

it("shows a window that has passed as unused", () => {
	const next = Date.UTC(2028, 2, 1);
	expect(
		viewAccount(account, next, key).caps.map(({ window, left }) => [
			window,
			left,
		]),
	).toEqual([
		["request", 50],
		["month", 70],
		["total", 825],
		["day", 100],
	]);
});

it("shows a key without anything that would let one use it", () => {
	const view = viewKey(key, account, at);
	expect(view).toMatchObject({
		key: "k",
		hint: "dos_sk_ab…yz",
		can: ["call"],
		models: ["m*"],
		spent: 25,
		held: 30,
	});
	expect(view.caps.map(({ window }) => window)).toEqual(["request", "month"]);
	expect(JSON.stringify(view)).not.toContain("1".repeat(64));
});
