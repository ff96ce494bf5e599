import { readFileSync } from "node:fs";
import fc from "fast-check";
import type {
	AnswerEvent,
	CanonicalRequest,
	Finish,
} from "../../../ports/canonical.ts";
import { translatorContract } from "../../../ports/translator.contract.ts";
import {
	answerEvents,
	cacheMarks,
	canonicalAnswers,
	canonicalRequests,
	conversations,
	customToolCallParts,
	functionTools,
	hundredths,
	inlineMedia,
	linkedMedia,
	names,
	opaques,
	outputForms,
	reasoningParts,
	refusalParts,
	schemas,
	textParts,
	tokenLogprobs,
	toolCallParts,
	toolsAndChoice,
	usages,
	words,
} from "../canonical/arbitraries.testing.ts";
import { openaiChat } from "./protocol.ts";
import { openaiChatTranslator } from "./translator.ts";

const fixture = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const parsed = (name: string): unknown => JSON.parse(fixture(name).toString());

/** A vendor that takes whatever anybody invented for chats. */
const generous = {
	takes: [
		"cache_control",
		"file_url",
		"metadata",
		"reasoning",
		"reasoning_details",
		"tool_name",
		"top_k",
		"video_url",
	],
};

const marks = { cache: cacheMarks };
const request = {
	model: "asked-model",
	messages: [{ role: "user", content: "What is the weather in Zürich?" }],
};

const effort = fc.constantFrom(
	"none",
	"minimal",
	"low",
	"medium",
	"high",
	"xhigh",
	"max",
);
const requests: fc.Arbitrary<CanonicalRequest> = canonicalRequests({
	messages: conversations({
		system: ["system", "developer"],
		systemText: textParts(marks),
		userName: names,
		user: fc.oneof(
			textParts(marks),
			inlineMedia("image", ["image/png", "image/webp"], {
				detail: fc.constantFrom("auto", "low", "high", "original"),
			}),
			linkedMedia("image"),
			inlineMedia("audio", ["audio/wav", "audio/mpeg"]),
			// Data is sent with a name, whether it had one or not.
			fc
				.tuple(inlineMedia("document", ["application/pdf"]), names)
				.map(([part, name]) => ({ ...part, name })),
			linkedMedia("document", { name: names }),
			linkedMedia("video"),
		),
		reasoning: fc.oneof(
			reasoningParts(),
			reasoningParts({ summary: fc.constant(true) }),
			reasoningParts({
				opaque: opaques(
					"openai-chat",
					fc.record(
						{
							type: fc.constant("reasoning.text"),
							signature: names,
							format: names,
						},
						{ noNullPrototype: true },
					),
				),
			}),
		),
		assistant: fc.oneof(textParts(marks), refusalParts),
		call: fc.oneof(
			toolCallParts(),
			customToolCallParts,
			toolCallParts({
				opaque: opaques(
					"openai-chat",
					names.map((each) => ({ thought_signature: each })),
				),
			}),
		),
		resultName: true,
	}),
	tools: toolsAndChoice(
		fc.oneof(
			functionTools({
				description: words,
				schema: schemas,
				strict: fc.boolean(),
				cache: cacheMarks,
			}),
			names.map((name) => ({
				type: "custom" as const,
				name,
				format: {
					type: "grammar",
					syntax: "regex",
					definition: "a+",
				},
			})),
		),
		["auto", "none", "required", "tool", "allowed"],
	),
	sometimes: {
		parallelToolCalls: fc.boolean(),
		output: outputForms,
		outputLimit: fc.integer({ min: 1, max: 9_999 }),
		stop: fc.array(words, { minLength: 1, maxLength: 4 }),
		temperature: hundredths(0, 2),
		topP: hundredths(0, 1),
		topK: fc.integer({ min: 1, max: 100 }),
		seed: fc.integer(),
		frequencyPenalty: hundredths(-2, 2),
		presencePenalty: hundredths(-2, 2),
		choices: fc.integer({ min: 2, max: 8 }),
		logprobs: fc.record(
			{ alternatives: fc.integer({ min: 0, max: 20 }) },
			{ noNullPrototype: true },
		),
		reasoning: fc.oneof(
			effort.map((each) => ({ effort: each }) as const),
			fc.integer({ min: 1, max: 32_000 }).map((budget) => ({ budget })),
			fc.constant({ adaptive: true }),
			effort.map((each) => ({ effort: each, show: "none" }) as const),
		) as never,
		verbosity: fc.constantFrom("low", "medium", "high"),
		serviceTier: fc.constantFrom("auto", "standard", "flex", "priority"),
		user: names,
		metadata: fc.dictionary(names, words, { noNullPrototype: true }),
		cacheKey: names,
		cache: cacheMarks,
		modalities: fc.constantFrom(["text"], ["text", "audio"]),
		voice: fc.constant({ name: "alloy", format: "mp3" }),
	},
}).map(({ parallelToolCalls, ...each }) => ({
	...each,
	// Without tools it says nothing.
	...(each.tools && parallelToolCalls !== undefined
		? { parallelToolCalls }
		: {}),
	streamUsage: each.stream,
}));

const shape = {
	text: textParts({
		citations: fc.array(
			fc.record(
				{
					url: names.map((each) => `https://example.com/${each}`),
					title: words,
					start: fc.nat(5),
					end: fc.nat(9),
				},
				{ noNullPrototype: true },
			),
			{ minLength: 1, maxLength: 2 },
		),
	}),
	call: fc.oneof(
		toolCallParts(),
		customToolCallParts,
		// Of another protocol: sealed on the way.
		toolCallParts({ opaque: opaques("protocol-x") }),
	),
	logprobs: tokenLogprobs,
	finish: fc.constantFrom<Finish>(
		{ reason: "stop" },
		{ reason: "length" },
		{ reason: "content-filter" },
		{ reason: "error" },
	),
	usage: usages([
		"input",
		"output",
		"reasoning",
		"cache-read",
		"cache-write-5m",
		"input-audio",
		"output-audio",
		"output-image",
	]),
	serviceTier: names,
	mostChoices: 3,
	reasoning: fc.oneof(
		reasoningParts(),
		reasoningParts({ opaque: opaques("protocol-x") }),
		fc
			.tuple(opaques("protocol-x"))
			.map(([opaque]) => ({ type: "reasoning" as const, text: "", opaque })),
	),
};

translatorContract("openai-chat", () => ({
	translator: openaiChatTranslator,
	wire: openaiChat,
	samples: {
		operation: "chat",
		request,
		unanswered: {
			...request,
			messages: [
				...request.messages,
				{
					role: "assistant",
					content: null,
					tool_calls: [
						{
							id: "call_1",
							type: "function",
							function: { name: "get_weather", arguments: '{"city":"Zürich"}' },
						},
					],
				},
			],
		},
		quirks: generous,
		answers: {
			text: parsed("openai-chat.json"),
			tools: parsed("openai-tools.json"),
			empty: parsed("openai-empty.json"),
		},
		streams: {
			text: fixture("openai-stream.txt"),
			tools: fixture("openai-tools-stream.txt"),
			reasoning: fixture("openrouter-reasoning-stream.txt"),
			empty: fixture("openai-empty-stream.txt"),
			error: fixture("openrouter-error-stream.txt"),
		},
		unknownEvents: [
			'event: weather\ndata: {"type":"weather","temperature":7}\n\n',
			'data: {"id":"x","object":"chat.completion.heartbeat"}\n\n',
			'data: {"id":"x","choices":[],"prompt_filter_results":[{"prompt_index":0}]}\n\n',
			"data: not json\n\n",
		],
		framing: "sse",
		errors: [
			{
				status: 400,
				body: {
					error: {
						message: "Unknown parameter: 'x'.",
						type: "invalid_request_error",
						param: "x",
						code: "unknown_parameter",
					},
				},
				message: "Unknown parameter: 'x'.",
				code: "unknown_parameter",
			},
			{
				status: 422,
				body: {
					object: "error",
					message: "Extra inputs are not permitted",
					type: "invalid_request_error",
					code: null,
				},
				message: "Extra inputs are not permitted",
				code: "invalid_request_error",
			},
			{
				status: 429,
				body: {
					error: {
						message: "Provider returned error",
						code: 429,
						metadata: { raw: "slow down" },
					},
				},
				message: "Provider returned error: slow down",
				code: "429",
			},
			{
				status: 400,
				body: [
					{ error: { code: 400, message: "No.", status: "INVALID_ARGUMENT" } },
				],
				message: "No.",
				code: "400",
			},
			{
				status: 422,
				body: { detail: [{ loc: ["body"], msg: "field required" }] },
				message: "field required",
			},
		],
		expressible: {
			requests,
			answers: canonicalAnswers(shape),
			events: answerEvents(canonicalAnswers(shape)) as fc.Arbitrary<{
				answer: never;
				events: readonly AnswerEvent[];
			}>,
		},
	},
}));
