import type { Outcome } from "../../../kernel/outcome.ts";
import type {
	AnswerPart,
	CanonicalAnswer,
	Choice,
	Citation,
	TextPart,
	TokenLogprob,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import type { Json } from "../../../ports/translator.ts";
import {
	listOf,
	numberOf,
	outcomeOf,
	present,
	recordOf,
	recordsOf,
	textOf,
	unreadable,
} from "../canonical/fields.ts";
import { finishOf } from "./finish.ts";
import { drawnImage, spokenAudio } from "./media.ts";
import { markOf, protocol, reasoningOf } from "./reasoning.ts";
import { chatUsage, usageOf } from "./usage.ts";

/** A vendor's whole answer. */
export function readAnswer(body: unknown): Outcome<CanonicalAnswer> {
	return outcomeOf(() => {
		const answer = recordOf(body) ?? unreadable("is no JSON object");
		const choices = recordsOf(answer.choices);
		if (choices.length === 0) unreadable("has no choices");
		return present({
			id: textOf(answer.id) || undefined,
			model: textOf(answer.model) || undefined,
			choices: choices.map(readChoice),
			usage: readUsage(answer),
			serviceTier: textOf(answer.service_tier),
		});
	});
}

/** Usage as it is metered: a report that makes no sense is none. */
export function readUsage(answer: Json): CanonicalAnswer["usage"] {
	const report = usageOf(answer);
	const reading = report && chatUsage(report, undefined);
	return reading && "usage" in reading ? reading.usage : undefined;
}

function readChoice(choice: Json): Choice {
	const message = recordOf(choice.message) ?? {};
	const parts: AnswerPart[] = reasoningOf(message);
	const { text, thought } = readContent(message.content);
	if (thought !== "" && parts.length === 0)
		parts.push({ type: "reasoning", text: thought });
	const citations = recordsOf(message.annotations).flatMap(readCitation);
	const audio = recordOf(message.audio);
	const said = text !== "" ? text : (textOf(audio?.transcript) ?? "");
	if (said !== "" || citations.length > 0)
		parts.push({
			type: "text",
			text: said,
			...(citations.length > 0 ? { citations } : {}),
		} satisfies TextPart);
	const refusal = textOf(message.refusal);
	if (refusal) parts.push({ type: "refusal", text: refusal });
	const data = textOf(audio?.data);
	if (audio && data !== undefined)
		parts.push({
			type: "audio",
			source: spokenAudio(data),
			opaque: {
				protocol,
				data: present({ id: audio.id, expires_at: audio.expires_at }),
			},
		});
	for (const image of recordsOf(message.images)) {
		const part = drawnImage(textOf(recordOf(image.image_url)?.url) ?? "");
		if (part) parts.push(part);
	}
	for (const call of recordsOf(message.tool_calls))
		parts.push(readCall(call, parts.length));
	const called = recordOf(message.function_call);
	if (called) parts.push(readCall({ function: called }, parts.length));
	const logprobs = readLogprobs(choice.logprobs);
	return {
		parts,
		finish: finishOf(
			choice.finish_reason,
			new Set(parts.map(({ type }) => type)),
		),
		...(logprobs.length > 0 ? { logprobs } : {}),
	};
}

/** A text, or Mistral's parts: thinking and text. */
export function readContent(content: unknown): {
	readonly text: string;
	readonly thought: string;
} {
	if (typeof content === "string") return { text: content, thought: "" };
	let text = "";
	let thought = "";
	for (const part of recordsOf(content)) {
		if (part.type === "thinking")
			for (const piece of recordsOf(part.thinking))
				thought += textOf(piece.text) ?? "";
		else if (part.type === "text") text += textOf(part.text) ?? "";
	}
	return { text, thought };
}

function readCall(call: Json, index: number): ToolCallPart {
	const custom = recordOf(call.custom);
	const inner = custom ?? recordOf(call.function) ?? {};
	const opaque = markOf(call);
	return {
		type: "tool-call",
		id: textOf(call.id) || `call_${index}`,
		name: textOf(inner.name) ?? "",
		arguments: custom
			? (textOf(custom.input) ?? "")
			: argumentsOf(inner.arguments),
		...(custom ? { custom: true } : {}),
		...(opaque ? { opaque } : {}),
	};
}

/** Some vendors leave the arguments out when there are none, or send them as an object. */
function argumentsOf(value: unknown): string {
	if (typeof value === "string") return value || "{}";
	return JSON.stringify(recordOf(value) ?? {});
}

export function readCitation(annotation: Json): Citation[] {
	const cited = recordOf(annotation.url_citation);
	const url = textOf(cited?.url);
	if (cited === undefined || url === undefined) return [];
	return [
		present({
			url,
			title: textOf(cited.title),
			quote: textOf(cited.content),
			start: numberOf(cited.start_index),
			end: numberOf(cited.end_index),
		}),
	];
}

export function readLogprobs(logprobs: unknown): TokenLogprob[] {
	const there = recordOf(logprobs);
	if (!there) return [];
	const content = recordsOf(there.content);
	return (content.length > 0 ? content : recordsOf(there.refusal)).map(
		(each) => {
			const top = recordsOf(each.top_logprobs).map(readToken);
			return { ...readToken(each), ...(top.length > 0 ? { top } : {}) };
		},
	);
}

function readToken(token: Json): Omit<TokenLogprob, "top"> {
	const bytes = listOf(token.bytes).filter((each) => typeof each === "number");
	return {
		token: textOf(token.token) ?? "",
		logprob: numberOf(token.logprob) ?? 0,
		...(bytes.length > 0 ? { bytes } : {}),
	};
}
