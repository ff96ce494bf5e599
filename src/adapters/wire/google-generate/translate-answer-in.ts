import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
	VendorError,
} from "../../../ports/canonical.ts";
import type { AnswerReader } from "../../../ports/translator.ts";
import { isRecord, unreadable } from "../canonical/fields.ts";
import { gathered } from "../canonical/gather.ts";
import { answerReader, json } from "../canonical/sse.ts";
import { errorOf, openReading } from "./answer-reading.ts";

/** A whole answer: told as the events of a stream of one piece. */
export function readAnswer(body: unknown): CanonicalAnswer {
	if (
		!isRecord(body) ||
		!(Array.isArray(body.candidates) || isRecord(body.promptFeedback))
	)
		return unreadable("has no candidates");
	const events: AnswerEvent[] = [];
	const emit = (event: AnswerEvent) => events.push(event);
	const reading = openReading(1, true);
	reading.take(body, emit);
	reading.conclude(emit);
	if (events.some(({ type }) => type === "error"))
		return unreadable("is an error");
	return gathered(events);
}

export function openReader({
	choices = 1,
	tools,
}: CanonicalRequest): AnswerReader {
	const searches = tools?.some(
		({ type }) => type === "web-search" || type === "server",
	);
	const reading = openReading(choices, searches === true);
	return answerReader({
		visit(data, _event, emit) {
			const response = json(data);
			if (isRecord(response)) reading.take(response, emit);
		},
		conclude: reading.conclude,
	});
}

export function readError(status: number, body: Uint8Array): VendorError {
	return (
		errorOf(json(decoder.decode(body))) ?? {
			message: `The vendor answered with ${status}.`,
		}
	);
}

const decoder = new TextDecoder();
