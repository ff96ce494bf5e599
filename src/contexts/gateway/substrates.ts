import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Crossings } from "../../ports/crossing.ts";
import type { PriceBook, PriceSheet } from "../../ports/price-book.ts";
import type { Quirks } from "../../ports/vendor.ts";
import type { Meaning } from "../../ports/wire-protocol.ts";

/** A vendor that is on: what is needed to call it. Holds its key: never shown, never logged. */
export interface ActiveVendor {
	readonly id: string;
	/** Base address by wire protocol. */
	readonly bases: Readonly<Record<string, string>>;
	/** What it may be called with: one where it needs no key. */
	readonly keys: readonly [VendorKey, ...VendorKey[]];
	/** What must never reach a client. */
	secrets(): readonly string[];
	readonly quirks: Quirks;
	/** Answers whatever it is asked, without any vendor: the stand-in while no other is on. */
	readonly standIn?: boolean;
}

/** One of the owner's keys of a vendor, and how many of its calls it may carry. */
export interface VendorKey {
	/** Never the secret: the owner's name for it, or its place, from `1`. */
	readonly id: string;
	/** Its part of the calls, against the weights of the vendor's other keys. */
	readonly weight: number;
	/** What the vendor allows this key; absent: not known. */
	readonly requestsPerMinute?: number;
	readonly tokensPerMinute?: number;
	/** The headers that carry it on a request; a promise where they must be fetched or computed first. */
	authorize(request: OutgoingRequest): Headers | Promise<Headers>;
}

/** A request as it is about to go to a vendor, but for its key. */
export interface OutgoingRequest {
	/** The wire protocol that it speaks. */
	readonly protocol: string;
	readonly method: string;
	readonly url: string;
	readonly headers: Headers;
	readonly body: Uint8Array;
}

type Headers = Readonly<Record<string, string>>;

/** One thing that can answer: a model at a vendor. */
export interface Substrate {
	/** `vendor/model`. */
	readonly id: string;
	readonly vendor: ActiveVendor;
	/** The vendor's own name for it. */
	readonly model: string;
	/** How it is spoken to: the client's own protocol where the vendor speaks it. */
	readonly protocol: string;
}

export interface Substrates {
	/**
	 * The substrate that a client of a protocol means: an alias of the owner's, `vendor/model`, or a bare model name
	 * that an active vendor is known to have. Refuses with `model/unknown`, `model/vendor-off` or `model/wrong-protocol`.
	 */
	find(name: string, protocol: string, means: Meaning): Outcome<Substrate>;
	/** What a name stands for among the owner's aliases; itself where it is none. */
	aliased(name: string): string;
	/** The same for a vendor and its own name for a model, whatever the owner's aliases are. */
	reach(
		vendor: string,
		model: string,
		protocol: string,
		means: Meaning,
	): Outcome<Substrate>;
	/** Vendors that are on and cannot be spoken to from a client's protocol. */
	unreachable(protocol: string, means: Meaning): readonly string[];
	isOn(vendor: string): boolean;
	/** No vendor is on: a stand-in answers whatever is asked. */
	readonly onlyStandIn: boolean;
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
	readonly crossings: Pick<Crossings, "reaches">;
}): Substrates {
	const { vendors, off, aliases, prices, crossings } = options;
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
	const reached = new Map<string, Outcome<Substrate>>();
	const outOfReach = new Map<string, readonly string[]>();

	/** The protocol to speak with a vendor: the client's own, or the vendor's first that can be translated. */
	function between(
		client: string,
		means: Meaning,
		vendor: ActiveVendor,
	): string | undefined {
		if (vendor.bases[client]) return client;
		return Object.keys(vendor.bases).find((protocol) =>
			crossings.reaches(client, means, protocol),
		);
	}

	function at(
		vendor: ActiveVendor,
		model: string,
		client: string,
		means: Meaning,
	): Outcome<Substrate> {
		if (leavesItsPlace(model))
			return refuse(
				"model/unknown",
				`No model is named "${shorten(model).toWellFormed()}": a name has no part that is "." or "..", and no broken unicode.`,
				{ model: shorten(model).toWellFormed() },
			);
		const protocol = between(client, means, vendor);
		if (protocol !== undefined)
			return accept({ id: `${vendor.id}/${model}`, vendor, model, protocol });
		const speaks = Object.keys(vendor.bases);
		return refuse(
			"model/wrong-protocol",
			`${vendor.id} cannot answer this request: it speaks ${speaks.join(", ")}, and from the protocol of this request nothing of the kind can be translated to that.`,
			{ model: shorten(model), speaks },
		);
	}

	function aliased(name: string): string {
		return Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
	}

	function search(
		name: string,
		client: string,
		means: Meaning,
	): Outcome<Substrate> {
		const of = (vendor: ActiveVendor, model: string): Outcome<Substrate> =>
			at(vendor, model, client, means);
		const target = aliased(name);
		const slash = target.indexOf("/");
		const named = slash > 0 ? byId.get(target.slice(0, slash)) : undefined;
		if (named && slash < target.length - 1)
			return of(named, target.slice(slash + 1));
		const near = vendors.filter(
			(vendor) => between(client, means, vendor) !== undefined,
		);
		const having = near.find((vendor) => known.get(vendor.id)?.has(target));
		if (having) return of(having, target);
		const offVendor = target.slice(0, Math.max(0, slash));
		if (Object.hasOwn(off, offVendor)) {
			return refuse(
				"model/vendor-off",
				`${offVendor} is off here: ${off[offVendor]}.`,
				{ model: shorten(name), vendor: offVendor },
			);
		}
		const candidates = near.filter((vendor) => !vendor.standIn);
		if (candidates.length === 1)
			return of(candidates[0] as ActiveVendor, target);
		const standIn =
			outside.length === 0 ? near.find((vendor) => vendor.standIn) : undefined;
		if (standIn) return of(standIn, target);
		return refuse(
			"model/unknown",
			`No vendor that is on is known to have "${shorten(name)}". Name it as vendor/model (${near.map((vendor) => `${vendor.id}/…`).join(", ")}), or give it an alias under models: in config.yaml.`,
			{ model: shorten(name) },
		);
	}

	return {
		find(name, protocol, means) {
			const key = `${protocol} ${means} ${name}`;
			let outcome = found.get(key);
			if (!outcome) {
				outcome = search(name, protocol, means);
				if (found.size < 10_000 && name.length < 200) found.set(key, outcome);
			}
			return outcome;
		},
		aliased,
		reach(vendorId, model, protocol, means) {
			const key = `${protocol} ${means} ${vendorId}/${model}`;
			let outcome = reached.get(key);
			if (!outcome) {
				const vendor = byId.get(vendorId);
				outcome = vendor
					? at(vendor, model, protocol, means)
					: refuse("model/vendor-off", `${vendorId} is off here.`, {
							vendor: vendorId,
						});
				if (reached.size < 10_000) reached.set(key, outcome);
			}
			return outcome;
		},
		unreachable(protocol, means) {
			const key = `${protocol} ${means}`;
			let out = outOfReach.get(key);
			if (!out) {
				out = vendors
					.filter((vendor) => between(protocol, means, vendor) === undefined)
					.map(({ id }) => id);
				outOfReach.set(key, out);
			}
			return out;
		},
		isOn: (vendor) => byId.has(vendor),
		onlyStandIn: outside.length === 0 && vendors.length > 0,
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

/** Vendors are asked for some models by an address: no name may lead out of its place there. */
function leavesItsPlace(model: string): boolean {
	return (
		!model.isWellFormed() ||
		model.split(/[/\\]/).some((part) => part === "." || part === "..")
	);
}

function shorten(name: string): string {
	return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
