import { equalBytes, fromHex } from "../../kernel/bytes.ts";
import {
	genesisHash,
	parseLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { compactRange, type Hash } from "../../kernel/merkle.ts";
import { Fault } from "../../kernel/outcome.ts";
import { type Checkpoint, isKeyName } from "../../kernel/signed-note.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog, LogHead, Tip } from "../../ports/event-log.ts";
import type { Signer } from "../../ports/signer.ts";
import { openChain } from "./chain.ts";
import {
	openCheckpoint,
	type SignedCheckpoint,
	signCheckpoint,
	signerKey,
	type Trust,
} from "./checkpoint.ts";

export interface ExportOptions {
	readonly log: EventLog;
	/** The log's id. */
	readonly origin: string;
	readonly signer: Signer;
	readonly digest: Digest;
	/**
	 * What an earlier export of this log was signed over: then only what stands behind it is exported, as a
	 * continuation that says which event it follows. Its checkpoint is over all of the log as ever.
	 */
	readonly after?: Pick<Checkpoint, "size" | "root">;
	/** Hears the signed checkpoint when all has been given out. */
	readonly onSigned?: (note: string, size: number) => void;
	readonly onProgress?: (done: number, of: number) => void;
}

/**
 * The whole log as JSON lines (see `docs/log-format.md`): a header, every event's canonical line as it is,
 * and the signed checkpoint over them. Comes in pieces of many lines, so memory stays the same however
 * long the log is. What is recorded meanwhile is not included.
 *
 * Each event is checked on the way: rejects with `log/damaged` rather than sign for a log that was changed,
 * and with `export/other-log` when the log does not begin with the events that `after` is over.
 */
export async function* exportLog(
	options: ExportOptions,
): AsyncGenerator<string, void, undefined> {
	const { log, origin, signer, digest, after, onProgress } = options;
	const { position: end } = await log.tip();
	const first = after?.size ?? 0;
	const chain = await openChain(log, Math.min(first, end), digest);
	if (after && (first > end || !equalBytes(after.root, chain.root())))
		throw otherLog(first);
	const count = end - first;
	yield `${JSON.stringify({ format: exportFormat, version: 1, log: origin, ...(first > 0 && { after: first }), count })}\n`;
	for await (const batch of log.read(first, { to: end })) {
		let piece = "";
		for (const event of batch) piece += `${chain.take(event)}\n`;
		yield piece;
		onProgress?.(chain.tip().position - first, count);
	}
	if (chain.tip().position !== end) throw chain.damaged();
	const checkpoint = signCheckpoint(
		{ origin, size: end, root: chain.root() },
		signer,
		digest,
	);
	yield `${JSON.stringify({ checkpoint, key: signerKey(signer, digest) })}\n`;
	options.onSigned?.(checkpoint, end);
}

/** Whom an import believes, and how it is watched. */
export interface ReadingOptions {
	readonly digest: Digest;
	readonly verify: Signer["verify"];
	/**
	 * Verifier keys, one of which must have signed. Without them, the key that the export names is believed:
	 * then the import is known to be whole and consistent, but not whose it is.
	 */
	readonly keys?: readonly string[];
	/** Characters in one line, at most. */
	readonly lineLimit?: number;
	readonly onProgress?: (done: number, of: number) => void;
}

export interface ImportOptions extends ReadingOptions {
	/** Must be empty. */
	readonly log: EventLog;
	/** An export's text, cut anywhere. */
	readonly text: Text;
}

/** Text that comes in pieces, cut anywhere. */
type Text = AsyncIterable<string> | Iterable<string>;

/**
 * Takes an export into an empty log: afterwards it has the same events, hashes and root.
 *
 * All is read, checked and written under one head, and committed only once the checkpoint at the end has
 * been verified: an import that fails, or is killed, leaves the log empty. Resolves to that checkpoint. Lines may end in CRLF, and
 * the last one in nothing.
 *
 * Rejects with a `Fault` that names the line: `import/not-empty`, `import/not-an-export`,
 * `import/line-too-long`, `import/bad-event`, `import/out-of-order`, `import/key-repeated`,
 * `import/truncated`, `import/part-missing`, `import/bad-checkpoint`, `import/more-than-one-export`; or with
 * one of the log's own.
 */
export async function importLog(
	options: ImportOptions,
): Promise<SignedCheckpoint> {
	const { text, ...rest } = options;
	return (await restoreLog({ ...rest, parts: [{ text }] })).checkpoint;
}

/** One export among several. */
export interface ExportPart {
	/** For messages: its file. */
	readonly name?: string;
	readonly text: Text;
}

export interface RestoreOptions extends ReadingOptions {
	/** Must be empty. Absent: all is read and checked, and written nowhere. */
	readonly log?: EventLog;
	/** An export and its continuations, in order. A part that is not needed is not read. */
	readonly parts: AsyncIterable<ExportPart> | Iterable<ExportPart>;
	/** Only what the log held at this position, or at this time (milliseconds since 1970 UTC, included). */
	readonly until?: { readonly position?: number; readonly time?: number };
}

export interface Restored {
	/** The newest one that was verified: over all events restored, and perhaps over some behind them. */
	readonly checkpoint: SignedCheckpoint;
	/** The newest event that was restored. */
	readonly tip: Tip;
}

/**
 * Takes an export and its continuations into an empty log, up to where it is told: afterwards the log has the
 * same events, hashes and roots as the one that was exported had then. A part is believed by its own checkpoint, so
 * one that is damaged does not stand in the way of what lies before it.
 *
 * Atomic, and rejects, as `importLog` does; further with `import/other-log` for a part of another log and
 * `import/not-that-far` when the position is behind the last event.
 */
export async function restoreLog(options: RestoreOptions): Promise<Restored> {
	const { log, until = {} } = options;
	const { position = Number.MAX_SAFE_INTEGER, time = Number.MAX_SAFE_INTEGER } =
		until;
	let tip: Tip = { position: 0, hash: genesisHash, time: 0 };

	async function read(
		write: (batch: readonly StoredEvent[], place: Place) => Promise<void>,
	): Promise<Restored> {
		const checkpoint = await readParts(options, {
			async take(events, place) {
				const wanted = events.filter(
					(event) => event.position <= position && event.time <= time,
				);
				await write(wanted, place);
				tip = wanted.at(-1) ?? tip;
			},
			enough: (last) => last.position >= position || last.time > time,
		});
		if (until.position !== undefined && checkpoint.size < until.position) {
			throw new Fault(
				"import/not-that-far",
				`There are ${checkpoint.size} events, so none at position ${until.position}. Nothing was imported.`,
			);
		}
		const { hash, position: at, time: when } = tip;
		return { checkpoint, tip: { position: at, hash, time: when } };
	}

	if (!log) return read(async () => {});
	return log.write(async (head) => {
		if (head.tip.position > 0) {
			throw new Fault(
				"import/not-empty",
				"An export can only be imported into an empty log. Use another home.",
			);
		}
		return read((batch, place) => appendChecked(head, batch, place));
	});
}

/** Where a line stands, for messages. */
interface Place {
	/** Positions before this part's first event. */
	readonly after: number;
	readonly part: string | undefined;
}

/** Reads parts one behind the other and gives out their events, checked. Resolves to the last checkpoint. */
async function readParts(
	options: RestoreOptions,
	into: {
		take(events: readonly StoredEvent[], place: Place): Promise<void>;
		/** Whether what stands behind this event is not needed. */
		enough(last: Pick<StoredEvent, "position" | "time">): boolean;
	},
): Promise<SignedCheckpoint> {
	const { digest, onProgress } = options;
	const hashText = (text: string) => digest.text(text);
	const range = compactRange(digest.bytes);
	let origin: string | undefined;
	let verified: SignedCheckpoint | undefined;
	let last = { hash: genesisHash, time: 0 };

	for await (const part of options.parts) {
		verified = await readPart(part);
		origin = verified.origin;
		if (into.enough({ position: range.size(), time: last.time })) break;
	}
	if (!verified) throw nothing(undefined);
	return verified;

	async function readPart({
		name: part,
		text,
	}: ExportPart): Promise<SignedCheckpoint> {
		const after = range.size();
		const place: Place = { after, part };
		let header: Header | undefined;
		let checkpoint: SignedCheckpoint | undefined;
		let batch: StoredEvent[] = [];
		let number = 0;
		const bad = (what: string, message: string) =>
			fault(what, number, message, part);

		function takeHeader(line: string): Header {
			const found = readHeader(line);
			if (!found)
				throw bad(
					"not-an-export",
					"is not the header of an export that is known here",
				);
			if (found.after !== after)
				throw bad(
					"part-missing",
					`is the header of a part that follows event ${found.after}, where one that follows event ${after} is due`,
				);
			if (origin !== undefined && found.log !== origin)
				throw bad(
					"other-log",
					`is the header of a part of ${found.log}, where one of ${origin} is due`,
				);
			return found;
		}

		function takeEvent(line: string, count: number): void {
			const event = parseLine(line, hashText);
			if (!event && "checkpoint" in readObject(line)) {
				throw bad(
					"truncated",
					`ends the export after ${range.size() - after} of ${count} events`,
				);
			}
			if (!event)
				throw bad("bad-event", "is not the canonical line of an event");
			const due = after + number - 1;
			if (event.position !== due) {
				throw bad(
					"out-of-order",
					`holds event ${event.position} where ${due} of ${after + count} is due`,
				);
			}
			if (event.previous !== last.hash) {
				throw bad(
					"out-of-order",
					"holds an event that does not follow the one before it: one of the two was changed",
				);
			}
			if (event.time < last.time)
				throw bad(
					"out-of-order",
					"holds an event that is earlier than the one before it",
				);
			range.append(fromHex(event.hash) as Hash);
			last = event;
			batch.push(event);
		}

		async function flush(count: number): Promise<void> {
			await into.take(batch, place);
			batch = [];
			onProgress?.(range.size(), after + count);
		}

		for await (const line of linesOf(text, options.lineLimit, part)) {
			number += 1;
			if (!header) {
				header = takeHeader(line);
			} else if (checkpoint) {
				throw bad(
					"more-than-one-export",
					"stands behind the checkpoint, where an export ends",
				);
			} else if (range.size() - after < header.count) {
				takeEvent(line, header.count);
				if (batch.length === batchSize) await flush(header.count);
			} else {
				checkpoint = readEnd(
					line,
					number,
					{ origin: header.log, size: range.size(), root: range.root() },
					options,
					part,
				);
			}
		}
		if (!header) throw nothing(part);
		if (!checkpoint) {
			throw bad(
				"truncated",
				`is the last one, after ${range.size() - after} of ${header.count} events and without the checkpoint`,
			);
		}
		await flush(header.count);
		return checkpoint;
	}
}

interface Header {
	readonly log: string;
	/** Events of the log that come before: 0 for a whole export. */
	readonly after: number;
	readonly count: number;
}

const exportFormat = "duranteos-log";
const batchSize = 500;

function readHeader(line: string): Header | undefined {
	const { format, version, log, count, after = 0 } = readObject(line);
	if (format !== exportFormat || version !== 1) return undefined;
	if (
		typeof log !== "string" ||
		!isKeyName(log) ||
		!isCount(count) ||
		!isCount(after)
	)
		return undefined;
	return { log, after, count };
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Reads the last line and verifies that its checkpoint is over exactly what was read. */
function readEnd(
	line: string,
	number: number,
	found: Checkpoint,
	options: ReadingOptions,
	part: string | undefined,
): SignedCheckpoint {
	const { checkpoint: note, key } = readObject(line);
	if (typeof note !== "string" || typeof key !== "string") {
		throw fault(
			"bad-checkpoint",
			number,
			`should hold the checkpoint, after ${found.size} events`,
			part,
		);
	}
	const { keys = [key], verify, digest } = options;
	const trust: Trust = { keys, verify, digest };
	const opened = openCheckpoint(note, trust, found.origin);
	if (!opened.ok)
		throw fault(
			"bad-checkpoint",
			number,
			`holds a checkpoint that cannot be believed: ${opened.error.message}`,
			part,
		);
	const { size, root } = opened.value;
	if (size !== found.size || !equalBytes(root, found.root)) {
		throw fault(
			"bad-checkpoint",
			number,
			`holds a checkpoint over other events: ${size} were signed, ${found.size} are here`,
			part,
		);
	}
	return opened.value;
}

/** Appends a batch, and says which line a refusal is about. */
async function appendChecked(
	head: LogHead,
	batch: readonly StoredEvent[],
	{ after, part }: Place,
): Promise<void> {
	const lineOf = (position: number) => position - after + 1;
	const versions = new Map(
		await head.versions([...new Set(batch.map(({ stream }) => stream))]),
	);
	for (const { position, stream, version } of batch) {
		const due = (versions.get(stream) ?? 0) + 1;
		if (version !== due) {
			throw fault(
				"out-of-order",
				lineOf(position),
				`holds version ${version} of ${stream}, where ${due} is due`,
				part,
			);
		}
		versions.set(stream, due);
	}
	try {
		await head.append(batch);
	} catch (conflict) {
		for (const { position, key } of batch) {
			const [first] = key === undefined ? [] : await head.findByKey([key]);
			if (first && first.position !== position) {
				throw fault(
					"key-repeated",
					lineOf(position),
					`has the idempotency key of event ${first.position}: ${key}`,
					part,
				);
			}
		}
		throw conflict;
	}
}

/** Lines of a text that comes in pieces, without their ends; the last one needs none. */
async function* linesOf(
	text: Text,
	limit = 64 * 1024 * 1024,
	part?: string,
): AsyncGenerator<string, void, undefined> {
	let rest = "";
	let number = 1;
	for await (const piece of text) {
		let from = 0;
		for (
			let end = piece.indexOf("\n");
			end >= 0;
			end = piece.indexOf("\n", from)
		) {
			const line = rest + piece.slice(from, end);
			if (line.length > limit) throw tooLong(number, limit, part);
			yield line.endsWith("\r") ? line.slice(0, -1) : line;
			rest = "";
			from = end + 1;
			number += 1;
		}
		rest += piece.slice(from);
		if (rest.length > limit) throw tooLong(number, limit, part);
	}
	if (rest !== "") yield rest.endsWith("\r") ? rest.slice(0, -1) : rest;
}

function tooLong(
	number: number,
	limit: number,
	part: string | undefined,
): Fault {
	return fault(
		"line-too-long",
		number,
		`has more than ${limit} characters`,
		part,
	);
}

function readObject(line: string): Partial<Record<string, unknown>> {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === "object" && value !== null
			? (value as Record<string, unknown>)
			: {};
	} catch {
		return {};
	}
}

function nothing(part: string | undefined): Fault {
	return fault(
		"not-an-export",
		1,
		"is missing: there is nothing to import",
		part,
	);
}

function fault(
	what: string,
	line: number,
	message: string,
	part: string | undefined,
): Fault {
	return new Fault(
		`import/${what}`,
		`Line ${line} ${part === undefined ? "" : `of ${part} `}${message}. Nothing was imported.`,
		{ details: { line, ...(part !== undefined && { part }) } },
	);
}

function otherLog(size: number): Fault {
	return new Fault(
		"export/other-log",
		`The log does not begin with the ${size} events that were exported before: it is another log, or was taken back to an earlier state.`,
	);
}
