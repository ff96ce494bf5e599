import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { findKeyBySecret } from "../../contexts/credits/index.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { Ledger } from "../ledger.ts";
import { orRefused } from "./errors.ts";
import { makeSecret } from "./secret.ts";

/**
 * The secret that the operator's own calls are made with: a key like any other, named `terminal`, that
 * stands in `dos key list` and can be capped or revoked. Its text waits in the home, for its owner alone.
 * Made at the first call, and anew when the one there was does not belong to this log.
 */
export async function terminalKey(ledger: Ledger, account: string): Promise<string> {
	const { head, chance, digest, clock, home } = ledger;
	const kept = readKept(home.terminalKey);
	if (kept !== undefined) {
		const found = findKeyBySecret(head.state("credits"), digest.text(kept), clock.now());
		if (found.ok) return kept;
		if (found.error.code !== "key/unknown") {
			throw new Fault(
				found.error.code,
				`The key in ${home.terminalKey} no longer works. Delete that file and a new one is made, or give one: --key or DOS_KEY.`,
			);
		}
		rmSync(home.terminalKey, { force: true });
	}
	const secret = makeSecret(chance, digest);
	const draft = `${home.terminalKey}.${chance.id()}`;
	writeFileSync(draft, `${secret.text}\n`, { flag: "wx", mode: 0o600 });
	try {
		// Whoever is second uses the first one's: a link is never made over a file.
		linkSync(draft, home.terminalKey);
	} catch (cause) {
		const other = readKept(home.terminalKey);
		if (other === undefined) throw cause;
		return other;
	} finally {
		rmSync(draft, { force: true });
	}
	try {
		orRefused(
			await head.execute(
				"credits",
				{
					type: "create-key",
					account,
					key: chance.id(),
					name: "terminal",
					hash: secret.hash,
					hint: secret.hint,
					scopes: { can: ["call", "read"] },
				},
				{ actor: "operator" },
			),
		);
	} catch (fault) {
		rmSync(home.terminalKey, { force: true });
		throw fault;
	}
	return secret.text;
}

function readKept(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8").trim();
	} catch {
		return undefined;
	}
}
