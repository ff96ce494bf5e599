import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type { MediaOrder, WireRequest } from "../../../ports/wire-protocol.ts";
import {
	invalid,
	kindOf,
	readBody,
	readMember,
	readModel,
} from "../request-body.ts";
import type { MediaReading } from "./media-answer.ts";
import { speechUsage } from "./media-usage.ts";

const members: ReadonlySet<string> = new Set([
	"model",
	"input",
	"instructions",
	"speed",
	"stream",
	"stream_format",
	"response_format",
]);

export function readSpeech(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, members);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const kind = kindOf(body, "input");
	if (kind !== "string")
		return invalid(
			"input",
			kind === "absent" ? "is required" : "must be a string",
		);
	return accept({
		operation: "speech",
		body: body.bytes,
		model: model.value,
		stream: readMember(body, "stream_format") === "sse",
		outputLimit: 0,
		choices: 1,
		inputBytes: body.bytes.length,
		mediaParts: 0,
		serverTools: [],
		order: orderOf(
			readMember(body, "input") as string,
			readMember(body, "speed"),
			body.bytes.length,
		),
		dos: body.dos,
		opaque: body,
	});
}

/** The text is known before a sound is made: once the vendor has begun, all of it is paid, heard or not. */
export function speechReading(characters: number): MediaReading {
	const counted = { character: characters };
	return {
		carriers: ["audio"],
		carried: "audio",
		ends: "speech.audio.done",
		usage: speechUsage,
		countWhole: () => counted,
		count: () => counted,
	};
}

/** Speech runs at some 15 bytes of text a second, and OpenAI's at some 21 tokens; slow speech and pauses at more. */
function orderOf(text: string, speed: unknown, bodyBytes: number): MediaOrder {
	let characters = 0;
	for (const _ of text) characters++;
	const bytes = Buffer.byteLength(text);
	const pace =
		typeof speed === "number" && speed > 0
			? Math.min(4, Math.max(0.25, speed))
			: 1;
	const pieces = { character: characters };
	return {
		most: {
			pieces,
			tokens: {
				input: bodyBytes,
				"output-audio": Math.ceil(Math.max(500, 8 * bytes) / Math.min(pace, 1)),
			},
		},
		usual: {
			pieces,
			tokens: {
				input: Math.ceil(bodyBytes / 4),
				"output-audio": Math.ceil((1.4 * bytes) / pace),
			},
		},
		grounds: "the length of the text",
	};
}
