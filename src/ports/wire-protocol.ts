import type { Outcome, Refusal } from "../kernel/outcome.ts";
import type { Usage } from "./price-book.ts";
import type { Quirks } from "./vendor.ts";

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
	 * `request/too-deep`, `request/duplicate-member` or `request/invalid` (details name the field).
	 */
	read(operation: string, body: Uint8Array): Outcome<WireRequest>;

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

	/** The body of this protocol's list of models. */
	models(list: readonly ModelEntry[]): Uint8Array;

	/** Whether a request on a path of ours is by its headers from this protocol's own clients. */
	speaks(header: (name: string) => string | undefined): boolean;

	/** The key a client sent, from whichever header this protocol's clients use. */
	clientKey(header: (name: string) => string | undefined): string | undefined;
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
	/** What clients call on us: `/v1/chat/completions`. */
	readonly path: string;
	/** Behind a vendor's base address: `/chat/completions`. */
	readonly upstreamPath: string;
	/** Request headers that go on to the vendor, lower-case. */
	readonly passHeaders: readonly string[];
}

export interface WireRequest {
	readonly operation: string;
	/** As the client sent it. */
	readonly body: Uint8Array;
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
	/** What the adapter needs again in `forward`; nobody else looks into it. */
	readonly opaque: unknown;
}

export interface ForwardChange {
	/** The vendor's name for the model. */
	readonly model: string;
	/** Output limit to send, when it differs from the caller's; undefined leaves the caller's. */
	readonly outputLimit: number | undefined;
	readonly quirks: Quirks;
}

export interface Forwarded {
	readonly body: Uint8Array;
	/** True when usage had to be asked for on a stream, so that what comes of it is taken out again. */
	readonly usageAsked: boolean;
	/** The limit of output tokens per answer that goes out: usage far above it is no usage. */
	readonly outputLimit?: number | undefined;
}

/** Watches one answer. Chunks may split anywhere, within a character too; they may be kept, so their memory must not be used again. */
export interface Meter {
	/** What of this chunk goes on to the client: nearly always the chunk itself. Nothing: undefined. */
	pass(chunk: Uint8Array): Uint8Array | undefined;
	/** After the last chunk or when the answer broke off: what may still go to the client, and what was counted. */
	finish(): Metered;
}

export interface Metered {
	/** Held back and now free to go. */
	readonly rest: Uint8Array | undefined;
	/** As the vendor reported it, classes disjoint. Undefined when it did not, or when it makes no sense (`absurd`). */
	readonly usage: Usage | undefined;
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
}
