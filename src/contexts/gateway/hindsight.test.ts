import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Reading } from "../../ports/reading.ts";
import {
	openTestGateway,
	streamHead,
	type TestCall,
	type TestGateway,
	type TestUpstream,
} from "./gateway.testing.ts";
import { quickHash } from "./hindsight.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Whether the text is a whole number, and whether the tool that is called is there. */
function reading(body: Uint8Array): Reading {
	const said = text(body);
	const called = said.match(/call:(find|lose)/)?.[1];
	return {
		asked: { schema: { type: "integer" }, tools: [{ name: "find" }] },
		answer: {
			text: said.match(/t:([1x])/)?.[1] ?? "",
			toolCalls: called === undefined ? [] : [{ name: called, arguments: "" }],
		},
	};
}

async function open(
	options: Parameters<typeof openTestGateway>[0] = {},
): Promise<TestGateway & { read: string[] }> {
	const read: string[] = [];
	const bench = await openTestGateway({
		readings: {
			read(_, __, contentType, body) {
				read.push(`${contentType} ${text(body)}`);
				if (text(body).includes("throw"))
					throw new SyntaxError("my secret prompt");
				return reading(body);
			},
		},
		...options,
	});
	return Object.assign(bench, { read });
}

function finish(
	upstream: TestUpstream,
	words: readonly string[] = ["t:1"],
	head?: Readonly<Record<string, string>>,
): void {
	upstream.head(200, head);
	for (const word of [...words, "u:10,5", "d"]) upstream.data(word);
	upstream.end();
}

async function answered(
	bench: TestGateway,
	asked: object,
	words?: readonly string[],
	options?: Parameters<TestGateway["call"]>[1],
): Promise<TestCall> {
	const { call, upstream } = await bench.called(asked, options);
	finish(upstream, words);
	await bench.clock.settle();
	await call.done;
	return call;
}

const id = ({ headers }: TestCall) => headers["x-dos-call-id"];
const seen = async (bench: TestGateway) =>
	(await bench.events("answer-observed")).map(({ data }) => data);

describe("the answer to a request with a schema or tools", () => {
	it("is judged after its client has it, and what is wrong is recorded", async () => {
		const bench = await open();
		const call = await answered(bench, { schema: true }, ["t:x"]);
		expect([call.over, bench.read]).toEqual(["ended", []]);
		await bench.clock.advance(100);
		expect(bench.read).toEqual(["application/json t:xu:10,5d"]);
		expect(await seen(bench)).toEqual([
			{ call: id(call), account: "main", schema: false },
		]);
		const other = await answered(bench, { tools: 1, max: 51 }, ["call:lose"]);
		await bench.clock.advance(100);
		expect((await seen(bench)).at(-1)).toEqual({
			call: id(other),
			account: "main",
			tools: false,
		});
		expect(bench.gateway.metrics.render()).toContain(
			'dos_answers_judged_total{of="tools",fits="false"} 1',
		);
	});

	it("is not recorded where nothing is wrong, and counted", async () => {
		const bench = await open();
		await answered(bench, { schema: true }, ["t:1"]);
		await answered(bench, { tools: 1 }, ["call:find"]);
		await bench.clock.advance(100);
		expect(bench.read).toHaveLength(2);
		expect(await seen(bench)).toEqual([]);
		expect(bench.gateway.metrics.render()).toContain(
			'dos_answers_judged_total{of="schema",fits="true"} 1',
		);
	});

	it("is gathered from a stream, and from the attempt that answered alone", async () => {
		const bench = await open({ attempts: { attempts: 2, fallbacks: 0 } });
		const { call, upstream } = await bench.called({ tools: 1, stream: true });
		upstream.head(200);
		upstream.data("e:broken");
		upstream.end();
		await bench.clock.advance(5_000);
		finish(
			bench.upstreams.at(-1) as TestUpstream,
			["call:", "find"],
			streamHead,
		);
		await bench.clock.settle();
		await call.done;
		await bench.clock.advance(100);
		expect(bench.upstreams).toHaveLength(2);
		expect(bench.read).toEqual(["text/event-stream call:findu:10,5d"]);
	});

	it("is not looked at where nothing was asked, where it broke off or was refused, or where it is large", async () => {
		const bench = await open();
		await answered(bench, {});
		const broken = await bench.called({ schema: true, max: 51 });
		broken.upstream.head();
		broken.upstream.data("t:x");
		broken.upstream.fail();
		const refused = await bench.called({ schema: true, max: 52 });
		refused.upstream.head(400);
		refused.upstream.end();
		await answered(bench, { schema: true, max: 53 }, [
			`t:${"x".repeat(200_000)}`,
			`t:${"x".repeat(100_000)}`,
		]);
		await bench.clock.advance(1_000);
		expect(bench.read).toEqual([]);
		expect(await seen(bench)).toEqual([]);
	});

	it("is gathered of so many calls at a time, and of others once those are over", async () => {
		const bench = await open({ grant: 1_000_000_000 });
		const calls = [];
		for (let at = 0; at < 260; at++)
			calls.push(await bench.called({ schema: true, max: at + 1 }));
		for (const { upstream } of calls) finish(upstream);
		await bench.clock.advance(1_000);
		expect(bench.read).toHaveLength(256);
		await answered(bench, { schema: true, max: 300 });
		await bench.clock.advance(1_000);
		expect(bench.read).toHaveLength(257);
	});

	it("leaves room for others when it broke off, in whichever way", async () => {
		const bench = await open({
			grant: 1_000_000_000,
			attempts: { attempts: 2, fallbacks: 0 },
		});
		for (let at = 0; at < 260; at++) {
			const { upstream } = await bench.called({ schema: true, max: at + 1 });
			upstream.head();
			upstream.data("e:broken");
			upstream.end();
			await bench.clock.advance(5_000);
			const again = bench.upstreams.at(-1) as TestUpstream;
			if (again.state === "connecting") again.fail();
			await bench.clock.settle();
		}
		await answered(bench, { schema: true, max: 300 });
		await bench.clock.advance(1_000);
		expect(bench.read).toHaveLength(1);
	});

	it("that cannot be judged is reported without its words, and costs the others nothing", async () => {
		const bench = await open();
		await answered(bench, { schema: true }, ["t:throw"]);
		await answered(bench, { schema: true, max: 51 }, ["t:x"]);
		await bench.clock.advance(100);
		expect(bench.reports).toEqual([
			expect.stringMatching(/^An answer could not be judged: SyntaxError/),
		]);
		expect(bench.reports.join()).not.toContain("secret");
		expect(await seen(bench)).toHaveLength(1);
	});

	it("is reported once where the log takes nothing, and the call stands", async () => {
		const bench = await open();
		const call = await answered(bench, { schema: true }, ["t:x"]);
		bench.log.fault = "log/failed";
		await bench.clock.advance(100);
		expect(bench.reports).toEqual([
			expect.stringContaining("could not be recorded: log/failed"),
		]);
		expect([call.status, call.over]).toEqual([200, "ended"]);
	});

	it("is judged before the gateway has stopped", async () => {
		const bench = await open();
		await answered(bench, { schema: true }, ["t:x"]);
		await bench.gateway.stop();
		expect(await seen(bench)).toHaveLength(1);
		expect(bench.clock.timers()).toBe(0);
	});
});

describe("a client that asks the same again", () => {
	it("says something of the answer that it had", async () => {
		const bench = await open();
		const first = await answered(bench, {});
		const second = await answered(bench, {});
		await answered(bench, { max: 51 });
		await answered(bench, { model: "mock/other" });
		await bench.clock.advance(100);
		expect(await seen(bench)).toEqual([
			{ call: id(first), account: "main", repeatedBy: id(second) },
		]);
		await bench.clock.advance(121_000);
		await answered(bench, {});
		await bench.clock.advance(100);
		expect(await seen(bench)).toHaveLength(1);
	});

	it("is none where the first had no answer, or is under way", async () => {
		const bench = await open();
		const failed = await bench.called({});
		failed.upstream.fail();
		await bench.clock.settle();
		const under = await bench.called({});
		await answered(bench, {});
		finish(under.upstream);
		await bench.clock.advance(100);
		expect(await seen(bench)).toEqual([]);
	});

	it("is none under the same idempotency key, or of what the cache answers", async () => {
		const bench = await open();
		await bench.route({
			type: "set-profile",
			of: "key",
			id: "key",
			profile: { cache: 60_000 },
		});
		await answered(bench, {}, undefined, { retry: "r" });
		const again = bench.call({}, { retry: "r" });
		await bench.clock.settle();
		expect(again.headers["x-dos-replayed"]).toBe("true");
		const cached = bench.call({});
		await bench.clock.settle();
		expect(cached.headers).toHaveProperty("x-dos-cached-from");
		await bench.clock.advance(100);
		expect(await seen(bench)).toEqual([]);
		expect(bench.upstreams).toHaveLength(1);
	});
});

describe("the quick hash", () => {
	it("tells bytes apart that differ in one of the first or last, or anywhere in small ones", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 40_000 }),
				fc.nat(),
				fc.integer({ min: 1, max: 255 }),
				(size, place, change) => {
					const bytes = new Uint8Array(size + 3).subarray(3).fill(7);
					const before = quickHash(bytes);
					expect(before).toBe(quickHash(new Uint8Array(size).fill(7)));
					expect(Number.isSafeInteger(before)).toBe(true);
					expect(before).not.toBe(quickHash(new Uint8Array(size + 1).fill(7)));
					const at =
						size <= 16_384 || place % 2 === 0
							? size - 1 - (place % Math.min(size, 4_000))
							: place % 2_048;
					bytes[at] = 7 ^ change;
					expect(quickHash(bytes)).not.toBe(before);
				},
			),
		);
	});

	it("has few accidents among many that are alike", () => {
		const hashes = new Set<number>();
		for (let at = 0; at < 50_000; at++)
			hashes.add(
				quickHash(new TextEncoder().encode(`{"item":"${100_000 + at}"}`)),
			);
		expect(hashes.size).toBe(50_000);
	});
});
