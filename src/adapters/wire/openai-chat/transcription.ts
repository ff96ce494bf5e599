import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	MediaOrder,
	RequestTarget,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import { member, parseValue } from "../json-members.ts";
import { invalid, isRecord } from "../request-body.ts";
import { fieldOf, partOf, readForm } from "./form-data.ts";
import type { MediaReading } from "./media-answer.ts";
import { modelOf, restBytes, truth } from "./media-form.ts";
import { secondsIn, transcriptUsage } from "./media-usage.ts";

/** Sound that lies elsewhere: nobody here could say how long it is. */
const elsewhere = ["url", "file_url", "file_id"];

const fields: ReadonlySet<string> = new Set([
	"model",
	"file",
	"stream",
	"response_format",
	...elsewhere,
]);

/** A transcript, or a translation into English: both are asked for and paid alike. */
export function readTranscription(
	operation: string,
	bytes: Uint8Array,
	target: RequestTarget | undefined,
): Outcome<WireRequest> {
	const read = readForm(bytes, target?.header("content-type"), fields);
	if (!read.ok) return read;
	const form = read.value;
	const model = modelOf(form);
	if (!model.ok) return model;
	for (const name of elsewhere) {
		if (partOf(form, name))
			return invalid(
				name,
				'cannot be metered here: send the sound itself as "file"',
			);
	}
	const file = partOf(form, "file");
	if (!file?.isFile)
		return invalid("file", file ? "must be a file" : "is required");
	const stream = fieldOf(form, "stream");
	if (!stream.ok) return stream;
	const format = fieldOf(form, "response_format");
	if (!format.ok) return format;
	const textBytes = restBytes(form);
	return accept({
		operation,
		body: form.bytes,
		model: model.value,
		stream: truth(stream.value),
		outputLimit: 0,
		choices: 1,
		inputBytes: textBytes,
		mediaParts: 1,
		serverTools: [],
		order: orderOf(form.bytes.subarray(file.start, file.end), textBytes),
		dos: form.dos,
		opaque: form,
	});
}

/** Seconds are what the answer says that it heard. */
export const transcriptReading: MediaReading = {
	carriers: ["text"],
	carried: "delta",
	ends: "transcript.text.done",
	usage: transcriptUsage,
	countWhole(body, scan) {
		const usage = member(scan, "usage");
		const report = usage && parseValue(body, usage);
		const duration = member(scan, "duration");
		const seconds =
			secondsIn(isRecord(report) ? report.prompt_audio_seconds : undefined) ??
			secondsIn(duration && parseValue(body, duration));
		return seconds === undefined ? undefined : { "audio-second": seconds };
	},
	count: () => undefined,
};

/** The thinnest sound that codecs make of speech, and the usual: 6 and 64 kbit a second. */
const leastBytesPerSecond = 750;
const usualBytesPerSecond = 8_000;

/** A second is some 10 tokens of sound at OpenAI and up to 32 elsewhere, and 3 tokens of text, of fast speech 8. */
function orderOf(file: Buffer, textBytes: number): MediaOrder {
	const known = waveSeconds(file);
	const amount = (seconds: number, heard: number, written: number) => ({
		pieces: { "audio-second": seconds },
		tokens: {
			input: Math.ceil(textBytes),
			"input-audio": seconds * heard,
			output: seconds * written,
		},
	});
	return {
		most: amount(
			known ?? Math.ceil(file.length / leastBytesPerSecond) + 1,
			32,
			8,
		),
		usual: amount(
			known ?? Math.max(1, Math.ceil(file.length / usualBytesPerSecond)),
			10,
			3,
		),
		grounds:
			known === undefined
				? "the size of the upload"
				: "the length of the upload",
	};
}

/** How long a plain WAV file lasts at most; undefined of anything that a decoder might read in another way. */
function waveSeconds(file: Buffer): number | undefined {
	if (
		file.length < 44 ||
		file.toString("latin1", 0, 4) !== "RIFF" ||
		file.toString("latin1", 8, 16) !== "WAVEfmt "
	)
		return undefined;
	const format = file.readUInt16LE(20);
	const channels = file.readUInt16LE(22);
	const rate = file.readUInt32LE(24);
	const bits = file.readUInt16LE(34);
	const isPlain =
		(format === 1 || format === 3) &&
		channels >= 1 &&
		channels <= 8 &&
		rate >= 8_000 &&
		rate <= 192_000 &&
		[8, 16, 24, 32, 64].includes(bits);
	return isPlain
		? Math.ceil(file.length / ((rate * channels * bits) / 8))
		: undefined;
}
