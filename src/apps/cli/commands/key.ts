import { type KeyView, viewKey } from "../../../contexts/credits/index.ts";
import { formatCredits } from "../../../kernel/money.ts";
import { refuse } from "../../../kernel/outcome.ts";
import { type Ledger, withLedger } from "../../ledger.ts";
import { timeText } from "../amounts.ts";
import { type CapOptions, capsTable, changedCaps } from "../caps.ts";
import { orRefused } from "../errors.ts";
import { operatorIntent } from "../intent.ts";
import { findKey } from "../keys.ts";
import { makeSecret } from "../secret.ts";
import type { Session } from "../session.ts";
import { pairs, table } from "../table.ts";

interface CreateOptions extends CapOptions {
	readonly name: string;
	readonly account?: string;
	readonly models?: readonly string[];
	readonly readOnly?: boolean;
	readonly expires?: number;
	readonly idempotencyKey?: string;
}

export async function create(
	session: Session,
	options: CreateOptions,
): Promise<void> {
	const account = options.account ?? session.config().config.account;
	await withLedger(session.home, async (ledger) => {
		const { head, chance, digest, clock } = ledger;
		const secret = makeSecret(chance, digest);
		const { idempotencyKey, ...asked } = options;
		const recorded = orRefused(
			await head.execute(
				"credits",
				{
					type: "create-key",
					account,
					key: chance.id(),
					name: options.name,
					hash: secret.hash,
					hint: secret.hint,
					scopes: {
						can: options.readOnly ? ["read"] : ["call", "read"],
						...(options.models && { models: options.models }),
					},
					caps: changedCaps({}, options) ?? {},
					...(options.expires !== undefined && {
						expires: clock.now() + options.expires,
					}),
				},
				operatorIntent(digest, idempotencyKey, ["key create", account, asked]),
			),
		);
		const key = viewOf(ledger, String(recorded.events[0]?.data.key));
		answer(session, key, recorded.replayed ? undefined : secret.text);
	});
}

export async function rotate(
	session: Session,
	named: string,
	options: { readonly grace: number; readonly idempotencyKey?: string },
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { head, chance, digest, clock } = ledger;
		const { id } = findKey(ledger, named);
		const secret = makeSecret(chance, digest);
		const recorded = orRefused(
			await head.execute(
				"credits",
				{
					type: "rotate-key",
					key: id,
					hash: secret.hash,
					hint: secret.hint,
					graceUntil: clock.now() + options.grace,
				},
				operatorIntent(digest, options.idempotencyKey, [
					"key rotate",
					id,
					options.grace,
				]),
			),
		);
		answer(
			session,
			viewOf(ledger, id),
			recorded.replayed ? undefined : secret.text,
		);
	});
}

export async function revoke(
	session: Session,
	named: string,
	options: { readonly reason?: string },
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { id } = findKey(ledger, named);
		const { reason } = options;
		orRefused(
			await ledger.head.execute(
				"credits",
				{
					type: "revoke-key",
					key: id,
					...(reason !== undefined && { reason }),
				},
				{ actor: "operator" },
			),
		);
		const key = viewOf(ledger, id);
		session.result(
			key,
			() =>
				`${nameOf(key)} is revoked: it works no more, from now on and for ever.`,
		);
	});
}

export async function setCaps(
	session: Session,
	named: string,
	options: CapOptions,
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { id, caps } = findKey(ledger, named);
		const changed = changedCaps(caps, options);
		if (changed) {
			orRefused(
				await ledger.head.execute(
					"credits",
					{ type: "set-key-caps", key: id, caps: changed },
					{ actor: "operator" },
				),
			);
		}
		const key = viewOf(ledger, id);
		session.result(key, () =>
			key.caps.length === 0
				? `${nameOf(key)} has no caps.`
				: capsTable(key.caps),
		);
	});
}

export async function list(
	session: Session,
	options: { readonly account?: string; readonly all?: boolean },
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const now = ledger.clock.now();
		const keys = [...ledger.head.state("credits").keys.values()]
			.filter(
				(key) =>
					options.account === undefined || key.account === options.account,
			)
			.map((key) => viewOf(ledger, key.id))
			.filter((key) => options.all || stateOf(key, now) === "works");
		session.result({ keys }, () => {
			if (keys.length === 0)
				return "No key. Make one: dos key create --name laptop";
			const { style } = session;
			return table(
				[
					{ title: "name", shrink: 8 },
					{ title: "id" },
					{ title: "key" },
					{ title: "spent", align: "right" },
					{ title: "left", align: "right" },
					{
						title: "state",
						paint: (cell, row) =>
							keys[row] && stateOf(keys[row], now) === "works"
								? cell
								: style.dim(cell),
					},
				],
				keys.map((key) => [
					key.name,
					key.key,
					key.hint,
					formatCredits(key.spent),
					leftOf(key),
					stateOf(key, now) === "works" && key.expires !== undefined
						? `until ${timeText(key.expires).slice(0, 10)}`
						: stateOf(key, now),
				]),
				session.width,
			);
		});
	});
}

function viewOf({ head, clock }: Ledger, id: string): KeyView {
	const state = head.state("credits");
	const key = state.keys.get(id);
	const account = key && state.accounts.get(key.account);
	if (!key || !account)
		return orRefused(refuse("key/unknown", "There is no such key."));
	return viewKey(key, account, clock.now());
}

/** A key just made or rotated. A repeated request gets no secret: it was shown the first time, and is not stored. */
function answer(
	session: Session,
	key: KeyView,
	secret: string | undefined,
): void {
	session.result(
		{ ...key, secret: secret ?? null, replayed: secret === undefined },
		() => {
			const rows: [string, string][] = [
				["name", key.name],
				["id", key.key],
				["key", secret === undefined ? key.hint : session.style.bold(secret)],
			];
			if (key.models) rows.push(["models", key.models.join(", ")]);
			if (!key.can.includes("call")) rows.push(["may", "read only"]);
			if (key.expires !== undefined)
				rows.push(["expires", `${timeText(key.expires)} UTC`]);
			const text = [pairs(rows)];
			if (key.caps.length > 0) text.push(capsTable(key.caps));
			text.push(
				secret === undefined
					? "This was done before under the same idempotency key. The key's text was shown then and is not stored."
					: "The key is shown this once: keep it where secrets are kept.",
			);
			return text.join("\n\n");
		},
	);
}

function stateOf(key: KeyView, now: number): "works" | "revoked" | "expired" {
	if (key.revoked !== undefined) return "revoked";
	return key.expires !== undefined && key.expires <= now ? "expired" : "works";
}

/** The least that a cap on the key leaves. */
function leftOf(key: KeyView): string {
	const left = key.caps
		.filter(({ window }) => window !== "request")
		.map((cap) => cap.left);
	return left.length === 0 ? "no cap" : formatCredits(Math.min(...left));
}

function nameOf(key: KeyView): string {
	return `${key.name} (${key.hint})`;
}
