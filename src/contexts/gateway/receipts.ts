import { readEvent, type StoredEvent } from "../../kernel/event.ts";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { EventLog } from "../../ports/event-log.ts";
import {
	type Attempts,
	type CostLine,
	type CostPart,
	type CreditsState,
	type DataOf,
	resolutionKey,
} from "../credits/index.ts";
import type { DecisionRecord } from "../routing/index.ts";

/** What one call cost and why. Amounts are micro-credits, times milliseconds since 1970 UTC. Plain JSON. */
export interface Receipt {
	readonly call: string;
	readonly status: "held" | "settled" | "released" | "expired";
	readonly account: string;
	readonly key?: string;
	readonly substrate: string;
	/** As the client named it. */
	readonly model: string;
	readonly operation: string;
	readonly held: {
		readonly amount: number;
		readonly time: number;
		readonly position: number;
	};
	/** What the call's route named first, and the versions of what that was decided under; `dos route explain <call>` tells all of it. */
	readonly route?: RouteTaken;
	/** What was tried, in order, where that was more than once: the substrate, how it ended, and milliseconds. */
	readonly attempts?: Attempts;
	/** What was charged; 0 for a call that was released. Absent while it is held. */
	readonly charged?: number;
	/** The call's true cost, where that is more than was charged. */
	readonly uncollected?: number;
	/** How the cost became known, and the price sheet that it was priced by. */
	readonly basis?: string;
	readonly sheet?: string;
	/** Each line is `units × price ÷ 1,000,000` (less a batch's discount), given exactly; their sum is rounded up once. */
	readonly lines?: readonly ReceiptLine[];
	readonly sum?: ReceiptSum;
	/** Where one substrate began the answer and another went on with it, after so many characters: each at its own price. Their costs are the call's. */
	readonly parts?: readonly (Omit<CostPart, "lines"> & {
		readonly lines: readonly ReceiptLine[];
		readonly sum?: ReceiptSum;
	})[];
	readonly usage?: Readonly<Record<string, number>>;
	readonly ending?: string;
	readonly finishReason?: string;
	readonly timing?: { readonly firstByte?: number; readonly total: number };
	readonly notes?: readonly string[];
	/** Given back since. */
	readonly refunded?: number;
	/** The event that resolved it: `dos audit prove <call>` proves it under a signed checkpoint. */
	readonly proof?: {
		readonly position: number;
		readonly hash: string;
		readonly time: number;
	};
}

type ReceiptLine = CostLine & { readonly exact: string };
interface ReceiptSum {
	readonly exact: string;
	readonly rounded: number;
}

export interface RouteTaken {
	readonly winner: string;
	readonly catalogue: string;
	readonly policy: string;
	readonly table: string;
}

/** The receipt of a call, or `receipt/unknown`. With `account`, only of that account's calls. */
export async function receiptOf(
	call: string,
	state: CreditsState,
	log: EventLog,
	account?: string,
): Promise<Outcome<Receipt>> {
	const open = state.holds.get(call);
	const [stored] = open ? [] : await log.findByKey([resolutionKey(call)]);
	const receipt = open
		? { ...heldReceipt(open) }
		: stored && resolvedReceipt(stored, state.refunded.get(call));
	if (!receipt || (account !== undefined && receipt.account !== account)) {
		return refuse(
			"receipt/unknown",
			`There is no receipt for "${call.slice(0, 64)}". Its id stands in the answer's x-dos-call-id header.`,
		);
	}
	const route = await routeOf(receipt, log);
	return accept(route ? { ...receipt, route } : receipt);
}

/** Stands with the hold that the call began with; calls of old have none. */
async function routeOf(
	{ call, held }: Receipt,
	log: EventLog,
): Promise<RouteTaken | undefined> {
	const stored = await log.at(held.position);
	if (stored?.type !== "credits-held") return undefined;
	const data = readEvent(stored).data as unknown as DataOf<"credits-held">;
	const route = data.route as DecisionRecord | undefined;
	if (data.call !== call || route?.winner === undefined) return undefined;
	const { winner, catalogue, policy, table } = route;
	return { winner, catalogue, policy, table };
}

function heldReceipt(
	hold: NonNullable<ReturnType<CreditsState["holds"]["get"]>>,
): Receipt {
	const {
		call,
		account,
		key,
		substrate,
		model,
		operation,
		amount,
		time,
		position,
	} = hold;
	return {
		call,
		status: "held",
		account,
		...(key === undefined ? {} : { key }),
		substrate,
		model,
		operation,
		held: { amount, time, position },
	};
}

function resolvedReceipt(
	stored: StoredEvent,
	refunded: number | undefined,
): Receipt {
	const event = readEvent(stored);
	const data = event.data as unknown as DataOf<"credits-settled">;
	const {
		call,
		account,
		key,
		substrate,
		model,
		operation,
		held,
		ending,
		notes,
		attempts,
	} = data;
	const common = {
		call,
		account,
		...(key === undefined ? {} : { key }),
		substrate,
		model,
		operation,
		held: { amount: held.amount, time: held.time, position: held.position },
		proof: { position: stored.position, hash: stored.hash, time: stored.time },
		...(notes && notes.length > 0 ? { notes } : {}),
		...(attempts ? { attempts } : {}),
	};
	if (event.type === "hold-expired")
		return { ...common, status: "expired", charged: 0, ending: "expired" };
	if (event.type === "credits-released")
		return { ...common, status: "released", charged: 0, ending };
	return {
		...common,
		status: "settled",
		charged: data.amount,
		...(data.uncollected ? { uncollected: data.uncollected } : {}),
		basis: data.basis,
		...(data.sheet === undefined ? {} : { sheet: data.sheet }),
		...summed(data),
		...(data.parts
			? { parts: data.parts.map((part) => ({ ...part, ...summed(part) })) }
			: {}),
		usage: data.usage as Record<string, number>,
		ending,
		...(data.finishReason === undefined
			? {}
			: { finishReason: data.finishReason }),
		...(data.timing === undefined ? {} : { timing: data.timing }),
		...(refunded ? { refunded } : {}),
	};
}

/** Lines with what each comes to, and their sum. */
function summed({
	lines,
	cost,
}: {
	readonly lines: readonly CostLine[];
	readonly cost: number;
}): { readonly lines: readonly ReceiptLine[]; readonly sum?: ReceiptSum } {
	const told = lines.map((line) => ({
		...line,
		exact: exact(tenBillionths(line)),
	}));
	if (told.length === 0) return { lines: told };
	const sum = lines.reduce((total, line) => total + tenBillionths(line), 0n);
	return { lines: told, sum: { exact: exact(sum), rounded: cost } };
}

/** A line's cost in 1e-10 micro-credits, whole. */
function tenBillionths({
	units,
	price,
	basisPoints = 10_000,
}: CostLine): bigint {
	return BigInt(units) * BigInt(price) * BigInt(basisPoints);
}

/** "12.000075": micro-credits, exact. */
function exact(tenBillionths: bigint): string {
	const digits = tenBillionths.toString().padStart(11, "0");
	const fraction = digits.slice(-10).replace(/0+$/, "");
	return digits.slice(0, -10) + (fraction && `.${fraction}`);
}
