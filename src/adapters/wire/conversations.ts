import type {
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Message,
} from "../../ports/canonical.ts";
import type { Conversations, Said } from "../../ports/conversations.ts";
import type { Translator } from "../../ports/translator.ts";
import type { WireOperation } from "../../ports/wire-protocol.ts";
import { gatherer } from "./canonical/gather.ts";
import type { Spoken } from "./crossing.ts";
import { isEventStream } from "./openai-family.ts";

/** Questions of ours are asked in the first of the protocols: one whose requests have `model`, `messages` and `max_completion_tokens`. */
export function openConversations(
	protocols: readonly [Spoken, ...Spoken[]],
): Conversations {
	const translators = new Map(
		protocols.map(({ wire, translator }) => [wire.id, translator]),
	);
	const [{ wire: ours }] = protocols;
	return {
		asked(wire, request) {
			const read = translators.get(wire.id)?.readRequest(request, () => {});
			return read?.ok ? read.value.messages.map(said) : undefined;
		},
		answered(wire, request, contentType, body) {
			const translator = translators.get(wire.id);
			const read = translator?.readRequest(request, () => {});
			if (!translator || !read?.ok) return undefined;
			const answer = answerIn(translator, read.value, contentType, body);
			return inWords(answer?.choices[0]?.parts ?? []) || undefined;
		},
		ask(model, messages, outputLimit) {
			const operation = ours.operations.find(
				({ means }) => means === "generate",
			) as WireOperation;
			const body = { model, messages, max_completion_tokens: outputLimit };
			const read = ours.read(
				operation.id,
				new TextEncoder().encode(JSON.stringify(body)),
			);
			if (!read.ok) throw new Error(read.error.message);
			return { wire: ours, operation, request: read.value };
		},
	};
}

function answerIn(
	{ openReader, readAnswer }: Translator,
	request: CanonicalRequest,
	contentType: string,
	body: Uint8Array,
): CanonicalAnswer | undefined {
	if (isEventStream(200, contentType)) {
		const gathering = gatherer();
		const reader = openReader(request);
		gathering.push(reader.push(body));
		gathering.push(reader.end());
		return gathering.error ? undefined : gathering.answer();
	}
	try {
		const answer = readAnswer(JSON.parse(new TextDecoder().decode(body)));
		return answer.ok ? answer.value : undefined;
	} catch {
		return undefined;
	}
}

function said({ role, parts }: Message): Said {
	return { role, text: inWords(parts) };
}

function inWords(parts: Message["parts"] | readonly AnswerPart[]): string {
	return parts
		.map((part) => {
			switch (part.type) {
				case "text":
				case "refusal":
					return part.text;
				case "tool-call":
					return `(calls the tool ${part.name} with ${part.arguments})`;
				case "tool-result":
					return `(the tool gives: ${inWords(part.parts)})`;
				case "reasoning":
				case "server-tool":
					return "";
				default:
					return `(${part.type})`;
			}
		})
		.filter((text) => text !== "")
		.join("\n");
}
