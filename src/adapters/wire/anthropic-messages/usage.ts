import type { Usage, UsageClass } from "../../../ports/price-book.ts";
import { isRecord } from "../request-body.ts";
import {
	type ReadCount,
	readUsage,
	type UsageReading,
} from "../usage-counts.ts";

/**
 * Takes a usage report apart. Compaction is billed on top of what the report's own counts say
 * (fixtures/compaction.json).
 */
export function messageUsage(
	report: Report,
	ceiling: number | undefined,
): UsageReading {
	return readUsage((count, doubt) => {
		const sum: Partial<Record<UsageClass, number>> = classes(
			report,
			ceiling,
			count,
			doubt,
		);
		for (const each of Array.isArray(report.iterations)
			? report.iterations
			: []) {
			if (!isRecord(each) || each.type !== "compaction") continue;
			for (const [name, amount] of Object.entries(
				classes(each, undefined, count, doubt),
			)) {
				sum[name as UsageClass] = (sum[name as UsageClass] ?? 0) + amount;
			}
		}
		return sum;
	});
}

/**
 * The classes are disjoint as they come, but for thinking, which is part of `output_tokens`. What a
 * cache write's lifetimes do not name lives five minutes.
 */
function classes(
	report: Report,
	ceiling: number | undefined,
	count: ReadCount,
	doubt: (reason: string) => never,
): Usage {
	const input = count(report, "input_tokens");
	if (input === undefined) return doubt("input_tokens is missing");
	const fiveMinutes =
		count(report.cache_creation, "ephemeral_5m_input_tokens") ?? 0;
	const oneHour =
		count(report.cache_creation, "ephemeral_1h_input_tokens") ?? 0;
	const written =
		count(report, "cache_creation_input_tokens") ?? fiveMinutes + oneHour;
	if (fiveMinutes + oneHour > written)
		return doubt(
			"parts of cache_creation are more than cache_creation_input_tokens",
		);
	const output = count(report, "output_tokens") ?? 0;
	const thinking = count(report.output_tokens_details, "thinking_tokens") ?? 0;
	if (thinking > output)
		return doubt("thinking_tokens is more than output_tokens");
	if (ceiling !== undefined && output > ceiling)
		return doubt("output_tokens is far over the limit that was sent");
	return {
		input,
		"cache-read": count(report, "cache_read_input_tokens") ?? 0,
		"cache-write-5m": written - oneHour,
		"cache-write-1h": oneHour,
		output: output - thinking,
		reasoning: thinking,
		search: count(report.server_tool_use, "web_search_requests") ?? 0,
	};
}

type Report = Readonly<Record<string, unknown>>;

const inputCounts = [
	"input_tokens",
	"cache_creation_input_tokens",
	"cache_read_input_tokens",
];

/**
 * A report brought up to date by a later one. Counts are running totals, so the later one wins
 * wherever it says something; but where all it says of the input is zero, as servers do that only
 * know it at the start, the earlier one stands.
 */
export function mergeReports(
	earlier: Report | undefined,
	later: Report,
): Report {
	const merged: Record<string, unknown> = { ...earlier };
	const silent = inputCounts.every((name) => !later[name]);
	for (const [name, value] of Object.entries(later)) {
		if (value === null || value === undefined) continue;
		if (
			earlier &&
			silent &&
			(inputCounts.includes(name) || name === "cache_creation")
		)
			continue;
		merged[name] = value;
	}
	return merged;
}
