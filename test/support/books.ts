import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";
import { type Finding, verifyLog } from "../../src/contexts/log/index.ts";

/** One resolution of a call, as it was recorded. */
export interface Resolved {
	readonly type: string;
	// biome-ignore lint/suspicious/noExplicitAny: what was recorded is what a test looks at.
	readonly data: any;
}

/** What the log of a home says, read by another process than the one that wrote it. */
export interface Books {
	/** Calls that were held for, in order. */
	readonly held: readonly string[];
	readonly resolved: ReadonlyMap<string, readonly Resolved[]>;
	/** What an audit of the whole log finds wrong. */
	readonly findings: readonly Finding[];
	readonly account: {
		readonly granted: number;
		readonly spent: number;
		readonly held: number;
	};
	/** Times that a hold was moved to another substrate. */
	readonly moved: number;
	/** Holds that stand open. */
	readonly holds: number;
	/** The least that was available after any event: below 0, somebody spent what nobody allowed. */
	readonly lowest: number;
	/** What settlements could not charge. */
	readonly uncollected: number;
}

const resolutions = ["credits-settled", "credits-released", "hold-expired"];

/** Reads, folds and audits the log of a home with one account. */
export async function readBooks(folder: string): Promise<Books> {
	const ledger = await openLedger(findHome({}, folder));
	try {
		const resolved = new Map<string, Resolved[]>();
		const held: string[] = [];
		const open = new Map<string, number>();
		let available = 0;
		let lowest = 0;
		let uncollected = 0;
		let moved = 0;
		for await (const batch of ledger.log.read(0)) {
			for (const { type, data: text } of batch) {
				const data = JSON.parse(text);
				if (type === "credits-granted") available += data.amount;
				if (type === "credits-held") {
					held.push(data.call);
					open.set(data.call, data.amount);
					available -= data.amount;
				}
				if (type === "hold-moved") {
					moved++;
					available += (open.get(data.call) ?? 0) - data.amount;
					open.set(data.call, data.amount);
				}
				if (resolutions.includes(type)) {
					available += open.get(data.call) ?? 0;
					open.delete(data.call);
					if (type === "credits-settled") {
						available -= data.amount;
						uncollected += data.uncollected ?? 0;
					}
					resolved.set(data.call, [
						...(resolved.get(data.call) ?? []),
						{ type, data },
					]);
				}
				lowest = Math.min(lowest, available);
			}
		}
		const { findings } = await verifyLog({
			log: ledger.log,
			digest: ledger.digest,
		});
		const state = ledger.head.state("credits");
		const [account] = state.accounts.values();
		if (!account) throw new Error("The account is gone.");
		const { granted, spent } = account;
		return {
			held,
			resolved,
			findings,
			account: { granted, spent, held: account.held },
			moved,
			holds: state.holds.size,
			lowest,
			uncollected,
		};
	} finally {
		await ledger.close();
	}
}
