import { readFileSync } from "node:fs";
import fc from "fast-check";
import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
	Citation,
	Finish,
	ServerToolPart,
	TextPart,
	Tool,
} from "../../../ports/canonical.ts";
import { translatorContract } from "../../../ports/translator.contract.ts";
import {
	answerEvents,
	base64,
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
	optionally,
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
import { openaiResponses } from "./protocol.ts";
import { openaiResponsesTranslator } from "./translator.ts";

const file = (name: string) =>
	readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const parsed = (name: string) => JSON.parse(file(name).toString());

const id = "openai-responses";

/** Reasoning as a vendor of this protocol marks it: its id, and what is encrypted. */
const ownReasoning = opaques(
	id,
	fc.record(
		{ id: names.map((each) => `rs_${each}`), encrypted_content: base64 },
		{ noNullPrototype: true },
	),
);
const phases = opaques(
	id,
	fc.constantFrom({ phase: "commentary" }, { phase: "final_answer" }),
);
const reasoning = reasoningParts({
	summary: fc.constant(true),
	opaque: ownReasoning,
}).filter(({ opaque }) => opaque !== undefined);

const citations: fc.Arbitrary<readonly Citation[]> = fc.array(
	fc.record(
		{
			url: fc.webUrl(),
			title: words,
			start: fc.nat({ max: 99 }),
			end: fc.nat({ max: 99 }),
		},
		{ noNullPrototype: true },
	),
	{ minLength: 1, maxLength: 2 },
);

/** What a user sends and a tool gives back: text, images and files. A breakpoint has no lifetime but the long one. */
const sent = fc.oneof(
	textParts(),
	inlineMedia("image", ["image/png", "image/webp"], {
		detail: fc.constantFrom("auto", "low", "high", "original"),
	}).map((part) => ({ detail: "auto" as const, ...part })),
	linkedMedia("image", { detail: fc.constant("low") }).map((part) => ({
		detail: "auto" as const,
		...part,
	})),
	inlineMedia("document", ["application/pdf"]).map((part) => ({
		...part,
		name: "paper.pdf",
	})),
	linkedMedia("document"),
);

const tools = toolsAndChoice(
	fc.oneof(
		functionTools({
			description: words,
			strict: fc.constant(true),
		}).chain((tool) =>
			schemas.map((schema): Tool => ({ ...tool, schema }) as Tool),
		),
		optionally(
			{ type: fc.constant("custom" as const), name: names },
			{
				description: words,
				format: fc.constantFrom({ type: "text" }),
			},
		) as fc.Arbitrary<Tool>,
		optionally(
			{ type: fc.constant("web-search" as const) },
			{
				mostUses: fc.integer({ min: 1, max: 9 }),
				allowedDomains: fc.constant(["example.com"]),
				location: fc.constant({ country: "FR", city: "Lyon" }),
				contextSize: fc.constantFrom("low", "high"),
			},
		) as fc.Arbitrary<Tool>,
		fc.constant<Tool>({
			type: "server",
			name: "file_search",
			opaque: {
				protocol: id,
				data: { type: "file_search", vector_store_ids: ["vs_1"] },
			},
		}),
	),
	["auto", "none", "required", "tool", "allowed"],
)
	// How often one of several of the vendor's tools runs cannot be said.
	.filter(
		(asked) =>
			(asked.tools ?? []).filter(
				({ type }) => type === "server" || type === "web-search",
			).length <= 1,
	);

const requests: fc.Arbitrary<CanonicalRequest> = canonicalRequests({
	messages: conversations({
		system: ["system", "developer"],
		user: sent,
		reasoning,
		assistant: fc.oneof(textParts({ citations, opaque: phases }), refusalParts),
		call: fc.oneof(toolCallParts(), customToolCallParts),
		result: fc.array(sent, { minLength: 1, maxLength: 2 }),
	}),
	tools,
	sometimes: {
		parallelToolCalls: fc.boolean(),
		output: fc.oneof(
			fc.constant({ type: "text" as const }),
			fc.constant({ type: "json" as const }),
			optionally(
				{
					type: fc.constant("json-schema" as const),
					name: names,
					schema: schemas,
				},
				{ strict: fc.constant(true), description: words },
			) as fc.Arbitrary<NonNullable<CanonicalRequest["output"]>>,
		),
		outputLimit: fc.integer({ min: 16, max: 99_999 }),
		temperature: hundredths(0, 2),
		topP: hundredths(0, 1),
		logprobs: fc.nat({ max: 20 }).map((alternatives) => ({ alternatives })),
		reasoning: optionally(
			{ effort: fc.constantFrom("none", "minimal", "low", "high", "max") },
			{ show: fc.constantFrom("auto", "concise", "detailed") },
		) as fc.Arbitrary<NonNullable<CanonicalRequest["reasoning"]>>,
		verbosity: fc.constantFrom("low", "medium", "high"),
		serviceTier: fc.constantFrom("auto", "standard", "flex", "priority"),
		user: words,
		metadata: fc.dictionary(names, words, { noNullPrototype: true }),
		cacheKey: words,
	},
	streamUsage: fc.constant(true),
});

/** A search as this protocol's own vendors tell it. */
const search: fc.Arbitrary<ServerToolPart> = fc
	.tuple(words, fc.webUrl(), names)
	.map(([query, url, name]) => {
		const item = {
			id: `ws_${name}`,
			type: "web_search_call",
			status: "completed",
			action: { type: "search", query, sources: [{ type: "url", url }] },
		};
		return {
			type: "server-tool",
			tool: "web-search",
			id: item.id,
			query,
			results: [{ url }],
			opaque: { protocol: id, data: item },
		};
	});

/** A vendor of another protocol signed the part: a whole answer carries that along, a stream tells it too late to be read by us. */
const signed = opaques("google-generate");

/** A response is named after its call; a call in it ends it for its tools. */
const answers: fc.Arbitrary<CanonicalAnswer> = fc
	.tuple(
		canonicalAnswers({
			reasoning: reasoningParts({
				summary: fc.constant(true),
				opaque: fc.oneof(ownReasoning, opaques("anthropic-messages")),
			}),
			text: textParts({ citations, opaque: fc.oneof(phases, signed) }),
			call: fc.oneof(
				toolCallParts({
					opaque: fc.oneof(
						fc.constant({ protocol: id, data: { namespace: "mail" } }),
						signed,
					),
				}),
				customToolCallParts,
			),
			logprobs: tokenLogprobs,
			finish: fc.constantFrom<Finish>(
				{ reason: "stop" },
				{ reason: "length" },
				{ reason: "content-filter" },
			),
			usage: usages([
				"input",
				"cache-read",
				"cache-write-5m",
				"cache-write-1h",
				"output",
				"reasoning",
				"search",
			]),
			serviceTier: fc.constantFrom("default", "priority"),
		}),
		fc.option(refusalParts, { nil: undefined, freq: 4 }),
		fc.option(search, { nil: undefined, freq: 4 }),
		fc.option(inlineMedia("image", ["image/png", "image/webp"]), {
			nil: undefined,
			freq: 6,
		}),
	)
	.map(([answer, refusal, searched, drawn]) => ({
		...answer,
		id: "resp_call-1",
		choices: answer.choices.map(({ parts, finish, logprobs }) => {
			const text = parts.some((part): part is TextPart => part.type === "text");
			const refused = refusal && finish.reason === "stop";
			return {
				parts: [
					...(searched ? [searched] : []),
					...(drawn ? [drawn] : []),
					...parts,
					...(refused ? [refusal] : []),
				],
				finish: refused ? { reason: "refusal" as const } : finish,
				// They stand with the text.
				...(logprobs && text && { logprobs }),
			};
		}),
	}));

const text = file("openai-text-stream.txt");

translatorContract("openai-responses", () => ({
	translator: openaiResponsesTranslator,
	wire: openaiResponses,
	samples: {
		operation: "responses",
		request: { model: "asked-model", input: "Hi" },
		unanswered: {
			model: "asked-model",
			input: [
				{ role: "user", content: "Hi" },
				{
					type: "function_call",
					call_id: "call_1",
					name: "get_weather",
					arguments: "{}",
				},
				{ role: "user", content: "And?" },
			],
		},
		answers: {
			text: parsed("openai-text.json"),
			tools: parsed("openai-tools.json"),
			empty: { ...parsed("openai-text.json"), output: [] },
		},
		streams: {
			text,
			tools: file("openai-tools-stream.txt"),
			reasoning: file("openai-stream.txt"),
			empty: file("openai-empty-stream.txt"),
			error: file("openai-error-stream.txt"),
		},
		unknownEvents: [
			'event: keepalive\ndata: {"type":"keepalive","sequence_number":3}\n\n',
			'event: response.of.tomorrow\ndata: {"type":"response.of.tomorrow","item_id":"msg_a1","output_index":0,"content_index":0,"delta":"no"}\n\n',
			'event: response.output_item.added\ndata: {"type":"response.output_item.added","output_index":9,"item":null}\n\n',
			"data: no JSON\n\n",
			"data: [DONE]\n\n",
		],
		framing: "sse",
		errors: [
			{
				status: 400,
				body: {
					error: {
						message: "Unknown parameter: 'inputs'.",
						type: "invalid_request_error",
						param: "inputs",
						code: "unknown_parameter",
					},
				},
				message: "Unknown parameter: 'inputs'.",
				code: "unknown_parameter",
			},
			{
				status: 500,
				body: { error: { message: "Oops", type: "server_error", code: null } },
				message: "Oops",
				code: "server_error",
			},
			{ status: 422, body: { detail: "No" }, message: "No" },
			{
				status: 502,
				body: "<html>",
				message: "The vendor answered with status 502.",
			},
		],
		expressible: {
			requests,
			answers,
			// A stream says a message's phase when it begins, or not at all.
			streamed: (answer) => ({
				...answer,
				choices: answer.choices.map((choice) => ({
					...choice,
					parts: choice.parts.map((part) => {
						if (part.type !== "text" && part.type !== "tool-call") return part;
						const { opaque, ...rest } = part;
						return part.type === "tool-call" && opaque?.protocol === id
							? part
							: rest;
					}),
				})),
			}),
			events: answerEvents(answers) as fc.Arbitrary<{
				answer: CanonicalAnswer;
				events: readonly AnswerEvent[];
			}>,
		},
	},
}));
