import type { MicroCredits } from "../../kernel/money.ts";
import type { Tier } from "../../ports/catalogue.ts";
import type { Meaning } from "../../ports/wire-protocol.ts";

/**
 * Says which substrates are meant: all fields that are there must fit, each by one of its values.
 * Countries may be `EU` or `EEA`; models and substrates may have `*` in them.
 */
export interface Selector {
	readonly substrate?: readonly string[];
	readonly model?: readonly string[];
	readonly vendor?: readonly string[];
	readonly operator?: readonly string[];
	/** Who trained it or what it was made from: trainers and names of models. */
	readonly lineage?: readonly string[];
	/** Where calls are processed. */
	readonly country?: readonly string[];
	readonly seat?: readonly string[];
	readonly law?: readonly string[];
	readonly channel?: readonly string[];
	readonly attestation?: readonly string[];
	readonly weights?: readonly ("open" | "closed")[];
	readonly tier?: readonly Tier[];
	readonly trains?: boolean;
	readonly retentionDaysAtMost?: number;
}

/** A named set of requirements over facts. */
export interface SovereigntyClass {
	readonly id: string;
	/** In words, for the owner. */
	readonly says: string;
	/** Classes whose requirements it has as well: it is stricter than each of them. */
	readonly extends?: readonly string[];
	/** All must hold. */
	readonly require: readonly Selector[];
}

/** Whom a posture binds: all fields that are there must fit, each by one of its values. None: everybody. */
export interface Scope {
	readonly accounts?: readonly string[];
	readonly keys?: readonly string[];
	readonly tags?: readonly string[];
}

/**
 * One dated entry of the owner's policy. Of several entries with one id that bind a call at its moment,
 * the one that came into force last counts: so a bar and its stay are two entries.
 */
export interface Posture {
	readonly id: string;
	/** Who decided, and why. */
	readonly by: string;
	readonly why: string;
	/** Milliseconds since 1970 UTC. In force from here on, */
	readonly from: number;
	/** until before here; undefined: until further notice. */
	readonly until?: number;
	readonly scope: Scope;
	/** Where there are any, one of them must hold. */
	readonly allow: readonly Selector[];
	/** None may hold, or be possible. */
	readonly deny: readonly Selector[];
	/** All must hold. */
	readonly require: readonly Selector[];
	/** Those for which more of them hold come first. */
	readonly prefer: readonly Selector[];
}

/** An entry that cannot be read or contradicts itself: stops what it may have been meant for. */
export interface BrokenPosture {
	readonly id: string;
	readonly problem: string;
	/** As far as it could be read: what could not be read leaves nobody and no time out. */
	readonly scope: Scope;
	readonly from?: number;
	readonly until?: number;
}

/** The owner's policy at one moment of the log. */
export interface Policy {
	/** Names exactly this content. */
	readonly version: string;
	readonly classes: readonly SovereigntyClass[];
	readonly postures: readonly Posture[];
	readonly broken: readonly BrokenPosture[];
}

/** What the owner prefers, by kind of call. */
export interface OwnerTable {
	/** Names exactly this content. */
	readonly version: string;
	/** The first that fits a call ranks for it. */
	readonly rows: readonly TableRow[];
	/** The first that fits says how good a substrate is. */
	readonly grades: readonly Grade[];
	/** Names that callers may use in place of a model's. */
	readonly aliases: Readonly<Record<string, readonly Selector[]>>;
	/** What is switched off, whatever else holds. */
	readonly killed: readonly Selector[];
}

export interface TableRow {
	/** Absent: any. */
	readonly callTypes?: readonly string[];
	readonly difficulties?: readonly Difficulty[];
	/** Best first; what fits none comes last. */
	readonly prefer: readonly Selector[];
}

export interface Grade {
	/** Absent: any. */
	readonly callTypes?: readonly string[];
	readonly where: Selector;
	/** 1 to 1000. */
	readonly quality: number;
}

export type Difficulty = "easy" | "medium" | "hard";

export type Capability =
	| "tools"
	| "json-schema"
	| "reasoning"
	| "caching"
	| "logprobs"
	| "streaming"
	| "image"
	| "document"
	| "audio";

/** What a caller or its key asks for in so many words. */
export interface StatedNeeds {
	readonly callType?: string;
	readonly difficulty?: Difficulty;
	/** 1 to 1000, by the owner's grades. */
	readonly qualityFloor?: number;
	/** Milliseconds for a whole answer; ranks. */
	readonly latencyCeiling?: number;
	readonly costCeiling?: MicroCredits;
	/** All of them must be kept: those of the caller, its key and its account. */
	readonly sovereignty?: readonly string[];
	readonly channels?: readonly string[];
	readonly capabilities?: readonly Capability[];
}

/** What follows from the request itself, by rules. */
export interface InferredNeeds {
	readonly callType: string;
	readonly difficulty: Difficulty;
	/** The rules that said so. */
	readonly because: readonly string[];
	readonly means: Meaning;
	readonly capabilities: readonly Capability[];
	/** Tokens, a little above what is expected: in steps, so that like requests need the same. */
	readonly input: number;
	readonly output: number;
}

/** What a caller named. */
export type Asked =
	| { readonly kind: "substrate"; readonly id: string }
	| { readonly kind: "model"; readonly name: string }
	| { readonly kind: "alias"; readonly name: string }
	| { readonly kind: "auto" };

/** All of one request that a decision stands on. */
export interface RouteRequest {
	readonly asked: Asked;
	readonly account: string;
	readonly key?: string;
	readonly tags?: readonly string[];
	/** Patterns of substrates and models that the key may use, all lists to be kept; `*` stands for anything. */
	readonly rights?: readonly (readonly string[])[];
	/** The same of its account. */
	readonly accountRights?: readonly string[];
	/** Vendors that cannot be spoken to from the client's protocol. */
	readonly unreachable?: readonly string[];
	readonly stated: StatedNeeds;
	readonly inferred: InferredNeeds;
	/** Credits that a hold may take. Absent: no bound. */
	readonly budget?: MicroCredits;
	/** Where the session was answered last, so that its prompt is cached there. */
	readonly sticky?: string;
	/** Any whole number from 0: spreads calls over equals. */
	readonly seed: number;
}

/** What was measured of one substrate. Absent: not yet. */
export interface Health {
	/** Milliseconds to the first byte. */
	readonly firstByte?: number;
	/** Output tokens per second. */
	readonly throughput?: number;
	/** Failed calls in 10,000. */
	readonly errors?: number;
	/** Its breaker is open: it gets probes, and traffic only where nothing else is left. */
	readonly resting?: boolean;
}

export interface HealthSnapshot {
	/** Names exactly this content. */
	readonly version: string;
	readonly of: ReadonlyMap<string, Health>;
}
