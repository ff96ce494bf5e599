import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { sqliteEventLog } from "../../adapters/event-log/sqlite.ts";
import type { StoredEvent } from "../../kernel/event.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { type CopyOptions, copyLog } from "./copy.ts";
import {
	chain,
	checkpointOf,
	digest,
	envelope,
	fill,
	forgedLog,
	origin,
	soundEvents,
	soundLog,
	trust,
} from "./log.testing.ts";

const events = soundEvents(3_300);
let folder: string;
let opened: EventLog[];
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "duranteos-copy-"));
	opened = [];
});
afterEach(async () => {
	for (const log of opened) await log.close();
	rmSync(folder, { recursive: true, force: true });
});

function sqlite(name = "log.db"): EventLog {
	const log = sqliteEventLog(join(folder, name));
	opened.push(log);
	return log;
}

async function eventsOf(log: EventLog): Promise<StoredEvent[]> {
	const all: StoredEvent[] = [];
	for await (const batch of log.read(0)) all.push(...batch);
	return all;
}

const copy = (from: EventLog, to: EventLog, more: Partial<CopyOptions> = {}) =>
	copyLog({ from, to, digest, ...more });

/** A log that fails after so many writes, as if the process had been killed between two. */
function dyingAfter(writes: number, log: EventLog): EventLog {
	let left = writes;
	return {
		...log,
		write(work) {
			if (left-- === 0) return Promise.reject(new Error("killed"));
			return log.write(work);
		},
	};
}

describe("a copy", () => {
	it("has the same events and the same root, there and back", async () => {
		const source = await fill(memoryEventLog(), events);
		const file = sqlite();
		const there = await copy(source, file);
		expect(there).toMatchObject({
			copied: 3_300,
			size: 3_300,
			hash: events.at(-1)?.hash,
			moved: 0,
			audit: { ok: true, events: 3_300 },
		});
		expect(there.audit.root).toBe(there.root);
		const back = memoryEventLog();
		expect((await copy(file, back)).root).toBe(there.root);
		expect(await eventsOf(back)).toEqual(events);
	});

	it("is compared with the checkpoints that are there", async () => {
		const source = await soundLog(20);
		const of = (note: string) => ({ notes: [note], origin, trust });
		const held = await copy(source, memoryEventLog(), {
			checkpoints: of(await checkpointOf(source, 12)),
		});
		expect(held.audit).toMatchObject({ ok: true, checkpoints: 1 });
		const other = forgedLog(
			chain(Array.from({ length: 20 }, () => ({ ...envelope(1) }))),
		);
		const broken = await copy(source, memoryEventLog(), {
			checkpoints: of(await checkpointOf(other, 12)),
		});
		expect(broken.audit.findings).toMatchObject([
			{ code: "audit/checkpoint-broken", position: 12 },
		]);
	});

	it("goes on where it was killed, and copies nothing twice", async () => {
		const source = await fill(memoryEventLog(), events);
		const target = sqlite();
		await expect(copy(source, dyingAfter(2, target))).rejects.toThrow("killed");
		expect((await target.tip()).position).toBe(2_000);
		const told: string[] = [];
		const result = await copy(source, target, {
			onCopied: (done, of) => told.push(`${done}/${of}`),
		});
		expect(result).toMatchObject({ copied: 1_300, size: 3_300 });
		expect(told).toEqual(["3000/3300", "3300/3300"]);
		expect(await eventsOf(target)).toEqual(events);
		expect(await copy(source, target)).toMatchObject({
			copied: 0,
			size: 3_300,
		});
	});

	it("follows a source that others write to, and ends on its newest event", async () => {
		const source = await fill(memoryEventLog(), events.slice(0, 1_500));
		let next = 1_500;
		const append = (count: number) => {
			const added = events.slice(next, next + count);
			next += count;
			return source.write((head) => head.append(added));
		};
		const target = memoryEventLog();
		const busy: EventLog = {
			...target,
			async write(work) {
				// Others get in between any two batches, but never under the source's head.
				if (next === 1_500) await append(1_200);
				else if (next === 2_700) setTimeout(() => void append(600));
				return target.write(work);
			},
		};
		const result = await copy(source, busy);
		expect(result.size).toBeGreaterThanOrEqual(2_700);
		expect(result.size + result.moved).toBe((await source.tip()).position);
		await append(events.length - next);
		expect(await copy(source, target)).toMatchObject({ size: 3_300, moved: 0 });
		expect(await eventsOf(target)).toEqual(events);
	});

	it("says when the source went on after it had all", async () => {
		const source = await fill(memoryEventLog(), events.slice(0, 10));
		const onVerified = () =>
			void source.write((head) => head.append(events.slice(10, 12)));
		const first = await copy(source, memoryEventLog(), { onVerified });
		expect(first).toMatchObject({ size: 10, moved: 2, audit: { ok: true } });
	});

	it("gives up on a source that grows as quickly as it is copied", async () => {
		const many = soundEvents(1_001 * 26);
		let shown = 0;
		const growing = forgedLog(many, {
			async tip() {
				shown += 1_001;
				const { position, hash, time } = many[shown - 1] as StoredEvent;
				return { position, hash, time };
			},
			async *read(position, { to = many.length } = {}) {
				yield many.slice(position, to);
			},
			write: async (work) =>
				work({
					tip: many.at(-1) as StoredEvent,
					after: () => [],
					versions: () => new Map(),
					findByKey: () => [],
					append() {},
				}),
		});
		await expect(copy(growing, memoryEventLog())).rejects.toMatchObject({
			code: "copy/source-too-busy",
		});
	});
});

describe("a copy is refused", () => {
	it.each([
		["another log", chain([{ ...envelope(1), data: "{}" }]), "other-log"],
		["more than the source", events.slice(0, 30), "target-ahead"],
	])(
		"where the target holds %s, which stays as it is",
		async (_, held, why) => {
			const source = await fill(memoryEventLog(), events.slice(0, 20));
			const target = await fill(memoryEventLog(), held);
			await expect(copy(source, target)).rejects.toMatchObject({
				code: `copy/${why}`,
			});
			expect(await eventsOf(target)).toEqual(held);
		},
	);

	it("where the source is empty and the target is not", async () => {
		await expect(
			copy(memoryEventLog(), await soundLog(1)),
		).rejects.toMatchObject({ code: "copy/other-log" });
	});

	it("where another writes to the target meanwhile", async () => {
		const target = memoryEventLog();
		const shared: EventLog = {
			...target,
			async write(work) {
				await target.write((head) => head.append(events.slice(0, 1)));
				return target.write(work);
			},
		};
		await expect(copy(await soundLog(20), shared)).rejects.toMatchObject({
			code: "copy/target-moved",
		});
		expect((await target.tip()).position).toBe(1);
	});

	it.each([
		["changed", events.with(7, { ...(events[7] as StoredEvent), data: "{}" })],
		["missing", events.toSpliced(7, 1)],
	])("where an event of the source is %s", async (_, damaged) => {
		const source = forgedLog(damaged.slice(0, 1_500));
		await expect(copy(source, memoryEventLog())).rejects.toMatchObject({
			code: "log/damaged",
		});
	});

	it("where the target does not give back what it was given", async () => {
		const target = memoryEventLog();
		const lossy: EventLog = {
			...target,
			tip: async () => ({ ...(await target.tip()), hash: "00" }),
		};
		await expect(copy(await soundLog(20), lossy)).rejects.toMatchObject({
			code: "copy/not-the-same",
		});
	});

	it("and a target whose stored bytes were changed is found out", async () => {
		const target = await fill(memoryEventLog(), events.slice(0, 10));
		const changed = forgedLog(
			events
				.slice(0, 10)
				.with(4, { ...(events[4] as StoredEvent), data: "{}" }),
			{ tip: target.tip },
		);
		const { audit } = await copy(await soundLog(10), changed);
		expect(audit.findings).toMatchObject([
			{ code: "audit/event-altered", position: 5 },
		]);
	});
});
