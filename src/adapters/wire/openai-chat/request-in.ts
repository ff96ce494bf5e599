import type { Outcome } from "../../../kernel/outcome.ts";
import type {
	CanonicalRequest,
	OutputForm,
	Reasoning,
	Tool,
	ToolChoice,
} from "../../../ports/canonical.ts";
import type { AskedForm, Json, Warn } from "../../../ports/translator.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import {
	bodyFields,
	type Fields,
	isRecord,
	outcomeOf,
	present,
	someOf,
} from "../canonical/fields.ts";
import { type RequestBody, someFields } from "../request-body.ts";
import { cacheOf, readMessages } from "./messages-in.ts";

/** Requests of clients that call `functions`, the form before tools: they are answered in it. */
const legacyRequests = new WeakSet<CanonicalRequest>();

export function isLegacy(request: CanonicalRequest): boolean {
	return legacyRequests.has(request);
}

export function readRequest(
	{ body: bytes }: WireRequest,
	warn: Warn,
): Outcome<CanonicalRequest> {
	return outcomeOf(() => {
		const body = bodyFields(bytes, warn);
		const stream = body.flag("stream") ?? false;
		const { functions, ...tooled } = readTools(body);
		const request: CanonicalRequest = present({
			model: body.need("model", body.text("model")),
			messages: readMessages(body),
			...tooled,
			// The form before tools holds one call an answer.
			parallelToolCalls:
				body.flag("parallel_tool_calls") ?? (functions ? false : undefined),
			output: readOutput(body),
			outputLimit: readLimit(body),
			stop: readStop(body),
			temperature: body.number("temperature", 0, 2),
			topP: body.number("top_p", 0, 1),
			topK: body.whole("top_k", 0),
			seed: body.whole("seed"),
			frequencyPenalty: body.number("frequency_penalty", -2, 2),
			presencePenalty: body.number("presence_penalty", -2, 2),
			choices: several(body.whole("n", 1, 128)),
			logprobs: readLogprobs(body),
			reasoning: readReasoning(body),
			verbosity: body.oneOf("verbosity", ["low", "medium", "high"]),
			serviceTier: readTier(body),
			user: readUser(body),
			metadata: body.dictionary("metadata"),
			cacheKey: body.text("prompt_cache_key"),
			cache: cacheOf(body).cache,
			modalities: readModalities(body),
			voice: readVoice(body),
			stream,
			streamUsage: readStreamUsage(body) ?? false,
		}) as CanonicalRequest;
		dropKnown(body);
		body.done();
		if (functions) legacyRequests.add(request);
		return request;
	});
}

/** The tools and the form of the output alone. */
export function readForm({ opaque }: WireRequest): Outcome<AskedForm> {
	return outcomeOf(() => {
		const body = someFields(opaque as RequestBody, [
			"tools",
			"functions",
			"response_format",
		]);
		const { tools } = readTools(body);
		return present({ tools, output: readOutput(body) }) as AskedForm;
	});
}

function readLimit(body: Fields): number | undefined {
	const older = body.whole("max_tokens", 0);
	return body.whole("max_completion_tokens", 0) ?? older;
}

function several(choices: number | undefined): number | undefined {
	return choices === 1 ? undefined : choices;
}

function readStop(body: Fields): readonly string[] | undefined {
	const stop = body.value("stop");
	if (typeof stop === "string") return [stop];
	return someOf(body.texts("stop"));
}

function readLogprobs(body: Fields): CanonicalRequest["logprobs"] {
	const asked = body.flag("logprobs") ?? false;
	const alternatives = body.whole("top_logprobs", 0, 20);
	if (asked) return { alternatives: alternatives ?? 0 };
	return alternatives
		? body.refuse("top_logprobs", 'needs "logprobs" to be true')
		: undefined;
}

function readStreamUsage(body: Fields): boolean | undefined {
	const options = body.fields("stream_options");
	const asked = options?.flag("include_usage");
	options?.flag("include_obfuscation");
	options?.done();
	return asked;
}

function readTier(body: Fields): CanonicalRequest["serviceTier"] {
	const tier = body.text("service_tier");
	switch (tier) {
		case undefined:
		case "auto":
		case "flex":
		case "priority":
		case "batch":
			return tier;
		case "default":
			return "standard";
		default:
			body.drop("service_tier", "No other protocol has this service tier.");
			return undefined;
	}
}

function readUser(body: Fields): string | undefined {
	const user = body.text("user");
	return body.text("safety_identifier") ?? user;
}

function readModalities(body: Fields): CanonicalRequest["modalities"] {
	const list = body.texts("modalities");
	for (const [index, each] of (list ?? []).entries()) {
		if (each !== "text" && each !== "audio" && each !== "image")
			body.refuse(`modalities.${index}`, 'must be "text", "audio" or "image"');
	}
	return list?.length === 0
		? undefined
		: (list as CanonicalRequest["modalities"]);
}

function readVoice(body: Fields): CanonicalRequest["voice"] {
	const audio = body.fields("audio");
	if (!audio) return undefined;
	if (typeof audio.value("voice") === "object")
		audio.unsupported("voice", "names a voice that only OpenAI has");
	const voice = {
		name: audio.need("voice", audio.text("voice")),
		format: audio.need("format", audio.text("format")),
	};
	audio.done();
	return voice;
}

function readOutput(body: Fields): OutputForm | undefined {
	const format = body.fields("response_format");
	if (!format) return undefined;
	const type = format.need(
		"type",
		format.oneOf("type", ["text", "json_object", "json_schema"]),
	);
	if (type === "text") return { type: "text" };
	if (type === "json_object") return { type: "json" };
	const form = format.need("json_schema", format.fields("json_schema"));
	const output: OutputForm = present({
		type: "json-schema" as const,
		name: form.text("name"),
		description: form.text("description"),
		schema: form.json("schema") ?? {},
		strict: form.flag("strict"),
	});
	form.done();
	format.done();
	return output;
}

const efforts = [
	"none",
	"minimal",
	"low",
	"medium",
	"high",
	"xhigh",
	"max",
] as const;

/** OpenAI's effort; OpenRouter's object; the switch of DeepSeek, Z.ai and Moonshot. */
function readReasoning(body: Fields): Reasoning | undefined {
	const effort = body.oneOf("reasoning_effort", efforts);
	const object = body.fields("reasoning");
	const thinking = body.fields("thinking");
	const reasoning: { -readonly [K in keyof Reasoning]: Reasoning[K] } = {};
	if (thinking) {
		const type = thinking.oneOf("type", [
			"enabled",
			"disabled",
			"adaptive",
			"auto",
		]);
		if (type === "disabled") reasoning.effort = "none";
		else reasoning.adaptive = true;
		thinking.done();
	}
	if (effort) reasoning.effort = effort;
	if (object) {
		const asked = object.oneOf("effort", efforts);
		if (asked) reasoning.effort = asked;
		const budget = object.whole("max_tokens", 0);
		if (budget !== undefined) reasoning.budget = budget;
		const enabled = object.flag("enabled");
		if (enabled === false) reasoning.effort = "none";
		else if (enabled && !asked && budget === undefined)
			reasoning.adaptive = true;
		const excluded = object.flag("exclude");
		if (excluded !== undefined) reasoning.show = excluded ? "none" : "auto";
		const summary = object.oneOf("summary", ["auto", "concise", "detailed"]);
		if (summary) reasoning.show = summary;
		object.done();
	}
	return Object.keys(reasoning).length > 0 ? reasoning : undefined;
}

interface ToolsRead {
	readonly tools?: readonly Tool[];
	readonly toolChoice?: ToolChoice;
	/** The client speaks of functions, not of tools. */
	readonly functions: boolean;
}

function readTools(body: Fields): ToolsRead {
	const tools = (body.each("tools") ?? []).map(readTool);
	const functions = body.each("functions");
	for (const each of functions ?? []) tools.push(functionTool(each, undefined));
	const search = body.fields("web_search_options");
	if (search) tools.push(searchTool(search));
	const toolChoice =
		readChoice(body) ?? (functions ? legacyChoice(body) : undefined);
	return {
		...(tools.length > 0 ? { tools } : {}),
		...(toolChoice ? { toolChoice } : {}),
		functions: functions !== undefined,
	};
}

function readTool(tool: Fields): Tool {
	const type = tool.need("type", tool.text("type"));
	if (type === "function") {
		const inner = tool.need("function", tool.fields("function"));
		const read = functionTool(inner, tool);
		tool.done();
		return read;
	}
	if (type !== "custom")
		tool.unsupported("type", "is a tool of one vendor that no other has");
	const inner = tool.need("custom", tool.fields("custom"));
	const read: Tool = present({
		type: "custom" as const,
		name: inner.need("name", inner.text("name")),
		description: inner.text("description"),
		format: flatGrammar(inner.json("format")),
	});
	inner.done();
	tool.done();
	return read;
}

/** As the canonical form has it: what the grammar says stands beside its type. */
function flatGrammar(format: Json | undefined): Json | undefined {
	if (!format || !isRecord(format.grammar)) return format;
	const { grammar, ...rest } = format;
	return { ...rest, ...format.grammar };
}

function functionTool(inner: Fields, outer: Fields | undefined): Tool {
	const tool: Tool = present({
		type: "function" as const,
		name: inner.need("name", inner.text("name")),
		description: inner.text("description"),
		schema: inner.json("parameters"),
		strict: inner.flag("strict"),
		cache: (outer && cacheOf(outer).cache) ?? cacheOf(inner).cache,
	});
	inner.done();
	return tool;
}

function searchTool(search: Fields): Tool {
	const location = search.fields("user_location");
	location?.pass("type");
	const place = location?.fields("approximate") ?? location;
	const where = place && {
		country: place.text("country"),
		region: place.text("region"),
		city: place.text("city"),
		timezone: place.text("timezone"),
	};
	const tool: Tool = present({
		type: "web-search" as const,
		contextSize: search.oneOf("search_context_size", ["low", "medium", "high"]),
		location: where && present(where),
	});
	search.done();
	return tool;
}

const modes = ["auto", "none", "required"] as const;

function readChoice(body: Fields): ToolChoice | undefined {
	const choice = body.value("tool_choice");
	if (choice === undefined) return undefined;
	if (typeof choice === "string") {
		const mode = body.oneOf("tool_choice", modes);
		return mode && { mode };
	}
	const fields = body.need("tool_choice", body.fields("tool_choice"));
	const type = fields.need(
		"type",
		fields.oneOf("type", ["function", "custom", "allowed_tools"]),
	);
	const inner = fields.need(type, fields.fields(type));
	if (type !== "allowed_tools")
		return { mode: "tool", name: inner.need("name", inner.text("name")) };
	const required =
		inner.need("mode", inner.oneOf("mode", ["auto", "required"])) ===
		"required";
	const names = inner.need("tools", inner.each("tools")).map((tool) => {
		const kind = tool.need("type", tool.oneOf("type", ["function", "custom"]));
		const named = tool.need(kind, tool.fields(kind));
		return named.need("name", named.text("name"));
	});
	return { mode: "allowed", names, required };
}

function legacyChoice(body: Fields): ToolChoice | undefined {
	const choice = body.value("function_call");
	if (choice === undefined) return undefined;
	if (typeof choice === "string") {
		const mode = body.oneOf("function_call", ["auto", "none"]);
		return mode && { mode };
	}
	const fields = body.need("function_call", body.fields("function_call"));
	return { mode: "tool", name: fields.need("name", fields.text("name")) };
}

/** Members that only steer, and that no other protocol has. */
function dropKnown(body: Fields): void {
	body.drop("logit_bias", "No other protocol weighs single tokens.");
	body.drop("prediction", "No other protocol takes predicted output.");
	body.drop("moderation", "No other protocol moderates within a call.");
	body.drop(
		"prompt_cache_options",
		"No other protocol says how prompts are cached in this way.",
	);
	body.drop(
		"prompt_cache_retention",
		"No other protocol says how long prompts are kept in this way.",
	);
	if (body.flag("store"))
		body.warn({
			kind: "dropped",
			field: "store",
			message: "Answers of vendors of another protocol are not stored.",
		});
	// Asks for what is given anyway.
	body.pass("usage");
}
