import type {
	CanonicalRequest,
	OutputForm,
	Reasoning,
} from "../../../ports/canonical.ts";
import type { Json, Warn, WrittenRequest } from "../../../ports/translator.ts";
import type { ForwardChange } from "../../../ports/wire-protocol.ts";
import { chosen } from "../canonical/chosen-tools.ts";
import { nearestEffort } from "../canonical/effort.ts";
import { present, unsupported } from "../canonical/fields.ts";
import { shortName } from "../canonical/short-name.ts";
import { writeItems } from "./items-out.ts";
import { formed, narrowed, type Vocabulary, vocabularyOf } from "./narrow.ts";
import { ownData } from "./opaque.ts";
import {
	mostToolCalls,
	strictly,
	toolChoiceJson,
	writeTools,
} from "./tools.ts";

/** A request to a vendor. Nothing is kept there: the conversation goes along whole, and what is encrypted of its reasoning. */
export function writeRequest(
	asked: CanonicalRequest,
	change: ForwardChange,
	warn: Warn,
): WrittenRequest {
	const vocabulary = vocabularyOf(change.quirks);
	const request = chosen(asked, vocabulary.lacks, warn);
	refuseWhatShapes(request, vocabulary);
	dropWhatSteers(request, warn);
	const { model } = change;
	const limit = change.outputLimit ?? request.outputLimit;
	const { instructions, input } = writeItems(
		request.messages,
		model,
		vocabulary,
		warn,
	);
	const include = includes(request, model);
	const body = present({
		model,
		instructions,
		input,
		tools: request.tools && writeTools(request.tools, warn),
		tool_choice: request.toolChoice && toolChoiceJson(request),
		parallel_tool_calls: request.parallelToolCalls,
		max_tool_calls: mostToolCalls(request.tools),
		...formed(textJson(held(request, warn)), vocabulary, warn),
		max_output_tokens: limit,
		temperature: request.temperature,
		top_p: request.topP,
		top_logprobs: request.logprobs?.alternatives,
		reasoning:
			request.reasoning &&
			writeReasoning(
				request.reasoning,
				change.quirks.efforts,
				vocabulary,
				warn,
			),
		service_tier: tierJson(request.serviceTier, warn),
		safety_identifier: shortName(request.user, "user", warn),
		metadata: request.metadata,
		prompt_cache_key: shortName(request.cacheKey, "cacheKey", warn),
		include: include.length > 0 ? include : undefined,
		store: false,
		stream: request.stream || undefined,
	});
	return { path: "/responses", body: narrowed(body, vocabulary, warn) };
}

function refuseWhatShapes(
	request: CanonicalRequest,
	{ lacks }: Vocabulary,
): void {
	if (request.logprobs && lacks("top_logprobs"))
		unsupported(
			"logprobs",
			"asks for log probabilities, which this vendor does not give",
		);
	if (request.stop && request.stop.length > 0)
		unsupported(
			"stop",
			"asks for stop sequences, which the vendor's protocol has not",
		);
	if (request.choices !== undefined && request.choices > 1)
		unsupported(
			"choices",
			"asks for more than the one answer that the vendor gives",
		);
	for (const [index, kind] of (request.modalities ?? []).entries()) {
		if (kind !== "text")
			unsupported(
				`modalities.${index}`,
				`asks for ${kind}, which the vendor's protocol has not`,
			);
	}
}

function dropWhatSteers(request: CanonicalRequest, warn: Warn): void {
	for (const field of [
		"topK",
		"seed",
		"frequencyPenalty",
		"presencePenalty",
		"voice",
	] as const) {
		if (request[field] !== undefined)
			warn({
				kind: "dropped",
				field,
				message: "The vendor's protocol has no place for it.",
			});
	}
	if (request.cache)
		warn({
			kind: "dropped",
			field: "cache",
			message: "The vendor keeps the start of a prompt unasked.",
		});
}

/** With a schema that the vendor can hold the answer to, where that is asked. */
function held(request: CanonicalRequest, warn: Warn): CanonicalRequest {
	const { output } = request;
	if (output?.type !== "json-schema" || !output.strict) return request;
	const form = strictly(output.schema, "output.schema", warn);
	return { ...request, output: { ...output, ...form } };
}

export function textJson({
	output,
	verbosity,
}: CanonicalRequest): Json | undefined {
	if (!output && !verbosity) return undefined;
	return present({ format: output && formatJson(output), verbosity });
}

function formatJson(output: OutputForm): Json {
	if (output.type === "text") return { type: "text" };
	if (output.type === "json") return { type: "json_object" };
	return present({
		type: "json_schema",
		name: output.name ?? "answer",
		description: output.description,
		schema: output.schema,
		strict: output.strict,
	});
}

function writeReasoning(
	{ effort, budget, show }: Reasoning,
	efforts: readonly string[] | undefined,
	{ lacks }: Vocabulary,
	warn: Warn,
): Json | undefined {
	if (budget !== undefined)
		warn({
			kind: effort === undefined ? "changed" : "dropped",
			field: "reasoning.budget",
			message: "The vendor takes an effort in place of a number of tokens.",
		});
	const summary = show === "none" ? undefined : show;
	const unshown = summary !== undefined && lacks("summary");
	if (unshown)
		warn({
			kind: "dropped",
			field: "reasoning.show",
			message: "Whether reasoning is shown is up to this vendor.",
		});
	const asked = effort ?? effortOf(budget);
	const written = present({
		effort: asked && nearestEffort(asked, efforts, warn),
		summary: unshown ? undefined : summary,
	});
	return Object.keys(written).length > 0 ? written : undefined;
}

/** About as much reasoning as so many tokens hold. */
function effortOf(budget: number | undefined): Reasoning["effort"] {
	if (budget === undefined) return undefined;
	if (budget === 0) return "none";
	if (budget <= 2048) return "low";
	return budget <= 12_288 ? "medium" : "high";
}

function tierJson(
	tier: CanonicalRequest["serviceTier"],
	warn: Warn,
): string | undefined {
	if (tier === "batch")
		warn({
			kind: "dropped",
			field: "serviceTier",
			message: "The vendor answers batches in another way.",
		});
	if (tier === "standard") return "default";
	return tier === "batch" ? undefined : tier;
}

function includes(request: CanonicalRequest, model: string): string[] {
	const include: string[] = [];
	if (reasons(request, model)) include.push("reasoning.encrypted_content");
	if (request.logprobs) include.push("message.output_text.logprobs");
	if (request.tools?.some(({ type }) => type === "web-search"))
		include.push("web_search_call.action.sources");
	return include;
}

/** Models that do not reason refuse to encrypt their reasoning: it is asked of those that are known or asked to. */
function reasons(
	{ reasoning, messages }: CanonicalRequest,
	model: string,
): boolean {
	if (reasoning) return reasoning.effort !== "none" && reasoning.budget !== 0;
	if (/(?:^|\/)(?:o\d|gpt-[5-9](?!.*chat)|gpt-oss|codex)/.test(model))
		return true;
	return messages.some(
		(message) =>
			message.role === "assistant" &&
			message.parts.some(
				(part) => part.type === "reasoning" && ownData(part.opaque),
			),
	);
}
