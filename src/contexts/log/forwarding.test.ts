import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Peer } from "../../ports/peer-link.ts";
import {
	auditLog,
	connect,
	eventsOf,
	hold,
	openFleet,
	opening,
	openReplica,
	type Replica,
	release,
	settle,
	wire,
} from "./forwarding.testing.ts";

/** Two replicas, of which the first asks the second. */
async function openPair() {
	const { log, clock, replicas } = await openFleet(2);
	const [asking, serving] = replicas as [Replica, Replica];
	const between = connect(asking, serving);
	const ofCall = async (call: string) =>
		(await eventsOf(log)).filter(({ data }) => data.call === call);
	return { log, clock, asking, serving, between, ofCall };
}

/** A peer in our hands: what it is sent, and what is said to its listener. */
function puppet() {
	const sent: string[] = [];
	let listener: Parameters<Peer["hear"]>[0] | undefined;
	let cuts = 0;
	const peer: Peer = {
		send: (text) => void sent.push(text),
		hear(given) {
			listener = given;
		},
		end() {},
		cut: () => void cuts++,
	};
	return {
		peer,
		sent,
		cuts: () => cuts,
		say: (text: string) => listener?.message(text),
		hangUp: () => listener?.ended(),
	};
}

const types = (events: readonly DomainEvent[]) =>
	events.map(({ type }) => type);

const unknown = { code: "log/unknown" };

describe("what is forwarded", () => {
	it("is decided by the peer, and comes back as it was recorded", async () => {
		const { asking, serving, ofCall } = await openPair();
		const outcomes = [
			await asking.ask(hold("c1")),
			await asking.ask(settle("c1")),
			await asking.ask(hold("c2")),
			await asking.ask(release("c2")),
		];
		expect(asking.decided).toEqual([]);
		expect(serving.decided).toEqual([
			"hold c1",
			"settle c1",
			"hold c2",
			"release c2",
		]);
		const recorded = [...(await ofCall("c1")), ...(await ofCall("c2"))];
		expect(types(recorded)).toEqual([
			"credits-held",
			"credits-settled",
			"credits-held",
			"credits-released",
		]);
		expect(outcomes).toEqual(
			recorded.map((event) => ({
				ok: true,
				value: { events: [event], replayed: false },
			})),
		);
	});

	it("keeps who asked, and why", async () => {
		const { log, asking } = await openPair();
		await asking.forwarding.head.execute("credits", hold("c"), {
			actor: "key/other",
			cause: "c0",
			correlation: "session",
		});
		const tip = await log.tip();
		expect(await log.at(tip.position)).toMatchObject({
			actor: "key/other",
			cause: "c0",
			correlation: "session",
		});
	});

	it("comes back refused as it is refused here", async () => {
		const { asking, serving } = await openPair();
		await asking.ask(hold("c"));
		await asking.ask(release("c"));
		for (const command of [
			hold("c"),
			hold("d", 1_001),
			settle("c"),
			settle("nobody"),
			release("c"),
		]) {
			const there = await asking.ask(command);
			expect(there.ok).toBe(false);
			expect(there).toEqual(await serving.ask(command));
		}
		expect(asking.decided).toEqual([]);
	});

	it("is not what cannot be asked twice: other commands, and whatever has a key", async () => {
		const { asking, serving } = await openPair();
		await asking.ask({ type: "grant", account: "a", amount: 1 });
		await asking.ask(hold("c"), "once");
		await asking.ask({
			type: "move-hold",
			call: "c",
			amount: 1,
			substrate: "apex/m1",
			model: "m1",
			sheet: "s",
		});
		await asking.ask({ type: "expire", call: "c" });
		await asking.forwarding.head
			.execute("learning", { type: "hold" } as never, { actor: "system" })
			.catch(() => {});
		expect(serving.decided).toEqual([]);
		expect(asking.decided).toHaveLength(5);
		expect(asking.forwarding.forwards()).toBe(true);
	});

	it("goes in one text for each turn of the loop, and is answered in one", async () => {
		const { asking, between } = await openPair();
		await Promise.all(["c1", "c2", "c3"].map((call) => asking.ask(hold(call))));
		expect(
			between.texts.map(({ from, text }) => [from, JSON.parse(text).length]),
		).toEqual([
			["asking", 3],
			["serving", 3],
		]);
	});

	it("fails by itself where it is no JSON", async () => {
		const { asking, serving, clock } = await openPair();
		const [bad, good] = await Promise.allSettled([
			asking.ask({ ...hold("bad"), route: { seed: 1n } } as never),
			asking.ask(hold("good")),
		]);
		expect(bad).toMatchObject({
			status: "rejected",
			reason: expect.any(TypeError),
		});
		expect(good).toMatchObject({ status: "fulfilled", value: { ok: true } });
		expect(serving.decided).toEqual(["hold good"]);
		// Nobody waits for it.
		await clock.advance(5_000);
		expect(asking.forwarding.forwards()).toBe(true);
	});

	it("is asked also while something else is decided here", async () => {
		const { asking, serving } = await openPair();
		asking.writes.shut();
		const granted = asking.ask({ type: "grant", account: "a", amount: 500 });
		expect(await asking.ask(hold("c"))).toMatchObject({ ok: true });
		expect(await asking.ask(release("c"))).toMatchObject({ ok: true });
		expect(serving.decided).toEqual(["hold c", "release c"]);
		asking.writes.open();
		expect(await granted).toMatchObject({ ok: true });
		expect(asking.decided).toEqual(["grant"]);
	});
});

describe("a peer that failed", () => {
	it("is not asked again: it is done here", async () => {
		const { asking, serving, ofCall } = await openPair();
		serving.fail("write", "log/busy");
		expect(await asking.ask(hold("c"))).toMatchObject({ ok: true });
		expect(serving.decided).toEqual(["hold c"]);
		expect(asking.decided).toEqual(["hold c"]);
		expect(await ofCall("c")).toHaveLength(1);
		expect(asking.forwarding.forwards()).toBe(true);
	});

	it("may have done it all the same: what is refused here is not known", async () => {
		const { asking, serving } = await openPair();
		serving.fail("write", "log/unknown");
		await expect(asking.ask(hold("c", 1_001))).rejects.toMatchObject({
			...unknown,
			cause: { code: "credits/insufficient" },
		});
	});
});

describe("a silent peer", () => {
	it("is left after `patience`, and not before", async () => {
		const { asking, clock, between, ofCall } = await openPair();
		between.on.shut();
		const held = asking.ask(hold("c"));
		await clock.advance(999);
		expect(asking.forwarding.forwards()).toBe(true);
		await clock.advance(251);
		expect(asking.forwarding.forwards()).toBe(false);
		expect(await held).toMatchObject({ ok: true });
		expect(asking.decided).toEqual(["hold c"]);
		expect(await ofCall("c")).toHaveLength(1);
	});

	it("is left when it answers others and never this one", async () => {
		const { asking, clock } = await openPair();
		const other = puppet();
		asking.forwarding.follow(other.peer);
		const held = asking.ask(hold("c"));
		await clock.settle();
		for (let id = 2; id < 12; id++) {
			void asking.ask(hold(`c${id}`));
			await clock.advance(100);
			other.say(JSON.stringify([[id, "refused", { code: "x", message: "x" }]]));
		}
		await clock.advance(300);
		expect(other.cuts()).toBe(1);
		expect(await held).toMatchObject({ ok: true });
	});

	it("is not one that is slow, however long it is asked", async () => {
		const { asking, clock } = await openPair();
		const slow = puppet();
		asking.forwarding.follow(slow.peer);
		for (let id = 1; id <= 20; id++) {
			void asking.ask(hold(`c${id}`));
			await clock.advance(450);
			if (id > 1)
				slow.say(
					JSON.stringify([[id - 1, "refused", { code: "x", message: "x" }]]),
				);
		}
		expect(slow.cuts()).toBe(0);
		expect(asking.forwarding.forwards()).toBe(true);
	});

	it("is not one that nobody asks", async () => {
		const { asking, clock } = await openPair();
		await asking.ask(hold("c"));
		await clock.advance(60_000);
		expect(asking.forwarding.forwards()).toBe(true);
		expect(clock.timers()).toBe(0);
	});

	it("is not one whose answer came while we were stopped", async () => {
		let now = 0;
		let timer: (() => void) | undefined;
		let afterIo: (() => void)[] = [];
		const clock: Clock = {
			now: () => now,
			soon: (work) => void afterIo.push(work),
			later(_, work) {
				timer = work;
				return () => {
					timer = undefined;
				};
			},
		};
		/** As an event loop goes: the timer that is due, what has arrived, then what waits for both. */
		async function turn(arrives: () => void = () => {}): Promise<void> {
			const due = timer;
			timer = undefined;
			due?.();
			arrives();
			const works = afterIo;
			afterIo = [];
			for (const work of works) work();
			await manualClock().settle();
		}
		const other = puppet();
		const asking = await openReplica({ log: memoryEventLog(), clock });
		asking.forwarding.follow(other.peer);
		const held = asking.ask(hold("c"));
		for (let tick = 0; tick < 4; tick++) await turn();
		now += 3_600_000;
		await turn(() =>
			other.say('[[1,"refused",{"code":"x/y","message":"As it is."}]]'),
		);
		expect(other.cuts()).toBe(0);
		expect(await held).toEqual({
			ok: false,
			error: { code: "x/y", message: "As it is." },
		});
		// An hour is one tick, however long it was.
		void asking.ask(hold("d"));
		await turn();
		now += 3_600_000;
		await turn();
		expect(other.cuts()).toBe(0);
	});
});

describe("a connection that ends with commands under way", () => {
	it("finds what was recorded by its position", async () => {
		const { asking, serving, clock, ofCall } = await openPair();
		for (const command of [hold("e"), settle("e"), hold("f"), release("f")]) {
			const next = connect(asking, serving);
			serving.writes.shut();
			const answer = asking.ask(command);
			await clock.settle();
			next.on.shut();
			serving.writes.open();
			await clock.settle();
			next.serves.cut();
			next.on.open();
			const { call } = command as { call: string };
			expect(await answer).toEqual({
				ok: true,
				value: { events: [(await ofCall(call)).at(-1)], replayed: false },
			});
		}
		expect(types([...(await ofCall("e")), ...(await ofCall("f"))])).toEqual([
			"credits-held",
			"credits-settled",
			"credits-held",
			"credits-released",
		]);
		expect(asking.decided).toHaveLength(4);
	});

	it("does here what was not recorded, in the order of asking", async () => {
		const { asking, serving, clock, between } = await openPair();
		between.on.shut();
		const asked = ["c3", "c1", "c2"].map((call) => asking.ask(hold(call)));
		await clock.settle();
		between.serves.cut();
		between.on.open();
		for (const outcome of await Promise.all(asked))
			expect(outcome).toMatchObject({ ok: true });
		expect(asking.decided).toEqual(["hold c3", "hold c1", "hold c2"]);
		expect(serving.decided).toEqual([]);
		expect(asking.forwarding.forwards()).toBe(false);
	});

	it("does not know what is refused here, since the peer may yet do it", async () => {
		const { log, clock, replicas } = await openFleet(3);
		const [asking, asleep, other] = replicas as [Replica, Replica, Replica];
		connect(asking, asleep);
		asleep.writes.shut();
		const held = asking.ask(hold("c", 800));
		const settled = asking.ask(settle("nobody"));
		await clock.settle();
		await other.ask(hold("x", 500));
		asking.forwarding.standAlone();
		await expect(held).rejects.toMatchObject({
			...unknown,
			cause: { code: "credits/insufficient" },
		});
		await expect(settled).rejects.toMatchObject({
			...unknown,
			cause: { code: "hold/unknown" },
		});
		// The ghost: it wakes when there is room again. Nobody was told that it would not.
		await other.ask(release("x"));
		asleep.writes.open();
		await clock.settle();
		expect(types(await auditLog(log, other.head)).at(-1)).toBe("credits-held");
	});

	it("does not take another event for its own", async () => {
		const { asking, serving, clock, between } = await openPair();
		await asking.ask(hold("c"));
		await asking.ask(settle("c"));
		between.on.shut();
		const released = asking.ask(release("c"));
		const held = asking.ask(hold("c"));
		await clock.settle();
		asking.forwarding.standAlone();
		await expect(released).rejects.toMatchObject({
			...unknown,
			cause: { code: "hold/already-settled" },
		});
		await expect(held).rejects.toMatchObject({
			...unknown,
			cause: { code: "hold/exists" },
		});
		expect(serving.decided).toEqual(["hold c", "settle c"]);
	});

	it.each(["write", "at"] as const)(
		"does not know where the log fails here (%s)",
		async (of) => {
			const { asking, serving, clock } = await openPair();
			await serving.ask(hold("c"));
			const other = puppet();
			asking.forwarding.follow(other.peer);
			asking.fail(of, "log/busy");
			const held = asking.ask(hold("c"));
			await clock.settle();
			other.hangUp();
			await expect(held).rejects.toMatchObject({
				...unknown,
				cause: { code: "log/busy" },
			});
		},
	);

	it("is not followed where it ended before anybody listened", async () => {
		const { asking } = await openPair();
		asking.forwarding.follow({
			...puppet().peer,
			hear: ({ ended }) => ended(),
		});
		expect(asking.forwarding.forwards()).toBe(false);
		expect(await asking.ask(hold("c"))).toMatchObject({ ok: true });
	});
});

describe("who decides", () => {
	it("changes: what the one before was asked is asked here", async () => {
		const { log, clock, replicas } = await openFleet(3);
		const [asking, one, other] = replicas as [Replica, Replica, Replica];
		const first = connect(asking, one);
		first.on.shut();
		const held = asking.ask(hold("c"));
		await clock.settle();
		connect(asking, other);
		expect(await held).toMatchObject({ ok: true });
		expect(asking.decided).toEqual(["hold c"]);
		await asking.ask(settle("c"));
		expect(other.decided).toEqual(["settle c"]);
		first.on.open();
		await clock.settle();
		expect(one.decided).toEqual([]);
		expect(asking.forwarding.forwards()).toBe(true);
		await auditLog(log, asking.head);
	});

	it("is this one from `standAlone` on", async () => {
		const { asking, serving, clock, between } = await openPair();
		between.on.shut();
		const held = asking.ask(hold("c"));
		await clock.settle();
		asking.forwarding.standAlone();
		expect(asking.forwarding.forwards()).toBe(false);
		expect(await held).toMatchObject({ ok: true });
		await asking.ask(settle("c"));
		expect(asking.decided).toEqual(["hold c", "settle c"]);
		expect(serving.decided).toEqual([]);
		expect(clock.timers()).toBe(0);
		asking.forwarding.standAlone();
	});

	it("is never asked further: one that forwards decides itself what it is asked", async () => {
		const { replicas } = await openFleet(3);
		const [asking, middle, last] = replicas as [Replica, Replica, Replica];
		connect(asking, middle);
		connect(middle, last);
		connect(last, asking);
		expect(await asking.ask(hold("c"))).toMatchObject({ ok: true });
		expect(middle.decided).toEqual(["hold c"]);
		expect(last.decided).toEqual([]);
	});

	it("closes like a head: what waits is finished, what comes later refused", async () => {
		const { asking, clock, between } = await openPair();
		between.on.shut();
		const held = asking.ask(hold("c"));
		await clock.settle();
		await asking.forwarding.head.close();
		expect(await held).toMatchObject({ ok: true });
		await expect(asking.ask(settle("c"))).rejects.toMatchObject({
			code: "log/closed",
		});
	});
});

const malformedCommands = [
	"",
	"[",
	"null",
	"{}",
	'"x"',
	"[null]",
	"[[]]",
	'[["1","credits",{"type":"release","call":"c"},{"actor":"a"}]]',
	'[[1.5,"credits",{"type":"release","call":"c"},{"actor":"a"}]]',
	'[[1,7,{"type":"release","call":"c"},{"actor":"a"}]]',
	'[[1,"credits","release",{"actor":"a"}]]',
	'[[1,"credits",null,{"actor":"a"}]]',
	'[[1,"credits",{"type":"release","call":"c"}]]',
	'[[1,"credits",{"type":"release","call":"c"},null]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":7}]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a","cause":1}]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a","correlation":{}}]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a","key":"k"}]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a","key":null}]]',
	// Not for a peer to ask.
	'[[1,"credits",{"type":"grant","account":"a","amount":1},{"actor":"a"}]]',
	'[[1,"credits",{"type":"expire","call":"c"},{"actor":"a"}]]',
	'[[1,"credits",{"type":"toString","call":"c"},{"actor":"a"}]]',
	'[[1,"credits",{"type":["release"],"call":"c"},{"actor":"a"}]]',
	'[[1,"constructor",{"type":"name","call":"c"},{"actor":"a"}]]',
	'[[1,"nobody",{"type":"release","call":"c"},{"actor":"a"}]]',
	// Nothing of a text is done that is not understood as a whole.
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a"}],[2]]',
	'[[1,"credits",{"type":"release","call":"c"},{"actor":"a"}],[2,"credits",{"type":"expire","call":"c"},{"actor":"a"}]]',
];

const malformedAnswers = [
	"",
	"]",
	"7",
	"{}",
	"[null]",
	"[1]",
	'[["1","failed"]]',
	'[[1,"done"]]',
	'[[1,"recorded"]]',
	'[[1,"recorded",{}]]',
	'[[1,"recorded",[null]]]',
	'[[1,"recorded",[{"type":"credits-held","position":1}]]]',
	'[[1,"recorded",[{"type":"credits-held","data":null,"position":1}]]]',
	'[[1,"recorded",[{"type":"credits-held","data":{},"position":"1"}]]]',
	'[[1,"refused"]]',
	'[[1,"refused",{"code":1,"message":"m"}]]',
	'[[1,"refused",{"code":"c"}]]',
	'[[1,"failed"],[2]]',
];

describe("a text that is not understood", () => {
	it.each(malformedCommands)(
		"ends the connection that asks: %s",
		async (text) => {
			const { log, clock, asking, serving, between } = await openPair();
			await serving.ask(hold("c"));
			serving.decided.length = 0;
			const tip = await log.tip();
			const hostile = wire();
			let ended = false;
			hostile.asks.hear({
				message() {},
				ended() {
					ended = true;
				},
			});
			serving.forwarding.serve(hostile.serves);
			hostile.asks.send(text);
			await clock.settle();
			expect(ended).toBe(true);
			expect(serving.decided).toEqual([]);
			expect(await log.tip()).toEqual(tip);
			// Others go on.
			expect(await asking.ask(settle("c"))).toMatchObject({ ok: true });
			expect(between.texts).toHaveLength(2);
		},
	);

	it.each(malformedAnswers)(
		"ends the connection that answers: %s",
		async (text) => {
			const { clock, asking } = await openPair();
			const hostile = wire();
			hostile.serves.hear({
				message: () => hostile.serves.send(text),
				ended() {},
			});
			asking.forwarding.follow(hostile.asks);
			const held = asking.ask(hold("c"));
			await clock.settle();
			expect(asking.forwarding.forwards()).toBe(false);
			expect(await held).toMatchObject({ ok: true });
			expect(asking.decided).toEqual(["hold c"]);
		},
	);

	it("may be an answer to nothing, or a second one: the first counts", async () => {
		const { asking } = await openPair();
		const other = puppet();
		asking.forwarding.follow(other.peer);
		const held = asking.ask(hold("c"));
		other.say('[[7,"failed"]]');
		other.say(
			'[[1,"refused",{"code":"x/first","message":"m"}],[1,"failed"],[1,"recorded",[]]]',
		);
		other.say("[]");
		expect(await held).toMatchObject({ error: { code: "x/first" } });
		expect(asking.decided).toEqual([]);
		expect(asking.forwarding.forwards()).toBe(true);
	});

	it("is answered to nobody once the connection has ended", async () => {
		const { clock, serving } = await openPair();
		const other = puppet();
		serving.forwarding.serve(other.peer);
		serving.writes.shut();
		other.say(JSON.stringify([[1, "credits", hold("c"), { actor: "a" }]]));
		await clock.settle();
		other.hangUp();
		serving.writes.open();
		await clock.settle();
		expect(other.sent).toEqual([]);
	});

	it("harms nothing else, whatever it is", async () => {
		const command = fc.oneof(
			fc.constantFrom(
				hold("c"),
				settle("c"),
				release("c"),
				opening[1] as object,
			),
			fc.object(),
		);
		const whole = fc.tuple(
			fc.nat(5),
			fc.constantFrom("credits", "routing", "__proto__"),
			command.chain((base) =>
				fc
					.dictionary(
						fc.constantFrom(...Object.keys(base), "type", "call", "account"),
						fc.jsonValue(),
						{ maxKeys: 3 },
					)
					.map((change) => ({ ...base, ...change })),
			),
			fc.oneof(fc.constant({ actor: "a" }), fc.jsonValue()),
		);
		const answer = fc.tuple(
			fc.nat(5),
			fc.constantFrom("recorded", "refused", "failed", "x"),
			fc.jsonValue(),
		);
		const text = fc.oneof(
			fc.string(),
			fc.jsonValue().map((value) => JSON.stringify(value)),
			fc.array(whole).map((list) => JSON.stringify(list)),
			fc.array(answer).map((list) => JSON.stringify(list)),
		);
		await fc.assert(
			fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (texts) => {
				const { log, clock, asking, serving } = await openPair();
				const [toServe, toAsk] = [wire(), wire()];
				serving.forwarding.serve(toServe.serves);
				toServe.asks.hear({ message() {}, ended() {} });
				for (const one of texts) toServe.asks.send(one);
				asking.forwarding.follow(toAsk.asks);
				toAsk.serves.hear({ message() {}, ended() {} });
				const held = asking.ask(hold("mine"));
				for (const one of texts) toAsk.serves.send(one);
				await clock.advance(2_000);
				// Told, whatever that was: nobody waits for ever.
				await held.catch(() => {});
				connect(asking, serving);
				expect(await asking.ask(hold("after", 0))).toMatchObject({ ok: true });
				await auditLog(log, asking.head);
			}),
			{ numRuns: 150 },
		);
	});
});
