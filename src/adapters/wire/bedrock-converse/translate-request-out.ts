import type { CanonicalRequest } from "../../../ports/canonical.ts";
import type { Json, Warn, WrittenRequest } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import type { ForwardChange } from "../../../ports/wire-protocol.ts";
import { writeThinking } from "../anthropic-messages/thinking-out.ts";
import { heldSchema } from "../anthropic-messages/tools-out.ts";
import { present, unsupported } from "../canonical/fields.ts";
import { cachePoint, type Writing, writeMessages } from "./messages-out.ts";
import { type Family, familyOf } from "./models.ts";
import { writeTools } from "./tools-out.ts";

/** Tokens of output of a model that is given some to think, where nobody says how many. */
const usualLimit = 32_000;

/** A request to a vendor of this protocol, in its own words and those of the model's maker. */
export function writeRequest(
	request: CanonicalRequest,
	{ model, outputLimit, quirks }: ForwardChange,
	warn: Warn,
): WrittenRequest {
	const family = familyOf(model);
	const writing: Writing = { family, warn, names: new Set() };
	refuseShapes(request);
	dropSteering(request, warn);
	const stated = outputLimit ?? request.outputLimit;
	const reasoning = writeReasoning(request, family, stated ?? usualLimit, warn);
	const { system, turns } = writeMessages(request.messages, writing);
	turns.at(-1)?.content.push(...cachePoint(request.cache, "messages", writing));
	const inference = present({
		maxTokens: stated ?? reasoning.limit,
		stopSequences: request.stop,
		...writeSampling(request, family, reasoning.thinks, warn),
	});
	const sequences = request.stop && family.of === "claude";
	const additional = {
		...reasoning.fields,
		...writeTopK(request, family, reasoning.thinks, warn),
	};
	const verb = request.stream ? "converse-stream" : "converse";
	return {
		path: `/model/${encodeURIComponent(model)}/${verb}`,
		body: present({
			messages: turns.map(({ role, content }) => ({ role, content })),
			system: system.length > 0 ? system : undefined,
			inferenceConfig: filled(inference),
			toolConfig: writeTools(request, writing),
			outputConfig: writeOutput(request, family, quirks, warn),
			additionalModelRequestFields: filled(additional),
			// Which sequence was met stands only in what the model itself answers.
			additionalModelResponseFieldPaths: sequences
				? ["/stop_sequence"]
				: undefined,
			requestMetadata: writeMetadata(request, warn),
			serviceTier: writeTier(request, warn),
		}),
	};
}

function filled(members: Json): Json | undefined {
	return Object.keys(members).length > 0 ? members : undefined;
}

/** What shapes the answer and has no words here. */
function refuseShapes({
	choices,
	logprobs,
	modalities,
}: CanonicalRequest): void {
	if (choices !== undefined && choices > 1)
		unsupported("choices", "asks for several answers: Converse gives one");
	if (logprobs)
		unsupported(
			"logprobs",
			"asks for log probabilities, which Converse has not",
		);
	if (modalities?.some((each) => each !== "text"))
		unsupported(
			"modalities",
			"asks for more than text, which Converse is not asked for",
		);
}

const steering = [
	["seed", "Converse has no seed."],
	["frequencyPenalty", "Converse has no penalties."],
	["presencePenalty", "Converse has no penalties."],
	["verbosity", "Converse has no verbosity."],
	["user", "Converse is not told of end users."],
	["cacheKey", "Converse finds cached prompts by their content."],
	["voice", "Converse is not asked for a voice."],
] as const;

function dropSteering(request: CanonicalRequest, warn: Warn): void {
	for (const [field, message] of steering) {
		if (request[field] !== undefined) warn({ kind: "dropped", field, message });
	}
}

interface Reasoned {
	readonly fields: Json;
	/** The model thinks before it answers, and so takes no sampling. */
	readonly thinks: boolean;
	/** Tokens of output to ask for where nobody says: with some to think there must be a limit above. */
	readonly limit?: number;
}

/** How much the model shall reason, as its maker says it. */
function writeReasoning(
	request: CanonicalRequest,
	family: Family,
	limit: number,
	warn: Warn,
): Reasoned {
	const { reasoning } = request;
	if (!reasoning) return { fields: {}, thinks: false };
	if (family.of === "claude") {
		const { thinking, effort, on } = writeThinking(
			asItsOwn(request),
			family.rules,
			limit,
			warn,
		);
		const budgeted =
			thinking?.type === "enabled" && request.outputLimit === undefined;
		return {
			fields: present({
				thinking,
				output_config: effort && { effort },
			}),
			thinks: on,
			...(budgeted && { limit }),
		};
	}
	const { effort = effortOf(reasoning.budget) } = reasoning;
	if (effort === undefined || family.of === "other") {
		if (effort !== undefined && effort !== "none")
			warn({
				kind: "dropped",
				field: "reasoning",
				message: "How much this model reasons is its own to decide.",
			});
		return { fields: {}, thinks: false };
	}
	if (reasoning.budget !== undefined)
		warn({
			kind: "changed",
			field: "reasoning.budget",
			message: "This model takes an effort in place of a number of tokens.",
		});
	const off = effort === "none";
	const nearest =
		effort === "minimal" || off
			? "low"
			: effort === "xhigh" || effort === "max"
				? "high"
				: effort;
	if (nearest !== effort && !(off && family.of === "nova"))
		warn({
			kind: "changed",
			field: "reasoning.effort",
			message: "The nearest effort that this model has was sent.",
		});
	return {
		fields:
			family.of === "gpt"
				? { reasoning_effort: nearest }
				: {
						reasoningConfig: off
							? { type: "disabled" }
							: { type: "enabled", maxReasoningEffort: nearest },
					},
		thinks: false,
	};
}

function effortOf(
	budget: number | undefined,
): NonNullable<CanonicalRequest["reasoning"]>["effort"] {
	if (budget === undefined) return undefined;
	if (budget === 0) return "none";
	if (budget <= 2_048) return "low";
	return budget <= 12_288 ? "medium" : "high";
}

/** Reasoning that this vendor signed counts for its maker's rules as that maker's own. */
function asItsOwn(request: CanonicalRequest): CanonicalRequest {
	return {
		...request,
		messages: request.messages.map((message) =>
			message.role === "assistant"
				? {
						...message,
						parts: message.parts.map((part) =>
							part.type === "reasoning" &&
							part.opaque?.protocol === "bedrock-converse"
								? {
										...part,
										opaque: { ...part.opaque, protocol: "anthropic-messages" },
									}
								: part,
						),
					}
				: message,
		),
	};
}

function writeSampling(
	{ temperature, topP }: CanonicalRequest,
	family: Family,
	thinks: boolean,
	warn: Warn,
): Json {
	const sampling = family.of === "claude" ? family.rules.sampling : "all";
	if (sampling === "none" || thinks) {
		const message = thinks
			? "A model that thinks takes none."
			: "This model takes no sampling parameters.";
		for (const [field, value] of Object.entries({ temperature, topP }))
			if (value !== undefined && value !== 1)
				warn({ kind: "dropped", field, message });
		return {};
	}
	if (temperature !== undefined && temperature > 1)
		warn({
			kind: "changed",
			field: "temperature",
			message: "Converse takes 1 at most, which was sent.",
		});
	const both =
		sampling === "one" && temperature !== undefined && topP !== undefined;
	if (both && topP !== 1)
		warn({
			kind: "dropped",
			field: "topP",
			message: "This model takes temperature or topP, not both.",
		});
	return {
		temperature:
			temperature === undefined ? undefined : Math.min(temperature, 1),
		topP: both ? undefined : topP,
	};
}

function writeTopK(
	{ topK }: CanonicalRequest,
	family: Family,
	thinks: boolean,
	warn: Warn,
): Json {
	if (topK === undefined) return {};
	if (family.of === "nova") return { inferenceConfig: { topK } };
	if (family.of === "claude" && family.rules.sampling !== "none" && !thinks)
		return { top_k: topK };
	warn({
		kind: "dropped",
		field: "topK",
		message: "This model does not take it.",
	});
	return {};
}

/** Native structured output, or a refusal: an answer that only looks like it is held to a schema is worse than none. */
function writeOutput(
	{ output }: CanonicalRequest,
	family: Family,
	{ noSchemas }: Quirks,
	warn: Warn,
): Json | undefined {
	if (!output || output.type === "text") return undefined;
	if (output.type === "json")
		unsupported(
			"output",
			"asks for just any JSON, which Converse cannot promise: give a schema",
		);
	if (noSchemas || (family.of === "claude" && !family.rules.schemas))
		unsupported(
			"output",
			"asks for output held to a schema, which this model cannot",
		);
	const { name, description, schema } = output;
	return {
		textFormat: {
			type: "json_schema",
			structure: {
				jsonSchema: present({
					schema: JSON.stringify(heldSchema(schema, "output.schema", warn)),
					name,
					description,
				}),
			},
		},
	};
}

const mostEntries = 16;
const entry = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/;

/** What the vendor's log of calls can be searched by. */
function writeMetadata(
	{ metadata }: CanonicalRequest,
	warn: Warn,
): Json | undefined {
	if (!metadata) return undefined;
	const all = Object.entries(metadata);
	const fitting = all
		.filter(
			([name, value]) => name !== "" && entry.test(name) && entry.test(value),
		)
		.slice(0, mostEntries);
	if (fitting.length < all.length)
		warn({
			kind: "dropped",
			field: "metadata",
			message:
				"Converse keeps 16 entries of 256 letters, digits and simple signs: the others were left out.",
		});
	return filled(Object.fromEntries(fitting));
}

function writeTier(
	{ serviceTier }: CanonicalRequest,
	warn: Warn,
): Json | undefined {
	switch (serviceTier) {
		case undefined:
		case "auto":
			return undefined;
		case "standard":
			return { type: "default" };
		case "batch":
			warn({
				kind: "dropped",
				field: "serviceTier",
				message: "The vendor answers batches in another way.",
			});
			return undefined;
		default:
			return { type: serviceTier };
	}
}
