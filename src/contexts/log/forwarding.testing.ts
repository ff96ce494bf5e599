import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { memoryPeers } from "../../adapters/peer-link/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { type DomainEvent, readEvent } from "../../kernel/event.ts";
import { Fault, type Outcome } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Peer } from "../../ports/peer-link.ts";
import { auditHistory } from "../credits/fixtures/audit.ts";
import type { CreditsCommand } from "../credits/index.ts";
import {
	forwardable,
	type LedgerDeciders,
	ledgerDeciders,
} from "../gateway/index.ts";
import { type Forwarding, openForwarding } from "./forwarding.ts";
import { type Head, openHead, type Recorded } from "./head.ts";

/** What the tests of forwarding share: replicas on one log, and connections between them that can be held up. */

/** An account with a key, and 1,000 micro-credits. */
export const opening: readonly CreditsCommand[] = [
	{ type: "open-account", account: "a", name: "A" },
	{ type: "grant", account: "a", amount: 1_000 },
	{
		type: "create-key",
		account: "a",
		key: "k",
		name: "n",
		hash: "1".repeat(64),
		hint: "h",
		scopes: { can: ["call"] },
	},
];

export function hold(call: string, amount = 10): CreditsCommand {
	return {
		type: "hold",
		call,
		account: "a",
		key: "k",
		amount,
		expires: Date.UTC(2100, 0, 1),
		holder: "studio",
		substrate: "acme/m1",
		model: "m1",
		operation: "chat",
		sheet: "s",
	};
}

export function settle(call: string, cost = 7): CreditsCommand {
	return {
		type: "settle",
		call,
		cost,
		basis: "priced",
		ending: "finished",
		usage: { input: 1 },
		lines: [],
	};
}

export function release(call: string): CreditsCommand {
	return { type: "release", call, ending: "vendor-error" };
}

/** Holds up what is given to its `soon`, while it is told to. */
export interface Valve extends Pick<Clock, "soon"> {
	shut(): void;
	open(): void;
}

export function valve(
	pass: (work: () => void) => void = queueMicrotask,
): Valve {
	let shut = false;
	let stuck: (() => void)[] = [];
	return {
		soon(work) {
			if (shut) stuck.push(work);
			else pass(work);
		},
		shut() {
			shut = true;
		},
		open() {
			shut = false;
			const works = stuck;
			stuck = [];
			for (const work of works) pass(work);
		},
	};
}

export interface Replica {
	/** Its own. */
	readonly head: Head<LedgerDeciders>;
	readonly forwarding: Forwarding<LedgerDeciders>;
	/** What its own head was asked for: the command's type and call. */
	readonly decided: string[];
	/** Positions at which it looked for what a peer had recorded. */
	readonly looks: readonly number[];
	/** Holds up its writes, as a process does that was stopped, or a store that does not answer. */
	readonly writes: Valve;
	/** The next of these fails with this code: a write that is not begun, the answer to one that was done, a look at a position. */
	fail(of: "write" | "answer" | "at", code: string): void;
	/** Asks for it as a caller does. */
	ask(command: CreditsCommand, key?: string): Promise<Outcome<Recorded>>;
}

export async function openReplica(options: {
	readonly log: EventLog;
	readonly clock: Clock;
	readonly patience?: number;
	readonly writes?: Valve;
}): Promise<Replica> {
	const { clock, patience, writes = valve() } = options;
	const failing: { write?: string; answer?: string; at?: string } = {};
	const decided: string[] = [];
	const looks: number[] = [];

	function failOnce(of: "write" | "answer" | "at"): void {
		const code = failing[of];
		delete failing[of];
		if (code) throw new Fault(code, "As the test wants it.");
	}

	const log: EventLog = {
		...options.log,
		async write(work, ahead) {
			await new Promise<void>((resolve) => writes.soon(resolve));
			failOnce("write");
			const done = await options.log.write(work, ahead);
			failOnce("answer");
			return done;
		},
	};
	const head = await openHead({
		log,
		deciders: ledgerDeciders,
		clock,
		digest: nodeDigest,
	});
	const forwarding = openForwarding<LedgerDeciders>({
		head: {
			...head,
			execute(name, command, intent) {
				const { type, call } = command as { type: string; call?: string };
				decided.push(call === undefined ? type : `${type} ${call}`);
				return head.execute(name, command, intent);
			},
		},
		log: {
			async at(position) {
				failOnce("at");
				looks.push(position);
				return log.at(position);
			},
		},
		clock,
		forwardable,
		...(patience !== undefined && { patience }),
	});
	return {
		head,
		forwarding,
		decided,
		looks,
		writes,
		fail(of, code) {
			failing[of] = code;
		},
		ask: (command, key) =>
			forwarding.head.execute("credits", command, {
				actor: "key/k",
				...(key !== undefined && { key, input: "in" }),
			}),
	};
}

/** A connection over which one asks another. `texts` are all that were sent, by who sent them. */
export interface Wire {
	readonly asks: Peer;
	readonly serves: Peer;
	readonly texts: {
		readonly from: "asking" | "serving";
		readonly text: string;
	}[];
	readonly on: Valve;
}

export function wire(on: Valve = valve()): Wire {
	const [far, near] = memoryPeers(on);
	const texts: Wire["texts"] = [];
	const heard = (peer: Peer, from: "asking" | "serving"): Peer => ({
		...peer,
		send(text) {
			texts.push({ from, text });
			peer.send(text);
		},
	});
	return {
		asks: heard(far, "asking"),
		serves: heard(near, "serving"),
		texts,
		on,
	};
}

export function connect(
	asking: Replica,
	serving: Replica,
	on: Valve = valve(),
	/** What the one that asks takes its end for. */
	as: (peer: Peer) => Peer = (peer) => peer,
): Wire {
	const between = wire(on);
	serving.forwarding.serve(between.serves);
	asking.forwarding.follow(as(between.asks));
	return between;
}

export async function eventsOf(log: EventLog): Promise<DomainEvent[]> {
	const events: DomainEvent[] = [];
	for await (const batch of log.read(0)) events.push(...batch.map(readEvent));
	return events;
}

/** Throws where the history breaks a rule of money: a call held or ended twice, an account overdrawn. */
export async function auditLog(
	log: EventLog,
	head: Head<LedgerDeciders>,
): Promise<readonly DomainEvent[]> {
	const audit = auditHistory();
	const events = await eventsOf(log);
	for (const event of events) audit.hear(event);
	await head.refresh();
	audit.compare(head.state("credits"), events.at(-1)?.time ?? 0);
	return events;
}

/** A log with an account on it, its clock, and so many replicas. */
export async function openFleet(
	count: number,
	clock: ReturnType<typeof manualClock> = manualClock(),
): Promise<{
	readonly log: EventLog;
	readonly clock: ReturnType<typeof manualClock>;
	readonly replicas: readonly Replica[];
}> {
	const log = memoryEventLog();
	const replicas: Replica[] = [];
	for (let at = 0; at < count; at++)
		replicas.push(await openReplica({ log, clock }));
	for (const command of opening) await replicas[0]?.ask(command);
	for (const replica of replicas) {
		await replica.head.refresh();
		replica.decided.length = 0;
	}
	return { log, clock, replicas };
}
