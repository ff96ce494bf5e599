import type { Opaque } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";

/** Warns of a mark that is not the target protocol's own, as `ownData` tells, and so is left out. */
export function dropForeign(
	ownData: (opaque: Opaque) => Json | undefined,
	opaque: Opaque | undefined,
	field: string,
	warn: Warn,
): void {
	if (opaque && !ownData(opaque))
		warn({
			kind: "dropped",
			field: `${field}.opaque`,
			message: "What another vendor marked means nothing to this one.",
		});
}
