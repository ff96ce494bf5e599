import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { Conversations } from "../../ports/conversations.ts";
import type { Reading, Readings } from "../../ports/reading.ts";
import { mayAnswer } from "../routing/fixtures/oracle.ts";
import { catalogues, policies, tables } from "../routing/fixtures/random.ts";
import { fact, substrate } from "../routing/fixtures/substrates.ts";
import { defaultClasses, expand } from "../routing/index.ts";
import {
	askedFor,
	brokenKey,
	chat,
	keyCommand,
	openTestGateway,
	sheet,
	streamHead,
	type TestCall,
	type TestGateway,
	type TestUpstream,
	testWire,
} from "./gateway.testing.ts";
import type { ShadowRule } from "./shadow.ts";

/** Answers are words: `t:` said, `c:` a tool called. */
const words = (body: Uint8Array) =>
	new TextDecoder()
		.decode(body)
		.match(/[tc]:[a-z0-9{}":]*?(?=[tcud]:|d$|$)/g) ?? [];
const said = (body: Uint8Array, mark: string) =>
	words(body)
		.filter((word) => word.startsWith(mark))
		.map((word) => word.slice(2));

const readings: Readings = {
	read: (_, __, ___, body): Reading => ({
		asked: { schema: true, tools: [{ name: "look" }] },
		answer: {
			text: said(body, "t:").join(""),
			toolCalls: said(body, "c:").map((name) => ({ name, arguments: "{}" })),
		},
	}),
};

const conversations: Conversations = {
	asked: () => [{ role: "user", text: "why?" }],
	answered: (_, __, ___, body) => said(body, "t:").join(""),
	ask: (model, messages) => ({
		wire: testWire,
		operation: chat,
		request: askedFor({
			model,
			body: new TextEncoder().encode(JSON.stringify(messages)),
		}),
	}),
};

const rule: ShadowRule = { to: "two/m", share: 1, account: "lab" };

async function open({
	rules = [rule],
	budget = 1_000_000,
	...options
}: {
	rules?: readonly ShadowRule[];
	budget?: number;
} & Parameters<typeof openTestGateway>[0] = {}): Promise<TestGateway> {
	const bench = await openTestGateway({
		vendors: ["mock", "two", "three"],
		readings,
		shadow: { rules, conversations },
		...options,
	});
	await bench.run({ type: "open-account", account: "lab", name: "lab" });
	if (budget > 0)
		await bench.run({ type: "grant", account: "lab", amount: budget });
	return bench;
}

const lab = ({ head }: TestGateway) => {
	const { granted, spent, held, holds } = head
		.state("credits")
		.accounts.get("lab") as NonNullable<
		ReturnType<ReturnType<typeof head.state<"credits">>["accounts"]["get"]>
	>;
	return { granted, spent, held, holds: holds.size };
};
const vendorOf = ({ request }: TestUpstream) =>
	new URL(request.url).hostname.replace(".test", "");
const last = ({ upstreams }: TestGateway) => upstreams.at(-1) as TestUpstream;

function answer(
	upstream: TestUpstream,
	words: readonly string[] = ["t:hello", "u:10,5", "d"],
	stream = false,
) {
	upstream.head(
		200,
		stream ? streamHead : { "content-type": "application/json" },
	);
	for (const word of words) upstream.data(word);
	upstream.end();
}

/** A call that is answered, and its shadow on its way, if any. */
async function followed(
	bench: TestGateway,
	asked: object = {},
	options: Parameters<TestGateway["call"]>[1] = {},
): Promise<{ call: TestCall; shadow: TestUpstream | undefined }> {
	const { call, upstream } = await bench.called(asked, options);
	answer(upstream, undefined, "stream" in asked);
	await bench.clock.settle();
	await call.done;
	const before = bench.upstreams.length;
	await bench.clock.advance(1);
	return { call, shadow: bench.upstreams[before] };
}

const results = ({ gateway }: TestGateway) =>
	[
		...gateway.metrics
			.render()
			.matchAll(/^dos_shadow_total\{result="([a-z-]+)"\} (\d+)/gm),
	].map(([, result, count]) => `${result} ${count}`);

describe("a shadow", () => {
	it("is sent once the call has ended, paid by its own account, scored, and shown to nobody", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("t:{}");
		await bench.clock.advance(100);
		expect(bench.upstreams).toHaveLength(1);
		for (const word of ["u:10,5", "d"]) upstream.data(word);
		upstream.end();
		await bench.clock.settle();
		await call.done;
		await bench.clock.advance(1);
		const shadow = last(bench);
		expect(vendorOf(shadow)).toBe("two");
		expect(lab(bench)).toMatchObject({ spent: 0, holds: 1 });
		answer(shadow, ["t:{}", "u:300,20", "d"]);
		await bench.clock.advance(1);
		expect(call.body).toBe("t:{}u:10,5d");
		expect(call.violations).toEqual([]);
		expect(lab(bench)).toMatchObject({ spent: 340, held: 0, holds: 0 });
		expect(bench.account()).toMatchObject({ spent: 20, holds: 0 });
		const id = call.headers["x-dos-call-id"];
		const [scored] = await bench.events("shadow-scored");
		expect(scored?.data).toEqual({
			call: id,
			account: "main",
			substrate: "mock/m",
			shadow: { call: `${id}_shadow`, account: "lab", substrate: "two/m" },
			signals: { schema: true },
			agreement: { json: true },
		});
		const [, held] = await bench.events("credits-held");
		expect(held?.data).toMatchObject({ account: "lab", call: `${id}_shadow` });
		expect(held?.data).not.toHaveProperty("key");
		expect(expand(held?.data.route.request)).toMatchObject({
			account: "main",
			key: "key",
		});
		expect(results(bench)).toEqual(["scored 1"]);
		expect(bench.violations).toEqual([]);
	});

	it.each([
		["other JSON", ["t:{}"], ["t:1"], { json: false }],
		["the same tool", ["c:look"], ["c:look"], { tools: true }],
		["another tool", ["c:look"], ["c:find"], { tools: false }],
		["words in place of a tool", ["c:look"], ["t:no"], { tools: false }],
		["a first answer that is no JSON", ["t:no"], ["t:1"], {}],
		["a second answer that is no JSON", ["t:1"], ["t:no"], { json: false }],
	])("tells %s", async (_, first, second, agreement) => {
		const bench = await open();
		const { call, upstream } = await bench.called();
		answer(upstream, [...first, "u:10,5", "d"]);
		await bench.clock.settle();
		await call.done;
		await bench.clock.advance(1);
		answer(last(bench), [...second, "u:10,5", "d"]);
		await bench.clock.advance(1);
		const [scored] = await bench.events("shadow-scored");
		expect(scored?.data.agreement).toEqual(agreement);
	});

	it("is streamed where its call was", async () => {
		const bench = await open();
		const { shadow } = await followed(bench, { stream: true });
		answer(shadow as TestUpstream, undefined, true);
		await bench.clock.advance(1);
		expect(results(bench)).toEqual(["scored 1"]);
	});

	it("is judged by a model that is paid by the same account", async () => {
		const bench = await open({ rules: [{ ...rule, judge: "three/j" }] });
		const { call, shadow } = await followed(bench);
		answer(shadow as TestUpstream, ["t:hi", "u:10,5", "d"]);
		await bench.clock.settle();
		const judge = last(bench);
		expect(vendorOf(judge)).toBe("three");
		answer(judge, ['t:{"score":1}', "u:100,5", "d"]);
		await bench.clock.settle();
		const id = call.headers["x-dos-call-id"];
		const [scored] = await bench.events("shadow-scored");
		expect(scored?.data.judged).toEqual({ call: `${id}_judge`, score: 1000 });
		const [outcome] = await bench.events("outcome-recorded");
		expect(outcome?.data).toMatchObject({
			call: `${id}_shadow`,
			by: "judge/three/j",
			score: 1000,
		});
		expect(lab(bench)).toMatchObject({ spent: 20 + 110, holds: 0 });
		const [, , judging] = await bench.events("credits-held");
		expect(expand(judging?.data.route.request).stated).toEqual({
			callType: "judge",
		});
	});

	it("without a judge's word is scored by rules alone", async () => {
		const bench = await open({ rules: [{ ...rule, judge: "three/j" }] });
		const { shadow } = await followed(bench);
		answer(shadow as TestUpstream);
		await bench.clock.settle();
		last(bench).head(500);
		last(bench).end();
		await bench.clock.advance(1);
		const [scored] = await bench.events("shadow-scored");
		expect(scored?.data).not.toHaveProperty("judged");
		expect(results(bench)).toEqual(["scored 1"]);
	});

	it.each([
		["its share is none", { ...rule, share: 0 }],
		["it is of another kind", { ...rule, callTypes: ["judge"] }],
		["it is of another difficulty", { ...rule, difficulties: ["hard"] }],
	] as [string, ShadowRule][])("does not follow where %s", async (_, other) => {
		const bench = await open({ rules: [other] });
		const { shadow } = await followed(bench, {
			dos: { needs: { callType: "chat", difficulty: "easy" } },
		});
		expect(shadow).toBeUndefined();
		expect(results(bench)).toEqual([]);
	});

	it("follows by the first rule that fits", async () => {
		const bench = await open({
			rules: [
				{ ...rule, callTypes: ["judge"] },
				{ ...rule, to: "three/m", callTypes: ["chat"], difficulties: ["easy"] },
				rule,
			],
		});
		const { shadow } = await followed(bench, {
			dos: { needs: { callType: "chat", difficulty: "easy" } },
		});
		expect(vendorOf(shadow as TestUpstream)).toBe("three");
	});

	it("follows no call that says so, nor any of a key or an account that does", async () => {
		const bench = await open();
		const { shadow } = await followed(bench, { dos: { shadow: false } });
		expect(shadow).toBeUndefined();
		for (const [of, id] of [
			["key", "key"],
			["account", "main"],
		] as const) {
			const set = { type: "set-profile", of, id } as const;
			await bench.route({ ...set, profile: { shadow: false } });
			expect((await followed(bench)).shadow).toBeUndefined();
			await bench.route(set);
		}
		expect((await followed(bench)).shadow).toBeDefined();
	});

	it.each(["vendor's error", "broken answer", "client that left"])(
		"follows no call that ended in a %s",
		async (what) => {
			const bench = await open();
			const { call, upstream } = await bench.called();
			if (what === "vendor's error") upstream.head(500);
			else upstream.head(200, streamHead);
			upstream.data("t:hel");
			if (what === "client that left") call.leave();
			else upstream.end();
			await bench.clock.advance(10);
			await call.done;
			expect(bench.upstreams).toHaveLength(1);
		},
	);

	it("is none of what answered", async () => {
		const bench = await open({ rules: [{ ...rule, to: "mock/m" }] });
		expect((await followed(bench)).shadow).toBeUndefined();
		expect(results(bench)).toEqual(["same 1"]);
	});

	it("goes nowhere where the key may not go, and nowhere once it is revoked", async () => {
		const bench = await open();
		await bench.run(
			keyCommand("narrow", { scopes: { can: ["call"], models: ["mock/*"] } }),
		);
		expect((await followed(bench, {}, { key: "narrow" })).shadow).toBe(
			undefined,
		);
		expect(results(bench)).toEqual(["barred 1"]);
		const { call, upstream } = await bench.called();
		answer(upstream);
		await bench.clock.settle();
		await call.done;
		await bench.run({ type: "revoke-key", key: "key" });
		await bench.clock.advance(1);
		expect(bench.upstreams).toHaveLength(2);
		expect(results(bench)).toEqual(["barred 2"]);
	});

	it("keeps the caller's needs and tags", async () => {
		const catalogue: CatalogueSnapshot = {
			version: "c1",
			substrates: [
				substrate("mock/m", {
					trains: fact(false),
					prices: fact(sheet.rates),
				}),
				substrate("two/m", { trains: fact(true), prices: fact(sheet.rates) }),
			],
			off: {},
		};
		const bench = await open({ catalogue });
		const needs = { sovereignty: ["no-training"] };
		expect((await followed(bench, { dos: { needs } })).shadow).toBeUndefined();
		expect(results(bench)).toEqual(["barred 1"]);
		expect((await followed(bench)).shadow).toBeDefined();
	});

	it("spends no more than its account has", async () => {
		const bench = await open({ budget: 100 });
		expect((await followed(bench)).shadow).toBeUndefined();
		expect(results(bench)).toEqual(["no-credits 1"]);
		expect(lab(bench)).toMatchObject({ spent: 0, held: 0 });
		const poor = await open({ rules: [{ ...rule, account: "nobody" }] });
		expect((await followed(poor)).shadow).toBeUndefined();
		expect(results(poor)).toEqual(["no-credits 1"]);
	});

	it("that fails is not tried again, and is told to nobody", async () => {
		const bench = await open({ attempts: { attempts: 3, fallbacks: 3 } });
		const { call, shadow } = await followed(bench);
		shadow?.head(503);
		shadow?.end();
		await bench.clock.advance(20_000);
		expect(bench.upstreams).toHaveLength(2);
		expect(call.status).toBe(200);
		expect(results(bench)).toEqual(["failed 1"]);
		expect(lab(bench)).toMatchObject({ spent: 0, held: 0 });
		const counted = bench.gateway.metrics.render();
		expect(counted.match(/^dos_calls_total\{.*/gm)).toEqual([
			'dos_calls_total{operation="chat",vendor="mock",ending="finished"} 1',
		]);
		expect(counted).toMatch(/^dos_gate_calls 0$/m);
	});

	it.each([
		["here", false],
		["by another replica, and not seen here yet", true],
	])(
		"that fails before anything is sent gives back its hold that was recorded %s",
		async (_, forwards) => {
			const bench = await open({
				forwards,
				keys: { two: [brokenKey] },
			});
			await followed(bench);
			const [held] = (await bench.events("credits-held")).filter(
				({ data }) => data.call === "call_c1_shadow",
			);
			expect(held).toBeDefined();
			expect(await bench.events("credits-released")).toMatchObject([
				{ data: { call: "call_c1_shadow", ending: "not-sent" } },
			]);
		},
	);

	it("whose hold the log does not confirm gives it back when it turns up", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called();
		answer(upstream);
		await call.done;
		bench.log.fault = "log/unknown";
		await bench.clock.advance(1);
		delete bench.log.fault;
		await bench.clock.advance(1_000);
		await bench.run({
			type: "hold",
			call: "call_c1_shadow",
			account: "lab",
			amount: 1,
			expires: bench.clock.now() + 60_000,
			holder: "run",
			substrate: "two/m",
			model: "two/m",
			operation: "chat",
			sheet: "s",
		});
		await bench.clock.settle();
		expect(lab(bench)).toMatchObject({ held: 0, holds: 0 });
		expect(await bench.events("credits-released")).toMatchObject([
			{ data: { call: "call_c1_shadow", ending: "not-sent" } },
		]);
	});

	it("that fails goes on to no other channel of its candidate", async () => {
		const bench = await open({
			attempts: { attempts: 3, fallbacks: 3 },
			rules: [{ ...rule, to: "n" }],
			catalogue: {
				version: "c1",
				substrates: ["mock/m", "two/n", "three/n"].map((id) =>
					substrate(id, { prices: fact(sheet.rates) }),
				),
				off: {},
			},
		});
		const { shadow } = await followed(bench);
		shadow?.head(503);
		shadow?.end();
		await bench.clock.advance(20_000);
		expect(bench.upstreams).toHaveLength(2);
		expect(results(bench)).toEqual(["failed 1"]);
	});

	it("sticks no session to its candidate", async () => {
		const catalogue: CatalogueSnapshot = {
			version: "c1",
			substrates: [
				substrate("mock/m", {
					tier: fact("small"),
					prices: fact(sheet.rates),
				}),
				substrate("two/m", {
					tier: fact("flagship"),
					prices: fact(sheet.rates),
				}),
			],
			off: {},
		};
		const bench = await open({ catalogue });
		const headers = { "x-dos-session": "s" };
		const { shadow } = await followed(bench, { model: "m" }, { headers });
		answer(shadow as TestUpstream);
		await bench.clock.advance(1);
		const { upstream } = await bench.called({ model: "m" }, { headers });
		expect(vendorOf(upstream)).toBe("mock");
		const holds = await bench.events("credits-held");
		expect(expand(holds[2]?.data.route.request).sticky).toBe("mock/m");
	});

	it("is not sent where eight are under way", async () => {
		const bench = await open();
		for (let round = 0; round < 9; round++) await followed(bench);
		expect(lab(bench).holds).toBe(8);
		expect(results(bench)).toEqual([]);
	});

	it("is resolved at once when the gateway stops", async () => {
		const bench = await open();
		const { shadow } = await followed(bench);
		shadow?.connect();
		const { call, upstream } = await bench.called();
		answer(upstream);
		await bench.clock.settle();
		await call.done;
		await bench.gateway.stop();
		expect(shadow?.state).toBe("aborted");
		expect(bench.upstreams).toHaveLength(3);
		expect(results(bench)).toEqual(["stopped 2"]);
		expect(lab(bench)).toMatchObject({ held: 0, holds: 0 });
		expect(bench.clock.timers()).toBe(0);
	});

	it("that the log does not take changes nothing for its client", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called();
		answer(upstream);
		await bench.clock.settle();
		await call.done;
		bench.log.fault = "log/full";
		await bench.clock.advance(1);
		expect(bench.upstreams).toHaveLength(1);
		expect(call.over).toBe("ended");
		expect(results(bench)).toEqual(["unread 1"]);
		delete bench.log.fault;
		expect((await followed(bench)).shadow).toBeDefined();
	});

	it("has an answer of which no more than a bound is kept", async () => {
		const bench = await open();
		const { shadow } = await followed(bench);
		answer(shadow as TestUpstream, [
			`t:${"x".repeat(1_100_000)}`,
			"u:1,1",
			"d",
		]);
		await bench.clock.advance(1);
		expect(results(bench)).toEqual(["unread 1"]);
	});
});

describe("whatever is followed", () => {
	const deed = fc.constantFrom("answer", "refuse", "break", "hang");
	const call = fc.record({
		stream: fc.boolean(),
		first: deed,
		second: deed,
		wait: fc.constantFrom(0, 1, 500),
	});

	/** What a client sees, and when. */
	async function seen(
		plays: readonly {
			stream: boolean;
			first: string;
			second: string;
			wait: number;
		}[],
		shadow: boolean,
		budget: number,
	) {
		const bench = await open({
			budget,
			rules: shadow ? [{ ...rule, judge: "three/j" }] : [],
		});
		const calls: object[] = [];
		for (const { stream, first, second, wait } of plays) {
			const { call, upstream } = await bench.called({ stream });
			const begun = bench.clock.now();
			await bench.clock.advance(wait);
			act(upstream, first, stream);
			let ended: number | undefined;
			void call.done.then(() => {
				ended = bench.clock.now() - begun;
			});
			for (let round = 0; round < 3; round++) {
				for (const other of bench.upstreams)
					if (other !== upstream) act(other, second, stream);
				await bench.clock.advance(1_000);
			}
			// The real edge ends each request within its time: here the test does.
			for (let round = 0; round < 3; round++) {
				for (const hanging of bench.upstreams) act(hanging, "break", stream);
				await bench.clock.advance(1_000);
			}
			await call.done;
			calls.push([call.status, call.headers, call.body, call.over, ended]);
			expect(call.violations).toEqual([]);
			const { granted, spent, held } = lab(bench);
			expect(spent + held).toBeLessThanOrEqual(granted);
		}
		expect(bench.violations).toEqual([]);
		expect(lab(bench).holds).toBe(0);
		return { calls, account: bench.account() };
	}

	function act(upstream: TestUpstream, deed: string, stream: boolean) {
		if (deed === "hang") return upstream.connect();
		if (deed === "break") {
			upstream.connect();
			return upstream.fail("upstream/total-timeout");
		}
		if (deed === "answer") return answer(upstream, undefined, stream);
		upstream.head(400);
		upstream.end();
	}

	it("a client gets the same bytes at the same time, and pays the same", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(call, { minLength: 1, maxLength: 4 }),
				fc.constantFrom(0, 1_200, 1_000_000),
				async (plays, budget) => {
					const shadowed = await seen(plays, true, budget);
					expect(shadowed).toEqual(await seen(plays, false, budget));
				},
			),
			{ numRuns: 60 },
		);
	});

	it("nothing goes where the caller's own filters do not let it", async () => {
		let sent = 0;
		const named = catalogues.map(({ substrates, off }): CatalogueSnapshot => {
			const rows = new Map(
				substrates.map((row) => [
					`${row.vendor}/${row.model}`,
					{ ...row, id: `${row.vendor}/${row.model}` },
				]),
			);
			return { version: "c1", substrates: [...rows.values()], off };
		});
		await fc.assert(
			fc.asyncProperty(
				named,
				policies(defaultClasses),
				tables,
				fc.constantFrom("auto", "one", "acme/one", "bolt/two", "fast"),
				fc.constantFrom("one", "two", "acme/two", "bolt/one", "cheap", "auto"),
				fc.constantFrom(
					{},
					{ sovereignty: ["eu-processed"] },
					{ sovereignty: ["no-training"] },
				),
				fc.subarray(["federal", "school"]),
				async (catalogue, policy, table, asked, to, needs, tags) => {
					const bench = await open({
						catalogue,
						budget: 1_000_000_000,
						grant: 1_000_000_000,
						vendors: ["acme", "bolt", "coil"].filter(
							(id) => !Object.hasOwn(catalogue.off, id),
						),
						rules: [{ ...rule, to, judge: to }],
					});
					if (tags.length > 0)
						await bench.route({
							type: "set-profile",
							of: "key",
							id: "key",
							profile: { tags },
						});
					await bench.route({ type: "record-policy", policy, by: "owner" });
					await bench.route({ type: "record-table", table, by: "owner" });
					const call = bench.call({
						model: asked,
						max: 2_000,
						dos: { needs },
					});
					await bench.clock.settle();
					for (let round = 0; round < 3; round++) {
						const upstream = bench.upstreams.at(-1);
						if (upstream) answer(upstream);
						await bench.clock.advance(1);
					}
					await call.done;
					const [first, ...others] = await bench.events("credits-held");
					if (!first) return;
					const own = expand(first.data.route.request);
					for (const [index, { data }] of others.entries()) {
						const upstream = bench.upstreams[index + 1] as TestUpstream;
						if (!upstream) continue;
						sent++;
						const shadowed = expand(data.route.request);
						expect(shadowed).toMatchObject({
							account: own.account,
							key: own.key,
							stated: own.stated,
							...(own.tags && { tags: own.tags }),
						});
						const facts = catalogue.substrates.find(
							({ id }) => id === data.substrate,
						);
						if (facts)
							expect(
								mayAnswer(
									facts,
									catalogue.off,
									shadowed,
									policy,
									table,
									upstream.at,
								),
								facts.id,
							).toBe(true);
					}
				},
			),
			{ numRuns: 200 },
		);
		expect(sent).toBeGreaterThan(10);
	});
});
