import { z } from "zod";
import { pieces, type Seen, sign, type Thought } from "./mind.ts";
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

/* The Responses API, after OpenAI's API reference and the types of its SDK. */

const status = z.enum(["in_progress", "completed", "incomplete"]).nullish();
const inputText = z.strictObject({
	type: z.literal("input_text"),
	text: z.string(),
});
const inputImage = z.strictObject({
	type: z.literal("input_image"),
	detail: z.enum(["auto", "low", "high", "original"]).optional(),
	image_url: z.string().nullish(),
	file_id: z.string().nullish(),
});
const inputFile = z.union([
	z.strictObject({
		type: z.literal("input_file"),
		file_data: z.string(),
		filename: z.string(),
	}),
	z.strictObject({
		type: z.literal("input_file"),
		file_url: z.url(),
		filename: z.string().optional(),
	}),
	z.strictObject({ type: z.literal("input_file"), file_id: z.string() }),
]);
const input = z.union([inputText, inputImage, inputFile]);
const functionTool = z.strictObject({
	type: z.literal("function"),
	name,
	description: z.string().nullish(),
	parameters: jsonSchema.nullable(),
	strict: z.boolean().nullable(),
});
const item = z.union([
	z.strictObject({
		type: z.literal("additional_tools"),
		id: z.string().nullish(),
		role: z.literal("developer"),
		tools: z.array(functionTool).min(1),
	}),
	z.strictObject({
		type: z.literal("message").optional(),
		role: z.enum(["user", "system", "developer"]),
		content: z.union([z.string(), z.array(input).min(1)]),
		status,
	}),
	z.strictObject({
		type: z.literal("message").optional(),
		id: z.string().regex(/^msg_/).optional(),
		role: z.literal("assistant"),
		content: z.union([
			z.string(),
			z.array(
				z.union([
					z.strictObject({
						type: z.literal("output_text"),
						text: z.string(),
						annotations: z.array(jsonSchema).optional(),
						logprobs: z.array(jsonSchema).optional(),
					}),
					z.strictObject({ type: z.literal("refusal"), refusal: z.string() }),
				]),
			),
		]),
		phase: z.enum(["commentary", "final_answer"]).nullish(),
		status,
	}),
	z.strictObject({
		type: z.literal("function_call"),
		id: z.string().regex(/^fc_/).optional(),
		call_id: z.string().min(1).max(64),
		name,
		arguments: z.string(),
		status,
	}),
	z.strictObject({
		type: z.literal("function_call_output"),
		id: z.string().nullish(),
		call_id: z.string().min(1).max(64),
		output: z.union([z.string(), z.array(input).min(1)]),
		status,
	}),
	z.strictObject({
		type: z.literal("reasoning"),
		id: z.string().regex(/^rs_/).optional(),
		summary: z.array(
			z.strictObject({ type: z.literal("summary_text"), text: z.string() }),
		),
		content: z
			.array(
				z.strictObject({ type: z.literal("reasoning_text"), text: z.string() }),
			)
			.optional(),
		encrypted_content: z.string().nullish(),
		status,
	}),
]);
const request = z.strictObject({
	model: z.string(),
	input: z.union([z.string(), z.array(item).min(1)]),
	background: z.boolean().nullish(),
	include: z
		.array(
			z.enum([
				"reasoning.encrypted_content",
				"message.output_text.logprobs",
				"web_search_call.action.sources",
				"web_search_call.results",
			]),
		)
		.nullish(),
	instructions: z.string().nullish(),
	max_output_tokens: z.int().min(16).nullish(),
	max_tool_calls: z.int().nullish(),
	metadata: metadata.optional(),
	parallel_tool_calls: z.boolean().nullish(),
	prompt_cache_key: z.string().nullish(),
	prompt_cache_retention: z.enum(["in_memory", "24h"]).nullish(),
	reasoning: z
		.strictObject({
			effort: effort.optional(),
			summary: z.enum(["auto", "concise", "detailed"]).nullish(),
		})
		.nullish(),
	safety_identifier: z.string().max(64).nullish(),
	service_tier: z
		.enum(["auto", "default", "flex", "scale", "priority", "fast"])
		.nullish(),
	store: z.boolean().nullish(),
	stream: z.boolean().nullish(),
	stream_options: z
		.strictObject({ include_obfuscation: z.boolean().optional() })
		.nullish(),
	temperature: z.number().min(0).max(2).nullish(),
	text: z
		.strictObject({
			format: z
				.union([
					z.strictObject({ type: z.enum(["text", "json_object"]) }),
					z.strictObject({
						type: z.literal("json_schema"),
						name,
						schema: jsonSchema,
						description: z.string().optional(),
						strict: z.boolean().nullish(),
					}),
				])
				.optional(),
			verbosity: z.enum(["low", "medium", "high"]).nullish(),
		})
		.optional(),
	tool_choice: z
		.union([
			z.enum(["none", "auto", "required"]),
			z.strictObject({ type: z.literal("function"), name }),
			z.strictObject({
				type: z.literal("allowed_tools"),
				mode: z.enum(["auto", "required"]),
				tools: z.array(jsonSchema),
			}),
		])
		.optional(),
	tools: z.array(functionTool).optional(),
	top_logprobs: z.int().min(0).max(20).nullish(),
	top_p: z.number().min(0).max(1).nullish(),
	truncation: z.enum(["auto", "disabled"]).nullish(),
	user: z.string().optional(),
});

/**
 * Where reasoning was asked for, it comes encrypted when `include` says so, and a function call of
 * the current turn has to come back with the reasoning that led to it.
 */
export const responses: Wire = {
	at: (path) => (path === "/v1/responses" ? create : undefined),
	error: errorBody,
};

const create: Endpoint = {
	schema: request,
	answer(body) {
		return {
			seen: read(body),
			whole: (thought) => whole(thought, body),
			...(body.stream && {
				frames: (thought: Thought) => frames(thought, body),
			}),
		};
	},
};

function read(body: Body): Seen {
	const {
		tools: given = [],
		tool_choice = "auto",
		text,
		instructions,
		reasoning,
	} = body;
	const input: Body[] =
		typeof body.input === "string"
			? [{ role: "user", content: body.input }]
			: body.input;
	const isTools = ({ type }: Body) => type === "additional_tools";
	const items = input.filter((each) => !isTools(each));
	const tools: Body[] = [
		...given,
		...input.filter(isTools).flatMap((each) => each.tools),
	];
	const effort = reasoning?.effort;
	const thinks = effort !== undefined && effort !== null && effort !== "none";
	const start = items.findLastIndex(({ role }) => role === "user");
	const since = items.slice(start + 1);
	mustPairCalls(items, since, thinks);
	const users = items.filter(({ role }) => role === "user");
	const parts = partsOf(items[start]?.content ?? "");
	const format = text?.format;
	const seen: Seen = {
		instructions: [
			...(instructions ? [instructions] : []),
			...items
				.filter(({ role }) => role === "system" || role === "developer")
				.map(({ content }) => textIn(content)),
		],
		said: textIn(parts),
		media: parts.flatMap(mediaIn),
		turns: users.length,
		tools: tools.map(({ name, parameters }: Body) => ({
			name,
			schema: parameters ?? {},
		})),
		choice:
			typeof tool_choice === "string"
				? (tool_choice as "auto")
				: tool_choice.type === "function"
					? { name: tool_choice.name }
					: tool_choice.mode,
		parallel: body.parallel_tool_calls ?? true,
		results: since
			.filter(({ type }) => type === "function_call_output")
			.map(({ output }) => ({ text: textIn(output), error: false })),
		output:
			format?.type === "json_schema"
				? format.schema
				: format?.type === "json_object"
					? "json"
					: undefined,
		stop: [],
		thinks,
	};
	if (format?.strict) mustBeStrict(format.schema);
	for (const { strict, parameters } of tools)
		if (strict) mustBeStrict(parameters);
	if (seen.output === "json") mustSayJson(seen);
	must(
		tools.length > 0 || !body.tool_choice || typeof tool_choice === "string",
		"tool_choice needs tools",
	);
	return seen;
}

function mustPairCalls(items: Body[], since: Body[], thinks: boolean): void {
	const calls = items.filter(({ type }) => type === "function_call");
	const outputs = items.filter(({ type }) => type === "function_call_output");
	for (const { call_id } of calls)
		must(
			outputs.some((each) => each.call_id === call_id),
			`No tool output found for function call ${call_id}.`,
		);
	for (const { call_id } of outputs)
		must(
			calls.some((each) => each.call_id === call_id),
			`No tool call found for function call output with call_id ${call_id}.`,
		);
	for (const { type, encrypted_content } of items)
		must(
			type !== "reasoning" || encrypted_content === sign("reasoning"),
			"The encrypted content could not be verified.",
		);
	if (thinks && since.some(({ type }) => type === "function_call"))
		must(
			since[0].type === "reasoning",
			"Item of type 'function_call' was provided without its required 'reasoning' item.",
		);
}

function partsOf(content: Body): Body[] {
	return typeof content === "string"
		? [{ type: "input_text", text: content }]
		: content;
}

function textIn(content: Body): string {
	return partsOf(content)
		.filter(({ type }) => type === "input_text")
		.map(({ text }) => text)
		.join("");
}

function mediaIn({ type, image_url, file_data }: Body): string[] {
	const data = type === "input_image" ? image_url : file_data;
	if (type === "input_text") return [];
	return [data?.startsWith("data:") ? mediaType(data) : "url"];
}

let made = 0;

function outputOf(thought: Thought, { include, reasoning }: Body): Body[] {
	const number = made++;
	return [
		...(thought.reasoning === undefined
			? []
			: [
					{
						id: `rs_${number}`,
						type: "reasoning",
						summary: reasoning.summary
							? [{ type: "summary_text", text: thought.reasoning }]
							: [],
						...(include?.includes("reasoning.encrypted_content") && {
							encrypted_content: sign("reasoning"),
						}),
					},
				]),
		...(thought.text === undefined
			? []
			: [
					{
						id: `msg_${number}`,
						type: "message",
						status: "completed",
						role: "assistant",
						content: [
							{
								type: "output_text",
								text: thought.text,
								annotations: [],
								logprobs: [],
							},
						],
					},
				]),
		...thought.calls.map(({ name, input }, index) => ({
			id: `fc_${number}_${index}`,
			type: "function_call",
			status: "completed",
			call_id: `call_${index}_${name}`,
			name,
			arguments: JSON.stringify(input),
		})),
	];
}

function whole(thought: Thought, body: Body): Body {
	const { usage } = thought;
	return {
		id: `resp_${made}`,
		object: "response",
		created_at: 1_764_000_000,
		status: "completed",
		background: false,
		error: null,
		incomplete_details: null,
		instructions: body.instructions ?? null,
		max_output_tokens: body.max_output_tokens ?? null,
		max_tool_calls: null,
		model: body.model,
		output: outputOf(thought, body),
		parallel_tool_calls: body.parallel_tool_calls ?? true,
		previous_response_id: null,
		prompt_cache_key: null,
		reasoning: body.reasoning ?? { effort: null, summary: null },
		safety_identifier: null,
		service_tier: "default",
		store: body.store ?? true,
		temperature: body.temperature ?? 1,
		text: body.text ?? { format: { type: "text" }, verbosity: "medium" },
		tool_choice: body.tool_choice ?? "auto",
		tools: body.tools ?? [],
		top_logprobs: 0,
		top_p: 1,
		truncation: "disabled",
		usage: {
			input_tokens: usage.input,
			input_tokens_details: { cached_tokens: usage.cached },
			output_tokens: usage.output,
			output_tokens_details: { reasoning_tokens: usage.reasoning },
			total_tokens: usage.input + usage.output,
		},
		user: null,
		metadata: body.metadata ?? {},
	};
}

function frames(thought: Thought, body: Body): string[] {
	let sequence_number = 0;
	const event = (type: string, data: object) =>
		`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence_number++, ...data })}\n\n`;
	const done = whole(thought, body);
	const begun = { ...done, status: "in_progress", output: [], usage: null };
	return [
		event("response.created", { response: begun }),
		event("response.in_progress", { response: begun }),
		...(done.output as Body[]).flatMap((item, output_index) => [
			event("response.output_item.added", { output_index, item: opened(item) }),
			...inside(item, output_index, event),
			event("response.output_item.done", { output_index, item }),
		]),
		event("response.completed", { response: done }),
	];
}

function opened(item: Body): Body {
	if (item.type === "message")
		return { ...item, status: "in_progress", content: [] };
	if (item.type === "reasoning")
		return { id: item.id, type: "reasoning", summary: [] };
	return { ...item, status: "in_progress", arguments: "" };
}

function inside(
	item: Body,
	output_index: number,
	event: (type: string, data: object) => string,
): string[] {
	const at = { item_id: item.id, output_index };
	if (item.type === "function_call")
		return [
			...pieces(item.arguments).map((delta) =>
				event("response.function_call_arguments.delta", { ...at, delta }),
			),
			event("response.function_call_arguments.done", {
				...at,
				name: item.name,
				arguments: item.arguments,
			}),
		];
	if (item.type === "reasoning")
		return item.summary.flatMap((part: Body, summary_index: number) => {
			const here = { ...at, summary_index };
			return [
				event("response.reasoning_summary_part.added", {
					...here,
					part: { ...part, text: "" },
				}),
				...pieces(part.text).map((delta) =>
					event("response.reasoning_summary_text.delta", { ...here, delta }),
				),
				event("response.reasoning_summary_text.done", {
					...here,
					text: part.text,
				}),
				event("response.reasoning_summary_part.done", { ...here, part }),
			];
		});
	return item.content.flatMap((part: Body, content_index: number) => {
		const here = { ...at, content_index };
		return [
			event("response.content_part.added", {
				...here,
				part: { ...part, text: "" },
			}),
			...pieces(part.text).map((delta) =>
				event("response.output_text.delta", { ...here, delta, logprobs: [] }),
			),
			event("response.output_text.done", {
				...here,
				text: part.text,
				logprobs: [],
			}),
			event("response.content_part.done", { ...here, part }),
		];
	});
}
