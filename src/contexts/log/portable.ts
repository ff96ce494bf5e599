import { equalBytes, fromHex } from "../../kernel/bytes.ts";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	parseLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { compactRange, type Hash } from "../../kernel/merkle.ts";
import { Fault } from "../../kernel/outcome.ts";
import { type Checkpoint, isKeyName } from "../../kernel/signed-note.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog, LogHead } from "../../ports/event-log.ts";
import type { Signer } from "../../ports/signer.ts";
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
	readonly onProgress?: (done: number, of: number) => void;
}

/**
 * The whole log as JSON lines (see `docs/log-format.md`): a header, every event's canonical line as it is,
 * and the signed checkpoint over them. Comes in pieces of many lines, so memory stays the same however
 * long the log is. What is recorded meanwhile is not included.
 *
 * Each event is checked on the way: rejects with `log/damaged` rather than sign for a log that was changed.
 */
export async function* exportLog(
	options: ExportOptions,
): AsyncGenerator<string, void, undefined> {
	const { log, origin, signer, digest, onProgress } = options;
	const hashText = (text: string) => digest.text(text);
	const { position: count } = await log.tip();
	const range = compactRange(digest.bytes);
	let previous = genesisHash;
	yield `${JSON.stringify({ format: exportFormat, version: 1, log: origin, count })}\n`;
	for await (const batch of log.read(0, { to: count })) {
		let piece = "";
		for (const event of batch) {
			const line = canonicalLine(event);
			const sound =
				event.position === range.size() + 1 &&
				event.previous === previous &&
				!line.includes("\n");
			if (!sound || hashLine(line, hashText) !== event.hash)
				throw damaged(range.size() + 1);
			range.append(fromHex(event.hash) as Hash);
			previous = event.hash;
			piece += `${line}\n`;
		}
		yield piece;
		onProgress?.(range.size(), count);
	}
	if (range.size() !== count) throw damaged(range.size() + 1);
	const checkpoint = signCheckpoint(
		{ origin, size: count, root: range.root() },
		signer,
		digest,
	);
	yield `${JSON.stringify({ checkpoint, key: signerKey(signer, digest) })}\n`;
}

export interface ImportOptions {
	/** Must be empty. */
	readonly log: EventLog;
	/** An export's text, cut anywhere. */
	readonly text: AsyncIterable<string> | Iterable<string>;
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

/**
 * Takes an export into an empty log: afterwards it has the same events, hashes and root.
 *
 * All is read, checked and written under one head, and committed only once the checkpoint at the end has
 * been verified: an import that fails, or is killed, leaves the log empty. Resolves to that checkpoint. Lines may end in CRLF, and
 * the last one in nothing.
 *
 * Rejects with a `Fault` that names the line: `import/not-empty`, `import/not-an-export`,
 * `import/line-too-long`, `import/bad-event`, `import/out-of-order`, `import/key-repeated`,
 * `import/truncated`, `import/bad-checkpoint`, `import/more-than-one-export`; or with one of the log's own.
 */
export function importLog(options: ImportOptions): Promise<SignedCheckpoint> {
	const { log, digest, onProgress } = options;
	const lineLimit = options.lineLimit ?? 64 * 1024 * 1024;
	const hashText = (text: string) => digest.text(text);

	return log.write(async (head) => {
		if (head.tip.position > 0) {
			throw new Fault(
				"import/not-empty",
				"An export can only be imported into an empty log. Use another home.",
			);
		}
		const range = compactRange(digest.bytes);
		let header: Header | undefined;
		let imported: SignedCheckpoint | undefined;
		let batch: StoredEvent[] = [];
		let last = { hash: genesisHash, time: 0 };
		let number = 0;

		function takeEvent(line: string, count: number): void {
			const event = parseLine(line, hashText);
			if (!event && "checkpoint" in readObject(line)) {
				throw fault(
					"truncated",
					number,
					`ends the export after ${range.size()} of ${count} events`,
				);
			}
			if (!event)
				throw fault(
					"bad-event",
					number,
					"is not the canonical line of an event",
				);
			if (event.position !== number - 1) {
				throw fault(
					"out-of-order",
					number,
					`holds event ${event.position} where ${number - 1} of ${count} is due`,
				);
			}
			if (event.previous !== last.hash) {
				throw fault(
					"out-of-order",
					number,
					"holds an event that does not follow the one before it: one of the two was changed",
				);
			}
			if (event.time < last.time)
				throw fault(
					"out-of-order",
					number,
					"holds an event that is earlier than the one before it",
				);
			range.append(fromHex(event.hash) as Hash);
			last = event;
			batch.push(event);
		}

		async function flush(count: number): Promise<void> {
			await appendChecked(head, batch);
			batch = [];
			onProgress?.(range.size(), count);
		}

		for await (const line of linesOf(options.text, lineLimit)) {
			number += 1;
			if (!header) {
				header = readHeader(line);
				if (!header)
					throw fault(
						"not-an-export",
						number,
						"is not the header of an export that is known here",
					);
			} else if (imported) {
				throw fault(
					"more-than-one-export",
					number,
					"stands behind the checkpoint, where an export ends",
				);
			} else if (range.size() < header.count) {
				takeEvent(line, header.count);
				if (batch.length === batchSize) await flush(header.count);
			} else {
				imported = readEnd(
					line,
					number,
					{ origin: header.log, size: range.size(), root: range.root() },
					options,
				);
			}
		}
		if (!header)
			throw fault("not-an-export", 1, "is missing: there is nothing to import");
		if (!imported) {
			throw fault(
				"truncated",
				number,
				`is the last one, after ${range.size()} of ${header.count} events and without the checkpoint`,
			);
		}
		await flush(header.count);
		return imported;
	});
}

interface Header {
	readonly log: string;
	readonly count: number;
}

const exportFormat = "duranteos-log";
const batchSize = 500;

function readHeader(line: string): Header | undefined {
	const { format, version, log, count } = readObject(line);
	if (format !== exportFormat || version !== 1) return undefined;
	if (
		typeof log !== "string" ||
		!isKeyName(log) ||
		!Number.isSafeInteger(count) ||
		(count as number) < 0
	)
		return undefined;
	return { log, count: count as number };
}

/** Reads the last line and verifies that its checkpoint is over exactly what was read. */
function readEnd(
	line: string,
	number: number,
	found: Checkpoint,
	options: ImportOptions,
): SignedCheckpoint {
	const { checkpoint: note, key } = readObject(line);
	if (typeof note !== "string" || typeof key !== "string") {
		throw fault(
			"bad-checkpoint",
			number,
			`should hold the checkpoint, after ${found.size} events`,
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
		);
	const { size, root } = opened.value;
	if (size !== found.size || !equalBytes(root, found.root)) {
		throw fault(
			"bad-checkpoint",
			number,
			`holds a checkpoint over other events: ${size} were signed, ${found.size} are here`,
		);
	}
	return opened.value;
}

/** Appends a batch that ends before line `batch.at(-1).position + 2`, and says which line a refusal is about. */
async function appendChecked(
	head: LogHead,
	batch: readonly StoredEvent[],
): Promise<void> {
	const versions = new Map(
		await head.versions([...new Set(batch.map(({ stream }) => stream))]),
	);
	for (const { position, stream, version } of batch) {
		const due = (versions.get(stream) ?? 0) + 1;
		if (version !== due) {
			throw fault(
				"out-of-order",
				position + 1,
				`holds version ${version} of ${stream}, where ${due} is due`,
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
					position + 1,
					`has the idempotency key of line ${first.position + 1}: ${key}`,
				);
			}
		}
		throw conflict;
	}
}

/** Lines of a text that comes in pieces, without their ends; the last one needs none. */
async function* linesOf(
	text: AsyncIterable<string> | Iterable<string>,
	limit: number,
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
			if (line.length > limit) throw tooLong(number, limit);
			yield line.endsWith("\r") ? line.slice(0, -1) : line;
			rest = "";
			from = end + 1;
			number += 1;
		}
		rest += piece.slice(from);
		if (rest.length > limit) throw tooLong(number, limit);
	}
	if (rest !== "") yield rest.endsWith("\r") ? rest.slice(0, -1) : rest;
}

function tooLong(number: number, limit: number): Fault {
	return fault("line-too-long", number, `has more than ${limit} characters`);
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

function fault(what: string, line: number, message: string): Fault {
	return new Fault(
		`import/${what}`,
		`Line ${line} ${message}. Nothing was imported.`,
		{ details: { line } },
	);
}

function damaged(position: number): Fault {
	return new Fault(
		"log/damaged",
		`The log cannot be exported: event ${position} is missing or was changed. Verify it to see what is wrong.`,
	);
}
