import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { sqliteEventLog } from "../../adapters/event-log/sqlite.ts";
import { toHex } from "../../kernel/bytes.ts";
import { canonicalLine, type StoredEvent } from "../../kernel/event.ts";
import type { EventLog } from "../../ports/event-log.ts";
import {
	chain,
	checkpointOf,
	digest,
	envelope,
	forgedLog,
	origin,
	signer,
	soundEvents,
	soundLog,
	stranger,
	trust,
} from "./log.testing.ts";
import {
	exportLog,
	type ImportOptions,
	importLog,
	type RestoreOptions,
	restoreLog,
} from "./portable.ts";
import { openTree } from "./tree.ts";

const events = soundEvents(1_200);

async function textOf(log: EventLog, by = signer): Promise<string> {
	let text = "";
	for await (const piece of exportLog({ log, origin, signer: by, digest }))
		text += piece;
	return text;
}

function read(
	text: string | readonly string[],
	into = memoryEventLog(),
	options: Partial<ImportOptions> = {},
) {
	const pieces = typeof text === "string" ? [text] : text;
	return importLog({
		log: into,
		text: pieces,
		digest,
		verify: signer.verify,
		keys: trust.keys,
		...options,
	});
}

async function eventsOf(log: EventLog): Promise<StoredEvent[]> {
	const all: StoredEvent[] = [];
	for await (const batch of log.read(0)) all.push(...batch);
	return all;
}

const rootOf = async (log: EventLog) =>
	toHex(await (await openTree({ log, digest })).root());
const whole = await textOf(forgedLog(events));
const small = await textOf(await soundLog(5));
const lines = small.split("\n").slice(0, -1);
const checkpointLine = lines[6] as string;
const join2 = (changed: readonly string[]) => `${changed.join("\n")}\n`;

describe("an export", () => {
	it("is a header, every event's own line, and the signed checkpoint", () => {
		expect(lines).toHaveLength(7);
		expect(lines[0]).toBe(
			'{"format":"duranteos-log","version":1,"log":"test.example/log","count":5}',
		);
		expect(lines.slice(1, 6)).toEqual(events.slice(0, 5).map(canonicalLine));
		expect(JSON.parse(checkpointLine)).toEqual({
			checkpoint: expect.stringMatching(/^test\.example\/log\n5\n/),
			key: trust.keys[0],
		});
		expect(small.endsWith("\n")).toBe(true);
	});

	it("comes in pieces, and tells how far it is", async () => {
		const told: string[] = [];
		const log = forgedLog(soundEvents(20));
		const pieces: string[] = [];
		const onProgress = (done: number, of: number) => told.push(`${done}/${of}`);
		for await (const piece of exportLog({
			log,
			origin,
			signer,
			digest,
			onProgress,
		}))
			pieces.push(piece);
		expect(pieces).toHaveLength(5);
		expect(told).toEqual(["7/20", "14/20", "20/20"]);
	});

	it.each([
		["changed", events.with(7, { ...(events[7] as StoredEvent), data: "{}" })],
		["missing", events.toSpliced(7, 1)],
		[
			"replaced",
			events.with(
				7,
				chain([{ ...envelope(8), data: "{}" }], events[6])[0] as StoredEvent,
			),
		],
		[
			"not in one line",
			chain([
				...Array.from({ length: 7 }, (_, at) => envelope(at + 1)),
				{ ...envelope(8), data: '{"a":\n1}' },
			]),
		],
	])("is not made of a log with an event that is %s", async (_, damaged) => {
		await expect(textOf(forgedLog(damaged))).rejects.toMatchObject({
			code: "log/damaged",
		});
	});

	it("is not made of a log that ends before its tip", async () => {
		const newest = { position: 1_200, hash: "", time: 0 };
		const cut = forgedLog(events.slice(0, 9), { tip: async () => newest });
		await expect(textOf(cut)).rejects.toMatchObject({
			code: "log/damaged",
			message: expect.stringContaining("event 10"),
		});
	});
});

describe("an import", () => {
	it("gives the same events, the same root and the same export", async () => {
		const log = memoryEventLog();
		const told: string[] = [];
		const checkpoint = await read(whole, log, {
			onProgress: (done, of) => told.push(`${done}/${of}`),
		});
		expect(checkpoint).toMatchObject({
			origin,
			size: 1_200,
			signedBy: trust.keys[0],
		});
		expect(await eventsOf(log)).toEqual(events);
		expect(await rootOf(log)).toBe(toHex(checkpoint.root));
		expect(await textOf(log)).toBe(whole);
		expect(told).toEqual(["500/1200", "1000/1200", "1200/1200"]);
	});

	it("carries a log from one storage into another and back", async () => {
		const folder = mkdtempSync(join(tmpdir(), "duranteos-portable-"));
		const log = sqliteEventLog(join(folder, "log.db"));
		try {
			await importLog({
				log,
				text: exportLog({ log: forgedLog(events), origin, signer, digest }),
				digest,
				verify: signer.verify,
			});
			expect(await rootOf(log)).toBe(await rootOf(forgedLog(events)));
			expect(await textOf(log)).toBe(whole);
			const other = sqliteEventLog(join(folder, "other.db"));
			const twice = `${lines.slice(0, 3).join("\n")}\n`;
			await expect(read(twice, other)).rejects.toMatchObject({
				code: "import/truncated",
			});
			expect((await other.tip()).position).toBe(0);
			await other.close();
		} finally {
			await log.close();
			rmSync(folder, { recursive: true, force: true });
		}
	});

	it("takes the text however it is cut, with any line ends, and without the last", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.nat(small.length), { maxLength: 20 }),
				fc.constantFrom("\n", "\r\n"),
				fc.boolean(),
				async (cuts, end, open) => {
					const text = small
						.replaceAll("\n", end)
						.slice(0, open ? -end.length : undefined);
					const places = [
						0,
						...cuts.toSorted((left, right) => left - right),
						text.length,
					];
					const log = memoryEventLog();
					await read(
						places.slice(1).map((to, at) => text.slice(places[at], to)),
						log,
					);
					expect(await eventsOf(log)).toEqual(events.slice(0, 5));
				},
			),
		);
	});

	it("carries an empty log too", async () => {
		expect(await read(await textOf(memoryEventLog()))).toMatchObject({
			size: 0,
		});
	});

	it("needs an empty log", async () => {
		const log = await soundLog(1);
		await expect(read(small, log)).rejects.toMatchObject({
			code: "import/not-empty",
		});
		expect(await eventsOf(log)).toHaveLength(1);
	});

	it("believes the key that the export names when it is told no other, and says which", async () => {
		const theirs = await textOf(await soundLog(5), stranger);
		await expect(read(theirs)).rejects.toMatchObject({
			code: "import/bad-checkpoint",
			details: { line: 7 },
		});
		const { signedBy } = await importLog({
			log: memoryEventLog(),
			text: [theirs],
			digest,
			verify: signer.verify,
		});
		expect(signedBy).not.toBe(trust.keys[0]);
	});

	const other = checkpointOf(forgedLog(events), 4);
	const resealed = (change: Partial<StoredEvent>, at = 3) =>
		textOf(
			forgedLog(
				chain(
					Array.from({ length: 5 }, (_, place) => ({
						...envelope(place + 1),
						...(place + 1 === at ? change : {}),
					})),
				),
			),
		);

	it.each<
		[string, string | readonly string[] | Promise<string>, string, number]
	>([
		["nothing", "", "not-an-export", 1],
		["another text", "hello\n", "not-an-export", 1],
		[
			"another format",
			join2(lines.with(0, '{"format":"other","version":1}')),
			"not-an-export",
			1,
		],
		[
			"a later version",
			join2(
				lines.with(
					0,
					(lines[0] as string).replace('"version":1', '"version":2'),
				),
			),
			"not-an-export",
			1,
		],
		[
			"a count that is none",
			join2(lines.with(0, (lines[0] as string).replace("5}", "-5}"))),
			"not-an-export",
			1,
		],
		[
			"a log without a name",
			join2(lines.with(0, (lines[0] as string).replace(origin, ""))),
			"not-an-export",
			1,
		],
		[
			"a header that is no object",
			join2(lines.with(0, "7")),
			"not-an-export",
			1,
		],
		["a header alone", join2(lines.slice(0, 1)), "truncated", 1],
		["an end after some events", join2(lines.slice(0, 4)), "truncated", 4],
		[
			"an end within an event",
			small.slice(0, small.indexOf("\n", 200) - 20),
			"bad-event",
			2,
		],
		["an end before the checkpoint", join2(lines.slice(0, 6)), "truncated", 6],
		["an end within the checkpoint", small.slice(0, -20), "bad-checkpoint", 7],
		[
			"a checkpoint that comes early",
			join2(lines.toSpliced(4, 2)),
			"truncated",
			5,
		],
		["an event too few", join2(lines.toSpliced(3, 1)), "out-of-order", 4],
		[
			"an event twice",
			join2(lines.toSpliced(3, 0, lines[3] as string)),
			"out-of-order",
			5,
		],
		[
			"two events swapped",
			join2(lines.with(3, lines[4] as string).with(4, lines[3] as string)),
			"out-of-order",
			4,
		],
		[
			"an event that was edited",
			join2(
				lines.with(3, (lines[3] as string).replace("operator", "operatos")),
			),
			"out-of-order",
			5,
		],
		[
			"the last event edited",
			join2(
				lines.with(5, (lines[5] as string).replace("operator", "operatos")),
			),
			"bad-checkpoint",
			7,
		],
		["a line that is no JSON", join2(lines.with(3, "{")), "bad-event", 4],
		["an empty line", join2(lines.with(3, "")), "bad-event", 4],
		[
			"white space in an event",
			join2(lines.with(3, (lines[3] as string).replace(",", ", "))),
			"bad-event",
			4,
		],
		[
			"an event more than was counted",
			join2(lines.with(0, (lines[0] as string).replace("5}", "4}"))),
			"bad-checkpoint",
			6,
		],
		[
			"something behind the checkpoint",
			`${small}\n`,
			"more-than-one-export",
			8,
		],
		["another export behind", small + small, "more-than-one-export", 8],
		[
			"a checkpoint of another size",
			other.then((note) =>
				join2(
					lines.with(
						6,
						JSON.stringify({ checkpoint: note, key: trust.keys[0] }),
					),
				),
			),
			"bad-checkpoint",
			7,
		],
		[
			"a checkpoint of another log",
			join2(
				lines.with(0, (lines[0] as string).replace(origin, "another.example")),
			),
			"bad-checkpoint",
			7,
		],
		[
			"a checkpoint without its key",
			join2(lines.with(6, '{"checkpoint":"x"}')),
			"bad-checkpoint",
			7,
		],
		[
			"a forged checkpoint",
			join2(lines.with(6, checkpointLine.replace("\\n5\\n", "\\n6\\n"))),
			"bad-checkpoint",
			7,
		],
		["a stream that counts wrong", resealed({ version: 7 }), "out-of-order", 4],
		["a time that goes back", resealed({ time: 0 }), "out-of-order", 4],
		["a key twice in one batch", resealed({ key: "key-2" }), "key-repeated", 4],
		[
			"a line without end",
			["{".repeat(600), "{".repeat(600)],
			"line-too-long",
			1,
		],
		["a long line", `${lines[0]}\n${"x".repeat(1_001)}\n`, "line-too-long", 2],
	])(
		"refuses %s, names the line, and leaves the log empty",
		async (_, text, what, line) => {
			const log = memoryEventLog();
			await expect(
				read(await text, log, { lineLimit: 1_000 }),
			).rejects.toMatchObject({
				code: `import/${what}`,
				message: expect.stringContaining(`Line ${line} `),
				details: { line },
			});
			expect(await log.tip()).toMatchObject({ position: 0 });
			expect(await eventsOf(log)).toEqual([]);
		},
	);

	it("finds a key that was used long before", async () => {
		const envelopes = Array.from({ length: 1_200 }, (_, at) =>
			envelope(at + 1),
		);
		const text = await textOf(
			forgedLog(
				chain(envelopes.with(1_100, { ...envelope(1_101), key: "key-2" })),
			),
		);
		await expect(read(text)).rejects.toMatchObject({
			code: "import/key-repeated",
			details: { line: 1_102 },
		});
	});

	it("passes on what the log itself refuses", async () => {
		const broken: EventLog = {
			...memoryEventLog(),
			write: (work) =>
				memoryEventLog().write((head) =>
					work({
						...head,
						tip: head.tip,
						append() {
							throw new Error("The disk is full.");
						},
					}),
				),
		};
		await expect(read(small, broken)).rejects.toThrow("The disk is full.");
	});
});

describe("an export and its continuations", async () => {
	const sizes = [700, 700, 1_000, 1_200];
	const parts: { name: string; text: string[] }[] = [];
	let after: { size: number; root: Uint8Array } | undefined;
	const notes: string[] = [];
	for (const size of sizes) {
		const log = forgedLog(events.slice(0, size));
		let text = "";
		for await (const piece of exportLog({
			log,
			origin,
			signer,
			digest,
			...(after && { after }),
			onSigned: (note) => notes.push(note),
		}))
			text += piece;
		parts.push({ name: `to-${size}`, text: [text] });
		after = { size, root: await (await openTree({ log, digest })).root() };
	}
	const restore = (options: Partial<RestoreOptions> = {}) =>
		restoreLog({
			parts,
			digest,
			verify: signer.verify,
			keys: trust.keys,
			...options,
		});
	const partly = (change: (text: string) => string, at: number) =>
		parts.with(at, {
			name: "changed",
			text: [change(parts[at]?.text[0] as string)],
		});

	it("say what they follow, and are each signed over all", () => {
		expect(parts.map(({ text }) => text[0]?.split("\n")[0])).toEqual([
			'{"format":"duranteos-log","version":1,"log":"test.example/log","count":700}',
			'{"format":"duranteos-log","version":1,"log":"test.example/log","after":700,"count":0}',
			'{"format":"duranteos-log","version":1,"log":"test.example/log","after":700,"count":300}',
			'{"format":"duranteos-log","version":1,"log":"test.example/log","after":1000,"count":200}',
		]);
		expect(notes.map((note) => note.split("\n")[1])).toEqual(sizes.map(String));
	});

	it("are together what one export is", async () => {
		const log = memoryEventLog();
		const { checkpoint, tip } = await restore({ log });
		expect(checkpoint.size).toBe(1_200);
		expect(tip).toEqual({
			position: 1_200,
			hash: events[1_199]?.hash,
			time: events[1_199]?.time,
		});
		expect(await eventsOf(log)).toEqual(events);
		expect(await textOf(log)).toBe(whole);
	});

	it("can be checked without being written", async () => {
		expect((await restore()).tip.position).toBe(1_200);
		await expect(
			restore({ parts: partly((text) => text.replace("operator", "x"), 2) }),
		).rejects.toMatchObject({
			code: "import/out-of-order",
			details: { line: 3, part: "changed" },
		});
	});

	it("give the log as it was at a position", async () => {
		await fc.assert(
			fc.asyncProperty(fc.integer({ min: 1, max: 1_200 }), async (position) => {
				const log = memoryEventLog();
				const { tip, checkpoint } = await restore({ log, until: { position } });
				expect(tip.hash).toBe(events[position - 1]?.hash);
				expect(await log.tip()).toEqual(tip);
				expect(checkpoint.size).toBe(sizes.find((size) => size >= position));
			}),
			{ numRuns: 25 },
		);
	});

	it("give the log as it was at a time, all events of that moment included", async () => {
		for (const at of [0, 1, 698, 699, 700, 1_000, 1_199]) {
			const { time } = events[at] as StoredEvent;
			const log = memoryEventLog();
			await restore({ log, until: { time } });
			expect(await eventsOf(log)).toEqual(
				events.filter((event) => event.time <= time),
			);
		}
		const none = memoryEventLog();
		await restore({ log: none, until: { time: 5 } });
		expect((await none.tip()).position).toBe(0);
	});

	it("are read no further than is needed, so that damage behind does no harm", async () => {
		const log = memoryEventLog();
		const damaged = partly(() => "gone", 3);
		await restore({ log, parts: damaged, until: { position: 1_000 } });
		expect((await log.tip()).position).toBe(1_000);
		await expect(
			restore({ parts: damaged, until: { position: 1_001 } }),
		).rejects.toMatchObject({ code: "import/not-an-export" });
	});

	const theirs = (text: string) => text.replace(origin, "another.example");
	it.each<[string, Partial<RestoreOptions>, string]>([
		["nothing at all", { parts: [] }, "not-an-export"],
		["a part missing", { parts: parts.toSpliced(2, 1) }, "part-missing"],
		["a continuation alone", { parts: parts.slice(2) }, "part-missing"],
		["a part twice", { parts: [...parts, ...parts] }, "part-missing"],
		["a part of another log", { parts: partly(theirs, 2) }, "other-log"],
		[
			"a position behind the end",
			{ until: { position: 1_201 } },
			"not-that-far",
		],
	])("refuse %s, and leave the log empty", async (_, options, why) => {
		const log = memoryEventLog();
		await expect(restore({ log, ...options })).rejects.toMatchObject({
			code: `import/${why}`,
		});
		expect((await log.tip()).position).toBe(0);
	});

	it("a continuation is no export by itself", async () => {
		await expect(read(parts[2]?.text[0] as string)).rejects.toMatchObject({
			code: "import/part-missing",
		});
	});

	it.each([
		["of another log", forgedLog(chain([{ ...envelope(1), data: "{}" }]))],
		[
			"of one that was rewritten",
			forgedLog(
				chain(
					Array.from({ length: 1_300 }, (_, at) => ({
						...envelope(at + 1),
						...(at === 4 && { data: "{}" }),
					})),
				),
			),
		],
		["of a log that was taken back", forgedLog(events.slice(0, 900))],
	])("are not made %s", async (_, log) => {
		const again = exportLog({
			log,
			origin,
			signer,
			digest,
			...(after && { after }),
		});
		await expect(again.next()).rejects.toMatchObject({
			code: "export/other-log",
		});
	});
});
