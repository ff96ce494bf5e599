import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import {
	type Ask,
	type Connect,
	forecast,
	type Told,
	weather,
	weatherIn,
} from "./client.ts";

export const anthropic: Connect = ({ url, key }) => {
	const { messages, beta } = new Anthropic({
		apiKey: key,
		baseURL: url,
		maxRetries: 0,
	});

	const params = ({
		model,
		said,
		system,
		before,
		stop,
		png,
		pdf,
		thinks,
	}: Ask) => ({
		model,
		max_tokens: 4_000,
		...(system !== undefined && { system }),
		...(stop !== undefined && { stop_sequences: [stop] }),
		...(thinks && {
			thinking: { type: "enabled" as const, budget_tokens: 2_000 },
		}),
		messages: [
			...(before
				? [
						{ role: "user" as const, content: before.user },
						{ role: "assistant" as const, content: before.assistant },
					]
				: []),
			{
				role: "user" as const,
				content: [
					...(png
						? [
								{
									type: "image" as const,
									source: {
										type: "base64" as const,
										media_type: "image/png" as const,
										data: png,
									},
								},
							]
						: []),
					...(pdf
						? [
								{
									type: "document" as const,
									source: {
										type: "base64" as const,
										media_type: "application/pdf" as const,
										data: pdf,
									},
								},
							]
						: []),
					{ type: "text" as const, text: said },
				],
			},
		],
	});
	const told = ({
		content,
		usage,
	}: Pick<Anthropic.Message, "content"> & {
		usage: Pick<
			Anthropic.Usage,
			| "input_tokens"
			| "output_tokens"
			| "cache_read_input_tokens"
			| "cache_creation_input_tokens"
		>;
	}): Told => ({
		text: content
			.map((block) => (block.type === "text" ? block.text : ""))
			.join(""),
		reasoning: content
			.map((block) => (block.type === "thinking" ? block.thinking : ""))
			.join(""),
		usage: {
			input:
				usage.input_tokens +
				(usage.cache_read_input_tokens ?? 0) +
				(usage.cache_creation_input_tokens ?? 0),
			output: usage.output_tokens,
			cached: usage.cache_read_input_tokens ?? 0,
		},
	});
	const tools = (ask: Ask) => [
		betaZodTool({
			name: weather.name,
			description: weather.description,
			inputSchema: weather.input,
			run: ({ city }) => weatherIn(city, ask),
		}),
	];

	return {
		name: "anthropic",
		protocol: "anthropic-messages",
		model: "claude-sonnet-4-6",
		can: new Set([
			"stop",
			"pdf",
			"reasoning",
			"carry-reasoning",
			"tool-errors",
			"stream-usage",
		]),
		ask: async (ask) => told(await messages.create(params(ask))),
		stream: async (ask) =>
			told(await messages.stream(params(ask)).finalMessage()),
		loop: async (ask) =>
			told(
				(await beta.messages.toolRunner({
					...params(ask),
					tools: tools(ask),
				})) as Anthropic.Message,
			),
		async streamedLoop(ask) {
			const runner = beta.messages.toolRunner({
				...params(ask),
				tools: tools(ask),
				stream: true,
			});
			let last: Anthropic.Message | undefined;
			for await (const stream of runner)
				last = (await stream.finalMessage()) as Anthropic.Message;
			return told(last as Anthropic.Message);
		},
		async shape(ask) {
			const { parsed_output } = await messages.parse({
				...params(ask),
				output_config: { format: zodOutputFormat(forecast) },
			});
			return parsed_output;
		},
		statusOf: (fault) =>
			fault instanceof Anthropic.APIError ? fault.status : undefined,
	};
};
