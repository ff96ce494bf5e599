import type { Outcome, Refusal } from "../kernel/outcome.ts";
import type { Usage } from "./price-book.ts";
import type { Naming } from "./translator.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** Streams that one substrate may begin and another go on with. */
export interface Continuations {
	/**
	 * Tells the answer to a request from its beginning. Undefined where none to it could be gone on with: it is no
	 * stream of server-sent events, or what is asked for is more than plain text in one choice.
	 */
	tell(
		wire: WireProtocol,
		operation: WireOperation,
		request: WireRequest,
		naming: Naming,
	): Telling | undefined;
}

/**
 * One answer as its client hears it, whoever speaks: one beginning, one numbering, one end. What vendors say comes in,
 * and goes out, in the client's protocol. An error of a vendor's, and half an event, never go out.
 */
export interface Telling {
	/** What goes on to the client for this chunk. */
	push(chunk: Uint8Array): Uint8Array | undefined;
	/** After the last chunk of a whole answer. */
	end(): Uint8Array | undefined;
	/** What ends the stream in place of the rest of the answer. */
	refuse(refusal: Refusal): Uint8Array;
	/** Characters of the answer's text so far. */
	readonly characters: number;
	/**
	 * The request that another may go on from here with, at most as much output taken off its client's limit as is
	 * said to have been used. Refuses with `resume/impossible`, saying why, and `resume/used-up`.
	 */
	rest(outputUsed: number): Outcome<WireRequest>;
	/**
	 * From now on another speaks, whose first bytes come after a mark that clients pass over, with its name in it: a
	 * text that fits into one line. What the client hears of usage counts `used` as well.
	 */
	goOn(speaker: string, used: Usage): void;
}
