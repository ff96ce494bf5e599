/** Time, and doing something later. Tests and simulations drive it. */
export interface Clock {
	/** Milliseconds since 1970 UTC. */
	now(): number;
	/** Runs `work` once everything that has already arrived was handed over: the moment to gather a batch. */
	soon(work: () => void): void;
	/** Runs `work` in `milliseconds`; the returned function calls it off. Never keeps the process alive. */
	later(milliseconds: number, work: () => void): () => void;
}
