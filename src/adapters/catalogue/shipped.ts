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
interface Statement {
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
	/** For who edits the file. */
	readonly note?: string;
	/** Why the price package has no price of some of its models: a call to them needs a price of the owner's. */
	readonly unpriced?: string;
	/** Of every call to it. */
	readonly says: readonly Statement[];
	/** Statements that rows of its share, by a name. */
	readonly sets?: Readonly<Record<string, readonly Statement[]>>;
	/** By the names that it gives them. */
	readonly models: Readonly<Record<string, ShippedRow>>;
}

/** Later ones win: the model, the sets in their order, what the row itself says. */
interface ShippedRow {
	readonly model?: string;
	/** As for a vendor, of this row alone. */
	readonly unpriced?: string;
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
 * What holds for every call to a vendor. A country is named only where the vendor promises that no call leaves it,
 * and laws only where all that reach the operator are known: most promise nothing, or only to those who ask for it,
 * and then the owner says so in the settings.
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
			group[name] = { value: statement[name], source, date };
		}
	}
	return { ...plain, capabilities, lifecycle } as PartialFacts;
}

function sourceOf({ source, date }: Statement): {
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
