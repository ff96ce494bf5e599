import { describe, expect, it } from "vitest";
import type { EventLog } from "../../ports/event-log.ts";
import {
	brokenKey,
	heldInput,
	openTestGateway,
	streamHead,
	type TestGateway,
	type TestUpstream,
	usualInput,
} from "./gateway.testing.ts";

const resolutions = [
	"credits-settled",
	"credits-released",
	"hold-expired",
] as const;

/** The one resolution in the log. */
async function resolution(bench: TestGateway) {
	await bench.clock.settle();
	const [only, ...more] = await bench.events(...resolutions);
	expect(more).toEqual([]);
	return only;
}

describe("a plain answer", () => {
	it("ends once it is paid, and says what it cost and where it came from", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		expect(bench.account()).toMatchObject({ held: heldInput + 100, holds: 1 });
		upstream.head(200, {
			"content-type": "application/json",
			"request-id": "r1",
			"set-cookie": "no",
		});
		upstream.data("t:hello");
		upstream.data("u:10,5");
		upstream.data("d");
		upstream.end();
		expect(call.over).toBe("open");
		await call.done;
		expect(call).toMatchObject({
			status: 200,
			over: "ended",
			body: "t:hellou:10,5d",
			headers: {
				"content-type": "application/json",
				"content-length": "14",
				"request-id": "r1",
				"x-dos-call-id": "call_c1",
				"x-dos-credits": "20",
				"x-dos-substrate": "mock/m",
			},
		});
		expect(call.headers).not.toHaveProperty("set-cookie");
		expect(await resolution(bench)).toMatchObject({
			type: "credits-settled",
			data: { amount: 20, basis: "priced", ending: "finished", status: 200 },
		});
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
		const metrics = bench.gateway.metrics.render();
		for (const line of [
			'dos_calls_total{operation="chat",vendor="mock",ending="finished"} 1',
			'dos_micro_credits_total{vendor="mock"} 20',
			'dos_units_total{vendor="mock",class="output"} 5',
			'dos_call_seconds_count{operation="chat"} 1',
			"dos_calls_in_flight 0",
			"dos_holds_open 0",
			"dos_held_micro_credits 0",
		])
			expect(metrics).toContain(`${line}\n`);
	});

	it("too large to gather flows from then on, and stops the vendor while the client is slow", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		const large = `t:${"x".repeat(700_000)}`;
		upstream.data(large);
		expect(call.status).toBe(0);
		call.slow = true;
		upstream.data(large);
		expect(call.status).toBe(200);
		expect(call.body).toBe(large + large);
		expect(upstream.paused).toBe(true);
		call.drain();
		expect(upstream.paused).toBe(false);
		upstream.data("d");
		upstream.end();
		await call.done;
		expect(call.over).toBe("ended");
		expect(call.headers).not.toHaveProperty("x-dos-credits");
		expect(call.violations).toEqual([]);
	});

	it("that breaks off half-way is refused, and what came of it is paid", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("t:12345678");
		upstream.end();
		await call.done;
		expect(call.status).toBe(502);
		expect(call.json().code).toBe("vendor/broke-off");
		// Two tokens of output at four bytes each, and the input as expected.
		expect(call.headers["x-dos-credits"]).toBe(String(usualInput + 4));
		expect(await resolution(bench)).toMatchObject({
			data: {
				ending: "vendor-broke-off",
				basis: "estimated",
				amount: usualInput + 4,
			},
		});
	});

	it("that had begun to flow and breaks off is seen to be broken", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data(`t:${"x".repeat(1_100_000)}`);
		upstream.fail();
		await call.done;
		expect(call).toMatchObject({ status: 200, over: "aborted" });
		expect(await resolution(bench)).toMatchObject({ type: "credits-settled" });
	});

	it("with a model's odd name and a vendor's odd header does not fail over either", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ model: "mock/模型 1" });
		upstream.head(200, {
			"content-type": "application/json",
			"request-id": "a\u0001b",
			"x-request-id": "日",
		});
		upstream.data("u:1,1");
		upstream.data("d");
		upstream.end();
		await call.done;
		expect(call.status).toBe(200);
		expect(call.headers["x-dos-substrate"]).toBe("mock/%E6%A8%A1%E5%9E%8B 1");
		expect(call.headers).not.toHaveProperty("request-id");
		expect(call.headers).not.toHaveProperty("x-request-id");
	});
});

describe("a stream", () => {
	it("flows as it comes, says what is held, and ends once it is paid", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:hello");
		expect(call).toMatchObject({ status: 200, body: "t:hello" });
		expect(call.headers).toMatchObject({
			"x-dos-held": String(heldInput + 100),
			"cache-control": "no-cache",
		});
		upstream.data("u:10,5");
		upstream.data("h:held back");
		upstream.data("d");
		upstream.end();
		expect(call.over).toBe("open");
		await call.done;
		expect(call.over).toBe("ended");
		expect(call.body).toBe("t:hellou:10,5dh:held back");
		expect(bench.account().spent).toBe(20);
	});

	it("that began and delivered nothing costs nothing", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("h:held back ");
		upstream.fail("upstream/idle-timeout");
		await call.done;
		expect(call.over).toBe("ended");
		expect(call.body).toContain("held back \nrefused upstream/idle-timeout");
		expect(await resolution(bench)).toMatchObject({
			type: "credits-released",
			data: { ending: "timeout" },
		});
		expect(bench.account().spent).toBe(0);
	});

	it("with the vendor's own error passes it on once, and the log does not repeat its words", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("e:you said my secret prompt");
		upstream.end();
		await call.done;
		expect(call).toMatchObject({
			over: "ended",
			body: "e:you said my secret prompt",
		});
		const event = await resolution(bench);
		expect(event).toMatchObject({
			type: "credits-released",
			data: { ending: "vendor-error" },
		});
		expect(JSON.stringify(event)).not.toContain("secret prompt");
	});

	it("whose meter throws ends with an error, is paid, and keeps the process alive and the prompt unsaid", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:12345678");
		upstream.data("!");
		await call.done;
		expect(upstream.state).toBe("aborted");
		expect(call.over).toBe("ended");
		expect(call.body).toContain("gateway/internal");
		expect(await resolution(bench)).toMatchObject({
			type: "credits-settled",
			data: { ending: "stopped", amount: usualInput + 4 },
		});
		expect(bench.reports.join()).toContain("SyntaxError");
		expect(bench.reports.join()).not.toContain("secret");
	});
});

describe("the gateway's own failures", () => {
	it("before anything is sent give the hold back", async () => {
		const bench = await openTestGateway();
		const call = bench.call({ model: "mock/unforwardable" });
		await call.done;
		expect(call.status).toBe(500);
		expect(call.json().code).toBe("gateway/internal");
		expect(bench.upstreams).toEqual([]);
		expect(await resolution(bench)).toMatchObject({
			type: "credits-released",
			data: { ending: "not-sent" },
		});
		expect(bench.reports.join()).toContain("TypeError");
		expect(bench.reports.join() + call.body).not.toContain("secret");
	});

	it.each([
		["here", false],
		["by another replica, and not seen here yet", true],
	])(
		"before there is anything to send give back a hold that was recorded %s",
		async (_, forwards) => {
			const bench = await openTestGateway({
				forwards,
				keys: { mock: [brokenKey] },
			});
			const call = bench.call();
			await call.done;
			expect(call.json().code).toBe("gateway/internal");
			expect(bench.upstreams).toEqual([]);
			expect(await resolution(bench)).toMatchObject({
				type: "credits-released",
				data: { ending: "not-sent" },
			});
		},
	);

	it("with nothing left to ask are paid by what passed", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:123456");
		upstream.data("!!");
		await call.done;
		expect(await resolution(bench)).toMatchObject({
			type: "credits-settled",
			data: { ending: "stopped", amount: usualInput + 4 },
		});
	});

	it("a client leaving a call whose meter is broken is not one", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("!!");
		call.leave();
		await call.done;
		expect(upstream.state).toBe("aborted");
		await resolution(bench);
	});

	it("a client that leaves once it has seen the protocol's own end has had a whole answer", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		for (const word of ["t:12345678", "u:10,3", "d"]) upstream.data(word);
		call.leave();
		await call.done;
		expect(upstream.state).toBe("aborted");
		expect(await resolution(bench)).toMatchObject({
			data: { ending: "finished", basis: "priced" },
		});
	});

	it("an edge that speaks on after it was told to stop changes nothing", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:12345678");
		call.leave();
		upstream.sink.end();
		upstream.sink.fail({ code: "upstream/reset", message: "", unsent: false });
		await call.done;
		await bench.clock.settle();
		expect(await resolution(bench)).toMatchObject({
			data: { ending: "client-gone" },
		});
		expect(call.violations).toEqual([]);
		expect(bench.reports).toEqual([]);
	});
});

describe("a vendor that refuses", () => {
	async function refusedWith(
		status: number,
		headers: Record<string, string>,
		...words: string[]
	) {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head(status, headers);
		for (const word of words) upstream.data(word);
		upstream.end();
		await call.done;
		expect(await resolution(bench)).toMatchObject({
			type: "credits-released",
			data: { ending: "vendor-error", status },
		});
		expect(call.violations).toEqual([]);
		return { bench, call, upstream };
	}
	const json = { "content-type": "application/json" };

	it("is passed on word for word", async () => {
		const { call } = await refusedWith(400, json, '{"error":', '"no"}');
		expect(call).toMatchObject({ status: 400, body: '{"error":"no"}' });
		expect(call.headers["x-dos-credits"]).toBe("0");
	});

	it.each([
		["in words that are no JSON", 500, { "content-type": "text/html" }, "<p>"],
		["and repeats the owner's key", 500, json, '{"a":"vendor-secret"}'],
		["in more words than anybody reads", 500, json, "x".repeat(70_000)],
		["with a status that is none", 999, json, "{}"],
		["with a redirect", 302, json, "{}"],
		["the owner's key", 401, json, "{}"],
		["for the owner's balance", 402, json, "{}"],
	])("%s is answered in our words", async (_, status, headers, words) => {
		const { call, bench } = await refusedWith(status, headers, words);
		expect(call.status).toBe(502);
		expect(call.json().code).toMatch(/^vendor\//);
		expect(call.body + bench.reports.join()).not.toContain("vendor-secret");
	});

	it("without end is cut off", async () => {
		const { upstream } = await refusedWith(500, json, "x".repeat(70_000));
		expect(upstream.state).toBe("aborted");
	});
});

describe("a vendor that cannot be reached", () => {
	it("is tried once more, and owed nothing", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.fail("upstream/connect");
		expect(bench.upstreams).toHaveLength(2);
		bench.upstreams[1]?.fail("upstream/connect");
		await call.done;
		expect(bench.upstreams).toHaveLength(2);
		expect(call.json().code).toBe("upstream/connect");
		expect(await resolution(bench)).toMatchObject({
			type: "credits-released",
			data: { ending: "not-sent" },
		});
	});

	it("is not waited for twice", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.fail("upstream/connect-timeout");
		await call.done;
		expect(call.status).toBe(504);
		expect(bench.upstreams).toHaveLength(1);
	});

	it("is never sent anew what it may have received", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.connect();
		upstream.fail("upstream/reset");
		await call.done;
		expect(bench.upstreams).toHaveLength(1);
		expect(call.status).toBe(502);
		expect(bench.account()).toMatchObject({ spent: 0, held: 0 });
	});
});

describe("a client that leaves", () => {
	const moments: [string, (upstream: TestUpstream) => void, number][] = [
		["while the vendor is being connected to owes nothing", () => {}, 0],
		[
			"after the request was sent pays its input",
			(up) => up.connect(),
			usualInput,
		],
		[
			"after the head pays the input",
			(up) => up.head(200, streamHead),
			usualInput,
		],
		[
			"in the middle pays what was delivered",
			(up) => {
				up.head(200, streamHead);
				up.data("t:12345678");
			},
			usualInput + 4,
		],
		[
			"after usage came pays exactly that",
			(up) => {
				up.head(200, streamHead);
				up.data("t:12345678");
				up.data("u:10,3");
			},
			16,
		],
		[
			"over a vendor's refusal owes nothing",
			(up) => {
				up.head(500);
				up.data("{");
			},
			0,
		],
	];
	it.each(moments)("%s", async (_, act, spent) => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		act(upstream);
		call.leave();
		expect(upstream.state).toBe("aborted");
		await call.done;
		expect(await resolution(bench)).toMatchObject({
			data: { ending: "client-gone" },
		});
		expect(bench.account()).toMatchObject({ spent, held: 0 });
		expect(call.violations).toEqual([]);
	});

	it("while paused by its own slowness lets the vendor go", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		call.slow = true;
		upstream.data("t:12345678");
		expect(upstream.paused).toBe(true);
		call.leave();
		await call.done;
		expect(upstream.state).toBe("aborted");
		expect(bench.account()).toMatchObject({ spent: usualInput + 4, held: 0 });
	});

	it("while its hold is being recorded: nothing is sent, nothing is owed", async () => {
		const bench = await openTestGateway();
		const call = bench.call();
		// Far enough that the command is with the head, and no further.
		while (bench.account().held === 0) await Promise.resolve();
		call.leave();
		await call.done;
		expect(bench.upstreams).toEqual([]);
		expect(await resolution(bench)).toMatchObject({
			type: "credits-released",
			data: { ending: "client-gone" },
		});
	});

	it("before its body has come: nothing is held", async () => {
		const bench = await openTestGateway();
		let send = (_: Uint8Array): void => {};
		const body = new Promise<Uint8Array>((resolve) => {
			send = resolve;
		});
		const call = bench.call({}, { body });
		await bench.clock.settle();
		call.leave();
		send(new TextEncoder().encode('{"model":"mock/m"}'));
		await call.done;
		expect(await bench.events("credits-held")).toEqual([]);
	});

	it("while it is being settled changes nothing", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("u:10,5");
		upstream.data("d");
		upstream.end();
		call.leave();
		await call.done;
		expect(await resolution(bench)).toMatchObject({
			data: { ending: "finished", amount: 20 },
		});
	});
});

describe("a log that refuses", () => {
	it("the hold: nothing is sent, and the call can be made again", async () => {
		const bench = await openTestGateway();
		bench.log.fault = "log/full";
		const call = bench.call();
		await call.done;
		expect(call).toMatchObject({ status: 503, over: "ended" });
		expect(call.json().code).toBe("log/full");
		expect(bench.upstreams).toEqual([]);
		delete bench.log.fault;
		const { call: second, upstream } = await bench.called();
		upstream.connect();
		upstream.fail();
		await second.done;
		expect(bench.account()).toMatchObject({ held: 0, holds: 0 });
	});

	it.each([
		["the settlement", true, 20],
		["the release", false, 0],
	])(
		"%s: it is told once and recorded as soon as it can be",
		async (_, finishes, spent) => {
			const bench = await openTestGateway();
			const { call, upstream } = await bench.called();
			upstream.head(finishes ? 200 : 500);
			upstream.data(finishes ? "u:10,5" : "{}");
			upstream.data(finishes ? "d" : " ");
			bench.log.fault = "log/busy";
			upstream.end();
			await call.done;
			expect(call.over).toBe("ended");
			await bench.clock.advance(20_000);
			expect(bench.account().holds).toBe(1);
			expect(
				bench.reports.filter((line) => line.includes("could not be")),
			).toHaveLength(1);
			delete bench.log.fault;
			await bench.clock.advance(1_000);
			expect(bench.account()).toMatchObject({ spent, held: 0 });
			await resolution(bench);
			const { length } = bench.reports;
			await bench.clock.advance(20_000);
			expect(bench.reports).toHaveLength(length);
		},
	);

	it("when the gateway stops: what it takes at last is recorded", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("u:10,5");
		upstream.data("d");
		bench.log.fault = "log/full";
		upstream.end();
		await call.done;
		delete bench.log.fault;
		await bench.gateway.stop();
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
		expect(bench.clock.timers()).toBe(0);
	});
});

describe("a gateway that stops", () => {
	it("breaks streams off with the reason, and what was delivered is paid", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({ stream: true });
		upstream.head(200, streamHead);
		upstream.data("t:12345678");
		await bench.gateway.stop();
		expect(upstream.state).toBe("aborted");
		expect(call).toMatchObject({ over: "ended" });
		expect(call.body).toContain("gateway/stopping");
		expect(bench.account()).toMatchObject({ spent: usualInput + 4, held: 0 });
		expect(bench.gateway.inFlight()).toBe(0);
		expect(bench.clock.timers()).toBe(0);
	});

	it("answers a call that has not begun yet, and takes no further one", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.connect();
		await bench.gateway.stop();
		expect(call.status).toBe(503);
		expect(call.json().code).toBe("gateway/stopping");
		const late = bench.call();
		await late.done;
		expect(late.json().code).toBe("gateway/stopping");
		expect(bench.upstreams).toHaveLength(1);
	});

	it("while a hold is being recorded gives it back", async () => {
		const bench = await openTestGateway();
		const call = bench.call();
		while (bench.account().held === 0) await Promise.resolve();
		await bench.gateway.stop();
		expect(call.json().code).toBe("gateway/stopping");
		expect(bench.upstreams).toEqual([]);
		expect(bench.account()).toMatchObject({ spent: 0, held: 0 });
	});

	it("does not wait for a client that still sends its body", async () => {
		const bench = await openTestGateway();
		bench.call({}, { body: new Promise(() => {}) });
		await bench.clock.settle();
		await bench.gateway.stop();
		expect(bench.gateway.inFlight()).toBe(0);
	});
});

describe("a call that waits for credits", () => {
	/** All credits are held by another process. */
	async function emptied(): Promise<TestGateway> {
		const bench = await openTestGateway({ grant: 2_000, wait: 10_000 });
		await bench.run({
			type: "hold",
			call: "elsewhere",
			account: "main",
			amount: 2_000,
			expires: bench.clock.now() + 1e9,
			holder: "another",
			substrate: "mock/m",
			model: "m",
			operation: "chat",
			sheet: "s",
		});
		return bench;
	}

	it("is made as soon as they are there", async () => {
		const bench = await emptied();
		const call = bench.call();
		await bench.clock.advance(5_000);
		expect(bench.upstreams).toEqual([]);
		await bench.run({ type: "release", call: "elsewhere", ending: "finished" });
		await bench.clock.settle();
		expect(bench.upstreams).toHaveLength(1);
		expect(call.over).toBe("open");
	});

	it("is refused after its time, with what it needs and what there is", async () => {
		const bench = await emptied();
		const call = bench.call();
		await bench.clock.advance(10_000);
		await call.done;
		expect(call.status).toBe(402);
		expect(call.json()).toMatchObject({
			code: "credits/insufficient",
			details: { needed: heldInput + 100, available: 0 },
		});
	});

	it("and whose client leaves holds nothing, though credits come", async () => {
		const bench = await emptied();
		const call = bench.call();
		await bench.clock.advance(5_000);
		call.leave();
		await bench.run({ type: "release", call: "elsewhere", ending: "finished" });
		await call.done;
		expect(await bench.events("credits-held")).toHaveLength(1);
	});

	it("does not keep the gateway from stopping", async () => {
		const bench = await emptied();
		const call = bench.call();
		await bench.clock.settle();
		await bench.gateway.stop();
		expect(call.json().code).toBe("gateway/stopping");
		expect(bench.clock.timers()).toBe(0);
	});
});

describe("a hold", () => {
	it("outlives the longest call", async () => {
		const bench = await openTestGateway({ wait: 7_000 });
		await bench.called();
		const [held] = await bench.events("credits-held");
		expect(held?.data.expires - (held?.time ?? 0)).toBeGreaterThan(
			60_000 + 7_000,
		);
		expect(held?.data.holder).toBe("here");
	});

	it("is not made at an unknown price", async () => {
		const bench = await openTestGateway();
		const call = bench.call({ model: "mock/unpriced" });
		await call.done;
		expect(call.status).toBe(422);
		expect(call.json().code).toBe("price/unknown");
		expect(await bench.events("credits-held")).toEqual([]);
		expect(bench.upstreams).toEqual([]);
	});

	it("of a settlement that waits for the log is not swept", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("u:10,5");
		upstream.data("d");
		// The next sweep is half a second away, the next try to settle a whole one.
		await bench.clock.advance(4_500);
		bench.log.fault = "log/busy";
		upstream.end();
		await call.done;
		delete bench.log.fault;
		bench.clock.jump(3_600_000);
		await bench.clock.advance(2_000);
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
	});
});

describe("a hold that had to shrink", () => {
	it("sends no limit with a call that has no output", async () => {
		const bench = await openTestGateway({ grant: 2_050 });
		const first = await bench.called({ max: 0 });
		first.upstream.head();
		first.upstream.data("u:1000,0");
		first.upstream.data("d");
		first.upstream.end();
		await first.call.done;
		const second = await bench.called({ max: 0 });
		expect(bench.account()).toMatchObject({ held: 1_050, holds: 1 });
		expect(
			JSON.parse(new TextDecoder().decode(second.upstream.request.body)),
		).toEqual({ model: "m" });
	});

	it("lowers the limit that is sent, and says so", async () => {
		const bench = await openTestGateway({ grant: 2_000 });
		const { call, upstream } = await bench.called({ max: 2_000 });
		expect(bench.account().held).toBe(2_000);
		const { limit } = JSON.parse(
			new TextDecoder().decode(upstream.request.body),
		);
		expect(limit).toBeGreaterThan(0);
		expect(usualInput + 2 * limit).toBeLessThanOrEqual(2_000);
		upstream.head();
		upstream.data(`u:${usualInput},${limit}`);
		upstream.data("d");
		upstream.end();
		await call.done;
		expect(call.headers).toMatchObject({
			"x-dos-output-limit": String(limit),
			"x-dos-credits": String(usualInput + 2 * limit),
		});
		const event = await resolution(bench);
		expect(event?.data).not.toHaveProperty("uncollected");
	});
});

describe("idempotency keys", () => {
	it("give again what the client got, without what an attempt before it passed", async () => {
		const bench = await openTestGateway({
			attempts: { attempts: 2, fallbacks: 0 },
		});
		const { call, upstream } = await bench.called({}, { retry: "k" });
		upstream.head();
		upstream.data("e:broken");
		upstream.end();
		await bench.clock.advance(5_000);
		const again = bench.upstreams.at(-1) as TestUpstream;
		expect(again).not.toBe(upstream);
		again.head();
		for (const word of ["t:hello", "u:10,5", "d"]) again.data(word);
		again.end();
		await call.done;
		const replay = bench.call({}, { retry: "k" });
		await replay.done;
		expect([call.body, replay.body]).toEqual([
			"t:hellou:10,5d",
			"t:hellou:10,5d",
		]);
	});

	async function finish(upstream: TestUpstream, word = "t:hello") {
		upstream.head();
		upstream.data(word);
		upstream.data("u:10,5");
		upstream.data("d");
		upstream.end();
	}

	it("concurrent duplicates: one is made, the others are told to wait", async () => {
		const bench = await openTestGateway();
		const calls = [1, 2, 3].map(() => bench.call({}, { retry: "k" }));
		await bench.clock.settle();
		expect(bench.upstreams).toHaveLength(1);
		expect(calls.map(({ status }) => status).sort()).toEqual([0, 409, 409]);
		const waiting = calls.find(({ status }) => status === 409);
		expect(waiting?.headers["retry-after"]).toBe("1");
		await finish(bench.upstreams[0] as TestUpstream);
		await Promise.all(calls.map(({ done }) => done));
		const replay = bench.call({}, { retry: "k" });
		await replay.done;
		expect(replay).toMatchObject({ status: 200, body: "t:hellou:10,5d" });
		expect(replay.headers["x-dos-replayed"]).toBe("true");
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
	});

	it("a stream is replayed with its own head", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called(
			{ stream: true },
			{ retry: "k" },
		);
		upstream.head(200, streamHead);
		upstream.data("t:hello");
		upstream.data("d");
		upstream.end();
		await call.done;
		const replay = bench.call({ stream: true }, { retry: "k" });
		await replay.done;
		expect(replay.body).toBe(call.body);
		expect(replay.headers["content-type"]).toBe("text/event-stream");
	});

	it.each([
		["too large to keep", "t:".padEnd(5 * 1024 * 1024, "x"), false],
		["that its client left", "t:hello", true],
	])("an answer %s is not paid a second time", async (_, word, leaves) => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({}, { retry: "k" });
		upstream.head();
		upstream.data(word);
		if (leaves) call.leave();
		upstream.data("u:10,5");
		upstream.data("d");
		upstream.end();
		await call.done;
		const { spent } = bench.account();
		const retry = bench.call({}, { retry: "k" });
		await retry.done;
		expect(retry.status).toBe(409);
		expect(retry.json().code).toBe("idempotency/answer-gone");
		expect(bench.account().spent).toBe(spent);
		expect(bench.upstreams).toHaveLength(1);
	});

	it("a call that cost nothing may be tried again, but not for ever", async () => {
		const bench = await openTestGateway();
		for (let attempt = 1; attempt <= 50; attempt++) {
			const { call, upstream } = await bench.called({}, { retry: "k" });
			upstream.head(500);
			upstream.end();
			await call.done;
		}
		const worn = bench.call({}, { retry: "k" });
		await worn.done;
		expect(worn.json().code).toBe("idempotency/worn-out");
		expect(worn.status).toBe(409);
		expect(bench.upstreams).toHaveLength(50);
	});

	it("another body under a key is refused, and so is a key that is none", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({}, { retry: "k" });
		await finish(upstream);
		await call.done;
		const other = bench.call({ max: 49 }, { retry: "k" });
		await other.done;
		expect(other.json().code).toBe("idempotency/mismatch");
		const long = bench.call({}, { retry: "x".repeat(256) });
		await long.done;
		expect(long.status).toBe(400);
		expect(bench.upstreams).toHaveLength(1);
	});

	it("a crash between the kept answer and its settlement: the retry is a new call, and one is paid", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called({}, { retry: "k" });
		bench.log.fault = "log/full";
		await finish(upstream);
		await call.done;
		delete bench.log.fault;
		// What the next start does with the holds of a process that is gone.
		await bench.run({ type: "release", call: "call_c1", ending: "crashed" });
		const again = await bench.called({}, { retry: "k" });
		await finish(again.upstream, "t:second");
		await again.call.done;
		expect(again.call.body).toContain("second");
		await bench.clock.advance(5_000);
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
	});
});

describe("a clock that was set back by days", () => {
	it("stops no call", async () => {
		const bench = await openTestGateway();
		bench.clock.jump(-3 * 86_400_000);
		const { call, upstream } = await bench.called();
		upstream.head(200, { "content-type": "application/json" });
		for (const piece of ["t:hello", "u:10,5", "d"]) upstream.data(piece);
		upstream.end();
		await call.done;
		expect(call.status).toBe(200);
		expect(bench.account()).toMatchObject({ spent: 20, held: 0 });
	});
});

describe("a clock that is set forward", () => {
	it("while a call waits for its hold costs it nothing", async () => {
		const bench = await openTestGateway();
		const log = bench.log as { -readonly [Name in "write"]: EventLog[Name] };
		const { write } = log;
		log.write = (work, ahead) => {
			log.write = write;
			bench.clock.jump(10 * 86_400_000);
			return write(work, ahead);
		};
		const call = bench.call({});
		await bench.clock.settle();
		const upstream = bench.upstreams.at(-1);
		expect(upstream).toBeDefined();
		upstream?.head();
		for (const word of ["t:hello", "u:10,5", "d"]) upstream?.data(word);
		upstream?.end();
		await bench.clock.settle();
		await call.done;
		expect(call.status).toBe(200);
		expect(bench.account()).toMatchObject({ held: 0, spent: 20 });
	});
});
