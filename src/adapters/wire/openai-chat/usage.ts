import { isRecord } from "../request-body.ts";
import {
	type ReadCount,
	readUsage,
	type UsageReading,
} from "../usage-counts.ts";

/**
 * Takes a usage report apart into disjoint classes. `prompt_tokens` holds cached, cache-written and
 * audio tokens, `completion_tokens` holds reasoning, audio, image and predicted ones.
 */
export function chatUsage(
	report: Readonly<Record<string, unknown>>,
	ceiling: number | undefined,
): UsageReading {
	return readUsage((count, doubt) => {
		const prompt = count(report, "prompt_tokens");
		if (prompt === undefined) return doubt("prompt_tokens is missing");
		const input = report.prompt_tokens_details;
		const cached = cachedTokens(report, count);
		const written = count(input, "cache_write_tokens") ?? 0;
		const audio = count(input, "audio_tokens") ?? 0;
		if (cached + written > prompt)
			return doubt("more tokens were cached than prompt_tokens has");
		if (audio > prompt) return doubt("audio_tokens is more than prompt_tokens");
		// What is counted twice is audio that came from the cache.
		const cachedAudio = Math.max(0, cached + written + audio - prompt);
		if (cachedAudio > cached)
			return doubt("parts of the prompt are more than prompt_tokens");

		const output = report.completion_tokens_details;
		const reasoning =
			count(output, "reasoning_tokens") ??
			count(report, "reasoning_tokens") ??
			0;
		const spoken = count(output, "audio_tokens") ?? 0;
		const drawn = count(output, "image_tokens") ?? 0;
		const rejected = count(output, "rejected_prediction_tokens") ?? 0;
		let completion = count(report, "completion_tokens") ?? 0;
		const total = count(report, "total_tokens");
		// xAI leaves reasoning out of completion_tokens and shows it in the total (fixtures/xai-stream.txt).
		if (reasoning > 0 && total === prompt + completion + reasoning)
			completion += reasoning;
		if (reasoning + spoken + drawn > completion)
			return doubt("parts of the answer are more than completion_tokens");
		const text = completion - reasoning - spoken - drawn;
		if (ceiling !== undefined && text - rejected > ceiling)
			return doubt("completion_tokens is far over the limit that was sent");

		return {
			input: prompt - cached - written - audio + cachedAudio,
			"cache-read": cached - cachedAudio,
			"cache-read-audio": cachedAudio,
			"cache-write-5m": written,
			"input-audio": audio - cachedAudio,
			output: text,
			reasoning,
			"output-audio": spoken,
			"output-image": drawn,
			search:
				count(report, "num_search_queries") ??
				count(report, "num_sources_used") ??
				0,
		};
	});
}

/** OpenAI and most others; DeepSeek; Moonshot and Together. */
function cachedTokens(
	report: Readonly<Record<string, unknown>>,
	count: ReadCount,
): number {
	return (
		count(report.prompt_tokens_details, "cached_tokens") ??
		count(report, "prompt_cache_hit_tokens") ??
		count(report, "cached_tokens") ??
		0
	);
}

/** Where a chunk of a stream carries its usage: at the top; under `x_groq`; in its first choice (Moonshot). */
export function usageOf(
	chunk: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
	if (isRecord(chunk.usage)) return chunk.usage;
	if (isRecord(chunk.x_groq) && isRecord(chunk.x_groq.usage))
		return chunk.x_groq.usage;
	const choice: unknown = Array.isArray(chunk.choices)
		? chunk.choices[0]
		: undefined;
	return isRecord(choice) && isRecord(choice.usage) ? choice.usage : undefined;
}
