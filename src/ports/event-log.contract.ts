import { hash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	type StoredEvent,
	sealEvent,
} from "../kernel/event.ts";
import type { EventLog, LogHead, ScannedEvent, Tip } from "./event-log.ts";

const hashText = (text: string) => hash("sha256", text, "hex");
const empty: Tip = { position: 0, hash: genesisHash, time: 0 };

type Draft = Partial<Omit<StoredEvent, "position" | "previous" | "hash">>;

/** Seals drafts behind a tip: streams default to `stream/a`, versions go on from `versions`. */
function seal(
	tip: Tip,
	drafts: readonly Draft[],
	versions: ReadonlyMap<string, number> = new Map(),
): StoredEvent[] {
	const reached = new Map(versions);
	let last = tip;
	return drafts.map((draft) => {
		const stream = draft.stream ?? "stream/a";
		const version = draft.version ?? (reached.get(stream) ?? 0) + 1;
		reached.set(stream, version);
		const event = sealEvent(
			{
				time: 1_000 + last.position,
				type: "thing-happened",
				actor: "operator",
				data: '{"amount":1}',
				...draft,
				position: last.position + 1,
				previous: last.hash,
				stream,
				version,
			},
			hashText,
		);
		last = event;
		return event;
	});
}

/** Appends drafts as a writer does: on the newest tip and the newest versions. */
async function appendTo(
	head: LogHead,
	drafts: readonly Draft[],
): Promise<StoredEvent[]> {
	const streams = [
		...new Set(drafts.map(({ stream }) => stream ?? "stream/a")),
	];
	const events = seal(head.tip, drafts, await head.versions(streams));
	await head.append(events);
	return events;
}

const write = (log: EventLog, ...drafts: Draft[]) =>
	log.write((head) => appendTo(head, drafts));

async function readAll(
	log: EventLog,
	...args: Parameters<EventLog["read"]>
): Promise<StoredEvent[]> {
	const events: StoredEvent[] = [];
	for await (const batch of log.read(...args)) events.push(...batch);
	return events;
}

async function scanAll(
	log: EventLog,
	...args: Parameters<EventLog["scan"]>
): Promise<ScannedEvent[]> {
	const events: ScannedEvent[] = [];
	for await (const batch of log.scan(...args)) events.push(...batch);
	return events;
}

/** What a scan shows of whole events. A log may show more. */
const scanned = (events: readonly StoredEvent[]) =>
	events.map(({ position, time, stream, type, data }) =>
		expect.objectContaining({ position, time, stream, type, data }),
	);

const positions = (events: readonly { readonly position: number }[]) =>
	events.map(({ position }) => position);
const numbers = (from: number, to: number) =>
	Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What every event log keeps to. `make` gives a new, empty log; the suite closes it. */
export function eventLogContract(
	name: string,
	make: () => EventLog | Promise<EventLog>,
): void {
	describe(`event log: ${name}`, () => {
		let log: EventLog;

		beforeEach(async () => {
			log = await make();
		});

		afterEach(async () => {
			await log.close();
		});

		describe("an empty log", () => {
			it("has the tip before the first event", async () => {
				expect(await log.tip()).toEqual(empty);
				expect(await log.write((head) => head.tip)).toEqual(empty);
			});

			it("has nothing to read", async () => {
				expect(await readAll(log, 0)).toEqual([]);
				expect(await scanAll(log, 0)).toEqual([]);
				expect(await log.readStream("stream/a")).toEqual([]);
				expect(await log.readStreamBackwards("stream/a")).toEqual([]);
				expect(await log.findByKey(["key"])).toEqual([]);
				expect(await log.at(1)).toBeUndefined();
				expect(await log.at(0)).toBeUndefined();
				expect(await log.hashes(1, 10)).toEqual([]);
			});

			it("says version 0 of every stream to its writer", async () => {
				const versions = await log.write((head) =>
					head.versions(["stream/a", "stream/b"]),
				);
				expect([...versions]).toEqual([
					["stream/a", 0],
					["stream/b", 0],
				]);
			});
		});

		describe("what was written", () => {
			it("comes back as it was, absent members absent", async () => {
				const [full, bare] = await write(
					log,
					{
						actor: "key/k1",
						cause: "call/1",
						correlation: "session/1",
						key: "key-1",
						input: "input-hash",
						data: '{"a":[1,{"b":null}]}',
					},
					{ stream: "stream/b" },
				);
				expect(await readAll(log, 0)).toEqual([full, bare]);
				const read = (await log.at(2)) as StoredEvent;
				expect([read.cause, read.correlation, read.key, read.input]).toEqual([
					undefined,
					undefined,
					undefined,
					undefined,
				]);
			});

			it("still has the hash of its canonical line, and the hash before it", async () => {
				await write(
					log,
					{},
					{ cause: "c", key: "k", input: "i" },
					{ stream: "stream/b" },
				);
				await write(log, { correlation: "x" });
				let before = genesisHash;
				for (const event of await readAll(log, 0)) {
					expect(event.previous).toBe(before);
					expect(hashLine(canonicalLine(event), hashText)).toBe(event.hash);
					before = event.hash;
				}
				expect(before).toBe((await log.tip()).hash);
			});

			it("says its previous hash whichever way it is read", async () => {
				await write(log, { type: "other-happened" }, { key: "k" }, {});
				const all = await readAll(log, 0);
				expect(await readAll(log, 1)).toEqual(all.slice(1));
				expect(await log.readStream("stream/a")).toEqual(all);
				expect(await log.readStreamBackwards("stream/a")).toEqual(
					all.toReversed(),
				);
				expect(await log.findByKey(["k"])).toEqual([all[1]]);
				expect(await log.at(2)).toEqual(all[1]);
				expect(await log.write((head) => head.after(1))).toEqual(all.slice(1));
				expect(await log.write((head) => head.findByKey(["k"]))).toEqual([
					all[1],
				]);
			});

			it.each([
				[
					"whole numbers up to 2^53",
					`{"high":${2 ** 53 - 1},"low":${-(2 ** 53) + 1},"beyond":9007199254740993}`,
				],
				["numbers as they were spelled", '{"a":1.0,"b":1e3,"c":-0}'],
				[
					"a lone surrogate, escaped",
					JSON.stringify({ text: "a\ud800b\udfff" }),
				],
				["a NUL, escaped", JSON.stringify({ text: "a\0b" })],
				[
					"text of all planes",
					JSON.stringify({ text: "é 漢字 🙂 \u2028 \ufeff \uffff e\u0301" }),
				],
				["names of the prototype", '{"__proto__":{"a":1},"constructor":1}'],
				[
					"doubled and oddly ordered members",
					'{"b":1,"a":2,"b":3,"2":1,"1":2}',
				],
				["a long text", JSON.stringify({ text: "x🙂".repeat(100_000) })],
				["nothing", "{}"],
			])("keeps its data to the byte: %s", async (_, data) => {
				const [event] = await write(log, { data });
				expect((await log.at(1))?.data).toBe(data);
				expect(await readAll(log, 0)).toEqual([event]);
			});

			it("keeps names of any well-formed text apart", async () => {
				const names = [
					"a",
					"A",
					"é",
					"e\u0301",
					"a\0b",
					"a\0",
					"🙂",
					" a",
					"a ",
					"漢",
					"__proto__",
					"'\"; --",
				];
				await write(
					log,
					...names.map((name) => ({
						stream: name,
						key: name,
						actor: name,
						cause: name,
						correlation: name,
						input: name,
					})),
				);
				for (const [index, name] of names.entries()) {
					const event = {
						stream: name,
						key: name,
						actor: name,
						cause: name,
						correlation: name,
						input: name,
					};
					expect(await log.readStream(name)).toMatchObject([
						{ ...event, position: index + 1, version: 1 },
					]);
					expect(await log.findByKey([name])).toMatchObject([
						{ position: index + 1 },
					]);
				}
			});

			it("keeps times near 2^53", async () => {
				await write(log, { time: 2 ** 53 - 1 });
				expect(await log.tip()).toMatchObject({ time: 2 ** 53 - 1 });
				expect(await log.at(1)).toMatchObject({ time: 2 ** 53 - 1 });
			});
		});

		describe("a write", () => {
			it("gives back what its work gives back", async () => {
				expect(await log.write(() => 42)).toBe(42);
				expect(await log.write(async () => "later")).toBe("later");
			});

			it("shows its own events to the head and to nobody else until it ends", async () => {
				await write(log, { key: "before" });
				await log.write(async (head) => {
					const [event] = await appendTo(head, [
						{ stream: "stream/b", key: "own" },
					]);
					expect(head.tip).toEqual({
						position: 2,
						hash: event?.hash,
						time: event?.time,
					});
					expect(await head.after(1)).toEqual([event]);
					expect(positions(await head.after(0))).toEqual([1, 2]);
					expect((await head.versions(["stream/b"])).get("stream/b")).toBe(1);
					expect(await head.findByKey(["own"])).toEqual([event]);
					expect((await log.tip()).position).toBe(1);
					expect(positions(await readAll(log, 0))).toEqual([1]);
					expect(await log.at(2)).toBeUndefined();
					expect(await log.findByKey(["own"])).toEqual([]);
					expect(await log.readStream("stream/b")).toEqual([]);
				});
				expect(positions(await readAll(log, 0))).toEqual([1, 2]);
			});

			it("may append several times", async () => {
				await log.write(async (head) => {
					await appendTo(head, [{}, { stream: "stream/b" }]);
					await appendTo(head, []);
					await appendTo(head, [{}]);
				});
				expect(
					(await readAll(log, 0)).map(({ stream, version }) => [
						stream,
						version,
					]),
				).toEqual([
					["stream/a", 1],
					["stream/b", 1],
					["stream/a", 2],
				]);
			});

			it("leaves nothing when its work throws, and the throw goes on", async () => {
				await write(log, { key: "kept" });
				const before = await log.tip();
				const thrown = new Error("the decider broke");
				for (const work of [
					async (head: LogHead) => {
						await appendTo(head, [{ key: "lost" }, { stream: "stream/b" }]);
						throw thrown;
					},
					() => {
						throw thrown;
					},
				]) {
					await expect(log.write(work)).rejects.toBe(thrown);
				}
				expect(await log.tip()).toEqual(before);
				expect(await readAll(log, 0)).toHaveLength(1);
				expect(await log.findByKey(["lost"])).toEqual([]);
				expect(await log.readStream("stream/b")).toEqual([]);
				expect(
					await write(log, { key: "lost" }, { stream: "stream/b" }),
				).toMatchObject([
					{ position: 2, version: 2 },
					{ position: 3, version: 1 },
				]);
			});

			it("waits for the one before it, and sees what that one wrote", async () => {
				const story: string[] = [];
				const done = await Promise.all(
					numbers(1, 5).map((number) =>
						log.write(async (head) => {
							story.push(`${number} starts at ${head.tip.position}`);
							await new Promise((resolve) => setTimeout(resolve, 5 - number));
							const [event] = await appendTo(head, [{}]);
							story.push(`${number} ends`);
							return event?.position;
						}),
					),
				);
				expect(done).toEqual([1, 2, 3, 4, 5]);
				expect(story).toEqual(
					numbers(1, 5).flatMap((n) => [
						`${n} starts at ${n - 1}`,
						`${n} ends`,
					]),
				);
			});

			it("is not kept from its turn by one that failed", async () => {
				const failed = log.write(() => {
					throw new Error("broken");
				});
				const next = write(log, {});
				await expect(failed).rejects.toThrow("broken");
				expect(await next).toMatchObject([{ position: 1 }]);
			});

			it("takes its head away when it has ended", async () => {
				let kept: LogHead | undefined;
				await log.write((head) => {
					kept = head;
				});
				const head = kept as LogHead;
				const late = async (use: () => unknown) => use();
				await expect(
					late(() => head.append(seal(empty, [{}]))),
				).rejects.toMatchObject({ code: "log/failed" });
				await expect(late(() => head.tip)).rejects.toMatchObject({
					code: "log/failed",
				});
				await expect(late(() => head.after(0))).rejects.toMatchObject({
					code: "log/failed",
				});
				expect(await log.tip()).toEqual(empty);
			});

			it("shows what it wrote to whoever was told of it, and to others that or what was before", async () => {
				for (let round = 0; round < 3; round++) {
					const before = await log.tip();
					const writing = write(log, { key: `key ${round}` });
					const seen = await log.tip();
					const [event] = await writing;
					expect([before.hash, event?.hash]).toContain(seen.hash);
					expect(await log.tip()).toMatchObject({ hash: event?.hash });
					expect(await readAll(log, before.position)).toEqual([event]);
				}
			});

			it("gives out positions without gaps, whoever fails in between", async () => {
				await Promise.allSettled(
					numbers(1, 60).map((number) =>
						log.write(async (head) => {
							await appendTo(head, [
								{ stream: `stream/${number % 7}` },
								{ stream: "stream/hot" },
							]);
							if (number % 3 === 0) throw new Error("no");
						}),
					),
				);
				const events = await readAll(log, 0);
				expect(positions(events)).toEqual(numbers(1, 80));
				for (const stream of new Set(events.map((event) => event.stream))) {
					const versions = events
						.filter((event) => event.stream === stream)
						.map(({ version }) => version);
					expect(versions).toEqual(numbers(1, versions.length));
				}
			});
		});

		describe("a conflict", () => {
			const broken: [string, (tip: Tip) => StoredEvent[]][] = [
				[
					"a position that leaves a gap",
					(tip) =>
						seal({ ...tip, position: tip.position + 1 }, [{ version: 3 }]),
				],
				[
					"a position taken before",
					(tip) =>
						seal({ ...tip, position: tip.position - 1 }, [{ version: 3 }]),
				],
				[
					"another previous hash",
					(tip) => seal({ ...tip, hash: "f".repeat(64) }, [{ version: 3 }]),
				],
				["a version taken before", (tip) => seal(tip, [{ version: 2 }])],
				["a version that leaves a gap", (tip) => seal(tip, [{ version: 4 }])],
				[
					"a new stream that does not begin at 1",
					(tip) => seal(tip, [{ stream: "stream/new", version: 2 }]),
				],
				[
					"a key used before",
					(tip) => seal(tip, [{ version: 3, key: "used" }]),
				],
				[
					"a key used twice in one write",
					(tip) =>
						seal(tip, [
							{ version: 3, key: "k" },
							{ version: 4, key: "k" },
						]),
				],
			];

			it.each(broken)("rejects the whole write: %s", async (_, make) => {
				await write(log, { key: "used" }, {});
				const before = await readAll(log, 0);
				const attempt = log.write(async (head) => {
					const [sound] = await appendTo(head, [
						{ stream: "stream/sound", key: "sound" },
					]);
					await head.append(make(sound as StoredEvent));
				});
				await expect(attempt).rejects.toMatchObject({
					code: "log/conflict",
					retryable: false,
				});
				expect(await readAll(log, 0)).toEqual(before);
				expect(await log.findByKey(["sound", "k"])).toEqual([]);
				expect(await write(log, { key: "k" })).toMatchObject([
					{ position: 3, version: 3 },
				]);
			});

			it("rejects the write even when the work goes on as if nothing had been", async () => {
				await write(log, { key: "used" });
				const attempt = log.write(async (head) => {
					await appendTo(head, [{ stream: "stream/b" }]);
					await appendTo(head, [{ key: "used" }]).catch(() => {});
					return "all is well";
				});
				await expect(attempt).rejects.toMatchObject({ code: "log/conflict" });
				expect(await readAll(log, 0)).toHaveLength(1);
			});

			it.each([
				"stream",
				"type",
				"actor",
				"cause",
				"correlation",
				"key",
				"input",
			])(
				"is not the word for a lone surrogate in %s: that is log/malformed, and never stored as something else",
				async (member) => {
					await expect(
						write(log, {}, { [member]: "a\ud800" }),
					).rejects.toMatchObject({ code: "log/malformed" });
					expect(await log.tip()).toEqual(empty);
				},
			);

			it("is no matter of the key's spelling: other keys stay free", async () => {
				await write(log, { key: "Key" });
				await write(log, { key: "key" }, { key: "key " }, { key: "" });
				expect(await log.findByKey(["key", "Key", ""])).toHaveLength(3);
				await expect(write(log, { key: "" })).rejects.toMatchObject({
					code: "log/conflict",
				});
			});
		});

		describe("reading", () => {
			const count = 2_500;

			beforeEach(async () => {
				await write(
					log,
					...numbers(1, count).map((number) => ({
						stream: `stream/${number % 3}`,
						type:
							number % 5 === 0
								? "fifth-happened"
								: number % 7 === 0
									? "seventh-happened"
									: "thing-happened",
					})),
				);
			});

			it("gives all in order, in more than one batch", async () => {
				let batches = 0;
				const read: number[] = [];
				for await (const batch of log.read(0)) {
					batches += 1;
					expect(batch.length).toBeGreaterThan(0);
					read.push(...positions(batch));
				}
				expect(read).toEqual(numbers(1, count));
				expect(batches).toBeGreaterThan(1);
			});

			it("starts after a position and ends with another", async () => {
				expect(positions(await readAll(log, 1_000))).toEqual(
					numbers(1_001, count),
				);
				expect(positions(await readAll(log, 1_000, { to: 1_010 }))).toEqual(
					numbers(1_001, 1_010),
				);
				expect(positions(await readAll(log, 10, { to: 2_400 }))).toEqual(
					numbers(11, 2_400),
				);
				expect(await readAll(log, 10, { to: 10 })).toEqual([]);
				expect(await readAll(log, count)).toEqual([]);
				expect(await readAll(log, count + 100)).toEqual([]);
				expect(
					positions(await readAll(log, count - 1, { to: count + 100 })),
				).toEqual([count]);
			});

			it("scans the same events, of all types or of chosen ones", async () => {
				const all = await readAll(log, 0);
				const chosen = (...types: string[]) =>
					all.filter(({ type }) => types.includes(type));
				const fifth = chosen("fifth-happened");
				expect(fifth).toHaveLength(500);
				expect(await scanAll(log, 0)).toEqual(scanned(all));
				expect(await scanAll(log, 10, { to: 20 })).toEqual(
					scanned(all.slice(10, 20)),
				);
				expect(await scanAll(log, count + 1)).toEqual([]);
				expect(await scanAll(log, 0, { types: ["fifth-happened"] })).toEqual(
					scanned(fifth),
				);
				expect(
					await scanAll(log, 7, {
						types: ["fifth-happened", "seventh-happened"],
						to: 70,
					}),
				).toEqual(
					scanned(
						chosen("fifth-happened", "seventh-happened").filter(
							({ position }) => position > 7 && position <= 70,
						),
					),
				);
				expect(await scanAll(log, 0, { types: ["never-happened"] })).toEqual(
					[],
				);
				expect(await scanAll(log, 0, { types: [] })).toEqual([]);
			});

			it("reads, skipping and repeating nothing, while others append", async () => {
				const read: number[] = [];
				for await (const batch of log.read(0)) {
					read.push(...positions(batch));
					if (read.length < 4_000) await write(log, {}, { stream: "stream/1" });
				}
				expect(read.length).toBeGreaterThanOrEqual(count);
				expect(read).toEqual(numbers(1, read.length));
			});

			it("scans, skipping and repeating nothing, while others append", async () => {
				const read: number[] = [];
				for await (const batch of log.scan(0)) {
					read.push(...positions(batch));
					if (read.length < 4_000) await write(log, {}, { stream: "stream/1" });
				}
				expect(read.length).toBeGreaterThanOrEqual(count);
				expect(read).toEqual(numbers(1, read.length));
			});

			it("can be left in the middle", async () => {
				for await (const batch of log.read(0)) {
					expect(batch[0]?.position).toBe(1);
					break;
				}
				expect(await write(log, { stream: "stream/new" })).toMatchObject([
					{ position: count + 1 },
				]);
			});

			it("follows a stream forward", async () => {
				const stream = (await readAll(log, 0)).filter(
					(event) => event.stream === "stream/1",
				);
				expect(await log.readStream("stream/1")).toEqual(stream);
				expect(await log.readStream("stream/1", { after: 10 })).toEqual(
					stream.slice(10),
				);
				expect(
					await log.readStream("stream/1", { after: 10, limit: 3 }),
				).toEqual(stream.slice(10, 13));
				expect(await log.readStream("stream/1", { limit: 0 })).toEqual([]);
				expect(await log.readStream("stream/1", { after: 10_000 })).toEqual([]);
				expect(await log.readStream("stream")).toEqual([]);
			});

			it("follows a stream backwards", async () => {
				const stream = (await readAll(log, 0))
					.filter((event) => event.stream === "stream/1")
					.reverse();
				expect(await log.readStreamBackwards("stream/1")).toEqual(stream);
				expect(await log.readStreamBackwards("stream/1", { limit: 2 })).toEqual(
					stream.slice(0, 2),
				);
				expect(
					await log.readStreamBackwards("stream/1", { before: 5, limit: 3 }),
				).toMatchObject([{ version: 4 }, { version: 3 }, { version: 2 }]);
				expect(
					await log.readStreamBackwards("stream/1", { before: 1 }),
				).toEqual([]);
				expect(await log.readStreamBackwards("stream/1", { limit: 0 })).toEqual(
					[],
				);
				expect(
					await log.readStreamBackwards("stream/1", {
						before: 100_000,
						limit: 1,
					}),
				).toEqual([stream[0]]);
			});

			it("gives hashes from one position to another, both included", async () => {
				const hashes = (await readAll(log, 0)).map((event) => event.hash);
				expect(await log.hashes(1, count)).toEqual(hashes);
				expect(await log.hashes(3, 5)).toEqual(hashes.slice(2, 5));
				expect(await log.hashes(7, 7)).toEqual([hashes[6]]);
				expect(await log.hashes(7, 6)).toEqual([]);
				expect(await log.hashes(count, count + 50)).toEqual(hashes.slice(-1));
				expect(await log.hashes(0, 2)).toEqual(hashes.slice(0, 2));
				expect(await log.hashes(1, Number.MAX_SAFE_INTEGER)).toEqual(hashes);
			});

			it("finds the event at a position", async () => {
				expect(await log.at(count)).toMatchObject({ position: count });
				expect(await log.at(count + 1)).toBeUndefined();
			});

			it("hands the writer what came after a position", async () => {
				expect(
					positions(await log.write((head) => head.after(count - 3))),
				).toEqual(numbers(count - 2, count));
				expect(await log.write((head) => head.after(count))).toEqual([]);
				expect(positions(await log.write((head) => head.after(0)))).toEqual(
					numbers(1, count),
				);
			});
		});

		it("finds the events of keys, each once", async () => {
			const [first, , third] = await write(
				log,
				{ key: "k1" },
				{ key: "k2" },
				{ key: "k3" },
			);
			const found = await log.findByKey(["k3", "nowhere", "k1", "k3"]);
			expect(found.toSorted((a, b) => a.position - b.position)).toEqual([
				first,
				third,
			]);
			expect(
				await log.write((head) => head.findByKey(["k1", "k1", "nowhere"])),
			).toEqual([first]);
			expect(await log.findByKey([])).toEqual([]);
		});

		it("once closed, refuses everything with log/closed", async () => {
			await write(log, {});
			await log.close();
			await log.close();
			const refused = { code: "log/closed" };
			await expect(log.write(() => 1)).rejects.toMatchObject(refused);
			await expect(log.tip()).rejects.toMatchObject(refused);
			await expect(readAll(log, 0)).rejects.toMatchObject(refused);
			await expect(scanAll(log, 0)).rejects.toMatchObject(refused);
			await expect(log.readStream("stream/a")).rejects.toMatchObject(refused);
			await expect(log.readStreamBackwards("stream/a")).rejects.toMatchObject(
				refused,
			);
			await expect(log.findByKey(["a"])).rejects.toMatchObject(refused);
			await expect(log.at(1)).rejects.toMatchObject(refused);
			await expect(log.hashes(1, 1)).rejects.toMatchObject(refused);
		});

		it("finishes the writes that were asked for before it closes", async () => {
			const slow = log.write(async (head) => {
				await new Promise((resolve) => setTimeout(resolve, 5));
				return appendTo(head, [{}]);
			});
			const queued = write(log, {});
			const closing = log.close();
			expect(await slow).toMatchObject([{ position: 1 }]);
			expect(await queued).toMatchObject([{ position: 2 }]);
			await closing;
		});
	});
}
