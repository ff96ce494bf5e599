import type { WireProtocol, WireRequest } from "./wire-protocol.ts";

/** An answer as its client got it, beside what its request lets it be held against: in no protocol's shape. */
export interface Reading {
	readonly asked: {
		/** The JSON schema that the text must keep. */
		readonly schema?: unknown;
		/** Tools that the client runs, named as its answers name them. */
		readonly tools?: readonly ReadTool[];
		/** There are tools that may be called beside these. */
		readonly others?: boolean;
	};
	readonly answer: {
		/** All that was said as text, reasoning left out. */
		readonly text: string;
		/** Calls that are the client's to carry out; what the vendor ran itself is none. */
		readonly toolCalls: readonly {
			readonly name: string;
			/** JSON as it came; of a tool that takes plain text, that. */
			readonly arguments: string;
		}[];
	};
}

export interface ReadTool {
	readonly name: string;
	/** Of its arguments; absent: nothing is known of them. */
	readonly schema?: unknown;
	/** It takes plain text in place of JSON. */
	readonly text?: boolean;
}

/** Reads again what went to clients, so that it can be judged. */
export interface Readings {
	/**
	 * The first choice of a whole answer, plain or streamed, that was given to a request with a schema or with tools.
	 * Undefined where there is nothing to hold it against, where it calls no tool and no schema was asked for, where
	 * it was cut short, refused or no answer, and where it cannot be read. Of the request only the schema and the
	 * tools are read.
	 */
	read(
		wire: WireProtocol,
		request: WireRequest,
		contentType: string,
		body: Uint8Array,
	): Reading | undefined;
}
