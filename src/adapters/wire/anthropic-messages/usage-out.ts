import type { Usage } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";

/** Usage as the protocol reports it: input without what was cached, output with what was thought. */
export function writeUsage(usage: Usage = {}, serviceTier?: string): Json {
	return {
		...counts(usage),
		cache_creation: lifetimes(usage),
		inference_geo: null,
		service_tier: tiers.get(serviceTier ?? "") ?? null,
		speed: null,
	};
}

/** As it stands at the end of a stream: totals. */
export function writeDeltaUsage(usage: Usage = {}): Json {
	// Real streams say lifetimes at their start, where they may not be known yet.
	return usage["cache-write-1h"]
		? { ...counts(usage), cache_creation: lifetimes(usage) }
		: counts(usage);
}

function lifetimes(usage: Usage): Json {
	return {
		ephemeral_5m_input_tokens: usage["cache-write-5m"] ?? 0,
		ephemeral_1h_input_tokens: usage["cache-write-1h"] ?? 0,
	};
}

function counts(usage: Usage): Json {
	const sum = (...classes: readonly (keyof Usage)[]): number =>
		classes.reduce((total, each) => total + (usage[each] ?? 0), 0);
	const { reasoning, search } = usage;
	return {
		input_tokens: sum("input", "input-audio", "input-image"),
		cache_creation_input_tokens: sum("cache-write-5m", "cache-write-1h"),
		cache_read_input_tokens: sum("cache-read", "cache-read-audio"),
		output_tokens: sum("output", "reasoning", "output-audio", "output-image"),
		output_tokens_details: reasoning ? { thinking_tokens: reasoning } : null,
		server_tool_use: search
			? { web_search_requests: search, web_fetch_requests: 0 }
			: null,
	};
}

const tiers: ReadonlyMap<string, string> = new Map([
	["default", "standard"],
	["standard", "standard"],
	["priority", "priority"],
	["batch", "batch"],
]);
