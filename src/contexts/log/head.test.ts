import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryDerivedStore } from "../../adapters/derived-store/memory.ts";
import { sqliteDerivedStore } from "../../adapters/derived-store/sqlite.ts";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { sqliteEventLog } from "../../adapters/event-log/sqlite.ts";
import { systemClock } from "../../adapters/runtime/clock.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { openDatabase } from "../../adapters/sqlite/database.ts";
import {
	afterwards,
	temporaryPath,
} from "../../adapters/sqlite/fixtures/temporary.ts";
import {
	canonicalLine,
	type DomainEvent,
	genesisHash,
	hashLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { DerivedStore, Saved } from "../../ports/derived-store.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { type Tally, type TallyCommand, tally } from "./fixtures/tally.ts";
import { type Head, type HeadOptions, openHead } from "./head.ts";

type TallyHead = Head<{ tally: typeof tally }>;
type Options = Partial<HeadOptions<{ tally: typeof tally }>>;

const open = (log: EventLog, options: Options = {}): Promise<TallyHead> =>
	openHead({
		log,
		deciders: { tally },
		clock: manualClock(),
		digest: nodeDigest,
		...options,
	});

const run = (
	head: TallyHead,
	command: TallyCommand,
	intent: { key?: string; input?: string } = {},
) => head.execute("tally", command, { actor: "operator", ...intent });

const add = (to: string, amount = 1): TallyCommand => ({
	type: "add",
	to,
	amount,
});

const sums = (head: TallyHead) => Object.fromEntries(head.state("tally").sums);

async function readAll(log: EventLog): Promise<StoredEvent[]> {
	const events: StoredEvent[] = [];
	for await (const batch of log.read(0)) events.push(...batch);
	return events;
}

/** Positions, versions, chain and hashes as they must be; gives the events back. */
async function readWhole(log: EventLog): Promise<StoredEvent[]> {
	const events = await readAll(log);
	const versions = new Map<string, number>();
	let previous = genesisHash;
	for (const [index, event] of events.entries()) {
		expect(event.position).toBe(index + 1);
		expect(event.previous).toBe(previous);
		expect(event.version).toBe((versions.get(event.stream) ?? 0) + 1);
		expect(hashLine(canonicalLine(event), nodeDigest.text)).toBe(event.hash);
		versions.set(event.stream, event.version);
		previous = event.hash;
	}
	return events;
}

/** A log that can be told to fail its next writes, before the work or at the commit, and that counts writes. */
function fragile(log: EventLog) {
	const failures: ("before" | "commit")[] = [];
	let writes = 0;
	const wrapped: EventLog = {
		...log,
		async write(work) {
			writes += 1;
			const failure = failures.shift();
			if (failure === "before")
				throw new Fault("log/busy", "Busy.", { retryable: true });
			return log.write(async (head) => {
				const result = await work(head);
				if (failure === "commit") throw new Fault("log/full", "Full.");
				return result;
			});
		},
	};
	return {
		log: wrapped,
		fail: (...next: ("before" | "commit")[]) => void failures.push(...next),
		writes: () => writes,
	};
}

const stores: [string, () => { log: EventLog; derived: DerivedStore }][] = [
	["memory", () => ({ log: memoryEventLog(), derived: memoryDerivedStore() })],
	[
		"sqlite",
		() => {
			const database = openDatabase(temporaryPath());
			afterwards(() => database.close());
			return {
				log: sqliteEventLog(database),
				derived: sqliteDerivedStore(database),
			};
		},
	],
];

describe("a disk that does not confirm", () => {
	it("leaves a command in doubt: told as log/unknown, shown to nobody, then found under its key", async () => {
		let failing = false;
		const flush = (): void => {
			if (failing) throw new Error("EIO");
		};
		const database = openDatabase(temporaryPath(), {
			flushing: "beside",
			disk: {
				fdatasyncSync: flush,
				fdatasync(_file, done) {
					setImmediate(() => done(failing ? new Error("EIO") : null));
				},
			},
		});
		afterwards(() => database.close());
		const log = sqliteEventLog(database);
		const head = await open(log);
		const heard: number[] = [];
		head.subscribe((events) =>
			heard.push(...events.map(({ position }) => position)),
		);
		await run(head, add("a", 1));
		failing = true;
		const doubtful = [
			run(head, add("a", 2), { key: "k" }),
			run(head, add("b", 4)),
		];
		for (const one of doubtful)
			await expect(one).rejects.toMatchObject({ code: "log/unknown" });
		expect(sums(head)).toEqual({ a: 1 });
		expect(await log.tip()).toMatchObject({ position: 1 });
		expect(await readAll(log)).toHaveLength(1);
		expect(await log.findByKey(["k"])).toEqual([]);
		expect(await log.at(2)).toBeUndefined();
		expect(await log.hashes(1, 3)).toHaveLength(1);
		expect(heard).toEqual([1]);

		failing = false;
		expect(await run(head, add("a", 2), { key: "k" })).toMatchObject({
			ok: true,
			value: { replayed: true, events: [{ position: 2 }] },
		});
		expect(sums(head)).toEqual({ a: 3, b: 4 });
		expect(heard).toEqual([1, 2, 3]);
		expect(await readWhole(log)).toHaveLength(3);
	});
});

describe.each(stores)("head over %s", (_, makeStores) => {
	it("decides, records and answers", async () => {
		const { log } = makeStores();
		const clock = manualClock({ start: 5_000 });
		const head = await open(log, { clock });
		const outcome = await head.execute("tally", add("a", 3), {
			actor: "key/k1",
			cause: "call/1",
			correlation: "session/1",
			key: "idem-1",
			input: "input-1",
		});
		expect(outcome).toEqual({
			ok: true,
			value: {
				events: [
					{
						type: "amount-added",
						data: { to: "a", amount: 3 },
						stream: "count/a",
						time: 5_000,
						position: 1,
					},
				],
				replayed: false,
			},
		});
		expect(await readWhole(log)).toMatchObject([
			{
				stream: "count/a",
				version: 1,
				time: 5_000,
				actor: "key/k1",
				cause: "call/1",
				correlation: "session/1",
				key: "idem-1",
				input: "input-1",
				data: '{"to":"a","amount":3}',
			},
		]);
		expect(sums(head)).toEqual({ a: 3 });
		expect(head.position()).toBe(1);
	});

	it("records what waits together in one write, in the order of asking", async () => {
		const stores = makeStores();
		const { log, writes } = fragile(stores.log);
		const head = await open(log);
		const outcomes = await Promise.all(
			Array.from({ length: 300 }, (_, index) =>
				run(head, { type: "reach", to: "a", sum: index + 1 }),
			),
		);
		expect(writes()).toBe(1);
		expect(
			outcomes.map(
				(outcome) => outcome.ok && outcome.value.events[0]?.position,
			),
		).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
		expect(await readWhole(stores.log)).toHaveLength(300);
	});

	it("splits what is more than a batch, and loses none", async () => {
		const stores = makeStores();
		const { log, writes } = fragile(stores.log);
		const head = await open(log, { batchLimit: 7 });
		await Promise.all(Array.from({ length: 50 }, () => run(head, add("a"))));
		expect(writes()).toBe(8);
		expect(sums(head)).toEqual({ a: 50 });
		expect(await readWhole(stores.log)).toHaveLength(50);
	});

	describe("who comes while the head is waited for", () => {
		async function gatherLate(another: boolean) {
			const { log } = makeStores();
			const free = Promise.withResolvers<void>();
			const asked: string[][] = [];
			const following: (readonly string[] | undefined)[] = [];
			const head = await open(
				{
					...log,
					async write(work, ahead) {
						asked.push([...(ahead?.keys ?? [])]);
						await free.promise;
						const result = await log.write(work, ahead);
						following.push(ahead?.next?.());
						return result;
					},
				},
				{ batchLimit: 3 },
			);
			const first = run(head, add("a"), { key: "1" });
			while (asked.length === 0) await new Promise(setImmediate);
			const late = ["2", "1", "3"].map((key) => run(head, add("a"), { key }));
			if (another) await run(await open(log), add("a"));
			free.resolve();
			await first;
			// One of them is a repetition.
			expect(
				(await Promise.all(late)).map((one) => one.ok && one.value.replayed),
			).toEqual([false, true, false]);
			expect(sums(head)).toEqual({ a: another ? 4 : 3 });
			await readWhole(log);
			return { asked, following };
		}

		it("goes along when others write as well, up to a full batch", async () => {
			const { asked, following } = await gatherLate(true);
			expect(asked).toEqual([
				["1", "end/a"],
				["3", "end/a"],
			]);
			// The head is not asked for ahead of them.
			expect(following).toEqual([undefined, undefined]);
		});

		it("has the next turn, which is told of in time, when nobody else does", async () => {
			const { asked, following } = await gatherLate(false);
			const next = ["2", "end/a", "1", "end/a", "3", "end/a"];
			expect(asked).toEqual([["1", "end/a"], next]);
			expect(following).toEqual([next, undefined]);
		});
	});

	it("records nothing for a refusal or for an acceptance without events", async () => {
		const { log } = makeStores();
		const head = await open(log);
		const [refused, empty] = await Promise.all([
			run(head, add("a", -1)),
			run(head, { type: "nothing" }),
		]);
		expect(refused).toMatchObject({
			ok: false,
			error: { code: "tally/negative" },
		});
		expect(empty).toEqual({ ok: true, value: { events: [], replayed: false } });
		expect(await log.tip()).toMatchObject({ position: 0 });
		expect(await run(head, add("a"))).toMatchObject({
			ok: true,
			value: { events: [{ position: 1 }] },
		});
	});

	it("lets a command that throws fail alone", async () => {
		const { log } = makeStores();
		const head = await open(log);
		await run(head, { type: "end", to: "gone" });
		const outcomes = await Promise.allSettled([
			run(head, add("a")),
			run(head, { type: "break" }),
			run(head, { type: "break-recall" }),
			run(head, { type: "write-nonsense" }),
			run(head, { type: "end-blindly", to: "gone" }),
			run(head, add("\ud800")),
			run(head, add("a"), { key: "\udfff" }),
			run(head, { type: "end", to: "b" }, { key: "its-own" }),
			run(head, add("a")),
		]);
		expect(
			outcomes.map((one) =>
				one.status === "fulfilled"
					? one.value.ok
					: (one.reason.code ?? one.reason.message),
			),
		).toEqual([
			true,
			"decide broke",
			"recall broke",
			expect.stringContaining("BigInt"),
			"log/conflict",
			"log/malformed",
			"log/malformed",
			"log/malformed",
			true,
		]);
		expect(sums(head)).toEqual({ a: 2 });
		expect(await readWhole(log)).toHaveLength(3);
	});

	it("never goes back in time", async () => {
		const { log } = makeStores();
		const clock = manualClock({ start: 5_000 });
		const head = await open(log, { clock });
		await run(head, add("a"));
		clock.jump(-4_000);
		await run(head, add("a"));
		clock.jump(9_000);
		await run(head, add("a"));
		expect((await readWhole(log)).map(({ time }) => time)).toEqual([
			5_000, 5_000, 10_000,
		]);
	});

	describe("an idempotency key", () => {
		it("gives the first outcome to the same input, also in one batch and after a restart", async () => {
			const { log } = makeStores();
			const head = await open(log);
			const once = { key: "k", input: "i" };
			const [first, second] = await Promise.all([
				run(head, add("a"), once),
				run(head, add("a"), once),
			]);
			expect(first).toMatchObject({
				ok: true,
				value: { replayed: false, events: [{ position: 1 }] },
			});
			expect(second).toMatchObject({
				ok: true,
				value: { replayed: true, events: [{ position: 1 }] },
			});
			const again = await open(log);
			expect(await run(again, add("a"), once)).toEqual(second);
			expect(sums(again)).toEqual({ a: 1 });
			expect(await readWhole(log)).toHaveLength(1);
		});

		it("is refused with another input, also in one batch", async () => {
			const { log } = makeStores();
			const head = await open(log);
			const outcomes = await Promise.all([
				run(head, add("a"), { key: "k", input: "i" }),
				run(head, add("a", 2), { key: "k", input: "other" }),
				run(head, add("a", 2), { key: "k" }),
			]);
			const mismatch = { ok: false, error: { code: "idempotency/mismatch" } };
			expect(outcomes).toMatchObject([{ ok: true }, mismatch, mismatch]);
			expect(
				await run(head, add("a", 2), { key: "k", input: "other" }),
			).toMatchObject(mismatch);
			expect(sums(head)).toEqual({ a: 1 });
		});

		it("stays free when the command was refused", async () => {
			const { log } = makeStores();
			const head = await open(log);
			expect(
				await run(head, add("a", -1), { key: "k", input: "i" }),
			).toMatchObject({ ok: false });
			expect(
				await run(head, add("a", 1), { key: "k", input: "j" }),
			).toMatchObject({ ok: true });
		});

		it("stands on the first of several events", async () => {
			const { log } = makeStores();
			const head = await open(log);
			await run(
				head,
				{ type: "spread", to: ["a", "b", "a"] },
				{ key: "k", input: "i" },
			);
			expect(
				(await readWhole(log)).map(({ key, input, version }) => [
					key,
					input,
					version,
				]),
			).toEqual([
				["k", "i", 1],
				[undefined, undefined, 1],
				[undefined, undefined, 2],
			]);
		});
	});

	it("recalls what the state has let go, also from the same batch", async () => {
		const { log } = makeStores();
		const head = await open(log);
		await run(head, { type: "end", to: "a" });
		const outcomes = await Promise.all([
			run(head, add("a")),
			run(head, add("b")),
			run(head, { type: "end", to: "b" }),
			run(head, add("b")),
			run(head, { type: "end", to: "b" }),
		]);
		expect(outcomes).toMatchObject([
			{ ok: false, error: { code: "tally/ended", details: { at: 1 } } },
			{ ok: true },
			{ ok: true },
			{ ok: false, error: { code: "tally/ended", details: { at: 3 } } },
			{ ok: false, error: { code: "tally/ended" } },
		]);
	});

	it("decides on what another head has recorded", async () => {
		const { log } = makeStores();
		const [one, two] = [await open(log), await open(log)];
		for (let sum = 1; sum <= 20; sum++) {
			const outcome = await run(sum % 2 ? one : two, {
				type: "reach",
				to: "a",
				sum,
			});
			expect(outcome).toMatchObject({
				ok: true,
				value: { events: [{ position: sum }] },
			});
		}
		await Promise.all([one.refresh(), two.refresh()]);
		expect([sums(one), sums(two)]).toEqual([{ a: 20 }, { a: 20 }]);
		await readWhole(log);
	});

	it("keeps an exact count however two heads interleave", async () => {
		const { log } = makeStores();
		const [one, two] = [await open(log), await open(log)];
		const outcomes = await Promise.all(
			Array.from({ length: 100 }, (_, index) =>
				run(index % 2 ? one : two, add("a"), { key: `${index >> 1}` }),
			),
		);
		const recorded = outcomes.filter(
			(outcome) => outcome.ok && !outcome.value.replayed,
		);
		expect(recorded).toHaveLength(50);
		await Promise.all([one.refresh(), two.refresh()]);
		expect([sums(one), sums(two)]).toEqual([{ a: 50 }, { a: 50 }]);
		expect(await readWhole(log)).toHaveLength(50);
	});

	describe("a write that fails", () => {
		it.each(["before", "commit"] as const)(
			"loses nothing, leaves no phantom, and the next one works: %s",
			async (when) => {
				const stores = makeStores();
				const { log, fail } = fragile(stores.log);
				const head = await open(log);
				await run(head, add("a"));
				fail(when);
				const failed = await Promise.allSettled([
					run(head, add("a"), { key: "k" }),
					run(head, add("b")),
				]);
				const code = when === "before" ? "log/busy" : "log/full";
				expect(failed).toMatchObject([
					{ reason: { code } },
					{ reason: { code } },
				]);
				expect(sums(head)).toEqual({ a: 1 });
				expect(head.position()).toBe(1);
				expect(await run(head, add("a"), { key: "k" })).toMatchObject({
					ok: true,
					value: { replayed: false },
				});
				expect(sums(head)).toEqual({ a: 2 });
				expect(await readWhole(stores.log)).toHaveLength(2);
			},
		);

		it("takes down its own batch alone", async () => {
			const stores = makeStores();
			const { log, fail } = fragile(stores.log);
			const head = await open(log, { batchLimit: 2 });
			fail("commit");
			const outcomes = await Promise.allSettled(
				Array.from({ length: 6 }, () => run(head, add("a"))),
			);
			expect(outcomes.map(({ status }) => status)).toEqual([
				"rejected",
				"rejected",
				"fulfilled",
				"fulfilled",
				"fulfilled",
				"fulfilled",
			]);
			expect(sums(head)).toEqual({ a: 4 });
		});

		it("does not keep from listeners what others had recorded", async () => {
			const stores = makeStores();
			const { log, fail } = fragile(stores.log);
			const [mine, other] = [await open(log), await open(stores.log)];
			const heard: number[] = [];
			mine.subscribe((events) =>
				heard.push(...events.map(({ position }) => position)),
			);
			await run(other, add("a"));
			fail("commit");
			await expect(run(mine, add("a"))).rejects.toMatchObject({
				code: "log/full",
			});
			await run(other, add("a"));
			await run(mine, add("a"));
			expect(heard).toEqual([1, 2, 3]);
		});
	});

	describe("listeners", () => {
		it("hear of every event in order, others' too, after its commit", async () => {
			const { log } = makeStores();
			const [mine, other] = [await open(log), await open(log)];
			const heard: DomainEvent[] = [];
			const durable: Promise<number>[] = [];
			mine.subscribe((events) => {
				heard.push(...events);
				durable.push(
					log
						.tip()
						.then(({ position }) => position - (events.at(-1)?.position ?? 0)),
				);
			});
			await run(mine, { type: "spread", to: ["a", "b"] });
			await run(other, add("c"));
			await run(mine, add("d"));
			await run(other, add("e"));
			await mine.refresh();
			expect(heard.map(({ position, data }) => [position, data.to])).toEqual([
				[1, "a"],
				[2, "b"],
				[3, "c"],
				[4, "d"],
				[5, "e"],
			]);
			for (const ahead of await Promise.all(durable))
				expect(ahead).toBeGreaterThanOrEqual(0);
		});

		it("that throw are reported, and neither command nor other listeners notice", async () => {
			const { log } = makeStores();
			const faults: unknown[] = [];
			const heard: number[] = [];
			const head = await open(log, { onFault: (fault) => faults.push(fault) });
			const broken = new Error("listener broke");
			const stop = head.subscribe(() => {
				throw broken;
			});
			head.subscribe((events) => heard.push(events.length));
			expect(await run(head, add("a"))).toMatchObject({ ok: true });
			stop();
			await run(head, add("a"));
			expect(faults).toEqual([broken]);
			expect(heard).toEqual([1, 1]);
		});
	});

	describe("a snapshot", () => {
		it("gives the same state as folding all, and spares that", async () => {
			const { log, derived } = makeStores();
			const head = await open(log, { derived, snapshotEvery: 10 });
			for (let index = 0; index < 25; index++)
				await run(head, add(`n${index % 4}`, index));
			await head.close();
			const reads: number[] = [];
			const watched: EventLog = {
				...log,
				scan(position, options) {
					reads.push(position);
					return log.scan(position, options);
				},
			};
			const restored = await open(watched, { derived });
			expect(reads).toEqual([25]);
			const folded = await open(log);
			expect(tally.save(restored.state("tally") as Tally)).toEqual(
				tally.save(folded.state("tally") as Tally),
			);
			expect(restored.position()).toBe(25);
			expect(
				await run(restored, {
					type: "reach",
					to: "n1",
					sum: (sums(folded).n1 ?? 0) + 1,
				}),
			).toMatchObject({ ok: true });
		});

		it("is taken while working, not only at the end", async () => {
			const { log, derived } = makeStores();
			const head = await open(log, { derived, snapshotEvery: 10 });
			for (let index = 0; index < 12; index++) await run(head, add("a"));
			await run(head, add("a"));
			expect((await derived.load("head"))?.position).toBe(10);
		});

		it.each<[string, Partial<Saved>, Options, number]>([
			[
				"of another format",
				{},
				{ deciders: { tally: { ...tally, format: 2 } } },
				0,
			],
			["of another log", { hash: "f".repeat(64) }, {}, 0],
			["ahead of the log", { position: 9 }, {}, 0],
			["of another shape", { format: 99 }, {}, 0],
			["that is no JSON", { body: "{oh" }, {}, 1],
			["that is null", { body: "null" }, {}, 1],
			[
				"that its decider cannot read",
				{ body: '{"tally":{"format":1,"state":{"sums":7}}}' },
				{},
				1,
			],
		])("%s is ignored", async (_, change, options, reported) => {
			const { log, derived } = makeStores();
			const head = await open(log, { derived });
			for (let index = 0; index < 5; index++) await run(head, add("a"));
			await head.close();
			// Its sum is wrong, so that whoever believes it is found out.
			const saved = (await derived.load("head")) as Saved;
			const body = JSON.stringify({
				tally: { format: 1, state: { sums: [["a", 77]], commands: 5 } },
			});
			await derived.save("head", { ...saved, body, ...change });
			const faults: unknown[] = [];
			const next = await open(log, {
				derived,
				onFault: (fault) => faults.push(fault),
				...options,
			});
			expect(sums(next)).toEqual({ a: 5 });
			expect(next.position()).toBe(5);
			expect(faults).toHaveLength(reported);
		});

		it("that cannot be saved is reported, and commands go on", async () => {
			const { log, derived } = makeStores();
			const faults: unknown[] = [];
			const broken: DerivedStore = {
				...derived,
				save: () => Promise.reject(new Fault("store/full", "Full.")),
			};
			const head = await open(log, {
				derived: broken,
				snapshotEvery: 2,
				onFault: (fault) => faults.push(fault),
			});
			for (let index = 0; index < 5; index++)
				expect(await run(head, add("a"))).toMatchObject({ ok: true });
			await head.close();
			expect(faults.length).toBeGreaterThan(1);
			expect(await readWhole(log)).toHaveLength(5);
		});
	});

	it("once closing, finishes what waits and refuses the rest", async () => {
		const { log, derived } = makeStores();
		const head = await open(log, { derived });
		const waiting = [run(head, add("a")), run(head, add("a"))];
		const closing = Promise.all([head.close(), head.close()]);
		await expect(run(head, add("a"))).rejects.toMatchObject({
			code: "log/closed",
		});
		expect(await Promise.all(waiting)).toMatchObject([
			{ ok: true },
			{ ok: true },
		]);
		await closing;
		expect((await derived.load("head"))?.position).toBe(2);
	});
});

it("reads old events in today's shape", async () => {
	const log = memoryEventLog();
	const writer = await open(log);
	await run(writer, add("a", 2), { key: "k" });
	const upcast = (event: DomainEvent): DomainEvent => ({
		...event,
		data: { ...event.data, to: "new" },
	});
	const reader = await open(log, { upcast });
	expect(sums(reader)).toEqual({ new: 2 });
	expect(await run(reader, add("a"), { key: "k" })).toMatchObject({
		value: { events: [{ data: { to: "new" } }] },
	});
});

it("whatever happens to writes, tells the truth: acknowledged is recorded, refused and failed is not", async () => {
	const step = fc.record({
		head: fc.nat(2),
		commands: fc.array(
			fc.record({
				to: fc.constantFrom("a", "b"),
				amount: fc.integer({ min: -1, max: 5 }),
				key: fc.option(fc.nat(5), { nil: undefined }),
			}),
			{
				maxLength: 5,
			},
		),
		failure: fc.option(fc.constantFrom("before" as const, "commit" as const), {
			nil: undefined,
		}),
	});
	await fc.assert(
		fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
			const { log, fail } = fragile(memoryEventLog());
			const derived = memoryDerivedStore();
			const heads = await Promise.all(
				[0, 1, 2].map(() => open(log, { derived, snapshotEvery: 3 })),
			);
			const heard: number[][] = heads.map(() => []);
			for (const [index, head] of heads.entries()) {
				head.subscribe((events) =>
					heard[index]?.push(...events.map(({ position }) => position)),
				);
			}
			const acknowledged = new Map<number, unknown>();
			for (const { head, commands, failure } of steps) {
				if (failure && commands.length > 0) fail(failure);
				const outcomes = await Promise.allSettled(
					commands.map(({ to, amount, key }) =>
						run(
							heads[head] as TallyHead,
							add(to, amount),
							key === undefined
								? {}
								: { key: `k${key}`, input: `${to}${amount}` },
						),
					),
				);
				for (const one of outcomes) {
					if (one.status === "rejected")
						expect(one.reason).toBeInstanceOf(Fault);
					else if (one.value.ok && !one.value.value.replayed) {
						for (const { position, data } of one.value.value.events)
							acknowledged.set(position, data);
					}
				}
			}
			const events = await readWhole(log);
			expect(
				events.map(({ position, data }) => [position, JSON.parse(data)]),
			).toEqual([...acknowledged]);
			const fresh = tally.save((await open(log)).state("tally") as Tally);
			for (const [index, head] of heads.entries()) {
				await head.refresh();
				expect(heard[index]).toEqual(events.map(({ position }) => position));
				const { sums, commands } = tally.save(head.state("tally") as Tally) as {
					sums: [string, number][];
					commands: number;
				};
				expect({ sums, commands }).toEqual(fresh);
			}
		}),
		{ numRuns: 150 },
	);
});

describe("kill -9", () => {
	it("loses nothing that was acknowledged, and leaves the chain whole", async () => {
		const path = temporaryPath();
		for (let round = 1; round <= 3; round++) {
			const names = [`one-${round}`, `two-${round}`];
			const children = names.map((name) => spawnTallier(path, name));
			// Killed in the middle of work: soon after both have begun to acknowledge.
			await Promise.all(
				children.map((child) =>
					child.reached(5 + Math.floor(Math.random() * 120)),
				),
			);
			const acknowledged = await Promise.all(
				children.map((child) => child.kill()),
			);

			const database = openDatabase(path);
			const log = sqliteEventLog(database);
			const events = await readWhole(log);
			for (const [index, positions] of acknowledged.entries()) {
				expect(positions.length).toBeGreaterThanOrEqual(5);
				const actors = positions.map((position) => events[position - 1]?.actor);
				expect(new Set(actors)).toEqual(new Set([names[index]]));
			}
			const head = await open(log, {
				clock: systemClock,
				derived: sqliteDerivedStore(database),
			});
			const folded = await open(log);
			expect(sums(head)).toEqual(sums(folded));
			expect(await run(head, add("after"))).toMatchObject({
				ok: true,
				value: { events: [{ position: events.length + 1 }] },
			});
			await head.close();
			await database.close();
		}
	}, 60_000);
});

function spawnTallier(path: string, name: string) {
	const program = join(import.meta.dirname, "fixtures/tallier.ts");
	const child = spawn(process.execPath, [program, path, name], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	afterwards(() => child.kill("SIGKILL"));
	let text = "";
	let look = () => {};
	child.stdout.on("data", (chunk: Buffer) => {
		text += chunk;
		look();
	});
	const lines = () => text.split("\n").slice(0, -1).map(Number);
	return {
		/** Resolves once so many events were acknowledged; rejects when the process ends before. */
		reached: (count: number) =>
			new Promise<void>((resolve, reject) => {
				look = () => {
					if (lines().length >= count) resolve();
				};
				child.once("exit", (code) =>
					reject(new Error(`The tallier ended with ${code}.`)),
				);
				look();
			}),
		async kill(): Promise<number[]> {
			const closed = once(child, "close");
			child.kill("SIGKILL");
			await closed;
			return lines();
		},
	};
}
