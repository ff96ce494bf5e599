import fs, { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { sqliteEventLog } from "../../adapters/event-log/sqlite.ts";
import { systemClock } from "../../adapters/runtime/clock.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { openDatabase } from "../../adapters/sqlite/database.ts";
import {
	afterwards,
	temporaryPath,
} from "../../adapters/sqlite/fixtures/temporary.ts";
import type { Disk } from "../../adapters/sqlite/flusher.ts";
import { canonicalLine, genesisHash, hashLine } from "../../kernel/event.ts";
import { tally } from "./fixtures/tally.ts";
import { openHead } from "./head.ts";

/** The bytes of both files; the third one, `-shm`, is made anew by whoever opens them first. */
interface Image {
	readonly database: Buffer;
	readonly ahead: Buffer;
}

const sector = 512;

/**
 * A disk that forgets: what it has is what stood in the files when the last flush that has ended began.
 * SQLite's own flushes, in a checkpoint, are before the next of ours, so leaving them out only forgets more.
 * One that `lies` says so before it has.
 */
function forgetfulDisk(path: string, random: () => number, lies = false) {
	const look = (): Image => ({
		database: readFileSync(path),
		ahead: readFileSync(`${path}-wal`),
	});
	let has: Image | undefined;
	let order = 0;
	let newest = 0;
	let onFlush = (): void => {};
	function land(image: Image, number: number): void {
		if (number < newest) return;
		newest = number;
		has = image;
	}
	let time = 0;
	const disk: Disk = {
		// Slow or quick, so that it is waited for in every way.
		now: () => {
			time += random() * 6;
			return time;
		},
		fdatasync(_file, done) {
			const number = ++order;
			const image = look();
			onFlush();
			const takes = Math.floor(random() * 4);
			if (lies) setTimeout(() => land(image, number), 40);
			setTimeout(() => {
				onFlush();
				if (!lies) land(image, number);
				done(null);
				setImmediate(onFlush);
			}, takes);
		},
		fdatasyncSync() {
			const number = ++order;
			const image = look();
			onFlush();
			if (lies) setTimeout(() => land(image, number), 40);
			else land(image, number);
		},
	};
	return {
		disk,
		whenever(cut: () => void) {
			onFlush = cut;
		},
		/** What is there after the power was cut now: of what was written since, any sectors. */
		cut(): Image | undefined {
			if (!has) return undefined;
			const now = look();
			// A checkpoint came between: SQLite has flushed in an order that this disk does not see.
			if (!now.database.equals(has.database)) return has;
			const ahead = Buffer.from(
				now.ahead.length > has.ahead.length
					? Buffer.concat([
							has.ahead,
							Buffer.alloc(now.ahead.length - has.ahead.length),
						])
					: has.ahead,
			);
			for (let at = 0; at < now.ahead.length; at += sector)
				if (random() < 0.5) now.ahead.copy(ahead, at, at, at + sector);
			return { database: has.database, ahead };
		},
	};
}

/** Numbers that only look random, so that a failure can be played again. */
function randomFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

/** What somebody was told of at a moment, and what the disk would have kept. */
interface Cut {
	readonly told: number;
	readonly image: Image;
}

async function load(seed: number, lies = false): Promise<readonly Cut[]> {
	const random = randomFrom(seed);
	const path = temporaryPath();
	const forgetful = forgetfulDisk(path, random, lies);
	const open = () => {
		const database = openDatabase(path, {
			flushing: "beside",
			disk: forgetful.disk,
		});
		// Checkpoints, and a write-ahead log that is begun anew, come often.
		database.durable.exec("pragma wal_autocheckpoint = 40");
		afterwards(() => database.close());
		return sqliteEventLog(database);
	};
	const [log, other] = [open(), open()];
	const heads = await Promise.all(
		[log, other].map((one) =>
			openHead({
				log: one,
				deciders: { tally },
				clock: systemClock,
				digest: nodeDigest,
			}),
		),
	);
	let told = 0;
	const hear = (position: number | undefined) => {
		told = Math.max(told, position ?? 0);
	};
	const cuts: Cut[] = [];
	forgetful.whenever(() => {
		const image =
			cuts.length < 60 && random() < 0.3 ? forgetful.cut() : undefined;
		if (image) cuts.push({ told, image });
	});
	for (let burst = 0; burst < 30; burst++) {
		const asked = Array.from({ length: 1 + Math.floor(random() * 12) }, () => {
			const head = heads[random() < 0.8 ? 0 : 1];
			return head
				?.execute(
					"tally",
					{ type: "add", to: `a${Math.floor(random() * 3)}`, amount: 1 },
					// Often one that was used before: its outcome rests on what the first one wrote.
					{ actor: "operator", key: `k${Math.floor(random() * 200)}` },
				)
				.then((outcome) => {
					if (outcome.ok) hear(outcome.value.events.at(-1)?.position);
				});
		});
		const readers = [log, other].map(async (one) => {
			await new Promise((resolve) => setTimeout(resolve, random() * 4));
			hear((await one.tip()).position);
			for await (const batch of one.read(told)) hear(batch.at(-1)?.position);
			for await (const batch of one.scan(told)) hear(batch.at(-1)?.position);
		});
		await Promise.all([...asked, ...readers]);
	}
	forgetful.whenever(() => {});
	await Promise.all(heads.map((head) => head.close()));
	return cuts;
}

/** The newest position after a restart on what the disk kept, when all up to it is sound. */
async function restart({ database, ahead }: Image): Promise<number> {
	const path = join(dirname(temporaryPath()), "after", "dos.db");
	mkdirSync(dirname(path));
	writeFileSync(path, database);
	writeFileSync(`${path}-wal`, ahead);
	const log = sqliteEventLog(path);
	try {
		let previous = genesisHash;
		let last = 0;
		for await (const batch of log.read(0)) {
			for (const event of batch) {
				expect(event.position).toBe(last + 1);
				expect(event.previous).toBe(previous);
				expect(hashLine(canonicalLine(event), nodeDigest.text)).toBe(
					event.hash,
				);
				previous = event.hash;
				last = event.position;
			}
		}
		return last;
	} finally {
		await log.close();
		fs.rmSync(dirname(path), { recursive: true });
	}
}

describe("a power cut", () => {
	it.each([1, 2, 3])(
		"takes back nothing that anybody was told of or has read: seed %i",
		async (seed) => {
			const cuts = await load(seed);
			expect(cuts.length).toBeGreaterThan(20);
			for (const [index, { told, image }] of cuts.entries())
				expect(await restart(image), `cut ${index}`).toBeGreaterThanOrEqual(
					told,
				);
		},
		60_000,
	);

	it("is noticed where a disk says that it has what it has not", async () => {
		const cuts = await load(4, true);
		let lost = 0;
		for (const { told, image } of cuts)
			if ((await restart(image)) < told) lost++;
		expect(lost).toBeGreaterThan(0);
	}, 60_000);
});
