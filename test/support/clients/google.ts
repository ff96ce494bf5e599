import {
	ApiError,
	type CallableTool,
	type GenerateContentResponse,
	GoogleGenAI,
	type Part,
} from "@google/genai";
import { z } from "zod";
import {
	type Ask,
	type Connect,
	forecast,
	type Told,
	weather,
	weatherIn,
} from "./client.ts";

export const google: Connect = ({ url, key }) => {
	const { models } = new GoogleGenAI({
		apiKey: key,
		httpOptions: { baseUrl: url },
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
		contents: [
			...(before
				? [
						{ role: "user", parts: [{ text: before.user }] },
						{ role: "model", parts: [{ text: before.assistant }] },
					]
				: []),
			{
				role: "user",
				parts: [
					{ text: said },
					...(png
						? [{ inlineData: { mimeType: "image/png", data: png } }]
						: []),
					...(pdf
						? [{ inlineData: { mimeType: "application/pdf", data: pdf } }]
						: []),
				],
			},
		],
		config: {
			maxOutputTokens: 4_000,
			...(system !== undefined && { systemInstruction: system }),
			...(stop !== undefined && { stopSequences: [stop] }),
			...(thinks && {
				thinkingConfig: { includeThoughts: true, thinkingBudget: 2_000 },
			}),
		},
	});
	const usageOf = ({
		usageMetadata: usage,
	}: GenerateContentResponse): Told["usage"] =>
		usage && {
			input: usage.promptTokenCount ?? 0,
			output:
				(usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
			cached: usage.cachedContentTokenCount,
		};
	const partsOf = (answer: GenerateContentResponse): Part[] =>
		answer.candidates?.[0]?.content?.parts ?? [];
	const said = (parts: Part[], thought: boolean): string =>
		parts
			.map((part) =>
				(part.thought === true) === thought ? (part.text ?? "") : "",
			)
			.join("");
	const told = (answer: GenerateContentResponse): Told => ({
		text: said(partsOf(answer), false),
		reasoning: said(partsOf(answer), true),
		usage: usageOf(answer),
	});
	async function gathered(
		stream: AsyncIterable<GenerateContentResponse>,
	): Promise<Told> {
		let parts: Part[] = [];
		let usage: Told["usage"];
		for await (const chunk of stream) {
			// The SDK's loop goes on with the next answer in the same stream.
			if (
				partsOf(chunk).some(
					(part) => part.functionCall || part.functionResponse,
				)
			)
				parts = [];
			else parts.push(...partsOf(chunk));
			usage = usageOf(chunk) ?? usage;
		}
		return { text: said(parts, false), reasoning: said(parts, true), usage };
	}
	const tools = (ask: Ask): CallableTool[] => [
		{
			tool: async () => ({
				functionDeclarations: [
					{
						name: weather.name,
						description: weather.description,
						parametersJsonSchema: z.toJSONSchema(weather.input),
					},
				],
			}),
			callTool: async (calls) =>
				calls.map(({ id, name, args }) => ({
					functionResponse: {
						...(id !== undefined && { id }),
						name: name as string,
						response: answered(String(args?.city), ask),
					},
				})),
		},
	];

	return {
		name: "google genai",
		protocol: "google-generate",
		model: "gemini-2.5-pro",
		can: new Set([
			"stop",
			"pdf",
			"reasoning",
			"carry-reasoning",
			"tool-errors",
			"stream-usage",
		]),
		ask: async (ask) => told(await models.generateContent(params(ask))),
		stream: async (ask) =>
			gathered(await models.generateContentStream(params(ask))),
		async loop(ask) {
			const { config, ...rest } = params(ask);
			return told(
				await models.generateContent({
					...rest,
					config: { ...config, tools: tools(ask) },
				}),
			);
		},
		async streamedLoop(ask) {
			const { config, ...rest } = params(ask);
			return gathered(
				await models.generateContentStream({
					...rest,
					config: { ...config, tools: tools(ask) },
				}),
			);
		},
		async shape(ask) {
			const { config, ...rest } = params(ask);
			const { text } = await models.generateContent({
				...rest,
				config: {
					...config,
					responseMimeType: "application/json",
					responseJsonSchema: z.toJSONSchema(forecast),
				},
			});
			return JSON.parse(text ?? "");
		},
		statusOf: (fault) => (fault instanceof ApiError ? fault.status : undefined),
	};
};

function answered(city: string, ask: Ask): Record<string, unknown> {
	try {
		return { output: weatherIn(city, ask) };
	} catch (fault) {
		return { error: (fault as Error).message };
	}
}
