import { isRecord } from "../request-body.ts";
import { readUsage, type UsageReading } from "../usage-counts.ts";

type Report = Readonly<Record<string, unknown>>;

/** Of an image: text and images in, of which some may be cached; images out, and with newer models text. */
export function imageUsage(report: Report): UsageReading {
	return readUsage((count, doubt) => {
		const all = count(report, "input_tokens");
		if (all === undefined) return doubt("input_tokens is missing");
		const input = report.input_tokens_details;
		const images = count(input, "image_tokens") ?? 0;
		const cached = count(input, "cached_tokens") ?? 0;
		const kinds = isRecord(input) ? input.cached_tokens_details : undefined;
		const cachedImages = count(kinds, "image_tokens") ?? 0;
		if (images > all || cached > all)
			return doubt("parts of the input are more than input_tokens");
		if (cachedImages > images || cachedImages > cached)
			return doubt("more images were cached than came in");
		const cachedText = cached - cachedImages;
		const text = all - images;
		if (cachedText > text) return doubt("more text was cached than came in");
		const made = count(report, "output_tokens") ?? 0;
		const said = count(report.output_tokens_details, "text_tokens") ?? 0;
		if (said > made)
			return doubt("parts of the output are more than output_tokens");
		return {
			input: text - cachedText,
			"cache-read": cachedText,
			"input-image": images - cachedImages,
			"cache-read-image": cachedImages,
			output: said,
			"output-image": made - said,
		};
	});
}

/** Of speech: text in, sound out. */
export function speechUsage(report: Report): UsageReading {
	return readUsage((count, doubt) => {
		const input = count(report, "input_tokens");
		if (input === undefined) return doubt("input_tokens is missing");
		return { input, "output-audio": count(report, "output_tokens") ?? 0 };
	});
}

/** Of a transcript: seconds, or tokens of sound and text. Mistral counts both (`prompt_audio_seconds`), under the names of a chat. */
export function transcriptUsage(report: Report): UsageReading {
	return readUsage((count, doubt) => {
		if (report.type === "duration") {
			const seconds = secondsIn(report.seconds);
			return seconds === undefined
				? doubt("seconds is missing")
				: { "audio-second": seconds };
		}
		const all = count(report, "input_tokens") ?? count(report, "prompt_tokens");
		if (all === undefined) return doubt("input_tokens is missing");
		const text = count(report.input_token_details, "text_tokens") ?? 0;
		if (text > all) return doubt("text_tokens is more than input_tokens");
		return {
			input: text,
			"input-audio": all - text,
			output:
				count(report, "output_tokens") ??
				count(report, "completion_tokens") ??
				0,
		};
	});
}

/** Whole seconds, up: a number, or one written as text. Undefined when it is none that could be. */
export function secondsIn(value: unknown): number | undefined {
	const seconds =
		typeof value === "string" && value.trim() !== "" ? Number(value) : value;
	return typeof seconds === "number" && seconds >= 0 && seconds < 2 ** 32
		? Math.ceil(seconds)
		: undefined;
}
