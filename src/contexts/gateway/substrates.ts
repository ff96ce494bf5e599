import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { PriceBook, PriceSheet } from "../../ports/price-book.ts";
import type { Quirks } from "../../ports/vendor.ts";

/** A vendor that is on: what is needed to call it. Holds its key: never shown, never logged. */
export interface ActiveVendor {
	readonly id: string;
	/** Base address by wire protocol. */
	readonly bases: Readonly<Record<string, string>>;
	/** Headers that carry its key. */
	readonly headers: Readonly<Record<string, string>>;
	readonly quirks: Quirks;
	/** Answers whatever it is asked, without any vendor: the stand-in while no other is on. */
	readonly standIn?: boolean;
}

/** One thing that can answer: a model at a vendor. */
export interface Substrate {
	/** `vendor/model`. */
	readonly id: string;
	readonly vendor: ActiveVendor;
	/** The vendor's own name for it. */
	readonly model: string;
}

export interface Substrates {
	/**
	 * The substrate that a client means: an alias of the owner's, `vendor/model`, or a bare model name that
	 * an active vendor is known to have. Refuses with `model/unknown`, `model/vendor-off` or `model/wrong-protocol`.
	 */
	find(name: string, protocol: string): Outcome<Substrate>;
	/** Prices in force, or undefined: an unknown price is never zero. */
	sheet(substrate: Substrate, at: number): PriceSheet | undefined;
	/** All that is known to answer, aliases first. */
	list(): readonly ListedModel[];
}

export interface ListedModel {
	readonly id: string;
	readonly owner: string;
	readonly contextWindow?: number;
}

export function openSubstrates(options: {
	/** In the owner's order: for a bare model name the first that has it answers. */
	readonly vendors: readonly ActiveVendor[];
	/** Vendors that are known but off: why, and what turns them on. */
	readonly off: Readonly<Record<string, string>>;
	readonly aliases: Readonly<Record<string, string>>;
	readonly prices: PriceBook;
}): Substrates {
	const { vendors, off, aliases, prices } = options;
	const byId = new Map(vendors.map((vendor) => [vendor.id, vendor]));
	const known = new Map(
		vendors.map((vendor) => [
			vendor.id,
			new Set(prices.models(vendor.id).map((facts) => facts.model)),
		]),
	);
	const outside = vendors.filter((vendor) => !vendor.standIn);
	/** Names come from clients: only so many are remembered. */
	const found = new Map<string, Outcome<Substrate>>();

	function of(vendor: ActiveVendor, model: string): Outcome<Substrate> {
		return accept({ id: `${vendor.id}/${model}`, vendor, model });
	}

	function search(name: string, protocol: string): Outcome<Substrate> {
		const target = Object.hasOwn(aliases, name)
			? (aliases[name] as string)
			: name;
		const slash = target.indexOf("/");
		const named = slash > 0 ? byId.get(target.slice(0, slash)) : undefined;
		if (named && slash < target.length - 1) {
			if (named.bases[protocol]) return of(named, target.slice(slash + 1));
			return refuse(
				"model/wrong-protocol",
				`${named.id} does not speak the protocol of this request; it speaks ${Object.keys(named.bases).join(", ")}.`,
				{ model: shorten(name), speaks: Object.keys(named.bases) },
			);
		}
		const speaking = vendors.filter((vendor) => vendor.bases[protocol]);
		const having = speaking.find((vendor) => known.get(vendor.id)?.has(target));
		if (having) return of(having, target);
		const offVendor = target.slice(0, Math.max(0, slash));
		if (Object.hasOwn(off, offVendor)) {
			return refuse(
				"model/vendor-off",
				`${offVendor} is off here: ${off[offVendor]}.`,
				{ model: shorten(name), vendor: offVendor },
			);
		}
		const candidates = speaking.filter((vendor) => !vendor.standIn);
		if (candidates.length === 1)
			return of(candidates[0] as ActiveVendor, target);
		const standIn =
			outside.length === 0
				? speaking.find((vendor) => vendor.standIn)
				: undefined;
		if (standIn) return of(standIn, target);
		return refuse(
			"model/unknown",
			`No vendor that is on is known to have "${shorten(name)}". Name it as vendor/model (${speaking.map((vendor) => `${vendor.id}/…`).join(", ")}), or give it an alias under models: in config.yaml.`,
			{ model: shorten(name) },
		);
	}

	return {
		find(name, protocol) {
			const key = `${protocol} ${name}`;
			let outcome = found.get(key);
			if (!outcome) {
				outcome = search(name, protocol);
				if (found.size < 10_000 && name.length < 200) found.set(key, outcome);
			}
			return outcome;
		},
		sheet: (substrate, at) =>
			prices.find(substrate.vendor.id, substrate.model, at),
		list() {
			const listed: ListedModel[] = Object.keys(aliases).map((id) => ({
				id,
				owner: "alias",
			}));
			for (const vendor of vendors) {
				for (const facts of prices.models(vendor.id)) {
					listed.push({
						id: `${vendor.id}/${facts.model}`,
						owner: vendor.id,
						...(facts.contextWindow === undefined
							? {}
							: { contextWindow: facts.contextWindow }),
					});
				}
			}
			return listed;
		},
	};
}

function shorten(name: string): string {
	return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
