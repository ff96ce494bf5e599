import type { Opaque } from "../../../ports/canonical.ts";
import { isRecord } from "../canonical/fields.ts";

/*
 * Of its own the vendor has: the signature of reasoning (`{signature}`), reasoning that it does not
 * show (`{redacted}`), and whole blocks of kinds that have no form elsewhere (`{block}`).
 */

const id = "bedrock-converse";

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
