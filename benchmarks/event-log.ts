/**
 * What the log costs, in microseconds an event: `node benchmarks/event-log.ts [events] [group]`.
 * Events are as large and as many to a stream as a metered call makes them.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteDerivedStore } from "../src/adapters/derived-store/sqlite.ts";
import { memoryEventLog } from "../src/adapters/event-log/memory.ts";
import { sqliteEventLog } from "../src/adapters/event-log/sqlite.ts";
import { nodeDigest } from "../src/adapters/runtime/digest.ts";
import { openDatabase } from "../src/adapters/sqlite/database.ts";
import { readEvent, type StoredEvent, sealEvent } from "../src/kernel/event.ts";
import type { EventLog, Tip } from "../src/ports/event-log.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const group = Number(process.argv[3] ?? 64);
const types = [
	"credits-held",
	"call-attempted",
	"credits-settled",
	"call-ended",
] as const;

function report(what: string, milliseconds: number, events = count): void {
	const rate = Math.round(events / milliseconds);
	console.log(
		`${what.padEnd(48)} ${((milliseconds / events) * 1_000).toFixed(2).padStart(8)} us/event ${rate} k/s`,
	);
}

async function timed(work: () => unknown): Promise<number> {
	const start = performance.now();
	await work();
	return performance.now() - start;
}

function makeGroup(tip: Tip): StoredEvent[] {
	let last = tip;
	return Array.from({ length: group }, () => {
		const number = last.position;
		const call = `01m7ypa0bj${Math.floor(number / 4)
			.toString(32)
			.padStart(16, "0")}`;
		const event = sealEvent(
			{
				position: number + 1,
				previous: last.hash,
				time: 1_780_000_000_000 + number,
				stream: `call/${call}`,
				version: (number % 4) + 1,
				type: types[number % 4] as string,
				actor: "key/01jabcdefghjkmnpqrstvwxyz0",
				correlation: call,
				key: number % 4 === 0 ? `call-${call}` : undefined,
				input: number % 4 === 0 ? last.hash : undefined,
				data: `{"account":"main","key":"01jabcdefghjkmnpqrstvwxyz0","amount":${number},"expires":1780000${number},"substrate":"vendor/some-model-4.6"}`,
			},
			nodeDigest.text,
		);
		last = event;
		return event;
	});
}

async function measure(name: string, log: EventLog): Promise<void> {
	let sealing = 0;
	const appending = await timed(async () => {
		for (let written = 0; written < count; written += group) {
			await log.write(async (head) => {
				const start = performance.now();
				const events = makeGroup(head.tip);
				sealing += performance.now() - start;
				await head.append(events);
			});
		}
	});
	report(`${name}: seal`, sealing);
	report(`${name}: append in groups of ${group}`, appending - sealing);
	const read = async (chosen?: readonly string[], parse = false) => {
		let seen = 0;
		for await (const batch of log.scan(0, chosen ? { types: chosen } : {})) {
			for (const event of batch)
				seen += parse ? readEvent(event).type.length : 1;
		}
		return seen;
	};
	for (const round of ["first", "second"]) {
		report(`${name}: read (${round})`, await timed(() => read()));
		report(
			`${name}: read and parse (${round})`,
			await timed(() => read(undefined, true)),
		);
		report(
			`${name}: read 1 type of 4 and parse (${round})`,
			await timed(() => read(["credits-settled"], true)),
		);
		report(
			`${name}: read 4 types of 4 and parse (${round})`,
			await timed(() => read(types, true)),
		);
		report(
			`${name}: hashes (${round})`,
			await timed(() => log.hashes(1, count)),
		);
	}
	const few = 20_000;
	report(
		`${name}: at`,
		await timed(async () => {
			for (let index = 1; index <= few; index++) await log.at(index * 3);
		}),
		few,
	);
	report(
		`${name}: tip`,
		await timed(async () => {
			for (let index = 1; index <= few; index++) await log.tip();
		}),
		few,
	);
}

if (process.argv[4] !== "sqlite") await measure("memory", memoryEventLog());

const folder = mkdtempSync(join(tmpdir(), "dos-benchmark-"));
try {
	const path = join(folder, "dos.db");
	const database = openDatabase(path);
	const log = sqliteEventLog(database);
	await measure("sqlite", log);
	const derived = sqliteDerivedStore(database);
	const body = JSON.stringify({ text: "x".repeat(5_000_000) });
	report(
		"sqlite: save 5 MB",
		await timed(() =>
			derived.save("head", { format: 1, position: 1, hash: "", body }),
		),
		1,
	);
	await database.close();
	console.log(`${Math.round(statSync(path).size / count)} bytes an event`);
	const opening = await timed(async () => sqliteEventLog(path).close());
	console.log(`open and close: ${opening.toFixed(1)} ms`);
} finally {
	rmSync(folder, { recursive: true });
}
