import type { Usage } from "./price-book.ts";

/**
 * The canonical form: what a request to a model and its answer mean, whoever's words they were said
 * in. Requests and answers that cross from one wire protocol to another go through it, and only
 * those: where both sides speak the same protocol the bytes pass.
 */
export interface CanonicalRequest {
	/** As the client named it. */
	readonly model: string;
	/** In the order of the conversation. What a protocol keeps apart as its system prompt stands first. */
	readonly messages: readonly Message[];
	readonly tools?: readonly Tool[];
	readonly toolChoice?: ToolChoice;
	/** False: at most one tool call in an answer. */
	readonly parallelToolCalls?: boolean;
	readonly output?: OutputForm;
	/** Tokens of output, reasoning included. */
	readonly outputLimit?: number;
	readonly stop?: readonly string[];
	readonly temperature?: number;
	readonly topP?: number;
	readonly topK?: number;
	readonly seed?: number;
	readonly frequencyPenalty?: number;
	readonly presencePenalty?: number;
	/** Answers asked for; absent is one. */
	readonly choices?: number;
	/** Log probabilities of the output's tokens, each with so many alternatives (0 to 20). */
	readonly logprobs?: { readonly alternatives: number };
	readonly reasoning?: Reasoning;
	readonly verbosity?: "low" | "medium" | "high";
	/** A protocol that names its tiers otherwise maps them. */
	readonly serviceTier?: "auto" | "standard" | "flex" | "priority" | "batch";
	/** An opaque name of the end user, for the vendor's abuse detection. */
	readonly user?: string;
	readonly metadata?: Readonly<Record<string, string>>;
	/** Requests with the same key are likely to share a prefix. */
	readonly cacheKey?: string;
	/** Cache the prompt up to its end, wherever that is. */
	readonly cache?: CacheMark;
	/** Kinds of output asked for; absent is text. */
	readonly modalities?: readonly ("text" | "audio" | "image")[];
	/** Voice and format of audio output. */
	readonly voice?: { readonly name: string; readonly format: string };
	readonly stream: boolean;
	/** On a stream: whether the client asked for usage at its end. Protocols that always send it read true. */
	readonly streamUsage: boolean;
}

export type Message =
	| {
			readonly role: "system" | "developer";
			readonly parts: readonly TextPart[];
	  }
	| {
			readonly role: "user";
			readonly name?: string;
			readonly parts: readonly (TextPart | MediaPart)[];
	  }
	| {
			readonly role: "assistant";
			readonly name?: string;
			readonly parts: readonly AnswerPart[];
	  }
	| { readonly role: "tool"; readonly parts: readonly ToolResultPart[] };

/** The prompt up to and with the marked part may be kept by the vendor, for so long. */
export interface CacheMark {
	readonly ttl?: "5m" | "1h";
}

export interface TextPart {
	readonly type: "text";
	readonly text: string;
	readonly cache?: CacheMark;
	/** What the text rests on. Only in answers. */
	readonly citations?: readonly Citation[];
	/** A vendor's own mark on the part, which has to come back to it unchanged. */
	readonly opaque?: Opaque;
}

export interface MediaPart {
	readonly type: "image" | "document" | "audio" | "video";
	readonly source: MediaSource;
	/** Of a document: its name or title. */
	readonly name?: string;
	/** Of a document: what the model should know about it. */
	readonly context?: string;
	/** Of a document: whether answers may cite it. */
	readonly citable?: boolean;
	/** Of an image: how closely to look. */
	readonly detail?: "auto" | "low" | "high" | "original";
	readonly cache?: CacheMark;
	readonly opaque?: Opaque;
}

export type MediaSource =
	/** `data` is base64 without line breaks, with padding. */
	| {
			readonly type: "base64";
			readonly mediaType: string;
			readonly data: string;
	  }
	| { readonly type: "text"; readonly mediaType: string; readonly text: string }
	| { readonly type: "url"; readonly url: string; readonly mediaType?: string }
	/** Uploaded to a vendor before: means something to that protocol's vendor alone. */
	| {
			readonly type: "file";
			readonly protocol: string;
			readonly id: string;
			readonly mediaType?: string;
	  };

export type AnswerPart =
	| TextPart
	| ReasoningPart
	| ToolCallPart
	| RefusalPart
	| MediaPart
	| ServerToolPart;

export interface ReasoningPart {
	readonly type: "reasoning";
	/** The reasoning as it was shown; empty when only `opaque` holds it. */
	readonly text: string;
	/** The text is the vendor's summary of its reasoning, not the reasoning itself. */
	readonly summary?: boolean;
	readonly opaque?: Opaque;
}

export interface ToolCallPart {
	readonly type: "tool-call";
	readonly id: string;
	readonly name: string;
	/** JSON text of an object; of a `custom` tool the plain text. */
	readonly arguments: string;
	/** The tool takes plain text. */
	readonly custom?: boolean;
	readonly cache?: CacheMark;
	readonly opaque?: Opaque;
}

export interface ToolResultPart {
	readonly type: "tool-result";
	/** The id of the call that it answers. */
	readonly call: string;
	/** The tool's name, where the protocol says it again. */
	readonly name?: string;
	readonly parts: readonly (TextPart | MediaPart)[];
	readonly error?: boolean;
	readonly cache?: CacheMark;
}

export interface RefusalPart {
	readonly type: "refusal";
	readonly text: string;
}

/** Something that the vendor ran itself while it answered. */
export interface ServerToolPart {
	readonly type: "server-tool";
	readonly tool: "web-search" | "other";
	readonly id: string;
	/** Of a web search: what was searched for. */
	readonly query?: string;
	/** Of a web search: what was found. */
	readonly results?: readonly {
		readonly url: string;
		readonly title?: string;
	}[];
	/** The vendor's own items, whole, for the next turn. */
	readonly opaque?: Opaque;
}

export interface Citation {
	/** Where it points: a page, or one of the request's documents by its number, from 0. */
	readonly url?: string;
	readonly document?: number;
	readonly title?: string;
	/** The words that are cited. */
	readonly quote?: string;
	/** Which characters of the answer's text rest on it, as UTF-16 offsets within its part. */
	readonly start?: number;
	readonly end?: number;
	/** The place within the document, in the protocol's own words. */
	readonly opaque?: Opaque;
}

/**
 * What only the vendor that made it understands: a signature, encrypted reasoning, an item of its
 * own. It goes back to vendors of the protocol that it came from, and to no others; through a
 * client of another protocol it travels sealed (`adapters/wire/canonical/seal.ts`).
 */
export interface Opaque {
	/** Id of the wire protocol it came from. */
	readonly protocol: string;
	/** JSON. */
	readonly data: unknown;
}

export type Tool =
	| {
			readonly type: "function";
			readonly name: string;
			readonly description?: string;
			/** JSON Schema of its arguments; absent: it takes none. */
			readonly schema?: Readonly<Record<string, unknown>>;
			/** The vendor must hold arguments to the schema. */
			readonly strict?: boolean;
			readonly cache?: CacheMark;
			/** Where its client has it, if not among its tools as they are named here. */
			readonly opaque?: Opaque;
	  }
	/** Takes plain text in place of JSON. `format` is `{ type: "text" }`, or `{ type: "grammar", syntax, definition }`. */
	| {
			readonly type: "custom";
			readonly name: string;
			readonly description?: string;
			readonly format?: unknown;
			readonly opaque?: Opaque;
	  }
	| {
			readonly type: "web-search";
			readonly mostUses?: number;
			readonly allowedDomains?: readonly string[];
			readonly blockedDomains?: readonly string[];
			/** ISO country, region, city and time zone of the user. */
			readonly location?: Readonly<
				Partial<Record<"country" | "region" | "city" | "timezone", string>>
			>;
			readonly contextSize?: "low" | "medium" | "high";
			readonly opaque?: Opaque;
	  }
	/** Another tool that runs at the vendor: only its own protocol can express it. `name` is its type there. */
	| { readonly type: "server"; readonly name: string; readonly opaque: Opaque };

export type ToolChoice =
	| { readonly mode: "auto" | "none" | "required" }
	| { readonly mode: "tool"; readonly name: string }
	/** One or more of these, or (when not required) none. */
	| {
			readonly mode: "allowed";
			readonly names: readonly string[];
			readonly required: boolean;
	  };

export type OutputForm =
	| { readonly type: "text" }
	/** Some JSON object. */
	| { readonly type: "json" }
	| {
			readonly type: "json-schema";
			readonly name?: string;
			readonly description?: string;
			readonly schema: Readonly<Record<string, unknown>>;
			readonly strict?: boolean;
	  };

export interface Reasoning {
	readonly effort?:
		| "none"
		| "minimal"
		| "low"
		| "medium"
		| "high"
		| "xhigh"
		| "max";
	/** Tokens of reasoning at most; 0 is none. */
	readonly budget?: number;
	/** The model decides how much. */
	readonly adaptive?: boolean;
	/** Whether the answer shows the reasoning, and as what. Absent: as the vendor likes. */
	readonly show?: "none" | "auto" | "concise" | "detailed";
}

/** A whole answer. */
export interface CanonicalAnswer {
	readonly id?: string;
	/** As the vendor names what answered. */
	readonly model?: string;
	/** At least one. */
	readonly choices: readonly Choice[];
	/** Classes are disjoint, as in `price-book.ts`. Absent when the vendor gave none. */
	readonly usage?: Usage;
	readonly serviceTier?: string;
}

export interface Choice {
	readonly parts: readonly AnswerPart[];
	readonly finish: Finish;
	readonly logprobs?: readonly TokenLogprob[];
}

export interface Finish {
	readonly reason:
		| "stop"
		| "stop-sequence"
		| "length"
		| "context-window"
		| "tool-calls"
		| "content-filter"
		| "refusal"
		/** The vendor paused in the middle of its own tools: send the answer back to go on. */
		| "pause"
		| "error";
	/** The stop sequence that was met. */
	readonly sequence?: string;
}

export interface TokenLogprob {
	readonly token: string;
	readonly logprob: number;
	readonly bytes?: readonly number[];
	readonly top?: readonly {
		readonly token: string;
		readonly logprob: number;
		readonly bytes?: readonly number[];
	}[];
}

/**
 * A piece of an answer as it is made. Parts of one choice have numbers from 0 in the order in which
 * they began. Each is opened once, gets its deltas, and is closed once; where a protocol lets them
 * overlap, so do these, and `sequenced` (`adapters/wire/canonical/sequence.ts`) puts them one after
 * the other for protocols that do not. Each choice has one `finish`, after its parts.
 */
export type AnswerEvent =
	/** First, once. Usage as far as it is known at the start: some protocols say the input then. */
	| {
			readonly type: "start";
			readonly id?: string;
			readonly model?: string;
			readonly usage?: Usage;
			readonly serviceTier?: string;
	  }
	| {
			readonly type: "open";
			readonly choice: number;
			readonly part: number;
			/** With what is known at the start: empty text or arguments, to be filled by deltas. */
			readonly value: AnswerPart;
	  }
	/** More of the text or arguments. */
	| {
			readonly type: "delta";
			readonly choice: number;
			readonly part: number;
			readonly text: string;
	  }
	| {
			readonly type: "opaque";
			readonly choice: number;
			readonly part: number;
			readonly opaque: Opaque;
	  }
	| {
			readonly type: "citation";
			readonly choice: number;
			readonly part: number;
			readonly citation: Citation;
	  }
	| {
			readonly type: "logprobs";
			readonly choice: number;
			readonly tokens: readonly TokenLogprob[];
	  }
	/** A server tool's part may only be whole now: then it stands here again, in full. */
	| {
			readonly type: "close";
			readonly choice: number;
			readonly part: number;
			readonly value?: AnswerPart;
	  }
	| {
			readonly type: "finish";
			readonly choice: number;
			readonly finish: Finish;
	  }
	/** Replaces what was said of usage before. */
	| { readonly type: "usage"; readonly usage: Usage }
	/** The vendor's own error in the middle. Nothing follows. */
	| { readonly type: "error"; readonly error: VendorError }
	/** The protocol's own end was seen. Nothing follows. */
	| { readonly type: "end" };

/** What a vendor says went wrong, in its words. */
export interface VendorError {
	readonly message: string;
	/** The vendor's own type or code. */
	readonly code?: string;
}

/** Texts, or lists of token numbers, to be turned into vectors. */
export interface CanonicalEmbedRequest {
	readonly model: string;
	readonly inputs: readonly (string | readonly number[])[];
	/** The client sent one input, not a list of one. */
	readonly single: boolean;
	readonly dimensions?: number;
	/** How the client wants its vectors: numbers, or base64 of little-endian 32-bit floats. */
	readonly encoding: "float" | "base64";
	/** What the vectors are for (`RETRIEVAL_DOCUMENT`); and a document's title. */
	readonly task?: string;
	readonly title?: string;
	readonly user?: string;
}

export interface CanonicalEmbedAnswer {
	readonly model?: string;
	/** In the order of the inputs. */
	readonly vectors: readonly (readonly number[])[];
	readonly usage?: Usage;
}
