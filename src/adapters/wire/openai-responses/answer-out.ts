import type {
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Opaque,
	ServerToolPart,
	TokenLogprob,
} from "../../../ports/canonical.ts";
import type { Json, Naming, Warn } from "../../../ports/translator.ts";
import { annotationOf, writtenLogprobs } from "./citations.ts";
import { type ClientTools, clientTools, nativeCall } from "./native-tools.ts";
import {
	carrierOf,
	foreignOpaque,
	ourId,
	ownData,
	reasoningMark,
} from "./opaque.ts";
import { askedMembers, endingOf } from "./response.ts";
import { writtenToolUsage, writtenUsage } from "./usage-out.ts";

/** The whole answer for a client. It has one choice: no client of this protocol can ask for more. */
export function writeAnswer(
	{ choices, model, usage, serviceTier }: CanonicalAnswer,
	request: CanonicalRequest,
	naming: Naming,
	warn: Warn,
): Json {
	const choice = choices[0];
	const ending = endingOf(choice?.finish ?? { reason: "error" });
	const asked = askedMembers(request, naming);
	const parts = withRefusal(choice?.parts ?? [], choice?.finish.reason).map(
		(part) => asShown(part, request),
	);
	for (const [place, part] of parts.entries()) warnOfPart(part, place, warn);
	return {
		...asked,
		status: ending.status,
		completed_at: ending.status === "completed" ? asked.created_at : null,
		error: ending.error,
		incomplete_details: ending.incomplete_details,
		model: model ?? naming.model,
		output: writeOutput(parts, choice?.logprobs, request, naming),
		...(serviceTier !== undefined && { service_tier: serviceTier }),
		usage: usage ? writtenUsage(usage) : null,
		...(usage && writtenToolUsage(usage)),
	};
}

/** What a refusal says that a vendor gave without a word. */
export const refusalText = "The model refused to answer.";

function withRefusal(
	parts: readonly AnswerPart[],
	reason: string | undefined,
): readonly AnswerPart[] {
	if (reason !== "refusal" || parts.some(({ type }) => type === "refusal"))
		return parts;
	return [...parts, { type: "refusal", text: refusalText }];
}

export function warnOfPart(part: AnswerPart, place: number, warn: Warn): void {
	const field = `choices.0.parts.${place}`;
	if (part.type === "text" && part.citations?.some(({ quote }) => quote))
		warnOfQuotes(place, warn);
	if (isLost(part))
		warn({
			kind: "dropped",
			field,
			message: "The answer has a part that this protocol cannot say.",
		});
}

export function warnOfQuotes(place: number, warn: Warn): void {
	warn({
		kind: "dropped",
		field: `choices.0.parts.${place}.citations`,
		message: "Words that the answer cites are not said again.",
	});
}

/**
 * To a client that asked for summaries, whatever a vendor shows of its reasoning is one: few clients
 * of this protocol show anything else, or send it back.
 */
export function asShown(
	part: AnswerPart,
	{ reasoning }: CanonicalRequest,
): AnswerPart {
	if (part.type !== "reasoning" || part.summary) return part;
	const { show } = reasoning ?? {};
	return show === undefined || show === "none"
		? part
		: { ...part, summary: true };
}

/** Media other than images, images elsewhere, and what unknown tools of other vendors did. */
export function isLost(part: AnswerPart): boolean {
	switch (part.type) {
		case "image":
			return part.source.type !== "base64";
		case "document":
		case "audio":
		case "video":
			return true;
		case "server-tool":
			return part.tool === "other" && !ownData(part.opaque);
		default:
			return false;
	}
}

function writeOutput(
	parts: readonly AnswerPart[],
	logprobs: readonly TokenLogprob[] | undefined,
	{ tools }: CanonicalRequest,
	{ call }: Naming,
): Json[] {
	const declared = clientTools(tools);
	const output: Json[] = [];
	let content: Json[] | undefined;
	let phase: unknown;
	/** Of all the choice's text: told with the first of it. */
	let waiting = logprobs;
	/** What the part before brought that only its vendor understands. */
	let carried: Opaque | undefined;
	function carry(): void {
		const number = output.length;
		const item = carried && carrierOf(carried, ourId("rs", call, number));
		carried = undefined;
		if (!item) return;
		output.push(item);
		content = undefined;
	}
	for (const part of parts) {
		carry();
		if (isLost(part)) continue;
		carried = foreignOpaque(part);
		if (part.type !== "text" && part.type !== "refusal") {
			content = undefined;
			output.push(itemOf(part, declared, itemId(part, call, output.length)));
			continue;
		}
		const own = phaseOf(part);
		if (!content || own !== phase) {
			content = [];
			phase = own;
			output.push(
				messageItem(
					ourId("msg", call, output.length),
					"completed",
					content,
					phase,
				),
			);
		}
		content.push(contentOf(part, waiting));
		if (part.type === "text") waiting = undefined;
	}
	carry();
	return output;
}

export function phaseOf(part: AnswerPart): unknown {
	return part.type === "text" ? ownData(part.opaque)?.phase : undefined;
}

export function messageItem(
	id: string,
	status: string,
	content: readonly Json[],
	phase: unknown,
): Json {
	return {
		id,
		type: "message",
		status,
		role: "assistant",
		content,
		...(typeof phase === "string" && { phase }),
	};
}

export function contentOf(
	part: Extract<AnswerPart, { type: "text" | "refusal" }>,
	logprobs: readonly TokenLogprob[] | undefined,
): Json {
	if (part.type === "refusal") return { type: "refusal", refusal: part.text };
	return {
		type: "output_text",
		text: part.text,
		annotations: (part.citations ?? []).map((each) =>
			annotationOf(each, part.text.length),
		),
		logprobs: writtenLogprobs(logprobs ?? []),
	};
}

type ItemPart = Exclude<AnswerPart, { type: "text" | "refusal" }>;

export function itemId(part: ItemPart, call: string, number: number): string {
	if (part.type === "tool-call")
		return ourId(part.custom ? "ctc" : "fc", call, number);
	const kind = { reasoning: "rs", "server-tool": "ws", image: "ig" };
	return ourId(kind[part.type as keyof typeof kind] ?? "item", call, number);
}

/** The finished item of a part that is no content of a message; `fixed` when its id has been told. */
export function itemOf(
	part: ItemPart,
	tools: ClientTools,
	id: string,
	fixed: boolean = false,
): Json {
	switch (part.type) {
		case "reasoning": {
			const { text, summary, opaque } = part;
			return {
				type: "reasoning",
				...reasoningMark(opaque, id, fixed),
				summary: summary && text !== "" ? [{ type: "summary_text", text }] : [],
				...(!summary &&
					text !== "" && { content: [{ type: "reasoning_text", text }] }),
			};
		}
		case "tool-call": {
			const native = tools.natives.get(part.name);
			const place = tools.places.get(part.name);
			return (
				(native && !part.custom && nativeCall(native, part, id)) || {
					id,
					type: part.custom ? "custom_tool_call" : "function_call",
					status: "completed",
					call_id: part.id,
					name: place?.name ?? part.name,
					...(place && { namespace: place.namespace }),
					[part.custom ? "input" : "arguments"]: part.arguments,
					...ownData(part.opaque),
				}
			);
		}
		case "server-tool":
			return ownData(part.opaque) ?? searchItem(part, id, "completed");
		default:
			return {
				id,
				type: "image_generation_call",
				status: "completed",
				...(part.source.type === "base64" && {
					result: part.source.data,
					output_format: part.source.mediaType.slice("image/".length),
				}),
			};
	}
}

export function searchItem(
	{ id: ofVendor, query, results }: ServerToolPart,
	id: string,
	status: string,
): Json {
	return {
		id: ofVendor.startsWith("ws_") ? ofVendor : id,
		type: "web_search_call",
		status,
		action: {
			type: "search",
			query: query ?? "",
			...(query !== undefined && { queries: [query] }),
			...(results && {
				sources: results.map(({ url }) => ({ type: "url", url })),
			}),
		},
	};
}
