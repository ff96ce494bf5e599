import type { RequestTraits } from "../../ports/request-traits.ts";
import type { Capability, Difficulty, InferredNeeds } from "./model.ts";

/** What a request needs, by its shape alone. The rules that spoke are named, so that the decision can say why. */
export function infer(traits: RequestTraits): InferredNeeds {
	const kind = kinds.find(({ when }) => when(traits)) as Kind;
	const because = [kind.rule];
	let { difficulty } = kind;
	for (const { rule, when, atLeast } of harder) {
		if (rank[difficulty] >= rank[atLeast] || !when(traits)) continue;
		difficulty = atLeast;
		because.push(rule);
	}
	const usual = kind.output ?? usualOutput;
	return {
		callType: kind.callType,
		difficulty,
		because,
		means: traits.means,
		capabilities: capabilitiesOf(traits),
		input: inSteps(
			Math.ceil(traits.inputBytes / bytesPerToken) +
				(traits.images + traits.documents + traits.audio) * tokensPerMedium,
		),
		output: traits.outputLimit ?? usual,
	};
}

/** What a rule that spoke says of the request, in words. */
export function sayRule(rule: string): string {
	return [...kinds, ...harder].find((each) => each.rule === rule)?.says ?? rule;
}

/** Few texts have fewer bytes to a token: code and most languages have three to four. */
const bytesPerToken = 3;
const tokensPerMedium = 1500;
const usualOutput = 1024;

interface Kind {
	/** Stands in decisions: never given another meaning. */
	readonly rule: string;
	readonly says: string;
	readonly callType: string;
	readonly difficulty: Difficulty;
	/** Tokens of a usual answer, where the caller sets no limit. */
	readonly output?: number;
	when(traits: RequestTraits): boolean;
}

/** The first that fits. */
const kinds: readonly Kind[] = [
	{
		rule: "embedding",
		says: "it asks for an embedding",
		callType: "embed",
		difficulty: "easy",
		output: 0,
		when: ({ means }) => means === "embed",
	},
	{
		rule: "media",
		says: "it asks for something other than text",
		callType: "media",
		difficulty: "medium",
		when: ({ means }) =>
			means === "image" || means === "speech" || means === "transcription",
	},
	{
		rule: "count",
		says: "it asks only to count tokens",
		callType: "count",
		difficulty: "easy",
		output: 0,
		when: ({ means }) => means === "count-tokens",
	},
	{
		rule: "tool-result",
		says: "it goes on after a tool's result",
		callType: "tool-step",
		difficulty: "easy",
		when: ({ last }) => last === "tool",
	},
	{
		rule: "first-step",
		says: "it is the first step of a loop with tools",
		callType: "plan",
		difficulty: "hard",
		output: 4096,
		when: ({ tools, step }) => tools >= 2 && step === 0,
	},
	{
		rule: "few-words",
		says: "it wants a few words",
		callType: "classify",
		difficulty: "easy",
		output: 64,
		when: ({ outputLimit = Number.POSITIVE_INFINITY }) => outputLimit <= 64,
	},
	{
		rule: "schema",
		says: "it wants an answer in a schema",
		callType: "extract",
		difficulty: "easy",
		when: ({ schema, tools }) => schema && tools === 0,
	},
	{
		rule: "long-text",
		says: "it is one long text, and no tools",
		callType: "summarise",
		difficulty: "easy",
		when: ({ inputBytes, messages, tools }) =>
			inputBytes >= 24_000 && messages <= 2 && tools === 0,
	},
	{
		rule: "talk",
		says: "it has no shape of its own",
		callType: "chat",
		difficulty: "medium",
		when: () => true,
	},
];

/** What makes a call harder than its kind. */
const harder: readonly {
	readonly rule: string;
	readonly says: string;
	readonly atLeast: Difficulty;
	when(traits: RequestTraits): boolean;
}[] = [
	{
		rule: "much-reasoning",
		says: "it asks for much reasoning",
		atLeast: "hard",
		when: ({ reasoning }) => reasoning === "much",
	},
	{
		rule: "some-reasoning",
		says: "it asks for reasoning",
		atLeast: "medium",
		// A loop asks for it on every step, the easy ones as well.
		when: ({ reasoning, last }) => reasoning === "some" && last !== "tool",
	},
	{
		rule: "long-talk",
		says: "it is long",
		atLeast: "medium",
		when: ({ inputBytes }) => inputBytes >= 400_000,
	},
];

const rank: Readonly<Record<Difficulty, number>> = {
	easy: 0,
	medium: 1,
	hard: 2,
};

function capabilitiesOf(traits: RequestTraits): readonly Capability[] {
	const asked: Capability[] = [];
	if (traits.tools > 0 || traits.last === "tool") asked.push("tools");
	if (traits.schema) asked.push("json-schema");
	if (traits.reasoning !== "none") asked.push("reasoning");
	if (traits.logprobs) asked.push("logprobs");
	if (traits.stream) asked.push("streaming");
	if (traits.images > 0) asked.push("image");
	if (traits.documents > 0) asked.push("document");
	if (traits.audio > 0) asked.push("audio");
	return asked;
}

/** Up to the next of eight steps between a power of two and the next: like requests need the same. */
function inSteps(tokens: number): number {
	if (tokens <= 256) return 256;
	let step = 32;
	while (step * 16 <= tokens) step *= 2;
	return Math.ceil(tokens / step) * step;
}
