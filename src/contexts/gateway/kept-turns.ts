import { readEvent } from "../../kernel/event.ts";
import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Turn } from "../../ports/wire-protocol.ts";
import type { Head } from "../log/index.ts";
import type { LedgerDeciders } from "./model.ts";
import { forgottenKey, keptKey, shorten, unknownTurn } from "./turns.ts";

/** Answers that clients asked to keep, so that a later request can go on from them. They stand in the log. */
export interface Turns {
	/** Keeps an answer of an account's call. A second one of the same id is refused (`response/exists`). */
	keep(
		turn: Turn,
		by: {
			readonly account: string;
			readonly key: string | undefined;
			readonly call: string;
		},
	): Promise<Outcome<void>>;
	/** Refuses with `response/unknown` what was never kept for this account, or was forgotten. */
	find(account: string, id: string): Promise<Outcome<KeptTurn>>;
	/**
	 * An answer and all that it went on from, the oldest first. Refuses with `response/too-long` what a
	 * body could not hold: a request of a few bytes must not become one that is larger than any.
	 */
	chain(account: string, id: string): Promise<Outcome<readonly KeptTurn[]>>;
	/** From now on it is unknown; the log remembers that it was. */
	forget(account: string, key: string, id: string): Promise<Outcome<void>>;
}

export interface KeptTurn extends Turn {
	/** Milliseconds since 1970 UTC. */
	readonly time: number;
	readonly call: string;
}

/** Turns that one request may go on from. */
const longest = 1_000;

export function openTurns(options: {
	readonly head: Head<LedgerDeciders>;
	readonly log: EventLog;
	/** Bytes of a request's body, at most. */
	readonly bodyBytes: number;
}): Turns {
	const { head, log } = options;
	// A record has an answer twice: as items to go on from, and as the client got it.
	const mostCharacters = 2 * options.bodyBytes;

	async function find(account: string, id: string): Promise<Outcome<KeptTurn>> {
		if (id.length > 200) return unknownTurn(id);
		const kept = keptKey(account, id);
		const found = await log.findByKey([kept, forgottenKey(account, id)]);
		const stored = found.find(({ key }) => key === kept);
		if (!stored || found.length > 1) return unknownTurn(id);
		const { data, time } = readEvent(stored);
		const { previous, record, call } = data as unknown as KeptTurn;
		return accept({
			id,
			...(previous !== undefined && { previous }),
			record,
			call,
			time,
		});
	}

	return {
		async keep(turn, { account, key, call }) {
			const outcome = await head.execute(
				"turns",
				{ type: "keep", account, key, call, turn },
				{
					actor: key === undefined ? "operator" : `key/${key}`,
					correlation: call,
				},
			);
			return outcome.ok ? accept(undefined) : outcome;
		},
		find,
		async chain(account, id) {
			const chain: KeptTurn[] = [];
			const seen = new Set<string>();
			let size = 0;
			for (let next: string | undefined = id; next !== undefined; ) {
				if (seen.size >= longest || seen.has(next))
					return refuse(
						"response/too-long",
						`"${shorten(id)}" goes on from more than ${longest} responses. Send the conversation as input.`,
					);
				seen.add(next);
				const turn: Outcome<KeptTurn> = await find(account, next);
				if (!turn.ok) return turn;
				size += turn.value.record.length;
				if (size > mostCharacters) return tooLong(id);
				chain.push(turn.value);
				next = turn.value.previous;
			}
			return accept(chain.reverse());
		},
		async forget(account, key, id) {
			const outcome = await head.execute(
				"turns",
				{ type: "forget", account, id },
				{ actor: `key/${key}` },
			);
			return outcome.ok ? accept(undefined) : outcome;
		},
	};
}

/** The refusal of what is more than one request can hold. */
export function tooLong(id: string): {
	readonly ok: false;
	readonly error: Refusal;
} {
	return refuse(
		"response/too-long",
		`All that "${shorten(id)}" goes on from is more than one request can hold. Send the part of the conversation that matters as input.`,
	);
}
