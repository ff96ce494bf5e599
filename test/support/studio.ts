import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSecret } from "../../src/apps/cli/secret.ts";
import { openStudio, type Studio } from "../../src/apps/compose.ts";
import { type Config, parseConfig } from "../../src/apps/config.ts";
import { findHome, type Home } from "../../src/apps/home.ts";
import { type Ledger, openLedger } from "../../src/apps/ledger.ts";
import type {
	CreditsCommand,
	Scopes,
} from "../../src/contexts/credits/index.ts";
import { microCreditsPerCredit } from "../../src/kernel/money.ts";

/** A whole Studio in a temporary home: real log, real server, whatever vendors the settings name. */
export interface TestStudio {
	readonly url: string;
	readonly home: Home;
	readonly ledger: Ledger;
	readonly studio: Studio;
	/** What it reported to its owner. */
	readonly reports: string[];
	/** Records a command as the operator; throws when it is refused. */
	run(command: CreditsCommand): Promise<void>;
	/** A new key of account `main`. */
	key(options?: {
		scopes?: Scopes;
		caps?: { total?: number; day?: number; month?: number; request?: number };
		account?: string;
	}): Promise<string>;
	/** Resolves when no call is open: a client may have its whole answer a moment before its call is settled. */
	settled(): Promise<void>;
	account(id?: string): {
		granted: number;
		spent: number;
		held: number;
		available: number;
	};
	close(): Promise<void>;
}

export async function startStudio(
	yaml = "",
	options: {
		grant?: number;
		environment?: Record<string, string>;
		home?: Home;
		keepHome?: boolean;
	} = {},
): Promise<TestStudio> {
	const home =
		options.home ?? findHome({}, mkdtempSync(join(tmpdir(), "dos-test-")));
	const environment = options.environment ?? {};
	const { config }: { config: Config } = parseConfig(yaml, {
		environment,
		file: "config.yaml",
		folder: home.folder,
	});
	const ledger = await openLedger(home, { create: true });
	const reports: string[] = [];
	const studio = await openStudio({
		ledger,
		config: { ...config, listen: { ...config.listen, port: 0 } },
		environment,
		version: "0.0.0-test",
		report: (line) => reports.push(line),
	});
	const url = await studio.listen();
	const run = async (command: CreditsCommand): Promise<void> => {
		const outcome = await ledger.head.execute("credits", command, {
			actor: "operator",
		});
		if (!outcome.ok)
			throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
	};
	if (!ledger.head.state("credits").accounts.has("main")) {
		await run({ type: "open-account", account: "main", name: "main" });
		await run({
			type: "grant",
			account: "main",
			amount: options.grant ?? 1_000 * microCreditsPerCredit,
		});
	}
	return {
		url,
		home,
		ledger,
		studio,
		reports,
		run,
		async key({
			scopes = { can: ["call", "read"] } as Scopes,
			caps = {},
			account = "main",
		} = {}) {
			const secret = makeSecret(ledger.chance, ledger.digest);
			const key = ledger.chance.id();
			await run({
				type: "create-key",
				account,
				key,
				name: "test",
				hash: secret.hash,
				hint: secret.hint,
				scopes,
				caps,
			});
			return secret.text;
		},
		async settled() {
			for (
				let tries = 0;
				ledger.head.state("credits").holds.size > 0;
				tries++
			) {
				if (tries > 500) throw new Error("A hold stayed open for 5 s.");
				await new Promise((resolve) => setTimeout(resolve, 10));
			}
		},
		account(id = "main") {
			const { granted, spent, held } = ledger.head
				.state("credits")
				.accounts.get(id) as { granted: number; spent: number; held: number };
			return { granted, spent, held, available: granted - spent - held };
		},
		async close() {
			await studio.stop();
			await ledger.close();
			if (!options.keepHome)
				rmSync(home.folder, { recursive: true, force: true });
		},
	};
}

/** Settings with one vendor `mock` at an address, and a price for all its models. */
export function mockVendor(
	url: string,
	protocol = "openai-chat",
	more = "",
): string {
	return `
vendors:
  mock:
    protocol: ${protocol}
    base: ${url}/v1
    key: vendor-secret-key-123456
prices:
  - vendor: mock
    model: "*"
    prices: { input: 1, output: 2 }
${more}`;
}
