import { expect, it } from "vitest";
import type { DomainEvent } from "../../kernel/event.ts";
import type { EventLog, ScannedEvent } from "../../ports/event-log.ts";
import { type CallSeen, readCalls } from "./calls.ts";

/** A log of these events, read in batches of two. */
function logOf(
	events: readonly Pick<DomainEvent, "type" | "data">[],
): Pick<EventLog, "scan" | "tip"> {
	const stored = events.map(
		({ type, data }, at): ScannedEvent => ({
			position: at + 1,
			time: at + 1,
			stream: "s",
			type,
			data: JSON.stringify(data),
		}),
	);
	return {
		tip: async () => ({ position: stored.length, hash: "", time: 0 }),
		async *scan(position, { types, to = 0 } = {}) {
			const wanted = stored.filter(
				(event) =>
					event.position > position &&
					event.position <= to &&
					types?.includes(event.type),
			);
			for (let at = 0; at < wanted.length; at += 2)
				yield wanted.slice(at, at + 2);
		},
	};
}

/** As the log has a decision's request: short names. */
const route = {
	request: { s: { t: "extract" }, i: { t: "chat", d: "easy" }, a: "main" },
};
const held = (call: string, more: object = {}) => ({
	type: "credits-held",
	data: { call, account: "main", ...more },
});
const settled = (call: string, more: object = {}) => ({
	type: "credits-settled",
	data: {
		call,
		account: "main",
		key: "k",
		substrate: "a/x",
		amount: 5,
		ending: "finished",
		timing: { total: 80 },
		finishReason: "stop",
		...more,
	},
});
const said = (call: string, by: string, more: object) => ({
	type: "outcome-recorded",
	data: { call, account: "main", by, ...more },
});

async function read(
	events: Parameters<typeof logOf>[0],
	options: Parameters<typeof readCalls>[1] = {},
): Promise<readonly CallSeen[]> {
	const calls: CallSeen[] = [];
	for await (const call of readCalls(logOf(events), options)) calls.push(call);
	return calls;
}

it("joins a call with its decision, and with all that was said of it later", async () => {
	const [call, ...others] = await read([
		held("c1", { route }),
		settled("c1"),
		said("c1", "ada", { score: 200 }),
		said("c1", "ada", { score: 400 }),
		said("c1", "bob", { verdict: "accepted" }),
		said("c1", "eve", { label: "funny" }),
		{
			type: "answer-observed",
			data: { call: "c1", account: "main", tools: false },
		},
		{
			type: "answer-observed",
			data: { call: "c1", account: "main", repeatedBy: "c2" },
		},
	]);
	expect(others).toEqual([]);
	expect(call).toEqual({
		call: "c1",
		account: "main",
		key: "k",
		time: 2,
		callType: "extract",
		difficulty: "easy",
		substrate: "a/x",
		charged: 5,
		latency: 80,
		ending: "finished",
		finish: "stop",
		quality: 0.7,
		signals: { tools: false, repeatedBy: "c2" },
	});
});

it("gives a call without a decision, and one that nobody judged", async () => {
	const [call] = await read([held("c1"), settled("c1")]);
	expect(call).toMatchObject({ call: "c1", signals: {} });
	expect(call).not.toHaveProperty("callType");
	expect(call).not.toHaveProperty("quality");
});

it("leaves out what a bakeoff asked, what cost nothing, and other times and accounts", async () => {
	const events = [
		{ type: "bakeoff-started", data: { run: "r", key: "bake" } },
		held("c1"),
		settled("c1", { key: "bake" }),
		held("c2"),
		{ type: "credits-released", data: { call: "c2", account: "main" } },
		held("c3"),
		settled("c3", { account: "other" }),
		settled("c4"),
	];
	const ids = async (options: Parameters<typeof readCalls>[1]) =>
		(await read(events, options)).map(({ call }) => call);
	expect(await ids({})).toEqual(["c3", "c4"]);
	expect(await ids({ account: "main" })).toEqual(["c4"]);
	expect(await ids({ since: 8 })).toEqual(["c4"]);
	expect(await ids({ until: 8 })).toEqual(["c3"]);
});

it("counts for the one that answered its own time only, and those that failed before it", async () => {
	const [call] = await read([
		held("c1"),
		settled("c1", {
			timing: { total: 900 },
			attempts: [
				["b/y", "overload http/503", 700],
				["c/z", "passed price/unknown", 0],
				["d/k", "key http/401", 20],
				["a/x", "ok", 80],
			],
		}),
	]);
	expect(call).toMatchObject({
		substrate: "a/x",
		latency: 80,
		failed: ["b/y"],
	});
});

it("leaves out what two answered together", async () => {
	const parts = [{ substrate: "b/y" }, { substrate: "a/x" }];
	const calls = await read([
		settled("c1"),
		settled("c2", { parts }),
		settled("c3"),
	]);
	expect(calls.map(({ call }) => call)).toEqual(["c1", "c3"]);
});

it("leaves out what the cache answered and what a judge of shadows said, not the shadow", async () => {
	const calls = await read([
		held("c1"),
		settled("c1", { sheet: "cache" }),
		settled("c2_shadow", { key: undefined }),
		settled("c2_judge", { key: undefined }),
		{
			type: "shadow-scored",
			data: {
				call: "c2",
				shadow: { call: "c2_shadow" },
				judged: { call: "c2_judge", score: 1 },
			},
		},
	]);
	expect(calls.map(({ call }) => call)).toEqual(["c2_shadow"]);
});
