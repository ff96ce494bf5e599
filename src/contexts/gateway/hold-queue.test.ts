import { beforeEach, describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import {
	type ManualClock,
	manualClock,
} from "../../adapters/runtime/manual-clock.ts";
import type { Fault, Outcome, Refusal } from "../../kernel/outcome.ts";
import type { CreditsCommand } from "../credits/index.ts";
import { type Head, openHead, type Recorded } from "../log/index.ts";
import { ledgerDeciders } from "./deciders.ts";
import { faultyLog, keyCommand } from "./gateway.testing.ts";
import { type HoldQueue, openHoldQueue } from "./hold-queue.ts";
import { type LedgerDeciders, recordedData } from "./model.ts";

const wait = 1_000;
let clock: ManualClock;
let log: ReturnType<typeof faultyLog>;
let head: Head<LedgerDeciders>;
/** Calls whose hold may yet turn up. */
let doubted: string[];
let queue: HoldQueue;
/** Commands that reached the head: calls by their id. */
let executed: string[];

async function open(options: { batchLimit?: number } = {}): Promise<void> {
	clock = manualClock();
	log = faultyLog(memoryEventLog());
	head = await openHead<LedgerDeciders>({
		log,
		deciders: ledgerDeciders,
		clock,
		digest: nodeDigest,
		...options,
	});
	executed = [];
	const { execute } = head;
	head = {
		...head,
		execute(name, command, intent) {
			executed.push("call" in command ? command.call : command.type);
			return execute(name, command, intent);
		},
	};
	queue = openHoldQueue({
		head,
		clock,
		wait,
		inDoubt: ({ call }) => doubted.push(call),
	});
	doubted = [];
	for (const account of ["main", "other"]) {
		await run({ type: "open-account", account, name: account });
		await run({ type: "grant", account, amount: 100 });
	}
	await run(keyCommand("a"));
	await run(keyCommand("b"));
}

beforeEach(() => open());

async function run(command: CreditsCommand): Promise<void> {
	const outcome = await head.execute("credits", command, { actor: "operator" });
	if (!outcome.ok) throw new Error(outcome.error.code);
}

interface Asked {
	readonly call: string;
	/** "waits", "held <amount>", or the code of a refusal or fault. */
	answer: string;
	left: Refusal | undefined;
}

const left: Refusal = { code: "request/cancelled", message: "Left." };

function hold(
	call: string,
	amount: number,
	more: { atLeast?: number; key?: string; account?: string } = {},
): Asked {
	const asked: Asked = { call, answer: "waits", left: undefined };
	const { account = "main", ...rest } = more;
	queue
		.hold(
			{
				type: "hold",
				call,
				account,
				amount,
				...rest,
				expires: clock.now() + 1e9,
				holder: "here",
				substrate: "mock/m",
				model: "m",
				operation: "chat",
				sheet: "s",
			},
			{ actor: "test" },
			() => asked.left,
		)
		.then(
			(outcome: Outcome<Recorded>) => {
				asked.answer = outcome.ok
					? `held ${recordedData<"credits-held">(outcome.value).amount}`
					: outcome.error.code;
			},
			(fault: Fault) => {
				asked.answer = fault.code;
			},
		);
	return asked;
}

async function resolve(call: string, cost?: number): Promise<void> {
	await run(
		cost === undefined
			? { type: "release", call, ending: "finished" }
			: { type: "settle", ...settledAt(call, cost) },
	);
	await clock.settle();
}

function settledAt(call: string, cost: number) {
	return {
		call,
		cost,
		basis: "fixed" as const,
		ending: "finished" as const,
		usage: {},
		lines: [],
	};
}

describe("the hold queue", () => {
	it("lets a call wait while only holds stand in its way, and then through", async () => {
		hold("c1", 100);
		await clock.settle();
		const second = hold("c2", 60);
		await clock.settle();
		expect(second.answer).toBe("waits");
		expect(queue.waiting()).toBe(1);
		await resolve("c1", 40);
		expect(second.answer).toBe("held 60");
		expect(queue.waiting()).toBe(0);
		expect(clock.timers()).toBe(0);
	});

	it("lets a call through when another's hold is moved to less, and tries none when it is moved to more", async () => {
		hold("c1", 60);
		await clock.settle();
		const second = hold("c2", 60);
		await clock.settle();
		const move = async (amount: number) => {
			await run({
				type: "move-hold",
				call: "c1",
				amount,
				substrate: "mock/n",
				model: "n",
				sheet: "s",
			});
			await clock.settle();
		};
		executed = [];
		await move(70);
		expect(executed).toEqual(["c1"]);
		await move(40);
		expect(executed).toEqual(["c1", "c1", "c2"]);
		expect(second.answer).toBe("held 60");
	});

	it("refuses at once what no waiting helps", async () => {
		const asked = hold("c1", 101);
		await clock.settle();
		expect(asked.answer).toBe("credits/insufficient");
		expect(clock.timers()).toBe(0);
	});

	it("refuses when the time is up, having shrunk to what is there if that is enough", async () => {
		hold("c1", 70);
		await clock.settle();
		const modest = hold("c2", 60, { atLeast: 20, key: "a" });
		const stubborn = hold("c3", 60, { atLeast: 40, key: "b" });
		await clock.advance(wait - 1);
		expect([modest.answer, stubborn.answer]).toEqual(["waits", "waits"]);
		await clock.advance(1);
		expect([modest.answer, stubborn.answer]).toEqual([
			"held 30",
			"credits/insufficient",
		]);
		expect(queue.waiting()).toBe(0);
	});

	it("serves the calls of a key in the order in which they came", async () => {
		hold("c1", 100);
		await clock.settle();
		const waiting = ["c2", "c3", "c4"].map((call) => hold(call, 50));
		await clock.settle();
		await resolve("c1");
		expect(waiting.map(({ answer }) => answer)).toEqual([
			"held 50",
			"held 50",
			"waits",
		]);
		// A newcomer does not slip past those who wait.
		const late = hold("c5", 50);
		await resolve("c2");
		expect(waiting[2]?.answer).toBe("held 50");
		expect(late.answer).toBe("waits");
	});

	it("does not let one key's full cap stop another key", async () => {
		await run({ type: "set-key-caps", key: "a", caps: { total: 10 } });
		hold("c1", 10, { key: "a" });
		await clock.settle();
		for (let n = 0; n < 20; n++) hold(`a${n}`, 5, { key: "a" });
		await clock.settle();
		expect(queue.waiting()).toBe(20);
		const other = hold("c2", 50, { key: "b" });
		await clock.settle();
		expect(other.answer).toBe("held 50");
	});

	it("wakes no other account's waiters, and each by a grant to its own", async () => {
		hold("c1", 100);
		hold("o1", 100, { account: "other" });
		await clock.settle();
		const mine = hold("c2", 50);
		const theirs = hold("o2", 50, { account: "other" });
		await clock.settle();
		const before = executed.length;
		await run({ type: "grant", account: "other", amount: 50 });
		await clock.settle();
		expect([mine.answer, theirs.answer]).toEqual(["waits", "held 50"]);
		expect(executed.slice(before)).toEqual(["grant", "o2"]);
	});

	it("tries those behind when the large ones in front of them gave up", async () => {
		hold("c1", 60);
		await clock.settle();
		for (let n = 0; n < 8; n++) hold(`large${n}`, 90);
		await clock.advance(wait / 2);
		const small = hold("small", 40);
		await clock.settle();
		expect(small.answer).toBe("waits");
		await clock.advance(wait / 2);
		expect(small.answer).toBe("held 40");
	});

	it("forgets a client that has left", async () => {
		hold("c1", 100);
		await clock.settle();
		const gone = hold("c2", 60);
		const next = hold("c3", 100);
		await clock.settle();
		gone.left = left;
		await resolve("c1");
		expect(gone.answer).toBe("request/cancelled");
		expect(next.answer).toBe("held 100");
		expect(head.state("credits").holds.has("c2")).toBe(false);
	});

	it("asks nothing of the log for a client that has left before", async () => {
		const asked = queue.hold({} as never, { actor: "test" }, () => left);
		expect(await asked).toMatchObject({ error: { code: left.code } });
	});

	it("passes a fault of the log on to those it met", async () => {
		hold("c1", 100);
		await clock.settle();
		const waiting = hold("c2", 50);
		await clock.settle();
		log.fault = "log/full";
		const direct = hold("o1", 10, { account: "other" });
		await clock.settle();
		await clock.advance(wait);
		expect([direct.answer, waiting.answer]).toEqual(["log/full", "log/full"]);
		expect(queue.waiting()).toBe(0);
	});

	it("never holds twice for a call whose time runs out while it is being tried", async () => {
		// One command a commit, so that the tries of one turn are answered one after the other.
		await open({ batchLimit: 1 });
		hold("c1", 100);
		await clock.settle();
		const waiting = ["c2", "c3", "c4"].map((call) => hold(call, 30));
		await clock.settle();
		let release = (): void => {};
		const gate = new Promise<void>((opened) => {
			release = opened;
		});
		const write = log.write.bind(log);
		await run({ type: "release", call: "c1", ending: "finished" });
		let writes = 0;
		log.write = async (work) => {
			// The first try is recorded at once; the second takes until long after everybody's time.
			if (++writes === 2) await gate;
			return write(work);
		};
		await clock.advance(wait * 2);
		release();
		await clock.settle();
		expect(waiting.map(({ answer }) => answer)).toEqual([
			"held 30",
			"held 30",
			"held 30",
		]);
		const state = head.state("credits").accounts.get("main");
		expect(state?.held).toBe(90);
		expect(clock.timers()).toBe(0);
	});

	describe("while a try is under way", () => {
		/** c1 holds all, c2 waits; what `begin` does is written, and the try that follows waits for `finish`. */
		async function tryingSlowly() {
			await open();
			hold("c1", 100);
			await clock.settle();
			const waiter = hold("c2", 60, { atLeast: 30 });
			await clock.settle();
			let release = (): void => {};
			const gate = new Promise<void>((opened) => {
				release = opened;
			});
			return {
				waiter,
				async begin(command: CreditsCommand) {
					const { write } = log;
					let writes = 0;
					log.write = async (work) => {
						if (++writes > 1) await gate;
						return write(work);
					};
					await run(command);
					await clock.settle();
					expect(writes).toBe(2);
				},
				async finish() {
					release();
					await clock.settle();
				},
			};
		}

		it("its time may run out: then one more, pressing, decides", async () => {
			const { waiter, begin, finish } = await tryingSlowly();
			await begin({ type: "grant", account: "main", amount: 30 });
			await clock.advance(wait);
			expect(waiter.answer).toBe("waits");
			await finish();
			expect(waiter.answer).toBe("held 30");
			expect(clock.timers()).toBe(0);
		});

		it("the queue may close: what the try brings counts", async () => {
			const { waiter, begin, finish } = await tryingSlowly();
			await begin({ type: "release", call: "c1", ending: "finished" });
			queue.close();
			await finish();
			expect(waiter.answer).toBe("held 60");
			expect(queue.waiting()).toBe(0);
		});

		it("and brings nothing, the queue's end is the waiter's", async () => {
			const { waiter, begin, finish } = await tryingSlowly();
			await begin({ type: "grant", account: "main", amount: 1 });
			queue.close();
			await finish();
			expect(waiter.answer).toBe("credits/insufficient");
			expect(clock.timers()).toBe(0);
		});

		it("nobody is tried beside it", async () => {
			hold("c1", 100);
			await clock.settle();
			for (const call of ["c2", "c3", "c4", "c5", "c6"]) hold(call, 60);
			const before = executed.length;
			await clock.settle();
			// Once each on arrival, then the first alone, then all five.
			expect(executed.length - before).toBeLessThanOrEqual(6);
			expect(queue.waiting()).toBe(5);
		});
	});

	it("says which call may be held without anybody knowing, and no other", async () => {
		for (const fault of ["log/full", "log/unknown", "log/failed"]) {
			log.fault = fault;
			const asked = hold(`c ${fault}`, 10);
			await clock.settle();
			expect(asked.answer).toBe(fault);
		}
		delete log.fault;
		hold("c1", 10);
		await clock.settle();
		expect(doubted).toEqual(["c log/unknown"]);
	});

	it("closed lets nobody wait", async () => {
		hold("c1", 100);
		await clock.settle();
		const stays = hold("c2", 50);
		const leaves = hold("c3", 50);
		await clock.settle();
		leaves.left = left;
		queue.close();
		await clock.settle();
		expect(stays.answer).toBe("credits/insufficient");
		expect(leaves.answer).toBe("request/cancelled");
		const late = hold("c4", 50);
		await clock.settle();
		expect(late.answer).toBe("credits/insufficient");
		expect(clock.timers()).toBe(0);
	});

	it("without patience shrinks or refuses at once", async () => {
		queue = openHoldQueue({ head, clock, wait: 0, inDoubt: () => {} });
		hold("c1", 70);
		await clock.settle();
		const asked = hold("c2", 60, { atLeast: 20 });
		const refused = hold("c3", 60, { atLeast: 20 });
		await clock.settle();
		expect([asked.answer, refused.answer]).toEqual([
			"held 30",
			"credits/insufficient",
		]);
		expect(clock.timers()).toBe(0);
	});
});
