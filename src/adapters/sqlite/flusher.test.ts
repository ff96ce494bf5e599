import fs, { readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Database, openDatabase } from "./database.ts";
import { afterwards, temporaryPath } from "./fixtures/temporary.ts";
import type { Disk } from "./flusher.ts";
import { isWhole } from "./write-ahead-log.ts";

/** The system's disk, which counts, waits at a gate and fails when it is told to. */
function testDisk() {
	let failing = false;
	let gate: Promise<void> | undefined;
	let count = 0;
	let spot = 0;
	let time = 0;
	let takes = 10;
	const fail = () => Object.assign(new Error("EIO"), { code: "EIO" });
	const disk: Disk = {
		fdatasync(file, done) {
			count++;
			void Promise.resolve(gate).then(() =>
				failing ? done(fail()) : fs.fdatasync(file, done),
			);
		},
		now: () => time,
		fdatasyncSync(file) {
			count++;
			spot++;
			time += takes;
			if (failing) throw fail();
			fs.fdatasyncSync(file);
		},
	};
	return {
		disk,
		count: () => count,
		/** Flushes that were waited for on the spot. */
		spot: () => spot,
		takes(milliseconds: number) {
			takes = milliseconds;
		},
		fail: (yes: boolean) => {
			failing = yes;
		},
		shut() {
			let open = () => {};
			gate = new Promise((resolve) => {
				open = () => {
					gate = undefined;
					resolve();
				};
			});
			return open;
		},
	};
}

function open(path = temporaryPath()) {
	const system = testDisk();
	const database = openDatabase(path, {
		flushing: "beside",
		disk: system.disk,
	});
	afterwards(() => database.close());
	const put = (name: string, options?: Parameters<Database["write"]>[2]) =>
		database.write(
			database.durable,
			() =>
				void database.durable
					.prepare("insert into derived values (?, 1, 1, '', ?)")
					.run(name, "x".repeat(2_000)),
			options,
		);
	const names = () =>
		database.reader
			.prepare("select name from derived order by name")
			.all()
			.map(({ name }) => name);
	return { ...system, path, database, put, names };
}

const unknown = { code: "log/unknown" };

describe("a commit that SQLite does not wait for", () => {
	it("is told of when the disk has it, and not before", async () => {
		const { put, shut, names } = open();
		const release = shut();
		let told = false;
		const writing = put("a").then(() => {
			told = true;
		});
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(names()).toEqual(["a"]);
		expect(told).toBe(false);
		release();
		await writing;
		expect(told).toBe(true);
	});

	it("is waited for on the spot where the disk is quick, and now and then to see how it is", async () => {
		const { put, spot, takes } = open();
		let names = 0;
		const flushes = async (many: number) => {
			const before = spot();
			for (let index = 0; index < many; index++) await put(`${names++}`);
			return spot() - before;
		};
		expect(await flushes(49)).toBe(0);
		expect(await flushes(50)).toBe(1);
		takes(0.5);
		expect(await flushes(1)).toBe(1);
		expect(await flushes(20)).toBe(20);
		takes(5);
		expect(await flushes(1)).toBe(1);
		expect(await flushes(5)).toBe(0);
	});

	it("needs no disk where nothing was written or seen that it has not", async () => {
		const { put, count } = open();
		await put("a");
		const before = count();
		await put("b", { settled: () => true });
		expect(count()).toBe(before);
	});

	it("shares its flush: who comes while one is under way waits for the next, all for one", async () => {
		const { database, shut, count } = open();
		const release = shut();
		const first = database.flush();
		const others = [database.flush(), database.flush(), database.flush()];
		release();
		await Promise.all([first, ...others]);
		expect(count()).toBe(2);
	});

	it("is flushed in the file that SQLite writes, also after that was emptied and begun anew", async () => {
		const { put, database, path } = open();
		await put("a");
		const { ino } = statSync(`${path}-wal`);
		database.durable.exec("pragma wal_checkpoint(truncate)");
		expect(statSync(`${path}-wal`)).toMatchObject({ ino, size: 0 });
		await put("b");
		database.durable.exec("pragma wal_checkpoint(restart)");
		await put("c");
		for (let index = 0; index < 40; index++) await put(`more ${index}`);
		expect(statSync(`${path}-wal`).ino).toBe(ino);
	});
});

describe("a flush that fails", () => {
	it("is log/unknown, and no later one pretends before a write has made it good", async () => {
		const { put, fail, names, database, path, count } = open();
		await put("a");
		fail(true);
		await expect(put("b")).rejects.toMatchObject(unknown);
		fail(false);
		const flushes = count();
		await expect(database.flush()).rejects.toMatchObject(unknown);
		expect(count()).toBe(flushes);
		await put("c");
		await database.flush();
		expect(names()).toEqual(["a", "b", "c"]);
		// What was in doubt is no longer in the write-ahead log: a checkpoint moved it.
		expect(readFileSync(`${path}-wal`).includes("b".padEnd(3))).toBe(false);
		expect(readFileSync(path).includes("x".repeat(500))).toBe(true);
	});

	it("is the same for those that shared the next one", async () => {
		const { database, fail, shut } = open();
		const release = shut();
		fail(true);
		const asked = [database.flush(), database.flush()];
		setTimeout(() => fail(false), 0);
		const ended = Promise.allSettled(asked);
		await new Promise((resolve) => setTimeout(resolve, 0));
		fail(true);
		release();
		expect((await ended).map(({ status }) => status)).toEqual([
			"rejected",
			"rejected",
		]);
	});

	it("is log/damaged when the write-ahead log no longer holds what was written", async () => {
		const { put, fail, path } = open();
		await put("a");
		fail(true);
		await expect(put("b")).rejects.toMatchObject(unknown);
		fail(false);
		const { size } = statSync(`${path}-wal`);
		const file = fs.openSync(`${path}-wal`, "r+");
		fs.writeSync(file, "lost", size - 500);
		fs.closeSync(file);
		await expect(put("c")).rejects.toMatchObject({ code: "log/damaged" });
	});
});

it("knows a write-ahead log that is whole from one with any byte changed", async () => {
	const { put, path, database } = open();
	for (let index = 0; index < 5; index++) await put(`a ${index}`);
	const frames = Number(
		database.durable.prepare("pragma wal_checkpoint(noop)").get()?.log,
	);
	const file = readFileSync(`${path}-wal`);
	expect(frames).toBeGreaterThan(4);
	expect(isWhole(file, frames)).toBe(true);
	expect(isWhole(file, 0)).toBe(true);
	expect(isWhole(file, frames + 1)).toBe(false);
	expect(isWhole(file, Number.NaN)).toBe(false);
	expect(isWhole(file.subarray(0, 31), 1)).toBe(false);
	for (let at = 0; at < 32 + frames * 4_120; at += 97) {
		const changed = Buffer.from(file);
		changed[at] = (changed[at] ?? 0) ^ 1;
		expect(isWhole(changed, frames), `byte ${at}`).toBe(false);
	}
});
