import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { ed25519Signer } from "../../adapters/runtime/signer.ts";
import {
	genesisHash,
	type StoredEvent,
	sealEvent,
} from "../../kernel/event.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Signer } from "../../ports/signer.ts";
import { signCheckpoint, signerKey, type Trust } from "./checkpoint.ts";
import { openTree } from "./tree.ts";

/** What the tests of this folder share: a log of sound events, and ways to lie about it. */

export const digest: Digest = nodeDigest;
export const origin = "test.example/log";
export const signer: Signer = ed25519Signer(origin, new Uint8Array(32).fill(7));
export const stranger: Signer = ed25519Signer(
	origin,
	new Uint8Array(32).fill(8),
);
export const trust: Trust = {
	keys: [signerKey(signer, digest)],
	verify: signer.verify,
	digest,
};

type Envelope = Omit<StoredEvent, "hash" | "previous" | "position">;

/** An event as the numbers would have it: three streams, a key on every second one, texts that need care. */
export function envelope(position: number): Envelope {
	return {
		time: 1_767_225_600_000 + Math.floor(position / 2),
		stream: `thing/${position % 3}`,
		version: Math.ceil(position / 3),
		type: position % 4 === 0 ? "thing-counted" : "thing-named",
		actor: "operator",
		...(position % 5 === 0
			? { cause: `call/${position}`, correlation: 'a "session"' }
			: {}),
		...(position % 2 === 0 ? { key: `key-${position}`, input: "ab" } : {}),
		data: JSON.stringify({
			amount: position,
			note: position % 7 === 0 ? "größer 🙂 \u2028" : "plain",
		}),
	};
}

/** Gives events their places, one behind the other. */
export function chain(
	envelopes: readonly Envelope[],
	after?: StoredEvent,
): StoredEvent[] {
	const events: StoredEvent[] = [];
	let last = after;
	for (const envelope of envelopes) {
		const place = {
			position: (last?.position ?? 0) + 1,
			previous: last?.hash ?? genesisHash,
		};
		last = sealEvent({ ...envelope, ...place }, digest.text);
		events.push(last);
	}
	return events;
}

export function soundEvents(count: number): StoredEvent[] {
	return chain(Array.from({ length: count }, (_, at) => envelope(at + 1)));
}

export async function fill(
	log: EventLog,
	events: readonly StoredEvent[],
): Promise<EventLog> {
	await log.write((head) => head.append(events));
	return log;
}

export function soundLog(count: number): Promise<EventLog> {
	return fill(memoryEventLog(), soundEvents(count));
}

export async function checkpointOf(
	log: EventLog,
	size: number,
	by: Signer = signer,
): Promise<string> {
	const tree = await openTree({ log, digest });
	return signCheckpoint(
		{ origin, size, root: await tree.root(size) },
		by,
		digest,
	);
}

/** A log whose storage holds these very events, sound or not, as if somebody had been at the file. */
export function forgedLog(
	events: readonly StoredEvent[],
	change: Partial<EventLog> = {},
): EventLog {
	const newest = events.at(-1);
	return {
		...memoryEventLog(),
		async tip() {
			return {
				position: newest?.position ?? 0,
				hash: newest?.hash ?? genesisHash,
				time: newest?.time ?? 0,
			};
		},
		async *read(position, { to = Number.MAX_SAFE_INTEGER } = {}) {
			const wanted = events.filter(
				(event) => event.position > position && event.position <= to,
			);
			for (let at = 0; at < wanted.length; at += 7)
				yield wanted.slice(at, at + 7);
		},
		at: async (position) => events.find((event) => event.position === position),
		hashes: async (from, to) =>
			events
				.filter(({ position }) => position >= from && position <= to)
				.map(({ hash }) => hash),
		...change,
	};
}
