import type {
	Capabilities,
	Known,
	Lifecycle,
	SubstrateFacts,
} from "../../ports/catalogue.ts";

/** What is said of a substrate beyond its names, prices and context; what is not said is unknown. */
export type PartialFacts = Partial<
	Omit<
		SubstrateFacts,
		"id" | "vendor" | "model" | "name" | "capabilities" | "lifecycle"
	>
> & {
	readonly name?: string;
	readonly capabilities?: Partial<Capabilities>;
	readonly lifecycle?: Partial<Lifecycle>;
};

/** The day the pages were read. */
const read = "2026-11-21";

function from(source: string): <T>(value: T) => Known<T> {
	return (value) => ({ value, source, date: read });
}

/**
 * What a vendor's own pages say of every call to it. A country is named only where the vendor promises that no call
 * leaves it: most promise nothing, or only to those who ask for it, and then the owner says so in the settings.
 */
export const shippedVendors: Readonly<Record<string, PartialFacts>> = {
	anthropic: {
		...direct("Anthropic", "https://docs.anthropic.com/en/api/messages"),
		trains: from("https://code.claude.com/docs/en/data-usage.md")(false),
	},
	openai: {
		...direct(
			"OpenAI",
			"https://platform.openai.com/docs/api-reference/chat/create",
		),
		trains: from("https://developers.openai.com/api/docs/guides/your-data")(
			false,
		),
		retentionDays: from(
			"https://developers.openai.com/api/docs/guides/your-data",
		)(30),
	},
	mistral: direct("Mistral AI", "https://docs.mistral.ai/api"),
	deepseek: direct(
		"DeepSeek",
		"https://api-docs.deepseek.com/api/create-chat-completion",
	),
	groq: {
		channel: from("https://console.groq.com/docs/models.md")("reseller"),
		operator: from("https://console.groq.com/docs/models.md")("Groq"),
	},
	cerebras: {
		channel: from("https://inference-docs.cerebras.ai/resources/openai")(
			"reseller",
		),
		operator: from("https://inference-docs.cerebras.ai/resources/openai")(
			"Cerebras",
		),
	},
};

const claudeModels = from("https://platform.claude.com/docs/models/overview");
const claudeLineup = from(
	"https://platform.claude.com/docs/en/models/opus-5/overview",
);
const compared = from(
	"https://developers.openai.com/api/docs/models/compare.md",
);
const openWeights = from(
	"https://developers.openai.com/api/docs/models/gpt-oss-120b.md",
);
const flash = from("https://runware.ai/models/deepseek-v4-flash");
const medium = from(
	"https://docs.mistral.ai/models/model-cards/mistral-medium-3-5-26-04",
);

/** Of every current model in that line-up: text and images in, tools, a stream. */
const claudeAbilities: Partial<Capabilities> = {
	means: claudeModels(["generate"]),
	inputs: claudeModels(["image"]),
	tools: claudeModels(true),
	reasoning: claudeModels(true),
	streaming: from("https://docs.anthropic.com/en/api/messages")(true),
	caching: from("genai-prices@0.1.8")(true),
};

const gptAbilities: Partial<Capabilities> = {
	means: compared(["generate"]),
	context: compared(1_050_000),
	outputLimit: compared(128_000),
	streaming: from("https://platform.openai.com/docs/api-reference/chat/create")(
		true,
	),
	caching: from("genai-prices@0.1.8")(true),
};

/** By what OpenAI said of its tiers when it named them. */
const gptTiers = from(
	"https://brieflynews.today/2026/06/27/openai-previews-gpt-5-6-with-sol-terra-and-luna-tiered-models-new-reasoning-modes-limited-access/",
);

const openModel: PartialFacts = {
	weights: openWeights("open"),
	trainer: openWeights("OpenAI"),
	capabilities: {
		means: openWeights(["generate"]),
		context: openWeights(131_072),
		inputs: openWeights([]),
		tools: openWeights(true),
		jsonSchema: openWeights(true),
		reasoning: openWeights(true),
	},
};

/** By `vendor/model`. A line here takes part when callers leave the choice to the router. */
export const shippedModels: Readonly<Record<string, PartialFacts>> = {
	"anthropic/claude-fable-5-1": {
		tier: claudeModels("flagship"),
		trainer: claudeModels("Anthropic"),
		capabilities: {
			...claudeAbilities,
			context: claudeLineup(1_000_000),
			outputLimit: claudeLineup(128_000),
		},
	},
	"anthropic/claude-opus-5-5": {
		tier: claudeModels("flagship"),
		trainer: claudeModels("Anthropic"),
		capabilities: {
			...claudeAbilities,
			context: claudeLineup(1_000_000),
			outputLimit: claudeLineup(128_000),
		},
		lifecycle: { stage: claudeLineup("stable") },
	},
	"anthropic/claude-sonnet-5": {
		tier: claudeModels("balanced"),
		trainer: claudeModels("Anthropic"),
		capabilities: {
			...claudeAbilities,
			context: claudeModels(1_000_000),
			outputLimit: claudeModels(128_000),
		},
	},
	"anthropic/claude-haiku-4-5": {
		tier: claudeModels("small"),
		trainer: claudeModels("Anthropic"),
		capabilities: {
			...claudeAbilities,
			context: claudeModels(200_000),
			outputLimit: claudeModels(64_000),
		},
	},
	"openai/gpt-5.6-sol": {
		tier: gptTiers("flagship"),
		trainer: compared("OpenAI"),
		capabilities: gptAbilities,
	},
	"openai/gpt-5.6-terra": {
		tier: gptTiers("balanced"),
		trainer: compared("OpenAI"),
		capabilities: gptAbilities,
	},
	"openai/gpt-5.6-luna": {
		tier: gptTiers("small"),
		trainer: compared("OpenAI"),
		capabilities: gptAbilities,
	},
	"openai/gpt-5.5": {
		trainer: compared("OpenAI"),
		capabilities: gptAbilities,
	},
	"deepseek/deepseek-v4-flash": {
		weights: from("https://docs.venice.ai/es/models/deepseek-v4-flash-0423.md")(
			"open",
		),
		trainer: flash("DeepSeek"),
		capabilities: {
			means: flash(["generate"]),
			outputLimit: flash(384_000),
			tools: flash(true),
			reasoning: flash(true),
		},
	},
	"mistral/mistral-medium-3-5": {
		weights: medium("open"),
		trainer: medium("Mistral AI"),
		capabilities: {
			means: medium(["generate"]),
			tools: medium(true),
			jsonSchema: medium(true),
		},
	},
	"groq/openai/gpt-oss-120b": { ...openModel, name: "gpt-oss-120b" },
	"cerebras/gpt-oss-120b": openModel,
};

function direct(operator: string, source: string): PartialFacts {
	return { channel: from(source)("direct"), operator: from(source)(operator) };
}
