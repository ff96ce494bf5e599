/** A vendor is a row of data; code never names one. */
export interface Vendor {
	/** `kebab-case`, stands in front of a model's name: `vendor/model`. */
	readonly id: string;
	readonly name: string;
	/** Wire protocols it speaks, by id, each with its base address (no slash at the end). */
	readonly bases: Readonly<Record<string, string>>;
	/** Environment variables that may hold its key, first one found wins; empty when it needs none. */
	readonly keyNames: readonly string[];
	/** How the key is sent. */
	readonly auth: "bearer" | "x-api-key" | "none";
	/** The vendor's id in the price package, where that differs from ours. */
	readonly priceId?: string;
	/** Environment variable that overrides the base address (for servers on the owner's machine). */
	readonly baseName?: string;
	/** Runs on the owner's machine: on only when configured or its base address is set; priced at zero unless the owner says otherwise. */
	readonly local?: boolean;
	/** Answers without any vendor: takes the calls to models that nobody else is on for, while no other vendor is on. */
	readonly standIn?: boolean;
	readonly quirks?: Quirks;
	/** Where the facts of this row were read. */
	readonly source: string;
}

/** How a vendor departs from its protocol, each named once. Absent means it does not. */
export interface Quirks {
	/** Takes `max_tokens` only, and knows no `max_completion_tokens`. */
	readonly maxTokensOnly?: boolean;
	/** Sends usage on a stream without being asked, and refuses `stream_options`. */
	readonly noStreamOptions?: boolean;
	/** Reports what a call cost, with its usage. */
	readonly reportsCost?: boolean;
	/** Has no embeddings. */
	readonly noEmbeddings?: boolean;
}
