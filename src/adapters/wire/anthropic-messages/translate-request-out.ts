import type { CanonicalRequest } from "../../../ports/canonical.ts";
import type { Json, Warn, WrittenRequest } from "../../../ports/translator.ts";
import type { ForwardChange } from "../../../ports/wire-protocol.ts";
import { present, unsupported } from "../canonical/fields.ts";
import { cacheControl, writeMessages } from "./messages-out.ts";
import { type ModelRules, rulesFor } from "./models.ts";
import { writeThinking } from "./thinking-out.ts";
import { heldSchema, writeTools } from "./tools-out.ts";

/** Tokens of output that we ask for where neither the client nor the gateway says how many: the protocol needs a number. */
const usualLimit = 32_000;

/** A request to a vendor of this protocol, within what its model takes. */
export function writeRequest(
	request: CanonicalRequest,
	change: ForwardChange,
	warn: Warn,
): WrittenRequest {
	const rules: ModelRules = {
		...rulesFor(change.model),
		...(change.quirks.systemFirst && { laterSystem: false }),
		...(change.quirks.noSchemas && { schemas: false }),
	};
	refuseShapes(request);
	dropSteering(request, warn);
	const limit = writeLimit(request, change, rules, warn);
	const { thinking, effort, on } = writeThinking(request, rules, limit, warn);
	const format = writeFormat(request, rules, warn);
	const { system, messages } = writeMessages(
		request.messages,
		rules.laterSystem,
		warn,
	);
	const body = present({
		model: change.model,
		max_tokens: limit,
		system,
		messages,
		...writeTools(request, rules, warn),
		thinking,
		output_config: effort || format ? present({ effort, format }) : undefined,
		stop_sequences: request.stop,
		...writeSampling(request, rules, on, warn),
		service_tier: writeTier(request.serviceTier, warn),
		metadata:
			request.user === undefined ? undefined : { user_id: request.user },
		cache_control: cacheControl(request.cache),
		stream: request.stream ? true : undefined,
	});
	return {
		path: "/messages",
		body,
		headers: { "anthropic-version": "2023-06-01" },
	};
}

/** What shapes the answer and has no words here. */
function refuseShapes({
	choices,
	logprobs,
	modalities,
	stop,
}: CanonicalRequest): void {
	if (choices !== undefined && choices > 1)
		unsupported(
			"choices",
			"asks for several answers: the Messages API has one",
		);
	if (logprobs)
		unsupported(
			"logprobs",
			"asks for log probabilities, which the Messages API has not",
		);
	if (modalities?.some((each) => each !== "text"))
		unsupported(
			"modalities",
			"asks for more than text, which the Messages API has not",
		);
	for (const [index, sequence] of (stop ?? []).entries()) {
		if (sequence.trim() === "")
			unsupported(
				`stop.${index}`,
				"has only white space, which the Messages API refuses as a stop sequence",
			);
	}
}

const steering = [
	["seed", "The Messages API has no seed."],
	["frequencyPenalty", "The Messages API has no penalties."],
	["presencePenalty", "The Messages API has no penalties."],
	["verbosity", "The Messages API has no verbosity."],
	["metadata", "The Messages API keeps no metadata but the user."],
	["cacheKey", "The Messages API finds cached prompts by their content."],
] as const;

function dropSteering(request: CanonicalRequest, warn: Warn): void {
	for (const [field, message] of steering) {
		if (request[field] !== undefined) warn({ kind: "dropped", field, message });
	}
}

function writeLimit(
	{ outputLimit }: CanonicalRequest,
	change: ForwardChange,
	{ mostOutput = Number.POSITIVE_INFINITY }: ModelRules,
	warn: Warn,
): number {
	if (change.outputLimit !== undefined) return change.outputLimit;
	const wanted = outputLimit ?? usualLimit;
	const limit = Math.min(wanted, mostOutput);
	if (outputLimit === undefined)
		warn({
			kind: "changed",
			field: "outputLimit",
			message: `The Messages API needs a limit of output: ${limit} tokens was sent.`,
		});
	else if (limit < wanted)
		warn({
			kind: "changed",
			field: "outputLimit",
			message: `This model says ${limit} tokens at most.`,
		});
	return limit;
}

/** Native structured output, or a refusal: an answer that only looks like it is held to a schema is worse than none. */
function writeFormat(
	{ output }: CanonicalRequest,
	{ schemas }: ModelRules,
	warn: Warn,
): Json | undefined {
	if (!output || output.type === "text") return undefined;
	if (output.type === "json")
		unsupported(
			"output",
			"asks for just any JSON, which the Messages API cannot promise: give a schema",
		);
	if (!schemas)
		unsupported(
			"output",
			"asks for output held to a schema, which this model cannot",
		);
	const { name, description, schema } = output;
	return {
		type: "json_schema",
		schema: heldSchema(
			present({ title: name, description, ...schema }),
			"output.schema",
			warn,
		),
	};
}

function writeSampling(
	{ temperature, topP, topK }: CanonicalRequest,
	{ sampling }: ModelRules,
	thinks: boolean,
	warn: Warn,
): Json {
	const drop = (field: string, message: string): undefined =>
		warn({ kind: "dropped", field, message }) as undefined;
	const refused =
		sampling === "none"
			? "This model takes no sampling parameters."
			: thinks
				? "A model that thinks takes none."
				: undefined;
	if (refused !== undefined) {
		if (temperature !== undefined && temperature !== 1)
			drop("temperature", refused);
		if (topP !== undefined && topP !== 1) drop("topP", refused);
		if (topK !== undefined) drop("topK", refused);
		return {};
	}
	if (temperature !== undefined && temperature > 1)
		warn({
			kind: "changed",
			field: "temperature",
			message: "The Messages API takes 1 at most, which was sent.",
		});
	const both =
		sampling === "one" && temperature !== undefined && topP !== undefined;
	if (both && topP !== 1)
		drop("topP", "This model takes temperature or top_p, not both.");
	return present({
		temperature:
			temperature === undefined ? undefined : Math.min(temperature, 1),
		top_p: both ? undefined : topP,
		top_k: topK,
	});
}

function writeTier(
	tier: CanonicalRequest["serviceTier"],
	warn: Warn,
): string | undefined {
	switch (tier) {
		case undefined:
		case "auto":
			return tier;
		case "standard":
			return "standard_only";
		case "priority":
			warn({
				kind: "changed",
				field: "serviceTier",
				message:
					"Priority is used where there is some: the tier auto was sent.",
			});
			return "auto";
		default:
			warn({
				kind: "dropped",
				field: "serviceTier",
				message: "The Messages API has no such tier.",
			});
			return undefined;
	}
}
