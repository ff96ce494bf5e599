import type { AnswerPart, Opaque } from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import { isRecord } from "../canonical/fields.ts";
import { isSealed, seal, unseal } from "../canonical/seal.ts";

/** The protocol's id: whose opaque data may go back to its vendors as it is. */
export const protocol = "openai-responses";

/** The id of an item that no vendor of this protocol made: `msg_dos_…`. */
export function ourId(kind: string, call: string, number: number): string {
	return `${kind}_dos_${call}_${number}`;
}

export function isOurs(id: unknown): boolean {
	return typeof id === "string" && /^[a-z]{1,8}_dos_/.test(id);
}

export function own(data: unknown): Opaque {
	return { protocol, data };
}

/** The data of a mark that a vendor of this protocol made. */
export function ownData(
	opaque: Opaque | undefined,
): Readonly<Record<string, unknown>> | undefined {
	return opaque?.protocol === protocol && isRecord(opaque.data)
		? opaque.data
		: undefined;
}

/**
 * What has to come back with a piece of reasoning: its id and encrypted content, or what a vendor of
 * another protocol had sealed into that.
 */
export function reasoningOpaque(
	item: Readonly<Record<string, unknown>>,
): Opaque | undefined {
	const { encrypted_content: encrypted } = item;
	const id =
		typeof item.id === "string" && !isOurs(item.id) ? item.id : undefined;
	if (typeof encrypted !== "string" || encrypted === "")
		return id === undefined ? undefined : own({ id });
	if (encrypted === nothingSealed) return undefined;
	return (
		unseal(encrypted) ??
		own({ ...(id !== undefined && { id }), encrypted_content: encrypted })
	);
}

/** Some clients send back only reasoning that is encrypted, so that of vendors who encrypt none is too. */
const nothingSealed = seal(own(null)) as string;

/**
 * The members of a reasoning item that say it again to a client: `id` stands in where there is none,
 * or is the one that the client knows already (`fixed`).
 */
export function reasoningMark(
	opaque: Opaque | undefined,
	id: string,
	fixed: boolean,
): { readonly id: string; readonly encrypted_content?: string } {
	if (!opaque) return { id, encrypted_content: nothingSealed };
	const data = ownData(opaque);
	if (!data || (fixed && typeof data.id === "string" && data.id !== id)) {
		const sealed = seal(opaque);
		return sealed === undefined ? { id } : { id, encrypted_content: sealed };
	}
	return {
		id: typeof data.id === "string" ? data.id : id,
		...(typeof data.encrypted_content === "string" && {
			encrypted_content: data.encrypted_content,
		}),
	};
}

/**
 * An item that carries through a client what belongs to the part before it, which has no place for
 * it: a signature on a call or a text, what another vendor's search found. To the client it is
 * reasoning without a word. Undefined when it is too large to come back.
 */
export function carrierOf(opaque: Opaque, id: string): Json | undefined {
	const sealed = seal(own({ before: opaque }));
	return sealed === undefined
		? undefined
		: { id, type: "reasoning", summary: [], encrypted_content: sealed };
}

/** What such an item carries; undefined for any other. */
export function carriedBy(item: Json): Opaque | undefined {
	const { encrypted_content: text } = item;
	if (typeof text !== "string" || !isSealed(text)) return undefined;
	const before = ownData(unseal(text))?.before;
	return isRecord(before) && typeof before.protocol === "string"
		? { protocol: before.protocol, data: before.data }
		: undefined;
}

/** Whether a part of an answer needs such an item. */
export function foreignOpaque(part: AnswerPart): Opaque | undefined {
	if (part.type === "refusal" || part.type === "reasoning") return undefined;
	return part.opaque?.protocol === protocol ? undefined : part.opaque;
}

/** Gives the last of the parts what was carried for it. */
export function attach(parts: AnswerPart[], opaque: Opaque): void {
	const last = parts.at(-1);
	if (last && last.type !== "refusal" && !last.opaque)
		parts[parts.length - 1] = { ...last, opaque };
}
