import type { Rate, UsageClass } from "./price-book.ts";
import type { Meaning } from "./wire-protocol.ts";

/** Something that is said of a substrate, who says it and when that was read. */
export interface Known<T> {
	readonly value: T;
	/** An address, a package with its version, or `owner`. */
	readonly source: string;
	/** The day it was read: `2026-11-21`. */
	readonly date: string;
}

/** What is not known is `unknown`, and satisfies no requirement: neither "is in" nor "is not in". */
export type Fact<T> = Known<T> | "unknown";

/** A model that another was made from, and who trained it. */
export interface Ancestor {
	readonly model: string;
	readonly trainer: string;
}

/** How its vendor places it among its own models. */
export type Tier = "flagship" | "balanced" | "small";

/** One model over one channel, and all that is known of it. What is measured is no fact: that is health. */
export interface SubstrateFacts {
	/** `vendor/model`, or `vendor/model@region` where a vendor has it in several. Names it in decisions. */
	readonly id: string;
	/** The row that it is called through. */
	readonly vendor: string;
	/** The vendor's own name for it. */
	readonly model: string;
	/** The model's name whatever the channel: substrates of one name are the same model. */
	readonly name: string;
	readonly tier: Fact<Tier>;
	readonly weights: Fact<"open" | "closed">;
	/** Who trained the weights last. */
	readonly trainer: Fact<string>;
	/** All that it was made from, however far back; none: trained from nothing. */
	readonly bases: Fact<readonly Ancestor[]>;
	/** `direct`, `reseller`, `own-machine`, or the name of a platform. */
	readonly channel: Fact<string>;
	/** ISO 3166 codes of every country where a call may be processed. */
	readonly countries: Fact<readonly string[]>;
	/** The channel's name of the place. */
	readonly region: Fact<string>;
	/** Who runs it. */
	readonly operator: Fact<string>;
	/** The country where the operator is seated. */
	readonly seat: Fact<string>;
	/** Every country whose law can reach the operator: a subsidiary's parent counts. */
	readonly laws: Fact<readonly string[]>;
	/** Days that prompts and answers are kept; 0: not at all. */
	readonly retentionDays: Fact<number>;
	/** Whether calls are used for training unless somebody objects. */
	readonly trains: Fact<boolean>;
	/** As their issuers write them: `FedRAMP High`, `C5`, `HDS`, `ISO 42001`. */
	readonly attestations: Fact<readonly string[]>;
	readonly capabilities: Capabilities;
	/** Micro-credits per million units, as in a price sheet. */
	readonly prices: Fact<PriceFigures>;
	readonly lifecycle: Lifecycle;
}

export type PriceFigures = Readonly<
	Partial<Record<UsageClass, readonly Rate[]>>
>;

export interface Capabilities {
	/** What it can be asked for. */
	readonly means: Fact<readonly Meaning[]>;
	/** Tokens in and out. */
	readonly context: Fact<number>;
	/** Tokens out. */
	readonly outputLimit: Fact<number>;
	/** What it takes beside text: `image`, `audio`, `document`, `video`. */
	readonly inputs: Fact<readonly string[]>;
	readonly tools: Fact<boolean>;
	readonly jsonSchema: Fact<boolean>;
	readonly reasoning: Fact<boolean>;
	readonly caching: Fact<boolean>;
	readonly logprobs: Fact<boolean>;
	readonly streaming: Fact<boolean>;
}

export interface Lifecycle {
	readonly stage: Fact<"preview" | "stable" | "deprecated">;
	/** The day it stops answering, `2026-11-21`, from midnight UTC on; unknown where none is announced. */
	readonly goneOn: Fact<string>;
}

/** All substrates at one moment. Never changes: another fact is another version. */
export interface CatalogueSnapshot {
	/** Names exactly this content: same version, same facts in the same order. */
	readonly version: string;
	readonly substrates: readonly SubstrateFacts[];
	/** Vendors that cannot be called here, and why. */
	readonly off: Readonly<Record<string, string>>;
}

/** Where the substrates and their facts come from. */
export interface Catalogue {
	/** The newest. */
	current(): CatalogueSnapshot;
	/** As it was under a version; undefined where that is not known any more. */
	at(version: string): CatalogueSnapshot | undefined;
}

/** A substrate of which nothing is known but its name: what a caller may name that no catalogue lists. */
export function unlisted(vendor: string, model: string): SubstrateFacts {
	return {
		id: `${vendor}/${model}`,
		vendor,
		model,
		name: model,
		tier: "unknown",
		weights: "unknown",
		trainer: "unknown",
		bases: "unknown",
		channel: "unknown",
		countries: "unknown",
		region: "unknown",
		operator: "unknown",
		seat: "unknown",
		laws: "unknown",
		retentionDays: "unknown",
		trains: "unknown",
		attestations: "unknown",
		capabilities: {
			means: "unknown",
			context: "unknown",
			outputLimit: "unknown",
			inputs: "unknown",
			tools: "unknown",
			jsonSchema: "unknown",
			reasoning: "unknown",
			caching: "unknown",
			logprobs: "unknown",
			streaming: "unknown",
		},
		prices: "unknown",
		lifecycle: { stage: "unknown", goneOn: "unknown" },
	};
}
