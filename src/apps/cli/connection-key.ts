import type { Connection } from "../connections.ts";
import type { Ledger } from "../ledger.ts";
import { orRefused } from "./errors.ts";
import { makeSecret } from "./secret.ts";

/** The key that a connection has already, if it still works for that account; a new text for it when `renew` says so. Else a new key. */
export async function connectionKey(
	{ head, chance, digest, clock }: Ledger,
	wanted: {
		readonly name: string;
		readonly account: string;
		readonly renew: boolean;
	},
	previous: Connection | undefined,
): Promise<Connection["key"]> {
	await head.refresh();
	const known = previous && head.state("credits").keys.get(previous.key.id);
	const works =
		known !== undefined &&
		known.account === wanted.account &&
		known.revoked === undefined &&
		(known.expires === undefined || known.expires > clock.now());
	// Its text is not ours any more where somebody rotated it by hand.
	const ours =
		previous && known?.hashes.at(-1) === digest.text(previous.key.secret);
	if (works && ours && !wanted.renew) return previous.key;
	const secret = makeSecret(chance, digest);
	const { hash, hint } = secret;
	if (works) {
		orRefused(
			await head.execute(
				"credits",
				{
					type: "rotate-key",
					key: known.id,
					hash,
					hint,
					graceUntil: clock.now(),
				},
				{ actor: "operator" },
			),
		);
		return { id: known.id, secret: secret.text };
	}
	const id = chance.id();
	orRefused(
		await head.execute(
			"credits",
			{
				type: "create-key",
				account: wanted.account,
				key: id,
				name: wanted.name,
				hash,
				hint,
				scopes: { can: ["call", "read"] },
			},
			{ actor: "operator" },
		),
	);
	return { id, secret: secret.text };
}

/** Ends a key that nothing uses any more. One that is gone already, or of another log, is no matter. */
export async function revokeConnectionKey(
	{ head }: Ledger,
	key: string,
	reason: string,
): Promise<void> {
	await head.refresh();
	const known = head.state("credits").keys.get(key);
	if (!known || known.revoked !== undefined) return;
	orRefused(
		await head.execute(
			"credits",
			{ type: "revoke-key", key, reason },
			{ actor: "operator" },
		),
	);
}
