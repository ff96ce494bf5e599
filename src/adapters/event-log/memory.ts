import { genesisHash, type StoredEvent } from "../../kernel/event.ts";
import type { EventLog, LogHead, Tip } from "../../ports/event-log.ts";
import { takeTurns } from "../turns.ts";
import {
	checkFollows,
	headExpired,
	keyConflict,
	logClosed,
} from "./append-check.ts";

const batchSize = 1_000;
const empty: Tip = { position: 0, hash: genesisHash, time: 0 };

/** A log that lives as long as the process: for tests, simulations and examples. */
export function memoryEventLog(): EventLog {
	const events: StoredEvent[] = [];
	const streams = new Map<string, StoredEvent[]>();
	const byKey = new Map<string, StoredEvent>();
	const turn = takeTurns();
	let tip = empty;
	let closed = false;

	function assertOpen(): void {
		if (closed) throw logClosed();
	}

	function add(event: StoredEvent): void {
		events.push(event);
		const stream = streams.get(event.stream);
		if (stream) stream.push(event);
		else streams.set(event.stream, [event]);
		if (event.key !== undefined) byKey.set(event.key, event);
	}

	function findByKey(keys: readonly string[]): StoredEvent[] {
		return [...new Set(keys)].flatMap((key) => byKey.get(key) ?? []);
	}

	/** Staged events stand here until the commit, so that no reader sees them. */
	function openHead(): { head: LogHead; commit(): void; discard(): void } {
		const staged: StoredEvent[] = [];
		const versions = new Map<string, number>();
		const keys = new Map<string, StoredEvent>();
		let stagedTip = tip;
		let open = true;
		let refused: unknown;
		const versionOf = (stream: string) =>
			versions.get(stream) ?? streams.get(stream)?.length ?? 0;
		const assertValid = () => {
			if (!open) throw headExpired();
		};
		return {
			head: {
				get tip() {
					assertValid();
					return stagedTip;
				},
				after(position) {
					assertValid();
					return [
						...events.slice(position),
						...staged.slice(Math.max(0, position - events.length)),
					];
				},
				versions(names) {
					assertValid();
					return new Map(names.map((stream) => [stream, versionOf(stream)]));
				},
				findByKey(wanted) {
					assertValid();
					return [...new Set(wanted)].flatMap(
						(key) => keys.get(key) ?? byKey.get(key) ?? [],
					);
				},
				append(added) {
					assertValid();
					try {
						for (const event of added) {
							const next = checkFollows(
								event,
								stagedTip,
								versionOf(event.stream),
							);
							if (event.key !== undefined) {
								if (keys.has(event.key) || byKey.has(event.key))
									throw keyConflict(event.key);
								keys.set(event.key, event);
							}
							versions.set(event.stream, event.version);
							staged.push(event);
							stagedTip = next;
						}
					} catch (fault) {
						refused = fault;
						throw fault;
					}
				},
			},
			commit() {
				open = false;
				if (refused) throw refused;
				for (const event of staged) add(event);
				tip = stagedTip;
			},
			discard() {
				open = false;
			},
		};
	}

	async function* batches(
		position: number,
		to = Number.MAX_SAFE_INTEGER,
	): AsyncGenerator<readonly StoredEvent[]> {
		assertOpen();
		const end = Math.min(to, events.length);
		for (let from = Math.max(0, position); from < end; from += batchSize) {
			yield events.slice(from, Math.min(from + batchSize, end));
			assertOpen();
		}
	}

	return {
		async write(work) {
			assertOpen();
			return turn(async () => {
				const { head, commit, discard } = openHead();
				try {
					const result = await work(head);
					commit();
					return result;
				} finally {
					discard();
				}
			});
		},
		async tip() {
			assertOpen();
			return tip;
		},
		read: (position, { to } = {}) => batches(position, to),
		async *scan(position, { types, to } = {}) {
			const wanted = types && new Set(types);
			for await (const batch of batches(position, to)) {
				const chosen = wanted
					? batch.filter((event) => wanted.has(event.type))
					: batch;
				if (chosen.length > 0) yield chosen;
			}
		},
		async readStream(stream, { after = 0, limit } = {}) {
			assertOpen();
			const from = Math.max(0, after);
			return (streams.get(stream) ?? []).slice(
				from,
				limit === undefined ? undefined : from + Math.max(0, limit),
			);
		},
		async readStreamBackwards(stream, { before, limit } = {}) {
			assertOpen();
			const all = streams.get(stream) ?? [];
			const older = all
				.slice(0, before === undefined ? undefined : Math.max(0, before - 1))
				.reverse();
			return limit === undefined ? older : older.slice(0, Math.max(0, limit));
		},
		async findByKey(keys) {
			assertOpen();
			return findByKey(keys);
		},
		async at(position) {
			assertOpen();
			return events[position - 1];
		},
		async hashes(from, to) {
			assertOpen();
			return events
				.slice(Math.max(0, from - 1), Math.max(0, to))
				.map(({ hash }) => hash);
		},
		async close() {
			if (closed) return;
			closed = true;
			await turn(() => {});
		},
	};
}
