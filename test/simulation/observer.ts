import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import {
	type Audit,
	auditHistory,
	Violation,
} from "../../src/contexts/credits/audit.testing.ts";
import type {
	CreditsCommand,
	CreditsState,
} from "../../src/contexts/credits/index.ts";
import { fromHex, toHex } from "../../src/kernel/bytes.ts";
import type { Decider } from "../../src/kernel/decider.ts";
import {
	canonicalLine,
	genesisHash,
	hashLine,
	readEvent,
	type StoredEvent,
} from "../../src/kernel/event.ts";
import { compactRange } from "../../src/kernel/merkle.ts";
import type { EventLog } from "../../src/ports/event-log.ts";

/** Stands outside every process, reads what was committed, and checks it against all that must hold. */
export interface Observer {
	/** Checks what was committed since it last looked; throws a `Violation`. */
	look(): Promise<void>;
	position(): number;
	/** Time of the newest event. */
	time(): number;
	at(position: number): StoredEvent | undefined;
	byKey(key: string): StoredEvent | undefined;
	/** The state after a position at which it looked, as text. */
	stateAt(position: number): string | undefined;
	/** Whether credits were ever held for a call. */
	held(call: string): boolean;
	/** Calls whose credits are held. */
	openCalls(): readonly string[];
	/** Merkle root of the whole log. */
	root(): string;
}

export function observe(
	log: EventLog,
	decider: Decider<CreditsState, CreditsCommand>,
): Observer {
	const audit: Audit = auditHistory();
	const events: StoredEvent[] = [];
	const byKey = new Map<string, StoredEvent>();
	const versions = new Map<string, number>();
	const held = new Set<unknown>();
	const states = new Map<number, string>();
	const tree = compactRange(nodeDigest.bytes);
	let state = decider.initial();
	let previous = genesisHash;
	let time = 0;

	function check(event: StoredEvent): void {
		const at = `the event at ${event.position}`;
		demand(
			event.position === events.length + 1,
			`${at} does not follow position ${events.length}`,
		);
		demand(
			event.previous === previous,
			`${at} is not chained to the one before`,
		);
		demand(event.time >= time, `${at} is earlier than the one before`);
		demand(
			event.version === (versions.get(event.stream) ?? 0) + 1,
			`${at} leaves a gap in ${event.stream}`,
		);
		demand(
			event.hash === hashLine(canonicalLine(event), nodeDigest.text),
			`${at} has a wrong hash`,
		);
		if (event.key !== undefined) {
			demand(!byKey.has(event.key), `the key ${event.key} is used twice`);
			byKey.set(event.key, event);
		}
		events.push(event);
		versions.set(event.stream, event.version);
		previous = event.hash;
		time = event.time;
		tree.append(fromHex(event.hash) as Uint8Array);
		const read = readEvent(event);
		audit.hear(read);
		if (read.type === "credits-held") held.add(read.data.call);
		state = decider.evolve(state, read);
	}

	return {
		async look() {
			const before = events.length;
			for await (const batch of log.read(events.length))
				for (const event of batch) check(event);
			if (events.length === before) return;
			audit.compare(state, time);
			states.set(events.length, JSON.stringify(decider.save(state)));
		},
		position: () => events.length,
		time: () => time,
		at: (position) => events[position - 1],
		byKey: (key) => byKey.get(key),
		stateAt: (position) => states.get(position),
		held: (call) => held.has(call),
		openCalls: () => [...state.holds.keys()],
		root: () => toHex(tree.root()),
	};
}

export function demand(truth: boolean, claim: string): asserts truth {
	if (!truth) throw new Violation(claim);
}
