import { equalBytes, fromHex, toBase64 } from "../../kernel/bytes.ts";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { compactRange } from "../../kernel/merkle.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { Checkpoint } from "../../kernel/signed-note.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { openCheckpoint, type Trust } from "./checkpoint.ts";

export interface VerifyOptions {
	readonly log: EventLog;
	readonly digest: Digest;
	/** Signed checkpoints that were made of this log, and who may have signed them. */
	readonly checkpoints?: {
		readonly notes: readonly string[];
		readonly origin: string;
		readonly trust: Trust;
	};
	/** Hears now and then how many events of how many are done. */
	readonly onProgress?: (done: number, of: number) => void;
	/** Findings to list; further ones are only counted. */
	readonly limit?: number;
}

/** What is wrong, and where. */
export interface Finding {
	readonly code: FindingCode;
	/** Of the event in question; for a checkpoint, its size. */
	readonly position: number;
	readonly message: string;
}

export type FindingCode =
	/** The event is not the one its hash was made of: something in it was changed. */
	| "audit/event-altered"
	/** The event does not follow the one before it: one of the two was put in another's place. */
	| "audit/chain-broken"
	| "audit/event-missing"
	/** The event stands behind one that has the same position or a later one. */
	| "audit/out-of-order"
	| "audit/version-broken"
	| "audit/time-backwards"
	| "audit/key-repeated"
	/** The log says that its newest event is another than the one it has. */
	| "audit/tip-wrong"
	/** The storage gives events up to here and then fails. */
	| "audit/unreadable"
	/** The note is no checkpoint of this log by a trusted key. */
	| "audit/checkpoint-refused"
	/** The log ends before the checkpoint: events were cut off. */
	| "audit/checkpoint-ahead"
	/** The log does not begin with the events that the checkpoint was signed over. */
	| "audit/checkpoint-broken";

export interface Audit {
	/** Nothing was found. */
	readonly ok: boolean;
	readonly findings: readonly Finding[];
	/** Findings beyond the limit. */
	readonly unlisted: number;
	readonly events: number;
	readonly streams: number;
	/** Checkpoints that hold. */
	readonly checkpoints: number;
	/** Merkle root over all events, base64; undefined where events are missing. */
	readonly root: string | undefined;
}

/**
 * Walks the whole log and says what does not fit, and where. It goes on after a finding, and tells a
 * fault from its consequences where that can be known: a changed event is one finding, not two.
 *
 * Each event's bytes are hashed anew and compared with its hash; the hashes are compared with the chain
 * and, as leaves of the Merkle tree, with every checkpoint. Without a checkpoint that was kept
 * elsewhere, a log that was cut short, or rewritten with new hashes from some event on, looks whole.
 *
 * Takes memory for every stream and every idempotency key.
 */
export async function verifyLog(options: VerifyOptions): Promise<Audit> {
	const { log, digest, onProgress, limit = 100 } = options;
	const hashText = (text: string) => digest.text(text);
	const findings: Finding[] = [];
	let unlisted = 0;
	const range = compactRange(digest.bytes);
	const versions = wideMap();
	const keys = wideMap();
	const awaited: Checkpoint[] = [];
	let held = 0;
	/** The largest checkpoint that holds. */
	let heldUpTo = 0;
	let events = 0;
	let streams = 0;
	/** False once an event is missing: no leaf stands for it, and so for none behind it. */
	let whole = true;
	/** The newest event seen; `computed` is set when its bytes do not have the hash that is stored. */
	let last: {
		position: number;
		hash: string;
		time: number;
		computed: string | undefined;
	} = {
		position: 0,
		hash: genesisHash,
		time: 0,
		computed: undefined,
	};

	function find(code: FindingCode, position: number, message: string): void {
		if (findings.length < limit) findings.push({ code, position, message });
		else unlisted += 1;
	}

	function visit(event: StoredEvent): void {
		const { position, stream, version, time, key } = event;
		events += 1;
		if (position <= last.position) {
			find(
				"audit/out-of-order",
				position,
				`Event ${position} stands behind event ${last.position}.`,
			);
			return;
		}
		const computed = hashLine(canonicalLine(event), hashText);
		let altered = false;
		if (position === last.position + 1) altered = !follows(event, computed);
		else passGap(event);

		const due = (versions.get(stream) ?? 0) + 1;
		if (due === 1) streams += 1;
		if (version !== due) {
			find(
				"audit/version-broken",
				position,
				`Event ${position} is version ${version} of ${stream}, where ${due} is due.`,
			);
		}
		versions.set(stream, version);
		if (time < last.time) {
			find(
				"audit/time-backwards",
				position,
				`Event ${position} is earlier than event ${last.position} before it.`,
			);
		}
		const first = key === undefined ? undefined : keys.get(key);
		if (first !== undefined) {
			find(
				"audit/key-repeated",
				position,
				`Event ${position} has the same idempotency key as event ${first}: ${key}`,
			);
		} else if (key !== undefined) keys.set(key, position);
		last = {
			position,
			hash: event.hash,
			time,
			computed: altered ? computed : undefined,
		};
	}

	/** Whether an event is sound behind the last one; if not, says so. Only now is the last one's leaf certain. */
	function follows(event: StoredEvent, computed: string): boolean {
		const { position, previous, hash } = event;
		const { computed: lastComputed } = last;
		if (computed === hash) {
			takeLeaf(previous === lastComputed ? previous : last.hash);
			if (previous !== last.hash && previous !== lastComputed) {
				find(
					"audit/chain-broken",
					position,
					`Event ${position} does not follow event ${position - 1}: one of the two was replaced.`,
				);
			}
			return true;
		}
		if (lastComputed !== undefined && previous === last.hash) {
			// Was it only the last event's hash that was changed? Then this one fits behind what it should be.
			const mended = hashLine(
				canonicalLine({ ...event, previous: lastComputed }),
				hashText,
			);
			if (mended === hash) {
				takeLeaf(lastComputed);
				return true;
			}
		}
		takeLeaf(last.hash);
		find(
			"audit/event-altered",
			position,
			`Event ${position} does not have the hash that is stored with it: one of the two was changed.`,
		);
		return false;
	}

	/** What an event behind a gap should follow is unknown, so it cannot be told to be altered. */
	function passGap({ position }: StoredEvent): void {
		takeLeaf(last.hash);
		whole = false;
		const from = last.position + 1;
		const which =
			from === position - 1
				? `Event ${from} is`
				: `Events ${from} to ${position - 1} are`;
		find(
			"audit/event-missing",
			from,
			`${which} missing. Whether event ${position} was changed too cannot be known.`,
		);
	}

	/** The last event's leaf goes into the tree, and the checkpoints of this size are compared. */
	function takeLeaf(hash: string): void {
		if (!whole || last.position === 0) return;
		const leaf = fromHex(hash);
		if (leaf?.length === 32) range.append(leaf);
		else whole = false;
		compare();
	}

	function compare(): void {
		while (whole && awaited[0]?.size === range.size()) {
			const { size, root } = awaited.shift() as Checkpoint;
			if (equalBytes(root, range.root())) {
				held += 1;
				heldUpTo = size;
			} else broken(size, "");
		}
	}

	function broken(size: number, why: string): void {
		const since =
			heldUpTo > 0
				? ` Those up to ${heldUpTo} are, so what was changed stands behind them.`
				: "";
		const message = `The first ${size} events are not those that the checkpoint was signed over${why}.${since}`;
		find("audit/checkpoint-broken", size, message);
	}

	/** Visits what stands behind the last event. False when the storage cannot give it. */
	async function walk(of: number): Promise<boolean> {
		try {
			for await (const batch of log.read(last.position)) {
				for (const event of batch) visit(event);
				onProgress?.(events, Math.max(of, events));
			}
			return true;
		} catch (fault) {
			if (!(fault instanceof Fault && fault.code === "log/damaged"))
				throw fault;
			find(
				"audit/unreadable",
				last.position + 1,
				`The storage fails behind event ${last.position}: ${fault.message}`,
			);
			return false;
		}
	}

	/** Walks up to what the log says is its newest event, however much is recorded meanwhile. */
	async function walkToTip(): Promise<void> {
		let tip = await log.tip();
		while (await walk(tip.position)) {
			const before = tip;
			tip = await log.tip();
			const { position, hash, time } = tip;
			if (position > last.position && position > before.position) continue;
			if (
				position !== last.position ||
				hash !== last.hash ||
				time !== last.time
			) {
				find(
					"audit/tip-wrong",
					position,
					`The log says that its newest event is ${position}; what it has ends with event ${last.position}.`,
				);
			}
			return;
		}
		whole = false;
	}

	for (const note of options.checkpoints?.notes ?? []) {
		const { trust, origin } = options.checkpoints as NonNullable<
			VerifyOptions["checkpoints"]
		>;
		const opened = openCheckpoint(note, trust, origin);
		if (opened.ok) awaited.push(opened.value);
		else find("audit/checkpoint-refused", 0, opened.error.message);
	}
	awaited.sort((left, right) => left.size - right.size);
	compare();
	await walkToTip();
	takeLeaf(last.hash);
	for (const { size } of awaited) {
		if (size <= last.position) broken(size, ", as events are missing");
		else {
			const message = `The log ends with event ${last.position}, though a checkpoint was signed over ${size}: what stood behind was cut off.`;
			find("audit/checkpoint-ahead", size, message);
		}
	}
	return {
		ok: findings.length === 0 && unlisted === 0,
		findings,
		unlisted,
		events,
		streams,
		checkpoints: held,
		root: whole ? toBase64(range.root()) : undefined,
	};
}

/** A map without the 2^24 entries that one map can have. */
function wideMap(): {
	get(key: string): number | undefined;
	set(key: string, value: number): void;
} {
	const maps = Array.from({ length: 64 }, () => new Map<string, number>());
	const of = (key: string) =>
		maps[key.charCodeAt(key.length - 1) % 64 || 0] as Map<string, number>;
	return {
		get: (key) => of(key).get(key),
		set: (key, value) => void of(key).set(key, value),
	};
}
