/**
 * What a unit of usage is counted as. Classes are disjoint: `input` holds no cached token,
 * `output` no reasoning one, so that each unit is paid once.
 */
export type UsageClass =
	| "input"
	| "output"
	| "reasoning"
	| "cache-read"
	| "cache-write-5m"
	| "cache-write-1h"
	| "input-audio"
	| "cache-read-audio"
	| "output-audio"
	| "input-image"
	| "cache-read-image"
	| "output-image"
	| PieceClass
	| "search"
	| "request";

/**
 * How vendors sell images and sound that they do not count in tokens: by the image made, by the
 * character spoken, by the second heard. What is paid by the piece is not paid in tokens as well.
 */
export type PieceClass = "image" | "character" | "audio-second";

/** Counts by class: tokens, pieces, or requests for `request` and `search`. Whole numbers, never negative; absent is none. */
export type Usage = Readonly<Partial<Record<UsageClass, number>>>;

/** A price in micro-credits per million units, from an amount of input tokens on. */
export interface Rate {
	/** Applies when the call's input (cached and uncached tokens together) is at least this many tokens. */
	readonly from: number;
	/** Micro-credits per 1,000,000 units: a whole number, never negative. */
	readonly price: number;
}

/** The prices of one substrate at one moment. */
export interface PriceSheet {
	/** Names this very sheet on receipts: source, version, vendor, model, effective date. */
	readonly id: string;
	/** By class, rates by rising `from`, the first from 0. */
	readonly rates: Readonly<Partial<Record<UsageClass, readonly Rate[]>>>;
	/** Part of the price that a batch call pays, in basis points (5000 = half). Absent: no discount. */
	readonly batchBasisPoints?: number;
}

export interface ModelFacts {
	readonly model: string;
	/** Tokens; absent when not known. */
	readonly contextWindow?: number;
}

/** Prices by vendor, model and time. */
export interface PriceBook {
	/** Names source and version: stands on receipts and quotes. */
	readonly version: string;
	/** The sheet in force, or undefined: an unknown price is never zero. `at` is milliseconds since 1970 UTC. */
	find(vendor: string, model: string, at: number): PriceSheet | undefined;
	/** The models it knows of a vendor. */
	models(vendor: string): readonly ModelFacts[];
}
