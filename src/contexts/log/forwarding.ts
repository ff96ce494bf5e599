import { type DomainEvent, readEvent } from "../../kernel/event.ts";
import { accept, Fault, type Outcome } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Peer } from "../../ports/peer-link.ts";
import type { Deciders, Head, Intent, Recorded } from "./head.ts";

/**
 * What may be decided by a peer: by decider and the command's `type`, the type of event that it records. Such a
 * command must be refused when it is carried out a second time, and that refusal must name the `position` of the event
 * that the first time recorded: so it may be asked of two, and is done once. Two who ask for the same thing may both be
 * told that it was done.
 */
export type Forwardable = Readonly<
	Record<string, Readonly<Record<string, string>>>
>;

/** A head whose commands one process of a fleet, the sequencer, decides for all, as long as it can be reached. */
export interface Forwarding<D extends Deciders> {
	readonly head: Head<D>;
	/** From now on what may be is decided by this peer, until its connection ends. */
	follow(peer: Peer): void;
	/** From now on everything is decided here; what a peer was asked and has not answered is asked here as well. */
	standAlone(): void;
	/** Decides for a peer what it asks, until its connection ends. */
	serve(peer: Peer): void;
	/** Whether commands go to a peer. */
	forwards(): boolean;
}

/**
 * Commands of a fleet gather in one place: its batches are as large as one process' alone, and the head does not go from hand to hand.
 *
 * Who decides is a matter of speed and never of truth. Every process may take the log's head at any time, and decides
 * on the newest state when it does. So a peer that is silent for `patience`, or whose connection ends, is left, and
 * what it was asked is asked here: if it had recorded that, the refusal names the event, which is the answer. What is
 * refused here for another reason, while the peer may yet carry it out, is `log/unknown`.
 *
 * Commands that are under way at once have no order among each other: whoever needs one done first waits for its answer.
 */
export function openForwarding<D extends Deciders>(options: {
	readonly head: Head<D>;
	readonly log: Pick<EventLog, "at">;
	readonly clock: Clock;
	readonly forwardable: Forwardable;
	/** Milliseconds that a peer may be silent while it is asked. Default 1 s. */
	readonly patience?: number;
}): Forwarding<D> {
	const { head, log, clock, forwardable, patience = 1_000 } = options;
	let sequencer: Sequencer | undefined;

	/** What a command came to that a peer may have carried out, or may yet carry out. */
	async function executeAfterPeer({
		name,
		command,
		intent,
	}: Asked): Promise<Outcome<Recorded>> {
		let outcome: Outcome<Recorded>;
		try {
			outcome = await head.execute(name, command as never, intent);
		} catch (cause) {
			throw unknown(cause);
		}
		if (outcome.ok) return outcome;
		const { position } = outcome.error.details ?? {};
		if (typeof position === "number") {
			const first = await log.at(position).catch((cause) => {
				throw unknown(cause);
			});
			if (first && first.type === records(name, command))
				return accept({ events: [readEvent(first)], replayed: false });
		}
		throw unknown(outcome.error);
	}

	function records(name: string, command: unknown): string | undefined {
		const types = Object.hasOwn(forwardable, name)
			? forwardable[name]
			: undefined;
		const type = (command as { readonly type?: unknown } | null)?.type;
		return types && typeof type === "string" && Object.hasOwn(types, type)
			? types[type]
			: undefined;
	}

	/** Asks a peer. What is asked in one turn of the loop goes in one text. */
	class Sequencer {
		readonly #peer: Peer;
		readonly #asked = new Map<number, Asked>();
		#last = 0;
		/** Each as its text. */
		#batch: string[] = [];
		#stopWatching: (() => void) | undefined;
		#ended = false;

		constructor(peer: Peer) {
			this.#peer = peer;
			peer.hear({
				message: (text) => this.#hear(text),
				ended: () => this.leave(),
			});
		}

		ask(asked: Asked): void {
			const id = this.#last + 1;
			const { name, command, intent } = asked;
			const one: WireCommand = [id, name, command, intent];
			// What is no JSON fails by itself, and takes nothing else of the batch with it.
			this.#batch.push(JSON.stringify(one));
			this.#last = id;
			this.#asked.set(id, asked);
			if (this.#batch.length === 1) clock.soon(() => this.#send());
			if (!this.#stopWatching) this.#watch(0, 0);
		}

		#send(): void {
			const batch = this.#batch;
			this.#batch = [];
			if (!this.#ended) this.#peer.send(`[${batch.join()}]`);
		}

		/**
		 * Ticks are counted, and no time is read: a pause of this process is no silence of the peer. What came during one is
		 * heard before its tick counts.
		 */
		#watch(ticks: number, newest: number): void {
			this.#stopWatching = clock.later(patience / 4, () =>
				clock.soon(() => this.#look(ticks, newest)),
			);
		}

		#look(ticks: number, newest: number): void {
			this.#stopWatching = undefined;
			const [oldest] = this.#asked.keys();
			if (oldest === undefined) return;
			if (oldest > newest) this.#watch(0, this.#last);
			else if (ticks < 3) this.#watch(ticks + 1, newest);
			else this.leave();
		}

		#hear(text: string): void {
			for (const [id, kind, answer] of readAnswers(text)) {
				const asked = this.#asked.get(id);
				if (!asked) continue;
				this.#asked.delete(id);
				if (kind === "recorded")
					asked.resolve(accept({ events: answer, replayed: false }));
				else if (kind === "refused")
					asked.resolve({ ok: false, error: answer });
				// Nothing was written, or nobody knows: we may have better luck.
				else this.#askHere(asked);
			}
		}

		#askHere(asked: Asked): void {
			executeAfterPeer(asked).then(asked.resolve, asked.reject);
		}

		ended(): boolean {
			return this.#ended;
		}

		leave(): void {
			if (this.#ended) return;
			this.#ended = true;
			if (sequencer === this) sequencer = undefined;
			this.#stopWatching?.();
			this.#peer.cut();
			const left = [...this.#asked.values()];
			this.#asked.clear();
			for (const asked of left) this.#askHere(asked);
		}
	}

	return {
		head: {
			...head,
			execute(name, command, intent) {
				const to = sequencer;
				if (
					!to ||
					intent.key !== undefined ||
					records(name, command) === undefined
				)
					return head.execute(name, command, intent);
				return new Promise((resolve, reject) => {
					to.ask({ name, command, intent, resolve, reject });
				});
			},
			close() {
				sequencer?.leave();
				return head.close();
			},
		},
		follow(peer) {
			const before = sequencer;
			const next = new Sequencer(peer);
			// A connection may have ended before anybody listened.
			sequencer = next.ended() ? undefined : next;
			before?.leave();
		},
		standAlone: () => sequencer?.leave(),
		forwards: () => sequencer !== undefined,
		serve(peer) {
			let ended = false;
			let batch: WireAnswer[] = [];
			/** What was decided together is answered together, and before anything else is begun. */
			function answer(one: WireAnswer): void {
				batch.push(one);
				if (batch.length === 1) void Promise.resolve().then(send);
			}
			function send(): void {
				const answers = batch;
				batch = [];
				if (!ended) peer.send(JSON.stringify(answers));
			}
			peer.hear({
				message(text) {
					const commands = readCommands(text);
					if (commands.some(([, name, command]) => !records(name, command)))
						throw malformed("it asks for what is not forwarded");
					for (const [id, name, command, intent] of commands) {
						head.execute(name, command as never, intent).then(
							(outcome) =>
								answer(
									outcome.ok
										? [id, "recorded", outcome.value.events]
										: [id, "refused", outcome.error],
								),
							() => answer([id, "failed"]),
						);
					}
				},
				ended() {
					ended = true;
				},
			});
		},
	};
}

interface Asked {
	readonly name: string;
	readonly command: unknown;
	readonly intent: Intent;
	resolve(outcome: Outcome<Recorded>): void;
	reject(fault: unknown): void;
}

type WireCommand = readonly [
	id: number,
	name: string,
	command: unknown,
	intent: Intent,
];

type WireAnswer =
	| readonly [id: number, kind: "recorded", events: readonly DomainEvent[]]
	| readonly [
			id: number,
			kind: "refused",
			refusal: Extract<Outcome<never>, { ok: false }>["error"],
	  ]
	| readonly [id: number, kind: "failed", nothing?: undefined];

/** Whoever sends this knows the fleet's secret: what is checked is that it is of our kind, not that it means well. */
function readCommands(text: string): readonly WireCommand[] {
	const read: unknown = JSON.parse(text);
	if (!Array.isArray(read)) throw malformed("it is no list");
	for (const one of read) {
		const [id, name, command, intent] = Array.isArray(one) ? one : [];
		if (
			!Number.isSafeInteger(id) ||
			typeof name !== "string" ||
			typeof command !== "object" ||
			typeof intent?.actor !== "string" ||
			!isTextOrAbsent(intent.cause) ||
			!isTextOrAbsent(intent.correlation) ||
			intent.key !== undefined
		)
			throw malformed("it holds no command");
	}
	return read;
}

function readAnswers(text: string): readonly WireAnswer[] {
	const read: unknown = JSON.parse(text);
	if (!Array.isArray(read)) throw malformed("it is no list");
	for (const one of read) {
		const [id, kind, answer] = Array.isArray(one) ? one : [];
		if (
			!Number.isSafeInteger(id) ||
			!(
				kind === "failed" ||
				(kind === "recorded" &&
					Array.isArray(answer) &&
					answer.every(isEvent)) ||
				(kind === "refused" &&
					typeof answer?.code === "string" &&
					typeof answer.message === "string")
			)
		)
			throw malformed("it holds no answer");
	}
	return read;
}

function isEvent(value: Partial<DomainEvent> | null): boolean {
	return (
		typeof value?.type === "string" &&
		typeof value.data === "object" &&
		value.data !== null &&
		Number.isSafeInteger(value.position)
	);
}

function isTextOrAbsent(value: unknown): boolean {
	return value === undefined || typeof value === "string";
}

function malformed(why: string): Fault {
	return new Fault(
		"peer/malformed",
		`A peer sent what is not understood: ${why}.`,
	);
}

function unknown(cause: unknown): Fault {
	return new Fault(
		"log/unknown",
		"The replica that was asked to write this did not answer, and it could not be found out whether it did. Look before you try again.",
		{ cause },
	);
}
