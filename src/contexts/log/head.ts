import type { Decider, KeyedDraft } from "../../kernel/decider.ts";
import {
	type DomainEvent,
	genesisHash,
	readEvent,
	type StoredEvent,
	sealEvent,
	type Why,
} from "../../kernel/event.ts";
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
	/** Its time: what is decided next is decided at this time or later, also when the clock was set back. */
	time(): number;
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

export async function openHead<D extends Deciders>(
	options: HeadOptions<D>,
): Promise<Head<D>> {
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
	/** Position of the newest event that listeners have heard of. */
	let announced = 0;
	let snapshotAt = 0;
	/** False while the states may hold what is not written: should that fail, they are folded anew. */
	let trusted = false;
	let closed: Promise<void> | undefined;
	let waiting: Waiting[] = [];
	let running: Promise<void> | undefined;

	function evolve(event: DomainEvent): void {
		for (const [name, decider] of all)
			states.set(name, decider.evolve(states.get(name), event));
	}

	function fold(stored: StoredEvent): DomainEvent {
		const event = upcast(readEvent(stored));
		evolve(event);
		folded = {
			position: stored.position,
			hash: stored.hash,
			time: stored.time,
		};
		return event;
	}

	async function restore(): Promise<void> {
		trusted = false;
		folded = (await restoreSnapshot()) ?? startAnew();
		snapshotAt = folded.position;
		let last = 0;
		for await (const batch of log.scan(folded.position)) {
			for (const event of batch) evolve(upcast(readEvent(event)));
			last = batch.at(-1)?.position ?? last;
		}
		if (last > 0) folded = (await log.at(last)) as StoredEvent;
		trusted = true;
	}

	function startAnew(): Tip {
		for (const [name, decider] of all) states.set(name, decider.initial());
		return emptyTip;
	}

	/** A snapshot that is missing, of another log or unreadable costs a longer start, nothing more. */
	async function restoreSnapshot(): Promise<Tip | undefined> {
		if (!derived) return undefined;
		try {
			const saved = await loadSnapshot(log, derived, all);
			if (!saved) return undefined;
			for (const [name, decider] of all)
				states.set(name, decider.load(saved.states[name]));
			return saved.tip;
		} catch (fault) {
			onFault(fault);
			return undefined;
		}
	}

	/** After a failure: folds anew, and lets listeners hear what they missed by it. */
	async function recover(): Promise<void> {
		await restore();
		// Not done before they heard it all: should the reading fail, the next turn begins again.
		trusted = false;
		for await (const batch of log.scan(announced, { to: folded.position })) {
			announce(batch.map((stored) => upcast(readEvent(stored))));
		}
		trusted = true;
	}

	async function save(): Promise<void> {
		if (!derived || !trusted || folded.position === snapshotAt) return;
		const body: Record<string, unknown> = {};
		for (const [name, decider] of all)
			body[name] = {
				format: decider.format,
				state: decider.save(states.get(name)),
			};
		snapshotAt = folded.position;
		await derived.save(snapshotName, {
			format: snapshotFormat,
			position: folded.position,
			hash: folded.hash,
			body: JSON.stringify(body),
		});
	}

	function announce(events: readonly DomainEvent[]): void {
		const last = events.at(-1);
		if (!last) return;
		announced = last.position;
		for (const listener of listeners) {
			try {
				listener(events);
			} catch (fault) {
				onFault(fault);
			}
		}
	}

	async function catchUp(): Promise<void> {
		if (!trusted) return recover();
		for await (const batch of log.read(folded.position)) {
			trusted = false;
			const news = batch.map(fold);
			trusted = true;
			announce(news);
		}
	}

	/** Decides and records a batch under the head; returns how to answer each command once it is durable. */
	async function carryOut(batch: readonly Waiting[]): Promise<(() => void)[]> {
		if (!trusted) await recover();
		const heard: DomainEvent[] = [];
		const answers = await log.write(async (head) => {
			trusted = false;
			if (head.tip.position > folded.position) {
				for (const event of await head.after(folded.position))
					heard.push(fold(event));
			}
			return decideAll(batch, head, heard);
		});
		trusted = true;
		announce(heard);
		return answers;
	}

	async function decideAll(
		batch: readonly Waiting[],
		head: LogHead,
		heard: DomainEvent[],
	): Promise<(() => void)[]> {
		const now = Math.max(clock.now(), head.tip.time);
		const answers: (() => void)[] = [];
		const sealed: StoredEvent[] = [];
		const versions = new Map<string, number>();
		const memory = rememberKeys(head);
		let tip = head.tip;

		async function record(
			drafts: readonly PreparedDraft[],
			intent: Intent,
		): Promise<DomainEvent[]> {
			const recorded: DomainEvent[] = [];
			for (const draft of drafts) {
				let version = versions.get(draft.stream);
				if (version === undefined)
					version =
						(await head.versions([draft.stream])).get(draft.stream) ?? 0;
				versions.set(draft.stream, version + 1);
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
						key: draft.key,
						input: draft.input,
						data: draft.text,
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
				if (stored.key !== undefined)
					memory.add(stored.key, { event, input: stored.input });
				recorded.push(event);
				heard.push(event);
			}
			return recorded;
		}

		/** Nothing has changed yet when this throws: it takes down its own command alone. */
		async function decide(
			one: Waiting,
		): Promise<Outcome<Recorded> | readonly PreparedDraft[]> {
			const decider = deciders[one.name] as Decider<unknown, unknown>;
			const state = states.get(one.name);
			const { key, input } = one.intent;
			const recall = decider.recall?.(one.command, state) ?? [];
			if (key !== undefined) await memory.look([key]);
			if (recall.length > 0) await memory.look(recall);
			const first = key === undefined ? undefined : memory.get(key);
			if (first) {
				return first.input === input
					? accept({ events: [first.event], replayed: true })
					: refuse(
							"idempotency/mismatch",
							"This idempotency key was used before with another input. Use a new key for a new request.",
						);
			}
			let recalled: Map<string, DomainEvent> | undefined;
			for (const name of recall) {
				const found = memory.get(name);
				if (!found) continue;
				recalled ??= new Map();
				recalled.set(name, found.event);
			}
			const decision = decider.decide(one.command, state, {
				now,
				recalled: recalled ?? nothingRecalled,
			});
			if (!decision.ok) return decision;
			const prepared = prepare(decision.events, one.intent);
			const claimed: string[] = [];
			for (const draft of prepared)
				if (draft.key !== undefined) claimed.push(draft.key);
			if (claimed.length > 0) await memory.look(claimed);
			const taken = claimed.find(
				(name, index) => memory.get(name) || claimed.indexOf(name) !== index,
			);
			if (taken !== undefined) {
				throw new Fault(
					"log/conflict",
					`The decision claims the key ${taken}, which was used before. Nothing was written.`,
				);
			}
			return prepared;
		}

		// One look at the log for what most of the batch will ask for.
		await memory.look(batch.flatMap(({ intent }) => intent.key ?? []));
		for (const one of batch) {
			let decided: Awaited<ReturnType<typeof decide>>;
			try {
				decided = await decide(one);
			} catch (fault) {
				answers.push(() => one.reject(fault));
				continue;
			}
			const outcome =
				"ok" in decided
					? decided
					: accept({
							events: await record(decided, one.intent),
							replayed: false,
						});
			answers.push(() => one.resolve(outcome));
		}
		if (sealed.length > 0) await head.append(sealed);
		folded = tip;
		return answers;
	}

	/** What the log holds under the keys that were looked for, each looked up once in a batch. */
	function rememberKeys(head: LogHead) {
		/** Undefined for a key that the log does not hold. */
		const looked = new Map<string, Earlier | undefined>();
		return {
			async look(keys: readonly string[]): Promise<void> {
				const fresh = keys.filter((key) => !looked.has(key));
				if (fresh.length === 0) return;
				const found = await head.findByKey(fresh);
				for (const key of fresh) looked.set(key, undefined);
				for (const stored of found) {
					looked.set(stored.key as string, {
						event: upcast(readEvent(stored)),
						input: stored.input,
					});
				}
			},
			add(key: string, earlier: Earlier): void {
				looked.set(key, earlier);
			},
			get: (key: string) => looked.get(key),
		};
	}

	async function run(): Promise<void> {
		while (waiting.length > 0) {
			const batch = waiting.slice(0, batchLimit);
			waiting = waiting.slice(batchLimit);
			try {
				for (const answer of await carryOut(batch)) answer();
			} catch (fault) {
				// First the states become true again, so that whoever hears of the failure reads no phantom.
				if (!trusted) await recover().catch(onFault);
				for (const one of batch) one.reject(fault);
			}
			if (folded.position - snapshotAt >= snapshotEvery)
				await save().catch(onFault);
		}
	}

	/** One thing at a time touches the states: a batch, or a catching-up. */
	function exclusively(work: () => Promise<void>): Promise<void> {
		const turn = (running ?? Promise.resolve()).then(work, work);
		running = turn.catch(() => {});
		return turn;
	}

	await restore();
	announced = folded.position;

	return {
		execute(name, command, intent) {
			if (closed)
				return Promise.reject(new Fault("log/closed", "The log is closed."));
			return new Promise((resolve, reject) => {
				waiting.push({ name, command, intent, resolve, reject });
				if (waiting.length === 1) clock.soon(() => void exclusively(run));
			});
		},
		state: (name) => states.get(name) as never,
		position: () => folded.position,
		time: () => folded.time,
		async refresh() {
			const tip = await log.tip();
			if (tip.position > folded.position || !trusted)
				await exclusively(catchUp);
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
		close() {
			closed ??= exclusively(run).then(() => save().catch(onFault));
			return closed;
		},
	};
}

/** A draft that can be written: its data as text, and the key it claims. */
interface PreparedDraft extends KeyedDraft {
	readonly text: string;
	readonly input?: string | undefined;
}

/**
 * The command's own key goes to the first event that claims none itself. Throws when there is none,
 * and when a text cannot be stored as it is.
 */
function prepare(
	drafts: readonly KeyedDraft[],
	intent: Intent,
): readonly PreparedDraft[] {
	const { actor, cause, correlation, key, input } = intent;
	const bearer =
		key === undefined
			? -1
			: drafts.findIndex((draft) => draft.key === undefined);
	if (key !== undefined && bearer === -1 && drafts.length > 0) {
		throw new Fault(
			"log/malformed",
			"Each event of this command claims a key of its own, so none is left to carry the command's. Send it without a key.",
		);
	}
	for (const text of [actor, cause, correlation, input]) checkName(text);
	return drafts.map((draft, index): PreparedDraft => {
		const { stream, type, data } = draft;
		const claims = index === bearer ? key : draft.key;
		checkName(stream);
		checkName(type);
		checkName(claims);
		const text = JSON.stringify(data);
		return claims === undefined
			? { stream, type, data, text }
			: {
					stream,
					type,
					data,
					text,
					key: claims,
					input: index === bearer ? input : undefined,
				};
	});
}

function checkName(text: string | undefined): void {
	if (text !== undefined && !text.isWellFormed()) {
		throw new Fault(
			"log/malformed",
			`${JSON.stringify(text)} is no well-formed Unicode text, so it cannot name anything in the log.`,
		);
	}
}

const nothingRecalled: ReadonlyMap<string, DomainEvent> = new Map();

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
): Promise<
	| { readonly tip: Tip; readonly states: Readonly<Record<string, unknown>> }
	| undefined
> {
	const saved = await derived.load(snapshotName);
	if (!saved || saved.format !== snapshotFormat) return undefined;
	const event = await log.at(saved.position);
	if (!event || event.hash !== saved.hash) return undefined;
	const body = JSON.parse(saved.body) as Record<
		string,
		{ format: number; state: unknown } | undefined
	>;
	const states: Record<string, unknown> = {};
	for (const [name, decider] of all) {
		const part = body[name];
		if (!part || part.format !== decider.format) return undefined;
		states[name] = part.state;
	}
	return {
		tip: { position: event.position, hash: event.hash, time: event.time },
		states,
	};
}
