import { viewAccount } from "../../../contexts/credits/index.ts";
import { formatCredits } from "../../../kernel/money.ts";
import { refuse } from "../../../kernel/outcome.ts";
import { withLedger } from "../../ledger.ts";
import { orRefused, usage } from "../errors.ts";
import { operatorIntent } from "../intent.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
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

/** Effective at once, here and on every replica: also for calls that are under way, before they are sent anywhere else. */
export async function models(
	session: Session,
	account: string,
	patterns: readonly string[] | undefined,
	{ clear = false }: { readonly clear?: boolean },
): Promise<void> {
	if (clear && patterns)
		throw usage("--clear takes all of it back: give no models with it.");
	await withLedger(session.home, async ({ head }) => {
		if (clear || patterns)
			orRefused(
				await head.execute(
					"credits",
					{
						type: "set-account-models",
						account,
						...(patterns && { models: patterns }),
					},
					{ actor: "operator" },
				),
			);
		const known = head.state("credits").accounts.get(account);
		if (!known) {
			orRefused(refuse("account/unknown", "No account has this id."));
			return;
		}
		const { models } = known;
		session.result({ account, models: models ?? null }, () =>
			models
				? `With any key, ${account} may use ${models.map(harmless).join(", ") || "nothing"}.`
				: `With a key that allows it, ${account} may use every model.`,
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
