import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";

/** Usage as this protocol counts it: the parts of prompt and answer are within their sums. */
export function usageReport(usage: Usage): Json {
	const {
		input = 0,
		output = 0,
		reasoning = 0,
		"cache-read": cached = 0,
		"cache-read-audio": cachedAudio = 0,
		"cache-write-5m": written = 0,
		"cache-write-1h": writtenLong = 0,
		"input-audio": heard = 0,
		"input-image": seen = 0,
		"output-audio": spoken = 0,
		"output-image": drawn = 0,
	} = usage;
	const writes = written + writtenLong;
	const prompt = input + cached + cachedAudio + writes + heard + seen;
	const completion = output + reasoning + spoken + drawn;
	return {
		prompt_tokens: prompt,
		completion_tokens: completion,
		total_tokens: prompt + completion,
		prompt_tokens_details: {
			cached_tokens: cached + cachedAudio,
			audio_tokens: heard + cachedAudio,
			...(writes > 0 ? { cache_write_tokens: writes } : {}),
		},
		completion_tokens_details: {
			reasoning_tokens: reasoning,
			audio_tokens: spoken,
			...(drawn > 0 ? { image_tokens: drawn } : {}),
			accepted_prediction_tokens: 0,
			rejected_prediction_tokens: 0,
		},
	};
}
