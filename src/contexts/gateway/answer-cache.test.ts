import { describe, expect, it } from "vitest";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import { fact, substrate } from "../routing/fixtures/substrates.ts";
import type { Profile } from "../routing/index.ts";
import { defaultClasses, defaultTable } from "../routing/index.ts";
import {
	keyCommand,
	openTestGateway,
	sheet,
	streamHead,
	type TestGateway,
} from "./gateway.testing.ts";

const prices = fact(sheet.rates);
const catalogue: CatalogueSnapshot = {
	version: "c-two",
	substrates: [
		substrate("one/m", { tier: fact("small"), prices }),
		substrate("two/m", { tier: fact("balanced"), prices }),
	],
	off: {},
};

async function open(
	profile: Profile | null = { cache: 60_000 },
	options: Parameters<typeof openTestGateway>[0] = {},
): Promise<TestGateway> {
	const bench = await openTestGateway({
		vendors: ["one", "two"],
		catalogue,
		...options,
	});
	if (profile)
		await bench.route({ type: "set-profile", of: "key", id: "key", profile });
	return bench;
}

/** A call that is answered, out of the cache or by its vendor. */
async function ask(
	bench: TestGateway,
	asked: object = {},
	options: Parameters<TestGateway["call"]>[1] = {},
) {
	const before = bench.upstreams.length;
	const call = bench.call({ model: "m", ...asked }, options);
	await bench.clock.settle();
	const upstream = bench.upstreams[before];
	if (upstream) {
		upstream.head(
			200,
			"stream" in asked ? streamHead : { "content-type": "application/json" },
		);
		for (const word of ["t:hello", "u:10,5", "d"]) upstream.data(word);
		upstream.end();
	}
	await bench.clock.settle();
	await call.done;
	return { call, cached: upstream === undefined };
}

describe("the cache", () => {
	it("is off unless a key asks for it", async () => {
		const bench = await open(null);
		await ask(bench);
		expect((await ask(bench)).cached).toBe(false);
	});

	it("gives a like request the same bytes for nothing, and its receipt says so", async () => {
		const bench = await open();
		const first = await ask(bench);
		const spent = bench.account().spent;
		const { call, cached } = await ask(bench);
		expect(cached).toBe(true);
		expect(call.status).toBe(200);
		expect(call.body).toBe(first.call.body);
		expect(call.headers["content-type"]).toBe("application/json");
		expect(call.headers["x-dos-cached-from"]).toBe(
			first.call.headers["x-dos-call-id"],
		);
		expect(call.headers["x-dos-credits"]).toBe("0");
		expect(call.headers["x-dos-substrate"]).toBe("one/m");
		expect(bench.account()).toMatchObject({ spent, held: 0 });
		const id = call.headers["x-dos-call-id"] as string;
		const receipt = await bench.gateway.receipt(id);
		expect(receipt).toMatchObject({
			ok: true,
			value: {
				notes: [expect.stringContaining("Given out of the cache")],
			},
		});
		const held = await bench.events("credits-held");
		expect(held.at(-1)?.data.route).toMatchObject({ winner: "one/m" });
	});

	it("costs what the owner asks for it", async () => {
		const bench = await open(null, { cachePrice: 10 });
		await bench.route({
			type: "set-profile",
			of: "account",
			id: "main",
			profile: { cache: 60_000 },
		});
		await ask(bench);
		expect(bench.account().spent).toBe(20);
		const { call } = await ask(bench);
		expect(call.headers["x-dos-credits"]).toBe("2");
		expect(bench.account()).toMatchObject({ spent: 22, held: 0 });
	});

	it("gives streams as streams, and nothing of the one to the other", async () => {
		const bench = await open();
		await ask(bench, { stream: true });
		expect((await ask(bench)).cached).toBe(false);
		const { call, cached } = await ask(bench, { stream: true });
		expect(cached).toBe(true);
		expect(call.headers["content-type"]).toBe("text/event-stream");
	});

	it("forgets in time", async () => {
		const bench = await open();
		await ask(bench);
		await bench.clock.advance(60_000);
		expect((await ask(bench)).cached).toBe(false);
	});

	it.each([
		["another request", { temperature: 1 }, {}],
		["a caller who does not want it", { dos: { cache: false } }, {}],
		[
			"other needs",
			{},
			{ headers: { "x-dos-needs": "sovereignty=no-training" } },
		],
	])("is not for %s", async (_, asked, options) => {
		const bench = await open();
		await ask(bench);
		const body = new TextEncoder().encode(
			JSON.stringify({ model: "m", max: 50, ...asked }),
		);
		expect(
			(await ask(bench, asked, { ...options, body: Promise.resolve(body) }))
				.cached,
		).toBe(false);
	});

	it("is never shared between accounts", async () => {
		const bench = await open();
		await bench.run({ type: "open-account", account: "other", name: "other" });
		await bench.run({ type: "grant", account: "other", amount: 1_000_000 });
		await bench.run(keyCommand("theirs", { account: "other" }));
		await bench.route({
			type: "set-profile",
			of: "key",
			id: "theirs",
			profile: { cache: 60_000 },
		});
		await ask(bench);
		expect((await ask(bench, {}, { key: "theirs" })).cached).toBe(false);
	});

	it("gives nothing of a substrate that may not be asked any more", async () => {
		const bench = await open();
		await ask(bench);
		await bench.route({
			type: "record-policy",
			policy: {
				version: "p-bar",
				classes: defaultClasses,
				broken: [],
				postures: [
					{
						id: "bar",
						by: "owner",
						why: "test",
						from: 0,
						scope: {},
						allow: [],
						deny: [{ vendor: ["one"] }],
						require: [],
						prefer: [],
					},
				],
			},
			by: "owner",
		});
		const { cached, call } = await ask(bench);
		expect(cached).toBe(false);
		expect(call.headers["x-dos-substrate"]).toBe("two/m");
	});

	it("gives nothing of what the owner switched off, though the policy be the same", async () => {
		const bench = await open();
		await ask(bench);
		await bench.route({
			type: "record-table",
			table: {
				...defaultTable,
				version: "t-off",
				killed: [{ vendor: ["one"] }],
			},
			by: "owner",
		});
		expect((await ask(bench)).cached).toBe(false);
	});

	it("keeps no answer that broke off", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({ model: "m" });
		upstream.head();
		upstream.data("t:hel");
		upstream.fail("upstream/reset");
		await bench.clock.settle();
		await call.done;
		expect((await ask(bench)).cached).toBe(false);
	});

	it("is done without where its store fails", async () => {
		const bench = await open({ cache: 60_000 }, { failingAnswers: true });
		expect((await ask(bench)).call.status).toBe(200);
		expect((await ask(bench)).call.status).toBe(200);
		expect(bench.reports.length).toBeGreaterThan(0);
	});
});
