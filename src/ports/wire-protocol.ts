import type { Outcome, Refusal } from "../kernel/outcome.ts";
import type { Usage } from "./price-book.ts";
import type { Meaning, RequestTraits } from "./request-traits.ts";
import type { Quirks } from "./vendor.ts";

export type { Meaning } from "./request-traits.ts";

/**
 * One of the few ways clients and vendors speak. An adapter reads from a request only what routing
 * and metering need, changes in the bytes only what it must, and reads usage from the answer.
 */
export interface WireProtocol {
	/** `kebab-case`, after the folder of its adapter. */
	readonly id: string;
	readonly operations: readonly WireOperation[];

	/**
	 * Reads a request. Refuses with `request/malformed-json`, `request/invalid-utf8`,
	 * `request/too-deep`, `request/malformed-form`, `request/duplicate-member` or `request/invalid`
	 * (details name the field).
	 * `target` is there where the address or the headers say part of what is asked.
	 */
	read(
		operation: string,
		body: Uint8Array,
		target?: RequestTarget,
	): Outcome<WireRequest>;

	/**
	 * What of a request routing may look at, worked out when it is asked for. Of one that goes on from
	 * earlier answers this has to be the expanded request. Never throws, whatever stands in the body.
	 */
	traits(request: WireRequest): RequestTraits;

	/** The bytes and headers for the vendor: the client's own, but for what `change` says. */
	forward(request: WireRequest, change: ForwardChange): Forwarded;

	/** Reads the answer to a forwarded request as it passes. */
	meter(
		request: WireRequest,
		forwarded: Forwarded,
		status: number,
		contentType: string,
	): Meter;

	/** A refusal of ours in the shape that this protocol's clients raise as their own error. */
	refusal(
		status: number,
		refusal: Refusal,
	): {
		readonly headers: Readonly<Record<string, string>>;
		readonly body: Uint8Array;
	};

	/** The same in the middle of a stream: the frame or frames to send before the connection ends. */
	streamRefusal(refusal: Refusal): Uint8Array;

	/** The body of this protocol's list of models, and of one alone. */
	models(list: readonly ModelEntry[]): Uint8Array;
	model(entry: ModelEntry): Uint8Array;

	/** The answer to a `count-tokens` request. Absent: it has no such operation. */
	counted?(tokens: number): Uint8Array;

	/** Whether a request on a path of ours is by its headers from this protocol's own clients. */
	speaks(header: (name: string) => string | undefined): boolean;

	/** Absent: the protocol keeps nothing between requests. */
	readonly state?: WireState;

	/** The key a client sent, from whichever header this protocol's clients use; some put it into the query, which is given without its question mark. */
	clientKey(
		header: (name: string) => string | undefined,
		query?: string,
	): string | undefined;
}

/** How a protocol lets a request go on from an earlier answer, by the answer's id. */
export interface WireState {
	/** The answer that a request goes on from, if any, and whether its own is to be kept. */
	asks(request: WireRequest): Outcome<{
		readonly previous?: string;
		readonly store: boolean;
	}>;
	/** The body with everything put into it that was said before: the chain of turns, the oldest first. What it says to us stands in it too. */
	expand(request: WireRequest, chain: readonly Turn[]): Outcome<Uint8Array>;
	/** Watches the answer to a request (as the client sent it), as it goes to the client. */
	watch(request: WireRequest, contentType: string): TurnWatch;
	/** The answer itself, as it was given, or as the events that tell it where the query asks for those. */
	show(
		turn: Turn,
		query: string,
	): Outcome<{ readonly contentType: string; readonly body: Uint8Array }>;
	/** The input that it answered, a page of it as the query asks; the chain ends with the turn. */
	showInput(chain: readonly Turn[], query: string): Outcome<Uint8Array>;
	/** What says that it was deleted. */
	deleted(id: string): Uint8Array;
}

export interface TurnWatch {
	push(chunk: Uint8Array): void;
	/** After the whole answer: what to keep; undefined when nothing can go on from it, or it is too large. */
	finish(): Turn | undefined;
}

/** One request and its answer, kept. */
export interface Turn {
	/** The answer's id. */
	readonly id: string;
	/** The answer that it went on from. */
	readonly previous?: string;
	/** Of the protocol's own: JSON text. */
	readonly record: string;
}

export interface ModelEntry {
	readonly id: string;
	readonly owner: string;
	/** Tokens; absent when not known. */
	readonly contextWindow?: number;
}

export interface WireOperation {
	/** `chat`, `embeddings`. */
	readonly id: string;
	readonly method: "POST";
	/** What is asked for, whatever the protocol: operations that mean the same can be translated. */
	readonly means: Meaning;
	/** What clients call on us: `/v1/chat/completions`, or with the model in it: `/v1beta/models/{model}:generateContent`. Absent: no client of ours calls it. */
	readonly path?: string;
	/** Behind a vendor's base address: `/chat/completions`. A `Forwarded` with a path of its own wins. */
	readonly upstreamPath: string;
	/** Request headers that go on to the vendor, lower-case. */
	readonly passHeaders: readonly string[];
}

/** What a request says outside its body. */
export interface RequestTarget {
	/** What stands in the places of the operation's path, decoded: `{ model: "m" }`. */
	readonly parameters: Readonly<Record<string, string>>;
	/** Without the question mark; empty when there is none. */
	readonly query: string;
	/** By lower-case name. */
	header(name: string): string | undefined;
}

export interface WireRequest {
	readonly operation: string;
	/** As the client sent it, but for what it says to us under `dos`. */
	readonly body: Uint8Array;
	/** The value of the body's own member `dos` (of a form's field: JSON), which is for us and no vendor. */
	readonly dos?: unknown;
	/** As the client named it. */
	readonly model: string;
	readonly stream: boolean;
	/** The caller's own limit of output tokens per answer, if any. Zero output (embeddings) is 0. */
	readonly outputLimit: number | undefined;
	/** Answers asked for: output may be this many times the limit. */
	readonly choices: number;
	/** Bytes of the body that can become input tokens, media left out: a bound, as no tokenizer makes more than one token of a byte. */
	readonly inputBytes: number;
	/** Images, documents and audio in the request: each may cost tokens that its bytes do not show. */
	readonly mediaParts: number;
	/** Which of the vendor's server-side tools may add requests that cost extra. */
	readonly serverTools: readonly string[];
	/** What is ordered, on operations that make or hear images and sound. */
	readonly order?: MediaOrder;
	/** What the adapter needs again in `forward`; nobody else looks into it. */
	readonly opaque: unknown;
}

/**
 * Images or sound that a request asks for. Vendors sell them by the piece or by tokens, and a price
 * sheet is for the one or the other, so an order is counted both ways.
 */
export interface MediaOrder {
	/** The most that it can come to. */
	readonly most: MediaAmount;
	/** What it is taken for where neither the vendor nor its answer says. */
	readonly usual: MediaAmount;
	/** What `usual` stands on, to follow "estimated from": `the size of the upload`. */
	readonly grounds: string;
}

/** One amount, counted in pieces (images, characters, seconds) and in tokens. Of what comes out as text, `output` is a guess until it has come. */
export interface MediaAmount {
	readonly pieces: Usage;
	readonly tokens: Usage;
}

export interface ForwardChange {
	/** The vendor's name for the model. */
	readonly model: string;
	/** Output limit to send, when it differs from the caller's; undefined leaves the caller's. */
	readonly outputLimit: number | undefined;
	readonly quirks: Quirks;
}

export interface Forwarded {
	/** May be joined only when it is asked for. */
	readonly body: Uint8Array;
	/** The same bytes, not joined, where the body is large and little of it was changed. */
	readonly pieces?: readonly Uint8Array[] | undefined;
	/** Behind the base address, with its query, where it is not the operation's `upstreamPath`. */
	readonly path?: string;
	/** Sent beside or in place of the usual ones, lower-case. */
	readonly headers?: Readonly<Record<string, string>>;
	/** True when usage had to be asked for on a stream, so that what comes of it is taken out again. */
	readonly usageAsked: boolean;
	/** The vendor's name for the model, where the answer has to know it. */
	readonly model?: string | undefined;
	/** The limit of output tokens per answer that goes out: usage far above it is no usage. */
	readonly outputLimit?: number | undefined;
}

/** Watches one answer. Chunks may split anywhere, within a character too; they may be kept, so their memory must not be used again. */
export interface Meter {
	/** Of what goes on to the client, where that is not the vendor's: a stream that it wanted in another form. */
	readonly contentType?: string;
	/** Passes as it comes although it is no stream of events: sound that is played while it arrives. */
	readonly flows?: boolean;
	/** What of this chunk goes on to the client: nearly always the chunk itself. Nothing: undefined. */
	pass(chunk: Uint8Array): Uint8Array | undefined;
	/** After the last chunk or when the answer broke off: what may still go to the client, and what was counted. */
	finish(): Metered;
	/** After `finish`, a refusal that ends the stream: in place of the protocol's `streamRefusal` where its form depends on what has passed. */
	refuse?(refusal: Refusal): Uint8Array;
}

export interface Metered {
	/** Held back and now free to go. */
	readonly rest: Uint8Array | undefined;
	/** As the vendor reported it, classes disjoint. Undefined when it did not, or when it makes no sense (`absurd`). */
	readonly usage: Usage | undefined;
	/** Pieces of an order that the request or the answer shows, whatever the vendor reports: images, characters, seconds. */
	readonly counted?: Usage | undefined;
	/** Why reported usage was thrown away. */
	readonly absurd: string | undefined;
	/** What the vendor says the call cost, in micro-credits. */
	readonly reportedCost: number | undefined;
	/** Bytes of generated text, arguments and reasoning that passed: the ground for an estimate. Counted only when usage is missing, else 0. */
	readonly deliveredBytes: number;
	/** Input tokens as far as known (some protocols say them first), for an answer that broke off. */
	readonly partialUsage: Usage | undefined;
	/** The protocol's own end was seen (`[DONE]`, `message_stop`, a whole JSON body; from vendors that send none, the reason to finish). */
	readonly complete: boolean;
	/** As the vendor names it: `stop`, `length`, `end_turn`. */
	readonly finishReason: string | undefined;
	/** The vendor sent an error inside the answer. */
	readonly vendorError: string | undefined;
	/** What of the answer the client's protocol could not carry as it was, a sentence each. */
	readonly warnings?: readonly string[];
}
