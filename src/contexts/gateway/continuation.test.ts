import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { PriceBook, PriceSheet, Usage } from "../../ports/price-book.ts";
import { type CostPart, priceUsage } from "../credits/index.ts";
import { fact, substrate } from "../routing/fixtures/substrates.ts";
import { defaultClasses } from "../routing/index.ts";
import { holdFor, sumOf } from "./continuation.ts";
import {
	openTestGateway,
	sheet,
	streamHead,
	type TestCall,
	type TestGateway,
	type TestUpstream,
} from "./gateway.testing.ts";
import type { Leg } from "./plan.ts";

/** Each at a price of its own, in micro-credits a token: 1 and 2, 3 and 5, 7 and 11. */
const priced = (id: string, input: number, output: number): PriceSheet => ({
	id,
	rates: {
		input: [{ from: 0, price: input * 1_000_000 }],
		output: [{ from: 0, price: output * 1_000_000 }],
	},
});
const sheets: Readonly<Record<string, PriceSheet>> = {
	one: priced("sheet one", 1, 2),
	three: priced("sheet three", 3, 5),
	two: priced("sheet two", 7, 11),
};
const prices: PriceBook = {
	version: "test",
	find: (vendor) => sheets[vendor],
	models: () => [],
};

/** In this order for a short answer. */
const catalogue: CatalogueSnapshot = {
	version: "c-three",
	substrates: [
		substrate("one/m", { tier: fact("small"), prices: fact(sheet.rates) }),
		substrate("three/m", {
			tier: fact("balanced"),
			prices: fact(sheet.rates),
		}),
		substrate("two/m", { tier: fact("flagship"), prices: fact(sheet.rates) }),
	],
	off: {},
};

function open(
	options: Parameters<typeof openTestGateway>[0] = {},
): Promise<TestGateway> {
	return openTestGateway({
		vendors: ["one", "two", "three"],
		catalogue,
		prices,
		attempts: { attempts: 1, fallbacks: 3 },
		...options,
	});
}

const allowed = { headers: { "x-dos-resume": "continue" } };
const asked = { model: "m", stream: true };
const vendorOf = ({ request }: TestUpstream) =>
	new URL(request.url).hostname.replace(".test", "");
const vendors = ({ upstreams }: TestGateway) => upstreams.map(vendorOf);
const last = ({ upstreams }: TestGateway) => upstreams.at(-1) as TestUpstream;

/** A call whose first substrate has begun to answer. */
async function begun(
	bench: TestGateway,
	more: object = {},
	words: readonly string[] = ["t:0123", "t:4567"],
): Promise<{ call: TestCall; upstream: TestUpstream }> {
	const made = await bench.called({ ...asked, ...more }, allowed);
	made.upstream.head(200, streamHead);
	for (const word of words) made.upstream.data(word);
	return made;
}

async function broken(
	bench: TestGateway,
	...rest: [more?: object, words?: readonly string[]]
): Promise<{ call: TestCall; upstream: TestUpstream }> {
	const made = await begun(bench, ...rest);
	made.upstream.fail("upstream/reset");
	await bench.clock.settle();
	return made;
}

function goOn(
	upstream: TestUpstream,
	words = ["t:89", "u:30,4", "d"],
	status = 200,
) {
	upstream.head(status, streamHead);
	for (const word of words) upstream.data(word);
	upstream.end();
}

/** The call has ended, as it should. */
async function ended(bench: TestGateway, call: TestCall): Promise<void> {
	await bench.clock.settle();
	await call.done;
	expect(call.violations).toEqual([]);
	expect(bench.violations).toEqual([]);
	expect(bench.reports).toEqual([]);
	expect(bench.account()).toMatchObject({ held: 0, holds: 0 });
}

/** The same, and what its one resolution says. */
async function over(bench: TestGateway, call: TestCall) {
	await ended(bench, call);
	const resolved = await bench.events(
		"credits-settled",
		"credits-released",
		"hold-expired",
	);
	expect(resolved).toHaveLength(1);
	return resolved[0]?.data;
}

/** Of the eight characters that were delivered, with an input that nobody counted: 250 × 1 and 2 × 2. */
const begunCost = 254;

describe("a stream that breaks off", () => {
	it.each([
		["by a reset", (one: TestUpstream) => one.fail("upstream/reset")],
		["by an end too soon", (one: TestUpstream) => one.end()],
		["by silence", (one: TestUpstream) => one.fail("upstream/idle-timeout")],
		[
			"in an error",
			(one: TestUpstream) => {
				one.data("e:overloaded");
				one.end();
			},
		],
	])("%s is gone on with by the next, marked", async (_, breakOff) => {
		const bench = await open();
		const { call, upstream } = await begun(bench);
		breakOff(upstream);
		await bench.clock.settle();
		expect(vendors(bench)).toEqual(["one", "three"]);
		expect(
			JSON.parse(new TextDecoder().decode(last(bench).request.body)),
		).toMatchObject({ model: "m" });
		goOn(last(bench));
		const data = await over(bench, call);
		expect(call).toMatchObject({ status: 200, over: "ended" });
		expect(call.body).toBe("t:0123t:4567[three/m after 8]t:89u:30,4d");
		expect(call.headers["x-dos-substrate"]).toBe("one/m");
		expect(data).toMatchObject({
			ending: "finished",
			substrate: "three/m",
			basis: "estimated",
			cost: begunCost + 30 * 3 + 4 * 5,
			amount: begunCost + 30 * 3 + 4 * 5,
			usage: { input: 280, output: 6 },
			lines: [],
			parts: [
				{
					substrate: "one/m",
					after: 0,
					cost: begunCost,
					basis: "estimated",
					sheet: "sheet one",
					usage: { input: 250, output: 2 },
				},
				{
					substrate: "three/m",
					after: 8,
					cost: 110,
					basis: "priced",
					sheet: "sheet three",
					usage: { input: 30, output: 4 },
				},
			],
		});
		expect(data).not.toHaveProperty("sheet");
		expect(data).not.toHaveProperty("inputBytes");
		expect(data.attempts.map(([id]: [string]) => id)).toEqual([
			"one/m",
			"three/m",
		]);
		expect(data.attempts[1][1]).toBe("ok");
		expect(bench.account()).toMatchObject({ spent: data.cost });
	});

	it("is gone on with where the body says so", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({
			...asked,
			dos: { resume: "continue" },
		});
		goOn(upstream, ["t:0123"]);
		await bench.clock.settle();
		goOn(last(bench));
		await over(bench, call);
		expect(call.body).toBe("t:0123[three/m after 4]t:89u:30,4d");
	});

	it("ends in an error where its client did not allow it", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called(asked);
		upstream.head(200, streamHead);
		upstream.data("t:01234567");
		upstream.fail();
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(call.body).toBe("t:01234567\nrefused upstream/reset");
		expect(data).toMatchObject({ ending: "vendor-broke-off", cost: begunCost });
		expect(data).not.toHaveProperty("parts");
		expect(data.notes.join()).not.toContain("went on");
	});

	it.each([
		[{ headers: { "x-dos-resume": "yes" } }, {}, "x-dos-resume"],
		[{ headers: { "x-dos-resume": "" } }, {}, "x-dos-resume"],
		[{}, { dos: { resume: true } }, "dos"],
		[{}, { dos: { resume: "always" } }, "dos"],
	])(
		"is not allowed to by what is no word for it: %j %j",
		async (options, more, field) => {
			const bench = await open();
			const call = bench.call({ ...asked, ...more }, options);
			await bench.clock.settle();
			expect(call.json()).toMatchObject({
				code: "request/invalid",
				details: { field },
			});
			expect(bench.upstreams).toEqual([]);
		},
	);

	it("is held for before another is asked: what is owed, and what that takes", async () => {
		const bench = await open();
		await broken(bench);
		const [moved] = await bench.events("hold-moved");
		// 1,000 input tokens and 48 of output are left of the limit of 50.
		const needed = 1_000 * 3 + 48 * 5;
		expect(moved?.data).toMatchObject({
			substrate: "three/m",
			amount: begunCost + needed,
		});
		expect(bench.account().held).toBe(begunCost + needed);
		last(bench).fail();
		await bench.clock.settle();
	});

	it("costs no more than was held, with the limit that a small balance pays for", async () => {
		const grant = 254 + 3_000 + 5 * 300;
		const bench = await open({ grant });
		const { call } = await broken(bench, {
			max: 400,
			dos: { needs: { difficulty: "easy", callType: "chat" } },
		});
		const sent = JSON.parse(new TextDecoder().decode(last(bench).request.body));
		expect(sent.limit).toBe(300);
		goOn(last(bench), ["t:89", "u:1000,300", "d"]);
		const data = await over(bench, call);
		expect(data).toMatchObject({ cost: grant, amount: grant });
		expect(data).not.toHaveProperty("uncollected");
		expect(bench.account().spent).toBe(grant);
	});

	it.each([
		["the account cannot pay for more", { grant: 1_200 }, {}],
		[
			"the caller's ceiling for the whole leaves no room",
			{},
			{ dos: { needs: { costCeiling: 2_000 } } },
		],
		["no fallback is allowed", { attempts: { attempts: 1, fallbacks: 0 } }, {}],
		["nobody else may answer", { vendors: ["one"] }, {}],
		["its limit was used up", {}, { max: 2 }],
	])(
		"ends in an error where %s, and what was begun is paid",
		async (_, options, more) => {
			const bench = await open(options);
			const { call } = await broken(bench, more);
			const data = await over(bench, call);
			expect(vendors(bench)).toEqual(["one"]);
			expect(call.body).toBe("t:0123t:4567\nrefused upstream/reset");
			expect(data).toMatchObject({
				ending: "vendor-broke-off",
				cost: begunCost,
				amount: begunCost,
			});
			expect(data.notes.join()).toMatch(/nobody went on with it/i);
		},
	);

	it("ends in an error where it cannot be gone on with, and says why", async () => {
		const bench = await open();
		const { call } = await broken(bench, {}, ["t:0123", "x:"]);
		const data = await over(bench, call);
		expect(call.body).toBe("t:0123x:\nrefused upstream/reset");
		expect(data.notes).toContain("Nobody went on with it: it is stuck.");
		expect(data).not.toHaveProperty("parts");
	});

	it("has to be a stream, and the receipt of a plain answer says so", async () => {
		const bench = await open();
		const { call, upstream } = await bench.called({ model: "m" }, allowed);
		upstream.head();
		upstream.data("t:01234567");
		upstream.fail();
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(call.json().code).toBe("upstream/reset");
		expect(data).toMatchObject({ cost: begunCost });
		expect(data.notes.join()).toContain("a stream of plain text");
	});

	it("ends in the vendor's refusal where that stood in the stream and nobody can go on", async () => {
		const bench = await open({ vendors: ["one"] });
		const { call, upstream } = await begun(bench);
		upstream.data("e:overloaded");
		upstream.end();
		await over(bench, call);
		expect(call.body).toBe("t:0123t:4567\nrefused vendor/error");
	});

	it("is gone on with once", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		last(bench).head(200, streamHead);
		last(bench).data("t:89");
		last(bench).fail();
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one", "three"]);
		expect(call.body).toBe(
			"t:0123t:4567[three/m after 8]t:89\nrefused upstream/reset",
		);
		// 250 input tokens of the second as well, and one of output.
		expect(data).toMatchObject({
			ending: "vendor-broke-off",
			cost: begunCost + 250 * 3 + 1 * 5,
			attempts: [
				["one/m", "broke-off", 0],
				["three/m", "broke-off", 0],
			],
		});
		expect(data.parts.map(({ cost }: CostPart) => cost)).toEqual([
			begunCost,
			755,
		]);
	});

	it.each([
		["refuses", (two: TestUpstream) => goOn(two, ["no"], 503)],
		["cannot be reached", (two: TestUpstream) => two.fail("upstream/connect")],
		["says nothing", (two: TestUpstream) => goOn(two, [])],
		[
			"answers with no stream",
			(two: TestUpstream) => {
				two.head(200, { "content-type": "application/json" });
				two.data("t:all of it");
				two.end();
			},
		],
	])(
		"goes on further down the list where the next one %s",
		async (_, fails) => {
			const bench = await open();
			const { call } = await broken(bench);
			fails(last(bench));
			await bench.clock.settle();
			// Once more at once, where it cannot have arrived.
			if (vendorOf(last(bench)) === "three")
				last(bench).fail("upstream/connect");
			await bench.clock.settle();
			expect(vendorOf(last(bench))).toBe("two");
			goOn(last(bench));
			const data = await over(bench, call);
			expect(call.body).toBe("t:0123t:4567[two/m after 8]t:89u:30,4d");
			expect(data).toMatchObject({
				ending: "finished",
				status: 200,
				cost: begunCost + 30 * 7 + 4 * 11,
			});
			expect(data.parts.map(({ substrate }: CostPart) => substrate)).toEqual([
				"one/m",
				"two/m",
			]);
			expect(data.attempts).toHaveLength(3);
		},
	);

	it("ends in the error of what broke off where every other one fails, and pays that alone", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		goOn(last(bench), ["no"], 503);
		await bench.clock.settle();
		goOn(last(bench), ["no"], 400);
		const data = await over(bench, call);
		expect(call.body).toBe("t:0123t:4567\nrefused upstream/reset");
		expect(data).toMatchObject({
			ending: "vendor-broke-off",
			status: 200,
			cost: begunCost,
			attempts: [
				["one/m", "broke-off", 0],
				["three/m", "overload http/503", 0],
				["two/m", "http/400", 0],
			],
		});
		expect(data.parts).toEqual([
			expect.objectContaining({ substrate: "one/m", cost: begunCost }),
		]);
	});

	it("is gone on with from the start where nothing is owed yet, though the client has a beginning", async () => {
		const bench = await open();
		const { call } = await broken(bench, {}, ["a beginning "]);
		goOn(last(bench));
		const data = await over(bench, call);
		expect(call.body).toBe("a beginning [three/m after 0]t:89u:30,4d");
		expect(data).toMatchObject({ cost: 110, basis: "priced" });
		expect(data.parts).toEqual([
			expect.objectContaining({ substrate: "three/m", after: 0, cost: 110 }),
		]);
	});

	it("ends in an error where the next one has said something for nothing", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		last(bench).head(200, streamHead);
		last(bench).data("x:");
		last(bench).fail();
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one", "three"]);
		expect(call.body).toBe(
			"t:0123t:4567[three/m after 8]x:\nrefused upstream/reset",
		);
		expect(data).toMatchObject({ cost: begunCost });
	});

	it("is not gone on with where its end had come", async () => {
		const bench = await open();
		const { call } = await broken(bench, {}, ["t:01234567", "d"]);
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(data.notes).toContain("Nobody went on with it: its end had come.");
	});

	it("is not gone on with when the call's time is over", async () => {
		const bench = await open();
		const { call, upstream } = await begun(bench);
		await bench.clock.advance(60_000);
		upstream.fail();
		const data = await over(bench, call);
		expect(vendors(bench)).toEqual(["one"]);
		expect(data.notes.join()).toContain("no further attempt was allowed");
	});

	it("does not multiply calls: the budget of retries bounds it", async () => {
		const bench = await open();
		const made = [];
		for (let count = 0; count < 60; count++) made.push(await begun(bench));
		for (const { upstream } of made) upstream.fail();
		await bench.clock.settle();
		const went = bench.upstreams.length - made.length;
		expect(went).toBeGreaterThan(0);
		expect(went).toBeLessThan(made.length);
		const settled = await bench.events("credits-settled");
		expect(settled).toHaveLength(made.length - went);
		expect(settled[0]?.data.notes).toContain(
			"Nobody went on with it: too many calls are tried again.",
		);
		await bench.gateway.stop();
	});

	it("counts against whom broke off, and for whom went on", async () => {
		const bench = await open();
		for (let count = 0; count < 5; count++) {
			const { call } = await broken(bench);
			goOn(last(bench));
			await ended(bench, call);
		}
		const { upstream } = await bench.called(asked);
		expect(vendorOf(upstream)).toBe("three");
		upstream.fail();
	});

	it("began for its client when the first word came", async () => {
		const bench = await open();
		const made = await bench.called(asked, allowed);
		await bench.clock.advance(20);
		made.upstream.head(200, streamHead);
		made.upstream.data("t:0123");
		await bench.clock.advance(30);
		made.upstream.fail();
		await bench.clock.settle();
		await bench.clock.advance(50);
		goOn(last(bench));
		const data = await over(bench, made.call);
		expect(data.timing).toEqual({ firstByte: 20, total: 100 });
	});

	it("is paid as far as it came where the gateway fails before it asks the next", async () => {
		const bench = await open({
			catalogue: {
				...catalogue,
				substrates: [
					catalogue.substrates[0] as never,
					substrate("three/unforwardable", {
						name: "m",
						tier: fact("balanced"),
					}),
				],
			},
		});
		const { call } = await broken(bench);
		await call.done;
		expect(bench.reports).toEqual([expect.stringContaining("failed inside")]);
		const [event] = await bench.events("credits-settled");
		expect(event?.data).toMatchObject({ ending: "stopped", cost: begunCost });
		expect(bench.account()).toMatchObject({ held: 0, holds: 0 });
		expect(call.body).toBe("t:0123t:4567\nrefused gateway/internal");
	});

	it("is shown to no candidate, which is held against one substrate's answer", async () => {
		const bench = await open({
			shadow: {
				rules: [{ to: "two/m", share: 1, account: "main" }],
				conversations: {
					asked: () => [],
					answered: () => "",
					ask: () => {
						throw new Error("nobody judges");
					},
				},
			},
		});
		const { call } = await broken(bench);
		goOn(last(bench));
		await over(bench, call);
		await bench.clock.advance(10);
		expect(vendors(bench)).toEqual(["one", "three"]);
		const next = await bench.called(asked, allowed);
		goOn(next.upstream);
		await bench.clock.settle();
		await bench.clock.advance(10);
		expect(vendors(bench)).toEqual(["one", "three", "one", "two"]);
		last(bench).fail();
		await bench.clock.settle();
	});

	it("goes nowhere that the policy has barred since", async () => {
		const bench = await open();
		const { call, upstream } = await begun(bench);
		await bench.route({
			type: "record-policy",
			by: "owner",
			policy: {
				version: "p-1",
				classes: defaultClasses,
				broken: [],
				postures: [
					{
						id: "no-three",
						by: "owner",
						why: "a test",
						from: 0,
						scope: {},
						allow: [],
						deny: [{ vendor: ["three"] }],
						require: [],
						prefer: [],
					},
				],
			},
		});
		upstream.fail();
		await bench.clock.settle();
		expect(vendors(bench)).toEqual(["one", "two"]);
		goOn(last(bench));
		await over(bench, call);
	});

	it.each([
		["before the next is asked", 0],
		["before it answers", 1],
		["while it answers", 2],
	])(
		"is paid as far as it came where the client leaves %s",
		async (_, steps) => {
			const bench = await open();
			const { call, upstream } = await begun(bench);
			upstream.fail();
			if (steps > 0) await bench.clock.settle();
			if (steps > 1) {
				last(bench).head(200, streamHead);
				last(bench).data("t:89");
			}
			call.leave();
			const data = await over(bench, call);
			expect(vendors(bench)).toEqual(steps > 0 ? ["one", "three"] : ["one"]);
			expect(data).toMatchObject({
				ending: "client-gone",
				cost: [begunCost, begunCost, begunCost + 755][steps],
			});
		},
	);

	it("is paid as far as it came where the gateway stops", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		const stopped = bench.gateway.stop();
		await bench.clock.settle();
		await stopped;
		const data = await over(bench, call);
		expect(data).toMatchObject({ ending: "stopped", cost: begunCost });
		expect(call.body).toBe("t:0123t:4567\nrefused gateway/stopping");
	});

	it("is charged once under an idempotency key, and given again as its client saw it", async () => {
		const bench = await open();
		const options = { ...allowed, retry: "r-1" };
		const { call, upstream } = await bench.called(asked, options);
		goOn(upstream, ["t:0123"]);
		await bench.clock.settle();
		goOn(last(bench));
		const { cost } = await over(bench, call);
		const again = bench.call(asked, options);
		await again.done;
		expect(again.body).toBe(call.body);
		expect(again.headers["x-dos-replayed"]).toBe("true");
		expect(bench.account().spent).toBe(cost);
		const other = bench.call(asked, { retry: "r-1" });
		await bench.clock.settle();
		expect(other.json().code).toBe("idempotency/mismatch");
	});

	it("is not kept for like requests, while one that did not break is", async () => {
		const bench = await open();
		await bench.route({
			type: "set-profile",
			of: "key",
			id: "key",
			profile: { cache: 60_000 },
		});
		const { call } = await broken(bench);
		goOn(last(bench));
		await over(bench, call);
		const next = await bench.called(asked, allowed);
		expect(bench.upstreams).toHaveLength(3);
		goOn(next.upstream, ["t:whole", "u:1,1", "d"]);
		await bench.clock.settle();
		await next.call.done;
		const third = bench.call(asked, allowed);
		await bench.clock.settle();
		await third.done;
		expect(third.headers["x-dos-cached-from"]).toBe(
			next.call.headers["x-dos-call-id"],
		);
	});

	it("is told on its receipt part by part", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		goOn(last(bench));
		await over(bench, call);
		const id = call.headers["x-dos-call-id"] as string;
		const receipt = await bench.gateway.receipt(id, "main");
		if (!receipt.ok) throw new Error(receipt.error.code);
		const { charged, lines, parts = [] } = receipt.value;
		expect(lines).toEqual([]);
		expect(receipt.value).not.toHaveProperty("sum");
		expect(parts.map(({ sum }) => sum)).toEqual([
			{ exact: "254", rounded: 254 },
			{ exact: "110", rounded: 110 },
		]);
		expect(charged).toBe(254 + 110);
	});

	it("counts for each vendor what is its own", async () => {
		const bench = await open();
		const { call } = await broken(bench);
		goOn(last(bench));
		await over(bench, call);
		const text = bench.gateway.metrics.render();
		expect(text).toContain('dos_micro_credits_total{vendor="one"} 254');
		expect(text).toContain('dos_micro_credits_total{vendor="three"} 110');
		expect(text).toContain('dos_continuations_total{vendor="three"} 1');
	});
});

describe("what an answer in parts costs", () => {
	const price = fc.integer({ min: 0, max: 10 ** 9 });
	const units = fc.integer({ min: 0, max: 10 ** 6 });
	const costed = fc
		.tuple(price, price, units, units)
		.map(([input, output, read, said]): CostPart => {
			const rates = priced("s", 0, 0).rates;
			const sheet = {
				id: "s",
				rates: {
					...rates,
					input: [{ from: 0, price: input }],
					output: [{ from: 0, price: output }],
				},
			};
			const usage: Usage = { input: read, output: said };
			const outcome = priceUsage(sheet, usage);
			if (!outcome.ok) throw new Error(outcome.error.code);
			const { cost, lines } = outcome.value;
			return {
				substrate: "v/m",
				after: 0,
				sheet: "s",
				basis: "priced",
				cost,
				usage,
				lines,
			};
		});

	it("is the sum of what each costs at its own price, and no line is lost", () => {
		fc.assert(
			fc.property(fc.array(costed, { minLength: 1, maxLength: 3 }), (parts) => {
				const sum = sumOf(parts);
				const exact = parts.map(({ lines }) =>
					lines.reduce(
						(total, line) => total + BigInt(line.units) * BigInt(line.price),
						0n,
					),
				);
				const roundedUp = exact.map((each) => (each + 999_999n) / 1_000_000n);
				expect(BigInt(sum.cost)).toBe(
					roundedUp.reduce((one, other) => one + other, 0n),
				);
				expect(sum.lines).toEqual([]);
				expect(sum.parts).toEqual(parts);
				for (const name of ["input", "output"] as const)
					expect(sum.usage[name]).toBe(
						parts.reduce((total, { usage }) => total + (usage[name] ?? 0), 0),
					);
			}),
		);
	});

	it("is as sure as the least sure of them", () => {
		const with_ = (basis: CostPart["basis"]): CostPart => ({
			substrate: "v/m",
			after: 0,
			sheet: "s",
			cost: 1,
			usage: {},
			lines: [],
			basis,
		});
		expect(sumOf([with_("priced"), with_("estimated")]).basis).toBe(
			"estimated",
		);
		expect(sumOf([with_("reported"), with_("reported")]).basis).toBe(
			"reported",
		);
		expect(sumOf([with_("reported"), with_("fixed")]).basis).toBe("priced");
	});

	it("is held for within the caller's ceiling, never below what is owed and needed", () => {
		fc.assert(
			fc.property(
				units,
				units,
				units,
				fc.option(units, { nil: undefined }),
				(amount, least, owed, ceiling) => {
					const leg = { amount, size: { atLeast: least } } as Leg;
					const hold = holdFor(leg, owed, ceiling);
					const needed = owed + Math.min(least, amount);
					expect(hold === undefined).toBe(needed > (ceiling ?? Infinity));
					if (!hold) return;
					expect(hold.atLeast).toBe(needed);
					expect(hold.amount).toBe(
						Math.min(owed + amount, ceiling ?? Infinity),
					);
					expect(hold.amount).toBeGreaterThanOrEqual(hold.atLeast);
				},
			),
		);
	});
});

it("settles any two parts exactly, and never above the hold that they fit", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
			fc.option(
				fc.record({
					input: fc.integer({ min: 0, max: 1_000 }),
					output: fc.integer({ min: 0, max: 12 }),
				}),
				{ nil: undefined },
			),
			fc.record({
				input: fc.integer({ min: 0, max: 1_000 }),
				output: fc.integer({ min: 0, max: 12 }),
			}),
			async (lengths, reported, second) => {
				const bench = await open();
				const words = [
					...lengths.map((length) => `t:${"x".repeat(length)}`),
					...(reported ? [`u:${reported.input},${reported.output}`] : []),
				];
				const { call } = await broken(bench, { max: 40 }, words);
				const [moved] = await bench.events("hold-moved");
				goOn(last(bench), ["t:on", `u:${second.input},${second.output}`, "d"]);
				const data = await over(bench, call);
				const delivered = lengths.reduce((sum, each) => sum + each, 0);
				const first = reported
					? reported.input * 1 + reported.output * 2
					: 250 * 1 + Math.min(40, Math.ceil(delivered / 4)) * 2;
				const next = second.input * 3 + second.output * 5;
				expect(data.parts.map(({ cost }: CostPart) => cost)).toEqual([
					first,
					next,
				]);
				expect(data).toMatchObject({
					cost: first + next,
					amount: first + next,
				});
				expect(data.amount).toBeLessThanOrEqual(moved?.data.amount);
				expect(bench.account().spent).toBe(first + next);
			},
		),
		{ numRuns: 60 },
	);
});
