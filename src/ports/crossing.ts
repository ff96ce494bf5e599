import type { Outcome } from "../kernel/outcome.ts";
import type { Naming, Warning } from "./translator.ts";
import type {
	ForwardChange,
	Forwarded,
	Meaning,
	Meter,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** The ways from clients of one protocol to vendors of another: by translation. */
export interface Crossings {
	/** Whether what clients of one protocol ask for can be answered by vendors of the other. */
	reaches(client: string, means: Meaning, vendor: string): boolean;

	/**
	 * The way of one request to a vendor whose protocol it `reaches`. Refuses what that cannot express
	 * with `translate/unsupported`, and what is no request of the client's protocol with
	 * `request/invalid`; details name the field.
	 */
	open(asked: {
		readonly wire: WireProtocol;
		readonly operation: WireOperation;
		readonly request: WireRequest;
		readonly vendor: string;
		readonly change: ForwardChange;
		readonly naming: Naming;
	}): Outcome<Passage>;
}

/** How one request reaches its vendor, and how the answer comes back. */
export interface Passage {
	/** Headers of the client's that go on to the vendor, lower-case. */
	readonly passHeaders: readonly string[];
	/** Behind the vendor's base address, where `Forwarded` names no path. */
	readonly path: string;
	/** What of the request could not be carried as it was. */
	readonly warnings: readonly Warning[];

	/** The bytes for the vendor; with another limit than the passage was opened for, where the hold came out smaller. */
	forward(outputLimit: number | undefined): Forwarded;

	/** The answer to it: what the client gets of it, and what it used. */
	answer(
		forwarded: Forwarded,
		status: number,
		contentType: string,
	): PassingAnswer;

	/** The body of a vendor's error as this client reads it. */
	vendorError(status: number, body: Uint8Array): Uint8Array;
}

export interface PassingAnswer {
	readonly contentType: string;
	/** It goes to the client as it comes, not gathered first. */
	readonly streaming: boolean;
	readonly meter: Meter;
}
