import type { DomainEvent } from "../../kernel/event.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import type { Usage, UsageClass } from "../../ports/price-book.ts";

/** The words of this context: what is asked, what is recorded, what is known. All amounts are micro-credits. */

/** Limits on spending. What is held counts as spent until it is resolved. Absent: no limit. */
export interface Caps {
	readonly total?: MicroCredits | undefined;
	/** Per calendar day and calendar month, UTC. */
	readonly day?: MicroCredits | undefined;
	readonly month?: MicroCredits | undefined;
	/** Largest hold of a single call. */
	readonly request?: MicroCredits | undefined;
}

/** What a key may do. `models` are patterns where `*` stands for anything; absent: all. */
export interface Scopes {
	/** `call` (use models), `read` (see its own account, receipts and quotes). */
	readonly can: readonly ("call" | "read")[];
	readonly models?: readonly string[] | undefined;
}

/** How the true cost became known. */
export type CostBasis = "reported" | "priced" | "fixed" | "estimated";

/** One line of a receipt's sum: `units × price ÷ 1,000,000`, kept exact: the sum is rounded once, up. */
export interface CostLine {
	readonly class: UsageClass;
	readonly units: number;
	/** Micro-credits per million units. */
	readonly price: number;
	/** Part of this line that is paid, in basis points (a batch's discount); absent: all of it. */
	readonly basisPoints?: number;
}

/**
 * What one of several substrates said of an answer, and what that costs: at its own price, rounded up by itself.
 */
export interface CostPart {
	readonly substrate: string;
	/** Characters of the answer's text that stood before it. */
	readonly after: number;
	readonly cost: MicroCredits;
	readonly basis: CostBasis;
	/** Id of the price sheet. */
	readonly sheet: string;
	readonly usage: Usage;
	readonly lines: readonly CostLine[];
}

/** What was tried for a call, in order: where, how it ended, and what it took. Kept, and not looked into. */
export type Attempts = readonly (readonly [
	substrate: string,
	ending: string,
	took: number,
])[];

/** Why a hold was resolved the way it was. */
export type Ending =
	| "finished"
	| "client-gone"
	| "vendor-error"
	| "vendor-broke-off"
	| "timeout"
	| "not-sent"
	| "crashed"
	| "stopped"
	| "expired";

export type CreditsCommand =
	| {
			readonly type: "open-account";
			readonly account: string;
			readonly name: string;
			readonly caps?: Caps;
	  }
	| {
			readonly type: "set-account-caps";
			readonly account: string;
			readonly caps: Caps;
	  }
	/** Bounds every key of the account, and calls without one. */
	| {
			readonly type: "set-account-models";
			readonly account: string;
			/** Patterns as in a key's scopes. Absent: all, which is so from the start. */
			readonly models?: readonly string[];
	  }
	| {
			readonly type: "create-key";
			readonly account: string;
			readonly key: string;
			readonly name: string;
			/** SHA-256 of the key's text, hex: the text itself is never stored. */
			readonly hash: string;
			/** First and last characters, to tell keys apart: `dos_sk_ab…yz`. */
			readonly hint: string;
			readonly scopes: Scopes;
			readonly caps?: Caps;
			/** Milliseconds since 1970 UTC. */
			readonly expires?: number | undefined;
	  }
	| { readonly type: "set-key-caps"; readonly key: string; readonly caps: Caps }
	/** Gives the key a new secret; the old one works until `graceUntil` (at once invalid when it is not after now). */
	| {
			readonly type: "rotate-key";
			readonly key: string;
			readonly hash: string;
			readonly hint: string;
			readonly graceUntil: number;
	  }
	| {
			readonly type: "revoke-key";
			readonly key: string;
			readonly reason?: string;
	  }
	| {
			readonly type: "grant";
			readonly account: string;
			readonly amount: MicroCredits;
			readonly note?: string;
	  }
	| {
			readonly type: "hold";
			readonly call: string;
			readonly account: string;
			/** Key id; absent for the operator's own calls from the terminal. */
			readonly key?: string | undefined;
			/** Wanted. */
			readonly amount: MicroCredits;
			/**
			 * Least that makes sense (at most `amount`): when no more is available and no other hold stands in the way,
			 * the hold takes what is there, down to this. The caller then lowers the output limit it sends.
			 */
			readonly atLeast?: MicroCredits;
			/** The caller has waited long enough: shrink to what is there even while other holds are open. */
			readonly pressing?: boolean;
			/** Milliseconds since 1970 UTC; after it the hold can be expired. */
			readonly expires: number;
			/** Which process holds it: after a crash, the next start knows whose holds are orphans. */
			readonly holder: string;
			readonly substrate: string;
			readonly model: string;
			/** What else the model is called: a key that may use one of the names may use it. */
			readonly names?: readonly string[];
			readonly operation: string;
			/** Id of the price sheet that it was sized by. */
			readonly sheet: string;
			/** Why it goes there: kept with the hold, and not looked into. */
			readonly route?: object;
	  }
	/**
	 * Lets an open hold stand for another substrate at another amount, which may be more or less. It keeps its
	 * call, holder, expiry and time: caps per day and month count it where they did.
	 */
	| {
			readonly type: "move-hold";
			readonly call: string;
			/** Wanted. */
			readonly amount: MicroCredits;
			/** Least that makes sense (at most `amount`): when no more is available, the hold takes what is there, down to this. */
			readonly atLeast?: MicroCredits;
			readonly substrate: string;
			readonly model: string;
			readonly names?: readonly string[];
			readonly sheet: string;
	  }
	| {
			readonly type: "settle";
			readonly call: string;
			/** The true cost, or the best estimate of it. */
			readonly cost: MicroCredits;
			readonly basis: CostBasis;
			readonly ending: Ending;
			readonly usage: Usage;
			readonly lines: readonly CostLine[];
			/** Where the answer was begun by one substrate and gone on with by another: the cost is the sum of theirs, and lines and sheets are theirs. */
			readonly parts?: readonly CostPart[];
			/** Id of the price sheet; absent when the vendor reported the cost. */
			readonly sheet?: string;
			/** What a reader of the receipt should know, in words: "the vendor reported no usage". */
			readonly notes?: readonly string[];
			/** For learning right-sized holds: bytes that could become input. */
			readonly inputBytes?: number;
			/** As the vendor named it. */
			readonly finishReason?: string | undefined;
			/** Milliseconds: to the first byte, and in all. */
			readonly timing?: { readonly firstByte?: number; readonly total: number };
			readonly status?: number;
			readonly attempts?: Attempts;
	  }
	| {
			readonly type: "release";
			readonly call: string;
			readonly ending: Ending;
			readonly notes?: readonly string[];
			readonly status?: number;
			readonly attempts?: Attempts;
	  }
	/** Expires one hold; refused (`hold/not-due`) before its time. */
	| { readonly type: "expire"; readonly call: string }
	| {
			readonly type: "refund";
			readonly call: string;
			readonly amount?: MicroCredits;
			readonly reason: string;
	  };

export type CreditsEvent =
	| DomainEvent<"account-opened", { account: string; name: string; caps: Caps }>
	| DomainEvent<"account-caps-set", { account: string; caps: Caps }>
	| DomainEvent<
			"account-models-set",
			{ account: string; models?: readonly string[] }
	  >
	| DomainEvent<
			"key-created",
			{
				account: string;
				key: string;
				name: string;
				hash: string;
				hint: string;
				scopes: Scopes;
				caps: Caps;
				expires?: number;
			}
	  >
	| DomainEvent<"key-caps-set", { account: string; key: string; caps: Caps }>
	| DomainEvent<
			"key-rotated",
			{
				account: string;
				key: string;
				hash: string;
				hint: string;
				graceUntil: number;
			}
	  >
	| DomainEvent<
			"key-revoked",
			{ account: string; key: string; reason?: string }
	  >
	| DomainEvent<
			"credits-granted",
			{ account: string; amount: MicroCredits; note?: string }
	  >
	| DomainEvent<
			"credits-held",
			{
				call: string;
				account: string;
				key?: string;
				amount: MicroCredits;
				expires: number;
				holder: string;
				substrate: string;
				model: string;
				operation: string;
				sheet: string;
				route?: object;
			}
	  >
	| DomainEvent<
			"hold-moved",
			{
				call: string;
				account: string;
				key?: string;
				amount: MicroCredits;
				before: { amount: MicroCredits; substrate: string };
				substrate: string;
				model: string;
				sheet: string;
			}
	  >
	| DomainEvent<
			"credits-settled",
			{
				call: string;
				account: string;
				key?: string;
				/** What was charged: the cost, or less when neither hold nor balance covered it. */
				amount: MicroCredits;
				cost: MicroCredits;
				/** cost - amount, when that is not 0: nobody paid it. */
				uncollected?: MicroCredits;
				held: { position: number; time: number; amount: MicroCredits };
				substrate: string;
				model: string;
				operation: string;
				basis: CostBasis;
				ending: Ending;
				usage: Usage;
				lines: readonly CostLine[];
				parts?: readonly CostPart[];
				sheet?: string;
				notes?: readonly string[];
				inputBytes?: number;
				finishReason?: string;
				timing?: { firstByte?: number; total: number };
				status?: number;
				attempts?: Attempts;
			}
	  >
	| DomainEvent<
			"credits-released",
			{
				call: string;
				account: string;
				key?: string;
				held: { position: number; time: number; amount: MicroCredits };
				substrate: string;
				model: string;
				operation: string;
				ending: Ending;
				notes?: readonly string[];
				status?: number;
				attempts?: Attempts;
			}
	  >
	| DomainEvent<
			"hold-expired",
			{
				call: string;
				account: string;
				key?: string;
				held: { position: number; time: number; amount: MicroCredits };
				substrate: string;
				model: string;
				operation: string;
			}
	  >
	| DomainEvent<
			"credits-refunded",
			{
				call: string;
				account: string;
				key?: string;
				amount: MicroCredits;
				reason: string;
				/** What was charged and when, and the hold it was charged to: which cap windows the refund gives back to. */
				settled: { position: number; time: number; amount: MicroCredits };
				held: { position: number; time: number; amount: MicroCredits };
			}
	  >;

/** The data of one of the context's events. */
export type DataOf<Type extends CreditsEvent["type"]> = Extract<
	CreditsEvent,
	{ type: Type }
>["data"];

/** Spending counted against caps. `day` and `month` are those of `dayOf` and `monthOf`; an older one counts as 0. */
export interface Spending {
	/** Settled, less refunds. */
	spent: MicroCredits;
	/** In open holds. */
	held: MicroCredits;
	/** Settled and held together in the window. `dayOf` is days since 1970, `monthOf` months since 1970 (UTC). */
	day: MicroCredits;
	dayOf: number;
	month: MicroCredits;
	monthOf: number;
}

export interface Account extends Spending {
	readonly id: string;
	readonly name: string;
	granted: MicroCredits;
	caps: Caps;
	/** What its calls may use, whatever the key; undefined: all. */
	models: readonly string[] | undefined;
	/** Open holds by call. */
	readonly holds: Map<string, Hold>;
}

export interface Key extends Spending {
	readonly id: string;
	readonly account: string;
	readonly name: string;
	readonly created: number;
	hint: string;
	/** Of all its secrets ever, the one in use last. */
	readonly hashes: string[];
	scopes: Scopes;
	caps: Caps;
	expires: number | undefined;
	revoked: number | undefined;
}

export interface Hold {
	readonly call: string;
	readonly account: string;
	readonly key: string | undefined;
	readonly amount: MicroCredits;
	readonly expires: number;
	readonly holder: string;
	readonly substrate: string;
	readonly model: string;
	readonly operation: string;
	/** Of the event that recorded it. */
	readonly position: number;
	readonly time: number;
}

export interface CreditsState {
	readonly accounts: Map<string, Account>;
	readonly keys: Map<string, Key>;
	/** Key id by hash of a secret, with the time until which a rotated-out one works. None is ever forgotten, so none is used twice. */
	readonly secrets: Map<
		string,
		{ readonly key: string; readonly until: number | undefined }
	>;
	/** Open holds by call: the same objects as in their accounts. */
	readonly holds: Map<string, Hold>;
	/** Micro-credits refunded so far, by call: only calls that have refunds. */
	readonly refunded: Map<string, MicroCredits>;
}
