import type { Decider, DecisionContext, KeyedDraft } from "../../kernel/decider.ts";
import { type DomainEvent, genesisHash, readEvent, type StoredEvent, sealEvent, type Why } from "../../kernel/event.ts";
import { accept, Fault, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { DerivedStore } from "../../ports/derived-store.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog, LogHead, Tip } from "../../ports/event-log.ts";

// biome-ignore lint/suspicious/noExplicitAny: a head holds deciders of any state and command; `execute` and `state` give the types back.
export type Deciders = Readonly<Record<string, Decider<any, any>>>;
type StateOf<D> = D extends Decider<infer State, infer _> ? State : never;
type CommandOf<D> = D extends Decider<infer _, infer Command> ? Command : never;

/** Who asks and why, and under which idempotency key. */
export interface Intent extends Why {
	/** The command is carried out once per key, for ever; asking again gives the first outcome. */
	readonly key?: string | undefined;
	/** Hash of the command's input: the same key with another input is refused (`idempotency/mismatch`). */
	readonly input?: string | undefined;
}

/** What a command led to. */
export interface Recorded {
	/** What it recorded; for a repeated key, the event first recorded under it. */
	readonly events: readonly DomainEvent[];
	/** True when the key had been used before with the same input: nothing was recorded now. */
	readonly replayed: boolean;
}

/**
 * The one writer of this process. Commands that wait are gathered; under the log's head, what others
 * appended is folded first, then the pure deciders decide every waiting command in order, and one
 * durable commit records it all. So decisions always stand on the newest state, and the cost of a
 * commit is shared by all that waited for it.
 */
export interface Head<D extends Deciders> {
	/**
	 * Decides a command and records what follows from it. Resolves when that is durable.
	 * Rejects with a `Fault` of the event log when it could not be written: then nothing was.
	 */
	execute<Name extends keyof D & string>(
		name: Name,
		command: CommandOf<D[Name]>,
		intent: Intent,
	): Promise<Outcome<Recorded>>;
	/** A decider's state as of the newest event seen here. Live: read it, never keep or change it. */
	state<Name extends keyof D & string>(name: Name): Readonly<StateOf<D[Name]>>;
	/** Position of the newest event folded here. */
	position(): number;
	/** Folds what other processes appended. Cheap when they appended nothing. */
	refresh(): Promise<void>;
	/** Hears of every event folded here after its commit, in order. The returned function ends it. */
	subscribe(listener: (events: readonly DomainEvent[]) => void): () => void;
	/** Finishes what waits, saves a snapshot, and refuses whatever comes later (`log/closed`). */
	close(): Promise<void>;
}

export interface HeadOptions<D extends Deciders> {
	readonly log: EventLog;
	readonly deciders: D;
	readonly clock: Clock;
	readonly digest: Digest;
	/** Where snapshots wait for the next start; without it, every start folds the whole log. */
	readonly derived?: DerivedStore;
	readonly upcast?: (event: DomainEvent) => DomainEvent;
	/** Events between two snapshots. */
	readonly snapshotEvery?: number;
	/** Commands in one commit, at most. */
	readonly batchLimit?: number;
	/** Hears of a listener or a snapshot that failed: neither takes a command down, neither is silent. */
	readonly onFault?: (fault: unknown) => void;
}

interface Waiting {
	readonly name: string;
	readonly command: unknown;
	readonly intent: Intent;
	resolve(outcome: Outcome<Recorded>): void;
	reject(fault: unknown): void;
}

export async function openHead<D extends Deciders>(options: HeadOptions<D>): Promise<Head<D>> {
	const { log, deciders, clock, digest, derived } = options;
	const upcast = options.upcast ?? ((event: DomainEvent) => event);
	const snapshotEvery = options.snapshotEvery ?? 20_000;
	const batchLimit = options.batchLimit ?? 1_000;
	const onFault = options.onFault ?? (() => {});
	const all = Object.entries(deciders);
	const states = new Map<string, unknown>();
	const listeners = new Set<(events: readonly DomainEvent[]) => void>();
	const hashText = (text: string) => digest.text(text);

	let folded: Tip = emptyTip;
	let snapshotAt = 0;
	/** False after a write failed half-way: the states may hold what was never written, so they are folded anew. */
	let trusted = false;
	let closed = false;
	let waiting: Waiting[] = [];
	let running: Promise<void> | undefined;

	function evolve(event: DomainEvent): void {
		for (const [name, decider] of all) states.set(name, decider.evolve(states.get(name), event));
	}

	function fold(stored: StoredEvent): DomainEvent {
		const event = upcast(readEvent(stored));
		evolve(event);
		folded = { position: stored.position, hash: stored.hash, time: stored.time };
		return event;
	}

	async function restore(): Promise<void> {
		const saved = derived ? await loadSnapshot(log, derived, all) : undefined;
		for (const [name, decider] of all) {
			states.set(name, saved ? decider.load(saved.states[name]) : decider.initial());
		}
		folded = saved?.tip ?? emptyTip;
		snapshotAt = folded.position;
		for await (const batch of log.read(folded.position)) for (const event of batch) fold(event);
		trusted = true;
	}

	async function save(): Promise<void> {
		if (!derived || !trusted || folded.position === snapshotAt) return;
		const body: Record<string, unknown> = {};
		for (const [name, decider] of all) body[name] = { format: decider.format, state: decider.save(states.get(name)) };
		snapshotAt = folded.position;
		await derived.save(snapshotName, {
			format: snapshotFormat,
			position: folded.position,
			hash: folded.hash,
			body: JSON.stringify(body),
		});
	}

	function announce(events: readonly DomainEvent[]): void {
		if (events.length === 0) return;
		for (const listener of listeners) {
			try {
				listener(events);
			} catch (fault) {
				onFault(fault);
			}
		}
	}

	async function catchUp(): Promise<void> {
		if (!trusted) return restore();
		const news: DomainEvent[] = [];
		for await (const batch of log.read(folded.position)) for (const event of batch) news.push(fold(event));
		announce(news);
	}

	/** Decides and records a batch under the head; returns how to answer each command once it is durable. */
	async function carryOut(batch: readonly Waiting[]): Promise<(() => void)[]> {
		if (!trusted) await restore();
		const heard: DomainEvent[] = [];
		trusted = false;
		const answers = await log.write(async (head) => {
			if (head.tip.position > folded.position) {
				for (const event of await head.after(folded.position)) heard.push(fold(event));
			}
			return decideAll(batch, head, heard);
		});
		trusted = true;
		announce(heard);
		return answers;
	}

	async function decideAll(batch: readonly Waiting[], head: LogHead, heard: DomainEvent[]): Promise<(() => void)[]> {
		const earlier = await recallAll(batch, head);
		const now = Math.max(clock.now(), head.tip.time);
		const answers: (() => void)[] = [];
		const sealed: StoredEvent[] = [];
		const versions = new Map<string, number>();
		let tip = head.tip;

		async function record(drafts: readonly KeyedDraft[], intent: Intent): Promise<DomainEvent[]> {
			const recorded: DomainEvent[] = [];
			for (const draft of drafts) {
				let version = versions.get(draft.stream);
				if (version === undefined) version = (await head.versions([draft.stream])).get(draft.stream) ?? 0;
				versions.set(draft.stream, version + 1);
				const first = recorded.length === 0 && intent.key !== undefined;
				const stored = sealEvent(
					{
						position: tip.position + 1,
						previous: tip.hash,
						time: now,
						stream: draft.stream,
						version: version + 1,
						type: draft.type,
						actor: intent.actor,
						cause: intent.cause,
						correlation: intent.correlation,
						key: first ? intent.key : draft.key,
						input: first ? intent.input : undefined,
						data: JSON.stringify(draft.data),
					},
					hashText,
				);
				sealed.push(stored);
				tip = { position: stored.position, hash: stored.hash, time: now };
				const event: DomainEvent = {
					type: draft.type,
					data: draft.data,
					stream: draft.stream,
					time: now,
					position: stored.position,
				};
				evolve(event);
				if (stored.key !== undefined) earlier.set(stored.key, { event, input: stored.input });
				recorded.push(event);
				heard.push(event);
			}
			return recorded;
		}

		for (const one of batch) {
			const decider = deciders[one.name] as Decider<unknown, unknown>;
			const first = one.intent.key === undefined ? undefined : earlier.get(one.intent.key);
			if (first) {
				const same = first.input === one.intent.input;
				answers.push(() =>
					one.resolve(
						same
							? accept({ events: [first.event], replayed: true })
							: refuse(
									"idempotency/mismatch",
									"This idempotency key was used before with another input. Use a new key for a new request.",
								),
					),
				);
				continue;
			}
			const context: DecisionContext = { now, recalled: recalled(decider, one, earlier) };
			let decision: ReturnType<typeof decider.decide>;
			try {
				decision = decider.decide(one.command, states.get(one.name), context);
			} catch (fault) {
				answers.push(() => one.reject(fault));
				continue;
			}
			if (!decision.ok) {
				const refusal = decision;
				answers.push(() => one.resolve(refusal));
				continue;
			}
			const events = await record(decision.events, one.intent);
			answers.push(() => one.resolve(accept({ events, replayed: false })));
		}
		if (sealed.length > 0) await head.append(sealed);
		folded = tip;
		return answers;
	}

	function recalled(
		decider: Decider<unknown, unknown>,
		one: Waiting,
		earlier: ReadonlyMap<string, Earlier>,
	): ReadonlyMap<string, DomainEvent> {
		const keys = decider.recall?.(one.command, states.get(one.name)) ?? [];
		const events = new Map<string, DomainEvent>();
		for (const key of keys) {
			const found = earlier.get(key);
			if (found) events.set(key, found.event);
		}
		return events;
	}

	/** What the log holds under every key that this batch's commands carry or want recalled. */
	async function recallAll(batch: readonly Waiting[], head: LogHead): Promise<Map<string, Earlier>> {
		const keys = new Set<string>();
		for (const { name, command, intent } of batch) {
			if (intent.key !== undefined) keys.add(intent.key);
			for (const key of deciders[name]?.recall?.(command, states.get(name)) ?? []) keys.add(key);
		}
		const earlier = new Map<string, Earlier>();
		if (keys.size === 0) return earlier;
		for (const stored of await head.findByKey([...keys])) {
			earlier.set(stored.key as string, { event: upcast(readEvent(stored)), input: stored.input });
		}
		return earlier;
	}

	async function run(): Promise<void> {
		while (waiting.length > 0) {
			const batch = waiting.slice(0, batchLimit);
			waiting = waiting.slice(batchLimit);
			try {
				for (const answer of await carryOut(batch)) answer();
			} catch (fault) {
				for (const one of batch) one.reject(fault);
			}
			if (folded.position - snapshotAt >= snapshotEvery) await save().catch(onFault);
		}
	}

	/** One thing at a time touches the states: a batch, or a catching-up. */
	function exclusively(work: () => Promise<void>): Promise<void> {
		const turn = (running ?? Promise.resolve()).then(work, work);
		running = turn.catch(() => {});
		return turn;
	}

	await restore();

	return {
		execute(name, command, intent) {
			if (closed) return Promise.reject(new Fault("log/closed", "The log is closed."));
			return new Promise((resolve, reject) => {
				waiting.push({ name, command, intent, resolve, reject });
				if (waiting.length === 1) clock.soon(() => void exclusively(run));
			});
		},
		state: (name) => states.get(name) as never,
		position: () => folded.position,
		async refresh() {
			const tip = await log.tip();
			if (tip.position > folded.position || !trusted) await exclusively(catchUp);
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
		async close() {
			if (closed) return;
			closed = true;
			await exclusively(run);
			await save().catch(onFault);
		},
	};
}

interface Earlier {
	readonly event: DomainEvent;
	readonly input: string | undefined;
}

const emptyTip: Tip = { position: 0, hash: genesisHash, time: 0 };
const snapshotName = "head";
const snapshotFormat = 1;

/** The newest snapshot that belongs to this very log and to these very deciders, or undefined. */
async function loadSnapshot(
	log: EventLog,
	derived: DerivedStore,
	// biome-ignore lint/suspicious/noExplicitAny: see Deciders.
	all: readonly (readonly [string, Decider<any, any>])[],
): Promise<{ readonly tip: Tip; readonly states: Readonly<Record<string, unknown>> } | undefined> {
	const saved = await derived.load(snapshotName);
	if (!saved || saved.format !== snapshotFormat) return undefined;
	const event = await log.at(saved.position);
	if (!event || event.hash !== saved.hash) return undefined;
	const body = JSON.parse(saved.body) as Record<string, { format: number; state: unknown } | undefined>;
	const states: Record<string, unknown> = {};
	for (const [name, decider] of all) {
		const part = body[name];
		if (!part || part.format !== decider.format) return undefined;
		states[name] = part.state;
	}
	return { tip: { position: event.position, hash: event.hash, time: event.time }, states };
}
