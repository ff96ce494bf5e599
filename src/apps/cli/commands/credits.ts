import {
	type AccountView,
	resolutionKey,
	viewAccount,
} from "../../../contexts/credits/index.ts";
import { formatCredits, type MicroCredits } from "../../../kernel/money.ts";
import { type Outcome, type Refusal, refuse } from "../../../kernel/outcome.ts";
import { type Ledger, withLedger } from "../../ledger.ts";
import { amountText, counted, timeText } from "../amounts.ts";
import { type CapOptions, capsTable, changedCaps } from "../caps.ts";
import { orRefused } from "../errors.ts";
import { operatorIntent } from "../intent.ts";
import type { Session } from "../session.ts";
import { pairs, table } from "../table.ts";

interface GrantOptions {
	readonly account?: string;
	readonly note?: string;
	readonly idempotencyKey?: string;
}

export async function grant(
	session: Session,
	amount: MicroCredits,
	options: GrantOptions,
): Promise<void> {
	const account = options.account ?? session.config().config.account;
	const { note, idempotencyKey } = options;
	await withLedger(session.home, async (ledger) => {
		viewOf(ledger, account);
		const command = {
			type: "grant",
			account,
			amount,
			...(note !== undefined && { note }),
		} as const;
		const recorded = orRefused(
			await ledger.head.execute(
				"credits",
				command,
				operatorIntent(ledger.digest, idempotencyKey, command),
			),
		);
		const { available } = viewOf(ledger, account);
		session.result(
			{ account, granted: amount, available, replayed: recorded.replayed },
			() =>
				[
					recorded.replayed
						? `Granted before under the same idempotency key: ${amountText(amount)} to ${account}.`
						: `Granted ${amountText(amount)} to ${account}.`,
					`Available now: ${amountText(available)}.`,
				].join("\n"),
		);
	});
}

export async function balance(
	session: Session,
	options: { readonly account?: string },
): Promise<void> {
	const account = options.account ?? session.config().config.account;
	await withLedger(session.home, async (ledger) => {
		const view = viewOf(ledger, account);
		session.result(view, () => balanceText(view, session));
	});
}

interface RefundOptions {
	readonly reason: string;
	readonly amount?: MicroCredits;
	readonly idempotencyKey?: string;
}

export async function refund(
	session: Session,
	call: string,
	options: RefundOptions,
): Promise<void> {
	const { reason, amount, idempotencyKey } = options;
	await withLedger(session.home, async (ledger) => {
		const command = {
			type: "refund",
			call,
			reason,
			...(amount !== undefined && { amount }),
		} as const;
		const decided = await ledger.head.execute(
			"credits",
			command,
			operatorIntent(ledger.digest, idempotencyKey, command),
		);
		const recorded = orRefused(
			decided.ok ? decided : await sayMore(decided.error, ledger, command.call),
		);
		const refunded = recorded.events[0]?.data as {
			account: string;
			amount: MicroCredits;
		};
		const { available } = viewOf(ledger, refunded.account);
		session.result(
			{
				call,
				account: refunded.account,
				refunded: refunded.amount,
				available,
				replayed: recorded.replayed,
			},
			() =>
				[
					`${recorded.replayed ? "Refunded before under the same idempotency key:" : "Refunded"} ${amountText(refunded.amount)} to ${refunded.account}.`,
					`Available now: ${amountText(available)}.`,
				].join("\n"),
		);
	});
}

export async function setCaps(
	session: Session,
	options: CapOptions & { readonly account?: string },
): Promise<void> {
	const account = options.account ?? session.config().config.account;
	await withLedger(session.home, async (ledger) => {
		viewOf(ledger, account);
		const changed = changedCaps(
			ledger.head.state("credits").accounts.get(account)?.caps ?? {},
			options,
		);
		if (changed) {
			orRefused(
				await ledger.head.execute(
					"credits",
					{ type: "set-account-caps", account, caps: changed },
					{ actor: "operator" },
				),
			);
		}
		const view = viewOf(ledger, account);
		session.result(view, () =>
			view.caps.length === 0
				? `Account ${account} has no caps.`
				: capsTable(view.caps),
		);
	});
}

/** A refund's refusal with what the operator needs to do better. */
async function sayMore(
	error: Refusal,
	{ log, head }: Ledger,
	call: string,
): Promise<Outcome<never>> {
	const { code, details } = error;
	if (code === "refund/exceeds-charge") {
		const { charged, refunded, left } = details as Record<
			"charged" | "refunded" | "left",
			MicroCredits
		>;
		return refuse(
			code,
			`No more can be refunded than was charged: of ${formatCredits(charged)} credits ${formatCredits(refunded)} were given back, ${formatCredits(left)} are left.`,
			details,
		);
	}
	if (code === "refund/not-settled") {
		const [resolved] = await log.findByKey([resolutionKey(call)]);
		const why = resolved
			? "It was charged nothing."
			: head.state("credits").holds.has(call)
				? "It is in flight: wait until it has ended."
				: "No call has this id: it stands on the statement and in the answer's x-dos-call-id.";
		return refuse(code, `Only a settled call can be refunded. ${why}`, details);
	}
	return { ok: false, error };
}

/** The account now; refused with `account/unknown`, naming those there are. */
function viewOf({ head, clock }: Ledger, id: string): AccountView {
	const { accounts } = head.state("credits");
	const account = accounts.get(id);
	if (account) return viewAccount(account, clock.now());
	const known = [...accounts.keys()];
	return orRefused(
		refuse(
			"account/unknown",
			known.length === 0
				? "There is no account yet. Run: dos init"
				: `There is no such account. There is: ${known.slice(0, 20).join(", ")}. A new one: set account: in config.yaml, then dos init.`,
			{ accounts: known },
		),
	);
}

function balanceText(view: AccountView, session: Session): string {
	const { holds, caps } = view;
	const text = [
		pairs([
			["account", view.account],
			["available", session.style.bold(amountText(view.available))],
			[
				"held",
				holds.length === 0
					? "0 credits"
					: `${amountText(view.held)} by ${counted(holds.length, "call")} in flight`,
			],
			["spent", amountText(view.spent)],
			["granted", amountText(view.granted)],
		]),
	];
	if (holds.length > 0) {
		text.push(
			table(
				[
					{ title: "in flight since (UTC)" },
					{ title: "call" },
					{ title: "model", shrink: 8 },
					{ title: "held", align: "right" },
				],
				holds
					.slice(0, 20)
					.map(({ since, call, substrate, amount }) => [
						timeText(since),
						call,
						substrate,
						formatCredits(amount),
					]),
				session.width,
			) + (holds.length > 20 ? `\n… and ${holds.length - 20} more` : ""),
		);
	}
	if (caps.length > 0) text.push(capsTable(caps));
	return text.join("\n\n");
}
