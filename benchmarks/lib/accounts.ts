import type { Ledger } from "../../src/apps/ledger.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";
import { execute } from "./pair.ts";

/** Accounts `a0`, `a1`, … with more than enough, and a key for each. */
export async function openAccounts(
	ledger: Ledger,
	count: number,
): Promise<void> {
	const commands: CreditsCommand[] = [];
	for (let index = 0; index < count; index++) {
		const account = `a${index}`;
		commands.push(
			{ type: "open-account", account, name: account },
			{ type: "grant", account, amount: 10 ** 12 },
			{
				type: "create-key",
				account,
				key: `k${index}`,
				name: "bench",
				hash: ledger.digest.text(account),
				hint: "bench",
				scopes: { can: ["call"] },
			},
		);
	}
	await Promise.all(commands.map((command) => execute(ledger, command)));
}

/** Nothing is held when all is settled, and what is spent is what was settled, to the last micro-credit. Pairs. */
export async function assertBalanced(
	{ head }: Pick<Ledger, "head">,
	accounts: number,
): Promise<number> {
	await head.refresh();
	const state = head.state("credits");
	let spent = 0;
	for (const account of state.accounts.values()) {
		if (account.held !== 0) throw new Error(`${account.id} still holds.`);
		spent += account.spent;
	}
	// Three events open an account, two are a pair.
	const pairs = (head.position() - 3 * accounts) / 2;
	if (state.holds.size !== 0 || spent !== pairs * 41_700)
		throw new Error(`${pairs} pairs spent ${spent}.`);
	return pairs;
}
