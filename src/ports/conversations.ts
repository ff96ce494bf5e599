import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** One thing said. */
export interface Said {
	readonly role: string;
	readonly text: string;
}

/** Reads conversations as a person would, and asks in words of our own: for judges of answers. */
export interface Conversations {
	/** What was said before a request was answered, the oldest first; of media, only that they are there. Undefined: it cannot be read. */
	asked(wire: WireProtocol, request: WireRequest): readonly Said[] | undefined;
	/** What the first choice of a whole answer says, calls of tools in words. Undefined: nothing that can be read. */
	answered(
		wire: WireProtocol,
		request: WireRequest,
		contentType: string,
		body: Uint8Array,
	): string | undefined;
	/** A request for a plain answer of at most so many tokens, as a client would send it. */
	ask(
		model: string,
		messages: readonly { readonly role: string; readonly content: string }[],
		outputLimit: number,
	): {
		readonly wire: WireProtocol;
		readonly operation: WireOperation;
		readonly request: WireRequest;
	};
}
