import { isRecord } from "../request-body.ts";
import { readUsage, type UsageReading } from "../usage-counts.ts";

/**
 * Takes a response's usage apart into disjoint classes. `input_tokens` holds cached and
 * cache-written tokens, `output_tokens` holds reasoning. What its tools used stands apart, under
 * `tool_usage`, and is billed on top: searches by their number, image generation by its own tokens.
 */
export function responseUsage(
	response: Readonly<Record<string, unknown>>,
	ceiling: number | undefined,
): UsageReading {
	return readUsage((count, doubt) => {
		const report = isRecord(response.usage) ? response.usage : {};
		const total = count(report, "total_tokens");
		const prompt = count(report, "input_tokens");
		if (prompt === undefined) return doubt("input_tokens is missing");
		const input = report.input_tokens_details;
		const cached = count(input, "cached_tokens") ?? 0;
		const written = count(input, "cache_write_tokens") ?? 0;
		const lifetimes = isRecord(input)
			? input.cache_write_tokens_details
			: undefined;
		const longer = count(lifetimes, "ttl_12h_tokens") ?? 0;
		if (longer > written)
			return doubt("parts of cache_write_tokens are more than the whole");
		if (cached + written > prompt)
			return doubt("more tokens were cached than input_tokens has");

		let output = count(report, "output_tokens") ?? 0;
		const reasoning =
			count(report.output_tokens_details, "reasoning_tokens") ?? 0;
		// xAI leaves reasoning out of output_tokens and shows it in the total (fixtures/xai-response.json).
		if (reasoning > 0 && total === prompt + output + reasoning)
			output += reasoning;
		if (reasoning > output)
			return doubt("reasoning_tokens is more than output_tokens");
		if (ceiling !== undefined && output - reasoning > ceiling)
			return doubt("output_tokens is far over the limit that was sent");

		const tools = isRecord(response.tool_usage) ? response.tool_usage : {};
		return {
			input: prompt - cached - written,
			"cache-read": cached,
			"cache-write-5m": written - longer,
			"cache-write-1h": longer,
			output: output - reasoning,
			reasoning,
			"input-image": count(tools.image_gen, "input_tokens") ?? 0,
			"output-image": count(tools.image_gen, "output_tokens") ?? 0,
			search:
				count(tools.web_search, "num_requests") ??
				count(report, "num_sources_used") ??
				searches(response.output),
		};
	});
}

/** Of vendors that do not count them: the searches among the output, without pages opened or read. */
function searches(output: unknown): number {
	if (!Array.isArray(output)) return 0;
	return output.filter(
		(item) =>
			isRecord(item) &&
			item.type === "web_search_call" &&
			!(
				isRecord(item.action) &&
				(item.action.type === "open_page" ||
					item.action.type === "find_in_page")
			),
	).length;
}
