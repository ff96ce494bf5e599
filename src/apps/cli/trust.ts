import { parseVerifierKey } from "../../kernel/signed-note.ts";
import { signatureChecks } from "../ledger.ts";
import { usage } from "./errors.ts";

/** The keys that the owner named to be believed; one that is none is refused before anything is checked by it. */
export function trustedKeys(
	keys: readonly string[] | undefined,
): readonly string[] {
	const { digest } = signatureChecks();
	for (const key of keys ?? []) {
		if (!parseVerifierKey(key, digest.bytes))
			throw usage(
				`"${key}" is no verifier key (name+id+key). dos audit checkpoint prints the one of its home.`,
			);
	}
	return keys ?? [];
}
