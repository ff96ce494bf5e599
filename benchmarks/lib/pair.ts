import type { Ledger } from "../../src/apps/ledger.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";

/** The events that a call of the gateway leaves in the log, but for the router's decision: some 420 bytes of the hold's. */
export async function pair(ledger: Ledger, index: number): Promise<void> {
	const call = `call_${ledger.chance.id()}`;
	await execute(
		ledger,
		{
			type: "hold",
			call,
			account: `a${index}`,
			key: `k${index}`,
			amount: 83_100,
			atLeast: 41_000,
			expires: ledger.clock.now() + 600_000,
			holder: "bench/1",
			substrate: "mock/gpt-4o-mini",
			model: "gpt-4o-mini",
			operation: "chat",
			sheet: "bench/1",
		},
		{ actor: `key/k${index}`, correlation: call },
	);
	await execute(
		ledger,
		{
			type: "settle",
			call,
			cost: 41_700,
			basis: "priced",
			ending: "finished",
			usage: { input: 57, output: 180 },
			lines: [
				{ class: "input", units: 57, price: 100_000_000 },
				{ class: "output", units: 180, price: 200_000_000 },
			],
			sheet: "bench/1",
			notes: [],
			inputBytes: 420,
			finishReason: "stop",
			timing: { firstByte: 3, total: 4 },
			status: 200,
		},
		{ actor: "system", cause: call },
	);
}

export async function execute(
	{ head }: Ledger,
	command: CreditsCommand,
	intent: { actor: string; correlation?: string; cause?: string } = {
		actor: "operator",
	},
): Promise<void> {
	const outcome = await head.execute("credits", command, intent);
	if (!outcome.ok) throw new Error(outcome.error.message);
}
