import type { Outcome } from "../kernel/outcome.ts";

/** How a program that runs an agent is told where its models are: what stands in its own files, and what to do by hand. */
export interface HarnessConfig {
	/** `kebab-case`; what the person types. */
	readonly id: string;
	/** As its makers write it. */
	readonly name: string;
	/** The wire protocol it calls with, by id. */
	readonly protocol: string;
	/** It lists its models itself: at least one must be named. */
	readonly needsModel: boolean;
	/** What it asks for where nobody named a model. Absent where one must be named, or where it has none of its own. */
	readonly usualModel?: string;
	/**
	 * What makes it use the gateway. Nothing is written here. Refuses with `harness/no-project` when it takes no
	 * such settings from a project.
	 */
	plan(place: HarnessPlace, link: HarnessLink): Outcome<HarnessPlan>;
}

/** Where the person's things lie. */
export interface HarnessPlace {
	/** The person's own folder. */
	readonly user: string;
	/** The project to connect; absent: the person, in all projects. */
	readonly project?: string;
	readonly environment: Readonly<Record<string, string | undefined>>;
	exists(path: string): boolean;
}

export interface HarnessLink {
	/** Of the gateway, without a path: `http://127.0.0.1:4141`. */
	readonly url: string;
	readonly key: string;
	/** What it shall ask for; absent: what it asks for anyway. */
	readonly model?: string;
	/** Names of models to offer besides, for one that lists its models itself. */
	readonly models: readonly string[];
}

export interface HarnessPlan {
	/** Files to change. Empty where all is done by hand, or by what `shell` says. */
	readonly files: readonly HarnessFile[];
	/** Variables for a shell, in order, for what reads no file. */
	readonly shell?: Readonly<Record<string, string>>;
	/** What the person has to do, a sentence each, in order. */
	readonly steps: readonly string[];
	/** What the person should know, a sentence each. */
	readonly notes: readonly string[];
	/** Why it cannot work as it stands, whatever the gateway answers here. */
	readonly blocked?: string;
	/** Where it keeps the model it asks for. */
	readonly model?: ModelPlace;
}

export interface HarnessFile {
	/** Absolute. */
	readonly path: string;
	readonly format: TextFormat;
	readonly settings: readonly Setting[];
}

/** `json` takes comments and trailing commas too. */
export type TextFormat = "json" | "toml" | "dotenv";

export interface Setting {
	readonly path: readonly string[];
	readonly value: string;
	/** Leaves a value that is there as it is. */
	readonly ifAbsent?: boolean;
}

export interface ModelPlace {
	readonly file: string;
	readonly format: TextFormat;
	readonly path: readonly string[];
	/** What stands before the name of the model there. */
	readonly prefix?: string;
}
