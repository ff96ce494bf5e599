import { existsSync, writeFileSync } from "node:fs";
import type { Recorded } from "../../contexts/log/index.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import { Fault, type Outcome } from "../../kernel/outcome.ts";
import { starterConfig } from "../config.ts";
import { createHome, type Home } from "../home.ts";
import type { Ledger } from "../ledger.ts";
import { orRefused } from "./errors.ts";
import { makeSecret } from "./secret.ts";

/** Credits of a new home: 10 USD, so that a mistake on the first day is a small one. */
export const firstGrant: MicroCredits = 1_000_000_000;

/** What setting up a home did; what was there already is false or absent. */
export interface SetUp {
	readonly home: string;
	readonly account: string;
	readonly configWritten: boolean;
	readonly accountOpened: boolean;
	/** The first key, with its secret: the only time it is seen. */
	readonly key?: { readonly id: string; readonly secret: string };
	readonly granted?: MicroCredits;
}

/** Writes the commented settings where there are none; true when it did. */
export function writeStarterConfig(home: Home): boolean {
	createHome(home);
	try {
		writeFileSync(home.config, starterConfig, { flag: "wx", mode: 0o600 });
		return true;
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw new Fault(
			"home/unusable",
			`${home.config} cannot be written. Set DOS_HOME to a folder you can write to.`,
			{ cause },
		);
	}
}

/**
 * Brings a ledger to where a first call works: the account, a key, some credits. Each is made at most once
 * in the life of a home, also by two that start at once, and never where the owner has made one already.
 */
export async function setUp(
	ledger: Ledger,
	options: { readonly account: string; readonly grant: MicroCredits },
): Promise<SetUp> {
	const { head, chance, digest, home } = ledger;
	const { account, grant } = options;
	const configWritten = !existsSync(home.config) && writeStarterConfig(home);
	const intent = (what: string) => ({
		actor: "operator",
		cause: "init",
		key: `init/${what}/${account}`,
	});
	const done = (outcome: Outcome<Recorded>) => !orRefused(outcome).replayed;

	await ledger.signer();
	await head.refresh();
	const accountOpened =
		!head.state("credits").accounts.has(account) &&
		done(
			await head.execute(
				"credits",
				{ type: "open-account", account, name: account },
				intent("account"),
			),
		);

	let key: SetUp["key"];
	if (
		![...head.state("credits").keys.values()].some(
			(known) => known.account === account,
		)
	) {
		const secret = makeSecret(chance, digest);
		const id = chance.id();
		const made = await head.execute(
			"credits",
			{
				type: "create-key",
				account,
				key: id,
				name: "first",
				hash: secret.hash,
				hint: secret.hint,
				scopes: { can: ["call", "read"] },
			},
			intent("key"),
		);
		if (done(made)) key = { id, secret: secret.text };
	}

	const granted =
		grant > 0 &&
		head.state("credits").accounts.get(account)?.granted === 0 &&
		done(
			await head.execute(
				"credits",
				{ type: "grant", account, amount: grant, note: "first credits" },
				intent("grant"),
			),
		);

	return {
		home: home.folder,
		account,
		configWritten,
		accountOpened,
		...(key && { key }),
		...(granted && { granted: grant }),
	};
}
