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
	 * Rejects with a `Fault` of the event log when it could not be written: then nothing was, but for
	 * `log/unknown`, after which it may yet turn up.
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
	/** How it was decided: told once that is durable. */
	outcome: Outcome<Recorded> | undefined;
	/** Why it alone could not be decided. */
	fault: unknown;
	resolve(outcome: Outcome<Recorded>): void;
	reject(fault: unknown): void;
}

/** A decider and what it made of the log so far. */
interface Cell {
	readonly name: string;
	// biome-ignore lint/suspicious/noExplicitAny: see Deciders.
	readonly decider: Decider<any, any>;
	state: unknown;
}

export async function openHead<D extends Deciders>(
	options: HeadOptions<D>,
): Promise<Head<D>> {
	const { log, deciders, clock, digest, derived } = options;
	const upcast = options.upcast ?? ((event: DomainEvent) => event);
	const snapshotEvery = options.snapshotEvery ?? 20_000;
	const batchLimit = options.batchLimit ?? 1_000;
	const onFault = options.onFault ?? (() => {});
	const cells = Object.entries(deciders).map(
		([name, decider]): Cell => ({ name, decider, state: undefined }),
	);
	const cellOf = new Map(cells.map((cell) => [cell.name, cell]));
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
	let saving: Promise<void> | undefined;

	function evolve(event: DomainEvent): void {
		for (const cell of cells)
			cell.state = cell.decider.evolve(cell.state, event);
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
		for (const cell of cells) cell.state = cell.decider.initial();
		return emptyTip;
	}

	/** A snapshot that is missing, of another log or unreadable costs a longer start, nothing more. */
	async function restoreSnapshot(): Promise<Tip | undefined> {
		if (!derived) return undefined;
		try {
			const saved = await loadSnapshot(log, derived, cells);
			if (!saved) return undefined;
			for (const cell of cells)
				cell.state = cell.decider.load(saved.states[cell.name]);
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
		for (const { name, decider, state } of cells)
			body[name] = { format: decider.format, state: decider.save(state) };
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

	/** Reads no more of each event than folding needs. */
	async function catchUp(tip: Tip): Promise<void> {
		if (!trusted) return recover();
		if (tip.position <= folded.position) return;
		trusted = false;
		for await (const batch of log.scan(folded.position, { to: tip.position })) {
			const news = batch.map((scanned) => upcast(readEvent(scanned)));
			for (const event of news) evolve(event);
			const { position, time } = batch.at(-1) ?? folded;
			folded = { ...folded, position, time };
			announce(news);
		}
		folded = tip;
		trusted = true;
	}

	/** Those that have waited the longest. */
	function gather(limit: number): Waiting[] {
		const gathered = waiting.slice(0, limit);
		waiting = waiting.slice(limit);
		return gathered;
	}

	/**
	 * Decides and records a batch under the head: each command then has its outcome or its fault. Who comes while
	 * others have the head goes along: among replicas that can be most of the time there is.
	 */
	async function carryOut(batch: Waiting[]): Promise<void> {
		if (!trusted) await recover();
		const heard: DomainEvent[] = [];
		const keys = keysOf(batch, cellOf);
		/** Whether others write as well: then the head is theirs after this. */
		let shared = false;
		await log.write(
			async (head) => {
				trusted = false;
				shared = head.tip.position > folded.position;
				if (shared) {
					for (const event of await head.after(folded.position)) {
						if (event.previous !== folded.hash) throw wentBack();
						heard.push(fold(event));
					}
				} else if (head.tip.hash !== folded.hash) throw wentBack();
				const late = shared ? gather(batchLimit - batch.length) : [];
				batch.push(...late);
				await decideAll(
					batch,
					late.length > 0 ? [...keys, ...keysOf(late, cellOf)] : keys,
					head,
					heard,
				);
			},
			{
				keys,
				next: () =>
					waiting.length > 0 && !shared
						? keysOf(waiting.slice(0, batchLimit), cellOf)
						: undefined,
			},
		);
		trusted = true;
		announce(heard);
	}

	/** Waits for nothing that the log has at hand: most batches are decided in one go. */
	async function decideAll(
		batch: readonly Waiting[],
		keys: readonly string[],
		head: LogHead,
		heard: DomainEvent[],
	): Promise<void> {
		const now = Math.max(clock.now(), head.tip.time);
		/** Decided, and not sealed before all versions can be asked for at once. */
		const drafted: { draft: PreparedDraft; intent: Intent }[] = [];
		const memory = rememberKeys(head);

		function record(
			drafts: readonly PreparedDraft[],
			intent: Intent,
		): DomainEvent[] {
			const recorded: DomainEvent[] = [];
			for (const draft of drafts) {
				const { stream, type, data, key, input } = draft;
				drafted.push({ draft, intent });
				const position = head.tip.position + drafted.length;
				const event: DomainEvent = { type, data, stream, time: now, position };
				evolve(event);
				if (key !== undefined) memory.add(key, { event, input });
				recorded.push(event);
				heard.push(event);
			}
			return recorded;
		}

		async function append(): Promise<void> {
			const streams = new Set(drafted.map(({ draft }) => draft.stream));
			const asked = head.versions([...streams]);
			const versions = new Map(asked instanceof Promise ? await asked : asked);
			let tip = head.tip;
			const sealed = drafted.map(({ draft, intent }) => {
				const { stream, type, key, input, text: data } = draft;
				const { actor, cause, correlation } = intent;
				const position = tip.position + 1;
				const version = (versions.get(stream) ?? 0) + 1;
				versions.set(stream, version);
				const stored = sealEvent(
					{
						position,
						previous: tip.hash,
						time: now,
						stream,
						version,
						type,
						actor,
						cause,
						correlation,
						key,
						input,
						data,
					},
					hashText,
				);
				tip = { position, hash: stored.hash, time: now };
				return stored;
			});
			await head.append(sealed);
			folded = tip;
		}

		/** Nothing has changed yet when this throws: it takes down its own command alone. */
		function decide(
			{ command, intent }: Waiting,
			{ decider, state }: Cell,
			recall: readonly string[],
		): Outcome<Recorded> | readonly PreparedDraft[] {
			const { key, input } = intent;
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
			const decision = decider.decide(command, state, {
				now,
				recalled: recalled ?? nothingRecalled,
			});
			return decision.ok ? prepare(decision.events, intent) : decision;
		}

		// One look at the log for what most of the batch will ask for.
		const asked = memory.look(keys);
		if (asked) await asked;
		for (const one of batch) {
			let decided: Outcome<Recorded> | readonly PreparedDraft[];
			try {
				const cell = cellOf.get(one.name) as Cell;
				const recall =
					cell.decider.recall?.(one.command, cell.state) ?? nothingToRecall;
				const earlier = memory.look(recall);
				if (earlier) await earlier;
				decided = decide(one, cell, recall);
				if (!("ok" in decided)) {
					const claims = claimsOf(decided);
					const claimed = memory.look(claims);
					if (claimed) await claimed;
					assertUnused(claims, memory);
				}
			} catch (fault) {
				one.fault = fault ?? new Error("A decision failed.");
				continue;
			}
			if ("ok" in decided) {
				one.outcome = decided;
				continue;
			}
			one.outcome = accept({
				events: record(decided, one.intent),
				replayed: false,
			});
		}
		if (drafted.length > 0) await append();
	}

	/** What the log holds under the keys that were looked for, each looked up once in a batch. */
	function rememberKeys(head: LogHead): KeyMemory {
		/** Undefined for a key that the log does not hold. */
		const looked = new Map<string, Earlier | undefined>();
		function note(
			keys: readonly string[],
			found: readonly StoredEvent[],
		): void {
			for (const key of keys) looked.set(key, undefined);
			for (const stored of found) {
				looked.set(stored.key as string, {
					event: upcast(readEvent(stored)),
					input: stored.input,
				});
			}
		}
		return {
			look(keys) {
				let fresh: string[] | undefined;
				for (const key of keys) {
					if (looked.has(key)) continue;
					if (fresh) fresh.push(key);
					else fresh = [key];
				}
				if (!fresh) return undefined;
				const found = head.findByKey(fresh);
				if (!(found instanceof Promise)) {
					note(fresh, found);
					return undefined;
				}
				const keysLooked = fresh;
				return found.then((events) => note(keysLooked, events));
			},
			add(key, earlier) {
				looked.set(key, earlier);
			},
			get: (key) => looked.get(key),
		};
	}

	async function run(): Promise<void> {
		while (waiting.length > 0) {
			const batch = gather(batchLimit);
			try {
				await carryOut(batch);
				for (const one of batch) {
					if (one.outcome) one.resolve(one.outcome);
					else one.reject(one.fault);
				}
			} catch (fault) {
				// First the states become true again, so that whoever hears of the failure reads no phantom.
				if (!trusted) await recover().catch(onFault);
				for (const one of batch) one.reject(fault);
			}
			if (folded.position - snapshotAt >= snapshotEvery)
				// Nobody waits for it: a snapshot of a large state takes its time to reach a database.
				saving = save().catch(onFault);
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
				waiting.push({
					name,
					command,
					intent,
					outcome: undefined,
					fault: undefined,
					resolve,
					reject,
				});
				if (waiting.length === 1) clock.soon(() => void exclusively(run));
			});
		},
		state: (name) => cellOf.get(name)?.state as never,
		position: () => folded.position,
		time: () => folded.time,
		async refresh() {
			const tip = await log.tip();
			if (tip.position > folded.position || !trusted)
				await exclusively(() => catchUp(tip));
		},
		subscribe(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},
		close() {
			closed ??= exclusively(run)
				.then(() => saving)
				.then(() => save().catch(onFault));
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
	const { key, input } = intent;
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
	checkName(intent.actor);
	checkName(intent.cause);
	checkName(intent.correlation);
	checkName(input);
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
const nothingToRecall: readonly string[] = [];

interface Earlier {
	readonly event: DomainEvent;
	readonly input: string | undefined;
}

interface KeyMemory {
	/** Looks up those that were not looked up yet; a promise only where the log has to be waited for. */
	look(keys: readonly string[]): Promise<void> | undefined;
	add(key: string, earlier: Earlier): void;
	get(key: string): Earlier | undefined;
}

/** What the batch will ask for, as far as it can be told before the head is taken. */
function keysOf(
	batch: readonly Waiting[],
	cells: ReadonlyMap<string, Cell>,
): readonly string[] {
	const keys: string[] = [];
	for (const { name, command, intent } of batch) {
		if (intent.key !== undefined) keys.push(intent.key);
		try {
			const cell = cells.get(name);
			const recall = cell?.decider.recall?.(command, cell.state);
			if (recall) for (const key of recall) keys.push(key);
		} catch {
			// It is asked again when its turn comes, and takes down its own command then.
		}
	}
	return keys;
}

/** A database that failed over to a copy that lagged has lost what we had seen. */
function wentBack(): Fault {
	return new Fault(
		"log/replaced",
		"The log does not hold what it held before: it was restored, or failed over to a copy that lagged. Nothing was written; it is read anew.",
		{ retryable: true },
	);
}

function claimsOf(drafts: readonly PreparedDraft[]): readonly string[] {
	const claims: string[] = [];
	for (const { key } of drafts) if (key !== undefined) claims.push(key);
	return claims;
}

function assertUnused(claims: readonly string[], memory: KeyMemory): void {
	for (const [index, name] of claims.entries()) {
		if (memory.get(name) || claims.indexOf(name) !== index) {
			throw new Fault(
				"log/conflict",
				`The decision claims the key ${name}, which was used before. Nothing was written.`,
			);
		}
	}
}

const emptyTip: Tip = { position: 0, hash: genesisHash, time: 0 };
const snapshotName = "head";
const snapshotFormat = 1;

/** The newest snapshot that belongs to this very log and to these very deciders, or undefined. */
async function loadSnapshot(
	log: EventLog,
	derived: DerivedStore,
	cells: readonly Cell[],
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
	for (const { name, decider } of cells) {
		const part = body[name];
		if (!part || part.format !== decider.format) return undefined;
		states[name] = part.state;
	}
	return {
		tip: { position: event.position, hash: event.hash, time: event.time },
		states,
	};
}
