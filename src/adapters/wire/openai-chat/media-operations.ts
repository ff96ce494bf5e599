import type { Outcome } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	Meter,
	RequestTarget,
	WireOperation,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { Spliced } from "../json-members.ts";
import { isEventStream } from "../openai-family.ts";
import { type RequestBody, setMember } from "../request-body.ts";
import { SplicedRequest } from "../spliced-request.ts";
import { type Form, partOf } from "./form-data.ts";
import { imageReading, readImageEdit, readImageGeneration } from "./images.ts";
import {
	bareMedia,
	type MediaReading,
	streamedMedia,
	wholeMedia,
} from "./media-answer.ts";
import { readSpeech, speechReading } from "./speech.ts";
import { readTranscription, transcriptReading } from "./transcription.ts";

/**
 * Images, speech and transcripts. They pass between client and vendor as they are: only the model's
 * name is changed, in a member of JSON or in a field of a form.
 */
export function mediaOperations(
	passHeaders: readonly string[],
): readonly WireOperation[] {
	const operation = (
		id: string,
		means: WireOperation["means"],
		path: string,
	): WireOperation => ({
		id,
		means,
		method: "POST",
		path: `/v1${path}`,
		upstreamPath: path,
		passHeaders,
	});
	return [
		operation("image-generations", "image", "/images/generations"),
		operation("image-edits", "image", "/images/edits"),
		operation("speech", "speech", "/audio/speech"),
		operation("transcriptions", "transcription", "/audio/transcriptions"),
		operation("translations", "transcription", "/audio/translations"),
	];
}

/** Undefined when the operation is none of these. */
export function readMedia(
	operation: string,
	body: Uint8Array,
	target: RequestTarget | undefined,
): Outcome<WireRequest> | undefined {
	switch (operation) {
		case "image-generations":
			return readImageGeneration(body);
		case "image-edits":
			return readImageEdit(body, target);
		case "speech":
			return readSpeech(body);
		case "transcriptions":
		case "translations":
			return readTranscription(operation, body, target);
		default:
			return undefined;
	}
}

export function forwardMedia(
	request: WireRequest,
	{ model }: ForwardChange,
): Forwarded {
	const body = request.opaque as RequestBody | Form;
	const isForm = "parts" in body;
	const edit = isForm
		? {
				...(partOf(body, "model") as { start: number; end: number }),
				text: model,
			}
		: setMember(body, "model", JSON.stringify(model));
	return new SplicedRequest(
		new Spliced(body.bytes, model === request.model ? [] : [edit]),
		false,
		undefined,
		isForm ? { "content-type": body.contentType } : undefined,
	);
}

export function meterMedia(
	request: WireRequest,
	status: number,
	contentType: string,
): Meter {
	const reading = readingOf(request);
	if (isEventStream(status, contentType)) return streamedMedia(reading);
	if (/^\s*[^;]*\bjson\b/i.test(contentType)) return wholeMedia(reading);
	return bareMedia(reading, {
		flows: request.operation === "speech",
		// Of silence there is nothing to write.
		mayBeEmpty: reading === transcriptReading,
	});
}

function readingOf({ operation, order, choices }: WireRequest): MediaReading {
	switch (operation) {
		case "speech":
			return speechReading(order?.most.pieces.character ?? 0);
		case "transcriptions":
		case "translations":
			return transcriptReading;
		default:
			return imageReading(operation, choices);
	}
}
