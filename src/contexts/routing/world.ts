import type {
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import type { OwnerTable, Policy, Posture, Selector } from "./model.ts";
import { whyBarred } from "./postures.ts";
import { holds, whyNot } from "./selectors.ts";
import { requirementsOf } from "./sovereignty.ts";

/**
 * One version each of catalogue, policy and table, and what follows from them alone: worked out once, when it
 * is first asked for. Arrays are by a substrate's place in the catalogue.
 */
export interface World {
	readonly catalogue: CatalogueSnapshot;
	readonly policy: Policy;
	readonly table: OwnerTable;
	/** Grows by one at each instant at which a posture or a lifecycle changes what is allowed. */
	epoch(at: number): number;
	/** The first instant after an epoch; infinite for the last. */
	end(epoch: number): number;
	/** Why a posture bars each substrate. */
	barred(posture: Posture): Reasons;
	/** Why each substrate does not keep a sovereignty class. */
	outside(sovereignty: string): Reasons;
	/** 1 for each substrate that a selector holds for. */
	holding(selector: Selector): Uint8Array;
	/** When each substrate stops answering. */
	readonly gone: Float64Array;
}

export type Reasons = readonly (string | undefined)[];

export function openWorld(
	catalogue: CatalogueSnapshot,
	policy: Policy,
	table: OwnerTable,
): World {
	const { substrates } = catalogue;
	const gone = Float64Array.from(substrates, goneAt);
	const moments = [
		...new Set([
			...gone,
			...[...policy.postures, ...policy.broken].flatMap(({ from, until }) => [
				from ?? Number.POSITIVE_INFINITY,
				until ?? Number.POSITIVE_INFINITY,
			]),
		]),
	]
		.filter(Number.isFinite)
		.sort((one, other) => one - other);
	const barred = new Map<Posture, Reasons>();
	const outside = new Map<string, Reasons>();
	const holding = new Map<Selector, Uint8Array>();

	return {
		catalogue,
		policy,
		table,
		gone,
		epoch(at) {
			let [low, high] = [0, moments.length];
			while (low < high) {
				const middle = (low + high) >> 1;
				if ((moments[middle] as number) <= at) low = middle + 1;
				else high = middle;
			}
			return low;
		},
		end: (epoch) => moments[epoch] ?? Number.POSITIVE_INFINITY,
		barred: (posture) =>
			kept(barred, posture, () =>
				substrates.map((facts) => whyBarred(posture, facts)),
			),
		outside(sovereignty) {
			const requirements = requirementsOf(sovereignty, policy.classes);
			if (!requirements) {
				const why = `the sovereignty class "${sovereignty}" is not known here`;
				return substrates.map(() => why);
			}
			return kept(outside, sovereignty, () =>
				substrates.map((facts) => {
					const why = firstOf(requirements, (each) => whyNot(each, facts));
					return why === undefined
						? undefined
						: `the class "${sovereignty}" does not hold: ${why}`;
				}),
			);
		},
		holding: (selector) =>
			kept(holding, selector, () => {
				const held = new Uint8Array(substrates.length);
				for (const [at, facts] of substrates.entries())
					if (holds(selector, facts) === "yes") held[at] = 1;
				return held;
			}),
	};
}

/** Never, where no day is known. */
function goneAt({ lifecycle: { goneOn } }: SubstrateFacts): number {
	if (goneOn === "unknown") return Number.POSITIVE_INFINITY;
	const at = Date.parse(goneOn.value);
	// A day that cannot be read is long past: what may be gone is not called.
	return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
}

function firstOf<From, To>(
	values: readonly From[],
	find: (value: From) => To | undefined,
): To | undefined {
	for (const value of values) {
		const found = find(value);
		if (found !== undefined) return found;
	}
	return undefined;
}

function kept<Key, Value>(
	values: Map<Key, Value>,
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
