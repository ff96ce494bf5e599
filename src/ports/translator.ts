import type { Outcome, Refusal } from "../kernel/outcome.ts";
import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalEmbedAnswer,
	CanonicalEmbedRequest,
	CanonicalRequest,
	VendorError,
} from "./canonical.ts";
import type { Quirks } from "./vendor.ts";
import type { ForwardChange, WireRequest } from "./wire-protocol.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Something that a crossing could not carry as it was. Never a value of the request or answer: those are the client's. */
export interface Warning {
	/** Left out; or sent as something that means nearly the same. */
	readonly kind: "dropped" | "changed";
	/** In the client's words for a request (`tools.0.parameters.format`), in the vendor's for an answer. */
	readonly field: string;
	/** One sentence: what became of it. */
	readonly message: string;
}

/** Takes the warnings of one call; the same kind and field twice is one. */
export type Warn = (warning: Warning) => void;

/**
 * The two-way translation between a wire protocol and the canonical form, in four directions:
 * requests of clients are read and their answers written, requests to vendors are written and their
 * answers read. Pure: no clock, no chance, no I/O; ids and times that a protocol wants and the
 * canonical form lacks come from `Naming`.
 *
 * What the target cannot express: where it shapes what the client gets (media, a schema, a forced
 * tool, several choices, log probabilities) it is refused as `translate/unsupported` (422, details
 * name the `field`); where it only steers or accounts (a seed, penalties, a tier, metadata, cache
 * marks) it is dropped or changed with a warning. Never silence.
 */
export interface Translator {
	/** Of the wire protocol that it belongs to. */
	readonly id: string;

	/**
	 * What this protocol's clients call members of the canonical request, where not the same:
	 * `{ topK: "top_k" }`. A vendor's writer names fields by their canonical path (`topK`,
	 * `messages.2.parts.0`); the crossing says them again in these words (`inWords`).
	 */
	readonly words?: Readonly<Record<string, string>>;

	/** Whether vendors have tools that take plain text; absent: they have none. */
	takesText?(quirks: Quirks): boolean;

	/**
	 * What a client's request means. Refuses what is no request of this protocol with
	 * `request/invalid` (details name the field); members that it does not know are warned of.
	 */
	readRequest(request: WireRequest, warn: Warn): Outcome<CanonicalRequest>;

	/**
	 * What of a request its answer can be held against, read without the conversation, and so at little cost: tools are
	 * named as calls in its answers name them. Absent: no client speaks the protocol.
	 */
	readForm?(request: WireRequest): Outcome<AskedForm>;

	/** A request to a vendor, as `change` says: its model, output limit and quirks. */
	writeRequest(
		request: CanonicalRequest,
		change: ForwardChange,
		warn: Warn,
	): Outcome<WrittenRequest>;

	/** A vendor's whole answer, parsed as JSON. Tolerant: what it does not know it passes by. */
	readAnswer(body: unknown): Outcome<CanonicalAnswer>;

	/** The whole answer for a client that sent `request`. */
	writeAnswer(
		answer: CanonicalAnswer,
		request: CanonicalRequest,
		naming: Naming,
		warn: Warn,
	): Json;

	/** Reads a vendor's stream as its bytes come, cut anywhere. */
	openReader(request: CanonicalRequest): AnswerReader;

	/**
	 * Writes a client's stream, piece by piece. `asked` is what `request` was read from; `warn` is told
	 * of what the stream's answer loses, as `writeAnswer` tells of a whole one's.
	 */
	openWriter(
		request: CanonicalRequest,
		naming: Naming,
		asked: WireRequest,
		warn?: Warn,
	): AnswerWriter;

	/** What a vendor's error body says; `body` is whatever came. */
	readError(status: number, body: Uint8Array): VendorError;

	/** Absent: the protocol has no embeddings. */
	readonly embeddings?: EmbeddingsTranslator;
}

export type AskedForm = Pick<CanonicalRequest, "tools" | "output">;

export interface EmbeddingsTranslator {
	readRequest(request: WireRequest, warn: Warn): Outcome<CanonicalEmbedRequest>;
	writeRequest(
		request: CanonicalEmbedRequest,
		change: ForwardChange,
		warn: Warn,
	): Outcome<WrittenRequest>;
	readAnswer(body: unknown): Outcome<CanonicalEmbedAnswer>;
	writeAnswer(
		answer: CanonicalEmbedAnswer,
		request: CanonicalEmbedRequest,
		naming: Naming,
		warn: Warn,
	): Json;
}

export interface WrittenRequest {
	/** Behind the vendor's base address, with its query: `/chat/completions`. */
	readonly path: string;
	readonly body: Json;
	/** Headers that the protocol demands beside content type and key, lower-case. */
	readonly headers?: Readonly<Record<string, string>>;
}

/** What names an answer of ours where the vendor's gave no name. */
export interface Naming {
	/** The call's id: ids of answers and parts are made from it and a number. */
	readonly call: string;
	/** As the client named it. */
	readonly model: string;
	/** Milliseconds since 1970 UTC. */
	readonly time: number;
	/** The kept answer that the request goes on from. */
	readonly previous?: string;
}

export interface AnswerReader {
	/** The events that this chunk completes. */
	push(chunk: Uint8Array): readonly AnswerEvent[];
	/** After the last chunk, or when the stream broke off: what was still held back. */
	end(): readonly AnswerEvent[];
}

export interface AnswerWriter {
	/** Of the stream; absent is `text/event-stream`. */
	readonly contentType?: string;
	/** The bytes for these events; undefined when there is nothing to say yet. */
	push(events: readonly AnswerEvent[]): Uint8Array | undefined;
	/** After the last event: what still has to be said, unless an error ended the stream. */
	end(): Uint8Array | undefined;
	/** In place of `end`, a refusal: where its form depends on what was written; absent is the protocol's `streamRefusal`. */
	refuse?(refusal: Refusal): Uint8Array;
}
