import type {
	Capabilities,
	Known,
	Lifecycle,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import data from "./shipped.json" with { type: "json" };

/** What is said of a substrate beyond its names; what is not said is unknown. */
export type PartialFacts = Partial<
	Omit<
		SubstrateFacts,
		"id" | "vendor" | "model" | "name" | "capabilities" | "lifecycle"
	>
> & {
	readonly name?: string;
	readonly capabilities?: Partial<Capabilities>;
	readonly lifecycle?: Partial<Lifecycle>;
};

/** Facts by one source, those of capabilities and lifecycle beside the others. */
export interface Statement {
	/** An address, a package with its version, or a path in one of the `sources`: `models.dev:providers/…`. */
	readonly source: string;
	/** The day it was read; absent: the file's, or that of its source. */
	readonly date?: string;
	readonly [fact: string]: unknown;
}

/** The file beside this one: what ships, as data. */
interface ShippedData {
	/** The day that most of it was read. */
	readonly date: string;
	/** Collections that much is from, each as it stood on a day. */
	readonly sources: Readonly<
		Record<string, { readonly address: string; readonly date: string }>
	>;
	/** Lists of countries, by a name that stands for the whole list wherever countries are named. */
	readonly areas: Readonly<Record<string, readonly string[]>>;
	/** Statements that rows of any vendor share, by a name. */
	readonly sets: Readonly<Record<string, readonly Statement[]>>;
	/**
	 * What is true of a model on whatever channel, by the name that its trainer gives it: who trained it, from what,
	 * whether its weights are open, where its trainer places it. What it can do is said by channel: channels differ.
	 */
	readonly models: Readonly<Record<string, readonly Statement[]>>;
	/** Vendors that choose their models themselves. What runs at the owner's, or is named there, the settings say. */
	readonly vendors: Readonly<Record<string, ShippedVendor>>;
}

interface ShippedVendor {
	/** What the owner has to say of it, and why. */
	readonly note?: string;
	/** Why some of its models have no price: a call to them needs one of the owner's. */
	readonly unpriced?: string;
	/** Of every call to it. */
	readonly says: readonly Statement[];
	/** What its address tells of the place. */
	readonly places?: ShippedPlaces;
	/** Statements that rows of its share, by a name. */
	readonly sets?: Readonly<Record<string, readonly Statement[]>>;
	/** By the names that it gives them. */
	readonly models: Readonly<Record<string, ShippedRow>>;
}

/**
 * Places that a vendor can be called in, where it promises that a call stays in the one that its address names. What
 * an address names that is not listed here, tells nothing.
 */
interface ShippedPlaces {
	/** Who promises it. */
	readonly source: string;
	readonly date?: string;
	/** Its hosts, with `{place}` where they name it. */
	readonly hosts: readonly string[];
	/** Every country that a place lies in. */
	readonly countries: Readonly<Record<string, readonly string[]>>;
	/** What else holds in a place. */
	readonly says?: Readonly<Record<string, readonly Statement[]>>;
}

/** Later ones win: the model, the sets in their order, what the row itself says. */
interface ShippedRow {
	readonly model?: string;
	/** As for a vendor, of this row alone. */
	readonly unpriced?: string;
	/** Why the address does not tell where this one is processed. */
	readonly unplaced?: string;
	/** Beginnings of the places that it can be called in, where that is not in all. */
	readonly only?: readonly string[];
	readonly is?: readonly string[];
	readonly says?: readonly Statement[];
}

const ofCapabilities: ReadonlySet<string> = new Set<keyof Capabilities>([
	"means",
	"context",
	"outputLimit",
	"inputs",
	"tools",
	"jsonSchema",
	"reasoning",
	"caching",
	"logprobs",
	"streaming",
]);
const ofLifecycle: ReadonlySet<string> = new Set<keyof Lifecycle>([
	"stage",
	"goneOn",
]);

export const shipped: ShippedData = data as ShippedData;

/**
 * What holds for every call to a vendor. A country is named only where the vendor says that calls are processed
 * there, and laws only where all that reach the operator are known: most say nothing, or promise it only to those who
 * ask for it, and then the owner says so in the settings.
 */
export const shippedVendors: Readonly<Record<string, PartialFacts>> =
	Object.fromEntries(
		Object.entries(shipped.vendors).map(([vendor, { says }]) => [
			vendor,
			facts(says),
		]),
	);

/** By `vendor/model`. A line here takes part when callers leave the choice to the router. */
export const shippedModels: Readonly<Record<string, PartialFacts>> =
	Object.fromEntries(
		Object.entries(shipped.vendors).flatMap(([vendor, { sets, models }]) =>
			Object.entries(models).map(([id, row]) => [
				`${vendor}/${id}`,
				factsOf(row, { ...shipped.sets, ...sets }),
			]),
		),
	);

/** The place that a vendor's addresses name, all of them the same one; undefined: none that is known. */
export function placeIn(
	vendor: string,
	bases: Readonly<Record<string, string>>,
): string | undefined {
	const places = shipped.vendors[vendor]?.places;
	if (!places) return undefined;
	const named = new Set(
		Object.values(bases).map((base) => {
			const host = URL.parse(base)?.host ?? "";
			return Object.keys(places.countries).find((place) =>
				places.hosts.some((each) => each.replace("{place}", place) === host),
			);
		}),
	);
	const [place] = named;
	return named.size === 1 ? place : undefined;
}

/** What is said of a row because it is called in a place; nothing where the place does not decide it. */
export function shippedInPlace(
	id: string,
	place: string | undefined,
): PartialFacts {
	const { vendor, row } = rowOf(id);
	const places = vendor?.places;
	const countries = place === undefined ? undefined : places?.countries[place];
	if (!places || !countries || row?.unplaced !== undefined) return {};
	const { source, date, says } = places;
	return facts([
		{ source, ...(date ? { date } : {}), region: place, countries },
		...(says?.[place as string] ?? []),
	]);
}

/** Whether a row can be called in a place. Of a place that is not known, all can. */
export function isOfferedIn(id: string, place: string | undefined): boolean {
	const { only } = rowOf(id).row ?? {};
	return (
		place === undefined ||
		only === undefined ||
		only.some((each) => place.startsWith(each))
	);
}

/** Why the file does not say what one would like to know of a row. */
export function shippedNotes(id: string): {
	readonly vendor?: string | undefined;
	readonly unplaced?: string | undefined;
	readonly unpriced?: string | undefined;
} {
	const { vendor, row } = rowOf(id);
	return {
		vendor: vendor?.note,
		unplaced: row?.unplaced,
		unpriced: row?.unpriced ?? vendor?.unpriced,
	};
}

function rowOf(id: string): {
	readonly vendor?: ShippedVendor | undefined;
	readonly row?: ShippedRow | undefined;
} {
	const slash = id.indexOf("/");
	const vendor = shipped.vendors[id.slice(0, slash)];
	return { vendor, row: vendor?.models[id.slice(slash + 1)] };
}

function factsOf(
	{ model, is = [], says = [] }: ShippedRow,
	sets: Readonly<Record<string, readonly Statement[]>>,
): PartialFacts {
	const statements = [
		...(model === undefined ? [] : named(shipped.models, model)),
		...is.flatMap((set) => named(sets, set)),
		...says,
	];
	return {
		...(model === undefined ? {} : { name: model }),
		...facts(statements),
	};
}

function named(
	all: Readonly<Record<string, readonly Statement[]>>,
	name: string,
): readonly Statement[] {
	const found = all[name];
	if (!found) throw new Error(`shipped.json has nothing named ${name}`);
	return found;
}

function facts(statements: readonly Statement[]): PartialFacts {
	const plain: Record<string, Known<unknown>> = {};
	const capabilities: Record<string, Known<unknown>> = {};
	const lifecycle: Record<string, Known<unknown>> = {};
	for (const statement of statements) {
		const { source, date } = sourceOf(statement);
		for (const name in statement) {
			if (name === "source" || name === "date") continue;
			const group = ofCapabilities.has(name)
				? capabilities
				: ofLifecycle.has(name)
					? lifecycle
					: plain;
			const said = statement[name];
			group[name] = {
				value:
					name === "countries"
						? (said as readonly string[]).flatMap(
								(each) => shipped.areas[each] ?? each,
							)
						: said,
				source,
				date,
			};
		}
	}
	return { ...plain, capabilities, lifecycle } as PartialFacts;
}

/** The address and the day of who says something. */
export function sourceOf({ source, date }: Statement): {
	readonly source: string;
	readonly date: string;
} {
	const colon = source.indexOf(":");
	const collection = shipped.sources[source.slice(0, colon)];
	return collection
		? {
				source: `${collection.address}${source.slice(colon + 1)}`,
				date: date ?? collection.date,
			}
		: { source, date: date ?? shipped.date };
}
