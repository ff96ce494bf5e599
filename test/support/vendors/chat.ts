import { z } from "zod";
import { pieces, type Seen, type Thought } from "./mind.ts";
import {
	effort,
	errorBody,
	jsonSchema,
	mediaType,
	metadata,
	mustBeStrict,
	mustSayJson,
	name,
} from "./openai.ts";
import { type Body, type Endpoint, must, type Wire } from "./simulation.ts";

/* Chat Completions and embeddings, after OpenAI's API reference and the types of its SDK. */

const text = z.strictObject({ type: z.literal("text"), text: z.string() });
const textOrParts = z.union([z.string(), z.array(text).min(1)]);
const userPart = z.union([
	text,
	z.strictObject({
		type: z.literal("image_url"),
		image_url: z.strictObject({
			url: z.string(),
			detail: z.enum(["auto", "low", "high"]).optional(),
		}),
	}),
	z.strictObject({
		type: z.literal("input_audio"),
		input_audio: z.strictObject({
			data: z.base64(),
			format: z.enum(["wav", "mp3"]),
		}),
	}),
	z.strictObject({
		type: z.literal("file"),
		file: z.union([
			z.strictObject({ file_data: z.string(), filename: z.string() }),
			z.strictObject({ file_id: z.string() }),
		]),
	}),
]);
const call = z.union([
	z.strictObject({
		id: z.string().min(1).max(40),
		type: z.literal("function"),
		function: z.strictObject({ name, arguments: z.string() }),
	}),
	z.strictObject({
		id: z.string().min(1).max(40),
		type: z.literal("custom"),
		custom: z.strictObject({ name, input: z.string() }),
	}),
]);
const message = z.discriminatedUnion("role", [
	z.strictObject({
		role: z.enum(["system", "developer"]),
		content: textOrParts,
		name: z.string().optional(),
	}),
	z.strictObject({
		role: z.literal("user"),
		content: z.union([z.string(), z.array(userPart).min(1)]),
		name: z.string().optional(),
	}),
	z.strictObject({
		role: z.literal("assistant"),
		content: z
			.union([
				z.string(),
				z
					.array(
						z.union([
							text,
							z.strictObject({
								type: z.literal("refusal"),
								refusal: z.string(),
							}),
						]),
					)
					.min(1),
			])
			.nullish(),
		refusal: z.string().nullish(),
		name: z.string().optional(),
		audio: z.strictObject({ id: z.string() }).nullish(),
		tool_calls: z.array(call).min(1).optional(),
		// As DeepSeek and others have it.
		reasoning_content: z.string().optional(),
	}),
	z.strictObject({
		role: z.literal("tool"),
		content: textOrParts,
		tool_call_id: z.string(),
		// In no document, yet taken.
		name: z.string().optional(),
	}),
]);
const tool = z.union([
	z.strictObject({
		type: z.literal("function"),
		function: z.strictObject({
			name,
			description: z.string().optional(),
			parameters: jsonSchema.optional(),
			strict: z.boolean().nullish(),
		}),
	}),
	z.strictObject({
		type: z.literal("custom"),
		custom: z.strictObject({
			name,
			description: z.string().optional(),
			format: z.unknown().optional(),
		}),
	}),
]);
const request = z.strictObject({
	model: z.string(),
	messages: z.array(message).min(1),
	audio: z.strictObject({ format: z.string(), voice: z.unknown() }).nullish(),
	frequency_penalty: z.number().min(-2).max(2).nullish(),
	logit_bias: z.record(z.string(), z.number()).nullish(),
	logprobs: z.boolean().nullish(),
	max_completion_tokens: z.int().min(1).nullish(),
	max_tokens: z.int().min(1).nullish(),
	metadata: metadata.optional(),
	modalities: z.array(z.enum(["text", "audio"])).nullish(),
	n: z.int().min(1).max(128).nullish(),
	parallel_tool_calls: z.boolean().optional(),
	presence_penalty: z.number().min(-2).max(2).nullish(),
	prompt_cache_key: z.string().nullish(),
	prompt_cache_retention: z.enum(["in_memory", "24h"]).nullish(),
	reasoning_effort: effort.optional(),
	response_format: z
		.union([
			z.strictObject({ type: z.enum(["text", "json_object"]) }),
			z.strictObject({
				type: z.literal("json_schema"),
				json_schema: z.strictObject({
					name,
					description: z.string().optional(),
					schema: jsonSchema.optional(),
					strict: z.boolean().nullish(),
				}),
			}),
		])
		.optional(),
	safety_identifier: z.string().nullish(),
	seed: z.int().nullish(),
	service_tier: z
		.enum(["auto", "default", "flex", "scale", "priority", "fast"])
		.nullish(),
	stop: z.union([z.string(), z.array(z.string()).min(1).max(4)]).nullish(),
	store: z.boolean().nullish(),
	stream: z.boolean().nullish(),
	stream_options: z
		.strictObject({
			include_usage: z.boolean().optional(),
			include_obfuscation: z.boolean().optional(),
		})
		.nullish(),
	temperature: z.number().min(0).max(2).nullish(),
	tool_choice: z
		.union([
			z.enum(["none", "auto", "required"]),
			z.strictObject({
				type: z.literal("function"),
				function: z.strictObject({ name }),
			}),
			z.strictObject({
				type: z.literal("allowed_tools"),
				allowed_tools: z.strictObject({
					mode: z.enum(["auto", "required"]),
					tools: z.array(jsonSchema),
				}),
			}),
		])
		.optional(),
	tools: z.array(tool).min(1).optional(),
	top_logprobs: z.int().min(0).max(20).nullish(),
	top_p: z.number().min(0).max(1).nullish(),
	user: z.string().optional(),
	verbosity: z.enum(["low", "medium", "high"]).nullish(),
	web_search_options: z.unknown().optional(),
});

const embedRequest = z.strictObject({
	model: z.string(),
	input: z.union([
		z.string().min(1),
		z.array(z.string().min(1)).min(1),
		z.array(z.int()).min(1),
		z.array(z.array(z.int()).min(1)).min(1),
	]),
	dimensions: z.int().min(1).optional(),
	encoding_format: z.enum(["float", "base64"]).optional(),
	user: z.string().optional(),
});

/**
 * DeepSeek's models show their reasoning as `reasoning_content`, and
 * want it back within a turn of tools (api-docs.deepseek.com/guides/thinking_mode).
 */
export const chat: Wire = {
	at(path) {
		if (path === "/v1/chat/completions") return completions;
		if (path === "/v1/embeddings") return embeddings;
		return undefined;
	},
	error: errorBody,
};

const completions: Endpoint = {
	schema: request,
	answer(body) {
		const seen = read(body);
		return {
			seen,
			whole: (thought) => whole(thought, body),
			...(body.stream && {
				frames: (thought: Thought) => frames(thought, body),
			}),
		};
	},
};

const embeddings: Endpoint = {
	schema: embedRequest,
	answer({ model, input, encoding_format, dimensions = 3 }) {
		const inputs =
			Array.isArray(input) && typeof input[0] !== "number" ? input : [input];
		return {
			whole: {
				object: "list",
				model,
				data: inputs.map((each: string | number[], index: number) => {
					const vector = Array.from(
						{ length: dimensions },
						(_, at) => each.length + at / 4,
					);
					return {
						object: "embedding",
						index,
						embedding:
							encoding_format === "base64"
								? Buffer.from(Float32Array.from(vector).buffer).toString(
										"base64",
									)
								: vector,
					};
				}),
				usage: { prompt_tokens: 8, total_tokens: 8 },
			},
		};
	},
};

function read(body: Body): Seen {
	const {
		messages,
		tools = [],
		tool_choice = "auto",
		response_format,
		stop,
	} = body;
	mustPairCalls(messages);
	const thinker = body.model.includes("deepseek");
	const start = messages.findLastIndex(({ role }: Body) => role === "user");
	const since = messages.slice(start + 1);
	if (thinker)
		for (const { role, tool_calls, reasoning_content } of since)
			must(
				role !== "assistant" || !tool_calls || reasoning_content,
				"Missing `reasoning_content` field in the assistant message of a turn with tool calls.",
			);
	else
		must(
			!messages.some((each: Body) => "reasoning_content" in each),
			"Unrecognized request argument supplied: reasoning_content",
		);
	const users = messages.filter(({ role }: Body) => role === "user");
	const parts = partsOf(messages[start]?.content ?? "");
	const seen: Seen = {
		instructions: messages
			.filter(({ role }: Body) => role === "system" || role === "developer")
			.map(({ content }: Body) => textIn(content)),
		said: textIn(parts),
		media: parts.flatMap(mediaIn),
		turns: users.length,
		tools: tools
			.filter(({ type }: Body) => type === "function")
			.map(({ function: { name, parameters = {} } }: Body) => ({
				name,
				schema: parameters,
			})),
		choice:
			typeof tool_choice === "string"
				? (tool_choice as "auto")
				: tool_choice.type === "function"
					? tool_choice.function
					: tool_choice.allowed_tools.mode,
		parallel: body.parallel_tool_calls ?? true,
		results: since
			.filter(({ role }: Body) => role === "tool")
			.map(({ content }: Body) => ({ text: textIn(content), error: false })),
		output:
			response_format?.type === "json_schema"
				? (response_format.json_schema.schema ?? {})
				: response_format?.type === "json_object"
					? "json"
					: undefined,
		stop: stop ? [stop].flat() : [],
		thinks: thinker,
	};
	must(
		tools.length > 0 || body.tool_choice === undefined,
		"'tool_choice' is only allowed when 'tools' are specified.",
	);
	must(
		tools.length > 0 || body.parallel_tool_calls === undefined,
		"'parallel_tool_calls' is only allowed when 'tools' are specified.",
	);
	must(
		body.stream || !body.stream_options,
		"'stream_options' is only allowed when 'stream' is true.",
	);
	must(
		body.logprobs || body.top_logprobs == null,
		"'top_logprobs' needs 'logprobs'.",
	);
	if (response_format?.json_schema?.strict)
		mustBeStrict(response_format.json_schema.schema);
	for (const { function: own } of tools)
		if (own?.strict) mustBeStrict(own.parameters);
	if (seen.output === "json") mustSayJson(seen);
	return seen;
}

function mustPairCalls(messages: Body[]): void {
	let open: string[] = [];
	for (const { role, tool_calls, tool_call_id } of messages) {
		if (role === "tool") {
			must(
				open.includes(tool_call_id),
				"messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
			);
			open = open.filter((id) => id !== tool_call_id);
			continue;
		}
		must(
			open.length === 0,
			"An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
		);
		open = (tool_calls ?? []).map(({ id }: Body) => id);
		must(new Set(open).size === open.length, "Tool call ids must be unique.");
		for (const { function: own } of tool_calls ?? [])
			if (own) must(JSON.parse(own.arguments), "Arguments are not JSON.");
	}
	must(open.length === 0, "Tool calls without results.");
}

function partsOf(content: Body): Body[] {
	return typeof content === "string"
		? [{ type: "text", text: content }]
		: content;
}

function textIn(content: Body): string {
	return partsOf(content)
		.filter(({ type }) => type === "text")
		.map(({ text }) => text)
		.join("");
}

function mediaIn(part: Body): string[] {
	if (part.type === "image_url")
		return [
			part.image_url.url.startsWith("data:")
				? mediaType(part.image_url.url)
				: "image",
		];
	if (part.type === "file") return [mediaType(part.file.file_data)];
	return part.type === "input_audio"
		? [`audio/${part.input_audio.format}`]
		: [];
}

const common = {
	id: "chatcmpl-sim",
	created: 1_764_000_000,
	system_fingerprint: "fp_sim",
};

function usageOf({ usage }: Thought): object {
	return {
		prompt_tokens: usage.input,
		completion_tokens: usage.output,
		total_tokens: usage.input + usage.output,
		prompt_tokens_details: { cached_tokens: usage.cached, audio_tokens: 0 },
		completion_tokens_details: {
			reasoning_tokens: usage.reasoning,
			audio_tokens: 0,
			accepted_prediction_tokens: 0,
			rejected_prediction_tokens: 0,
		},
	};
}

function callsOf({ calls }: Thought): Body[] {
	return calls.map(({ name, input }, index) => ({
		id: `call_${index}_${name}`,
		type: "function",
		function: { name, arguments: JSON.stringify(input) },
	}));
}

function finishOf({ calls }: Thought): string {
	return calls.length > 0 ? "tool_calls" : "stop";
}

function whole(thought: Thought, { model }: Body): object {
	const calls = callsOf(thought);
	return {
		...common,
		object: "chat.completion",
		model,
		choices: [
			{
				index: 0,
				message: {
					role: "assistant",
					content: thought.text ?? null,
					refusal: null,
					annotations: [],
					...(thought.reasoning && { reasoning_content: thought.reasoning }),
					...(calls.length > 0 && { tool_calls: calls }),
				},
				logprobs: null,
				finish_reason: finishOf(thought),
			},
		],
		usage: usageOf(thought),
		service_tier: "default",
	};
}

function frames(thought: Thought, { model, stream_options }: Body): string[] {
	const counts = stream_options?.include_usage === true;
	const frame = (choices: unknown[], usage: object | null = null) =>
		`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", model, choices, ...(counts && { usage }) })}\n\n`;
	const delta = (delta: object, finish_reason: string | null = null) =>
		frame([{ index: 0, delta, logprobs: null, finish_reason }]);
	return [
		delta({
			role: "assistant",
			content: thought.calls.length > 0 ? null : "",
			refusal: null,
		}),
		...pieces(thought.reasoning ?? "").map((reasoning_content) =>
			delta({ reasoning_content }),
		),
		...pieces(thought.text ?? "").map((content) => delta({ content })),
		...callsOf(thought).flatMap(
			({ function: { name, arguments: json }, ...call }, index) => [
				delta({
					tool_calls: [{ index, ...call, function: { name, arguments: "" } }],
				}),
				...pieces(json).map((piece) =>
					delta({ tool_calls: [{ index, function: { arguments: piece } }] }),
				),
			],
		),
		delta({}, finishOf(thought)),
		...(counts ? [frame([], usageOf(thought))] : []),
		"data: [DONE]\n\n",
	];
}
