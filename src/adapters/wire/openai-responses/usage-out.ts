import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";

/** Usage as this protocol says it: totals, with their parts beside them. */
export function writtenUsage(usage: Usage): Json {
	const of = (...classes: readonly (keyof Usage)[]) =>
		classes.reduce((sum, each) => sum + (usage[each] ?? 0), 0);
	const cached = of("cache-read", "cache-read-audio");
	const longer = of("cache-write-1h");
	const written = of("cache-write-5m") + longer;
	const input = of("input", "input-audio", "input-image") + cached + written;
	const output = of("output", "reasoning", "output-audio", "output-image");
	return {
		input_tokens: input,
		input_tokens_details: {
			cached_tokens: cached,
			cache_write_tokens: written,
			...(longer > 0 && {
				cache_write_tokens_details: {
					ttl_30m_tokens: written - longer,
					ttl_12h_tokens: longer,
				},
			}),
		},
		output_tokens: output,
		output_tokens_details: { reasoning_tokens: of("reasoning") },
		total_tokens: input + output,
	};
}

/** What the vendor's tools used, which stands beside the usage. */
export function writtenToolUsage(usage: Usage): Json {
	return {
		tool_usage: {
			image_gen: {
				input_tokens: 0,
				input_tokens_details: { image_tokens: 0, text_tokens: 0 },
				output_tokens: 0,
				total_tokens: 0,
			},
			web_search: { num_requests: usage.search ?? 0 },
		},
	};
}
