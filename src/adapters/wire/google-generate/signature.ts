import type {
	AnswerPart,
	Opaque,
	ReasoningPart,
	ServerToolPart,
} from "../../../ports/canonical.ts";
import {
	isRecord,
	listOf,
	present,
	recordsOf,
	textOf,
} from "../canonical/fields.ts";
import { isSealed, seal, unseal } from "../canonical/seal.ts";

/*
 * `thoughtSignature` is this protocol's one opaque field, and clients send it back with the part
 * that it stands on. Some leave thoughts out of what they send, though, and all treat the field as
 * base64. So what other vendors want back (signed or encrypted reasoning, items of their own tools)
 * rides sealed, as base64, on the next part that is no thought:
 *   before  whole parts that stood before this one and have no form here
 *   mark    another vendor's mark on the part itself
 *   hollow  the part is there for its signature alone; a mark is of the part before it
 */

const id = "google-generate";

/**
 * What the vendor takes in place of a signature that it never made, as for a call from another
 * vendor's model (ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
 */
export const placeholder = "skip_thought_signature_validator";
const placeholders: ReadonlySet<string> = new Set([
	placeholder,
	"context_engineering_is_the_way_to_go",
]);

export interface Carried {
	/** Of the part: its own signature, or another vendor's mark. */
	readonly opaque?: Opaque;
	readonly before: readonly AnswerPart[];
	readonly hollow: boolean;
}

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

export function signatureIn(opaque: Opaque | undefined): string | undefined {
	return textOf(ownData(opaque)?.signature);
}

/** The vendor's own parts that make up what its tool did. */
export function ownParts({
	opaque,
}: ServerToolPart): readonly Readonly<Record<string, unknown>>[] {
	// The mark may have come through a client: media that nobody counted does not ride in it.
	return recordsOf(ownData(opaque)?.parts).filter(
		({ fileData, file_data, inlineData, inline_data }) =>
			(fileData ?? file_data ?? inlineData ?? inline_data) === undefined,
	);
}

/** The signature for a part that goes to a client; undefined when it needs none. */
export function signatureFor({
	opaque,
	before = [],
	hollow = false,
}: Partial<Carried>): string | undefined {
	const signature = signatureIn(opaque);
	if (before.length === 0 && !hollow && (!opaque || signature !== undefined))
		return signature;
	const sealed = seal(
		ours(
			present({
				before: before.length > 0 ? before : undefined,
				mark: opaque,
				hollow: hollow || undefined,
			}),
		),
	);
	return sealed === undefined
		? signature
		: Buffer.from(sealed).toString("base64");
}

/** What a signature of a client's stands for. */
export function openSignature(text: string | undefined): Carried {
	if (!text || placeholders.has(text)) return nothing;
	const sealed = text.startsWith(base64Mark)
		? Buffer.from(text, "base64").toString("latin1")
		: text;
	if (!isSealed(sealed))
		return { ...nothing, opaque: ours({ signature: text }) };
	const opened = unseal(sealed);
	if (!opened) return nothing;
	const own = ownData(opened);
	if (!own) return { ...nothing, opaque: opened };
	const mark = opaqueOf(own.mark);
	return {
		...(mark && { opaque: mark }),
		before: listOf(own.before).flatMap((each) => partOf(each) ?? []),
		hollow: own.hollow === true,
	};
}

/** How the base64 of anything sealed begins. */
const base64Mark = "ZG9zMS";

const nothing: Carried = { before: [], hollow: false };

function opaqueOf(value: unknown): Opaque | undefined {
	return isRecord(value) && typeof value.protocol === "string"
		? { protocol: value.protocol, data: value.data }
		: undefined;
}

/** It comes from the client: nothing in it is taken on trust. */
function partOf(value: unknown): ReasoningPart | ServerToolPart | undefined {
	if (!isRecord(value)) return undefined;
	const opaque = opaqueOf(value.opaque);
	if (value.type === "reasoning")
		return {
			type: "reasoning",
			text: textOf(value.text) ?? "",
			...(value.summary === true && { summary: true }),
			...(opaque && { opaque }),
		};
	if (value.type !== "server-tool") return undefined;
	const query = textOf(value.query);
	const results = recordsOf(value.results).flatMap(({ url, title }) => {
		if (typeof url !== "string") return [];
		return [typeof title === "string" ? { url, title } : { url }];
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
