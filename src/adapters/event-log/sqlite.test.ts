import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	type StoredEvent,
	sealEvent,
} from "../../kernel/event.ts";
import { eventLogContract } from "../../ports/event-log.contract.ts";
import type { EventLog, LogHead } from "../../ports/event-log.ts";
import { nodeDigest } from "../runtime/digest.ts";
import { type DatabaseOptions, openDatabase } from "../sqlite/database.ts";
import { afterwards, temporaryPath } from "../sqlite/fixtures/temporary.ts";
import { sqliteEventLog } from "./sqlite.ts";

for (const flushing of ["beside", "within"] as const)
	eventLogContract(`sqlite, flushed ${flushing} the commit`, () =>
		sqliteEventLog(temporaryPath(), { flushing }),
	);

function openLog(path: string, options?: DatabaseOptions): EventLog {
	const log = sqliteEventLog(path, options);
	afterwards(() => log.close());
	return log;
}

async function append(
	head: LogHead,
	stream = "stream/a",
	data = "{}",
): Promise<StoredEvent> {
	const version = ((await head.versions([stream])).get(stream) ?? 0) + 1;
	const event = sealEvent(
		{
			position: head.tip.position + 1,
			previous: head.tip.hash,
			time: 1_000,
			stream,
			version,
			type: "thing-happened",
			actor: "operator",
			data,
		},
		nodeDigest.text,
	);
	await head.append([event]);
	return event;
}

async function readAll(log: EventLog): Promise<StoredEvent[]> {
	const events: StoredEvent[] = [];
	for await (const batch of log.read(0)) events.push(...batch);
	return events;
}

describe("one file, several writers", () => {
	it("sees at once what another connection committed, and goes on from there", async () => {
		const path = temporaryPath();
		const [one, two] = [openLog(path), openLog(path)];
		const first = await one.write((head) => append(head));
		expect(await two.tip()).toMatchObject({ position: 1, hash: first.hash });
		const second = await two.write((head) => append(head));
		// The first one remembers version 1 of the stream; it must not trust that now.
		const third = await one.write((head) => append(head));
		expect([second, third]).toMatchObject([
			{ position: 2, version: 2 },
			{ position: 3, version: 3 },
		]);
		expect(await readAll(one)).toEqual([first, second, third]);
	});

	it("waits for another's head without holding up its own process", async () => {
		const path = temporaryPath();
		const [one, two] = [openLog(path), openLog(path)];
		const order: string[] = [];
		const slow = one.write(async (head) => {
			await new Promise((resolve) => setTimeout(resolve, 60));
			await append(head);
			order.push("one");
		});
		const waiting = two.write(async (head) => {
			await append(head);
			order.push("two");
		});
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(order).toEqual([]);
		await Promise.all([slow, waiting]);
		expect(order).toEqual(["one", "two"]);
	});

	it("gives up with log/busy, may be tried again, and then works", async () => {
		const path = temporaryPath();
		const log = openLog(path, { busyTimeout: 20 });
		const other = new DatabaseSync(path);
		afterwards(() => other.close());
		other.exec("begin immediate");
		let worked = false;
		const attempt = log.write(() => {
			worked = true;
		});
		await expect(attempt).rejects.toMatchObject({
			code: "log/busy",
			retryable: true,
		});
		expect(worked).toBe(false);
		expect(await log.tip()).toMatchObject({ position: 0 });
		other.exec("rollback");
		expect(await log.write((head) => append(head))).toMatchObject({
			position: 1,
		});
	});

	it("keeps positions, versions and chain whole while processes append at once", async () => {
		const path = temporaryPath();
		const log = openLog(path, { busyTimeout: 30_000 });
		const writes = 60;
		const children = ["child-1", "child-2"].map((name) =>
			runAppender(path, name, writes),
		);
		const ended = Promise.all(
			children.map(async (child) => (await once(child, "exit"))[0]),
		);
		let here = 0;
		let running = true;
		void ended.then(() => {
			running = false;
		});
		while (running || here < writes) {
			await log.write(async (head) => {
				await append(head, "own/here");
				await append(head, "shared/all");
			});
			here += 1;
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		expect(await ended).toEqual([0, 0]);

		const events = await readAll(log);
		expect(events).toHaveLength(2 * (here + 2 * writes));
		const versions = new Map<string, number>();
		let previous = genesisHash;
		for (const [index, event] of events.entries()) {
			expect(event.position).toBe(index + 1);
			expect(event.previous).toBe(previous);
			expect(hashLine(canonicalLine(event), nodeDigest.text)).toBe(event.hash);
			expect(event.version).toBe((versions.get(event.stream) ?? 0) + 1);
			versions.set(event.stream, event.version);
			previous = event.hash;
		}
		expect(versions.get("shared/all")).toBe(here + 2 * writes);
		// The processes did meet, however late the others began: theirs stand between this one's.
		const streams = events.map(({ stream }) => stream);
		const between = streams.slice(
			streams.indexOf("own/here"),
			streams.lastIndexOf("own/here"),
		);
		expect(between).toContain("own/child-1");
		expect(between).toContain("own/child-2");
	}, 60_000);
});

describe("when the disk refuses", () => {
	it("says log/full, has written nothing, and works again once there is room", async () => {
		const database = openDatabase(temporaryPath());
		afterwards(() => database.close());
		const log = sqliteEventLog(database);
		const first = await log.write((head) => append(head));
		const limit = (pages: number) =>
			database.durable.exec(`pragma max_page_count = ${pages}`);
		limit(20);
		const attempt = log.write(async (head) => {
			await append(head);
			await append(
				head,
				"stream/b",
				JSON.stringify({ text: "x".repeat(1_000_000) }),
			);
		});
		await expect(attempt).rejects.toMatchObject({
			code: "log/full",
			retryable: false,
		});
		expect(await readAll(log)).toEqual([first]);
		limit(1_000_000);
		expect(await log.write((head) => append(head))).toMatchObject({
			position: 2,
			version: 2,
		});
		expect(await log.write((head) => append(head, "stream/b"))).toMatchObject({
			position: 3,
			version: 1,
		});
	});

	it("says log/read-only, and works again once it may write", async () => {
		const database = openDatabase(temporaryPath());
		afterwards(() => database.close());
		const log = sqliteEventLog(database);
		database.durable.exec("pragma query_only = 1");
		await expect(log.write((head) => append(head))).rejects.toMatchObject({
			code: "log/read-only",
		});
		database.durable.exec("pragma query_only = 0");
		expect(await log.write((head) => append(head))).toMatchObject({
			position: 1,
		});
	});

	it("says log/damaged of a file that is no database, and what to do", () => {
		const path = temporaryPath();
		writeFileSync(path, "This is no database at all. ".repeat(100));
		expect(() => sqliteEventLog(path)).toThrow(
			expect.objectContaining({
				code: "log/damaged",
				message: expect.stringContaining("restore the newest backup"),
			}),
		);
	});

	it("says log/damaged of a page that was overwritten, and log/failed of a folder that is a file", async () => {
		const path = temporaryPath();
		const log = openLog(path);
		await log.write(async (head) => {
			for (let index = 0; index < 200; index++)
				await append(head, `stream/${index}`, `{"text":"${"x".repeat(500)}"}`);
		});
		await log.close();
		const { size } = statSync(path);
		writeFileSync(path, "junk".repeat((size - 8_192) / 4), {
			flag: "r+",
			flush: true,
		});
		expect(() => sqliteEventLog(path)).toThrow(
			expect.objectContaining({ code: "log/damaged" }),
		);
		expect(() => sqliteEventLog(join(path, "dos.db"))).toThrow(
			expect.objectContaining({ code: "log/failed" }),
		);
	});

	it("says log/damaged rather than a wrong number when a stored integer is beyond 2^53", async () => {
		const path = temporaryPath();
		const log = openLog(path);
		await log.write((head) => append(head));
		const other = new DatabaseSync(path);
		other.exec("update event set time = 9007199254740993");
		other.close();
		await expect(log.at(1)).rejects.toMatchObject({ code: "log/damaged" });
		await expect(log.tip()).rejects.toMatchObject({ code: "log/damaged" });
	});
});

it("keeps its own event after it closed and opened again, under the same hashes", async () => {
	const path = temporaryPath();
	const log = sqliteEventLog(path);
	const event = await log.write((head) =>
		append(head, "stream/a", '{"beyond":9007199254740993,"text":"\\ud800"}'),
	);
	await log.close();
	const again = openLog(path);
	expect(await readAll(again)).toEqual([event]);
	expect(await again.tip()).toMatchObject({ position: 1, hash: event.hash });
});

function runAppender(path: string, name: string, writes: number): ChildProcess {
	const program = join(import.meta.dirname, "fixtures/appender.ts");
	const child = spawn(process.execPath, [program, path, name, String(writes)], {
		stdio: ["ignore", "inherit", "inherit"],
	});
	afterwards(() => child.kill("SIGKILL"));
	return child;
}
