import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { sqliteEventLog } from "../../adapters/event-log/sqlite.ts";
import { toBase64 } from "../../kernel/bytes.ts";
import type { StoredEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { EventLog } from "../../ports/event-log.ts";
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
	stranger,
	trust,
} from "./log.testing.ts";
import { openTree } from "./tree.ts";
import { type Audit, type VerifyOptions, verifyLog } from "./verify.ts";

const sound = soundEvents(30);
const notes = await Promise.all(
	[10, 20, 30].map((size) => checkpointOf(forgedLog(sound), size)),
);

function verify(
	log: EventLog,
	options: Partial<VerifyOptions> = {},
): Promise<Audit> {
	return verifyLog({
		log,
		digest,
		checkpoints: { notes, origin, trust },
		...options,
	});
}

const found = (audit: Audit) =>
	audit.findings.map(({ code, position }) => `${code} ${position}`);
const at = (position: number) => sound[position - 1] as StoredEvent;
const changed = (position: number, change: Partial<StoredEvent>) =>
	sound.with(position - 1, { ...at(position), ...change });

describe("a sound log", () => {
	it("has nothing to be found, and the root that the tree has", async () => {
		const log = await soundLog(30);
		const seen: string[] = [];
		const audit = await verify(log, {
			onProgress: (done, of) => seen.push(`${done}/${of}`),
		});
		expect(audit).toEqual({
			ok: true,
			findings: [],
			unlisted: 0,
			events: 30,
			streams: 3,
			checkpoints: 3,
			root: toBase64(await (await openTree({ log, digest })).root()),
		});
		expect(seen).toEqual(["30/30"]);
	});

	it("may be empty, and may have a checkpoint from when it was", async () => {
		const log = memoryEventLog();
		const empty = await checkpointOf(log, 0);
		const audit = await verify(log, {
			checkpoints: { notes: [empty], origin, trust },
		});
		expect(audit).toMatchObject({
			ok: true,
			events: 0,
			streams: 0,
			checkpoints: 1,
		});
		expect(audit.root).toBe("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	});

	it("may grow while it is verified", async () => {
		let end = 20;
		const log = forgedLog(sound, {
			async tip() {
				const { position, hash, time } = at(end);
				return { position, hash, time };
			},
			async *read(position) {
				const grown = end;
				end = 30;
				if (position < grown) yield sound.slice(position, grown);
			},
		});
		expect(await verify(log)).toMatchObject({
			ok: true,
			events: 30,
			checkpoints: 3,
		});
	});
});

describe("what was changed is found where it stands", () => {
	it.each([
		["data", { data: '{"amount":15,"note":"plaim"}' }],
		["time", { time: at(15).time + 1 }],
		["type", { type: "thing-namee" }],
		["actor", { actor: "key/7" }],
		["stream", { stream: "thing/0 " }],
		["cause", { cause: "call/16" }],
		["a cause that is taken away", { cause: undefined }],
		["correlation", { correlation: "x" }],
		["input", { input: "ac" }],
		["a key that is added", { key: "key-15" }],
		["previous", { previous: at(3).hash }],
		["hash", { hash: at(3).hash }],
	] as const)("%s", async (_, change) => {
		const audit = await verify(forgedLog(changed(15, change)));
		expect(audit.ok).toBe(false);
		expect(found(audit)).toContain("audit/event-altered 15");
		// Nothing else in the log is accused, but for what the change itself makes wrong: a stream misses a version.
		const others = audit.findings.filter(
			({ code }) =>
				code !== "audit/version-broken" && code !== "audit/time-backwards",
		);
		expect(found({ ...audit, findings: others })).toEqual([
			"audit/event-altered 15",
		]);
	});

	it("any one character of any event", async () => {
		const texts = [
			"previous",
			"stream",
			"type",
			"actor",
			"cause",
			"correlation",
			"key",
			"input",
			"data",
			"hash",
		] as const;
		await fc.assert(
			fc.asyncProperty(
				fc.integer({ min: 1, max: 30 }),
				fc.constantFrom(...texts),
				fc.nat(),
				async (position, field, any) => {
					const text = at(position)[field] ?? "";
					const place = any % (text.length + 1);
					const other = text[place] === "7" ? "8" : "7";
					const change = {
						[field]: text.slice(0, place) + other + text.slice(place + 1),
					};
					const audit = await verify(forgedLog(changed(position, change)), {
						checkpoints: undefined as never,
					});
					expect(found(audit)).toContain(`audit/event-altered ${position}`);
				},
			),
			{ numRuns: 200 },
		);
	});

	it("a hash that no longer is one", async () => {
		const audit = await verify(forgedLog(changed(30, { hash: "none" })));
		expect(found(audit)).toEqual([
			"audit/event-altered 30",
			"audit/checkpoint-broken 30",
		]);
		expect(audit.root).toBeUndefined();
	});

	it("two events side by side, each for itself", async () => {
		const hash = at(3).hash;
		const forged = changed(15, { hash }).with(15, {
			...at(16),
			previous: at(4).hash,
		});
		expect(found(await verify(forgedLog(forged)))).toEqual(
			expect.arrayContaining([
				"audit/event-altered 15",
				"audit/event-altered 16",
			]),
		);
	});

	it("an event that was replaced by a well-formed one", async () => {
		const [other] = chain([{ ...envelope(15), data: "{}" }], at(14)) as [
			StoredEvent,
		];
		expect(found(await verify(forgedLog(sound.with(14, other))))).toEqual([
			"audit/chain-broken 16",
			"audit/checkpoint-broken 20",
			"audit/checkpoint-broken 30",
		]);
	});

	it("a history rewritten from some event on, by the checkpoints", async () => {
		const envelopes = Array.from({ length: 30 }, (_, at) => envelope(at + 1));
		const rewritten = chain(
			envelopes.with(14, { ...envelope(15), data: "{}" }),
		);
		const audit = await verify(forgedLog(rewritten));
		expect(found(audit)).toEqual([
			"audit/checkpoint-broken 20",
			"audit/checkpoint-broken 30",
		]);
		expect(audit.findings[0]?.message).toContain("Those up to 10 are");
		expect(audit.checkpoints).toBe(1);
		expect(
			(await verify(forgedLog(rewritten), { checkpoints: undefined as never }))
				.ok,
		).toBe(true);
	});

	it("an event that was removed", async () => {
		const audit = await verify(forgedLog(sound.toSpliced(14, 1)));
		expect(found(audit)).toEqual([
			"audit/event-missing 15",
			"audit/version-broken 18",
			"audit/checkpoint-broken 20",
			"audit/checkpoint-broken 30",
		]);
		expect(audit).toMatchObject({ events: 29, root: undefined });
	});

	it("several that were removed, also at the beginning", async () => {
		const audit = await verify(forgedLog(sound.slice(3)));
		expect(found(audit)).toContain("audit/event-missing 1");
		expect(
			audit.findings.find(({ code }) => code === "audit/event-missing")
				?.message,
		).toContain("Events 1 to 3 are");
	});

	it("an event that was added, with all behind it moved", async () => {
		const moved = sound
			.slice(14)
			.map((event) => ({ ...event, position: event.position + 1 }));
		const audit = await verify(
			forgedLog([...sound.slice(0, 14), { ...at(3), position: 15 }, ...moved]),
		);
		expect(found(audit)).toContain("audit/event-altered 15");
		expect(found(audit)).toContain("audit/event-altered 16");
		expect(audit.events).toBe(31);
	});

	it("events that changed places", async () => {
		const swapped = sound
			.with(14, { ...at(16), position: 15 })
			.with(15, { ...at(15), position: 16 });
		expect(found(await verify(forgedLog(swapped)))).toEqual(
			expect.arrayContaining([
				"audit/event-altered 15",
				"audit/event-altered 16",
			]),
		);
	});

	it("an event that the storage gives twice, or out of order", async () => {
		const audit = await verify(
			forgedLog(sound, {
				read: async function* (position) {
					if (position === 0)
						yield [...sound.slice(0, 15), at(15), at(4), ...sound.slice(15)];
				},
			}),
		);
		expect(found(audit)).toEqual([
			"audit/out-of-order 15",
			"audit/out-of-order 4",
		]);
	});

	it("events that were cut off at the end", async () => {
		const audit = await verify(forgedLog(sound.slice(0, 25)));
		expect(found(audit)).toEqual(["audit/checkpoint-ahead 30"]);
		expect(audit.findings[0]?.message).toContain("ends with event 25");
	});

	it("a stream that counts wrong, a clock that went back and a key used twice, though well sealed", async () => {
		const envelopes = Array.from({ length: 30 }, (_, at) => envelope(at + 1));
		const resealed = (position: number, change: Partial<StoredEvent>) =>
			forgedLog(
				chain(
					envelopes.with(position - 1, { ...envelope(position), ...change }),
				),
			);
		const none = { checkpoints: undefined as never };
		expect(found(await verify(resealed(15, { version: 6 }), none))).toEqual([
			"audit/version-broken 15",
			"audit/version-broken 18",
		]);
		expect(
			found(await verify(resealed(15, { time: at(1).time - 1 }), none)),
		).toEqual(["audit/time-backwards 15"]);
		const audit = await verify(resealed(15, { key: "key-4" }), none);
		expect(found(audit)).toEqual(["audit/key-repeated 15"]);
		expect(audit.findings[0]?.message).toContain("as event 4");
	});

	it.each([
		["another hash", { hash: at(4).hash }, 30],
		["another time", { time: 0 }, 30],
		["fewer events than it has", { position: 29 }, 29],
		["more events than it has", { position: 31 }, 31],
	])("a tip that says %s", async (_, lie, position) => {
		const { hash, time } = at(30);
		const log = forgedLog(sound, {
			tip: async () => ({ position: 30, hash, time, ...lie }),
		});
		expect(found(await verify(log))).toEqual([`audit/tip-wrong ${position}`]);
	});

	it("a storage that breaks off", async () => {
		const log = forgedLog(sound, {
			async *read() {
				yield sound.slice(0, 12);
				throw new Fault("log/damaged", "The file is damaged.");
			},
		});
		const audit = await verify(log);
		expect(found(audit)).toEqual([
			"audit/unreadable 13",
			"audit/checkpoint-ahead 20",
			"audit/checkpoint-ahead 30",
		]);
		expect(audit).toMatchObject({
			events: 12,
			checkpoints: 1,
			root: undefined,
		});
	});

	it("no storage that is merely busy", async () => {
		const busy = new Fault("log/busy", "Busy.", { retryable: true });
		const log = forgedLog(sound, {
			// biome-ignore lint/correctness/useYield: it never gets so far.
			async *read() {
				throw busy;
			},
		});
		await expect(verify(log)).rejects.toBe(busy);
	});

	it("a checkpoint of nobody, of another log, and what is none", async () => {
		const forged = await checkpointOf(forgedLog(sound), 30, stranger);
		const one = async (note: string, log = origin) =>
			found(
				await verify(forgedLog(sound), {
					checkpoints: { notes: [note], origin: log, trust },
				}),
			);
		expect(await one(forged)).toEqual(["audit/checkpoint-refused 0"]);
		expect(await one("?")).toEqual(["audit/checkpoint-refused 0"]);
		expect(await one(notes[0] as string, "another.example/log")).toEqual([
			"audit/checkpoint-refused 0",
		]);
	});

	it("a thousand times, though only the first are listed", async () => {
		const forged = sound.map((event) => ({ ...event, actor: "nobody" }));
		const audit = await verify(forgedLog(forged), { limit: 5 });
		expect(found(audit)).toEqual(
			[1, 2, 3, 4, 5].map((position) => `audit/event-altered ${position}`),
		);
		expect(audit).toMatchObject({ ok: false, unlisted: 25, events: 30 });
	});
});

describe("what was changed in a file", () => {
	const folder = mkdtempSync(join(tmpdir(), "duranteos-verify-"));
	let number = 0;
	let log: EventLog | undefined;

	afterEach(() => log?.close());
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	/** A file with the sound events, after somebody has been at it. */
	async function tampered(sql: string): Promise<Audit> {
		const path = join(folder, `${number++}.db`);
		log = await fill(sqliteEventLog(path), sound);
		expect((await verify(log)).ok).toBe(true);
		const direct = new DatabaseSync(path);
		direct.exec(sql);
		direct.close();
		return verify(log);
	}

	it.each([
		["data", "data = replace(data, 'plain', 'plaim')"],
		["time", "time = time + 1"],
		["type", "type = 'thing-namee'"],
		["actor", "actor = 'operatos'"],
		["stream", "stream = 'thing/9'"],
		["version", "version = 400"],
		["cause", "cause = 'x'"],
		["correlation", "correlation = null"],
		["key", "key = 'key-x'"],
		["input", "input = null"],
		["hash", "hash = replace(hash, substr(hash, 1, 8), '01234567')"],
	])("in the column %s", async (_, change) => {
		const audit = await tampered(
			`update event set ${change} where position = 20`,
		);
		const altered = found(audit).filter((code) =>
			code.startsWith("audit/event-altered"),
		);
		expect(altered).toEqual(["audit/event-altered 20"]);
		expect(
			found(audit).filter((code) => code.startsWith("audit/checkpoint")),
		).toEqual([]);
	});

	it("by removing an event", async () => {
		expect(
			found(await tampered("delete from event where position = 20")),
		).toEqual([
			"audit/event-missing 20",
			"audit/version-broken 23",
			"audit/checkpoint-broken 20",
			"audit/checkpoint-broken 30",
		]);
	});

	it("by removing the newest events", async () => {
		expect(
			found(await tampered("delete from event where position > 25")),
		).toEqual(["audit/checkpoint-ahead 30"]);
	});

	it("by moving an event to another place", async () => {
		const audit = await tampered(
			"update event set position = 31 where position = 20",
		);
		expect(found(audit)).toEqual(
			expect.arrayContaining([
				"audit/event-missing 20",
				"audit/event-altered 31",
			]),
		);
	});

	it("by adding one", async () => {
		const columns = "time, stream, version, type, actor, hash, data";
		const audit = await tampered(
			`insert into event (position, ${columns}) select 31, time, stream, 11, type, actor, hash, data from event where position = 30`,
		);
		expect(found(audit)).toEqual(["audit/event-altered 31"]);
	});

	it("by exchanging two", async () => {
		const audit = await tampered(
			"update event set position = -1 where position = 20; update event set position = 20 where position = 21; update event set position = 21 where position = -1",
		);
		expect(found(audit)).toEqual(
			expect.arrayContaining([
				"audit/event-altered 20",
				"audit/event-altered 21",
			]),
		);
	});
});
