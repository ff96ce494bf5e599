/** A vendor is a row of data; code never names one. */
export interface Vendor {
	/** `kebab-case`, stands in front of a model's name: `vendor/model`. */
	readonly id: string;
	readonly name: string;
	/** Wire protocols it speaks, by id, its own first, each with its base address (no slash at the end). May have places in it: `{region}`. */
	readonly bases: Readonly<Record<string, string>>;
	/** What stands in the places of its bases, by name. */
	readonly parameters?: Readonly<Record<string, VendorParameter>>;
	/** Environment variables that may hold its key, first one found wins; empty when it needs none. */
	readonly keyNames: readonly string[];
	/** How the key is sent, or how in each of its protocols. */
	readonly auth: VendorAuth | Readonly<Record<string, VendorAuth>>;
	/** Credentials of the machine that it takes where there is no key. */
	readonly credentials?: VendorCredentials;
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

/** Something that the owner has to say of a vendor's address: a region, an account. */
export interface VendorParameter {
	/** Environment variables that may say it, first one found wins; the settings go before them. */
	readonly names: readonly string[];
	/** Where nobody says it. Absent: the vendor is off until somebody does. */
	readonly otherwise?: string;
	/** Other places whose text follows from it, by name: the text by its value, `*` for all other values, with `{itself}` in it. */
	readonly places?: Readonly<
		Record<string, Readonly<Record<string, string>> & { readonly "*": string }>
	>;
}

/**
 * A kind of credentials that machines hold for many things, so they are used once the owner names the
 * vendor in the settings: keys that sign requests to a `service` in the parameter `region`, or a
 * login that gives tokens of a `scope`.
 */
export type VendorCredentials =
	| { readonly of: "signing-keys"; readonly service: string }
	| { readonly of: "login"; readonly scope: string };

/** As a bearer token, in the header of this name, or not at all. */
export type VendorAuth =
	| "bearer"
	| "x-api-key"
	| "api-key"
	| "x-goog-api-key"
	| "none";

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
	/** Takes schemas in its protocol's own subset only, and no JSON Schema. */
	readonly schemaSubset?: boolean;
	/** Takes system messages at the head of a conversation only, whatever the model. */
	readonly systemFirst?: boolean;
	/** Holds no answer to a JSON schema, whatever the model. */
	readonly noSchemas?: boolean;
	/**
	 * What it takes beyond its protocol, where a request is translated: members that others invented
	 * and it documents, such as `top_k`, `cache_control`, `reasoning_content` (its reasoning goes back
	 * to it under that name). Each adapter lists the words that it knows.
	 */
	readonly takes?: readonly string[];
	/**
	 * What of its protocol it refuses, where a request is translated: members of requests
	 * (`prompt_cache_key`, `seed`), or kinds of values (`developer` messages, `custom` tools).
	 */
	readonly lacks?: readonly string[];
	/** Takes ids of tool calls of exactly so many letters and digits. */
	readonly callIdLength?: number;
	/** The efforts of reasoning that it knows, where not all: another becomes the nearest. */
	readonly efforts?: readonly string[];
}
