import type { Caps, CreditsCommand } from "../../src/contexts/credits/index.ts";
import type { Random } from "./random.ts";

const hour = 3_600_000;

/** What callers ask for: mostly sense, sometimes the wrong thing, the same thing again, or too much. */
export interface Callers {
	/** `now` is the time that a caller believes in. */
	ask(now: number): CreditsCommand;
}

/** What must be there before calls make sense. */
export const opening: readonly CreditsCommand[] = [
	{ type: "open-account", account: "a", name: "A", caps: { day: 900 } },
	{ type: "grant", account: "a", amount: 1_500 },
	{
		type: "create-key",
		account: "a",
		key: "k1",
		name: "n",
		hash: "1".repeat(64),
		hint: "h",
		scopes: { can: ["call"] },
		caps: { day: 400 },
	},
	{
		type: "create-key",
		account: "a",
		key: "k2",
		name: "n",
		hash: "2".repeat(64),
		hint: "h",
		scopes: { can: ["call"] },
		caps: { total: 900, month: 700 },
	},
];

/** `open` names the calls whose credits are held now: what sensible callers resolve. */
export function callers(
	random: Random,
	open: () => readonly string[],
): Callers {
	const calls: string[] = [];
	let secrets = 2;

	const account = () => random.pick(["a", "a", "a", "b"]);
	const key = () => random.pick(["k1", "k1", "k1", "k2", "k2", "k2", "k3"]);
	function call(): string {
		const held = open();
		if (held.length > 0 && random.chance(0.6)) return random.pick(held);
		return calls.length > 0
			? (calls[Math.max(0, calls.length - 1 - random.below(12))] as string)
			: "none";
	}
	const newHash = () => (++secrets).toString(16).padStart(64, "0");

	function caps(): Caps {
		const some = () =>
			random.chance(0.4) ? { cap: random.between(0, 1_200) } : {};
		const [total, day, month, request] = [some(), some(), some(), some()];
		return {
			total: total.cap,
			day: day.cap,
			month: month.cap,
			request: request.cap,
		};
	}

	const asks: readonly (readonly [number, (now: number) => CreditsCommand])[] =
		[
			[
				40,
				(now) => {
					const id = random.chance(0.04) ? call() : `c${calls.length + 1}`;
					if (!calls.includes(id)) calls.push(id);
					const amount = random.between(0, 300);
					return {
						type: "hold",
						call: id,
						account: "a",
						...(random.chance(0.85) && { key: key() }),
						amount,
						...(random.chance(0.3) && {
							atLeast: random.below(amount + 1),
							pressing: random.chance(0.5),
						}),
						expires: now + random.between(1, 48) * hour,
						holder: "studio",
						substrate: "acme/m1",
						model: "m1",
						operation: "chat",
						sheet: "s",
						...(random.chance(0.5) && { route: { seed: calls.length } }),
					};
				},
			],
			[
				25,
				() => ({
					type: "settle",
					call: call(),
					cost: random.between(0, 360),
					basis: "priced",
					ending: "finished",
					usage: { input: 1 },
					lines: [],
					...(random.chance(0.2) && {
						attempts: [["acme/m1", "timeout", random.below(5_000)]],
					}),
				}),
			],
			[
				16,
				() => {
					const amount = random.between(0, 900);
					return {
						type: "move-hold",
						call: call(),
						amount,
						...(random.chance(0.3) && { atLeast: random.below(amount + 1) }),
						substrate: "apex/m1",
						model: "m1",
						sheet: "s2",
					};
				},
			],
			[8, () => ({ type: "release", call: call(), ending: "vendor-error" })],
			[8, () => ({ type: "expire", call: call() })],
			[
				7,
				() => ({
					type: "refund",
					call: call(),
					reason: "r",
					...(random.chance(0.7) && { amount: random.between(1, 200) }),
				}),
			],
			[
				4,
				() => ({
					type: "grant",
					account: account(),
					amount: random.between(1, 400),
				}),
			],
			[
				3,
				() => ({ type: "set-account-caps", account: account(), caps: caps() }),
			],
			[3, () => ({ type: "set-key-caps", key: key(), caps: caps() })],
			[
				2,
				(now) => ({
					type: "create-key",
					account: account(),
					key: key(),
					name: "n",
					hash: newHash(),
					hint: "h",
					scopes: { can: ["call"] },
					caps: caps(),
					...(random.chance(0.5) && {
						expires: now + random.between(1, 60) * hour,
					}),
				}),
			],
			[
				1,
				(now) => ({
					type: "rotate-key",
					key: key(),
					hash: newHash(),
					hint: "h",
					graceUntil: now + hour,
				}),
			],
			[1, () => ({ type: "revoke-key", key: key() })],
			[1, () => ({ type: "open-account", account: account(), name: "n" })],
		];
	const weight = asks.reduce((sum, [part]) => sum + part, 0);

	return {
		ask(now) {
			let draw = random.below(weight);
			for (const [part, ask] of asks) {
				if (draw < part) return ask(now);
				draw -= part;
			}
			throw new RangeError("A draw beyond all weights.");
		},
	};
}
