import OpenAI from "openai";
import { ResponsesToolRunner } from "openai/helpers/responses-tool-runner";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import {
	type Ask,
	type Connect,
	forecast,
	type Told,
	weather,
	weatherIn,
} from "./client.ts";

function statusOf(fault: unknown): number | undefined {
	return fault instanceof OpenAI.APIError ? fault.status : undefined;
}

const schema = {
	type: "object",
	properties: { city: { type: "string" } },
	required: ["city"],
	additionalProperties: false,
};

export const openaiChat: Connect = ({ url, key }) => {
	const { chat } = new OpenAI({
		apiKey: key,
		baseURL: `${url}/v1`,
		maxRetries: 0,
	});
	type Messages = OpenAI.ChatCompletionMessageParam[];

	const params = ({
		model,
		said,
		system,
		developer,
		before,
		stop,
		png,
		pdf,
	}: Ask) => ({
		model,
		max_completion_tokens: 2_000,
		...(stop !== undefined && { stop: [stop] }),
		messages: [
			...(system === undefined ? [] : [{ role: "system", content: system }]),
			...(developer === undefined
				? []
				: [{ role: "developer", content: developer }]),
			...(before
				? [
						{ role: "user", content: before.user },
						{ role: "assistant", content: before.assistant },
					]
				: []),
			{
				role: "user",
				content:
					png || pdf
						? [
								{ type: "text", text: said },
								...(png
									? [
											{
												type: "image_url",
												image_url: { url: `data:image/png;base64,${png}` },
											},
										]
									: []),
								...(pdf
									? [
											{
												type: "file",
												file: {
													filename: "a.pdf",
													file_data: `data:application/pdf;base64,${pdf}`,
												},
											},
										]
									: []),
							]
						: said,
			},
		] as Messages,
	});
	const told = ({ choices: [choice], usage }: OpenAI.ChatCompletion): Told => ({
		text: choice?.message.content ?? "",
		reasoning: (choice?.message as { reasoning_content?: string } | undefined)
			?.reasoning_content,
		usage: usage && {
			input: usage.prompt_tokens,
			output: usage.completion_tokens,
			cached: usage.prompt_tokens_details?.cached_tokens,
		},
	});
	const tools = (ask: Ask) => [
		{
			type: "function" as const,
			function: {
				name: weather.name,
				description: weather.description,
				parameters: schema as object,
				strict: true,
				parse: (json: string) => weather.input.parse(JSON.parse(json)),
				function: ({ city }: { city: string }) => weatherIn(city, ask),
			},
		},
	];

	return {
		name: "openai chat",
		protocol: "openai-chat",
		model: "gpt-4.1",
		can: new Set([
			"developer",
			"stop",
			"pdf",
			"carry-reasoning",
			"stream-usage",
		]),
		ask: async (ask) => told(await chat.completions.create(params(ask))),
		stream: async (ask) =>
			told(
				await chat.completions
					.stream({ ...params(ask), stream_options: { include_usage: true } })
					.finalChatCompletion(),
			),
		loop: async (ask) =>
			told(
				await chat.completions
					.runTools({ ...params(ask), tools: tools(ask) })
					.finalChatCompletion(),
			),
		streamedLoop: async (ask) =>
			told(
				await chat.completions
					.runTools({
						...params(ask),
						tools: tools(ask),
						stream: true,
						stream_options: { include_usage: true },
					})
					.finalChatCompletion(),
			),
		async shape(ask) {
			const { choices } = await chat.completions.parse({
				...params(ask),
				response_format: zodResponseFormat(forecast, "forecast"),
			});
			return choices[0]?.message.parsed;
		},
		statusOf,
	};
};

export const openaiResponses: Connect = ({ url, key }) => {
	const client = new OpenAI({
		apiKey: key,
		baseURL: `${url}/v1`,
		maxRetries: 0,
	});
	const { responses } = client;

	const params = ({
		model,
		said,
		system,
		developer,
		before,
		png,
		pdf,
		thinks,
	}: Ask) => ({
		model,
		max_output_tokens: 2_000,
		...(system !== undefined && { instructions: system }),
		...(thinks && {
			reasoning: { effort: "medium" as const, summary: "auto" as const },
			include: ["reasoning.encrypted_content" as const],
		}),
		store: false,
		input: [
			...(developer === undefined
				? []
				: [{ role: "developer", content: developer }]),
			...(before
				? [
						{ role: "user", content: before.user },
						{ role: "assistant", content: before.assistant },
					]
				: []),
			{
				role: "user",
				content: [
					{ type: "input_text", text: said },
					...(png
						? [
								{
									type: "input_image",
									image_url: `data:image/png;base64,${png}`,
									detail: "auto",
								},
							]
						: []),
					...(pdf
						? [
								{
									type: "input_file",
									filename: "a.pdf",
									file_data: `data:application/pdf;base64,${pdf}`,
								},
							]
						: []),
				],
			},
		] as OpenAI.Responses.ResponseInput,
	});
	const told = ({
		output_text,
		output,
		usage,
	}: OpenAI.Responses.Response): Told => ({
		text: output_text,
		reasoning: output
			.flatMap((item) =>
				item.type === "reasoning"
					? [...item.summary, ...(item.content ?? [])]
					: [],
			)
			.map(({ text }) => text)
			.join(""),
		usage: usage && {
			input: usage.input_tokens,
			output: usage.output_tokens,
			cached: usage.input_tokens_details?.cached_tokens,
		},
	});
	const loop = async (ask: Ask, stream: boolean) => {
		const runner = new ResponsesToolRunner({
			functions: [
				{
					tool: {
						type: "function",
						name: weather.name,
						description: weather.description,
						parameters: schema,
						strict: true,
					},
					execute: ({ city }) => weatherIn(String(city), ask),
				},
			],
		});
		return told(await runner.run(client, params(ask), { stream }));
	};

	return {
		name: "openai responses",
		protocol: "openai-responses",
		model: "gpt-5.2",
		can: new Set([
			"developer",
			"pdf",
			"reasoning",
			"carry-reasoning",
			"stream-usage",
		]),
		ask: async (ask) => told(await responses.create(params(ask))),
		stream: async (ask) =>
			told(await responses.stream(params(ask)).finalResponse()),
		loop: (ask) => loop(ask, false),
		streamedLoop: (ask) => loop(ask, true),
		async shape(ask) {
			const { output_parsed } = await responses.parse({
				...params(ask),
				text: { format: zodTextFormat(forecast, "forecast") },
			});
			return output_parsed;
		},
		statusOf,
	};
};
