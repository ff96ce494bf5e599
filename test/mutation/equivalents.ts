import type { Mutant } from "./mutants.ts";

/** A mutant that no test can notice, because it means the same. */
export interface Equivalent extends Pick<Mutant, "file" | "from" | "to"> {
	readonly why: string;
}

export const equivalents: readonly Equivalent[] = [];
