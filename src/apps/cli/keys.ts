import type { Key } from "../../contexts/credits/index.ts";
import { refuse } from "../../kernel/outcome.ts";
import type { Ledger } from "../ledger.ts";
import { closest } from "../suggest.ts";
import { orRefused } from "./errors.ts";

/** The key of this id or, when only one working key has it, of this name. Refused with `key/unknown` or `key/ambiguous`. */
export function findKey(ledger: Pick<Ledger, "head">, named: string): Key {
	const keys = ledger.head.state("credits").keys;
	const byId = keys.get(named);
	if (byId) return byId;
	const byName = [...keys.values()].filter((key) => key.name === named);
	const working = byName.filter((key) => key.revoked === undefined);
	const [found, second] = working.length > 0 ? working : byName;
	if (found && !second) return found;
	if (found) {
		return orRefused(
			refuse(
				"key/ambiguous",
				`More than one key is named "${named}". Say which by its id: ${working.map(({ id }) => id).join(", ")}`,
				{
					keys: working.map(({ id }) => id),
				},
			),
		);
	}
	// What was given may be a secret, so it is not repeated.
	const meant = named.startsWith("dos_sk_")
		? undefined
		: closest(
				named,
				[...keys.values()].map(({ name }) => name),
			);
	return orRefused(
		refuse(
			"key/unknown",
			`There is no such key${meant ? `; did you mean "${meant}"?` : ". Give its id or name: dos key list"}`,
		),
	);
}
