import type {
	CanonicalAnswer,
	CanonicalRequest,
	Choice,
	Citation,
	MediaPart,
	ReasoningPart,
	TokenLogprob,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import type { Json, Naming, Warn, Warning } from "../../../ports/translator.ts";
import { finishName } from "./finish.ts";
import { dataUrl } from "./media.ts";
import { detailOf, markedCall, ownData } from "./reasoning.ts";
import { isLegacy } from "./request-in.ts";
import { usageReport } from "./usage-out.ts";

/** The whole answer for a client. */
export function writeAnswer(
	answer: CanonicalAnswer,
	request: CanonicalRequest,
	naming: Naming,
	warn: Warn,
): Json {
	const legacy = isLegacy(request);
	return {
		...headOf(answer, naming, "chat.completion"),
		choices: answer.choices.map((choice, index) =>
			writeChoice(choice, index, legacy, warn),
		),
		...(answer.usage ? { usage: usageReport(answer.usage) } : {}),
	};
}

/** What answers and each chunk of a stream begin with. */
export function headOf(
	{ id, model, serviceTier }: Omit<CanonicalAnswer, "choices">,
	naming: Naming,
	object: string,
): Json {
	return {
		id: id ?? `chatcmpl-${naming.call}`,
		object,
		created: Math.floor(naming.time / 1000),
		model: model ?? naming.model,
		...(serviceTier === undefined ? {} : { service_tier: serviceTier }),
	};
}

function writeChoice(
	{ parts, finish, logprobs }: Choice,
	index: number,
	legacy: boolean,
	warn: Warn,
): Json {
	const message: Record<string, unknown> = {
		role: "assistant",
		content: null,
		refusal: null,
	};
	let text: string | undefined;
	let refusal: string | undefined;
	const annotations: Json[] = [];
	const thoughts: ReasoningPart[] = [];
	const calls: ToolCallPart[] = [];
	const images: Json[] = [];
	for (const part of parts) {
		switch (part.type) {
			case "text": {
				const before = text?.length ?? 0;
				for (const citation of part.citations ?? []) {
					const annotation = annotationOf(citation, before);
					if (annotation) annotations.push(annotation);
					else warn(lost.citation);
				}
				text = (text ?? "") + part.text;
				break;
			}
			case "reasoning":
				thoughts.push(part);
				break;
			case "refusal":
				refusal = (refusal ?? "") + part.text;
				break;
			case "tool-call":
				calls.push(part);
				break;
			case "server-tool":
				warn(lost.serverTool);
				break;
			default: {
				const shown = mediaOf(part);
				if (shown?.image) images.push(shown.image);
				else if (shown?.audio) message.audio = shown.audio;
				else warn(lost.media(part.type));
			}
		}
	}
	if (text !== undefined) message.content = text;
	if (message.audio) {
		message.audio = { ...(message.audio as Json), transcript: text ?? "" };
		message.content = null;
	}
	if (refusal !== undefined) message.refusal = refusal;
	if (annotations.length > 0) message.annotations = annotations;
	if (images.length > 0) message.images = images;
	if (thoughts.length > 0) Object.assign(message, thoughtsOf(thoughts));
	const [first, ...others] = calls;
	if (legacy && first) {
		message.function_call = { name: first.name, arguments: first.arguments };
		if (others.length > 0) warn(lost.calls);
	} else if (calls.length > 0) message.tool_calls = calls.map(callOf);
	return {
		index,
		message,
		logprobs: logprobs ? logprobsOf(logprobs) : null,
		finish_reason: finishName(finish, refusal !== undefined, legacy),
	};
}

/** What of answers this protocol cannot say. */
export const lost: {
	readonly citation: Warning;
	readonly serverTool: Warning;
	readonly calls: Warning;
	media(type: string): Warning;
} = {
	citation: {
		kind: "dropped",
		field: "citations",
		message:
			"This protocol cites pages only: what is cited of a document is not told.",
	},
	serverTool: {
		kind: "dropped",
		field: "server-tool",
		message:
			"What the vendor's own tools did is not told: this protocol cannot.",
	},
	calls: {
		kind: "dropped",
		field: "tool-call",
		message: "An answer in the form before tools holds one call.",
	},
	media: (type) => ({
		kind: "dropped",
		field: type,
		message: "This protocol has no such media in answers.",
	}),
};

function thoughtsOf(thoughts: readonly ReasoningPart[]): Json {
	const text = thoughts.map((each) => each.text).join("");
	const plain =
		thoughts.length === 1 && !thoughts[0]?.opaque && !thoughts[0]?.summary;
	return {
		...(text === "" ? {} : { reasoning_content: text }),
		...(plain
			? {}
			: {
					reasoning_details: thoughts.map((part, index) =>
						detailOf(part, index),
					),
				}),
	};
}

function callOf(call: ToolCallPart): Json {
	const { id, name, opaque, custom } = call;
	return custom
		? { id, type: "custom", custom: { name, input: call.arguments } }
		: {
				id,
				type: "function",
				function: { name, arguments: call.arguments },
				...markedCall(opaque),
			};
}

/** Undefined for what is no page. `before` is the length of the text that its part follows. */
export function annotationOf(
	{ url, title, start, end, quote }: Citation,
	before: number,
): Json | undefined {
	if (url === undefined) return undefined;
	return {
		type: "url_citation",
		url_citation: {
			url,
			...(title === undefined ? {} : { title }),
			...(start === undefined ? {} : { start_index: before + start }),
			...(end === undefined ? {} : { end_index: before + end }),
			...(quote === undefined ? {} : { content: quote }),
		},
	};
}

/** Pictures as vendors that draw in chats send them; audio as OpenAI does. */
export function mediaOf({
	type,
	source,
	opaque,
}: MediaPart):
	| { readonly image: Json; readonly audio?: never }
	| { readonly audio: Json; readonly image?: never }
	| undefined {
	if (type === "image" && (source.type === "base64" || source.type === "url")) {
		const url =
			source.type === "url"
				? source.url
				: dataUrl(source.mediaType, source.data);
		return { image: { type: "image_url", image_url: { url } } };
	}
	if (type !== "audio" || source.type !== "base64") return undefined;
	const { id = "audio", expires_at = 0 } = ownData(opaque) ?? {};
	return { audio: { id, data: source.data, expires_at } };
}

export function logprobsOf(tokens: readonly TokenLogprob[]): Json {
	return {
		content: tokens.map(({ token, logprob, bytes, top }) => ({
			token,
			logprob,
			bytes: bytes ?? null,
			top_logprobs: (top ?? []).map((each) => ({
				token: each.token,
				logprob: each.logprob,
				bytes: each.bytes ?? null,
			})),
		})),
		refusal: null,
	};
}
