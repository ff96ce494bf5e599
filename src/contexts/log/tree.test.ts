import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryDerivedStore } from "../../adapters/derived-store/memory.ts";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { fromHex, toHex } from "../../kernel/bytes.ts";
import {
	compactRange,
	type Hash,
	verifyConsistency,
	verifyInclusion,
} from "../../kernel/merkle.ts";
import type { EventLog } from "../../ports/event-log.ts";
import {
	digest,
	fill,
	forgedLog,
	soundEvents,
	soundLog,
} from "./log.testing.ts";
import { openTree } from "./tree.ts";

const sha256 = digest.bytes;
const events = soundEvents(1_500);
const leaves = events.map(({ hash }) => fromHex(hash) as Hash);

function rootOf(size: number): string {
	const range = compactRange(sha256);
	for (const leaf of leaves.slice(0, size)) range.append(leaf);
	return toHex(range.root());
}

/** Counts the hashes that are read. */
function counting(log: EventLog): { readonly log: EventLog; read(): number } {
	let read = 0;
	return {
		read: () => read,
		log: {
			...log,
			async hashes(from, to) {
				const hashes = await log.hashes(from, to);
				read += hashes.length;
				return hashes;
			},
		},
	};
}

describe("the tree over a log", () => {
	it("has the root of the log at every size, and proofs that hold", async () => {
		const tree = await openTree({ log: forgedLog(events), digest });
		expect(tree.size()).toBe(1_500);
		const sizes = fc.integer({ min: 1, max: 1_500 });
		await fc.assert(
			fc.asyncProperty(sizes, fc.nat(), async (size, any) => {
				const root = await tree.root(size);
				expect(toHex(root)).toBe(rootOf(size));
				const position = 1 + (any % size);
				const path = await tree.inclusionProof(position, size);
				const leaf = leaves[position - 1] as Hash;
				expect(
					verifyInclusion(
						{ index: position - 1, size, leaf, path, root },
						sha256,
					),
				).toBe(true);
				const earlier = {
					size: position,
					root: fromHex(rootOf(position)) as Hash,
				};
				const steps = await tree.consistencyProof(position, size);
				expect(
					verifyConsistency(
						{ earlier, later: { size, root }, path: steps },
						sha256,
					),
				).toBe(true);
			}),
			{ numRuns: 60 },
		);
	});

	it("is empty over an empty log", async () => {
		const tree = await openTree({ log: memoryEventLog(), digest });
		expect(tree.size()).toBe(0);
		expect(toHex(await tree.root())).toBe(rootOf(0));
		await tree.save();
	});

	it("takes in what was recorded since, also when asked twice at once", async () => {
		const log = memoryEventLog();
		const tree = await openTree({ log, digest });
		for (const to of [1, 255, 256, 257, 600]) {
			await fill(log, events.slice(tree.size(), to));
			await Promise.all([tree.catchUp(), tree.catchUp()]);
			expect(tree.size()).toBe(to);
			expect(toHex(await tree.root())).toBe(rootOf(to));
		}
	});

	it("reads two tiles for a proof, not the log", async () => {
		const { log, read } = counting(forgedLog(events));
		const tree = await openTree({ log, digest });
		const before = read();
		await tree.inclusionProof(300);
		expect(read() - before).toBeLessThanOrEqual(512);
	});

	it("does not prove what is not there", async () => {
		const tree = await openTree({ log: await soundLog(10), digest });
		await expect(tree.root(11)).rejects.toThrow(RangeError);
		await expect(tree.root(1.5)).rejects.toThrow(RangeError);
		await expect(tree.inclusionProof(0)).rejects.toThrow(RangeError);
		await expect(tree.inclusionProof(7, 6)).rejects.toThrow(RangeError);
		await expect(tree.consistencyProof(7, 6)).rejects.toThrow(RangeError);
	});

	it.each([
		["misses an event", events.toSpliced(400, 1)],
		[
			"has a hash that is none",
			events.with(400, {
				...(events[400] as (typeof events)[0]),
				hash: "no hash",
			}),
		],
	])("is not built over a log that %s", async (_, damaged) => {
		await expect(
			openTree({ log: forgedLog(damaged), digest }),
		).rejects.toMatchObject({ code: "log/damaged" });
	});
});

describe("a saved tree", () => {
	async function saved(count: number) {
		const derived = memoryDerivedStore();
		const tree = await openTree({
			log: forgedLog(events.slice(0, count)),
			digest,
			derived,
		});
		await tree.save();
		return derived;
	}

	it("is opened without reading what it knows", async () => {
		const derived = await saved(1_100);
		const { log, read } = counting(forgedLog(events));
		const tree = await openTree({ log, digest, derived });
		expect(read()).toBe(1_500 - 1_024);
		expect(toHex(await tree.root())).toBe(rootOf(1_500));
		expect(toHex(await tree.root(1_000))).toBe(rootOf(1_000));
		await tree.save();
		expect(await derived.names()).toEqual(["tree", "tree/0"]);
		const again = counting(forgedLog(events));
		await openTree({ log: again.log, digest, derived });
		expect(again.read()).toBe(1_500 - 1_280);
	});

	it("spreads over parts when the log is long", async () => {
		const many = Array.from({ length: 70_000 }, (_, at) =>
			digest.text(`${at}`),
		);
		const log: EventLog = {
			...memoryEventLog(),
			tip: async () => ({
				position: many.length,
				hash: many.at(-1) as string,
				time: 0,
			}),
			at: async (position) => ({
				...(events[0] as (typeof events)[0]),
				position,
				hash: many[position - 1] as string,
			}),
			hashes: async (from, to) => many.slice(from - 1, to),
		};
		const derived = memoryDerivedStore();
		const built = await openTree({ log, digest, derived });
		await built.save();
		expect(await derived.names()).toEqual(["tree", "tree/0", "tree/1"]);
		const { log: counted, read } = counting(log);
		const opened = await openTree({ log: counted, digest, derived });
		expect(read()).toBe(70_000 % 256);
		expect(toHex(await opened.root())).toBe(toHex(await built.root()));
		const path = await built.inclusionProof(66_000);
		expect((await opened.inclusionProof(66_000)).map(toHex)).toEqual(
			path.map(toHex),
		);
	});

	it("can be deleted at any time", async () => {
		const derived = await saved(1_500);
		await derived.clear();
		const tree = await openTree({ log: forgedLog(events), digest, derived });
		expect(toHex(await tree.root())).toBe(rootOf(1_500));
	});

	it.each([
		["of another format", (head: Saved) => ({ ...head, format: 0 })],
		["of another log", (head: Saved) => ({ ...head, hash: "00" })],
		["beyond the log's end", (head: Saved) => ({ ...head, position: 2_560 })],
		["with another root", (head: Saved) => ({ ...head, body: rootOf(1) })],
		[
			"that stands between two tiles",
			(head: Saved) => ({
				...head,
				position: 1_023,
				hash: events[1_022]?.hash as string,
			}),
		],
	])("is built anew when its head is one %s", async (_, change) => {
		const derived = await saved(1_500);
		await derived.save("tree", change((await derived.load("tree")) as Saved));
		const { log, read } = counting(forgedLog(events));
		const tree = await openTree({ log, digest, derived });
		expect(read()).toBe(1_500);
		expect(toHex(await tree.root())).toBe(rootOf(1_500));
	});

	it.each([
		["missing", undefined],
		["too short", (part: Saved) => ({ ...part, body: part.body.slice(64) })],
		[
			"altered",
			(part: Saved) => ({
				...part,
				body: part.body.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
			}),
		],
		["no hex", (part: Saved) => ({ ...part, body: "?" })],
	])("is built anew when a part is %s", async (_, change) => {
		const derived = await saved(1_500);
		const part = (await derived.load("tree/0")) as Saved;
		if (change) await derived.save("tree/0", change(part));
		else await derived.clear("tree/0");
		const tree = await openTree({ log: forgedLog(events), digest, derived });
		expect(toHex(await tree.root())).toBe(rootOf(1_500));
	});
});

type Saved = NonNullable<
	Awaited<ReturnType<ReturnType<typeof memoryDerivedStore>["load"]>>
>;
