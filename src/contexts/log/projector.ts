import {
	type DomainEvent,
	genesisHash,
	readEvent,
} from "../../kernel/event.ts";
import type { Projection } from "../../kernel/projection.ts";
import type { Upcast } from "../../kernel/upcast.ts";
import type { DerivedStore } from "../../ports/derived-store.ts";
import type { EventLog } from "../../ports/event-log.ts";

/** Keeps one projection up with the log. Calls take turns; a state that was half changed by a fault is never kept. */
export interface Projector<State> {
	/** As of `position()`. Live: read it, never keep or change it. */
	state(): Readonly<State>;
	/** Of the newest event that the state includes. */
	position(): number;
	/** Includes every event that was committed before the call. */
	catchUp(): Promise<void>;
	/** Forgets the state, saved or not, and folds the whole log anew. */
	rebuild(): Promise<void>;
	/** Saves the state for the next start. */
	save(): Promise<void>;
}

export interface ProjectorOptions<State> {
	readonly log: EventLog;
	readonly projection: Projection<State>;
	readonly derived?: DerivedStore;
	readonly upcast?: Upcast;
}

/**
 * Opens a projection as it was last saved, or as it begins, and does not read the log yet: `catchUp` does.
 * A save of another format, of another log, or one that cannot be loaded, is ignored.
 */
export async function openProjector<State>(
	options: ProjectorOptions<State>,
): Promise<Projector<State>> {
	const { log, projection, derived, upcast } = options;
	const name = `projection/${projection.name}`;
	const types = [...new Set([...projection.types, ...(upcast?.types ?? [])])];
	const wanted = new Set(projection.types);
	let state = projection.initial();
	let place = start;
	let savedAt = 0;
	let turn: Promise<void> = Promise.resolve();

	function reset(): void {
		state = projection.initial();
		place = start;
	}

	function apply(event: DomainEvent): void {
		if (wanted.has(event.type)) state = projection.apply(state, event);
	}

	async function restore(store: DerivedStore): Promise<void> {
		const saved = await store.load(name);
		if (
			saved?.format !== projection.format ||
			(await log.at(saved.position))?.hash !== saved.hash
		)
			return;
		try {
			state = projection.load(JSON.parse(saved.body));
		} catch {
			return;
		}
		place = { position: saved.position, hash: saved.hash };
		savedAt = saved.position;
	}

	async function takeIn(): Promise<void> {
		const { position, hash } = await log.tip();
		if (position <= place.position) return;
		try {
			for await (const batch of log.scan(place.position, {
				types,
				to: position,
			})) {
				for (const stored of batch)
					apply(upcast ? upcast(readEvent(stored)) : readEvent(stored));
			}
		} catch (fault) {
			reset();
			throw fault;
		}
		place = { position, hash };
	}

	function inTurn(work: () => Promise<void>): Promise<void> {
		const mine = turn.then(work);
		turn = mine.catch(() => {});
		return mine;
	}

	if (derived) await restore(derived);

	return {
		state: () => state,
		position: () => place.position,
		catchUp: () => inTurn(takeIn),
		rebuild: () =>
			inTurn(async () => {
				await derived?.clear(name);
				savedAt = 0;
				reset();
				await takeIn();
			}),
		save: () =>
			inTurn(async () => {
				if (!derived || place.position <= savedAt) return;
				const body = JSON.stringify(projection.save(state));
				await derived.save(name, { format: projection.format, ...place, body });
				savedAt = place.position;
			}),
	};
}

const start = { position: 0, hash: genesisHash };
