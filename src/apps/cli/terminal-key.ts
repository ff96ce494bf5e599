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
export async function terminalKey(
	ledger: Ledger,
	account: string,
): Promise<string> {
	const { head, chance, digest, clock, home } = ledger;
	const kept = readKept(home.terminalKey);
	if (kept !== undefined) {
		await head.refresh();
		const found = findKeyBySecret(
			head.state("credits"),
			digest.text(kept),
			clock.now(),
		);
		if (found) {
			const works =
				found.revoked === undefined &&
				(found.expires === undefined || found.expires > clock.now());
			if (works) return kept;
			throw new Fault(
				"key/revoked",
				`The key in ${home.terminalKey} no longer works. Delete that file and a new one is made, or give one: --key or DOS_KEY.`,
			);
		}
		rmSync(home.terminalKey, { force: true });
	}
	const secret = makeSecret(chance, digest);
	const key = chance.id();
	const { text, hash, hint } = secret;
	orRefused(
		await head.execute(
			"credits",
			{
				type: "create-key",
				account,
				key,
				name: "terminal",
				hash,
				hint,
				scopes: { can: ["call", "read"] },
			},
			{ actor: "operator" },
		),
	);
	// The file comes after the key, so that whoever finds it finds a key that works.
	const draft = `${home.terminalKey}.${key}`;
	try {
		writeFileSync(draft, `${text}\n`, { flag: "wx", mode: 0o600 });
		linkSync(draft, home.terminalKey);
		return text;
	} catch (cause) {
		await head.execute(
			"credits",
			{ type: "revoke-key", key, reason: "not needed" },
			{ actor: "operator" },
		);
		// A link is never made over a file: another command was first, and its key serves.
		const other = readKept(home.terminalKey);
		if (other !== undefined) return other;
		throw new Fault(
			"home/unusable",
			`${home.terminalKey} cannot be written. Give a key: --key or DOS_KEY.`,
			{ cause },
		);
	} finally {
		rmSync(draft, { force: true });
	}
}

function readKept(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8").trim();
	} catch {
		return undefined;
	}
}
