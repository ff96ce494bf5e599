import type {
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import type { OwnerTable, Policy } from "./model.ts";
import type { Places } from "./places.ts";
import { type Columns, openColumns } from "./selectors.ts";

/** A substrate that may answer. */
export interface Choice {
	/** Its place in the catalogue. */
	readonly place: number;
	readonly facts: SubstrateFacts;
}

/** One catalogue, and what follows from it alone: worked out once, when it is first asked for. */
export interface Shelf {
	readonly catalogue: CatalogueSnapshot;
	readonly columns: Columns;
	readonly choices: readonly Choice[];
	/** When each stops answering, by place; infinite where no day is known. */
	readonly gone: Float64Array;
	/** The days that are known. */
	readonly ends: ReadonlySet<number>;
	/** Id, model and name of each in lower case, by place. */
	names(): readonly (readonly string[])[];
	/** What was made for a rule, or is made now. Rules never change. */
	once(rule: object, make: () => Places): Places;
	/** What was made for it. */
	made(rule: object): Places | undefined;
}

/** One version each of catalogue, policy and table, and what follows from them together. */
export interface World {
	readonly shelf: Shelf;
	readonly catalogue: CatalogueSnapshot;
	readonly policy: Policy;
	readonly table: OwnerTable;
	/** Grows by one at each instant at which a posture or a lifecycle changes what is allowed. */
	epoch(at: number): number;
	/** The first instant after an epoch; infinite for the last. */
	end(epoch: number): number;
	/** What was made under a name, or is made now. */
	once(name: string, make: () => Places): Places;
}

export function openShelf(catalogue: CatalogueSnapshot): Shelf {
	const { substrates } = catalogue;
	const made = new WeakMap<object, Places>();
	const gone = new Float64Array(substrates.length).fill(never);
	const ends = new Set<number>();
	let names: readonly (readonly string[])[] | undefined;
	for (let place = 0; place < substrates.length; place++) {
		const { goneOn } = (substrates[place] as SubstrateFacts).lifecycle;
		if (goneOn === "unknown") continue;
		const at = Date.parse(goneOn.value);
		// A day that cannot be read is long past: what may be gone is not called.
		gone[place] = Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
		ends.add(at);
	}
	return {
		catalogue,
		gone,
		ends,
		columns: openColumns(substrates),
		choices: substrates.map((facts, place) => ({ place, facts })),
		names() {
			names ??= substrates.map(({ id, model, name }) => [
				id.toLowerCase(),
				model.toLowerCase(),
				name.toLowerCase(),
			]);
			return names;
		},
		once: (rule, make) => kept(made, rule, make),
		made: (rule) => made.get(rule),
	};
}

export function openWorld(
	shelf: Shelf,
	policy: Policy,
	table: OwnerTable,
): World {
	const moments = new Set<number>(shelf.ends);
	for (const { from, until } of [...policy.postures, ...policy.broken])
		moments.add(from ?? never).add(until ?? never);
	const bounds = Float64Array.from(moments).filter(Number.isFinite).sort();
	const made = new Map<string, Places>();
	return {
		shelf,
		catalogue: shelf.catalogue,
		policy,
		table,
		epoch(at) {
			let [low, high] = [0, bounds.length];
			while (low < high) {
				const middle = (low + high) >> 1;
				if ((bounds[middle] as number) <= at) low = middle + 1;
				else high = middle;
			}
			return low;
		},
		end: (epoch) => bounds[epoch] ?? never,
		once: (name, make) => kept(made, name, make),
	};
}

const never = Number.POSITIVE_INFINITY;

function kept<Key, Value>(
	values: {
		get(key: Key): Value | undefined;
		set(key: Key, value: Value): void;
	},
	key: Key,
	make: () => Value,
): Value {
	let value = values.get(key);
	if (value === undefined) {
		value = make();
		values.set(key, value);
	}
	return value;
}
