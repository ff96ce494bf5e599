import type { Running } from "../lib/gateways.ts";

/** Something that stands in the comparison: a floor, ours, or a gateway that others make. */
export interface Peer {
	readonly id: string;
	readonly name: string;
	/** Floors do nothing but forward: what any gateway on the runtime costs at the least. */
	readonly kind: "floor" | "ours" | "peer";
	/** What is on and what is off while it is measured. */
	readonly conditions: string;
	/** What it can do about money. A floor can do nothing, and is not asked. */
	readonly money?: Abilities;
	/** Installs it where need be and gives its version. Throws an `Error` whose message says in a sentence why it cannot be had. */
	prepare(): Promise<string>;
	start(options: StartOptions): Promise<RunningPeer>;
}

export interface Abilities {
	/** It says what was spent. */
	readonly spend: Ability;
	/** It refuses when a budget is used up. */
	readonly budget: Ability;
	/** What was spent is kept on disk. */
	readonly durable: Ability;
	/** It speaks Anthropic's Messages protocol on both sides. */
	readonly messages: Ability;
}

/** It can; or it cannot, or what it can do could not be looked at here, and why. */
export type Ability =
	| true
	| { readonly none: string }
	| { readonly untested: string };

export interface StartOptions {
	/** Where the mock upstream listens on this machine. */
	readonly upstreamPort: number;
	/** Its own, for what it keeps: the same folder again is the same gateway started again. */
	readonly folder: string;
	/** For the money tests: spend is observed, and capped where a budget in US dollars is given. */
	readonly money?: { readonly budget?: number };
}

export interface RunningPeer extends Running {
	/** US dollars spent so far by the caller. Only where it has the ability. */
	spent?(): Promise<number>;
}

/** US dollars per million tokens, set the same everywhere. */
export const prices = {
	input: 2.5,
	cacheRead: 0.25,
	cacheWrite: 3.125,
	output: 10,
} as const;

/** What the mock upstream's models are called, at the client as at the upstream. */
export const models = {
	chat: "gpt-4o-mini",
	messages: "claude-haiku-4-5",
} as const;
