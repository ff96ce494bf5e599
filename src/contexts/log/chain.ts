import { fromHex } from "../../kernel/bytes.ts";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { compactRange, type Hash } from "../../kernel/merkle.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog, Tip } from "../../ports/event-log.ts";
import { hashesAtOnce, readLeaves } from "./tree.ts";

/** A log's events as they are taken out of it, each checked against the one before. */
export interface Chain {
	/** The newest event that was taken. */
	tip(): Tip;
	/** Over all events up to it. */
	root(): Hash;
	/** Takes the next event and gives its line. Throws `log/damaged` when it does not follow, or is not what was hashed. */
	take(event: StoredEvent): string;
	/** The fault of a log whose next event is missing. */
	damaged(): Fault;
}

/** Opens the chain behind the event at `position`; what lies up to it is taken by its hashes as they are stored. */
export async function openChain(
	log: EventLog,
	position: number,
	digest: Digest,
): Promise<Chain> {
	const hashText = (text: string) => digest.text(text);
	const range = compactRange(digest.bytes);
	for (let from = 1; from <= position; from += hashesAtOnce) {
		const to = Math.min(position, from + hashesAtOnce - 1);
		for (const leaf of await readLeaves(log, from, to)) range.append(leaf);
	}
	const first = position > 0 ? await log.at(position) : undefined;
	if (position > 0 && !first) throw damaged();
	let tip: Tip = first
		? { position, hash: first.hash, time: first.time }
		: { position: 0, hash: genesisHash, time: 0 };

	function damaged(): Fault {
		return new Fault(
			"log/damaged",
			`The log cannot be taken further: event ${range.size() + 1} is missing or was changed. Verify it to see what is wrong.`,
		);
	}

	return {
		tip: () => tip,
		root: () => range.root(),
		damaged,
		take(event) {
			const line = canonicalLine(event);
			const sound =
				event.position === tip.position + 1 &&
				event.previous === tip.hash &&
				!line.includes("\n");
			if (!sound || hashLine(line, hashText) !== event.hash) throw damaged();
			range.append(fromHex(event.hash) as Hash);
			tip = { position: event.position, hash: event.hash, time: event.time };
			return line;
		},
	};
}
