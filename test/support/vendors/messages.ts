import { z } from "zod";
import { pieces, type Seen, sign, type Thought } from "./mind.ts";
import { type Body, type Endpoint, must, type Wire } from "./simulation.ts";

/* The Messages API, after Anthropic's API reference and the types of its SDK. */

const cache_control = z
	.strictObject({
		type: z.literal("ephemeral"),
		ttl: z.enum(["5m", "1h"]).optional(),
	})
	.nullish();
const text = z.strictObject({
	type: z.literal("text"),
	// "text content blocks must be non-empty"
	text: z.string().min(1),
	cache_control,
	citations: z.array(z.record(z.string(), z.unknown())).nullish(),
});
const image = z.strictObject({
	type: z.literal("image"),
	source: z.discriminatedUnion("type", [
		z.strictObject({
			type: z.literal("base64"),
			media_type: z.enum([
				"image/jpeg",
				"image/png",
				"image/gif",
				"image/webp",
			]),
			data: z.base64(),
		}),
		z.strictObject({ type: z.literal("url"), url: z.url() }),
	]),
	cache_control,
});
const document = z.strictObject({
	type: z.literal("document"),
	source: z.discriminatedUnion("type", [
		z.strictObject({
			type: z.literal("base64"),
			media_type: z.literal("application/pdf"),
			data: z.base64(),
		}),
		z.strictObject({
			type: z.literal("text"),
			media_type: z.literal("text/plain"),
			data: z.string(),
		}),
		z.strictObject({ type: z.literal("url"), url: z.url() }),
	]),
	title: z.string().nullish(),
	context: z.string().nullish(),
	citations: z.strictObject({ enabled: z.boolean() }).nullish(),
	cache_control,
});
const result = z.strictObject({
	type: z.literal("tool_result"),
	tool_use_id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
	content: z
		.union([z.string(), z.array(z.union([text, image, document]))])
		.optional(),
	is_error: z.boolean().optional(),
	cache_control,
});
const name = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/);
const message = z.discriminatedUnion("role", [
	z.strictObject({
		role: z.literal("user"),
		content: z.union([
			z.string().min(1),
			z.array(z.union([text, image, document, result])).min(1),
		]),
	}),
	z.strictObject({
		role: z.literal("assistant"),
		content: z.union([
			z.string().min(1),
			z
				.array(
					z.union([
						text,
						z.strictObject({
							type: z.literal("tool_use"),
							id: z.string().regex(/^[a-zA-Z0-9_-]+$/),
							name,
							input: z.record(z.string(), z.unknown()),
							cache_control,
							caller: z.unknown().optional(),
						}),
						z.strictObject({
							type: z.literal("thinking"),
							thinking: z.string(),
							signature: z.string(),
						}),
						z.strictObject({
							type: z.literal("redacted_thinking"),
							data: z.string(),
						}),
					]),
				)
				.min(1),
		]),
	}),
]);
const parallel = z.boolean().optional();
const countable = {
	model: z.string(),
	messages: z.array(message).min(1),
	system: z.union([z.string(), z.array(text)]).optional(),
	tools: z
		.array(
			z.strictObject({
				type: z.literal("custom").nullish(),
				name,
				description: z.string().optional(),
				input_schema: z.looseObject({ type: z.literal("object") }),
				strict: z.boolean().optional(),
				eager_input_streaming: z.boolean().nullish(),
				cache_control,
			}),
		)
		.optional(),
	tool_choice: z
		.discriminatedUnion("type", [
			z.strictObject({
				type: z.enum(["auto", "any"]),
				disable_parallel_tool_use: parallel,
			}),
			z.strictObject({
				type: z.literal("tool"),
				name,
				disable_parallel_tool_use: parallel,
			}),
			z.strictObject({ type: z.literal("none") }),
		])
		.optional(),
	thinking: z
		.discriminatedUnion("type", [
			z.strictObject({
				type: z.literal("enabled"),
				budget_tokens: z.int().min(1024),
				display: z.enum(["summarized", "omitted"]).nullish(),
			}),
			z.strictObject({
				type: z.literal("adaptive"),
				display: z.enum(["summarized", "omitted"]).nullish(),
			}),
			z.strictObject({ type: z.literal("disabled") }),
		])
		.optional(),
	output_config: z
		.strictObject({
			effort: z.enum(["low", "medium", "high", "xhigh", "max"]).nullish(),
			format: z
				.strictObject({
					type: z.literal("json_schema"),
					schema: z.record(z.string(), z.unknown()),
				})
				.nullish(),
		})
		.optional(),
	cache_control,
};
const request = z.strictObject({
	...countable,
	max_tokens: z.int().min(1),
	metadata: z
		.strictObject({ user_id: z.string().max(256).nullish() })
		.optional(),
	service_tier: z.enum(["auto", "standard_only"]).optional(),
	stop_sequences: z.array(z.string().regex(/\S/)).optional(),
	stream: z.boolean().optional(),
	temperature: z.number().min(0).max(1).optional(),
	top_p: z.number().min(0).max(1).optional(),
	top_k: z.int().min(0).optional(),
});

const types: Readonly<Record<number, string>> = {
	400: "invalid_request_error",
	404: "not_found_error",
	429: "rate_limit_error",
	529: "overloaded_error",
};

/** Reasoning is shown with a signature, and within a turn of tools it has to come back with it. */
export const messages: Wire = {
	at(path, headers) {
		if (!/^20\d\d-\d\d-\d\d$/.test(String(headers["anthropic-version"])))
			return undefined;
		if (/^\/v1\/messages(\?beta=true)?$/.test(path)) return create;
		if (path === "/v1/messages/count_tokens") return count;
		return undefined;
	},
	error: (status, message) => ({
		type: "error",
		error: { type: types[status] ?? "api_error", message },
		request_id: "req_sim",
	}),
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

const count: Endpoint = {
	schema: z.strictObject(countable),
	answer: ({ messages }) => ({
		whole: { input_tokens: JSON.stringify(messages).length },
	}),
};

function read(body: Body): Seen {
	const { messages, system = [], thinking, tool_choice, max_tokens } = body;
	const turns = messages.map(({ role, content }: Body) => ({
		role,
		blocks: blocksOf(content),
	}));
	const thinks = thinking?.type === "enabled" || thinking?.type === "adaptive";
	mustPairCalls(turns);
	for (const { role, blocks } of turns)
		for (const { type, thinking, signature } of blocks)
			must(
				type !== "thinking" || signature === sign(thinking),
				`messages: Invalid \`signature\` in \`thinking\` block of the ${role}`,
			);
	must(
		turns[0].role === "user",
		"messages: first message must use the user role",
	);
	const start = turns.findLastIndex(
		({ role, blocks }: Body) =>
			role === "user" &&
			blocks.some(({ type }: Body) => type !== "tool_result"),
	);
	const since = turns.slice(start + 1);
	if (thinks) {
		must(
			(thinking.budget_tokens ?? 0) < max_tokens,
			"`max_tokens` must be greater than `thinking.budget_tokens`.",
		);
		must(
			!["any", "tool"].includes(tool_choice?.type),
			"Thinking may not be enabled when tool_choice forces tool use.",
		);
		must(
			(body.temperature ?? 1) === 1 && body.top_k === undefined,
			"`temperature` may only be set to 1 and `top_k` not at all when thinking is enabled.",
		);
		for (const { role, blocks } of since)
			must(
				role !== "assistant" || /thinking/.test(blocks[0].type),
				`Expected \`thinking\` or \`redacted_thinking\`, but found \`${blocks[0].type}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block.`,
			);
	}
	must(
		body.temperature === undefined || body.top_p === undefined,
		"`temperature` and `top_p` cannot both be specified for this model.",
	);
	must(
		turns.at(-1).role === "user",
		"This model does not support assistant message prefill.",
	);
	const last = turns[start]?.blocks ?? [];
	return {
		instructions: blocksOf(system).map(({ text }) => text),
		said: last
			.filter(({ type }: Body) => type === "text")
			.map(({ text }: Body) => text)
			.join(""),
		media: last
			.filter(({ type }: Body) => type === "image" || type === "document")
			.map(({ source }: Body) => source.media_type ?? "url"),
		turns: turns.filter(
			({ role, blocks }: Body) =>
				role === "user" && blocks.some(({ type }: Body) => type === "text"),
		).length,
		tools: (body.tools ?? []).map(({ name, input_schema }: Body) => ({
			name,
			schema: input_schema,
		})),
		choice:
			tool_choice?.type === "tool"
				? { name: tool_choice.name }
				: tool_choice?.type === "any"
					? "required"
					: (tool_choice?.type ?? "auto"),
		parallel: tool_choice?.disable_parallel_tool_use !== true,
		results: since.flatMap(({ blocks }: Body) =>
			blocks
				.filter(({ type }: Body) => type === "tool_result")
				.map(({ content = "", is_error }: Body) => ({
					text: blocksOf(content)
						.map(({ text = "" }) => text)
						.join(""),
					error: is_error === true,
				})),
		),
		output: body.output_config?.format?.schema,
		stop: body.stop_sequences ?? [],
		thinks,
	};
}

function mustPairCalls(turns: Body[]): void {
	turns.forEach(({ blocks }, index) => {
		const calls = blocks.filter(({ type }: Body) => type === "tool_use");
		const next = turns[index + 1]?.blocks ?? [];
		for (const { id } of calls)
			must(
				next.some((each: Body) => each.tool_use_id === id),
				`messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${id}`,
			);
		const before = turns[index - 1]?.blocks ?? [];
		for (const { type, tool_use_id } of blocks)
			must(
				type !== "tool_result" ||
					before.some(({ id }: Body) => id === tool_use_id),
				`messages.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${tool_use_id}`,
			);
	});
}

function blocksOf(content: Body): Body[] {
	return typeof content === "string"
		? [{ type: "text", text: content }]
		: content;
}

function contentOf({ reasoning, text, calls }: Thought): Body[] {
	return [
		...(reasoning === undefined
			? []
			: [
					{ type: "thinking", thinking: reasoning, signature: sign(reasoning) },
				]),
		...(text === undefined ? [] : [{ type: "text", text, citations: null }]),
		...calls.map(({ name, input }, index) => ({
			type: "tool_use",
			id: `toolu_${index}_${name}`,
			name,
			input,
			caller: { type: "direct" },
		})),
	];
}

const stops = {
	stop: "end_turn",
	"stop-sequence": "stop_sequence",
	"tool-calls": "tool_use",
} as const;

function usageOf({ usage: { input, cached, output } }: Thought): object {
	return {
		input_tokens: input - cached,
		cache_creation_input_tokens: 0,
		cache_read_input_tokens: cached,
		cache_creation: {
			ephemeral_5m_input_tokens: 0,
			ephemeral_1h_input_tokens: 0,
		},
		output_tokens: output,
		service_tier: "standard",
	};
}

function whole(thought: Thought, { model }: Body): object {
	return {
		id: "msg_sim",
		type: "message",
		role: "assistant",
		model,
		content: contentOf(thought),
		stop_reason: stops[thought.finish],
		stop_sequence: thought.sequence ?? null,
		usage: usageOf(thought),
	};
}

function frames(thought: Thought, body: Body): string[] {
	const event = (data: Body) =>
		`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
	const message = whole(thought, body);
	return [
		event({
			type: "message_start",
			message: {
				...message,
				content: [],
				stop_reason: null,
				stop_sequence: null,
				usage: { ...usageOf(thought), output_tokens: 1 },
			},
		}),
		event({ type: "ping" }),
		...contentOf(thought).flatMap((block, index) => {
			const delta = (delta: object) =>
				event({ type: "content_block_delta", index, delta });
			const open = (content_block: object) =>
				event({ type: "content_block_start", index, content_block });
			const inside =
				block.type === "thinking"
					? [
							open({ type: "thinking", thinking: "", signature: "" }),
							...pieces(block.thinking).map((thinking) =>
								delta({ type: "thinking_delta", thinking }),
							),
							delta({ type: "signature_delta", signature: block.signature }),
						]
					: block.type === "text"
						? [
								open({ ...block, text: "" }),
								...pieces(block.text).map((text) =>
									delta({ type: "text_delta", text }),
								),
							]
						: [
								open({ ...block, input: {} }),
								delta({ type: "input_json_delta", partial_json: "" }),
								...pieces(JSON.stringify(block.input)).map((partial_json) =>
									delta({ type: "input_json_delta", partial_json }),
								),
							];
			return [...inside, event({ type: "content_block_stop", index })];
		}),
		event({
			type: "message_delta",
			delta: {
				stop_reason: stops[thought.finish],
				stop_sequence: thought.sequence ?? null,
			},
			usage: { output_tokens: thought.usage.output },
		}),
		event({ type: "message_stop" }),
	];
}
