import { describe, expect, it } from "vitest";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import { fact, substrate } from "../routing/fixtures/substrates.ts";
import type { DecisionRecord } from "../routing/index.ts";
import {
	openTestGateway,
	sheet,
	streamHead,
	type TestCall,
	type TestGateway,
	type TestUpstream,
	testKey,
} from "./gateway.testing.ts";

const prices = fact(sheet.rates);

/** The same model over three channels: for a short answer the small one is the best, then the balanced one. */
const catalogue: CatalogueSnapshot = {
	version: "c-three",
	substrates: [
		substrate("one/m", { tier: fact("small"), prices }),
		substrate("two/m", { tier: fact("flagship"), prices }),
		substrate("three/m", { tier: fact("balanced"), prices }),
	],
	off: {},
};

function open(
	options: Parameters<typeof openTestGateway>[0] = {},
): Promise<TestGateway> {
	return openTestGateway({
		vendors: ["one", "two", "three"],
		catalogue,
		attempts: { attempts: 2, fallbacks: 3 },
		...options,
	});
}

const vendorOf = ({ request }: TestUpstream) =>
	new URL(request.url).hostname.replace(".test", "");
const vendors = ({ upstreams }: TestGateway) => upstreams.map(vendorOf);
const last = ({ upstreams }: TestGateway) => upstreams.at(-1) as TestUpstream;

function answer(upstream: TestUpstream, words = ["t:hello", "u:10,5", "d"]) {
	upstream.head();
	for (const word of words) upstream.data(word);
	upstream.end();
}

async function settled(bench: TestGateway) {
	const [event] = await bench.events("credits-settled");
	return event?.data;
}

async function ended({ clock }: TestGateway, call: TestCall) {
	await clock.settle();
	await call.done;
}

describe("a call that may go to several", () => {
	it("goes to the best, and its hold says why", async () => {
		const bench = await open();
		const { call } = await bench.called({ model: "m" });
		expect(vendors(bench)).toEqual(["one"]);
		answer(last(bench));
		await ended(bench, call);
		expect(call.headers["x-dos-substrate"]).toBe("one/m");
		const [held] = await bench.events("credits-held");
		const route = held?.data.route as DecisionRecord;
		expect(route).toMatchObject({ catalogue: "c-three", winner: "one/m" });
		expect(route.order).toEqual([0, 2, 1]);
		expect(await settled(bench)).not.toHaveProperty("attempts");
	});

	it.each([
		["a reset", (one: TestUpstream) => one.fail("upstream/reset")],
		[
			"no first byte in time",
			(one: TestUpstream) => one.fail("upstream/first-byte-timeout"),
		],
		...[408, 429, 500, 502, 503, 504, 529, 401, 403, 402].map(
			(status) =>
				[
					`${status}`,
					(one: TestUpstream) => {
						one.head(status);
						one.end();
					},
				] as const,
		),
		[
			"an answer that ends before it begins",
			(one: TestUpstream) => {
				one.head(200, streamHead);
				one.end();
			},
		],
	] as const)(
		"falls back on %s, and pays the one that answered",
		async (_, broken) => {
			const bench = await open();
			const { call, upstream } = await bench.called({ model: "m" });
			upstream.connect();
			broken(upstream);
			await bench.clock.settle();
			expect(vendors(bench)).toEqual(["one", "three"]);
			answer(last(bench));
			await ended(bench, call);
			expect(call.status).toBe(200);
			expect(call.body).toBe("t:hellou:10,5d");
			expect(call.headers["x-dos-substrate"]).toBe("three/m");
			expect(call.violations).toEqual([]);
			const data = await settled(bench);
			expect(data).toMatchObject({ substrate: "three/m", amount: 20 });
			expect(data.attempts).toHaveLength(2);
			expect(data.attempts[0][0]).toBe("one/m");
			expect(data.attempts[1].slice(0, 2)).toEqual(["three/m", "ok"]);
			expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
			expect(bench.violations).toEqual([]);
		},
	);

	it.each([400, 404, 413, 422])(
		"does not ask another what the first refused with %i",
		async (status) => {
			const bench = await open();
			const { call, upstream } = await bench.called({ model: "m" });
			upstream.head(status);
			upstream.data('{"why":"not so"}');
			upstream.end();
			await ended(bench, call);
			expect(vendors(bench)).toEqual(["one"]);
			expect(call.status).toBe(status);
			expect(call.body).toBe('{"why":"not so"}');
			expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
		},
	);

	it("stays where it is once something of an answer has reached the client", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({ model: "m", stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:hel");
		upstream.fail("upstream/reset");
		await ended(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(call.body).toContain("t:hel");
		expect(call.body).toContain("refused");
		expect(await settled(bench)).toMatchObject({ ending: "vendor-broke-off" });
	});

	it("says what the last one said when all fail, and nothing is owed", async () => {
		const bench = await open({ attempts: { attempts: 1, fallbacks: 3 } });
		const { call } = await bench.called({ model: "m" });
		for (const status of [500, 503, 529]) {
			last(bench).head(status);
			last(bench).data(`{"said":${status}}`);
			last(bench).end();
			await bench.clock.settle();
		}
		await call.done;
		expect(vendors(bench)).toEqual(["one", "three", "two"]);
		expect(call.status).toBe(529);
		expect(call.body).toBe('{"said":529}');
		const [released] = await bench.events("credits-released");
		expect(released?.data).toMatchObject({ status: 529, substrate: "two/m" });
		expect(released?.data.attempts).toEqual([
			["one/m", "server http/500", 0],
			["three/m", "overload http/503", 0],
			["two/m", "overload http/529", 0],
		]);
		expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
	});

	it("goes no further than the owner allows", async () => {
		const bench = await open({ attempts: { attempts: 1, fallbacks: 1 } });
		const { call } = await bench.called({ model: "m" });
		for (const _ of [1, 2]) {
			last(bench).head(500);
			last(bench).end();
			await bench.clock.settle();
		}
		await call.done;
		expect(vendors(bench)).toEqual(["one", "three"]);
		expect(call.over).toBe("ended");
	});

	it("moves its hold before anything is sent elsewhere", async () => {
		const bench = await open();
		const { upstream } = await bench.called({ model: "m" });
		bench.log.fault = "log/disk-full";
		upstream.head(500);
		upstream.end();
		await bench.clock.settle();
		expect(vendors(bench)).toEqual(["one"]);
		delete bench.log.fault;
		const [moved] = await bench.events("hold-moved");
		expect(moved).toBeUndefined();
	});

	it("goes nowhere that its key has been kept from since it was decided", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({ model: "m" });
		await bench.route({
			type: "set-profile",
			of: "key",
			id: "key",
			profile: { needs: { sovereignty: ["own-machine"] } },
		});
		upstream.head(500);
		upstream.end();
		await ended(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(call.status).toBe(403);
		expect(call.body).toContain("route/barred");
		expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
	});

	it("is let go everywhere when its client leaves between two attempts", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({ model: "m" });
		upstream.head(500);
		upstream.end();
		call.leave();
		await ended(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
	});
});

describe("a call that may go to one only", () => {
	it("is tried once more after a while, within the time that is asked for", async () => {
		const bench = await open();
		const { call } = await bench.called({ model: "one/m" });
		last(bench).head(503, {
			"content-type": "application/json",
			"retry-after": "2",
		});
		last(bench).end();
		await bench.clock.settle();
		expect(vendors(bench)).toEqual(["one"]);
		await bench.clock.advance(1_999);
		expect(vendors(bench)).toEqual(["one"]);
		await bench.clock.advance(300);
		expect(vendors(bench)).toEqual(["one", "one"]);
		answer(last(bench));
		await ended(bench, call);
		expect(call.status).toBe(200);
		expect(await settled(bench)).toMatchObject({
			attempts: [
				["one/m", "overload http/503", 0],
				["one/m", "ok", expect.any(Number)],
			],
		});
	});

	it("does not wait for what is far away", async () => {
		const bench = await open();
		const { call } = await bench.called({ model: "one/m" });
		last(bench).head(429, {
			"content-type": "application/json",
			"retry-after": "120",
		});
		last(bench).end();
		await ended(bench, call);
		expect(call.status).toBe(429);
		expect(vendors(bench)).toEqual(["one"]);
	});

	it("ends while it waits when its client leaves", async () => {
		const bench = await open();
		const { call } = await bench.called({ model: "one/m" });
		last(bench).head(503);
		last(bench).end();
		await bench.clock.settle();
		call.leave();
		await ended(bench, call);
		await bench.clock.advance(60_000);
		expect(vendors(bench)).toEqual(["one"]);
		expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
	});
});

describe("a short call that waits for its answer", () => {
	const hedging = {
		attempts: {
			attempts: 1,
			fallbacks: 1,
			hedge: { after: 500, outputTokens: 100 },
		},
	};

	async function waiting(asked: object = {}, more = {}) {
		const bench = await open({ ...hedging, ...more });
		const { call, upstream } = await bench.called({ model: "m", ...asked });
		upstream.connect();
		await bench.clock.advance(500);
		return { bench, call, first: upstream, second: last(bench) };
	}

	it("asks a second one, holds for both, and pays the one that answers first", async () => {
		const { bench, call, first, second } = await waiting();
		expect(vendors(bench)).toEqual(["one", "three"]);
		expect(bench.account().held).toBe(2 * 1_100);
		answer(second);
		await ended(bench, call);
		expect(first.state).toBe("aborted");
		expect(call.headers["x-dos-substrate"]).toBe("three/m");
		expect(await settled(bench)).toMatchObject({
			substrate: "three/m",
			amount: 20,
			attempts: [
				["one/m", "passed route/slower", 500],
				["three/m", "ok", 0],
			],
		});
		expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
		expect(bench.violations).toEqual([]);
	});

	it("lets the second go when the first answers after all", async () => {
		const { bench, call, first, second } = await waiting();
		answer(first);
		await ended(bench, call);
		expect(second.state).toBe("aborted");
		expect(await settled(bench)).toMatchObject({
			substrate: "one/m",
			amount: 20,
		});
		expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
	});

	it.each([0, 1])(
		"goes on with the other when one fails (%i)",
		async (which) => {
			const { bench, call, first, second } = await waiting();
			const [failing, good] = which === 0 ? [first, second] : [second, first];
			failing.head(500);
			failing.end();
			await bench.clock.settle();
			expect(call.over).toBe("open");
			answer(good);
			await ended(bench, call);
			expect(call.status).toBe(200);
			expect(vendors(bench)).toEqual(["one", "three"]);
			expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
		},
	);

	it("ends when both fail", async () => {
		const { bench, call, first, second } = await waiting();
		for (const each of [first, second]) {
			each.head(500);
			each.end();
			await bench.clock.settle();
		}
		for (const each of bench.upstreams.slice(2)) {
			each.head(500);
			each.end();
		}
		await ended(bench, call);
		expect(call.over).toBe("ended");
		expect(bench.account()).toMatchObject({ held: 0, spent: 0 });
	});

	it("lets both go when its client leaves", async () => {
		const { bench, call, first, second } = await waiting();
		call.leave();
		await ended(bench, call);
		expect([first.state, second.state]).toEqual(["aborted", "aborted"]);
		expect(bench.account().held).toBe(0);
	});

	it.each([
		["is long", { max: 101 }, {}],
		["has no limit", { max: undefined }, {}],
		["has no money for two", {}, { grant: 1_500 }],
	])("asks nobody else when it %s", async (_, asked, more) => {
		const { bench } = await waiting(asked, more);
		expect(vendors(bench)).toHaveLength(1);
	});

	it("may still go on with the one that it could not ask beside the first", async () => {
		const { bench, call, first } = await waiting({}, { grant: 1_500 });
		first.head(500);
		first.end();
		await bench.clock.settle();
		expect(vendors(bench)).toEqual(["one", "three"]);
		answer(last(bench));
		await ended(bench, call);
		expect(call.headers["x-dos-substrate"]).toBe("three/m");
		expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
	});

	it("asks nobody else when that would cost more than the caller bounds", async () => {
		const bench = await open(hedging);
		const call = bench.call(
			{ model: "m" },
			{ headers: { "x-dos-needs": "cost-ceiling=2000" } },
		);
		await bench.clock.settle();
		last(bench).connect();
		await bench.clock.advance(500);
		expect(vendors(bench)).toEqual(["one"]);
		call.leave();
	});
});

describe("a vendor with several keys", () => {
	it("is asked with another when it refuses one", async () => {
		const bench = await open({ keys: { one: [testKey("a"), testKey("b")] } });
		const { call, upstream } = await bench.called({ model: "one/m" });
		const first = upstream.request.headers.authorization;
		upstream.head(401);
		upstream.end();
		await bench.clock.settle();
		const second = last(bench).request.headers.authorization;
		expect([first, second].sort()).toEqual(["Bearer a", "Bearer b"]);
		answer(last(bench));
		await ended(bench, call);
		expect(call.status).toBe(200);
	});
});

describe("where nothing may answer", () => {
	it("the call is refused, the refusal recorded, and nothing is sent", async () => {
		const bench = await open();
		const call = bench.call(
			{ model: "m" },
			{ headers: { "x-dos-needs": "sovereignty=own-machine" } },
		);
		await ended(bench, call);
		expect(call.status).toBe(403);
		expect(call.json()).toMatchObject({ code: "route/no-eligible-substrate" });
		expect(bench.upstreams).toEqual([]);
		const [refused] = await bench.events("route-refused");
		expect(refused?.data).toMatchObject({
			account: "main",
			key: "key",
			route: { catalogue: "c-three", order: [] },
		});
	});

	it("needs that are not understood are refused, not passed over", async () => {
		const bench = await open();
		const call = bench.call(
			{ model: "m" },
			{ headers: { "x-dos-needs": "sovreignty=own-machine" } },
		);
		await ended(bench, call);
		expect(call.status).toBe(400);
		expect(bench.upstreams).toEqual([]);
	});

	it("the cost that the caller bounds is the most that is held", async () => {
		const bench = await open();
		await bench.called(
			{ model: "one/m", max: 500 },
			{ headers: { "x-dos-needs": "cost-ceiling=1600" } },
		);
		expect(bench.account().held).toBe(1600);
		const body = JSON.parse(new TextDecoder().decode(last(bench).request.body));
		expect(body.limit).toBe(300);
	});
});

describe("an only key", () => {
	it.each([401, 402, 403, 429])(
		"does not rest because one call was answered %i",
		async (status) => {
			const bench = await open({ attempts: { attempts: 1, fallbacks: 0 } });
			for (const _ of [1, 2]) {
				const { call } = await bench.called({ model: "one/m" });
				last(bench).head(status);
				last(bench).end();
				await ended(bench, call);
			}
			expect(vendors(bench)).toEqual(["one", "one"]);
		},
	);

	it("rests as long as the vendor asks for", async () => {
		const bench = await open({ attempts: { attempts: 1, fallbacks: 0 } });
		const { call } = await bench.called({ model: "one/m" });
		last(bench).head(429, {
			"content-type": "application/json",
			"retry-after": "30",
		});
		last(bench).end();
		await ended(bench, call);
		const again = bench.call({ model: "one/m" });
		await ended(bench, again);
		expect(vendors(bench)).toEqual(["one"]);
		expect(again.status).toBe(429);
	});
});
