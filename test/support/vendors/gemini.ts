import { z } from "zod";
import { pieces, type Schema, type Seen, sign, type Thought } from "./mind.ts";
import {
	type Answer,
	type Body,
	type Endpoint,
	must,
	type Wire,
} from "./simulation.ts";

/* generateContent, countTokens and embeddings, after ai.google.dev/api and the types of the vendor's SDK. */

/** The subset of OpenAPI 3.0 that `parameters` and `responseSchema` take. */
const schema: z.ZodType = z.lazy(() =>
	z.strictObject({
		type: z
			.enum([
				"STRING",
				"NUMBER",
				"INTEGER",
				"BOOLEAN",
				"ARRAY",
				"OBJECT",
				"NULL",
				"string",
				"number",
				"integer",
				"boolean",
				"array",
				"object",
				"null",
			])
			.optional(),
		format: z.string().optional(),
		title: z.string().optional(),
		description: z.string().optional(),
		nullable: z.boolean().optional(),
		enum: z.array(z.string()).optional(),
		items: schema.optional(),
		minItems: z.union([z.string(), z.int()]).optional(),
		maxItems: z.union([z.string(), z.int()]).optional(),
		properties: z.record(z.string(), schema).optional(),
		required: z.array(z.string()).optional(),
		propertyOrdering: z.array(z.string()).optional(),
		minProperties: z.union([z.string(), z.int()]).optional(),
		maxProperties: z.union([z.string(), z.int()]).optional(),
		minLength: z.union([z.string(), z.int()]).optional(),
		maxLength: z.union([z.string(), z.int()]).optional(),
		minimum: z.number().optional(),
		maximum: z.number().optional(),
		pattern: z.string().optional(),
		example: z.unknown().optional(),
		default: z.unknown().optional(),
		anyOf: z.array(schema).optional(),
	}),
);
/** What `responseJsonSchema` and `parametersJsonSchema` take of JSON Schema, as the API reference lists it. */
const known = new Set(
	"$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf properties additionalProperties required propertyOrdering $schema default const".split(
		" ",
	),
);
const jsonSchema = z.record(z.string(), z.unknown());
const blob = z.strictObject({
	mimeType: z.string(),
	data: z.base64(),
	displayName: z.string().optional(),
});
const file = z.strictObject({
	fileUri: z.string(),
	mimeType: z.string().optional(),
	displayName: z.string().optional(),
});
const part = z.strictObject({
	text: z.string().optional(),
	thought: z.boolean().optional(),
	thoughtSignature: z.union([z.base64(), z.base64url()]).optional(),
	inlineData: blob.optional(),
	fileData: file.optional(),
	functionCall: z
		.strictObject({
			id: z.string().optional(),
			name: z.string(),
			args: jsonSchema.optional(),
		})
		.optional(),
	functionResponse: z
		.strictObject({
			id: z.string().optional(),
			name: z.string(),
			response: jsonSchema,
			parts: z
				.array(
					z.strictObject({
						inlineData: blob.optional(),
						fileData: file.optional(),
					}),
				)
				.optional(),
		})
		.optional(),
	videoMetadata: jsonSchema.optional(),
	mediaResolution: jsonSchema.optional(),
});
const content = z.strictObject({
	role: z.enum(["user", "model", "function"]).optional(),
	parts: z.array(part).min(1),
});
const system = z.strictObject({
	role: z.string().optional(),
	parts: z.array(z.strictObject({ text: z.string() })).min(1),
});
const functionName = z.string().regex(/^[a-zA-Z_][\w.:-]{0,127}$/);
const request = z.strictObject({
	contents: z.array(content).min(1),
	systemInstruction: system.optional(),
	tools: z
		.array(
			z.strictObject({
				functionDeclarations: z
					.array(
						z.strictObject({
							name: functionName,
							description: z.string().optional(),
							behavior: z.string().optional(),
							parameters: schema.optional(),
							parametersJsonSchema: jsonSchema.optional(),
							response: schema.optional(),
							responseJsonSchema: jsonSchema.optional(),
						}),
					)
					.optional(),
				googleSearch: jsonSchema.optional(),
				urlContext: jsonSchema.optional(),
				codeExecution: jsonSchema.optional(),
			}),
		)
		.optional(),
	toolConfig: z
		.strictObject({
			functionCallingConfig: z
				.strictObject({
					mode: z.enum(["AUTO", "ANY", "NONE", "VALIDATED"]).optional(),
					allowedFunctionNames: z.array(z.string()).optional(),
				})
				.optional(),
		})
		.optional(),
	safetySettings: z.array(jsonSchema).optional(),
	cachedContent: z.string().optional(),
	serviceTier: z.string().optional(),
	store: z.boolean().optional(),
	generationConfig: z
		.strictObject({
			stopSequences: z.array(z.string()).max(5).optional(),
			responseMimeType: z
				.enum(["text/plain", "application/json", "text/x.enum"])
				.optional(),
			responseSchema: schema.optional(),
			responseJsonSchema: jsonSchema.optional(),
			responseModalities: z
				.array(z.enum(["TEXT", "IMAGE", "AUDIO"]))
				.optional(),
			candidateCount: z.int().min(1).max(8).optional(),
			maxOutputTokens: z.int().min(1).optional(),
			temperature: z.number().min(0).max(2).optional(),
			topP: z.number().optional(),
			topK: z.int().optional(),
			seed: z.int().optional(),
			presencePenalty: z.number().optional(),
			frequencyPenalty: z.number().optional(),
			responseLogprobs: z.boolean().optional(),
			logprobs: z.int().min(0).max(20).optional(),
			speechConfig: jsonSchema.optional(),
			mediaResolution: z.string().optional(),
			thinkingConfig: z
				.strictObject({
					includeThoughts: z.boolean().optional(),
					thinkingBudget: z.int().optional(),
					thinkingLevel: z
						.enum([
							"THINKING_LEVEL_UNSPECIFIED",
							"MINIMAL",
							"LOW",
							"MEDIUM",
							"HIGH",
							"minimal",
							"low",
							"medium",
							"high",
						])
						.optional(),
				})
				.optional(),
		})
		.optional(),
});
const counting = z.union([
	z.strictObject({ contents: z.array(content).min(1) }),
	z.strictObject({
		generateContentRequest: z.looseObject({ contents: z.array(content) }),
	}),
]);
const embedOne = z.strictObject({
	model: z.string().optional(),
	content: z.strictObject({
		role: z.string().optional(),
		parts: z.array(z.strictObject({ text: z.string() })).min(1),
	}),
	taskType: z.string().optional(),
	title: z.string().optional(),
	outputDimensionality: z.int().min(1).optional(),
	embedContentConfig: jsonSchema.optional(),
});

const statuses: Readonly<Record<number, string>> = {
	400: "INVALID_ARGUMENT",
	404: "NOT_FOUND",
	429: "RESOURCE_EXHAUSTED",
	503: "UNAVAILABLE",
};

/**
 * Of Gemini 3 the first function call of each step carries a thought
 * signature, and without it the next request is refused (ai.google.dev/gemini-api/docs/thought-signatures).
 */
export const gemini: Wire = {
	at(path) {
		const [, model, verb, query] =
			/^\/v1beta\/models\/([^/:]+):(\w+)(?:\?(.*))?$/.exec(path) ?? [];
		if (model === undefined) return undefined;
		switch (verb) {
			case "generateContent":
				return generate(model, undefined);
			case "streamGenerateContent":
				return generate(model, query === "alt=sse" ? "sse" : "array");
			case "countTokens":
				return count;
			case "embedContent":
				return {
					schema: embedOne,
					answer: (body) => ({ whole: { embedding: vector(body) } }),
				};
			case "batchEmbedContents":
				return {
					schema: z.strictObject({
						requests: z.array(embedOne.required({ model: true })).min(1),
					}),
					answer: ({ requests }) => ({
						whole: { embeddings: requests.map(vector) },
					}),
				};
			default:
				return undefined;
		}
	},
	error: (status, message) => ({
		error: { code: status, message, status: statuses[status] ?? "INTERNAL" },
	}),
};

const count: Endpoint = {
	schema: counting,
	answer: (body) => ({ whole: { totalTokens: JSON.stringify(body).length } }),
};

function vector({ content, outputDimensionality = 3 }: Body): object {
	const text = content.parts.map(({ text }: Body) => text).join("");
	return {
		values: Array.from(
			{ length: outputDimensionality },
			(_, at) => text.length + at / 4,
		),
	};
}

function generate(model: string, form: "sse" | "array" | undefined): Endpoint {
	return {
		schema: request,
		answer(body): Answer {
			const seen = read(body, model.includes("gemini-3"));
			const shows =
				body.generationConfig?.thinkingConfig?.includeThoughts === true;
			return {
				seen,
				whole: (thought) =>
					chunk(partsFor(thought, shows), thought, model, true),
				...(form && {
					frames: (thought: Thought) => frames(thought, shows, model, form),
				}),
				...(form === "array" && { contentType: "application/json" }),
			};
		},
	};
}

const kindsOfPart = [
	"text",
	"inlineData",
	"fileData",
	"functionCall",
	"functionResponse",
];
/** Stands for a signature that no model of this vendor made. */
const placeholders = [
	"skip_thought_signature_validator",
	"context_engineering_is_the_way_to_go",
];

function read(body: Body, thinker: boolean): Seen {
	const {
		contents,
		systemInstruction,
		tools = [],
		generationConfig = {},
	} = body;
	for (const { parts } of contents)
		for (const part of parts)
			must(
				kindsOfPart.filter((kind) => kind in part).length === 1,
				"required oneof field 'data' must have one initialized field",
			);
	const { mode = "AUTO", allowedFunctionNames = [] } =
		body.toolConfig?.functionCallingConfig ?? {};
	must(
		allowedFunctionNames.length === 0 || mode === "ANY" || mode === "VALIDATED",
		"allowed_function_names should only be set when the function calling mode is ANY or VALIDATED.",
	);
	const declared: Body[] = tools.flatMap(
		({ functionDeclarations = [] }: Body) => functionDeclarations,
	);
	for (const { parameters, parametersJsonSchema } of declared) {
		must(
			!parameters || !parametersJsonSchema,
			"parameters and parameters_json_schema are mutually exclusive.",
		);
		mustBeKnown(parametersJsonSchema);
	}
	mustBeKnown(generationConfig.responseJsonSchema);
	must(
		!(generationConfig.responseSchema || generationConfig.responseJsonSchema) ||
			generationConfig.responseMimeType === "application/json",
		"A schema needs the response mime type application/json.",
	);
	const { thinkingBudget, thinkingLevel } =
		generationConfig.thinkingConfig ?? {};
	must(
		thinkingBudget === undefined || thinkingLevel === undefined,
		"You can only set only one of thinking budget and thinking level.",
	);
	const start = contents.findLastIndex(
		({ role, parts }: Body) =>
			role !== "model" && parts.some((each: Body) => !each.functionResponse),
	);
	const since = contents.slice(start + 1);
	mustAnswerCalls(contents);
	for (const { role, parts } of contents)
		for (const { thoughtSignature } of parts)
			must(
				!thoughtSignature ||
					thoughtSignature === sign("thought") ||
					placeholders.includes(thoughtSignature),
				`Corrupted thought signature in a ${role} part.`,
			);
	if (thinker)
		for (const [index, { parts }] of since.entries()) {
			// Contents of the model that follow each other are one step.
			if (since[index - 1]?.role === "model") continue;
			const first = parts.find((each: Body) => each.functionCall);
			must(
				!first || first.thoughtSignature,
				`Function call \`${first?.functionCall.name}\` is missing a \`thought_signature\`.`,
			);
		}
	const last: Body[] = contents[start]?.parts ?? [];
	const [only] = allowedFunctionNames;
	return {
		instructions: (systemInstruction?.parts ?? []).map(
			({ text }: Body) => text,
		),
		said: last.map(({ text = "" }) => text).join(""),
		media: last.flatMap(({ inlineData, fileData }) =>
			inlineData ? [inlineData.mimeType] : fileData ? ["url"] : [],
		),
		turns: contents.filter(
			({ role, parts }: Body) =>
				role !== "model" && parts.some(({ text }: Body) => text !== undefined),
		).length,
		tools: declared.map(({ name, parameters, parametersJsonSchema }) => ({
			name,
			schema: parametersJsonSchema ?? parameters ?? {},
		})),
		choice:
			mode === "NONE"
				? "none"
				: mode === "ANY"
					? allowedFunctionNames.length === 1
						? { name: only }
						: "required"
					: "auto",
		parallel: true,
		results: since.flatMap(({ parts }: Body) =>
			parts
				.filter(({ functionResponse }: Body) => functionResponse)
				.map(({ functionResponse: { response } }: Body) => ({
					text: textOf(
						response.error ??
							response.output ??
							response.result ??
							response.content ??
							response,
					),
					error: "error" in response,
				})),
		),
		output:
			generationConfig.responseMimeType === "application/json"
				? ((generationConfig.responseJsonSchema ??
						generationConfig.responseSchema ??
						"json") as Schema)
				: undefined,
		stop: generationConfig.stopSequences ?? [],
		thinks:
			thinker || (thinkingBudget ?? 0) !== 0 || thinkingLevel !== undefined,
	};
}

function mustBeKnown(schema: unknown): void {
	if (typeof schema !== "object" || schema === null) return;
	for (const [key, value] of Object.entries(schema)) {
		must(known.has(key), `Unknown name "${key}" in a JSON schema.`);
		const inner =
			key === "properties" || key === "$defs"
				? Object.values(value)
				: [
							"items",
							"anyOf",
							"oneOf",
							"prefixItems",
							"additionalProperties",
						].includes(key)
					? [value].flat()
					: [];
		for (const each of inner) mustBeKnown(each);
	}
}

/** Calls and their responses, each of one turn, however many contents say them. */
function mustAnswerCalls(contents: Body[]): void {
	let open = 0;
	let before = "user";
	for (const { role, parts } of contents) {
		const calls = parts.filter((each: Body) => each.functionCall).length;
		const answers = parts.filter((each: Body) => each.functionResponse).length;
		const goesOn = (role === "model") === (before === "model") || answers > 0;
		must(goesOn || open === 0, unequal);
		open += calls - answers;
		before = role ?? "user";
	}
	must(open === 0, unequal);
}

const unequal =
	"Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";

function textOf(value: unknown): string {
	return typeof value === "string" ? value : JSON.stringify(value);
}

function partsFor({ reasoning, text, calls }: Thought, shows: boolean): Body[] {
	return [
		...(reasoning !== undefined && shows
			? [{ text: reasoning, thought: true }]
			: []),
		...(text === undefined ? [] : [{ text }]),
		...calls.map(({ name, input }, index) => ({
			functionCall: { name, args: input },
			...(index === 0 &&
				reasoning !== undefined && { thoughtSignature: sign("thought") }),
		})),
	];
}

function chunk(
	parts: Body[],
	thought: Thought,
	modelVersion: string,
	last: boolean,
): object {
	const { input, cached, output, reasoning } = thought.usage;
	return {
		candidates: [
			{
				content: { role: "model", parts },
				...(last && { finishReason: "STOP" }),
				index: 0,
			},
		],
		usageMetadata: {
			promptTokenCount: input,
			cachedContentTokenCount: cached,
			...(last && { candidatesTokenCount: output - reasoning }),
			...(last && reasoning > 0 && { thoughtsTokenCount: reasoning }),
			totalTokenCount: input + (last ? output : 0),
			promptTokensDetails: [{ modality: "TEXT", tokenCount: input }],
		},
		modelVersion,
		responseId: "sim",
	};
}

function frames(
	thought: Thought,
	shows: boolean,
	model: string,
	form: "sse" | "array",
): string[] {
	const parts = partsFor(thought, shows).flatMap((part) =>
		part.text === undefined
			? [part]
			: pieces(part.text).map((text) => ({ ...part, text })),
	);
	const chunks = parts.map((part, index) =>
		JSON.stringify(chunk([part], thought, model, index === parts.length - 1)),
	);
	if (form === "sse") return chunks.map((json) => `data: ${json}\r\n\r\n`);
	return [
		...chunks.map((json, index) => `${index === 0 ? "[" : ",\r\n"}${json}`),
		"]",
	];
}
