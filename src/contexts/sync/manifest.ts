import type { Glob } from "./glob.ts";

/** What must agree, whichever version of the manifest said it. */
export interface Manifest {
	readonly version: 1 | 2;
	/** The manifest's own file, absolute. */
	readonly path: string;
	readonly links: readonly Link[];
	/** Which permission bits must agree: all nine, only "may it be run", or none. */
	readonly modes: Modes;
	/** Whether a fix may overwrite (and keep) a copy whose history nobody knows. Version 1 says so, as published. */
	readonly overwritesUnknown: boolean;
	/** What was understood and is probably not meant. */
	readonly warnings: readonly string[];
}

export type Modes = "exact" | "executable" | "ignore";

/** One source and one copy of it: two files, or two folders compared file by file. */
export interface Link {
	readonly set: string;
	readonly source: Side;
	readonly copy: Side;
	/** Globs of relative paths. */
	readonly include: readonly string[];
	readonly exclude: readonly string[];
	/** Relative paths that other links speak for. */
	readonly claimed: {
		readonly source: ReadonlySet<string>;
		readonly copy: ReadonlySet<string>;
	};
	/**
	 * Whether an artifact is this link's, by its path below the set, in canonical names; undefined: all are.
	 * Where a `*` stands for something, the path begins with that.
	 */
	readonly speaksFor: Glob | undefined;
	/** Whether a file may stand on this side alone, by its absolute path. */
	readonly sourceOnly: Glob;
	readonly copyOnly: Glob;
	/** The copy is meant to be a link to the source. */
	readonly linked: boolean;
	/** By relative path of the copy. */
	readonly declared: ReadonlyMap<string, Declaration>;
}

export interface Side {
	readonly role: string;
	/** Absolute. In version 2 a `*` stands for any one name, the same one on both sides. */
	readonly path: string;
	/** What nothing written for this side may leave, besides `outside`. Undefined: the path was given whole. */
	readonly root: string | undefined;
	readonly outside: readonly string[];
}

/** A difference somebody answers for. */
export interface Declaration {
	readonly reason: string;
	readonly owner: string;
	/** Last day it holds, `YYYY-MM-DD`. */
	readonly expires: string | undefined;
	readonly sourceHash: string;
	readonly copyHash: string;
}
