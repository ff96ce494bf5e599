import type { Forwarded } from "../../ports/wire-protocol.ts";
import type { Spliced } from "./json-members.ts";

/**
 * A client's own bytes on their way to the vendor. A class for its getter: in an object literal, each
 * call's would be of a shape of its own (docs/decisions/0009-hot-path.md, third round).
 */
export class SplicedRequest implements Forwarded {
	readonly usageAsked: boolean;
	readonly outputLimit: number | undefined;
	readonly headers: Readonly<Record<string, string>>;
	readonly model: string | undefined;
	readonly #sent: Spliced;

	constructor(
		sent: Spliced,
		usageAsked: boolean,
		outputLimit?: number,
		headers: Readonly<Record<string, string>> = noHeaders,
		model?: string,
	) {
		this.#sent = sent;
		this.usageAsked = usageAsked;
		this.outputLimit = outputLimit;
		this.headers = headers;
		this.model = model;
	}

	get body(): Buffer {
		return this.#sent.body;
	}

	get pieces(): readonly Buffer[] | undefined {
		return this.#sent.pieces;
	}
}

const noHeaders = {};
