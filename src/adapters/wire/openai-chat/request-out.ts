import type { Outcome } from "../../../kernel/outcome.ts";
import type {
	CanonicalRequest,
	OutputForm,
	Tool,
	ToolChoice,
} from "../../../ports/canonical.ts";
import type { Json, Warn, WrittenRequest } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import type { ForwardChange } from "../../../ports/wire-protocol.ts";
import { chosen } from "../canonical/chosen-tools.ts";
import { type Effort, nearestEffort } from "../canonical/effort.ts";
import {
	isRecord,
	outcomeOf,
	present,
	unsupported,
} from "../canonical/fields.ts";
import { searchIsSpare, warnOfSearch } from "../canonical/offered-search.ts";
import { shortName } from "../canonical/short-name.ts";
import { mark, type Writing, writeMessages } from "./messages-out.ts";

/**
 * A request to a vendor. Words of `takes` that matter here: `audio_data` (audio as data alone),
 * `cache_control`, `document_url` (documents as such, in place of `file`), `file_url`, `image_output`,
 * `metadata`, `prompt_cache_breakpoint`, `random_seed` (in place of `seed`), `reasoning` (OpenRouter's
 * object), `reasoning_content`, `reasoning_details`, `thinking` (the switch), `tool_name`, `top_k`,
 * `video_url`, `web_search` (as a tool). Of `lacks`: every member that is written, and `allowed_tools`, `custom`, `detail` (of images), `developer`, `file`,
 * `input_audio`, `name`, `parameterless` (functions without a schema), `parts` (content of several
 * texts), `strict`.
 */
export function writeRequest(
	asked: CanonicalRequest,
	{ model, outputLimit, quirks }: ForwardChange,
	warn: Warn,
): Outcome<WrittenRequest> {
	return outcomeOf(() => {
		const { takes = [], lacks = [], efforts } = quirks;
		const writing: Writing = {
			warn,
			callIdLength: quirks.callIdLength,
			takes: (word) => takes.includes(word),
			lacks: (word) => lacks.includes(word),
		};
		const request = chosen(asked, writing.lacks, warn);
		const limit = outputLimit ?? request.outputLimit;
		const { tools, search } = writeTools(request, writing);
		const body: Record<string, unknown> = present({
			model,
			messages: writeMessages(request.messages, writing),
			...tools,
			web_search_options: search,
			// Without tools it says nothing, and is refused.
			parallel_tool_calls: tools.tools && request.parallelToolCalls,
			response_format: request.output && writeOutput(request.output, quirks),
			[quirks.maxTokensOnly ? "max_tokens" : "max_completion_tokens"]: limit,
			stop: request.stop,
			temperature: bounded(request.temperature, 2, "temperature", warn),
			top_p: request.topP,
			top_k: taken(request.topK, "top_k", "topK", writing),
			[writing.takes("random_seed") ? "random_seed" : "seed"]: request.seed,
			frequency_penalty: request.frequencyPenalty,
			presence_penalty: request.presencePenalty,
			n: request.choices,
			logprobs: request.logprobs && true,
			// Only asked where there is one: some vendors refuse a zero.
			top_logprobs: request.logprobs?.alternatives || undefined,
			...writeReasoning(request, efforts, writing),
			verbosity: request.verbosity,
			service_tier: writeTier(request, warn),
			user: shortName(request.user, "user", warn),
			metadata: taken(request.metadata, "metadata", "metadata", writing),
			prompt_cache_key: shortName(request.cacheKey, "cacheKey", warn),
			...mark(request.cache, "request", writing),
			modalities: request.modalities && kindsOf(request.modalities, writing),
			audio: request.voice && {
				voice: request.voice.name,
				format: request.voice.format,
			},
			stream: request.stream || undefined,
			stream_options:
				request.stream && !quirks.noStreamOptions
					? { include_usage: true }
					: undefined,
		});
		for (const word of lacks) leaveOut(body, word, warn);
		return { path: "/chat/completions", body };
	});
}

/** Members that shape the answer, with their names in the canonical form: without them it would be another. */
const shaping: ReadonlyMap<string, string> = new Map([
	["tools", "tools"],
	["web_search_options", "tools"],
	["response_format", "output"],
	["n", "choices"],
	["logprobs", "logprobs"],
	["top_logprobs", "logprobs"],
	["stop", "stop"],
	["modalities", "modalities"],
	["audio", "voice"],
	// Of embeddings.
	["dimensions", "dimensions"],
]);

const steering: ReadonlyMap<string, string> = new Map([
	["parallel_tool_calls", "parallelToolCalls"],
	["top_p", "topP"],
	["frequency_penalty", "frequencyPenalty"],
	["presence_penalty", "presencePenalty"],
	["reasoning_effort", "reasoning.effort"],
	["service_tier", "serviceTier"],
	["prompt_cache_key", "cacheKey"],
]);

/** What the vendor refuses: dropped where it only steers. */
export function leaveOut(
	body: Record<string, unknown>,
	word: string,
	warn: Warn,
): void {
	if (body[word] === undefined) return;
	const shaped = shaping.get(word);
	if (shaped !== undefined)
		unsupported(shaped, "asks for something that this vendor does not have");
	delete body[word];
	warn({
		kind: "dropped",
		field: steering.get(word) ?? word,
		message: "This vendor refuses it.",
	});
}

/** What only some vendors take. */
function taken<T>(
	value: T | undefined,
	word: string,
	field: string,
	{ takes, warn }: Writing,
): T | undefined {
	if (value === undefined || takes(word)) return value;
	warn({ kind: "dropped", field, message: "This vendor does not take it." });
	return undefined;
}

function kindsOf(
	kinds: NonNullable<CanonicalRequest["modalities"]>,
	{ takes }: Writing,
): typeof kinds {
	const image = kinds.indexOf("image");
	if (image >= 0 && !takes("image_output"))
		unsupported(
			`modalities.${image}`,
			"asks for images, which this vendor does not draw in chats",
		);
	return kinds;
}

function bounded(
	value: number | undefined,
	most: number,
	field: string,
	warn: Warn,
): number | undefined {
	if (value === undefined || value <= most) return value;
	warn({
		kind: "changed",
		field,
		message: `The highest that this protocol takes was sent: ${most}.`,
	});
	return most;
}

function writeTier(
	{ serviceTier }: CanonicalRequest,
	warn: Warn,
): string | undefined {
	if (serviceTier === "standard") return "default";
	if (serviceTier !== "batch") return serviceTier;
	warn({
		kind: "dropped",
		field: "serviceTier",
		message: "Batches are no tier of calls here.",
	});
	return undefined;
}

function writeOutput(output: OutputForm, { noSchemas }: Quirks): Json {
	if (output.type === "text") return { type: "text" };
	if (output.type === "json") return { type: "json_object" };
	if (noSchemas)
		unsupported(
			"output.schema",
			"is a schema, which this vendor cannot hold to",
		);
	const { name = "answer", description, schema, strict } = output;
	return {
		type: "json_schema",
		json_schema: present({ name, description, schema, strict }),
	};
}

function writeTools(
	request: CanonicalRequest,
	writing: Writing,
): { readonly tools: Json; readonly search: Json | undefined } {
	const { tools = [], toolChoice } = request;
	const written: Json[] = [];
	let search: Json | undefined;
	// A vendor that cannot be told which tools are allowed is told of no others.
	const hidden =
		toolChoice?.mode === "allowed" && writing.lacks("allowed_tools")
			? toolChoice.names
			: undefined;
	for (const [index, tool] of tools.entries()) {
		const field = `tools.${index}`;
		switch (tool.type) {
			case "web-search":
				if (writing.takes("web_search")) written.push(searchTool(tool));
				else if (writing.lacks("web_search_options") && searchIsSpare(request))
					warnOfSearch(field, writing.warn);
				else search = writeSearch(tool, field, writing);
				break;
			case "server":
				unsupported(
					field,
					"is a tool of one vendor that this one does not have",
				);
				break;
			case "custom":
				if (writing.lacks("custom"))
					unsupported(
						field,
						"takes plain text, which this vendor's tools cannot",
					);
				if (hidden?.includes(tool.name) ?? true)
					written.push({
						type: "custom",
						custom: present({
							name: tool.name,
							description: tool.description,
							format: nestedGrammar(tool.format),
						}),
					});
				break;
			case "function":
				if (hidden?.includes(tool.name) ?? true)
					written.push(writeFunction(tool, field, writing));
		}
	}
	const choice = toolChoice && writeChoice(toolChoice, tools, writing);
	return {
		tools: {
			...(written.length > 0 ? { tools: written } : {}),
			...(choice !== undefined && written.length > 0
				? { tool_choice: choice }
				: {}),
		},
		search,
	};
}

function writeFunction(
	tool: Extract<Tool, { type: "function" }>,
	field: string,
	writing: Writing,
): Json {
	let { strict } = tool;
	if (strict !== undefined && writing.lacks("strict")) {
		if (strict)
			writing.warn({
				kind: "dropped",
				field: `${field}.strict`,
				message:
					"This vendor does not promise to hold arguments to the schema.",
			});
		strict = undefined;
	}
	return {
		type: "function",
		function: present({
			name: tool.name,
			description: tool.description,
			parameters:
				tool.schema ??
				(writing.lacks("parameterless")
					? { type: "object", properties: {} }
					: undefined),
			strict,
		}),
		...mark(tool.cache, "tool", writing),
	};
}

/** A grammar stands in a member of its own here. */
function nestedGrammar(format: unknown): unknown {
	if (!isRecord(format) || format.type !== "grammar" || format.grammar)
		return format;
	const { type, ...grammar } = format;
	return { type, grammar };
}

/** As the tool that aggregators have of it. */
function searchTool(tool: Extract<Tool, { type: "web-search" }>): Json {
	return present({
		type: "web_search",
		allowed_domains: tool.allowedDomains,
		excluded_domains: tool.blockedDomains,
		max_uses: tool.mostUses,
		search_context_size: tool.contextSize,
		user_location: tool.location && {
			type: "approximate",
			...tool.location,
		},
	});
}

function writeSearch(
	tool: Extract<Tool, { type: "web-search" }>,
	field: string,
	{ warn }: Writing,
): Json {
	if (tool.allowedDomains ?? tool.blockedDomains)
		unsupported(
			`${field}.${tool.allowedDomains ? "allowedDomains" : "blockedDomains"}`,
			"keeps the search to some domains, which this protocol cannot",
		);
	if (tool.mostUses !== undefined)
		warn({
			kind: "dropped",
			field: `${field}.mostUses`,
			message: "This protocol does not limit how often is searched.",
		});
	return present({
		search_context_size: tool.contextSize,
		user_location: tool.location && {
			type: "approximate",
			approximate: tool.location,
		},
	});
}

function writeChoice(
	choice: ToolChoice,
	tools: readonly Tool[],
	{ lacks, warn }: Writing,
): string | Json {
	const named = (name: string): Json =>
		tools.some((tool) => tool.type === "custom" && tool.name === name)
			? { type: "custom", custom: { name } }
			: { type: "function", function: { name } };
	switch (choice.mode) {
		case "tool":
			return named(choice.name);
		case "allowed": {
			const mode = choice.required ? "required" : "auto";
			if (!lacks("allowed_tools"))
				return {
					type: "allowed_tools",
					allowed_tools: { mode, tools: choice.names.map(named) },
				};
			warn({
				kind: "changed",
				field: "toolChoice",
				message: "The tools that are not allowed were left out.",
			});
			return mode;
		}
		default:
			return choice.mode;
	}
}

function writeReasoning(
	{ reasoning }: CanonicalRequest,
	efforts: readonly string[] | undefined,
	{ takes, warn }: Writing,
): Json {
	if (!reasoning) return {};
	const { budget, adaptive, show } = reasoning;
	const named = takes("reasoning");
	const shown = show !== undefined && named;
	if (show !== undefined && !shown && show !== "none")
		warn({
			kind: "dropped",
			field: "reasoning.show",
			message: "Whether reasoning is shown is up to this vendor.",
		});
	let { effort } = reasoning;
	if (budget !== undefined && !(named && effort === undefined)) {
		if (effort === undefined) effort = effortOf(budget);
		warn({
			kind: "changed",
			field: "reasoning.budget",
			message: "This vendor takes an effort in place of a number of tokens.",
		});
	}
	if (effort !== undefined) effort = nearestEffort(effort, efforts, warn);
	if (named)
		return {
			reasoning: present({
				effort,
				max_tokens: effort === undefined ? budget : undefined,
				enabled:
					(adaptive && effort === undefined && budget === undefined) ||
					undefined,
				exclude: show === undefined ? undefined : show === "none",
			}),
		};
	if (takes("thinking")) {
		const off = effort === "none";
		return {
			...(effort !== undefined || adaptive
				? { thinking: { type: off ? "disabled" : "enabled" } }
				: {}),
			...(effort !== undefined && !off ? { reasoning_effort: effort } : {}),
		};
	}
	if (effort !== undefined) return { reasoning_effort: effort };
	if (adaptive)
		warn({
			kind: "dropped",
			field: "reasoning.adaptive",
			message: "How much it reasons is left to this vendor's own rule.",
		});
	return {};
}

/** Budgets in tokens against efforts: as vendors that have both place them, roughly. */
function effortOf(budget: number): Effort {
	if (budget === 0) return "none";
	if (budget <= 2_048) return "low";
	return budget <= 8_192 ? "medium" : "high";
}
