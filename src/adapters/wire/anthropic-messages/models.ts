/**
 * What models of this protocol take and what they refuse, where the vendor documents it. Facts from
 * https://platform.claude.com/docs/en/about-claude/models/migration-guide and, below
 * https://platform.claude.com/docs/en/build-with-claude/: adaptive-thinking, effort,
 * structured-outputs, mid-conversation-system-messages.
 */
export interface ModelRules {
	/** Levels of `output_config.effort`; none: it has no such setting. */
	readonly efforts: readonly Effort[];
	/** Decides itself how much to think. */
	readonly adaptive: boolean;
	/** Takes a number of tokens to think. */
	readonly budget: boolean;
	/** How it can be kept from thinking. */
	readonly unthinking: "always" | "up-to-high" | "between-tools" | "never";
	/** Whether it takes temperature, top_p and top_k: all, one of the first two, or none. */
	readonly sampling: "all" | "one" | "none";
	/** Can be made to call a tool. */
	readonly forcedTools: boolean;
	/** Holds its answer or a tool's input to a schema. */
	readonly schemas: boolean;
	/** Takes system messages within a conversation. */
	readonly laterSystem: boolean;
	/** Tokens that it can say at most, where that is below what we ask for by ourselves. */
	readonly mostOutput?: number;
}

export type Effort = "low" | "medium" | "high" | "xhigh" | "max";

/** The rules for a model as its vendor names it: those of the first row whose name is in it. */
export function rulesFor(model: string): ModelRules {
	const name = model.toLowerCase().replaceAll(".", "-");
	return rows.find(([part]) => name.includes(part))?.[1] ?? others;
}

/** Models of other makers, and early ones: what the protocol had from the start. */
const others: ModelRules = {
	efforts: [],
	adaptive: false,
	budget: true,
	unthinking: "always",
	sampling: "all",
	forcedTools: true,
	schemas: false,
	laterSystem: false,
};

const fourOne: ModelRules = { ...others, sampling: "one", schemas: true };
const fourSix: ModelRules = {
	...fourOne,
	adaptive: true,
	efforts: ["low", "medium", "high", "max"],
};
const fourSeven: ModelRules = {
	...fourSix,
	efforts: ["low", "medium", "high", "xhigh", "max"],
	budget: false,
	sampling: "none",
};
const fourEight: ModelRules = { ...fourSeven, laterSystem: true };
const five: ModelRules = { ...fourEight, unthinking: "up-to-high" };
const alwaysThinking: ModelRules = { ...fourEight, unthinking: "never" };
const unforced: ModelRules = { ...alwaysThinking, forcedTools: false };

const rows: readonly (readonly [part: string, rules: ModelRules])[] = [
	["claude-sonnet-5-5", { ...unforced, unthinking: "between-tools" }],
	["claude-opus-5-5", unforced],
	["claude-haiku-5-5", five],
	["claude-opus-5", five],
	["claude-sonnet-5", fourEight],
	["claude-fable-5-1", unforced],
	["claude-fable-5-2", unforced],
	["claude-fable-5", alwaysThinking],
	["claude-mythos-5-1", unforced],
	["claude-mythos-5-2", unforced],
	["claude-mythos-5", alwaysThinking],
	["claude-mythos", { ...unforced, laterSystem: false }],
	["claude-opus-4-8", fourEight],
	["claude-opus-4-7", fourSeven],
	["claude-opus-4-6", fourSix],
	["claude-sonnet-4-6", fourSix],
	["claude-opus-4-5", { ...fourOne, efforts: ["low", "medium", "high"] }],
	["claude-sonnet-4-5", fourOne],
	["claude-haiku-4-5", fourOne],
	["claude-opus-4-1", { ...fourOne, mostOutput: 32_000 }],
	["claude-opus-4", { ...others, mostOutput: 32_000 }],
	["claude-sonnet-4", others],
	["claude-3-haiku", { ...others, mostOutput: 4_096 }],
	["claude-3-5", { ...others, mostOutput: 8_192 }],
	["claude-3", others],
	// Newer than this table: as the newest in it, and the vendor refuses what it does not take.
	["claude-", five],
];
