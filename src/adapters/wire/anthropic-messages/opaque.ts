import type {
	AnswerPart,
	Opaque,
	ServerToolPart,
} from "../../../ports/canonical.ts";
import { isRecord, listOf, textOf } from "../canonical/fields.ts";
import { seal, unseal } from "../canonical/seal.ts";

/*
 * What other vendors' protocols keep to themselves travels through clients of this one in the two
 * fields that they send back untouched: the signature of a thinking block, and the data of a
 * redacted one. Sealed in them stand
 * - another vendor's reasoning mark (`{protocol, data}` of that vendor);
 * - in a redacted block behind a part, the part's mark (`{mark}`), as Google signs its calls;
 * - in a redacted block, a whole part that has no form here (`{part}`).
 */

const id = "anthropic-messages";

export function ours(data: unknown): Opaque {
	return { protocol: id, data };
}

/** Its data when it is this protocol's own. */
export function ownData(
	opaque: Opaque | undefined,
): Readonly<Record<string, unknown>> | undefined {
	return opaque?.protocol === id && isRecord(opaque.data)
		? opaque.data
		: undefined;
}

/** Stands where a signature must, on thinking that nobody signed. */
export const unsigned: string = seal(ours(null)) as string;

/** The signature of a thinking block for a client. */
export function signatureFor(opaque: Opaque | undefined): string {
	const own = textOf(ownData(opaque)?.signature);
	if (own !== undefined) return own;
	return (opaque && opaque.protocol !== id && seal(opaque)) || unsigned;
}

/** What a signature or redacted data of a client's stands for. */
export function openSignature(
	text: string,
	name: "signature" | "redacted",
): Opaque | undefined {
	if (text === "" || text === unsigned) return undefined;
	return unseal(text) ?? ours({ [name]: text });
}

/** The data of a redacted block that carries a part's mark, if another vendor made one. */
export function sealMark(opaque: Opaque | undefined): string | undefined {
	return opaque && opaque.protocol !== id
		? seal(ours({ mark: opaque }))
		: undefined;
}

export function sealPart(part: ServerToolPart): string | undefined {
	return seal(ours({ part }));
}

/** What a redacted block of a client's carries: a mark of the part before it, a part, or redacted reasoning. */
export function openRedacted(
	data: string,
):
	| { readonly mark: Opaque }
	| { readonly part: AnswerPart }
	| { readonly reasoning: Opaque | undefined } {
	const opaque = openSignature(data, "redacted");
	const own = ownData(opaque);
	const mark = own && opaqueOf(own.mark);
	if (mark) return { mark };
	const part = own && serverToolOf(own.part);
	if (part) return { part };
	return { reasoning: opaque };
}

function opaqueOf(value: unknown): Opaque | undefined {
	return isRecord(value) && typeof value.protocol === "string"
		? { protocol: value.protocol, data: value.data }
		: undefined;
}

function serverToolOf(value: unknown): ServerToolPart | undefined {
	if (!isRecord(value) || value.type !== "server-tool") return undefined;
	const opaque = opaqueOf(value.opaque);
	const query = textOf(value.query);
	const results = listOf(value.results).flatMap((each) => {
		if (!isRecord(each) || typeof each.url !== "string") return [];
		const title = textOf(each.title);
		return [title === undefined ? { url: each.url } : { url: each.url, title }];
	});
	return {
		type: "server-tool",
		tool: value.tool === "web-search" ? "web-search" : "other",
		id: textOf(value.id) ?? "",
		...(query !== undefined && { query }),
		...(results.length > 0 && { results }),
		...(opaque && { opaque }),
	};
}
