import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import {
	APICallError,
	generateObject,
	generateText,
	type LanguageModel,
	type ModelMessage,
	RetryError,
	stepCountIs,
	streamText,
	tool,
} from "ai";
import {
	type Ask,
	type Client,
	type Connect,
	forecast,
	type Told,
	weather,
	weatherIn,
} from "./client.ts";

type Options = Partial<Parameters<typeof generateText>[0]>;

function client(
	provider: string,
	[protocol, known]: readonly [protocol: string, model: string],
	can: Client["can"],
	model: (name: string) => LanguageModel,
	thinking: Options["providerOptions"] = {},
): Client {
	const params = ({
		said,
		system,
		before,
		stop,
		png,
		pdf,
		thinks,
		...ask
	}: Ask) => ({
		model: model(ask.model),
		maxRetries: 0,
		maxOutputTokens: 4_000,
		...(system !== undefined && { instructions: system }),
		...(stop !== undefined && { stopSequences: [stop] }),
		...(thinks && { providerOptions: thinking }),
		messages: [
			...(before
				? [
						{ role: "user", content: before.user },
						{ role: "assistant", content: before.assistant },
					]
				: []),
			{
				role: "user",
				content: [
					{ type: "text", text: said },
					...(png ? [{ type: "file", data: png, mediaType: "image/png" }] : []),
					...(pdf
						? [
								{
									type: "file",
									data: pdf,
									mediaType: "application/pdf",
									filename: "a.pdf",
								},
							]
						: []),
				],
			},
		] as ModelMessage[],
	});
	const tools = (ask: Ask) => ({
		tools: {
			weather: tool({
				description: weather.description,
				inputSchema: weather.input,
				execute: async ({ city }) => weatherIn(city, ask),
			}),
		},
		stopWhen: stepCountIs(4),
	});
	const told = (result: {
		text: string;
		reasoningText: string | undefined;
		usage: {
			inputTokens?: number | undefined;
			outputTokens?: number | undefined;
			inputTokenDetails?: { cacheReadTokens?: number | undefined };
		};
	}): Told => ({
		text: result.text,
		reasoning: result.reasoningText,
		usage: {
			input: result.usage.inputTokens ?? 0,
			output: result.usage.outputTokens ?? 0,
			cached: result.usage.inputTokenDetails?.cacheReadTokens,
		},
	});
	async function streamed(ask: Ask, more: object): Promise<Told> {
		let fault: unknown;
		const result = streamText({
			...params(ask),
			...more,
			onError: ({ error }) => {
				fault = error;
			},
		});
		let text = "";
		for await (const part of result.fullStream) {
			if (part.type === "text-delta") text += part.text;
			if (part.type === "error") fault = part.error;
		}
		if (fault !== undefined) throw fault;
		const steps = await result.steps;
		const last = steps.at(-1);
		return told({
			text: steps.length > 1 ? (last?.text ?? "") : text,
			reasoningText: last?.reasoningText,
			usage: last?.usage ?? {},
		});
	}

	return {
		name: `ai sdk ${provider}`,
		protocol,
		model: known,
		can,
		ask: async (ask) => told(await generateText(params(ask))),
		stream: (ask) => streamed(ask, {}),
		async loop(ask) {
			const result = await generateText({ ...params(ask), ...tools(ask) });
			return told(result.steps.at(-1) as Parameters<typeof told>[0]);
		},
		streamedLoop: (ask) => streamed(ask, tools(ask)),
		shape: async (ask) =>
			(
				await generateObject({
					...params(ask),
					schema: forecast,
					schemaName: "forecast",
				})
			).object,
		statusOf(fault) {
			const cause = RetryError.isInstance(fault) ? fault.lastError : fault;
			return APICallError.isInstance(cause) ? cause.statusCode : undefined;
		},
	};
}

export const aiSdkOpenaiChat: Connect = ({ url, key }) => {
	const provider = createOpenAI({ apiKey: key, baseURL: `${url}/v1` });
	return client(
		"openai.chat",
		["openai-chat", "gpt-4.1"],
		new Set(["stop", "pdf", "tool-errors", "stream-usage"]),
		(name) => provider.chat(name),
	);
};

export const aiSdkOpenaiResponses: Connect = ({ url, key }) => {
	const provider = createOpenAI({ apiKey: key, baseURL: `${url}/v1` });
	return client(
		"openai.responses",
		["openai-responses", "gpt-5.2"],
		new Set([
			"pdf",
			"reasoning",
			"carry-reasoning",
			"tool-errors",
			"stream-usage",
		]),
		(name) => provider.responses(name),
		{
			openai: {
				forceReasoning: true,
				reasoningEffort: "medium",
				reasoningSummary: "auto",
				store: false,
				include: ["reasoning.encrypted_content"],
			},
		},
	);
};

export const aiSdkAnthropic: Connect = ({ url, key }) => {
	const provider = createAnthropic({ apiKey: key, baseURL: `${url}/v1` });
	return client(
		"anthropic",
		["anthropic-messages", "claude-sonnet-4-6"],
		new Set([
			"stop",
			"pdf",
			"reasoning",
			"carry-reasoning",
			"tool-errors",
			"stream-usage",
		]),
		(name) => provider(name),
		{ anthropic: { thinking: { type: "enabled", budgetTokens: 2_000 } } },
	);
};

export const aiSdkGoogle: Connect = ({ url, key }) => {
	const provider = createGoogleGenerativeAI({
		apiKey: key,
		baseURL: `${url}/v1beta`,
	});
	return client(
		"google",
		["google-generate", "gemini-2.5-pro"],
		new Set([
			"stop",
			"pdf",
			"reasoning",
			"carry-reasoning",
			"tool-errors",
			"stream-usage",
		]),
		(name) => provider(name),
		{
			google: {
				thinkingConfig: { includeThoughts: true, thinkingBudget: 2_000 },
			},
		},
	);
};
