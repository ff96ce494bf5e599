import { viewAccount } from "../../../contexts/credits/index.ts";
import { formatCredits } from "../../../kernel/money.ts";
import { withLedger } from "../../ledger.ts";
import { orRefused } from "../errors.ts";
import { operatorIntent } from "../intent.ts";
import type { Session } from "../session.ts";
import { table } from "../table.ts";

interface OpenOptions {
	readonly name?: string;
	readonly idempotencyKey?: string;
}

export async function open(
	session: Session,
	account: string,
	{ name = account, idempotencyKey }: OpenOptions,
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const command = { type: "open-account", account, name } as const;
		const recorded = orRefused(
			await ledger.head.execute(
				"credits",
				command,
				operatorIntent(ledger.digest, idempotencyKey, command),
			),
		);
		session.result({ account, name, replayed: recorded.replayed }, () =>
			[
				recorded.replayed
					? `Opened before under the same idempotency key: ${account}.`
					: `Opened ${account}. It has no credits yet.`,
				`Next: dos credits grant 1000 --account ${account}`,
			].join("\n"),
		);
	});
}

export async function list(session: Session): Promise<void> {
	await withLedger(session.home, async ({ head, clock }) => {
		const { accounts, keys } = head.state("credits");
		const owned = [...keys.values()].filter(
			({ revoked }) => revoked === undefined,
		);
		const views = [...accounts.values()].map((account) => ({
			...viewAccount(account, clock.now()),
			keys: owned.filter((key) => key.account === account.id).length,
		}));
		session.result({ accounts: views }, () =>
			table(
				[
					{ title: "account" },
					{ title: "name", shrink: 10 },
					{ title: "keys", align: "right" },
					{ title: "available", align: "right" },
					{ title: "held", align: "right" },
					{ title: "spent", align: "right" },
				],
				views.map(({ account, name, keys, available, held, spent }) => [
					account,
					name,
					String(keys),
					formatCredits(available),
					formatCredits(held),
					formatCredits(spent),
				]),
			),
		);
	});
}
