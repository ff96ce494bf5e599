import { isRecord } from "../request-body.ts";
import { readUsage, type UsageReading } from "../usage-counts.ts";

/**
 * Takes a usage report apart. Its classes are disjoint as they come; how long what was written to
 * the cache lives stands in `cacheDetails`, and what they do not name lives five minutes.
 */
export function converseUsage(
	report: Readonly<Record<string, unknown>>,
	ceiling: number | undefined,
): UsageReading {
	return readUsage((count, doubt) => {
		const input = count(report, "inputTokens");
		if (input === undefined) return doubt("inputTokens is missing");
		const written = count(report, "cacheWriteInputTokens") ?? 0;
		let oneHour = 0;
		for (const each of Array.isArray(report.cacheDetails)
			? report.cacheDetails
			: []) {
			if (isRecord(each) && each.ttl === "1h")
				oneHour += count(each, "inputTokens") ?? 0;
		}
		if (oneHour > written)
			return doubt("cacheDetails is more than cacheWriteInputTokens");
		const output = count(report, "outputTokens") ?? 0;
		if (ceiling !== undefined && output > ceiling)
			return doubt("outputTokens is far over the limit that was sent");
		return {
			input,
			"cache-read": count(report, "cacheReadInputTokens") ?? 0,
			"cache-write-5m": written - oneHour,
			"cache-write-1h": oneHour,
			output,
		};
	});
}
