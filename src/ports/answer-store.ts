/**
 * Keeps whole answers for a while, so that a retry with the same idempotency key gets the first one.
 * Content, not truth: the log alone says what was charged, and without the answer a retry is told so.
 */
export interface AnswerStore {
	/** Keeps an answer until `expires` (milliseconds since 1970 UTC). */
	keep(call: string, answer: KeptAnswer, expires: number): Promise<void>;
	find(call: string, now: number): Promise<KeptAnswer | undefined>;
	/** Forgets what has expired; returns how many. */
	sweep(now: number): Promise<number>;
}

export interface KeptAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Uint8Array;
}
