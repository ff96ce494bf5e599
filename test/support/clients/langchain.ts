import { ChatAnthropic } from "@langchain/anthropic";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import {
	AIMessage,
	type AIMessageChunk,
	type BaseMessage,
	HumanMessage,
	SystemMessage,
	ToolMessage,
	type UsageMetadata,
} from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI } from "@langchain/openai";
import {
	type Ask,
	type Client,
	type Connect,
	forecast,
	type Told,
	weather,
	weatherIn,
} from "./client.ts";

type Model = BaseChatModel;

function client(
	provider: string,
	[protocol, known]: readonly [protocol: string, model: string],
	can: Client["can"],
	open: (ask: Ask) => Model,
): Client {
	const conversation = ({
		said,
		system,
		before,
		png,
		pdf,
	}: Ask): BaseMessage[] => [
		...(system === undefined ? [] : [new SystemMessage(system)]),
		...(before
			? [new HumanMessage(before.user), new AIMessage(before.assistant)]
			: []),
		new HumanMessage({
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
											source_type: "base64",
											mime_type: "application/pdf",
											data: pdf,
											metadata: { filename: "a.pdf" },
										},
									]
								: []),
						]
					: said,
		}),
	];
	const told = (message: AIMessage): Told => {
		const usage = message.usage_metadata as UsageMetadata | undefined;
		return {
			text: message.text,
			usage: usage && {
				input: usage.input_tokens,
				output: usage.output_tokens,
				cached: usage.input_token_details?.cache_read,
			},
		};
	};
	async function streamed(
		model: Pick<Model, "stream">,
		messages: BaseMessage[],
		stop: string | undefined,
	): Promise<AIMessageChunk> {
		let whole: AIMessageChunk | undefined;
		for await (const chunk of await model.stream(
			messages,
			stop === undefined ? {} : { stop: [stop] },
		))
			whole = whole ? whole.concat(chunk) : chunk;
		return whole as AIMessageChunk;
	}
	/** As its users write it: the message is kept as it came, and each call is answered. */
	async function loop(
		ask: Ask,
		answer: (
			model: Pick<Model, "stream" | "invoke">,
			messages: BaseMessage[],
		) => Promise<AIMessageChunk>,
	): Promise<Told> {
		const run = tool(({ city }: { city: string }) => weatherIn(city, ask), {
			name: weather.name,
			description: weather.description,
			schema: weather.input,
		});
		const model = open(ask).bindTools?.([run]) as unknown as Model;
		const messages = conversation(ask);
		for (let step = 0; step < 4; step++) {
			const said = await answer(model, messages);
			messages.push(said);
			const calls = said.tool_calls ?? [];
			if (calls.length === 0) return told(said);
			for (const { id, name, args } of calls) {
				const content = await run
					.invoke(args as { city: string })
					.then((value) => ({ content: value as string }))
					.catch((fault: Error) => ({
						content: fault.message,
						status: "error" as const,
					}));
				messages.push(
					new ToolMessage({ ...content, tool_call_id: id as string, name }),
				);
			}
		}
		throw new Error("It never ends.");
	}

	return {
		name: `langchain ${provider}`,
		protocol,
		model: known,
		can,
		ask: async (ask) =>
			told(
				await open(ask).invoke(
					conversation(ask),
					ask.stop === undefined ? {} : { stop: [ask.stop] },
				),
			),
		stream: async (ask) =>
			told(await streamed(open(ask), conversation(ask), ask.stop)),
		loop: (ask) =>
			loop(
				ask,
				async (model, messages) =>
					(await model.invoke(messages)) as AIMessageChunk,
			),
		streamedLoop: (ask) =>
			loop(ask, (model, messages) => streamed(model, messages, undefined)),
		shape: (ask) =>
			open(ask)
				.withStructuredOutput(forecast, { name: "forecast" })
				.invoke(conversation(ask)),
		statusOf(fault) {
			const { status, cause } = fault as {
				status?: number;
				cause?: { status?: number };
			};
			return status ?? cause?.status;
		},
	};
}

export const langchainOpenaiChat: Connect = ({ url, key }) =>
	client(
		"openai",
		["openai-chat", "gpt-4.1"],
		new Set(["stop", "pdf", "stream-usage"]),
		({ model }) =>
			new ChatOpenAI({
				model,
				apiKey: key,
				maxRetries: 0,
				maxTokens: 2_000,
				configuration: { baseURL: `${url}/v1` },
			}),
	);

export const langchainOpenaiResponses: Connect = ({ url, key }) =>
	client(
		"openai responses",
		["openai-responses", "gpt-5.2"],
		new Set(["carry-reasoning", "stream-usage"]),
		({ model, thinks }) =>
			new ChatOpenAI({
				model,
				apiKey: key,
				maxRetries: 0,
				maxTokens: 2_000,
				useResponsesApi: true,
				zdrEnabled: true,
				modelKwargs: { include: ["reasoning.encrypted_content"] },
				...(thinks && { reasoning: { effort: "medium", summary: "auto" } }),
				configuration: { baseURL: `${url}/v1` },
			}),
	);

export const langchainAnthropic: Connect = ({ url, key }) =>
	client(
		"anthropic",
		["anthropic-messages", "claude-sonnet-4-6"],
		new Set(["stop", "pdf", "carry-reasoning", "tool-errors"]),
		({ model, thinks }) =>
			new ChatAnthropic({
				model,
				apiKey: key,
				maxRetries: 0,
				maxTokens: 4_000,
				anthropicApiUrl: url,
				...(thinks && { thinking: { type: "enabled", budget_tokens: 2_000 } }),
			}),
	);

export const langchainGoogle: Connect = ({ url, key }) =>
	client(
		"google",
		["google-generate", "gemini-2.5-pro"],
		new Set(["stop", "pdf", "carry-reasoning"]),
		({ model, stop, thinks }) =>
			new ChatGoogleGenerativeAI({
				model,
				apiKey: key,
				maxRetries: 0,
				maxOutputTokens: 4_000,
				baseUrl: url,
				...(stop !== undefined && { stopSequences: [stop] }),
				...(thinks && {
					thinkingConfig: { includeThoughts: true, thinkingBudget: 2_000 },
				}),
			}),
	);
